"""The shared library, and what every call of it has in common."""

from __future__ import annotations

import ctypes
import os
import sys
import weakref
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np
import numpy.typing as npt

from . import _abi
from ._errors import CLASSES, DiffuseError

Floats = npt.NDArray[np.float32]


def _load() -> ctypes.CDLL:
    """The library that DIFFUSE_LIBRARY names, else the one beside this file."""
    name = {"darwin": "libdiffuse.dylib", "win32": "diffuse.dll"}.get(sys.platform, "libdiffuse.so")
    path = os.environ.get("DIFFUSE_LIBRARY") or str(Path(__file__).with_name(name))
    library = ctypes.CDLL(path)
    for function, (result, parameters) in _abi.FUNCTIONS.items():
        prototype = getattr(library, function)
        prototype.restype, prototype.argtypes = result, parameters
    return library


library = _load()


def failure(status: int) -> DiffuseError:
    """The error that the latest call on this thread ended with."""
    message: bytes = library.diffuse_error_message() or b""
    return CLASSES.get(status, DiffuseError)(message.decode(errors="replace"))


def check(status: int) -> None:
    if status != _abi.OK:
        raise failure(status)


def version() -> str:
    """The library's version."""
    return _text(library.diffuse_version())


def _text(string: bytes | None) -> str:
    return (string or b"").decode(errors="replace")


def text_of(function: str, handle: Handle) -> str:
    """What a function says that returns a string of a handle's."""
    return _text(getattr(library, function)(handle.pointer))


class Handle:
    """A handle of the library's, which is freed with the last reference to it, at the latest when the interpreter ends."""

    def __init__(self, free: str, make: Callable[[Any], int]) -> None:
        place = ctypes.c_void_p()
        check(make(ctypes.byref(place)))
        self.pointer = place
        self.free = weakref.finalize(self, getattr(library, free), place)


def floats(values: npt.ArrayLike) -> Floats:
    """The values in the order and the type that the library takes."""
    return np.ascontiguousarray(values, dtype=np.float32)


def pointer(values: Floats) -> Any:
    return values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))


def indices(values: Sequence[int]) -> Any:
    try:
        return (ctypes.c_int64 * len(values))(*values)
    except TypeError as error:
        raise CLASSES[_abi.ARGUMENT](f"classes: {values!r}; expected whole numbers") from error


def path_of(path: str | os.PathLike[str]) -> bytes:
    return os.fspath(path).encode()


def shape_of(function: Any, handle: Handle) -> tuple[int, ...]:
    """The axes that a function says."""
    rank = ctypes.c_size_t()
    check(function(handle.pointer, None, 0, ctypes.byref(rank)))
    axes = (ctypes.c_size_t * rank.value)()
    check(function(handle.pointer, axes, rank.value, ctypes.byref(rank)))
    return tuple(axes)
