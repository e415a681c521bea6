"""Writes the steps of every sampler of diffusers, for the Rust tests to compare with.

    python onnx/goldens_solvers.py    # onnx/goldens/solvers.safetensors and onnx/goldens/solvers.json

A scheduler receives recorded network outputs, which do not depend on the sample. The output of its k-th evaluation is
`outputs[k]`, and its k-th draw of noise is `noise[k]`. The run starts at `start` times the scheduler's own
`init_noise_sigma`. The trace has the sample after every call of its step, `[calls, 2, 4]`. diffusers gets the samples
as `[2, 4, 1, 1]`, two pictures of four channels.

Every case comes twice. "f32" is diffusers as shipped. "f64" is the same code with each float32 of its module replaced
by float64, tables, timesteps and samples alike. Its trace is rounded to f32 at the end.

solvers.json lists the cases, the combinations that diffusers refuses or gets wrong ("gaps"), and the tables of the
beta schedules that only few schedulers know.
"""

import contextlib
import inspect
import json
import pathlib
import sys
import warnings
from unittest import mock

import diffusers
import diffusers.schedulers
import numpy
import torch
from safetensors.numpy import save_file

# Its deprecations are of no interest here.
diffusers.logging.set_verbosity_error()
warnings.filterwarnings("ignore", category=FutureWarning)

GOLDENS = pathlib.Path(__file__).parent / "goldens"
VERSIONS = {"diffusers": diffusers.__version__, "torch": torch.__version__.split("+")[0], "numpy": numpy.__version__}
DTYPES = {"f32": torch.float32, "f64": torch.float64}
EVALUATIONS = 64
# Where a learned variance's channels begin in the noise: evaluation k has noise[k + VARIANCE_FROM].
VARIANCE_FROM = 20

# What is given to each scheduler, where it takes it and unless a case says otherwise.
BASE = dict(
    beta_schedule="scaled_linear",
    beta_start=0.00085,
    beta_end=0.012,
    timestep_spacing="linspace",
    prediction_type="epsilon",
)
BETAS = {
    "linear": dict(beta_schedule="linear", beta_start=0.0001, beta_end=0.02),
    "cosine": dict(beta_schedule="squaredcos_cap_v2"),
}
PREDICTIONS = {"sample": dict(prediction_type="sample"), "v": dict(prediction_type="v_prediction")}
SPACINGS = {
    "leading": dict(timestep_spacing="leading", steps_offset=1),
    "trailing": dict(timestep_spacing="trailing"),
    "linspace": dict(timestep_spacing="linspace"),
}
SIGMAS = {name: {f"use_{name}_sigmas": True} for name in ("karras", "exponential", "beta")}
FLOW = dict(use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=3.0)
ZERO_SNR = dict(rescale_betas_zero_snr=True, prediction_type="v_prediction", timestep_spacing="trailing")
THRESHOLDS = {
    f"threshold_{most:g}": dict(thresholding=True, dynamic_thresholding_ratio=0.995, sample_max_value=most)
    for most in (1.0, 3.0)
}
# What most schedulers are tried with.
COMMON = {**SPACINGS, **BETAS, **PREDICTIONS}


def cases():
    """Yields (scheduler, label, config, steps, options): what each run is given.

    Options: "step" goes to each call of step, "set" to set_timesteps.
    """

    def each(scheduler, variations, steps=(6, 17), **options):
        accepted = inspect.signature(scheduler_class(scheduler).__init__).parameters
        base = {key: value for key, value in BASE.items() if key in accepted}
        for label, config in variations.items():
            # The betas and predictions are no matter of the number of steps.
            for count in steps[:1] if label in {**BETAS, **PREDICTIONS} else steps:
                yield scheduler, label, base | config, count, options

    euler = {
        **COMMON,
        **SIGMAS,
        "log_linear": dict(interpolation_type="log_linear"),
        "to_sigma_min": dict(final_sigmas_type="sigma_min"),
        "zero_snr": ZERO_SNR,
    }
    yield from each("EulerDiscreteScheduler", euler)
    churn = {"churn": {}, "karras_churn": SIGMAS["karras"]}
    yield from each("EulerDiscreteScheduler", churn, step=dict(s_churn=3.0, s_noise=1.01))
    yield from each("EulerAncestralDiscreteScheduler", {**COMMON, "zero_snr": ZERO_SNR})
    yield from each("HeunDiscreteScheduler", {**COMMON, **SIGMAS, "exp": dict(beta_schedule="exp")})
    for name in ("KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler"):
        yield from each(name, {**COMMON, **SIGMAS})
    yield from each("LMSDiscreteScheduler", {**COMMON, **SIGMAS})
    for order in (1, 2, 3):
        yield from each("LMSDiscreteScheduler", {f"order_{order}": {}}, step=dict(order=order))

    pndm = {**COMMON, "to_one": dict(set_alpha_to_one=True)}
    for label, skip in (("plms", True), ("prk", False)):
        yield from each(
            "PNDMScheduler",
            {f"{label}_{name}": dict(skip_prk_steps=skip, set_alpha_to_one=False) | config for name, config in pndm.items()},
        )
    yield from each("IPNDMScheduler", {"default": {}})

    algorithms = ("dpmsolver++", "dpmsolver", "sde-dpmsolver++", "sde-dpmsolver")
    ended = {"dpmsolver": dict(final_sigmas_type="sigma_min"), "sde-dpmsolver": dict(final_sigmas_type="sigma_min")}
    multistep = {
        f"{algorithm}_{order}_{kind}": dict(algorithm_type=algorithm, solver_order=order, solver_type=kind)
        | ended.get(algorithm, {})
        for algorithm in algorithms
        for order in (1, 2, 3)
        for kind in ("midpoint", "heun")
        if kind == "midpoint" or order > 1
    }
    multistep["dpmsolver_2_midpoint_to_zero"] = dict(algorithm_type="dpmsolver")
    extras = {
        **COMMON,
        **SIGMAS,
        "lu": dict(use_lu_lambdas=True),
        "lu_sde": dict(use_lu_lambdas=True, algorithm_type="sde-dpmsolver++"),
        "karras_3": SIGMAS["karras"] | dict(solver_order=3),
        "not_lower_order_final": dict(lower_order_final=False),
        "not_lower_order_final_3": dict(lower_order_final=False, solver_order=3),
        "euler_at_final": dict(euler_at_final=True),
        "to_sigma_min": dict(final_sigmas_type="sigma_min"),
        "zero_snr": ZERO_SNR,
        "flow": FLOW,
        "flow_sde": FLOW | dict(algorithm_type="sde-dpmsolver++"),
        **THRESHOLDS,
    }
    yield from each("DPMSolverMultistepScheduler", {**multistep, **extras})
    # The one-step-at-a-time solver knows neither spacings nor sde-dpmsolver.
    single = {name: config for name, config in multistep.items() if not name.startswith("sde-dpmsolver_")}
    single_extras = {
        **BETAS,
        **PREDICTIONS,
        **SIGMAS,
        "karras_3": SIGMAS["karras"] | dict(solver_order=3),
        "lower_order_final": dict(lower_order_final=True),
        "lower_order_final_3": dict(lower_order_final=True, solver_order=3),
        "to_sigma_min": dict(final_sigmas_type="sigma_min"),
        "to_sigma_min_3": dict(final_sigmas_type="sigma_min", solver_order=3),
        "flow": FLOW,
        **THRESHOLDS,
    }
    yield from each("DPMSolverSinglestepScheduler", {**single, **single_extras})
    yield from each("DPMSolverSDEScheduler", {**COMMON, **SIGMAS})

    deis = {f"order_{order}": dict(solver_order=order) for order in (1, 2, 3)}
    deis |= {**COMMON, **SIGMAS, "not_lower_order_final_3": dict(lower_order_final=False, solver_order=3), "flow": FLOW}
    yield from each("DEISMultistepScheduler", deis)
    unipc = {
        f"{kind}_{order}_{'x0' if x0 else 'epsilon'}": dict(solver_type=kind, solver_order=order, predict_x0=x0)
        for kind in ("bh1", "bh2")
        for order in (1, 2, 3)
        for x0 in (True, False)
    }
    # To 0, only bh2 on x0 remains finite.
    unipc |= {f"{label}_to_sigma_min": config | dict(final_sigmas_type="sigma_min") for label, config in unipc.items()}
    unipc_extras = {
        **COMMON,
        **SIGMAS,
        "not_lower_order_final_3": dict(lower_order_final=False, solver_order=3),
        "not_lower_order_final_3_to_sigma_min": dict(
            lower_order_final=False, solver_order=3, final_sigmas_type="sigma_min"
        ),
        "to_sigma_min": dict(final_sigmas_type="sigma_min"),
        "no_corrector_at_first": dict(disable_corrector=[0, 1]),
        "zero_snr": ZERO_SNR,
        "flow": FLOW,
        "threshold_1": THRESHOLDS["threshold_1"],
    }
    yield from each("UniPCMultistepScheduler", {**unipc, **unipc_extras})
    sa = {
        f"{algorithm}_{predictor}_{corrector}": dict(
            algorithm_type=algorithm, predictor_order=predictor, corrector_order=corrector
        )
        for algorithm in ("data_prediction", "noise_prediction")
        for predictor in (1, 2, 3)
        for corrector in (1, 2, 3)
    }
    yield from each("SASolverScheduler", {**sa, **COMMON, "karras": SIGMAS["karras"], "flow": FLOW})

    consistency = {"default": {}, **BETAS, **PREDICTIONS}
    base = dict(timestep_spacing="leading")
    consistency = {label: base | config for label, config in consistency.items()}
    yield from each("LCMScheduler", consistency, steps=(4, 8))
    for eta in (0.0, 0.3, 1.0):
        yield from each("TCDScheduler", {f"eta_{eta:g}": base}, steps=(4, 8), step=dict(eta=eta))
    yield from each("TCDScheduler", {label: consistency[label] for label in (*BETAS, *PREDICTIONS)}, steps=(4, 8))

    edm = {
        "karras": {},
        "exponential": dict(sigma_schedule="exponential"),
        "v": PREDICTIONS["v"],
        "to_sigma_min": dict(final_sigmas_type="sigma_min"),
    }
    yield from each("EDMEulerScheduler", edm)
    yield from each("EDMEulerScheduler", {"churn": {}}, step=dict(s_churn=3.0, s_noise=1.01))
    edm |= {
        f"{algorithm}_{order}": dict(algorithm_type=algorithm, solver_order=order)
        for algorithm in ("dpmsolver++", "sde-dpmsolver++")
        for order in (1, 2, 3)
    }
    edm |= {"heun": dict(solver_type="heun"), "sde_heun": dict(solver_type="heun", algorithm_type="sde-dpmsolver++")}
    yield from each("EDMDPMSolverMultistepScheduler", edm)

    shifts = {f"shift_{shift:g}": dict(shift=shift) for shift in (1.0, 3.0)}
    flow = {
        **shifts,
        **{name: dict(shift=3.0) | config for name, config in SIGMAS.items()},
        "terminal": dict(shift=3.0, shift_terminal=0.1),
    }
    dynamic = {
        kind: dict(use_dynamic_shifting=True, time_shift_type=kind.removeprefix("dynamic_"))
        for kind in ("dynamic_exponential", "dynamic_linear")
    }
    for name in ("FlowMatchEulerDiscreteScheduler", "FlowMatchLCMScheduler"):
        yield from each(name, flow)
        yield from each(name, dynamic, set=dict(mu=0.8))
    yield from each("FlowMatchEulerDiscreteScheduler", {"stochastic": dict(shift=3.0, stochastic_sampling=True)})
    yield from each("FlowMatchHeunDiscreteScheduler", shifts)
    yield from each("FlowMatchHeunDiscreteScheduler", {"churn": dict(shift=3.0)}, step=dict(s_churn=3.0, s_noise=1.01))

    free = base | dict(clip_sample=False)
    inverse = {**COMMON, "not_to_one": dict(set_alpha_to_one=False)}
    yield from each("DDIMInverseScheduler", {label: free | config for label, config in inverse.items()})
    yield from each("DDIMInverseScheduler", {"clip": base | dict(clip_sample=True)})
    inverse = {label: extras[label] for label in (*COMMON, "karras", "flow")}
    for algorithm in algorithms:
        for order in (1, 2, 3):
            inverse[f"{algorithm}_{order}"] = dict(algorithm_type=algorithm, solver_order=order)
    yield from each("DPMSolverMultistepInverseScheduler", inverse)

    ve = {"default": {}, "narrow": dict(sigma_max=50.0, snr=0.17)}
    yield from each("ScoreSdeVeScheduler", ve)
    yield from each("ScoreSdeVpScheduler", {"default": {}})

    ddpm = {
        "learned_range": dict(variance_type="learned_range"),
        "learned": dict(variance_type="learned"),
        "laplace": dict(beta_schedule="laplace"),
        "laplace_v": dict(beta_schedule="laplace", prediction_type="v_prediction"),
    }
    both = {label: free | config for label, config in {"zero_snr": ZERO_SNR, **THRESHOLDS}.items()}
    yield from each("DDPMScheduler", {label: free | config for label, config in ddpm.items()} | both)
    for eta in (0.0, 1.0):
        variations = {f"{label}_eta_{eta:g}": config for label, config in both.items()}
        yield from each("DDIMScheduler", variations, step=dict(eta=eta))


def scheduler_class(name):
    return getattr(diffusers.schedulers, name)


class Doubled:
    """A module whose float32 is its float64."""

    def __init__(self, module):
        self.module = module
        self.float32 = module.float64

    def __getattr__(self, name):
        return getattr(self.module, name)


@contextlib.contextmanager
def surroundings(scheduler, tables, draw):
    """diffusers' module of a scheduler draws its noise by `draw`, and computes in the precision of `tables`."""
    module = sys.modules[scheduler_class(scheduler).__module__]
    with contextlib.ExitStack() as stack:
        if hasattr(module, "randn_tensor"):
            stack.enter_context(mock.patch.object(module, "randn_tensor", draw))
        if tables == "f64":
            for name in {"torch", "np"} & set(vars(module)):
                stack.enter_context(mock.patch.object(module, name, Doubled(getattr(module, name))))
            torch.set_default_dtype(torch.float64)
            stack.callback(torch.set_default_dtype, torch.float32)
        yield


def evaluate(variance, pool, k):
    """The network's output at its k-th evaluation, with the channels of a learned variance where there are any."""
    said, second = pool["outputs"][k], pool["noise"][(k + VARIANCE_FROM) % EVALUATIONS]
    if variance == "learned_range":
        return torch.cat([said, second], dim=1)
    if variance == "learned":
        return torch.cat([said, second.abs()], dim=1)
    return said


def run(scheduler, config, steps, options, tables, pool):
    """(the entry of the run in the JSON, the sample after every step)."""
    pool = {key: value.to(DTYPES[tables])[..., None, None] for key, value in pool.items()}
    draws = 0

    def draw(*_, **__):
        nonlocal draws
        draws += 1
        return pool["noise"][draws - 1]

    trace = []
    with surroundings(scheduler, tables, draw):
        made = scheduler_class(scheduler)(**config)
        made.set_timesteps(steps, **options.get("set", {}))
        if scheduler == "ScoreSdeVeScheduler":
            made.set_sigmas(steps)
        if scheduler == "DPMSolverSDEScheduler":
            made.noise_sampler = draw
        init = float(getattr(made, "init_noise_sigma", 1.0))
        x = pool["start"] * init

        def keep(sample):
            if sample.dtype != DTYPES[tables]:
                raise TypeError(f"the samples are {sample.dtype}, not {DTYPES[tables]}")
            trace.append(sample[..., 0, 0].to(torch.float32).numpy())
            return sample

        for t in made.timesteps:
            said = lambda: evaluate(config.get("variance_type"), pool, len(trace))
            if scheduler == "ScoreSdeVeScheduler":
                # As the pipeline does: the corrector at t, then the predictor from t.
                x = keep(made.step_correct(said(), x).prev_sample)
                x = keep(made.step_pred(said(), t, x).prev_sample)
            elif scheduler == "ScoreSdeVpScheduler":
                x = keep(made.step_pred(said(), x, t)[0])
            else:
                if hasattr(made, "scale_model_input"):
                    made.scale_model_input(x, t)
                x = keep(made.step(said(), t, x, **options.get("step", {})).prev_sample)
    trace = numpy.stack(trace)
    if not numpy.isfinite(trace).all():
        raise FloatingPointError(f"not finite from call {int(numpy.argmin(numpy.isfinite(trace).all(axis=(1, 2))))} on")

    lists = ("timesteps", "sigmas", "sigmas_interpol", "discrete_sigmas", "order_list")
    lists = {key: listed(getattr(made, key)) for key in lists if getattr(made, key, None) is not None}
    entry = {"scheduler": scheduler, "config": config, **{key: value for key, value in options.items() if value}}
    # Some schedulers overrule what they were told.
    parameters = inspect.signature(type(made).__init__).parameters
    told = {key: parameter.default for key, parameter in parameters.items()} | config
    overruled = {key: value for key, value in made.config.items() if key in told and value != told[key]}
    if overruled:
        entry["overruled"] = overruled
    return entry | {"steps": steps, "tables": tables, **lists, "init_noise_sigma": init, "draws": draws}, trace


def listed(values):
    """A list for JSON: f32 as short as it reads back, f64 to ten digits, null where diffusers has no number."""
    values = values.numpy() if isinstance(values, torch.Tensor) else numpy.asarray(values)
    if values.dtype.kind != "f":
        return [int(value) for value in values]
    form = str if values.dtype == numpy.float32 else "{:.10g}".format
    return [float(form(value)) if numpy.isfinite(value) else None for value in values]


def beta_tables():
    """alphas_cumprod of the schedules that only one or two schedulers know, thinned."""
    tables = {}
    for schedule, scheduler in (("laplace", "DDPMScheduler"), ("exp", "HeunDiscreteScheduler")):
        indices = list(range(0, 1000, 37))  # 999 is the last of them
        tables[schedule] = {"scheduler": scheduler, "indices": indices}
        for precision in DTYPES:
            with surroundings(scheduler, precision, None):
                alphas_cumprod = scheduler_class(scheduler)(beta_schedule=schedule).alphas_cumprod
            tables[schedule][precision] = listed(alphas_cumprod[indices])
    return tables


def main():
    generator = torch.Generator().manual_seed(21)
    draw = lambda *shape: torch.randn(*shape, 2, 4, generator=generator)
    pool = {"start": draw(), "outputs": 0.5 * draw(EVALUATIONS), "noise": draw(EVALUATIONS)}
    tensors, entries, gaps = {key: value.numpy() for key, value in pool.items()}, [], []
    for scheduler, label, config, steps, options in cases():
        for tables in DTYPES:
            name = f"{scheduler.removesuffix('Scheduler')}/{label}/{steps}/{tables}"
            assert name not in tensors, name
            try:
                entry, trace = run(scheduler, config, steps, options, tables, pool)
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                gaps.append({"name": name, "config": config, "reason": " ".join(reason.split())})
                continue
            entries.append({"name": name, **entry})
            tensors[name] = numpy.ascontiguousarray(trace)

    GOLDENS.mkdir(exist_ok=True)
    metadata = {"versions": json.dumps(VERSIONS)}
    save_file(tensors, GOLDENS / "solvers.safetensors", metadata=metadata)
    notes = {
        "learned": "a learned variance's channels at evaluation k are noise[k + 20], or its absolute value for variance_type learned",
        "DPMSolverSDEScheduler": "its Brownian tree is replaced by independent draws: its k-th call, two a step, answers noise[k]",
        "ScoreSdeVeScheduler": "two calls for every timestep, step_correct and then step_pred, each with its own evaluation and draw",
    }
    lines = lambda values: "[\n" + ",\n".join(json.dumps(value, separators=(",", ":"), allow_nan=False) for value in values) + "\n]"
    text = {"versions": json.dumps(VERSIONS), "notes": json.dumps(notes), "tables": json.dumps(beta_tables())}
    text |= {"gaps": lines(gaps), "cases": lines(entries)}
    path = GOLDENS / "solvers.json"
    path.write_text("{" + ",\n".join(f'"{key}": {value}' for key, value in text.items()) + "}\n")
    for path in (GOLDENS / "solvers.safetensors", path):
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")
    print(f"{len(entries)} cases, {len(gaps)} gaps")


if __name__ == "__main__":
    main()
