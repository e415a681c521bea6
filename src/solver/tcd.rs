//! TCD. Source: Zheng, Hu, Fan, Wang, Ding, Tao, Cham 2024, "Trajectory Consistency Distillation", arXiv:2402.19159,
//! algorithm 4 (strategic stochastic sampling).

use std::fmt;

use super::ancestral::added_variance;
use super::entry::{Entry, Solver};
use super::update::{Cursor, Move, Update};
use crate::option::{Fallback, Group, Kind, OptionEntry};
use crate::schedule::{Grid, NoiseLevel};

/// The TCD sampler. The network predicts the trajectory's point at a time s below the next one. Noise takes it up to
/// the next level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tcd {
    /// γ, 0 to 1, which sets s = (1 − γ)·t of the next level. 0 is deterministic, and 1 goes by way of the clean
    /// sample.
    pub(super) gamma: f64,
    /// Whether the steps are diffusers'. There s is rounded to f32 before it is cut to a whole number, and noise is
    /// drawn also where none is added.
    pub(super) as_diffusers: bool,
}

impl Tcd {
    /// The level at s.
    fn below(&self, grid: &Grid, to: NoiseLevel) -> NoiseLevel {
        let share = 1.0 - self.gamma;
        let t = if self.as_diffusers { f64::from(share as f32 * to.t.max(0.0) as f32) } else { share * to.t.max(0.0) };
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
        let idle = self.as_diffusers && self.gamma > 0.0 && fresh == 0.0;
        Move::step(at, point * rise + Update::NOISE * fresh).after_draws(usize::from(idle))
    }
}

impl fmt::Display for Tcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.as_diffusers { ", as diffusers takes its steps" } else { "" };
        write!(f, "tcd (γ = {}{form})", self.gamma)
    }
}

const GAMMA: OptionEntry = OptionEntry {
    key: "gamma",
    group: Group::Solver,
    kind: Kind::Real(0.0, 1.0),
    default: Fallback::Real(0.3),
    summary: "γ of TCD. 0 is deterministic, and 1 is fully stochastic.",
};

pub(super) const ENTRY: Entry = Entry {
    name: "tcd",
    summary: "Zheng et al. 2024. For distilled trajectory consistency models, 1 to 20 steps, with the grid lcm.",
    options: &[GAMMA],
    build: |options| Ok(Box::new(Tcd { gamma: GAMMA.real(options), as_diffusers: false })),
    as_diffusers: Some(|options, _| Ok(Box::new(Tcd { gamma: GAMMA.real(options), as_diffusers: true }))),
};
