"""ONNX Runtime."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from ._library import Handle, library, path_of, text_of


def _in_wheel() -> Path | None:
    """The library in Python's package onnxruntime, which is not imported."""
    spec = importlib.util.find_spec("onnxruntime")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        capi = Path(folder) / "capi"
        for pattern in ("libonnxruntime.so.*", "libonnxruntime.*.dylib", "onnxruntime.dll"):
            for found in sorted(capi.glob(pattern)):
                return found
    return None


class Runtime:
    """ONNX Runtime, loaded and started. There is one in a process, and every Runtime refers to it.

    `path` is its library, or the folder of that. Default: the one that the environment variable ORT_DYLIB_PATH names,
    else that of Python's package onnxruntime, else the system's. RuntimeMissing if there is none, or if another one
    runs already.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        if path is None and not os.environ.get("ORT_DYLIB_PATH"):
            path = _in_wheel()
        named = None if path is None else path_of(path)
        self._handle = Handle("diffuse_runtime_free", lambda place: int(library.diffuse_runtime_open(named, place)))

    @property
    def path(self) -> str:
        """The file that was loaded."""
        return text_of("diffuse_runtime_path", self._handle)

    @property
    def version(self) -> str:
        """Its version, such as "1.31.1"."""
        return text_of("diffuse_runtime_version", self._handle)

    @property
    def providers(self) -> list[str]:
        """The execution providers that it was built with."""
        return text_of("diffuse_runtime_providers", self._handle).split(",")

    def __repr__(self) -> str:
        return f"Runtime({self.path!r}, version {self.version})"
