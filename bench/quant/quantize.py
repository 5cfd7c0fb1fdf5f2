"""Quantize a float .tflite to int8 with a peer: quantize.py tensorflow|litert FLOAT.tflite SAMPLES.npy OUT.tflite

SAMPLES.npy is (N, H, W, C) float32, in the model's own units. Prints the seconds of the work itself, without the start of
Python and its imports.
"""
import sys
import time

import numpy as np


def tensorflow(model, samples):
    """What TFLiteConverter does behind its conversion to a float model: calibration, then the quantizer, per channel."""
    import tensorflow as tf
    from tensorflow.lite.python.optimize import calibrator

    start = time.perf_counter()
    c = calibrator.Calibrator(model)
    i8 = tf.int8
    out = c.calibrate_and_quantize(lambda: ([x[None]] for x in samples), i8, i8, False, i8, tf.int32)
    return out, time.perf_counter() - start


def litert(model, samples):
    from ai_edge_quantizer import quantizer, recipe

    start = time.perf_counter()
    q = quantizer.Quantizer(model, recipe.static_wi8_ai8())
    name = next(iter(q_inputs(model)))
    seen = q.calibrate({"serving_default": [{name: x[None]} for x in samples]})
    out = q.quantize(seen).quantized_model
    return out, time.perf_counter() - start


def q_inputs(model):
    from ai_edge_litert.interpreter import Interpreter

    it = Interpreter(model_content=model)
    s = it.get_signature_list()
    return next(iter(s.values()))["inputs"] if s else [it.get_input_details()[0]["name"]]


def main(peer, path, samples, out):
    with open(path, "rb") as f:
        model = f.read()
    quantized, seconds = {"tensorflow": tensorflow, "litert": litert}[peer](model, np.load(samples))
    with open(out, "wb") as f:
        f.write(bytes(quantized))
    print(seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
