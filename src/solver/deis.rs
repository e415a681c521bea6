//! DEIS, as tAB with the polynomial in ln ρ (ρ = σ/α), which is diffusers' form. Source: Zhang, Chen 2022, "Fast
//! Sampling of Diffusion Models with Exponential Integrator", arXiv:2204.13902.

use std::fmt;

use super::dpm_solver::{LOWER_ORDER_FINAL, ORDER, lower_order_by_steps, usable_order};
use super::entry::{Entry, Solver};
use super::exponential::weighted_integral;
use super::update::{Cursor, Move, Update};
use crate::schedule::{Grid, NoiseLevel};

/// DEIS. ε̂ is replaced by the polynomial in ln ρ through its last values, which is integrated over ρ. A step takes one
/// evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deis {
    /// The greatest number of values, 1 to 3.
    pub(super) order: usize,
    /// Whether the last steps are of lower order. `None` does so with few steps.
    pub(super) lower_order_final: Option<bool>,
}

impl Solver for Deis {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let levels = grid.levels();
        let (from, to) = (levels[at.step], levels[at.step + 1]);
        let lower_final = self.lower_order_final.unwrap_or_else(|| lower_order_by_steps(grid));
        let order = usable_order(grid, at.step, self.order, lower_final);
        let slots = self.slots();
        let update = if order == 1 {
            Update::DENOISED * to.alpha + Update::epsilon(from) * to.sigma
        } else {
            // With v = ln ρ it is ∫ ℓ(v)·eᵛ dv, and eᵛ at the end is σ/α.
            let ln_rho = |level: NoiseLevel| -level.lambda();
            let nodes: Vec<f64> = (0..order).map(|j| ln_rho(levels[at.step - j])).collect();
            let weight = |j| weighted_integral(&nodes, j, ln_rho(from), ln_rho(to), 1.0) * to.sigma;
            let earlier = |j: usize| Update::kept((at.step - j) % slots);
            let base = Update::X * (to.alpha / from.alpha) + Update::epsilon(from) * weight(0);
            (1..order).fold(base, |sum, j| sum + earlier(j) * weight(j))
        };
        let step = Move::step(at, update);
        if slots == 0 { step } else { step.keep(at.step % slots, Update::epsilon(from)) }
    }

    fn slots(&self) -> usize {
        self.order - 1
    }
}

impl fmt::Display for Deis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "deis (order {})", self.order)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "deis",
    summary: "Zhang & Chen 2022. Exponential integrator, multistep, of order 1 to 3.",
    options: &[ORDER, LOWER_ORDER_FINAL],
    build: |options| {
        let (order, lower_order_final) = (ORDER.whole(options), options.flag(LOWER_ORDER_FINAL.key));
        Ok(Box::new(Deis { order, lower_order_final }))
    },
    as_diffusers: None,
};
