"""The manifest, version 1: what a noise predictor's graph does not say about itself.

`README.md` describes every field. `fixtures/manifests.json` has cases that these rules and those of `src/onnx/manifest.rs` are both
held against; beyond them this side is the stricter one (it refuses empty texts, for one).
"""

import json
import math
import pathlib
import re

import numpy as np

METADATA_KEY = "diffuse"
VERSION = 1

SCHEDULES = ("linear", "scaled_linear", "cosine", "sigmoid")
PREDICTIONS = ("epsilon", "x0", "v")
VARIANCES = ("none", "learned", "learned_range")
ENCODINGS = ("index", "unit", "sigma", "log_sigma")
DIRECTIONS = ("noise", "data")
KINDS = ("image", "points", "tensor")
GRIDS = ("leading", "trailing", "linspace")

# More is a slip of whoever wrote the manifest.
MOST_VALUES = 1 << 28
MOST_CLASSES = 1_000_000

# What a graph's inputs are usually called, where the manifest does not name them.
USUAL_NAMES = {
    "sample": ("x", "sample", "x_t", "noisy_sample"),
    "time": ("t", "timestep", "timesteps", "time", "sigma"),
    "class": ("y", "class_labels", "labels", "class"),
}


class ManifestError(ValueError):
    """Carries every complaint, not only the first."""

    def __init__(self, complaints):
        self.complaints = complaints
        super().__init__("the manifest does not hold:\n" + "\n".join(f"  {complaint}" for complaint in complaints))


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_integer(value, least=0):
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


class Checker:
    """Walks a manifest and collects complaints of the form `field: expected ..., found ...`."""

    def __init__(self):
        self.complaints = []

    def complain(self, field, expected, found):
        self.complaints.append(f"{field}: expected {expected}, found {json.dumps(found, default=repr)}")

    def section(self, parent, key, fields, required=False):
        """A nested object whose fields are all known; {} where it is absent or not an object."""
        if key not in parent:
            if required:
                self.complaints.append(f"{key}: is required")
            return {}
        if not isinstance(parent[key], dict):
            self.complain(key, "an object", parent[key])
            return {}
        self.known(parent[key], f"{key}.", fields)
        return parent[key]

    def known(self, section, prefix, fields):
        for field in section:
            if field not in fields:
                self.complaints.append(f"{prefix}{field}: is not a field of version {VERSION}; known are {', '.join(fields)}")

    def value(self, section, field, expected, holds):
        """Complains where the field's last part is present in `section` and `holds` is false of it."""
        key = field.rpartition(".")[2]
        if key in section and not holds(section[key]):
            self.complain(field, expected, section[key])
            return False
        return key in section

    def choice(self, section, field, choices, required=False):
        given = self.value(section, field, f"one of {', '.join(choices)}", lambda value: value in choices)
        if required and field.rpartition(".")[2] not in section:
            self.complaints.append(f"{field}: is required, one of {', '.join(choices)}")
        return given

    def text(self, section, field):
        return self.value(section, field, "a text that is not empty", lambda value: isinstance(value, str) and value != "")

    def number(self, section, field):
        return self.value(section, field, "a finite number", is_number)

    def integer(self, section, field, least):
        return self.value(section, field, f"an integer of at least {least}", lambda value: is_integer(value, least))


def validate(manifest):
    """Raises `ManifestError` unless every field is known, of its type, and fits the others."""
    check = Checker()
    if not isinstance(manifest, dict):
        raise ManifestError([f"expected an object, found {type(manifest).__name__}"])
    # A newer schema may mean anything by its fields, so its version is the only useful complaint.
    if manifest.get("diffuse") != VERSION or isinstance(manifest["diffuse"], bool):
        raise ManifestError([f"diffuse: expected the schema version {VERSION}, found {manifest.get('diffuse')!r}"])

    check.known(manifest, "", (
        "diffuse", "name", "description", "license", "source", "sample", "schedule", "prediction",
        "variance", "time", "classes", "inputs", "outputs", "defaults",
    ))
    check.value(
        manifest, "name", "1 to 64 letters, digits, '-', '_' and '.', not beginning with '.'",
        lambda value: isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}", value),
    )
    for field in ("description", "license", "source"):
        check.text(manifest, field)
    check.choice(manifest, "prediction", PREDICTIONS, required=True)
    check.choice(manifest, "variance", VARIANCES)
    validate_sample(check, manifest)
    validate_schedule(check, manifest)
    validate_time(check, manifest)
    validate_classes(check, manifest)
    validate_tensors(check, manifest)
    validate_defaults(check, manifest)
    if check.complaints:
        raise ManifestError(check.complaints)


def validate_sample(check, manifest):
    sample = check.section(manifest, "sample", ("shape", "kind", "range", "clip"), required=True)
    if "sample" in manifest and "shape" not in sample:
        check.complaints.append("sample.shape: is required, the shape of one item without the batch axis")

    def is_shape(value):
        return isinstance(value, list) and value and all(is_integer(size, 1) for size in value)

    def is_range(value):
        return isinstance(value, list) and len(value) == 2 and all(map(is_number, value)) and value[0] < value[1]

    shaped = check.value(sample, "sample.shape", "a list of positive integers, not empty", is_shape)
    check.choice(sample, "sample.kind", KINDS)
    check.value(sample, "sample.range", "[low, high] with low below high", is_range)
    check.value(sample, "sample.clip", "true or false", lambda value: isinstance(value, bool))
    if not shaped or not is_shape(sample["shape"]):
        return
    shape = sample["shape"]
    if math.prod(shape) > MOST_VALUES:
        check.complain("sample.shape", f"at most {MOST_VALUES} values", shape)
    if sample.get("kind") == "image" and not looks_like_image(shape):
        check.complain("sample.shape", "[1, 3 or 4 channels, height, width] for the kind image", shape)
    if sample.get("kind") == "points" and shape != [2]:
        check.complain("sample.shape", "[2] for the kind points", shape)
    if sample.get("clip") is True and "range" not in sample and sample_kind(sample) != "image":
        check.complaints.append("sample.clip: is true, but there is no sample.range to clip to")


def validate_schedule(check, manifest):
    fields = ("kind", "train_steps", "beta_start", "beta_end")
    schedule = check.section(manifest, "schedule", fields, required=True)
    if "schedule" in manifest:
        check.choice(schedule, "schedule.kind", SCHEDULES, required=True)
    check.value(
        schedule, "schedule.train_steps", "an integer from 1 to 1000000",
        lambda value: is_integer(value, 1) and value <= 1_000_000,
    )
    before = len(check.complaints)
    for field in ("beta_start", "beta_end"):
        if schedule.get("kind") == "cosine" and field in schedule:
            check.complaints.append(f"schedule.{field}: the cosine schedule has no betas to set")
        check.value(
            schedule, f"schedule.{field}", "a number between 0 and 1, both excluded",
            lambda value: is_number(value) and 0 < value < 1,
        )
    steps = schedule.get("train_steps", 1000)
    sound = len(check.complaints) == before and is_integer(steps, 1) and steps <= 1_000_000
    if sound and schedule.get("kind") in SCHEDULES and not alphas_bar(schedule)[-1] > 0:
        check.complaints.append(f"schedule: after {steps} steps nothing of the clean sample is left; expected fewer steps or a smaller beta")


def validate_time(check, manifest):
    time = check.section(manifest, "time", ("encoding", "scale", "offset", "direction"))
    check.choice(time, "time.encoding", ENCODINGS)
    check.choice(time, "time.direction", DIRECTIONS)
    check.value(time, "time.scale", "a finite number other than 0", lambda value: is_number(value) and value != 0)
    check.number(time, "time.offset")
    if time.get("direction") == "data" and time.get("encoding", "index") not in ("index", "unit"):
        check.complain("time.direction", f"noise with the encoding {time['encoding']}", "data")


def validate_classes(check, manifest):
    classes = check.section(manifest, "classes", ("names", "count", "null"))

    def is_names(value):
        return isinstance(value, list) and value and all(isinstance(name, str) and name for name in value)

    named = check.value(classes, "classes.names", "a list of names, not empty", is_names)
    for field, least in (("classes.count", 1), ("classes.null", 0)):
        check.value(
            classes, field, f"an integer from {least} to {MOST_CLASSES}",
            lambda value, least=least: is_integer(value, least) and value <= MOST_CLASSES,
        )
    if "classes" in manifest and "names" not in classes and "count" not in classes:
        check.complaints.append("classes: has neither names nor a count")
    if named and is_names(classes["names"]):
        names = classes["names"]
        if len(set(names)) < len(names):
            check.complain("classes.names", "each name once", names)
        if "count" in classes and classes["count"] != len(names):
            check.complain("classes.count", f"{len(names)}, as many as there are names", classes["count"])


def validate_tensors(check, manifest):
    inputs = check.section(manifest, "inputs", tuple(USUAL_NAMES))
    outputs = check.section(manifest, "outputs", ("prediction",))
    for role in inputs:
        if role in USUAL_NAMES:
            check.text(inputs, f"inputs.{role}")
    check.text(outputs, "outputs.prediction")
    names = [name for name in inputs.values() if isinstance(name, str)]
    if len(set(names)) < len(names):
        check.complain("inputs", "another tensor for each role", inputs)
    if "class" in inputs and "classes" not in manifest:
        check.complaints.append("inputs.class: is named, but there are no classes")


def validate_defaults(check, manifest):
    defaults = check.section(manifest, "defaults", ("solver", "steps", "grid", "steps_offset", "eta"))
    check.text(defaults, "defaults.solver")
    check.choice(defaults, "defaults.grid", GRIDS)
    check.integer(defaults, "defaults.steps", 1)
    check.integer(defaults, "defaults.steps_offset", 0)
    offset = defaults.get("steps_offset", 0)
    if is_integer(offset, 1):
        if defaults.get("grid", "trailing") != "leading":
            check.complain("defaults.steps_offset", "0, since only the grid leading has an offset", offset)
        if offset >= manifest.get("schedule", {}).get("train_steps", 1000):
            check.complain("defaults.steps_offset", "less than schedule.train_steps", offset)
    check.value(defaults, "defaults.eta", "a number from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1)


def looks_like_image(shape):
    return len(shape) == 3 and shape[0] in (1, 3, 4)


def sample_kind(sample):
    """The kind, by its default where it is not given."""
    shape = list(sample["shape"])
    return sample.get("kind") or ("image" if looks_like_image(shape) else "points" if shape == [2] else "tensor")


def class_count(manifest):
    """How many classes there are besides the null class; 0 for an unconditional model."""
    classes = manifest.get("classes", {})
    return classes.get("count", len(classes.get("names", ())))


def alphas_bar(schedule):
    """The cumulative products of 1 - beta, in f64."""
    steps = schedule.get("train_steps", 1000)
    start, end = schedule.get("beta_start", 1e-4), schedule.get("beta_end", 0.02)
    match schedule["kind"]:
        case "linear":
            betas = np.linspace(start, end, steps)
        case "scaled_linear":
            betas = np.linspace(math.sqrt(start), math.sqrt(end), steps) ** 2
        case "sigmoid":
            betas = start + (end - start) / (1 + np.exp(-np.linspace(-6, 6, steps)))
        case "cosine":  # Nichol & Dhariwal 2021, eq. 17
            curve = np.cos((np.arange(steps + 1) / steps + 0.008) / 1.008 * math.pi / 2) ** 2
            betas = np.minimum(1 - curve[1:] / curve[:-1], 0.999)
    return np.cumprod(1 - betas)


def encoded_times(manifest):
    """What the network is told at each of the indices 0 ... T-1, in f64."""
    time = manifest.get("time", {})
    steps = manifest["schedule"].get("train_steps", 1000)
    index = np.arange(steps, dtype=np.float64)
    toward_data = time.get("direction", "noise") == "data"
    match time.get("encoding", "index"):
        case "index":
            encoded = steps - 1 - index if toward_data else index
        case "unit":
            encoded = 1 - (index + 1) / steps if toward_data else (index + 1) / steps
        case "sigma":
            encoded = sigmas(manifest["schedule"])
        case "log_sigma":
            encoded = np.log(sigmas(manifest["schedule"]))
    return time.get("scale", 1.0) * encoded + time.get("offset", 0.0)


def sigmas(schedule):
    """The ratio of noise to signal, sqrt((1 - alpha_bar) / alpha_bar), at each index."""
    bar = alphas_bar(schedule)
    return np.sqrt((1 - bar) / bar)


def covering(sigma_min, sigma_max, train_steps=1000):
    """A linear schedule whose sigmas run from `sigma_min` to `sigma_max`.

    For networks that are told sigma itself: any schedule that covers their range will do.
    """
    first = sigma_min**2 / (1 + sigma_min**2)
    low, high = first, 1 - 1e-9
    for _ in range(100):  # sigma_max grows with the last beta
        last = (low + high) / 2
        schedule = {"kind": "linear", "train_steps": train_steps, "beta_start": first, "beta_end": last}
        low, high = (last, high) if sigmas(schedule)[-1] < sigma_max else (low, last)
    return schedule


def sidecar(path):
    """The file beside a model that wins over the manifest inside it."""
    return pathlib.Path(path).with_suffix(".diffuse.json")


def guess_roles(names, manifest):
    """Role -> name for the given tensor names: what the manifest says, else what is usual."""
    roles = dict(manifest.get("inputs", {}))
    wanted = ["sample", "time"] + (["class"] if "classes" in manifest else [])
    for role in wanted:
        if role not in roles:
            usual = [name for name in names if name in USUAL_NAMES[role] and name not in roles.values()]
            if len(usual) != 1:
                raise ManifestError([
                    f"inputs.{role}: is not given, and of the inputs {', '.join(names)} "
                    f"{len(usual)} have a usual name ({', '.join(USUAL_NAMES[role])})"
                ])
            roles[role] = usual[0]
    return roles
