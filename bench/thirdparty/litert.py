"""LiteRT's Python interpreter over images: python litert.py PIXELS LABELS MEAN STD MODEL...

PIXELS are images (N, H, W, 3) as uint8, LABELS their classes as uint8, both without a header. The network's input is
(pixel - MEAN) / STD. A line is printed for each model: the number of images whose likeliest class is their label, and the
type of the input.
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

pixels, labels, mean, std = sys.argv[1:5]
labels = np.fromfile(labels, np.uint8)
for path in sys.argv[5:]:
    interpreter = Interpreter(path, num_threads=1)
    interpreter.allocate_tensors()
    x, y = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    table = (np.arange(256, dtype=np.float32) - np.float32(mean)) / np.float32(std)
    if x["dtype"] != np.float32:
        scale, zero = x["quantization"]
        steps = table.astype(np.float64) / scale
        limits = np.iinfo(x["dtype"])
        table = np.clip(np.trunc(steps + np.copysign(0.5, steps)) + zero, limits.min, limits.max).astype(x["dtype"])
    images = np.fromfile(pixels, np.uint8).reshape(-1, *x["shape"][1:])
    correct = 0
    for image, label in zip(images, labels):
        interpreter.set_tensor(x["index"], table[image][None])
        interpreter.invoke()
        correct += int(interpreter.get_tensor(y["index"])[0].argmax() == label)
    print(correct, np.dtype(x["dtype"]).name, flush=True)
