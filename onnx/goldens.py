"""Writes the golden traces of diffusers, step by step, that the Rust tests compare with.

    python onnx/goldens.py trajectories   # onnx/goldens/trajectories.safetensors, from diffusers alone
    python onnx/goldens.py sprites        # onnx/goldens/sprites.safetensors, by the shipped model
    python onnx/goldens.py randn          # onnx/goldens/randn.json, torch's CPU generator
    python onnx/goldens.py timesteps      # onnx/goldens/timesteps.json, the times that diffusers visits

Both sides of a trajectory have the same start, the same network outputs and the same noise. So only the arithmetic of
the scheduler can differ.
"""

import argparse
import hashlib
import itertools
import json
import pathlib

import diffusers
import numpy
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from diffusers.schedulers import scheduling_ddpm
from safetensors.numpy import save_file

GOLDENS = pathlib.Path(__file__).parent / "goldens"
TRAIN_STEPS = 1000
SHAPE = (2, 1, 2, 2)
VERSIONS = {"diffusers": diffusers.__version__, "torch": torch.__version__.split("+")[0], "numpy": numpy.__version__}

BETAS = {
    "linear": dict(beta_schedule="linear", beta_start=0.0001, beta_end=0.02),
    "scaled_linear": dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012),
    "cosine": dict(beta_schedule="squaredcos_cap_v2"),
    "sigmoid": dict(beta_schedule="sigmoid", beta_start=0.0001, beta_end=0.02),
}
# name: (diffusers' name, steps_offset, whether the run ends at the clean sample)
GRIDS = {
    "leading": ("leading", 0, True),
    "leading_offset_1_to_first": ("leading", 1, False),
    "trailing": ("trailing", 0, True),
    "linspace": ("linspace", 0, True),
}
PREDICTIONS = {"epsilon": "epsilon", "x0": "sample", "v": "v_prediction"}
# name: (solver, what its step is told)
SOLVERS = {
    "ddpm_posterior": dict(variance_type="fixed_small"),
    "ddpm_beta": dict(variance_type="fixed_large"),
    "ddim_0": dict(eta=0.0),
    "ddim_0.5": dict(eta=0.5),
    "ddim_1": dict(eta=1.0),
    "ddim_0.5_clipped_direction": dict(eta=0.5, use_clipped_model_output=True),
}


def tables_in_f64(scheduler, beta_schedule, beta_start=None, beta_end=None):
    """Replaces the tables, which diffusers rounds to f32, by the same formulas in f64."""
    start, end = beta_start, beta_end
    if beta_schedule == "linear":
        betas = numpy.linspace(start, end, TRAIN_STEPS)
    elif beta_schedule == "scaled_linear":
        betas = numpy.linspace(start**0.5, end**0.5, TRAIN_STEPS) ** 2
    elif beta_schedule == "sigmoid":
        betas = (end - start) / (1 + numpy.exp(-numpy.linspace(-6, 6, TRAIN_STEPS))) + start
    else:
        t = numpy.arange(TRAIN_STEPS + 1) / TRAIN_STEPS
        alpha_bar = numpy.cos((t + 0.008) / 1.008 * numpy.pi / 2) ** 2
        betas = numpy.minimum(1 - alpha_bar[1:] / alpha_bar[:-1], 0.999)
    scheduler.betas = torch.from_numpy(betas)
    scheduler.alphas = 1.0 - scheduler.betas
    scheduler.alphas_cumprod = torch.cumprod(scheduler.alphas, 0)
    scheduler.one = torch.tensor(1.0, dtype=torch.float64)
    if hasattr(scheduler, "final_alpha_cumprod"):
        first = scheduler.alphas_cumprod[0]
        scheduler.final_alpha_cumprod = scheduler.one if scheduler.config.set_alpha_to_one else first


def trajectory(name, beta, grid, prediction, clip, steps, tables, pool):
    """x after every step."""
    spacing, offset, to_clean = GRIDS[grid]
    options = dict(SOLVERS[name])
    common = dict(
        num_train_timesteps=TRAIN_STEPS,
        prediction_type=PREDICTIONS[prediction],
        clip_sample=clip,
        timestep_spacing=spacing,
        steps_offset=offset,
        **BETAS[beta],
    )
    if name.startswith("ddpm"):
        scheduler = DDPMScheduler(variance_type=options.pop("variance_type"), **common)
    else:
        if beta == "sigmoid":
            # DDIM lacks this schedule; the table of the one that has it is handed over.
            common.update(trained_betas=DDPMScheduler(**common).betas.numpy(), beta_schedule="linear")
        scheduler = DDIMScheduler(set_alpha_to_one=to_clean, **common)
    if tables == "f64":
        tables_in_f64(scheduler, **BETAS[beta])
    scheduler.set_timesteps(steps)
    assert len(scheduler.timesteps) == steps

    x, trace = pool["start"], []
    for i, t in enumerate(scheduler.timesteps):
        if name.startswith("ddpm"):
            # DDPM's step draws its noise itself.
            scheduling_ddpm.randn_tensor = lambda *_, **__: pool["noise"][i]
            x = scheduler.step(pool["outputs"][i], t, x).prev_sample
        else:
            noise = pool["noise"][i] if options["eta"] > 0 else None
            x = scheduler.step(pool["outputs"][i], t, x, variance_noise=noise, **options).prev_sample
        assert x.dtype == torch.float32
        trace.append(x.numpy())
    return numpy.stack(trace)


def trajectories():
    generator = torch.Generator().manual_seed(20)
    draw = lambda *shape: torch.randn(*shape, generator=generator)
    pool = {"start": draw(*SHAPE), "outputs": draw(50, *SHAPE), "noise": draw(50, *SHAPE)}
    tensors = {key: value.numpy() for key, value in pool.items()}
    for case in itertools.product(SOLVERS, BETAS, GRIDS, PREDICTIONS, (False, True), (7, 10), ("f32", "f64")):
        name, beta, grid, prediction, clip, steps, tables = case
        if name.endswith("clipped_direction") and not clip:
            continue
        # diffusers' DDPM always ends at the clean sample.
        if name.startswith("ddpm") and not GRIDS[grid][2]:
            continue
        key = "/".join([name, beta, grid, prediction, "clip" if clip else "free", str(steps), tables])
        tensors[key] = trajectory(*case, pool)
    # One long run of each, as a model's users have it.
    for name, tables in itertools.product(("ddpm_posterior", "ddim_0", "ddim_1"), ("f32", "f64")):
        for beta in BETAS:
            key = "/".join([name, beta, "leading", "epsilon", "clip", "50", tables])
            tensors[key] = trajectory(name, beta, "leading", "epsilon", True, 50, tables, pool)
    save(tensors, "trajectories")


def sprites():
    """DDIM and DDPM as diffusers ships them, on the shipped model, with torch's noise."""
    from export import open_session

    session = open_session(pathlib.Path(__file__).parent / "models" / "sprites.onnx")

    def model(x, t, classes):
        return torch.from_numpy(session.run(None, {"x": x.numpy(), "t": t.numpy(), "y": classes.numpy()})[0])

    common = dict(
        num_train_timesteps=TRAIN_STEPS,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=True,
    )
    runs = {
        "ddim_0": (DDIMScheduler(**common), {"eta": 0.0}),
        "ddim_1": (DDIMScheduler(**common), {"eta": 1.0}),
        "ddpm": (DDPMScheduler(variance_type="fixed_small", **common), {}),
    }
    classes = torch.tensor([0, 3, 6, 9])
    tensors = {"classes": classes.numpy()}
    for name, (scheduler, options) in runs.items():
        scheduler.set_timesteps(50)
        generator = torch.Generator().manual_seed(5)
        x = torch.randn(len(classes), 4, 32, 32, generator=generator)
        tensors["start"] = x.numpy()
        with torch.no_grad():
            for t in scheduler.timesteps:
                predicted = model(x, t.expand(len(classes)), classes)
                x = scheduler.step(predicted, t, x, generator=generator, **options).prev_sample
        pixels = ((x / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
        tensors[name] = pixels.permute(0, 2, 3, 1).numpy()
    save(tensors, "sprites")


def randn():
    """The values of torch.randn on the CPU: short sequences of calls whole, long ones by their SHA-256."""

    def draw(seed, calls):
        generator = torch.Generator().manual_seed(seed)
        return torch.cat([torch.randn(n, generator=generator) for n in calls]).numpy()

    # Up to 15 values are drawn one way, from 16 on another; multiples of 16 differ from the rest.
    short = [[n] for n in range(1, 36)] + [[1, 16, 1], [3, 2, 40, 1, 17, 5], [15, 15, 15], [7, 100, 7, 7]]
    sequences = [
        {"seed": seed, "calls": calls, "bits": [f"{value:08x}" for value in draw(seed, calls).view(numpy.uint32)]}
        for seed, calls in itertools.product((0, 42), short)
    ]
    digests = [
        {"seed": str(seed), "n": n, "sha256": hashlib.sha256(draw(seed, [n]).astype("<f4").tobytes()).hexdigest()}
        for seed, n in itertools.product((0, 1, 42, 123456789, 2**32 + 5, 2**63 - 1), (12_288, 960_000, 1_000_001))
    ]
    path = GOLDENS / "randn.json"
    lines = ",\n".join(json.dumps(entry) for entry in sequences)
    tail = ",\n".join(json.dumps(entry) for entry in digests)
    path.write_text(f'{{"versions": {json.dumps(VERSIONS)},\n"sequences": [\n{lines}\n],\n"digests": [\n{tail}\n]}}\n')
    print(f"{path.name}: {len(sequences)} sequences, {len(digests)} digests, {path.stat().st_size / 1e3:.0f} kB")


def timesteps():
    """The times of every grid of 1 to 1,000 steps, by their SHA-256."""
    found = {}
    for spacing in ("leading", "trailing", "linspace"):
        scheduler = DDIMScheduler(num_train_timesteps=TRAIN_STEPS, timestep_spacing=spacing)
        digest, skipped = hashlib.sha256(), []
        for steps in range(1, TRAIN_STEPS + 1):
            scheduler.set_timesteps(steps)
            times = scheduler.timesteps.numpy()
            # trailing has one too many for some; linspace with one step evaluates where no noise is.
            if len(times) == steps and not (spacing == "linspace" and steps == 1):
                digest.update(times.astype("<i8").tobytes())
            else:
                skipped.append(steps)
        found[spacing] = {"sha256": digest.hexdigest(), "skipped": skipped}
    path = GOLDENS / "timesteps.json"
    path.write_text(json.dumps({"versions": VERSIONS, "grids": found}, indent=1) + "\n")
    print(path.name, {name: len(entry["skipped"]) for name, entry in found.items()}, "skipped")


def save(tensors, name):
    GOLDENS.mkdir(exist_ok=True)
    path = GOLDENS / f"{name}.safetensors"
    save_file({key: numpy.ascontiguousarray(value) for key, value in tensors.items()}, path, metadata={"versions": json.dumps(VERSIONS)})
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["trajectories", "sprites", "randn", "timesteps"])
    globals()[parser.parse_args().what]()
