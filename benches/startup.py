"""From process start to a written PNG: diffuse-cli beside two Python programs that draw the same kind of picture.

    cargo build --release && python benches/startup.py

Each draws one 32×32 sprite with 50 DDIM steps on the same ONNX Runtime session settings. The programs take turns;
printed are medians, their ratios, and what diffuse-cli spends beside opening the model and sampling.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "onnx" / "models" / "sprites.onnx"
ROUNDS = 15

COMMON = """
import sys
import numpy as np, onnxruntime
options = onnxruntime.SessionOptions()
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
session = onnxruntime.InferenceSession(sys.argv[1], options)
y = np.array([0], dtype=np.int64)
"""

WITH_NUMPY = COMMON + """
import struct, zlib
steps = np.arange(1001) / 1000
bar = np.cos((steps + 0.008) / 1.008 * np.pi / 2) ** 2
bar = np.cumprod(1 - np.minimum(1 - bar[1:] / bar[:-1], 0.999))
x = np.random.default_rng(7).standard_normal((1, 4, 32, 32), dtype=np.float32)
for t in range(999, 0, -20):
    v, = session.run(None, {"x": x, "t": np.array([t]), "y": y})
    a, s = np.sqrt(bar[t]), np.sqrt(1 - bar[t])
    b = bar[t - 20] if t >= 20 else 1.0
    x0 = np.clip(a * x - s * v, -1, 1)
    x = (np.sqrt(b) * x0 + np.sqrt(1 - b) * (x - a * x0) / s).astype(np.float32)
pixels = np.rint(np.clip(x[0] / 2 + 0.5, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
rows = b"".join(b"\\0" + row.tobytes() for row in pixels)
with open(sys.argv[2], "wb") as file:
    file.write(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, 8, 6, 0, 0, 0)))
    file.write(chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
"""

WITH_DIFFUSERS = COMMON + """
import torch
from diffusers import DDIMScheduler
from PIL import Image
scheduler = DDIMScheduler(1000, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", timestep_spacing="trailing")
scheduler.set_timesteps(50)
x = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(7))
for t in scheduler.timesteps:
    v, = session.run(None, {"x": x.numpy(), "t": t.numpy()[None], "y": y})
    x = scheduler.step(torch.from_numpy(v), t, x).prev_sample
pixels = ((x[0] / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
Image.fromarray(pixels).save(sys.argv[2])
"""


def main():
    program = ROOT / "target" / "release" / ("diffuse-cli.exe" if os.name == "nt" else "diffuse-cli")
    environment = {"ORT_DYLIB_PATH": str(ROOT / "onnx" / "runtime"), "ORT_DISABLE_TELEMETRY": "1", **os.environ}
    with tempfile.TemporaryDirectory() as folder:
        picture = os.path.join(folder, "picture.png")
        arguments = ["generate", MODEL, "--class", "heart", "--seed", "7", "--steps", "50", "-o", picture, "--json"]
        programs = {
            "diffuse-cli": [program, *arguments],
            "onnxruntime + numpy": [sys.executable, "-c", WITH_NUMPY, MODEL, picture],
            "onnxruntime + diffusers' scheduler": [sys.executable, "-c", WITH_DIFFUSERS, MODEL, picture],
        }
        times = {name: [] for name in programs}
        beside = []
        for round in range(ROUNDS + 1):
            for name, command in programs.items():
                start = time.perf_counter()
                result = subprocess.run(command, env=environment, capture_output=True)
                elapsed = time.perf_counter() - start
                if result.returncode != 0:
                    sys.exit(f"{name}: {result.stderr.decode()}")
                # The first round fills the file cache.
                if round == 0:
                    continue
                times[name].append(elapsed)
                if name == "diffuse-cli":
                    spent = json.loads(result.stdout)["milliseconds"]
                    beside.append(elapsed * 1e3 - spent["open"] - spent["sample"])
    ours = statistics.median(times["diffuse-cli"])
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"{name:36} {median * 1e3:7.0f} ms   {median / ours:5.2f} times diffuse-cli")
    print(f"diffuse-cli beside opening the model and sampling: {statistics.median(beside):.0f} ms (at most {max(beside):.0f})")


if __name__ == "__main__":
    main()
