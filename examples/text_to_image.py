"""Draws what a prompt describes into picture.ppm, from a folder of a pipeline:

    python text_to_image.py FOLDER "PROMPT" [NEGATIVE PROMPT]
"""

import pathlib
import sys

import diffuse


def main(folder, prompt, negative_prompt=None):
    model = diffuse.Model(folder, memory="stage")  # one part of the pipeline is in memory at a time
    job = model.job(prompt=prompt, negative_prompt=negative_prompt, seed=7)
    for progress in job:
        print(f"\rstep {progress.step} of {progress.steps}", end="", file=sys.stderr)
    print(file=sys.stderr)
    pixels = job.pixels()
    height, width, _ = pixels.shape
    pathlib.Path("picture.ppm").write_bytes(b"P6 %d %d 255\n" % (width, height) + pixels[:, :, :3].tobytes())


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except diffuse.DiffuseError as error:
        sys.exit(str(error))
