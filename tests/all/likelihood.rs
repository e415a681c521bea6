//! Likelihoods where they are known: a mixture of Gaussians, and a single Gaussian for the variational bound.

use std::sync::Arc;

use diffuse::Result;
use diffuse::denoiser::{Condition, Denoised, Denoiser, Query};
use diffuse::likelihood::{Divergence, bits_per_dim, log_density, variational_bound};
use diffuse::noise::CounterNoise;
use diffuse::schedule::{
    BetaKind, BetaSchedule, Edm, Flow, NoiseLevel, NoiseSchedule, SubVariancePreserving, Tables, VariancePreserving,
};
use diffuse::solver::{Adaptive, Variance};
use ndarray::{ArrayD, ArrayViewD};

use crate::support::Formula;
use crate::support::mixture::{denoise, denoiser, exact, log_density as log_of_mixture};

const TOLERANCE: Adaptive = Adaptive { relative: 1e-6, absolute: 1e-6, max_evaluations: 100_000 };

/// The formula with its derivative, by differences in f64.
struct WithDerivative(Box<dyn Denoiser>);

impl Denoiser for WithDerivative {
    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        self.0.denoise(query, out)
    }

    fn derivative(&mut self, query: Query<'_>, direction: ArrayViewD<'_, f32>) -> Result<Option<ArrayD<f32>>> {
        let x: Vec<f64> = query.x.iter().map(|&x| f64::from(x)).collect();
        let v: Vec<f64> = direction.iter().map(|&v| f64::from(v)).collect();
        let h = 1e-4 * query.level.sigma;
        let at = |sign: f64| denoise([x[0] + sign * h * v[0], x[1] + sign * h * v[1]], query.level);
        let (ahead, behind) = (at(1.0), at(-1.0));
        let derivative = [0, 1].map(|axis| ((ahead[axis] - behind[axis]) / (2.0 * h)) as f32);
        Ok(Some(ArrayD::from_shape_vec(query.x.shape(), derivative.to_vec()).unwrap()))
    }
}

/// Samples at the least noisy level of the schedule, and the logarithm of their density there.
fn samples(schedule: &dyn NoiseSchedule, count: usize) -> (ArrayD<f32>, Vec<f64>) {
    let level = schedule.level(schedule.bounds()[0]);
    let points: Vec<[f64; 2]> = exact(3).into_iter().take(count).collect();
    let values: Vec<f32> = points.iter().flat_map(|p| p.map(|value| (value * level.alpha) as f32)).collect();
    let densities = values.chunks(2).map(|x| log_of_mixture([f64::from(x[0]), f64::from(x[1])], level)).collect();
    (ArrayD::from_shape_vec(vec![count, 2], values).unwrap(), densities)
}

#[test]
fn the_density_along_the_ode_is_that_of_the_mixture() {
    // So much noise at the end that the prior is the truth: what a usual schedule leaves of the sample there is 4e-3
    // bits/dim.
    let schedules: [(&str, Arc<dyn NoiseSchedule>); 4] = [
        ("VE", Arc::new(Edm::new(0.02, 10_000.0).unwrap())),
        ("VP", Arc::new(VariancePreserving::new(0.1, 60.0, 1e-3).unwrap())),
        ("sub-VP", Arc::new(SubVariancePreserving::new(0.1, 60.0, 1e-2).unwrap())),
        ("flow", Arc::new(Flow::new(2e-2).unwrap())),
    ];
    for (name, schedule) in schedules {
        let (x, expected) = samples(&*schedule, 1000);
        let found = |derivative: bool| {
            let mut network: Box<dyn Denoiser> =
                if derivative { Box::new(WithDerivative(denoiser())) } else { denoiser() };
            let noise = &mut CounterNoise::new(1);
            log_density(&mut *network, &*schedule, x.view(), &Condition::default(), Divergence::Exact, TOLERANCE, noise)
                .unwrap()
        };
        let off = |found: &[f64]| {
            let bits = found.iter().zip(&expected).map(|(a, b)| (bits_per_dim(*a, 2) - bits_per_dim(*b, 2)).abs());
            bits.fold(0.0, f64::max)
        };
        let (exact, differences) = (off(&found(true)), off(&found(false)));
        println!("{name}: off by {exact:.1e} bits/dim at most, {differences:.1e} with derivatives by differences");
        assert!(exact < 1e-3, "{name}: {exact}");
        assert!(differences < 2e-2, "{name}: {differences}");
    }
}

#[test]
fn hutchinsons_estimate_is_right_on_average() {
    let schedule = VariancePreserving::new(0.1, 20.0, 1e-3).unwrap();
    let (x, _) = samples(&schedule, 20);
    let density = |divergence: Divergence, seed: u64| {
        let noise = &mut CounterNoise::new(seed);
        let mut network = WithDerivative(denoiser());
        log_density(&mut network, &schedule, x.view(), &Condition::default(), divergence, TOLERANCE, noise).unwrap()
    };
    let exact = density(Divergence::Exact, 0);
    const SEEDS: u64 = 40;
    // Items of one seed are independent, and so are the seeds of items: far apart, since item i has seed + i.
    let estimates: Vec<Vec<f64>> = (0..SEEDS).map(|seed| density(Divergence::Hutchinson(1), 1000 * seed)).collect();
    let differences: Vec<f64> =
        estimates.iter().flat_map(|estimate| estimate.iter().zip(&exact).map(|(a, b)| a - b)).collect();
    let n = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n;
    let error = (differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
    println!("one direction: off by {mean:.4} ± {error:.4} nats on average");
    assert!(mean.abs() < 3.0 * error && error > 1e-3, "{mean} ± {error}");
    // Two orthogonal directions of a plane are the whole trace, one of them alone is not.
    assert!(error < 0.1);
}

#[test]
fn the_variational_bound_is_above_the_truth_and_near_it() {
    // Data of N(0, 0.25²), in 256 steps; the exact denoiser is the posterior mean, and its posterior is normal.
    let deviation = 0.25f64;
    let schedule = BetaSchedule::new(BetaKind::Cosine, 400, Tables::Exact).unwrap();
    let network = || {
        Formula(move |query: Query<'_>, x0: &mut ArrayD<f32>| {
            let NoiseLevel { alpha, sigma, .. } = query.level;
            let variance = deviation * deviation;
            let factor = alpha * variance / (alpha * alpha * variance + sigma * sigma);
            x0.assign(&query.x.mapv(|x| (f64::from(x) * factor) as f32));
            Ok(())
        })
    };
    // Many values to an item, so that one draw of noise averages.
    let values = 20_000;
    let mut z = vec![0.0; values];
    diffuse::noise::NoiseSource::fill(&mut CounterNoise::new(9), diffuse::noise::Draw::Start, values, &mut z);
    let rounded = |z: f32| ((f64::from(z) * deviation * 127.5).round() / 127.5) as f32;
    let x = ArrayD::from_shape_vec(vec![1, values], z.iter().map(|&z| rounded(z)).collect()).unwrap();
    let truth = x.iter().map(|&x| {
        let density = (-0.5 * (f64::from(x) / deviation).powi(2)).exp() / (deviation * std::f64::consts::TAU.sqrt());
        -(density * 2.0 / 255.0).log2()
    });
    let truth = truth.sum::<f64>() / values as f64;
    let bound = |variance| {
        let noise = &mut CounterNoise::new(4);
        variational_bound(&mut network(), &schedule, x.view(), &Condition::default(), variance, noise).unwrap()[0]
    };
    for variance in [Variance::Posterior, Variance::Beta] {
        let bound = bound(variance);
        println!("{variance:?}: {bound:.4?}, the truth is {truth:.4}");
        // β̃ is right for data that is a point, and β for data that is normal, as this is.
        let slack = if variance == Variance::Beta { 0.02 } else { 1.0 };
        assert!(bound.total > truth - 0.02 && bound.total < truth + slack, "{variance:?}: {bound:?} for {truth}");
        assert!(bound.prior >= 0.0 && bound.prior < 1e-3);
    }
    let learned = variational_bound(
        &mut network(),
        &schedule,
        x.view(),
        &Condition::default(),
        Variance::Learned,
        &mut CounterNoise::new(4),
    );
    assert!(learned.unwrap_err().to_string().starts_with("variance: "));
}

#[test]
fn what_cannot_be_is_an_error() {
    let schedule = VariancePreserving::new(0.1, 20.0, 1e-3).unwrap();
    let (x, _) = samples(&schedule, 1);
    let ask = |divergence, tolerance| {
        let noise = &mut CounterNoise::new(0);
        let error =
            log_density(&mut *denoiser(), &schedule, x.view(), &Condition::default(), divergence, tolerance, noise);
        error.unwrap_err().to_string()
    };
    assert!(ask(Divergence::Hutchinson(0), TOLERANCE).starts_with("divergence: "));
    let short = ask(Divergence::Exact, Adaptive { max_evaluations: 20, ..TOLERANCE });
    assert!(short.contains("not met after") && short.contains("% of the way"), "{short}");
    let bound = variational_bound(
        &mut *denoiser(),
        &schedule,
        x.view(),
        &Condition::default(),
        Variance::Beta,
        &mut CounterNoise::new(0),
    );
    assert!(bound.unwrap_err().to_string().contains("steps of training"));
}
