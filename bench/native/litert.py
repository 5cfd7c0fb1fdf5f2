"""LiteRT's XNNPACK delegate, to compare the native engine with: python litert.py MODEL INPUT THREADS.

INPUT is a file of the input tensor's bytes. When the model is ready and warm this prints "ready NAME: ANSWER", the answer in
hexadecimal digits; then for each line "N" it makes N calls of the interpreter and prints what each took in nanoseconds.
"""

import importlib.metadata
import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def main():
    model, source, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    interpreter = Interpreter(model, num_threads=threads)
    interpreter.allocate_tensors()
    x, y = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.set_tensor(x["index"], np.fromfile(source, x["dtype"]).reshape(x["shape"]))
    interpreter.invoke()
    answer = interpreter.get_tensor(y["index"]).tobytes().hex()
    call = interpreter._interpreter.Invoke  # invoke without its check for views of tensors, which costs some 100 ns
    for _ in range(100):
        call()
    print(f"ready LiteRT {importlib.metadata.version('ai-edge-litert')}: {answer}", flush=True)
    clock = time.perf_counter_ns
    for line in sys.stdin:
        took = []
        for _ in range(int(line)):
            start = clock()
            call()
            took.append(clock() - start)
        print(*took, flush=True)


main()
