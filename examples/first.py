"""Draws a sprite on a worker thread, with a progress line, previews and a time limit:

    python first.py MODEL.onnx [SECONDS]

The picture grows in sprite.ppm. A run that takes longer than SECONDS is cancelled. Default: 60.
"""

import pathlib
import sys
import time

import diffuse


def write_picture(pixels):
    height, width, _ = pixels.shape
    pixels = pixels.astype(int)
    on_white = 255 - (255 - pixels[:, :, :3]) * pixels[:, :, 3:] // 255
    pathlib.Path("sprite.ppm").write_bytes(b"P6 %d %d 255\n" % (width, height) + on_white.astype("uint8").tobytes())


def main(path, seconds=60.0):
    end = time.monotonic() + float(seconds)
    seen = 0

    model = diffuse.Model(path)
    job = model.job(classes="heart", seed=7)
    job.start()  # a worker draws
    while job.wait(0.016) == diffuse.State.RUNNING:
        print(f"\rstep {job.progress.step} of {job.progress.steps}", end="", file=sys.stderr)
        if time.monotonic() >= end:
            job.cancel()
        if job.estimates != seen:
            seen = job.estimates
            write_picture(job.preview_pixels())
    print(file=sys.stderr)
    write_picture(job.pixels())


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except diffuse.DiffuseError as error:
        sys.exit(str(error))
