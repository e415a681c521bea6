"""Random configurations of diffusers' schedulers, run by diffusers and by this project's Python package.

    python onnx/fuzz_schedulers.py 150                  # cases of the seed 1, in seconds: as .ci/run does
    python onnx/fuzz_schedulers.py 5000 --seed 20261126 # minutes; run by hand before a release
    python onnx/fuzz_schedulers.py 500 --only UniPCMultistep
    python onnx/fuzz_schedulers.py --case '{"class": ...}'
    python onnx/fuzz_schedulers.py --fields             # whether the classes of the library have diffusers' fields
    python onnx/fuzz_schedulers.py --files FOLDER       # scheduler_config.json files, as they are

It needs torch and diffusers, and DIFFUSE_LIBRARY, PYTHONPATH (bindings/python/src) and ORT_DYLIB_PATH as the package
does. tests/diffusers/run gets all of it. The network's inputs at every evaluation have to be within 1e-4·max(1, max|x|)
of diffusers'. --bound sets another bound. Anything beyond needs an explanation. One is a departure that the request
lists. The other is rounding: diffusers' own result moves as much when its network's outputs move by a unit in the last
place, or when its arithmetic is f64.
"""

import argparse
import collections
import inspect
import json
import math
import pathlib
import random
import re
import sys

import numpy as np
import torch

import diffuse
import live

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLASSES = [
    "DDPM", "DDPMParallel", "DDIM", "DDIMParallel", "CogVideoXDDIM", "CogVideoXDPM", "UnCLIP", "PNDM", "IPNDM", "LMSDiscrete",
    "EulerDiscrete", "EulerAncestralDiscrete", "HeunDiscrete", "KDPM2Discrete", "KDPM2AncestralDiscrete",
    "DPMSolverMultistep", "DPMSolverSinglestep", "DPMSolverSDE", "DEISMultistep", "UniPCMultistep", "SASolver", "LCM", "TCD",
    "EDMEuler", "EDMDPMSolverMultistep", "CosineDPMSolverMultistep", "CMStochasticIterative", "KarrasVe", "DDPMWuerstchen",
    "SCM", "FlowMatchEulerDiscrete", "FlowMatchHeunDiscrete", "FlowMatchLCM", "LTXEulerAncestralRF",
]
# Words of departures that are not followed, each with what may differ then.
EXPLAINED_BY = {
    "a step too many": lambda said: said["distance"] == math.inf,
    "takes roots in f32": lambda said: said["distance"] < 0.05,
    "last digit of a root": lambda said: said["times"] < 0.05,
    "difference of squares in f32": lambda said: said["distance"] < 0.05 and said["times"] < 0.5,
    "differences in f32": lambda said: said["distance"] < 0.05,
    "three digits of what": lambda said: said["distance"] < 0.1,
    "takes the noise for": lambda said: True,
}


# Words of what is refused that diffusers takes; tests/DIFFUSERS.md has the reasons.
REASONS = ["it has to fall", "cannot step between", "does not shift by it", "is of order 1 and 2"]


def maybe(draw, chance, *values):
    return draw.choice(values) if draw.random() < chance else None


def draw_case(draw, only=None):
    name = only or draw.choice(CLASSES)
    own = inspect.signature(live.class_of(name).__init__).parameters
    config, step, given = {}, {}, {}

    def put(key, *values, chance=1.0):
        if key in own and draw.random() < chance:
            config[key] = draw.choice(values)

    total = draw.choices([1000, 50, 100, 250, 4000], [14, 1, 1, 1, 1])[0]
    if name not in ("CMStochasticIterative", "SCM", "EDMEuler", "EDMDPMSolverMultistep", "CosineDPMSolverMultistep"):
        put("num_train_timesteps", total, chance=0.3 if total != 1000 else 0.0)
    total = config.get("num_train_timesteps", 1000 if name != "CMStochasticIterative" else 40)
    put("beta_schedule", "linear", "scaled_linear", "scaled_linear", "squaredcos_cap_v2", chance=0.85 if name != "UnCLIP" else 0)
    put("beta_start", float(f"{10 ** draw.uniform(-4.5, -2.6):.6f}"), chance=0.6)
    put("beta_end", round(min(0.9, draw.uniform(0.008, 0.03) * 1000 / total), 6), chance=0.6)
    flow = draw.random() < 0.15
    if flow:
        put("use_flow_sigmas", True)
    flow = config.get("use_flow_sigmas", False)
    if flow:
        config["prediction_type"] = "flow_prediction"
        put("flow_shift", round(draw.uniform(0.5, 8), 3), chance=0.7)
        put("shift_terminal", 0.1, chance=0.2)
    elif name in ("UnCLIP",):
        put("prediction_type", "epsilon", "sample", chance=0.5)
    elif name.startswith(("EDM", "Cosine")):
        put("prediction_type", "epsilon", "v_prediction", chance=0.4)
    elif name != "SCM":
        put("prediction_type", "v_prediction", "sample", "epsilon", chance=0.45)
    put("timestep_spacing", "leading", "trailing", "linspace", chance=0.7 if name not in ("LCM", "TCD") else 0)
    put("steps_offset", 0, 1, 1, 2, chance=0.35)
    if not flow:
        put(draw.choice(["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas"]), True, chance=0.3)
    if config.get("prediction_type") in ("v_prediction", "sample"):
        put("rescale_betas_zero_snr", True, chance=0.2)
    put("thresholding", True, chance=0.12)
    put("sample_max_value", 1.0, 1.5, 3.0, chance=0.3)
    put("dynamic_thresholding_ratio", 0.9, 0.995, 1.0, chance=0.3)
    put("clip_sample", True, False, chance=0.4)
    put("clip_sample_range", 0.5, 1.0, 2.0, chance=0.2)
    put("set_alpha_to_one", True, False, chance=0.3)
    put("final_sigmas_type", "zero", "sigma_min", chance=0.3)
    put("solver_order", 1, 2, 3, chance=0.5)
    if name == "SASolver":
        put("algorithm_type", "data_prediction", "noise_prediction", chance=0.5)
    elif name != "DEISMultistep":
        put("algorithm_type", "dpmsolver++", "dpmsolver", "sde-dpmsolver++", "sde-dpmsolver", chance=0.5)
    kinds = ("bh1", "bh2") if name == "UniPCMultistep" else ("midpoint", "heun")
    if name != "DEISMultistep":
        put("solver_type", *kinds, chance=0.4)
    put("lower_order_final", True, False, chance=0.3)
    put("euler_at_final", True, chance=0.15)
    put("predict_x0", True, False, chance=0.2)
    put("disable_corrector", [0], [0, 1], chance=0.1)
    put("lambda_min_clipped", -5.1, chance=0.08)
    put("predictor_order", 1, 2, 3, chance=0.5)
    put("corrector_order", 1, 2, 3, chance=0.5)
    put("skip_prk_steps", True, False, chance=0.6)
    if name.startswith("DDPM"):
        put("variance_type", "fixed_small", "fixed_small_log", "fixed_large", "learned", "learned_range", chance=0.6)
    elif name == "UnCLIP":
        put("variance_type", "fixed_small_log", "learned_range", chance=0.5)
    put("original_inference_steps", *[steps for steps in (25, 50, 100) if steps <= total], chance=0.4)
    put("timestep_scaling", 1.0, 5.0, 20.0, chance=0.3)
    put("snr_shift_scale", 1.0, 3.0, 2.0, chance=0.5)
    if name == "EulerDiscrete":
        put("interpolation_type", "log_linear", chance=0.1)
        if config.get("prediction_type") == "v_prediction" and draw.random() < 0.3:
            config |= {"timestep_type": "continuous", "use_karras_sigmas": True, "sigma_min": 0.002, "sigma_max": 700.0}
            for other in ("use_exponential_sigmas", "use_beta_sigmas", "rescale_betas_zero_snr"):
                config.pop(other, None)
    if name.startswith(("EDM", "Cosine", "CM")):
        put("sigma_schedule", "karras", "exponential", chance=0.4)
        put("sigma_min", 0.001, 0.01, 0.05, chance=0.3)
        put("sigma_max", 20.0, 80.0, 200.0, chance=0.3)
        put("sigma_data", 0.5, 1.0, 0.25, chance=0.3)
        put("rho", 3.0, 7.0, 5.5, chance=0.3)
        put("clip_denoised", True, False, chance=0.5)
        put("s_noise", 1.0, 1.1, chance=0.3)
    if name in live.FLOWS:
        put("shift", 1.0, 3.0, round(draw.uniform(0.5, 9), 3), chance=0.7)
        put(draw.choice(["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"]), True, chance=0.2)
        put("shift_terminal", 0.1, 0.02, chance=0.15)
        put("invert_sigmas", True, chance=0.1)
        put("stochastic_sampling", True, chance=0.15)
        put("eta", 1.0, 0.5, 0.0, chance=0.5)
        put("s_noise", 1.0, 1.05, chance=0.3)
    put("use_dynamic_shifting", True, chance=0.2 if name in live.FLOWS or flow else 0)
    if config.get("use_dynamic_shifting"):
        given["mu"] = round(draw.uniform(0.3, 2.0), 3)
        if name in live.FLOWS:
            put("time_shift_type", "linear", "exponential", chance=0.4)
    put("scaler", 0.5, 1.0, 2.0, chance=0.5 if name == "DDPMWuerstchen" else 0)
    if name == "KarrasVe":
        put("s_churn", 0.0, 20.0, 80.0, chance=0.5)
    if name in ("DDIM", "DDIMParallel"):
        step["eta"] = draw.choice([0.0, 0.0, 0.5, 1.0])
        if draw.random() < 0.2 and not config.get("thresholding"):
            step["use_clipped_model_output"] = True
    if name == "TCD":
        step["eta"] = draw.choice([0.0, 0.3, 0.7, 1.0])
    if name in ("EulerDiscrete", "EDMEuler") and draw.random() < 0.2:
        step |= {"s_churn": draw.choice([1.0, 5.0, 40.0]), "s_noise": draw.choice([1.0, 1.003])}
    if name == "LMSDiscrete" and draw.random() < 0.3:
        step["order"] = draw.choice([1, 2, 3])
    steps = min(draw.choice([draw.randint(1, 60), draw.randint(1, 12), draw.randint(4, 20)]), total)
    if draw.random() < 0.08:
        if name in ("FlowMatchEulerDiscrete", "FlowMatchLCM") or name == "UniPCMultistep" and flow and "use_dynamic_shifting" not in config:
            given["sigmas"] = [round(value, 4) for value in np.linspace(1.0, 1 / steps, steps)]
        elif name == "EulerDiscrete" and "timestep_type" not in config:
            given["sigmas"] = sorted({round(math.exp(draw.uniform(-2, 2.2)), 4) for _ in range(steps)}, reverse=True) + [0.0]
            steps = len(given["sigmas"]) - 1
        elif name in ("DPMSolverMultistep", "DPMSolverSinglestep", "DDPM", "LCM", "TCD", "HeunDiscrete") and not flow:
            if not any(config.get(key) for key in ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas")):
                given["timesteps"] = sorted(draw.sample(range(total), steps), reverse=True)
    return {"class": name, "config": config, "steps": steps, "step": step, "set": given, "seed": draw.randint(0, 10**6), "shape": [3, 4, 4]}


def run_here(case, text=None):
    """The network's inputs in this project, the result, and the request's list of departures from diffusers."""
    name, config = case["class"], case["config"]
    unit, learned = live.time_unit(name, config), live.learned_variance(name, config)
    inputs, times = [], []

    def network(estimate):
        inputs.append(np.array(estimate.input, dtype=np.float32))
        times.append(float(estimate.time))
        with np.errstate(all="ignore"):
            return live.network(estimate.input, float(estimate.time) / unit, learned)

    model = diffuse.Model.from_network(live.manifest(name, config, case["shape"]), network)
    told = {"noise": "torch", "compat": "diffusers"} | live.options(case)
    if not {"sigmas", "timesteps"} & set(told):
        told["steps"] = case["steps"]
    text = text or json.dumps({"_class_name": f"{name}Scheduler", **config})
    request = diffuse.Request(seed=case["seed"], count=live.COUNT, scheduler_config=text, options=told)
    departures = request.departures(model)
    job = model.job(request)
    for _ in job:
        pass
    return {"inputs": inputs, "times": times, "final": job.read().astype(np.float32), "departures": departures}


def distance(found, expected):
    """The furthest deviation of the network's inputs and of the end, relative to the greatest |x| of the run."""
    pairs = [*zip(found["inputs"], expected["inputs"]), (found["final"], expected["final"])]
    if len(found["inputs"]) != len(expected["inputs"]):
        return math.inf
    furthest = max(float(np.abs(one.astype(np.float64) - other).max()) for one, other in pairs)
    return furthest / expected["greatest"] if math.isfinite(furthest) else math.inf


def furthest_time(found, expected):
    pairs = zip(found["times"], expected["times"])
    return max((abs(one - other) / max(1.0, abs(other)) for one, other in pairs), default=0.0)


def is_finite(run):
    return all(np.isfinite(one).all() for one in [*run["inputs"], run["final"]])


def rounding(case, expected):
    """The distance that diffusers' own result moves when its network's outputs move by a unit in the last place."""
    moved, count = live.network, 0

    def jittered(x, t, learned=""):
        said = moved(x, t, learned)
        signs = np.random.default_rng(len(said) + int(1e6 * abs(t)) % 9973).choice([-1.0, 1.0], said.shape)
        return (said * (1 + signs * 2.0**-23)).astype(np.float32)

    live.network = jittered
    try:
        return distance(live.run_diffusers(case), expected)
    finally:
        live.network = moved


def single(case, expected):
    """The distance that diffusers' own result moves when its arithmetic after `set_timesteps` is f64."""
    of, randn = live.class_of, torch.randn

    def class_of(name):
        class InDouble(of(name)):
            def set_timesteps(self, *given, **named):
                super().set_timesteps(*given, **named)
                for key, value in vars(self).items():
                    if isinstance(value, torch.Tensor) and value.dtype == torch.float32 and key != "timesteps":
                        setattr(self, key, value.double())

        return InDouble

    live.class_of = class_of
    torch.randn = lambda *shape, **named: randn(*shape, **named | {"dtype": torch.float32}).double()
    torch.set_default_dtype(torch.float64)
    try:
        return distance(live.run_diffusers(case), expected)
    except Exception:  # Not every class takes it.
        return 0.0
    finally:
        torch.set_default_dtype(torch.float32)
        live.class_of, torch.randn = of, randn


def judge(case, bound, text=None):
    said = {"case": case}
    try:
        expected = live.run_diffusers(case)
        if not is_finite(expected):
            said["diffusers"] = "its result is not finite"
    except Exception as error:  # diffusers refuses by whatever its code comes upon.
        said["diffusers"] = f"{type(error).__name__}: {str(error)[:160]}"
    try:
        found = run_here(case, text)
        if not is_finite(found):
            said["verdict"] = "NOT FINITE WITHOUT AN ERROR"
            return said
    except diffuse.DiffuseError as error:
        said["here"] = f"{type(error).__name__}: {str(error)[:300]}"
    if "diffusers" in said or "here" in said:
        if "diffusers" in said:
            said["verdict"] = "refused by both" if "here" in said else "refused by diffusers"
        else:
            reasoned = any(words in said["here"] for words in REASONS)
            said["verdict"] = "refused for a reason of the page's" if reasoned else "REFUSED"
        return said
    said |= {"distance": distance(found, expected), "times": furthest_time(found, expected), "departures": found["departures"]}
    if said["distance"] <= bound and said["times"] <= 1e-5:
        said["verdict"] = "same"
    elif said["times"] <= 1e-5 and said["distance"] <= max(30 * rounding(case, expected), 3 * single(case, expected)):
        said["verdict"] = "rounding"
    elif any(words in line and may(said) for words, may in EXPLAINED_BY.items() for line in found["departures"]):
        said["verdict"] = "a departure says so"
    else:
        said["verdict"] = "DIFFERENT"
    return said


def check_fields():
    """The classes of the library have the fields, and the usual β, of diffusers'."""
    source = (ROOT / "src" / "model" / "diffusers" / "classes.rs").read_text()
    groups = dict(re.findall(r"const (\w+): (?:&\[&str\]|&\[&\[&str\]\]) =\s*&\[(.*?)\];", source, re.S))

    def fields(text):
        for word in re.findall(r'"(\w+)"|\b([A-Z][A-Z_]{2,})\b', text):
            yield from [word[0]] if word[0] else fields(groups[word[1]])

    wrong, count = [], 0
    table = source[source.index("const CLASSES"):]
    for name, betas, text in re.findall(r'class\(\s*"(\w+)",\s*"[\w-]+",\s*(?:\w+|\(.*?\)),\s*(\w+),\s*(.*?),?\s*\),\n', table, re.S):
        parameters = inspect.signature(live.class_of(name).__init__).parameters
        own = {key for key in parameters if key not in ("self", "kwargs")}
        count += 1
        if set(fields(text)) != own:
            wrong.append(f"{name}: {sorted(set(fields(text)) ^ own)}")
        usual = re.search(rf"const {betas}: .*? = \((.*?), (.*?), \"(.*?)\"\);", source).groups()
        told = [parameters[key].default for key in ("beta_start", "beta_end", "beta_schedule") if key in parameters]
        if len(told) == 3 and [float(usual[0]), float(usual[1]), usual[2]] != told:
            wrong.append(f"{name}: {usual}, in diffusers {told}")
    if wrong or count < 35:
        sys.exit("\n".join(wrong) or f"only {count} classes were found")
    print(f"{count} classes have diffusers' fields")


def of_file(path, steps):
    config = json.loads(path.read_text())
    name = config["_class_name"].removesuffix("Scheduler")
    given = {"mu": 0.8} if config.get("use_dynamic_shifting") else {}
    return {"class": name, "config": config, "steps": steps, "set": given, "seed": 5, "shape": [3, 4, 4]}, path.read_text()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=CLASSES)
    parser.add_argument("--case", type=json.loads)
    parser.add_argument("--files", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--bound", type=float, default=1e-4)
    parser.add_argument("--fields", action="store_true")
    arguments = parser.parse_args()
    if arguments.fields:
        check_fields()
        return
    if arguments.case:
        print(json.dumps(judge(arguments.case, arguments.bound), indent=1))
        return
    if arguments.files:
        cases = [of_file(path, arguments.steps) for path in sorted(arguments.files.glob("*.json"))]
    else:
        draw = random.Random(arguments.seed)
        cases = [(draw_case(draw, arguments.only), None) for _ in range(arguments.count)]
    verdicts, bad, furthest = collections.Counter(), [], 0.0
    for case, text in cases:
        said = judge(case, arguments.bound, text)
        verdicts[said["verdict"]] += 1
        if said["verdict"] == "same":
            furthest = max(furthest, said["distance"])
        elif said["verdict"] != "refused by both":
            print(json.dumps(said))
        if said["verdict"].isupper():
            bad.append(said)
    for verdict, count in verdicts.most_common():
        print(f"{count:6d}  {verdict}")
    print(f"furthest of those that are the same: {furthest:.1e} (bound {arguments.bound:g})")
    if bad:
        sys.exit(f"{len(bad)} of {len(cases)} are not explained")


if __name__ == "__main__":
    main()
