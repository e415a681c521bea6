"""Tests of the roles of a graph's tensors by a manifest, for `python onnx/test_graph.py` or pytest. They need numpy and
onnxruntime alone.

`tests/all/predictors.rs` draws from the same graphs.
"""

import pathlib
import types

import numpy as np

from export import check_model
from graph import ExportError, Graph, rounded
from manifest import validate

FOLDER = pathlib.Path(__file__).parent / "fixtures" / "predictors"
LEAST = {"diffuse": 1, "sample": {"shape": [3, 8, 8]}, "schedule": {"kind": "linear"}, "prediction": "epsilon"}
ITEM = [3, 8, 8]
ONNX = {"f32": "float", "f16": "float16", "f64": "double", "i64": "int64", "u8": "uint8", "bool": "bool", "text": "string"}


def session(inputs, outputs):
    """A stand-in for a session: its tensors, each as (name, type, axes), where a free axis is a word."""

    def listed(tensors):
        return [types.SimpleNamespace(name=name, type=f"tensor({ONNX[kind]})", shape=axes) for name, kind, axes in tensors]

    return types.SimpleNamespace(get_inputs=lambda: listed(inputs), get_outputs=lambda: listed(outputs))


# What a graph with a derivative says of it in its manifest.
DERIVATIVE = {"outputs": {"prediction": "out", "derivative": "j"}}
X, T, OUT = ("x", "f32", ["b", *ITEM]), ("t", "i64", ["b"]), ("out", "f32", ["b", *ITEM])


def graph(*inputs, out=OUT, more=(), **fields):
    return Graph(session(inputs, [out, *more]), validate(LEAST | fields))


def holds(*inputs, **fields):
    found = graph(*inputs, **fields)
    assert not found.complaints, found.complaints
    return found


def fails(named, *inputs, **fields):
    complaints = graph(*inputs, **fields).complaints
    assert any(named in complaint for complaint in complaints), f"expected a complaint about {named}, found {complaints}"


def refused(named, action, *arguments):
    try:
        action(*arguments)
    except ExportError as error:
        assert named in str(error), error
    else:
        raise AssertionError(named)


def test_every_graph_can_be_checked():
    paths = sorted(FOLDER.rglob("*.onnx"))
    assert len(paths) >= 59
    said = {path.stem: "\n".join(check_model(path)) for path in paths}
    assert "one item is evaluated at a time, in both rows" in said["cosyvoice_estimator"]
    assert "tried with h = 64, w = 48, s = 80" in said["sdxl"]
    assert "one item is evaluated at a time" in said["batch_of_one"]
    print(f"{len(paths)} graphs fit their manifests, and can be evaluated")


def test_sizes_are_those_that_are_given():
    path = FOLDER / "diffwave.onnx"
    assert "tried with L = 160, T = 5" in "\n".join(check_model(path, {"L": 160, "T": 5}))
    for sizes, named in (({"M": 1}, "free sizes L, T"), ({"L": 0}, "L is at least 1")):
        refused(named, check_model, path, sizes)
    refused("ONNX Runtime", check_model, FOLDER.parent / "failing.onnx")
    free = {"sample": {"shape": [3, "h", "w"]}, "conditions": {"a": {"shape": ["h", "n"]}}}
    found = holds(("x", "f32", ["b", 3, "h", 8]), T, ("a", "f32", ["b", "h", "n"]), **free)
    assert found.chosen_sizes({"n": 3}) == {"h": 64, "w": 8, "n": 3}
    refused("w is fixed at 8", found.chosen_sizes, {"w": 9})

    def run(*_):
        raise RuntimeError("it cannot be\nat all")

    # What the graph fixes is not asked for.
    found.session.run_with_ort_values = run
    trial = next(iter(found.trials()))
    refused("as in --sizes h=64,n=80", found.run, trial)


def test_how_tensors_may_be_made_up():
    holds(X, T)
    assert holds(("x", "f32", [1, *ITEM]), ("t", "i64", [1]), out=("out", "f32", [1, *ITEM])).fixed_batch() == 1
    unbatched = holds(("x", "f32", ITEM), ("t", "f32", []), ("a", "f32", [2]), out=("out", "f32", ITEM), conditions={"a": {"shape": [2]}})
    assert not unbatched.batched and unbatched.fixed_batch() == 1 and unbatched.layouts["a"].batch is None
    last = holds(("x", "f32", ["b", 8, 8, 3]), T, out=("out", "f32", ["b", 8, 8, 3]), sample={"shape": ITEM, "channels_last": True})
    assert last.said_item() == [8, 8, 3]
    for axes, one in (([], True), ([1], True), ([1, 1, 1], True), (["b"], False), (["b", 1, 1, 1], False), (["b", 1], False)):
        assert (holds(X, ("t", "f32", axes)).layouts["time"].batch is None) is one, axes
    classes = {"classes": {"count": 4, "null": 4}}
    for kind, axes, width in (
        ("i64", ["b"], None), ("u8", ["b", 1], None), ("f32", [], None), ("f32", ["b", 4], 4), ("i64", ["b", 5], 5),
        ("f32", ["b", "n"], 4), ("f64", [4], 4),
    ):
        assert holds(X, T, ("y", kind, axes), **classes).width == width, axes
    four = {"out": ("out", "f32", [4, *ITEM]), **classes}
    for name, axes, width in (("y", [4, 4], 4), ("y", [4], None), ("kind", [4, 4], 4), ("kind", [4, 5], 5)):
        assert holds(("x", "f32", [4, *ITEM]), T, (name, "f32", axes), **four).width == width, axes
    for kind, count in (("f16", 2049), ("u8", 256), ("bool", 2), ("f32", 1_000_000)):
        holds(X, T, ("y", kind, ["b"]), classes={"count": count})
    # A type that lacks the number of a class has it as a place.
    holds(X, T, ("y", "u8", ["b", 257]), classes={"count": 257})
    for time in ({}, {"scale": -1, "offset": 255}, {"direction": "data"}):
        holds(X, ("t", "u8", ["b"]), schedule={"kind": "linear", "train_steps": 256}, time=time)
    # A batch that one condition fixes is known to those before it.
    two = {"a": {"shape": [2]}, "c": {"shape": [3]}}
    assert holds(X, T, ("a", "f32", [2]), ("c", "f32", [1, 3]), conditions=two).fixed_batch() == 1
    free = {"sample": {"shape": [4, "T"]}, "conditions": {"mel": {"shape": ["T", 3]}}}
    found = holds(("x", "f32", ["b", 4, 16]), T, ("mel", "f32", ["b", "n", 3]), out=("out", "f32", ["b", 4, "m"]), **free)
    assert found.chosen_sizes({}) == {"T": 16}
    joined = {"conditions": {"a": {"shape": [3, 2, 8], "joined": True, "axis": 1}}}
    assert holds(("x", "f32", ["b", 3, 10, 8]), T, **joined).layouts["sample"].item == [3, 10, 8]
    for axes in (["b", 192], ["b", 3, 1, 8, 8], ["b", "n"], ["b", "n", 8, 8, "m"]):
        found = holds(X, T, out=("out", "f32", axes))
    trial = next(iter(found.trials()))
    for axes in ([1, 3, 8, 8, 1], [3, 8, 8], [1, 192], [192]):
        assert found.items([np.zeros(axes)], trial).shape == (1, 192)
    for axes in ([1, 1, 8, 8, 3], [1, 24, 8], [1, 1, 1, 1, 192]):
        refused("expected [1, 3, 8, 8]", found.items, [np.zeros(axes)], trial)
    open_sizes = {"sample": {"shape": [3, "h", "w"]}}
    holds(X, T, out=("out", "f32", ["b", 100]), **open_sizes)
    holds(("x", "f32", ["b", 8, 8, 3]), T, out=("out", "f32", [1, 8, 1, 8, 3]), sample={"shape": ITEM, "channels_last": True})
    holds(X, T, out=("out", "f32", ["b", 6, 8, 8]), variance="unused")
    # What is left over has the role that is left.
    assert holds(("image", "f32", ["b", *ITEM]), ("tau", "f32", ["b"])).roles["time"].name == "tau"
    exchanged = {"inputs": {"sample": "y", "time": "x", "class": "t"}, **classes}
    assert holds(("x", "i64", ["b"]), ("y", "f32", ["b", *ITEM]), ("t", "i64", ["b"]), **exchanged).roles["time"].name == "x"
    assert "self_condition" in holds(X, T, ("x_self_cond", "f32", ["b", *ITEM])).roles


def test_what_does_not_fit_is_said():
    fails("sample.shape", ("x", "f32", ["b", 3, 8, 9]), T)
    fails("inputs.sample", ("x", "i64", ["b", *ITEM]), T, inputs={"sample": "x"})
    fails("inputs.time", X, ("t", "f32", ["b", 2]), inputs={"time": "t"})
    fails("time.encoding", X, T, time={"encoding": "sigma"})
    fails("time: gives 0 to 999", X, ("t", "u8", ["b"]))
    fails("time: gives 255 to -1", X, ("t", "u8", ["b"]), schedule={"kind": "linear", "train_steps": 257}, time={"scale": -1, "offset": 255})
    fails("time: gives", X, T, time={"offset": 2**53})
    fails("time: gives 999000 at t = 999", X, ("t", "f16", ["b"]), time={"scale": 1000})
    endless = {"schedule": {"kind": "flow"}, "prediction": "v", "time": {"encoding": "log_snr"}}
    fails("-inf at t = 1, which no network can be told", X, ("t", "f64", ["b"]), **endless)
    fails("has no role", X, T, ("z", "f32", ["b", 2]))
    fails("inputs.class", X, T, ("y", "i64", ["b"]))
    fails("inputs.class", X, T, ("y", "f32", ["b", 7]), inputs={"class": "y"}, classes={"count": 4})
    for kind, count in (("f16", 2050), ("f16", 2051), ("u8", 257), ("bool", 3)):
        fails(f"all of the numbers 0 to {count - 1}", X, T, ("y", kind, ["b"]), classes={"count": count})
    fails("all of the numbers 0 to 256", X, T, ("y", "u8", ["b"]), classes={"count": 4, "null": 256})
    # All that is missing is said at once.
    unknown = [("u", "f32", ["b", *ITEM]), ("v", "f32", ["b", *ITEM]), ("p", "i64", ["b"]), ("q", "i64", ["b"])]
    for role in ("sample", "time", "class"):
        fails(f"inputs.{role}: is not given", *unknown, classes={"count": 4})
    fails("each of x, sample", X, ("sample", "f32", ["b", *ITEM]), T)
    fails("none has a usual name", ("u", "f32", ["b", *ITEM]), ("v", "f32", ["b", *ITEM]), T)
    fails("outputs.prediction", X, T, more=[("other", "f32", ["b"])])
    fails("outputs.derivative", X, T, ("d", "f32", ["b", *ITEM]), inputs={"direction": "d"}, **DERIVATIVE)
    for axes in (["b", 3, 64], ["b", 3, 65], ["b", 3, 1, 8, 9], ["b", 193], ["b", 8, 3, 1, 8], ["b", "n", 8], ["b"]):
        fails("but for axes of 1, or one axis for an item", X, T, out=("out", "f32", axes))
    fails("twice the channels", X, T, variance="unused")
    fails("guidance_pair", ("x", "f32", [3, *ITEM]), T, guidance_pair="negative_first")
    fails("guidance_pair", ("x", "f32", ITEM), ("t", "f32", []), guidance_pair="negative_first", out=("out", "f32", ITEM))
    fails('"batch": false', X, T, ("a", "f32", [2]), conditions={"a": {"shape": [2]}})
    fails("conditions.a.shape", X, T, ("a", "f32", ["b", 2]), conditions={"a": {"shape": [2], "batch": False}})
    fails("conditions.a.shape", X, T, ("a", "f32", ["b", 3, 2]), conditions={"a": {"shape": [2, "batch", 3]}})
    fails("inputs.a", X, T, ("a", "text", ["b", 2]), conditions={"a": {"shape": [2]}})
    fails("a batch of 2", ("x", "f32", [2, *ITEM]), T, ("a", "f32", [3, 2]), conditions={"a": {"shape": [2]}})
    fails("a batch of 1", X, T, ("a", "f32", [1, 2]), ("c", "f32", [3, 2]), conditions={"a": {"shape": [2]}, "c": {"shape": [2]}})
    fails("free size T", ("x", "f32", ["b", 4, 16]), T, ("a", "f32", ["b", 8]), sample={"shape": [4, "T"]}, conditions={"a": {"shape": ["T"]}})
    fails("room for 3", ("x", "f32", ["b", 2, 8]), T, sample={"shape": ["C", 8]}, conditions={"a": {"shape": [3, 8], "joined": True}})
    fails("tensors that can hold a value", ("x", "f32", ["b", *ITEM]), T, ("a", "f32", ["b", 0]), conditions={"a": {"shape": ["n"]}})


def test_bfloat16_is_rounded_to_the_nearest():
    values = np.array([1.0, 1.00390625, 1.01171875, 3.0e38, -2.5, 0.1], dtype=np.float32)
    assert rounded(values, "bfloat16").tolist() == [1.0, 1.0, 1.015625, 3.00405527047391e38, -2.5, 0.10009765625]
    assert np.isinf(rounded(np.float64(3.4e38), "bfloat16")) and np.isinf(rounded(np.float64(70000), "float16"))


def main():
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            print(f"--- {name}")
            test()


if __name__ == "__main__":
    main()
