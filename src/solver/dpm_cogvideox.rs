//! DPM-Solver++ of second order in the reverse SDE (Lu et al. 2022, arXiv:2211.01095), with the steps of diffusers'
//! `CogVideoXDPMScheduler`.

use std::fmt;

use super::dpm_solver::{self, Algorithm, DpmSolver};
use super::entry::{Entry, Habit, Solver};
use super::update::{Cursor, Move, Update};
use crate::schedule::{Grid, NoiseLevel};

/// DPM-Solver++ as CogVideoX has it. A step moves by ⌊T/N⌋ training steps, whatever the grid's next level is. A step
/// that leads beyond the first of them is of first order. All steps but the first and that one draw noise twice, and
/// use the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CogVideoX {
    /// ⌊T/N⌋, in training steps.
    pub(super) stride: f64,
}

const ALGORITHM: Algorithm = Algorithm::DataSde;

/// The entry of DPM-Solver, which has this form in diffusers as well.
pub(super) const ENTRY: Entry = Entry {
    as_diffusers: Some(|options, told| {
        let solver = DpmSolver::new(options, true)?;
        let is_its_own = told.habit == Habit::CogVideoX && solver.algorithm == ALGORITHM && solver.order == 2;
        match told.stride.filter(|_| is_its_own) {
            Some(stride) => Ok(Box::new(CogVideoX { stride: stride as f64 })),
            None => Ok(Box::new(solver)),
        }
    }),
    ..dpm_solver::ENTRY
};

impl CogVideoX {
    /// The level that the step leads to; `None` for the end.
    fn target(&self, grid: &Grid, step: usize) -> Option<NoiseLevel> {
        let t = grid.levels()[step].t - self.stride;
        (t >= 0.0).then(|| grid.schedule().level(t))
    }
}

impl Solver for CogVideoX {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let from = grid.levels()[at.step];
        let target = self.target(grid, at.step);
        let to = target.unwrap_or(grid.end());
        // A level of pure noise has no λ.
        let before = (at.step > 0).then(|| grid.levels()[at.step - 1]).filter(|level| level.alpha > 0.0);
        let update = if from.alpha == 0.0 {
            ALGORITHM.without_lambda(from, to)
        } else {
            let integrals = ALGORITHM.integrals(from, to);
            let base =
                Update::X * integrals.x + Update::DENOISED * integrals.derivative[0] + Update::NOISE * integrals.noise;
            match before.filter(|_| target.is_some()) {
                None => base,
                Some(before) => {
                    let ratio = (to.lambda() - from.lambda()) / (from.lambda() - before.lambda());
                    base + (Update::DENOISED - Update::kept(0)) * (ratio * integrals.midpoint)
                }
            }
        };
        let draws_twice = at.step > 0 && target.is_some();
        Move::step(at, update).after_draws(usize::from(draws_twice)).keep(0, Update::DENOISED)
    }

    fn slots(&self) -> usize {
        1
    }
}

impl fmt::Display for CogVideoX {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (multistep, order 2, as CogVideoX takes its steps)", ALGORITHM.word())
    }
}
