"""Writes the guided runs of scipy and diffusers into `goldens/guidance.json`, for `tests/all/guidance.rs` to compare
with.

    python onnx/goldens_guidance.py

- `flows`: points of a mixture of three Gaussians, led from everything toward one class by classifier-free guidance
  along the probability-flow ODE. scipy's DOP853 runs from sigma 10 to 0.01.
- `runs`: 20 steps of diffusers' DDIM with its guiders on `fixtures/labelled.onnx`, each with the sample after every
  fifth step.
"""

import importlib.metadata
import json
import pathlib

import numpy as np
import onnxruntime
import torch
from diffusers import DDIMScheduler
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer, normalized_guidance
from diffusers.guiders.guider_utils import rescale_noise_cfg
from scipy.integrate import solve_ivp

HERE = pathlib.Path(__file__).parent

# Weight, mean, standard deviations; the same as in tests/support/mixture.rs, which the test sees to.
MODES = [(0.5, [-1.0, 0.5], [0.3, 0.2]), (0.3, [1.2, 0.8], [0.15, 0.4]), (0.2, [0.3, -1.3], [0.25, 0.25])]
CLASS = (0, 1)  # the modes of the class that is led to
SIGMAS = (10.0, 0.01)
EVERY = 5  # steps of a trajectory between those that are kept


def denoised(x, sigma, modes):
    weights, means, deviations = (np.array([MODES[k][part] for k in modes], dtype=np.float64) for part in range(3))
    variance = deviations**2 + sigma**2
    residual = x - means
    logs = np.log(weights) - 0.5 * (residual**2 / variance + np.log(variance)).sum(axis=1)
    posterior = np.exp(logs - logs.max())
    posterior /= posterior.sum()
    return (posterior[:, None] * (means + deviations**2 / variance * residual)).sum(axis=0)


def flow(start, scale):
    def slope(tau, x):
        sigma = np.exp(tau)
        unconditional = denoised(x, sigma, range(len(MODES)))
        return x - (unconditional + scale * (denoised(x, sigma, CLASS) - unconditional))

    found = solve_ivp(slope, np.log(SIGMAS), start, method="DOP853", rtol=1e-11, atol=1e-12)
    assert found.success
    return found.y[:, -1].tolist()


def flows():
    starts = np.random.default_rng(5).standard_normal((24, 2)) * SIGMAS[0]
    scales = [2.0, 4.0, 8.0]
    return {
        "modes": MODES, "class": CLASS, "sigmas": SIGMAS, "starts": starts.tolist(),
        "ends": [{"scale": scale, "x": [flow(start, scale) for start in starts]} for scale in scales],
    }


def run(session, x, kind, scale, **numbers):
    scheduler = DDIMScheduler(
        num_train_timesteps=1000, beta_schedule="linear", clip_sample=False, timestep_spacing="trailing", set_alpha_to_one=True,
    )
    scheduler.set_timesteps(20)
    momentum = MomentumBuffer(numbers["momentum"]) if kind == "apg" else None
    trajectory = []
    for t in scheduler.timesteps:
        def ask(y):
            told = {"x": x.numpy(), "t": np.full(len(x), t.item()), "y": np.full(len(x), y)}
            return torch.from_numpy(session.run(None, told)[0])

        conditional, unconditional = ask(1), ask(4)
        if kind == "apg":
            # The paper's form: from the conditional answer, by s - 1.
            said = normalized_guidance(
                conditional, unconditional, scale - 1, momentum, numbers["parallel"], numbers["norm"], use_original_formulation=True,
            )
        else:
            said = unconditional + scale * (conditional - unconditional)
        if numbers.get("rescale"):
            said = rescale_noise_cfg(said, conditional, numbers["rescale"])
        x = scheduler.step(said, t, x).prev_sample
        trajectory.append(x.flatten().tolist())
    return trajectory[EVERY - 1::EVERY]


def runs():
    session = onnxruntime.InferenceSession(HERE / "fixtures" / "labelled.onnx")
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    cases = [
        ("plain", 3.0, {}), ("plain", -1.5, {}), ("plain", 0.4, {}), ("plain", 7.5, {"rescale": 0.7}),
        ("apg", 5.0, {"momentum": -0.5, "parallel": 0.0, "norm": 2.5}),
        ("apg", 5.0, {"momentum": 0.3, "parallel": 0.6, "norm": 1e6, "rescale": 0.4}),
    ]
    return {
        "x": x.flatten().tolist(),
        "cases": [
            {"form": form, "scale": scale, **numbers, "trajectory": run(session, x.clone(), form, scale, **numbers)}
            for form, scale, numbers in cases
        ],
    }


def rounded(value):
    """Nine digits, which are all that an f32 has."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, (list, tuple)) else value


def main():
    versions = {name: importlib.metadata.version(name).split("+")[0] for name in ("diffusers", "torch", "scipy", "onnxruntime")}
    found = {"versions": versions, "flows": flows(), "runs": rounded(runs())}
    text = json.dumps(found, separators=(",", ":"))
    (HERE / "goldens" / "guidance.json").write_text(text + "\n")
    print(f"goldens/guidance.json: {len(text):,} bytes")


if __name__ == "__main__":
    main()
