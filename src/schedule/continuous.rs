//! Schedules in continuous time.
//!
//! They are the SDEs of Song et al. 2021, "Score-Based Generative Modeling through Stochastic Differential Equations",
//! arXiv:2011.13456 (§3.4 and appendix B), and that of Karras et al. 2022, arXiv:2206.00364. Flow matching adds the
//! straight path (Lipman et al. 2022, arXiv:2210.02747; Liu et al. 2022, arXiv:2209.03003).

use std::f64::consts::FRAC_PI_2;

use super::level::{Frame, NoiseLevel, NoiseSchedule, Rates};
use crate::error::{Error, Result};

fn check(name: &'static str, value: f64, above: f64, what: &str) -> Result<()> {
    if value.is_finite() && value > above {
        Ok(())
    } else {
        Err(Error::argument(name, format!("{value}; it has to be finite and above {what}")))
    }
}

/// The VP SDE: `B = β_min·t + ½(β_max − β_min)·t²`, `α = e^(−B/2)`, `σ = √(1 − α²)`, for t from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VariancePreserving {
    beta: [f64; 2],
    least_time: f64,
}

impl VariancePreserving {
    /// The greatest sum of β's two ends. Beyond it nothing of the clean sample would be left.
    pub const MOST_BETAS: f64 = 600.0;

    /// β goes from `beta_min` at t = 0 to `beta_max` at t = 1. The paper has 0.1 and 20. Runs go down to `least_time`,
    /// which is 1e-3 in the paper.
    ///
    /// # Errors
    /// [`Error::Argument`] if they are not positive and finite, if β falls, or if `least_time` is not below 1.
    pub fn new(beta_min: f64, beta_max: f64, least_time: f64) -> Result<Self> {
        check("beta_min", beta_min, 0.0, "0")?;
        check("beta_max", beta_max, beta_min, "beta_min")?;
        if beta_min + beta_max > Self::MOST_BETAS {
            return Err(Error::argument("beta_max", format!("{beta_max}; nothing of the clean sample would be left")));
        }
        check_least_time(least_time)?;
        Ok(Self { beta: [beta_min, beta_max], least_time })
    }

    fn integral(&self, t: f64) -> f64 {
        let [least, most] = self.beta;
        least * t + 0.5 * (most - least) * t * t
    }

    /// The time at which the integral of β is `integral`.
    fn time_of(&self, integral: f64) -> f64 {
        let [least, most] = self.beta;
        let root = (least * least + 2.0 * (most - least) * integral).sqrt();
        (2.0 * integral / (least + root)).min(1.0)
    }

    fn beta(&self, t: f64) -> f64 {
        let [least, most] = self.beta;
        least + t * (most - least)
    }
}

fn check_least_time(least_time: f64) -> Result<()> {
    if least_time > 0.0 && least_time < 1.0 {
        Ok(())
    } else {
        Err(Error::argument("least_time", format!("{least_time}; it lies between 0 and 1, both excluded")))
    }
}

/// `t` within 0 and 1. NaN becomes the noisiest time.
fn unit(t: f64) -> f64 {
    if t.is_nan() { 1.0 } else { t.clamp(0.0, 1.0) }
}

impl NoiseSchedule for VariancePreserving {
    fn level(&self, t: f64) -> NoiseLevel {
        let t = unit(t);
        let integral = self.integral(t);
        NoiseLevel { t, alpha: (-0.5 * integral).exp(), sigma: (-(-integral).exp_m1()).sqrt() }
    }

    fn time(&self, lambda: f64) -> f64 {
        // α² = 1/(1 + e^(−2λ)).
        self.time_of((-2.0 * lambda).exp().ln_1p())
    }

    fn bounds(&self) -> [f64; 2] {
        [self.least_time, 1.0]
    }

    fn rates(&self, t: f64) -> Rates {
        let beta = self.beta(t);
        Rates { drift: -0.5 * beta, diffusion: beta.sqrt() }
    }
}

/// The sub-VP SDE: α as in the [VP SDE](VariancePreserving), `σ = 1 − α²`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SubVariancePreserving(VariancePreserving);

impl SubVariancePreserving {
    /// As [`VariancePreserving::new`].
    ///
    /// # Errors
    /// As there.
    pub fn new(beta_min: f64, beta_max: f64, least_time: f64) -> Result<Self> {
        VariancePreserving::new(beta_min, beta_max, least_time).map(Self)
    }
}

impl NoiseSchedule for SubVariancePreserving {
    fn level(&self, t: f64) -> NoiseLevel {
        let t = unit(t);
        let integral = self.0.integral(t);
        NoiseLevel { t, alpha: (-0.5 * integral).exp(), sigma: -(-integral).exp_m1() }
    }

    fn time(&self, lambda: f64) -> f64 {
        // With r = e^λ: r·(1 − α²) = α.
        let r = lambda.exp();
        let alpha = if r.is_finite() { 2.0 * r / (1.0 + (1.0 + 4.0 * r * r).sqrt()) } else { 1.0 };
        self.0.time_of(-2.0 * alpha.ln())
    }

    fn bounds(&self) -> [f64; 2] {
        self.0.bounds()
    }

    fn rates(&self, t: f64) -> Rates {
        let beta = self.0.beta(t);
        let diffusion = (beta * -(-2.0 * self.0.integral(t)).exp_m1()).sqrt();
        Rates { drift: -0.5 * beta, diffusion }
    }
}

/// The VE SDE: `α = 1`, `σ = σ_min·(σ_max/σ_min)^t`, for t from 0 to 1. Its clean sample has t = −1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VarianceExploding {
    sigma: [f64; 2],
    least_time: f64,
}

impl VarianceExploding {
    /// σ goes from `sigma_min` at t = 0 to `sigma_max` at t = 1. Runs go down to `least_time`, which is 1e-5 in the
    /// paper.
    ///
    /// # Errors
    /// [`Error::Argument`] if they are not positive and finite, if σ falls, or if `least_time` is not below 1.
    pub fn new(sigma_min: f64, sigma_max: f64, least_time: f64) -> Result<Self> {
        check("sigma_min", sigma_min, 0.0, "0")?;
        check("sigma_max", sigma_max, sigma_min, "sigma_min")?;
        check_least_time(least_time)?;
        Ok(Self { sigma: [sigma_min, sigma_max], least_time })
    }

    fn rate(&self) -> f64 {
        (self.sigma[1] / self.sigma[0]).ln()
    }
}

impl NoiseSchedule for VarianceExploding {
    fn level(&self, t: f64) -> NoiseLevel {
        if t < 0.0 {
            return NoiseLevel::clean(-1.0);
        }
        let t = unit(t);
        NoiseLevel { t, alpha: 1.0, sigma: self.sigma[0] * (self.rate() * t).exp() }
    }

    fn time(&self, lambda: f64) -> f64 {
        if lambda == f64::INFINITY {
            return -1.0;
        }
        ((-lambda - self.sigma[0].ln()) / self.rate()).clamp(0.0, 1.0)
    }

    fn bounds(&self) -> [f64; 2] {
        [self.least_time, 1.0]
    }

    fn rates(&self, t: f64) -> Rates {
        Rates { drift: 0.0, diffusion: self.level(t.max(0.0)).sigma * (2.0 * self.rate()).sqrt() }
    }
}

/// The schedule of Karras et al. 2022: `α = 1`, `σ = t`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edm {
    sigma: [f64; 2],
}

impl Edm {
    /// Runs go from `sigma_max` down to `sigma_min`. The paper has 80 and 0.002.
    ///
    /// # Errors
    /// [`Error::Argument`] if they are not positive and finite, or if σ_max is not above σ_min.
    pub fn new(sigma_min: f64, sigma_max: f64) -> Result<Self> {
        check("sigma_min", sigma_min, 0.0, "0")?;
        check("sigma_max", sigma_max, sigma_min, "sigma_min")?;
        Ok(Self { sigma: [sigma_min, sigma_max] })
    }
}

impl NoiseSchedule for Edm {
    fn level(&self, t: f64) -> NoiseLevel {
        let t = if t.is_nan() { self.sigma[1] } else { t.clamp(0.0, self.sigma[1]) };
        NoiseLevel { t, alpha: 1.0, sigma: t }
    }

    fn time(&self, lambda: f64) -> f64 {
        let t = (-lambda).exp();
        if lambda == f64::INFINITY { 0.0 } else { t.clamp(self.sigma[0], self.sigma[1]) }
    }

    fn bounds(&self) -> [f64; 2] {
        self.sigma
    }

    fn rates(&self, t: f64) -> Rates {
        Rates { drift: 0.0, diffusion: (2.0 * t).sqrt() }
    }
}

/// The straight path of flow matching: `α = 1 − t`, `σ = t`, for t from 0 to 1. At t = 1 nothing of the clean sample is
/// left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    least_time: f64,
}

impl Flow {
    /// Runs go down to `least_time`, which is 1/1000 where a model was trained on 1000 steps.
    ///
    /// # Errors
    /// [`Error::Argument`] if it is not between 0 and 1.
    pub fn new(least_time: f64) -> Result<Self> {
        check_least_time(least_time)?;
        Ok(Self { least_time })
    }
}

impl NoiseSchedule for Flow {
    fn level(&self, t: f64) -> NoiseLevel {
        let t = unit(t);
        NoiseLevel { t, alpha: 1.0 - t, sigma: t }
    }

    fn time(&self, lambda: f64) -> f64 {
        (1.0 + lambda.exp()).recip()
    }

    fn bounds(&self) -> [f64; 2] {
        [self.least_time, 1.0]
    }

    fn rates(&self, t: f64) -> Rates {
        Rates { drift: -1.0 / (1.0 - t), diffusion: (2.0 * t / (1.0 - t)).sqrt() }
    }

    fn frame(&self) -> Frame {
        Frame::Straight
    }
}

/// The circle: `α = cos(π·t/2)`, `σ = sin(π·t/2)`, for t from 0 to 1. At t = 1 nothing of the clean sample is left.
/// Source: Salimans & Ho 2022, "Progressive Distillation for Fast Sampling of Diffusion Models", §4.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trigonometric {
    least_time: f64,
}

impl Trigonometric {
    /// Runs go down to `least_time`.
    ///
    /// # Errors
    /// [`Error::Argument`] if it is not between 0 and 1.
    pub fn new(least_time: f64) -> Result<Self> {
        check_least_time(least_time)?;
        Ok(Self { least_time })
    }
}

impl NoiseSchedule for Trigonometric {
    fn level(&self, t: f64) -> NoiseLevel {
        let t = unit(t);
        // α is exactly 0 at the end, where the computed cosine is only nearly 0.
        let (sigma, alpha) = if t == 1.0 { (1.0, 0.0) } else { (t * FRAC_PI_2).sin_cos() };
        NoiseLevel { t, alpha, sigma }
    }

    fn time(&self, lambda: f64) -> f64 {
        (-lambda).exp().atan() / FRAC_PI_2
    }

    fn bounds(&self) -> [f64; 2] {
        [self.least_time, 1.0]
    }

    fn rates(&self, t: f64) -> Rates {
        let tangent = (t * FRAC_PI_2).tan();
        Rates { drift: -FRAC_PI_2 * tangent, diffusion: (2.0 * FRAC_PI_2 * tangent).sqrt() }
    }
}

/// The cosine of [`BetaKind::Cosine`](super::BetaKind::Cosine) in continuous time (Nichol & Dhariwal 2021, eq. 17).
///
/// It is `α = cos φ`, `σ = sin φ` with `φ = (t + s)/(1 + s)·π/2`, for t from 0 to 1. Its clean sample has t = −1.
///
/// The ends are those of denoising-diffusion-pytorch's ContinuousTimeGaussianDiffusion. σ²/α² is at least 1e-5. At t =
/// 1 the cosine is 0. There α is 4.4e-8, as that library computes it in f32. So a network that predicts ε can start
/// there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ContinuousCosine {
    s: f64,
    least_time: f64,
}

impl ContinuousCosine {
    /// The least π/2 − φ, and so the least α. It is the distance of π/2 in f32 from π/2.
    const LEAST_ANGLE: f64 = std::f32::consts::FRAC_PI_2 as f64 - FRAC_PI_2;

    /// The offset is `s`, which is 0.008 in denoising-diffusion-pytorch. Runs go down to `least_time`.
    ///
    /// # Errors
    /// [`Error::Argument`] if `s` is not from 0 to below 1, or if `least_time` is not between 0 and 1.
    pub fn new(s: f64, least_time: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&s) {
            return Err(Error::argument("s", format!("{s}; it lies between 0 and 1, 1 excluded")));
        }
        check_least_time(least_time)?;
        Ok(Self { s, least_time })
    }

    /// How fast φ grows.
    fn rate(&self) -> f64 {
        FRAC_PI_2 / (1.0 + self.s)
    }

    /// π/2 − φ, which is exact where little of the clean sample is left.
    fn angle(&self, t: f64) -> f64 {
        ((1.0 - t) * self.rate()).clamp(Self::LEAST_ANGLE, 1e5f64.sqrt().atan())
    }
}

impl NoiseSchedule for ContinuousCosine {
    fn level(&self, t: f64) -> NoiseLevel {
        if t < 0.0 {
            return NoiseLevel::clean(-1.0);
        }
        let t = unit(t);
        let (alpha, sigma) = self.angle(t).sin_cos();
        NoiseLevel { t, alpha, sigma }
    }

    fn time(&self, lambda: f64) -> f64 {
        if lambda == f64::INFINITY {
            return -1.0;
        }
        let angle = lambda.exp().atan().min(self.angle(0.0));
        // The last 3e-8 of the time have the same level.
        if angle <= Self::LEAST_ANGLE * (1.0 + 1e-12) { 1.0 } else { (1.0 - angle / self.rate()).max(0.0) }
    }

    fn bounds(&self) -> [f64; 2] {
        // Before the second of these times the level is the same.
        [self.least_time.max(1.0 - self.angle(0.0) / self.rate()), 1.0]
    }

    fn rates(&self, t: f64) -> Rates {
        let rate = self.rate() / self.angle(t).tan();
        Rates { drift: -rate, diffusion: (2.0 * rate).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Box<dyn NoiseSchedule>> {
        vec![
            Box::new(VariancePreserving::new(0.1, 20.0, 1e-3).unwrap()),
            Box::new(SubVariancePreserving::new(0.1, 20.0, 1e-3).unwrap()),
            Box::new(VarianceExploding::new(0.01, 50.0, 1e-5).unwrap()),
            Box::new(Edm::new(0.002, 80.0).unwrap()),
            Box::new(Flow::new(1e-3).unwrap()),
            Box::new(Trigonometric::new(1e-3).unwrap()),
            Box::new(ContinuousCosine::new(0.008, 1e-3).unwrap()),
            Box::new(ContinuousCosine::new(0.0, 1e-3).unwrap()),
        ]
    }

    #[test]
    fn time_inverts_lambda_and_noise_rises() {
        for schedule in all() {
            let [least, most] = schedule.bounds();
            let mut last = f64::INFINITY;
            for k in 0..=100 {
                let t = least + (most - least) * f64::from(k) / 100.0;
                let level = schedule.level(t);
                assert!(level.lambda() < last, "{schedule:?} at {t}");
                last = level.lambda();
                assert!((schedule.time(last) - t).abs() < 1e-9 * most, "{schedule:?} at {t}: {}", schedule.time(last));
            }
            let clean = schedule.level(schedule.time(f64::INFINITY));
            assert_eq!((clean.alpha, clean.sigma), (1.0, 0.0), "{schedule:?}");
        }
    }

    /// The process of `rates` has the α and σ of `level`: α′ = drift·α and (σ²)′ = 2·drift·σ² + diffusion².
    #[test]
    fn the_rates_are_those_of_the_levels() {
        for schedule in all() {
            let [least, most] = schedule.bounds();
            for k in 1..10 {
                let t = least + (most - least) * f64::from(k) / 10.0;
                let h = 1e-5 * most;
                let (before, after, here) = (schedule.level(t - h), schedule.level(t + h), schedule.level(t));
                let Rates { drift, diffusion } = schedule.rates(t);
                let close = |found: f64, expected: f64| {
                    assert!(
                        (found - expected).abs() < 1e-5 * expected.abs().max(1.0),
                        "{schedule:?} at {t}: {found} for {expected}"
                    );
                };
                close((after.alpha - before.alpha) / (2.0 * h), drift * here.alpha);
                let grown = (after.sigma.powi(2) - before.sigma.powi(2)) / (2.0 * h);
                close(grown, 2.0 * drift * here.sigma.powi(2) + diffusion.powi(2));
            }
        }
    }

    #[test]
    fn impossible_ones_are_refused() {
        assert!(VariancePreserving::new(0.0, 20.0, 1e-3).is_err());
        assert!(VariancePreserving::new(1.0, 0.5, 1e-3).is_err());
        assert!(VariancePreserving::new(0.1, 1e4, 1e-3).is_err());
        assert!(SubVariancePreserving::new(0.1, 20.0, 0.0).is_err());
        assert!(VarianceExploding::new(0.01, f64::INFINITY, 1e-5).is_err());
        assert!(VarianceExploding::new(-1.0, 50.0, 1e-5).is_err());
        assert!(Edm::new(0.002, 0.001).is_err());
        assert!(Flow::new(1.0).is_err() && Flow::new(f64::NAN).is_err());
        for s in [f64::NAN, -0.001, 1.0, f64::INFINITY] {
            assert!(ContinuousCosine::new(s, 1e-3).is_err(), "{s}");
        }
        assert!(ContinuousCosine::new(0.008, 0.0).is_err());
    }
}
