//! The stochastic solvers where the right distribution is known: 20,000 points of a mixture of three unequal modes.
//! `cargo test --test all distributions:: -- --nocapture` prints the figures.

use std::sync::Arc;

use diffuse::denoiser::{Condition, Denoiser, Query};
use diffuse::noise::CounterNoise;
use diffuse::schedule::{
    BetaKind, BetaSchedule, Flow, Grid, GridOptions, NoiseLevel, NoiseSchedule, Spacing, SubVariancePreserving, Tables,
    VarianceExploding, VariancePreserving,
};
use diffuse::solver::{self, Correction, Cursor, Move, PredictorCorrector, Solver, StepSize};
use diffuse::{Job, Request};
use ndarray::ArrayD;

use crate::order;
use crate::support::Formula;
use crate::support::mixture::{MODES, POINTS, denoiser, exact, flows, points, sliced_wasserstein, worst_deviation};

fn schedule(name: &str) -> Arc<dyn NoiseSchedule> {
    match name {
        "DDPM's" => {
            Arc::new(BetaSchedule::new(BetaKind::Linear { start: 1e-4, end: 0.02 }, 1000, Tables::Exact).unwrap())
        }
        "VP" => Arc::new(VariancePreserving::new(0.1, 20.0, 1e-3).unwrap()),
        "sub-VP" => Arc::new(SubVariancePreserving::new(0.1, 20.0, 1e-3).unwrap()),
        "VE" => Arc::new(VarianceExploding::new(0.01, 50.0, 1e-5).unwrap()),
        "flow" => Arc::new(Flow::new(1e-3).unwrap()),
        other => panic!("{other}"),
    }
}

/// The grid of `steps` steps that suits the schedule.
fn grid(name: &str, steps: usize) -> Grid {
    let spacing = if matches!(name, "DDPM's" | "flow") { Spacing::Trailing } else { Spacing::Linspace };
    Grid::spaced(schedule(name), &GridOptions::new(spacing, steps)).unwrap()
}

fn solver_of(name: &str, options: &[(&str, &str)]) -> Box<dyn Solver> {
    let request = options.iter().fold(Request::default(), |request, (key, value)| request.with(key, value).unwrap());
    solver::build(name, &request.options).unwrap()
}

fn draw(denoiser: Box<dyn Denoiser>, solver: Box<dyn Solver>, grid: Grid, seed: u64) -> Vec<[f64; 2]> {
    let noise = Box::new(CounterNoise::new(seed));
    let job = Job::new(denoiser, solver, grid, noise, Condition::default(), &[1, POINTS, 2]).unwrap();
    points(job.run().unwrap().view())
}

/// A solver whose noise is off by a factor.
#[derive(Debug)]
struct Louder(Box<dyn Solver>, f64);

impl std::fmt::Display for Louder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} with its noise times {}", self.0, self.1)
    }
}

impl Solver for Louder {
    fn evaluate_at(&self, grid: &Grid, at: Cursor) -> Option<NoiseLevel> {
        self.0.evaluate_at(grid, at)
    }

    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let mut step = self.0.plan(grid, at);
        step.update.noise *= self.1;
        step
    }

    fn slots(&self) -> usize {
        self.0.slots()
    }
}

/// A solver, its options, and the schedules that it is tried on.
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

const STOCHASTIC: &[Case] = &[
    ("ddpm", &[], &["DDPM's"]),
    ("ddpm", &[("variance", "beta")], &["DDPM's"]),
    ("ddim", &[("eta", "1")], &["VE", "flow"]),
    ("euler-ancestral", &[], &["VP"]),
    ("euler-ancestral-rf", &[], &["flow"]),
    ("euler-ancestral-rf", &[("eta", "0.5")], &["flow"]),
    ("dpm2", &[("eta", "1")], &["VP"]),
    ("dpm-solver-2s", &[("eta", "1")], &["VP"]),
    ("dpm-solver-2s", &[("eta", "1"), ("midpoint_noise", "1")], &["VE"]),
    ("dpm-solver", &[("algorithm", "sde-dpm-solver++"), ("order", "1")], &["VP"]),
    ("dpm-solver", &[("algorithm", "sde-dpm-solver++"), ("order", "2")], &["DDPM's", "flow"]),
    ("dpm-solver", &[("algorithm", "sde-dpm-solver++"), ("order", "3")], &["VE"]),
    ("dpm-solver", &[("algorithm", "sde-dpm-solver"), ("order", "2")], &["VP"]),
    ("dpm-solver-singlestep", &[("algorithm", "sde-dpm-solver++"), ("order", "3"), ("variant", "heun")], &["VP"]),
    ("sa-solver", &[("tau", "1"), ("tau_from", "0"), ("tau_to", "1")], &["VP"]),
    ("sa-solver", &[("tau", "0.6"), ("tau_from", "0"), ("tau_to", "1"), ("predict_x0", "0")], &["VP"]),
    ("heun", &[("s_churn", "80")], &["VE"]),
    ("euler", &[("s_churn", "10")], &["VE"]),
    ("reverse-sde", &[], &["VP", "sub-VP", "VE", "DDPM's"]),
    ("reverse-sde", &[("discretization", "euler-maruyama")], &["VP", "sub-VP", "VE", "DDPM's"]),
];

/// A solver and its options.
type Told = (&'static str, &'static [(&'static str, &'static str)]);

const LANGEVIN: Told = ("langevin", &[("corrector_steps", "20"), ("corrector_snr", "0.16")]);

/// What takes four steps with the network of a consistency model.
const CONSISTENT: &[Told] = &[
    ("lcm", &[]),
    ("consistency", &[]),
    ("tcd", &[("gamma", "0")]),
    ("tcd", &[("gamma", "0.3")]),
    ("tcd", &[("gamma", "1")]),
];

const ADAPTIVE: &str = "rk45";

/// The solvers that are held to a distribution here, or to the flow by a tolerance.
fn held() -> impl Iterator<Item = &'static str> {
    let told = CONSISTENT.iter().chain([&LANGEVIN]).map(|(name, _)| *name);
    STOCHASTIC.iter().map(|(name, ..)| *name).chain(told).chain([ADAPTIVE])
}

/// Those of the solvers that nothing from outside holds.
fn not_held<'a>(solvers: &[&'a str]) -> Vec<&'a str> {
    let held = |name: &str| held().chain(order::held()).any(|held| held == name);
    solvers.iter().copied().filter(|name| !held(name)).collect()
}

/// What a test says of a solver is read from the tables that the tests go through.
#[test]
fn every_solver_is_held_to_an_order_or_a_distribution() {
    assert!(
        not_held(solver::NAMES).is_empty(),
        "{:?}: a line is missing, in ORDERS of tests/all/order.rs or in a table of tests/all/distributions.rs",
        not_held(solver::NAMES)
    );
    assert_eq!(not_held(&["ddim", "another"]), ["another"]);
}

#[test]
fn at_a_thousand_steps_every_stochastic_solver_draws_from_the_mixture() {
    let mut wrong = Vec::new();
    for (name, options, schedules) in STOCHASTIC {
        for schedule in *schedules {
            let solver = solver_of(name, options);
            println!("{schedule}: {solver} {options:?}");
            let worst = worst_deviation(&draw(denoiser(), solver, grid(schedule, 1000), 5));
            if worst.is_nan() || worst > 4.0 {
                wrong.push(format!("{schedule}: {name} {options:?} is off by {worst:.1} standard errors"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn noise_that_is_louder_by_a_tenth_is_noticed() {
    for (name, options, schedules) in
        [STOCHASTIC[0], STOCHASTIC[3], STOCHASTIC[4], STOCHASTIC[10], STOCHASTIC[14], STOCHASTIC[18]]
    {
        let loud = Box::new(Louder(solver_of(name, options), 1.1));
        let worst = worst_deviation(&draw(denoiser(), loud, grid(schedules[0], 1000), 5));
        assert!(worst > 4.0, "{name} {options:?}: {worst:.1} standard errors");
    }
}

#[test]
fn the_error_falls_with_the_steps() {
    let reference = exact(1000);
    for (name, options, schedules) in [STOCHASTIC[3], STOCHASTIC[9], STOCHASTIC[18], STOCHASTIC[19]] {
        let error = |steps: usize| {
            sliced_wasserstein(&draw(denoiser(), solver_of(name, options), grid(schedules[0], steps), 5), &reference)
        };
        let errors = [50, 200, 1000].map(error);
        println!("{}: {name} {options:?}: {errors:.4?} at 50, 200, 1000 steps", schedules[0]);
        assert!(errors[0] > errors[1] && errors[1] > errors[2], "{name} {options:?}: {errors:?}");
    }
}

/// How far mean and standard deviation are from the mixture's, as a share of its standard deviation.
fn moments_off(points: &[[f64; 2]]) -> f64 {
    let n = points.len() as f64;
    let mut worst = 0f64;
    for axis in 0..2 {
        let mean: f64 = MODES.iter().map(|(w, m, _)| w * m[axis]).sum();
        let deviation =
            MODES.iter().map(|(w, m, s)| w * (s[axis].powi(2) + (m[axis] - mean).powi(2))).sum::<f64>().sqrt();
        let found = points.iter().map(|p| p[axis]).sum::<f64>() / n;
        let spread = (points.iter().map(|p| (p[axis] - found).powi(2)).sum::<f64>() / n).sqrt();
        println!("  mean {found:.4} for {mean:.4}, standard deviation {spread:.4} for {deviation:.4}");
        worst = worst.max((found - mean).abs() / deviation).max((spread - deviation).abs() / deviation);
    }
    worst
}

#[test]
fn langevin_and_corrections_keep_the_distribution() {
    println!("annealed Langevin");
    let langevin = solver_of(LANGEVIN.0, LANGEVIN.1);
    let off = moments_off(&draw(denoiser(), langevin, grid("VE", 100), 5));
    assert!(off < 0.03, "annealed Langevin: {off}");
    for (predictor, options, schedule, steps) in [
        ("reverse-sde", &[][..], "VP", 500),
        ("reverse-sde", &[], "sub-VP", 500),
        ("reverse-sde", &[], "VE", 500),
        ("ddim", &[], "VP", 100),
        ("dpm-solver", &[], "VE", 100),
    ] {
        println!("{predictor} with a correction a level, {schedule}");
        let correction = Correction { steps: 1, snr: 0.16, size: StepSize::Noise };
        let solver = Box::new(PredictorCorrector::new(solver_of(predictor, options), correction).unwrap());
        let off = moments_off(&draw(denoiser(), solver, grid(schedule, steps), 5));
        assert!(off < 0.03, "{predictor} on {schedule}: {off}");
    }
}

/// Steps by norms are for items of many values: a Gaussian of deviation 0.5 in 1,024 of them. One item is what it is
/// beside others.
#[test]
fn langevin_by_norms_keeps_a_gaussian_of_many_values() {
    let gaussian = || -> Box<dyn Denoiser> {
        Box::new(Formula(|query: Query<'_>, x0: &mut ArrayD<f32>| {
            let NoiseLevel { alpha, sigma, .. } = query.level;
            let share = alpha * 0.25 / (alpha * alpha * 0.25 + sigma * sigma);
            x0.zip_mut_with(&query.x, |x0, x| *x0 = (share * f64::from(*x)) as f32);
            Ok(())
        }))
    };
    let draw = |count: usize| {
        let options = [("corrector_steps", "10"), ("corrector_size", "norms")];
        let (grid, noise) = (grid("VE", 100), Box::new(CounterNoise::new(3)));
        Job::new(gaussian(), solver_of("langevin", &options), grid, noise, Condition::default(), &[count, 1024])
            .unwrap()
            .run()
            .unwrap()
    };
    let samples = draw(8);
    let deviation = (samples.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / samples.len() as f64).sqrt();
    println!("standard deviation {deviation:.4} for 0.5");
    assert!((deviation - 0.5).abs() < 0.015);
    assert_eq!(draw(1).as_slice().unwrap(), &samples.as_slice().unwrap()[..1024]);
}

/// A network that says where the trajectory ends, and for TCD where it is at the time s that the step goes by way of.
fn consistent(below: impl Fn(usize) -> Option<NoiseLevel> + Send + 'static) -> Box<dyn Denoiser> {
    let least = NoiseLevel { t: 0.0, alpha: 1.0, sigma: 2e-3 };
    Box::new(Formula(move |query: Query<'_>, x0: &mut ArrayD<f32>| {
        let NoiseLevel { alpha, sigma, .. } = query.level;
        let target = below(query.step).filter(|level| level.noise_to_signal() > 2e-3);
        let x = points(query.x.view());
        let ends = flows(&x, query.level, target.unwrap_or(least), 60);
        for ((x, end), x0) in x.iter().zip(ends).zip(x0.as_slice_mut().unwrap().chunks_exact_mut(2)) {
            for axis in 0..2 {
                // x̂₀ such that α_s·x̂₀ + σ_s·ε̂ is the point of the trajectory.
                x0[axis] = match target {
                    Some(s) => ((end[axis] - s.sigma / sigma * x[axis]) / (s.alpha - s.sigma / sigma * alpha)) as f32,
                    None => end[axis] as f32,
                };
            }
        }
        Ok(())
    }))
}

#[test]
fn consistency_models_draw_from_the_mixture_in_four_steps() {
    let grid = || Grid::spaced(schedule("DDPM's"), &GridOptions::new(Spacing::Lcm, 4)).unwrap();
    for (name, options) in CONSISTENT {
        println!("{name} {options:?}");
        // TCD goes by way of a time that γ says.
        let share =
            options.iter().find(|(key, _)| *key == "gamma").map(|(_, gamma)| 1.0 - gamma.parse::<f64>().unwrap());
        let levels = grid();
        let below = move |step: usize| {
            let t = (share? * levels.levels()[step + 1].t.max(0.0)).floor();
            Some(if t > 0.0 { levels.schedule().level(t) } else { levels.end() })
        };
        let worst = worst_deviation(&draw(consistent(below), solver_of(name, options), grid(), 5));
        assert!(worst < 4.0, "{name} {options:?} is off by {worst:.1} standard errors");
    }
}

#[test]
fn rk45_follows_the_flow_to_its_tolerance_and_says_so_where_it_cannot() {
    for name in ["VP", "VE", "sub-VP", "flow"] {
        let run = |tolerance: &str, most: &str, items: usize| {
            let options = [("rtol", tolerance), ("atol", tolerance), ("max_evaluations", most)];
            let grid = Grid::spaced(schedule(name), &GridOptions::new(Spacing::Linspace, 10)).unwrap();
            // To the last level that has noise, without the jump to the clean sample.
            let grid = Grid::new(grid.levels()[..10].to_vec(), schedule(name)).unwrap();
            let noise = Box::new(CounterNoise::new(7));
            let solver = solver_of(ADAPTIVE, &options);
            Job::new(denoiser(), solver, grid, noise, Condition::default(), &[items, 2]).unwrap()
        };
        let error = |tolerance: &str| {
            let mut job = run(tolerance, "100000", 50);
            let start = points(job.sample());
            let (first, last) = (job.grid().levels()[0], job.grid().end());
            let mut evaluations = 1;
            while !job.step().unwrap().is_finished() {
                evaluations += 1;
            }
            let found = points(job.sample());
            let from = if first.alpha == 0.0 { NoiseLevel { alpha: 1e-9, ..first } } else { first };
            let truth = flows(&start, from, last, 4000);
            let error = found.iter().zip(truth).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).fold(0.0, f64::max);
            println!(
                "{name}, tolerance {tolerance}: off by {error:.1e} at most, {} evaluations an item",
                evaluations / 50
            );
            error
        };
        let errors = ["1e-3", "1e-4", "1e-5"].map(error);
        assert!(errors[2] < 2e-3 && errors[0] > errors[2], "{name}: {errors:?}");
        // An item does not depend on the others.
        let (alone, together) = (run("1e-4", "100000", 1).run().unwrap(), run("1e-4", "100000", 3).run().unwrap());
        assert_eq!(alone.as_slice().unwrap(), &together.as_slice().unwrap()[..2], "{name}");
        let message = run("1e-6", "40", 1).run().unwrap_err().to_string();
        assert!(message.contains("after 40 evaluations") && message.contains("reached"), "{message}");
    }
}
