//! PNDM: Liu, Ren, Lin, Zhao 2022, "Pseudo Numerical Methods for Diffusion Models on Manifolds", arXiv:2202.09778. The
//! transfer part of a step (eq. 11) is DDIM's; what it moves along is a mean of several ε̂.

use std::fmt;

use super::entry::{Entry, Solver};
use super::update::{Cursor, Move, Update};
use crate::option::{Fallback, Group, OptionEntry, words};
use crate::schedule::{Grid, NoiseLevel};

words! {
    /// How the first steps are taken, which have no three ε̂ before them.
    #[non_exhaustive]
    pub enum Warmup {
        #[default]
        Plms = "plms", "By Heun's mean in the first step, then in rising order (Crowson's PLMS, as Stable Diffusion has it): one more evaluation.";
        RungeKutta = "runge-kutta", "Three pseudo Runge–Kutta steps (eq. 13): nine more evaluations.";
        None = "none", "In rising order: no more evaluations (diffusers' IPNDM).";
    }
}

/// ε̂ is a mean of its last four values with the weights of Adams and Bashforth for even steps (eq. 12). On levels that
/// are not evenly spaced in time it is of second order at best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pndm {
    /// How the first steps are taken.
    pub(super) warmup: Warmup,
}

/// The slots of the second and the third slope of a Runge–Kutta step, after the three of earlier steps.
const SLOPES: [usize; 2] = [3, 4];

impl Pndm {
    fn stages(&self, grid: &Grid, step: usize) -> usize {
        let onto_clean = grid.levels()[step + 1].sigma == 0.0;
        match self.warmup {
            Warmup::Plms if step == 0 && !onto_clean => 2,
            Warmup::RungeKutta if step < 3 && !onto_clean => 4,
            _ => 1,
        }
    }

    fn level(&self, grid: &Grid, at: Cursor) -> NoiseLevel {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        match (at.stage, self.stages(grid, at.step)) {
            (0, _) => from,
            (1 | 2, 4) => grid.schedule().level(0.5 * (from.t + to.t)),
            _ => to,
        }
    }
}

/// The transfer part: from `x` at `from` to `to` along `epsilon`.
fn transfer(x: Update, from: NoiseLevel, epsilon: Update, to: NoiseLevel) -> Update {
    (x - epsilon * from.sigma) * (to.alpha / from.alpha) + epsilon * to.sigma
}

impl Solver for Pndm {
    fn evaluate_at(&self, grid: &Grid, at: Cursor) -> Option<NoiseLevel> {
        Some(self.level(grid, at))
    }

    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        let here = self.level(grid, at);
        let epsilon = Update::epsilon(here);
        if from.alpha == 0.0 {
            // Of pure noise ε̂ is x, and there is nothing to divide by.
            return Move::step(at, Update::DENOISED * to.alpha + epsilon * to.sigma).keep(0, epsilon);
        }
        let earlier = |j: usize| Update::kept((at.step - j) % 3);
        let keep = at.step % 3;
        let [second, third] = SLOPES;
        match (self.stages(grid, at.step), at.stage) {
            (1, _) => {
                let mean = match at.step {
                    0 => epsilon,
                    1 => epsilon * 1.5 - earlier(1) * 0.5,
                    2 => (epsilon * 23.0 - earlier(1) * 16.0 + earlier(2) * 5.0) / 12.0,
                    _ => (epsilon * 55.0 - earlier(1) * 59.0 + earlier(2) * 37.0 - earlier(3) * 9.0) / 24.0,
                };
                Move::step(at, transfer(Update::X, from, mean, to)).keep(keep, epsilon)
            }
            (2, 0) => Move::stage(at, transfer(Update::X, from, epsilon, to)).save().keep(keep, epsilon),
            (2, _) => Move::step(at, transfer(Update::SAVED, from, (epsilon + Update::kept(keep)) * 0.5, to)),
            (_, stage) => {
                let middle = grid.schedule().level(0.5 * (from.t + to.t));
                match stage {
                    0 => Move::stage(at, transfer(Update::X, from, epsilon, middle)).save().keep(keep, epsilon),
                    1 => Move::stage(at, transfer(Update::SAVED, from, epsilon, middle)).keep(second, epsilon),
                    2 => Move::stage(at, transfer(Update::SAVED, from, epsilon, to)).keep(third, epsilon),
                    _ => {
                        let slopes = Update::kept(keep) + (Update::kept(second) + Update::kept(third)) * 2.0 + epsilon;
                        Move::step(at, transfer(Update::SAVED, from, slopes / 6.0, to))
                    }
                }
            }
        }
    }

    fn slots(&self) -> usize {
        if self.warmup == Warmup::RungeKutta { 5 } else { 3 }
    }
}

impl fmt::Display for Pndm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pndm (warm-up: {})", self.warmup.word())
    }
}

const WARMUP: OptionEntry = OptionEntry {
    key: "warmup",
    group: Group::Solver,
    kind: Warmup::KIND,
    default: Fallback::Word(Warmup::DEFAULT.word()),
    summary: "How the first steps are taken.",
};

pub(super) const ENTRY: Entry = Entry {
    name: "pndm",
    summary: "Liu et al. 2022: four values of ε̂ with fixed weights, one evaluation a step (PLMS)",
    options: &[WARMUP],
    build: |options| Ok(Box::new(Pndm { warmup: WARMUP.choice(options) })),
};
