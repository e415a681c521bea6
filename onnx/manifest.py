"""The manifest, version 1: the facts that a noise predictor's graph does not have.

`docs/model/manifest.md` describes every field. The words, the defaults and the limits are the library's own:
`manifest_facts.json` has them, which `tests/bless` writes. The rules here and those of `src/model/manifest` accept and
refuse the same files. `fixtures/manifests.json` has cases for both, and `test_manifest.py` compares them over many
more.
"""

import json
import math
import pathlib
import re

import numpy as np

METADATA_KEY = "diffuse"

FACTS = json.loads(pathlib.Path(__file__).with_name("manifest_facts.json").read_text(encoding="utf-8"))
VERSION = FACTS["version"]
LIMITS = FACTS["limits"]
WORDS = FACTS["words"]
# A kind of schedule -> its fields, and what they are where they are not given.
SCHEDULES = FACTS["schedules"]
# What a graph's inputs may be -> how they are usually called, where the manifest does not name them.
USUAL_NAMES = FACTS["roles"]
ROLES = tuple(USUAL_NAMES)
# The axis of the items in a shape.
BATCH = "batch"

# JSON's whole numbers are those of 64 bits; greater ones are read as the nearest number that there is.
WHOLE = range(-(2**63), 2**64)


class ManifestError(ValueError):
    """Carries every complaint, not only the first."""

    def __init__(self, complaints):
        self.complaints = complaints
        super().__init__("the manifest does not hold:\n" + "\n".join(f"  {complaint}" for complaint in complaints))


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_integer(value, least=0):
    return isinstance(value, int) and not isinstance(value, bool) and value >= least and value in WHOLE


def is_axis(value):
    """Whether it is an axis of a shape: a size, "batch", or the name of a size that is free."""
    if not isinstance(value, str):
        return is_integer(value, 1)
    # Of digits alone it is a size in quotes, which is a slip.
    return len(value) <= LIMITS["name"] and bool(re.fullmatch(r"[0-9]*[A-Za-z_][A-Za-z0-9_]*", value))


def is_item_shape(value):
    """Whether it is the shape of one item, which has an axis at least, and none for the batch."""
    return isinstance(value, list) and value != [] and all(map(is_axis, value)) and BATCH not in value


def is_condition_shape(value):
    return isinstance(value, list) and all(map(is_axis, value)) and value.count(BATCH) <= 1


def is_numbers(value):
    """Whether it is a list of finite numbers of 32 bits, which samples are made of."""
    if not (isinstance(value, list) and all(map(is_number, value))):
        return False
    with np.errstate(over="ignore"):
        return bool(np.isfinite(np.array(value, dtype=np.float64).astype(np.float32)).all())


def is_range(value):
    """Whether it is the least and the greatest value."""
    return is_numbers(value) and len(value) == 2 and bool(np.float32(value[0]) < np.float32(value[1]))


def decoded(content):
    """The text of a JSON file: UTF-8 with or without a byte-order mark, or UTF-16 with one (PowerShell writes that)."""
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    return content.decode("utf-16" if wide else "utf-8")


def parsed(text):
    """The value of a JSON text, with whole numbers as such (Godot writes `1000.0`). A key that is there twice is
    refused, since each reader would take another. So is everything that JSON does not have, though Python reads it.
    """

    def unique(pairs):
        seen = dict(pairs)
        if len(seen) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ManifestError([f"{twice}: is there twice"])
        return seen

    def number(spelled):
        value = float(spelled)
        if not math.isfinite(value):
            raise ManifestError([f"{spelled}: is too large a number"])
        # −0 has no counterpart.
        whole = value.is_integer() and abs(value) < 2**53 and str(value) != "-0.0"
        return int(value) if whole else value

    def integer(spelled):
        exact = len(spelled) < 21 and spelled != "-0" and int(spelled) in WHOLE
        return int(spelled) if exact else number(f"{spelled}.0")

    def constant(spelled):
        raise ManifestError([f"{spelled}: is no JSON"])

    try:
        found = json.loads(
            text.removeprefix("\ufeff"),
            object_pairs_hook=unique, parse_float=number, parse_int=integer, parse_constant=constant,
        )
    except RecursionError:
        raise ManifestError(["it is nested too deep"]) from None
    try:
        # Half a character may be escaped in JSON, but is none.
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ManifestError([f"{error.object[error.start]!r}: is half a character"]) from None
    return found


class Checker:
    """Walks a manifest and collects complaints of the form `field: expected ..., found ...`."""

    def __init__(self):
        self.complaints = []

    def complain(self, field, expected, found):
        self.complaints.append(f"{field}: expected {expected}, found {json.dumps(found, default=repr)}")

    def section(self, parent, key, fields=None):
        """A nested object whose fields are all known. {} where it is absent or not an object."""
        if key not in parent:
            return {}
        if not isinstance(parent[key], dict):
            self.complain(key, "an object", parent[key])
            return {}
        self.known(parent[key], f"{key}.", fields or FACTS["sections"][key]["fields"])
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

    def required(self, section, prefix, fields):
        for field in fields:
            if field not in section:
                self.complaints.append(f"{prefix}{field}: is required")

    def choice(self, section, field, choices=None):
        choices = choices or WORDS[field]
        is_word = lambda value: isinstance(value, str) and value in choices
        return self.value(section, field, f"one of {', '.join(choices)}", is_word)

    def text(self, section, field):
        return self.value(section, field, "a text", lambda value: isinstance(value, str))

    def shape(self, section, field, expected, holds):
        """Whether there is a shape that holds."""
        if not self.value(section, field, expected, holds):
            return False
        shape = section[field.rpartition(".")[2]]
        if math.prod(size for size in shape if not isinstance(size, str)) > LIMITS["values"]:
            self.complain(field, f"at most {LIMITS['values']} values", shape)
        return True

    def flag(self, section, field):
        return self.value(section, field, "true or false", lambda value: isinstance(value, bool))

    def number(self, section, field):
        return self.value(section, field, "a finite number", is_number)

    def integer(self, section, field, least):
        return self.value(section, field, f"an integer of at least {least}", lambda value: is_integer(value, least))


def without_nulls(manifest):
    """The manifest without the fields that are null where that is the same as not to have them."""

    def without(section, key):
        nullable = ROLES if key == "inputs" else FACTS["sections"].get(key, {"nullable": ()})["nullable"]
        return {field: value for field, value in section.items() if value is not None or field not in nullable}

    manifest = {
        key: without(value, key) if key != "conditions" and isinstance(value, dict) else value
        for key, value in without(manifest, "").items()
    }
    conditions = manifest.get("conditions")
    if isinstance(conditions, dict):
        manifest["conditions"] = {
            name: without(condition, "conditions") if isinstance(condition, dict) else condition
            for name, condition in conditions.items()
        }
    return manifest


def validate(manifest):
    """The manifest, without fields that are null. Raises `ManifestError` unless every field is known, of its type, and
    fits the others."""
    check = Checker()
    if not isinstance(manifest, dict):
        raise ManifestError([f"expected an object, found {type(manifest).__name__}"])
    # A newer schema may mean anything by its fields, so its version is the only useful complaint.
    if manifest.get("diffuse") != VERSION or isinstance(manifest["diffuse"], bool):
        raise ManifestError([f"diffuse: expected the schema version {VERSION}, found {manifest.get('diffuse')!r}"])
    # A former name that is null is still there.
    for former, now in FACTS["sections"]["sample"]["former"].items():
        if isinstance(manifest.get("sample"), dict) and {former, now} <= manifest["sample"].keys():
            check.complaints.append(f"sample.{former}: is the former name of sample.{now}, which is there as well")
    manifest = without_nulls(manifest)
    check.known(manifest, "", FACTS["sections"][""]["fields"])
    check.required(manifest, "", FACTS["sections"][""]["required"])
    check.value(
        manifest, "name", f"1 to {LIMITS['name']} letters, digits, '-', '_' and '.', not beginning with '.'",
        lambda value: isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", value) and len(value) <= LIMITS["name"],
    )
    for field in ("$schema", "description", "license", "source"):
        check.text(manifest, field)
    for field in ("prediction", "input_scaling", "variance", "guidance_pair"):
        check.choice(manifest, field)
    validate_sample(check, manifest)
    validate_schedule(check, manifest)
    if check.complaints:
        # What follows is about fields that fit each other.
        raise ManifestError(check.complaints)
    validate_prediction(check, manifest)
    validate_time(check, manifest)
    validate_classes(check, manifest)
    validate_conditions(check, manifest)
    validate_tensors(check, manifest)
    validate_defaults(check, manifest)
    if check.complaints:
        raise ManifestError(check.complaints)
    return manifest


def validate_sample(check, manifest):
    sample = check.section(manifest, "sample")
    if isinstance(manifest.get("sample"), dict):
        check.required(sample, "sample.", FACTS["sections"]["sample"]["required"])
    shaped = check.shape(
        sample, "sample.shape", "a list of positive integers and of names of free sizes, not empty and without the batch", is_item_shape
    )
    check.choice(sample, "sample.kind")
    check.value(sample, "sample.range", "[low, high] with low below high", is_range)
    for field in ("clip", "clamp", "channels_last"):
        check.flag(sample, f"sample.{field}")
    for field in ("sigma_data", *FACTS["sections"]["sample"]["former"]):
        check.value(sample, f"sample.{field}", "a number above 0", lambda value: is_number(value) and value > 0)
    if not shaped:
        return
    shape = sample["shape"]
    if sample.get("kind") == "image" and not looks_like_image(shape):
        check.complain("sample.shape", "[1, 3 or 4 channels, height, width] for the kind image", shape)
    if sample.get("kind") == "points" and shape != [2]:
        check.complain("sample.shape", "[2] for the kind points", shape)
    if sample.get("kind") == "latent" and not looks_like_latents(shape):
        check.complain("sample.shape", "[channels, height, width] for the kind latent", shape)
    for field in ("clip", "clamp"):
        if sample.get(field) is True and "range" not in sample and sample_kind(sample) != "image":
            four = "; four channels are a tensor unless sample.kind says image" if is_ambiguous(sample) else ""
            check.complaints.append(f"sample.{field}: is true, but there is no sample.range to {field} to{four}")
    if "preview" in sample:
        validate_preview(check, sample)
    if isinstance(shape[0], str) and (sample.get("channels_last") is True or manifest.get("variance") in doubling()):
        check.complain("sample.shape", "a number of channels, its first axis, with channels_last or twice the channels", shape)


def validate_preview(check, sample):
    if sample.get("kind") != "latent":
        check.complaints.append("sample.preview: is how latents are shown, and sample.kind is not latent")
        return
    channels = sample["shape"][0]

    def is_preview(value):
        return (
            isinstance(value, list) and len(value) == 3
            and all(is_numbers(row) and len(row) in (channels, channels + 1) for row in value)
        )

    expected = f"for red, green and blue {channels} finite numbers each, one for each channel, and perhaps a summand"
    if isinstance(channels, int):
        check.value(sample, "sample.preview", expected, is_preview)


def validate_schedule(check, manifest):
    every = ("kind", *dict.fromkeys(field for facts in SCHEDULES.values() for field in facts["fields"]))
    schedule = check.section(manifest, "schedule", every)
    if isinstance(manifest.get("schedule"), dict):
        check.required(schedule, "schedule.", ("kind",))
        check.choice(schedule, "schedule.kind")
    kind = schedule.get("kind")
    if not isinstance(kind, str) or kind not in SCHEDULES:
        return
    facts = SCHEDULES[kind]
    before = len(check.complaints)
    for field in schedule:
        if field != "kind" and field not in facts["fields"]:
            check.complaints.append(f"schedule.{field}: the schedule {kind} has {', '.join(facts['fields'])}")
    check.required(schedule, "schedule.", facts["required"])
    check.choice(schedule, "schedule.terminal")
    check.value(
        schedule, "schedule.train_steps", f"an integer from 1 to {LIMITS['train_steps']}",
        lambda value: is_integer(value, 1) and value <= LIMITS["train_steps"],
    )
    for field in ("beta_start", "beta_end", "least_time"):
        check.value(
            schedule, f"schedule.{field}", "a number between 0 and 1, both excluded",
            lambda value: is_number(value) and 0 < value < 1,
        )
    for field in ("beta_min", "beta_max", "sigma_min", "sigma_max", "tau", "snr_shift"):
        check.value(schedule, f"schedule.{field}", "a number above 0", lambda value: is_number(value) and value > 0)

    for field in ("start", "end"):
        check.number(schedule, f"schedule.{field}")
    check.value(schedule, "schedule.s", "a number from 0 to below 1", lambda value: is_number(value) and 0 <= value < 1)

    def is_betas(value):
        return (
            isinstance(value, list) and 0 < len(value) <= LIMITS["train_steps"]
            and all(is_number(beta) and 0 < beta < 1 for beta in value)
        )

    check.value(schedule, "schedule.betas", "a list of numbers between 0 and 1, both excluded", is_betas)
    if len(check.complaints) > before:
        return
    schedule = filled(schedule)
    for least, most in (("beta_min", "beta_max"), ("sigma_min", "sigma_max")):
        if most in schedule and not schedule[most] > schedule[least]:
            check.complain(f"schedule.{most}", f"more than {least}", schedule[most])
    if "beta_max" in schedule and schedule["beta_min"] + schedule["beta_max"] > LIMITS["betas"]:
        check.complain("schedule.beta_max", f"at most {LIMITS['betas']} with beta_min", schedule["beta_max"])
    if "tau" in schedule:
        start, end = arguments(schedule)
        if max(abs(start), abs(end)) > LIMITS["argument"]:
            check.complain("schedule.tau", f"start/tau and end/tau from {-LIMITS['argument']} to {LIMITS['argument']}", schedule["tau"])
            return
        if not end > start:
            check.complain("schedule.end", "more than start", schedule["end"])
            return
    if not facts["continuous"]:
        validate_tables(check, schedule)


def validate_tables(check, schedule):
    """Checks the share of the clean sample at each step of training: less at each, and never nothing."""
    steps = len(schedule["betas"]) if "betas" in schedule else schedule["train_steps"]
    if schedule["terminal"] != "as_trained" and steps < 2:
        check.complaints.append("schedule.terminal: needs at least 2 training steps")
        return
    left = alphas_bar(schedule)
    falls = np.diff(left, prepend=1.0) < 0
    if not np.all(falls | ~(left > 0)):
        check.complaints.append("schedule: a beta is too small to add any noise; expected a larger one")
    if not np.all((left[:-1] if schedule["terminal"] in FACTS["terminals_in_noise"] else left) > 0):
        check.complaints.append(
            f"schedule: after {steps} steps nothing of the clean sample is left; expected fewer steps or a smaller beta"
        )


def validate_prediction(check, manifest):
    schedule, prediction = filled(manifest["schedule"]), manifest["prediction"]
    in_noise = SCHEDULES[schedule["kind"]]["ends_in_noise"] or schedule.get("terminal") in FACTS["terminals_in_noise"]
    if in_noise and prediction not in FACTS["predictions_from_noise"]:
        check.complain("prediction", "v, x0 or flow where the schedule leaves nothing of the clean sample", prediction)
    if prediction == "class_gradient" and "classes" not in manifest:
        check.complaints.append("classes: are required with the prediction class_gradient, which is of a class")
    if prediction == "class_gradient" and has_second_half(manifest):
        check.complain("variance", "none with the prediction class_gradient", manifest["variance"])
    if prediction == "posterior_mean" and SCHEDULES[schedule["kind"]]["continuous"]:
        check.complain("prediction", "another than posterior_mean, which a schedule in continuous time does not have", prediction)


def validate_time(check, manifest):
    time = check.section(manifest, "time")
    check.choice(time, "time.encoding")
    check.choice(time, "time.direction")
    check.value(time, "time.scale", "a finite number other than 0", lambda value: is_number(value) and value != 0)
    check.number(time, "time.offset")
    time = {**FACTS["defaults"]["time"], **time}
    if "time" in manifest and SCHEDULES[manifest["schedule"]["kind"]]["continuous"] and time["encoding"] == "index":
        others = [word for word in WORDS["time.encoding"] if word != "index"]
        check.complain("time.encoding", f"one of {', '.join(others)} for a schedule in continuous time", time["encoding"])
    if time["encoding"] == "alpha" and SCHEDULES[manifest["schedule"]["kind"]]["alpha_is_one"]:
        check.complain("time.encoding", "another than alpha, which is 1 at every time of this schedule", time["encoding"])
    if time["direction"] == "data" and time["encoding"] not in ("index", "unit"):
        check.complain("time.direction", f"noise with the encoding {time['encoding']}", "data")


def validate_classes(check, manifest):
    classes = check.section(manifest, "classes")

    def is_names(value):
        return isinstance(value, list) and all(isinstance(name, str) for name in value)

    named = check.value(classes, "classes.names", "a list of names", is_names)
    for field, least in (("classes.count", 1), ("classes.null", 0)):
        check.value(
            classes, field, f"an integer from {least} to {LIMITS['classes']}",
            lambda value, least=least: is_integer(value, least) and value <= LIMITS["classes"],
        )
    names = classes.get("names", []) if named else []
    if "classes" in manifest and not names and "count" not in classes:
        check.complaints.append("classes: has neither names nor a count")
    if len(set(names)) < len(names):
        check.complain("classes.names", "each name once", names)
    if len(names) > LIMITS["classes"]:
        check.complain("classes.names", f"at most {LIMITS['classes']}", len(names))
    if names and classes.get("count", len(names)) != len(names):
        check.complain("classes.count", f"{len(names)}, as many as there are names", classes["count"])


def validate_conditions(check, manifest):
    conditions = manifest.get("conditions", {})
    if not isinstance(conditions, dict):
        check.complain("conditions", "an object of conditions by their names", conditions)
        return
    named = manifest.get("inputs")
    for name in conditions:
        if name in ROLES or not re.fullmatch(r"[a-z][a-z0-9_]*", name) or len(name) > LIMITS["name"]:
            check.complain("conditions", f"names of small letters, digits and '_', none of them {', '.join(ROLES)}", name)
            continue
        condition = check.section(conditions, name, FACTS["sections"]["conditions"]["fields"])
        check.required(condition, f"conditions.{name}.", FACTS["sections"]["conditions"]["required"])
        expected = "a list of positive integers, of names of free sizes, and perhaps of one batch"
        shaped = check.shape(condition, f"{name}.shape", expected, is_condition_shape)
        check.choice(condition, f"{name}.kind", WORDS["sample.kind"])
        check.value(condition, f"{name}.range", "[low, high] with low below high", is_range)
        for field in ("batch", "joined", "before"):
            check.flag(condition, f"{name}.{field}")
        placed = check.integer(condition, f"{name}.axis", 0)
        if condition.get("joined") is not True:
            if condition.get("before") is True or placed and condition["axis"] != 0:
                check.complaints.append(f"conditions.{name}: before and axis are for what is joined, and it is not")
        elif isinstance(named, dict) and name in named:
            check.complaints.append(f"inputs.{name}: is named, but the condition is joined to the sample")
        if not shaped:
            continue
        shape = condition["shape"]
        if condition.get("kind") == "image" and not looks_like_image(item(shape)):
            check.complain(f"{name}.shape", "[1, 3 or 4 channels, height, width] for the kind image", shape)
        if condition.get("kind") == "latent" and not looks_like_latents(item(shape)):
            check.complain(f"{name}.shape", "[channels, height, width] for the kind latent", shape)
        if condition.get("batch") is False and BATCH in shape:
            check.complain(f"{name}.shape", "none for the batch, since batch is false", shape)
        if condition.get("joined") is True and (placed or "axis" not in condition):
            validate_joined(check, manifest["sample"]["shape"], name, condition)
    axes = [condition.get("axis", 0) for condition in conditions.values() if is_joined(condition)]
    if any(axis != axes[0] for axis in axes):
        check.complain("conditions.NAME.axis", "the same for all that are joined", axes)


def validate_joined(check, sample, name, condition):
    """Checks that a joined condition differs from the sample along one axis."""
    shape, axis = condition["shape"], condition.get("axis", 0)
    own = item(shape)
    others = [place for place in range(len(sample)) if place != axis]
    fits = len(own) == len(sample) and axis < len(own) and not isinstance(own[axis], str)
    if not (fits and all(own[place] == sample[place] for place in others)):
        expected = f"what differs from the sample {sample} in the size of axis {axis} alone, since it is joined to it"
        check.complain(f"{name}.shape", expected, shape)
    if condition.get("batch") is False or batch_axis(shape) != 0:
        check.complaints.append(f"conditions.{name}: what is joined has the batch in front, as the sample has it")


def validate_tensors(check, manifest):
    conditions = manifest.get("conditions", {})
    conditions = conditions if isinstance(conditions, dict) else {}
    inputs = check.section(manifest, "inputs", (*ROLES, *conditions))
    outputs = check.section(manifest, "outputs")
    for role in inputs:
        check.text(inputs, f"inputs.{role}")
    for role in outputs:
        check.text(outputs, f"outputs.{role}")
    if ("direction" in inputs) != ("derivative" in outputs):
        check.complaints.append("inputs.direction, outputs.derivative: a graph that says its derivative has both")
    if "derivative" in outputs:
        for cannot, what in (
            (has_second_half(manifest), "twice the channels"),
            (any(map(is_joined, conditions.values())), "joined conditions"),
            (manifest["sample"].get("channels_last") is True, "sample.channels_last"),
            ("guidance_pair" in manifest, "guidance_pair"),
            ("self_condition" in inputs, "inputs.self_condition"),
        ):
            if cannot:
                check.complaints.append(f"outputs.derivative: a network with {what} cannot have it")
    if manifest["prediction"] == "class_gradient":
        for found, field in (("guidance_pair" in manifest, "guidance_pair"), ("self_condition" in inputs, "inputs.self_condition")):
            if found:
                check.complaints.append(f"{field}: a classifier, whose prediction is class_gradient, has none")
    own = {name: name for name, condition in conditions.items() if not is_joined(condition)}
    names = [name for name in {**own, **inputs}.values() if isinstance(name, str)]
    if len(set(names)) < len(names):
        check.complain("inputs", "another tensor for each role", inputs)
    if "class" in inputs and "classes" not in manifest:
        check.complaints.append("inputs.class: is named, but there are no classes")


def validate_defaults(check, manifest):
    defaults = check.section(manifest, "defaults")
    check.choice(defaults, "defaults.solver", tuple(FACTS["solvers"]))
    check.choice(defaults, "defaults.grid")
    check.choice(defaults, "defaults.ending")
    check.integer(defaults, "defaults.steps", 1)
    check.integer(defaults, "defaults.steps_offset", 0)
    offset = defaults.get("steps_offset", 0)
    if is_integer(offset, 1):
        schedule = filled(manifest["schedule"])
        if defaults.get("grid") != "leading":
            check.complain("defaults.steps_offset", "0, since only the grid leading has an offset", offset)
        # There are none in continuous time.
        if offset >= len(schedule.get("betas", range(schedule.get("train_steps", 0)))):
            check.complain("defaults.steps_offset", "less than schedule.train_steps", offset)
    eta = check.value(defaults, "defaults.eta", "a number from 0 to 1", lambda value: is_number(value) and 0 <= value <= 1)
    is_options = check.value(defaults, "defaults.options", "an object", lambda value: isinstance(value, dict))
    solver = defaults.get("solver", SCHEDULES[manifest["schedule"]["kind"]]["solver"])
    if not check.complaints and solver in FACTS["solvers"]:
        options = dict(defaults["options"]) if is_options else {}
        validate_options(check, solver, options, defaults["eta"] if eta else None)


def validate_options(check, solver, options, eta):
    """Checks the options of a manifest's defaults. Each is known and has a possible value. The solver has those that
    are a solver's. They fit each other.
    """
    for former, now in FACTS["renamed"].items():
        if former in options:
            if now in options:
                check.complaints.append(f"defaults.options: {former!r} and {now!r} are the same option")
            options[now] = options.pop(former)
    for key, former, now in FACTS["reworded"]:
        if options.get(key) == former:
            options[key] = now
    told = {}
    for key, given in options.items():
        if key not in FACTS["options"]:
            check.complaints.append(f"defaults.options.{key}: there is no such option")
        elif (value := option_value(FACTS["options"][key], given)) is None:
            check.complain(f"defaults.options.{key}", json.dumps(FACTS["options"][key]), given)
        elif key in FACTS["solvers"][solver]:
            told[key] = value
        # η is for whichever solvers have it.
        elif key not in FACTS["options_of_runs"] and key != "eta":
            have = [name for name, keys in FACTS["solvers"].items() if key in keys]
            check.complaints.append(f"defaults.options.{key}: {solver} has no such option; it is of {', '.join(have)}")
    if eta is not None and "eta" in FACTS["solvers"][solver]:
        told["eta"] = eta
    told = {key: value for key, value in told.items() if key not in FACTS["options_of_runs"]}
    if complaint := misfit(solver, told):
        check.complaints.append(f"defaults.options.{complaint}")


def misfit(solver, told):
    """The solver's options that do not fit the others, if any."""
    if solver in ("euler", "heun"):
        idle = [key for key in ("s_tmin", "s_tmax", "s_noise") if key in told]
        if idle and "s_churn" not in told:
            return f"{idle[0]}: there is no churn; set s_churn as well"
        if told.get("s_tmin", 0) > told.get("s_tmax", math.inf):
            return "s_tmax: expected more than s_tmin"
    if solver == "dpm-solver-2s" and told.get("midpoint_noise", False) and told.get("eta", 0) == 0:
        return "midpoint_noise: there is no noise with an eta of 0; set eta as well"
    if solver == "dpm-solver-singlestep" and told.get("algorithm") == "sde-dpm-solver":
        return "algorithm: sde-dpm-solver has no singlestep form"
    if solver == "dpm-solver" and told.get("algorithm") == "sde-dpm-solver" and told.get("order", 2) > 2:
        return "order: sde-dpm-solver is of order 1 and 2"
    if solver == "unipc" and any(step < 0 or step % 1 != 0 for step in told.get("disable_corrector", ())):
        return "disable_corrector: steps are whole numbers from 0"
    if solver == "sa-solver" and told.get("tau_from", 0.2) > told.get("tau_to", 0.8):
        return "tau_to: expected more than tau_from"
    return None


# How numbers may be spelled in the text of an option.
SPELLED = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


def option_value(facts, given):
    """The value of an option for a text, a number or a boolean. None if it cannot be."""
    text = given if isinstance(given, str) else json.dumps(given)

    def real(text):
        value = float(text) if SPELLED.fullmatch(text) else math.nan
        return value if math.isfinite(value) else None

    def within(value):
        fits = value is not None and facts["least"] <= value and (facts["most"] is None or value <= facts["most"])
        return value if fits else None

    match facts["kind"]:
        case "flag":
            return {"1": True, "true": True, "0": False, "false": False}.get(text)
        case "whole":
            return within(int(text)) if re.fullmatch(r"\+?[0-9]{1,100}", text) else None
        case "real":
            return within(real(text))
        case "choice":
            return text if text in facts["words"] else None
        case "numbers":
            numbers = [real(part.strip(SPACES)) for part in text.split(",")]
            return numbers if None not in numbers and len(numbers) <= LIMITS["numbers"] else None


def item(shape):
    """The axes of one item."""
    return [axis for axis in shape if axis != BATCH]


def batch_axis(shape):
    """Where the axis of the batch is: in front unless it stands elsewhere."""
    return shape.index(BATCH) if BATCH in shape else 0


def is_joined(condition):
    return isinstance(condition, dict) and condition.get("joined") is True


def looks_like_image(shape):
    return len(shape) == 3 and shape[0] in (1, 3, 4)


def looks_like_latents(shape):
    return len(shape) == 3 and not isinstance(shape[0], str)


def is_ambiguous(sample):
    """Whether the sample may be RGBA or latents, and its kind is not given: it is a tensor then."""
    return "kind" not in sample and len(sample["shape"]) == 3 and sample["shape"][0] == 4


def sample_kind(sample):
    """The kind, by its default where it is not given."""
    shape = list(sample["shape"])
    usual = "image" if looks_like_image(shape) and not is_ambiguous(sample) else "points" if shape == [2] else "tensor"
    return sample.get("kind") or usual


def doubling():
    """The words of `variance` with which the output has twice the channels."""
    return [word for word in WORDS["variance"] if word != FACTS["defaults"]["variance"]]


def has_second_half(manifest):
    """Whether the output has twice the channels."""
    return manifest.get("variance") in doubling()


def filled(schedule):
    """A schedule with all its fields."""
    facts = SCHEDULES[schedule["kind"]]
    terminal = {"terminal": FACTS["defaults"]["schedule.terminal"]} if "terminal" in facts["fields"] else {}
    return {**facts["defaults"], **terminal, **schedule}


def arguments(schedule):
    """Between which arguments of the logistic function the schedule sigmoid_alpha_bar lies."""
    return [float(schedule[field]) / float(schedule["tau"]) for field in ("start", "end")]


def class_count(manifest):
    """The number of classes besides the null class. 0 for an unconditional model."""
    classes = manifest.get("classes", {})
    return classes.get("count", len(classes.get("names", ())))


def alphas_bar(schedule):
    """The cumulative products of 1 - beta, in f64."""
    schedule = filled(schedule)
    steps, start, end = (schedule.get(field) for field in ("train_steps", "beta_start", "beta_end"))

    def of_curve(curve):
        with np.errstate(divide="ignore", invalid="ignore"):
            # What is left of nothing is nothing.
            return np.fmin(1 - curve[1:] / curve[:-1], 0.999)

    def evenly(first, last):
        """From both ends to the middle, so that the last is what is given."""
        step = (last - first) / max(steps - 1, 1)
        places = np.arange(steps)
        low = (places < steps // 2) | (steps == 1)
        return np.where(low, first + step * places, last - step * (steps - 1 - places))

    share = np.arange((steps or 0) + 1) / (steps or 1)
    match schedule["kind"]:
        case "linear":
            betas = evenly(start, end)
        case "scaled_linear":
            betas = evenly(math.sqrt(start), math.sqrt(end)) ** 2
        case "sigmoid":
            betas = 1 / (1 + np.exp(-evenly(-6, 6))) * (end - start) + start
        case "sigmoid_alpha_bar":  # Jabri et al. 2022, figure 8; denoising-diffusion-pytorch rounds the end to f32
            first, last = arguments(schedule)
            logistic = lambda argument: 1 / (1 + np.exp(-argument))
            moved = float(np.float32(logistic(float(np.float32(last))))) - logistic(last)
            behind = (1 - share) * (last - first)
            betas = of_curve(logistic(last) * -np.expm1(-behind) / (1 + np.exp(last - behind)) + moved)
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
    shift = schedule.get("snr_shift", 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        bar = bar / (shift + (1 - shift) * bar)
    if schedule["terminal"] != "as_trained" and len(bar) > 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            root = np.sqrt(bar)  # Lin et al. 2023, algorithm 1
            squared = ((root - root[-1]) * (root[0] / (root[0] - root[-1]))) ** 2
            # By way of beta, as the paper has it.
            bar = np.cumprod(1 - (1 - np.append(squared[0], squared[1:] / squared[:-1])))
        if schedule["terminal"] == "floored":
            bar[-1] = np.fmin(2.0**-24, bar[-2] / 2)
    return bar


def levels(schedule, count=101):
    """t, alpha and sigma: at every step of training, or at `count` times of a schedule in continuous time."""
    kind, schedule = schedule["kind"], filled(schedule)
    if not SCHEDULES[kind]["continuous"]:
        bar = alphas_bar(schedule)
        return np.arange(len(bar), dtype=np.float64), np.sqrt(bar), np.sqrt(1 - bar)
    if kind == "edm":
        t = np.geomspace(schedule["sigma_min"], schedule["sigma_max"], count)
        return t, np.ones(count), t
    t = np.linspace(schedule["least_time"], 1, count)
    if kind == "flow":
        return t, 1 - t, t
    if kind == "trigonometric":
        return t, np.cos(t * math.pi / 2), np.sin(t * math.pi / 2)
    if kind == "continuous_cosine":
        # As far from pure noise, and from the clean sample, as in the arithmetic of denoising-diffusion-pytorch.
        least = float(np.float32(math.pi / 2)) - math.pi / 2
        angle = np.clip((1 - t) * math.pi / 2 / (1 + schedule["s"]), least, math.atan(math.sqrt(1e5)))
        return t, np.sin(angle), np.cos(angle)
    if kind == "ve":
        return t, np.ones(count), schedule["sigma_min"] * (schedule["sigma_max"] / schedule["sigma_min"]) ** t
    least, most = schedule["beta_min"], schedule["beta_max"]
    alpha = np.exp(-0.5 * (least * t + 0.5 * (most - least) * t**2))
    return t, alpha, 1 - alpha**2 if kind == "sub_vp" else np.sqrt(1 - alpha**2)


def told_time(manifest):
    """The section `time` with all its fields: their defaults, and those of the schedule where there is none."""
    if "time" in manifest:
        return {**FACTS["defaults"]["time"], **manifest["time"]}
    return SCHEDULES[manifest["schedule"]["kind"]]["time"]


def encoded_times(manifest):
    """The network's time at each of the `levels` of its schedule, in f64."""
    schedule = manifest["schedule"]
    t, alpha, sigma = levels(schedule)
    time = told_time(manifest)
    toward_data = time["direction"] == "data"
    unit = t / t[-1] if SCHEDULES[schedule["kind"]]["continuous"] else (t + 1) / len(t)
    with np.errstate(divide="ignore"):
        # Where nothing of the sample is left, some are infinite.
        match time["encoding"]:
            case "index":
                encoded = t[-1] - t if toward_data else t
            case "unit":
                encoded = 1 - unit if toward_data else unit
            case "sigma":
                encoded = sigma / alpha
            case "log_sigma":
                encoded = np.log(sigma / alpha)
            case "alpha":
                encoded = alpha
            case "sigma_squared":
                encoded = sigma**2
            case "log_snr":
                encoded = 2 * np.log(alpha / sigma)
            case "angle":
                encoded = np.arctan2(sigma, alpha)
    return time["scale"] * encoded + time["offset"]


def sidecar(path):
    """The file beside a model that wins over the manifest inside it."""
    return pathlib.Path(path).with_suffix(".diffuse.json")


def own_conditions(manifest):
    """The conditions that have an input of their own, by their names."""
    return {name: condition for name, condition in manifest.get("conditions", {}).items() if not is_joined(condition)}


def wanted_roles(manifest):
    """The roles that the inputs of a graph with this manifest have."""
    named = [role for role in ("direction", "self_condition") if role in manifest.get("inputs", {})]
    return ["sample", "time"] + (["class"] if "classes" in manifest else []) + [*own_conditions(manifest)] + named


def sample_shapes(manifest, sizes=None):
    """Role -> shape of one item, of the inputs that hold values: the sample with its joined conditions, the conditions,
    the direction, the last estimate. The axes are in the graph's order. A free size that is not among `sizes` stays a
    name.
    """
    sizes = sizes or {}

    def bound(shape):
        return [sizes.get(axis, axis) for axis in item(shape)]

    def in_order(shape):
        return [*shape[1:], shape[0]] if manifest["sample"].get("channels_last") else shape

    own = bound(manifest["sample"]["shape"])
    seen = list(own)
    for condition in manifest.get("conditions", {}).values():
        axis = condition.get("axis", 0)
        if is_joined(condition) and not isinstance(seen[axis], str):
            seen[axis] += item(condition["shape"])[axis]
    shapes = {"sample": in_order(seen)} | {name: bound(one["shape"]) for name, one in own_conditions(manifest).items()}
    like_sample = [role for role in ("direction", "self_condition") if role in wanted_roles(manifest)]
    return shapes | {role: in_order(own) for role in like_sample}


def guess_roles(names, manifest, fits=None):
    """Role -> name for the given tensor names: those of the manifest, else the usual ones.

    Where the names are a graph's inputs, `fits(role, name)` is whether that input can have that role. An input that is
    left over is taken as well, if it is the only one.
    """
    roles = dict(manifest.get("inputs", {}))
    for role in own_conditions(manifest):
        if role not in roles and role not in names:
            # What is a model's own is called the same in its graph.
            raise ManifestError([f"inputs.{role}: is not given, and there is no input of this name; there are {', '.join(names)}"])
        roles.setdefault(role, role)
    needed = ["sample", "time"] + (["class"] if "classes" in manifest else [])
    for by_name in (True, False) if fits else (True,):
        for role in ("sample", "time", "class", "self_condition"):
            # A graph's input that is called as a class is one.
            is_sought = role in needed or by_name and (fits or role != "class")
            if role in roles or not is_sought:
                continue
            free = [name for name in names if name not in roles.values() and (not fits or fits(role, name))]
            found = [name for name in free if name in USUAL_NAMES[role]] if by_name else free
            if by_name and len(found) > 1:
                raise ManifestError([f"inputs.{role}: is not given, and each of {', '.join(found)} could be it"])
            if len(found) == 1:
                roles[role] = found[0]
    complaints = [
        f"inputs.{role}: is not given, and of the inputs {', '.join(names)} none has a usual name ({', '.join(USUAL_NAMES[role])})"
        for role in needed if role not in roles
    ]
    if complaints:
        raise ManifestError(complaints)
    return roles
