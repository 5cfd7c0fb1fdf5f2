"""All tensors of a model by LiteRT's XNNPACK: python tensors.py MODEL INPUTS OUT.

The model has them all as outputs. INPUTS is a file of the input tensor's bytes, input after input; OUT gets, for each, the bytes
of the outputs in order.
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def main():
    model, source, out = sys.argv[1:]
    interpreter = Interpreter(model, num_threads=1)
    interpreter.allocate_tensors()
    x, outputs = interpreter.get_input_details()[0], interpreter.get_output_details()
    with open(out, "wb") as f:
        for value in np.fromfile(source, x["dtype"]).reshape(-1, *x["shape"]):
            interpreter.set_tensor(x["index"], value)
            interpreter.invoke()
            for y in outputs:
                f.write(interpreter.get_tensor(y["index"]).tobytes())


main()
