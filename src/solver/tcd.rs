//! TCD: Zheng, Hu, Fan, Wang, Ding, Tao, Cham 2024, "Trajectory Consistency Distillation", arXiv:2402.19159, algorithm
//! 4 (strategic stochastic sampling).

use std::fmt;

use super::ancestral::added_variance;
use super::entry::{Entry, Solver};
use super::update::{Cursor, Move, Update};
use crate::option::{Fallback, Group, Kind, OptionEntry};
use crate::schedule::{Grid, NoiseLevel};

/// The network predicts the trajectory's point at a time s below the next one; noise takes it up to the next level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tcd {
    /// γ, 0 to 1: s = (1 − γ)·t of the next level. 0 is deterministic, 1 goes by way of the clean sample.
    pub(super) gamma: f64,
}

impl Tcd {
    /// The level at s.
    fn below(&self, grid: &Grid, to: NoiseLevel) -> NoiseLevel {
        let t = (1.0 - self.gamma) * to.t.max(0.0);
        let below = grid.schedule().level(if grid.schedule().train_steps().is_some() { t.floor() } else { t });
        if below.noise_to_signal() < to.noise_to_signal() { below } else { to }
    }
}

impl Solver for Tcd {
    fn takes_direction(&self) -> bool {
        true
    }

    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        let below = self.below(grid, to);
        let rise = to.alpha / below.alpha;
        let fresh = added_variance(to, below).sqrt();
        let point = Update::DENOISED * below.alpha + Update::epsilon(from) * below.sigma;
        Move::step(at, point * rise + Update::NOISE * fresh)
    }
}

impl fmt::Display for Tcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcd (γ = {})", self.gamma)
    }
}

const GAMMA: OptionEntry = OptionEntry {
    key: "gamma",
    group: Group::Solver,
    kind: Kind::Real(0.0, 1.0),
    default: Fallback::Real(0.3),
    summary: "γ of TCD: 0 is deterministic, 1 fully stochastic.",
};

pub(super) const ENTRY: Entry = Entry {
    name: "tcd",
    summary: "Zheng et al. 2024: for distilled trajectory consistency models, 1 to 20 steps; grid lcm",
    options: &[GAMMA],
    build: |options| Ok(Box::new(Tcd { gamma: GAMMA.real(options) })),
};
