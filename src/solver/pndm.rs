//! PNDM. Source: Liu, Ren, Lin, Zhao 2022, "Pseudo Numerical Methods for Diffusion Models on Manifolds",
//! arXiv:2202.09778. The transfer part of a step (eq. 11) is DDIM's. It moves along a mean of several ε̂.

use std::fmt;

use super::entry::{Entry, Solver};
use super::update::{Cursor, Move, Update};
use crate::option::{Fallback, Group, OptionEntry, words};
use crate::prediction::Prediction;
use crate::schedule::{Grid, NoiseLevel};

words! {
    /// How the first steps are taken, before there are three earlier ε̂.
    #[non_exhaustive]
    pub enum Warmup {
        #[default]
        Plms = "plms", "By Heun's mean in the first step, then in rising order (Crowson's PLMS, as in Stable Diffusion). One more evaluation.";
        RungeKutta = "runge-kutta", "Three pseudo Runge–Kutta steps (equation 13). Nine more evaluations.";
        None = "none", "In rising order (diffusers' IPNDM). No more evaluations.";
    }
}

/// PNDM. ε̂ is a mean of its last four values, with the weights of Adams and Bashforth for even steps (eq. 12). On
/// levels that are not evenly spaced in time it is of second order at best.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pndm {
    /// How the first steps are taken.
    pub(super) warmup: Warmup,
    /// The strides of diffusers. A step moves by ⌊T/N⌋ training steps, whatever the grid's next level is. Its middle is
    /// at half of that, rounded down. The network's prediction itself is averaged.
    pub(super) diffusers: Option<Strides>,
}

/// How diffusers takes its steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Strides {
    /// ⌊T/N⌋. `None` in continuous time, where steps lead from level to level.
    stride: Option<f64>,
    /// Whether the network predicts v.
    of_v: bool,
    /// The number of steps that a run leaves out because it starts with less noise. diffusers has N + 1 times, the
    /// second of which is there twice. So many of these are passed over, and the first step is made again all the same.
    skipped: usize,
}

/// The slots of the second and the third slope of a Runge–Kutta step, after the three of earlier steps.
const SLOPES: [usize; 2] = [3, 4];

impl Pndm {
    fn stages(&self, grid: &Grid, step: usize) -> usize {
        let alone = match self.diffusers {
            None => grid.levels()[step + 1].sigma == 0.0,
            Some(_) => step + 1 == grid.steps(),
        };
        match self.warmup {
            Warmup::Plms if step == 0 && (!alone || self.skipped() > 0) => 2,
            Warmup::RungeKutta if step < 3 && !alone => 4,
            _ => 1,
        }
    }

    fn level(&self, grid: &Grid, at: Cursor) -> NoiseLevel {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        match (at.stage, self.stages(grid, at.step)) {
            (0, _) => from,
            (1, 2) if self.skipped() > 0 => self.again(grid, from),
            (1 | 2, 4) => match self.stride() {
                None => grid.schedule().level(0.5 * (from.t + to.t)),
                Some(stride) => grid.schedule().level(to.t + (0.5 * stride).floor()),
            },
            _ => to,
        }
    }

    /// The level from which a run that leaves steps out makes its first step again.
    fn again(&self, grid: &Grid, from: NoiseLevel) -> NoiseLevel {
        match self.stride() {
            // The time that is there twice is the first.
            Some(stride) if self.skipped() > 1 => below(grid, from.t - stride),
            _ => from,
        }
    }

    fn skipped(&self) -> usize {
        self.diffusers.filter(|strides| strides.stride.is_some()).map_or(0, |strides| strides.skipped)
    }

    fn stride(&self) -> Option<f64> {
        self.diffusers.and_then(|strides| strides.stride)
    }

    /// The levels where the move of this stage begins and ends.
    fn ends(&self, grid: &Grid, at: Cursor) -> (NoiseLevel, NoiseLevel) {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        let stages = self.stages(grid, at.step);
        let Some(stride) = self.stride() else {
            let halfway = stages == 4 && at.stage < 2;
            return (from, if halfway { grid.schedule().level(0.5 * (from.t + to.t)) } else { to });
        };
        let below = |t: f64| below(grid, t);
        let half = (0.5 * stride).floor();
        match (stages, at.stage) {
            (4, 0) => (from, below(from.t - half)),
            (4, 1) => (from, below(to.t + half)),
            (2, 1) => {
                let to = if self.skipped() > 0 { self.again(grid, from) } else { to };
                (grid.schedule().level(to.t + stride), to)
            }
            (4, _) => (from, to),
            _ => (from, below(from.t - stride)),
        }
    }

    /// What is averaged of the prediction at `here`.
    fn slope(&self, here: NoiseLevel) -> Update {
        match self.diffusers {
            Some(Strides { of_v: true, .. }) => (Update::X * here.alpha - Update::DIRECTION) / here.sigma,
            _ => Update::epsilon(here),
        }
    }

    /// The transfer part, from `x` at `from` to `to` along the mean of the slopes.
    fn transfer(&self, x: Update, from: NoiseLevel, mean: Update, to: NoiseLevel) -> Update {
        let epsilon = match self.diffusers {
            Some(Strides { of_v: true, .. }) => mean * from.alpha + x * from.sigma,
            _ => mean,
        };
        (x - epsilon * from.sigma) * (to.alpha / from.alpha) + epsilon * to.sigma
    }
}

/// The level at the time `t`. Below 0 it is the end of the run.
fn below(grid: &Grid, t: f64) -> NoiseLevel {
    if t < 0.0 { grid.end() } else { grid.schedule().level(t) }
}

impl Solver for Pndm {
    fn part(&self, grid: &Grid, steps: usize) -> Grid {
        let skipped = grid.steps() - steps;
        if self.skipped() == 0 || self.warmup != Warmup::Plms {
            return grid.last_steps(steps);
        }
        // The second time is there twice, so a run begins at the one before.
        grid.leap((skipped - 1).max(1), skipped + 1)
    }

    fn evaluate_at(&self, grid: &Grid, at: Cursor) -> Option<NoiseLevel> {
        Some(self.level(grid, at))
    }

    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let here = self.level(grid, at);
        if grid.levels()[at.step].alpha == 0.0 {
            let to = grid.levels()[at.step + 1];
            // Of pure noise ε̂ is x, since there is nothing to divide by. diffusers divides by 1e-8, which makes x̂₀ 0.
            let epsilon = Update::epsilon(here);
            let denoised = if self.diffusers.is_some() { 0.0 } else { to.alpha };
            return Move::step(at, Update::DENOISED * denoised + epsilon * to.sigma).keep(0, epsilon);
        }
        let (from, to) = self.ends(grid, at);
        let slope = self.slope(here);
        let earlier = |j: usize| Update::kept((at.step - j) % 3);
        let keep = at.step % 3;
        let [second, third] = SLOPES;
        match (self.stages(grid, at.step), at.stage) {
            (1, _) => {
                let mean = match at.step {
                    0 => slope,
                    1 => slope * 1.5 - earlier(1) * 0.5,
                    2 => (slope * 23.0 - earlier(1) * 16.0 + earlier(2) * 5.0) / 12.0,
                    _ => (slope * 55.0 - earlier(1) * 59.0 + earlier(2) * 37.0 - earlier(3) * 9.0) / 24.0,
                };
                Move::step(at, self.transfer(Update::X, from, mean, to)).keep(keep, slope)
            }
            (2, 0) => Move::stage(at, self.transfer(Update::X, from, slope, to)).save().keep(keep, slope),
            (2, _) => {
                let mean = (slope + Update::kept(keep)) * 0.5;
                Move::step(at, self.transfer(Update::SAVED, from, mean, to))
            }
            (_, 0) => Move::stage(at, self.transfer(Update::X, from, slope, to)).save().keep(keep, slope),
            (_, 1) => Move::stage(at, self.transfer(Update::SAVED, from, slope, to)).keep(second, slope),
            (_, 2) => Move::stage(at, self.transfer(Update::SAVED, from, slope, to)).keep(third, slope),
            _ => {
                let slopes = Update::kept(keep) + (Update::kept(second) + Update::kept(third)) * 2.0 + slope;
                Move::step(at, self.transfer(Update::SAVED, from, slopes / 6.0, to))
            }
        }
    }

    fn slots(&self) -> usize {
        if self.warmup == Warmup::RungeKutta { 5 } else { 3 }
    }
}

impl fmt::Display for Pndm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.diffusers.is_some() { ", as diffusers takes its steps" } else { "" };
        write!(f, "pndm (warm-up: {}{form})", self.warmup.word())
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
    summary: "Liu et al. 2022. Four values of ε̂ with fixed weights (PLMS), one evaluation a step.",
    options: &[WARMUP],
    build: |options| Ok(Box::new(Pndm { warmup: WARMUP.choice(options), diffusers: None })),
    as_diffusers: Some(|options, told| {
        // In continuous time it is IPNDM, which averages ε̂.
        let of_v = told.prediction == Prediction::V && told.stride.is_some();
        let strides = Strides { stride: told.stride.map(|stride| stride as f64), of_v, skipped: told.skipped };
        Ok(Box::new(Pndm { warmup: WARMUP.choice(options), diffusers: Some(strides) }))
    }),
};
