"""Draws a heart: draw.py MODEL OUTPUT. The output is 32 rows of 32 pixels of RGBA, without a header."""

import pathlib
import sys

import diffuse

model, output = sys.argv[1:]
pixels = diffuse.Model(model).job(classes="heart", seed=7).run().pixels()
pathlib.Path(output).write_bytes(pixels.tobytes())
