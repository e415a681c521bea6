"""The shared library, and what all calls of it have in common."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import weakref
from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np
import numpy.typing as npt

from . import _abi
from ._errors import CLASSES, DiffuseError, FileError

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
    """The error of the latest failed call on this thread."""
    message: bytes = library.diffuse_error_message() or b""
    error = CLASSES.get(status, DiffuseError)(message.decode(errors="replace"))
    path: bytes | None = library.diffuse_error_path()
    if isinstance(error, FileError) and path is not None:
        number = int(library.diffuse_error_errno())
        error.filename = os.fsdecode(path)
        if number and sys.platform == "win32":
            # Windows has numbers of its own.
            native = ctypes.WinError(number)
            error.errno, error.winerror, error.strerror = native.errno, native.winerror, native.strerror
        elif number:
            error.errno, error.strerror = number, os.strerror(number)
    return error


def check(status: int) -> None:
    if status != _abi.OK:
        raise failure(status)


def version() -> str:
    """The library's version."""
    return _text(library.diffuse_version())


def options() -> list[dict[str, Any]]:
    """The options of a Request, for an interface that shows them: diffuse_options() in diffuse.h."""
    described: list[dict[str, Any]] = json.loads(_text(library.diffuse_options()))
    return described


def _text(string: bytes | None) -> str:
    return (string or b"").decode(errors="replace")


def text_of(function: str, handle: Handle) -> str:
    """The result of a function that returns a string of a handle."""
    return _text(getattr(library, function)(handle.pointer))


def _free(function: Any, place: ctypes.c_void_p) -> None:
    # A thread may outlive the interpreter's end. It then finds no handle, instead of one that was freed.
    handle, place.value = place.value, None
    function(handle)


class Handle:
    """A handle of the library. It is freed with the last reference to it, or when the interpreter ends."""

    def __init__(self, free: str, make: Callable[[Any], int]) -> None:
        place = ctypes.c_void_p()
        check(make(ctypes.byref(place)))
        self._own(free, place)

    @classmethod
    def of(cls, free: str, place: ctypes.c_void_p) -> Handle:
        """A handle that was made already."""
        handle = cls.__new__(cls)
        handle._own(free, place)
        return handle

    def _own(self, free: str, place: ctypes.c_void_p) -> None:
        self._place = place
        self._process = os.getpid()
        self.free = weakref.finalize(self, _free, getattr(library, free), place)

    @property
    def pointer(self) -> ctypes.c_void_p:
        """The handle itself. After a fork it is the parent's, and an error."""
        if os.getpid() != self._process:
            raise refused(f"opened in process {self._process}, which this one was forked from; open another one here")
        return self._place


def floats(values: npt.ArrayLike) -> Floats:
    """The values in the library's order and type."""
    given = np.asarray(values)
    if given.dtype.kind not in "fiub":
        raise refused(f"values: an array of {given.dtype}; expected real numbers")
    return np.ascontiguousarray(given, dtype=np.float32)


#: The types of arrays that the library takes, by their names in numpy.
ELEMENTS = {
    "float32": _abi.ELEMENT_F32,
    "float16": _abi.ELEMENT_F16,
    "float64": _abi.ELEMENT_F64,
    "int64": _abi.ELEMENT_I64,
    "int32": _abi.ELEMENT_I32,
    "int16": _abi.ELEMENT_I16,
    "int8": _abi.ELEMENT_I8,
    "uint64": _abi.ELEMENT_U64,
    "uint32": _abi.ELEMENT_U32,
    "uint16": _abi.ELEMENT_U16,
    "uint8": _abi.ELEMENT_U8,
    "bool": _abi.ELEMENT_BOOL,
}


def typed(values: npt.ArrayLike, name: str) -> tuple[npt.NDArray[Any], int]:
    """The values in the library's order, and the number of their type, which stays."""
    given = np.asarray(values)
    element = ELEMENTS.get(given.dtype.name)
    if element is None:
        raise refused(f"{name}: an array of {given.dtype}; expected {', '.join(ELEMENTS)}")
    # ascontiguousarray() would give one number an axis.
    return np.asarray(given, dtype=given.dtype.newbyteorder("="), order="C"), element


def axes_of(shape: Sequence[int]) -> Any:
    return (ctypes.c_size_t * len(shape))(*shape)


def refused(message: str) -> DiffuseError:
    """An ArgumentError in the library's words."""
    return CLASSES[_abi.ARGUMENT](message)


def whole(value: Any, name: str, least: int = 0, most: int = 2**63 - 1) -> int:
    """A whole number within bounds. ctypes would cut a larger one without an error."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
        raise refused(f"{name}: {value!r}; expected a whole number from {least} to {most}")
    return int(value)


def encoded(text: Any, name: str) -> bytes:
    """Text for the library, which ends at a zero."""
    if not isinstance(text, str) or "\0" in text:
        raise refused(f"{name}: {text!r}; expected text without a zero character")
    return text.encode(errors="surrogateescape")


def pointer(values: Floats) -> Any:
    return values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))


def indices(values: Sequence[int]) -> Any:
    return (ctypes.c_int64 * len(values))(*(whole(value, "classes", -(2**63)) for value in values))


def path_of(path: str | os.PathLike[str]) -> bytes:
    return encoded(os.fspath(path), "path")


def shape_of(function: Any, handle: Handle) -> tuple[int, ...]:
    """The axes that a function returns."""
    rank = ctypes.c_size_t()
    check(function(handle.pointer, None, 0, ctypes.byref(rank)))
    axes = (ctypes.c_size_t * rank.value)()
    check(function(handle.pointer, axes, rank.value, ctypes.byref(rank)))
    return tuple(axes)
