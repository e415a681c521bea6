"""Writes runs of diffusers' schedulers with a live network into `goldens/live.json` and `goldens/live.safetensors`, for
`tests/all/live.rs` to compare with: the network's inputs at every evaluation, and the end.

    python onnx/goldens_live.py

The files of `fixtures/schedulers` are configurations as repositories publish them, each with 25 steps. The cases below
them are those that a search once found to differ, and the rest of the classes.
"""

import importlib.metadata
import json
import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file

import live

HERE = pathlib.Path(__file__).parent
SHAPE, SEED, STEPS = [2, 2, 4], 5, 25

LATENT = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
FLOW = {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": 3.0}
VIDEO = {
    "prediction_type": "v_prediction", "timestep_type": "continuous",
    "use_karras_sigmas": True, "sigma_min": 0.002, "sigma_max": 700.0,
}
COGVIDEOX = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
# The class, its configuration, the steps, and what `step` and `set_timesteps` are given.
CASES = [
    ("LCM", {**LATENT, "set_alpha_to_one": False}, 4, {}, {}),
    ("LCM", LATENT, 3, {}, {"timesteps": [999, 499, 259]}),
    ("TCD", {**LATENT, "clip_sample": True}, 4, {}, {}),
    ("TCD", {"original_inference_steps": 1000}, 30, {"eta": 0.7}, {}),
    ("PNDM", {**LATENT, "skip_prk_steps": True, "steps_offset": 1, "prediction_type": "v_prediction"}, 20, {}, {}),
    ("PNDM", {**LATENT, "skip_prk_steps": True, "timestep_spacing": "trailing"}, 7, {}, {}),
    ("PNDM", {**LATENT, "steps_offset": 1}, 12, {}, {}),
    ("IPNDM", {}, 10, {}, {}),
    ("DEISMultistep", {**LATENT, "timestep_spacing": "trailing", "thresholding": True, "sample_max_value": 1.5}, 20, {}, {}),
    (
        "DPMSolverMultistep",
        {
            **LATENT, "timestep_spacing": "trailing", "thresholding": True, "sample_max_value": 1.5,
            "algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min",
        }, 20, {}, {},
    ),
    ("SASolver", {**LATENT, "timestep_spacing": "trailing"}, 10, {}, {}),
    ("SASolver", {**LATENT, "num_train_timesteps": 250, "timestep_spacing": "trailing"}, 10, {}, {}),
    ("EulerAncestralDiscrete", {**LATENT, "timestep_spacing": "trailing"}, 1, {}, {}),
    ("EulerDiscrete", LATENT, 10, {}, {}),
    ("EulerDiscrete", {**LATENT, "timestep_spacing": "leading", "steps_offset": 1}, 20, {"s_churn": 5.0}, {}),
    ("EulerDiscrete", {**LATENT, "prediction_type": "v_prediction"}, 12, {"s_churn": 5.0}, {}),
    ("EulerDiscrete", {**LATENT, "prediction_type": "sample"}, 12, {"s_churn": 5.0}, {}),
    ("EulerDiscrete", {**LATENT, "timestep_spacing": "leading", "steps_offset": 1, "use_karras_sigmas": True}, 25, {}, {}),
    ("EulerDiscrete", {**VIDEO, "timestep_spacing": "trailing"}, 8, {"s_churn": 5.0}, {}),
    ("EulerDiscrete", {**LATENT, "interpolation_type": "log_linear"}, 10, {"s_churn": 2.0}, {}),
    ("EulerDiscrete", {**LATENT, "final_sigmas_type": "sigma_min"}, 1, {}, {}),
    ("EulerDiscrete", LATENT, 3, {}, {"sigmas": [14.0, 3.0, 0.5, 0.0]}),
    ("EulerDiscrete", LATENT, 3, {}, {"timesteps": [900.0, 400.5, 20.0]}),
    ("EDMEuler", {}, 18, {"s_churn": 5.0}, {}),
    ("EDMEuler", {"prediction_type": "v_prediction", "sigma_data": 1.0}, 12, {"s_churn": 5.0}, {}),
    ("EDMDPMSolverMultistep", {"prediction_type": "v_prediction", "sigma_schedule": "exponential"}, 12, {}, {}),
    ("CosineDPMSolverMultistep", {}, 12, {}, {}),
    ("UniPCMultistep", FLOW, 20, {}, {}),
    ("UniPCMultistep", {**FLOW, "final_sigmas_type": "sigma_min"}, 8, {}, {}),
    (
        "UniPCMultistep",
        {**FLOW, "use_karras_sigmas": True, "sigma_min": 0.01, "sigma_max": 200.0, "final_sigmas_type": "sigma_min"},
        12, {}, {},
    ),
    ("UniPCMultistep", {**FLOW, "shift_terminal": 0.1, "use_dynamic_shifting": True}, 12, {}, {"mu": 1.0}),
    ("UniPCMultistep", FLOW, 4, {}, {"sigmas": [1.0, 0.75, 0.5, 0.25]}),
    ("UniPCMultistep", {**LATENT, "disable_corrector": [0, 1], "solver_order": 3}, 12, {}, {}),
    ("UniPCMultistep", {**LATENT, "use_beta_sigmas": True, "final_sigmas_type": "sigma_min"}, 10, {}, {}),
    ("DPMSolverMultistep", FLOW, 20, {}, {}),
    ("DPMSolverMultistep", {**LATENT, "timestep_spacing": "leading", "steps_offset": 1}, 25, {}, {}),
    ("DPMSolverMultistep", {**LATENT, "use_beta_sigmas": True, "final_sigmas_type": "sigma_min"}, 10, {}, {}),
    ("DPMSolverMultistep", {**LATENT, "use_lu_lambdas": True}, 10, {}, {}),
    ("DPMSolverMultistep", {"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1}, 20, {}, {}),
    ("DPMSolverMultistep", {**LATENT, "euler_at_final": True, "final_sigmas_type": "sigma_min"}, 16, {}, {}),
    (
        "DPMSolverMultistep",
        {**LATENT, "algorithm_type": "sde-dpmsolver++", "solver_order": 3, "lower_order_final": False}, 20, {}, {},
    ),
    ("DPMSolverMultistep", LATENT, 3, {}, {"timesteps": [999, 500, 20]}),
    ("DPMSolverSinglestep", {**LATENT, "solver_order": 3}, 11, {}, {}),
    ("DPMSolverSDE", {**LATENT, "use_karras_sigmas": True}, 8, {}, {}),
    ("FlowMatchEulerDiscrete", {"shift": 3.0}, 28, {}, {}),
    ("FlowMatchEulerDiscrete", {"shift": 3.0, "use_beta_sigmas": True}, 20, {}, {}),
    ("FlowMatchEulerDiscrete", {"use_dynamic_shifting": True, "use_karras_sigmas": True}, 20, {}, {"mu": 1.1}),
    ("FlowMatchEulerDiscrete", {"use_dynamic_shifting": True, "time_shift_type": "linear"}, 12, {}, {"mu": 1.7}),
    ("FlowMatchEulerDiscrete", {"shift_terminal": 0.1, "use_dynamic_shifting": True}, 20, {}, {"mu": 1.1}),
    ("FlowMatchEulerDiscrete", {"invert_sigmas": True, "shift": 3.0}, 20, {}, {}),
    ("FlowMatchEulerDiscrete", {"shift": 3.0, "stochastic_sampling": True}, 6, {}, {}),
    ("FlowMatchEulerDiscrete", {"shift": 3.0}, 4, {}, {"sigmas": [1.0, 0.75, 0.5, 0.25]}),
    ("FlowMatchEulerDiscrete", {"shift": 3.0}, 4, {}, {"timesteps": [1000.0, 750.0, 500.0, 250.0]}),
    ("FlowMatchHeunDiscrete", {"shift": 3.0}, 8, {}, {}),
    ("FlowMatchLCM", {"shift": 5.0}, 4, {}, {}),
    ("LTXEulerAncestralRF", {}, 8, {}, {}),
    ("LTXEulerAncestralRF", {"eta": 0.5, "s_noise": 1.05}, 12, {}, {}),
    ("HeunDiscrete", {**LATENT, "clip_sample": True, "clip_sample_range": 0.6}, 12, {}, {}),
    ("KDPM2Discrete", {**LATENT, "use_karras_sigmas": True}, 8, {}, {}),
    ("LMSDiscrete", {**LATENT, "use_exponential_sigmas": True}, 8, {"order": 3}, {}),
    ("DDIM", {**LATENT, "timestep_spacing": "linspace", "set_alpha_to_one": False, "clip_sample_range": 0.5}, 39, {}, {}),
    ("DDIM", {**LATENT, "timestep_spacing": "linspace"}, 1, {}, {}),
    ("DDIMParallel", {"clip_sample": True}, 20, {"eta": 0.5}, {}),
    ("DDPM", {**LATENT, "variance_type": "learned_range", "steps_offset": 1}, 50, {}, {}),
    ("DDPMParallel", {"variance_type": "fixed_large", "steps_offset": 1}, 20, {}, {}),
    ("UnCLIP", {"prediction_type": "sample", "clip_sample_range": 5.0}, 25, {}, {}),
    ("DDPM", {**LATENT, "variance_type": "learned"}, 12, {}, {}),
    ("DPMSolverMultistep", {**FLOW, "final_sigmas_type": "sigma_min"}, 8, {}, {}),
    ("EulerDiscrete", {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}, 11, {}, {}),
    ("FlowMatchEulerDiscrete", {"shift": 3.0}, 4, {"strength": 0.6}, {}),
    ("UnCLIP", {"variance_type": "learned_range"}, 10, {}, {}),
    ("CogVideoXDDIM", COGVIDEOX, 25, {}, {}),
    ("CogVideoXDDIM", {**COGVIDEOX, "snr_shift_scale": 1.0}, 12, {}, {}),
    ("CogVideoXDPM", COGVIDEOX, 13, {}, {}),
    ("CogVideoXDPM", {"prediction_type": "sample", "steps_offset": 1, "set_alpha_to_one": False}, 20, {}, {}),
    ("DDPMWuerstchen", {}, 12, {}, {}),
    ("DDPMWuerstchen", {"scaler": 2.0}, 12, {}, {}),
    ("CMStochasticIterative", {}, 1, {}, {}),
    ("CMStochasticIterative", {}, 12, {}, {}),
    ("CMStochasticIterative", {"clip_denoised": False, "s_noise": 1.1}, 2, {}, {"timesteps": [22, 0]}),
    ("SCM", {}, 2, {}, {}),
    ("SCM", {}, 4, {}, {}),
    ("KarrasVe", {}, 8, {}, {}),
    ("KarrasVe", {"sigma_max": 5.0, "s_max": 4.0}, 8, {}, {}),
    ("UniPCMultistep", {**FLOW, "use_karras_sigmas": True, "shift_terminal": 0.1}, 8, {}, {}),
    ("EulerAncestralDiscrete", {**LATENT, "num_train_timesteps": 16, "timestep_spacing": "leading", "steps_offset": 1}, 15, {}, {}),
    ("PNDM", {**LATENT, "skip_prk_steps": True, "steps_offset": 1}, 10, {"strength": 0.6}, {}),
    ("PNDM", {**LATENT, "skip_prk_steps": True, "steps_offset": 1}, 10, {"strength": 0.9}, {}),
    ("PNDM", {**LATENT, "skip_prk_steps": True, "steps_offset": 1, "prediction_type": "v_prediction"}, 10, {"strength": 0.1}, {}),
    ("PNDM", {**LATENT, "skip_prk_steps": True, "steps_offset": 1}, 2, {"strength": 0.5}, {}),
]


def cases():
    for path in sorted((HERE / "fixtures" / "schedulers").glob("*.json")):
        config = json.loads(path.read_text())
        name = config["_class_name"].removesuffix("Scheduler")
        given = {"mu": 0.8} if config.get("use_dynamic_shifting") else {}
        steps = STEPS
        if path.stem.startswith("flux_1_schnell"):
            # As its pipeline gives them.
            steps, given = 4, {"sigmas": np.linspace(1.0, 1 / 4, 4).tolist()}
        yield path.stem, name, config, steps, {}, given
    for number, (name, config, steps, step, given) in enumerate(CASES):
        yield f"{number:02}_{name}", name, config, steps, step, given


def sigmas(scheduler):
    """The levels of the schedulers that keep one for every step and the end."""
    kept = getattr(scheduler, "sigmas", None)
    if kept is None or len(kept) != len(scheduler.timesteps) + 1:
        return []
    return [float(sigma) for sigma in kept]


def main():
    written, tensors = [], {}
    for label, name, config, steps, step, given in cases():
        case = {"class": name, "config": config, "steps": steps, "step": step, "set": given, "seed": SEED, "shape": SHAPE}
        if "strength" in step:
            # It is the pipeline that has it.
            case |= {"strength": step["strength"], "step": {}}
        run = live.run_diffusers(case)
        assert all(np.isfinite(one).all() for one in [*run["inputs"], run["final"]]), label
        told = live.options(case)
        if not {"sigmas", "timesteps"} & set(told):
            told["steps"] = steps
        tensors[label] = np.stack([*run["inputs"], run["final"]])
        written.append({
            # A text, since Python's has numbers that JSON does not have.
            "name": label, "config": json.dumps({"_class_name": f"{name}Scheduler", **config}), "manifest": live.manifest(name, config, SHAPE),
            "options": {key: ",".join(map(repr, value)) if isinstance(value, list) else str(value) for key, value in told.items()},
            "times": run["times"], "sigmas": sigmas(run["scheduler"]), "unit": live.time_unit(name, config), "learned": live.learned_variance(name, config),
            "greatest": run["greatest"],
        })
    versions = {package: importlib.metadata.version(package) for package in ("diffusers", "torch", "numpy")}
    text = json.dumps({"versions": versions, "seed": SEED, "count": live.COUNT, "shape": SHAPE, "cases": written}, indent=1)
    (HERE / "goldens" / "live.json").write_text(text + "\n")
    save_file(tensors, HERE / "goldens" / "live.safetensors")
    print(f"{len(written)} runs, {sum(len(case['times']) for case in written)} evaluations")


if __name__ == "__main__":
    main()
