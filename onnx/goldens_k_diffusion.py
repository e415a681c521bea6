"""Writes goldens/k_diffusion.safetensors: traces of k-diffusion's samplers with recorded network outputs and noise.

    pip install torch scipy tqdm safetensors && pip download --no-deps k-diffusion==0.1.1.post1
    python onnx/goldens_k_diffusion.py k_diffusion-0.1.1.post1-py3-none-any.whl

Only its sampling.py is loaded, from the wheel. Its other imports, beside torch and scipy, are for samplers that are not
run here. The network's k-th output is outputs[k], whatever its input (denoised = x - sigma * outputs[k]). The k-th draw
of a run is noise[k]. A trace holds x at every evaluation but the first, and the sample at the end.
"""

import argparse
import inspect
import pathlib
import sys
import types
import zipfile

import torch
from safetensors.torch import save_file

STEPS = 8
SHAPE = (2, 4)
GOLDENS = pathlib.Path(__file__).resolve().parent / "goldens"


def load(wheel):
    """The module sampling.py of the wheel."""
    utils = types.ModuleType("k_diffusion.utils")
    utils.append_dims = lambda x, count: x[(...,) + (None,) * (count - x.ndim)]
    package = types.ModuleType("k_diffusion")
    package.utils = utils
    torchdiffeq = types.ModuleType("torchdiffeq")
    torchdiffeq.odeint = None
    modules = {"k_diffusion": package, "k_diffusion.utils": utils, "torchdiffeq": torchdiffeq, "torchsde": types.ModuleType("torchsde")}
    sys.modules.update(modules)
    sampling = types.ModuleType("k_diffusion.sampling")
    sampling.__package__ = "k_diffusion"
    exec(compile(zipfile.ZipFile(wheel).read("k_diffusion/sampling.py"), "sampling.py", "exec"), sampling.__dict__)
    return sampling


# (sampler, what it is told); the solver of the same name is in tests/all/schedulers.rs.
CASES = [
    ("dpmpp_2s_ancestral", {"eta": 0.0}),
    ("dpmpp_2s_ancestral", {"eta": 0.5}),
    ("dpmpp_2s_ancestral", {"eta": 1.0}),
    ("dpmpp_sde", {"eta": 1.0}),
    ("dpmpp_2m", {}),
    ("dpmpp_2m_sde", {"eta": 1.0, "solver_type": "midpoint"}),
    ("dpmpp_2m_sde", {"eta": 1.0, "solver_type": "heun"}),
    ("dpmpp_3m_sde", {"eta": 1.0}),
    ("euler", {"s_churn": 3.0, "s_noise": 1.01}),
    ("euler_ancestral", {"eta": 0.5}),
    ("heun", {"s_churn": 3.0, "s_tmin": 0.1, "s_tmax": 5.0, "s_noise": 1.01}),
    ("dpm_2", {}),
    ("dpm_2_ancestral", {"eta": 0.5}),
    ("lms", {"order": 4}),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=pathlib.Path)
    sampling = load(parser.parse_args().wheel)
    generator = torch.Generator().manual_seed(3)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    start, outputs, noise = draw(*SHAPE), 0.5 * draw(3 * STEPS, *SHAPE), draw(3 * STEPS, *SHAPE)
    to_zero = sampling.get_sigmas_karras(STEPS, 0.03, 10.0).double()
    tensors = {"start": start * 10.0, "outputs": outputs, "noise": noise, "sigmas": to_zero}
    for name, told in CASES:
        seen, draws = [], iter(noise)

        def network(x, sigma):
            said = x - sampling.utils.append_dims(sigma, x.ndim) * outputs[len(seen)]
            seen.append(x)
            return said

        sampler = getattr(sampling, f"sample_{name}")
        options = dict(told)
        if "noise_sampler" in inspect.signature(sampler).parameters:
            options["noise_sampler"] = lambda *_: next(draws)
        torch.randn_like = lambda *_, **__: next(draws)
        end = sampler(network, tensors["start"], to_zero, disable=True, **options)
        label = ",".join(f"{key}={value}" for key, value in told.items())
        tensors[f"{name}/{label}"] = torch.stack([*seen[1:], end])
    tensors = {name: tensor if name == "sigmas" else tensor.float() for name, tensor in tensors.items()}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, GOLDENS / "k_diffusion.safetensors", {"k-diffusion": "0.1.1.post1"})
    print(len(CASES), "samplers")


if __name__ == "__main__":
    main()
