//! DDIM where the right answer is known: on a mixture of Gaussians the denoiser is a formula. What DDPM draws is in
//! distributions.rs.

use std::sync::Arc;

use diffuse::Job;
use diffuse::denoiser::Condition;
use diffuse::noise::CounterNoise;
use diffuse::schedule::{BetaKind, BetaSchedule, Grid, GridOptions, NoiseSchedule, Spacing, Tables};
use diffuse::solver::{Ddim, Ddpm, Solver};

use crate::support::mixture::{denoiser, flows, points};

fn job(solver: Box<dyn Solver>, grid: Grid, seed: u64, points: usize) -> Job {
    let noise = Box::new(CounterNoise::new(seed));
    Job::new(denoiser(), solver, grid, noise, Condition::default(), &[1, points, 2]).unwrap()
}

fn schedule() -> Arc<BetaSchedule> {
    Arc::new(BetaSchedule::new(BetaKind::Linear { start: 1e-4, end: 0.02 }, 1000, Tables::Exact).unwrap())
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
    let truth = flows(&start, first, last, 2000);
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
