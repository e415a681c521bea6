//! Data whose denoiser is a formula: a mixture of three Gaussians in the plane.

use diffuse::denoiser::{Denoiser, Query};
use diffuse::schedule::NoiseLevel;
use ndarray::ArrayD;

use super::Formula;

/// (weight, mean, standard deviation along x and y) of each mode; unequal in all of them.
pub(crate) const MODES: [(f64, [f64; 2], [f64; 2]); 3] =
    [(0.5, [-1.0, 0.5], [0.3, 0.2]), (0.3, [1.2, 0.8], [0.15, 0.4]), (0.2, [0.3, -1.3], [0.25, 0.25])];

/// E[x₀ | x] for x = α·x₀ + σ·ε.
pub(crate) fn denoise(x: [f64; 2], level: NoiseLevel) -> [f64; 2] {
    let NoiseLevel { alpha, sigma, .. } = level;
    let mut logs = [0.0; 3];
    let mut means = [[0.0; 2]; 3];
    for (k, (weight, mean, deviation)) in MODES.iter().enumerate() {
        logs[k] = weight.ln();
        for axis in 0..2 {
            let variance = (alpha * deviation[axis]).powi(2) + sigma * sigma;
            let residual = x[axis] - alpha * mean[axis];
            logs[k] -= 0.5 * (residual * residual / variance + variance.ln());
            means[k][axis] = mean[axis] + alpha * deviation[axis].powi(2) / variance * residual;
        }
    }
    let most = logs.iter().copied().fold(f64::MIN, f64::max);
    let weights = logs.map(|log| (log - most).exp());
    let total: f64 = weights.iter().sum();
    [0, 1].map(|axis| (0..3).map(|k| weights[k] * means[k][axis]).sum::<f64>() / total)
}

/// That formula as a denoiser of items that hold any number of points.
pub(crate) fn denoiser() -> Box<dyn Denoiser> {
    Box::new(Formula(|query: Query<'_>, x0: &mut ArrayD<f32>| {
        let x = query.x.as_slice().unwrap();
        for (x, x0) in x.chunks_exact(2).zip(x0.as_slice_mut().unwrap().chunks_exact_mut(2)) {
            let denoised = denoise([f64::from(x[0]), f64::from(x[1])], query.level);
            (x0[0], x0[1]) = (denoised[0] as f32, denoised[1] as f32);
        }
        Ok(())
    }))
}

/// Where the probability-flow ODE takes the sample `x` at `from` on the way to `to`: `dy/d(ln u) = y − x̂₀` with y = x/α and u = σ/α, by many
/// steps of the classical Runge–Kutta method.
pub(crate) fn flow(x: [f64; 2], from: NoiseLevel, to: NoiseLevel, steps: usize) -> [f64; 2] {
    let [start, end] = [from, to].map(|level| level.noise_to_signal().ln());
    let h = (end - start) / steps as f64;
    let slope = |y: [f64; 2], tau: f64| {
        let denoised = denoise(y, NoiseLevel { t: 0.0, alpha: 1.0, sigma: tau.exp() });
        [y[0] - denoised[0], y[1] - denoised[1]]
    };
    let along = |y: [f64; 2], k: [f64; 2], h: f64| [y[0] + h * k[0], y[1] + h * k[1]];
    let mut y = x.map(|value| value / from.alpha);
    for i in 0..steps {
        let tau = start + h * i as f64;
        let a = slope(y, tau);
        let b = slope(along(y, a, 0.5 * h), tau + 0.5 * h);
        let c = slope(along(y, b, 0.5 * h), tau + 0.5 * h);
        let d = slope(along(y, c, h), tau + h);
        y = [0, 1].map(|axis| y[axis] + h / 6.0 * (a[axis] + 2.0 * b[axis] + 2.0 * c[axis] + d[axis]));
    }
    y.map(|value| value * to.alpha)
}
