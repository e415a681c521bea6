//! Multistep sampling of consistency models, as in diffusers' CMStochasticIterativeScheduler. Source: Song, Dhariwal,
//! Chen, Sutskever 2023, "Consistency Models", arXiv:2303.01469, algorithm 1. The paper's σ is u = σ/α here.

use std::fmt;

use super::churn::S_NOISE;
use super::entry::{Entry, Solver};
use super::update::{Cursor, Move, Update};
use crate::schedule::Grid;

/// The consistency sampler. The network predicts the end of the trajectory, which has the least noise ε of training and
/// not none. Noise of the variance `u² − ε²` takes it to the next level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Consistency {
    /// The standard deviation of the noise, relative to the exact one.
    pub(super) noise: f64,
}

impl Solver for Consistency {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let (to, schedule) = (grid.levels()[at.step + 1], grid.schedule());
        let least = schedule.level(schedule.bounds()[0]).noise_to_signal();
        let u = to.noise_to_signal();
        let fresh = ((u - least) * (u + least)).max(0.0).sqrt();
        Move::step(at, (Update::DENOISED + Update::NOISE * (fresh * self.noise)) * to.alpha)
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "consistency (noise {})", self.noise)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "consistency",
    summary: "Song et al. 2023. For consistency models, 1 to 8 steps. Ends at the least noisy training level.",
    options: &[S_NOISE],
    build: |options| Ok(Box::new(Consistency { noise: S_NOISE.real(options) })),
    as_diffusers: None,
};
