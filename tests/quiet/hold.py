"""hold.py RUNTIME MODEL SECONDS FILE: the same as tests/c/quiet.c with the Python package."""

import sys
import time

import diffuse

library, path, seconds, file = sys.argv[1:]
end = time.monotonic() + float(seconds)
model = diffuse.Model(path, runtime=diffuse.Runtime(library))
while time.monotonic() < end:
    samples = model.draw(classes="heart")
with open(file, "wb") as output:
    output.write(samples.tobytes())
