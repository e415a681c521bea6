//! diffusers' `scheduler_config.json`, read as this crate's parts: a schedule, a prediction, and how the model is best
//! sampled.
//!
//! Where a field of diffusers has no counterpart, or contradicts another, it is an error that names it. Where
//! diffusers' grid for the same words is another than the papers', the papers' is taken, and
//! [`SchedulerConfig::departures`] says so.

use std::collections::BTreeMap;

use serde_json::Value;

use super::manifest::{BetaRange, ContinuousBeta, Defaults, LearnedVariance, Schedule, Steps};
use crate::error::{Error, Result};
use crate::json::{Json, decoded};
use crate::prediction::Prediction;
use crate::schedule::{Ending, Spacing, Tables, Terminal};

/// What a `scheduler_config.json` says, in this crate's words.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct SchedulerConfig {
    /// The class, such as `EulerDiscreteScheduler`.
    pub class: String,
    /// The noise schedule of training.
    pub schedule: Schedule,
    /// What the network predicts.
    pub prediction: Prediction,
    /// Whether the network also says the variance.
    pub variance: LearnedVariance,
    /// The standard deviation of the data, where the class knows it.
    pub sigma_data: Option<f64>,
    /// How it is sampled.
    pub defaults: Defaults,
    /// Whether the run goes from clean samples to noise.
    pub inverse: bool,
    /// The range that x̂₀ is clipped to, if it is.
    pub clip_range: Option<f32>,
    /// Dynamic thresholding: the quantile and the greatest value, if there is any.
    pub threshold: Option<[f64; 2]>,
    /// How the shift of times depends on the size of the samples, if it does.
    pub dynamic_shift: Option<DynamicShift>,
    /// Where diffusers' class does otherwise, in words.
    pub departures: Vec<&'static str>,
}

/// A shift of times that grows with the number of tokens in an image (Esser et al. 2024, "Scaling Rectified Flow
/// Transformers", §5.3.2, as diffusers has it).
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct DynamicShift {
    /// The least and the greatest number of tokens.
    pub tokens: [f64; 2],
    /// μ at each of them.
    pub mu: [f64; 2],
    /// Whether the shift is e^μ, or μ itself.
    pub exponential: bool,
}

impl DynamicShift {
    /// The option `shift` for samples of `tokens` tokens.
    #[must_use]
    pub fn shift(&self, tokens: usize) -> f64 {
        let ([fewest, most], [low, high]) = (self.tokens, self.mu);
        let mu = low + (high - low) * (tokens as f64 - fewest) / (most - fewest);
        if self.exponential { mu.exp() } else { mu }
    }
}

/// A class of diffusers: its name, and the groups of fields that it has.
struct Class {
    name: &'static str,
    fields: &'static [&'static [&'static str]],
    /// What `timestep_spacing` is where it is not given.
    spacing: &'static str,
    /// β's ends and kind, likewise.
    betas: (f64, f64, &'static str),
    solver: &'static str,
}

const TRAINED: &[&str] =
    &["num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "prediction_type"];
const SPACED: &[&str] = &["timestep_spacing", "steps_offset"];
const SIGMAS: &[&str] = &["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"];
const CLIPPED: &[&str] = &["clip_sample", "clip_sample_range"];
const THRESHOLD: &[&str] = &["thresholding", "dynamic_thresholding_ratio", "sample_max_value"];
const FLOWS: &[&str] = &["use_flow_sigmas", "flow_shift", "use_dynamic_shifting", "time_shift_type"];
const ZERO_SNR: &[&str] = &["rescale_betas_zero_snr"];
const TO_ONE: &[&str] = &["set_alpha_to_one"];
const FINAL: &[&str] = &["final_sigmas_type"];
const DPM: &[&str] = &["solver_order", "algorithm_type", "solver_type", "lower_order_final"];
const DPM_MORE: &[&str] = &["euler_at_final", "lambda_min_clipped", "variance_type"];
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

const LINEAR: (f64, f64, &str) = (1e-4, 0.02, "linear");
const NARROW: (f64, f64, &str) = (0.00085, 0.012, "linear");
const LATENT: (f64, f64, &str) = (0.00085, 0.012, "scaled_linear");

const fn class(
    name: &'static str,
    solver: &'static str,
    spacing: &'static str,
    betas: (f64, f64, &'static str),
    fields: &'static [&'static [&'static str]],
) -> Class {
    Class { name, fields, spacing, betas, solver }
}

/// The classes that are known.
const CLASSES: &[Class] = &[
    class("DDPM", "ddpm", "leading", LINEAR, &[TRAINED, SPACED, CLIPPED, THRESHOLD, ZERO_SNR, &["variance_type"]]),
    class("DDIM", "ddim", "leading", LINEAR, &[TRAINED, SPACED, CLIPPED, THRESHOLD, ZERO_SNR, TO_ONE]),
    class("DDIMInverse", "ddim", "leading", LINEAR, &[TRAINED, SPACED, CLIPPED, ZERO_SNR, TO_ONE]),
    class("PNDM", "pndm", "leading", LINEAR, &[TRAINED, SPACED, TO_ONE, &["skip_prk_steps"]]),
    class("IPNDM", "pndm", "crash", LINEAR, &[&["num_train_timesteps", "trained_betas"]]),
    class("LMSDiscrete", "lms", "linspace", LINEAR, &[TRAINED, SPACED, SIGMAS]),
    class(
        "EulerDiscrete",
        "euler",
        "linspace",
        LINEAR,
        &[TRAINED, SPACED, SIGMAS, ZERO_SNR, FINAL, &["interpolation_type", "sigma_min", "sigma_max", "timestep_type"]],
    ),
    class("EulerAncestralDiscrete", "euler-ancestral", "linspace", LINEAR, &[TRAINED, SPACED, ZERO_SNR]),
    class("HeunDiscrete", "heun", "linspace", NARROW, &[TRAINED, SPACED, SIGMAS, CLIPPED]),
    class("KDPM2Discrete", "dpm2", "linspace", NARROW, &[TRAINED, SPACED, SIGMAS]),
    class("KDPM2AncestralDiscrete", "dpm2", "linspace", NARROW, &[TRAINED, SPACED, SIGMAS]),
    class(
        "DPMSolverMultistep",
        "dpm-solver",
        "linspace",
        LINEAR,
        &[TRAINED, SPACED, SIGMAS, THRESHOLD, FLOWS, FINAL, ZERO_SNR, DPM, DPM_MORE, &["use_lu_lambdas"]],
    ),
    class(
        "DPMSolverMultistepInverse",
        "dpm-solver",
        "linspace",
        LINEAR,
        &[TRAINED, SPACED, SIGMAS, THRESHOLD, FLOWS, DPM, DPM_MORE],
    ),
    class(
        "DPMSolverSinglestep",
        "dpm-solver-singlestep",
        "linspace",
        LINEAR,
        &[TRAINED, SIGMAS, THRESHOLD, FLOWS, FINAL, DPM, &["lambda_min_clipped", "variance_type"]],
    ),
    class("DPMSolverSDE", "dpm-solver-2s", "linspace", NARROW, &[TRAINED, SPACED, SIGMAS, &["noise_sampler_seed"]]),
    class("DEISMultistep", "deis", "linspace", LINEAR, &[TRAINED, SPACED, SIGMAS, THRESHOLD, FLOWS, DPM]),
    class(
        "UniPCMultistep",
        "unipc",
        "linspace",
        LINEAR,
        &[
            TRAINED,
            SPACED,
            SIGMAS,
            THRESHOLD,
            FLOWS,
            FINAL,
            ZERO_SNR,
            &["solver_order", "solver_type", "lower_order_final", "predict_x0", "disable_corrector", "solver_p"],
            &["sigma_min", "sigma_max", "shift_terminal"],
        ],
    ),
    class(
        "SASolver",
        "sa-solver",
        "linspace",
        LINEAR,
        &[
            TRAINED,
            SPACED,
            SIGMAS,
            THRESHOLD,
            FLOWS,
            &["predictor_order", "corrector_order", "tau_func", "algorithm_type", "lower_order_final"],
            &["lambda_min_clipped", "variance_type"],
        ],
    ),
    class("LCM", "lcm", "lcm", LATENT, &[TRAINED, SPACED, CLIPPED, THRESHOLD, ZERO_SNR, TO_ONE, DISTILLED]),
    class("TCD", "tcd", "lcm", LATENT, &[TRAINED, SPACED, CLIPPED, THRESHOLD, ZERO_SNR, TO_ONE, DISTILLED]),
    class("EDMEuler", "euler", "karras", LINEAR, &[EDM, FINAL]),
    class("EDMDPMSolverMultistep", "dpm-solver", "karras", LINEAR, &[EDM, FINAL, THRESHOLD, DPM, &["euler_at_final"]]),
    class("FlowMatchEulerDiscrete", "euler", "flow", LINEAR, &[DYNAMIC, SIGMAS, &["stochastic_sampling"]]),
    class("FlowMatchHeunDiscrete", "heun", "flow", LINEAR, &[&["num_train_timesteps", "shift"]]),
    class("FlowMatchLCM", "lcm", "flow", LINEAR, &[DYNAMIC, SIGMAS, &["scale_factors", "upscale_mode"]]),
    class(
        "ScoreSdeVe",
        "reverse-sde",
        "sde",
        LINEAR,
        &[&["num_train_timesteps", "snr", "sigma_min", "sigma_max", "sampling_eps", "correct_steps"]],
    ),
    class(
        "ScoreSdeVp",
        "reverse-sde",
        "sde",
        LINEAR,
        &[&["num_train_timesteps", "beta_min", "beta_max", "sampling_eps"]],
    ),
];

const DISTILLED: &[&str] = &["original_inference_steps", "timestep_scaling"];

/// The fields of one file.
struct Fields<'a> {
    class: &'a str,
    values: &'a serde_json::Map<String, Value>,
}

impl Fields<'_> {
    fn error(&self, key: &'static str, reason: impl Into<String>) -> Error {
        Error::argument(key, format!("{} ({})", reason.into(), self.class))
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    fn flag(&self, key: &'static str, otherwise: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(otherwise),
            Some(value) => value.as_bool().ok_or_else(|| self.error(key, format!("{value}; expected true or false"))),
        }
    }

    fn real(&self, key: &'static str) -> Result<Option<f64>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.error(key, format!("{value}; expected a number"))),
            },
        }
    }

    fn whole(&self, key: &'static str, otherwise: usize) -> Result<usize> {
        match self.get(key) {
            None => Ok(otherwise),
            Some(value) => {
                let whole = value.as_u64().and_then(|number| usize::try_from(number).ok());
                whole.ok_or_else(|| self.error(key, format!("{value}; expected a whole number")))
            }
        }
    }

    fn text(&self, key: &'static str, otherwise: &str) -> Result<String> {
        match self.get(key) {
            None => Ok(otherwise.to_owned()),
            Some(value) => match value.as_str() {
                Some(text) => Ok(text.to_owned()),
                None => Err(self.error(key, format!("{value}; expected a text"))),
            },
        }
    }

    /// Refuses a field that says something that has no counterpart.
    fn only(&self, key: &'static str, fine: &[Value]) -> Result<()> {
        match self.get(key) {
            Some(value) if !fine.contains(value) => {
                let fine: Vec<_> = fine.iter().map(ToString::to_string).collect();
                let fine = if fine.is_empty() { "null".into() } else { fine.join(" or ") };
                Err(self.error(key, format!("{value}; only {fine} has a counterpart here")))
            }
            _ => Ok(()),
        }
    }
}

impl SchedulerConfig {
    /// Reads the bytes of a `scheduler_config.json`, in UTF-8 or in UTF-16 with a byte-order mark.
    ///
    /// # Errors
    /// [`Error::Argument`] with the field, if the text is no such file, the class is not known, a field is not one of
    /// the class's, is of another type, contradicts another, or asks for what this crate does not have.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let refused = |reason| Error::argument("scheduler_config", format!("is not a JSON object: {reason}"));
        Self::parse(&decoded(bytes).map_err(refused)?)
    }

    /// Reads the text of a `scheduler_config.json`, which may begin with a byte-order mark. A key that is there twice
    /// is an error; whole numbers may be written `1000.0`.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes).
    pub fn parse(json: &str) -> Result<Self> {
        // Python writes what JSON does not have.
        let json = json.replace("-Infinity", "null");
        let wrong = |reason: String| Error::argument("scheduler_config", reason);
        let no_object = |reason: String| wrong(format!("is not a JSON object: {reason}"));
        let json = Json::new(&json).map_err(no_object)?;
        let values: serde_json::Map<String, Value> =
            json.read().map_err(|error| no_object(error.inner().to_string()))?;
        let name = values.get("_class_name").and_then(Value::as_str).unwrap_or_default();
        let Some(class) = CLASSES.iter().find(|class| name.strip_suffix("Scheduler") == Some(class.name)) else {
            let known: Vec<_> = CLASSES.iter().map(|class| format!("{}Scheduler", class.name)).collect();
            return Err(Error::argument(
                "_class_name",
                format!("{name:?} is not known; known are {}", known.join(", ")),
            ));
        };
        for key in values.keys().filter(|key| !key.starts_with('_')) {
            if !class.fields.iter().any(|fields| fields.contains(&key.as_str())) {
                return Err(wrong(format!("{key:?} is not a field of {name}")));
            }
        }
        Self::from_fields(class, &Fields { class: name, values: &values })
    }

    fn from_fields(class: &Class, fields: &Fields<'_>) -> Result<Self> {
        let mut config = Self {
            class: fields.class.to_owned(),
            schedule: schedule(class, fields)?,
            prediction: prediction(class, fields)?,
            variance: match fields.get("variance_type").and_then(Value::as_str) {
                Some("learned") => LearnedVariance::Learned,
                Some("learned_range") => LearnedVariance::LearnedRange,
                _ => LearnedVariance::None,
            },
            sigma_data: fields.real("sigma_data")?,
            defaults: Defaults { solver: Some(class.solver.into()), ..Defaults::default() },
            inverse: class.name.ends_with("Inverse"),
            clip_range: None,
            threshold: None,
            dynamic_shift: dynamic_shift(fields)?,
            departures: Vec::new(),
        };
        for (key, fine) in [
            ("interpolation_type", &[Value::from("linear")][..]),
            ("timestep_type", &["discrete".into()]),
            ("invert_sigmas", &[false.into()]),
            ("shift_terminal", &[]),
            ("tau_func", &[]),
            ("solver_p", &[]),
            ("scale_factors", &[]),
            ("disable_corrector", &[Value::Array(Vec::new())]),
            ("lambda_min_clipped", &[]),
        ] {
            fields.only(key, fine)?;
        }
        if class.name.starts_with("DEIS") {
            fields.only("algorithm_type", &["deis".into()])?;
            fields.only("solver_type", &["logrho".into()])?;
        }
        config.read_grid(class, fields)?;
        config.read_solver(class, fields)?;
        if fields.flag("thresholding", false)? {
            let ratio = fields.real("dynamic_thresholding_ratio")?.unwrap_or(0.995);
            config.threshold = Some([ratio, fields.real("sample_max_value")?.unwrap_or(1.0)]);
        }
        let clips = matches!(class.name, "DDPM" | "DDIM" | "DDIMInverse");
        if config.threshold.is_none() && class.fields.contains(&CLIPPED) && fields.flag("clip_sample", clips)? {
            config.clip_range = Some(fields.real("clip_sample_range")?.unwrap_or(1.0) as f32);
        }
        // What is out of its range is said here, by its name, and not when a job is made.
        config.schedule.build(Tables::Exact)?;
        config.defaults.values()?;
        Ok(config)
    }

    fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.defaults.options.insert(key.to_owned(), value.into());
    }

    fn read_grid(&mut self, class: &Class, fields: &Fields<'_>) -> Result<()> {
        let (grid, dpm_like) = (spacing_of(class, fields)?, is_dpm_like(class));
        self.defaults.grid = Some(grid);
        let offset = fields.whole("steps_offset", 0)?;
        if grid == Spacing::Leading {
            self.defaults.steps_offset = offset;
        }
        if dpm_like && matches!(grid, Spacing::Leading | Spacing::SgmUniform) && class.spacing == "linspace" {
            self.departures
                .push("its own leading and linspace grids take N + 1 times, rounded, and drop the least noisy");
        }
        if !dpm_like && grid.is_over_noise() && class.spacing == "linspace" {
            self.departures.push("it spreads over the noise of its own timesteps, not of the schedule");
        }
        if !dpm_like && class.spacing == "linspace" && grid == Spacing::Linspace {
            self.departures.push("its own timesteps are not rounded, and σ is interpolated between those of training");
        }
        self.read_grid_numbers(class, fields, grid)?;
        self.read_ending(class, fields, grid)
    }

    fn read_grid_numbers(&mut self, class: &Class, fields: &Fields<'_>, grid: Spacing) -> Result<()> {
        match grid {
            Spacing::Karras => {
                if let Some(rho) = fields.real("rho")? {
                    self.set("rho", rho);
                }
            }
            Spacing::Lcm => self.set("original_steps", fields.whole("original_inference_steps", 50)?),
            _ => {}
        }
        if grid.is_over_noise() && class.spacing == "linspace" {
            for key in ["sigma_min", "sigma_max"] {
                if let Some(sigma) = fields.real(key)? {
                    self.set(key, sigma);
                }
            }
        }
        let flow = fields.flag("use_flow_sigmas", false)?;
        if let Some(shift) = fields.real(if flow { "flow_shift" } else { "shift" })? {
            if shift != 1.0 && self.dynamic_shift.is_none() {
                self.set("shift", shift);
            }
            if class.spacing == "flow" && shift != 1.0 {
                self.departures.push("it shifts its least noise twice");
            }
        }
        Ok(())
    }

    fn read_ending(&mut self, class: &Class, fields: &Fields<'_>, grid: Spacing) -> Result<()> {
        let to_first = match fields.text("final_sigmas_type", "zero")?.as_str() {
            "zero" => class.fields.contains(&TO_ONE) && !fields.flag("set_alpha_to_one", class.name != "PNDM")?,
            "sigma_min" => true,
            other => return Err(fields.error("final_sigmas_type", format!("{other:?}; expected zero or sigma_min"))),
        };
        let to_first = to_first || matches!(class.name, "DEISMultistep" | "SASolver" | "TCD");
        if to_first {
            let reaches = grid.is_over_noise()
                || grid == Spacing::Linspace
                || grid == Spacing::Leading && self.defaults.steps_offset == 0;
            self.defaults.ending = if reaches { Ending::Level } else { Ending::First };
            if reaches {
                self.departures.push("its last step goes from the least noise to the same, and is left out");
            }
        }
        Ok(())
    }

    fn read_solver(&mut self, class: &Class, fields: &Fields<'_>) -> Result<()> {
        match class.name {
            "DDPM" => self.read_variance(fields)?,
            "PNDM" => {
                let plms = fields.flag("skip_prk_steps", false)?;
                self.set("warmup", if plms { "plms" } else { "runge-kutta" });
            }
            "IPNDM" => {
                self.set("warmup", "none");
                self.departures.push("from pure noise it takes 0 for the denoised sample");
            }
            "KDPM2AncestralDiscrete" => self.defaults.eta = Some(1.0),
            "DPMSolverSDE" => {
                self.defaults.eta = Some(1.0);
                self.set("midpoint_noise", true);
                self.departures.push("its noise is a Brownian tree");
            }
            "DPMSolverMultistep" | "DPMSolverMultistepInverse" | "DPMSolverSinglestep" | "EDMDPMSolverMultistep" => {
                self.read_dpm_solver(class, fields)?
            }
            "DEISMultistep" => {
                self.set("order", fields.whole("solver_order", 2)?);
                if !fields.flag("lower_order_final", true)? {
                    self.set("lower_order_final", false);
                }
            }
            "UniPCMultistep" => self.read_unipc(fields)?,
            "SASolver" => self.read_sa_solver(fields)?,
            "LCM" => self.set("timestep_scaling", fields.real("timestep_scaling")?.unwrap_or(10.0)),
            "FlowMatchLCM" => self.set("timestep_scaling", 0),
            "FlowMatchEulerDiscrete" if fields.flag("stochastic_sampling", false)? => {
                self.defaults.solver = Some("lcm".into());
                self.set("timestep_scaling", 0);
            }
            "ScoreSdeVe" => {
                self.set("corrector_steps", fields.whole("correct_steps", 1)?);
                self.set("corrector_snr", fields.real("snr")?.unwrap_or(0.15));
                self.defaults.steps = Some(fields.whole("num_train_timesteps", 2000)?);
                self.departures.push("its corrector goes by norms over the batch");
            }
            "ScoreSdeVp" => {
                self.set("discretization", "euler-maruyama");
                self.defaults.steps = Some(fields.whole("num_train_timesteps", 2000)?);
                self.departures.push("it steps by 1/N where its times are 1/(N − 1) apart");
            }
            _ => {}
        }
        Ok(())
    }

    fn read_variance(&mut self, fields: &Fields<'_>) -> Result<()> {
        let variance = match fields.text("variance_type", "fixed_small")?.as_str() {
            "fixed_small" | "fixed_small_log" => "posterior",
            "fixed_large" => "beta",
            "learned" => {
                self.departures.push("it takes a learned variance for the variance, where it is its logarithm here");
                "learned"
            }
            "learned_range" => "learned-range",
            other => return Err(fields.error("variance_type", format!("{other:?} has no counterpart here"))),
        };
        self.set("variance", variance);
        Ok(())
    }

    fn read_dpm_solver(&mut self, class: &Class, fields: &Fields<'_>) -> Result<()> {
        let algorithm = match fields.text("algorithm_type", "dpmsolver++")?.as_str() {
            "dpmsolver++" => "dpm-solver++",
            "dpmsolver" => "dpm-solver",
            "sde-dpmsolver++" => "sde-dpm-solver++",
            "sde-dpmsolver" => "sde-dpm-solver",
            other => return Err(fields.error("algorithm_type", format!("{other:?} has no counterpart here"))),
        };
        self.set("algorithm", algorithm);
        let order = fields.whole("solver_order", 2)?;
        self.set("order", order);
        if algorithm == "sde-dpm-solver++" && order == 3 {
            self.departures.push("its third order has −½ where the integral has +½");
        }
        let variant = fields.text("solver_type", "midpoint")?;
        if !matches!(variant.as_str(), "midpoint" | "heun") {
            return Err(fields.error("solver_type", format!("{variant:?}; expected midpoint or heun")));
        }
        self.set("variant", variant);
        let single = class.name == "DPMSolverSinglestep";
        if single || !fields.flag("lower_order_final", true)? {
            self.set("lower_order_final", fields.flag("lower_order_final", !single)?);
        }
        fields.only("euler_at_final", &[false.into()])?;
        if class.name == "DPMSolverMultistep" || single {
            fields.only("variance_type", &[])?;
        }
        Ok(())
    }

    fn read_unipc(&mut self, fields: &Fields<'_>) -> Result<()> {
        self.set("order", fields.whole("solver_order", 2)?);
        self.set("lower_order_final", fields.flag("lower_order_final", true)?);
        self.set("predict_x0", fields.flag("predict_x0", true)?);
        let scaling = fields.text("solver_type", "bh2")?;
        if !matches!(scaling.as_str(), "bh1" | "bh2") {
            return Err(fields.error("solver_type", format!("{scaling:?}; expected bh1 or bh2")));
        }
        self.set("scaling", scaling);
        Ok(())
    }

    fn read_sa_solver(&mut self, fields: &Fields<'_>) -> Result<()> {
        self.set("predictor_order", fields.whole("predictor_order", 2)?);
        self.set("corrector_order", fields.whole("corrector_order", 2)?);
        self.set("lower_order_final", fields.flag("lower_order_final", true)?);
        let data = match fields.text("algorithm_type", "data_prediction")?.as_str() {
            "data_prediction" => true,
            "noise_prediction" => false,
            other => return Err(fields.error("algorithm_type", format!("{other:?} has no counterpart here"))),
        };
        self.set("predict_x0", data);
        Ok(())
    }
}

/// Whether the class spreads its steps as diffusers' DPM-Solvers do.
fn is_dpm_like(class: &Class) -> bool {
    matches!(class.solver, "dpm-solver" | "dpm-solver-singlestep" | "deis" | "unipc" | "sa-solver")
}

fn spacing_of(class: &Class, fields: &Fields<'_>) -> Result<Spacing> {
    let spacing = match fields.text("timestep_spacing", class.spacing)?.as_str() {
        _ if class.spacing == "lcm" => Spacing::Lcm,
        "leading" => Spacing::Leading,
        "trailing" => Spacing::Trailing,
        "linspace" if is_dpm_like(class) => Spacing::SgmUniform,
        "linspace" | "flow" | "sde" => Spacing::Linspace,
        "crash" => Spacing::Crash,
        "karras" => Spacing::Karras,
        other => {
            return Err(fields.error("timestep_spacing", format!("{other:?}; expected leading, trailing or linspace")));
        }
    };
    let mut over_noise = Vec::new();
    for (key, spacing) in [
        ("use_karras_sigmas", Spacing::Karras),
        ("use_exponential_sigmas", Spacing::Exponential),
        ("use_lu_lambdas", Spacing::Exponential),
        ("use_beta_sigmas", Spacing::BetaSigma),
    ] {
        if fields.flag(key, false)? {
            over_noise.push((key, spacing));
        }
    }
    match fields.text("sigma_schedule", "karras")?.as_str() {
        "karras" => {}
        "exponential" => over_noise.push(("sigma_schedule", Spacing::Exponential)),
        other => return Err(fields.error("sigma_schedule", format!("{other:?}; expected karras or exponential"))),
    }
    if let [_, (key, _), ..] = over_noise[..] {
        return Err(fields.error(key, format!("true, and {} as well; one of them", over_noise[0].0)));
    }
    let flow = fields.flag("use_flow_sigmas", false)?;
    if let (true, Some((key, _))) = (flow, over_noise.first()) {
        return Err(fields.error("use_flow_sigmas", format!("true, and {key} as well; one of them")));
    }
    Ok(over_noise.first().map_or(if flow { Spacing::Trailing } else { spacing }, |(_, spacing)| *spacing))
}

fn schedule(class: &Class, fields: &Fields<'_>) -> Result<Schedule> {
    let train_steps = fields.whole("num_train_timesteps", 1000)?;
    let real = |key, otherwise| Ok::<_, Error>(fields.real(key)?.unwrap_or(otherwise));
    match class.spacing {
        "karras" => {
            return Ok(Schedule::Edm { sigma_min: real("sigma_min", 0.002)?, sigma_max: real("sigma_max", 80.0)? });
        }
        "crash" => {
            fields.only("trained_betas", &[])?;
            return Ok(Schedule::Trigonometric { least_time: 1.0 / (train_steps.max(2) as f64) });
        }
        "flow" => return Ok(Schedule::Flow { least_time: 1.0 / (train_steps.max(2) as f64) }),
        "sde" if class.name == "ScoreSdeVe" => {
            return Ok(Schedule::Ve {
                sigma_min: real("sigma_min", 0.01)?,
                sigma_max: real("sigma_max", 1348.0)?,
                least_time: real("sampling_eps", 1e-5)?,
            });
        }
        "sde" => {
            return Ok(Schedule::Vp(ContinuousBeta {
                beta_min: real("beta_min", 0.1)?,
                beta_max: real("beta_max", 20.0)?,
                least_time: real("sampling_eps", 1e-3)?,
            }));
        }
        _ => {}
    }
    if fields.flag("use_flow_sigmas", false)? {
        return Ok(Schedule::Flow { least_time: 1.0 / (train_steps.max(2) as f64) });
    }
    let terminal = if !fields.flag("rescale_betas_zero_snr", false)? {
        Terminal::AsTrained
    } else if matches!(class.solver, "ddpm" | "ddim" | "lcm" | "tcd") {
        Terminal::ZeroSnr
    } else {
        Terminal::Floored
    };
    if let Some(betas) = fields.get("trained_betas") {
        let numbers = betas.as_array().map(|list| list.iter().map(Value::as_f64).collect::<Option<Vec<_>>>());
        return match numbers.flatten() {
            Some(betas) => Ok(Schedule::Trained { betas, terminal }),
            None => Err(fields.error("trained_betas", "expected a list of numbers")),
        };
    }
    let (start, end, kind) = class.betas;
    let (beta_start, beta_end) = (real("beta_start", start)?, real("beta_end", end)?);
    let range = BetaRange { train_steps, beta_start, beta_end, terminal };
    let steps = Steps { train_steps, terminal };
    Ok(match fields.text("beta_schedule", kind)?.as_str() {
        "linear" => Schedule::Linear(range),
        "scaled_linear" => Schedule::ScaledLinear(range),
        "sigmoid" => Schedule::Sigmoid(range),
        "squaredcos_cap_v2" => Schedule::Cosine(steps),
        "exp" => Schedule::Exponential(steps),
        "laplace" => Schedule::Laplace(steps),
        other => return Err(fields.error("beta_schedule", format!("{other:?} has no counterpart here"))),
    })
}

fn prediction(class: &Class, fields: &Fields<'_>) -> Result<Prediction> {
    match class.name {
        "ScoreSdeVe" => return Ok(Prediction::Score),
        "IPNDM" => return Ok(Prediction::V),
        name if name.starts_with("FlowMatch") => return Ok(Prediction::Flow),
        _ => {}
    }
    let flow = fields.flag("use_flow_sigmas", false)?;
    let said = fields.text("prediction_type", "epsilon")?;
    let prediction = match said.as_str() {
        "epsilon" if class.spacing == "karras" => Prediction::Edm,
        "v_prediction" if class.spacing == "karras" => {
            return Err(
                fields.error("prediction_type", "\"v_prediction\", which is F negated here, and has no counterpart")
            );
        }
        "epsilon" => Prediction::Epsilon,
        "sample" => Prediction::X0,
        // The second is seen in the wild.
        "v_prediction" | "v-prediction" => Prediction::V,
        "flow_prediction" => Prediction::Flow,
        other => return Err(fields.error("prediction_type", format!("{other:?} has no counterpart here"))),
    };
    if (prediction == Prediction::Flow) != flow && class.spacing != "karras" {
        return Err(fields.error(
            "prediction_type",
            format!("{said:?} with use_flow_sigmas {flow}; flow_prediction goes with flow sigmas, and only that does"),
        ));
    }
    Ok(prediction)
}

fn dynamic_shift(fields: &Fields<'_>) -> Result<Option<DynamicShift>> {
    if !fields.flag("use_dynamic_shifting", false)? {
        return Ok(None);
    }
    let real = |key, otherwise| Ok::<_, Error>(fields.real(key)?.unwrap_or(otherwise));
    let tokens = [real("base_image_seq_len", 256.0)?, real("max_image_seq_len", 4096.0)?];
    if tokens[0] >= tokens[1] {
        return Err(fields.error("max_image_seq_len", format!("{}; it has to be above base_image_seq_len", tokens[1])));
    }
    let exponential = match fields.text("time_shift_type", "exponential")?.as_str() {
        "exponential" => true,
        "linear" => false,
        other => return Err(fields.error("time_shift_type", format!("{other:?}; expected exponential or linear"))),
    };
    Ok(Some(DynamicShift { tokens, mu: [real("base_shift", 0.5)?, real("max_shift", 1.15)?], exponential }))
}

impl SchedulerConfig {
    /// What the options of a request have to be for the same: names and values. The solver, the grid, the ending, the
    /// offset and the clipping are among them; the number of steps and η are not, which diffusers is told with each
    /// run.
    #[must_use]
    pub fn options(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let mut options: BTreeMap<String, String> =
            self.defaults.options.iter().map(|(key, value)| (key.clone(), text(value))).collect();
        options.extend(self.defaults.solver.iter().map(|solver| ("solver".to_owned(), solver.clone())));
        options.insert("ending".into(), self.defaults.ending.word().into());
        if let Some(grid) = self.defaults.grid {
            options.insert("grid".into(), grid.word().into());
        }
        options.insert("steps_offset".into(), self.defaults.steps_offset.to_string());
        if matches!(self.schedule, Schedule::Flow { .. }) && self.dynamic_shift.is_none() {
            options.entry("shift".into()).or_insert("1".into());
        }
        // diffusers keeps the network's noise.
        let clipping = if self.clip_range.is_some() { "keep-noise" } else { "off" };
        options.insert("clipping".into(), clipping.into());
        if let Some(eta) = self.defaults.eta {
            options.insert("eta".into(), eta.to_string());
        }
        if let Some([ratio, most]) = self.threshold {
            options.insert("clipping".into(), "dynamic".into());
            options.insert("threshold_ratio".into(), ratio.to_string());
            options.insert("threshold_max".into(), most.to_string());
        }
        options
    }
}
