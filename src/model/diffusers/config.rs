//! Reads diffusers' `scheduler_config.json` as a schedule, a prediction, and the settings to sample the model.
//!
//! A field that contradicts another, or that needs something this crate lacks, is an error that names it. Where
//! diffusers' arithmetic differs from the papers', the papers' is used. A request that is compatible with diffusers
//! uses diffusers'. [`SchedulerConfig::departures`] lists the differences.

use std::collections::BTreeMap;

use serde_json::Value;

use super::classes::{CLIPPED, Class, Family, TO_ONE};
use super::fields::Fields;
use super::spread::{Even, Over, Spread};
use crate::error::{Error, Result};
use crate::json::decoded;
use crate::model::manifest::{BetaRange, ContinuousBeta, Defaults, LearnedVariance, Schedule, Steps};
use crate::prediction::Prediction;
use crate::schedule::{BetaSchedule, Ending, Spacing, Tables, Terminal};
use crate::settings::{self, MuRule};
use crate::solver::Habit;

/// The contents of a `scheduler_config.json`, in this crate's terms.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct SchedulerConfig {
    /// The name of the class, such as `EulerDiscreteScheduler`.
    pub class: String,
    /// The noise schedule of training.
    pub schedule: Schedule,
    /// The network's kind of prediction.
    pub prediction: Prediction,
    /// Whether the network also predicts the variance.
    pub variance: LearnedVariance,
    /// The standard deviation of the data, where the class has it.
    pub sigma_data: Option<f64>,
    /// The settings for sampling.
    pub defaults: Defaults,
    /// Whether the run goes from clean samples to noise.
    pub inverse: bool,
    /// The range that x̂₀ is clipped to, if it is clipped.
    pub clip_range: Option<f32>,
    /// The quantile and the greatest value of dynamic thresholding, if there is any.
    pub threshold: Option<[f64; 2]>,
    /// How the shift of times depends on the size of the samples, if it does.
    pub dynamic_shift: Option<DynamicShift>,
    /// The fields of the file that its class does not have. diffusers ignores them, and so does this crate.
    pub ignored: Vec<String>,
    /// How diffusers computes its own levels.
    #[serde(skip)]
    pub(super) spread: Spread,
}

/// A shift of times that grows with the number of tokens in an image. Source: Esser et al. 2024, "Scaling Rectified
/// Flow Transformers", §5.3.2, in diffusers' form.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct DynamicShift {
    /// The least and the greatest number of tokens.
    pub tokens: [f64; 2],
    /// μ at the least and at the greatest number of tokens.
    pub mu: [f64; 2],
    /// Whether the shift is e^μ, and not μ itself.
    pub exponential: bool,
}

impl DynamicShift {
    /// The value of the option `shift` for samples of `tokens` tokens.
    #[must_use]
    pub fn shift(&self, tokens: usize) -> f64 {
        self.of_mu(self.mu(tokens))
    }

    /// μ for samples of `tokens` tokens.
    #[must_use]
    pub fn mu(&self, tokens: usize) -> f64 {
        let ([fewest, most], [low, high]) = (self.tokens, self.mu);
        low + (high - low) * (tokens as f64 - fewest) / (most - fewest)
    }

    /// μ by `rule` for samples of `tokens` tokens in `steps` steps.
    #[must_use]
    pub fn mu_by(&self, rule: MuRule, tokens: usize, steps: usize) -> f64 {
        if rule == MuRule::Linear {
            return self.mu(tokens);
        }
        // This is `compute_empirical_mu` of diffusers' Flux2Pipeline: lines for 10 and for 200 steps, and between them.
        let count = tokens as f64;
        let (of_10, of_200) = (8.738_095_24e-5 * count + 1.898_333_33, 0.000_169_27 * count + 0.456_666_66);
        if tokens > 4300 {
            return of_200;
        }
        let slope = (of_200 - of_10) / 190.0;
        slope * steps as f64 + of_200 - 200.0 * slope
    }

    /// The shift that belongs to μ.
    #[must_use]
    pub fn of_mu(&self, mu: f64) -> f64 {
        if self.exponential { mu.exp() } else { mu }
    }
}

impl SchedulerConfig {
    /// Reads the bytes of a `scheduler_config.json`, in UTF-8 or in UTF-16 with a byte-order mark.
    ///
    /// # Errors
    /// [`Error::Argument`] with the field. The text is no such file, or the class is not known. Or a field has the
    /// wrong type, contradicts another, needs something this crate lacks, or never belonged to any class of diffusers.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let refused = |reason| Error::argument("scheduler_config", format!("is not a JSON object: {reason}"));
        Self::parse(&decoded(bytes).map_err(refused)?)
    }

    /// Reads the text of a `scheduler_config.json`, which may begin with a byte-order mark. A key that is there twice
    /// is an error. Whole numbers may be written `1000.0`.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes).
    pub fn parse(json: &str) -> Result<Self> {
        let fields = Fields::parse(json)?;
        let (class, continuous) = (fields.class, is_continuous(&fields)?);
        let mut config = Self {
            class: fields.name.clone(),
            schedule: if continuous { edm(&fields)? } else { schedule(&fields)? },
            prediction: if continuous { Prediction::EdmV } else { prediction(&fields)? },
            variance: match fields.get("variance_type").and_then(Value::as_str) {
                Some("learned") => LearnedVariance::Learned,
                Some("learned_range") => LearnedVariance::LearnedRange,
                _ => LearnedVariance::None,
            },
            sigma_data: if continuous { Some(1.0) } else { sigma_data(&fields)? },
            defaults: Defaults { solver: Some(class.solver.into()), ..Defaults::default() },
            inverse: class.name.ends_with("Inverse"),
            clip_range: None,
            threshold: None,
            dynamic_shift: dynamic_shift(&fields)?,
            ignored: fields.ignored.clone(),
            spread: spread(&fields)?,
        };
        if continuous {
            config.spread.trained = Some((schedule(&fields)?, Prediction::V));
        }
        config.check_words(&fields)?;
        config.read_grid(&fields)?;
        config.read_solver(&fields)?;
        config.read_clipping(&fields)?;
        // A value out of its range is reported here with its name, and not when a job is made.
        config.schedule.build(Tables::Exact).map_err(|error| fields.named(error))?;
        for (key, value) in config.options() {
            if let Some(option) = settings::option(&key) {
                option.parse(&value).map_err(|error| fields.named(error))?;
            }
        }
        Ok(config)
    }

    /// Refuses words of solvers that the class does not know, and settings without a counterpart here.
    fn check_words(&self, fields: &Fields) -> Result<()> {
        for key in ["tau_func", "solver_p", "scale_factors"] {
            fields.only(key, &[])?;
        }
        let one_of = |key: &'static str, words: &[&str]| match fields.get(key) {
            Some(value) if !value.as_str().is_some_and(|word| words.contains(&word)) => {
                Err(fields.error(key, format!("{value}; expected {}", words.join(", "))))
            }
            _ => Ok(()),
        };
        one_of("interpolation_type", &["linear", "log_linear"])?;
        one_of("timestep_type", &["discrete", "continuous"])?;
        // The solvers after Lu et al. read each other's words as their own usual one.
        let of_kin = ["dpmsolver", "dpmsolver++", "deis", "sde-dpmsolver", "sde-dpmsolver++"];
        match fields.class.solver {
            "sa-solver" => one_of("algorithm_type", &["data_prediction", "noise_prediction"])?,
            "deis" => one_of("algorithm_type", &of_kin[..3])?,
            _ => one_of("algorithm_type", &of_kin)?,
        }
        one_of("solver_type", &["midpoint", "heun", "logrho", "bh1", "bh2"])
    }

    fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.defaults.options.insert(key.to_owned(), value.into());
    }

    fn read_grid(&mut self, fields: &Fields) -> Result<()> {
        let (grid, class) = (spacing_of(fields)?, fields.class);
        self.defaults.grid = Some(grid);
        if grid == Spacing::Leading {
            self.defaults.steps_offset = self.spread.offset;
        }
        match grid {
            Spacing::Karras => {
                if let Some(rho) = fields.real("rho")? {
                    self.set("rho", rho);
                }
            }
            Spacing::Lcm => self.set("original_steps", self.spread.original_steps),
            _ => {}
        }
        if grid.is_over_noise() && class.has_betas() {
            for (key, sigma) in ["sigma_min", "sigma_max"].into_iter().zip(self.spread.ends) {
                if let Some(sigma) = sigma {
                    // A flow sigma becomes σ/α.
                    self.set(key, if self.spread.flow { sigma / (1.0 + sigma) } else { sigma });
                }
            }
        }
        if self.spread.shift != 1.0 && self.dynamic_shift.is_none() {
            self.set("shift", self.spread.shift);
        }
        if let Some(terminal) = self.spread.shift_terminal {
            self.set("shift_terminal", terminal);
        }
        if let Some(lambda) = self.spread.lambda_min.filter(|_| !grid.is_over_noise() && !self.spread.flow) {
            self.set("lambda_min", lambda);
        }
        self.read_ending(fields, grid)
    }

    fn read_ending(&mut self, fields: &Fields, grid: Spacing) -> Result<()> {
        let class = fields.class;
        let to_first = match fields.text("final_sigmas_type", "zero")?.as_str() {
            "zero" => class.fields.contains(&TO_ONE) && !fields.flag("set_alpha_to_one", class.name != "PNDM")?,
            "sigma_min" => true,
            other => return Err(fields.error("final_sigmas_type", format!("{other:?}; expected zero or sigma_min"))),
        };
        let to_first = to_first || matches!(class.name, "DEISMultistep" | "SASolver" | "TCD");
        // LCM ends at x̂₀ whatever the file states.
        if to_first && class.name != "LCM" {
            self.defaults.ending = Ending::First;
            self.defaults.ending = self.ending_of(grid);
        }
        Ok(())
    }

    /// Where a run on `grid` ends according to the file. A run that reaches the least noise has nothing left to do
    /// there.
    pub(crate) fn ending_of(&self, grid: Spacing) -> Ending {
        let reaches = match grid {
            Spacing::Leading => self.defaults.steps_offset == 0,
            Spacing::Linspace => true,
            other => other.is_over_noise(),
        };
        match self.defaults.ending {
            Ending::Clean => Ending::Clean,
            _ if reaches => Ending::Level,
            _ => Ending::First,
        }
    }

    fn read_solver(&mut self, fields: &Fields) -> Result<()> {
        match fields.class.name {
            "DDPM" | "DDPMParallel" => self.read_variance(fields, "fixed_small")?,
            "UnCLIP" => self.read_variance(fields, "fixed_small_log")?,
            "PNDM" => {
                let plms = fields.flag("skip_prk_steps", false)?;
                self.set("warmup", if plms { "plms" } else { "runge-kutta" });
            }
            "IPNDM" => self.set("warmup", "none"),
            "KDPM2AncestralDiscrete" => self.defaults.eta = Some(1.0),
            "DPMSolverSDE" => {
                self.defaults.eta = Some(1.0);
                self.set("midpoint_noise", true);
            }
            "CogVideoXDPM" => {
                self.set("algorithm", "sde-dpm-solver++");
                self.set("order", 2);
                self.set("lower_order_final", false);
            }
            "DPMSolverMultistep" | "DPMSolverMultistepInverse" | "DPMSolverSinglestep" | "EDMDPMSolverMultistep" => {
                self.read_dpm_solver(fields, "dpmsolver++")?
            }
            "CosineDPMSolverMultistep" => self.read_dpm_solver(fields, "sde-dpmsolver++")?,
            "DEISMultistep" => {
                self.set("order", fields.whole("solver_order", 2)?);
                if !fields.flag("lower_order_final", true)? {
                    self.set("lower_order_final", false);
                }
            }
            "UniPCMultistep" => self.read_unipc(fields)?,
            "SASolver" => self.read_sa_solver(fields)?,
            "LCM" => self.set("timestep_scaling", fields.real("timestep_scaling")?.unwrap_or(10.0)),
            "FlowMatchLCM" | "SCM" => self.set("timestep_scaling", 0),
            "FlowMatchEulerDiscrete" if fields.flag("stochastic_sampling", false)? => {
                self.defaults.solver = Some("lcm".into());
                self.set("timestep_scaling", 0);
            }
            _ => self.read_sampler(fields)?,
        }
        Ok(())
    }

    /// Reads the numbers of the solvers that have some in the file.
    fn read_sampler(&mut self, fields: &Fields) -> Result<()> {
        match fields.class.name {
            "LTXEulerAncestralRF" => {
                self.set("eta", fields.real("eta")?.unwrap_or(1.0));
                self.set("s_noise", fields.real("s_noise")?.unwrap_or(1.0));
            }
            "CMStochasticIterative" => self.set("s_noise", fields.real("s_noise")?.unwrap_or(1.0)),
            "KarrasVe" => {
                for (key, field, usual) in [
                    ("s_churn", "s_churn", 80.0),
                    ("s_noise", "s_noise", 1.007),
                    ("s_tmin", "s_min", 0.05),
                    ("s_tmax", "s_max", 50.0),
                ] {
                    self.set(key, fields.real(field)?.unwrap_or(usual));
                }
            }
            "ScoreSdeVe" => {
                self.set("corrector_steps", fields.whole("correct_steps", 1)?);
                self.set("corrector_snr", fields.real("snr")?.unwrap_or(0.15));
                self.defaults.steps = Some(self.spread.train_steps);
            }
            "ScoreSdeVp" => {
                self.set("discretization", "euler-maruyama");
                self.defaults.steps = Some(self.spread.train_steps);
            }
            _ => {}
        }
        Ok(())
    }

    fn read_variance(&mut self, fields: &Fields, usual: &str) -> Result<()> {
        let variance = match fields.text("variance_type", usual)?.as_str() {
            "learned" if fields.class.name == "UnCLIP" => {
                return Err(fields.error("variance_type", "\"learned\", which UnCLIPScheduler has no formula for"));
            }
            "fixed_small" | "fixed_small_log" => "posterior",
            "fixed_large" => "beta",
            "fixed_large_log" => {
                let reason = "\"fixed_large_log\", of which diffusers takes the logarithm's root, which is no number";
                return Err(fields.error("variance_type", reason));
            }
            "learned" => "learned",
            "learned_range" => "learned-range",
            other => return Err(fields.error("variance_type", format!("{other:?} has no counterpart here"))),
        };
        self.set("variance", variance);
        Ok(())
    }

    fn read_dpm_solver(&mut self, fields: &Fields, usual: &str) -> Result<()> {
        let algorithm = match fields.text("algorithm_type", usual)?.as_str() {
            "dpmsolver" => "dpm-solver",
            "sde-dpmsolver++" => "sde-dpm-solver++",
            "sde-dpmsolver" => "sde-dpm-solver",
            _ => "dpm-solver++",
        };
        self.set("algorithm", algorithm);
        self.set("order", fields.whole("solver_order", 2)?);
        let heun = fields.text("solver_type", "midpoint")? == "heun";
        self.set("variant", if heun { "heun" } else { "midpoint" });
        let single = fields.class.name == "DPMSolverSinglestep";
        if single || !fields.flag("lower_order_final", true)? {
            self.set("lower_order_final", fields.flag("lower_order_final", !single)?);
        }
        if fields.flag("euler_at_final", false)? {
            self.set("euler_at_final", true);
        }
        Ok(())
    }

    fn read_unipc(&mut self, fields: &Fields) -> Result<()> {
        self.set("order", fields.whole("solver_order", 2)?);
        self.set("lower_order_final", fields.flag("lower_order_final", true)?);
        self.set("predict_x0", fields.flag("predict_x0", true)?);
        let bh1 = fields.text("solver_type", "bh2")? == "bh1";
        self.set("scaling", if bh1 { "bh1" } else { "bh2" });
        if let Some(steps) = fields.numbers("disable_corrector")?.filter(|steps| !steps.is_empty()) {
            let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
            self.set("disable_corrector", steps.join(","));
        }
        Ok(())
    }

    fn read_sa_solver(&mut self, fields: &Fields) -> Result<()> {
        self.set("predictor_order", fields.whole("predictor_order", 2)?);
        self.set("corrector_order", fields.whole("corrector_order", 2)?);
        self.set("lower_order_final", fields.flag("lower_order_final", true)?);
        self.set("predict_x0", fields.text("algorithm_type", "data_prediction")? == "data_prediction");
        Ok(())
    }

    fn read_clipping(&mut self, fields: &Fields) -> Result<()> {
        let class = fields.class;
        if fields.flag("thresholding", false)? {
            let ratio = fields.real("dynamic_thresholding_ratio")?.unwrap_or(0.995);
            self.threshold = Some([ratio, fields.real("sample_max_value")?.unwrap_or(1.0)]);
        }
        if class.name == "CMStochasticIterative" && fields.flag("clip_denoised", true)? {
            self.clip_range = Some(1.0);
        }
        // CogVideoX's schedulers have the fields, and do not clip.
        let clips = class.fields.contains(&CLIPPED) && !class.name.starts_with("CogVideoX");
        let usually = matches!(class.solver, "ddpm" | "ddim");
        if clips && self.threshold.is_none() && fields.flag("clip_sample", usually)? {
            self.clip_range = Some(fields.real("clip_sample_range")?.unwrap_or(1.0) as f32);
        }
        Ok(())
    }

    /// Which of diffusers' schedulers of its solver this is.
    pub(crate) fn habit(&self) -> Habit {
        match self.class.as_str() {
            "CogVideoXDDIMScheduler" | "CogVideoXDPMScheduler" => Habit::CogVideoX,
            "KarrasVeScheduler" => Habit::KarrasVe,
            "UnCLIPScheduler" => Habit::UnClip,
            "DDPMWuerstchenScheduler" => Habit::Wuerstchen,
            _ if self.spread.log_linear && self.spread.over.is_none() => Habit::LogLinear,
            _ => Habit::Own,
        }
    }

    /// The precision of its tables.
    pub(crate) fn tables(&self) -> Tables {
        // CogVideoX's tables are f64 for its own kind of β.
        let exact = self.habit() == Habit::CogVideoX && matches!(self.schedule, Schedule::ScaledLinear(_));
        if exact { Tables::Exact } else { Tables::Diffusers }
    }

    /// Whether diffusers' class has fields for clipping and thresholding, and does neither.
    pub(crate) fn ignores_clipping(&self) -> bool {
        self.class == "TCDScheduler" || self.class == "UniPCMultistepScheduler" && self.expands_noise()
    }

    /// Whether its exponential integrator expands ε̂, and not x̂₀.
    pub(super) fn expands_noise(&self) -> bool {
        let told = |key: &str| self.defaults.options.get(key);
        let of_noise = ["dpm-solver", "sde-dpm-solver"];
        self.class.starts_with("DEIS")
            || told("predict_x0").and_then(Value::as_bool) == Some(false)
            || told("algorithm").and_then(Value::as_str).is_some_and(|word| of_noise.contains(&word))
    }

    /// The kind of prediction that the class's own formulas assume, for a network whose output is read as `reading`.
    pub(crate) fn said(&self, reading: Prediction) -> Prediction {
        self.spread.trained.as_ref().map_or(reading, |(_, said)| *said)
    }

    /// The prediction and the schedule of training, for a model whose own are `prediction` on the schedule of a
    /// discrete training. A configuration in continuous time fits either.
    pub(crate) fn trained(&self, prediction: Prediction) -> (&Schedule, Prediction) {
        match &self.spread.trained {
            Some((schedule, trained)) if *trained == prediction => (schedule, *trained),
            _ => (&self.schedule, self.prediction),
        }
    }
}

/// Whether the class spreads its steps as diffusers' DPM-Solvers do.
fn is_dpm_like(class: &Class) -> bool {
    class.family == Family::Lambda
}

/// Whether times are logarithms of σ, as for the v of Stable Video Diffusion.
fn is_continuous(fields: &Fields) -> Result<bool> {
    let continuous = fields.text("timestep_type", "discrete")? == "continuous";
    Ok(continuous && fields.text("prediction_type", "epsilon")? == "v_prediction")
}

fn spacing_of(fields: &Fields) -> Result<Spacing> {
    let class = fields.class;
    let spacing = match (class.family, fields.text("timestep_spacing", class.spacing)?.as_str()) {
        (Family::Distilled, _) => Spacing::Lcm,
        (Family::Flow | Family::Sde, _) => Spacing::Linspace,
        (Family::Crash, _) => Spacing::Crash,
        (Family::Edm | Family::Consistency, _) => Spacing::Karras,
        (Family::KarrasVe, _) => Spacing::Exponential,
        (Family::Wuerstchen | Family::TrigFlow, _) => Spacing::Trailing,
        (_, "leading") => Spacing::Leading,
        (_, "trailing") => Spacing::Trailing,
        (_, "linspace") if is_dpm_like(class) => Spacing::SgmUniform,
        (_, "linspace") => Spacing::Linspace,
        (_, other) => {
            return Err(fields.error("timestep_spacing", format!("{other:?}; expected leading, trailing or linspace")));
        }
    };
    let over_noise = over_noise(fields)?.map(|over| match over {
        Over::Karras => Spacing::Karras,
        Over::Exponential | Over::Lu => Spacing::Exponential,
        Over::Beta => Spacing::BetaSigma,
    });
    let flow = fields.flag("use_flow_sigmas", false)?;
    let log_linear = fields.text("interpolation_type", "linear")? == "log_linear";
    let own = match spacing {
        _ if flow => Spacing::Trailing,
        _ if log_linear => Spacing::Exponential,
        own => own,
    };
    Ok(over_noise.unwrap_or(own))
}

/// The noise over which the steps are spread. `None` where they are spread over times.
fn over_noise(fields: &Fields) -> Result<Option<Over>> {
    let mut over = Vec::new();
    for (key, spread) in [
        ("use_karras_sigmas", Over::Karras),
        ("use_exponential_sigmas", Over::Exponential),
        ("use_lu_lambdas", Over::Lu),
        ("use_beta_sigmas", Over::Beta),
    ] {
        if fields.flag(key, false)? {
            over.push((key, spread));
        }
    }
    let usual = if fields.class.name.starts_with("Cosine") { "exponential" } else { "karras" };
    match fields.text("sigma_schedule", usual)?.as_str() {
        "karras" => {}
        "exponential" => over.push(("sigma_schedule", Over::Exponential)),
        other => return Err(fields.error("sigma_schedule", format!("{other:?}; expected karras or exponential"))),
    }
    if let [_, (key, _), ..] = over[..] {
        return Err(fields.error(key, format!("true, and {} as well; one of them", over[0].0)));
    }
    // UniPC's Karras levels are σ/α, and become those of the path.
    let becomes = |over: Over| fields.class.solver == "unipc" && over == Over::Karras;
    if fields.flag("use_flow_sigmas", false)?
        && let Some((key, _)) = over.first().filter(|(_, over)| !becomes(*over))
    {
        return Err(fields.error("use_flow_sigmas", format!("true, and {key} as well; one of them")));
    }
    Ok(over.first().map(|(_, spread)| *spread))
}

/// What diffusers computes its own levels from.
fn spread(fields: &Fields) -> Result<Spread> {
    let class = fields.class;
    let flow = fields.flag("use_flow_sigmas", false)?;
    let shift = fields.real(if flow { "flow_shift" } else { "shift" })?.unwrap_or(1.0);
    if shift.is_nan() || shift <= 0.0 {
        return Err(fields.error(if flow { "flow_shift" } else { "shift" }, format!("{shift}; it has to be above 0")));
    }
    let shift_terminal = fields.real("shift_terminal")?.filter(|terminal| *terminal != 0.0);
    if let Some(terminal) = shift_terminal {
        if class.has_betas() && !flow {
            return Err(fields.error("shift_terminal", format!("{terminal}; it goes with use_flow_sigmas")));
        }
        if !(0.0..1.0).contains(&terminal) {
            return Err(fields.error("shift_terminal", format!("{terminal}; it lies between 0 and 1")));
        }
    }
    Ok(Spread {
        name: class.name,
        family: class.family,
        train_steps: train_steps(fields)?,
        even: match fields.text("timestep_spacing", class.spacing)?.as_str() {
            "leading" => Even::Leading,
            "trailing" => Even::Trailing,
            _ => Even::Linspace,
        },
        over: over_noise(fields)?,
        cosine: fields.text("beta_schedule", class.betas.2)? == "squaredcos_cap_v2",
        offset: fields.whole("steps_offset", 0)?,
        original_steps: fields.whole("original_inference_steps", 50)?,
        ends: [fields.real("sigma_min")?, fields.real("sigma_max")?],
        rho: fields.real("rho")?.unwrap_or(7.0),
        to_least: fields.text("final_sigmas_type", "zero")? == "sigma_min",
        to_one: fields.flag("set_alpha_to_one", class.name != "PNDM")?,
        flow,
        shift,
        dynamic: fields.flag("use_dynamic_shifting", false)?,
        shift_terminal,
        inverted: fields.flag("invert_sigmas", false)?,
        log_linear: fields.text("interpolation_type", "linear")? == "log_linear",
        floored: fields.flag("rescale_betas_zero_snr", false)?,
        lambda_min: fields.above_minus_infinity("lambda_min_clipped")?,
        scaler: fields.real("scaler")?.unwrap_or(1.0),
        offset_of_cosine: fields.real("s")?.unwrap_or(0.008),
        trained: None,
        betas: if flow { Some(of_betas(fields)?) } else { None },
    })
}

const MOST_TRAIN_STEPS: usize = BetaSchedule::MOST_STEPS;

/// T, the number of training steps.
fn train_steps(fields: &Fields) -> Result<usize> {
    let usual = match fields.class.family {
        Family::Consistency => 40,
        Family::Sde => 2000,
        _ => 1000,
    };
    match fields.whole("num_train_timesteps", usual)? {
        steps @ 1..=MOST_TRAIN_STEPS => Ok(steps),
        steps => {
            let reason = format!("{steps}; a model is trained on 1 to {MOST_TRAIN_STEPS}");
            Err(fields.error("num_train_timesteps", reason))
        }
    }
}

/// The schedule of Karras et al. 2022, between the ends in the file or the usual ones.
fn edm(fields: &Fields) -> Result<Schedule> {
    let (least, most) = match fields.class.name {
        "CosineDPMSolverMultistep" => (0.3, 500.0),
        "KarrasVe" => (0.02, 100.0),
        _ => (0.002, 80.0),
    };
    Ok(Schedule::Edm {
        sigma_min: fields.real("sigma_min")?.unwrap_or(least),
        sigma_max: fields.real("sigma_max")?.unwrap_or(most),
    })
}

fn sigma_data(fields: &Fields) -> Result<Option<f64>> {
    let usual = match fields.class.family {
        Family::Edm if fields.class.name.starts_with("Cosine") => Some(1.0),
        Family::Edm | Family::Consistency => Some(0.5),
        // For SCM it is the deviation of the latents, which its pipeline divides by before the network.
        _ => return Ok(None),
    };
    // An EDM file without it leaves it to the model, which was trained with its own.
    let said = fields.real("sigma_data")?;
    Ok(if fields.class.name.starts_with("EDM") { said } else { said.or(usual) })
}

fn schedule(fields: &Fields) -> Result<Schedule> {
    let class = fields.class;
    let train_steps = train_steps(fields)?;
    let real = |key, otherwise| Ok::<_, Error>(fields.real(key)?.unwrap_or(otherwise));
    let least_time = 1.0 / (train_steps.max(2) as f64);
    match class.family {
        Family::Edm | Family::Consistency | Family::KarrasVe => return edm(fields),
        Family::Crash => {
            fields.only("trained_betas", &[])?;
            return Ok(Schedule::Trigonometric { least_time });
        }
        Family::TrigFlow => return Ok(Schedule::Trigonometric { least_time }),
        Family::Wuerstchen => {
            return Ok(Schedule::ContinuousCosine { s: real("s", 0.008)?, least_time: 1e-3 });
        }
        Family::Flow => return Ok(Schedule::Flow { least_time }),
        Family::Sde if class.name == "ScoreSdeVe" => {
            return Ok(Schedule::Ve {
                sigma_min: real("sigma_min", 0.01)?,
                sigma_max: real("sigma_max", 1348.0)?,
                least_time: real("sampling_eps", 1e-5)?,
            });
        }
        Family::Sde => {
            return Ok(Schedule::Vp(ContinuousBeta {
                beta_min: real("beta_min", 0.1)?,
                beta_max: real("beta_max", 20.0)?,
                least_time: real("sampling_eps", 1e-3)?,
            }));
        }
        Family::Index | Family::Distilled | Family::Lambda | Family::Sigma => {}
    }
    if fields.flag("use_flow_sigmas", false)? {
        return Ok(Schedule::Flow { least_time });
    }
    of_betas(fields)
}

/// The schedule of the file's β.
fn of_betas(fields: &Fields) -> Result<Schedule> {
    let class = fields.class;
    let train_steps = train_steps(fields)?;
    let real = |key, otherwise| Ok::<_, Error>(fields.real(key)?.unwrap_or(otherwise));
    let terminal = if !fields.flag("rescale_betas_zero_snr", false)? {
        Terminal::AsTrained
    } else if matches!(class.family, Family::Index | Family::Distilled) {
        Terminal::ZeroSnr
    } else {
        Terminal::Floored
    };
    if let Some(betas) = fields.numbers("trained_betas")? {
        if class.name.starts_with("CogVideoX") && fields.real("snr_shift_scale")?.unwrap_or(3.0) != 1.0 {
            return Err(fields.error("snr_shift_scale", "goes with beta_schedule; with trained_betas it has to be 1"));
        }
        return Ok(Schedule::Trained { betas, terminal });
    }
    let (start, end, kind) = class.betas;
    let (beta_start, beta_end) = (real("beta_start", start)?, real("beta_end", end)?);
    let snr_shift = if class.name.starts_with("CogVideoX") { real("snr_shift_scale", 3.0)? } else { 1.0 };
    let range = BetaRange { train_steps, beta_start, beta_end, terminal, snr_shift };
    let steps = Steps { train_steps, terminal, snr_shift };
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

fn prediction(fields: &Fields) -> Result<Prediction> {
    let class = fields.class;
    let preconditioned = class.family == Family::Edm;
    let usual = match class.name {
        "ScoreSdeVe" | "KarrasVe" => return Ok(Prediction::Score),
        "CMStochasticIterative" => return Ok(Prediction::Consistency),
        "DDPMWuerstchen" => return Ok(Prediction::Epsilon),
        "IPNDM" => return Ok(Prediction::V),
        _ if class.family == Family::Flow => {
            let inverted = fields.flag("invert_sigmas", false)?;
            return Ok(if inverted { Prediction::FlowToData } else { Prediction::Flow });
        }
        "CosineDPMSolverMultistep" => "v_prediction",
        "SCM" => "trigflow",
        _ => "epsilon",
    };
    let flow = fields.flag("use_flow_sigmas", false)?;
    let said = fields.text("prediction_type", usual)?;
    let prediction = match said.as_str() {
        "epsilon" if preconditioned => Prediction::Edm,
        "v_prediction" if preconditioned => Prediction::EdmV,
        "trigflow" if class.name == "SCM" => Prediction::V,
        "epsilon" => Prediction::Epsilon,
        "sample" | "original_sample" => Prediction::X0,
        // Some files have the second spelling.
        "v_prediction" | "v-prediction" => Prediction::V,
        "flow_prediction" => Prediction::Flow,
        other => return Err(fields.error("prediction_type", format!("{other:?} has no counterpart here"))),
    };
    if prediction == Prediction::Flow && !flow {
        let reason = format!("{said:?} needs use_flow_sigmas: it is the velocity on the path of flow matching");
        return Err(fields.error("prediction_type", reason));
    }
    if matches!(prediction, Prediction::V | Prediction::Epsilon) && flow {
        let reason = format!(
            "{said:?} with use_flow_sigmas; that path begins at pure noise, where it does not determine the clean sample"
        );
        return Err(fields.error("prediction_type", reason));
    }
    Ok(prediction)
}

fn dynamic_shift(fields: &Fields) -> Result<Option<DynamicShift>> {
    // UniPC has it beside β as well, and there it belongs to the path.
    let on_the_path = !fields.class.has_betas() || fields.flag("use_flow_sigmas", false)?;
    if !fields.flag("use_dynamic_shifting", false)? || !on_the_path {
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
    /// The request options that give the same settings, as names and values. They hold the solver, the grid, the
    /// ending, the offset and the clipping. They do not hold the number of steps and η, which diffusers takes with each
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
        // diffusers keeps the network's own ε̂.
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
