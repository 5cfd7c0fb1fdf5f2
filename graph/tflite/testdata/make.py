#!/usr/bin/env python3
"""Writes the models of other makers that the tests read: the TensorFlow converter's.

    python3 -m venv .venv && .venv/bin/pip install tensorflow-cpu==2.21.0
    .venv/bin/python make.py

Each is a network of depthwise and pointwise convolutions with random weights, 16x16 RGB to 5 classes:
tf_float.tflite    float32
tf_int8.tflite     int8 with float input and output
tf_int8io.tflite   int8 throughout, source padding (PAD before a VALID convolution), dense layer without bias
tf_any.tflite      float32, another net: branches, and a batch that is not known, so that the shape of the flattening
                   is computed by operators
tf_float16.tflite  float16 weights behind DEQUANTIZE
tf_dynamic.tflite  int8 weights, float32 activations
tf_int16x8.tflite  int16 activations, int8 weights
tf_curves.tflite   float32, with operators that have no integer form here: TANH, LEAKY_RELU, DIV
"""
import os

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
import numpy as np
import tensorflow as tf

L = tf.keras.layers


def net(symmetric, dense_bias):
    x = inputs = tf.keras.Input((16, 16, 3), name="image")
    if symmetric:
        x = L.ZeroPadding2D(1)(x)
    x = L.Conv2D(8, 3, strides=2, padding="valid" if symmetric else "same", use_bias=False)(x)
    x = L.ReLU(6.0)(L.BatchNormalization()(x))
    x = L.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(x)
    x = L.ReLU()(L.BatchNormalization()(x))
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(12, 1, use_bias=False)(x)))
    x = L.GlobalAveragePooling2D()(x)
    model = tf.keras.Model(inputs, L.Dense(5, use_bias=dense_bias, name="logits")(x))
    r = np.random.default_rng(7)
    for w in model.weights:  # batch normalization too, or every bias would be 0
        w.assign(0.5 + r.random(w.shape) if "variance" in w.path else r.normal(0, 0.4, w.shape))
    return model


def branches():
    x = inputs = tf.keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(6, 3, strides=2, padding="same")(x)
    x = L.Multiply()([x, L.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)])  # a hard swish
    y = L.Activation("sigmoid")(L.Conv2D(6, 1)(L.GlobalAveragePooling2D(keepdims=True)(x)))
    x = L.Add()([x, L.Multiply()([x, y])])
    x = L.Concatenate()([L.MaxPooling2D(2)(x), L.AveragePooling2D(3, strides=2, padding="same")(x)])
    x = L.Conv2D(4, 1)(tf.keras.ops.transpose(x, (0, 2, 1, 3)))
    return tf.keras.Model(inputs, L.Dense(5, activation="softmax")(L.Flatten()(x)))


def wide():
    """Dynamic range leaves weights of less than 1,024 elements in float32."""
    x = inputs = tf.keras.Input((16, 16, 3), name="image")
    x = L.ReLU()(L.Conv2D(16, 5, strides=4, padding="same")(x))
    x = L.ReLU(6.0)(L.DepthwiseConv2D(11, padding="same")(x))
    x = L.Conv2D(24, 2)(x)
    return tf.keras.Model(inputs, L.Dense(5, name="logits")(L.Dense(48)(L.GlobalAveragePooling2D()(x))))


def curves():
    x = inputs = tf.keras.Input((16, 16, 3), name="image")
    x = L.Activation("tanh")(L.Conv2D(8, 3, strides=2, padding="same")(x))
    x = L.LeakyReLU(0.1)(L.Conv2D(12, 1)(x))
    x = L.GlobalAveragePooling2D()(L.Conv2D(12, 3, strides=2, padding="same")(x))
    x = x / (1.0 + L.Dense(12, activation="sigmoid")(x))
    return tf.keras.Model(inputs, L.Dense(5, name="logits")(x))


def samples():
    r = np.random.default_rng(1)
    for _ in range(16):
        yield [r.random((1, 16, 16, 3), dtype=np.float32)]


def write(name, model, int8=False, int8_io=False, int16=False, small=None):
    c = tf.lite.TFLiteConverter.from_keras_model(model)
    if int8 or int16 or small:
        c.optimizations = [tf.lite.Optimize.DEFAULT]
    if int8 or int16:
        c.representative_dataset = samples
        c.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8 if int8 else
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    if small == "float16":
        c.target_spec.supported_types = [tf.float16]
    if int8_io:
        c.inference_input_type = c.inference_output_type = tf.int8
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), "wb") as f:
        f.write(c.convert())


a, b = net(False, True), net(True, False)
write("tf_float.tflite", a)
write("tf_int8.tflite", a, int8=True)
write("tf_int8io.tflite", b, int8=True, int8_io=True)
write("tf_any.tflite", branches())
write("tf_float16.tflite", a, small="float16")
write("tf_dynamic.tflite", wide(), small="dynamic")
write("tf_int16x8.tflite", a, int16=True)
write("tf_curves.tflite", curves())
