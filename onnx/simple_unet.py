"""Exports the simple U-Net of the well-known DDPM tutorial notebook, 62,438,883 parameters, with random weights.

    python onnx/simple_unet.py simple_unet.onnx

The file has 250 MB and is not in this repository. It shows that a network of this shape runs: forward(timestep, x), 300
steps of a linear schedule, samples clamped to -1 ... 1 after each step. Its pictures are noise.
"""

import argparse
import math
import pathlib

import torch
from torch import nn
from torch.nn import functional as F

from export import export

SIZE = 128
CHANNELS = (64, 128, 256, 512, 1024)
EMBEDDING = 32
PARAMETERS = 62_438_883

MANIFEST = {
    "diffuse": 1,
    "name": "simple_unet",
    "description": "a simple U-Net for 128x128 RGB with random weights",
    "license": "MIT OR Apache-2.0",
    "source": "onnx/simple_unet.py",
    "sample": {"shape": [3, SIZE, SIZE], "kind": "image", "range": [-1, 1], "clip": False, "clamp": True},
    "schedule": {"kind": "linear", "train_steps": 300, "beta_start": 1e-4, "beta_end": 0.02},
    "prediction": "epsilon",
    "time": {"encoding": "index"},
    "inputs": {"time": "timestep", "sample": "x"},
    "outputs": {"prediction": "epsilon"},
    "defaults": {"solver": "ddpm", "steps": 300, "grid": "leading"},
}


class Block(nn.Module):
    """Two 3x3 convolutions with the time in between, then half or twice the size."""

    def __init__(self, inputs, outputs, up):
        super().__init__()
        self.time = nn.Linear(EMBEDDING, outputs)
        self.conv1 = nn.Conv2d(2 * inputs if up else inputs, outputs, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.resize = (nn.ConvTranspose2d if up else nn.Conv2d)(outputs, outputs, 4, stride=2, padding=1)

    def forward(self, x, embedding):
        x = self.norm1(F.relu(self.conv1(x))) + F.relu(self.time(embedding))[:, :, None, None]
        return self.resize(self.norm2(F.relu(self.conv2(x))))


class SimpleUnet(nn.Module):
    """timestep [batch] in 0 ... 299, x [batch, 3, 128, 128] -> epsilon like x."""

    def __init__(self):
        super().__init__()
        half = EMBEDDING // 2
        frequencies = torch.exp(-math.log(10_000) * torch.arange(half) / (half - 1))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.time = nn.Linear(EMBEDDING, EMBEDDING)
        self.enter = nn.Conv2d(3, CHANNELS[0], 3, padding=1)
        pairs = list(zip(CHANNELS, CHANNELS[1:]))
        self.downs = nn.ModuleList(Block(small, large, up=False) for small, large in pairs)
        self.ups = nn.ModuleList(Block(large, small, up=True) for small, large in reversed(pairs))
        self.leave = nn.Conv2d(CHANNELS[0], 3, 1)

    def forward(self, timestep, x):
        angles = timestep[:, None] * self.frequencies
        embedding = F.relu(self.time(torch.cat([angles.sin(), angles.cos()], dim=1)))
        x = self.enter(x)
        skips = []
        for down in self.downs:
            x = down(x, embedding)
            skips.append(x)
        for up in self.ups:  # the deepest one sees its own input twice, as in the notebook
            x = up(torch.cat([x, skips.pop()], dim=1), embedding)
        return self.leave(x)


def main():
    parser = argparse.ArgumentParser(description="Exports the simple U-Net with random weights.")
    parser.add_argument("out", type=pathlib.Path, help="The file to write, about 250 MB.")
    parser.add_argument("--seed", type=int, default=1, help="The seed of the weights. Default: %(default)s.")
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    net = SimpleUnet()
    count = sum(parameter.numel() for parameter in net.parameters())
    assert count == PARAMETERS, f"expected {PARAMETERS:,} parameters, found {count:,}"
    export(net, MANIFEST, arguments.out)


if __name__ == "__main__":
    main()
