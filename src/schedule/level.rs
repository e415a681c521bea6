//! Noise levels, and the trait of a noise schedule.

use std::fmt;

/// One point of a noise schedule.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct NoiseLevel {
    /// The time, in the unit of the level's schedule. For a [`BetaSchedule`](super::BetaSchedule) it is the index of a
    /// training step: 0 is the cleanest, and −1 is the clean sample.
    pub t: f64,
    /// α, the factor of the clean sample.
    pub alpha: f64,
    /// σ, the standard deviation of the noise.
    pub sigma: f64,
}

impl NoiseLevel {
    /// λ = ln(α/σ), half the logarithm of the signal-to-noise ratio. It is +∞ at the clean sample.
    #[must_use]
    pub fn lambda(&self) -> f64 {
        (self.alpha / self.sigma).ln()
    }

    /// σ/α, the noise level of Karras et al. 2022, in whose scaling the sample is `x₀ + (σ/α)·ε`.
    #[must_use]
    pub fn noise_to_signal(&self) -> f64 {
        self.sigma / self.alpha
    }

    /// √((α·`of_data`)² + σ²), the standard deviation of noisy samples of data whose standard deviation is `of_data`.
    #[must_use]
    pub fn deviation(&self, of_data: f64) -> f64 {
        // `hypot` would require glibc 2.35, where the rest of the library requires 2.34.
        let (data, noise) = (self.alpha * of_data, self.sigma);
        (data * data + noise * noise).sqrt()
    }
}

/// The variable in which an ODE solver takes its steps.
///
/// The probability-flow ODE is `dy/du = (y − x̂₀)/u` in either, where `y = x/s` and `u = σ/s`. The two differ in the
/// scale s. So a solver of higher order has its error in another place. A first-order step is the same in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Frame {
    /// s = α: `y = x₀ + u·ε`. Karras et al. 2022 ("Elucidating the Design Space", eq. 3) and k-diffusion solve the ODE
    /// in it. The slope is ε̂.
    #[default]
    Signal,
    /// s = α + σ: `y = (1−u)·x₀ + u·ε`. This is the straight path of flow matching (Lipman et al. 2022), where u is t
    /// itself. The slope is ε̂ − x̂₀.
    Straight,
}

impl Frame {
    /// s, the scale at `level`.
    #[must_use]
    pub fn scale(self, level: NoiseLevel) -> f64 {
        match self {
            Self::Signal => level.alpha,
            Self::Straight => level.alpha + level.sigma,
        }
    }

    /// u, the noise at `level`.
    #[must_use]
    pub fn u(self, level: NoiseLevel) -> f64 {
        level.sigma / self.scale(level)
    }
}

impl NoiseLevel {
    /// The clean sample, at time `t`.
    #[must_use]
    pub fn clean(t: f64) -> Self {
        Self { t, alpha: 1.0, sigma: 0.0 }
    }
}

/// The forward process at a moment, as the stochastic differential equation `dx = drift·x·dt + diffusion·dw`. Source:
/// Song et al. 2021, "Score-Based Generative Modeling through Stochastic Differential Equations", eq. 5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// The factor of x.
    pub drift: f64,
    /// The factor of the noise.
    pub diffusion: f64,
}

/// A noise schedule: α and σ as functions of time, and the time as a function of λ.
///
/// ```
/// use diffuse::schedule::{NoiseSchedule, VariancePreserving};
///
/// # fn main() -> diffuse::Result<()> {
/// let schedule = VariancePreserving::new(0.1, 20.0, 1e-3)?;
/// let level = schedule.level(0.5);
/// assert!((level.alpha.powi(2) + level.sigma.powi(2) - 1.0).abs() < 1e-12);
/// assert!((schedule.time(level.lambda()) - 0.5).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
pub trait NoiseSchedule: Send + Sync + fmt::Debug {
    /// The level at time `t`. Times beyond the noisiest, and NaN, give the noisiest level. Times before the least noisy
    /// one give the clean sample.
    fn level(&self, t: f64) -> NoiseLevel;

    /// The time at which λ(t) = `lambda`, which is the inverse of [`NoiseLevel::lambda`] along the schedule. Finite
    /// values outside of the schedule give its nearest end. +∞ gives the time of the clean sample.
    fn time(&self, lambda: f64) -> f64;

    /// The least and the greatest time that networks are trained at and runs visit.
    fn bounds(&self) -> [f64; 2];

    /// T, where time counts the steps of training from 0 to T−1. `None` where time is continuous.
    fn train_steps(&self) -> Option<usize> {
        None
    }

    /// β of the training step `t`, from which ᾱ is computed. `None` in continuous time.
    fn beta(&self, t: usize) -> Option<f64> {
        let _ = t;
        None
    }

    /// The forward process at time `t`, for solvers of its reverse.
    fn rates(&self, t: f64) -> Rates;

    /// The variable in which its ODE is solved.
    fn frame(&self) -> Frame {
        Frame::Signal
    }
}
