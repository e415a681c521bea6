//! Data whose denoiser is a formula: a mixture of three Gaussians in the plane.

use std::sync::OnceLock;

use diffuse::denoiser::{Denoiser, Query};
use diffuse::noise::{CounterNoise, Draw, NoiseSource};
use diffuse::schedule::NoiseLevel;
use ndarray::{ArrayD, ArrayViewD};

use super::Formula;

/// How many points a set has.
pub(crate) const POINTS: usize = 20_000;

/// (weight, mean, standard deviation along x and y) of each mode; unequal in all of them.
pub(crate) const MODES: [(f64, [f64; 2], [f64; 2]); 3] =
    [(0.5, [-1.0, 0.5], [0.3, 0.2]), (0.3, [1.2, 0.8], [0.15, 0.4]), (0.2, [0.3, -1.3], [0.25, 0.25])];

/// E[x₀ | x] for x = α·x₀ + σ·ε.
pub(crate) fn denoise(x: [f64; 2], level: NoiseLevel) -> [f64; 2] {
    denoise_of(x, level, MODES.map(|(weight, ..)| weight))
}

/// The same where the modes have other weights: none for those that are not of a class.
pub(crate) fn denoise_of(x: [f64; 2], level: NoiseLevel, of_modes: [f64; 3]) -> [f64; 2] {
    let NoiseLevel { alpha, sigma, .. } = level;
    let mut logs = [0.0; 3];
    let mut means = [[0.0; 2]; 3];
    for (k, (_, mean, deviation)) in MODES.iter().enumerate() {
        logs[k] = of_modes[k].ln();
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

/// log p(x) for x = α·x₀ + σ·ε, in nats.
pub(crate) fn log_density(x: [f64; 2], level: NoiseLevel) -> f64 {
    let NoiseLevel { alpha, sigma, .. } = level;
    let logs = MODES.map(|(weight, mean, deviation)| {
        (0..2).fold(weight.ln(), |log, axis| {
            let variance = (alpha * deviation[axis]).powi(2) + sigma * sigma;
            let residual = x[axis] - alpha * mean[axis];
            log - 0.5 * (residual * residual / variance + (std::f64::consts::TAU * variance).ln())
        })
    });
    let most = logs.iter().copied().fold(f64::MIN, f64::max);
    most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln()
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

pub(crate) fn points(samples: ArrayViewD<'_, f32>) -> Vec<[f64; 2]> {
    samples.as_slice().unwrap().chunks_exact(2).map(|p| [f64::from(p[0]), f64::from(p[1])]).collect()
}

/// Points of the mixture itself.
pub(crate) fn exact(seed: u64) -> Vec<[f64; 2]> {
    let mut values = vec![0.0; POINTS * 4];
    CounterNoise::new(seed).fill(Draw::Start, POINTS * 4, &mut values);
    values
        .chunks_exact(4)
        .map(|z| {
            // The angle of two normal values is uniform.
            let uniform = 0.5 + f64::from(z[2]).atan2(f64::from(z[3])) / std::f64::consts::TAU;
            let k = if uniform < 0.5 { 0 } else { 1 + usize::from(uniform >= 0.8) };
            let (_, mean, deviation) = MODES[k];
            [0, 1].map(|axis| mean[axis] + deviation[axis] * f64::from(z[axis]))
        })
        .collect()
}

/// The mean distance of sorted projections, over 32 directions.
pub(crate) fn sliced_wasserstein(a: &[[f64; 2]], b: &[[f64; 2]]) -> f64 {
    let sorted = |points: &[[f64; 2]], angle: f64| {
        let mut projections: Vec<f64> = points.iter().map(|p| p[0] * angle.cos() + p[1] * angle.sin()).collect();
        projections.sort_by(f64::total_cmp);
        projections
    };
    let directions = 32;
    let distance = |k: usize| {
        let angle = k as f64 * std::f64::consts::PI / directions as f64;
        sorted(a, angle).iter().zip(sorted(b, angle)).map(|(a, b)| (a - b).abs()).sum::<f64>() / a.len() as f64
    };
    (0..directions).map(distance).sum::<f64>() / directions as f64
}

/// The mode that a point is likeliest from.
pub(crate) fn nearest(point: [f64; 2]) -> usize {
    let log = |k: usize| {
        let (weight, mean, deviation) = MODES[k];
        let square = |axis: usize| ((point[axis] - mean[axis]) / deviation[axis]).powi(2);
        weight.ln() - deviation[0].ln() - deviation[1].ln() - 0.5 * (square(0) + square(1))
    };
    (0..MODES.len()).max_by(|&a, &b| log(a).total_cmp(&log(b))).unwrap_or(0)
}

/// The share of the points that are likeliest from mode `k`.
fn share(points: &[[f64; 2]], k: usize) -> f64 {
    points.iter().filter(|p| nearest(**p) == k).count() as f64 / points.len() as f64
}

/// What sets of true points look like: what a right sampler may be off by.
struct Yardstick {
    reference: Vec<[f64; 2]>,
    /// The sliced Wasserstein distance between two sets, and its standard deviation.
    usual: f64,
    error: f64,
    /// What falls to each mode by nearness, which is not quite what is from it.
    shares: [f64; 3],
}

fn yardstick() -> &'static Yardstick {
    static YARDSTICK: OnceLock<Yardstick> = OnceLock::new();
    YARDSTICK.get_or_init(|| {
        const SETS: usize = 24;
        let reference = exact(1000);
        let sets: Vec<_> = (1..=SETS as u64).map(|k| exact(1000 + k)).collect();
        let apart: Vec<f64> = sets.iter().map(|set| sliced_wasserstein(set, &reference)).collect();
        let usual = apart.iter().sum::<f64>() / SETS as f64;
        let error = (apart.iter().map(|d| (d - usual).powi(2)).sum::<f64>() / (SETS - 1) as f64).sqrt();
        let shares = [0, 1, 2].map(|k| sets.iter().map(|set| share(set, k)).sum::<f64>() / SETS as f64);
        Yardstick { reference, usual, error, shares }
    })
}

/// By how many standard errors the points miss the mixture, in the worst of mean, covariance, weights of the modes and sliced Wasserstein.
pub(crate) fn worst_deviation(points: &[[f64; 2]]) -> f64 {
    let n = points.len() as f64;
    let mut worst: f64 = 0.0;
    let mean: [f64; 2] = [0, 1].map(|a| MODES.iter().map(|(w, m, _)| w * m[a]).sum());
    let centred = |a: usize, b: usize| points.iter().map(move |p| (p[a] - mean[a]) * (p[b] - mean[b]));
    let mut judge = |what: &str, found: f64, expected: f64, error: f64| {
        println!("  {what}: {found:.5}, expected {expected:.5} ± {error:.5}");
        worst = worst.max((found - expected).abs() / error);
    };
    for a in 0..2 {
        let variance = MODES.iter().map(|(w, m, s)| w * (s[a] * s[a] + (m[a] - mean[a]).powi(2))).sum::<f64>();
        judge("mean", points.iter().map(|p| p[a]).sum::<f64>() / n, mean[a], (variance / n).sqrt());
        for b in a..2 {
            let expected: f64 = MODES
                .iter()
                .map(|(w, m, s)| w * (if a == b { s[a] * s[a] } else { 0.0 } + (m[a] - mean[a]) * (m[b] - mean[b])))
                .sum();
            let found = centred(a, b).sum::<f64>() / n;
            let spread = centred(a, b).map(|product| (product - found).powi(2)).sum::<f64>() / n;
            judge("covariance", found, expected, (spread / n).sqrt());
        }
    }
    for k in 0..MODES.len() {
        let expected = yardstick().shares[k];
        judge("weight of a mode", share(points, k), expected, (expected * (1.0 - expected) / n).sqrt());
    }
    let Yardstick { reference, usual, error, .. } = yardstick();
    let found = sliced_wasserstein(points, reference);
    println!("  sliced Wasserstein: {found:.5}, between true sets {usual:.5} ± {error:.5}");
    worst.max((found - usual) / error)
}
