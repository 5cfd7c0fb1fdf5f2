"""What int8 models answer, against the float one: evaluate.py FOLDER MEAN STD FLOAT.tflite INT8.tflite ...

FOLDER has test.npy, (N, H, W, 3) uint8. All models take (pixel - MEAN) / STD, the int8 ones in their own integers, and run in LiteRT
under XNNPACK and under its reference kernels. Prints one JSON array, the float model first: each one's answers to all images.
"""
import json
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

KERNELS = {"XNNPACK": OpResolverType.AUTO, "reference": OpResolverType.BUILTIN_REF}


def run(path, kernels, pixels, mean, std):
    it = Interpreter(path, experimental_op_resolver_type=KERNELS[kernels], num_threads=1)
    it.allocate_tensors()
    i, o = it.get_input_details()[0], it.get_output_details()[0]
    logits = []
    for image in pixels:
        x = (image.astype(np.float32) - np.float32(mean)) / np.float32(std)
        if i["dtype"] != np.float32:
            scale, zero = i["quantization"]
            x = np.clip(np.rint(x / np.float32(scale)) + zero, -128, 127)
        it.set_tensor(i["index"], x.astype(i["dtype"])[None])
        it.invoke()
        y = it.get_tensor(o["index"])[0].astype(np.float64)
        if o["dtype"] != np.float32:
            scale, zero = o["quantization"]
            y = (y - zero) * scale
        logits.append(y)
    return np.stack(logits)


def main(folder, mean, std, float_model, *models):
    pixels = np.load(folder + "/test.npy")
    mean, std = float(mean), float(std)
    want = run(float_model, "XNNPACK", pixels, mean, std)
    found = [{"path": float_model, "kernels": "XNNPACK", "answers": want.argmax(1).tolist(), "snr_db": 0.0}]
    for path in models:
        for kernels in KERNELS:
            got = run(path, kernels, pixels, mean, std)
            snr = 10 * np.log10((want**2).sum() / ((want - got) ** 2).sum())
            found.append({"path": path, "kernels": kernels, "answers": got.argmax(1).tolist(), "snr_db": float(snr)})
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
