//! Euler's method on the straight path with fresh noise. It is ComfyUI's ancestral sampler for rectified flow in its
//! k_diffusion (`sample_euler_ancestral_RF`), and diffusers' LTXEulerAncestralRFScheduler. Its σ is t here.

use std::fmt;

use super::churn::S_NOISE;
use super::ddim::{ETA, ETA_OF_ANCESTRAL};
use super::entry::{Entry, Solver};
use super::update::{Cursor, Move, Update};
use crate::schedule::{Frame, Grid};

/// Ancestral Euler on the straight path. Euler's step goes to a time below the next one, `t_down = t_to·(1 + η·(t_to/t
/// − 1))`. Noise takes it back up to `t_to`: x is multiplied by `(1 − t_to)/(1 − t_down)`, and noise makes up the rest
/// of the variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EulerAncestralRf {
    /// η, which sets how far below the step goes. 0 is Euler's method.
    pub(super) eta: f64,
    /// The standard deviation of the noise, relative to the exact one.
    pub(super) noise: f64,
}

impl Solver for EulerAncestralRf {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        if to.sigma == 0.0 {
            return Move::step(at, Update::DENOISED * to.alpha);
        }
        let straight = Frame::Straight;
        let [t, t_to] = [from, to].map(|level| straight.u(level));
        let down = t_to * (1.0 + self.eta * (t_to / t - 1.0));
        let kept = down / t;
        let below = Update::X * (kept / straight.scale(from)) + Update::DENOISED * (1.0 - kept);
        let (rise, fresh) = if self.eta > 0.0 && self.noise > 0.0 {
            let rise = (1.0 - t_to) / (1.0 - down);
            (rise, ((t_to - down * rise) * (t_to + down * rise)).max(0.0).sqrt() * self.noise)
        } else {
            (1.0, 0.0)
        };
        Move::step(at, (below * rise + Update::NOISE * fresh) * straight.scale(to))
    }
}

impl fmt::Display for EulerAncestralRf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "euler-ancestral-rf (η = {}, noise {})", self.eta, self.noise)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "euler-ancestral-rf",
    summary: "ComfyUI, diffusers' LTX. Euler with fresh noise on the straight path of flow matching.",
    options: &[ETA, S_NOISE],
    build: |options| {
        let eta = options.real(ETA.key).unwrap_or(ETA_OF_ANCESTRAL);
        Ok(Box::new(EulerAncestralRf { eta, noise: S_NOISE.real(options) }))
    },
    as_diffusers: None,
};
