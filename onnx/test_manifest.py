"""Compares the rules of manifest.py with those of the library: on the cases that both are tested with, and on many more
manifests, with the library's own verdict. Seeds on the command line draw others.

    python onnx/test_manifest.py
    python onnx/test_manifest.py 2 3 4
"""

import copy
import itertools
import json
import pathlib
import random
import re
import subprocess
import sys

import jsonschema

import manifest
from manifest import FACTS

HERE = pathlib.Path(__file__).parent
CASES = json.loads((HERE / "fixtures" / "manifests.json").read_text(encoding="utf-8"))

LEAST = {"diffuse": 1, "sample": {"shape": [3, 8, 8]}, "schedule": {"kind": "linear"}, "prediction": "epsilon"}

# What is put in the place of every value: of each type, at the limits of each, and beyond.
VALUES = (
    None, True, False, 0, 1, 2, -1, 3, 0.5, 1.5, -0.0, 1e-9, 5e-324, 1e39, 1e300, 2**31, 2**53, 2**53 + 1, 2**63, 2**64 - 1, 2**64, -(2**63),
    -(2**64), 64, 1000, 1_000_000, 1_000_001, 1 << 28, (1 << 28) + 1, "", " ", "x", "1", "0.5", "true", "none", "a" * 64, "a" * 65, ".a", "ä",
    [], {}, [1], [2], [0], [1, 2], [2, 1], [-1, 1], [0.5, 0.25], [1, 1e-46], [1, 1e39], [3, 8, 8], [4, 8, 8], [2, 8, 8], [1, 1 << 28],
    [1 << 40, 1 << 40], [3, "T"], [80, "T"], ["T", "T"], [4, "h", "w"], [1, "h", "w"], ["h", 1, "w"], ["C", 8, 8], [1 << 28, "T"], ["T", 1 << 28, 2],
    "batch", ["batch"], ["batch", 3], ["T", "batch", 3], ["batch", "batch"],
    [3, "8", 8], [3, "2B", 8], [3, "a b", 8], [3, "ä", 8], [1, "a" * 64], [1, "a" * 65],
    [[1] * 3] * 3, [[1] * 4] * 3, [[1] * 5, [1] * 4, [1] * 4], [[1] * 4] * 2, [[1] * 4] * 4, [[1] * 3 + [1e39]] * 3, [[1, 1, 1, None]] * 3,
    ["a"], ["a", "b"], ["a", "a"], [""], [None], [True], [[1]], {"x": 1}, {"image": None}, {"shape": [1]}, {"kind": "linear"},
)

# What the text of a file may have that its value does not: how a number, a text or the whole is spelled.
SPELLINGS = (
    "1.0", "1e0", "-0", "-0.0", "0e5", "1e400", "-1e400", "1e-400", "01", "+1", "1.", ".5", "0x1", "1_000", "NaN", "Infinity", "-Infinity",
    "9007199254740993.0", "18446744073709551615", "18446744073709551616", "1" * 30, "1" * 400, "1" * 5000, "1000.0", "1E3", "10.5e1",
    '"\\u0061"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\x"', '"\t"', '"\\u0000"', "'a'", "tru", "None", "",
    "[1,]", "[" * 200 + "]" * 200, "[" * 100_000, '{"a":1,}', '{"a":1,"a":1}', "1 1", "/**/1",
)


# Manifests that have every field between them, so that each is changed where it is.
FULL = (
    {
        **LEAST, "name": "a", "description": "b", "input_scaling": "none", "variance": "none",
        "sample": {"shape": [3, 8, 8], "kind": "image", "range": [0, 1], "clip": True, "clamp": False, "sigma_data": 0.5},
        "schedule": {"kind": "linear", "train_steps": 100, "beta_start": 0.001, "beta_end": 0.02, "terminal": "as_trained"},
        "time": {"encoding": "index", "scale": 1, "offset": 0.5, "direction": "data"},
        "classes": {"names": ["a", "b"], "count": 2, "null": 2},
        "conditions": {
            "low": {"shape": [3, 4, 4], "kind": "image", "range": [0, 1], "joined": False},
            "mask": {"shape": [1, 8, 8], "joined": True},
        },
        "inputs": {"sample": "x", "time": "t", "class": "y", "low": "l"}, "outputs": {"prediction": "p"},
        "defaults": {
            "solver": "ddim", "steps": 20, "grid": "leading", "steps_offset": 1, "ending": "first", "eta": 0.5, "options": {"rho": 3},
        },
    },
    {
        **LEAST, "variance": "unused", "guidance_pair": "negative_first", "time": {"encoding": "log_snr"},
        "sample": {
            "shape": [4, "h", "w"], "channels_last": True, "kind": "latent", "preview": [[0.1] * 4, [0.2] * 5, [0.3] * 4],
        },
        "conditions": {
            "text": {"shape": ["T", "batch", 8]}, "scale": {"shape": [], "batch": False},
            "low": {"shape": [4, "h", 8], "kind": "latent", "batch": True},
            "mask": {"shape": [1, "h", "w"], "joined": True, "before": True, "axis": 0},
            "hint": {"shape": ["batch", 4, "h", "w"], "joined": True},
        },
        "inputs": {"self_condition": "last", "text": "t5"},
    },
    {
        **LEAST, "sample": {"shape": [80, "T"]}, "schedule": {"kind": "ve", "sigma_min": 0.01, "sigma_max": 50},
        "time": {"encoding": "sigma_squared"},
        "conditions": {
            "prompt": {"shape": [80, 3], "joined": True, "axis": 1},
            "end": {"shape": [80, 1], "joined": True, "axis": 1, "before": False},
        },
    },
    {
        **LEAST, "sample": {"shape": [4, 8, 8], "range": [-1, 1], "clip": True, "clamp": True},
        "inputs": {"direction": "d"}, "outputs": {"derivative": "j"},
    },
)


def test_every_case():
    for case in CASES:
        # As text where a value cannot say it: a key that is there twice, how a number is spelled.
        text = case["text"] if "text" in case else json.dumps(case["manifest"])
        wrong = complaint(text.encode())
        if case["holds"]:
            assert wrong is None, f"{case['why']}: {wrong}"
        else:
            assert wrong is not None, f"{case['why']}: is accepted"
            assert case["names"] in wrong, f"{case['why']}: {wrong}"
    print(f"{len(CASES)} cases hold")


def test_the_schema():
    """Manifests that hold are valid by manifest.schema.json, and so are those of the shipped models. A field that is
    unknown, of another type, or missing is not. How fields fit each other is not the schema's.
    """
    schema = json.loads((HERE / "manifest.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    refused = 0
    for case in (case for case in CASES if "manifest" in case):
        wrong = next(validator.iter_errors(case["manifest"]), None)
        assert not (case["holds"] and wrong), f"{case['why']}: {wrong}"
        refused += not case["holds"] and wrong is not None
    of_shape = sum(not case["holds"] and "manifest" in case for case in CASES)
    assert refused > 60, f"{refused} of {of_shape}"
    for path in sorted(HERE.glob("fixtures/predictors/**/*.diffuse.json")):
        validator.validate(json.loads(path.read_text(encoding="utf-8")))
    for broken in [{**LEAST, "unheard": 1}, {**LEAST, "sample": {"shape": "3"}}, {"diffuse": 1}, {**LEAST, "time": {"encoding": "when"}}]:
        assert not validator.is_valid(broken), broken
    print(f"the schema holds, and refuses {refused} of {of_shape} manifests that do not")


def test_what_the_pages_show():
    """Their examples are manifests or parts of manifests."""
    texts = [(HERE.parent / "docs" / "model" / f"{page}.md").read_text(encoding="utf-8") for page in ("manifest", "conditions")]
    parts = [part for text in texts for part in re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    assert len(parts) >= 20
    for part in parts:
        wrong = complaint(json.dumps(LEAST | json.loads(part)).encode())
        assert wrong is None, f"{part}: {wrong}"
    print(f"{len(parts)} examples of docs/model hold")


def test_levels():
    """The levels of the schedules that only denoising-diffusion-pytorch has."""
    for table in json.loads((HERE / "goldens" / "denoising_diffusion.json").read_text(encoding="utf-8"))["tables"]:
        schedule, compared = table["schedule"], 0
        if FACTS["schedules"][schedule["kind"]]["continuous"]:
            # The times of the library's own sampler, but for the clean end.
            schedule = {**schedule, "least_time": 1 / 500}
        _, alpha, sigma = manifest.levels(schedule, 500)
        for t, *expected in zip(table["times"], table["f32"]["alpha"], table["f32"]["sigma"]):
            place = round(500 * t) - 1 if "least_time" in schedule else t
            if place >= 0:
                # In f32 the library finds a small sigma in continuous time as the difference of two numbers near 1.
                bound = 2e-6 if "least_time" in schedule and t < 0.01 else 1e-6
                off = max(abs(alpha[place] - expected[0]), abs(sigma[place] - expected[1]))
                assert off < bound, f"{schedule}: {off} at {t}"
                compared += 1
        assert compared > 10
    print("the levels are those of denoising-diffusion-pytorch")


def test_every_encoding():
    text = '{"diffuse": 1, "name": "ä"}'
    for content in [text.encode(), text.encode("utf-8-sig"), b"\xff\xfe" + text.encode("utf-16-le"), b"\xfe\xff" + text.encode("utf-16-be")]:
        assert manifest.decoded(content).removeprefix("\ufeff") == text, content
    for content in [text.encode("latin-1"), b"\xff\xfe\x00"]:
        try:
            manifest.decoded(content)
        except UnicodeDecodeError:
            continue
        raise AssertionError(content)


def complaint(content):
    """The complaint of manifest.py about a file. None where it holds."""
    try:
        manifest.validate(manifest.parsed(manifest.decoded(content)))
    except (manifest.ManifestError, json.JSONDecodeError, UnicodeDecodeError) as error:
        return str(error)
    return None


def library_complaints(contents):
    """The same of the library, of many files."""
    # A character a byte.
    lines = "".join(json.dumps(content.decode("latin-1")) + "\n" for content in contents)
    command = ["cargo", "run", "--quiet", "--package", "diffuse-test-tools", "--bin", "manifest_verdicts"]
    said = subprocess.run(command, cwd=HERE.parent, input=lines, capture_output=True, text=True, encoding="utf-8", check=True)
    return [json.loads(line) for line in said.stdout.splitlines()]


def entries(metadata):
    """The fields of a message of protobuf, by their numbers."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = metadata[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(metadata):
        key = varint()
        match key & 7:
            case 0:
                yield key >> 3, varint()
            case 2:
                length = varint()
                at += length
                yield key >> 3, metadata[at - length : at]
            case other:
                at += {1: 8, 5: 4}[other]


def manifest_of(path):
    """The manifest inside a model, without the library that writes such files."""
    for number, value in entries(path.read_bytes()):
        if number == 14:
            pair = dict(entries(value))
            if pair[1] == manifest.METADATA_KEY.encode():
                return json.loads(pair[2])
    return None


def shipped():
    """The manifests of the models in this folder."""
    found = [manifest_of(path) for folder in ("models", "fixtures") for path in sorted((HERE / folder).glob("*.onnx"))]
    beside = sorted((HERE / "fixtures" / "predictors").rglob("*.diffuse.json"))
    assert len(found) > 20 and len(beside) > 50
    found += [json.loads(path.read_text(encoding="utf-8")) for path in beside]
    return [one for one in found if one is not None]


def places(value, path=()):
    """The path of every value within a value, its own first."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        # A long list has the same rules throughout.
        for place in range(min(len(value), 3)):
            yield from places(value[place], (*path, place))


def changed(value, path, change):
    """A copy in which `change(container, key)` was done to what lies at a path."""
    value = copy.deepcopy(value)
    container = value
    for key in path[:-1]:
        container = container[key]
    change(container, path[-1])
    return value


def put(new):
    return lambda container, key: container.__setitem__(key, new)


def words():
    """All words that a field, an option or a name may be."""
    of_options = (word for facts in FACTS["options"].values() for word in facts.get("words", ()))
    former = (word for _, word, _ in FACTS["reworded"])
    return sorted({*itertools.chain(*FACTS["words"].values()), *of_options, *former, *FACTS["solvers"], *FACTS["options"]})


def mutations(base, values):
    """The base, with each of its values left out, with another in its place, and with fields that it does not have."""
    yield base
    for path in places(base):
        if path:
            yield changed(base, path, lambda container, key: container.__delitem__(key))
            for new in values:
                yield changed(base, path, put(new))
    yield from values

    def of(parent, key):
        return parent[key] if isinstance(parent.get(key), dict) else {}

    for section, facts in FACTS["sections"].items():
        for field in (*facts["fields"], "other"):
            for new in values:
                if section == "":
                    yield {**base, field: new}
                elif section == "conditions":
                    conditions = of(base, "conditions") or {"low": {"shape": [2]}}
                    yield {**base, "conditions": {name: {**of(conditions, name), field: new} for name in conditions}}
                else:
                    yield {**base, section: {**of(base, section), field: new}}


def respelled(base):
    """Texts of the base with each of its values spelled otherwise, and with each of its keys twice."""
    for path in places(base):
        if path:
            text = json.dumps(changed(base, path, put("@@")))
            for spelling in SPELLINGS:
                yield text.replace('"@@"', spelling)
        if path and isinstance(path[-1], str):
            text = json.dumps(changed(base, path, put("@@")))
            key = json.dumps(path[-1])
            yield text.replace('"@@"', f"1, {key}: 1")
    text = json.dumps(base)
    yield from (text + " ", "\n\t\r " + text, "\v" + text, "\ufeff" + text, "\ufeff\ufeff" + text, text + "\x00", text + "1", text[:-1], "", "\ufeff")


def encoded(base):
    """Files of the base in other encodings."""
    text = json.dumps({**base, "description": "ä𝄞"}, ensure_ascii=False)
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"):
        for mark in ("", "\ufeff", "\ufeff\ufeff"):
            content = (mark + text).encode(encoding, errors="replace")
            yield from (content, content[:-1], content + b"\xff", content.replace(b"\x34\xd8", b"\x00\xd8"))


def least_of(kind, **fields):
    """The least manifest with a kind of schedule."""
    needed = {"betas": [0.01, 0.02], "sigma_min": 0.01, "sigma_max": 50}
    needed = {field: needed[field] for field in FACTS["schedules"][kind]["required"]}
    return {**LEAST, "schedule": {"kind": kind, **needed, **fields}, "prediction": "v"}


def schedules():
    """Every kind of schedule with each possible prediction and time, and at the limits of its numbers."""
    small = (1e-300, 1e-17, 1e-9, 0.001, 0.5, 0.9, 0.999999, 1 - 2**-53)
    large = (1e-9, 0.1, 1, 20, 299, 300, 599.9, 600, 1e300)
    for kind, facts in FACTS["schedules"].items():
        values = {
            "train_steps": (1, 2, 3, 10, 1000, 4000, 1_000_000), "beta_start": small, "beta_end": small, "least_time": small,
            "start": (-600, -20, -3, 0, 3), "end": (-20, 0, 3, 20, 600), "tau": (1e-300, 0.005, 0.3, 1, 600, 1e300),
            "snr_shift": (1e-300, 1e-9, 0.5, 1, 3, 1e6, 1e300),
            "s": (-1e-9, 0, 0.008, 0.5, 0.999999, 1 - 2**-53, 1),
            "beta_min": large, "beta_max": large, "sigma_min": large, "sigma_max": large, "terminal": FACTS["words"]["schedule.terminal"],
            "betas": ([0.5], [0.5] * 2, [1e-17], [0.1, 1e-17], [0.999] * 100, [0.999] * 109, [0.9] * 1000, [0.5] * 1200, [0.01, 0.02, 1 - 2**-53]),
        }
        fields = facts["fields"]
        given = [{field: value} for field in fields for value in values[field]]
        given += [
            {one: first, other: second}
            for one, other in itertools.combinations(fields, 2) for first in values[one] for second in values[other]
        ]
        for numbers in ({}, *given):
            for prediction in ("v", "epsilon") if numbers else FACTS["words"]["prediction"]:
                yield {**least_of(kind, **numbers), "prediction": prediction}
        for prediction, terminal in itertools.product(FACTS["words"]["prediction"], FACTS["words"]["schedule.terminal"]):
            yield {**least_of(kind, terminal=terminal), "prediction": prediction}
        for encoding, direction, scale in itertools.product(FACTS["words"]["time.encoding"], FACTS["words"]["time.direction"], (1, 0)):
            yield {**least_of(kind), "time": {"encoding": encoding, "direction": direction, "scale": scale}}
        for grid, offset in itertools.product((None, *FACTS["words"]["defaults.grid"]), (0, 1, 2, 999, 1000, 1001)):
            yield {**least_of(kind), "defaults": {"grid": grid, "steps_offset": offset}}


# What every option is set to, beside its own words and bounds.
OF_OPTIONS = (
    None, True, False, 0, 1, 2, 3, 4, -1, 0.5, -0.0, 1e-30, 1e300, 2**64, "", "0", "1", "2", " 1", "1 ", "+1", "-1", "1.", ".5", ".", "1.0", "1e0",
    "1E+0", "e1", "true", "false", "True", "inf", "-inf", "nan", "infinity", "1_0", "٣", "0x1", "1,2", "1, 2 ,3", "1,,2", "1,", "1,inf", "1;2",
    "1,\u20032", "1,\x1c2", "1\x00", ",".join("1" * 10_000), ",".join("1" * 10_001), [], [1], {}, "none", "other",
)


def options(random):
    """Every option with every solver, at its bounds and beyond. And solvers with several options."""
    def near(facts):
        bounds = [bound for bound in (facts.get("least"), facts.get("most")) if bound is not None]
        step = 1 if facts["kind"] == "whole" else 1e-12
        return [*facts.get("words", ()), *bounds, *(bound + side for bound in bounds for side in (-step, step))]

    former = [*FACTS["renamed"], "eta", "other"]
    for key in (*FACTS["options"], *former):
        facts = FACTS["options"].get(key, {"kind": "whole"})
        for value in (*near(facts), *OF_OPTIONS):
            for given in (value, str(value)) if isinstance(value, (int, float)) else (value,):
                owners = [solver for solver, keys in FACTS["solvers"].items() if key in keys]
                yield {**LEAST, "defaults": {"solver": (owners or ["ddim"])[0], "options": {key: given}}}
                yield {**LEAST, "defaults": {"options": {key: given}}}
    for solver in (*FACTS["solvers"], "other"):
        for key in (*FACTS["options"], *former):
            yield {**LEAST, "defaults": {"solver": solver, "options": {key: (near(FACTS["options"].get(key, {"kind": "whole"})) or [1])[0]}}}
    for former, now in FACTS["renamed"].items():
        for one, other in itertools.product((None, 20, 1000), repeat=2):
            yield {**LEAST, "defaults": {"solver": "rk45", "options": {former: one, now: other}}}
    for key, former, now in FACTS["reworded"]:
        yield {**LEAST, "defaults": {"options": {key: former}}}
    # What fits each by itself, and perhaps not the others.
    for solver, keys in FACTS["solvers"].items():
        for _ in range(60 * len(keys)):
            told = {}
            for key in random.sample(keys, random.randint(1, len(keys))):
                facts = FACTS["options"][key]
                match facts["kind"]:
                    case "flag":
                        told[key] = random.choice([True, False, 1, 0, "1", "false"])
                    case "choice":
                        told[key] = random.choice(facts["words"])
                    case "whole":
                        told[key] = random.randint(facts["least"], facts["most"])
                    case "real":
                        told[key] = random.choice([facts["least"], facts["most"], random.uniform(facts["least"], min(facts["most"], 3))])
            defaults = {"solver": solver, "options": told}
            yield {**LEAST, "defaults": defaults | random.choice([{}, {}, {"eta": 0}, {"eta": 0.5}, {"eta": 2}])}
    for kind in FACTS["schedules"]:
        # The options of the solver that is taken where none is named.
        for key in FACTS["options"]:
            yield {**least_of(kind), "defaults": {"options": {key: (near(FACTS["options"][key]) or [1])[0]}}}


def tensors(random):
    """Samples and conditions of many shapes, which fit each other or do not."""

    def perhaps(share, fields):
        return fields if random.random() < share else type(fields)()

    def axes(most):
        return [random.choice((1, 2, 3, 4, 8, "T", "h", "w")) for _ in range(random.randint(0, most))]

    def condition(sample):
        shape, joined = axes(3), random.random() < 0.5
        axis = random.choice((0, 0, 1, 2))
        if joined and random.random() < 0.8:
            shape = [random.choice((1, 3, 5)) if place == axis else size for place, size in enumerate(sample)]
        if random.random() < 0.3:
            shape.insert(random.choice((0, 0, len(shape))), "batch")
        found = {"shape": shape, **perhaps(0.2, {"kind": random.choice(FACTS["words"]["sample.kind"])})}
        found |= {"joined": True} if joined else {}
        found |= perhaps(0.9 if joined else 0.1, {"axis": axis}) | perhaps(0.3 if joined else 0.1, {"before": random.random() < 0.7})
        return found | perhaps(0.2, {"batch": random.random() < 0.5})

    for _ in range(8000):
        shape = random.choice(([3, 8, 8], [4, 8, 8], [4, "h", "w"], [80, "T"], ["T"], [2], axes(4)))
        sample = {"shape": shape, **perhaps(0.3, {"kind": random.choice(FACTS["words"]["sample.kind"])})}
        sample |= perhaps(0.2, {"channels_last": random.random() < 0.8}) | perhaps(0.2, {"range": [-1, 1]})
        sample |= perhaps(0.2, {"clip": random.random() < 0.7}) | perhaps(0.2, {"clamp": random.random() < 0.5})
        sample |= perhaps(0.2, {"preview": [[0.5] * random.choice((3, 4, 4, 5)) for _ in range(3)]})
        names = random.sample(("a", "b", "c", "x", *perhaps(0.05, ("self_condition",))), random.choice((0, 1, 1, 2, 3)))
        derived = random.random() < 0.1
        roles = [*random.sample((*FACTS["roles"], *names), random.choice((0, 0, 1, 2))), *(("direction",) if derived else ())]
        yield {
            **LEAST, "sample": sample, "conditions": {name: condition(shape) for name in names},
            "inputs": {role: random.choice(("a", "b", "c", "x", "y", "z")) for role in roles},
            **({"outputs": {"derivative": "j"}} if derived else {}),
            **perhaps(0.2, {"guidance_pair": random.choice(FACTS["words"]["guidance_pair"])}), **perhaps(0.3, {"classes": {"count": 2}}),
            **perhaps(0.2, {"variance": random.choice(FACTS["words"]["variance"])}), **perhaps(0.1, {"prediction": "class_gradient"}),
        }


def several(bases, values, random):
    """Manifests with two or three changes at once."""
    for _ in range(6000):
        base = random.choice(bases)
        for _ in range(random.randint(2, 3)):
            path = random.choice(list(places(base)))
            if path:
                drop = random.random() < 0.2
                new = random.choice(values)
                base = changed(base, path, (lambda container, key: container.__delitem__(key)) if drop else put(new))
            donor = random.choice(bases)
            key = random.choice(list(donor))
            if isinstance(base, dict) and random.random() < 0.7:
                base = {**base, key: donor[key]}
        yield base


def test_both_sides(seed=1):
    """The library accepts and refuses the same files."""
    generator = random.Random(seed)
    cases = [case["manifest"] for case in CASES if "manifest" in case]
    bases = [base for base in (*cases, *shipped()) if isinstance(base, dict)]
    holding = [case["manifest"] for case in CASES if case["holds"] and "manifest" in case]
    assert all(complaint(json.dumps(full).encode()) is None for full in FULL)
    values = (*VALUES, *words())
    found = itertools.chain(
        bases, *(mutations(full, values) for full in FULL), *(mutations(base, VALUES) for base in generator.sample(bases, 12)),
        mutations(LEAST, values), schedules(), options(generator), tensors(generator), several([*FULL, *holding], values, generator),
    )
    contents = {json.dumps(one, ensure_ascii=False).encode() for one in found}
    contents |= {text.encode() for full in FULL for text in respelled(full)} | set(encoded(LEAST))
    contents |= {case["text"].encode() for case in CASES if "text" in case}
    contents |= {path.read_bytes() for path in sorted((HERE.parent / "tests" / "fuzz" / "corpus" / "manifest").iterdir())}
    contents = sorted(contents)
    theirs = library_complaints(contents)
    ours = [complaint(content) for content in contents]
    assert len(theirs) == len(contents)
    differing = [
        f"{content[:300].decode(errors='replace')}\n  here: {our or 'holds'}\n  the library: {their or 'holds'}"
        for content, our, their in zip(contents, ours, theirs) if (our is None) != (their is None)
    ]
    assert not differing, f"{len(differing)} of {len(contents)} manifests:\n" + "\n".join(differing[:: max(1, len(differing) // 40)])
    holding = theirs.count(None)
    assert holding > 2000 and len(theirs) - holding > 2000
    print(f"{len(contents)} manifests are taken alike: {holding} hold")


if __name__ == "__main__":
    test_levels()
    test_every_encoding()
    test_every_case()
    test_the_schema()
    test_what_the_pages_show()
    for seed in sys.argv[1:] or (1,):
        test_both_sides(int(seed))
