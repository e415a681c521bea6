"""Exports a diffusers pipeline, text encoders, denoiser and autoencoder, to a folder of ONNX files.

    python onnx/pipelines.py FOLDER OUT
    python onnx/pipelines.py FOLDER OUT --f16
    python onnx/pipelines.py FOLDER OUT --preview-decoder TINY

FOLDER is on this machine, as `save_pretrained` writes it. The families are those of `FAMILIES` below. OUT gets the
layout of optimum's exporter: `model_index.json`, `scheduler/` and `tokenizer/` as they are, and for each network a
folder with `model.onnx` and its `config.json`. The autoencoder becomes two, `vae_encoder` and `vae_decoder`. Names,
types and order of the tensors are optimum's too.

- Batch, height, width and length of the text are open. Sizes that a U-Net cannot halve evenly work as well, but not
  for one without a text. A DiT has one size, which is its `sample_size`.
- Weights too large for one file go to `model.onnx_data` beside it. The two files belong together.
- `--f16` makes every tensor of floating point f16, with the inputs and outputs.
- The autoencoder of a VQModel has no distribution. Its `vae_encoder` gives `latent_sample`, where others give the
  `latent_parameters`, means and logarithms of variances.
- `--preview-decoder` takes the folder of an AutoencoderTiny of the same latents, such as TAESD. Its decoder becomes
  `preview_decoder`, which shows previews in place of the factors.
- `diffuse.preview.json` has the factors of a cheap preview: red, green and blue as sums over the channels of the
  denoiser's latent, and a summand. -1 is black and 1 is white. They are fitted to the decoder's pictures of random
  latents.

Each graph is run in ONNX Runtime beside torch, at two other batches and sizes. Nothing is left at OUT if they differ by
more than 1e-4 of the largest value (2e-2 for f16).
"""

import argparse
import contextlib
import importlib
import io
import json
import logging
import os
import pathlib
import shutil
import tempfile
import warnings

import numpy as np
import onnx
import torch

# ONNX Runtime 1.29 and later report usage over the network unless told not to before they load.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime  # noqa: E402

OPSET = 17

# protobuf ends at 2 GiB, and the graph needs some of that.
LARGEST_SINGLE_FILE = 1_900_000_000

# Largest |difference| over largest |value|.
TOLERANCE = {torch.float32: 1e-4, torch.float16: 2e-2}

# Pipelines whose graphs are the same are in it by each name that repositories give them.
FAMILIES = {
    "StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline", "StableDiffusionInpaintPipeline",
    "StableDiffusionInstructPix2PixPipeline", "StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline",
    "StableDiffusionXLInpaintPipeline", "LatentConsistencyModelPipeline", "DDPMPipeline", "DDIMPipeline", "LDMPipeline",
    "DiTPipeline",
}

# Of such a pipeline, what else may lie in its folder: it does not take part in drawing.
IGNORED = {"safety_checker", "feature_extractor", "image_encoder"}

BATCH_AND_LENGTH = {0: "batch_size", 1: "sequence_length"}


class PipelineError(Exception):
    pass


class Part(torch.nn.Module):
    """The computation of one graph: `function` of the module and the inputs."""

    def __init__(self, module, function):
        super().__init__()
        self.module, self.function = module, function

    def forward(self, *inputs):
        return self.function(self.module, *inputs)


class Sizes:
    """The sizes of an example."""

    def __init__(self, batch, height, width, length):
        self.batch, self.height, self.width, self.length = batch, height, width, length


class Graph:
    """A graph to be written: a module, a function of it, and its inputs and outputs in their order.

    inputs     {name: (draw, axes)}, where `draw(sizes)` is an example, and axes are {axis: name} of those that are open
    outputs    {name: axes}
    unit       heights and widths are multiples of it
    """

    def __init__(self, folder, module, function, inputs, outputs, unit=1):
        self.folder, self.inputs, self.outputs, self.unit = folder, inputs, outputs, unit
        self.part = Part(module, function).eval()

    def draw(self, sizes):
        return tuple(draw(sizes) for draw, _ in self.inputs.values())

    def dynamic_axes(self):
        axes = {name: axes for name, (_, axes) in self.inputs.items()} | self.outputs
        return {name: axes for name, axes in axes.items() if axes}


def text_encoder(folder, model, kind, index):
    """The text encoders of CLIP. Those of XL also have an output for each layer, without the last normalization."""
    hidden_states = "XL" in index["_class_name"]
    config, projected = model.config, type(model).__name__ == "CLIPTextModelWithProjection"

    def function(model, ids):
        said = model(ids, output_hidden_states=hidden_states)
        last = said.last_hidden_state
        first = (said.text_embeds, last) if projected else (last, said.pooler_output)
        return (*first, *said.hidden_states) if hidden_states else first

    def draw(sizes):
        # The special tokens are the last ones. The end is in the middle of it, with more of them behind.
        ids = torch.randint(0, config.vocab_size - 2, (sizes.batch, sizes.length))
        ids[:, 0] = config.vocab_size - 2
        ids[:, sizes.length // 2:] = config.vocab_size - 1
        return ids

    outputs = {"last_hidden_state": BATCH_AND_LENGTH}
    pooled = {0: "batch_size"}
    outputs = {"text_embeds": pooled} | outputs if projected else outputs | {"pooler_output": pooled}
    if hidden_states:
        outputs |= {f"hidden_states.{layer}": BATCH_AND_LENGTH for layer in range(config.num_hidden_layers + 1)}
    return Graph(folder, model, function, {"input_ids": (draw, BATCH_AND_LENGTH)}, outputs)


def unet(folder, model, kind, index):
    """UNet2DConditionModel, and UNet2DModel, which has no condition but the time."""
    config = model.config
    image_axes = {0: "batch_size", 2: "height", 3: "width"}

    def sample(sizes):
        return torch.randn(sizes.batch, config.in_channels, sizes.height, sizes.width, dtype=kind)

    inputs = {
        "sample": (sample, image_axes),
        "timestep": (lambda sizes: torch.tensor(float(torch.randint(0, 1000, ()))).to(kind), {}),
    }
    conditions = []

    def condition(name, draw, axes):
        inputs[name] = draw, axes
        conditions.append(name)

    def vector(name, width, most=None):
        def draw(sizes):
            value = torch.randn(sizes.batch, width) if most is None else torch.randint(0, most, (sizes.batch, width))
            return value.to(kind)

        condition(name, draw, {0: "batch_size"})

    for field in ("class_embed_type", "num_class_embeds", "encoder_hid_dim_type"):
        if config.get(field) is not None:
            raise PipelineError(f"{folder}: expected a U-Net without {field}, found {config[field]}")
    if "cross_attention_dim" in config:
        condition(
            "encoder_hidden_states",
            lambda sizes: torch.randn(sizes.batch, sizes.length, config.cross_attention_dim, dtype=kind),
            BATCH_AND_LENGTH,
        )
        if config.addition_embed_type == "text_time":
            embedding = model.add_embedding.linear_1.in_features
            # Six numbers for the sizes, and five of the refiner. The rest is the pooled text.
            ids = 5 if index.get("requires_aesthetics_score") else 6
            vector("text_embeds", embedding - ids * config.addition_time_embed_dim)
            vector("time_ids", ids, most=64)
        elif config.addition_embed_type is not None:
            raise PipelineError(f"{folder}: expected addition_embed_type text_time, found {config.addition_embed_type}")
        if config.time_cond_proj_dim is not None:
            vector("timestep_cond", config.time_cond_proj_dim)

    def function(model, sample, timestep, *values):
        told = dict(zip(conditions, values))
        added = {name: told.pop(name) for name in ("text_embeds", "time_ids") if name in told}
        if added:
            told["added_cond_kwargs"] = added
        return model(sample, timestep, return_dict=False, **told)[0]

    # The one without a text doubles its sizes on the way up, whatever they were on the way down.
    unit = 1 if "cross_attention_dim" in config else 2 ** (len(config.block_out_channels) - 1)
    return Graph(folder, model, function, inputs, {"out_sample": image_axes}, unit)


def transformer(folder, model, kind, index):
    """DiTTransformer2DModel, which has one size."""
    config = model.config
    shape = config.in_channels, config.sample_size, config.sample_size

    def function(model, hidden_states, timestep, class_labels):
        return model(hidden_states, timestep, class_labels, return_dict=False)[0]

    # With the one that stands for none.
    classes = config.num_embeds_ada_norm + 1
    inputs = {
        "hidden_states": (lambda sizes: torch.randn(sizes.batch, *shape, dtype=kind), {0: "batch_size"}),
        "timestep": (lambda sizes: torch.randint(0, 1000, (sizes.batch,)).to(kind), {0: "step"}),
        "class_labels": (lambda sizes: torch.randint(0, classes, (sizes.batch,)), {0: "batch_size"}),
    }
    return Graph(folder, model, function, inputs, {"out_sample": {0: "batch_size"}})


def vae_factor(config):
    """How many pixels a latent stands for, along either side."""
    return 2 ** (len(config.block_out_channels) - 1)


def decoded_from(x, config):
    """The decoder's input for a latent of the denoiser."""
    mean, deviation = config.get("latents_mean"), config.get("latents_std")
    if mean is not None and deviation is not None:
        mean, deviation = (torch.tensor(values).reshape(1, -1, 1, 1) for values in (mean, deviation))
        return x * deviation / config.scaling_factor + mean
    return x / config.scaling_factor + (config.get("shift_factor") or 0)


def autoencoder(model, kind):
    """The two halves of an AutoencoderKL or a VQModel."""
    config, factor = model.config, vae_factor(model.config)
    quantized = type(model).__name__ == "VQModel"

    def encode(model, sample):
        if quantized:
            return model.encode(sample, return_dict=False)[0]
        return model.encode(sample, return_dict=False)[0].parameters

    def decode(model, latent):
        return model.decode(latent, return_dict=False)[0]

    def picture(sizes):
        return torch.rand(sizes.batch, config.in_channels, factor * sizes.height, factor * sizes.width).to(kind) * 2 - 1

    def latent(sizes):
        x = torch.randn(sizes.batch, config.latent_channels, sizes.height, sizes.width)
        return decoded_from(x, config).to(kind)

    pixels = {0: "batch_size", 2: "sample_height", 3: "sample_width"}
    latents = {0: "batch_size", 2: "latent_height", 3: "latent_width"}
    named = "latent_sample" if quantized else "latent_parameters"
    return [
        Graph("vae_encoder", model, encode, {"sample": (picture, pixels)}, {named: latents}),
        Graph("vae_decoder", model, decode, {"latent_sample": (latent, latents)}, {"sample": pixels}),
    ]


def preview_decoder(model, kind):
    """The decoder of an AutoencoderTiny."""
    def latent(sizes):
        return torch.randn(sizes.batch, model.config.latent_channels, sizes.height, sizes.width).to(kind)

    def decode(model, latent):
        return model.decode(latent, return_dict=False)[0]

    pixels = {0: "batch_size", 2: "sample_height", 3: "sample_width"}
    latents = {0: "batch_size", 2: "latent_height", 3: "latent_width"}
    return Graph("preview_decoder", model, decode, {"latent_sample": (latent, latents)}, {"sample": pixels})


PARTS = {
    "CLIPTextModel": text_encoder, "CLIPTextModelWithProjection": text_encoder, "UNet2DConditionModel": unet,
    "UNet2DModel": unet, "DiTTransformer2DModel": transformer, "Transformer2DModel": transformer,
}
AUTOENCODERS = ("AutoencoderKL", "VQModel")


@contextlib.contextmanager
def quiet():
    """The tracer warns of every shape that it might be a constant. The comparison finds out whether one is."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def as_in_torch(model):
    """Gives the weights the names that they have in the module."""
    prefix = "module."

    def short(name):
        return name.removeprefix(prefix)

    for weight in model.graph.initializer:
        weight.name = short(weight.name)
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.input[:] = [short(name) for name in node.input]
        node.output[:] = [short(name) for name in node.output]


def write(graph, path, largest=LARGEST_SINGLE_FILE, rewrite=None):
    """Writes the graph to path, a `model.onnx`, and perhaps a `model.onnx_data`."""
    # Odd sizes: a U-Net that is traced at even ones doubles its sizes on the way up, and fits no others. Weights that
    # are too large for one file are spread over many by torch, so everything is read in and written anew.
    example = graph.draw(Sizes(2, 9, 7, 77) if graph.unit == 1 else Sizes(2, 3 * graph.unit, 2 * graph.unit, 77))
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        raw = pathlib.Path(folder, "model.onnx")
        with quiet(), torch.no_grad():
            torch.onnx.export(
                graph.part, example, str(raw), input_names=list(graph.inputs), output_names=list(graph.outputs),
                dynamic_axes=graph.dynamic_axes(), opset_version=OPSET, dynamo=False,
            )
        model = onnx.load(raw)
    as_in_torch(model)
    if rewrite:
        rewrite(model)
    # Of more than 2 GiB protobuf does not even say how large it is.
    if sum(weight.ByteSize() for weight in model.graph.initializer) > largest:
        onnx.save(model, path, save_as_external_data=True, location=path.name + "_data", size_threshold=1024)
    else:
        onnx.save(model, path)


def compare(graph, path, kind):
    """The largest difference between torch and ONNX Runtime, as a share of the largest value, at several sizes."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    found = [one.name for one in session.get_inputs()], [one.name for one in session.get_outputs()]
    if found != (list(graph.inputs), list(graph.outputs)):
        raise PipelineError(f"{graph.folder}: expected {list(graph.inputs)} and {list(graph.outputs)}, found {found}")
    worst = exact = np.float32(0)
    larger = 1 if graph.unit > 1 else 4
    for batch, height, width, length in ((1, 2, 2, 77), (3, 2, 3, 20)):
        inputs = graph.draw(Sizes(batch, larger * graph.unit * height, larger * graph.unit * width, length))
        with torch.no_grad():
            wanted = graph.part(*inputs)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        said = session.run(None, {name: value.numpy() for name, value in zip(graph.inputs, inputs)})
        for name, ours, theirs in zip(graph.outputs, said, wanted, strict=True):
            theirs = theirs.float().numpy()
            if ours.shape != theirs.shape:
                raise PipelineError(f"{graph.folder}: {name}: expected the shape {theirs.shape}, found {ours.shape}")
            difference = np.abs(ours.astype(np.float32) - theirs).max()
            # Unlike Python's maximum, it keeps what is not a number.
            exact, worst = np.maximum(exact, difference), np.maximum(worst, difference / np.abs(theirs).max())
    if not worst <= TOLERANCE[kind]:
        raise PipelineError(
            f"{graph.folder}: expected to differ from torch by at most {TOLERANCE[kind]} of the largest value, "
            f"found {worst:.1e}"
        )
    return worst, exact


def preview(model):
    """For red, green and blue the factors of a latent's channels, and a summand, by least squares."""
    config, factor = model.config, vae_factor(model.config)
    generator = torch.Generator().manual_seed(0)
    rows, targets = [], []
    # A picture has large areas and small ones: noise of several sizes, of a variance of one in all.
    for size in (1, 2, 4, 8) * 4:
        coarse = torch.randn(1, config.latent_channels, max(16 // size, 1), max(16 // size, 1), generator=generator)
        x = torch.nn.functional.interpolate(coarse, size=(16, 16), mode="nearest")
        with torch.no_grad():
            picture = model.decode(decoded_from(x, config), return_dict=False)[0].clamp(-1, 1)
        small = torch.nn.functional.avg_pool2d(picture, factor)
        rows.append(x.permute(0, 2, 3, 1).reshape(-1, config.latent_channels))
        targets.append(small.permute(0, 2, 3, 1).reshape(-1, small.shape[1]))
    rows, targets = torch.cat(rows).double().numpy(), torch.cat(targets).double().numpy()
    rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    found = np.linalg.lstsq(rows, targets, rcond=None)[0].T
    left = ((rows @ found.T - targets) ** 2).mean() / targets.var()
    # A grey picture is shown in grey.
    found = np.repeat(found, 3, axis=0) if len(found) == 1 else found[:3]
    return [[round(float(factor), 5) for factor in row] for row in found], left


def read(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PipelineError(f"{path}: expected this file, found none") from None


def store(value, path):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def without_path(config):
    """Where a model was loaded from is nobody's business."""
    return {key: value for key, value in config.items() if key != "_name_or_path"}


def components(folder):
    """The parts that `model_index.json` names: {name: (library, class)}, of those that are there."""
    index = read(folder / "model_index.json")
    family = index.get("_class_name")
    if family not in FAMILIES:
        raise PipelineError(f"model_index.json: expected one of {', '.join(sorted(FAMILIES))}, found {family}")
    named = {
        name: tuple(value) for name, value in index.items()
        if isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value)
    }
    return index, {name: value for name, value in named.items() if name not in IGNORED}


def load(path, library, kind_of_class, kind):
    if library not in ("diffusers", "transformers"):
        raise PipelineError(f"model_index.json: {path.name}: expected a class of diffusers or transformers, found {library}")
    said = {"torch_dtype" if library == "diffusers" else "dtype": kind}
    if library == "transformers" and kind == torch.float16:
        # Torch's exporter writes the mask of the fused attention in f32, whatever it is added to.
        said["attn_implementation"] = "eager"
    with quiet(), contextlib.redirect_stderr(io.StringIO()):
        model = getattr(importlib.import_module(library), kind_of_class).from_pretrained(path, **said)
    return model.eval().requires_grad_(False)


def store_graphs(graphs, config, out, kind, largest, rewrite):
    """Writes graphs of one model with its configuration, and compares them: {part: the largest relative error}."""
    errors = {}
    for graph in graphs:
        path = out / graph.folder / "model.onnx"
        path.parent.mkdir()
        store(without_path(config), path.parent / "config.json")
        write(graph, path, largest, rewrite)
        torch.manual_seed(0)
        errors[graph.folder], exact = compare(graph, path, kind)
        size = sum(file.stat().st_size for file in path.parent.iterdir())
        print(
            f"{out.name}/{graph.folder}: {size:,} bytes, largest difference {exact:.1e}, "
            f"{errors[graph.folder]:.1e} of the largest value"
        )
    return errors


def export(folder, out, half=False, largest=LARGEST_SINGLE_FILE, rewrite=None, tiny=None):
    """Writes the pipeline of `folder` to `out`, which must not be there. Returns {part: the largest relative error}.

    half      every tensor of floating point as f16
    largest   of how many bytes on a graph has its weights in a second file
    rewrite   is called with each graph before it is written, to change it in place
    tiny      the folder of an AutoencoderTiny, which shows previews
    """
    folder, out = pathlib.Path(folder), pathlib.Path(out)
    if out.exists():
        raise PipelineError(f"{out.name}: expected a folder that is not there yet")
    index, named = components(folder)
    kind = torch.float16 if half else torch.float32
    out.parent.mkdir(parents=True, exist_ok=True)
    errors, channels = {}, []
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as partial:
        partial = pathlib.Path(partial, out.name)
        partial.mkdir()
        store(without_path(index), partial / "model_index.json")
        for name, (library, kind_of_class) in named.items():
            if kind_of_class in AUTOENCODERS:
                model = load(folder / name, library, kind_of_class, kind)
                graphs = autoencoder(model, kind)
                channels.append(model.config.latent_channels)
                # In f16 a CPU takes half an hour to decode a few pictures of a real one.
                fitted = model if kind == torch.float32 else load(folder / name, library, kind_of_class, torch.float32)
                factors, left = preview(fitted)
                del fitted
                store({"preview": factors}, partial / "diffuse.preview.json")
                print(f"{out.name}: the preview leaves {left:.0%} of the variance of random pictures")
            elif kind_of_class in PARTS:
                model = load(folder / name, library, kind_of_class, kind)
                graphs = [PARTS[kind_of_class](name, model, kind, index)]
            elif name == "scheduler" or name.startswith("tokenizer"):
                shutil.copytree(folder / name, partial / name, copy_function=shutil.copyfile)
                continue
            else:
                known = ", ".join([*PARTS, *AUTOENCODERS])
                raise PipelineError(f"model_index.json: {name}: expected one of {known}, found {kind_of_class}")
            errors |= store_graphs(graphs, read(folder / name / "config.json"), partial, kind, largest, rewrite)
            # One at a time in memory.
            del model, graphs
        if tiny is not None:
            small = load(pathlib.Path(tiny), "diffusers", "AutoencoderTiny", kind)
            if small.config.latent_channels not in channels:
                raise PipelineError(
                    f"{tiny}: expected latents of {', '.join(map(str, channels))} channels, as the autoencoder's are, found "
                    f"{small.config.latent_channels}"
                )
            graph = preview_decoder(small, kind)
            errors |= store_graphs([graph], read(pathlib.Path(tiny, "config.json")), partial, kind, largest, rewrite)
        partial.replace(out)
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("out", type=pathlib.Path, metavar="OUT")
    parser.add_argument("--f16", action="store_true", help="Exports every tensor of floating point as f16.")
    parser.add_argument("--preview-decoder", metavar="TINY", help="The folder of an AutoencoderTiny, for previews.")
    arguments = parser.parse_args()
    try:
        export(arguments.folder, arguments.out, arguments.f16, tiny=arguments.preview_decoder)
    except PipelineError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
