"""Builds the wheel: with libdiffuse in it, which cargo makes, or which the variable DIFFUSE_LIBRARY names.

The package has no compiled part of its own, so one wheel is for every Python; its tag says the platform and the oldest
glibc that the library runs with.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

REPOSITORY = Path(__file__).resolve().parents[2]
LIBRARY = {"linux": "libdiffuse.so", "darwin": "libdiffuse.dylib", "win32": "diffuse.dll"}.get(sys.platform, "libdiffuse.so")


def library():
    """The library, built now unless it is named."""
    if named := os.environ.get("DIFFUSE_LIBRARY"):
        return Path(named)
    # With all features it is the library that `cargo build --release` has made, if it has. What the command line needs
    # is no part of it.
    subprocess.run(["cargo", "build", "--release", "--lib"], cwd=REPOSITORY, check=True)
    folder = os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")
    return Path(folder) / "release" / LIBRARY


class BuildWithLibrary(build_py):
    def run(self):
        super().run()
        package = Path(self.build_lib) / "diffuse"
        shutil.copyfile(library(), package / LIBRARY)
        for file in ("include/NOTICES.txt", "LICENSE-MIT", "LICENSE-APACHE"):
            shutil.copyfile(REPOSITORY / file, package / Path(file).name)


class WheelForPlatform(bdist_wheel):
    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        platform = super().get_tag()[2]
        if platform.startswith("linux_"):
            # The newest version of a symbol of glibc that it asks for.
            asked = re.findall(rb"GLIBC_2\.(\d+)", library().read_bytes())
            platform = platform.replace("linux_", f"manylinux_2_{max(map(int, asked))}_", 1)
        return "py3", "none", platform


def version():
    return re.search(r'^version = "(.*)"', (REPOSITORY / "Cargo.toml").read_text(), re.MULTILINE)[1]


setup(version=version(), cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": WheelForPlatform})
