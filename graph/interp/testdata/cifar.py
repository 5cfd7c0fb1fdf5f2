#!/usr/bin/env python3
"""Take images from a CIFAR-10 archive of SPLIT/CLASS/NNNN.jpg as inputs of an int8 model whose integers are pixel - 128.

    venv/bin/pip install numpy pillow
    venv/bin/python cifar.py cifar10-images.zip 64 inputs.bin

The images are spread evenly over the test split, so over the classes.
"""
import io
import sys
import zipfile

import numpy as np
from PIL import Image

archive, count, out = zipfile.ZipFile(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
names = sorted(n for n in archive.namelist() if n.startswith("test/") and n.endswith(".jpg"))
with open(out, "wb") as f:
    for i in range(count):
        pixels = np.asarray(Image.open(io.BytesIO(archive.read(names[i * len(names) // count]))).convert("RGB"))
        f.write((pixels.astype(np.int16) - 128).astype(np.int8).tobytes())
