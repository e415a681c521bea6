//! Noise schedules: how much of the clean sample, α(t), and how much noise, σ(t), a sample holds at time t.
//!
//! Every process here is one Gaussian path, `x_t = α(t)·x₀ + σ(t)·ε` with ε standard normal.

mod beta;
mod grid;

pub use beta::{BetaKind, BetaSchedule, Tables};
pub use grid::{Ending, Grid, Spacing};

use std::fmt;

/// One point of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct NoiseLevel {
    /// The time, in the unit of the schedule that the level is from. For a [`BetaSchedule`] it is the index of training,
    /// 0 the cleanest; −1 is the clean sample.
    pub t: f64,
    /// α, the factor of the clean sample.
    pub alpha: f64,
    /// σ, the standard deviation of the noise.
    pub sigma: f64,
}

impl NoiseLevel {
    /// λ = ln(α/σ), half the logarithm of the signal-to-noise ratio; +∞ at the clean sample.
    #[must_use]
    pub fn lambda(&self) -> f64 {
        (self.alpha / self.sigma).ln()
    }

    /// σ/α, the noise level in the scaling of Karras et al. 2022, where the sample is `x₀ + (σ/α)·ε`.
    #[must_use]
    pub fn noise_to_signal(&self) -> f64 {
        self.sigma / self.alpha
    }
}

/// α and σ as functions of time, and the time back from λ.
pub trait NoiseSchedule: Send + Sync + fmt::Debug {
    /// The level at time `t`. Times beyond the noisiest, and NaN, give the noisiest level; times before the least noisy one give the
    /// clean sample.
    fn level(&self, t: f64) -> NoiseLevel;

    /// The time at which λ(t) = `lambda`: the inverse of [`NoiseLevel::lambda`] along the schedule. Finite values outside of the
    /// schedule give its nearest end, +∞ the time of the clean sample.
    fn time(&self, lambda: f64) -> f64;
}
