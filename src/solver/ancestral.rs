//! Splits the noise of a move into a kept part and a fresh part.

use crate::schedule::NoiseLevel;

/// The kept and the fresh noise of a move from `from` to `to`, for η ∈ [0, 1]. Together they have the standard
/// deviation of `to`.
///
/// With a constant x̂₀ the first-order move is `x ← α_to·x̂₀ + kept·ε̂ + fresh·z`. Here ε̂ is `(x − α_from·x̂₀)/σ_from`.
/// Source: DDIM, eqs. 12 and 16, for any α and σ.
pub(super) fn split_noise(from: NoiseLevel, to: NoiseLevel, eta: f64) -> (f64, f64) {
    let decay = from.alpha * to.sigma / (to.alpha * from.sigma);
    let fresh = eta * to.sigma * ((1.0 - decay) * (1.0 + decay)).max(0.0).sqrt();
    // √(σ² − fresh²), written so that nothing cancels where nearly all of the noise is fresh.
    let kept = to.sigma * ((1.0 - eta) * (1.0 + eta) + (eta * decay).powi(2)).max(0.0).sqrt();
    (kept, fresh)
}

/// Splits a move from `from` to `to`, for η ∈ [0, 1]. Returns the level at which its deterministic part ends, and the
/// noise that is added there.
pub(super) fn ancestral_split(from: NoiseLevel, to: NoiseLevel, eta: f64) -> (NoiseLevel, f64) {
    if eta == 0.0 {
        return (to, 0.0);
    }
    let (kept, fresh) = split_noise(from, to, eta);
    (NoiseLevel { sigma: kept, ..to }, fresh)
}

/// β of a move: the variance of the noise that the forward process adds from `to` up to `from`.
pub(crate) fn added_variance(from: NoiseLevel, to: NoiseLevel) -> f64 {
    let decay = from.alpha / to.alpha;
    ((from.sigma - decay * to.sigma) * (from.sigma + decay * to.sigma)).max(0.0)
}
