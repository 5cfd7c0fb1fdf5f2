#!/usr/bin/env python3
"""Make nets of the usual families with TensorFlow's own converter, for vectors.py and for conversions to compare with.

    python3 -m venv venv && venv/bin/pip install tensorflow-cpu==2.21.0
    venv/bin/python nets.py DIR NAME...

writes for each NAME

    DIR/NAME.tflite        int8 throughout, 10 classes, by TensorFlow's converter
    DIR/NAME.npy           inputs for it
    DIR/NAME_float.tflite  the same net in float32
    DIR/NAME_float.npy     calibration images for it

residual, squeezed and mixed are narrow, for the vectors; resnet8, mobilenet1, mobilenet2, mobilenet3 and mobilenet3large are
the families' own sizes, mobilenet*_any with a batch that is not known. Weights and batch norms are random, as spread
out as a trained net's; the images are soft blobs of colour.
"""
import pathlib
import sys

import numpy as np
import tensorflow as tf

L = tf.keras.layers
SIDE = 32


def norm(x):
    return L.BatchNormalization(epsilon=1e-5)(x)


def resnet(widths, side=SIDE):
    """Residual blocks as in MLPerf Tiny's ResNet-8: ADD with a fused ReLU, AVERAGE_POOL_2D, SOFTMAX."""
    x = image = L.Input((side, side, 3), batch_size=1)
    x = L.ReLU()(norm(L.Conv2D(widths[0], 3, padding="same")(x)))
    for i, width in enumerate(widths):
        stride = 1 if i == 0 else 2
        y = L.ReLU()(norm(L.Conv2D(width, 3, strides=stride, padding="same")(x)))
        y = norm(L.Conv2D(width, 3, padding="same")(y))
        if stride > 1:
            x = L.Conv2D(width, 1, strides=stride, padding="same")(x)
        x = L.ReLU()(L.Add()([x, y]))
    x = L.Flatten()(L.AveragePooling2D(x.shape[1])(x))
    return tf.keras.Model(image, L.Dense(10, activation="softmax")(x))


def squeezed():
    """MobileNetV3's parts: HARD_SWISH, squeeze and excite with a hard and a true sigmoid, an inverted residual."""
    hard = lambda x: L.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)
    swish = lambda x: L.Multiply()([x, hard(x)])
    x = image = L.Input((16, 16, 3), batch_size=1)
    x = swish(norm(L.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x * 2.0 - 1.0)))
    for i, gate in enumerate([hard, tf.keras.activations.sigmoid]):
        y = swish(norm(L.Conv2D(24, 1, use_bias=False)(x)))
        y = swish(norm(L.DepthwiseConv2D(3 + 2 * i, padding="same", use_bias=False)(y)))
        s = L.GlobalAveragePooling2D(keepdims=True)(y)
        s = gate(L.Conv2D(24, 1)(L.ReLU()(L.Conv2D(8, 1)(s))))
        y = norm(L.Conv2D(8, 1, use_bias=False)(L.Multiply()([y, s])))
        x = L.Add()([x, y])
    x = swish(L.Conv2D(32, 1)(L.GlobalAveragePooling2D(keepdims=True)(x)))
    return tf.keras.Model(image, L.Flatten()(L.Conv2D(10, 1)(x)))


def mixed():
    """The rest: MAX_POOL_2D, CONCATENATION, RESIZE_*, TRANSPOSE, SUB, RELU on its own, padded averages, dense rows."""
    x = image = L.Input((12, 12, 3), batch_size=1)
    x = norm(L.Conv2D(6, 3, padding="same")(x))
    r = L.ReLU()(x)  # of a value with two uses: a node of its own
    a = L.MaxPooling2D(3, strides=2, padding="same")(r)
    b = L.AveragePooling2D(3, strides=2, padding="same")(x)
    b = L.Conv2D(6, 1)(b)
    x = L.Concatenate()([a, b, L.MaxPooling2D(2)(r)])
    up = L.Conv2D(9, 3, strides=2, padding="same")(x)
    up = tf.keras.ops.image.resize(up, (6, 6), interpolation="bilinear")
    near = tf.keras.ops.image.resize(L.Conv2D(9, 3, strides=2, padding="same")(x), (6, 6), interpolation="nearest")
    x = L.Subtract()([L.Conv2D(9, 1)(x), up])
    x = L.Add()([x, near])
    x = tf.keras.ops.transpose(x, (0, 3, 2, 1))
    x = L.Conv2D(5, 3, padding="same", activation="relu6")(x)
    x = L.Activation("sigmoid")(L.Dense(7)(x))  # dense on rows
    return tf.keras.Model(image, L.Dense(10)(L.Flatten()(x)))


def application(make, **options):
    return lambda: make(input_shape=(SIDE, SIDE, 3), weights=None, classes=10, **options)


A = tf.keras.applications
NETS = {
    "residual": lambda: resnet([6, 10, 12], 16),
    "squeezed": squeezed,
    "mixed": mixed,
    "resnet8": lambda: resnet([16, 32, 64]),
    "mobilenet1": application(A.MobileNet, alpha=0.25),
    "mobilenet2": application(A.MobileNetV2, alpha=0.35),
    "mobilenet3": application(A.MobileNetV3Small, alpha=0.75),
    "mobilenet3large": application(A.MobileNetV3Large, alpha=0.75),
}


def spread(model, rng):
    for w in model.weights:
        shape, path = tuple(w.shape), w.path
        if "variance" in path:
            w.assign(rng.uniform(0.3, 1.5, shape))
        elif "gamma" in path:
            w.assign(rng.uniform(0.5, 2, shape))
        elif len(shape) == 1:
            w.assign(rng.normal(0, 0.2, shape))
        else:  # He's, a little less, so that residuals do not grow without end
            fan = np.prod(shape[:2]) if "depthwise" in path else np.prod(shape[:-1])
            w.assign(rng.normal(0, np.sqrt(1.4 / fan), shape))


def images(rng, n, side):
    x = tf.image.resize(rng.random((n, 5, 5, 3)), (side, side), "bicubic").numpy() + rng.normal(0, 0.01, (n, side, side, 3))
    return np.float32(np.clip(np.rint((x - 0.5) * rng.uniform(0.6, 2, (n, 1, 1, 1)) * 255 + 128), 0, 255))


def convert(model, calibration):
    c = tf.lite.TFLiteConverter.from_keras_model(model)
    if calibration is not None:
        c.optimizations = [tf.lite.Optimize.DEFAULT]
        c.representative_dataset = lambda: ([p[None]] for p in calibration)
        c.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        c.inference_input_type = c.inference_output_type = tf.int8
    return c.convert()


def make(out, name):
    tf.keras.utils.set_random_seed(7)
    rng = np.random.default_rng(3)
    model = NETS[name.removesuffix("_any")]()
    spread(model, rng)
    if not name.endswith("_any") and model.inputs[0].shape[0] is None:  # a batch of one
        image = L.Input(model.inputs[0].shape[1:], batch_size=1)
        model = tf.keras.Model(image, model(image))
    side, narrow = model.inputs[0].shape[1], model.inputs[0].shape[1] < SIDE
    calibration = images(rng, 128, side)
    inputs = images(rng, 12 if narrow else 64, side)
    if "mobilenet3" not in name:  # which rescales pixels itself
        calibration, inputs = calibration / 255, inputs / 255
    (out / (name + "_float.tflite")).write_bytes(convert(model, None))
    np.save(out / (name + "_float.npy"), calibration)
    int8 = convert(model, calibration)
    (out / (name + ".tflite")).write_bytes(int8)
    d = tf.lite.Interpreter(model_content=int8).get_input_details()[0]
    scale, zero = d["quantization"]
    np.save(out / (name + ".npy"), np.int8(np.clip(np.rint(inputs / scale) + zero, -128, 127)))


def main():
    for name in sys.argv[2:]:
        make(pathlib.Path(sys.argv[1]), name)


main()
