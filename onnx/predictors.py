"""Writes tiny graphs into `fixtures/predictors/made/`, with inputs and outputs that those in the folder above lack.

    python onnx/predictors.py

`tests/all/predictors.rs` evaluates each of them as it evaluates the others. Every input of a graph changes its output,
and so does every value's place. So a value that is turned, cut off or exchanged shows. Each has its manifest beside it.
"""

import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto as Type
from onnx import helper, numpy_helper

FOLDER = pathlib.Path(__file__).with_name("fixtures") / "predictors" / "made"
OPSET = 17
# The most bytes that a graph may have.
MOST_BYTES = 2048
CHANNELS, HEIGHT, WIDTH = ITEM = [2, 3, 4]


class Graph:
    """A network that is put together operator by operator. Values are known by their names."""

    def __init__(self):
        self.random = np.random.default_rng(0)
        self.nodes, self.constants, self.inputs, self.count = [], [], [], 0
        self.rate, self.patterns = 0.7, {}

    def name(self):
        self.count += 1
        return f"v{self.count}"

    def input(self, name, kind, shape):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def constant(self, value, kind=np.float32):
        name = self.name()
        self.constants.append(numpy_helper.from_array(np.array(value, dtype=kind), name))
        return name

    def weights(self, shape):
        """Numbers of two digits that are all unlike, so that places cannot be exchanged unnoticed."""
        count = int(np.prod(shape))
        return self.constant(self.random.permutation(np.linspace(0.5, 1.5, max(count, 2)).round(2))[:count].reshape(shape))

    def op(self, kind, *inputs, **attributes):
        name = self.name()
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def shaped(self, value, shape):
        return self.op("Reshape", value, self.constant(shape, np.int64))

    def real(self, value):
        return self.op("Cast", value, to=Type.FLOAT)

    def wave(self, value, rate):
        return self.op("Sin", self.op("Mul", value, self.constant(rate)))

    def slice(self, value, axis, first, last):
        return self.op("Slice", value, *(self.constant([number], np.int64) for number in (first, last, axis)))

    def sample(self, x, fixed):
        """The part of the sample in the output. `fixed` are its axes without the batch, 1 where the size is free."""
        return self.op("Add", self.op("Mul", x, self.weights(fixed)), self.op("Mul", self.wave(x, 2.0), self.constant(0.1)))

    def time(self, x, t, rank, rate=0.7, one=False):
        """x, more or less of it with the time: one for all items, or one for each."""
        told = self.shaped(self.wave(self.real(t), rate), [1 if one else -1] + [1] * rank)
        return self.op("Mul", self.op("Mul", x, told), self.constant(0.2))

    def told(self, value, fixed, shape, one=False, axis=0):
        """A number made of a condition, or one for each item. `fixed` are the axes of its item, 1 where the size is
        free, and `axis` is that of the batch. `shape` is that of the value it is added to, without the batch.
        """
        value = self.real(value)
        axes = list(range(len(fixed) + (not one)))
        if not one:
            axes.remove(axis)
        if fixed:
            weights = list(fixed)
            if not one:
                weights.insert(axis, 1)
            for place, size in zip(axes, fixed):
                if size == 1:
                    value = self.op("CumSum", value, self.constant(place, np.int64))
            value = self.op("Mul", value, self.weights(weights))
            value = self.op("ReduceMean", value, axes=axes, keepdims=0)
        return self.spread(value, shape, one)

    def spread(self, value, shape, one=False):
        """The summand of a number per item for each of the item's values, another each time."""
        self.rate += 0.1
        if tuple(shape) not in self.patterns:
            self.patterns[tuple(shape)] = self.op("Mul", self.weights(shape), self.constant(0.3))
        value = self.shaped(self.wave(value, self.rate), [1 if one else -1] + [1] * len(shape))
        return self.op("Mul", value, self.patterns[tuple(shape)])

    def sum(self, first, *others):
        for other in others:
            first = self.op("Add", first, other)
        return first

    def save(self, name, output, shape, manifest, text):
        self.nodes[-1].output[0] = "out"
        outputs = [helper.make_tensor_value_info("out", Type.FLOAT, shape)]
        graph = helper.make_graph(self.nodes, name, self.inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        content = model.SerializeToString()
        assert len(content) <= MOST_BYTES, f"{name} has {len(content)} bytes"
        (FOLDER / f"{name}.onnx").write_bytes(content)
        manifest = {"diffuse": 1, "description": text, **USUAL, **manifest}
        (FOLDER / f"{name}.diffuse.json").write_text(written(manifest))


def written(manifest):
    """A manifest with a line for each field, and for each condition."""

    def line(key, value):
        if key != "conditions":
            return f"  {json.dumps(key)}: {json.dumps(value)}"
        conditions = ",\n".join(f"  {line(name, condition)}" for name, condition in value.items())
        return f"  {json.dumps(key)}: {{\n{conditions}\n  }}"

    return "{\n" + ",\n".join(line(key, value) for key, value in manifest.items()) + "\n}\n"


# What most of the manifests say.
USUAL = {"sample": {"shape": ITEM}, "schedule": {"kind": "cosine"}, "prediction": "v"}
CLASSES = {"count": 4, "null": 4}
BATCH = ["b", *ITEM]


def plain(graph, time=("t", Type.INT64, ["b"]), batch="b", one_time=False, rate=0.7):
    """The part that depends on the sample and the time."""
    x = graph.input("x", Type.FLOAT, [batch, *ITEM])
    t = graph.input(*time)
    return graph.sum(graph.sample(x, ITEM), graph.time(x, t, 3, rate, one=one_time))


def numbered(graph, y, kind, shape, one=False):
    """The summand of a class that is given by its number."""
    table = graph.constant([0.4, -1.1, 0.9, 1.7, -0.3])
    return graph.spread(graph.op("Gather", table, graph.input(y, kind, shape)), ITEM, one)


def class_forms():
    for name, kind, shape, one, text in [
        ("class_scalar", Type.INT64, [], True, "One class for all items, without an axis."),
        ("class_one", Type.INT32, [1], True, "One class for all items, with an axis of 1."),
        ("class_column", Type.INT32, ["b", 1], False, "A class with an axis of its own, in 32 bits."),
    ]:
        graph = Graph()
        out = graph.sum(plain(graph), numbered(graph, "y", kind, shape, one))
        graph.save(name, out, BATCH, {"classes": CLASSES}, text)
    for name, kind, width, text in [
        ("one_hot_f32", Type.FLOAT, 4, "A class as a row of zeros and a one; no class is zeros alone."),
        ("one_hot_i64", Type.INT64, 5, "A class as a row of zeros and a one, in whole numbers; no class has a place as well."),
    ]:
        graph = Graph()
        out = plain(graph)
        out = graph.sum(out, graph.told(graph.input("class_labels", kind, ["b", width]), [width], ITEM))
        graph.save(name, out, BATCH, {"classes": CLASSES}, text)


def time_forms():
    for name, kind, shape, one, rate, manifest, text in [
        ("time_one", Type.FLOAT, [1], True, 0.7, {}, "One time for all items."),
        ("time_of_ones", Type.INT64, [1, 1, 1], True, 0.7, {}, "One time for all items, in three axes."),
        (
            "time_like_x",
            Type.FLOAT,
            ["b", 1, 1, 1],
            False,
            9.0,
            {"time": {"encoding": "sigma_squared"}},
            "A time for each item, with the axes of the sample.",
        ),
        ("log_snr", Type.FLOAT, ["b"], False, 0.7, {"time": {"encoding": "log_snr"}}, "The logarithm of α²/σ² for the time."),
    ]:
        graph = Graph()
        out = plain(graph, ("t", kind, shape), one_time=one, rate=rate)
        graph.save(name, out, BATCH, manifest, text)
    # A time whose digits beyond those of f32 matter.
    graph = Graph()
    x = graph.input("x", Type.FLOAT, BATCH)
    far = graph.op("Mul", graph.input("t", Type.DOUBLE, []), graph.constant(1e7, np.float64))
    told = graph.real(graph.op("Sin", far))
    changed = graph.op("Mul", graph.op("Mul", x, told), graph.constant(0.2))
    text = "A time without an axis, in f64, whose last digits matter."
    graph.save("time_scalar_f64", graph.sum(graph.sample(x, ITEM), changed), BATCH, {"schedule": {"kind": "vp"}}, text)


def condition_shapes():
    graph = Graph()
    text = graph.input("text", Type.FLOAT, ["T", "b", 3])
    out = graph.sum(plain(graph), graph.told(text, [1, 3], ITEM, axis=1))
    manifest = {"conditions": {"text": {"shape": ["T", "batch", 3]}}}
    graph.save("batch_in_the_middle", out, BATCH, manifest, "A condition whose second axis is the batch, of a free length.")

    graph = Graph()
    text = graph.input("text", Type.FLOAT, [3, 2, "b"])
    out = graph.sum(plain(graph), graph.told(text, [3, 2], ITEM, axis=2))
    manifest = {"conditions": {"text": {"shape": [3, 2, "batch"]}}}
    graph.save("batch_last", out, BATCH, manifest, "A condition whose last axis is the batch.")

    graph = Graph()
    style, text = graph.input("style", Type.FLOAT, [3]), graph.input("text", Type.FLOAT, ["b", 2])
    out = graph.sum(plain(graph), graph.told(style, [3], ITEM, one=True), graph.told(text, [2], ITEM))
    manifest = {"conditions": {"style": {"shape": [3], "batch": False}, "text": {"shape": [2]}}}
    graph.save("one_for_all", out, BATCH, manifest, "A condition for all items beside one for each.")

    graph = Graph()
    x = graph.input("x", Type.FLOAT, ["b", CHANNELS, "T"])
    features = graph.input("features", Type.FLOAT, ["b", "T", 3])
    t = graph.input("t", Type.INT64, ["b"])
    # What lies before a value counts, so that no two places of the free axis are alike.
    before = graph.op("Mul", graph.op("CumSum", graph.wave(x, 0.5), graph.constant(2, np.int64)), graph.constant(0.05))
    out = graph.sum(
        graph.sample(x, [CHANNELS, 1]),
        before,
        graph.time(x, t, 2),
        graph.told(features, [1, 3], [CHANNELS, 1]),
    )
    manifest = {"sample": {"shape": [CHANNELS, "T"]}, "conditions": {"features": {"shape": ["T", 3]}}}
    text = "A free size of the sample that a condition has too."
    graph.save("shared_free_size", out, ["b", CHANNELS, "T"], manifest, text)

    graph = Graph()
    names = {"sample": "z", "time": "y", "class": "t", "hint": "x"}
    z = graph.input(names["sample"], Type.FLOAT, BATCH)
    hint = graph.told(graph.input(names["hint"], Type.FLOAT, BATCH), ITEM, ITEM)
    told = graph.time(z, graph.input(names["time"], Type.INT64, ["b"]), 3)
    out = graph.sum(graph.sample(z, ITEM), told, hint, numbered(graph, names["class"], Type.INT64, ["b"]))
    manifest = {"classes": CLASSES, "conditions": {"hint": {"shape": ITEM}}, "inputs": names}
    graph.save("names_exchanged", out, BATCH, manifest, "Every input has the name that another usually has.")


def joined():
    def graph_with(shape, own, axis):
        """A graph whose sample is a part of its input along an axis, and what is made of all of it."""
        graph = Graph()
        whole = graph.input("x", Type.FLOAT, ["b", *shape])
        x = graph.slice(whole, axis + 1, *own)
        t = graph.input("t", Type.INT64, ["b"])
        return graph, graph.sum(graph.sample(x, ITEM), graph.time(x, t, 3), graph.told(whole, shape, ITEM))

    graph, out = graph_with([5, HEIGHT, WIDTH], (0, 2), 0)
    conditions = {"edges": {"shape": [1, HEIGHT, WIDTH], "joined": True}, "hint": {"shape": ITEM, "joined": True}}
    text = "Two conditions behind the channels of the sample, in the order of their names."
    graph.save("joined_behind", out, BATCH, {"conditions": conditions}, text)

    graph, out = graph_with([CHANNELS, 5, WIDTH], (2, 5), 1)
    conditions = {"above": {"shape": [CHANNELS, 2, WIDTH], "joined": True, "before": True, "axis": 1}}
    graph.save("joined_before_axis_1", out, BATCH, {"conditions": conditions}, "A condition before the rows of the sample.")

    graph, out = graph_with([6, HEIGHT, WIDTH], (3, 5), 0)
    conditions = {
        "first": {"shape": [1, HEIGHT, WIDTH], "joined": True, "before": True},
        "hint": {"shape": [1, HEIGHT, WIDTH], "joined": True},
        "second": {"shape": ITEM, "joined": True, "before": True},
    }
    text = "Two conditions before the channels of the sample, and one behind them."
    graph.save("joined_on_both_sides", out, BATCH, {"conditions": conditions}, text)

    graph = Graph()
    whole = graph.input("x", Type.FLOAT, ["b", HEIGHT, WIDTH, 3])
    x = graph.slice(whole, 3, 0, CHANNELS)
    item = [HEIGHT, WIDTH, CHANNELS]
    told = graph.told(whole, [HEIGHT, WIDTH, 3], item)
    out = graph.sum(graph.sample(x, item), graph.time(x, graph.input("t", Type.INT64, ["b"]), 3), told)
    manifest = {
        "sample": {"shape": ITEM, "channels_last": True},
        "conditions": {"hint": {"shape": [1, HEIGHT, WIDTH], "joined": True}},
    }
    text = "Channels last, and a condition behind them."
    graph.save("channels_last_joined", out, ["b", *item], manifest, text)


def condition_types():
    graph = Graph()
    out = plain(graph)
    # What f32 cannot hold has to arrive.
    far = graph.op("Mul", graph.input("place", Type.DOUBLE, ["b"]), graph.constant(1e7, np.float64))
    out = graph.sum(out, graph.spread(graph.real(graph.op("Sin", far)), ITEM))
    number = graph.op("Cast", graph.input("number", Type.INT64, ["b"]), to=Type.DOUBLE)
    out = graph.sum(out, graph.spread(graph.real(graph.op("Sin", number)), ITEM))
    manifest = {"conditions": {"place": {"shape": []}, "number": {"shape": []}}}
    graph.save("conditions_of_64_bits", out, BATCH, manifest, "Conditions in f64 and i64 whose last digits matter.")

    for name, text, kinds in [
        (
            "conditions_u8_i32_bool",
            "Conditions in u8, i32 and bool.",
            {"bytes": (Type.UINT8, [2]), "level": (Type.INT32, []), "flags": (Type.BOOL, [4])},
        ),
        (
            "conditions_f16_bf16_i16_i8",
            "Conditions in f16, bf16, i16 and i8.",
            {
                "half": (Type.FLOAT16, [2]),
                "brain": (Type.BFLOAT16, []),
                "short": (Type.INT16, []),
                "byte": (Type.INT8, []),
            },
        ),
        (
            "conditions_u64_u32_u16",
            "Conditions in u64, u32 and u16.",
            {"long": (Type.UINT64, []), "word": (Type.UINT32, [2]), "short": (Type.UINT16, [])},
        ),
    ]:
        graph = Graph()
        out = plain(graph)
        for input_name, (kind, shape) in kinds.items():
            told = graph.told(graph.input(input_name, kind, ["b", *shape]), shape, ITEM)
            out = graph.sum(out, told)
        conditions = {input_name: {"shape": shape} for input_name, (_, shape) in kinds.items()}
        graph.save(name, out, BATCH, {"conditions": conditions}, text)


def pairs():
    for order, weights in [("negative_first", [1.0, 0.8]), ("negative_last", [0.8, 1.0])]:
        for batch, form in [(2, "fixed"), ("b", "free")]:
            graph = Graph()
            out = plain(graph, ("t", Type.INT64, [batch]), batch)
            text = graph.input("text", Type.FLOAT, [batch, 3])
            out = graph.sum(out, graph.told(text, [3], ITEM), numbered(graph, "y", Type.INT64, [batch]))
            # Each row has a weight of its own: there is no batch but the two, and they cannot be exchanged.
            out = graph.op("Mul", out, graph.constant(np.reshape(weights, (2, 1, 1, 1))))
            manifest = {"guidance_pair": order, "classes": CLASSES, "conditions": {"text": {"shape": [3]}}}
            text = f"The batch is the pair of guidance, the negative {order.removeprefix('negative_')}; its axis is {form}."
            graph.save(f"pair_{order}_{form}", out, [batch, *ITEM], manifest, text)


def outputs():
    graph = Graph()
    out = graph.shaped(plain(graph), [-1, CHANNELS, 1, HEIGHT, WIDTH])
    text = "An output with an axis more than the sample."
    graph.save("output_rank_more", out, ["b", CHANNELS, 1, HEIGHT, WIDTH], {}, text)

    graph = Graph()
    x = graph.input("x", Type.FLOAT, ["b", 1, 12])
    out = graph.sum(graph.sample(x, [1, 12]), graph.time(x, graph.input("t", Type.INT64, ["b"]), 2))
    out = graph.shaped(out, [-1, 12])
    text = "An output with an axis fewer than the sample."
    graph.save("output_rank_less", out, ["b", 12], {"sample": {"shape": [1, 12]}}, text)

    graph = Graph()
    out = graph.sum(plain(graph), numbered(graph, "y", Type.INT64, ["b"]))
    out = graph.op("Concat", out, graph.wave(out, 3.0), axis=1)
    text = "Twice the channels, the second half of which is not used."
    graph.save("variance_unused", out, ["b", 2 * CHANNELS, HEIGHT, WIDTH], {"variance": "unused", "classes": CLASSES}, text)


def of_the_run():
    graph = Graph()
    out = plain(graph)
    estimate = graph.input("estimate", Type.FLOAT, BATCH)
    # Which of the values is which counts, and so does whose they are.
    own = graph.op("Mul", graph.wave(estimate, 1.0), graph.weights(ITEM))
    out = graph.sum(out, graph.op("Mul", own, graph.constant(0.4)), numbered(graph, "y", Type.INT64, ["b"]))
    manifest = {"classes": CLASSES, "inputs": {"self_condition": "estimate"}}
    graph.save("self_condition", out, BATCH, manifest, "The last estimate of the clean sample is an input.")

    graph = Graph()
    x = graph.input("x", Type.FLOAT, ITEM)
    told = graph.shaped(graph.wave(graph.input("t", Type.FLOAT, [1]), 0.7), [1, 1, 1])
    changed = graph.op("Mul", graph.op("Mul", x, told), graph.constant(0.2))
    text = graph.told(graph.input("text", Type.FLOAT, ["T", 3]), [1, 3], ITEM, one=True)
    out = graph.shaped(graph.sum(graph.sample(x, ITEM), changed, text), ITEM)
    manifest = {"conditions": {"text": {"shape": ["T", 3]}}}
    graph.save("no_batch_axis", out, ITEM, manifest, "No batch axis, neither of the sample nor of its condition.")

    graph = Graph()
    out = plain(graph, ("t", Type.INT64, [1]), 1)
    text, style = graph.input("text", Type.FLOAT, [1, 3]), graph.input("style", Type.FLOAT, [2])
    out = graph.sum(out, graph.told(text, [3], ITEM), graph.told(style, [2], ITEM, one=True))
    manifest = {"conditions": {"text": {"shape": [3]}, "style": {"shape": [2]}}}
    text = "A batch of one, and a condition with that axis beside one without."
    graph.save("batch_of_one", out, [1, *ITEM], manifest, text)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for part in (class_forms, time_forms, condition_shapes, joined, condition_types, pairs, outputs, of_the_run):
        part()


if __name__ == "__main__":
    main()
