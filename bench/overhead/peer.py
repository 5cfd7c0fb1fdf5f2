"""LiteRT's Python interpreter: python peer.py MODEL INPUT THREADS. See bench/internal/turns for what it says and is told."""

import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter

path, source, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
interpreter = Interpreter(path, num_threads=threads)
interpreter.allocate_tensors()
x, y = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
interpreter.set_tensor(x["index"], np.fromfile(source, x["dtype"]).reshape(x["shape"]))
for _ in range(100):
    interpreter.invoke()
print("ready Python:", interpreter.get_tensor(y["index"]).tobytes().hex(), flush=True)
clock = time.perf_counter_ns
for line in sys.stdin:
    took = []
    for _ in range(int(line)):
        start = clock()
        interpreter.invoke()
        took.append(clock() - start)
    print(*took, flush=True)
