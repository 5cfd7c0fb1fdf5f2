#!/usr/bin/env python3
"""Make a small depthwise separable net with TensorFlow's own int8 converter, for vectors.py.

    python3 -m venv venv && venv/bin/pip install tensorflow-cpu==2.21.0
    venv/bin/python small.py DIR    writes DIR/small.tflite and DIR/small.npy, 64 inputs

The weights and batch norms are random, as spread out as a trained net's; the images are soft blobs of colour.
"""
import pathlib
import sys

import numpy as np
import tensorflow as tf

L, I = tf.keras.layers, tf.keras.initializers
tf.keras.utils.set_random_seed(7)
rng = np.random.default_rng(3)


def norm(x):
    return L.BatchNormalization(epsilon=1e-5, beta_initializer=I.RandomNormal(0, 0.3),
                                gamma_initializer=I.RandomUniform(0.5, 2), moving_mean_initializer=I.RandomNormal(0, 0.2),
                                moving_variance_initializer=I.RandomUniform(0.3, 1.5))(x)


def net():
    x = image = L.Input((32, 32, 3), batch_size=1)
    x = L.ReLU()(norm(L.Conv2D(12, 3, padding="same", use_bias=False)(x)))
    for block, (channels, stride) in enumerate([(20, 1), (36, 2), (52, 2), (72, 2)]):
        if block == 2:  # PyTorch's geometry: zeros on all sides, then VALID
            x = L.ZeroPadding2D(1)(x)
        x = norm(L.DepthwiseConv2D(3, strides=stride, padding="valid" if block == 2 else "same", use_bias=False)(x))
        x = L.ReLU(6.0 if block == 1 else None)(x)
        x = norm(L.Conv2D(channels, 1, use_bias=False)(x))
        if block != 2:  # one without an activation
            x = L.ReLU()(x)
    x = L.GlobalAveragePooling2D()(x)
    return tf.keras.Model(image, L.Dense(10, bias_initializer=I.RandomNormal(0, 0.3))(x))


def images(n):
    x = tf.image.resize(rng.random((n, 5, 5, 3)), (32, 32), "bicubic").numpy() + rng.normal(0, 0.01, (n, 32, 32, 3))
    return np.clip(np.rint((x - 0.5) * rng.uniform(0.6, 2, (n, 1, 1, 1)) * 255 + 128), 0, 255)


def main():
    out = pathlib.Path(sys.argv[1])
    calibration = images(200)
    c = tf.lite.TFLiteConverter.from_keras_model(net())
    c.optimizations = [tf.lite.Optimize.DEFAULT]
    c.representative_dataset = lambda: ([np.float32(p[None] / 255)] for p in calibration)
    c.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    c.inference_input_type = c.inference_output_type = tf.int8
    (out / "small.tflite").write_bytes(c.convert())
    np.save(out / "small.npy", np.int8(images(64) - 128))  # the input's scale is 1/255, its zero point -128


main()
