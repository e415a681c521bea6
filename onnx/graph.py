"""The roles of a graph's tensors by its manifest, and examples of its inputs. The library has the same in
`src/stage/roles.rs` and `src/stage/layout.rs`.
"""

import ctypes
import math

import numpy as np

import manifest as schema
from manifest import ManifestError

TYPES = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(bfloat16)": "bfloat16", "tensor(double)": "float64",
    "tensor(bool)": "bool", **{f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
FLOATS = ("float32", "float16", "bfloat16", "float64")
WHOLE = tuple(name for name in TYPES.values() if name not in FLOATS)
# By ONNX's numbers of types: numpy has no such type.
BFLOAT16 = 16

# What free sizes are for an example, in the order in which they are found: lengths that most networks can halve a few
# times, unlike one another.
USUAL_SIZES = (64, 48, 80, 32, 96)


class ExportError(Exception):
    """Names what does not fit: the manifest's field, the tensor, what was expected and what was found."""


class Tensor:
    """An input or an output of a graph."""

    def __init__(self, info):
        self.name, self.type = info.name, TYPES.get(info.type, info.type)
        self.axes = ["?" if axis is None else axis for axis in info.shape]
        # None where the size is free.
        self.shape = [axis if isinstance(axis, int) else None for axis in self.axes]

    def __str__(self):
        return f"tensor {self.name}: {self.type}[{', '.join(map(str, self.axes))}]"


class Layout:
    """The axes of one item of an input, and the place of the batch's axis, if there is one."""

    def __init__(self, item, batch=0):
        self.item, self.batch = list(item), batch

    def shape(self, count):
        """The shape of so many items."""
        shape = list(self.item)
        if self.batch is not None:
            shape.insert(self.batch, count)
        return shape


def fits(found, expected):
    """Whether axes of a graph can be `expected`, where a word is a size that is free."""

    def one(found, size):
        return found is None or isinstance(size, str) or found == size

    return len(found) == len(expected) and all(map(one, found, expected))


def long(axes):
    """The axes but those of 1."""
    return [size for size in axes if size != 1]


def ones(shape, batch):
    """The layout of an input of numbers, one for all items or one for each. All of its axes are 1 but that of the
    batch. None if it has others. `batch` is the size that the samples' is fixed at.
    """
    free = [place for place, size in enumerate(shape) if size is None]
    same = [place for place, size in enumerate(shape) if batch is not None and batch > 1 and size == batch]
    own = (free or same or [None])[0]
    if any(place != own and size not in (None, 1) for place, size in enumerate(shape)):
        return None
    return Layout([1] * (len(shape) - (own is not None)), own)


def class_layout(tensor, manifest, batch):
    """The layout of an input for classes, and the length of its last axis where a class is the place of a one among
    zeros. None if it takes no classes.
    """
    if "classes" not in manifest or tensor.type not in TYPES.values():
        return None
    count, one_hot = schema.class_count(manifest), None
    most = max(count, manifest["classes"].get("null", 0) + 1)
    if tensor.shape:
        *rest, width = tensor.shape
        if width is None and rest and tensor.type in FLOATS:
            one_hot, width = ones(rest, batch), count
        elif width in (count, most) and width > 1 and (width != batch or rest):
            one_hot = ones(rest, batch)
    if one_hot is not None:
        return Layout([*one_hot.item, width], one_hot.batch), width
    layout = ones(tensor.shape, batch)
    return None if layout is None else (layout, None)


def has_whole_times(manifest):
    """Whether every time of training is a whole number."""
    time = schema.told_time(manifest)
    return time["encoding"] == "index" and all(time[field] == int(time[field]) for field in ("scale", "offset"))


def limits(kind):
    """The least and the greatest value of a type of whole numbers."""
    return (0, 1) if kind == "bool" else (np.iinfo(kind).min, np.iinfo(kind).max)


def has_all(kind, greatest):
    """Whether a type has every whole number up to `greatest`."""
    if kind in WHOLE:
        return greatest <= limits(kind)[1]
    # Where two that follow each other are there, so is all that is less.
    last = np.array([max(greatest - 1, 0), greatest], dtype=np.float64)
    return bool((rounded(last, kind) == last).all())


def rounded(values, kind):
    """The values in a type of a graph. Those of bfloat16 are in float32."""
    with np.errstate(over="ignore"):
        if kind != "bfloat16":
            return np.asarray(values).astype(kind)
        bits = np.asarray(values, dtype=np.float32).view(np.uint32)
        # To the nearest, and of two to the even one.
        return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


class Graph:
    """The tensors of a session by the roles that a manifest gives them. `complaints` has everything that does not fit.
    Without any, the graph can be evaluated.
    """

    def __init__(self, session, manifest):
        self.session, self.manifest = session, manifest
        self.inputs = {tensor.name: tensor for tensor in map(Tensor, session.get_inputs())}
        self.outputs = {tensor.name: tensor for tensor in map(Tensor, session.get_outputs())}
        self.complaints, self.layouts, self.sizes, self.width = [], {}, {}, None
        self.batched, self.batch = True, None
        self.pair = "guidance_pair" in manifest
        # The prediction has an item's channels so many times.
        self.doubled = 2 if schema.has_second_half(manifest) else 1
        if self.find():
            self.read()

    def complain(self, field, expected, tensor):
        self.complaints.append(f"{field}: expected {expected}, found {tensor}")

    def typed(self, field, tensor, expected):
        if tensor.type not in expected:
            self.complain(field, " or ".join(expected), tensor)

    # ------------------------------------------------------------------------------- which tensor is what

    def can_be(self, role, name):
        """Whether an input can have a role that it is not named for."""
        tensor = self.inputs[name]
        like_time = tensor.type in TYPES.values() and ones(tensor.shape, max(filter(None, tensor.shape), default=None)) is not None
        match role:
            case "time":
                return like_time
            case "class":
                first = tensor.shape[0] if tensor.shape else None
                return like_time or class_layout(tensor, self.manifest, first) is not None
        rank = len(self.manifest["sample"]["shape"])
        return tensor.type in FLOATS and len(tensor.shape) in (rank, rank + 1)

    def find(self):
        """Finds the tensors by their names. Returns whether that went well."""
        for tensor in (*self.inputs.values(), *self.outputs.values()):
            if 0 in tensor.shape:
                self.complain("the graph", "tensors that can hold a value", tensor)
        try:
            roles = schema.guess_roles(list(self.inputs), self.manifest, self.can_be)
        except ManifestError as error:
            self.complaints += error.complaints
            return False
        for role, name in roles.items():
            if name not in self.inputs:
                self.complaints.append(f"inputs.{role}: expected one of the graph's inputs {', '.join(self.inputs)}, found {name}")
        for name in self.inputs.keys() - roles.values():
            self.complaints.append(
                f"inputs: the graph's input {name} has no role; list it in the conditions, or export the model without it or with its value built in"
            )
        if "class" in roles and "classes" not in self.manifest:
            self.complaints.append(f"inputs.class: the graph has the input {roles['class']}, but the manifest has no classes")
        outputs = self.manifest.get("outputs", {})
        only = next(iter(self.outputs)) if len(self.outputs) == 1 else None
        names = {"prediction": outputs.get("prediction", only), **({"derivative": outputs["derivative"]} if "derivative" in outputs else {})}
        for role, name in names.items():
            if name not in self.outputs:
                self.complaints.append(f"outputs.{role}: expected one of the graph's outputs {', '.join(self.outputs)}, found {name}")
        if self.complaints:
            return False
        self.manifest = {**self.manifest, "inputs": roles}
        self.roles = {role: self.inputs[name] for role, name in roles.items()}
        self.said = {role: self.outputs[name] for role, name in names.items()}
        return True

    # ------------------------------------------------------------------------------- how each is made up

    def read(self):
        manifest, sample = self.manifest, self.roles["sample"]
        shapes = schema.sample_shapes(manifest)
        self.batched = len(sample.shape) != len(shapes["sample"])
        self.like_sample("sample.shape", "inputs.sample", sample, shapes["sample"])
        if self.complaints:
            return
        self.batch = sample.shape[0] if self.batched else 1
        self.layouts["sample"] = Layout(shapes["sample"], 0 if self.batched else None)
        self.note_sample(sample)
        self.read_outputs()
        for role in ("direction", "self_condition"):
            if role in self.roles:
                self.like_sample(f"inputs.{role}", f"inputs.{role}", self.roles[role], shapes[role])
                self.layouts[role] = Layout(shapes[role], 0 if self.batched else None)
        conditions = sorted(schema.own_conditions(manifest).items())
        # What else fixes the batch is known before anything is held against it.
        for name, condition in conditions:
            shape = self.roles[name].shape
            if condition.get("batch", True) and len(shape) == len(schema.item(condition["shape"])) + 1:
                self.batch = self.batch or shape[schema.batch_axis(condition["shape"])]
        for name, condition in conditions:
            self.read_condition(name, condition)
        if self.pair and not (self.batched and self.batch in (None, 2)):
            self.complain("guidance_pair", "a batch of two", sample)
        self.read_time()
        self.read_class()

    def like_sample(self, field, typed_field, tensor, item):
        expected = [schema.BATCH] * self.batched + list(item)
        if not fits(tensor.shape, expected):
            self.complain(field, f"[{', '.join(map(str, expected))}]", tensor)
        self.typed(typed_field, tensor, FLOATS)

    def note(self, tensor, found, axes):
        """Notes the sizes of a tensor that are free in the manifest."""
        for size, axis in zip(found, axes):
            if isinstance(axis, str) and size is not None and self.sizes.setdefault(axis, size) != size:
                self.complain(f"the free size {axis}", f"{self.sizes[axis]}, as in another tensor", tensor)

    def note_sample(self, tensor):
        """The same for the samples, without joined conditions."""
        found = tensor.shape[int(self.batched):]
        if self.manifest["sample"].get("channels_last"):
            found = [found[-1], *found[:-1]]
        joined = [one for one in self.manifest.get("conditions", {}).values() if schema.is_joined(one)]
        if joined:
            axis = joined[0].get("axis", 0)
            more = sum(schema.item(one["shape"])[axis] for one in joined)
            if found[axis] is not None:
                found = [size - more if place == axis else size for place, size in enumerate(found)]
                if found[axis] < 1:
                    self.complain("inputs.sample", f"room for {more} of the joined conditions", tensor)
        self.note(tensor, found, self.manifest["sample"]["shape"])

    def said_item(self, role="prediction"):
        """The shape of one item of an output, in the graph's order."""
        # Without what is joined to it.
        shape = schema.sample_shapes({"sample": self.manifest["sample"]})["sample"]
        place = -1 if self.manifest["sample"].get("channels_last") else 0
        if role == "prediction" and self.doubled > 1:
            shape[place] *= self.doubled
        return shape

    def read_outputs(self):
        twice = " with twice the channels for variance" if self.doubled > 1 else ""
        for role, tensor in self.said.items():
            item = self.said_item(role)
            field = f"sample.shape{twice}" if role == "prediction" else f"outputs.{role}"
            if role != "prediction" or len(tensor.shape) == len(item) + self.batched:
                self.like_sample(field, f"outputs.{role}", tensor, item)
                continue
            # Axes of 1 more or fewer, or one for all of an item; what is free shows at the evaluation.
            self.typed(f"outputs.{role}", tensor, FLOATS)
            found, free = long(tensor.shape[int(self.batched):]), [axis for axis in item if isinstance(axis, str)]
            flat = free[:1] or [math.prod(item)]
            is_open = None in found and len(found) > len(item)
            if not (fits(found, long(item)) or fits(found, long(flat)) or is_open):
                expected = ", ".join(map(str, [schema.BATCH] * self.batched + item))
                self.complain(field, f"[{expected}] but for axes of 1, or one axis for an item", tensor)

    def read_condition(self, name, condition):
        tensor, shape = self.roles[name], condition["shape"]
        item, place = schema.item(shape), schema.batch_axis(shape)
        each = condition.get("batch", True)
        # One after the other, items need no axis of their own.
        alone = each and self.batch == 1 and len(tensor.shape) == len(item)
        layout = Layout(item, place if each and not alone else None)
        expected = layout.shape(schema.BATCH)
        if not fits(tensor.shape, expected):
            hint = '; "batch": false is one value for all items' if each and fits(tensor.shape, item) else ""
            self.complain(f"conditions.{name}.shape", f"[{', '.join(map(str, expected))}]{hint}", tensor)
            return
        self.typed(f"inputs.{name}", tensor, (*FLOATS, *WHOLE))
        found = list(tensor.shape)
        if layout.batch is not None and (size := found.pop(layout.batch)) is not None:
            if size != self.batch:
                self.complain(f"inputs.{name}", f"a batch of {self.batch}, as elsewhere in the graph", tensor)
        self.note(tensor, found, item)
        self.layouts[name] = layout

    def read_time(self):
        tensor, manifest = self.roles["time"], self.manifest
        layout = ones(tensor.shape, self.batch)
        if layout is None:
            self.complain("inputs.time", "one number, or one for each item of the batch", tensor)
            return
        self.layouts["time"] = layout
        self.typed("inputs.time", tensor, (*FLOATS, *WHOLE))
        # Whole times are those of the index, which is linear in t.
        ends = dict(zip(schema.levels(manifest["schedule"])[0][[0, -1]], schema.encoded_times(manifest)[[0, -1]]))
        if tensor.type in WHOLE:
            if not has_whole_times(manifest):
                self.complaints.append(f"time.encoding: gives fractions, expected a time of a float type, found {tensor}")
                return
            least, most = limits(tensor.type)
            # 2⁵³ is where f64, in which times are computed, ends to tell whole numbers apart.
            if any(abs(told) > 2**53 or not least <= told <= most for told in ends.values()):
                gives = " to ".join(f"{told:g}" for told in ends.values())
                self.complaints.append(f"time: gives {gives}, expected a time of a type that holds that, found {tensor}")
        elif tensor.type in FLOATS:
            for t, told in ends.items():
                if not np.isfinite(told):
                    self.complaints.append(
                        f"time.encoding: gives {told} at t = {t:g}, which no network can be told, expected another one, or a schedule that ends before"
                    )
                elif not np.isfinite(rounded(told, tensor.type)):
                    self.complaints.append(f"time: gives {told:g} at t = {t:g}, expected a time of a type that holds that, found {tensor}")

    def read_class(self):
        if "class" not in self.roles:
            return
        tensor = self.roles["class"]
        found = class_layout(tensor, self.manifest, self.batch)
        if found is None:
            expected = f"a number for each item, or an axis more of {schema.class_count(self.manifest)}, the classes"
            self.complain("inputs.class", expected, tensor)
            return
        self.layouts["class"], self.width = found
        greatest = max(schema.class_count(self.manifest) - 1, self.manifest["classes"].get("null", 0))
        if self.width is None and not has_all(tensor.type, greatest):
            self.complain("inputs.class", f"a type that has all of the numbers 0 to {greatest}", tensor)

    # ------------------------------------------------------------------------------- evaluating it

    def fixed_batch(self):
        """The number of rows that the graph's batch is fixed at. None where it is open."""
        return 2 if self.pair else self.batch

    def chosen_sizes(self, sizes):
        """Each free size: the graph's own, or that of `sizes`, or a usual one."""
        names = free_sizes(self.manifest)
        for name, size in sizes.items():
            if name not in names:
                raise ExportError(f"sizes: expected some of the free sizes {', '.join(names) or '(there are none)'}, found {name}")
            if size < 1:
                raise ExportError(f"sizes: {name} is at least 1, found {size}")
            if self.sizes.get(name, size) != size:
                raise ExportError(f"sizes: {name} is fixed at {self.sizes[name]} by the graph, found {size}")
        return {**usual_sizes(names), **sizes, **self.sizes}

    def trials(self, sizes=None, other_size=False):
        """Random examples, at several batch sizes and times, the first and the last included. `sizes` are those of free
        axes. `other_size` is whether height and width are open though the manifest has numbers for them.
        """
        rng = np.random.default_rng(0)
        times = schema.encoded_times(self.manifest)
        last = len(times) - 1
        fixed, sizes = self.fixed_batch(), sizes or {}
        chosen = self.chosen_sizes(sizes)
        other = {name: 2 * size if name not in sizes and name not in self.sizes else size for name, size in chosen.items()}
        plans = [(fixed or batch, chosen, indices) for batch, indices in (
            (1, [0]), (1, [last // 2]), (1, [last]), (2, [0, last]), (5, [0, last // 4, last // 2, last - last // 4, last]),
        )]
        if other != chosen:
            plans.append((fixed or 2, other, [last // 3, last // 3]))
        for batch, bound, indices in plans:
            yield Trial(self, rng, batch, bound, times[np.resize(indices, batch)])
        if other_size:  # whatever divides the sizes divides their doubles
            yield Trial(self, rng, 2, chosen, times[[last // 3] * 2], (2, 2))
            yield Trial(self, rng, 1, chosen, times[[last // 3]], (1, 2))

    def run(self, trial):
        """The graph's outputs: the prediction, and behind it the derivative, where there is one."""
        names = [tensor.name for tensor in self.said.values()]
        given = {self.roles[role].name: handed(value, self.roles[role].type) for role, value in trial.given.items()}
        try:
            return [read(value) for value in self.session.run_with_ort_values(names, given)]
        except Exception as error:  # of ONNX Runtime, which has a class for each of its codes
            belong = ",".join(f"{name}={size}" for name, size in trial.sizes.items() if name not in self.sizes)
            hint = f"; sizes that belong together can be given, as in --sizes {belong}" if belong else ""
            raise ExportError(f"ONNX Runtime: {str(error).splitlines()[0]} ({trial}){hint}") from error

    def items(self, said, trial):
        """The graph's outputs as a row of values for each item, of the prediction and behind it of the derivative."""
        rows = []
        for role, values in zip(self.said, said):
            shape = [trial.batch] * self.batched + self.bound(self.said_item(role), trial)
            name = self.said[role].name
            found = list(values.shape)
            if role == "prediction" and len(found) != len(shape):
                # In another rank there may be axes of 1 more or fewer, or one for all of an item.
                flat = [trial.batch, math.prod(shape[int(self.batched):])]
                is_alike = long(found) == long(shape) or len(found) < len(shape) and long(found) == long(flat)
            else:
                is_alike = found == shape
            if not is_alike:
                raise ExportError(f"tensor {name}: expected {shape}, found {found} ({trial})")
            values = values.reshape(trial.batch, *shape[int(self.batched):])
            if role == "prediction" and self.doubled > 1:
                axis = -1 if self.manifest["sample"].get("channels_last") else 1
                own, second = np.split(values, 2, axis)
                values = own if self.manifest["variance"] == "unused" else np.concatenate([own, second], axis)
            rows.append(values.reshape(trial.batch, -1))
        return np.concatenate(rows, axis=1)

    def bound(self, shape, trial):
        own = list(shape)
        for place, axis in enumerate(own):
            if isinstance(axis, str):
                own[place] = trial.sizes[axis]
        if trial.times_size != (1, 1):
            own = [own[0], *(size * factor for size, factor in zip(own[1:], trial.times_size))]
        return own


def handed(value, kind):
    """A tensor of ONNX Runtime's with these values."""
    from onnxruntime import OrtValue

    value = np.asarray(value, order="C")
    if kind != "bfloat16":
        return OrtValue.ortvalue_from_numpy(value)
    return OrtValue.ortvalue_from_numpy_with_onnx_type((value.view(np.uint32) >> 16).astype(np.uint16), BFLOAT16)


def read(value):
    """The values of a tensor of ONNX Runtime's, those of bfloat16 in float32."""
    if value.data_type() != "tensor(bfloat16)":
        return value.numpy()
    bits = np.ctypeslib.as_array((ctypes.c_uint16 * math.prod(value.shape())).from_address(value.data_ptr()))
    return (bits.astype(np.uint32) << 16).view(np.float32).reshape(value.shape())


def free_sizes(manifest):
    """The names of the sizes that are free."""
    shapes = [manifest["sample"]["shape"], *(condition["shape"] for condition in manifest.get("conditions", {}).values())]
    return list(dict.fromkeys(axis for shape in shapes for axis in schema.item(shape) if isinstance(axis, str)))


def usual_sizes(names):
    return {name: USUAL_SIZES[place % len(USUAL_SIZES)] for place, name in enumerate(names)}


class Trial:
    """Random inputs of a graph, by their roles."""

    def __init__(self, graph, rng, batch, sizes, times, times_size=(1, 1)):
        self.graph, self.batch, self.sizes, self.times_size = graph, batch, sizes, times_size
        manifest, self.given = graph.manifest, {}
        shapes = schema.sample_shapes(manifest, sizes)
        whole = schema.sample_shapes(manifest)["sample"][1:]
        for role, item in shapes.items():
            if times_size != (1, 1) and list(item[1:]) == whole:
                item = [item[0], *(size * factor for size, factor in zip(item[1:], times_size))]
            self.given[role] = drawn(rng, Layout(item, graph.layouts[role].batch), batch, graph.roles[role].type)
        if graph.pair:
            # Both rows are of one item.
            times = np.repeat(times[-1:], batch)
            for role in self.given.keys() & {"sample", "self_condition"}:
                self.given[role] = np.repeat(self.given[role][:1], batch, axis=0)
        layout = graph.layouts["time"]
        told = times if layout.batch is not None else times[-1:]
        self.given["time"] = rounded(told, graph.roles["time"].type).reshape(layout.shape(batch))
        if "class" in graph.roles:
            self.given["class"] = self.drawn_class(rng)

    def drawn_class(self, rng):
        """Classes for all items, or one where the graph takes one."""
        classes, graph = self.graph.manifest["classes"], self.graph
        labels = [*range(schema.class_count(graph.manifest)), *([classes["null"]] if "null" in classes else [])]
        layout, kind = graph.layouts["class"], graph.roles["class"].type
        drawn_labels = rng.choice(labels, self.batch if layout.batch is not None else 1)
        if graph.width is not None:
            # What is beyond the last is none of them.
            drawn_labels = drawn_labels[:, None] == np.arange(graph.width)
        return rounded(drawn_labels, kind).reshape(layout.shape(self.batch))

    def alone(self):
        """The last item by itself: a network that looks beyond an item mostly looks at the first."""
        other = Trial.__new__(Trial)
        other.graph, other.batch, other.sizes, other.times_size = self.graph, 1, self.sizes, self.times_size
        places = {role: layout.batch for role, layout in self.graph.layouts.items()}
        other.given = {
            role: value if places[role] is None else np.take(value, [-1], axis=places[role]) for role, value in self.given.items()
        }
        return other

    def __str__(self):
        size = list(self.given["sample"].shape[int(self.graph.batched):])
        free = "".join(f", {name} {size}" for name, size in self.sizes.items())
        return f"batch {self.batch}, size {size}{free}, time {self.given['time'].flatten().tolist()}"


def drawn(rng, layout, count, kind):
    """Random values of a type for so many items. Whole numbers are 0 and 1, which masks and tables have, and not all of
    an item's are 0.
    """
    shape = layout.shape(count)
    if kind in FLOATS:
        return rounded(rng.standard_normal(shape), kind)
    values = rng.integers(0, 2, [1 if layout.batch is None else count, *layout.item])
    values.reshape(len(values), -1)[:, 0] = 1
    return np.moveaxis(values, 0, layout.batch or 0).reshape(shape).astype(kind)
