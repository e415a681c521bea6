"""Writes the inputs of the tests of `diffuse-cli inspect --samples` into `fixtures/denoisers/`:

    python onnx/denoisers.py             graphs that are the best denoiser of the mixture in tests/support/mixture.rs,
                                         each with another prediction and another time; needs numpy and onnx alone
    python onnx/denoisers.py --sprites   sprites.png as well: 20 sprites and 20 that may have a defect, which no network
                                         here was trained on

The graphs have no manifest. The tests find out what it would state.
"""

import argparse
import pathlib

import numpy as np
import onnx
from onnx import TensorProto as Type
from onnx import helper

from manifest import alphas_bar
from predictors import OPSET, Graph

FOLDER = pathlib.Path(__file__).with_name("fixtures") / "denoisers"

# Of each mode: its weight, its mean, and its standard deviations along x and y.
MODES = [(0.5, [-1.0, 0.5], [0.3, 0.2]), (0.3, [1.2, 0.8], [0.15, 0.4]), (0.2, [0.3, -1.3], [0.25, 0.25])]
SIGMA_DATA = 0.5


class Denoiser(Graph):
    """E[x0 | x] as a graph, of y = x0 + u·noise with u = sigma/alpha."""

    def of(self, kind, value, number):
        return self.op(kind, value, self.constant(number))

    def squared(self, value):
        return self.op("Mul", value, value)

    def clean(self, y, u):
        y = self.op("Unsqueeze", y, self.constant([1], np.int64))
        noise = self.op("Unsqueeze", self.squared(u), self.constant([1], np.int64))
        weights, means, deviations = (np.array([mode[part] for mode in MODES]) for part in range(3))
        variance = self.of("Add", noise, [deviations**2])
        residual = self.of("Sub", y, [means])
        log = self.op("Add", self.op("Div", self.squared(residual), variance), self.op("Log", variance))
        log = self.op("ReduceSum", log, self.constant([2], np.int64), keepdims=0)
        likely = self.op("Softmax", self.of("Add", self.of("Mul", log, -0.5), [np.log(weights)]), axis=1)
        likely = self.op("Unsqueeze", likely, self.constant([2], np.int64))
        mean = self.of("Add", self.op("Mul", residual, self.op("Div", self.constant([deviations**2]), variance)), [means])
        return self.op("ReduceSum", self.op("Mul", likely, mean), self.constant([1], np.int64), keepdims=0)


def bounded(graph, value, least, most):
    """Keeps a graph's input within its possible values. The tests try times far beyond them."""
    return graph.of("Min", graph.of("Max", value, least), most)


def of_sigma(graph, told):
    sigma = bounded(graph, told, 1e-4, 1e4)
    return graph.op("Div", sigma, sigma), sigma


def of_log_sigma(graph, told):
    return of_sigma(graph, graph.op("Exp", graph.of("Mul", bounded(graph, told, -2.0, 2.0), 4.0)))


def of_alpha(graph, told):
    alpha = bounded(graph, told, 1e-3, 0.999999)
    return alpha, graph.op("Sqrt", graph.op("Sub", graph.constant(1.0), graph.squared(alpha)))


def of_log_snr(graph, told):
    told = bounded(graph, told, -20.0, 20.0)
    return tuple(graph.op("Sqrt", graph.op("Sigmoid", value)) for value in (told, graph.op("Neg", told)))


def of_path(graph, told):
    alpha = bounded(graph, told, 1e-4, 0.9999)
    return alpha, graph.op("Sub", graph.constant(1.0), alpha)


def of_noisy_path(graph, told):
    return of_path(graph, graph.op("Sub", graph.constant(1.0), graph.of("Mul", told, 0.001)))


def of_index(graph, told):
    alphas = np.sqrt(alphas_bar({"kind": "linear"}))
    return of_alpha(graph, graph.op("Gather", graph.constant(alphas), told))


def answer(graph, prediction, x, alpha, sigma):
    """The output of a perfect network."""
    u = graph.op("Div", sigma, alpha)
    y = graph.op("Div", x, alpha)
    if prediction == "edm":
        size = graph.op("Sqrt", graph.of("Add", graph.squared(u), SIGMA_DATA**2))
        y = graph.op("Mul", x, size)
        skipped = graph.op("Div", graph.of("Mul", y, SIGMA_DATA**2), graph.squared(size))
        scale = graph.op("Div", graph.of("Mul", u, SIGMA_DATA), size)
        return graph.op("Div", graph.op("Sub", graph.clean(y, u), skipped), scale)
    clean = graph.clean(y, u)
    noise = graph.op("Div", graph.op("Sub", y, clean), u)
    match prediction:
        case "epsilon":
            return noise
        case "x0":
            return clean
        case "v":
            return graph.op("Sub", graph.op("Mul", alpha, noise), graph.op("Mul", sigma, clean))
        case "flow":
            return graph.op("Sub", noise, clean)
        case "flow_to_data":
            return graph.op("Sub", clean, noise)


# The file's name: what it predicts, and the levels by what it is told.
GRAPHS = {
    "edm_log_sigma": ("edm", of_log_sigma),
    "x0_sigma": ("x0", of_sigma),
    "epsilon_alpha": ("epsilon", of_alpha),
    "v_log_snr": ("v", of_log_snr),
    "flow_1000": ("flow", of_noisy_path),
    "flow_to_data": ("flow_to_data", of_path),
    "epsilon_index": ("epsilon", of_index),
}


def write(name):
    prediction, levels = GRAPHS[name]
    graph = Denoiser()
    x = graph.input("x", Type.FLOAT, ["b", 2])
    told = graph.input("t", Type.INT64 if levels is of_index else Type.FLOAT, ["b"])
    alpha, sigma = levels(graph, graph.op("Unsqueeze", told, graph.constant([1], np.int64)))
    graph.nodes.append(helper.make_node("Identity", [answer(graph, prediction, x, alpha, sigma)], ["out"]))
    outputs = [helper.make_tensor_value_info("out", Type.FLOAT, ["b", 2])]
    body = helper.make_graph(graph.nodes, name, graph.inputs, outputs, graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    (FOLDER / f"{name}.onnx").write_bytes(model.SerializeToString())


def write_sprites():
    """A sheet of 8 columns: sprites, two of each class one after the other, then every second one with a defect."""
    from PIL import Image

    from sprite_defects import draw_defects
    from sprites import draw_dataset

    sprites = np.concatenate([np.asarray(draw_dataset(99, 2)[0]), np.asarray(draw_defects(29, 20)[0])])
    sheet = sprites.reshape(5, 8, 4, 32, 32).transpose(0, 3, 1, 4, 2).reshape(160, 256, 4)
    Image.fromarray(sheet).save(FOLDER / "sprites.png", optimize=True)


def main():
    parser = argparse.ArgumentParser(description="Writes what the tests of inspect --samples need.")
    parser.add_argument("--sprites", action="store_true", help="Writes the sheet of sprites as well.")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in GRAPHS:
        write(name)
    if arguments.sprites:
        write_sprites()


if __name__ == "__main__":
    main()
