//! Euler's method. Sources: Karras et al. 2022, arXiv:2206.00364, algorithm 2 without its second order, and
//! k-diffusion's `sample_euler` and `sample_euler_ancestral`. Their σ is u = σ/α here.

use std::fmt;

use super::ancestral::split_noise;
use super::churn::{AskedBefore, Churn};
use super::ddim::{ETA, ETA_OF_ANCESTRAL};
use super::entry::{Entry, Habit, Solver};
use super::update::{Cursor, Move, Update};
use crate::error::Result;
use crate::schedule::{Grid, NoiseLevel};

/// Euler's method, with one slope a step. Without churn it is DDIM with η = 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Euler {
    /// The noise that is added before each step.
    pub(super) churn: Churn,
    /// The churn of diffusers.
    pub(super) asked_before: Option<AskedBefore>,
}

impl Solver for Euler {
    fn takes_direction(&self) -> bool {
        true
    }

    fn evaluate_at(&self, grid: &Grid, at: Cursor) -> Option<NoiseLevel> {
        if self.asked_before.is_some() {
            return Some(grid.levels()[at.step]);
        }
        match (self.churn.raised(grid, at.step), at.stage) {
            (Some(_), 0) => None,
            (raised, _) => Some(raised.unwrap_or(grid.levels()[at.step])),
        }
    }

    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        let raised = self.churn.raised(grid, at.step);
        if let (Some(raised), Some(asked)) = (raised, self.asked_before) {
            return Move::step(at, self.churn.step_asked_before(asked, from, raised, to));
        }
        if let (Some(raised), 0) = (raised, at.stage) {
            return Move::stage(at, self.churn.raise(from, raised));
        }
        let from = raised.unwrap_or(from);
        Move::step(at, Update::DENOISED * to.alpha + Update::epsilon(from) * to.sigma)
    }
}

impl fmt::Display for Euler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.asked_before.is_some() { ", as diffusers takes its steps" } else { "" };
        write!(f, "euler{}{form}", self.churn)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "euler",
    summary: "Karras et al. 2022, k-diffusion. One slope a step, optionally with churn. Without churn it is DDIM with η = 0.",
    options: super::churn::OPTIONS,
    build: |options| -> Result<Box<dyn Solver>> {
        Ok(Box::new(Euler { churn: Churn::new(options)?, asked_before: None }))
    },
    as_diffusers: Some(|options, told| {
        let asked_before = AskedBefore { prediction: told.prediction, sigma_data: told.sigma_data };
        // There is one log-linear level more than steps.
        let over = (told.habit == Habit::LogLinear).then_some(told.steps + 1);
        Ok(Box::new(Euler { churn: Churn { over, ..Churn::new(options)? }, asked_before: Some(asked_before) }))
    }),
};

/// Ancestral Euler. It makes Euler's step to a level below the next one, and fresh noise makes up the rest. It is DDIM
/// with the same η.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EulerAncestral {
    /// η, the share of fresh noise, 0 to 1.
    pub(super) eta: f64,
}

impl Solver for EulerAncestral {
    fn takes_direction(&self) -> bool {
        true
    }

    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        let (kept, fresh) = split_noise(from, to, self.eta);
        let step = Move::step(at, Update::DENOISED * to.alpha + Update::epsilon(from) * kept + Update::NOISE * fresh);
        // Only diffusers' grids have such steps, and diffusers draws noise in them as in others.
        step.after_draws(usize::from(self.eta > 0.0 && grid.stays(at.step)))
    }
}

impl fmt::Display for EulerAncestral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "euler-ancestral (η = {})", self.eta)
    }
}

pub(super) const ANCESTRAL_ENTRY: Entry = Entry {
    name: "euler-ancestral",
    summary: "k-diffusion. One slope a step, and fresh noise. With η = 1 it is DDPM on the same levels.",
    options: &[ETA],
    build: |options| Ok(Box::new(EulerAncestral { eta: options.real(ETA.key).unwrap_or(ETA_OF_ANCESTRAL) })),
    as_diffusers: None,
};
