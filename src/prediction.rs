//! What a network was trained to predict, as an affine map from its output to x̂₀, and how its input is scaled.

use crate::schedule::{NoiseLevel, NoiseSchedule};

/// The quantity that the network's output estimates, for the noisy sample `x = α·x₀ + σ·ε`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Prediction {
    /// The noise ε (Ho et al. 2020, "Denoising Diffusion Probabilistic Models").
    Epsilon,
    /// The clean sample x₀ itself.
    X0,
    /// The velocity `v = α·ε − σ·x₀` (Salimans & Ho 2022, "Progressive Distillation", §4).
    V,
    /// The score `∇ log p(x) = −ε/σ` (Song & Ermon 2019, "Generative Modeling by Estimating Gradients of the Data
    /// Distribution").
    Score,
    /// The velocity `ε − x₀` of the straight path (Lipman et al. 2022, "Flow Matching"). In the paper time runs the
    /// other way, which turns the sign.
    Flow,
    /// The velocity `x₀ − ε` of the straight path, with time running toward the data.
    FlowToData,
    /// The mean "μ̃" of the posterior q(x_{t−1} | x_t, x₀) of training's step (Ho et al. 2020, eq. 7).
    PosteriorMean,
    /// F of Karras et al. 2022, eq. 7: `x̂₀ = c_skip·y + c_out·F(c_in·y)`.
    ///
    /// Here `y = x/α`, u = σ/α, and d is the data's deviation. The coefficients are `c_skip = d²/(u² + d²)`, `c_out =
    /// u·d/√(u² + d²)` and `c_in = 1/√(u² + d²)` (table 1).
    Edm,
    /// −F, the output of [`Edm`](Self::Edm) with the sign of v. With d = 1 it is v of the sample scaled to `α² + σ² =
    /// 1`. This is k-diffusion's VDenoiser, diffusers' EDM schedulers with v, and TrigFlow of Lu & Song 2024.
    EdmV,
    /// F of a consistency model (Song et al. 2023, "Consistency Models", §3 and appendix C).
    ///
    /// It is like [`Edm`](Self::Edm), but exact at the least noise s of its training. There `c_skip = d²/((u − s)² +
    /// d²)` and `c_out = (u − s)·d/√(u² + d²)`.
    Consistency,
    /// The gradient `∇ log p(y | x)` with respect to x, of a classifier of noisy samples (Dhariwal & Nichol 2021, §4).
    /// No x̂₀ follows from it. It guides a predictor.
    ClassGradient,
}

impl std::fmt::Display for Prediction {
    /// Writes the word of manifests.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        serde::Serialize::serialize(self, f)
    }
}

impl Prediction {
    /// The coefficients `(x, output)` of `x̂₀ = x·x + output·output` at `level` of `schedule`. `sigma_data` is the
    /// standard deviation of the data, which only [preconditioned](Self::is_preconditioned) predictions use.
    ///
    /// For ε and the score they grow as 1/α. Where the schedule ends in pure noise (α = 0) they are infinite, and the
    /// caller has to refuse the level. For [`Prediction::ClassGradient`] they are not numbers.
    #[must_use]
    pub fn to_x0(self, level: NoiseLevel, schedule: &dyn NoiseSchedule, sigma_data: f64) -> (f64, f64) {
        let NoiseLevel { alpha, sigma, .. } = level;
        match self {
            Self::Epsilon => (1.0 / alpha, -sigma / alpha),
            Self::X0 => (0.0, 1.0),
            // v = αε − σx₀ and x = αx₀ + σε give αx − σv = (α² + σ²)·x₀.
            Self::V => {
                let norm = alpha * alpha + sigma * sigma;
                (alpha / norm, -sigma / norm)
            }
            Self::Score => (1.0 / alpha, sigma * sigma / alpha),
            // x − σ(ε − x₀) = (α + σ)·x₀.
            Self::Flow => (1.0 / (alpha + sigma), -sigma / (alpha + sigma)),
            Self::FlowToData => (1.0 / (alpha + sigma), sigma / (alpha + sigma)),
            Self::PosteriorMean => {
                let before = schedule.level(level.t - 1.0);
                // μ̃ = α_b·x₀ + kept·ε with kept = α·σ_b²/(α_b·σ), and x has the share kept/σ in it.
                let of_x = alpha * before.sigma * before.sigma / (before.alpha * sigma * sigma);
                let of_x0 = before.alpha - alpha * of_x;
                (-of_x / of_x0, 1.0 / of_x0)
            }
            Self::Edm => {
                let u = level.noise_to_signal();
                let norm = u * u + sigma_data * sigma_data;
                (sigma_data * sigma_data / norm / alpha, u * sigma_data / norm.sqrt())
            }
            Self::EdmV => {
                let (of_x, of_output) = Self::Edm.to_x0(level, schedule, sigma_data);
                (of_x, -of_output)
            }
            Self::Consistency => {
                let (u, variance) = (level.noise_to_signal(), sigma_data * sigma_data);
                let above = u - schedule.level(schedule.bounds()[0]).noise_to_signal();
                let of_x = variance / (above * above + variance) / alpha;
                (of_x, above * sigma_data / (u * u + variance).sqrt())
            }
            Self::ClassGradient => (f64::NAN, f64::NAN),
        }
    }

    /// Whether x̂₀ follows from it where nothing of the clean sample is left.
    #[must_use]
    pub fn allows_pure_noise(self) -> bool {
        !matches!(self, Self::Epsilon | Self::Score) && !self.is_preconditioned()
    }

    /// Whether it differs from `other` only in its sign.
    #[must_use]
    pub fn is_opposite_to(self, other: Self) -> bool {
        let pair = |one, two| (self, other) == (one, two) || (self, other) == (two, one);
        pair(Self::Edm, Self::EdmV) || pair(Self::Flow, Self::FlowToData)
    }

    /// Whether it has the preconditioning of Karras et al. 2022, which scales the network's input.
    #[must_use]
    pub fn is_preconditioned(self) -> bool {
        matches!(self, Self::Edm | Self::EdmV | Self::Consistency)
    }
}

/// How x is scaled for the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InputScaling {
    /// x itself. [`Prediction::Edm`] and related predictions scale it by c_in in any case.
    #[default]
    None,
    /// x divided by its standard deviation `√(α²·d² + σ²)`, where d is the data's. k-diffusion's wrappers scale it so
    /// for networks of variance-preserving training.
    UnitVariance,
}

impl InputScaling {
    /// The factor of x at `level`, for a network with this `prediction`.
    #[must_use]
    pub fn factor(self, prediction: Prediction, level: NoiseLevel, sigma_data: f64) -> f64 {
        match (self, prediction) {
            (Self::None, prediction) if !prediction.is_preconditioned() => 1.0,
            _ => level.deviation(sigma_data).recip(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{BetaKind, BetaSchedule, Tables};

    #[test]
    fn recovers_x0_from_what_a_perfect_network_says() {
        let schedule = BetaSchedule::new(BetaKind::Linear { start: 1e-4, end: 0.02 }, 1000, Tables::Exact).unwrap();
        let (x0, epsilon) = (0.7, -1.3);
        for (alpha, sigma) in [(0.8, 0.6), (0.05, 0.99), (1.0, 0.01), (1.0, 80.0)] {
            let level = NoiseLevel { t: 0.0, alpha, sigma };
            let x = alpha * x0 + sigma * epsilon;
            for (prediction, output) in [
                (Prediction::Epsilon, epsilon),
                (Prediction::X0, x0),
                (Prediction::V, alpha * epsilon - sigma * x0),
                (Prediction::Score, -epsilon / sigma),
                (Prediction::Flow, epsilon - x0),
                (Prediction::FlowToData, x0 - epsilon),
            ] {
                let (of_x, of_output) = prediction.to_x0(level, &schedule, 1.0);
                let recovered = of_x * x + of_output * output;
                assert!((recovered - x0).abs() < 1e-10, "{prediction:?} at α = {alpha}, σ = {sigma}: {recovered}");
            }
        }
    }

    /// Equation 7 of Ho et al. 2020, from β and ᾱ.
    #[test]
    fn recovers_x0_from_the_posterior_mean() {
        let schedule = BetaSchedule::new(BetaKind::Linear { start: 1e-4, end: 0.02 }, 1000, Tables::Exact).unwrap();
        for t in [0, 1, 10, 500, 999] {
            let level = schedule.level(f64::from(t));
            let (x0, x) = (0.7, level.alpha * 0.7 - level.sigma * 1.3);
            let beta = 1e-4 + f64::from(t) * (0.02 - 1e-4) / 999.0;
            let (bar, before) = (level.alpha.powi(2), schedule.level(f64::from(t) - 1.0).alpha.powi(2));
            let mean = before.sqrt() * beta / (1.0 - bar) * x0 + (1.0 - beta).sqrt() * (1.0 - before) / (1.0 - bar) * x;
            let (of_x, of_output) = Prediction::PosteriorMean.to_x0(level, &schedule, 1.0);
            assert!((of_x * x + of_output * mean - x0).abs() < 1e-9, "t = {t}");
        }
    }

    /// Table 1 and equation 7 of Karras et al. 2022, for a network whose F is the best one for a single point of data.
    #[test]
    fn edm_is_preconditioned_as_in_the_paper() {
        let (alpha, u, d, f) = (0.5, 3.0, 0.5, 0.3);
        let level = NoiseLevel { t: 0.0, alpha, sigma: alpha * u };
        let y = 1.7;
        let expected = d * d / (u * u + d * d) * y + u * d / f64::hypot(u, d) * f;
        let schedule = BetaSchedule::new(BetaKind::Cosine, 10, Tables::Exact).unwrap();
        let (of_x, of_output) = Prediction::Edm.to_x0(level, &schedule, d);
        assert!((of_x * alpha * y + of_output * f - expected).abs() < 1e-12);
        let seen = InputScaling::None.factor(Prediction::Edm, level, d) * alpha * y;
        assert!((seen - y / f64::hypot(u, d)).abs() < 1e-12);
    }
}
