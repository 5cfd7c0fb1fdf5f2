#!/usr/bin/env python3
"""Writes image classifiers of another maker, the TensorFlow converter: python make.py PIXELS LABELS EPOCHS FOLDER

PIXELS are training images (N, 32, 32, 3) as uint8, LABELS their classes as uint8, both without a header. ResNet-8, as in
MLPerf Tiny, and MobileNetV2 at width 0.35 are trained on them and written in four forms each: float32, float16 weights,
int8 and uint8 input and output. All take pixel / 255 and have no metadata. A network that is there is not made again.
"""

import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf

L = tf.keras.layers


def resnet8():
    def convolution(x, filters, size, stride):
        x = L.Conv2D(filters, size, strides=stride, padding="same", use_bias=False)(x)
        return L.BatchNormalization(momentum=0.9)(x)

    x = inputs = tf.keras.Input((32, 32, 3))
    x = L.ReLU()(convolution(x, 16, 3, 1))
    for filters, stride in (16, 1), (32, 2), (64, 2):
        y = L.ReLU()(convolution(x, filters, 3, stride))
        y = convolution(y, filters, 3, 1)
        if stride > 1:
            x = L.Conv2D(filters, 1, strides=stride, padding="same")(x)
        x = L.ReLU()(L.Add()([x, y]))
    x = L.Flatten()(L.AveragePooling2D(8)(x))
    return tf.keras.Model(inputs, L.Dense(10, activation="softmax")(x))


def mobilenetv2():
    model = tf.keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=10)
    for layer in model.layers:
        if hasattr(layer, "momentum"):
            layer.momentum = 0.9
    return model


def forms(model, images):
    """The model as the converter writes it, by what it is called."""
    for form in "float32", "float16", "int8", "uint8":
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if form != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if form == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if form in ("int8", "uint8"):
            converter.representative_dataset = lambda: ([image[None]] for image in images[:256])
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(form)
        yield form, converter.convert()


pixels, labels, epochs, folder = sys.argv[1:]
images = np.fromfile(pixels, np.uint8).reshape(-1, 32, 32, 3).astype(np.float32) / 255
classes = np.fromfile(labels, np.uint8)
os.makedirs(folder, exist_ok=True)
for name, net in ("resnet8", resnet8), ("mobilenetv2", mobilenetv2):
    last = os.path.join(folder, name + "_uint8.tflite")
    if os.path.exists(last):
        continue
    tf.keras.utils.set_random_seed(1)
    model = net()
    model.compile(tf.keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, classes, batch_size=64, epochs=int(epochs), verbose=2)
    for form, data in forms(model, images):
        with open(os.path.join(folder, f"{name}_{form}.tflite"), "wb") as f:
            f.write(data)
