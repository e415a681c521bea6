"""A scheduler of diffusers beside this project, with one network of x and t for both.

The network's inputs at every evaluation are compared, x and the time, and the result. All of it is independent of the
frame that x is kept in. `run_diffusers` runs a case with diffusers, and `manifest` writes this project's manifest of
the same model. A case is

    {"class": "EulerDiscrete", "config": {...}, "steps": 25, "step": {...}, "set": {...}, "seed": 5, "shape": [2, 2, 4]}

with the further arguments of `step` and `set_timesteps`. goldens_live.py and fuzz_schedulers.py use it.
"""

import contextlib
import importlib
import inspect
import os
import warnings
from unittest import mock

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")
import diffusers
import numpy as np
import torch
from diffusers import schedulers

torch.set_num_threads(1)
diffusers.logging.set_verbosity_error()

COUNT = 2
KINDS = {
    "linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "cosine", "sigmoid": "sigmoid",
    "exp": "exponential", "laplace": "laplace",
}
PREDICTIONS = {
    "epsilon": "epsilon", "sample": "x0", "original_sample": "x0", "v_prediction": "v", "v-prediction": "v",
    "flow_prediction": "flow", "trigflow": "v",
}
FLOWS = ("FlowMatchEulerDiscrete", "FlowMatchHeunDiscrete", "FlowMatchLCM", "LTXEulerAncestralRF")
ZERO_SNR = ("DDPM", "DDPMParallel", "DDIM", "DDIMParallel", "DDIMInverse", "LCM", "TCD", "CogVideoXDDIM", "CogVideoXDPM")
DEPRECATED = {"KarrasVe": "scheduling_karras_ve", "ScoreSdeVp": "scheduling_sde_vp"}


def class_of(name):
    if name in DEPRECATED:
        return getattr(importlib.import_module(f"diffusers.schedulers.deprecated.{DEPRECATED[name]}"), f"{name}Scheduler")
    return getattr(schedulers, f"{name}Scheduler")


def completed(name, config):
    """The configuration with the defaults of its class."""
    parameters = inspect.signature(class_of(name).__init__).parameters.items()
    own = {key: parameter.default for key, parameter in parameters if parameter.default is not inspect.Parameter.empty}
    return {**own, **{key: value for key, value in config.items() if key in own}}


def network(x, t, learned=""):
    """The network's output for x, f32 [items, channels, height, width], at the time t, which is of the order of 1."""
    x = np.asarray(x, dtype=np.float64)
    said = 1.1 * np.tanh(0.9 * x) + 0.2 * np.tanh(0.7 * np.roll(x, 1, -1) - 0.2)
    said = said - 0.1 * np.tanh(np.roll(x, 1, -3)) + 0.1 * (t - 0.5)
    if learned:
        variance = 0.02 + 0.01 * np.tanh(x) if learned == "learned" else np.clip(0.3 * x, -1, 1)
        said = np.concatenate([said, variance], 1)
    return said.astype(np.float32)


def learned_variance(name, config):
    """The network's output for the variance, if it has one."""
    told = completed(name, config).get("variance_type")
    return told if told in ("learned", "learned_range") else ""


def time_unit(name, config):
    """The divisor of the times before the network receives them."""
    told = completed(name, config)
    if told.get("timestep_type") == "continuous" and told["prediction_type"] == "v_prediction":
        return 1.0
    if name == "CMStochasticIterative":
        return 1000.0
    if name.startswith(("EDM", "Cosine")) or name in ("SCM", "DDPMWuerstchen", "IPNDM", "KarrasVe"):
        return 1.0
    return told.get("num_train_timesteps") or 1000


def is_flow(name, config):
    return name in FLOWS or bool(completed(name, config).get("use_flow_sigmas"))


def manifest(name, config, shape):
    """The manifest of a model that was trained by the configuration."""
    told = completed(name, config)
    total = told.get("num_train_timesteps") or 1000
    reach = told.get("clip_sample_range", 1.0) or 1.0
    sample = {"shape": list(shape), "kind": "tensor", "range": [-reach, reach], "clip": False}
    written = {"diffuse": 1, "sample": sample}
    least, most = told.get("sigma_min"), told.get("sigma_max")
    continuous = told.get("timestep_type") == "continuous" and told["prediction_type"] == "v_prediction"
    if name.startswith(("EDM", "Cosine")) or continuous:
        of_v = told["prediction_type"] == "v_prediction"
        sample["sigma_data"] = told.get("sigma_data", 1.0)
        time = {"encoding": "log_sigma", "scale": 0.25}
        if name.startswith("Cosine"):
            time = {"encoding": "angle", "scale": 2 / np.pi}
        written |= {
            "schedule": {"kind": "edm", "sigma_min": least, "sigma_max": most},
            "prediction": "edm_v" if of_v else "edm", "time": time,
        }
    elif name == "CMStochasticIterative":
        sample["sigma_data"] = told["sigma_data"]
        written |= {
            "schedule": {"kind": "edm", "sigma_min": least, "sigma_max": most}, "prediction": "consistency",
            "time": {"encoding": "log_sigma", "scale": 250.0},
        }
    elif name == "KarrasVe":
        written |= {
            "schedule": {"kind": "edm", "sigma_min": least, "sigma_max": most}, "prediction": "score",
            "time": {"encoding": "sigma"},
        }
    elif is_flow(name, config):
        inverted = told.get("invert_sigmas", False)
        written |= {
            "schedule": {"kind": "flow", "least_time": 1 / max(total, 2)},
            "prediction": "flow_to_data" if inverted else PREDICTIONS[told.get("prediction_type", "flow_prediction")],
            "time": {"encoding": "unit", "scale": total} | ({"direction": "data"} if inverted else {}),
        }
    elif name in ("IPNDM", "SCM"):
        scale = np.pi / 2 if name == "SCM" else 1.0
        written |= {
            "schedule": {"kind": "trigonometric", "least_time": 1 / total}, "prediction": "v",
            "time": {"encoding": "unit", "scale": scale},
        }
    elif name == "DDPMWuerstchen":
        written |= {
            "schedule": {"kind": "continuous_cosine", "s": told["s"]}, "prediction": "epsilon",
            "time": {"encoding": "unit"},
        }
    else:
        terminal = "as_trained"
        if told.get("rescale_betas_zero_snr"):
            terminal = "zero_snr" if name in ZERO_SNR else "floored"
        if told.get("trained_betas") is not None:
            schedule = {"kind": "trained", "betas": list(told["trained_betas"]), "terminal": terminal}
        else:
            schedule = {"kind": KINDS[told["beta_schedule"]], "train_steps": total, "terminal": terminal}
            if schedule["kind"] in ("linear", "scaled_linear", "sigmoid"):
                schedule |= {"beta_start": told["beta_start"], "beta_end": told["beta_end"]}
            if told.get("snr_shift_scale", 1.0) != 1.0:
                schedule["snr_shift"] = told["snr_shift_scale"]
        written |= {"schedule": schedule, "prediction": PREDICTIONS[told["prediction_type"]]}
        if learned_variance(name, config):
            written["variance"] = told["variance_type"]
    return written


def options(case):
    """The options of a request for the arguments of `step` and `set_timesteps`."""
    name, step, said = case["class"], case.get("step", {}), {}
    told = completed(name, case["config"])
    if "eta" in step:
        said["gamma" if name == "TCD" else "eta"] = step["eta"]
    if step.get("use_clipped_model_output") and told["clip_sample"] and not told["thresholding"]:
        said["clipping"] = "on"
    for key in ("s_churn", "s_noise"):
        if key in step:
            said[key] = step[key]
    if "order" in step:
        said["lms_order"] = step["order"]
    given = case.get("set", {})
    for key in ("mu", "sigmas", "timesteps"):
        if key in given:
            said[key] = given[key]
    if "strength" in case:
        said["strength"] = case["strength"]
    return said


@contextlib.contextmanager
def drawing_from(name, generator):
    """The scheduler's noise, from `generator` in f32."""
    module = importlib.import_module(class_of(name).__module__)

    def drawn(shape, generator=generator, **_):
        return torch.randn(tuple(shape), generator=generator, dtype=torch.float32)

    with contextlib.ExitStack() as patches:
        if hasattr(module, "randn_tensor"):
            patches.enter_context(mock.patch.object(module, "randn_tensor", lambda shape, **_: drawn(shape)))
        if hasattr(module, "BrownianTreeNoiseSampler"):
            # Independent noise in place of a tree, which has no counterpart.
            patches.enter_context(
                mock.patch.object(module, "BrownianTreeNoiseSampler", lambda x, *_, **__: lambda *_: drawn(x.shape))
            )
        yield


def run_diffusers(case):
    """The network's inputs at every evaluation, and the result."""
    name, config = case["class"], case["config"]
    told = completed(name, config)
    unit, learned = time_unit(name, config), learned_variance(name, config)
    generator = torch.Generator().manual_seed(case["seed"])
    noise = torch.randn((COUNT, *case["shape"]), generator=generator, dtype=torch.float32)
    inputs, times = [], []

    def ask(x, t):
        inputs.append(x.detach().numpy().astype(np.float32).copy())
        times.append(float(t))
        with np.errstate(all="ignore"):
            return torch.from_numpy(network(x.numpy(), float(t) / unit, learned))

    with drawing_from(name, generator):
        # Fields of other classes are ignored, as in a file.
        scheduler = class_of(name).from_config(dict(config))
        given = dict(case.get("set", {}))
        if not {"sigmas", "timesteps"} & set(given) or name.startswith("FlowMatch"):
            given["num_inference_steps"] = case["steps"]
        if name == "SCM" and case["steps"] != 2:
            given["intermediate_timesteps"] = None
        if "sigmas" in given and name == "UniPCMultistep":
            given = {"sigmas": np.array(given["sigmas"]), "num_inference_steps": None} | ({"mu": given["mu"]} if "mu" in given else {})
        scheduler.set_timesteps(**given)
        largest = []
        x = LOOPS.get(name, usual)(case, scheduler, told, noise, ask, generator, largest)
    final = x.numpy().astype(np.float32)
    # The greatest |x| of the run, in diffusers' own scale.
    greatest = max([1.0, *largest, float(np.abs(final).max()), *(float(np.abs(seen).max()) for seen in inputs)])
    return {"inputs": inputs, "times": times, "final": final, "greatest": greatest, "scheduler": scheduler}


def usual(case, scheduler, told, noise, ask, generator, largest):
    x = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    step = dict(case.get("step", {}))
    if "generator" in inspect.signature(scheduler.step).parameters:
        step["generator"] = generator
    times = scheduler.timesteps
    if "strength" in case:
        # From an image of zeros, as the pipelines of flow matching do it, and the others.
        straight = hasattr(scheduler, "scale_noise")
        steps, share = case["steps"], min(case["steps"] * case["strength"], case["steps"])
        first = int(max(steps - share, 0)) if straight else max(steps - int(share), 0) * getattr(scheduler, "order", 1)
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(first)
        times = times[first:]
        x = (
            scheduler.scale_noise(torch.zeros_like(noise), times[:1], noise)
            if straight
            else scheduler.add_noise(torch.zeros_like(noise), noise, times[:1])
        )
    for t in times:
        largest.append(float(x.abs().max()))
        seen = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        x = scheduler.step(ask(seen, t), t, x, **step).prev_sample
    return x


def unclip(case, scheduler, told, noise, ask, generator, largest):
    """As UnCLIPPipeline."""
    x, times = noise, scheduler.timesteps
    for i, t in enumerate(times):
        after = times[i + 1] if i + 1 < len(times) else None
        x = scheduler.step(ask(x, t), t, x, prev_timestep=after, generator=generator).prev_sample
    return x


def cogvideox_dpm(case, scheduler, told, noise, ask, generator, largest):
    """As CogVideoXPipeline."""
    x, before, times = noise, None, scheduler.timesteps
    for i, t in enumerate(times):
        back = times[i - 1] if i > 0 else None
        x, before = scheduler.step(ask(x, t), before, t, back, x, generator=generator, return_dict=False)
    return x


def scm(case, scheduler, told, noise, ask, generator, largest):
    """As SanaSprintPipeline: the network sees latents of unit deviation."""
    scale = told["sigma_data"]
    x = noise * scale
    for t in scheduler.timesteps[:-1]:
        x, denoised = scheduler.step(ask(x / scale, t) * scale, t, x, generator=generator, return_dict=False)
    return denoised / scale


def wuerstchen(case, scheduler, told, noise, ask, generator, largest):
    """As WuerstchenPriorPipeline."""
    x = noise
    for t in scheduler.timesteps[:-1]:
        x = scheduler.step(ask(x, t), t.expand(len(x)), x, generator=generator).prev_sample
    return x


def karras_ve(case, scheduler, told, noise, ask, generator, largest):
    """Algorithm 2 of Karras et al. 2022, as KarrasVePipeline had it, for a network that predicts the score."""
    x = noise * scheduler.init_noise_sigma
    levels = [float(level) for level in reversed(scheduler.schedule)] + [0.0]
    for sigma, after in zip(levels, levels[1:]):
        largest.append(float(x.abs().max()))
        noisy, raised = scheduler.add_noise_to_input(x, sigma, generator=generator)
        step = scheduler.step(ask(noisy, raised) * raised, raised, after, noisy)
        x = step.prev_sample
        if after != 0:
            said = ask(x, after) * after
            x = scheduler.step_correct(said, raised, after, noisy, x, step.derivative).prev_sample
    return x


LOOPS = {
    "UnCLIP": unclip, "CogVideoXDPM": cogvideox_dpm, "SCM": scm, "DDPMWuerstchen": wuerstchen, "KarrasVe": karras_ve,
}
