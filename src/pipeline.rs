//! From a request to a job: the parts that a run is made of, chosen by the caller or by the model's manifest.

use std::sync::Arc;

use crate::denoiser::{Clip, Condition, Denoiser, Direction};
use crate::error::{Error, Result};
use crate::job::{Job, checked_length};
use crate::noise::{CounterNoise, NoiseSource, TorchNoise};
use crate::onnx::{Kind, Manifest, Model, Predictor};
use crate::schedule::{Ending, Grid, Spacing, Tables};
use crate::solver::{self, Ddim, Solver, SolverOptions};

/// Whether x̂₀ is kept within the range of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Clipping {
    /// As the model's manifest says.
    #[default]
    Model,
    /// Never.
    Off,
    /// At every step, to the range in the manifest; ε̂ is taken from the clipped x̂₀.
    On,
    /// At every step; ε̂ is as the network said.
    KeepNoise,
}

/// Whose arithmetic is followed where diffusers departs from the papers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// The papers'.
    #[default]
    Papers,
    /// diffusers': tables rounded to f32, ε̂ from the unclipped x̂₀, and DDIM's moves by ⌊T/N⌋ training steps whatever the grid.
    /// For pictures equal to those of its pipelines.
    Diffusers,
}

/// Where a run's noise comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Noise {
    /// [`CounterNoise`]: the noise of an item depends on its seed and the step alone.
    #[default]
    Counter,
    /// [`TorchNoise`] with one generator for the batch, as `torch.Generator().manual_seed(seed)` in a pipeline of diffusers.
    Torch,
    /// [`TorchNoise`] with a generator for every item, as a list of generators with the seeds `seed`, `seed + 1`, …
    TorchPerItem,
}

/// The most generators of [`Noise::TorchPerItem`]; each takes 2.5 kB.
const MOST_GENERATORS: usize = 1 << 16;

/// What is to be drawn, and how. `None` leaves a choice to the model's manifest.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Request {
    /// The seed of item 0; item `i` has `seed + i`, wrapping (but see [`Noise::Torch`]).
    pub seed: u64,
    /// How many items; at least 1.
    pub count: usize,
    /// The class of every item, for a model with classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<i64>>,
    /// The shape of one item, for a model whose graph leaves it free.
    pub shape: Option<Vec<usize>>,
    /// The solver, by its name.
    pub solver: Option<String>,
    /// What the solver is told.
    #[serde(flatten)]
    pub options: SolverOptions,
    /// The number of steps, from 1 to the number of training steps.
    pub steps: Option<usize>,
    /// How the steps are spread.
    pub grid: Option<Spacing>,
    /// What is added to the times of the leading grid.
    pub steps_offset: Option<usize>,
    /// Where the run ends.
    pub ending: Ending,
    /// Whether x̂₀ is clipped.
    pub clipping: Clipping,
    /// Whose arithmetic is followed.
    pub likeness: Likeness,
    /// Where the noise comes from.
    pub noise: Noise,
}

impl Default for Request {
    /// One item with seed 0, everything else as the model's manifest says.
    fn default() -> Self {
        Self {
            seed: 0,
            count: 1,
            classes: None,
            shape: None,
            solver: None,
            options: SolverOptions::default(),
            steps: None,
            grid: None,
            steps_offset: None,
            ending: Ending::Clean,
            clipping: Clipping::Model,
            likeness: Likeness::Papers,
            noise: Noise::Counter,
        }
    }
}

impl Request {
    /// The job that draws this from `model`.
    ///
    /// # Errors
    /// [`Error::Argument`] with the field that does not fit, and what would.
    pub fn job(&self, model: &Arc<Model>) -> Result<Job> {
        let manifest = model.manifest();
        let (solver, grid) = self.plan(manifest)?;
        if self.count == 0 {
            return Err(Error::argument("count", "0; at least one item is needed"));
        }
        let mut shape = vec![self.count];
        shape.extend(self.shape.as_ref().unwrap_or(&manifest.sample.shape));
        model.check_shape(&shape)?;
        let fits_kind = match manifest.sample.kind() {
            Kind::Image => matches!(shape[1..], [1 | 3 | 4, _, _]),
            Kind::Points => shape[1..] == [2],
            Kind::Tensor => true,
        };
        if !fits_kind {
            let reason =
                format!("{:?} is not of the kind that the manifest says: {:?}", &shape[1..], manifest.sample.kind());
            return Err(Error::argument("shape", reason));
        }
        // Before anything of this size is made.
        checked_length(&shape)?;
        let condition = Condition { classes: self.checked_classes(model)? };
        let noise: Box<dyn NoiseSource> = match self.noise {
            Noise::Counter => Box::new(CounterNoise::new(self.seed)),
            Noise::Torch => Box::new(TorchNoise::new(self.seed)),
            Noise::TorchPerItem if self.count > MOST_GENERATORS => {
                let reason = format!("a generator for each of {} items; {MOST_GENERATORS} are possible", self.count);
                return Err(Error::argument("noise", reason));
            }
            Noise::TorchPerItem => Box::new(TorchNoise::per_item(self.seed)),
        };
        Job::new(self.denoiser(model)?, solver, grid, noise, condition, &shape)
    }

    /// The request with every choice made that it leaves to a model with `manifest`: what is worth keeping beside a picture.
    #[must_use]
    pub fn resolved(&self, manifest: &Manifest) -> Self {
        let defaults = &manifest.defaults;
        let solver = self.solver.clone().unwrap_or_else(|| defaults.solver.clone());
        let grid = self.grid.unwrap_or(defaults.grid);
        // What the manifest says of its own solver and grid is not meant for others that the caller has chosen.
        let eta = defaults.eta.filter(|_| solver == defaults.solver);
        let offset = if grid == defaults.grid { defaults.steps_offset } else { 0 };
        let by_model = match self.likeness {
            _ if !manifest.sample.clip() => Clipping::Off,
            Likeness::Papers => Clipping::On,
            Likeness::Diffusers => Clipping::KeepNoise,
        };
        Self {
            shape: Some(self.shape.clone().unwrap_or_else(|| manifest.sample.shape.clone())),
            options: SolverOptions { eta: self.options.eta.or(eta), ..self.options },
            steps: Some(self.steps.unwrap_or_else(|| defaults.steps.min(manifest.schedule.train_steps()))),
            steps_offset: Some(self.steps_offset.unwrap_or(offset)),
            clipping: if self.clipping == Clipping::Model { by_model } else { self.clipping },
            solver: Some(solver),
            grid: Some(grid),
            ..self.clone()
        }
    }

    /// The solver and the grid that a model with `manifest` is sampled with.
    ///
    /// # Errors
    /// [`Error::Argument`] with the field that does not fit, and what would.
    pub fn plan(&self, manifest: &Manifest) -> Result<(Box<dyn Solver>, Grid)> {
        let tables = match self.likeness {
            Likeness::Papers => Tables::Exact,
            Likeness::Diffusers => Tables::Diffusers,
        };
        let Self { solver, options, steps, grid, steps_offset, .. } = self.resolved(manifest);
        let (name, steps) = (solver.unwrap_or_default(), steps.unwrap_or_default());
        let schedule = Arc::new(manifest.schedule.build(tables)?);
        let spacing = grid.unwrap_or(manifest.defaults.grid);
        let grid = Grid::spaced(&schedule, spacing, steps, steps_offset.unwrap_or_default(), self.ending)?;
        let solver = solver::build(&name, options)?;
        if self.likeness == Likeness::Diffusers && name == "ddim" {
            let stride = schedule.steps() / steps;
            return Ok((Box::new(Ddim::like_diffusers(options.eta.unwrap_or_default(), stride, tables)?), grid));
        }
        Ok((solver, grid))
    }

    fn denoiser(&self, model: &Arc<Model>) -> Result<Box<dyn Denoiser>> {
        let predictor = Predictor::new(Arc::clone(model))?;
        let direction = match self.resolved(model.manifest()).clipping {
            Clipping::On => Direction::Clipped,
            Clipping::KeepNoise => Direction::Network,
            Clipping::Off | Clipping::Model => return Ok(Box::new(predictor)),
        };
        match model.manifest().sample.range() {
            Some(range) => Ok(Box::new(Clip::new(predictor, range, direction)?)),
            None => Err(Error::argument("clipping", "the model's manifest has no sample.range to clip to")),
        }
    }

    /// The class of every item; the null class for all of them where none is given and the model has one.
    fn checked_classes(&self, model: &Model) -> Result<Option<Vec<i64>>> {
        let null = model.manifest().classes.as_ref().and_then(|classes| classes.null);
        let classes = match (&self.classes, null) {
            (None, Some(null)) => Some(vec![null as i64; self.count]),
            (classes, _) => classes.clone(),
        };
        model.check_classes(classes.as_deref(), self.count)?;
        Ok(classes)
    }
}
