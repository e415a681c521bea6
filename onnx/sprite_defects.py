"""Sprites with a planted defect, for counterfactual maps (Wolleb et al. 2022): learns and exports

    models/sprite_defects.onnx              sprites, half of them with a defect, without a class
    models/sprite_defects_classifier.onnx   normal or defect, with the gradient

    python onnx/sprite_defects.py           draw, train, export
    python onnx/sprite_defects.py --held-out FOLDER     write sprites that neither has seen, with their defects' masks
    python onnx/sprite_defects.py --score   how well `diffuse-cli anomaly` finds the defects of such sprites

Training takes 30 minutes on one CPU core. It saves its state as it goes: run again, it continues.
"""

import argparse
import copy
import pathlib
import subprocess
import tempfile

import numpy as np
import torch
from PIL import Image, ImageDraw

from classifier import export_classifier
from export import export
from sprite_classifier import NoisyClassifier, accuracy, sprite_batches, train_classifier
from sprites import CLASSES, MODELS, SIZE, SpriteNet, checkpoint_path, contact_sheet, sample, train
from sprites import MANIFEST as SPRITES

NORMAL, DEFECT = 0, 1


class DefectNet(SpriteNet):
    """x [batch, 4, 32, 32], t [batch] -> v like x."""

    WIDTHS = (40, 56, 64)
    EMBEDDING = 64
    LABELS = 1

    def forward(self, x, t):
        return super().forward(x, t, torch.zeros_like(t))


def blob(rng, center):
    """A mask [SIZE, SIZE] of an irregular spot of 4 to 7 pixels across, with soft edges."""
    fine = 6
    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    radius = rng.uniform(2.0, 3.5) * (1 + 0.3 * rng.standard_normal(len(angles)).clip(-1.5, 1.5))
    points = (np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, None] + center) * fine
    image = Image.new("L", (SIZE * fine, SIZE * fine), 0)
    ImageDraw.Draw(image).polygon([tuple(point) for point in points], fill=255)
    return np.asarray(image.reduce(fine)) / 255


def plant(rng, sprite):
    """The sprite [4, SIZE, SIZE] with a spot on it, and the spot's mask.

    Its colour is one that another sprite has: what gives it away is the place, not the colour.
    """
    inside = np.argwhere(sprite[3] == 255)
    donor = CLASSES[rng.integers(len(CLASSES))](rng).pixels()
    colors = donor[:3, donor[3] == 255].T.astype(float)
    while True:
        y, x = inside[rng.integers(len(inside))]
        mask = blob(rng, (x + 0.5, y + 0.5)) * (sprite[3] / 255)
        color = colors[rng.integers(len(colors))]
        changed = np.abs(sprite[:3] - color[:, None, None]).max(axis=0) * mask
        # A spot that nobody could see is no defect.
        if (changed > 64).sum() >= 8:
            planted = sprite.copy()
            planted[:3] = np.rint(sprite[:3] * (1 - mask) + color[:, None, None] * mask)
            return planted, (changed > 16).astype(np.uint8)


def draw_defects(seed, count):
    """uint8 [count, 4, SIZE, SIZE], whether each is normal or has a defect (every second one), and the masks."""
    pictures, masks = [], []
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        sprite = CLASSES[index // 2 % len(CLASSES)](rng).pixels()
        planted, mask = plant(rng, sprite) if index % 2 == DEFECT else (sprite, np.zeros((SIZE, SIZE), np.uint8))
        pictures.append(planted)
        masks.append(mask)
    labels = torch.arange(count) % 2
    return torch.from_numpy(np.stack(pictures)), labels, np.stack(masks)


def unlabelled_batches(pictures):
    def draw(batch, dice):
        chosen = torch.randint(len(pictures), (batch,), generator=dice)
        return pictures[chosen].float() / 127.5 - 1, ()
    return draw


MANIFEST = {
    **{field: value for field, value in SPRITES.items() if field != "classes"},
    "name": "sprite_defects",
    "description": "sprites, half of them with a spot that does not belong there",
    "source": "onnx/sprite_defects.py",
    "inputs": {"sample": "x", "time": "t"},
}

CLASSIFIER = {
    **{field: value for field, value in SPRITES.items() if field not in ("inputs", "outputs", "defaults")},
    "name": "sprite_defects_classifier",
    "description": "whether a noisy sprite is normal or has a defect, with the gradient",
    "source": "onnx/sprite_defects.py",
    "prediction": "class_gradient",
    "classes": {"names": ["normal", "defect"]},
}


def write_held_out(folder, count):
    folder.mkdir(parents=True, exist_ok=True)
    pictures, labels, masks = draw_defects(seed=29, count=count)
    for index, (picture, label, mask) in enumerate(zip(pictures.numpy(), labels, masks)):
        name = f"{index:03}-{('normal', 'defect')[label]}"
        Image.fromarray(picture.transpose(1, 2, 0), "RGBA").save(folder / f"{name}.png")
        Image.fromarray(mask * 255).save(folder / f"{name}-mask.png")


def auroc(truth, score):
    """The area under the ROC curve: how often a pixel of a defect scores higher than one that is of none."""
    ranks = np.empty(score.size)
    order = np.argsort(score.ravel(), kind="stable")
    ranks[order] = np.arange(1, score.size + 1)
    # Ties share the mean of their ranks.
    _, inverse, counts = np.unique(score.ravel(), return_inverse=True, return_counts=True)
    ranks = (np.bincount(inverse, ranks) / counts)[inverse]
    positive = truth.ravel() > 0
    n, m = positive.sum(), (~positive).sum()
    return (ranks[positive].sum() - n * (n + 1) / 2) / (n * m)


def score(program, count):
    """Pixel AUROC on held-out sprites with a defect: guided, at the scale 0, and of a z-score against normal
    sprites.
    """
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_held_out(folder, count)
        sprites = sorted(path for path in folder.glob("*-defect.png"))
        truth = np.stack([np.asarray(Image.open(path.with_name(path.stem + "-mask.png"))) for path in sprites])
        pictures = np.stack([np.asarray(Image.open(path)) for path in sprites]).astype(float)
        normal = np.stack([
            CLASSES[index % len(CLASSES)](np.random.default_rng([31, index])).pixels() for index in range(3000)
        ]).transpose(0, 2, 3, 1).astype(float)
        # A value that never changes has no deviation; one step of 255 stands in for it.
        z = (np.abs(pictures - normal.mean(axis=0)) / np.maximum(normal.std(axis=0), 1)).mean(axis=-1)
        print(f"pixel AUROC on {len(sprites)} held-out sprites with a defect")
        for scale in (50, 0):
            subprocess.run([
                program, "anomaly", MODELS / "sprite_defects.onnx", *sprites, "--classifier", MODELS / "sprite_defects_classifier.onnx",
                "--toward", "normal", "--classifier-scale", str(scale), "-o", folder / "map.npy", "--json",
            ], check=True, stdout=subprocess.DEVNULL)
            print(f"  classifier guidance at the scale {scale}: {auroc(truth, np.load(folder / 'map.npy')):.4f}")
        print(f"  z-score against 3,000 normal sprites: {auroc(truth, z):.4f}")


def main():
    parser = argparse.ArgumentParser(description="Trains and exports the model of sprites with defects, and its classifier.")
    parser.add_argument("--steps", type=int, nargs=2, default=(12_000, 5_000), help="The training steps of the two. Default: %(default)s.")
    parser.add_argument("--preview", type=pathlib.Path, help="Writes a contact sheet of the trained network's pictures.")
    parser.add_argument("--held-out", type=pathlib.Path, help="Only writes sprites and masks into this folder.")
    parser.add_argument("--count", type=int, default=200, help="The number of them. Default: %(default)s.")
    parser.add_argument("--score", action="store_true", help="Only prints how well the defects are found.")
    parser.add_argument(
        "--program", type=pathlib.Path, default=MODELS.parents[1] / "target" / "release" / "diffuse-cli",
        help="The command that --score runs. Default: the one that cargo build --release makes.",
    )
    arguments = parser.parse_args()
    if arguments.score:
        return score(arguments.program, arguments.count)
    if arguments.held_out:
        return write_held_out(arguments.held_out, arguments.count)

    pictures, labels, _ = draw_defects(seed=23, count=30_000)
    torch.manual_seed(23)
    classifier = NoisyClassifier(2)
    train_classifier(classifier, sprite_batches(pictures, labels), arguments.steps[1], checkpoint_path("defects-classifier"))
    held_out, held_labels, _ = draw_defects(seed=24, count=1000)
    for time in (0, 100, 250, 500, 750):
        right = accuracy(classifier, held_out.float() / 127.5 - 1, held_labels, time)
        print(f"held-out sprites at t = {time}: {right:.3f}")

    net = DefectNet().to(memory_format=torch.channels_last)
    average = copy.deepcopy(net)
    train(net, average, unlabelled_batches(pictures), arguments.steps[0], checkpoint_path("defects"), seed=23)
    average.to(memory_format=torch.contiguous_format).eval()
    if arguments.preview:
        contact_sheet(sample(average, count=64), columns=8).save(arguments.preview)
    export(average, MANIFEST, MODELS / "sprite_defects.onnx", half_weights=True)
    export_classifier(classifier.eval(), CLASSIFIER, MODELS / "sprite_defects_classifier.onnx", half_weights=True)


if __name__ == "__main__":
    main()
