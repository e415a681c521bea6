"""Learns and exports a cascade (Ho et al. 2021): sprites of 16x16, and a model that draws them again at 32x32.

    python onnx/sprite_cascade.py                 draw, train, export models/sprites_16.onnx and models/sprites_upsampler.onnx

Training takes 20 minutes for each on one CPU core. It saves its state as it goes: run again, it continues.
"""

import argparse
import copy

import torch
from torch.nn import functional as F

from export import export
from sprites import (
    MANIFEST, MODELS, NULL, SpriteNet, checkpoint_path, contact_sheet, draw_dataset, labelled_batches, sample, train,
)


class SmallSpriteNet(SpriteNet):
    """A third of the weights, and no unshuffling: x [batch, 4, 16, 16]."""

    WIDTHS = (32, 48, 48)
    EMBEDDING = 64
    PATCH = 1


class Upsampler(SpriteNet):
    """x [batch, 4, 32, 32], t, y, low [batch, 4, 16, 16] -> v like x."""

    WIDTHS = (32, 48, 48)
    EMBEDDING = 64
    CHANNELS = 8

    def forward(self, x, t, y, low):
        return super().forward(torch.cat([x, F.interpolate(low, scale_factor=2.0, mode="nearest")], dim=1), t, y)


def small(pictures):
    """uint8 sprites at half their size. Transparent pixels have the outline's colour, so means of the colours do no
    harm.
    """
    return F.avg_pool2d(pictures.float(), 2).round().to(torch.uint8)


def upsampling_batches(pictures, labels):
    """Sprites, their classes, and their small versions with a little noise. The small model's pictures are not perfect
    either (the conditioning augmentation of Ho et al. 2021).
    """
    draw_labelled = labelled_batches(pictures, labels)

    def draw(batch, dice):
        x0, (y,) = draw_labelled(batch, dice)
        amount = 0.15 * torch.rand(batch, 1, 1, 1, generator=dice)
        low = F.avg_pool2d(x0, 2)
        return x0, (y, low + amount * torch.randn(low.shape, generator=dice))
    return draw


SMALL = {
    **MANIFEST,
    "name": "sprites_16",
    "description": "16x16 game sprites with transparency, in ten classes",
    "source": "onnx/sprite_cascade.py",
    "sample": {"shape": [4, 16, 16], "kind": "image", "range": [-1, 1], "clip": True},
}

UPSAMPLER = {
    **MANIFEST,
    "name": "sprites_upsampler",
    "description": "draws a 16x16 sprite again at 32x32",
    "source": "onnx/sprite_cascade.py",
    "conditions": {"low_resolution": {"shape": [4, 16, 16], "kind": "image", "range": [-1, 1]}},
    "inputs": {"sample": "x", "time": "t", "class": "y", "low_resolution": "low"},
    "defaults": {"solver": "ddim", "steps": 20, "grid": "trailing"},
}


def main():
    parser = argparse.ArgumentParser(description="Trains and exports the cascade.")
    parser.add_argument("--steps", type=int, nargs=2, default=(10_000, 5_000), help="The training steps of the two. Default: %(default)s.")
    parser.add_argument("--preview", help="Writes pictures of the two into PREVIEW-16.png and PREVIEW-32.png.")
    arguments = parser.parse_args()

    pictures, labels = draw_dataset(seed=11, per_class=3000)
    averages = []
    for net, batches, steps, name in (
        (SmallSpriteNet, labelled_batches(small(pictures), labels), arguments.steps[0], "sprites-16"),
        (Upsampler, upsampling_batches(pictures, labels), arguments.steps[1], "sprites-upsampler"),
    ):
        torch.manual_seed(11)
        net = net().to(memory_format=torch.channels_last)
        averages.append(copy.deepcopy(net))
        train(net, averages[-1], batches, steps, checkpoint_path(name), seed=11)
        averages[-1].to(memory_format=torch.contiguous_format).eval()
    if arguments.preview:
        y = torch.arange(NULL).repeat_interleave(8)
        low = sample(averages[0], y, size=16)
        high = sample(averages[1], y, low, steps=20)
        contact_sheet(low, columns=8).save(f"{arguments.preview}-16.png")
        contact_sheet(high, columns=8).save(f"{arguments.preview}-32.png")
    export(averages[0], SMALL, MODELS / "sprites_16.onnx", half_weights=True)
    export(averages[1], UPSAMPLER, MODELS / "sprites_upsampler.onnx", half_weights=True)


if __name__ == "__main__":
    main()
