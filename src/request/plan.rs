//! A request with every choice made: the solver, the grid, guidance and clipping.

use super::ask::Request;
use super::choices::Choices;
use super::fitting::check_same_schedule;
use crate::denoiser::{Direction, Threshold};
use crate::error::{Error, Result};
use crate::guidance::Guidance;
use crate::model::Manifest;
use crate::option::Group;
use crate::schedule::{Grid, Tables};
use crate::settings::{self, Clipping, Compat};
use crate::solver::{self, Correction, Ddim, DdimInverse, PredictorCorrector, Solver};

/// What a request becomes with a model's manifest: every choice made, and nothing made of the caller's tensors yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct Plan {
    /// The request with every choice made that it leaves to the manifest: what is worth keeping beside a picture.
    pub request: Request,
    /// How the run moves.
    pub solver: Box<dyn Solver>,
    /// The levels that it visits.
    pub grid: Grid,
    /// Whether it visits all of the levels that the grid has.
    pub(super) whole: bool,
    /// Classifier-free guidance; `None` for none.
    pub guidance: Option<Guidance>,
    /// How x̂₀ is clipped, and what ε̂ is taken from then; `None` where it is not.
    pub clipping: Option<(Threshold, Direction)>,
}

impl Request {
    /// What becomes of it with a model that has this manifest.
    ///
    /// # Errors
    /// [`Error::Argument`] with the field that does not fit, and what would.
    pub fn plan(&self, manifest: &Manifest) -> Result<Plan> {
        let tables = match self.compat {
            Compat::Papers => Tables::Exact,
            Compat::Diffusers => Tables::Diffusers,
        };
        self.check_training(manifest)?;
        self.check_levels()?;
        let choices = Choices::new(self, manifest);
        let levels = choices.levels(manifest, tables)?;
        let solver = self.solver(&choices, &levels, manifest, tables)?;
        let steps = levels.steps();
        let (solver, grid) = self.directed(levels, solver, &choices)?;
        let guidance = self.guidance(&choices.options, &grid, &*solver)?;
        let clipping = self.clipping(&choices, manifest)?;
        let whole = grid.steps() == steps;
        Ok(Plan { request: choices.of(self), solver, grid, whole, guidance, clipping })
    }

    /// The solver, with the corrections that it is told.
    fn solver(&self, choices: &Choices, grid: &Grid, manifest: &Manifest, tables: Tables) -> Result<Box<dyn Solver>> {
        let Choices { solver: name, options, .. } = choices;
        let entry = solver::SOLVERS.iter().find(|entry| entry.name == name);
        let own = |key: &str| entry.is_some_and(|entry| entry.options.iter().any(|option| option.key == key));
        let shared = |key: &str| settings::OPTIONS.iter().any(|option| option.key == key);
        let mut solver = solver::build(name, &options.filtered(|key| own(key) || !shared(key)))?;
        if solver.needs_variance() && !manifest.variance.is_learned() {
            return Err(Error::argument("variance", "the model says no variance; posterior and beta need none of it"));
        }
        if self.compat == Compat::Diffusers
            && name == "ddim"
            && let Some(train_steps) = grid.schedule().train_steps()
        {
            let eta = settings::ETA.real(options);
            solver = Box::new(Ddim::like_diffusers(eta, train_steps / choices.steps.max(1), tables)?);
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

    /// The part of the grid that is run, and its direction.
    fn directed(&self, grid: Grid, solver: Box<dyn Solver>, choices: &Choices) -> Result<(Box<dyn Solver>, Grid)> {
        let options = &choices.options;
        let from_image = self.image.is_some() && self.mask.is_none() && !self.invert;
        let strength = match settings::STRENGTH.given(options) {
            None if from_image => settings::STRENGTH_FROM_IMAGE,
            _ => settings::STRENGTH.real(options),
        };
        // Rounded down, as in diffusers.
        // A product that is a whole number but for its rounding is that number: 0.29 of 100 are 29.
        let steps = ((grid.steps() as f64 * strength + 1e-9) as usize).min(grid.steps());
        if steps == 0 {
            let reason = format!("{strength} of {0} steps is none; at least 1/{0} is needed", grid.steps());
            return Err(Error::argument("strength", reason));
        }
        let grid = if steps < grid.steps() { grid.last_steps(steps) } else { grid };
        if !self.invert {
            return Ok((solver, grid));
        }
        if self.image.is_none() {
            return Err(Error::argument(
                "invert",
                "it goes from an image to the noise behind it, and there is no image",
            ));
        }
        if self.mask.is_some() {
            return Err(Error::argument("mask", "an inversion draws nothing that a mask could keep"));
        }
        let corrected = settings::CORRECTOR_STEPS.whole(options) > 0;
        if choices.solver != "ddim" || settings::ETA.real(options) > 0.0 || corrected {
            let reason = format!("{solver} cannot be inverted; ddim can, with eta 0");
            return Err(Error::argument("solver", reason));
        }
        Ok((Box::new(DdimInverse), grid.reversed()))
    }

    /// How x̂₀ is clipped.
    fn clipping(&self, choices: &Choices, manifest: &Manifest) -> Result<Option<(Threshold, Direction)>> {
        let Some(range) = manifest.sample.range() else {
            return match choices.clipping {
                Clipping::Off | Clipping::Model => Ok(None),
                _ => Err(Error::argument("clipping", "the model's manifest has no sample.range to clip to")),
            };
        };
        Ok(match choices.clipping {
            Clipping::Off | Clipping::Model => None,
            Clipping::On => Some((Threshold::Static(range), Direction::Clipped)),
            Clipping::KeepNoise => Some((Threshold::Static(range), Direction::Network)),
            Clipping::Dynamic if range != [-1.0, 1.0] => {
                let reason = format!("dynamic thresholds are for a range of -1 to 1, and sample.range is {range:?}");
                return Err(Error::argument("clipping", reason));
            }
            Clipping::Dynamic => {
                let ratio = settings::THRESHOLD_RATIO.real(&choices.options);
                let most = settings::THRESHOLD_MAX.real(&choices.options);
                let direction = if self.compat == Compat::Diffusers { Direction::Network } else { Direction::Clipped };
                Some((Threshold::Dynamic { ratio, most }, direction))
            }
        })
    }

    /// Refuses a grid beside levels that are given, which are the grid.
    fn check_levels(&self) -> Result<()> {
        let given = settings::levels(&self.options).next();
        let Some((key, count)) = given.map(|(key, levels)| (key, levels.len())) else { return Ok(()) };
        if let Some(grid) = self.grid {
            return Err(Error::argument("grid", format!("{}, but {key} are given, which are the grid", grid.word())));
        }
        if self.steps_offset.is_some_and(|offset| offset > 0) {
            return Err(Error::argument("steps_offset", format!("{key} are given, which have none")));
        }
        match self.steps {
            Some(steps) if steps != count => {
                Err(Error::argument("steps", format!("{steps}, but {count} {key} are given, each of which is a step")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a model that was trained otherwise than the scheduler's configuration says.
    fn check_training(&self, manifest: &Manifest) -> Result<()> {
        let Some(config) = &self.scheduler_config else { return Ok(()) };
        let refuse = |reason: String| Err(Error::argument("scheduler_config", reason));
        let (schedule, prediction) = (&config.schedule, config.prediction);
        if prediction != manifest.prediction {
            return refuse(format!("is for a network that says {prediction}; this model says {}", manifest.prediction));
        }
        if let Some(sigma_data) =
            config.sigma_data.filter(|sigma_data| (sigma_data - manifest.sigma_data()).abs() > 1e-6)
        {
            return refuse(format!("is for data of σ_data = {sigma_data}; this model's is {}", manifest.sigma_data()));
        }
        if let Some(range) = config.clip_range
            && manifest.sample.range() != Some([-range, range])
        {
            return refuse(format!(
                "clips to {range} (clip_sample_range); this model's range is {:?}",
                manifest.sample.range()
            ));
        }
        if config.dynamic_shift.is_some() && settings::SHIFT.given(&self.options).is_none() {
            return refuse(
                "shifts times by the number of tokens (use_dynamic_shifting); give the shift, e^μ, as the option shift"
                    .into(),
            );
        }
        check_same_schedule("scheduler_config", schedule, &manifest.schedule)
    }
}
