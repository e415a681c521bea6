//! DDPM and DDIM beside diffusers: the same start, network outputs and noise, compared after every step.
//! `onnx/goldens.py` wrote the traces.

use std::sync::Arc;

use diffuse::denoiser::{Clip, Condition, Denoiser, Direction, Threshold};
use diffuse::schedule::{BetaKind, BetaSchedule, Ending, Grid, GridOptions, Spacing, Tables};
use diffuse::settings::{Compat, Noise};
use diffuse::solver::{Ddim, Ddpm, Solver, Variance};
use diffuse::stage::pixels::rgba8;
use diffuse::{Job, Prediction, Request};
use ndarray::{Array1, ArrayD, ArrayViewD, Axis};
use sha2::{Digest, Sha256};

use crate::support::{Goldens, Recorded, RecordedNoise};

/// One trace's name, read back.
struct Case<'a> {
    solver: &'a str,
    beta: &'a str,
    grid: &'a str,
    prediction: Prediction,
    clip: bool,
    steps: usize,
    tables: Tables,
}

impl<'a> Case<'a> {
    fn parse(name: &'a str) -> Self {
        let [solver, beta, grid, prediction, clip, steps, tables] = name.split('/').collect::<Vec<_>>()[..] else {
            panic!("{name} is no trace")
        };
        Self {
            solver,
            beta,
            grid,
            prediction: match prediction {
                "epsilon" => Prediction::Epsilon,
                "x0" => Prediction::X0,
                "v" => Prediction::V,
                _ => panic!("{name}"),
            },
            clip: clip == "clip",
            steps: steps.parse().unwrap(),
            tables: if tables == "f64" { Tables::Exact } else { Tables::Diffusers },
        }
    }

    fn schedule(&self) -> Arc<BetaSchedule> {
        let kind = match self.beta {
            "linear" => BetaKind::Linear { start: 1e-4, end: 0.02 },
            "scaled_linear" => BetaKind::ScaledLinear { start: 0.00085, end: 0.012 },
            "cosine" => BetaKind::Cosine,
            "sigmoid" => BetaKind::Sigmoid { start: 1e-4, end: 0.02 },
            other => panic!("{other}"),
        };
        Arc::new(BetaSchedule::new(kind, 1000, self.tables).unwrap())
    }

    fn grid(&self) -> Grid {
        let (spacing, offset, ending) = match self.grid {
            "leading" => (Spacing::Leading, 0, Ending::Clean),
            "leading_offset_1_to_first" => (Spacing::Leading, 1, Ending::First),
            "trailing" => (Spacing::Trailing, 0, Ending::Clean),
            "linspace" => (Spacing::Linspace, 0, Ending::Clean),
            other => panic!("{other}"),
        };
        Grid::spaced(self.schedule(), &GridOptions { offset, ending, ..GridOptions::new(spacing, self.steps) }).unwrap()
    }

    fn solver(&self) -> Box<dyn Solver> {
        let ddim = |eta| Box::new(Ddim::like_diffusers(eta, 1000 / self.steps, self.tables).unwrap());
        match self.solver {
            "ddpm_posterior" => Box::new(Ddpm { variance: Variance::Posterior }),
            "ddpm_beta" => Box::new(Ddpm { variance: Variance::Beta }),
            "ddim_0" => ddim(0.0),
            "ddim_0.5" | "ddim_0.5_clipped_direction" => ddim(0.5),
            "ddim_1" => ddim(1.0),
            other => panic!("{other}"),
        }
    }

    fn job(&self, goldens: &Goldens, solver: Box<dyn Solver>) -> Job {
        let recorded = Recorded { outputs: goldens.tensor("outputs").clone(), prediction: self.prediction };
        let direction =
            if self.solver.ends_with("clipped_direction") { Direction::Clipped } else { Direction::Network };
        let denoiser: Box<dyn Denoiser> = if self.clip {
            Box::new(Clip::new(recorded, Threshold::Static([-1.0, 1.0]), direction).unwrap())
        } else {
            Box::new(recorded)
        };
        let noise = Box::new(RecordedNoise(goldens.tensor("noise").clone()));
        let start = goldens.tensor("start");
        let mut job = Job::new(denoiser, solver, self.grid(), noise, Condition::default(), start.shape()).unwrap();
        job.start_from(start.view()).unwrap();
        job
    }
}

fn largest(values: impl IntoIterator<Item = f32>) -> f32 {
    values.into_iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// How far a job's trajectory is from the trace, relative to max(1, max|x|) over the trajectory.
fn distance(mut job: Job, trace: &ArrayD<f32>, correction: Option<&ArrayD<f32>>) -> f32 {
    let scale = largest(trace.iter().copied()).max(1.0);
    let mut distance: f32 = 0.0;
    for (step, expected) in trace.axis_iter(Axis(0)).enumerate() {
        job.step().unwrap();
        let mut x = job.sample().to_owned();
        if step + 1 == trace.shape()[0]
            && let Some(correction) = correction
        {
            x += correction;
        }
        distance = distance.max(largest((&x - &expected).iter().copied()));
    }
    assert!(job.progress().is_finished());
    distance / scale
}

/// diffusers' `fixed_large` adds noise on the very last step, onto the clean sample, wherever that step does not start
/// at t = 0: by √β of the move, which is σ there. Ours does not; the difference must be exactly that noise.
fn noise_after_the_end(case: &Case<'_>, goldens: &Goldens) -> Option<ArrayD<f32>> {
    let grid = case.grid();
    let last = grid.levels()[case.steps - 1];
    (case.solver == "ddpm_beta" && last.t > 0.0)
        .then(|| goldens.tensor("noise").index_axis(Axis(0), case.steps - 1).to_owned() * last.sigma as f32)
}

#[test]
fn every_trajectory_matches() {
    let goldens = Goldens::open("onnx/goldens/trajectories.safetensors");
    let (mut compared, mut worst) = (0, Array1::<f32>::zeros(2));
    for name in goldens.names().filter(|name| name.contains('/')) {
        let case = Case::parse(name);
        let correction = noise_after_the_end(&case, &goldens);
        let distance = distance(case.job(&goldens, case.solver()), goldens.tensor(name), correction.as_ref());
        assert!(distance < 1e-5, "{name}: {distance:e}");
        worst[usize::from(case.tables == Tables::Diffusers)] =
            distance.max(worst[usize::from(case.tables == Tables::Diffusers)]);
        compared += 1;
    }
    println!("{compared} trajectories; furthest: {:e} with f64 tables, {:e} with diffusers' own", worst[0], worst[1]);
    assert!(compared > 1900, "only {compared} traces");
}

/// The comparison above can tell: each slip that a port is known to make is seen by it.
#[test]
fn the_comparison_sees_known_slips() {
    let goldens = Goldens::open("onnx/goldens/trajectories.safetensors");
    let distance_with = |name: &str, solver: Box<dyn Solver>| {
        let case = Case::parse(name);
        distance(case.job(&goldens, solver), goldens.tensor(name), None)
    };
    // η off by a thousandth.
    let ddim = |eta| Box::new(Ddim::like_diffusers(eta, 100, Tables::Exact).unwrap());
    assert!(distance_with("ddim_0.5/linear/leading/epsilon/clip/10/f64", ddim(0.501)) > 1e-5);
    // The next level of the grid, where diffusers strides by T/N: right, and another picture.
    let right = Box::new(Ddim::new(0.0).unwrap());
    assert!(distance_with("ddim_0/linear/linspace/epsilon/clip/10/f64", right) > 1e-2);
    // β for β̃.
    assert!(
        distance_with("ddpm_posterior/linear/leading/epsilon/clip/10/f64", Box::new(Ddpm { variance: Variance::Beta }))
            > 1e-3
    );
    // Tables of the other precision.
    let mut case = Case::parse("ddim_1/cosine/trailing/v/free/10/f32");
    case.tables = Tables::Exact;
    assert!(
        distance(case.job(&goldens, case.solver()), goldens.tensor("ddim_1/cosine/trailing/v/free/10/f32"), None)
            > 1e-5
    );
    // ε̂ of the clipped x̂₀, where the network's is kept.
    let mut case = Case::parse("ddim_0.5/linear/leading/epsilon/clip/10/f64");
    case.solver = "ddim_0.5_clipped_direction";
    assert!(
        distance(
            case.job(&goldens, case.solver()),
            goldens.tensor("ddim_0.5/linear/leading/epsilon/clip/10/f64"),
            None
        ) > 1e-2
    );
}

/// Where every stride is the same, which is so on the usual grids, the default is the same as diffusers' form.
#[test]
fn on_the_usual_grids_the_default_is_the_same() {
    let goldens = Goldens::open("onnx/goldens/trajectories.safetensors");
    for name in ["ddim_0/linear/leading/epsilon/clip/10/f64", "ddim_1/cosine/trailing/v/clip/10/f64"] {
        let case = Case::parse(name);
        let eta = if case.solver == "ddim_1" { 1.0 } else { 0.0 };
        let distance = distance(case.job(&goldens, Box::new(Ddim::new(eta).unwrap())), goldens.tensor(name), None);
        assert!(distance < 1e-5, "{name}: {distance:e}");
    }
}

/// The whole way: ONNX Runtime, our solvers and our copy of torch's generator, beside torch and diffusers' DDIM and
/// DDPM.
#[test]
fn the_sprite_pictures_are_those_of_torch() {
    let goldens = Goldens::open("onnx/goldens/sprites.safetensors");
    let classes: Vec<i64> = goldens.tensor("classes").iter().map(|&class| class as i64).collect();
    let model = crate::support::model("onnx/models/sprites.onnx");
    let draw = |solver: &str, eta: Option<f64>, seed| {
        let mut request = Request {
            seed,
            count: classes.len(),
            classes: Some(classes.clone()),
            solver: Some(solver.into()),
            steps: Some(50),
            grid: Some(Spacing::Trailing),
            compat: Compat::Diffusers,
            noise: Noise::Torch,
            ..Request::default()
        };
        if let Some(eta) = eta {
            request.set("eta", eta).unwrap();
        }
        let job = request.job(&model).unwrap();
        assert!(seed != 5 || job.sample() == goldens.tensor("start").view(), "the start is torch's");
        let samples = job.run().unwrap();
        let pixels = |item: ArrayViewD<'_, f32>| rgba8(item.into_dimensionality().unwrap(), [-1.0, 1.0]).unwrap();
        samples.outer_iter().flat_map(|item| pixels(item).into_iter()).collect::<Vec<u8>>()
    };
    let apart = |drawn: &[u8], name: &str| -> Vec<f32> {
        let expected = goldens.tensor(name);
        assert_eq!(drawn.len(), expected.len());
        drawn.iter().zip(expected).map(|(&drawn, &expected)| (f32::from(drawn) - expected).abs()).collect()
    };
    for (name, solver, eta) in [("ddim_0", "ddim", Some(0.0)), ("ddim_1", "ddim", Some(1.0)), ("ddpm", "ddpm", None)] {
        let apart = apart(&draw(solver, eta, 5), name);
        let most = largest(apart.iter().copied());
        let differing = apart.iter().filter(|&&difference| difference > 0.0).count();
        println!("{name}: {differing} of {} values differ from torch's, by at most {most}", apart.len());
        assert!(most <= 1.0, "{name}: {most}");
    }
    // Another η, and another seed, is another picture, and the comparison says so.
    assert!(largest(apart(&draw("ddim", Some(0.3), 5), "ddim_0")) > 1.0);
    assert!(largest(apart(&draw("ddpm", None, 6), "ddpm")) > 1.0);
}

/// The times of every grid, 1 to 1,000 steps. Ties are rounded as numpy rounds them, which a formula with another order
/// of operations misses for dozens of numbers of steps.
#[test]
fn every_grid_visits_the_times_of_diffusers() {
    #[derive(serde::Deserialize)]
    struct Golden {
        sha256: String,
        skipped: Vec<usize>,
    }
    let text = std::fs::read_to_string(crate::support::repository("onnx/goldens/timesteps.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&text).unwrap();
    let schedule =
        Arc::new(BetaSchedule::new(BetaKind::Linear { start: 1e-4, end: 0.02 }, 1000, Tables::Exact).unwrap());
    for (name, spacing) in
        [("leading", Spacing::Leading), ("trailing", Spacing::Trailing), ("linspace", Spacing::Linspace)]
    {
        let Golden { sha256, skipped } = serde_json::from_value(golden["grids"][name].clone()).unwrap();
        let mut digest = Sha256::new();
        for steps in (1..=1000).filter(|steps| !skipped.contains(steps)) {
            let grid = Grid::spaced(Arc::clone(&schedule) as _, &GridOptions::new(spacing, steps)).unwrap();
            grid.levels()[..steps].iter().for_each(|level| digest.update((level.t as i64).to_le_bytes()));
        }
        let found: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, sha256, "{name}");
        assert!(skipped.len() < 70, "{name}");
    }
}
