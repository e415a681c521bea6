//! How the noise of a move is split into what is kept and what is drawn afresh.

use crate::schedule::NoiseLevel;

/// How the standard deviation at level `to` is split, coming from `from`: into the part of the noise that is kept and
/// the part that is drawn afresh, for η ∈ [0, 1]. With a constant x̂₀ the first-order move is then
/// `x ← α_to·x̂₀ + kept·ε̂ + fresh·z` with `ε̂ = (x − α_from·x̂₀)/σ_from` (DDIM, eqs. 12 and 16, for any α and σ).
pub(super) fn split_noise(from: NoiseLevel, to: NoiseLevel, eta: f64) -> (f64, f64) {
    let decay = from.alpha * to.sigma / (to.alpha * from.sigma);
    let fresh = eta * to.sigma * ((1.0 - decay) * (1.0 + decay)).max(0.0).sqrt();
    // √(σ² − fresh²), written so that nothing cancels where nearly all of the noise is fresh.
    let kept = to.sigma * ((1.0 - eta) * (1.0 + eta) + (eta * decay).powi(2)).max(0.0).sqrt();
    (kept, fresh)
}

/// The level that the deterministic part of a move from `from` to `to` ends at, and the noise that is drawn on top, for
/// η ∈ [0, 1].
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
