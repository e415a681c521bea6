"""Exports a PyTorch noise predictor together with its manifest, and checks what came out.

    from export import export
    export(module, manifest, "model.onnx")

    python onnx/export.py check model.onnx
    python onnx/export.py check model.onnx --sizes L=4800,T=16
"""

import argparse
import contextlib
import copy
import inspect
import io
import json
import logging
import math
import os
import pathlib
import sys
import tempfile
import warnings

import numpy as np

import manifest as schema
from graph import ExportError, Graph, Layout, free_sizes, has_whole_times, usual_sizes
from manifest import ManifestError

# ONNX Runtime 1.29 and later report usage over the network unless told not to before they load.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime  # noqa: E402

# Opset 21 is the first with a GroupNormalization that means what torch's does; below it the exporter writes each one as
# eight nodes. Those run everywhere: OpenVINO 2025.4 reads the node of opset 21 as that of 18, whose scales are per
# group, and refuses the graph. They are also quicker: ONNX Runtime 1.31 opens the sprite model in 40 ms instead of 65,
# and evaluates it in 0.9 of the time.
OPSET = 20

# protobuf ends at 2 GiB, and the graph needs some of that.
LARGEST_SINGLE_FILE = 1_900_000_000

# Largest |difference| over largest |value|. f16 has 11 bits, and torch and ONNX Runtime round after
# different operations; a wrong time or a swapped input is off by far more than this.
TOLERANCE = {"float32": 1e-4, "float64": 1e-4, "float16": 2e-2, "bfloat16": 5e-2}


def export(
    module,
    manifest,
    path,
    *,
    example_inputs=None,
    opset=OPSET,
    dynamic_batch=True,
    dynamic_size=False,
    external_data=None,
    dynamo=True,
    sizes=None,
    tolerance=None,
    check=True,
    derivative=False,
    traced=False,
    half_weights=False,
):
    """Writes `module` as an ONNX file that carries `manifest`, and compares it with the module.

    manifest        as docs/model/manifest.md describes it. The order of `inputs` is the order of forward's arguments.
                    Without `inputs` the names of forward's arguments give the roles.
    example_inputs  {role: tensor} where the default does not fit. Only type and form count. For a time or a class a
                    scalar stays a scalar, one of shape [1] stays [1], and any other is one per item. A class is a row
                    of zeros and a one where its last axis is as long as there are classes.
                    Default: the module's own float type, int64 for classes and for whole times.
    dynamic_batch   False fixes the batch axis at 1. With guidance_pair it is fixed at 2 in any case.
    dynamic_size    leaves height and width (axes 2 and 3) open as well, where sample.shape has numbers for them.
                    Sizes that are free in the manifest are open in any case.
    sizes           {name: size} for free sizes in the comparison, where the usual ones do not go together.
    external_data   True puts the weights into a second file, `<path>.data`. Default: only where they are too large for
                    one file.
    dynamo          False takes torch's older, tracing exporter, for modules that torch.export refuses.
    tolerance       the largest relative error that passes. Default: by type, see TOLERANCE.
    check           False writes the file without running it.
    derivative      True adds the input `direction`, shaped like the sample, and the output `derivative`: the module's
                    Jacobian with respect to the sample times the direction, for likelihoods. An evaluation then takes
                    three to four times as long, so keep another file for sampling.
    half_weights    True stores the weights in f16, for half the file. They become f32 when the model is opened, and
                    everything is computed in f32. The file is compared with a module that has such weights.
    traced          True traces the module's operations, for one that differentiates itself (torch.func).

    Returns the largest relative error (None without a check). Nothing is left at `path` if it fails.
    """
    import torch

    manifest = schema.validate(manifest)
    path = pathlib.Path(path)
    if derivative:
        module, manifest, traced = with_derivative(module, manifest)
    if half_weights:
        module = copy.deepcopy(module)
        for weight in [*module.parameters(), *module.buffers()]:
            if weight.is_floating_point():
                weight.data = weight.data.half().to(weight.dtype)
    roles = forward_roles(module, manifest)
    outputs = {"prediction": manifest["prediction"], **manifest.get("outputs", {})}
    manifest = {**manifest, "inputs": roles, "outputs": outputs}
    manifest = schema.validate(manifest)
    weights = [*module.parameters(), *module.buffers()]
    if external_data is None:
        external_data = sum(weight.nbytes for weight in weights) > LARGEST_SINGLE_FILE
    prototypes = example_prototypes(manifest, weights, example_inputs or {}, sizes or {})
    pair = "guidance_pair" in manifest
    batch = 2 if dynamic_batch or pair else 1  # torch.export takes an axis of 1 for a constant
    dynamic_batch = dynamic_batch and not pair
    example = tuple(prototypes[role].draw(batch) for role in roles)

    path.parent.mkdir(parents=True, exist_ok=True)
    training = module.training
    module.eval()
    try:
        # Beside the target, so that the last step is a rename within one file system. The files have
        # their final names in there, because the model refers to its weights by name.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
            partial = pathlib.Path(folder) / path.name
            axes = dynamic_axes(manifest, prototypes, dynamic_batch, dynamic_size)
            with torch.no_grad():
                write(module, example, manifest, axes, partial, opset, external_data, dynamo, traced, half_weights)
                error = compare(module, manifest, prototypes, partial, axes, sizes, tolerance) if check else None
            if not external_data:
                path.with_name(path.name + ".data").unlink(missing_ok=True)
            # The weights first: a reader that sees the new model finds what it refers to.
            for file in sorted(pathlib.Path(folder).iterdir(), reverse=True):
                file.replace(path.parent / file.name)
    finally:
        module.train(training)

    size = path.stat().st_size + (path.with_name(path.name + ".data").stat().st_size if external_data else 0)
    said = "not checked" if error is None else f"largest relative error {error:.1e}"
    print(f"{path.name}: {sum(p.numel() for p in module.parameters()):,} parameters, {size:,} bytes, {said}")
    return error


def with_derivative(module, manifest):
    """The module and the manifest with a direction and a derivative, and that it has to be traced."""
    import torch

    roles = forward_roles(module, manifest)
    place = list(roles).index("sample")

    class Derivative(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = module

        def forward(self, *arguments):
            *arguments, direction = arguments

            def of_sample(x):
                return self.module(*arguments[:place], x, *arguments[place + 1:])

            # The derivative of the transposed derivative, which is linear: torch.func.jvp meets operators that cannot
            # be traced.
            said, transposed = torch.func.vjp(of_sample, arguments[place])
            if said.shape != arguments[place].shape:
                raise ExportError(
                    f"derivative: expected an output of the sample's shape, found {list(said.shape)}"
                )
            _, derivative = torch.func.vjp(lambda cotangent: transposed(cotangent)[0], torch.zeros_like(said))
            return said, derivative(direction)[0]

    inputs = {**roles, "direction": "direction"}
    outputs = {"prediction": manifest["prediction"], **manifest.get("outputs", {}), "derivative": "derivative"}
    return Derivative(), {**manifest, "inputs": inputs, "outputs": outputs}, True


def forward_roles(module, manifest):
    """Role -> tensor name, in the order of forward's arguments."""
    arguments = [
        argument for argument in inspect.signature(module.forward).parameters.values()
        if argument.kind in (argument.POSITIONAL_ONLY, argument.POSITIONAL_OR_KEYWORD)
    ]
    wanted = set(schema.wanted_roles(manifest))
    roles = manifest.get("inputs")
    if roles is None:
        guessed = schema.guess_roles([argument.name for argument in arguments], manifest)
        order = [argument.name for argument in arguments]
        roles = dict(sorted(guessed.items(), key=lambda item: order.index(item[1])))
    elif set(roles) != wanted:
        raise ExportError(
            f"inputs: expected all of {', '.join(sorted(wanted))} in the order of forward's arguments, found {', '.join(roles)}"
        )
    if any(argument.kind == argument.VAR_POSITIONAL for argument in inspect.signature(module.forward).parameters.values()):
        return roles
    required = [argument.name for argument in arguments if argument.default is argument.empty]
    if len(required) > len(roles):
        raise ExportError(
            f"forward: expected {len(roles)} arguments ({', '.join(roles)}), found {', '.join(required)}; "
            "wrap the module in one that takes only these and fills in the rest"
        )
    return roles


class Prototype:
    """The type and the layout of an input."""

    def __init__(self, role, dtype, device, layout, one_hot=False):
        self.role, self.dtype, self.device, self.layout, self.one_hot = role, dtype, device, layout, one_hot

    def draw(self, batch):
        import torch

        shape = self.layout.shape(batch)
        if self.role in ("time", "class") or not self.dtype.is_floating_point:
            value = torch.full(shape, 0 if self.role == "class" else 1, dtype=self.dtype, device=self.device)
            if self.one_hot:
                value[..., 0] = 1
            return value
        return torch.randn(shape, dtype=self.dtype, device=self.device)


def example_prototypes(manifest, weights, examples, sizes):
    import torch

    unknown = set(examples) - set(manifest["inputs"])
    if unknown:
        raise ExportError(f"example_inputs: expected the roles {', '.join(manifest['inputs'])}, found {', '.join(unknown)}")
    names = free_sizes(manifest)
    if set(sizes) - set(names):
        raise ExportError(f"sizes: expected some of the free sizes {', '.join(names) or '(there are none)'}, found {', '.join(sizes)}")
    device = weights[0].device if weights else torch.device("cpu")
    floating = next((weight.dtype for weight in weights if weight.is_floating_point()), torch.float32)
    defaults = {"sample": floating, "time": torch.int64 if has_whole_times(manifest) else floating, "class": torch.int64}
    conditions = manifest.get("conditions", {})
    prototypes = {}
    shapes = schema.sample_shapes(manifest, usual_sizes(names) | sizes)
    for role in manifest["inputs"]:
        example = examples.get(role)
        dtype = defaults.get(role, floating) if example is None else example.dtype
        condition = conditions.get(role, {})
        batch = None if condition.get("batch") is False else schema.batch_axis(condition.get("shape", ()))
        prototype = Prototype(role, dtype, device, Layout(shapes.get(role, []), batch))
        if role in ("time", "class") and example is not None:
            layout = list(example.shape)
            if role == "class" and example.ndim > 1 and example.shape[-1] > 1:
                prototype.one_hot = True
                layout.pop()
            longer = [place for place, size in enumerate(layout) if size != 1]
            if len(longer) > 1:
                raise ExportError(f"inputs.{role}: expected one number, or one for each item, found an example of shape {list(example.shape)}")
            width = [example.shape[-1]] if prototype.one_hot else []
            prototype.layout = Layout([1] * (len(layout) - len(longer)) + width, longer[0] if longer else None)
        prototypes[role] = prototype
    return prototypes


def dynamic_axes(manifest, prototypes, dynamic_batch, dynamic_size):
    """Role -> {axis: name} of the axes that stay open."""
    axes = {}
    shapes, sample = schema.sample_shapes(manifest), manifest["sample"]
    joined = [condition.get("axis", 0) for condition in manifest.get("conditions", {}).values() if schema.is_joined(condition)]
    for role, prototype in prototypes.items():
        item = list(shapes.get(role, ()))
        if role == "sample" and joined:
            # Its axis is longer than that of others with this name.
            place = (joined[0] - bool(sample.get("channels_last"))) % len(item)
            item[place] = f"{item[place]}_joined" if isinstance(item[place], str) else item[place]
        layout = Layout(item, prototype.layout.batch)
        axes[role] = {place: name for place, name in enumerate(layout.shape(schema.BATCH)) if isinstance(name, str)}
        if not dynamic_batch and layout.batch is not None:
            del axes[role][layout.batch]
    if dynamic_size:
        plain = len(sample["shape"]) == 3 and not sample.get("channels_last") and not any(joined)
        if not plain or any(isinstance(size, str) for size in sample["shape"]):
            raise ExportError(
                f"dynamic_size: expected a sample of [channels, height, width] in numbers, found {sample['shape']}; "
                "sizes that are names in sample.shape are open without it"
            )
        axes["sample"] |= {2: "height", 3: "width"}
        if "self_condition" in axes:
            axes["self_condition"] |= {2: "height", 3: "width"}
    return axes


def write(module, example, manifest, axes, path, opset, external_data, dynamo, traced, half_weights):
    import onnx
    import torch

    inputs, outputs = list(manifest["inputs"].values()), list(manifest["outputs"].values())
    output = manifest["outputs"]["prediction"]
    found = module(*example)
    if not isinstance(found, torch.Tensor) and len(outputs) == 1:
        raise ExportError(f"forward: expected one tensor, found {type(found).__name__}; wrap the module in one that returns it")
    common = {"input_names": inputs, "output_names": outputs, "opset_version": opset}
    with quiet():
        if traced:
            if not dynamo:
                raise ExportError("dynamo: a module that is traced needs the newer exporter, dynamo=True")
            shapes = tuple(axes[role] for role in manifest["inputs"])
            write_traced(module, example, inputs, outputs, shapes, path, opset, external_data)
            model = onnx.load(path, load_external_data=False)
        elif dynamo:
            shapes = tuple(axes[role] for role in manifest["inputs"])
            torch.onnx.export(
                module, example, path, **common, dynamo=True, dynamic_shapes=shapes, external_data=external_data, verbose=False
            )
            model = onnx.load(path, load_external_data=False)
        else:
            names = {name: axes[role] for role, name in manifest["inputs"].items()} | {output: axes["sample"]}
            # Without constant folding the initializers keep the parameters' names. This exporter ends at
            # opset 20, and spreads large weights over many files, so everything is read in and written anew.
            raw = path.with_suffix(".raw")
            torch.onnx.export(
                module, example, raw, **common | {"opset_version": min(opset, 20)}, dynamo=False,
                dynamic_axes=names, do_constant_folding=False,
            )
            model = onnx.load(raw)
            for file in path.parent.iterdir():
                file.unlink()
    strip(model)
    if half_weights:
        if external_data:
            raise ExportError("half_weights: not together with external_data")
        store_in_half(model)
    model.metadata_props.add(key=schema.METADATA_KEY, value=json.dumps(manifest, ensure_ascii=False))
    if external_data and not dynamo:
        onnx.save(model, path, save_as_external_data=True, location=path.name + ".data", size_threshold=0)
    else:
        onnx.save(model, path)


def store_in_half(model):
    """Turns the larger f32 weights into f16 ones with a cast behind each, which ONNX Runtime makes once, when it opens
    the model.
    """
    import onnx

    casts, renamed = [], {}
    for weight in model.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT and math.prod(weight.dims) >= 64:
            values = onnx.numpy_helper.to_array(weight)
            # Constants that a trace has made of weights need not be ones that f16 holds.
            if not np.array_equal(values.astype(np.float16).astype(np.float32), values):
                continue
            weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), weight.name))
            renamed[weight.name] = f"{weight.name}_f32"
            casts.append(onnx.helper.make_node("Cast", [weight.name], [renamed[weight.name]], to=onnx.TensorProto.FLOAT))
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def convolution_backward(
    gradient, x, weight, bias_sizes, stride, padding, dilation, transposed, output_padding, groups, output_mask
):
    """The gradient of a convolution with respect to its input, in operators that ONNX has: a convolution the other
    way.
    """
    import torch

    if output_mask[1] or output_mask[2]:
        raise ExportError("traced: the gradient with respect to a convolution's weights cannot be exported; detach them")
    if transposed:
        back = torch.ops.aten.convolution(gradient, weight, None, stride, padding, dilation, False, [0] * len(stride), groups)
        return back, None, None
    # A stride leaves some of the input's last positions unread; the way back has to make up for them.
    unread = [
        int(x.shape[axis + 2]) - ((int(gradient.shape[axis + 2]) - 1) * stride[axis] - 2 * padding[axis]
                                  + dilation[axis] * (weight.shape[axis + 2] - 1) + 1)
        for axis in range(len(stride))
    ]
    back = torch.ops.aten.convolution(gradient, weight, None, stride, padding, dilation, True, unread, groups)
    return back, None, None


def write_traced(module, example, inputs, outputs, shapes, path, opset, external_data):
    """Exports what `module` does to `example`, its own differentiation included, which torch.export does not take."""
    import onnx
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    table = {torch.ops.aten.convolution_backward.default: convolution_backward}
    graph = make_fx(module, table, tracing_mode="symbolic", _allow_non_fake_inputs=True)(*example)
    # The graph's inner values are named after their operators, which may be what an input is called: `t` is one.
    names = {f"graph_{kind}_{name}": name for kind, found in (("input", inputs), ("output", outputs)) for name in found}
    torch.onnx.export(
        graph, example, path, input_names=list(names)[:len(inputs)], output_names=list(names)[len(inputs):], opset_version=opset,
        dynamo=True, dynamic_shapes=shapes, external_data=external_data, verbose=False,
    )
    model = onnx.load(path, load_external_data=False)
    for other in set(names.values()):
        names.setdefault(other, f"inner_{other}")

    def rename(texts):
        texts[:] = [names.get(text, text) for text in texts]

    for node in model.graph.node:
        rename(node.input)
        rename(node.output)
    for item in [*model.graph.input, *model.graph.output, *model.graph.initializer, *model.graph.value_info]:
        item.name = names.get(item.name, item.name)
    onnx.save(model, path)


@contextlib.contextmanager
def quiet():
    """Holds back the exporters' progress reports, and shows them only if the export fails."""
    said = io.StringIO()
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(said):
            warnings.simplefilter("ignore")
            yield
    except Exception:
        print(said.getvalue(), file=sys.stderr)
        raise
    finally:
        logger.setLevel(level)


def strip(model):
    """Removes the exporter's own debugging notes: stack traces, with paths of this machine."""

    def clear(item):
        for field in ("metadata_props", "doc_string"):
            with contextlib.suppress(ValueError):  # this kind of item has no such field
                item.ClearField(field)

    def walk(graph):
        clear(graph)
        # Shapes of intermediate tensors; ONNX Runtime infers them.
        with contextlib.suppress(ValueError):
            graph.ClearField("value_info")
        for node in graph.node:
            clear(node)
            for attribute in node.attribute:
                for inner in [attribute.g] * attribute.HasField("g") + list(attribute.graphs):
                    walk(inner)

    clear(model)
    walk(model.graph)
    for item in [*model.graph.input, *model.graph.output, *model.graph.initializer]:
        clear(item)
    for function in model.functions:
        walk(function)


def initializers(path):
    """Name -> array of the weights in an ONNX file."""
    import onnx

    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


def load_weights(module, path):
    """Loads a module's parameters and buffers back from the ONNX file that it was exported to.

    Raises if one is missing or of another shape. The exporter renames weights that it folds.
    """
    import torch

    stored = initializers(path)
    state = module.state_dict()
    missing = [name for name in state if name not in stored]
    if missing:
        raise ExportError(f"{pathlib.Path(path).name}: expected an initializer for each parameter, found none for {', '.join(missing)}")
    module.load_state_dict({name: torch.from_numpy(stored[name].copy()) for name in state})
    return module


# --------------------------------------------------------------------------------------- checking


def open_session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised as well
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def compare(module, manifest, prototypes, path, axes, sizes, tolerance):
    """The largest relative error of ONNX Runtime against torch."""
    import torch

    graph = Graph(open_session(path), manifest)
    complaints = graph.complaints
    for role, name in manifest["inputs"].items():
        tensor = graph.inputs.get(name)
        for axis, open_axis in axes[role].items() if tensor else ():
            if tensor.shape[axis] is not None:
                complaints.append(
                    f"inputs.{role}: expected the axis {open_axis} to stay open, found {tensor}; "
                    "something in forward turns it into a constant"
                )
    if complaints:
        raise ExportError("\n".join(complaints))
    worst, name = 0.0, manifest["outputs"]["prediction"]
    for trial in graph.trials(sizes, other_size="height" in axes["sample"].values()):
        arguments = [torch.from_numpy(trial.given[role]).to(prototypes[role].device) for role in manifest["inputs"]]
        said = module(*arguments)
        expected = [one.detach().cpu().numpy() for one in (said if isinstance(said, tuple) else (said,))]
        for values in expected:
            if not np.isfinite(values).all():
                raise ExportError(f"forward: expected finite numbers, found {values[~np.isfinite(values)][0]} ({trial})")
        limit = tolerance or TOLERANCE[str(expected[0].dtype)]
        error = max(difference(*both, name, trial) for both in zip(graph.run(trial), expected))
        if not error <= limit:
            raise ExportError(
                f"tensor {name}: expected torch's output within {limit:.0e}, found a relative error of {error:.1e} ({trial})"
            )
        worst = max(worst, error)
    return worst


def difference(found, expected, name, trial):
    """Largest |difference| over largest |expected|. Raises where the shapes differ."""
    if found.shape != expected.shape:
        raise ExportError(f"tensor {name}: expected {list(expected.shape)}, found {list(found.shape)} ({trial})")
    largest = np.abs(expected).max().astype(np.float64)
    return np.abs(found.astype(np.float64) - expected).max() / max(largest, np.finfo(np.float32).tiny)


def read_manifest(path, session):
    """The manifest of a model and where it was found: the file beside it wins."""
    beside = schema.sidecar(path)
    inside = session.get_modelmeta().custom_metadata_map.get(schema.METADATA_KEY)
    if beside.exists():
        content, place = beside.read_bytes(), beside.name
    elif inside is not None:
        content, place = inside.encode(), "metadata"
    else:
        raise ExportError(f"there is no manifest: expected the metadata key {schema.METADATA_KEY} or the file {beside.name}")
    try:
        found = schema.parsed(schema.decoded(content))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ExportError(f"{place}: expected JSON, found {error}") from error
    return schema.validate(found), place


def check_model(path, sizes=None):
    """Checks a model file against its manifest and runs it, with free sizes as in `sizes` where they are there. Returns
    a description in lines.
    """
    session = open_session(path)
    manifest, place = read_manifest(path, session)
    graph = Graph(session, manifest)
    if graph.complaints:
        raise ExportError("\n".join(graph.complaints))
    worst, said = None, graph.said["prediction"]
    for trial in graph.trials(sizes):
        found = graph.items(graph.run(trial), trial)
        if not np.isfinite(found).all():
            raise ExportError(f"tensor {said.name}: expected finite numbers, found {found[~np.isfinite(found)][0]} ({trial})")
        if trial.batch > 1 and graph.fixed_batch() is None:
            alone = trial.alone()
            error = difference(found[-1:], graph.items(graph.run(alone), alone), said.name, alone)
            if not error <= 10 * TOLERANCE[said.type]:
                raise ExportError(f"tensor {said.name}: expected an item to come out the same alone, found a relative error of {error:.1e} ({trial})")
            worst = max(worst or 0.0, error)
    one = "one item is evaluated at a time"
    how = {None: f"an item alone and in a batch differ by {worst or 0:.1e}", 1: one}
    batch = f"{one}, in both rows of the batch" if graph.pair else how.get(graph.batch, f"{graph.batch} items are evaluated at a time")
    sizes = ", ".join(f"{name} = {size}" for name, size in graph.chosen_sizes(sizes or {}).items())
    return [
        f"{pathlib.Path(path).name}: the manifest ({place}) fits",
        *(f"  in   {tensor}" for tensor in graph.inputs.values()),
        *(f"  out  {tensor}" for tensor in graph.outputs.values()),
        f"  {batch}",
        *([f"  tried with {sizes}"] if sizes else []),
        json.dumps(manifest, indent=2, ensure_ascii=False),
    ]


def named_sizes(text):
    """`L=4800,T=16` as a dictionary."""
    sizes = {}
    for part in text.split(","):
        name, _, size = part.partition("=")
        if not (size.isdecimal() and int(size) > 0):
            raise argparse.ArgumentTypeError(f"expected NAME=SIZE,NAME=SIZE, found {text}")
        sizes[name.strip()] = int(size)
    return sizes


def main():
    parser = argparse.ArgumentParser(description="Checks an exported model.")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="Compares a model with its manifest, and runs it.")
    check.add_argument("model", type=pathlib.Path)
    check.add_argument("--sizes", type=named_sizes, help="The sizes for free sizes, as L=4800,T=16.")
    arguments = parser.parse_args()
    try:
        print("\n".join(check_model(arguments.model, arguments.sizes)))
    except (ExportError, ManifestError) as error:
        sys.exit(f"{arguments.model.name}: {error}")


if __name__ == "__main__":
    main()
