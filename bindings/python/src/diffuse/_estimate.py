"""Code of the caller's that is asked for every estimate: as guidance, or as the network itself."""

from __future__ import annotations

import ctypes
from typing import Any, Callable, Optional

import numpy as np
import numpy.typing as npt

from . import _abi
from ._library import Floats, check, library

#: Changes an estimate of the clean samples, in place or by returning another one.
Guidance = Callable[["Estimate", Floats], Optional[npt.ArrayLike]]
#: Says what the manifest says that the network says.
Network = Callable[["Estimate"], npt.ArrayLike]


class Estimate:
    """What an estimate of the clean samples is made from. It is for the time of the call; arrays that are to be kept have to be copied."""

    def __init__(self, pointer: int, length: int, item: tuple[int, ...]) -> None:
        self._pointer, self._length, self._item = ctypes.c_void_p(pointer), length, item

    def _shaped(self, values: Any, length: int) -> Floats:
        items = self.step[1]
        whole: Floats = np.ctypeslib.as_array(values, shape=(length,))
        fits = length == items * int(np.prod(self._item))
        shaped = whole.reshape((items, *self._item) if fits else (items, -1))
        shaped.flags.writeable = False
        return shaped

    @property
    def x(self) -> Floats:
        """The noisy samples, item by item."""
        return self._shaped(library.diffuse_estimate_x(self._pointer), self.step[1] * int(np.prod(self._item)))

    @property
    def level(self) -> tuple[float, float, float]:
        """The time of the schedule, alpha and sigma."""
        time, alpha, sigma = ctypes.c_double(), ctypes.c_double(), ctypes.c_double()
        level = library.diffuse_estimate_level
        check(level(self._pointer, ctypes.byref(time), ctypes.byref(alpha), ctypes.byref(sigma)))
        return time.value, alpha.value, sigma.value

    @property
    def step(self) -> tuple[int, int]:
        """The step of the run, counted from 0, and how many items there are."""
        step, items = ctypes.c_size_t(), ctypes.c_size_t()
        check(library.diffuse_estimate_step(self._pointer, ctypes.byref(step), ctypes.byref(items)))
        return step.value, items.value

    @property
    def time(self) -> float:
        """What a network is told of the time."""
        time = ctypes.c_double()
        check(library.diffuse_estimate_time(self._pointer, ctypes.byref(time)))
        return time.value

    @property
    def input(self) -> Floats:
        """What a network sees of the samples: scaled as the manifest says, with the joined conditions behind their channels."""
        values, length = ctypes.POINTER(ctypes.c_float)(), ctypes.c_size_t()
        check(library.diffuse_estimate_input(self._pointer, ctypes.byref(values), ctypes.byref(length)))
        per_channel = self.step[1] * int(np.prod(self._item[1:]))
        shaped = self._shaped(values, length.value)
        return shaped.reshape((self.step[1], length.value // per_channel, *self._item[1:]))

    @property
    def classes(self) -> npt.NDArray[np.int64] | None:
        """The class of every item; None for a model without classes."""
        classes = library.diffuse_estimate_classes(self._pointer)
        return np.ctypeslib.as_array(classes, shape=(self.step[1],)).copy() if classes else None

    def condition(self, name: str) -> Floats:
        """The condition called `name` in the manifest, a row for every item."""
        values, length = ctypes.POINTER(ctypes.c_float)(), ctypes.c_size_t()
        found = library.diffuse_estimate_condition
        check(found(self._pointer, name.encode(), ctypes.byref(values), ctypes.byref(length)))
        whole: Floats = np.ctypeslib.as_array(values, shape=(length.value,)).reshape(self.step[1], -1)
        whole.flags.writeable = False
        return whole

    @property
    def is_cancelled(self) -> bool:
        """Whether a network may return early, with anything, since its job was cancelled."""
        cancelled = ctypes.c_int32()
        check(library.diffuse_estimate_is_cancelled(self._pointer, ctypes.byref(cancelled)))
        return cancelled.value != 0


class Called:
    """A function of the caller's for the library: what it raises becomes the message of the failed step, and is kept as its cause."""

    def __init__(self, change: Callable[[Estimate, Floats], None], item: tuple[int, ...]) -> None:
        self.raised: BaseException | None = None

        def call(estimate: int, values: Any, length: int, message: int, capacity: int, _: Any) -> int:
            try:
                items = Estimate(estimate, length, item)
                # What a network says may have twice the channels.
                channels = length // (items.step[1] * int(np.prod(item[1:])))
                shape = (items.step[1], channels, *item[1:])
                change(items, np.ctypeslib.as_array(values, shape=(length,)).reshape(shape))
                return 0
            except BaseException as raised:  # noqa: BLE001 - nothing may leave through the library
                self.raised = raised
                said = f"{type(raised).__name__}: {raised}".encode()[: capacity - 1]
                ctypes.memmove(message, said + b"\0", len(said) + 1)
                return 1

        self.function = _abi.Callback(call)

    @classmethod
    def guidance(cls, guidance: Guidance, item: tuple[int, ...]) -> Called:
        def change(estimate: Estimate, values: Floats) -> None:
            changed = guidance(estimate, values)
            if changed is not None:
                values[...] = changed

        return cls(change, item)

    @classmethod
    def network(cls, network: Network, item: tuple[int, ...]) -> Called:
        def change(estimate: Estimate, values: Floats) -> None:
            values[...] = network(estimate)

        return cls(change, item)
