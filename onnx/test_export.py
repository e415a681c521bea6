"""Tests of the manifest's rules and of the exporter, for `python onnx/test_export.py` or pytest.

`src/model/manifest` tests the same manifests in Rust.
"""

import copy
import pathlib
import tempfile

import numpy as np
import onnx
import torch
from torch import nn

from export import ExportError, check_model, export, load_weights, open_session
from fixtures import IMAGE, TinyNet, manifest
from graph import Graph
from manifest import ManifestError, alphas_bar, encoded_times, levels, validate

HERE = pathlib.Path(__file__).parent
LEAST = {"diffuse": 1, "sample": {"shape": list(IMAGE)}, "schedule": {"kind": "linear"}, "prediction": "epsilon"}


def fails(kind, named, action, *arguments, **options):
    try:
        action(*arguments, **options)
    except kind as error:
        assert named in str(error), f"expected a complaint about {named}, found: {error}"
    else:
        raise AssertionError(f"expected a complaint about {named}, found none")


def test_the_least_manifest_holds():
    validate(LEAST)


def test_complaints_name_the_field():
    for section, field, value, named in (
        (None, "diffuse", 2, "diffuse"),
        (None, "diffuse", True, "diffuse"),
        (None, "predictoin", "v", "predictoin: is not a field"),
        (None, "prediction", "noise", "prediction"),
        (None, "prediction", None, "prediction"),
        (None, "variance", "fixed", "variance"),
        (None, "guidance_pair", "first", "guidance_pair"),
        (None, "name", "", "name"),
        (None, "sample", [3, 8, 8], "sample"),
        ("sample", "shape", [3, 8, 0], "sample.shape"),
        ("sample", "shape", [], "sample.shape"),
        ("sample", "shape", [3.0, 8, 8], "sample.shape"),
        ("sample", "range", [1, -1], "sample.range"),
        ("sample", "clip", 1, "sample.clip"),
        ("sample", "channels_last", 1, "sample.channels_last"),
        ("sample", "preview", [[1, 1, 1]] * 3, "sample.preview"),
        ("sample", "kind", "points", "sample.shape"),
        ("schedule", "kind", "karras", "schedule.kind"),
        ("schedule", "kind", ["linear"], "schedule.kind"),
        ("schedule", "train_steps", 0, "schedule.train_steps"),
        ("schedule", "beta_end", 2, "schedule.beta_end"),
        ("schedule", "beta_begin", 1e-4, "schedule.beta_begin"),
        ("time", "scale", 0, "time.scale"),
        ("time", "encoding", "seconds", "time.encoding"),
        ("classes", "null", 3, "classes: has neither names nor a count"),
        ("classes", "names", ["a", "a"], "classes.names"),
        ("classes", "names", [], "classes: has neither names nor a count"),
        ("inputs", "image", "x", "inputs.image"),
        ("inputs", "class", "y", "inputs.class"),
        ("outputs", "epsilon", "x", "outputs.epsilon"),
        ("defaults", "steps", 0, "defaults.steps"),
        ("defaults", "eta", 1.5, "defaults.eta"),
        ("defaults", "grid", "spiral", "defaults.grid"),
    ):
        manifest = copy.deepcopy(LEAST)
        (manifest if section is None else manifest.setdefault(section, {}))[field] = value
        fails(ManifestError, named, validate, manifest)
    for fields, named in (
        ({"schedule": {"kind": "cosine", "beta_start": 1e-4}}, "schedule.beta_start"),
        ({"time": {"encoding": "sigma", "direction": "data"}}, "time.direction"),
        ({"sample": {"shape": [5, 8, 8], "clip": True}}, "sample.clip"),
        ({"sample": {"shape": [5, 8, 8], "kind": "image"}}, "sample.shape"),
        ({"classes": {"names": ["a", "b"], "count": 3}}, "classes.count"),
        ({"inputs": {"sample": "x", "time": "x"}}, "inputs"),
    ):
        fails(ManifestError, named, validate, LEAST | fields)


def test_schedules_agree_with_diffusers():
    from diffusers import DDPMScheduler

    for kind, theirs in (("linear", "linear"), ("scaled_linear", "scaled_linear"), ("cosine", "squaredcos_cap_v2"), ("sigmoid", "sigmoid")):
        reference = DDPMScheduler(beta_schedule=theirs).alphas_cumprod.double().numpy()
        # diffusers computes the betas in f32.
        assert np.abs(alphas_bar({"kind": kind}) - reference).max() < 2e-6, kind


def test_times_are_encoded():
    _, alpha, sigma = levels({"kind": "linear"})
    least, most = (sigma / alpha)[[0, -1]]
    for time, first, last in (
        ({}, 0, 999),
        ({"direction": "data"}, 999, 0),
        ({"encoding": "unit"}, 0.001, 1),
        ({"encoding": "unit", "direction": "data", "scale": 1000, "offset": 1}, 1000, 1),
        ({"encoding": "sigma"}, least, most),
        ({"encoding": "log_sigma", "scale": 0.25}, np.log(least) / 4, np.log(most) / 4),
        ({"encoding": "alpha"}, alpha[0], alpha[-1]),
        ({"encoding": "sigma_squared"}, 1 - alpha[0] ** 2, 1 - alpha[-1] ** 2),
        ({"encoding": "log_snr"}, -2 * np.log(least), -2 * np.log(most)),
    ):
        assert np.allclose(encoded_times(LEAST | {"time": time})[[0, -1]], [first, last], atol=1e-12), time
    vp = {"schedule": {"kind": "vp"}, "time": {"encoding": "log_snr"}}
    assert encoded_times(LEAST | vp)[-1] < -10 < 0 < encoded_times(LEAST | vp)[0]


class Extra(TinyNet):
    def forward(self, x, t, context):
        return super().forward(x, t)


class Pair(TinyNet):
    def forward(self, x, t):
        return super().forward(x, t), t


class Chatty(TinyNet):
    """Holds on to the first item of a batch, as a network with a batch built in does."""

    def forward(self, x, t):
        return super().forward(x[:1].expand_as(x), t)


def test_what_does_not_fit_is_said_and_leaves_nothing_behind():
    class Broken(nn.Module):
        def forward(self, x, t):
            return x / t.to(x.dtype).reshape(-1, 1, 1, 1)

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.onnx"
        for module, fields, options, named in (
            (Extra(3), {}, {}, "forward: expected 2 arguments"),
            (Pair(3), {}, {}, "forward: expected one tensor, found tuple"),
            (Broken(), {}, {}, "forward: expected finite numbers"),
            (TinyNet(3), {"variance": "learned"}, {}, "sample.shape with twice the channels"),
            (TinyNet(3, outputs=6), {}, {}, "sample.shape"),
            (TinyNet(3), {"inputs": {"sample": "x"}}, {}, "inputs"),
            (TinyNet(3), {"time": {"encoding": "unit"}}, {"example_inputs": {"time": torch.ones(2, dtype=torch.int64)}}, "time.encoding"),
            (TinyNet(3), {}, {"example_inputs": {"noise": torch.ones(2)}}, "example_inputs"),
            (TinyNet(3), {}, {"tolerance": 1e-12}, "within 1e-12"),
            (TinyNet(5, axes=0), {"sample": {"shape": [5]}}, {"dynamic_size": True}, "dynamic_size"),
        ):
            fails(ExportError, named, export, module, LEAST | fields, path, **options)
            assert not list(pathlib.Path(folder).iterdir()), f"{named}: left a file behind"
        # One item's output depends on its neighbours: torch agrees with it, only the check of the file can tell.
        export(Chatty(3), LEAST, path)
        fails(ExportError, "the same alone", check_model, path)


def test_weights_come_back_from_the_file():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.onnx"
        net = TinyNet(3)
        export(net, LEAST, path)
        back = load_weights(TinyNet(3), path)
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), back.parameters()))
        export(TinyNet(3), LEAST, path, external_data=True)
        load_weights(TinyNet(3), path)
        model = onnx.load(path)
        model.graph.initializer[0].name = "other"
        onnx.save(model, path)
        fails(ExportError, "found none for", load_weights, TinyNet(3), path)


def test_the_older_exporter_and_open_sizes():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.onnx"
        export(TinyNet(3), LEAST, path, dynamo=False, external_data=True)
        check_model(path)
        export(TinyNet(3), LEAST, path, dynamic_size=True)
        check_model(path)
        assert not path.with_name("model.onnx.data").exists(), "weights of an earlier export were left behind"


class Speech(nn.Module):
    """With a mask of whole numbers, a spectrogram as long as the sample, a number per item, and a vector for all."""

    def __init__(self):
        super().__init__()
        self.enter, self.style, self.leave = nn.Conv1d(8, 8, 3, padding=1), nn.Linear(3, 8), nn.Conv1d(8, 4, 3, padding=1)

    def forward(self, x, t, mask, mu, speed, style):
        told = (t.to(x.dtype) / 1000 + speed).reshape(-1, 1, 1) + self.style(style)[None, :, None]
        return self.leave((self.enter(torch.cat([x, mu], 1)) + told).tanh() * mask[:, None].to(x.dtype))


class ChannelsLast(nn.Module):
    """With its last estimate as an input, and a class as a row of zeros and a one."""

    def __init__(self):
        super().__init__()
        self.enter, self.label, self.leave = nn.Linear(6, 8), nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x, t, y, last):
        told = (t.to(x.dtype) / 1000).reshape(-1, 1, 1, 1) + self.label(y)[:, None, None]
        return self.leave((self.enter(torch.cat([x, last], -1)) + told).tanh())


class GuidancePair(nn.Module):
    """Computes something else for each of its two rows."""

    def __init__(self):
        super().__init__()
        self.text = nn.Linear(5, 3)

    def forward(self, x, t, text):
        told = self.text(text)[:, :, None, None] + t.to(x.dtype).reshape(-1, 1, 1, 1) / 1000
        return (x + told).tanh() * torch.tensor([1.0, 0.5]).reshape(2, 1, 1, 1)


class Prompted(nn.Module):
    """With three columns before the sample."""

    def __init__(self):
        super().__init__()
        self.enter = nn.Conv1d(4, 4, 3, padding=1)

    def forward(self, x, t):
        return self.enter(x)[..., 3:] * t.to(x.dtype).reshape(-1, 1, 1) / 1000


def test_what_other_networks_are_told():
    conditions = {"mask": {"shape": ["T"]}, "mu": {"shape": [4, "T"]}, "speed": {"shape": []}, "style": {"shape": [3], "batch": False}}
    speech = {"sample": {"shape": [4, "T"]}, "conditions": conditions}
    last = {
        "sample": {"shape": [3, 8, 8], "channels_last": True}, "classes": {"count": 4, "null": 4},
        "inputs": {"sample": "x", "time": "t", "class": "y", "self_condition": "last"},
    }
    pair = {"guidance_pair": "negative_first", "conditions": {"text": {"shape": [5]}}}
    prompt = {"shape": [4, 3], "joined": True, "axis": 1, "before": True}
    prompted = {"sample": {"shape": [4, "T"]}, "conditions": {"prompt": prompt}}
    whole, one = {"mask": torch.ones(1, dtype=torch.int64)}, {"mask": torch.ones(1, dtype=torch.bool)}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.onnx"
        for module, fields, options, x, found in (
            (Speech(), speech, {"example_inputs": whole}, [None, 4, None], "tried with T = 64"),
            (Speech(), speech, {"example_inputs": one, "sizes": {"T": 20}, "dynamo": False}, [None, 4, None], "tried with T = 64"),
            (ChannelsLast(), last, {"example_inputs": {"class": torch.zeros(2, 4)}}, [None, 8, 8, 3], "an item alone"),
            (GuidancePair(), pair, {}, [2, 3, 8, 8], "in both rows"),
            (Prompted(), prompted, {}, [None, 4, None], "tried with T = 64"),
            (Prompted(), prompted, {"example_inputs": {"time": torch.ones(2, 1, 1)}}, [None, 4, None], "tried with T = 64"),
            (Prompted(), prompted, {"example_inputs": {"time": torch.tensor(1.0)}}, [None, 4, None], "tried with T = 64"),
        ):
            export(module, LEAST | fields, path, **options)
            graph = Graph(open_session(path), validate(LEAST | fields))
            assert graph.roles["sample"].shape == x, graph.roles["sample"]
            assert any(found in line for line in check_model(path)), found
            path.unlink()
        for options, named in (
            ({"sizes": {"L": 3}}, "sizes"),
            ({"dynamic_size": True}, "dynamic_size"),
            ({"example_inputs": {"time": torch.ones(2, 2)}}, "inputs.time"),
        ):
            fails(ExportError, named, export, Prompted(), LEAST | prompted, path, **options)
            assert not list(pathlib.Path(folder).iterdir()), f"{named}: left a file behind"


def test_the_file_beside_a_model_wins():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.onnx"
        export(TinyNet(3), LEAST, path)
        path.with_suffix(".diffuse.json").write_text('{"diffuse": 2}')
        fails(ManifestError, "schema version", check_model, path)


def test_derivatives_and_half_weights():
    net = TinyNet(3)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "derivative.onnx"
        export(net, manifest("derivative", IMAGE), path, derivative=True)
        found = {tensor.name for tensor in onnx.load(path).graph.output}
        assert found == {"epsilon", "derivative"}, found
        whole, half = pathlib.Path(folder) / "whole.onnx", pathlib.Path(folder) / "half.onnx"
        export(TinyNet(16), manifest("whole", (16, 8, 8)), whole)
        export(TinyNet(16), manifest("half", (16, 8, 8)), half, half_weights=True)
        assert half.stat().st_size < 0.75 * whole.stat().st_size
        assert "fits" in check_model(half)[0]


def test_committed_models_hold_no_paths():
    models = [*HERE.glob("fixtures/**/*.onnx"), *HERE.glob("models/*.onnx")]
    assert models
    for path in models:
        content = path.read_bytes()
        # What a manifest names as its source is meant to be there.
        for script in HERE.glob("*.py"):
            content = content.replace(f'"source": "onnx/{script.name}"'.encode(), b"")
        assert b".py" not in content, path.name


def main():
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            print(f"--- {name}")
            test()


if __name__ == "__main__":
    main()
