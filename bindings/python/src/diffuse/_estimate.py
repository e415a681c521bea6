"""The caller's own functions, called for every estimate: as guidance, or as the network itself."""

from __future__ import annotations

import ctypes
from typing import Any, Callable, Optional

import numpy as np
import numpy.typing as npt

from . import _abi
from ._library import Floats, check, encoded, floats, library

#: It changes an estimate of the clean samples, in place or by returning another one.
Guidance = Callable[["Estimate", Floats], Optional[npt.ArrayLike]]
#: It returns what the manifest states that the network predicts.
Network = Callable[["Estimate"], npt.ArrayLike]

#: The types that conditions have in an estimate, by their numbers.
_CONDITIONS: dict[int, Any] = {
    _abi.ELEMENT_F32: ctypes.c_float,
    _abi.ELEMENT_F64: ctypes.c_double,
    _abi.ELEMENT_I64: ctypes.c_int64,
}


class Estimate:
    """What an estimate of the clean samples is made from. It is valid during the call. Copy arrays that you keep."""

    def __init__(self, pointer: int, joined_axis: int = 0) -> None:
        self._pointer = ctypes.c_void_p(pointer)
        self._joined_axis = joined_axis

    def _read(self, values: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        read = np.ctypeslib.as_array(values, shape=(int(np.prod(shape)),)).reshape(shape)
        read.flags.writeable = False
        return read

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of x, batch first. Under guidance a network gets twice the request's items."""
        rank = ctypes.c_size_t()
        check(library.diffuse_estimate_shape(self._pointer, None, 0, ctypes.byref(rank)))
        axes = (ctypes.c_size_t * rank.value)()
        check(library.diffuse_estimate_shape(self._pointer, axes, rank.value, ctypes.byref(rank)))
        return tuple(axes)

    @property
    def x(self) -> Floats:
        """The noisy samples, item by item."""
        shape = self.shape
        return self._read(library.diffuse_estimate_x(self._pointer), shape)

    @property
    def level(self) -> tuple[float, float, float]:
        """The noise level: the time of the schedule, alpha and sigma."""
        time, alpha, sigma = ctypes.c_double(), ctypes.c_double(), ctypes.c_double()
        level = library.diffuse_estimate_level
        check(level(self._pointer, ctypes.byref(time), ctypes.byref(alpha), ctypes.byref(sigma)))
        return time.value, alpha.value, sigma.value

    @property
    def step(self) -> tuple[int, int]:
        """The step of the run, counted from 0, and the number of items."""
        step, items = ctypes.c_size_t(), ctypes.c_size_t()
        check(library.diffuse_estimate_step(self._pointer, ctypes.byref(step), ctypes.byref(items)))
        return step.value, items.value

    @property
    def time(self) -> float:
        """The time as the network's input has it. For networks alone."""
        time = ctypes.c_double()
        check(library.diffuse_estimate_time(self._pointer, ctypes.byref(time)))
        return time.value

    @property
    def input(self) -> Floats:
        """The samples as the network's input has them: scaled by the manifest, and with the conditions that it joins.
        For networks alone.
        """
        values, length = ctypes.POINTER(ctypes.c_float)(), ctypes.c_size_t()
        check(library.diffuse_estimate_input(self._pointer, ctypes.byref(values), ctypes.byref(length)))
        items, *item = self.shape
        axis = self._joined_axis
        item[axis] = length.value * item[axis] // (items * int(np.prod(item)))
        return self._read(values, (items, *item))

    @property
    def classes(self) -> npt.NDArray[np.int64] | None:
        """The class of every item. None for a model without classes."""
        classes = library.diffuse_estimate_classes(self._pointer)
        return np.ctypeslib.as_array(classes, shape=(self.step[1],)).copy() if classes else None

    def condition(self, name: str) -> npt.NDArray[Any]:
        """The condition called `name` in the manifest. It is float32, float64 or int64, with the items first, unless
        the manifest has one for all items.
        """
        element, values, rank = ctypes.c_int32(), ctypes.c_void_p(), ctypes.c_size_t()
        own, own_name, into = self._pointer, encoded(name, "name"), (ctypes.byref(element), ctypes.byref(values))
        check(library.diffuse_estimate_condition(own, own_name, *into, None, 0, ctypes.byref(rank)))
        axes = (ctypes.c_size_t * rank.value)()
        check(library.diffuse_estimate_condition(own, own_name, *into, axes, rank.value, ctypes.byref(rank)))
        return self._read(ctypes.cast(values, ctypes.POINTER(_CONDITIONS[element.value])), tuple(axes))

    @property
    def is_cancelled(self) -> bool:
        """Whether the job was cancelled. A network may then return early, with anything."""
        cancelled = ctypes.c_int32()
        check(library.diffuse_estimate_is_cancelled(self._pointer, ctypes.byref(cancelled)))
        return cancelled.value != 0


def _said(raised: BaseException) -> str:
    """The text of an exception, also of one whose own text fails."""
    try:
        return f"{type(raised).__name__}: {raised}"
    except Exception:  # noqa: BLE001 - it is somebody else's __str__
        return type(raised).__name__


class Called:
    """A function of the caller for the library. What it raises becomes the message and the cause of the failed step."""

    #: How many exceptions are kept until their steps have failed, for as many jobs at once.
    KEPT = 32

    def __init__(self, change: Callable[[Estimate, Floats], None]) -> None:
        self._raised: dict[str, BaseException] = {}
        #: The axis of an item along which conditions are joined to the samples.
        self.joined_axis = 0

        def call(estimate: int, values: Any, length: int, message: int, capacity: int, _: Any) -> int:
            try:
                of = Estimate(estimate, self.joined_axis)
                items, _, *rest = of.shape
                # A prediction with a variance has twice the channels.
                shape = (items, length // (items * int(np.prod(rest))), *rest)
                change(of, np.ctypeslib.as_array(values, shape=(length,)).reshape(shape))
                return 0
            except BaseException as raised:  # noqa: BLE001 - nothing may leave through the library
                # No character is cut in two.
                said = _said(raised).replace("\0", " ").encode(errors="replace")[: capacity - 1].decode(errors="ignore")
                while len(self._raised) >= self.KEPT:
                    self._raised.pop(next(iter(self._raised)))
                self._raised[said] = raised
                ctypes.memmove(message, said.encode() + b"\0", len(said.encode()) + 1)
                return 1

        self.function = _abi.Callback(call)

    def cause(self, message: str) -> BaseException | None:
        """The exception of the step that failed with `message`."""
        said = next((said for said in self._raised if said and said in message), None)
        return None if said is None else self._raised.pop(said)

    @classmethod
    def guidance(cls, guidance: Guidance) -> Called:
        def change(estimate: Estimate, values: Floats) -> None:
            changed = guidance(estimate, values)
            if changed is not None:
                values[...] = _fitting(changed, values.shape, "guidance")

        return cls(change)

    @classmethod
    def network(cls, network: Network) -> Called:
        def change(estimate: Estimate, values: Floats) -> None:
            values[...] = _fitting(network(estimate), values.shape, "the network")

        return cls(change)


def _fitting(answer: Any, shape: tuple[int, ...], of: str) -> Floats:
    """The returned array, if it has the expected shape. numpy would repeat a smaller one."""
    if answer is None:
        raise TypeError(f"{of} returned nothing; expected an array of the shape {shape}")
    given = floats(answer)
    if given.shape != shape:
        raise ValueError(f"{of} returned a shape of {given.shape}; expected {shape}")
    return given
