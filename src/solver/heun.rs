//! Heun's method. Source: Karras, Aittala, Aila, Laine 2022, "Elucidating the Design Space of Diffusion-Based
//! Generative Models", arXiv:2206.00364, algorithms 1 and 2. The paper's σ is u = σ/α here.

use std::fmt;

use super::churn::Churn;
use super::entry::{Entry, Habit, Solver};
use super::update::{Cursor, Move, Update};
use crate::error::Result;
use crate::schedule::{Grid, NoiseLevel};

/// Heun's method. It makes Euler's step to the next level, and then the step again along the mean of the slopes at both
/// ends. It is of second order, with two evaluations a step. The last step, onto the clean sample, is Euler's. With
/// churn each step first adds noise (algorithm 2).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Heun {
    /// The noise that is added before each step.
    pub(super) churn: Churn,
    /// Whether noise is drawn before each step, also where none is added, as in diffusers' KarrasVe.
    pub(super) always_draws: bool,
}

impl Solver for Heun {
    fn evaluate_at(&self, grid: &Grid, at: Cursor) -> Option<NoiseLevel> {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        match (self.churn.raised(grid, at.step), at.stage) {
            (Some(_), 0) => None,
            (Some(raised), 1) => Some(raised),
            (None, 0) => Some(from),
            _ => Some(to),
        }
    }

    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let to = grid.levels()[at.step + 1];
        let raised = self.churn.raised(grid, at.step);
        if let (Some(raised), 0) = (raised, at.stage) {
            return Move::stage(at, self.churn.raise(grid.levels()[at.step], raised));
        }
        let (from, frame) = (raised.unwrap_or(grid.levels()[at.step]), grid.frame());
        let first = at.stage == usize::from(raised.is_some());
        let idle = usize::from(self.always_draws && raised.is_none());
        if first && to.sigma == 0.0 {
            return Move::step(at, frame.advance(Update::X, from, frame.slope(from), to)).after_draws(idle);
        }
        if first {
            let euler = frame.advance(Update::X, from, frame.slope(from), to);
            return Move::stage(at, euler).save().keep(0, frame.slope(from)).after_draws(idle);
        }
        let mean = (Update::kept(0) + frame.slope(to)) * 0.5;
        Move::step(at, frame.advance(Update::SAVED, from, mean, to))
    }

    fn slots(&self) -> usize {
        1
    }
}

impl fmt::Display for Heun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.always_draws { ", as diffusers takes its steps" } else { "" };
        write!(f, "heun{}{form}", self.churn)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "heun",
    summary: "Karras et al. 2022. Second order, two evaluations a step. With churn it is EDM's stochastic sampler.",
    options: super::churn::OPTIONS,
    build: |options| -> Result<Box<dyn Solver>> {
        Ok(Box::new(Heun { churn: Churn::new(options)?, always_draws: false }))
    },
    as_diffusers: Some(|options, told| {
        Ok(Box::new(Heun { churn: Churn::new(options)?, always_draws: told.habit == Habit::KarrasVe }))
    }),
};
