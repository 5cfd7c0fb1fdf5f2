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
tf_blocks.tflite   float32, blocks of newer networks: neighbouring pixels as channels, halves shuffled, mirrored borders,
                   attention, a gate, a transposed convolution, powers, vectors of length 1
tf_tail.tflite     float32, a net that ends in operators that have no form here: a comparison, TOPK_V2, GATHER, ARG_MAX
tf_moves.tflite    float32, no network: what moves elements, in the forms that slicing has in Python, and reductions. Its
                   input is 4x6x8 whole numbers, (37 i + 11) mod 101 - 50, of which every result is exact;
                   tf_moves.txt has, of TensorFlow Lite's reference kernels, what each is, its tensor, its shape and the
                   first 8 bytes of its SHA-256
"""
import hashlib
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


def blocks():
    tf.keras.utils.set_random_seed(7)
    do = lambda f, *x: L.Lambda(lambda x: f(*x))(list(x))
    x = inputs = tf.keras.Input((16, 16, 3), batch_size=1, name="image")
    x = do(lambda x: tf.concat([x[:, ::2, ::2], x[:, 1::2, ::2], x[:, ::2, 1::2], x[:, 1::2, 1::2]], -1), x)
    x = L.Conv2D(8, 3, padding="same", activation="relu")(x)
    a, b = do(lambda x: tf.split(x, 2, axis=-1)[0], x), do(lambda x: tf.split(x, 2, axis=-1)[1], x)
    b = L.Conv2D(4, 1)(L.DepthwiseConv2D(3, padding="same")(L.Conv2D(4, 1, activation="relu")(b)))
    x = do(lambda a, b: tf.reshape(tf.transpose(tf.stack([a, b], 3), (0, 1, 2, 4, 3)), (1, 8, 8, 8)), a, b)
    x = do(lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT"), x)
    x = L.Conv2D(8, 3, strides=2, activation="relu6")(x)
    rows = L.Reshape((16, 8))(x)
    q, k, v = L.Dense(6)(rows), L.Dense(6)(rows), L.Dense(8)(rows)
    y = do(lambda q, k: tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * 0.4), q, k)
    x = L.Add()([x, L.Reshape((4, 4, 8))(do(tf.matmul, y, v))])
    gate = do(lambda x: tf.sigmoid(tf.reduce_max(x, [1, 2], keepdims=True) - tf.reduce_sum(x, [1, 2], keepdims=True) / 16), x)
    x = L.Multiply()([x, gate])
    x = L.Conv2DTranspose(4, 3, strides=2, padding="same")(x)
    x = do(lambda x: x * tf.tanh(tf.math.log(1 + tf.exp(x))), x)
    x = do(lambda x: tf.nn.space_to_depth(x, 2), x)
    x = do(lambda x: tf.pow(tf.nn.relu(x) + 0.1, 1.5) + tf.sin(x), x)
    x = do(lambda x: tf.nn.l2_normalize(tf.reshape(x[:, 1:3, 1:3], (1, 64)), -1), x)
    return tf.keras.Model(inputs, L.Dense(5, name="logits")(x))


def tail():
    tf.keras.utils.set_random_seed(8)
    do = lambda f, *x: L.Lambda(lambda x: f(*x))(list(x))
    x = inputs = tf.keras.Input((16, 16, 3), name="image")
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    x = L.Conv2D(12, 1, activation="relu6")(L.DepthwiseConv2D(3, padding="same")(x))
    logits = L.Dense(5, name="logits")(L.GlobalAveragePooling2D()(x))
    y = do(lambda x: tf.where(x > 0, x, 0.1 * tf.cumsum(x, -1)), logits)
    y = L.Softmax()(L.Dense(5)(L.Reshape((5,))(L.Reshape((5, 1))(y))))
    values = do(lambda y: tf.math.top_k(y, 3)[0], y)
    classes = do(lambda y: tf.gather(tf.constant([10, 11, 12, 13, 14]), tf.math.top_k(y, 3)[1]), y)
    best = do(lambda x: tf.argmax(x, -1), logits)
    return tf.keras.Model(inputs, [logits, values, classes, best])


class Moves(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((1, 4, 6, 8))])
    def __call__(self, x):
        padding = [[0, 0], [1, 2], [0, 3], [2, 1]]
        results = {
            "slice": tf.slice(x, [0, 1, 2, 3], [1, 2, -1, 4]),
            "steps": x[:, 1:, ::2, -5:-1],
            "backward": x[:, ::-1, 4:0:-2, :],
            "row": x[0, :, -1],
            "ellipsis": x[..., 3:5],
            "behind": x[..., 0, 2:],
            "new_axis": x[:, tf.newaxis, 2, ..., 5],
            "shrink": x[:, 1:3, 2, 7],
            "reverse": tf.reverse(x, [2, 3]),
            "space_to_depth": tf.nn.space_to_depth(x, 2),
            "depth_to_space": tf.nn.depth_to_space(x, 2),
            "reflect": tf.pad(x, padding, "REFLECT"),
            "symmetric": tf.pad(x, padding, "SYMMETRIC"),
            "tile": tf.tile(x, [1, 2, 1, 3]),
            "stack": tf.stack([x, x + 1, -x], axis=2),
            "stack_last": tf.stack([x, x + 1], axis=-1),
            "expand": tf.expand_dims(x, 3),
            "sum": tf.reduce_sum(x, [1, 2]),
            "sum_last": tf.reduce_sum(x, -1, keepdims=True),
            "max": tf.reduce_max(x, [1, 2], keepdims=True),
            "max_rows": tf.reduce_max(x, [1, 3]),
            "min": tf.reduce_min(x, [2]),
        }
        first, _, third, _ = tf.split(x, 4, axis=3)
        results["split"] = third - first
        _, wide, rest = tf.split(x, [1, 3, -1], axis=2)
        results["split_v"], results["split_rest"] = -wide, rest + 1
        results["unstack"] = tf.unstack(x, axis=1)[2] + tf.unstack(x, axis=1)[3]
        return results


def moves(name):
    model = Moves()
    c = tf.lite.TFLiteConverter.from_concrete_functions([model.__call__.get_concrete_function()], model)
    here = os.path.dirname(os.path.abspath(__file__))
    b = c.convert()
    with open(os.path.join(here, name + ".tflite"), "wb") as f:
        f.write(b)
    it = tf.lite.Interpreter(model_content=b, experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF)
    run = it.get_signature_runner()
    x = np.float32((37 * np.arange(4 * 6 * 8) + 11) % 101 - 50).reshape(1, 4, 6, 8)
    tensors = {t["name"] for t in run.get_output_details().values()}
    assert len(tensors) == len(run.get_output_details())
    with open(os.path.join(here, name + ".txt"), "w") as f:
        details, results = run.get_output_details(), run(x=x)
        for key in sorted(results):
            y = results[key]
            print(key, details[key]["name"], "x".join(map(str, y.shape)), hashlib.sha256(y.tobytes()).hexdigest()[:16], file=f)


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
write("tf_blocks.tflite", blocks())
write("tf_tail.tflite", tail())
moves("tf_moves")
