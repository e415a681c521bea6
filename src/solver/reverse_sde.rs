//! The reverse-time SDE, for VP, VE, sub-VP and every other schedule. Source: Song et al. 2021, "Score-Based Generative
//! Modeling through Stochastic Differential Equations", arXiv:2011.13456, eq. 6.

use std::fmt;

use super::ancestral::added_variance;
use super::entry::{Entry, Solver};
use super::update::{Cursor, Move, Update};
use crate::option::{Fallback, Group, OptionEntry, words};
use crate::schedule::Grid;

words! {
    /// How the SDE is divided into steps.
    #[non_exhaustive]
    pub enum Discretization {
        #[default]
        ReverseDiffusion = "reverse-diffusion", "By the forward process from level to level, reversed (appendix E).";
        EulerMaruyama = "euler-maruyama", "By the rates at the beginning of each step. Not on grids that start from pure noise.";
    }
}

/// The reverse-time SDE: `x ← x − (f − g²·s) + g·z` with the score s. The last step, onto the clean sample, takes x̂₀.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReverseSde {
    /// How the SDE is divided into steps.
    pub(super) discretization: Discretization,
}

impl Solver for ReverseSde {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        if to.sigma == 0.0 || from.alpha == 0.0 {
            // The rates of pure noise may be infinite. All of the noise except what x̂₀ replaces is drawn afresh.
            return Move::step(at, Update::DENOISED * to.alpha + Update::NOISE * to.sigma);
        }
        let (drift, diffusion) = match self.discretization {
            Discretization::ReverseDiffusion => {
                let decay = from.alpha / to.alpha;
                (decay - 1.0, added_variance(from, to).sqrt())
            }
            Discretization::EulerMaruyama => {
                let (rates, time) = (grid.schedule().rates(from.t), from.t - to.t);
                (rates.drift * time, rates.diffusion * time.sqrt())
            }
        };
        let update = Update::X * (1.0 - drift) + Update::score(from) * (diffusion * diffusion);
        Move::step(at, update + Update::NOISE * diffusion)
    }
}

impl fmt::Display for ReverseSde {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reverse SDE ({})", self.discretization.word())
    }
}

const DISCRETIZATION: OptionEntry = OptionEntry {
    key: "discretization",
    group: Group::Solver,
    kind: Discretization::KIND,
    default: Fallback::Word(Discretization::DEFAULT.word()),
    summary: "How the reverse SDE is discretised.",
};

pub(super) const ENTRY: Entry = Entry {
    name: "reverse-sde",
    summary: "Song et al. 2021. The reverse-time SDE by reverse diffusion or Euler–Maruyama, in hundreds of steps.",
    options: &[DISCRETIZATION],
    build: |options| Ok(Box::new(ReverseSde { discretization: DISCRETIZATION.choice(options) })),
    as_diffusers: None,
};
