"""Learns and exports `models/sprite_classifier.onnx`: which class a noisy sprite is of, with the gradient that steers a
sample.

    python onnx/sprite_classifier.py
    python onnx/sprite_classifier.py --score    how often guided samples are of their class, by a classifier that has not guided them

Training takes 2 minutes on one CPU core, and another minute for the classifier that judges.
"""

import argparse
import pathlib
import subprocess
import tempfile
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from classifier import export_classifier
from sprites import MODELS, NAMES, TRAIN_STEPS, checkpoint_path, draw_dataset, embed_time, even_times, noised, save


class NoisyClassifier(nn.Module):
    """x [batch, 4, 32, 32], t [batch] in 0 ... 999 -> logits [batch, classes]."""

    WIDTHS = (24, 48, 64)
    EMBEDDING = 64
    FREQUENCIES = 32

    def __init__(self, classes):
        super().__init__()
        fine, middle, coarse = self.WIDTHS
        self.time = nn.Linear(2 * self.FREQUENCIES, self.EMBEDDING)
        self.enter = nn.Conv2d(16, fine, 3, padding=1)
        self.shrink1 = nn.Conv2d(fine, middle, 3, stride=2, padding=1)
        self.shrink2 = nn.Conv2d(middle, coarse, 3, stride=2, padding=1)
        self.norms = nn.ModuleList(nn.GroupNorm(8, width) for width in self.WIDTHS)
        self.modulations = nn.ModuleList(nn.Linear(self.EMBEDDING, 2 * width) for width in self.WIDTHS)
        self.last = nn.Linear(coarse * 16, 64)
        self.leave = nn.Linear(64, classes)

    def forward(self, x, t):
        embedding = F.silu(self.time(embed_time(t, self.FREQUENCIES)))
        h = F.pixel_unshuffle(x, 2)
        for layer, norm, modulation in zip((self.enter, self.shrink1, self.shrink2), self.norms, self.modulations):
            scale, shift = modulation(embedding)[:, :, None, None].chunk(2, dim=1)
            # Smooth everywhere: it is the gradient that is wanted.
            h = F.silu(norm(layer(h)) * (1 + scale) + shift)
        return self.leave(F.silu(self.last(h.flatten(1))))


def train_classifier(net, draw, steps, checkpoint, *, batch=128, peak=2e-3, seed=5):
    """Trains `net` on noisy versions of the clean samples and labels that `draw(batch, dice)` gives. It does not train
    again if `checkpoint` exists.
    """
    if checkpoint.exists():
        net.load_state_dict(torch.load(checkpoint))
        return
    optimizer = torch.optim.AdamW(net.parameters(), lr=peak, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, steps, pct_start=0.1)
    started, right = time.time(), []
    for step in range(steps):
        dice = torch.Generator().manual_seed(seed * 1_000_003 + step)
        x0, y = draw(batch, dice)
        t = even_times(batch, dice)
        logits = net(noised(x0, t, torch.randn(x0.shape, generator=dice))[0], t)
        loss = F.cross_entropy(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        right.append((logits.argmax(1) == y).float().mean().item())
        if (step + 1) % 250 == 0:
            minutes = (time.time() - started) / 60
            print(f"step {step + 1}/{steps}  accuracy over all times {np.mean(right[-250:]):.3f}  {minutes:.1f} min", flush=True)
    save(checkpoint, net.state_dict())


@torch.no_grad()
def accuracy(net, pictures, labels, time, seed=0):
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(seed))
    t = torch.full((len(pictures),), time)
    x, _ = noised(pictures, t, noise)
    return (net(x, t).argmax(1) == labels).float().mean().item()


def sprite_batches(pictures, labels):
    def draw(batch, dice):
        chosen = torch.randint(len(pictures), (batch,), generator=dice)
        return pictures[chosen].float() / 127.5 - 1, labels[chosen]
    return draw


MANIFEST = {
    "diffuse": 1,
    "name": "sprite_classifier",
    "description": "the class of a noisy sprite, with its gradient",
    "license": "MIT OR Apache-2.0",
    "source": "onnx/sprite_classifier.py",
    "sample": {"shape": [4, 32, 32], "kind": "image", "range": [-1, 1]},
    "schedule": {"kind": "cosine", "train_steps": TRAIN_STEPS},
    "prediction": "class_gradient",
    "time": {"encoding": "index"},
    "classes": {"names": NAMES},
}


class Judge(nn.Module):
    """Of clean sprites, and built otherwise: x [batch, 4, 32, 32] -> logits."""

    def __init__(self, classes):
        super().__init__()
        widths = (4, 16, 32, 32)
        layers = [
            layer for inputs, outputs in zip(widths, widths[1:])
            for layer in (nn.Conv2d(inputs, outputs, 5, padding=2), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2))
        ]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(widths[-1] * 16, classes))

    def forward(self, x):
        return self.layers(x)


@torch.enable_grad()
def train_judge(steps=600, batch=64):
    torch.manual_seed(77)
    judge = Judge(len(NAMES))
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3)
    draw = sprite_batches(*draw_dataset(seed=77, per_class=600))
    dice = torch.Generator().manual_seed(77)
    for _ in range(steps):
        x, y = draw(batch, dice)
        # Sampled sprites are not as clean as drawn ones.
        x = x + 0.1 * torch.rand(len(x), 1, 1, 1, generator=dice) * torch.randn(x.shape, generator=dice)
        loss = F.cross_entropy(judge(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return judge.eval()


@torch.no_grad()
def score(program, per_class):
    """The judge's accuracy on sprites of the unconditional model, led to each class in turn."""
    judge = train_judge()
    pictures, labels = draw_dataset(seed=78, per_class=50)
    right = (judge(pictures.float() / 127.5 - 1).argmax(1) == labels).float().mean()
    print(f"the judge on sprites that it has not seen: {right:.3f}")
    print(f"scale   accuracy on {per_class * len(NAMES)} samples of the unconditional model")
    toward = ",".join(name for name in NAMES for _ in range(per_class))
    for scale in (0, 0.003, 0.01, 0.03, 0.1, 0.3, 1):
        with tempfile.TemporaryDirectory() as folder:
            samples = pathlib.Path(folder) / "samples.npy"
            subprocess.run([
                program, "generate", MODELS / "sprites.onnx", "--class", "none", "-n", str(per_class * len(NAMES)), "--seed", "5",
                "--classifier", MODELS / "sprite_classifier.onnx", "--toward", toward, "--classifier-scale", str(scale), "-o", samples,
                "--steps", "25", "--json",
            ], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            samples = torch.from_numpy(np.load(samples)).clamp(-1, 1)
        wanted = torch.arange(len(NAMES)).repeat_interleave(per_class)
        print(f"{scale:>5}   {(judge(samples).argmax(1) == wanted).float().mean():.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Trains and exports the classifier of noisy sprites.")
    parser.add_argument("--steps", type=int, default=4000, help="The number of training steps. Default: %(default)s.")
    parser.add_argument("--out", type=pathlib.Path, default=MODELS / "sprite_classifier.onnx")
    parser.add_argument("--score", action="store_true", help="Only prints the table of accuracies.")
    parser.add_argument("--per-class", type=int, default=40, help="The samples of each class for --score. Default: %(default)s.")
    parser.add_argument(
        "--program", type=pathlib.Path, default=MODELS.parents[1] / "target" / "release" / "diffuse-cli",
        help="The command that --score runs. Default: the one that cargo build --release makes.",
    )
    arguments = parser.parse_args()
    if arguments.score:
        return score(arguments.program, arguments.per_class)

    torch.manual_seed(5)
    net = NoisyClassifier(len(NAMES))
    train_classifier(net, sprite_batches(*draw_dataset(seed=5, per_class=3000)), arguments.steps, checkpoint_path("sprite-classifier"))
    pictures, labels = draw_dataset(seed=6, per_class=100)
    pictures = pictures.float() / 127.5 - 1
    for time_of in (0, 250, 500, 750, 900):
        print(f"held-out sprites at t = {time_of}: {accuracy(net, pictures, labels, time_of):.3f}")
    export_classifier(net.eval(), MANIFEST, arguments.out, half_weights=True)


if __name__ == "__main__":
    main()
