"""Gets ONNX Runtime into the source tree, builds diffuse and draws a sheet of sprites.

    python3 onnx/setup.py                       # all of it
    python3 onnx/setup.py --runtime-only        # only ONNX Runtime, into onnx/runtime
    python3 onnx/setup.py --provider openvino   # only the build with OpenVINO, into onnx/runtime-openvino
    python3 onnx/setup.py --provider cuda       # only the build with CUDA and TensorRT, into onnx/runtime-cuda
    python3 onnx/setup.py --system linux-aarch64     # only that of another system, into onnx/runtime-linux-aarch64

ONNX Runtime's own Python wheel is the one package of its library that every system's package index has. pip downloads
it at one version. It is refused unless its SHA-256 is the one below. Only the libraries in it and their licences are
kept. No Python package is installed. `.cargo/config.toml` points `cargo run` and `cargo test` to onnx/runtime.
"""

import argparse
import hashlib
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile

# package, version; by system and machine the wheel's platform and its SHA-256
BUILDS = {
    "cpu": ("onnxruntime", "1.32.0", {
        ("Linux", "x86_64"): ("manylinux_2_28_x86_64", "99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8"),
        ("Linux", "aarch64"): ("manylinux_2_28_aarch64", "e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054"),
        ("Darwin", "arm64"): ("macosx_14_0_arm64", "d52510bbbcc880c13b826f7d75cdf33ac5cf0bb864d960000fc29ce73f0cb83e"),
        ("Windows", "AMD64"): ("win_amd64", "efe7456952c243a05a53d5b8732953625144642c2f3989094277f6217f0c0c40"),
        ("Windows", "ARM64"): ("win_arm64", "64d394c69d561af3efd4d4f49dcac8f11d0ce135a20701c16d53b74056cd4cf8"),
    }),
    "openvino": ("onnxruntime-openvino", "1.24.1", {
        ("Linux", "x86_64"): ("manylinux_2_28_x86_64", "d617fac2f59a6ab5ea59a788c3e1592240a129642519aaeaa774761dfe35150e"),
    }),
    "cuda": ("onnxruntime-gpu", "1.31.1", {
        ("Linux", "x86_64"): ("manylinux_2_28_x86_64", "5d8c961eda91a88961cad1fb7621f389f006b18497d6ea9ecf96f729f066cbfb"),
    }),
}
ONNX = pathlib.Path(__file__).resolve().parent
RUNTIME = ONNX / "runtime"
# Written last: its presence says that all of the libraries are there, its text which they are.
STAMP = "version.txt"
# Of OpenVINO only what runs on a CPU: each library has several names in the wheel, and plugins for GPUs and NPUs.
OPENVINO = ("libopenvino.so.2541", "libopenvino_onnx_frontend.so.2541", "libopenvino_intel_cpu_plugin.so", "libtbb.so.12")
LICENCES = ("LICENSE", "ThirdPartyNotices.txt")


def is_wanted(name):
    base = pathlib.PurePosixPath(name).name
    library = base.startswith(("libonnxruntime", "onnxruntime")) and "pybind11" not in base
    shared = ".so" in base or base.endswith((".dylib", ".dll"))
    return "/capi/" in name and (library and shared or base in OPENVINO) or name in [f"onnxruntime/{file}" for file in LICENCES]


def system_name(key):
    return "-".join(key).lower()


def fetch(build="cpu", system=None):
    package, version, wheels = BUILDS[build]
    runtime = RUNTIME if build == "cpu" else ONNX / f"runtime-{build}"
    key = (platform.system(), platform.machine())
    if system:
        (key,) = (key for key in wheels if system_name(key) == system)
        runtime = ONNX / f"runtime-{system}"
    if key not in wheels:
        sys.exit(
            f"{package} {version} is not packaged for {' '.join(key)}. Build it, or take another 1.24 or newer, and set "
            "ORT_DYLIB_PATH to its library."
        )
    tag, digest = wheels[key]
    stamp = runtime / STAMP
    whole = f"{version} {digest} and its licences"
    if stamp.is_file() and stamp.read_text().strip() == whole:
        print(f"{package} {version} is in place: {runtime.relative_to(ONNX.parent)}")
        return
    print(f"Fetching {package} {version} for {' '.join(key)} ...", flush=True)
    with tempfile.TemporaryDirectory(dir=ONNX, prefix=".runtime-") as folder:
        folder = pathlib.Path(folder)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder]
        target = ["--platform", tag, "--python-version", "3.12", "--implementation", "cp", "--abi", "cp312"]
        if subprocess.run([*pip, *target, f"{package}=={version}"]).returncode != 0:
            sys.exit("pip could not download it; `python3 -m pip --version` tells whether pip is there.")
        (wheel,) = folder.glob("*.whl")
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found != digest:
            sys.exit(f"{wheel.name} has the SHA-256 {found}, expected {digest}; it is not used.")
        new = folder / "runtime"
        new.mkdir()
        with zipfile.ZipFile(wheel) as archive:
            for name in filter(is_wanted, archive.namelist()):
                (new / pathlib.PurePosixPath(name).name).write_bytes(archive.read(name))
        (new / STAMP).write_text(whole + "\n")
        # A folder that is there cannot be replaced in one step; without the stamp it counts as absent.
        if runtime.exists():
            shutil.rmtree(runtime)
        new.rename(runtime)
    print(f"{package} {version}: {runtime.relative_to(ONNX.parent)}")
    if build != "cpu":
        print(f"Use it with --onnxruntime {runtime.relative_to(ONNX.parent)}, or ORT_DYLIB_PATH={runtime.relative_to(ONNX.parent)}.")


def draw():
    if shutil.which("cargo") is None:
        sys.exit("cargo, Rust's package manager, is not on the PATH; it comes with Rust.")
    model = ONNX / "models" / "sprites.onnx"
    command = ["cargo", "run", "--release", "--", "generate", model, "--count", "8", "--zoom", "2"]
    print("Building (five minutes on two cores the first time) ...", flush=True)
    result = subprocess.run([*command, "--output", "sprites.png"], cwd=ONNX.parent).returncode
    # Beside the programs, too, so that they work when they are called by themselves.
    for program in (ONNX.parent / "target" / "release").glob("diffuse-cli*"):
        if program.suffix in ("", ".exe"):
            for library in RUNTIME.iterdir():
                if library.name not in (STAMP, *LICENCES):
                    shutil.copy2(library, program.parent)
    sys.exit(result)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime-only", action="store_true", help="Only gets ONNX Runtime.")
    parser.add_argument("--provider", choices=sorted(BUILDS.keys() - {"cpu"}), help="Only gets the build with this provider.")
    systems = sorted(map(system_name, BUILDS["cpu"][2]))
    parser.add_argument("--system", choices=systems, help="Only gets the build for this system.")
    arguments = parser.parse_args()
    fetch(arguments.provider or "cpu", arguments.system)
    if not arguments.runtime_only and arguments.provider is None and arguments.system is None:
        draw()
