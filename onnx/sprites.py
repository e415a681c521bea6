"""Draws, learns and exports `models/sprites.onnx`: 32x32 RGBA game sprites in ten classes.

    python onnx/sprites.py                      draw, train, export
    python onnx/sprites.py --preview sheet.png  also sample a contact sheet

Training takes 40 to 60 minutes on two CPU cores. It saves its state as it goes: run again, it continues.
"""

import argparse
import colorsys
import copy
import math
import pathlib
import tempfile
import time

import numpy as np
import torch
from PIL import Image, ImageChops, ImageDraw
from torch import nn
from torch.nn import functional as F

from export import export

SIZE = 32
TRAIN_STEPS = 1000

# The RGB under transparent pixels is the outline colour too: a host that filters or scales the
# picture then blends the outline with itself, and no halo of another colour appears.
OUTLINE = (33, 24, 48)


# ---------------------------------------------------------------------------------------- drawing


class Canvas:
    """A supersampled sprite in coordinates of -1 ... 1, y downward."""

    SUPERSAMPLING = 6
    STROKE = 1.15  # outline width in pixels of the final sprite

    def __init__(self, rng, angle=8.0, scale=(0.84, 0.98), shift=1.0, tilt=0.0):
        self.scale = rng.uniform(*scale) * (SIZE / 2 - 2) * self.SUPERSAMPLING
        turn = math.radians(tilt + rng.uniform(-angle, angle))
        self.rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        self.center = (SIZE / 2 + rng.uniform(-shift, shift, 2)) * self.SUPERSAMPLING
        side = SIZE * self.SUPERSAMPLING
        self.color = Image.new("RGB", (side, side), OUTLINE)
        self.alpha = Image.new("L", (side, side), 0)

    def place(self, polygon):
        points = np.asarray(polygon) @ self.rotation * self.scale + self.center
        return [tuple(point) for point in points]

    def stroke(self, image, points, value):
        width = self.STROKE * self.SUPERSAMPLING
        draw = ImageDraw.Draw(image)
        draw.line(points + points[:1], fill=value, width=round(2 * width))
        for x, y in points:
            draw.ellipse((x - width, y - width, x + width, y + width), fill=value)

    def mask(self, polygons):
        image = Image.new("L", self.alpha.size, 0)
        for polygon in polygons:
            ImageDraw.Draw(image).polygon(self.place(polygon), fill=255)
        return image

    def fill(self, color, *polygons):
        """Fills the union of polygons inside one outline. Returns its mask for `paint`."""
        for polygon in polygons:
            points = self.place(polygon)
            self.stroke(self.color, points, OUTLINE)
            self.stroke(self.alpha, points, 255)
        mask = self.mask(polygons)
        self.color.paste(color, mask=mask)
        self.alpha.paste(255, mask=mask)
        return mask

    def paint(self, color, *polygons, within=None):
        """Paints without an outline, for light, shade and marks."""
        mask = self.mask(polygons)
        self.color.paste(color, mask=mask if within is None else ImageChops.multiply(mask, within))

    def cut(self, polygon):
        """Cuts a hole with an outline along its inner edge."""
        points = self.place(polygon)
        self.stroke(self.color, points, OUTLINE)
        mask = self.mask([polygon])
        self.color.paste(OUTLINE, mask=mask)
        inner = ImageChops.subtract(mask, self.rim(points))
        self.alpha.paste(0, mask=inner)

    def rim(self, points):
        image = Image.new("L", self.alpha.size, 0)
        self.stroke(image, points, 255)
        return image

    def pixels(self):
        """[4, SIZE, SIZE], straight alpha."""
        planes = [np.asarray(image.reduce(self.SUPERSAMPLING)) for image in (self.color, self.alpha)]
        return np.concatenate([planes[0], planes[1][..., None]], axis=2).transpose(2, 0, 1)


def ellipse(x, y, width, height=None, start=0.0, end=360.0, points=48):
    angles = np.radians(np.linspace(start, end, points, endpoint=end - start != 360))
    return np.stack([x + width * np.cos(angles), y + (height or width) * np.sin(angles)], axis=1)


def box(left, top, right, bottom):
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def hsv(hue, saturation, value):
    return tuple(round(255 * channel) for channel in colorsys.hsv_to_rgb(hue % 1, saturation, value))


def tones(rng, hues, saturation=0.88, value=0.95):
    """Light, base and shade of one of several hues: shade leans to blue, light to yellow."""
    hue = rng.choice(hues) + rng.uniform(-0.015, 0.015)
    light = hsv(hue, saturation * 0.45, 1.0)
    return light, hsv(hue, saturation, value), hsv(hue - 0.02, min(1.0, saturation * 1.08), value * 0.72)


def heart(rng):
    canvas = Canvas(rng)
    light, base, shade = tones(rng, [0.985, 0.985, 0.93, 0.80, 0.58])
    t = np.linspace(0, 2 * math.pi, 60, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    outline = np.stack([x, y - 2.5], axis=1) / 16.5
    mask = canvas.fill(shade, outline)
    canvas.paint(base, outline * 0.92 + [-0.11, -0.09], within=mask)
    canvas.paint(light, ellipse(-0.47, -0.40, 0.20, 0.15))
    return canvas


def star(rng):
    canvas = Canvas(rng, angle=10)
    light, base, shade = tones(rng, [0.13, 0.13, 0.09, 0.52, 0.87], value=1.0)
    angles = np.radians(np.arange(10) * 36 - 90)
    radius = np.where(np.arange(10) % 2 == 0, 1.06, 0.50)
    points = np.stack([radius * np.cos(angles), radius * np.sin(angles) + 0.06], axis=1)
    canvas.fill(base, points)
    for tip in range(0, 10, 2):  # one dark facet per ray
        canvas.paint(shade, [(0, 0.06), points[tip], points[(tip + 1) % 10]])
    canvas.paint(light, ellipse(-0.16, -0.10, 0.13))
    return canvas


def moon(rng):
    canvas = Canvas(rng, angle=10)
    light, base, shade = tones(rng, [0.14, 0.14, 0.60, 0.74], saturation=0.62, value=1.0)
    # The inner circle crosses the outer one where both are at the angle +-horn of their centres.
    distance, outer, inner = 0.48, 1.0, 0.80
    horn = math.degrees(math.acos((distance**2 + outer**2 - inner**2) / (2 * distance * outer)))
    bite = math.degrees(math.acos((distance**2 + inner**2 - outer**2) / (2 * distance * inner)))
    crescent = np.concatenate(
        [ellipse(0, 0, outer, start=horn, end=360 - horn), ellipse(distance, 0, inner, start=180 + 180 - bite, end=bite)]
    )
    turn = math.radians(-28)
    crescent = crescent @ [[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]] + [0.1, 0.0]
    mask = canvas.fill(base, crescent)
    canvas.paint(shade, ellipse(-0.30, 0.62, 0.62, 0.24), within=mask)
    canvas.paint(shade, ellipse(-0.60, 0.05, 0.12))
    canvas.paint(light, ellipse(-0.50, -0.42, 0.16, 0.12), within=mask)
    return canvas


def mushroom(rng):
    canvas = Canvas(rng)
    light, base, shade = tones(rng, [0.0, 0.0, 0.07, 0.62, 0.80])
    cream = (250, 232, 200)
    stem = canvas.fill(cream, [(-0.36, 0.0), (0.36, 0.0), (0.44, 0.84), (0.30, 0.95), (-0.30, 0.95), (-0.44, 0.84)])
    canvas.paint((206, 172, 140), box(0.12, 0.0, 0.6, 1.0), within=stem)
    cap = np.concatenate([ellipse(0, 0.12, 1.0, 1.06, start=180, end=360), [(0.86, 0.30), (-0.86, 0.30)]])
    mask = canvas.fill(base, cap)
    canvas.paint(shade, box(-1.1, 0.10, 1.1, 0.4), within=mask)
    spot = (255, 250, 240)
    canvas.paint(spot, ellipse(-0.08, -0.50, 0.25, 0.22), within=mask)
    canvas.paint(spot, ellipse(-0.66, -0.12, 0.19, 0.19), within=mask)
    canvas.paint(spot, ellipse(0.56, -0.16, 0.22, 0.20), within=mask)
    return canvas


def potion(rng):
    canvas = Canvas(rng)
    light, base, shade = tones(rng, [0.98, 0.62, 0.36, 0.78, 0.10])
    glass = (214, 240, 250)
    canvas.fill((176, 112, 60), box(-0.22, -1.02, 0.22, -0.66))
    flask = [ellipse(0, 0.32, 0.72), box(-0.25, -0.62, 0.25, 0.0)]
    mask = canvas.fill(glass, *flask)
    canvas.fill(glass, box(-0.36, -0.72, 0.36, -0.56))
    level = rng.uniform(0.0, 0.2)
    canvas.paint(base, box(-1, level, 1, 1.2), within=mask)
    canvas.paint(shade, ellipse(0.1, 1.02, 0.75, 0.32), within=mask)
    canvas.paint(light, box(-1, level, 1, level + 0.12), within=mask)
    canvas.paint((255, 255, 255), ellipse(-0.36, 0.28, 0.10, 0.17))
    return canvas


def sword(rng):
    canvas = Canvas(rng, angle=6, tilt=45, scale=(0.94, 1.04))
    light, base, shade = tones(rng, [0.12, 0.98, 0.60, 0.36])
    steel, dark = (232, 240, 250), (150, 168, 198)
    canvas.fill((138, 82, 44), box(-0.12, 0.52, 0.12, 1.0))
    canvas.fill(base, ellipse(0, 1.08, 0.17))
    blade = [(-0.22, 0.5), (-0.22, -1.0), (0, -1.3), (0.22, -1.0), (0.22, 0.5)]
    mask = canvas.fill(steel, blade)
    canvas.paint(dark, box(0.02, -1.4, 0.4, 0.5), within=mask)
    canvas.fill(base, [(-0.52, 0.40), (0.52, 0.40), (0.52, 0.58), (-0.52, 0.58)])
    return canvas


def tree(rng):
    canvas = Canvas(rng, angle=4)
    light, base, shade = tones(rng, [0.30, 0.36, 0.41], saturation=0.80, value=0.78)
    canvas.fill((142, 84, 46), box(-0.20, 0.55, 0.20, 1.02))
    for top, bottom, width in [(0.02, 0.66, 0.88), (-0.48, 0.20, 0.70), (-1.06, -0.26, 0.50)]:
        tier = [(0, top - 0.2), (width, bottom), (-width, bottom)]
        mask = canvas.fill(base, tier)
        canvas.paint(shade, [(0.1, top - 0.4), (1, top), (1, bottom + 0.1), (0.18, bottom + 0.1)], within=mask)
        canvas.paint(light, [(-0.06, top + 0.10), (-0.02, top + 0.26), (-0.26, top + 0.42)], within=mask)
    return canvas


def ghost(rng):
    canvas = Canvas(rng, angle=6)
    hue = rng.choice([0.55, 0.62, 0.75, 0.92])
    base, shade = hsv(hue, 0.06, 1.0), hsv(hue, 0.34, 0.92)
    waves = np.linspace(0.80, -0.80, 36)
    hem = np.stack([waves, 0.80 + 0.15 * np.cos(waves / 0.80 * 3 * math.pi)], axis=1)
    body = np.concatenate([ellipse(0, -0.18, 0.80, 0.82, start=180, end=360), hem])
    mask = canvas.fill(base, body)
    canvas.paint(shade, [(0.48, -1.1), (1, -1), (1, 1.1), (0.30, 1.1), (0.52, 0.3)], within=mask)
    for side in (-0.30, 0.26):
        canvas.paint(OUTLINE, ellipse(side, -0.22, 0.15, 0.24))
    canvas.paint(OUTLINE, ellipse(-0.02, 0.27, 0.14, 0.12))
    for side in (-0.54, 0.46):
        canvas.paint((255, 150, 170), ellipse(side, 0.14, 0.13, 0.09), within=mask)
    return canvas


def key(rng):
    canvas = Canvas(rng, angle=6, tilt=-45, scale=(0.86, 0.94))
    light, base, shade = tones(rng, [0.125, 0.125, 0.06, 0.52])
    shaft = box(-0.14, -0.3, 0.14, 1.22)
    teeth = [box(0.0, 0.98, 0.52, 1.22), box(0.0, 0.54, 0.44, 0.76)]
    mask = canvas.fill(base, shaft, *teeth)
    canvas.paint(shade, box(0.02, -0.3, 0.14, 1.3), within=mask)
    bow = canvas.fill(base, ellipse(0, -0.62, 0.58))
    canvas.paint(shade, ellipse(0.32, -0.24, 0.46), within=bow)
    canvas.paint(light, ellipse(-0.34, -0.88, 0.15), within=bow)
    canvas.cut(ellipse(0, -0.62, 0.30))
    return canvas


def fish(rng):
    canvas = Canvas(rng, angle=8)
    light, base, shade = tones(rng, [0.06, 0.06, 0.56, 0.93, 0.14])
    canvas.fill(shade, [(0.40, 0.0), (1.04, -0.54), (0.90, 0.0), (1.04, 0.54)])
    canvas.fill(shade, [(-0.26, -0.40), (0.08, -0.84), (0.40, -0.36)])
    mask = canvas.fill(base, ellipse(-0.22, 0.02, 0.80, 0.54))
    canvas.paint(light, ellipse(-0.30, 0.52, 0.62, 0.28), within=mask)
    canvas.paint((255, 255, 255), box(-0.16, -0.7, 0.04, 0.7), within=mask)
    canvas.paint(shade, [(0.10, 0.02), (0.34, -0.16), (0.34, 0.22)])
    canvas.paint((255, 255, 255), ellipse(-0.58, -0.10, 0.18))
    canvas.paint(OUTLINE, ellipse(-0.62, -0.09, 0.10))
    return canvas


CLASSES = [heart, star, moon, mushroom, potion, sword, tree, ghost, key, fish]
NAMES = [draw.__name__ for draw in CLASSES]
NULL = len(CLASSES)


def draw_dataset(seed, per_class):
    """uint8 [per_class * classes, 4, SIZE, SIZE] and its labels."""
    labels = np.tile(np.arange(len(CLASSES)), per_class)
    sprites = [CLASSES[label](np.random.default_rng([seed, index])).pixels() for index, label in enumerate(labels)]
    return torch.from_numpy(np.stack(sprites)), torch.from_numpy(labels)


# ---------------------------------------------------------------------------------------- network


class Block(nn.Module):
    """A residual block whose second normalisation is scaled and shifted by the embedding."""

    def __init__(self, inputs, outputs, embedding):
        super().__init__()
        self.norm1 = nn.GroupNorm(8, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * outputs)
        self.norm2 = nn.GroupNorm(8, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)
        # Every block starts as its shortcut, so the first steps do not have to undo noise.
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x, embedding):
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, dim=1)
        h = self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))
        return self.shortcut(x) + h


def embed_time(t, frequencies):
    """Vaswani et al. 2017's waves of a time in 0 ... 999."""
    exponents = torch.arange(frequencies, device=t.device) / frequencies
    angles = t.float()[:, None] * torch.exp(-math.log(10000.0) * exponents)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class SpriteNet(nn.Module):
    """x [batch, 4, 32, 32], t [batch] in 0 ... 999, y [batch] (10: no class) -> v like x.

    The picture is unshuffled 2x first: a quarter of the positions, four times the channels. At
    this size that costs no visible detail and makes an evaluation three times cheaper.
    """

    WIDTHS = (64, 80, 88)
    EMBEDDING = 128
    FREQUENCIES = 32
    PATCH = 2
    LABELS = len(CLASSES) + 1
    CHANNELS = 4  # of what enters; what leaves are the four of a sprite

    def __init__(self):
        super().__init__()
        fine, middle, coarse = self.WIDTHS
        width = self.EMBEDDING
        self.time1 = nn.Linear(2 * self.FREQUENCIES, width)
        self.time2 = nn.Linear(width, width)
        self.label = nn.Embedding(self.LABELS, width)
        self.enter = nn.Conv2d(self.CHANNELS * self.PATCH**2, fine, 3, padding=1)
        self.down1 = Block(fine, fine, width)
        self.shrink1 = nn.Conv2d(fine, middle, 3, stride=2, padding=1)
        self.down2 = Block(middle, middle, width)
        self.shrink2 = nn.Conv2d(middle, coarse, 3, stride=2, padding=1)
        self.bottom = Block(coarse, coarse, width)
        self.grow2 = nn.Conv2d(coarse, middle, 3, padding=1)
        self.up2 = Block(2 * middle, middle, width)
        self.grow1 = nn.Conv2d(middle, fine, 3, padding=1)
        self.up1 = Block(2 * fine, fine, width)
        self.finish = Block(fine, fine, width)
        self.norm = nn.GroupNorm(8, fine)
        self.leave = nn.Conv2d(fine, 4 * self.PATCH**2, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def embed(self, t, y):
        waves = embed_time(t, self.FREQUENCIES)
        return F.silu(self.time2(F.silu(self.time1(waves))) + self.label(y))

    def forward(self, x, t, y):
        embedding = self.embed(t, y)
        fine = self.down1(self.enter(F.pixel_unshuffle(x, self.PATCH)), embedding)
        middle = self.down2(self.shrink1(fine), embedding)
        coarse = self.bottom(self.shrink2(middle), embedding)
        h = self.grow2(F.interpolate(coarse, scale_factor=2.0, mode="nearest"))
        h = self.up2(torch.cat([h, middle], dim=1), embedding)
        h = self.grow1(F.interpolate(h, scale_factor=2.0, mode="nearest"))
        h = self.up1(torch.cat([h, fine], dim=1), embedding)
        h = self.finish(h, embedding)
        return F.pixel_shuffle(self.leave(F.silu(self.norm(h))), self.PATCH)


# --------------------------------------------------------------------------------------- training


def cosine_alphas_bar():
    """The cosine schedule of Nichol & Dhariwal 2021, eq. 17, with betas of at most 0.999."""
    t = torch.arange(TRAIN_STEPS + 1, dtype=torch.float64) / TRAIN_STEPS
    curve = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
    betas = (1 - curve[1:] / curve[:-1]).clamp(max=0.999)
    return torch.cumprod(1 - betas, dim=0)


def even_times(batch, dice):
    """One timestep from each of `batch` equal slices: a loss varies less than with free draws."""
    t = (torch.arange(batch) + torch.rand(batch, generator=dice)) * (TRAIN_STEPS / batch)
    return t.long().clamp(max=TRAIN_STEPS - 1)


def noised(x0, t, noise):
    """x at the times t, and the v of Salimans & Ho 2022 there."""
    alphas_bar = cosine_alphas_bar()[t]
    a, s = (level.float()[:, None, None, None] for level in (alphas_bar.sqrt(), (1 - alphas_bar).sqrt()))
    return a * x0 + s * noise, a * noise - s * x0


def labelled_batches(pictures, labels, null=0.1):
    """Draws sprites with the network's condition: the class, or with a probability of `null` no class."""
    def draw(batch, dice):
        chosen = torch.randint(len(pictures), (batch,), generator=dice)
        y = torch.where(torch.rand(batch, generator=dice) < null, NULL, labels[chosen])
        return pictures[chosen].float() / 127.5 - 1, (y,)
    return draw


def train(net, average, draw, steps, checkpoint, *, batch=64, peak=1.5e-3, warmup=200, seed=1):
    """Trains `net` on what `draw(batch, dice)` gives, the clean samples and further arguments of the network.

    Keeps the moving average of the weights in `average`, and resumes from `checkpoint` if it exists.
    """
    optimizer = torch.optim.AdamW(net.parameters(), lr=peak, betas=(0.9, 0.99), weight_decay=1e-3, fused=True)
    done = 0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        done = state["done"]
        print(f"resumed at step {done}", flush=True)

    started, losses = time.time(), []
    while done < steps:
        # Seeded by the step, so that a resumed run goes on exactly as one that never stopped.
        dice = torch.Generator().manual_seed(seed * 1_000_003 + done)
        x0, told = draw(batch, dice)
        t = even_times(batch, dice)
        x, v = noised(x0, t, torch.randn(x0.shape, generator=dice))
        loss = F.mse_loss(net(x.to(memory_format=torch.channels_last), t, *told), v)

        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        decay = 0.5 * (1 + math.cos(math.pi * done / steps))
        for group in optimizer.param_groups:
            group["lr"] = peak * min((done + 1) / warmup, 0.01 + 0.99 * decay)
        optimizer.step()
        with torch.no_grad():
            keep = min(0.999, (1 + done) / (10 + done))
            for slow, fast in zip(average.parameters(), net.parameters()):
                slow.lerp_(fast, 1 - keep)

        done += 1
        losses.append(loss.item())
        if done % 100 == 0 or done == steps:
            minutes = (time.time() - started) / 60
            print(f"step {done}/{steps}  loss {np.mean(losses):.4f}  {minutes:.1f} min", flush=True)
            losses.clear()
        if done % 1000 == 0 or done == steps:
            save(checkpoint, {
                "net": net.state_dict(), "average": average.state_dict(),
                "optimizer": optimizer.state_dict(), "done": done,
            })


def save(path, state):
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


@torch.no_grad()
def sample(net, *told, count=None, size=SIZE, steps=50, seed=0):
    """DDIM (Song et al. 2020, eq. 12, eta 0) on trailing timesteps, with x0 clipped to [-1, 1]."""
    alphas_bar = cosine_alphas_bar()
    grid = [round(TRAIN_STEPS * (1 - i / steps)) - 1 for i in range(steps)]
    count = count or len(told[0])
    x = torch.randn(count, 4, size, size, generator=torch.Generator().manual_seed(seed))
    for t, following in zip(grid, grid[1:] + [None]):
        a, s = alphas_bar[t].sqrt().item(), (1 - alphas_bar[t]).sqrt().item()
        v = net(x, torch.full((count,), t), *told)
        x0 = (a * x - s * v).clamp(-1, 1)
        if following is None:
            return x0
        epsilon = (x - a * x0) / s
        x = alphas_bar[following].sqrt().item() * x0 + (1 - alphas_bar[following]).sqrt().item() * epsilon


def contact_sheet(pictures, columns, zoom=3):
    """Pictures in -1 ... 1 on the checkerboard that stands for transparency."""
    rows, size = len(pictures) // columns, pictures.shape[-1]
    rgba = (np.asarray(pictures) / 2 + 0.5).clip(0, 1)
    rgba = rgba.reshape(rows, columns, 4, size, size).transpose(0, 3, 1, 4, 2).reshape(rows * size, columns * size, 4)
    y, x = np.indices(rgba.shape[:2])
    board = np.where((y // 4 + x // 4) % 2, 0.75, 0.9)[..., None]
    color, alpha = rgba[..., :3], rgba[..., 3:]
    sheet = Image.fromarray(((color * alpha + board * (1 - alpha)) * 255).round().astype(np.uint8))
    return sheet.resize((sheet.width * zoom, sheet.height * zoom), Image.NEAREST)


# --------------------------------------------------------------------------------------- exporting

MANIFEST = {
    "diffuse": 1,
    "name": "sprites",
    "description": "32x32 game sprites with transparency, in ten classes",
    "license": "MIT OR Apache-2.0",
    "source": "onnx/sprites.py",
    "sample": {"shape": [4, SIZE, SIZE], "kind": "image", "range": [-1, 1], "clip": True},
    "schedule": {"kind": "cosine", "train_steps": TRAIN_STEPS},
    "prediction": "v",
    "time": {"encoding": "index"},
    "classes": {"names": NAMES, "null": NULL},
    "inputs": {"sample": "x", "time": "t", "class": "y"},
    "outputs": {"prediction": "v"},
    "defaults": {"solver": "ddim", "steps": 50, "grid": "trailing"},
}


MODELS = pathlib.Path(__file__).parent / "models"


def checkpoint_path(name):
    """Where training saves its state, and continues from."""
    return pathlib.Path(tempfile.gettempdir()) / f"diffuse-{name}.pt"


def main():
    parser = argparse.ArgumentParser(description="Trains and exports the sprite model.")
    parser.add_argument("--steps", type=int, default=12_000, help="The number of training steps. Default: %(default)s.")
    parser.add_argument("--out", type=pathlib.Path, default=MODELS / "sprites.onnx")
    parser.add_argument(
        "--checkpoint", type=pathlib.Path, default=checkpoint_path("sprites"),
        help="The file that training saves its state to, and continues from. Default: %(default)s.",
    )
    parser.add_argument("--preview", type=pathlib.Path, help="Writes a contact sheet of four sprites a class.")
    arguments = parser.parse_args()

    torch.manual_seed(1)
    net = SpriteNet().to(memory_format=torch.channels_last)
    average = copy.deepcopy(net)
    train(net, average, labelled_batches(*draw_dataset(seed=1, per_class=3000)), arguments.steps, arguments.checkpoint)
    average.to(memory_format=torch.contiguous_format).eval()
    if arguments.preview:
        pictures = sample(average, torch.arange(len(CLASSES)).repeat_interleave(4))
        contact_sheet(pictures, columns=4).save(arguments.preview)
    export(average, MANIFEST, arguments.out)


if __name__ == "__main__":
    main()
