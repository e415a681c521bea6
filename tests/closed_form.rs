//! DDPM and DDIM where the right answer is known: on a mixture of Gaussians the denoiser is a formula.

mod support;

use std::sync::Arc;

use diffuse::Job;
use diffuse::denoiser::Condition;
use diffuse::noise::{CounterNoise, Draw, NoiseSource};
use diffuse::schedule::{BetaKind, BetaSchedule, Grid, GridOptions, NoiseLevel, NoiseSchedule, Spacing, Tables};
use diffuse::solver::{Cursor, Ddim, Ddpm, Move, Solver, Variance};
use ndarray::ArrayViewD;
use support::mixture::{MODES, denoise, denoiser};

const POINTS: usize = 20_000;

fn job(solver: Box<dyn Solver>, grid: Grid, seed: u64, points: usize) -> Job {
    let noise = Box::new(CounterNoise::new(seed));
    Job::new(denoiser(), solver, grid, noise, Condition::default(), &[1, points, 2]).unwrap()
}

fn schedule() -> Arc<BetaSchedule> {
    Arc::new(BetaSchedule::new(BetaKind::Linear { start: 1e-4, end: 0.02 }, 1000, Tables::Exact).unwrap())
}

fn points(samples: ArrayViewD<'_, f32>) -> Vec<[f64; 2]> {
    samples.as_slice().unwrap().chunks_exact(2).map(|p| [f64::from(p[0]), f64::from(p[1])]).collect()
}

/// Points of the mixture itself.
fn exact(seed: u64) -> Vec<[f64; 2]> {
    let mut values = vec![0.0; POINTS * 3];
    CounterNoise::new(seed).fill(Draw::Start, POINTS * 3, &mut values);
    let strata = values.chunks_exact(3).enumerate();
    strata
        .map(|(i, z)| {
            // The mode by a low-discrepancy uniform, independent of the normal values.
            let uniform = ((i as f64 + 0.5) * 0.618_033_988_749_894_9 + seed as f64 * 0.37).fract();
            let k = if uniform < 0.5 { 0 } else { 1 + usize::from(uniform >= 0.8) };
            let (_, mean, deviation) = MODES[k];
            [0, 1].map(|axis| mean[axis] + deviation[axis] * f64::from(z[axis]))
        })
        .collect()
}

/// The mean distance of sorted projections, over 32 directions.
fn sliced_wasserstein(a: &[[f64; 2]], b: &[[f64; 2]]) -> f64 {
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

/// By how many standard errors the points miss the mixture, in the worst of mean, covariance and sliced Wasserstein.
fn worst_deviation(points: &[[f64; 2]]) -> f64 {
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
    // How far sets of true points are from each other is what a right sampler may be off by.
    let reference = exact(1000);
    let apart: Vec<f64> = (1..=12).map(|k| sliced_wasserstein(&exact(1000 + k), &reference)).collect();
    let usual = apart.iter().sum::<f64>() / 12.0;
    let error = (apart.iter().map(|d| (d - usual).powi(2)).sum::<f64>() / 11.0).sqrt();
    let found = sliced_wasserstein(points, &reference);
    println!("  sliced Wasserstein: {found:.5}, between true sets {usual:.5} ± {error:.5}");
    worst.max((found - usual) / error)
}

/// A solver whose noise is off by a factor.
#[derive(Debug)]
struct Louder(Ddpm, f64);

impl std::fmt::Display for Louder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} with its noise times {}", self.0, self.1)
    }
}

impl Solver for Louder {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let mut step = self.0.plan(grid, at);
        step.update.noise *= self.1;
        step
    }
}

#[test]
fn ddpm_draws_from_the_mixture_and_louder_noise_does_not() {
    let grid = || Grid::spaced(schedule(), &GridOptions::new(Spacing::Leading, 1000)).unwrap();
    for variance in [Variance::Posterior, Variance::Beta] {
        println!("{variance:?}");
        let samples = job(Box::new(Ddpm { variance }), grid(), 3, POINTS).run().unwrap();
        let worst = worst_deviation(&points(samples.view()));
        assert!(worst < 4.0, "{variance:?}: off by {worst} standard errors");
    }
    println!("noise times 1.1");
    let samples = job(Box::new(Louder(Ddpm::default(), 1.1)), grid(), 3, POINTS).run().unwrap();
    let worst = worst_deviation(&points(samples.view()));
    assert!(worst > 4.0, "noise that is too loud by a tenth goes unnoticed: {worst} standard errors");
}

/// The flow that DDIM discretises, dy/du = (y − x̂₀)/u with y = x/α and u = σ/α, by Runge–Kutta in ln u, in f64.
fn exact_flow(from: NoiseLevel, to: NoiseLevel, x: [f64; 2]) -> [f64; 2] {
    let steps = 2000;
    let (start, end) = (from.noise_to_signal().ln(), to.noise_to_signal().ln());
    let width = (end - start) / f64::from(steps);
    let slope = |log_u: f64, y: [f64; 2]| {
        let u = log_u.exp();
        let alpha = 1.0 / (1.0 + u * u).sqrt();
        let level = NoiseLevel { t: 0.0, alpha, sigma: alpha * u };
        let denoised = denoise(y.map(|y| y * alpha), level);
        [0, 1].map(|axis| y[axis] - denoised[axis])
    };
    let mut y = x.map(|x| x / from.alpha);
    for i in 0..steps {
        let log_u = start + f64::from(i) * width;
        let ahead = |k: [f64; 2], share: f64| [0, 1].map(|axis| y[axis] + share * width * k[axis]);
        let k1 = slope(log_u, y);
        let k2 = slope(log_u + 0.5 * width, ahead(k1, 0.5));
        let k3 = slope(log_u + 0.5 * width, ahead(k2, 0.5));
        let k4 = slope(log_u + width, ahead(k3, 1.0));
        y = [0, 1].map(|axis| y[axis] + width / 6.0 * (k1[axis] + 2.0 * k2[axis] + 2.0 * k3[axis] + k4[axis]));
    }
    y.map(|y| y * to.alpha)
}

#[test]
fn ddim_approaches_the_exact_flow_at_first_order() {
    // Evenly in λ and without the jump to σ = 0, which hides the order.
    let schedule = schedule();
    let (first, last) = (schedule.level(999.0), schedule.level(20.0));
    let grid = |steps: usize| {
        let lambda = |i: usize| first.lambda() + (last.lambda() - first.lambda()) * i as f64 / steps as f64;
        let levels = (0..=steps).map(|i| schedule.level(schedule.time(lambda(i)))).collect();
        Grid::new(levels, Arc::clone(&schedule) as Arc<dyn NoiseSchedule>).unwrap()
    };
    let ddim = || Box::new(Ddim::new(0.0).unwrap());
    let start = points(job(ddim(), grid(1), 9, 400).sample());
    let truth: Vec<[f64; 2]> = start.iter().map(|&x| exact_flow(first, last, x)).collect();
    let error = |steps: usize| {
        let samples = job(ddim(), grid(steps), 9, 400).run().unwrap();
        let found = points(samples.view());
        let mut errors: Vec<f64> = found.iter().zip(&truth).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).collect();
        // The median: a point on the border between two modes falls to either side at few steps.
        errors.sort_by(f64::total_cmp);
        errors[errors.len() / 2]
    };
    let errors = [40, 80, 160, 320].map(error);
    let slopes: Vec<f64> = errors.windows(2).map(|pair| (pair[0] / pair[1]).log2()).collect();
    println!("errors {errors:?}, slopes {slopes:.3?}");
    for slope in slopes {
        assert!((slope - 1.0).abs() < 0.15, "order {slope}");
    }
}

#[test]
fn a_sliced_run_is_the_run_whole_and_so_is_a_batch() {
    let grid = || Grid::spaced(schedule(), &GridOptions::new(Spacing::Trailing, 20)).unwrap();
    let whole = job(Box::new(Ddpm::default()), grid(), 11, 50).run().unwrap();
    let mut sliced = job(Box::new(Ddpm::default()), grid(), 11, 50);
    let mut others = job(Box::new(Ddpm::default()), grid(), 12, 50);
    assert!(sliced.preview().is_none());
    while !sliced.step().unwrap().is_finished() {
        others.step().unwrap();
    }
    assert_eq!(sliced.sample(), whole);
    // Steps after the end change nothing.
    assert!(sliced.step().unwrap().is_finished());
    assert_eq!(sliced.sample(), whole);
}
