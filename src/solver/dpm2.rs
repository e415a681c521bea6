//! DPM2, the midpoint method in ln σ. Sources: Karras et al. 2022, arXiv:2206.00364, and its implementation in
//! k-diffusion (`sample_dpm_2`, `sample_dpm_2_ancestral`). It is DPM-Solver-2 of Lu et al. 2022 in another variable.
//! The paper's σ is u = σ/α here.

use std::fmt;

use super::ancestral::ancestral_split;
use super::ddim::ETA;
use super::entry::{Entry, Solver};
use super::update::{Cursor, Move, Update};
use crate::schedule::{Grid, NoiseLevel};

/// DPM2. It makes Euler's step to the level halfway in ln u, and then the whole step along the slope there. It is of
/// second order, with two evaluations a step. The last step, onto the clean sample, is Euler's.
///
/// With η > 0 it is ancestral. Each step goes to a level below the next one, and fresh noise makes up the rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dpm2 {
    /// η, the share of fresh noise, 0 to 1.
    pub(super) eta: f64,
}

impl Dpm2 {
    /// The level at which the deterministic part of a step ends, and the noise that is added to it.
    fn down(&self, grid: &Grid, step: usize) -> (NoiseLevel, f64) {
        ancestral_split(grid.levels()[step], grid.levels()[step + 1], self.eta)
    }

    fn middle(&self, grid: &Grid, step: usize) -> NoiseLevel {
        let (from, (down, _)) = (grid.levels()[step], self.down(grid, step));
        grid.at_noise_to_signal((from.noise_to_signal() * down.noise_to_signal()).sqrt())
    }
}

impl Solver for Dpm2 {
    fn evaluate_at(&self, grid: &Grid, at: Cursor) -> Option<NoiseLevel> {
        Some(if at.stage == 0 { grid.levels()[at.step] } else { self.middle(grid, at.step) })
    }

    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let (from, (down, fresh)) = (grid.levels()[at.step], self.down(grid, at.step));
        let (frame, noise) = (grid.frame(), Update::NOISE * fresh);
        if down.sigma == 0.0 || !from.noise_to_signal().is_finite() {
            return Move::step(at, frame.advance(Update::X, from, frame.slope(from), down) + noise);
        }
        let middle = self.middle(grid, at.step);
        if at.stage == 0 {
            return Move::stage(at, frame.advance(Update::X, from, frame.slope(from), middle)).save();
        }
        Move::step(at, frame.advance(Update::SAVED, from, frame.slope(middle), down) + noise)
    }
}

impl fmt::Display for Dpm2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dpm2 (η = {})", self.eta)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "dpm2",
    summary: "Karras et al. 2022. The midpoint method, second order, two evaluations a step. Ancestral with η.",
    options: &[ETA],
    build: |options| Ok(Box::new(Dpm2 { eta: ETA.real(options) })),
    as_diffusers: None,
};
