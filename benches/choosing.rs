//! Which solver and grid are best at few evaluations. It measures on the mixture of Gaussians whose denoiser is a
//! formula, and on the sprite model. The manifest's defaults were chosen from its tables. Run it with
//! `cargo bench --bench choosing`.

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;

use diffuse::denoiser::Condition;
use diffuse::noise::CounterNoise;
use diffuse::schedule::{
    BetaKind, BetaSchedule, ContinuousCosine, Edm, Flow, Grid, GridOptions, NoiseLevel, NoiseSchedule, Spacing, Tables,
};
use diffuse::solver::{self, Cursor, Solver};
use diffuse::{Job, Request};
use ndarray::ArrayD;
use support::mixture::{denoiser, flows, points};
use support::model;

const BUDGETS: [usize; 4] = [5, 10, 20, 50];
const POINTS: usize = 2000;

type Options = &'static [(&'static str, &'static str)];

const SOLVERS: &[(&str, Options)] = &[
    ("ddim", &[]),
    ("heun", &[]),
    ("dpm2", &[]),
    ("dpm-solver-2s", &[]),
    ("lms", &[]),
    ("pndm", &[]),
    ("dpm-solver", &[("order", "2")]),
    ("dpm-solver", &[("order", "3")]),
    ("dpm-solver-singlestep", &[("order", "2")]),
    ("deis", &[("order", "3")]),
    ("unipc", &[("order", "2")]),
    ("unipc", &[("order", "3")]),
];

fn solver_of(name: &str, options: Options) -> Box<dyn Solver> {
    let request = options.iter().fold(Request::default(), |request, (key, value)| request.with(key, value).unwrap());
    solver::build(name, &request.options).unwrap()
}

fn evaluations(solver: &dyn Solver, grid: &Grid) -> usize {
    let (mut at, mut count) = (Cursor::default(), 0);
    while at.step < grid.steps() {
        count += usize::from(solver.evaluate_at(grid, at).is_some());
        at = solver.plan(grid, at).next;
    }
    count
}

/// The most steps that the evaluations allow.
fn steps_within(budget: usize, solver: &dyn Solver, grid: impl Fn(usize) -> Option<Grid>) -> Option<Grid> {
    (1..=budget).rev().find_map(|steps| grid(steps).filter(|grid| evaluations(solver, grid) <= budget))
}

fn line(label: &str, errors: &[Option<f64>]) {
    let cells: Vec<String> =
        errors.iter().map(|error| error.map_or("–".into(), |error| format!("{error:.4}"))).collect();
    println!("| {label} | {} |", cells.join(" | "));
}

fn header(title: &str) {
    println!(
        "\n{title}\n\n| solver, grid | {} |\n|---|---|---|---|---|",
        BUDGETS.map(|n| format!("{n} evaluations")).join(" | ")
    );
}

/// The median distance of the ends of the trajectories from where the exact flow ends.
fn on_the_mixture(schedule: &Arc<dyn NoiseSchedule>, spacings: &[Spacing]) {
    let first = schedule.level(schedule.bounds()[1]);
    let least = NoiseLevel { t: 0.0, alpha: 1.0, sigma: 1e-3 };
    let run = |solver: Box<dyn Solver>, grid: Grid| {
        let noise = Box::new(CounterNoise::new(5));
        let job = Job::new(denoiser(), solver, grid, noise, Condition::default(), &[1, POINTS, 2]).unwrap();
        (points(job.sample()), job.run().map(|samples| points(samples.view())))
    };
    let any = Grid::spaced(Arc::clone(schedule), &GridOptions::new(Spacing::Linspace, 2)).unwrap();
    let (start, _) = run(solver_of("ddim", &[]), any);
    let from = if first.alpha == 0.0 { NoiseLevel { alpha: 1e-9, ..first } } else { first };
    let truth = flows(&start, from, least, 1000);
    for (name, options) in SOLVERS {
        for &spacing in spacings {
            let errors = BUDGETS.map(|budget| {
                let solver = solver_of(name, options);
                let made = |steps| Grid::spaced(Arc::clone(schedule), &GridOptions::new(spacing, steps)).ok();
                let grid = steps_within(budget, &*solver, made)?;
                let found = run(solver, grid).1.ok()?;
                let mut off: Vec<f64> =
                    found.iter().zip(&truth).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).collect();
                off.sort_by(f64::total_cmp);
                Some(off[POINTS / 2])
            });
            line(
                &format!("{name} {}, {}", options.iter().map(|(_, value)| *value).collect::<String>(), spacing.word()),
                &errors,
            );
        }
    }
}

/// The root of the mean square difference of the pictures from those of 1,000 steps of DDIM from the same noise.
fn on_the_sprites() {
    let model = model("onnx/models/sprites.onnx");
    let classes: Vec<i64> = (0..8).collect();
    let request = |solver: &str, spacing: Spacing, steps: usize| Request {
        seed: 3,
        count: classes.len(),
        classes: Some(classes.clone()),
        solver: Some(solver.into()),
        grid: Some(spacing),
        steps: Some(steps),
        ..Request::default()
    };
    let reference = request("ddim", Spacing::Trailing, 1000).job(&model).unwrap().run().unwrap();
    let distance = |a: &ArrayD<f32>| {
        let square: f64 = a.iter().zip(&reference).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        (square / a.len() as f64).sqrt()
    };
    for (name, options) in SOLVERS {
        for spacing in [Spacing::Trailing, Spacing::Karras, Spacing::Exponential] {
            let errors = BUDGETS.map(|budget| {
                let made = |steps: usize| {
                    let mut request = request(name, spacing, steps);
                    options.iter().try_for_each(|(key, value)| request.set(key, value)).ok()?;
                    Some(request)
                };
                let grid = |steps| made(steps)?.plan(model.manifest()).ok().map(|plan| plan.grid);
                let grid = steps_within(budget, &*solver_of(name, options), grid)?;
                Some(distance(&made(grid.steps())?.job(&model).ok()?.run().ok()?))
            });
            line(
                &format!("{name} {}, {}", options.iter().map(|(_, value)| *value).collect::<String>(), spacing.word()),
                &errors,
            );
        }
    }
}

fn main() {
    let beta = BetaSchedule::new(BetaKind::Linear { start: 1e-4, end: 0.02 }, 1000, Tables::Exact).unwrap();
    header("Mixture, DDPM's linear schedule: median distance from the exact flow");
    on_the_mixture(&(Arc::new(beta) as _), &[Spacing::Trailing, Spacing::Karras, Spacing::Exponential]);
    header("Mixture, EDM: median distance from the exact flow");
    on_the_mixture(&(Arc::new(Edm::new(0.002, 80.0).unwrap()) as _), &[Spacing::Karras, Spacing::Exponential]);
    header("Mixture, flow matching: median distance from the exact flow");
    on_the_mixture(&(Arc::new(Flow::new(1e-3).unwrap()) as _), &[Spacing::Trailing, Spacing::Linspace]);
    header("Mixture, the cosine in continuous time: median distance from the exact flow");
    let cosine = ContinuousCosine::new(0.008, 1e-3).unwrap();
    on_the_mixture(&(Arc::new(cosine) as _), &[Spacing::Trailing, Spacing::Exponential]);
    header("Sprites (cosine): root mean square difference from 1,000 steps of DDIM");
    on_the_sprites();
}
