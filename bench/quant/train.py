"""Train the benchmark's Keras nets briefly and write their float .tflite files: train.py FOLDER OUT [EPOCHS [IMAGES]]

FOLDER has train.npy and train-labels.npy, see `-export` of this folder's program. The nets take pixels in -1..1. OUT gets
mobilenetv2.tflite and resnet8.tflite, as TensorFlow's converter writes them.
"""
import sys

import keras
import numpy as np
import tensorflow as tf
from keras import layers


def bn(x, act=True):
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU(6.0)(x) if act else x


def mobilenetv2():
    """Sandler et al. 2018: inverted residuals, t = 4, for 32 x 32 pixels."""
    x0 = x = layers.Input((32, 32, 3), batch_size=1)
    x = bn(layers.Conv2D(16, 3, strides=1, padding="same", use_bias=False)(x))
    for channels, stride, times in [(12, 1, 1), (20, 2, 2), (32, 2, 2), (48, 1, 1)]:
        for k in range(times):
            s = stride if k == 0 else 1
            y = bn(layers.Conv2D(4 * x.shape[-1], 1, use_bias=False)(x))
            y = bn(layers.DepthwiseConv2D(3, strides=s, padding="same", use_bias=False)(y))
            y = bn(layers.Conv2D(channels, 1, use_bias=False)(y), act=False)
            x = layers.Add()([x, y]) if s == 1 and x.shape[-1] == channels else y
    x = bn(layers.Conv2D(128, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(x0, layers.Dense(10)(x))


def resnet8():
    """He et al. 2016 with three stages of one block, as MLPerf Tiny has it."""
    def act(x):
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))

    x0 = layers.Input((32, 32, 3), batch_size=1)
    x = act(layers.Conv2D(16, 3, padding="same", use_bias=False)(x0))
    for channels, stride in [(16, 1), (32, 2), (64, 2)]:
        y = act(layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False)(x))
        y = layers.BatchNormalization(momentum=0.9)(layers.Conv2D(channels, 3, padding="same", use_bias=False)(y))
        if stride > 1:
            x = layers.Conv2D(channels, 1, strides=stride, use_bias=False)(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(x0, layers.Dense(10)(x))


def unbatched(net):
    """The same layers for any batch: the fixed batch of one is for the converter."""
    return keras.models.clone_model(net, input_tensors=layers.Input((32, 32, 3)))


def main(folder, out, epochs="3", images="50000"):
    keras.utils.set_random_seed(1)
    pixels = (np.load(folder + "/train.npy").astype(np.float32) - 127.5) / 127.5
    labels = np.load(folder + "/train-labels.npy").astype(np.int32)
    some = np.random.default_rng(1).permutation(len(pixels))[: int(images)]
    pixels, labels = pixels[some], labels[some]
    for name, make in (("mobilenetv2", mobilenetv2), ("resnet8", resnet8)):
        fixed = make()
        net = unbatched(fixed)
        steps = int(epochs) * (len(pixels) // 64)
        net.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
                    keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        net.fit(pixels, labels, batch_size=64, epochs=int(epochs), verbose=2)
        fixed.set_weights(net.get_weights())
        with open(f"{out}/{name}.tflite", "wb") as f:
            f.write(tf.lite.TFLiteConverter.from_keras_model(fixed).convert())


if __name__ == "__main__":
    main(*sys.argv[1:])
