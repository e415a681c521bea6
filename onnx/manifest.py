"""The manifest, version 1: what a noise predictor's graph does not say about itself.

`README.md` describes every field. `fixtures/manifests.json` has cases that these rules and those of `src/model/manifest.rs` are both
held against; beyond them this side is the stricter one (it refuses empty texts, for one).
"""

import json
import math
import pathlib
import re

import numpy as np

METADATA_KEY = "diffuse"
VERSION = 1

# The fields of each kind of schedule, beside the kind.
SCHEDULES = {
    "linear": ("train_steps", "beta_start", "beta_end", "terminal"),
    "scaled_linear": ("train_steps", "beta_start", "beta_end", "terminal"),
    "sigmoid": ("train_steps", "beta_start", "beta_end", "terminal"),
    "cosine": ("train_steps", "terminal"),
    "exponential": ("train_steps", "terminal"),
    "laplace": ("train_steps", "terminal"),
    "trained": ("betas", "terminal"),
    "vp": ("beta_min", "beta_max", "least_time"),
    "sub_vp": ("beta_min", "beta_max", "least_time"),
    "ve": ("sigma_min", "sigma_max", "least_time"),
    "edm": ("sigma_min", "sigma_max"),
    "trigonometric": ("least_time",),
    "flow": ("least_time",),
}
CONTINUOUS = ("vp", "sub_vp", "ve", "edm", "trigonometric", "flow")
TERMINALS = ("as_trained", "zero_snr", "floored")
PREDICTIONS = ("epsilon", "x0", "v", "score", "flow", "flow_to_data", "posterior_mean", "edm", "class_gradient")
INPUT_SCALINGS = ("none", "unit_variance")
VARIANCES = ("none", "learned", "learned_range")
ENCODINGS = ("index", "unit", "sigma", "log_sigma")
DIRECTIONS = ("noise", "data")
KINDS = ("image", "points", "tensor")
GRIDS = (
    "leading", "trailing", "linspace", "simple", "sgm-uniform", "beta", "crash", "lcm", "karras", "exponential", "beta-sigma",
)
ENDINGS = ("clean", "first", "level")

# More is a slip of whoever wrote the manifest.
MOST_VALUES = 1 << 28
MOST_CLASSES = 1_000_000

# What a graph's inputs are usually called, where the manifest does not name them.
USUAL_NAMES = {
    "sample": ("x", "sample", "x_t", "noisy_sample"),
    "time": ("t", "timestep", "timesteps", "time", "sigma"),
    "class": ("y", "class_labels", "labels", "class"),
}


ROLES = (*USUAL_NAMES, "direction")


class ManifestError(ValueError):
    """Carries every complaint, not only the first."""

    def __init__(self, complaints):
        self.complaints = complaints
        super().__init__("the manifest does not hold:\n" + "\n".join(f"  {complaint}" for complaint in complaints))


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_integer(value, least=0):
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def decoded(content):
    """The text of a JSON file: UTF-8 with or without a byte-order mark, or UTF-16 with one (PowerShell writes that)."""
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    return content.decode("utf-16" if wide else "utf-8-sig")


def parsed(text):
    """What JSON says, with whole numbers as such (Godot writes `1000.0`). A key that is there twice is refused, since each reader would take another."""

    def unique(pairs):
        seen = dict(pairs)
        if len(seen) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ManifestError([f"{twice}: is there twice"])
        return seen

    def number(spelled):
        value = float(spelled)
        # −0 has no counterpart.
        whole = value.is_integer() and abs(value) < 2**53 and str(value) != "-0.0"
        return int(value) if whole else value

    return json.loads(text.removeprefix("\ufeff"), object_pairs_hook=unique, parse_float=number)


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
        "input_scaling", "variance", "time", "classes", "conditions", "inputs", "outputs", "defaults",
    ))
    check.value(
        manifest, "name", "1 to 64 letters, digits, '-', '_' and '.', not beginning with '.'",
        lambda value: isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}", value),
    )
    for field in ("description", "license", "source"):
        check.text(manifest, field)
    check.choice(manifest, "prediction", PREDICTIONS, required=True)
    check.choice(manifest, "input_scaling", INPUT_SCALINGS)
    check.choice(manifest, "variance", VARIANCES)
    validate_sample(check, manifest)
    validate_schedule(check, manifest)
    validate_prediction(check, manifest)
    validate_time(check, manifest)
    validate_classes(check, manifest)
    validate_conditions(check, manifest)
    validate_tensors(check, manifest)
    validate_defaults(check, manifest)
    if check.complaints:
        raise ManifestError(check.complaints)


def validate_sample(check, manifest):
    sample = check.section(manifest, "sample", ("shape", "kind", "range", "clip", "clamp", "sigma_data", "deviation"), required=True)
    if "sample" in manifest and "shape" not in sample:
        check.complaints.append("sample.shape: is required, the shape of one item without the batch axis")

    def is_shape(value):
        return isinstance(value, list) and value and all(is_integer(size, 1) for size in value)

    def is_range(value):
        return isinstance(value, list) and len(value) == 2 and all(map(is_number, value)) and value[0] < value[1]

    shaped = check.value(sample, "sample.shape", "a list of positive integers, not empty", is_shape)
    check.choice(sample, "sample.kind", KINDS)
    check.value(sample, "sample.range", "[low, high] with low below high", is_range)
    for field in ("clip", "clamp"):
        check.value(sample, f"sample.{field}", "true or false", lambda value: isinstance(value, bool))
    # What sigma_data was called once.
    for field in ("sigma_data", "deviation"):
        check.value(sample, f"sample.{field}", "a number above 0", lambda value: is_number(value) and value > 0)
    if "sigma_data" in sample and "deviation" in sample:
        check.complaints.append("sample.deviation: is the former name of sample.sigma_data, which is there as well")
    if not shaped or not is_shape(sample["shape"]):
        return
    shape = sample["shape"]
    if math.prod(shape) > MOST_VALUES:
        check.complain("sample.shape", f"at most {MOST_VALUES} values", shape)
    if sample.get("kind") == "image" and not looks_like_image(shape):
        check.complain("sample.shape", "[1, 3 or 4 channels, height, width] for the kind image", shape)
    if sample.get("kind") == "points" and shape != [2]:
        check.complain("sample.shape", "[2] for the kind points", shape)
    for field in ("clip", "clamp"):
        if sample.get(field) is True and "range" not in sample and sample_kind(sample) != "image":
            check.complaints.append(f"sample.{field}: is true, but there is no sample.range to {field} to")


def validate_schedule(check, manifest):
    schedule = check.section(manifest, "schedule", ("kind", *dict.fromkeys(sum(SCHEDULES.values(), ()))), required=True)
    if "schedule" in manifest:
        check.choice(schedule, "schedule.kind", tuple(SCHEDULES), required=True)
    kind = schedule.get("kind")
    if not isinstance(kind, str) or kind not in SCHEDULES:
        return
    before = len(check.complaints)
    for field in schedule:
        if field != "kind" and field not in SCHEDULES[kind]:
            check.complaints.append(f"schedule.{field}: the schedule {kind} has {', '.join(SCHEDULES[kind])}")
    check.choice(schedule, "schedule.terminal", TERMINALS)
    check.value(
        schedule, "schedule.train_steps", "an integer from 1 to 1000000",
        lambda value: is_integer(value, 1) and value <= 1_000_000,
    )
    for field in ("beta_start", "beta_end", "least_time"):
        check.value(
            schedule, f"schedule.{field}", "a number between 0 and 1, both excluded",
            lambda value: is_number(value) and 0 < value < 1,
        )
    for field in ("beta_min", "beta_max", "sigma_min", "sigma_max"):
        check.value(schedule, f"schedule.{field}", "a number above 0", lambda value: is_number(value) and value > 0)

    def is_betas(value):
        return isinstance(value, list) and value and all(is_number(beta) and 0 < beta < 1 for beta in value)

    if not check.value(schedule, "schedule.betas", "a list of numbers between 0 and 1, both excluded", is_betas) and kind == "trained":
        check.complaints.append("schedule.betas: is required, one value for each training step")
    if kind == "ve" and not {"sigma_min", "sigma_max"} <= schedule.keys():
        check.complaints.append("schedule.sigma_min, schedule.sigma_max: are required")
    if len(check.complaints) > before:
        return
    for least, most, usual in (("beta_min", "beta_max", (0.1, 20)), ("sigma_min", "sigma_max", (0.002, 80))):
        if most in SCHEDULES[kind] and schedule.get(most, usual[1]) <= schedule.get(least, usual[0]):
            check.complain(f"schedule.{most}", f"more than {least}", schedule.get(most, usual[1]))
    if kind in CONTINUOUS:
        return
    left = alphas_bar(schedule)
    if schedule.get("terminal", "as_trained") != "as_trained" and len(left) < 2:
        check.complaints.append("schedule.terminal: needs at least 2 training steps")
    elif not left[-2:][0] > 0 or not (left[-1] > 0 or schedule.get("terminal") == "zero_snr"):
        check.complaints.append(f"schedule: after {len(left)} steps nothing of the clean sample is left; expected fewer steps or a smaller beta")


def validate_prediction(check, manifest):
    schedule, prediction = manifest.get("schedule", {}), manifest.get("prediction")
    if not isinstance(schedule, dict):
        return
    to_nothing = schedule.get("kind") in ("flow", "trigonometric") or schedule.get("terminal") == "zero_snr"
    if to_nothing and prediction in ("epsilon", "score", "edm"):
        check.complain("prediction", "v, x0 or flow where the schedule leaves nothing of the clean sample", prediction)
    if prediction == "class_gradient" and "classes" not in manifest:
        check.complaints.append("classes: are required with the prediction class_gradient, which is of a class")
    if prediction == "class_gradient" and manifest.get("variance", "none") != "none":
        check.complain("variance", "none with the prediction class_gradient", manifest["variance"])
    if prediction == "posterior_mean" and schedule.get("kind") in CONTINUOUS:
        check.complain("prediction", "another than posterior_mean, which a schedule in continuous time does not have", prediction)


def validate_time(check, manifest):
    time = check.section(manifest, "time", ("encoding", "scale", "offset", "direction"))
    check.choice(time, "time.encoding", ENCODINGS)
    check.choice(time, "time.direction", DIRECTIONS)
    check.value(time, "time.scale", "a finite number other than 0", lambda value: is_number(value) and value != 0)
    check.number(time, "time.offset")
    schedule = manifest.get("schedule")
    continuous = isinstance(schedule, dict) and schedule.get("kind") in CONTINUOUS
    if "time" in manifest and continuous and time.get("encoding", "index") == "index":
        check.complain("time.encoding", "unit, sigma or log_sigma for a schedule in continuous time", time.get("encoding", "index"))
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


def validate_conditions(check, manifest):
    conditions = manifest.get("conditions", {})
    if not isinstance(conditions, dict):
        check.complain("conditions", "an object of conditions by their names", conditions)
        return
    for name in conditions:
        if name in ROLES or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
            check.complain("conditions", f"names of small letters, digits and '_', none of them {', '.join(ROLES)}", name)
            continue
        condition = check.section(conditions, name, ("shape", "kind", "range", "joined"))
        if "shape" not in condition:
            check.complaints.append(f"conditions.{name}.shape: is required, the shape of one item without the batch axis")
        shaped = check.value(
            condition, f"{name}.shape", "a list of positive integers, not empty",
            lambda value: isinstance(value, list) and value and all(is_integer(size, 1) for size in value),
        )
        check.choice(condition, f"{name}.kind", KINDS)
        check.value(
            condition, f"{name}.range", "[low, high] with low below high",
            lambda value: isinstance(value, list) and len(value) == 2 and all(map(is_number, value)) and value[0] < value[1],
        )
        check.value(condition, f"{name}.joined", "true or false", lambda value: isinstance(value, bool))
        sample = manifest.get("sample", {}).get("shape", [])
        if shaped and condition.get("joined") is True and condition["shape"][1:] != sample[1:]:
            check.complain(f"{name}.shape", f"what differs from the sample {sample} in the channels alone, since it is joined to it", condition["shape"])
        if condition.get("joined") is True and name in manifest.get("inputs", {}):
            check.complaints.append(f"inputs.{name}: is named, but the condition is joined to the sample")
        if shaped and condition.get("kind") == "image" and not looks_like_image(condition["shape"]):
            check.complain(f"{name}.shape", "[1, 3 or 4 channels, height, width] for the kind image", condition["shape"])


def validate_tensors(check, manifest):
    conditions = manifest.get("conditions", {})
    conditions = tuple(conditions) if isinstance(conditions, dict) else ()
    inputs = check.section(manifest, "inputs", (*ROLES, *conditions))
    outputs = check.section(manifest, "outputs", ("prediction", "derivative"))
    for role in inputs:
        check.text(inputs, f"inputs.{role}")
    for role in outputs:
        check.text(outputs, f"outputs.{role}")
    if ("direction" in inputs) != ("derivative" in outputs):
        check.complaints.append("inputs.direction, outputs.derivative: a graph that says its derivative has both")
    if "derivative" in outputs and manifest.get("variance", "none") != "none":
        check.complaints.append("outputs.derivative: a network with a learned variance cannot have it")
    names = [name for name in inputs.values() if isinstance(name, str)]
    if len(set(names)) < len(names):
        check.complain("inputs", "another tensor for each role", inputs)
    if "class" in inputs and "classes" not in manifest:
        check.complaints.append("inputs.class: is named, but there are no classes")


def validate_defaults(check, manifest):
    defaults = check.section(manifest, "defaults", ("solver", "steps", "grid", "steps_offset", "ending", "eta", "options"))
    check.text(defaults, "defaults.solver")
    check.choice(defaults, "defaults.grid", GRIDS)
    check.choice(defaults, "defaults.ending", ENDINGS)
    # Their names and values are the library's to check.
    check.value(
        defaults, "defaults.options", "an object of texts, numbers and booleans by the options' names",
        lambda value: isinstance(value, dict) and all(isinstance(item, (str, int, float)) for item in value.values()),
    )
    check.integer(defaults, "defaults.steps", 1)
    check.integer(defaults, "defaults.steps_offset", 0)
    offset = defaults.get("steps_offset", 0)
    if is_integer(offset, 1):
        if defaults.get("grid") != "leading":
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

    def of_curve(curve):
        return np.minimum(1 - curve[1:] / curve[:-1], 0.999)

    share = np.arange(steps + 1) / steps
    match schedule["kind"]:
        case "linear":
            betas = np.linspace(start, end, steps)
        case "scaled_linear":
            betas = np.linspace(math.sqrt(start), math.sqrt(end), steps) ** 2
        case "sigmoid":
            betas = start + (end - start) / (1 + np.exp(-np.linspace(-6, 6, steps)))
        case "cosine":  # Nichol & Dhariwal 2021, eq. 17
            betas = of_curve(np.cos((share + 0.008) / 1.008 * math.pi / 2) ** 2)
        case "exponential":
            betas = of_curve(np.exp(-12 * share))
        case "laplace":
            half = -0.5 * np.copysign(1, 0.5 - share) * np.log(1 - 2 * np.abs(0.5 - share) + 1e-6)
            betas = of_curve(np.sqrt(1 / (1 + np.exp(-half))))
        case "trained":
            betas = np.asarray(schedule["betas"], dtype=np.float64)
    bar = np.cumprod(1 - betas)
    if schedule.get("terminal", "as_trained") != "as_trained" and len(bar) > 1:
        root = np.sqrt(bar)  # Lin et al. 2023, algorithm 1
        bar = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
        if schedule["terminal"] == "floored":
            bar[-1] = min(2.0**-24, bar[-2] / 2)
    return bar


def levels(schedule, count=101):
    """t, alpha and sigma: at every step of training, or at `count` times of a schedule in continuous time."""
    kind = schedule["kind"]
    if kind not in CONTINUOUS:
        bar = alphas_bar(schedule)
        return np.arange(len(bar), dtype=np.float64), np.sqrt(bar), np.sqrt(1 - bar)
    if kind == "edm":
        t = np.geomspace(schedule.get("sigma_min", 0.002), schedule.get("sigma_max", 80), count)
        return t, np.ones(count), t
    t = np.linspace(schedule.get("least_time", 1e-5 if kind == "ve" else 1e-3), 1, count)
    if kind == "flow":
        return t, 1 - t, t
    if kind == "trigonometric":
        return t, np.cos(t * math.pi / 2), np.sin(t * math.pi / 2)
    if kind == "ve":
        return t, np.ones(count), schedule["sigma_min"] * (schedule["sigma_max"] / schedule["sigma_min"]) ** t
    least, most = schedule.get("beta_min", 0.1), schedule.get("beta_max", 20)
    alpha = np.exp(-0.5 * (least * t + 0.5 * (most - least) * t**2))
    return t, alpha, 1 - alpha**2 if kind == "sub_vp" else np.sqrt(1 - alpha**2)


def told_time(manifest):
    """The section `time`, by its default where it is not given."""
    kind = manifest["schedule"]["kind"]
    usual = {"encoding": "log_sigma", "scale": 0.25} if kind == "edm" else {"encoding": "unit"} if kind in CONTINUOUS else {}
    return manifest.get("time", usual)


def encoded_times(manifest):
    """What the network is told at each of the `levels` of its schedule, in f64."""
    schedule = manifest["schedule"]
    t, alpha, sigma = levels(schedule)
    continuous = schedule["kind"] in CONTINUOUS
    time = told_time(manifest)
    toward_data = time.get("direction", "noise") == "data"
    unit = t / t[-1] if continuous else (t + 1) / len(t)
    match time.get("encoding", "index"):
        case "index":
            encoded = t[-1] - t if toward_data else t
        case "unit":
            encoded = 1 - unit if toward_data else unit
        case "sigma":
            encoded = sigma / alpha
        case "log_sigma":
            encoded = np.log(sigma / alpha)
    return time.get("scale", 1.0) * encoded + time.get("offset", 0.0)


def sidecar(path):
    """The file beside a model that wins over the manifest inside it."""
    return pathlib.Path(path).with_suffix(".diffuse.json")


def wanted_roles(manifest):
    """The roles that the inputs of a graph with this manifest have."""
    own = [name for name, condition in manifest.get("conditions", {}).items() if not condition.get("joined")]
    directed = ["direction"] if "direction" in manifest.get("inputs", {}) else []
    return ["sample", "time"] + (["class"] if "classes" in manifest else []) + own + directed


def sample_shapes(manifest):
    """Role -> shape of one item, of the inputs that hold values: the sample with what is joined to it, the conditions, the direction."""
    channels, *size = manifest["sample"]["shape"]
    conditions = manifest.get("conditions", {})
    joined = sum(condition["shape"][0] for condition in conditions.values() if condition.get("joined"))
    shapes = {"sample": [channels + joined, *size]}
    shapes |= {name: list(conditions[name]["shape"]) for name in conditions if not conditions[name].get("joined")}
    return shapes | ({"direction": [channels, *size]} if "direction" in wanted_roles(manifest) else {})


def guess_roles(names, manifest):
    """Role -> name for the given tensor names: what the manifest says, else what is usual."""
    roles = dict(manifest.get("inputs", {}))
    for role in wanted_roles(manifest):
        if role not in roles and role not in USUAL_NAMES:
            # What is a model's own is called the same in its graph.
            if role not in names:
                raise ManifestError([f"inputs.{role}: is not given, and there is no input of this name; there are {', '.join(names)}"])
            roles[role] = role
        elif role not in roles:
            usual = [name for name in names if name in USUAL_NAMES[role] and name not in roles.values()]
            if len(usual) != 1:
                raise ManifestError([
                    f"inputs.{role}: is not given, and of the inputs {', '.join(names)} "
                    f"{len(usual)} have a usual name ({', '.join(USUAL_NAMES[role])})"
                ])
            roles[role] = usual[0]
    return roles
