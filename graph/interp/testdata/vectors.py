#!/usr/bin/env python3
"""Make the vectors that the interpreter's arithmetic is held to, with the official TFLite runtime.

    python3 -m venv venv && venv/bin/pip install ai-edge-litert==2.3.0 numpy
    venv/bin/python vectors.py MODEL.tflite INPUTS -o vectors/NAME

MODEL has one input and one output, batch 1, and no float32 sums, whose last bits are each runtime's own. INPUTS is
an .npy of images in the input's type, or a file of their raw bytes (.bin, .bin.gz, little-endian), one image after the
other. The folder gets

    model.tflite   a copy of MODEL
    inputs.bin.gz  the images' bytes
    ref.json       what TFLite's reference kernels compute
    xnnpack.json   what XNNPACK computes

Either .json has "tensors", the names of the input and of each operator's result in execution order, and for each image
"sums", the first 8 bytes of each of these tensors' sha256 in hexadecimal (the tensor as little-endian bytes in
row-major order), and "output", the numbers of the model's output.

XNNPACK shows no tensor but a model's outputs, and so runs a copy of MODEL in which every operator's result is an output.
The script stops if that changes the model's own output. "left", in xnnpack.json, has the tensors that XNNPACK left to
TFLite's optimized kernels.
"""
import argparse
import gzip
import hashlib
import json
import pathlib
from importlib.metadata import version

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils


def results(model):
    """Indices of the input tensor and of each operator's result, in execution order."""
    sub = flatbuffer_utils.read_model_from_bytearray(bytearray(model)).subgraphs[0]
    assert len(sub.inputs) == len(sub.outputs) == 1, "want one input and one output"
    return [int(sub.inputs[0])] + [int(t) for op in sub.operators for t in op.outputs]


def exposed(model, tensors):
    """The model with these tensors as its outputs."""
    m = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    m.subgraphs[0].outputs = tensors
    m.signatureDefs = None  # they name the outputs that were
    return bytes(flatbuffer_utils.convert_object_to_bytearray(m))


def interpreter(model, kernels):
    resolver = {"ref": OpResolverType.BUILTIN_REF, "xnnpack": OpResolverType.AUTO}[kernels]
    it = Interpreter(model_content=model, num_threads=1, experimental_op_resolver_type=resolver,
                     experimental_preserve_all_tensors=kernels == "ref")
    it.allocate_tensors()
    return it


def invoke(it, image):
    d = it.get_input_details()[0]
    it.set_tensor(d["index"], image.reshape(d["shape"]))
    it.invoke()
    return it.get_tensor(it.get_output_details()[0]["index"])


def vectors(model, images, kernels):
    tensors = results(model)
    own = interpreter(model, kernels)
    whole = own
    taken = set()
    if kernels == "xnnpack":
        last = own.get_output_details()[0]["index"]
        whole = interpreter(exposed(model, [last] + [t for t in tensors[1:] if t != last]), kernels)
        extra = whole._get_ops_details()[len(tensors) - 1:]  # what delegation added to the model's operators
        assert all(op["op_name"] == "DELEGATE" for op in extra), extra
        taken = {int(t) for op in extra for t in op["outputs"]}
    out = []
    for image in images:
        y = invoke(whole, image)
        assert (y == invoke(own, image)).all(), "the output depends on what else is one"
        data = [image if t == tensors[0] else whole.get_tensor(t) for t in tensors]
        out.append({"sums": [hashlib.sha256(t.tobytes()).hexdigest()[:16] for t in data], "output": y.ravel().tolist()})
    names = {d["index"]: d["name"] for d in own.get_tensor_details()}
    return {
        "kernels": kernels,
        "runtime": "ai-edge-litert " + version("ai-edge-litert"),
        "model_sha256": hashlib.sha256(model).hexdigest(),
        "inputs_sha256": hashlib.sha256(images.tobytes()).hexdigest(),
        "tensors": [names[t] for t in tensors],
        **({"left": [names[t] for t in tensors[1:] if t not in taken]} if kernels == "xnnpack" else {}),
        "images": out,
    }


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", type=pathlib.Path)
    p.add_argument("inputs", type=pathlib.Path)
    p.add_argument("-o", "--out", type=pathlib.Path, required=True)
    p.add_argument("--ref-only", action="store_true", help="leave XNNPACK out")
    a = p.parse_args()
    model = a.model.read_bytes()
    d = interpreter(model, "ref").get_input_details()[0]
    if a.inputs.suffix == ".npy":
        images = np.load(a.inputs)
        assert images.dtype == d["dtype"], "want %s images" % d["dtype"]
    else:
        opener = gzip.open if a.inputs.suffix == ".gz" else open
        with opener(a.inputs, "rb") as f:
            images = np.frombuffer(f.read(), d["dtype"])
    images = images.reshape([-1] + d["shape"].tolist()[1:])
    a.out.mkdir(parents=True, exist_ok=True)
    (a.out / "model.tflite").write_bytes(model)
    (a.out / "inputs.bin.gz").write_bytes(gzip.compress(images.tobytes(), 9, mtime=0))
    for kernels in ("ref",) if a.ref_only else ("ref", "xnnpack"):
        v = vectors(model, images, kernels)
        head = {k: v[k] for k in v if k != "images"}
        lines = ",\n".join("  " + json.dumps(i, separators=(",", ":")) for i in v["images"])
        text = json.dumps(head, indent=1)[:-2] + ',\n "images": [\n' + lines + "\n ]\n}\n"
        (a.out / (kernels + ".json")).write_text(text)


main()
