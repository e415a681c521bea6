"""Requests: what is drawn, and how."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Mapping, Sequence, Union

import numpy as np
import numpy.typing as npt

from ._estimate import Called, Guidance
from ._abi import ALL_ITEMS
from ._cancel import Cancel, interruptible
from ._library import Handle, axes_of, check, encoded, floats, indices, library, pointer, refused, typed, whole

if TYPE_CHECKING:
    from ._model import Model

Class = Union[int, str]
Option = Union[str, float, bool, Sequence[float]]
Embeddings = Union[npt.ArrayLike, "tuple[npt.ArrayLike, npt.ArrayLike]"]


@dataclass
class Cost:
    """What a run is expected to take on this machine as it is now."""

    #: How many estimates of the clean samples it makes. Under guidance each may evaluate the network twice. None for a
    #: solver that chooses its own steps.
    evaluations: int | None
    #: How long the whole run takes, without a guidance function. None for a solver that chooses its own steps.
    seconds: float | None
    #: How many bytes the run and its model hold at once on the CPU.
    peak_bytes: int
    #: The part of the time that a pipeline takes to encode prompts and images. 0 for a model of one network.
    encoding_seconds: float
    #: The part of the time that a pipeline takes to decode its latents. 0 for a model of one network.
    decoding_seconds: float


@dataclass
class Request:
    """What is drawn, and how. What is not set is as the model's manifest has it.

    `options` are those of diffuse_request_set() in diffuse.h, such as solver, steps, eta or guidance_scale.
    """

    #: The seed of the first item. Item i has seed + i.
    seed: int = 0
    #: How many items. Default: as many as there are classes or prompts, else one.
    count: int | None = None
    #: The class of every item, by name or number. One class is for all of them.
    classes: Sequence[Class] | Class | None = None
    #: The prompt, for a model that reads text: one for all items, or one for each.
    prompt: Sequence[str] | str | None = None
    #: The prompt that guidance leads away from: one for all items, or one for each.
    negative_prompt: Sequence[str] | str | None = None
    #: Embeddings of the caller's own text encoder, in place of prompts: [tokens, width], or [items, tokens, width]. For
    #: a model that also takes pooled vectors it is a pair of both.
    embeddings: Embeddings | None = None
    #: Embeddings that guidance leads away from.
    negative_embeddings: Embeddings | None = None
    #: The shape of one item, for a model that leaves it free.
    shape: Sequence[int] | None = None
    #: Clean samples to start from, of one item or of every one. With a mask they are what is kept.
    image: npt.ArrayLike | None = None
    #: Where the image is drawn anew (1) and where it is kept (0): [height, width], or with the items before it.
    mask: npt.ArrayLike | None = None
    #: The classes that guidance leads away from.
    negative_classes: Sequence[Class] | Class | None = None
    #: Further conditions by their names in the manifest: numbers of any type, in the shape of one item for all, or items
    #: first.
    conditions: Mapping[str, npt.ArrayLike] = field(default_factory=dict)
    #: Conditions that guidance leads away from.
    negative_conditions: Mapping[str, npt.ArrayLike] = field(default_factory=dict)
    #: A classifier, and the classes that it leads the samples to.
    classifier: tuple[Model, Sequence[Class] | Class] | None = None
    #: A function that sees every estimate of the clean samples, and may change it.
    guidance: Guidance | None = None
    #: The text of a scheduler_config.json from diffusers.
    scheduler_config: str | None = None
    #: Options by name.
    options: Mapping[str, Option] = field(default_factory=dict)

    def cost(self, model: Model, cancel: Cancel | None = None) -> Cost:
        """What drawing this is expected to take. It makes three estimates of the clean samples, without a guidance
        function. `cancel` ends them, as Ctrl-C does.
        """
        from . import _abi

        native = _Native(self, model)
        cost = _abi.Cost(struct_size=ctypes.sizeof(_abi.Cost))
        call = library.diffuse_request_cost
        interruptible(
            lambda ends: int(call(native.handle.pointer, model._handle.pointer, ends, ctypes.byref(cost))), cancel
        )
        whole = cost.milliseconds / 1e3 if cost.evaluations else None
        of_stages = cost.encoding_milliseconds / 1e3, cost.decoding_milliseconds / 1e3
        return Cost(cost.evaluations or None, whole, cost.peak_bytes, *of_stages)

    def departures(self, model: Model) -> list[str]:
        """Where diffusers differs from this request with its scheduler's configuration, and which fields of that are
        ignored, a line each. With the option compat at "diffusers" it lists what differs all the same.
        """
        native, text = _Native(self, model), ctypes.c_char_p()
        check(library.diffuse_request_departures(native.handle.pointer, ctypes.byref(text)))
        return (text.value or b"").decode().splitlines()


def _spelled(key: str, value: Option) -> bytes:
    if isinstance(value, (bool, np.bool_)):
        return b"1" if value else b"0"
    if isinstance(value, str):
        return encoded(value, key)
    if isinstance(value, (int, np.integer)):
        return str(int(value)).encode()
    if isinstance(value, (float, np.floating)):
        # A float that is whole is written as a whole number.
        return (str(int(value)) if float(value).is_integer() else repr(float(value))).encode()
    try:
        return ",".join(repr(float(number)) for number in value).encode()
    except (TypeError, ValueError) as error:
        raise refused(f"{key}: {value!r}; expected text, a number, a flag or numbers") from error


def _numbers(model: Model, classes: Sequence[Class] | Class) -> list[int]:
    one = isinstance(classes, (int, str, float, np.number))
    listed: Sequence[Class] = [classes] if one else classes  # type: ignore[list-item, assignment]
    return [model.class_index(name) if isinstance(name, str) else name for name in listed]


class _Native:
    """A request of the library, and what has to live as long as its jobs."""

    def __init__(self, request: Request, model: Model) -> None:
        self.handle = Handle("diffuse_request_free", lambda place: int(library.diffuse_request_new(place)))
        own = self.handle.pointer
        check(library.diffuse_request_set_seed(own, whole(request.seed, "seed", 0, 2**64 - 1)))
        if request.scheduler_config is not None:
            check(library.diffuse_request_set_scheduler_config(own, encoded(request.scheduler_config, "scheduler_config")))
        for key, value in request.options.items():
            check(library.diffuse_request_set(own, encoded(key, "key"), _spelled(key, value)))
        self._set_classes(request, model)
        self._set_prompts(request)
        if request.shape is not None:
            axes = [whole(axis, "shape") for axis in request.shape]
            check(library.diffuse_request_set_shape(own, axes_of(axes), len(axes)))
        for function, given in [(library.diffuse_request_set_image, request.image), (library.diffuse_request_set_mask, request.mask)]:
            if given is not None:
                if function is library.diffuse_request_set_image and np.asarray(given).dtype == np.uint8:
                    raise refused(
                        "image: pixels from 0 to 255; expected numbers from -1 to 1, channels first:"
                        " np.moveaxis(pixels[..., :3], -1, 0) / 127.5 - 1, or what Model.values() makes of them"
                    )
                values = floats(given)
                check(function(own, pointer(values), values.size))
        for negative, conditions in enumerate([request.conditions, request.negative_conditions]):
            for name, given in conditions.items():
                told, element = typed(given, f"condition: {name!r}")
                place, axes = told.ctypes.data, axes_of(told.shape)
                call = library.diffuse_request_set_condition
                check(call(own, encoded(name, "condition"), element, place, axes, told.ndim, negative))
        #: What has to live as long as its jobs.
        self.called: list[Called] = []
        if request.classifier is not None:
            classifier, classes = request.classifier
            numbers = _numbers(classifier, classes)
            check(library.diffuse_request_set_classifier(own, classifier._handle.pointer, indices(numbers), len(numbers)))
            self.called += [classifier._network] if classifier._network is not None else []
        if request.guidance is not None:
            if not callable(request.guidance):
                raise refused(f"guidance: {request.guidance!r}; expected a function")
            guidance = Called.guidance(request.guidance)
            check(library.diffuse_request_set_guidance_callback(own, guidance.function, None))
            self.called.append(guidance)

    def _set_prompts(self, request: Request) -> None:
        own = self.handle.pointer
        calls = [
            ("prompt", request.prompt, library.diffuse_request_set_prompt),
            ("negative_prompt", request.negative_prompt, library.diffuse_request_set_negative_prompt),
        ]
        for name, texts, call in calls:
            if texts is None:
                continue
            if isinstance(texts, str):
                check(call(own, ALL_ITEMS, encoded(texts, name)))
                continue
            for item, text in enumerate(texts):
                if not isinstance(text, str):
                    raise refused(f"{name}: {text!r}; expected text")
                check(call(own, item, encoded(text, name)))
            if name == "prompt" and request.count is None and texts:
                check(library.diffuse_request_set_count(own, len(texts)))

        for negative, given in enumerate([request.embeddings, request.negative_embeddings]):
            if given is None:
                continue
            context = floats(given[0] if isinstance(given, tuple) else given)
            pooled = floats(given[1]) if isinstance(given, tuple) else None
            items = context.shape[0] if context.ndim == 3 else 1
            if context.ndim not in (2, 3) or (pooled is not None and pooled.size % items):
                raise refused(f"embeddings: a shape of {context.shape}; expected [tokens, width], or [items, tokens, width]")
            tokens, width = context.shape[-2:]
            place, each = (None, 0) if pooled is None else (pointer(pooled), pooled.size // items)
            check(library.diffuse_request_set_embeddings(own, pointer(context), items, tokens, width, place, each, negative))

    def _set_classes(self, request: Request, model: Model) -> None:
        own, count = self.handle.pointer, request.count
        if count is not None:
            check(library.diffuse_request_set_count(own, whole(count, "count", 1)))
        if request.classes is not None:
            numbers = _numbers(model, request.classes)
            if count is not None and len(numbers) == 1:
                numbers *= count
            check(library.diffuse_request_set_classes(own, indices(numbers), len(numbers)))
            if count is not None:
                check(library.diffuse_request_set_count(own, count))
        if request.negative_classes is not None:
            numbers = _numbers(model, request.negative_classes)
            check(library.diffuse_request_set_negative_classes(own, indices(numbers), len(numbers)))


#: Names of diffusers' pipelines and of the command line, and ours for the same.
OF_DIFFUSERS = {
    "generator": "seed",
    "negative": "negative_prompt",
    "num_images_per_prompt": "count",
    "num_inference_steps": "steps",
    "original_image": "image",
    "prompt_embeds": "embeddings",
    "negative_prompt_embeds": "negative_embeddings",
    "size": "width and height",
}


def merged(request: Request | None, changes: dict[str, Any]) -> Request:
    """`request` with changes: its fields by their names, and everything else as an option."""
    from dataclasses import fields, replace

    known = {entry.name for entry in fields(Request)} - {"options"}
    if request is not None and not isinstance(request, Request):
        meant = f"; a prompt is given by name: prompt={request!r}" if isinstance(request, str) else ""
        raise refused(f"request: {type(request).__name__}; expected a Request{meant}")
    for name, ours in OF_DIFFUSERS.items():
        if name in changes:
            raise refused(f"{name}: no field of Request, and no option; it is {ours} here")
    base = request if request is not None else Request()
    own = {name: value for name, value in changes.items() if name in known}
    options = {name: value for name, value in changes.items() if name not in known and name != "options"}
    return replace(base, **own, options={**base.options, **changes.get("options", {}), **options})
