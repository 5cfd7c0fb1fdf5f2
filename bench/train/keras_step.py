"""The training step of net D in Keras, to compare ours with: python keras_step.py WIDTH BATCH.

The same net and work as `mnet-edge train --preset seed`: pixels normalized in the graph, 3x3 convolutions with TFLite's SAME
padding, BN with momentum 0.9 and epsilon 1e-5, SGD with momentum 0.9 and weight decay. The step is one tf.function over one
constant batch, Keras' fastest way. When it is compiled and warm it prints "ready"; then for each line "N" it runs N steps and
prints images a second.
"""

import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tensorflow import keras

BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]


def net_d(width):
    def bn_relu(x):
        return keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x))

    pixels = keras.Input((32, 32, 3))
    x = keras.layers.Rescaling(1 / 64, offset=-2)(pixels)
    x = bn_relu(keras.layers.Conv2D(32, 3, padding="same", use_bias=False)(x))
    for channels, stride in BLOCKS:
        x = bn_relu(keras.layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x))
        x = bn_relu(keras.layers.Conv2D(int(channels * width), 1, use_bias=False)(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(pixels, keras.layers.Dense(10)(x))


def main():
    width, batch = float(sys.argv[1]), int(sys.argv[2])
    model = net_d(width)
    optimizer = keras.optimizers.SGD(1e-3, momentum=0.9, weight_decay=5e-4)
    optimizer.build(model.trainable_variables)
    loss_of = keras.losses.CategoricalCrossentropy(from_logits=True)
    rng = np.random.default_rng(1)
    pixels = tf.constant(rng.integers(0, 256, (batch, 32, 32, 3), dtype=np.uint8))
    labels = tf.constant(rng.integers(0, 10, (batch,), dtype=np.int32))

    @tf.function
    def step(pixels, labels):
        with tf.GradientTape() as tape:
            logits = model(tf.cast(pixels, tf.float32), training=True)
            loss = loss_of(tf.one_hot(labels, 10), logits)
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
        return loss, tf.reduce_sum(tf.cast(tf.argmax(logits, 1, tf.int32) == labels, tf.int32))

    for _ in range(3):
        float(step(pixels, labels)[0])
    print("ready", f"Keras {keras.__version__}, TensorFlow {tf.__version__}, {model.count_params()} parameters", flush=True)
    for line in sys.stdin:
        steps = int(line)
        began = time.perf_counter()
        for _ in range(steps):
            loss, correct = step(pixels, labels)
            float(loss), int(correct)  # the trainer reads both every step
        print(batch * steps / (time.perf_counter() - began), flush=True)


main()
