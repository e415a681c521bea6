//! A request with every choice made: the solver, the grid, guidance and clipping.

use super::ask::Request;
use super::choices::Choices;
use super::fitting::check_same_schedule;
use crate::denoiser::{Direction, Threshold};
use crate::error::{Error, Result};
use crate::guidance::Guidance;
use crate::model::{Asked, Manifest, SchedulerConfig};
use crate::option::{Group, OptionEntry, Options};
use crate::prediction::Prediction;
use crate::schedule::{Frame, Grid, Spacing, Tables};
use crate::settings::{self, Clipping, Compat, StrengthOf};
use crate::solver::{self, Correction, Cursor, DdimInverse, Diffusers, Habit, PredictorCorrector, Solver};

/// A request with every choice made for a model's manifest. Nothing is made of the caller's tensors yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct Plan {
    /// The request with every choice made that it left to the manifest. This is what is worth storing beside a picture.
    pub request: Request,
    /// The solver.
    pub solver: Box<dyn Solver>,
    /// The grid of noise levels that the run visits.
    pub grid: Grid,
    /// Whether the run visits all levels of the grid.
    pub(super) whole: bool,
    /// Classifier-free guidance; `None` without guidance.
    pub guidance: Option<Guidance>,
    /// How x̂₀ is clipped, and which x̂₀ determines ε̂. `None` where it is not clipped.
    pub clipping: Option<(Threshold, Direction)>,
    /// The image guidance scale (Brooks et al. 2023), for a model that changes an image by an instruction. It sets how
    /// near the samples stay to that image.
    pub image_scale: Option<f64>,
    /// How the network's output is read, where a scheduler's configuration turns its sign. `None` for the manifest's
    /// prediction.
    pub reading: Option<Prediction>,
}

/// Refuses a scheduler's own levels where two of them coincide and the solver divides by their distance.
fn check_moves(solver: &dyn Solver, grid: &Grid) -> Result<()> {
    let mut at = Cursor::default();
    while at.step < grid.steps() {
        let step = solver.plan(grid, at);
        if !step.update.is_finite() || step.keep.is_some_and(|(_, kept)| !kept.is_finite()) {
            let reason = format!(
                "the scheduler's levels {} and {} are one, or as good as one, which {solver} cannot step between; take fewer steps",
                at.step,
                at.step + 1
            );
            return Err(Error::argument("steps", reason));
        }
        at = step.next;
    }
    Ok(())
}

impl Request {
    /// Makes every choice for a model that has this manifest.
    ///
    /// # Errors
    /// [`Error::Argument`] with the field that does not fit, and what would.
    pub fn plan(&self, manifest: &Manifest) -> Result<Plan> {
        self.numbered(manifest)?.planned(manifest)
    }

    fn planned(&self, manifest: &Manifest) -> Result<Plan> {
        let tables = match self.compat {
            Compat::Papers => Tables::Exact,
            Compat::Diffusers => Tables::Diffusers,
        };
        self.check_has_no_parts()?;
        self.check_levels()?;
        let choices = Choices::new(self, manifest);
        let reading = self.check_training(manifest, &choices)?;
        let shift = self.shift(&choices)?;
        let (levels, of_scheduler) = match self.levels_of_scheduler(choices.steps, shift)? {
            Some(levels) => (levels, true),
            None => (choices.levels(manifest, tables, shift)?, false),
        };
        let steps = levels.steps();
        let run = self.part(&levels, &choices)?;
        let predicts = reading.unwrap_or(manifest.prediction);
        let solver = self.solver(&choices, &levels, manifest, (predicts, steps - run))?;
        let (solver, grid) = self.directed(levels, solver, &choices, run)?;
        if of_scheduler {
            check_moves(&*solver, &grid)?;
        }
        let guidance = self.guidance(&choices.options, &grid, &*solver)?;
        let clipping = self.clipping(&choices, manifest, of_scheduler)?;
        let whole = run == steps && self.share(&choices.options) == 1.0;
        Ok(Plan { request: choices.of(self), solver, grid, whole, guidance, clipping, image_scale: None, reading })
    }

    /// The levels of the scheduler whose configuration was set. There are such for a request that is compatible with
    /// diffusers and has no other solver or grid set afterwards.
    pub(super) fn levels_of_scheduler(&self, steps: usize, shift: Option<f64>) -> Result<Option<Grid>> {
        let Some(config) = &self.scheduler_config else { return Ok(None) };
        let compatible = self.compat == Compat::Diffusers || config.has_its_own_levels();
        let of_grid = ["rho", "sigma_min", "sigma_max", "original_steps", "shift_terminal", "lambda_min"];
        let same = of_grid.iter().all(|key| self.is_of_config(key))
            && self.solver == config.defaults.solver
            && self.grid == config.defaults.grid
            && self.steps_offset == Some(config.defaults.steps_offset)
            && self.ending == Some(config.defaults.ending);
        if self.invert || !compatible || !same {
            return Ok(None);
        }
        let given = |key: &str| settings::levels(&self.options).find(|(of, _)| *of == key).map(|(_, levels)| levels);
        let (timesteps, sigmas) = (given("timesteps"), given("sigmas"));
        if timesteps.is_some() && sigmas.is_some() {
            return Err(Error::argument("sigmas", "timesteps are given as well; one of the two is the grid"));
        }
        config.grid(&Asked { steps, timesteps, sigmas, shift, share: self.share(&self.options) })
    }

    /// The requested shift of times, by whichever option. `None` leaves it to the model or to the scheduler's
    /// configuration.
    fn shift(&self, choices: &Choices) -> Result<Option<f64>> {
        // The manifest's options are among these.
        let options = &choices.options;
        let of_caller = |option: &OptionEntry| {
            option.given(options).is_some()
                && !(self.options.get(option.key).is_some() && self.is_of_config(option.key))
        };
        let given: Vec<&OptionEntry> = [&settings::SHIFT, &settings::MU, &settings::TOKENS]
            .into_iter()
            .filter(|option| of_caller(option))
            .collect();
        if let [first, second, ..] = given[..] {
            return Err(Error::argument(second.key, format!("{} is given as well; one of them", first.key)));
        }
        if settings::MU_RULE.given(options).is_some() && settings::TOKENS.given(options).is_none() {
            return Err(Error::argument("mu_rule", "there are no tokens to find μ from"));
        }
        let dynamic = self.scheduler_config.as_ref().and_then(|config| config.dynamic_shift);
        let of_mu = |mu: f64| dynamic.map_or_else(|| mu.exp(), |dynamic| dynamic.of_mu(mu));
        let shift = match given.first().map(|option| option.key) {
            None => return Ok(None),
            Some("mu") if dynamic.is_none() && self.scheduler_config.is_some() => {
                let reason = "the scheduler's configuration does not shift by it (use_dynamic_shifting); give shift";
                return Err(Error::argument("mu", reason));
            }
            Some("mu") => of_mu(options.real("mu").unwrap_or_default()),
            Some("tokens") => {
                let Some(dynamic) = dynamic else {
                    let reason = match self.scheduler_config {
                        Some(_) => "the scheduler's configuration does not shift by them (use_dynamic_shifting)",
                        None => "there is no scheduler's configuration that shifts times by them",
                    };
                    return Err(Error::argument("tokens", reason));
                };
                let (tokens, rule) = (options.whole("tokens").unwrap_or(1), settings::MU_RULE.choice(options));
                dynamic.of_mu(dynamic.mu_by(rule, tokens, choices.steps))
            }
            Some(_) => settings::SHIFT.real(options),
        };
        if shift.is_finite() && shift > 0.0 {
            return Ok(Some(shift));
        }
        Err(Error::argument(given[0].key, format!("makes a shift of {shift}; it has to be above 0")))
    }

    /// The solver with its corrections, for this kind of prediction and a run that leaves out so many steps.
    fn solver(
        &self,
        choices: &Choices,
        grid: &Grid,
        manifest: &Manifest,
        (prediction, skipped): (Prediction, usize),
    ) -> Result<Box<dyn Solver>> {
        let Choices { solver: name, options, .. } = choices;
        let entry = solver::SOLVERS.iter().find(|entry| entry.name == name);
        let own = |key: &str| entry.is_some_and(|entry| entry.options.iter().any(|option| option.key == key));
        let shared = |key: &str| settings::OPTIONS.iter().any(|option| option.key == key);
        let options_of_solver = options.filtered(|key| own(key) || !shared(key));
        let config = self.scheduler_config.as_deref();
        let solver = match self.compat {
            Compat::Papers => solver::build(name, &options_of_solver)?,
            Compat::Diffusers => {
                let train_steps = grid.schedule().train_steps();
                let told = Diffusers {
                    habit: config.map_or(Habit::Own, SchedulerConfig::habit),
                    steps: choices.steps,
                    skipped,
                    stride: train_steps.map(|train_steps| train_steps / choices.steps.max(1)),
                    time_scale: config.map_or(1.0, SchedulerConfig::time_scale),
                    tables: config.map_or(Tables::Diffusers, SchedulerConfig::tables),
                    prediction: config.map_or(prediction, |config| config.said(prediction)),
                    sigma_data: manifest.sigma_data(),
                };
                solver::build_as_diffusers(name, &options_of_solver, &told)?
            }
        };
        if solver.needs_variance() && !manifest.variance.is_learned() {
            return Err(Error::argument(
                "variance",
                "the model predicts no variance; use posterior or beta, which need none",
            ));
        }
        let corrections = if own(settings::CORRECTOR_STEPS.key) { 0 } else { settings::CORRECTOR_STEPS.whole(options) };
        if corrections > 0 {
            return Ok(Box::new(PredictorCorrector::new(solver, Correction::new(corrections, options))?));
        }
        let of_corrections =
            settings::of(Group::Correction).filter(|option| option.key != settings::CORRECTOR_STEPS.key);
        match of_corrections.into_iter().find(|option| option.given(options).is_some() && !own(option.key)) {
            Some(option) => Err(Error::argument(option.key, "there are no corrections; set corrector_steps as well")),
            None => Ok(solver),
        }
    }

    /// The option strength, with its default.
    fn strength(&self, options: &Options) -> f64 {
        let from_image = self.image.is_some() && self.mask.is_none() && !self.invert;
        match settings::STRENGTH.given(options) {
            None if from_image => settings::STRENGTH_FROM_IMAGE,
            _ => settings::STRENGTH.real(options),
        }
    }

    /// The share of the distillation's steps over which a grid among them is spread.
    pub(super) fn share(&self, options: &Options) -> f64 {
        match settings::STRENGTH_OF.choice(options) {
            StrengthOf::Steps => 1.0,
            StrengthOf::Original => self.strength(options),
        }
    }

    /// How many of the grid's steps are made. They are the last ones.
    fn part(&self, grid: &Grid, choices: &Choices) -> Result<usize> {
        let all = grid.steps();
        let of: StrengthOf = settings::STRENGTH_OF.choice(&choices.options);
        if of == StrengthOf::Original {
            if choices.grid != Some(Spacing::Lcm) {
                return Err(Error::argument("strength_of", "original: only the lcm grid has original steps"));
            }
            return Ok(all);
        }
        let strength = self.strength(&choices.options);
        let (count, straight) = (all as f64, grid.schedule().frame() == Frame::Straight);
        let steps = match self.compat {
            // The product is rounded as in Python, so 0.29 of 100 is 28. Pipelines of flow matching round what is left
            // out.
            Compat::Diffusers if straight => all - (count - (count * strength).min(count)) as usize,
            Compat::Diffusers => (count * strength) as usize,
            // A product that is a whole number up to rounding is taken as that number.
            Compat::Papers => (count * strength + 1e-9) as usize,
        };
        if steps == 0 {
            let reason = format!("{strength} of {all} steps is none; at least 1/{all} is needed");
            return Err(Error::argument("strength", reason));
        }
        Ok(steps.min(all))
    }

    /// The part of the grid that is visited, its last `steps`, in the direction of the run.
    fn directed(
        &self,
        grid: Grid,
        solver: Box<dyn Solver>,
        choices: &Choices,
        steps: usize,
    ) -> Result<(Box<dyn Solver>, Grid)> {
        let options = &choices.options;
        let grid = if steps < grid.steps() { solver.part(&grid, steps) } else { grid };
        if !self.invert {
            return Ok((solver, grid));
        }
        if self.mask.is_some() {
            return Err(Error::argument("mask", "an inversion draws nothing that a mask could keep"));
        }
        let corrected = settings::CORRECTOR_STEPS.whole(options) > 0;
        match choices.solver.as_str() {
            "ddim" if settings::ETA.real(options) == 0.0 && !corrected => Ok((Box::new(DdimInverse), grid.reversed())),
            "dpm-solver" if !corrected && options.text("algorithm").is_none_or(|word| !word.starts_with("sde")) => {
                Ok((solver, grid.inverted()?))
            }
            _ => {
                let reason = format!("{solver} cannot be inverted; ddim can, with eta 0, and dpm-solver without noise");
                Err(Error::argument("solver", reason))
            }
        }
    }

    /// How x̂₀ is clipped. It may depend on whether the run visits the scheduler's own levels.
    fn clipping(
        &self,
        choices: &Choices,
        manifest: &Manifest,
        of_scheduler: bool,
    ) -> Result<Option<(Threshold, Direction)>> {
        let compatible = self.compat == Compat::Diffusers;
        let config = self.scheduler_config.as_deref();
        let ignores = of_scheduler && compatible && config.is_some_and(SchedulerConfig::ignores_clipping);
        if ignores && self.is_clipped_by_config() {
            return Ok(None);
        }
        let of_config = config.and_then(|config| config.clip_range).map(|range| [-range, range]);
        // diffusers thresholds to −1 … 1, whatever the data's range is.
        let thresholds = config.is_some_and(|config| config.threshold.is_some()) && self.is_clipped_by_config();
        let usual = thresholds.then_some([-1.0, 1.0]);
        let Some(range) = manifest.sample.range().or(of_config).or(usual) else {
            return match choices.clipping {
                Clipping::Off | Clipping::Model => Ok(None),
                _ => Err(Error::argument("clipping", "the model's manifest has no sample.range to clip to")),
            };
        };
        // Of diffusers' schedulers only DDIM keeps the network's own ε̂.
        let kept = if of_scheduler && compatible && choices.solver != "ddim" {
            Direction::Clipped
        } else {
            Direction::Network
        };
        Ok(match choices.clipping {
            Clipping::Off | Clipping::Model => None,
            Clipping::On => Some((Threshold::Static(range), Direction::Clipped)),
            Clipping::KeepNoise => Some((Threshold::Static(range), kept)),
            Clipping::Dynamic if range != [-1.0, 1.0] && !(thresholds && compatible) => {
                let reason = format!("dynamic thresholds are for a range of -1 to 1, and sample.range is {range:?}");
                return Err(Error::argument("clipping", reason));
            }
            Clipping::Dynamic => {
                let ratio = settings::THRESHOLD_RATIO.real(&choices.options);
                let most = settings::THRESHOLD_MAX.real(&choices.options);
                let direction = if compatible { kept } else { Direction::Clipped };
                Some((Threshold::Dynamic { ratio, most }, direction))
            }
        })
    }

    /// Whether the scheduler's configuration set the clipping.
    fn is_clipped_by_config(&self) -> bool {
        let options = self.scheduler_config.as_ref().map(|config| config.options());
        options.is_some_and(|options| options.get("clipping").is_some_and(|word| word == self.clipping.word()))
    }

    /// Refuses fields that only a model of several parts has. Its composition has removed them by now.
    fn check_has_no_parts(&self) -> Result<()> {
        for (name, given) in
            [("prompt", !self.prompts.is_empty()), ("negative_prompt", self.negative_prompts.is_some())]
        {
            if given {
                return Err(Error::argument(name, "this model reads no text; it has no text encoder"));
            }
        }
        let sizes = [settings::WIDTH, settings::HEIGHT].iter().find(|option| option.given(&self.options).is_some());
        if let Some(option) = sizes {
            return Err(Error::argument(option.key, "it is for pictures of a pipeline; this model takes shape"));
        }
        match settings::of(Group::Picture).find(|option| option.given(&self.options).is_some()) {
            Some(option) => {
                Err(Error::argument(option.key, "it is for a pipeline of several parts; this model is one network"))
            }
            None => Ok(()),
        }
    }

    /// Refuses a grid beside levels that are given, since these are the grid.
    fn check_levels(&self) -> Result<()> {
        let given = settings::levels(&self.options).next();
        let Some((key, count)) = given.map(|(key, levels)| (key, levels.len())) else { return Ok(()) };
        // A configuration's options for its own grid do not apply to another.
        let own = self.scheduler_config.as_ref().map(|config| &config.defaults);
        if let Some(grid) = self.grid.filter(|_| own.is_none_or(|own| own.grid != self.grid)) {
            return Err(Error::argument("grid", format!("{}, but {key} are given, which are the grid", grid.word())));
        }
        let offset = self.steps_offset.filter(|offset| own.is_none_or(|own| own.steps_offset != *offset));
        if offset.is_some_and(|offset| offset > 0) {
            return Err(Error::argument("steps_offset", format!("{key} are given, which have none")));
        }
        match self.steps {
            Some(steps) if steps != count => {
                Err(Error::argument("steps", format!("{steps}, but {count} {key} are given, each of which is a step")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a model that was trained otherwise than the scheduler's configuration states. Returns how the network's
    /// output is read, if that differs from the manifest. The configuration decides its sign.
    fn check_training(&self, manifest: &Manifest, choices: &Choices) -> Result<Option<Prediction>> {
        let Some(config) = &self.scheduler_config else { return Ok(None) };
        let refuse = |reason: String| Err(Error::argument("scheduler_config", reason));
        let (schedule, prediction) = config.trained(manifest.prediction);
        let reading = (prediction != manifest.prediction).then_some(prediction);
        if reading.is_some() && !prediction.is_opposite_to(manifest.prediction) {
            return refuse(format!(
                "is for a network that predicts {prediction}; this model predicts {}",
                manifest.prediction
            ));
        }
        if let Some(sigma_data) =
            config.sigma_data.filter(|sigma_data| (sigma_data - manifest.sigma_data()).abs() > 1e-6)
        {
            return refuse(format!("is for data of σ_data = {sigma_data}; this model's is {}", manifest.sigma_data()));
        }
        if let (Some(range), Some(own)) = (config.clip_range, manifest.sample.range())
            && own != [-range, range]
        {
            return refuse(format!("clips to {range} (clip_sample_range); this model's range is {own:?}"));
        }
        // A manifest's shift applies to its own levels, and is not μ.
        let told = settings::SHIFT.given(&self.options).is_some()
            || [&settings::MU, &settings::TOKENS].iter().any(|option| option.given(&choices.options).is_some());
        let visits_given = self.compat == Compat::Papers && settings::levels(&self.options).next().is_some();
        if config.dynamic_shift.is_some() && !visits_given && !told {
            return refuse(
                "shifts times by the number of tokens (use_dynamic_shifting); give tokens, or μ as the option mu, or e^μ as shift"
                    .into(),
            );
        }
        check_same_schedule("scheduler_config", schedule, &manifest.schedule)?;
        Ok(reading)
    }
}
