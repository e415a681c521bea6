"""Writes goldens/denoising_diffusion.json: the levels of the schedules that only denoising-diffusion-pytorch has.

    pip install numpy && pip download --no-deps denoising-diffusion-pytorch==2.3.4
    python onnx/goldens_denoising_diffusion.py denoising_diffusion_pytorch-2.3.4-py3-none-any.whl

The functions are those of the wheel. torch is not needed: the little of it that they use is here, in numpy, whose f32
may differ from torch's in the last digit.

- sigmoid_beta_schedule (arXiv 2212.11972, figure 8): the library has the curve in f64 and its two ends in f32. alpha
  and sigma are sqrt_alphas_cumprod and sqrt_one_minus_alphas_cumprod, which GaussianDiffusion rounds to f32 at last.
- alpha_cosine_log_snr (arXiv 2102.09672, equation 17, as a log SNR): ContinuousTimeGaussianDiffusion has all of it in
  f32. alpha and sigma are the square roots of logistic(log SNR) and logistic(-log SNR), as in q_sample. "f64" is the
  same function in f64.
"""

import argparse
import ast
import json
import math
import pathlib
import zipfile

import numpy

GOLDENS = pathlib.Path(__file__).resolve().parent / "goldens"
VERSIONS = {"denoising-diffusion-pytorch": "2.3.4", "numpy": numpy.__version__}
DTYPES = {"f32": numpy.float32, "f64": numpy.float64}
# What sigmoid_beta_schedule is told.
SIGMOIDS = [
    dict(timesteps=1000, start=-3, end=3, tau=1),  # the library's own
    dict(timesteps=250, start=0, end=3, tau=0.7),
    dict(timesteps=1000, start=-3, end=3, tau=0.3),
]


class Tensor(numpy.ndarray):
    def sigmoid(self):
        return 1 / (1 + numpy.exp(-self))

    def clamp(self, min):
        return numpy.maximum(self, self.dtype.type(min))


class Torch:
    """The part of torch that the functions use."""

    float64 = numpy.float64

    def __init__(self, default):
        self.default = default

    def tensor(self, value):
        return numpy.asarray([value], dtype=self.default).view(Tensor)

    def linspace(self, first, last, count, dtype=None):
        return numpy.linspace(first, last, count, dtype=dtype or self.default).view(Tensor)

    def clip(self, values, least, most):
        return numpy.clip(values, least, most)

    cos, log = staticmethod(numpy.cos), staticmethod(numpy.log)


def functions(wheel, page, names, torch):
    """Functions of a page of the library."""
    tree = ast.parse(zipfile.ZipFile(wheel).read(f"denoising_diffusion_pytorch/{page}.py"))
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]
    found = {"torch": torch, "math": math}
    exec(compile(tree, page, "exec"), found)
    return [found[name] for name in names]


def sigmoid(wheel, told):
    [betas] = functions(wheel, "denoising_diffusion_pytorch", ["sigmoid_beta_schedule"], Torch(numpy.float32))
    left = numpy.cumprod(1 - betas(**told))
    assert left.dtype == numpy.float64
    return numpy.sqrt(left), numpy.sqrt(1 - left)


def cosine(wheel, precision, times):
    torch = Torch(DTYPES[precision])
    log_snr, _ = functions(wheel, "continuous_time_gaussian_diffusion", ["alpha_cosine_log_snr", "log"], torch)
    found = log_snr(numpy.asarray(times, dtype=torch.default).view(Tensor))
    assert found.dtype == torch.default
    return numpy.sqrt(found.sigmoid()), numpy.sqrt((-found).sigmoid())


def listed(levels, precision):
    """Alpha and sigma: f32 as short as it reads back, f64 to twelve digits."""
    form = str if precision == "f32" else "{:.12g}".format
    return {name: [float(form(value)) for value in values.astype(DTYPES[precision])] for name, values in zip(("alpha", "sigma"), levels)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=pathlib.Path)
    wheel = parser.parse_args().wheel
    assert wheel.name.startswith("denoising_diffusion_pytorch-2.3.4-"), wheel
    tables = []
    for told in SIGMOIDS:
        schedule = {"kind": "sigmoid_alpha_bar", **{"train_steps" if key == "timesteps" else key: value for key, value in told.items()}}
        steps = told["timesteps"]
        times = sorted({*range(0, steps, 37), *range(steps - 5, steps)})
        levels = [values[times] for values in sigmoid(wheel, told)]
        tables.append({"schedule": schedule, "times": times, "f32": listed(levels, "f32")})
    # Of the 501 times of its own sampler.
    times = [float(numpy.float32(step / 500)) for step in sorted({*range(0, 501, 20), *range(5), *range(496, 501)})]
    of_precision = {precision: listed(cosine(wheel, precision, times), precision) for precision in DTYPES}
    tables.append({"schedule": {"kind": "continuous_cosine"}, "times": times, **of_precision})
    path = GOLDENS / "denoising_diffusion.json"
    lines = ",\n".join(json.dumps(table) for table in tables)
    path.write_text(f'{{"versions": {json.dumps(VERSIONS)},\n"tables": [\n{lines}\n]}}\n')
    print(f"{path.name}: {len(tables)} tables, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
