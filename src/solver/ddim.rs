//! DDIM: Song, Meng, Ermon 2020, "Denoising Diffusion Implicit Models", arXiv:2010.02502.

use super::{Cursor, Entry, Move, Solver, SolverOptions, Update, split_noise};
use crate::error::{Error, Result};
use crate::schedule::Grid;

/// `x ← α_to·x̂₀ + √(σ_to² − fresh²)·ε̂ + fresh·z` (eq. 12), with `fresh` as η times that of DDPM (eq. 16).
///
/// η = 0 is deterministic, and the Euler method of the probability-flow ODE in σ/α; η = 1 is DDPM on the same levels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ddim {
    /// η, from 0 to 1.
    pub eta: f64,
    /// Move to the level `stride` training steps down instead of to the next level of the grid. This is what diffusers'
    /// DDIM does, with ⌊T/N⌋: on linspace grids, and on trailing ones where N does not divide T, it moves to one level
    /// and evaluates at another. Only for drawing the same picture as diffusers.
    pub stride: Option<f64>,
}

impl Ddim {
    /// DDIM with the given η.
    ///
    /// # Errors
    /// [`Error::Argument`] if `eta` is not within 0 to 1.
    pub fn new(eta: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&eta) {
            return Err(Error::argument(
                "eta",
                format!("{eta}; η lies between 0 (deterministic) and 1 (as much noise as DDPM)"),
            ));
        }
        Ok(Self { eta, stride: None })
    }
}

impl Solver for Ddim {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let from = grid.levels()[at.step];
        let to = match self.stride {
            Some(stride) if from.t >= stride => grid.schedule().level(from.t - stride),
            Some(_) => grid.end(),
            None => grid.levels()[at.step + 1],
        };
        let (kept, fresh) = split_noise(from, to, self.eta);
        let update = Update {
            x: kept / from.sigma,
            denoised: to.alpha,
            direction: -kept * from.alpha / from.sigma,
            noise: fresh,
        };
        Move { update, next: Cursor { step: at.step + 1, stage: 0 } }
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "ddim",
    summary: "Song et al. 2020: deterministic at η = 0, DDPM at η = 1; good pictures in 20 to 50 steps",
    build: |options: SolverOptions| -> Result<Box<dyn Solver>> {
        if options.variance.is_some() {
            return Err(Error::argument(
                "variance",
                "ddim has no choice of variance; η sets its noise (the choice belongs to ddpm)",
            ));
        }
        Ok(Box::new(Ddim::new(options.eta.unwrap_or(0.0))?))
    },
};
