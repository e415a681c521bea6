"""Learns and exports models of points in the plane. There is one for each relation of noise and data in continuous
time, and one that leads from one set of points to another:

    ncsn_moons      score   VE levels, for annealed Langevin sampling (Song & Ermon 2019)
    vp_s_curve      score   the VP SDE (Song et al. 2021)
    ve_swiss_roll   score   the VE SDE
    sub_vp_moons    score   the sub-VP SDE
    flow_s_curve    flow    the straight path (Lipman et al. 2022)
    moons_to_s_curve  flow  the same, but from points of two moons instead of noise (Liu et al. 2022, "Rectified Flow")

    python onnx/points.py                        train, export all of them
    python onnx/points.py vp_s_curve             only that one
    python onnx/points.py --preview plots        also sample 2,000 points of each and plot them
"""

import argparse
import copy
import math
import pathlib
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from export import export
from swiss_roll import plot, swiss_roll

BETA_MIN, BETA_MAX = 0.1, 20.0
LEAST_TIME = 1e-3
VP_TIME_SCALE = 999  # what score_sde multiplies the time of its VP networks by


def moons(count, generator):
    """scikit-learn's make_moons with its noise at 0.05."""
    angle = math.pi * torch.rand(count, generator=generator)
    lower = torch.rand(count, generator=generator) < 0.5
    points = torch.stack([
        torch.where(lower, 1 - angle.cos(), angle.cos()), torch.where(lower, 0.5 - angle.sin(), angle.sin()),
    ], dim=1)
    return points + 0.05 * torch.randn(points.shape, generator=generator)


def s_curve(count, generator):
    """Coordinates 0 and 2 of scikit-learn's make_s_curve without its noise, each with a variance of 1."""
    angle = 3 * math.pi * (torch.rand(count, generator=generator) - 0.5)
    deviations = torch.tensor([0.5, 1.5 + 4 / (3 * math.pi)]).sqrt()
    return torch.stack([angle.sin(), angle.sign() * (angle.cos() - 1)], dim=1) / deviations


# ------------------------------------------------------------- alpha and sigma at what the network is told


def ve_levels(sigma):
    return torch.ones_like(sigma), sigma


def vp_integral(t):
    """The integral of beta from 0 to t."""
    return BETA_MIN * t + (BETA_MAX - BETA_MIN) / 2 * t**2


def one_minus_exp(x):
    """1 - exp(-x) without cancellation at small x; ONNX has no expm1."""
    half = torch.tanh(x / 2)
    return 2 * half / (1 + half)


def vp_levels(told):
    integral = vp_integral(told / VP_TIME_SCALE)
    return torch.exp(-integral / 2), one_minus_exp(integral).sqrt()


def sub_vp_levels(told):
    integral = vp_integral(told / VP_TIME_SCALE)
    return torch.exp(-integral / 2), one_minus_exp(integral)


def flow_levels(t):
    return 1 - t, t


# ----------------------------------------------------------------- what it is told in training, batch by batch


def drawn_sigmas(sigma_min, sigma_max):
    return lambda share: sigma_min * (sigma_max / sigma_min) ** share


def drawn_times(scale):
    """Times, more of them near the data, where the shape is decided."""
    return lambda share: scale * (LEAST_TIME + (1 - LEAST_TIME) * share**2)


# name: data, alpha and sigma, draw of what the network is told, and what the manifest says of it
MODELS = {
    "ncsn_moons": (moons, ve_levels, drawn_sigmas(0.01, 3), {
        "description": "points of two moons, for annealed Langevin sampling",
        "schedule": {"kind": "ve", "sigma_min": 0.01, "sigma_max": 3},
        "prediction": "score",
        "time": {"encoding": "sigma"},
        "defaults": {
            "solver": "langevin", "steps": 20, "grid": "linspace", "options": {"corrector_steps": 10, "corrector_snr": 0.3},
        },
    }),
    "vp_s_curve": (s_curve, vp_levels, drawn_times(VP_TIME_SCALE), {
        "description": "points of an S-curve, on the VP SDE",
        "schedule": {"kind": "vp", "beta_min": BETA_MIN, "beta_max": BETA_MAX, "least_time": LEAST_TIME},
        "prediction": "score",
        "time": {"encoding": "unit", "scale": VP_TIME_SCALE},
        "defaults": {"solver": "reverse-sde", "steps": 500, "grid": "linspace"},
    }),
    "ve_swiss_roll": (swiss_roll, ve_levels, drawn_sigmas(0.01, 10), {
        "description": "points of a swiss roll, on the VE SDE",
        "schedule": {"kind": "ve", "sigma_min": 0.01, "sigma_max": 10},
        "prediction": "score",
        "time": {"encoding": "sigma"},
        "defaults": {
            "solver": "reverse-sde", "steps": 500, "grid": "linspace", "options": {"corrector_steps": 1, "corrector_snr": 0.16},
        },
    }),
    "sub_vp_moons": (moons, sub_vp_levels, drawn_times(VP_TIME_SCALE), {
        "description": "points of two moons, on the sub-VP SDE",
        "schedule": {"kind": "sub_vp", "beta_min": BETA_MIN, "beta_max": BETA_MAX, "least_time": LEAST_TIME},
        "prediction": "score",
        "time": {"encoding": "unit", "scale": VP_TIME_SCALE},
        "defaults": {"solver": "reverse-sde", "steps": 500, "grid": "linspace"},
    }),
    "flow_s_curve": (s_curve, flow_levels, drawn_times(1), {
        "description": "points of an S-curve, by flow matching",
        "schedule": {"kind": "flow", "least_time": LEAST_TIME},
        "prediction": "flow",
        "time": {"encoding": "unit"},
        "defaults": {"solver": "euler", "steps": 50, "grid": "linspace"},
    }),
    "moons_to_s_curve": (s_curve, flow_levels, drawn_times(1), {
        "description": "from points of two moons to points of an S-curve; a run has to be started from the former",
        "schedule": {"kind": "flow", "least_time": LEAST_TIME},
        "prediction": "flow",
        "time": {"encoding": "unit"},
        "defaults": {"solver": "heun", "steps": 50, "grid": "linspace"},
    }),
}

# What stands in the place of noise.
SOURCES = {"moons_to_s_curve": moons}


def normal(count, generator):
    return torch.randn(count, 2, generator=generator)


def whole_manifest(name):
    *_, told = MODELS[name]
    return {
        "diffuse": 1,
        "name": name,
        "license": "MIT OR Apache-2.0",
        "source": "onnx/points.py",
        "sample": {"shape": [2], "kind": "points", "clip": False},
        "inputs": {"sample": "x", "time": "t"},
        "outputs": {"prediction": told["prediction"]},
        **told,
    }


class ConditionalLinear(nn.Module):
    """A linear layer whose outputs are multiplied by gains that depend on the noise level."""

    def __init__(self, inputs, outputs, features):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.gain = nn.Linear(features, outputs)
        nn.init.ones_(self.gain.bias)

    def forward(self, x, features):
        return self.gain(features) * self.linear(x)


class PointNet(nn.Module):
    """x [batch, 2] and the time or the noise level t [batch] -> score or flow [batch, 2].

    Inside, the network sees x scaled to a variance near 1 and learns v = cos(a) noise - sin(a) x0 with tan(a) = sigma /
    alpha (Salimans & Ho 2022), whose size is near 1 at every level, however small sigma is. Score and flow follow from
    it in closed form.
    """

    WIDTH = 128
    FREQUENCIES = 16

    def __init__(self, levels_of, prediction):
        super().__init__()
        self.levels_of, self.prediction = levels_of, prediction
        self.register_buffer("frequencies", torch.logspace(-1, 0.5, self.FREQUENCIES), persistent=False)
        self.layer1 = ConditionalLinear(2, self.WIDTH, 2 * self.FREQUENCIES)
        self.layer2 = ConditionalLinear(self.WIDTH, self.WIDTH, 2 * self.FREQUENCIES)
        self.layer3 = ConditionalLinear(self.WIDTH, self.WIDTH, 2 * self.FREQUENCIES)
        self.leave = nn.Linear(self.WIDTH, 2)

    def v(self, scaled, alpha, sigma):
        # Below an alpha of 0.001 there is nothing left to tell apart.
        angles = (sigma / alpha.clamp(min=1e-3)).log() * self.frequencies
        features = torch.cat([angles.sin(), angles.cos()], dim=1)
        for layer in (self.layer1, self.layer2, self.layer3):
            scaled = F.softplus(layer(scaled, features))
        return self.leave(scaled)

    def forward(self, x, t):
        alpha, sigma = self.levels_of(t[:, None])
        size = (alpha**2 + sigma**2).sqrt()
        v = self.v(x / size, alpha, sigma)
        epsilon = (sigma * x / size + alpha * v) / size
        if self.prediction == "score":
            return -epsilon / sigma
        return epsilon - (alpha * x / size - sigma * v) / size


def train(net, average, data, source, draw, steps, batch=512, peak=3e-3, decay=0.999, seed=1):
    dice = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=peak)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    started, losses = time.time(), []
    for done in range(1, steps + 1):
        x0 = data(batch, dice)
        # One time from each of `batch` equal parts: less noise in the loss than from as many independent ones.
        share = (torch.arange(batch) + torch.rand(batch, generator=dice)) / batch
        alpha, sigma = net.levels_of(draw(share)[:, None])
        size = (alpha**2 + sigma**2).sqrt()
        noise = source(batch, dice)
        x = alpha * x0 + sigma * noise
        loss = F.mse_loss(net.v(x / size, alpha, sigma), (alpha * noise - sigma * x0) / size)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for mean, now in zip(average.parameters(), net.parameters()):
                mean.lerp_(now, 1 - min(decay, done / (done + 10)))
        losses.append(loss.item())
        if done % 2000 == 0 or done == steps:
            print(f"step {done}/{steps}  loss {np.mean(losses):.4f}  {(time.time() - started) / 60:.1f} min", flush=True)
            losses.clear()


@torch.no_grad()
def sample(net, source, draw, count, steps=200, seed=0):
    """The probability-flow ODE by DDIM's rule (Song et al. 2020), which reads alike on every path; ends with a clean
    point.
    """
    dice = torch.Generator().manual_seed(seed)
    told = draw(torch.linspace(1, 0, steps + 1))
    x = net.levels_of(told[0])[1] * source(count, dice)
    for now, then in zip(told, [*told[1:], None]):
        alpha, sigma = net.levels_of(now)
        size = (alpha**2 + sigma**2).sqrt()
        v = net.v(x / size, alpha.expand(count, 1), sigma.expand(count, 1))
        x0, epsilon = (alpha * x / size - sigma * v) / size, (sigma * x / size + alpha * v) / size
        after_alpha, after_sigma = (1, 0) if then is None else net.levels_of(then)
        x = after_alpha * x0 + after_sigma * epsilon
    return x


def main():
    here = pathlib.Path(__file__).parent
    parser = argparse.ArgumentParser(description="Trains and exports models of points in the plane.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"The models, of {', '.join(MODELS)}. Default: all.")
    parser.add_argument("--steps", type=int, default=15_000, help="The number of training steps. Default: %(default)s.")
    parser.add_argument("--out", type=pathlib.Path, default=here / "models", help="The folder to write to.")
    parser.add_argument("--preview", type=pathlib.Path, help="A folder for plots of 2,000 sampled points each.")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(MODELS)
    if unknown:
        parser.error(f"expected some of {', '.join(MODELS)}, found {', '.join(sorted(unknown))}")

    torch.set_num_threads(1)  # layers this small gain nothing from more
    for name in arguments.names or MODELS:
        data, levels_of, draw, told = MODELS[name]
        print(name)
        torch.manual_seed(1)
        net = PointNet(levels_of, told["prediction"])
        average = copy.deepcopy(net)
        source = SOURCES.get(name, normal)
        train(net, average, data, source, draw, arguments.steps)
        if arguments.preview:
            arguments.preview.mkdir(parents=True, exist_ok=True)
            plot(sample(average, source, draw, 2000), reach=2.5).save(arguments.preview / f"{name}.png")
        export(average, whole_manifest(name), arguments.out / f"{name}.onnx")


if __name__ == "__main__":
    main()
