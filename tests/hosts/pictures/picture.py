"""As picture.c, in Python: picture.py MODEL OUTPUT."""

import pathlib
import sys

import diffuse

model, output = sys.argv[1:]
asked = {"classes": "heart"} if model.endswith(".onnx") else {"prompt": "a fox"}
pathlib.Path(output).write_bytes(diffuse.Model(model).job(seed=7, **asked).run().pixels().tobytes())
