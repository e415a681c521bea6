//! DPM-Solver++ (2S) by midpoints: deterministic, ancestral, and as the SDE solver. It has the form of k-diffusion's
//! `sample_dpmpp_2s_ancestral` and `sample_dpmpp_sde` (diffusers' DPMSolverSDEScheduler). Source: Lu et al. 2022,
//! arXiv:2211.01095, algorithm 1 with r = ½.

use std::fmt;

use super::ancestral::ancestral_split;
use super::ddim::ETA;
use super::dpm_solver::Algorithm;
use super::entry::{Entry, Solver};
use super::update::{Cursor, Move, Update};
use crate::error::Error;
use crate::option::{Fallback, Group, Kind, OptionEntry};
use crate::schedule::{Grid, NoiseLevel};

/// DPM-Solver++ (2S). It evaluates x̂₀ at the middle of the step in λ. It is of second order, with two evaluations a
/// step. The last step, onto the clean sample, is Euler's. With η > 0 the deterministic part goes to a level below the
/// next one, and fresh noise makes up the rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dpm2s {
    /// η, the share of fresh noise, 0 to 1.
    pub(super) eta: f64,
    /// Whether the way to the middle has fresh noise as well.
    pub(super) midpoint_noise: bool,
}

impl Dpm2s {
    /// The middle of the step, and the level and the fresh noise of the way there.
    fn middle(&self, grid: &Grid, step: usize) -> (NoiseLevel, NoiseLevel, f64) {
        let (from, to) = (grid.levels()[step], grid.levels()[step + 1]);
        let end = if self.midpoint_noise { to } else { ancestral_split(from, to, self.eta).0 };
        let middle = grid.at_noise_to_signal((from.noise_to_signal() * end.noise_to_signal()).sqrt());
        let (down, fresh) = if self.midpoint_noise { ancestral_split(from, middle, self.eta) } else { (middle, 0.0) };
        (middle, down, fresh)
    }
}

/// The move of `x` from `from` to `to` with a constant x̂₀.
fn advance(x: Update, from: NoiseLevel, to: NoiseLevel) -> Update {
    let integrals = Algorithm::Data.integrals(from, to);
    x * integrals.x + Update::DENOISED * integrals.derivative[0]
}

impl Solver for Dpm2s {
    fn evaluate_at(&self, grid: &Grid, at: Cursor) -> Option<NoiseLevel> {
        Some(if at.stage == 0 { grid.levels()[at.step] } else { self.middle(grid, at.step).0 })
    }

    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        let (down, fresh) = ancestral_split(from, to, self.eta);
        if down.sigma == 0.0 || from.alpha == 0.0 {
            let update = Update::DENOISED * to.alpha + Update::epsilon(from) * down.sigma;
            return Move::step(at, update + Update::NOISE * fresh);
        }
        if at.stage == 0 {
            let (_, down, fresh) = self.middle(grid, at.step);
            return Move::stage(at, advance(Update::X, from, down) + Update::NOISE * fresh).save();
        }
        Move::step(at, advance(Update::SAVED, from, down) + Update::NOISE * fresh)
    }
}

impl fmt::Display for Dpm2s {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let middle = if self.midpoint_noise { ", noise at midpoints" } else { "" };
        write!(f, "dpm-solver-2s (η = {}{middle})", self.eta)
    }
}

const MIDPOINT_NOISE: OptionEntry = OptionEntry {
    key: "midpoint_noise",
    group: Group::Solver,
    kind: Kind::Flag,
    default: Fallback::Flag(false),
    summary: "Whether fresh noise also enters the midpoints of dpm-solver-2s. With η = 1 this is DPM++ SDE.",
};

pub(super) const ENTRY: Entry = Entry {
    name: "dpm-solver-2s",
    summary: "k-diffusion's DPM++ 2S, ancestral with η, and DPM++ SDE with midpoint_noise. Two evaluations a step.",
    options: &[ETA, MIDPOINT_NOISE],
    build: |options| {
        let eta = ETA.real(options);
        let midpoint_noise = MIDPOINT_NOISE.flag(options);
        if midpoint_noise && eta == 0.0 {
            return Err(Error::argument(
                "midpoint_noise",
                "there is no noise with η = 0; set eta as well, 1 for DPM++ SDE",
            ));
        }
        Ok(Box::new(Dpm2s { eta, midpoint_noise }))
    },
    as_diffusers: None,
};
