//! The orders of convergence of the deterministic solvers, measured where the flow is known: a mixture of Gaussians,
//! Karras' spacing from σ/α = 80 to 0.002, no jump onto the clean sample, full order to the end.
//! `cargo test --test all order:: -- --nocapture` prints the slopes.
//!
//! Two solvers have not come within 0.3 of their order by 320 steps on these narrow modes, and are held to it at 640 to
//! 1280: DPM-Solver++ 3M, whose third-order part still weighs (2.4 on the way to 2), and LMS-4 (3.7 on the way to 4,
//! and 3.1 to 5.1 on the straight path, where its error changes sign).

use std::sync::Arc;

use diffuse::Request;
use diffuse::noise::{CounterNoise, Draw, NoiseSource};
use diffuse::schedule::{Edm, Flow, Grid, NoiseLevel, NoiseSchedule, VariancePreserving};
use diffuse::solver::{self, Cursor, Solver, Update};

use crate::support::mixture::{Mixture, flows};

/// The orders are read from the first four; the others show where what is far from its order there is bound for.
const STEPS: [usize; 6] = [40, 80, 160, 320, 640, 1280];
const POINTS: usize = 32;

/// A run in f64, straight from the coefficients, so that rounding does not hide the higher orders.
fn run(solver: &dyn Solver, grid: &Grid, start: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mut x = start.to_vec();
    let mut denoised = x.clone();
    let mut saved = x.clone();
    let mut history = vec![x.clone(); solver.slots()];
    let mut at = Cursor::default();
    while at.step < grid.steps() {
        if let Some(level) = solver.evaluate_at(grid, at) {
            let mixture = Mixture::at(level);
            denoised = x.iter().map(|&x| mixture.denoise(x)).collect();
        }
        let step = solver.plan(grid, at);
        let sum = |update: &Update, i: usize, axis: usize| {
            assert_eq!(update.noise, 0.0, "{solver} is not deterministic");
            let kept: f64 = (0..history.len()).map(|slot| update.history[slot] * history[slot][i][axis]).sum();
            let said = (update.denoised + update.direction) * denoised[i][axis];
            update.x * x[i][axis] + said + update.saved * saved[i][axis] + kept
        };
        let all = |update: &Update| (0..x.len()).map(|i| [0, 1].map(|axis| sum(update, i, axis))).collect::<Vec<_>>();
        let (next, keep) = (all(&step.update), step.keep.map(|(slot, kept)| (slot, all(&kept))));
        if step.save {
            saved.clone_from(&x);
        }
        if let Some((slot, kept)) = keep {
            history[slot] = kept;
        }
        x = next;
        at = step.next;
    }
    x
}

fn grid(schedule: &Arc<dyn NoiseSchedule>, steps: usize) -> Grid {
    let [most, least] = [80f64, 0.002].map(|u| u.powf(1.0 / 7.0));
    let level = |i: usize| {
        let u = (most + i as f64 / steps as f64 * (least - most)).powi(7);
        let level = schedule.level(schedule.time(-u.ln()));
        NoiseLevel { sigma: level.alpha * u, ..level }
    };
    Grid::new((0..=steps).map(level).collect(), Arc::clone(schedule)).unwrap()
}

/// The slopes of the error over the numbers of steps, and their median.
fn slopes(solver: &dyn Solver, schedule: &Arc<dyn NoiseSchedule>, start: &[[f64; 2]], exact: &[[f64; 2]]) -> Vec<f64> {
    let error = |steps: usize| {
        let grid = grid(schedule, steps);
        // Of the same clean sample a schedule may have more or less in it: the start is in the scaling of the grid.
        let scale = grid.levels()[0].alpha;
        let start: Vec<_> = start.iter().map(|y| y.map(|value| value * scale)).collect();
        let end = run(solver, &grid, &start);
        let scale = grid.end().alpha;
        let square =
            |(x, y): (&[f64; 2], &[f64; 2])| (0..2).map(|axis| (x[axis] / scale - y[axis]).powi(2)).sum::<f64>();
        (end.iter().zip(exact).map(square).sum::<f64>() / POINTS as f64).sqrt()
    };
    let errors = STEPS.map(error);
    errors.windows(2).map(|pair| (pair[0] / pair[1]).log2()).collect()
}

fn solver_of(name: &str, options: &[(&str, &str)]) -> Box<dyn Solver> {
    let request = options.iter().fold(Request::default(), |request, (key, value)| request.with(key, value).unwrap());
    solver::build(name, &request.options).unwrap()
}

/// A solver, its options, and its order.
type Case = (&'static str, &'static [(&'static str, &'static str)], f64);

const FULL: (&str, &str) = ("lower_order_final", "0");

const ORDERS: &[Case] = &[
    ("ddim", &[], 1.0),
    ("euler", &[], 1.0),
    ("gradient-estimation", &[], 1.0),
    ("heun", &[], 2.0),
    ("dpm2", &[], 2.0),
    ("dpm-solver-2s", &[], 2.0),
    ("pndm", &[], 2.0),
    ("pndm", &[("warmup", "runge-kutta")], 2.0),
    ("dpm-solver", &[("order", "1"), FULL], 1.0),
    ("dpm-solver", &[("order", "2"), FULL], 2.0),
    ("dpm-solver", &[("order", "2"), ("variant", "heun"), FULL], 2.0),
    ("dpm-solver", &[("order", "3"), FULL], 2.0),
    ("dpm-solver", &[("algorithm", "dpm-solver"), ("order", "2"), FULL], 2.0),
    ("dpm-solver", &[("algorithm", "dpm-solver"), ("order", "3"), FULL], 2.0),
    ("dpm-solver-singlestep", &[("order", "2"), FULL], 2.0),
    ("dpm-solver-singlestep", &[("order", "2"), ("algorithm", "dpm-solver"), FULL], 2.0),
    ("deis", &[("order", "1"), FULL], 1.0),
    ("deis", &[("order", "2"), FULL], 2.0),
    ("deis", &[("order", "3"), FULL], 3.0),
    ("lms", &[("lms_order", "2")], 2.0),
    ("lms", &[("lms_order", "3")], 3.0),
    ("lms", &[("lms_order", "4")], 4.0),
    ("unipc", &[("order", "1"), FULL], 2.0),
    ("unipc", &[("order", "2"), FULL], 3.0),
    ("unipc", &[("order", "3"), FULL], 4.0),
    ("sa-solver", &[("tau", "0"), ("predictor_order", "2"), ("corrector_order", "0"), FULL], 2.0),
    ("sa-solver", &[("tau", "0"), ("predictor_order", "2"), ("corrector_order", "2"), FULL], 2.0),
    ("sa-solver", &[("tau", "0"), ("predictor_order", "3"), ("corrector_order", "0"), FULL], 3.0),
];

/// The solvers that are held to an order here.
pub(crate) fn held() -> impl Iterator<Item = &'static str> {
    ORDERS.iter().map(|(name, ..)| *name)
}

#[test]
fn every_solver_converges_with_its_order() {
    let mut values = vec![0.0; POINTS * 2];
    CounterNoise::new(3).fill(Draw::Start, POINTS * 2, &mut values);
    let start: Vec<[f64; 2]> = values.chunks_exact(2).map(|z| [0, 1].map(|axis| 80.0 * f64::from(z[axis]))).collect();
    let ends = [80.0, 0.002].map(|sigma| NoiseLevel { t: 0.0, alpha: 1.0, sigma });
    let exact = flows(&start, ends[0], ends[1], 40000);

    let schedules: [(&str, Arc<dyn NoiseSchedule>); 3] = [
        ("VE", Arc::new(Edm::new(0.002, 80.0).unwrap())),
        ("VP", Arc::new(VariancePreserving::new(0.1, 20.0, 1e-6).unwrap())),
        ("flow", Arc::new(Flow::new(1e-3).unwrap())),
    ];
    let mut wrong = Vec::new();
    for (name, options, order) in ORDERS {
        let solver = solver_of(name, options);
        for (label, schedule) in &schedules {
            let slopes = slopes(&*solver, schedule, &start, &exact);
            let mut sorted = slopes[..3].to_vec();
            sorted.sort_by(f64::total_cmp);
            let late = matches!((*name, *options), ("dpm-solver", [("order", "3"), _]) | ("lms", [("lms_order", "4")]));
            let slope = if late { slopes[4] } else { sorted[1] };
            println!(
                "{label:4} {solver} {options:?}: {slopes:.2?}, expected {order}{}",
                if late { " at the end" } else { "" }
            );
            if (slope - order).abs() > 0.3 {
                wrong.push(format!("{solver} {options:?} on {label}: {slope:.2} for {order}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
