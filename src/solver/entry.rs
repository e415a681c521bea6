//! What a solver is, and how it is made by its name.

use std::fmt;

use super::integration::Adaptive;
use super::update::{Cursor, Move};
use crate::error::Result;
use crate::option::{OptionEntry, Options};
use crate::prediction::Prediction;
use crate::schedule::{Grid, NoiseLevel, Tables};

/// How to move along a grid. A solver is displayed as its name and what it was told.
pub trait Solver: fmt::Debug + fmt::Display + Send + Sync {
    /// The level at which x̂₀ is needed next; `None` if the next move needs no evaluation.
    ///
    /// `at.step` must be below `grid.steps()`.
    fn evaluate_at(&self, grid: &Grid, at: Cursor) -> Option<NoiseLevel> {
        Some(grid.levels()[at.step])
    }

    /// The move from `at`, whose step must be below `grid.steps()`.
    fn plan(&self, grid: &Grid, at: Cursor) -> Move;

    /// Whether its moves need what a network with a learned variance says of it.
    fn needs_variance(&self) -> bool {
        false
    }

    /// Whether the noise of its moves has the variance Σ of the reverse process, by which classifier guidance may move
    /// the mean.
    fn takes_shift(&self) -> bool {
        false
    }

    /// Whether its moves take ε̂ from [`DIRECTION`](super::Update::DIRECTION) and everything else from
    /// [`DENOISED`](super::Update::DENOISED), as a guidance that parts the two needs it.
    fn takes_direction(&self) -> bool {
        false
    }

    /// The tolerance of a solver that chooses its own steps along the grid's way; [`plan`](Self::plan) is then not
    /// asked.
    fn adaptive(&self) -> Option<Adaptive> {
        None
    }

    /// The part of `grid` that a run of its last `steps` goes along, where there are more.
    fn part(&self, grid: &Grid, steps: usize) -> Grid {
        grid.last_steps(steps)
    }

    /// How many slots its moves use.
    fn slots(&self) -> usize {
        0
    }
}

/// What a solver has to know to take its steps as diffusers' scheduler does, also where that departs from the papers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diffusers {
    /// Which of the schedulers that have this solver.
    pub habit: Habit,
    /// N.
    pub steps: usize,
    /// How many of these are left out, the first ones, where a run starts with less noise.
    pub skipped: usize,
    /// ⌊T/N⌋, the steps of training that DDIM and PNDM move by; `None` where time does not count them.
    pub stride: Option<usize>,
    /// What its scheduler counts for 1 of the schedule's time.
    pub time_scale: f64,
    /// Whether coefficients are rounded on the way, as the tables are.
    pub tables: Tables,
    /// What the network predicts.
    pub prediction: Prediction,
    /// The standard deviation of the data.
    pub sigma_data: f64,
}

/// Which of diffusers' schedulers, where several take their steps in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Habit {
    /// That of the solver's own name.
    #[default]
    Own,
    /// CogVideoX's: of DPM-Solver one that moves by ⌊T/N⌋ and draws twice.
    CogVideoX,
    /// KarrasVe's: of Heun one that draws noise before each step, also where none is added.
    KarrasVe,
    /// That of log-linear levels: of Euler one that spreads churn over one step more.
    LogLinear,
    /// unCLIP's: of DDPM one that takes β of a step of training from its table.
    UnClip,
    /// Wuerstchen's: of DDPM one that does not end at the clean sample.
    Wuerstchen,
}

/// How a solver is made to take its steps as diffusers does.
pub(super) type AsDiffusers = fn(&Options, &Diffusers) -> Result<Box<dyn Solver>>;

/// A solver's name, what it is, and how it is made.
pub struct Entry {
    /// The name, in lower case.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// What it may be told. Where two solvers have an option of the same name it is the same option.
    pub options: &'static [OptionEntry],
    pub(super) build: fn(&Options) -> Result<Box<dyn Solver>>,
    /// How it is made as diffusers has it; `None` where that is no other.
    pub(super) as_diffusers: Option<AsDiffusers>,
}
