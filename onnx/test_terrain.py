"""Runs `pages/terrain.md` with the published model, and compares diffuse with the model's own package.

    cargo build --release
    python onnx/test_terrain.py

It needs numpy, onnxruntime and Pillow. The wheel is downloaded from PyPI by the page's own command, into
target/terrain, and stays there. It is refused unless its SHA-256 is the one below.
"""

import contextlib
import hashlib
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import onnxruntime
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "onnx" / "pages" / "terrain.md"
RELEASE = ROOT / "target" / "release"
FOLDER = ROOT / "target" / "terrain"
# What the page's first command leaves in the folder.
DOWNLOADED = {
    "adaptive_terrain_diffusion-0.4.2-py3-none-any.whl": "dd803be2c98d764e4e64db18c631eef46c210282b398c4dd080f4cda3fa7c84d",
    "terrain.onnx": "95be54b4a39d58320e187a7ec533351c957f16a00be58773c86074828ee67887",
}

# One ONNX Runtime for the package, the binding and the command line.
CAPI = pathlib.Path(onnxruntime.__file__).parent / "capi"
os.environ |= {"ORT_DYLIB_PATH": str(CAPI), "DIFFUSE_LIBRARY": str(RELEASE / "libdiffuse.so")}
sys.path.insert(0, str(ROOT / "bindings" / "python" / "src"))
import diffuse  # noqa: E402

LABELS = np.float32([0, 33, 66, 99]) / 99
SIGMA_MIN, SIGMA_MAX = 0.002, 80.0
MANIFEST_OF_NOISE = {
    "diffuse": 1,
    "sample": {"shape": [1, 128, 128]},
    "schedule": {"kind": "edm", "sigma_min": SIGMA_MIN, "sigma_max": SIGMA_MAX},
    "prediction": "x0",
    "defaults": {"solver": "lcm", "grid": "trailing"},
}


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def shell(commands):
    paths = [str(RELEASE), str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]
    environment = {**os.environ, "PATH": os.pathsep.join(paths)}
    subprocess.run(["bash", "-euc", commands], cwd=FOLDER, env=environment, check=True)


def fetch(command):
    """Runs the page's download, unless its files are there."""

    def found():
        paths = {name: FOLDER / name for name in DOWNLOADED}
        return {name: path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items()}

    FOLDER.mkdir(parents=True, exist_ok=True)
    if found() != DOWNLOADED or not (FOLDER / "package").is_dir():
        shell(command)
    assert found() == DOWNLOADED, f"the SHA-256 are {found()}, expected {DOWNLOADED}; they are not used"


def run_page():
    """Runs the page up to its last command, which is this program. Returns the names that its Python made."""
    download, *commands, check = blocks("sh")
    assert "test_terrain.py" in check
    fetch(download)
    (manifest,) = blocks("json")
    (FOLDER / "terrain.diffuse.json").write_text(manifest, encoding="utf-8")
    for command in commands:
        shell(command)
    names = {"__name__": PAGE.name}
    with contextlib.chdir(FOLDER):
        exec(compile("\n".join(blocks("python")), PAGE.name, "exec"), names)
    return names


class Given:
    """A generator for the package that has this noise."""

    def __init__(self, noise):
        self.noise = noise

    def standard_normal(self, shape, dtype):
        assert self.noise.shape == shape and self.noise.dtype == dtype
        return self.noise


def noise_of(**request):
    """The levels of a run and its noise at each: a network that always predicts zeros sees σ·z alone."""
    seen = []

    def nothing(estimate):
        seen.append((estimate.level[2], estimate.x / np.float32(estimate.level[2])))
        return np.zeros_like(estimate.x)

    diffuse.Model.from_network(MANIFEST_OF_NOISE, nothing).draw(**request)
    levels, noise = zip(*seen)
    return levels, noise


def multistep(denoise, sigmas, noise):
    """Song et al. 2023, "Consistency Models", arXiv:2303.01469, algorithm 1."""
    x = denoise(np.float32(sigmas[0]) * noise[0], sigmas[0])
    for sigma, z in zip(sigmas[1:], noise[1:]):
        x = denoise(x + np.float32(np.sqrt(sigma**2 - SIGMA_MIN**2)) * z, sigma)
    return x


def evenly(steps):
    """The levels of the grid `trailing`."""
    return [SIGMA_MIN + (SIGMA_MAX - SIGMA_MIN) * left / steps for left in range(steps, 0, -1)]


def karras(steps, least, rho=7):
    """Karras et al. 2022, eq. 5, without the final 0."""
    most, last = SIGMA_MAX ** (1 / rho), least ** (1 / rho)
    return [(most + i / (steps - 1) * (last - most)) ** rho for i in range(steps)]


def close(what, found, expected, tolerance):
    assert found.shape == expected.shape, f"{what}: {found.shape}, expected {expected.shape}"
    difference = float(np.abs(np.float64(found) - expected).max())
    print(f"{what}: the greatest difference is {difference:.1e}")
    assert difference <= tolerance, f"{what}: differs by {difference}, expected at most {tolerance}"


def test_one_step(package, model):
    noise = np.random.default_rng(1).standard_normal((4, 1, 128, 128), dtype=np.float32)
    job = model.job(count=4, conditions={"difficulty": LABELS})
    job.start_from(noise * np.float32(SIGMA_MAX))
    drawn = job.run().read()
    assert job.progress.steps == 1
    close("one step, beside the package", drawn, package._sample_native(LABELS, generator=Given(noise)), 1e-6)
    # The four are told apart, and a number is told to its own item.
    turned = package._sample_native(LABELS[::-1], generator=Given(noise))
    assert min(np.abs(drawn - turned).max(axis=(1, 2, 3))) > 0.01


def test_five_steps(package, model):
    labels = LABELS[[1, 3]]
    for grid, options, sigmas in (
        ("trailing", {}, evenly(5)),
        ("karras", {"grid": "karras", "sigma_min": 0.5}, karras(5, 0.5)),
    ):
        request = {"count": 2, "seed": 9, "steps": 5, **options}
        levels, noise = noise_of(**request)
        assert np.allclose(levels, sigmas, rtol=1e-9), f"{grid}: {levels}, expected {sigmas}"

        def denoise(x, sigma):
            return package._denoise(x, np.full(len(x), sigma), labels)

        drawn = model.draw(**request, conditions={"difficulty": labels})
        close(f"five steps, {grid}, beside algorithm 1", drawn, multistep(denoise, sigmas, noise), 1e-4)


def test_page(package, names):
    drawn = {name: np.load(FOLDER / f"{name}.npy") for name in ("third", "one", "five")}
    for name, x in drawn.items():
        assert x.shape == (4, 1, 128, 128) and (FOLDER / f"{name}.png").is_file()
    for name in ("third", "one"):
        close(f"{name}.npy, beside the binding", drawn[name], names[name], 1e-6)
    heights = package._from_model_space(drawn["five"], zero_floor=False)
    close("heights, beside the package", names["heights"](drawn["five"]), heights, 1e-4)
    shown, made = (np.float64(Image.open(path)) for path in (PAGE.with_name("terrain.png"), FOLDER / "terrain.png"))
    assert shown.shape == made.shape and np.abs(shown - made).mean() < 1, "terrain.png is not what the page draws"


def main():
    names = run_page()
    # From the wheel, whose SHA-256 is known by now.
    sys.path.insert(0, str(FOLDER / "package"))
    from terrain_diffusion import TerrainGenerator

    package, model = TerrainGenerator(device="cpu"), names["model"]
    test_one_step(package, model)
    test_five_steps(package, model)
    test_page(package, names)


if __name__ == "__main__":
    main()
    print("the page of the terrains holds")
