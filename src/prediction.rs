//! What a network was trained to say, as the affine map from its output to x̂₀.

use crate::schedule::NoiseLevel;

/// What the network's output is an estimate of, given the noisy sample `x = α·x₀ + σ·ε`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The noise ε (Ho et al. 2020, "Denoising Diffusion Probabilistic Models").
    Epsilon,
    /// The clean sample x₀ itself.
    X0,
    /// The velocity `v = α·ε − σ·x₀` (Salimans & Ho 2022, "Progressive Distillation", §4).
    V,
}

impl Prediction {
    /// The coefficients `(x, output)` of `x̂₀ = x·x + output·output` at `level`.
    ///
    /// For ε they grow as 1/α: where the schedule ends in pure noise (α = 0) they are infinite, and the caller has to
    /// refuse the level.
    #[must_use]
    pub fn to_x0(self, level: NoiseLevel) -> (f64, f64) {
        let NoiseLevel { alpha, sigma, .. } = level;
        match self {
            Self::Epsilon => (1.0 / alpha, -sigma / alpha),
            Self::X0 => (0.0, 1.0),
            // v = αε − σx₀ and x = αx₀ + σε give αx − σv = (α² + σ²)·x₀.
            Self::V => {
                let norm = alpha * alpha + sigma * sigma;
                (alpha / norm, -sigma / norm)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovers_x0_from_what_a_perfect_network_says() {
        let (x0, epsilon) = (0.7, -1.3);
        for (alpha, sigma) in [(0.8, 0.6), (0.05, 0.99), (1.0, 0.01), (1.0, 80.0)] {
            let level = NoiseLevel { t: 0.0, alpha, sigma };
            let x = alpha * x0 + sigma * epsilon;
            for (prediction, output) in
                [(Prediction::Epsilon, epsilon), (Prediction::X0, x0), (Prediction::V, alpha * epsilon - sigma * x0)]
            {
                let (of_x, of_output) = prediction.to_x0(level);
                let recovered = of_x * x + of_output * output;
                assert!((recovered - x0).abs() < 1e-10, "{prediction:?} at α = {alpha}, σ = {sigma}: {recovered}");
            }
        }
    }
}
