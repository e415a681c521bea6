//! The schedulers of diffusers that are known: the fields of each, and its solver.

/// A scheduler class of diffusers.
pub(super) struct Class {
    /// Its name, without "Scheduler".
    pub(super) name: &'static str,
    pub(super) family: Family,
    /// The groups of fields that it has.
    pub(super) fields: &'static [&'static [&'static str]],
    /// The default of `timestep_spacing`.
    pub(super) spacing: &'static str,
    /// The defaults of β's ends and kind.
    pub(super) betas: (f64, f64, &'static str),
    pub(super) solver: &'static str,
}

/// How a class finds its levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Among the steps of training: DDPM, DDIM, PNDM.
    Index,
    /// Among those of a distillation: LCM, TCD.
    Distilled,
    /// σ between those of training, for a solver in λ: DPM-Solver and its kin.
    Lambda,
    /// σ between those of training, for a solver in σ: Euler and its kin of k-diffusion.
    Sigma,
    /// The straight path.
    Flow,
    /// Between two σ, with the preconditioning of Karras et al. 2022.
    Edm,
    /// The same for consistency models, which count levels of training.
    Consistency,
    /// Between two σ, as in Karras et al. 2022 for models of Song et al. 2021.
    KarrasVe,
    /// The cosine in continuous time.
    Wuerstchen,
    /// The circle.
    TrigFlow,
    /// The circle, by noise.
    Crash,
    /// The SDEs of Song et al. 2021.
    Sde,
}

impl Class {
    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|fields| fields.contains(&field))
    }

    /// Whether its training has β, which the file states.
    pub(super) fn has_betas(&self) -> bool {
        matches!(self.family, Family::Index | Family::Distilled | Family::Lambda | Family::Sigma)
    }
}

const TRAINED: &[&str] =
    &["num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "prediction_type"];
const SPACED: &[&str] = &["timestep_spacing", "steps_offset"];
const SIGMAS: &[&str] = &["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"];
pub(super) const CLIPPED: &[&str] = &["clip_sample", "clip_sample_range"];
const THRESHOLD: &[&str] = &["thresholding", "dynamic_thresholding_ratio", "sample_max_value"];
const FLOWS: &[&str] = &["use_flow_sigmas", "flow_shift"];
const DYNAMIC_FLOWS: &[&str] = &["use_dynamic_shifting", "time_shift_type"];
const ZERO_SNR: &[&str] = &["rescale_betas_zero_snr"];
pub(super) const TO_ONE: &[&str] = &["set_alpha_to_one"];
const FINAL: &[&str] = &["final_sigmas_type"];
const DPM: &[&str] = &["solver_order", "algorithm_type", "solver_type", "lower_order_final"];
const LAMBDA: &[&str] = &["lambda_min_clipped", "variance_type"];
const DYNAMIC: &[&str] = &[
    "shift",
    "use_dynamic_shifting",
    "base_shift",
    "max_shift",
    "base_image_seq_len",
    "max_image_seq_len",
    "time_shift_type",
    "num_train_timesteps",
    "invert_sigmas",
    "shift_terminal",
];
const EDM: &[&str] =
    &["sigma_min", "sigma_max", "sigma_data", "sigma_schedule", "num_train_timesteps", "prediction_type", "rho"];
const DISTILLED: &[&str] = &["original_inference_steps", "timestep_scaling"];
const COGVIDEOX: &[&[&str]] = &[TRAINED, SPACED, CLIPPED, ZERO_SNR, TO_ONE, &["sample_max_value", "snr_shift_scale"]];
const DDPM: &[&[&str]] = &[TRAINED, SPACED, CLIPPED, THRESHOLD, ZERO_SNR, &["variance_type"]];
const DDIM: &[&[&str]] = &[TRAINED, SPACED, CLIPPED, THRESHOLD, ZERO_SNR, TO_ONE];

const LINEAR: (f64, f64, &str) = (1e-4, 0.02, "linear");
const NARROW: (f64, f64, &str) = (0.00085, 0.012, "linear");
const LATENT: (f64, f64, &str) = (0.00085, 0.012, "scaled_linear");
const COSINE: (f64, f64, &str) = (1e-4, 0.02, "squaredcos_cap_v2");

const fn class(
    name: &'static str,
    solver: &'static str,
    (family, spacing): (Family, &'static str),
    betas: (f64, f64, &'static str),
    fields: &'static [&'static [&'static str]],
) -> Class {
    Class { name, family, fields, spacing, betas, solver }
}

const BY_INDEX: (Family, &str) = (Family::Index, "leading");
const BY_LAMBDA: (Family, &str) = (Family::Lambda, "linspace");
const BY_SIGMA: (Family, &str) = (Family::Sigma, "linspace");
const BY_TIME: (Family, &str) = (Family::Flow, "linspace");
const BY_NOISE: (Family, &str) = (Family::Edm, "linspace");

/// The classes that are known.
pub(super) const CLASSES: &[Class] = &[
    class("DDPM", "ddpm", BY_INDEX, LINEAR, DDPM),
    class("DDPMParallel", "ddpm", BY_INDEX, LINEAR, DDPM),
    class("DDIM", "ddim", BY_INDEX, LINEAR, DDIM),
    class("DDIMParallel", "ddim", BY_INDEX, LINEAR, DDIM),
    class("DDIMInverse", "ddim", BY_INDEX, LINEAR, &[TRAINED, SPACED, CLIPPED, ZERO_SNR, TO_ONE]),
    class("CogVideoXDDIM", "ddim", BY_INDEX, LATENT, COGVIDEOX),
    class("CogVideoXDPM", "dpm-solver", BY_INDEX, LATENT, COGVIDEOX),
    class(
        "UnCLIP",
        "ddpm",
        (Family::Index, "linspace"),
        COSINE,
        &[CLIPPED, &["num_train_timesteps", "variance_type", "prediction_type", "beta_schedule"]],
    ),
    class("PNDM", "pndm", BY_INDEX, LINEAR, &[TRAINED, SPACED, TO_ONE, &["skip_prk_steps"]]),
    class("IPNDM", "pndm", (Family::Crash, ""), LINEAR, &[&["num_train_timesteps", "trained_betas"]]),
    class("LMSDiscrete", "lms", BY_SIGMA, LINEAR, &[TRAINED, SPACED, SIGMAS]),
    class(
        "EulerDiscrete",
        "euler",
        BY_SIGMA,
        LINEAR,
        &[TRAINED, SPACED, SIGMAS, ZERO_SNR, FINAL, &["interpolation_type", "sigma_min", "sigma_max", "timestep_type"]],
    ),
    class("EulerAncestralDiscrete", "euler-ancestral", BY_SIGMA, LINEAR, &[TRAINED, SPACED, ZERO_SNR]),
    class("HeunDiscrete", "heun", BY_SIGMA, NARROW, &[TRAINED, SPACED, SIGMAS, CLIPPED]),
    class("KDPM2Discrete", "dpm2", BY_SIGMA, NARROW, &[TRAINED, SPACED, SIGMAS]),
    class("KDPM2AncestralDiscrete", "dpm2", BY_SIGMA, NARROW, &[TRAINED, SPACED, SIGMAS]),
    class(
        "DPMSolverMultistep",
        "dpm-solver",
        BY_LAMBDA,
        LINEAR,
        &[
            TRAINED,
            SPACED,
            SIGMAS,
            THRESHOLD,
            FLOWS,
            DYNAMIC_FLOWS,
            FINAL,
            ZERO_SNR,
            DPM,
            LAMBDA,
            &["use_lu_lambdas", "euler_at_final"],
        ],
    ),
    class(
        "DPMSolverMultistepInverse",
        "dpm-solver",
        BY_LAMBDA,
        LINEAR,
        &[TRAINED, SPACED, SIGMAS, THRESHOLD, FLOWS, DPM, LAMBDA, &["euler_at_final"]],
    ),
    class(
        "DPMSolverSinglestep",
        "dpm-solver-singlestep",
        BY_LAMBDA,
        LINEAR,
        &[TRAINED, SIGMAS, THRESHOLD, FLOWS, DYNAMIC_FLOWS, FINAL, DPM, LAMBDA],
    ),
    class("DPMSolverSDE", "dpm-solver-2s", BY_SIGMA, NARROW, &[TRAINED, SPACED, SIGMAS, &["noise_sampler_seed"]]),
    class("DEISMultistep", "deis", BY_LAMBDA, LINEAR, &[TRAINED, SPACED, SIGMAS, THRESHOLD, FLOWS, DYNAMIC_FLOWS, DPM]),
    class(
        "UniPCMultistep",
        "unipc",
        BY_LAMBDA,
        LINEAR,
        &[
            TRAINED,
            SPACED,
            SIGMAS,
            THRESHOLD,
            FLOWS,
            DYNAMIC_FLOWS,
            FINAL,
            ZERO_SNR,
            &["solver_order", "solver_type", "lower_order_final", "predict_x0", "disable_corrector", "solver_p"],
            &["sigma_min", "sigma_max", "shift_terminal"],
        ],
    ),
    class(
        "SASolver",
        "sa-solver",
        BY_LAMBDA,
        LINEAR,
        &[
            TRAINED,
            SPACED,
            SIGMAS,
            THRESHOLD,
            FLOWS,
            LAMBDA,
            &["predictor_order", "corrector_order", "tau_func", "algorithm_type", "lower_order_final"],
        ],
    ),
    class(
        "LCM",
        "lcm",
        (Family::Distilled, "leading"),
        LATENT,
        &[TRAINED, SPACED, CLIPPED, THRESHOLD, ZERO_SNR, TO_ONE, DISTILLED],
    ),
    class(
        "TCD",
        "tcd",
        (Family::Distilled, "leading"),
        LATENT,
        &[TRAINED, SPACED, CLIPPED, THRESHOLD, ZERO_SNR, TO_ONE, DISTILLED],
    ),
    class("EDMEuler", "euler", BY_NOISE, LINEAR, &[EDM, FINAL]),
    class("EDMDPMSolverMultistep", "dpm-solver", BY_NOISE, LINEAR, &[EDM, FINAL, THRESHOLD, DPM, &["euler_at_final"]]),
    class(
        "CosineDPMSolverMultistep",
        "dpm-solver",
        BY_NOISE,
        LINEAR,
        &[EDM, FINAL, &["solver_order", "solver_type", "lower_order_final", "euler_at_final"]],
    ),
    class(
        "CMStochasticIterative",
        "consistency",
        (Family::Consistency, ""),
        LINEAR,
        &[&["num_train_timesteps", "sigma_min", "sigma_max", "sigma_data", "s_noise", "rho", "clip_denoised"]],
    ),
    class(
        "KarrasVe",
        "heun",
        (Family::KarrasVe, ""),
        LINEAR,
        &[&["sigma_min", "sigma_max", "s_noise", "s_churn", "s_min", "s_max"]],
    ),
    class("DDPMWuerstchen", "ddpm", (Family::Wuerstchen, ""), LINEAR, &[&["scaler", "s"]]),
    class("SCM", "lcm", (Family::TrigFlow, ""), LINEAR, &[&["num_train_timesteps", "prediction_type", "sigma_data"]]),
    class("FlowMatchEulerDiscrete", "euler", BY_TIME, LINEAR, &[DYNAMIC, SIGMAS, &["stochastic_sampling"]]),
    class("FlowMatchHeunDiscrete", "heun", BY_TIME, LINEAR, &[&["num_train_timesteps", "shift"]]),
    class("FlowMatchLCM", "lcm", BY_TIME, LINEAR, &[DYNAMIC, SIGMAS, &["scale_factors", "upscale_mode"]]),
    class("LTXEulerAncestralRF", "euler-ancestral-rf", BY_TIME, LINEAR, &[&["num_train_timesteps", "eta", "s_noise"]]),
    class(
        "ScoreSdeVe",
        "reverse-sde",
        (Family::Sde, ""),
        LINEAR,
        &[&["num_train_timesteps", "snr", "sigma_min", "sigma_max", "sampling_eps", "correct_steps"]],
    ),
    class(
        "ScoreSdeVp",
        "reverse-sde",
        (Family::Sde, ""),
        LINEAR,
        &[&["num_train_timesteps", "beta_min", "beta_max", "sampling_eps"]],
    ),
];
