"""What is in a picture, by LiteRT: python litert.py MODEL PICTURE. The shortest script that does it."""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

interpreter = Interpreter(sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
x, y = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
height, width = x["shape"][1:3]
picture = Image.open(sys.argv[2]).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
pixels = np.asarray(picture, np.float32)[None] / 64 - 2
scale, zero = x["quantization"]
interpreter.set_tensor(x["index"], np.clip(np.round(pixels / scale) + zero, -128, 127).astype(x["dtype"]))
interpreter.invoke()
scale, zero = y["quantization"]
scores = (interpreter.get_tensor(y["index"])[0].astype(np.float32) - zero) * scale
shares = np.exp(scores - scores.max())
for i in np.argsort(-scores)[:5]:
    print(f"{100 * shares[i] / shares.sum():6.2f} %  class {i}")
