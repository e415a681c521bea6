//! The trait of a solver, and the table entry by which it is made from its name.

use std::fmt;

use super::integration::Adaptive;
use super::update::{Cursor, Move};
use crate::error::Result;
use crate::option::{OptionEntry, Options};
use crate::prediction::Prediction;
use crate::schedule::{Grid, NoiseLevel, Tables};

/// A solver: how to move along a grid. It is displayed as its name and its options.
pub trait Solver: fmt::Debug + fmt::Display + Send + Sync {
    /// The level at which x̂₀ is needed next; `None` if the next move needs no evaluation.
    ///
    /// `at.step` must be below `grid.steps()`.
    fn evaluate_at(&self, grid: &Grid, at: Cursor) -> Option<NoiseLevel> {
        Some(grid.levels()[at.step])
    }

    /// The move from `at`, whose step must be below `grid.steps()`.
    fn plan(&self, grid: &Grid, at: Cursor) -> Move;

    /// Whether its moves need the variance that a network with a learned variance predicts.
    fn needs_variance(&self) -> bool {
        false
    }

    /// Whether the noise of its moves has the variance Σ of the reverse process. Classifier guidance may then move the
    /// mean.
    fn takes_shift(&self) -> bool {
        false
    }

    /// Whether its moves take ε̂ from [`DIRECTION`](super::Update::DIRECTION), and everything else from
    /// [`DENOISED`](super::Update::DENOISED). Guidance needs this where it gives the two different values.
    fn takes_direction(&self) -> bool {
        false
    }

    /// The tolerance of a solver that chooses its own steps along the grid. [`plan`](Self::plan) is not called then.
    fn adaptive(&self) -> Option<Adaptive> {
        None
    }

    /// The part of `grid` that a run of its last `steps` visits, where there are more.
    fn part(&self, grid: &Grid, steps: usize) -> Grid {
        grid.last_steps(steps)
    }

    /// The number of slots that its moves use.
    fn slots(&self) -> usize {
        0
    }
}

/// What a solver needs to know to take the steps of diffusers' scheduler, also where that departs from the papers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diffusers {
    /// Which of diffusers' schedulers with this solver is followed.
    pub habit: Habit,
    /// N, the number of steps.
    pub steps: usize,
    /// The number of first steps that are left out, where a run starts with less noise.
    pub skipped: usize,
    /// ⌊T/N⌋, the training steps by which DDIM and PNDM move. `None` where time does not count them.
    pub stride: Option<usize>,
    /// What its scheduler counts for 1 of the schedule's time.
    pub time_scale: f64,
    /// Whether coefficients are rounded on the way, as the tables are.
    pub tables: Tables,
    /// The network's kind of prediction.
    pub prediction: Prediction,
    /// The standard deviation of the data.
    pub sigma_data: f64,
}

/// Which of diffusers' schedulers is followed, where several take the steps of one solver in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Habit {
    /// The scheduler of the solver's own name.
    #[default]
    Own,
    /// CogVideoX's DPM-Solver, which moves by ⌊T/N⌋ and draws twice.
    CogVideoX,
    /// KarrasVe's Heun, which draws noise before each step, also where none is added.
    KarrasVe,
    /// The Euler of log-linear levels, which spreads churn over one step more.
    LogLinear,
    /// unCLIP's DDPM, which takes β of a training step from its table.
    UnClip,
    /// Wuerstchen's DDPM, which does not end at the clean sample.
    Wuerstchen,
}

/// Makes a solver with the steps of diffusers.
pub(super) type AsDiffusers = fn(&Options, &Diffusers) -> Result<Box<dyn Solver>>;

/// The table entry of a solver: its name, its texts and options, and how it is made.
pub struct Entry {
    /// The name, in lower case.
    pub name: &'static str,
    /// The summary, one line for lists.
    pub summary: &'static str,
    /// Its options. An option of the same name is the same option in every solver.
    pub options: &'static [OptionEntry],
    pub(super) build: fn(&Options) -> Result<Box<dyn Solver>>,
    /// How it is made with the steps of diffusers. `None` where these are the same.
    pub(super) as_diffusers: Option<AsDiffusers>,
}
