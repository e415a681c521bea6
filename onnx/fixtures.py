"""Writes the tiny models of the Rust tests into `fixtures/`, one for each form of graph.

    python onnx/fixtures.py

Beside each model lie torch's outputs: `<name>.json`, a list of cases. A case has a schedule index, the network's time
there, an input and the output, flat and in C order. The network's other inputs are in it by their roles.
"""

import argparse
import copy
import json
import pathlib

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

from classifier import ClassGradient
from export import export
from manifest import class_count, encoded_times, sample_shapes, wanted_roles

HIDDEN = 8


class TinyNet(nn.Module):
    """Two layers, with a shift by the time between them. `axes` is the number of spatial axes, 0 for vectors."""

    def __init__(self, channels, outputs=None, axes=2, time_scale=1000.0):
        super().__init__()
        kind = [nn.Linear, None, nn.Conv2d, nn.Conv3d][axes]
        form = {"kernel_size": 3, "padding": 1} if axes else {}
        self.enter = kind(channels, HIDDEN, **form)
        self.time = nn.Linear(1, HIDDEN)
        self.leave = kind(HIDDEN, outputs or channels, **form)
        self.axes, self.time_scale = axes, time_scale

    def forward(self, x, t):
        told = (t.to(x.dtype) / self.time_scale).reshape(-1, 1)
        shift = 2 * self.time(told).reshape([-1, HIDDEN] + [1] * self.axes)
        return self.leave(F.silu(self.enter(x) + shift))


class TimeFirst(TinyNet):
    def forward(self, timestep, x):
        return super().forward(x, timestep)


class NotANumber(TinyNet):
    """Breaks down in the less noisy half, as overflowing f16 models do."""

    def forward(self, x, t):
        sound = (t >= 500).reshape([-1] + [1] * (x.ndim - 1))
        return torch.where(sound, super().forward(x, t), torch.nan)


class Labelled(TinyNet):
    """With classes: five, the last of them for none."""

    def __init__(self, channels):
        super().__init__(channels)
        self.label = nn.Embedding(5, channels)

    def forward(self, x, t, y):
        return super().forward(x, t) + self.label(y)[:, :, None, None]


class Conditioned(TinyNet):
    """With a small picture and a vector as conditions."""

    def __init__(self, channels):
        super().__init__(channels)
        self.vector = nn.Linear(5, channels)

    def forward(self, x, t, small, vector):
        shown = F.interpolate(small, scale_factor=2.0, mode="nearest") + self.vector(vector)[:, :, None, None]
        return super().forward(x + shown, t)


class Classifier(TinyNet):
    """Logits of three classes."""

    def __init__(self, channels):
        super().__init__(channels, outputs=3)

    def forward(self, x, t):
        return super().forward(x, t).tanh().sum(dim=(2, 3))


def manifest(name, shape, **fields):
    return {
        "diffuse": 1,
        "name": name,
        "sample": {"shape": list(shape)},
        "schedule": {"kind": "linear", "train_steps": 1000, "beta_start": 0.0001, "beta_end": 0.02},
        "prediction": "epsilon",
        "inputs": {"sample": "x", "time": "t"},
        **fields,
    }


IMAGE = (3, 8, 8)


def models():
    """Yields name, module, manifest, options of `export`."""
    yield "time_first", TimeFirst(3), manifest("time_first", IMAGE, inputs={"time": "timestep", "sample": "x"}), {}
    yield "two_c", TinyNet(3, outputs=6), manifest("two_c", IMAGE, variance="learned_range"), {}
    half = {"example_inputs": {"time": torch.ones(2, dtype=torch.float16)}}
    yield "half", TinyNet(3).half(), manifest("half", IMAGE), half
    yield "time_scalar_f32", TinyNet(3), manifest("time_scalar_f32", IMAGE), {"example_inputs": {"time": torch.tensor(1.0)}}
    one = {"example_inputs": {"time": torch.ones(1, dtype=torch.int32)}}
    yield "time_i32_one", TinyNet(3), manifest("time_i32_one", IMAGE), one
    yield "fixed_batch", TinyNet(3), manifest("fixed_batch", IMAGE), {"dynamic_batch": False}
    yield "rank2", TinyNet(5, axes=0), manifest("rank2", (5,)), {}
    yield "rank5", TinyNet(1, axes=3), manifest("rank5", (1, 2, 4, 4)), {}
    yield "external", TinyNet(3), manifest("external", IMAGE), {"external_data": True}
    # `export` would refuse it: the check meets the NaN.
    yield "not_a_number", NotANumber(3), manifest("not_a_number", IMAGE), {"check": False}
    unit = {"encoding": "unit", "direction": "data"}
    yield "unit_time_to_data", TinyNet(3, time_scale=0.25), manifest("unit_time_to_data", IMAGE, time=unit), {}
    yield "no_manifest", TinyNet(3), manifest("no_manifest", IMAGE), {}
    labelled = {"classes": {"count": 4, "null": 4}, "inputs": {"sample": "x", "time": "t", "class": "y"}}
    yield "labelled", Labelled(3), manifest("labelled", IMAGE, **labelled), {}
    conditions = {"small": {"shape": [3, 4, 4], "kind": "image", "range": [0, 2]}, "vector": {"shape": [5]}}
    told = {"sample": "x", "time": "t", "small": "small", "vector": "vector"}
    yield "conditioned", Conditioned(3), manifest("conditioned", IMAGE, conditions=conditions, inputs=told), {}
    classes = {"classes": {"names": ["a", "b", "c"]}, "prediction": "class_gradient"}
    yield "classifier", ClassGradient(Classifier(3)), manifest("classifier", IMAGE, **classes, inputs=labelled["inputs"]), {"traced": True}
    joined = {"mask": {"shape": [1, 8, 8], "joined": True}, "masked_sample": {"shape": [3, 8, 8], "joined": True}}
    yield "joined", TinyNet(7, outputs=3), manifest("joined", IMAGE, conditions=joined), {}
    yield "derivative", TinyNet(3), manifest("derivative", IMAGE), {"derivative": True}


def by_hand(name, nodes, constants):
    """A model of these nodes, from x and t to output."""
    tensor, flat = onnx.helper.make_tensor_value_info, onnx.numpy_helper.from_array
    sample = ["batch", *IMAGE]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(*node[:3], **(node[3] if node[3:] else {})) for node in nodes], name,
        [tensor("x", onnx.TensorProto.FLOAT, sample), tensor("t", onnx.TensorProto.INT64, ["batch"])],
        [tensor("output", onnx.TensorProto.FLOAT, sample)], [flat(np.array(values), key) for key, values in constants.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    onnx.helper.set_model_props(model, {"diffuse": json.dumps(manifest(name, IMAGE))})
    return model


def mixed():
    """A graph with one node, Hardmax, that OpenVINO leaves to the CPU."""
    return by_hand("mixed", [
        ("Cast", ["t"], ["time"], {"to": onnx.TensorProto.FLOAT}), ("Reshape", ["time", "axes"], ["column"]),
        ("Mul", ["x", "column"], ["product"]), ("Hardmax", ["product"], ["output"]),
    ], {"axes": [-1, 1, 1, 1]})


def failing():
    """A graph that fails where t is below 500: it looks for 999 - t in a table of 500."""
    return by_hand("failing", [
        ("Sub", ["last", "t"], ["place"]), ("Gather", ["table", "place"], ["factor"]), ("Reshape", ["factor", "axes"], ["column"]),
        ("Mul", ["x", "column"], ["output"]),
    ], {"last": 999, "axes": [-1, 1, 1, 1], "table": np.full(500, 0.5, dtype=np.float32)})


def short(generator, shape, dtype):
    """Random numbers that are short in decimal and exact in f16."""
    return (torch.randn(shape, generator=generator) * 64).round().div(64).to(dtype)


def flat(tensor):
    return [float(np.format_float_scientific(value, precision=7)) for value in tensor.flatten().tolist()]


@torch.no_grad()
def case(module, description, options, index, seed):
    dtype = next(module.parameters()).dtype
    batch = 2 if options.get("dynamic_batch", True) else 1
    generator = torch.Generator().manual_seed(seed)
    given = {role: short(generator, [batch, *shape], dtype) for role, shape in sample_shapes(description).items()}
    x = given["sample"]
    told = encoded_times(description)[index]
    example = options.get("example_inputs", {}).get("time")
    given["time"] = torch.full([batch] if example is None or example.numel() > 1 else example.shape, told)
    if "class" in wanted_roles(description):
        given["class"] = torch.arange(seed, seed + batch) % class_count(description)
    output = module(*(given[role] for role in description["inputs"]))
    if not output.isfinite().all():
        return None  # JSON has no NaN
    channels = description["sample"]["shape"][0]
    x, behind = x[:, :channels], x[:, channels:]
    found = {
        "index": index,
        "time": told,
        "shape": list(x.shape),
        "x": x.flatten().tolist(),
        "output_shape": list(output.shape),
        "output": flat(output),
    }
    for role in given.keys() - {"sample", "time"}:
        found[role] = given[role].flatten().tolist()
    for name, condition in sorted(description.get("conditions", {}).items()):
        if condition.get("joined"):
            found[name] = behind[:, :condition["shape"][0]].flatten().tolist()
            behind = behind[:, condition["shape"][0]:]
    if options.get("derivative"):
        direction = short(generator, x.shape, dtype)
        # By forward differentiation in f64; the export differentiates twice backward.
        exact = copy.deepcopy(module).double()
        _, derivative = torch.func.jvp(lambda x: exact(x, given["time"]), (x.double(),), (direction.double(),))
        found |= {"direction": direction.flatten().tolist(), "derivative": flat(derivative)}
    return found


def main():
    parser = argparse.ArgumentParser(description="Writes the models of the Rust tests.")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "fixtures")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    for name, module, description, options in models():
        path = folder / f"{name}.onnx"
        export(module, description, path, **options)
        if name == "no_manifest":
            model = onnx.load(path)
            del model.metadata_props[:]
            onnx.save(model, path)
        cases = [case(module, description, options, index, seed) for seed, index in enumerate((250, 750))]
        text = json.dumps([found for found in cases if found], separators=(",", ":"))
        (folder / f"{name}.json").write_text(text + "\n")
    for model in (mixed(), failing()):
        onnx.save(model, folder / f"{model.graph.name}.onnx")


if __name__ == "__main__":
    main()
