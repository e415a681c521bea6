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
    Mixture::at(level).denoise(x)
}

/// The mixture at a level of noise: what is the same for all points is found once.
pub(crate) struct Mixture {
    alpha: f64,
    /// Of each mode: the logarithm of its weight and of its density where that is greatest.
    logs: [f64; 3],
    /// Along x and y of each mode: 1/2σ² of the noisy sample, and the share of a residual that is the clean one's.
    axes: [[[f64; 2]; 2]; 3],
}

impl Mixture {
    pub(crate) fn at(level: NoiseLevel) -> Self {
        Self::weighted(level, MODES.map(|(weight, ..)| weight))
    }

    /// Where the modes have other weights: none for those that are not of a class.
    pub(crate) fn weighted(level: NoiseLevel, weights: [f64; 3]) -> Self {
        let NoiseLevel { alpha, sigma, .. } = level;
        let variances = MODES.map(|(.., deviation)| deviation.map(|s| (alpha * s).powi(2) + sigma * sigma));
        let logs = [0, 1, 2].map(|k| weights[k].ln() - 0.5 * (variances[k][0] * variances[k][1]).ln());
        let axes = [0, 1, 2].map(|k| {
            [0, 1].map(|axis| [0.5 / variances[k][axis], alpha * MODES[k].2[axis].powi(2) / variances[k][axis]])
        });
        Self { alpha, logs, axes }
    }

    /// E[x₀ | x].
    pub(crate) fn denoise(&self, x: [f64; 2]) -> [f64; 2] {
        let mut logs = self.logs;
        let mut means = [[0.0; 2]; 3];
        for (k, (_, mean, _)) in MODES.iter().enumerate() {
            for axis in 0..2 {
                let [narrowness, share] = self.axes[k][axis];
                let residual = x[axis] - self.alpha * mean[axis];
                logs[k] -= residual * residual * narrowness;
                means[k][axis] = mean[axis] + share * residual;
            }
        }
        let most = logs.iter().copied().fold(f64::MIN, f64::max);
        let weights = logs.map(|log| match log - most {
            0.0 => 1.0,
            // Lost in rounding, beside the likeliest mode.
            gap if gap < -50.0 => 0.0,
            gap => gap.exp(),
        });
        let total: f64 = weights.iter().sum();
        [0, 1].map(|axis| (0..3).map(|k| weights[k] * means[k][axis]).sum::<f64>() / total)
    }
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
        let (mixture, x) = (Mixture::at(query.level), query.x.as_slice().unwrap());
        for (x, x0) in x.chunks_exact(2).zip(x0.as_slice_mut().unwrap().chunks_exact_mut(2)) {
            let denoised = mixture.denoise([f64::from(x[0]), f64::from(x[1])]);
            (x0[0], x0[1]) = (denoised[0] as f32, denoised[1] as f32);
        }
        Ok(())
    }))
}

/// Moves samples at `from` to `to` along the probability-flow ODE, by many steps of the classical Runge–Kutta method.
/// The ODE is `dy/d(ln u) = y − x̂₀` with y = x/α and u = σ/α.
pub(crate) fn flows(x: &[[f64; 2]], from: NoiseLevel, to: NoiseLevel, steps: usize) -> Vec<[f64; 2]> {
    let [start, end] = [from, to].map(|level| level.noise_to_signal().ln());
    let h = (end - start) / steps as f64;
    let at = |tau: f64| Mixture::at(NoiseLevel { t: 0.0, alpha: 1.0, sigma: tau.exp() });
    let slope = |mixture: &Mixture, y: [f64; 2]| {
        let denoised = mixture.denoise(y);
        [y[0] - denoised[0], y[1] - denoised[1]]
    };
    let along = |y: [f64; 2], k: [f64; 2], h: f64| [y[0] + h * k[0], y[1] + h * k[1]];
    let mut samples: Vec<_> = x.iter().map(|x| x.map(|value| value / from.alpha)).collect();
    for i in 0..steps {
        let tau = start + h * i as f64;
        let [begin, middle, finish] = [tau, tau + 0.5 * h, tau + h].map(at);
        for y in &mut samples {
            let a = slope(&begin, *y);
            let b = slope(&middle, along(*y, a, 0.5 * h));
            let c = slope(&middle, along(*y, b, 0.5 * h));
            let d = slope(&finish, along(*y, c, h));
            *y = [0, 1].map(|axis| y[axis] + h / 6.0 * (a[axis] + 2.0 * b[axis] + 2.0 * c[axis] + d[axis]));
        }
    }
    samples.into_iter().map(|y| y.map(|value| value * to.alpha)).collect()
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

/// The spread of sets of true points, which a right sampler may have as well.
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

/// How many standard errors the points are from the mixture. It is the worst of mean, covariance, weights of the modes
/// and sliced Wasserstein.
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
