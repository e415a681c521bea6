"""Models, and how they are opened."""

from __future__ import annotations

import ctypes
import json
import os
from dataclasses import replace
from typing import Any, Callable, Mapping, NamedTuple, Sequence, Union

import numpy as np
import numpy.typing as npt

from ._cancel import Cancel, interruptible
from ._errors import ArgumentError
from ._estimate import Called, Network
from ._job import Job, Progressive
from ._library import Floats, Handle, check, encoded, floats, library, path_of, pointer, shape_of, text_of, whole
from ._request import Cost, Request, _Native, merged
from ._runtime import Runtime

Providers = Sequence[Union[str, "tuple[str, Mapping[str, object]]"]]


class Level(NamedTuple):
    """A noise level: x = alpha*x0 + sigma*noise at the time t."""

    t: float
    alpha: float
    sigma: float


class Model:
    """A network and its manifest, or the parts of a pipeline. Several threads may use it at once, and their
    evaluations take turns.

    `source` is the path of a model file or of a pipeline's folder, the bytes of a file, or those of a folder's files
    by their paths in it.

    `providers` are execution providers in the order wanted. Each is a name, or a name with its options. A plugin
    library is ("name", {"library": path}). `cpu_nodes` lets the CPU take the nodes that none of them takes. `runtime`
    is ONNX Runtime. Default: the one that Runtime() finds.

    `copy_weights` reads weights in files of their own into memory, so that nobody can overwrite them under an open
    model. `memory` sets what becomes of a pipeline's parts that are not evaluated at the time. "keep" keeps them,
    "stage" gives each back when its stage is over, and a number of bytes gives them back beyond it. `priority` is
    "normal", or "background" for work that gives way to what else the machine does. `cancel` ends the opening, as
    Ctrl-C does.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | bytes | Mapping[str, bytes],
        *,
        runtime: Runtime | None = None,
        threads: int = 0,
        spinning: bool = False,
        providers: Providers = (),
        cpu_nodes: bool = False,
        copy_weights: bool = False,
        manifest: str | Mapping[str, Any] | None = None,
        external_data: Mapping[str, bytes] = {},
        memory: str | int = "keep",
        priority: str = "normal",
        cancel: Cancel | None = None,
    ) -> None:
        options = Handle("diffuse_model_options_free", lambda place: int(library.diffuse_model_options_new(place)))
        own = options.pointer
        check(library.diffuse_model_options_set_threads(own, whole(threads, "threads", 0, 2**32 - 1)))
        check(library.diffuse_model_options_set_spinning(own, int(spinning)))
        check(library.diffuse_model_options_set_cpu_nodes(own, int(cpu_nodes)))
        check(library.diffuse_model_options_set_copy_weights(own, int(copy_weights)))
        for provider in [providers] if isinstance(providers, str) else providers:
            name, entries = (provider, {}) if isinstance(provider, str) else (provider[0], dict(provider[1]))
            plugin = entries.pop("library", None)
            if plugin is not None:
                check(library.diffuse_model_options_add_provider_library(own, encoded(name, "name"), path_of(str(plugin))))
            else:
                check(library.diffuse_model_options_add_provider(own, encoded(name, "name")))
            for key, value in entries.items():
                spelled = str(int(value)) if isinstance(value, bool) else str(value)
                check(library.diffuse_model_options_set_provider_option(own, encoded(name, "name"), encoded(key, "key"), encoded(spelled, key)))
        if manifest is not None:
            check(library.diffuse_model_options_set_manifest(own, _json(manifest)))
        for name, content in external_data.items():
            check(library.diffuse_model_options_add_external_data(own, encoded(name, "name"), _bytes(content), len(content)))
        check(library.diffuse_model_options_set_memory(own, encoded(str(memory), "memory")))
        check(library.diffuse_model_options_set_priority(own, encoded(priority, "priority")))
        runtime = runtime if runtime is not None else Runtime()
        opened = runtime
        if isinstance(source, Mapping):
            count = len(source)
            held = [_bytes(content) for content in source.values()]
            names = (ctypes.c_char_p * count)(*[encoded(name, "source") for name in source])
            places = (ctypes.POINTER(ctypes.c_uint8) * count)(*held)
            lengths = (ctypes.c_size_t * count)(*[len(content) for content in source.values()])
            make: Callable[[Any], int] = lambda place: int(
                library.diffuse_model_open_parts(opened._handle.pointer, names, places, lengths, count, options.pointer, place)
            )
        elif isinstance(source, bytes):
            given = _bytes(source)
            make = lambda place: int(  # noqa: E731
                library.diffuse_model_open_bytes(opened._handle.pointer, given, len(source), options.pointer, place)
            )
        else:
            path = path_of(source)
            make = lambda place: int(library.diffuse_model_open(opened._handle.pointer, path, options.pointer, place))  # noqa: E731

        def open_model(canceller: Any) -> int:
            status = int(library.diffuse_model_options_set_cancel(options.pointer, canceller))
            return status if status else make(ctypes.byref(place))

        place = ctypes.c_void_p()
        try:
            interruptible(open_model, cancel)
        finally:
            # Also where Ctrl-C came when it was open already; NULL is nothing to free.
            self._handle = Handle.of("diffuse_model_free", place)
        self._network: Called | None = None

    @classmethod
    def from_network(cls, manifest: str | Mapping[str, Any], network: Network) -> Model:
        """A model whose network is the function `network`. `manifest` describes it. ONNX Runtime is not needed."""
        if not callable(network):
            raise ArgumentError(f"network: {network!r}; expected a function")
        called = Called.network(network)
        model = cls.__new__(cls)
        text = _json(manifest)
        model._handle = Handle(
            "diffuse_model_free",
            lambda place: int(library.diffuse_model_open_callback(text, called.function, None, place)),
        )
        model._network = called
        conditions = model.manifest.get("conditions", {}).values()
        called.joined_axis = next((told.get("axis", 0) for told in conditions if told.get("joined")), 0)
        return model

    @property
    def name(self) -> str:
        """The name in the manifest, else that of the file without its ending, else "model"."""
        return text_of("diffuse_model_name", self._handle)

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest, with all defaults filled in."""
        manifest: dict[str, Any] = json.loads(text_of("diffuse_model_manifest", self._handle))
        return manifest

    @property
    def provider(self) -> str:
        """The execution provider in use. "host" for a network of the caller's own."""
        return text_of("diffuse_model_provider", self._handle)

    @property
    def placement(self) -> dict[str, Any]:
        """How many nodes each provider evaluates, and which providers were passed over."""
        placement: dict[str, Any] = json.loads(text_of("diffuse_model_placement", self._handle))
        return placement

    @property
    def sha256(self) -> str:
        """The model's identity: a SHA-256, in hexadecimal, of its graph, its files with weights and its manifest."""
        text = ctypes.c_char_p()
        check(library.diffuse_model_sha256(self._handle.pointer, ctypes.byref(text)))
        return (text.value or b"").decode()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one item: channels, height and width of an image. 0 is a size that the manifest leaves free."""
        return shape_of(library.diffuse_model_shape, self._handle)

    @property
    def class_count(self) -> int:
        """The number of classes, without the null class."""
        return int(library.diffuse_model_class_count(self._handle.pointer))

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of their numbers. A class without a name has its number."""
        names: list[str] = json.loads(text_of("diffuse_model_classes", self._handle))
        return names

    def class_index(self, name: str) -> int:
        """The number of the class called `name`."""
        index = ctypes.c_int64()
        check(library.diffuse_model_class(self._handle.pointer, encoded(name, "name"), ctypes.byref(index)))
        return index.value

    def level(self, t: float) -> Level:
        """The noise level at time `t` of the schedule."""
        alpha, sigma = ctypes.c_double(), ctypes.c_double()
        check(library.diffuse_model_level(self._handle.pointer, t, ctypes.byref(alpha), ctypes.byref(sigma)))
        return Level(t, alpha.value, sigma.value)

    def draw(
        self, request: Request | None = None, *, progress: Progressive | None = None, **changes: Any
    ) -> Floats:
        """Draws, and returns the samples, batch first: `model.draw(classes=["heart"], seed=7, steps=20)`.

        Arguments beside `request` replace its fields. Names that are no field of Request are options. `progress` is
        tqdm, or anything that is called as `progress(total=…, initial=…)` and then has update(count) and close().
        """
        return self.job(request, **changes).run(progress).read()

    def job(self, request: Request | None = None, **changes: Any) -> Job:
        """The job that draws it, to be stepped, started, or continued from a snapshot."""
        return Job(self, merged(request, changes))

    def cost(self, request: Request | None = None, *, cancel: Cancel | None = None, **changes: Any) -> Cost:
        """What drawing it is expected to take: Request.cost()."""
        return merged(request, changes).cost(self, cancel)

    def denoise(
        self,
        x: npt.ArrayLike,
        level: Level,
        request: Request | None = None,
        *,
        cancel: Cancel | None = None,
        **changes: Any,
    ) -> Floats:
        """One estimate of the clean samples behind the noisy samples `x`, batch first: `model.denoise(x,
        model.level(500), classes=["heart"])`.

        `request` and the arguments beside it have the classes and conditions of the items, as in draw(). What concerns
        runs is ignored. `cancel` ends it, and so does Ctrl-C, which cancels `cancel` as well.
        """
        given, native = self._told(x, "x", request, changes)
        denoised = np.empty_like(given)
        call, asked = library.diffuse_model_denoise, native.handle.pointer
        out = pointer(denoised)
        interruptible(
            lambda ends: call(self._handle.pointer, asked, pointer(given), given.size, len(given), *level, ends, out), cancel
        )
        return denoised

    def add_noise(
        self, x0: npt.ArrayLike, t: float, seed: int = 0, request: Request | None = None, **changes: Any
    ) -> Floats:
        """alpha*x0 + sigma*noise at the time `t`, with the noise that a run of this seed starts from. `request` is as
        in denoise().
        """
        given, native = self._told(x0, "x0", request, changes)
        x = np.empty_like(given)
        call, asked, seed = library.diffuse_model_add_noise, native.handle.pointer, whole(seed, "seed", 0, 2**64 - 1)
        check(call(self._handle.pointer, asked, pointer(given), given.size, len(given), t, seed, pointer(x)))
        return x

    def log_density(
        self,
        x: npt.ArrayLike,
        request: Request | None = None,
        *,
        directions: int = 0,
        tolerance: float = 1e-5,
        seed: int = 0,
        cancel: Cancel | None = None,
        **changes: Any,
    ) -> npt.NDArray[np.float64]:
        """The logarithm of the density of each of the samples `x`, in nats. `directions` 0 takes the whole trace.
        `request` and `cancel` are as in denoise().
        """
        given, native = self._told(x, "x", request, changes)
        densities = np.empty(len(given))
        out = densities.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
        call, asked = library.diffuse_model_log_density, native.handle.pointer
        directions, seed = whole(directions, "directions"), whole(seed, "seed", 0, 2**64 - 1)
        interruptible(
            lambda ends: call(
                self._handle.pointer, asked, pointer(given), given.size, len(given), directions, tolerance, seed, ends, out
            ),
            cancel,
        )
        return densities

    def variational_bound(
        self,
        x: npt.ArrayLike,
        request: Request | None = None,
        *,
        variance: str = "posterior",
        seed: int = 0,
        cancel: Cancel | None = None,
        **changes: Any,
    ) -> npt.NDArray[np.float64]:
        """DDPM's variational bound of each of the samples `x`, in bits per value. `request` and `cancel` are as in
        denoise().
        """
        given, native = self._told(x, "x", request, changes)
        bounds = np.empty(len(given))
        out = bounds.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
        call, asked = library.diffuse_model_variational_bound, native.handle.pointer
        word, seed = encoded(variance, "variance"), whole(seed, "seed", 0, 2**64 - 1)
        interruptible(
            lambda ends: call(self._handle.pointer, asked, pointer(given), given.size, len(given), word, seed, ends, out), cancel
        )
        return bounds

    def values(self, pixels: npt.NDArray[np.uint8]) -> Floats:
        """The values of an image, [height, width, 4] in RGBA, of the model's size: what a Request takes as `image`."""
        if np.asarray(pixels).dtype != np.uint8:
            raise ArgumentError(f"pixels: an array of {np.asarray(pixels).dtype}; expected uint8")
        rows = np.ascontiguousarray(pixels)
        if rows.ndim != 3 or rows.shape[2] != 4:
            raise ArgumentError(f"pixels: a shape of {rows.shape}; expected [height, width, 4]")
        values = np.empty(self.shape, dtype=np.float32)
        if values.shape[1:] != rows.shape[:2]:
            raise ArgumentError(f"pixels: {rows.shape[:2]}; this model's items are {values.shape}")
        data, stride = rows.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8)), 4 * rows.shape[1]
        check(library.diffuse_model_values(self._handle.pointer, data, rows.size, stride, 0, pointer(values), values.size))
        return values

    def trim(self, *, cancel: Cancel | None = None) -> None:
        """Gives back memory that evaluations have needed and do not need now. It makes an evaluation. `cancel` is as in
        denoise().
        """
        interruptible(lambda ends: int(library.diffuse_model_trim(self._handle.pointer, ends)), cancel)

    def _told(
        self, x: npt.ArrayLike, name: str, request: Request | None, changes: dict[str, Any]
    ) -> tuple[Floats, _Native]:
        """The samples, batch first, and a request with their classes and conditions."""
        given, asked = floats(x), merged(request, changes)
        expected = self.shape if asked.shape is None else tuple(asked.shape)
        fits = len(given.shape) == len(expected) + 1 and all(
            size in (0, found) for size, found in zip(expected, given.shape[1:])
        )
        if not fits or not len(given):
            raise ArgumentError(f"{name}: a shape of {given.shape}; expected the items before {expected}, where 0 is free")
        return given, _Native(replace(asked, count=len(given), shape=given.shape[1:]), self)

    def __repr__(self) -> str:
        return f"Model({self.name!r}, shape {self.shape}, on {self.provider!r})"


def _json(manifest: str | Mapping[str, Any]) -> bytes:
    return encoded(manifest if isinstance(manifest, str) else json.dumps(manifest), "manifest")


def _bytes(content: bytes) -> Any:
    return ctypes.cast(ctypes.c_char_p(content), ctypes.POINTER(ctypes.c_uint8))


