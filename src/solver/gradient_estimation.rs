//! Gradient estimation, which k-diffusion has as `sample_gradient_estimation`. Source: Permenter, Yuan 2023,
//! "Interpreting and Improving Diffusion Models from an Optimization Perspective", arXiv:2306.04848, algorithm 2.

use std::fmt;

use super::entry::{Entry, Solver};
use super::update::{Cursor, Move, Update};
use crate::option::{Fallback, Group, Kind, OptionEntry};
use crate::schedule::Grid;

/// DDIM along `γ·ε̂ + (1 − γ)·ε̂_before`. This corrects what the last two steps got wrong alike. The last step, onto
/// the clean sample, takes x̂₀. On ever finer grids it is of first order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct GradientEstimation {
    /// γ, 1 to 5; 1 is DDIM.
    gamma: f64,
}

impl Solver for GradientEstimation {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        let epsilon = Update::epsilon(from);
        let update = if at.step == 0 || to.sigma == 0.0 || from.alpha == 0.0 {
            Update::DENOISED * to.alpha + epsilon * to.sigma
        } else {
            let mean = epsilon * self.gamma + Update::kept(0) * (1.0 - self.gamma);
            (Update::X - mean * from.sigma) * (to.alpha / from.alpha) + mean * to.sigma
        };
        Move::step(at, update).keep(0, epsilon)
    }

    fn slots(&self) -> usize {
        1
    }
}

impl fmt::Display for GradientEstimation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gradient estimation (γ = {})", self.gamma)
    }
}

const GAMMA: OptionEntry = OptionEntry {
    key: "estimation_gamma",
    group: Group::Solver,
    kind: Kind::Real(1.0, 5.0),
    default: Fallback::Real(2.0),
    summary: "γ of gradient-estimation. 1 is DDIM.",
};

pub(super) const ENTRY: Entry = Entry {
    name: "gradient-estimation",
    summary: "Permenter & Yuan 2023. DDIM along the last two directions. Good at 5 to 20 steps.",
    options: &[GAMMA],
    build: |options| Ok(Box::new(GradientEstimation { gamma: GAMMA.real(options) })),
    as_diffusers: None,
};
