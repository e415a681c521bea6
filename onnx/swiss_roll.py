"""Learns and exports `models/swiss_roll.onnx`: points of a swiss roll, the usual first toy.

    python onnx/swiss_roll.py                    train, export
    python onnx/swiss_roll.py --preview roll.png also sample 2,000 points and plot them
"""

import argparse
import math
import pathlib
import time

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn
from torch.nn import functional as F

from export import export
from manifest import alphas_bar

TRAIN_STEPS = 100

MANIFEST = {
    "diffuse": 1,
    "name": "swiss_roll",
    "description": "points of a two-dimensional swiss roll",
    "license": "MIT OR Apache-2.0",
    "source": "onnx/swiss_roll.py",
    "sample": {"shape": [2], "kind": "points", "clip": False},
    "schedule": {"kind": "sigmoid", "train_steps": TRAIN_STEPS, "beta_start": 1e-4, "beta_end": 0.02},
    "prediction": "epsilon",
    "time": {"encoding": "index"},
    "inputs": {"sample": "x", "time": "t"},
    "outputs": {"prediction": "epsilon"},
    "defaults": {"solver": "ddpm", "steps": TRAIN_STEPS, "grid": "leading"},
}


def swiss_roll(count, generator):
    """Coordinates 0 and 2 of scikit-learn's make_swiss_roll, over 10, without its noise."""
    angle = 1.5 * math.pi * (1 + 2 * torch.rand(count, generator=generator))
    return torch.stack([angle * angle.cos(), angle * angle.sin()], dim=1) / 10


class ConditionalLinear(nn.Module):
    """A linear layer whose outputs are multiplied by a learned embedding of the timestep."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.gain = nn.Embedding(TRAIN_STEPS, outputs)
        nn.init.uniform_(self.gain.weight)

    def forward(self, x, t):
        return self.gain(t) * self.linear(x)


class RollNet(nn.Module):
    """x [batch, 2], t [batch] in 0 ... 99 -> epsilon [batch, 2]."""

    WIDTH = 128

    def __init__(self):
        super().__init__()
        self.layer1 = ConditionalLinear(2, self.WIDTH)
        self.layer2 = ConditionalLinear(self.WIDTH, self.WIDTH)
        self.layer3 = ConditionalLinear(self.WIDTH, self.WIDTH)
        self.leave = nn.Linear(self.WIDTH, 2)

    def forward(self, x, t):
        for layer in (self.layer1, self.layer2, self.layer3):
            x = F.softplus(layer(x, t))
        return self.leave(x)


def train(net, steps, batch=512, peak=3e-3, seed=1):
    dice = torch.Generator().manual_seed(seed)
    bar = torch.from_numpy(alphas_bar(MANIFEST["schedule"]))
    data_scale, noise_scale = bar.sqrt().float(), (1 - bar).sqrt().float()
    optimizer = torch.optim.Adam(net.parameters(), lr=peak)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    started, losses = time.time(), []
    for done in range(1, steps + 1):
        x0 = swiss_roll(batch, dice)
        t = torch.randint(TRAIN_STEPS, (batch,), generator=dice)
        noise = torch.randn(x0.shape, generator=dice)
        x = data_scale[t][:, None] * x0 + noise_scale[t][:, None] * noise
        loss = F.mse_loss(net(x, t), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if done % 1000 == 0 or done == steps:
            print(f"step {done}/{steps}  loss {np.mean(losses):.4f}  {(time.time() - started) / 60:.1f} min", flush=True)
            losses.clear()


@torch.no_grad()
def sample(net, count, seed=0):
    """DDPM (Ho et al. 2020, algorithm 2) with the variance of eq. 7.

    This schedule keeps a third of the signal's variance at its end, so starting from pure noise is not
    quite the distribution the network saw. The original does the same, and the roll comes out.
    """
    dice = torch.Generator().manual_seed(seed)
    bar = torch.from_numpy(alphas_bar(MANIFEST["schedule"])).float()
    x = torch.randn(count, 2, generator=dice)
    for t in reversed(range(TRAIN_STEPS)):
        before = bar[t - 1] if t > 0 else torch.tensor(1.0)
        alpha = bar[t] / before
        epsilon = net(x, torch.full((count,), t))
        x = (x - (1 - alpha) / (1 - bar[t]).sqrt() * epsilon) / alpha.sqrt()
        if t > 0:
            x += ((1 - before) / (1 - bar[t]) * (1 - alpha)).sqrt() * torch.randn(x.shape, generator=dice)
    return x


def plot(points, side=512, reach=2.0):
    image = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(image)
    for x, y in (points.numpy() / reach + 1) * side / 2:
        draw.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), fill=(40, 70, 160))
    return image


def main():
    here = pathlib.Path(__file__).parent
    parser = argparse.ArgumentParser(description="Trains and exports the swiss roll model.")
    parser.add_argument("--steps", type=int, default=60_000, help="The number of training steps. Default: %(default)s.")
    parser.add_argument("--out", type=pathlib.Path, default=here / "models" / "swiss_roll.onnx")
    parser.add_argument("--preview", type=pathlib.Path, help="Writes a plot of 2,000 sampled points.")
    arguments = parser.parse_args()

    torch.manual_seed(1)
    net = RollNet()
    train(net, arguments.steps)
    if arguments.preview:
        plot(sample(net, 2000)).save(arguments.preview)
    export(net, MANIFEST, arguments.out)


if __name__ == "__main__":
    main()
