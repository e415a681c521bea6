//! DPM-Solver and DPM-Solver++ in multistep form. Sources: Lu, Zhou, Bao, Chen, Li, Zhu 2022, "DPM-Solver",
//! arXiv:2206.00927, and "DPM-Solver++", arXiv:2211.01095.
//!
//! The second order is algorithm 2 of the latter. The third order and the stochastic forms are those of its code, which
//! diffusers has as well (DPMSolverMultistepScheduler).

use std::fmt;

use super::entry::{Entry, Solver};
use super::exponential::scaled_phi;
use super::update::{Cursor, Move, Update};
use crate::error::{Error, Result};
use crate::option::{Fallback, Group, Kind, OptionEntry, Options, words};
use crate::schedule::{Grid, NoiseLevel};

words! {
    /// The quantity that is expanded in λ, and whether fresh noise is added.
    #[non_exhaustive]
    pub enum Algorithm {
        #[default]
        Data = "dpm-solver++", "x̂₀ is expanded, deterministic. Right for most models, and stable with guidance.";
        Noise = "dpm-solver", "ε̂ is expanded, deterministic.";
        DataSde = "sde-dpm-solver++", "x̂₀ is expanded, in the reverse SDE.";
        NoiseSde = "sde-dpm-solver", "ε̂ is expanded, in the reverse SDE. At most second order.";
    }
}

words! {
    /// How the derivative enters the second-order step.
    #[non_exhaustive]
    pub enum Variant {
        #[default]
        Midpoint = "midpoint", "As if it were taken at the midpoint (algorithm 2 of DPM-Solver++).";
        Heun = "heun", "By the exact integral of the expansion.";
    }
}

/// Multistep DPM-Solver, with one evaluation a step. The prediction is expanded in λ around the current level, with
/// differences of earlier predictions. The linear part of the ODE is solved exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpmSolver {
    /// The quantity that is expanded.
    pub(super) algorithm: Algorithm,
    /// The order, 1 to 3.
    pub(super) order: usize,
    /// How the derivative enters the second order.
    pub(super) variant: Variant,
    /// Whether the last steps are of lower order. `None` does so with [few steps](lower_order_by_steps), which need it.
    pub(super) lower_order_final: Option<bool>,
    /// Whether the last step is of first order in any case.
    pub(super) euler_at_final: bool,
    /// Whether the steps are diffusers'.
    pub(super) as_diffusers: bool,
}

/// Whether the last steps of this grid are of lower order by default.
pub(super) fn lower_order_by_steps(grid: &Grid) -> bool {
    grid.steps() < MANY_STEPS
}

/// The order of step `step`. It is at most the number of evaluations so far, less at the end if `lower_final`, and 1
/// where a level has no λ.
pub(super) fn usable_order(grid: &Grid, step: usize, order: usize, lower_final: bool) -> usize {
    let levels = grid.levels();
    let at_end = if lower_final { grid.steps() - step } else { order };
    let order = order.min(step + 1).min(at_end);
    // Nor can anything be expanded over a step of no length.
    if levels[step + 1].sigma == 0.0 || grid.stays(step) {
        return 1;
    }
    // A level of pure noise has no λ. A step can leave it, but nothing can be expanded over it.
    (1..=order).rev().find(|order| levels[step + 1 - order].alpha > 0.0).unwrap_or(1)
}

/// The exponential integrals of the reverse ODE or SDE over a step, for solvers of the λ family.
pub(super) struct Integrals {
    /// The coefficient of x.
    pub(super) x: f64,
    /// The coefficients of the expanded quantity and of its first and second derivative, times h⁰, h¹ and h².
    pub(super) derivative: [f64; 3],
    /// The coefficient of the first derivative where it enters as at a midpoint.
    pub(super) midpoint: f64,
    /// The coefficient of fresh noise.
    pub(super) noise: f64,
}

impl Algorithm {
    pub(super) fn is_data(self) -> bool {
        matches!(self, Self::Data | Self::DataSde)
    }

    /// The expanded quantity at `level`.
    pub(super) fn said(self, level: NoiseLevel) -> Update {
        if self.is_data() { Update::DENOISED } else { Update::epsilon(level) }
    }

    /// The step of first order where λ is infinite at one end.
    pub(super) fn without_lambda(self, from: NoiseLevel, to: NoiseLevel) -> Update {
        let noise = match self {
            Self::Data | Self::Noise => Update::epsilon(from),
            // From pure noise, nothing of the noise is left to the SDE.
            Self::DataSde | Self::NoiseSde => Update::NOISE,
        };
        Update::DENOISED * to.alpha + noise * to.sigma
    }

    pub(super) fn integrals(self, from: NoiseLevel, to: NoiseLevel) -> Integrals {
        let h = to.lambda() - from.lambda();
        let (alpha, sigma) = (to.alpha, to.sigma);
        let phi = |factor: f64, z: f64| [1, 2, 3].map(|k| factor * scaled_phi(k, z));
        let (x, derivative, noise) = match self {
            Self::Data => (sigma / from.sigma, phi(-alpha, -h), 0.0),
            Self::Noise => (alpha / from.alpha, phi(-sigma, h), 0.0),
            Self::DataSde => {
                (sigma / from.sigma * (-h).exp(), phi(-alpha, -2.0 * h), sigma * (-(-2.0 * h).exp_m1()).max(0.0).sqrt())
            }
            Self::NoiseSde => (alpha / from.alpha, phi(-2.0 * sigma, h), sigma * (2.0 * h).exp_m1().max(0.0).sqrt()),
        };
        Integrals { x, derivative, midpoint: 0.5 * derivative[0], noise }
    }
}

/// The sign of a term in the SDE's third order. diffusers has −½ where the integral has +½.
pub(super) fn misprint(algorithm: Algorithm, to: NoiseLevel) -> f64 {
    if algorithm == Algorithm::DataSde { to.alpha } else { 0.0 }
}

impl DpmSolver {
    pub(super) fn new(options: &Options, as_diffusers: bool) -> Result<Self> {
        let algorithm = ALGORITHM.choice(options);
        let order = ORDER.whole(options);
        if algorithm == Algorithm::NoiseSde && order > 2 {
            return Err(Error::argument(
                "order",
                format!("{order}; sde-dpm-solver is of order 1 and 2, sde-dpm-solver++ up to 3"),
            ));
        }
        Ok(Self {
            algorithm,
            order,
            variant: VARIANT.choice(options),
            lower_order_final: options.flag(LOWER_ORDER_FINAL.key),
            euler_at_final: EULER_AT_FINAL.flag(options),
            as_diffusers,
        })
    }

    fn order_at(&self, grid: &Grid, step: usize) -> usize {
        if self.euler_at_final && step + 1 == grid.steps() {
            return 1;
        }
        usable_order(grid, step, self.order, self.lower_order_final.unwrap_or_else(|| lower_order_by_steps(grid)))
    }
}

impl Solver for DpmSolver {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let levels = grid.levels();
        let (from, to) = (levels[at.step], levels[at.step + 1]);
        let said = self.algorithm.said(from);
        let slots = self.slots();
        let earlier = |j: usize| Update::kept((at.step - j) % slots);
        let order = self.order_at(grid, at.step);
        let update = if from.alpha == 0.0 || to.sigma == 0.0 && !self.algorithm.is_data() {
            self.algorithm.without_lambda(from, to)
        } else {
            let integrals = self.algorithm.integrals(from, to);
            let [value, first, second] = integrals.derivative;
            let second = if self.as_diffusers { second - misprint(self.algorithm, to) } else { second };
            let h = |j: usize| levels[at.step + 1 - j].lambda() - levels[at.step - j].lambda();
            let base = Update::X * integrals.x + said * value + Update::NOISE * integrals.noise;
            match order {
                1 => base,
                2 => {
                    let difference = (said - earlier(1)) * (h(0) / h(1));
                    base + difference * if self.variant == Variant::Heun { first } else { integrals.midpoint }
                }
                _ => {
                    let (r0, r1) = (h(1) / h(0), h(2) / h(0));
                    let (near, far) = ((said - earlier(1)) / r0, (earlier(1) - earlier(2)) / r1);
                    let slope = near + (near - far) * (r0 / (r0 + r1));
                    base + slope * first + (near - far) * (second / (r0 + r1))
                }
            }
        };
        let step = Move::step(at, update);
        if slots == 0 { step } else { step.keep(at.step % slots, said) }
    }

    fn slots(&self) -> usize {
        self.order - 1
    }
}

impl fmt::Display for DpmSolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.as_diffusers { ", as diffusers takes its steps" } else { "" };
        write!(f, "{} (multistep, order {}{form})", self.algorithm.word(), self.order)
    }
}

pub(super) const ORDER: OptionEntry = OptionEntry {
    key: "order",
    group: Group::Solver,
    kind: Kind::Whole(1, 3),
    default: Fallback::Whole(2),
    summary: "The order of the solver.",
};
pub(super) const ALGORITHM: OptionEntry = OptionEntry {
    key: "algorithm",
    group: Group::Solver,
    kind: Algorithm::KIND,
    default: Fallback::Word(Algorithm::DEFAULT.word()),
    summary: "What the solver expands, deterministic or in the reverse SDE.",
};
pub(super) const VARIANT: OptionEntry = OptionEntry {
    key: "variant",
    group: Group::Solver,
    kind: Variant::KIND,
    default: Fallback::Word(Variant::DEFAULT.word()),
    summary: "How the derivative enters a step of second order.",
};
pub(super) const LOWER_ORDER_FINAL: OptionEntry = OptionEntry {
    key: "lower_order_final",
    group: Group::Solver,
    kind: Kind::Flag,
    default: Fallback::But(&Fallback::Flag(true), &[(WITH_MANY_STEPS, Fallback::Flag(false))]),
    summary: "Whether the last steps are of lower order.",
};
const EULER_AT_FINAL: OptionEntry = OptionEntry {
    key: "euler_at_final",
    group: Group::Solver,
    kind: Kind::Flag,
    default: Fallback::Flag(false),
    summary: "Whether the last step of dpm-solver is of first order, whatever lower_order_final is.",
};
const MANY_STEPS: usize = 15;
const WITH_MANY_STEPS: &str = "in dpm-solver and deis with 15 steps or more";

pub(super) const ENTRY: Entry = Entry {
    name: "dpm-solver",
    summary: "Lu et al. 2022. DPM-Solver(++), multistep, of order 1 to 3, deterministic or in the reverse SDE.",
    options: &[ALGORITHM, ORDER, VARIANT, LOWER_ORDER_FINAL, EULER_AT_FINAL],
    build: |options| Ok(Box::new(DpmSolver::new(options, false)?)),
    as_diffusers: Some(|options, _| Ok(Box::new(DpmSolver::new(options, true)?))),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_the_number_that_counts() {
        assert!(WITH_MANY_STEPS.contains(&MANY_STEPS.to_string()));
    }
}
