//! `diffuse-cli plan`: a run's noise levels and its solver's coefficients, as a table.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use diffuse::onnx::{Manifest, Network, Schedule};
use diffuse::schedule::NoiseLevel;
use diffuse::solver::{Cursor, SOLVERS, Update};
use diffuse::{Error, Model, ModelOptions};

use crate::failure::Failure;
use crate::shared::{RuntimeArguments, SamplingArguments, print, print_json};

#[derive(Debug, Args)]
#[command(after_help = solvers())]
pub(crate) struct Arguments {
    /// The model whose schedule and defaults are meant; without one, --schedule
    model: Option<PathBuf>,
    /// A schedule of 1000 training steps, β from 1e-4 to 0.02, where no model is given
    #[arg(long, conflicts_with = "model", default_value = "linear")]
    schedule: ScheduleName,
    #[command(flatten)]
    sampling: SamplingArguments,
    #[command(flatten)]
    runtime: RuntimeArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScheduleName {
    Linear,
    ScaledLinear,
    Cosine,
    Sigmoid,
}

fn solvers() -> String {
    SOLVERS.iter().fold(String::from("The solvers are:\n"), |mut text, entry| {
        let _ = writeln!(text, "  {:8} {}", entry.name, entry.summary);
        text
    })
}

#[derive(serde::Serialize)]
struct Row {
    step: usize,
    stage: usize,
    /// The level that the network is evaluated at; none for a move without an evaluation.
    evaluate_at: Option<NoiseLevel>,
    update: Update,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let manifest = match &arguments.model {
        Some(path) => {
            let network = Network::open(&arguments.runtime.open()?, path, &ModelOptions::default())?;
            Model::new(network)?.manifest().clone()
        }
        None => without_a_model(arguments.schedule)?,
    };
    let (solver, grid) = arguments.sampling.request()?.plan(&manifest)?;
    let mut rows = Vec::new();
    let mut at = Cursor::default();
    while at.step < grid.steps() {
        let step = solver.plan(&grid, at);
        rows.push(Row {
            step: at.step,
            stage: at.stage,
            evaluate_at: solver.evaluate_at(&grid, at),
            update: step.update,
        });
        at = step.next;
    }
    if arguments.json {
        return print_json(&rows);
    }
    let mut text =
        format!("{solver}\nx ← x·a + x̂₀·b + d·c + z·e   (d: the x̂₀ that ε̂ is taken from; z: fresh noise)\n\n");
    let _ = writeln!(
        text,
        "{:>4} {:>8} {:>10} {:>10} {:>12} {:>12} {:>12} {:>12}",
        "step", "t", "α", "σ", "a", "b", "c", "e"
    );
    for Row { step, evaluate_at, update, .. } in &rows {
        let level = evaluate_at.map_or_else(
            || format!("{:>30}", "-"),
            |NoiseLevel { t, alpha, sigma }| format!("{t:>8} {alpha:>10.6} {sigma:>10.6}"),
        );
        // Adding 0 turns −0 into 0.
        let [x, denoised, direction, noise] =
            [update.x, update.denoised, update.direction, update.noise].map(|c| c + 0.0);
        let _ = writeln!(text, "{step:>4} {level} {x:>12.8} {denoised:>12.8} {direction:>12.8} {noise:>12.8}");
    }
    let NoiseLevel { t, alpha, sigma } = grid.end();
    let _ = writeln!(text, "{:>4} {t:>8} {alpha:>10.6} {sigma:>10.6}", "end");
    print(&text)
}

fn without_a_model(name: ScheduleName) -> Result<Manifest, Failure> {
    let (train_steps, beta_start, beta_end) = (1000, 1e-4, 0.02);
    let schedule = match name {
        ScheduleName::Linear => Schedule::Linear { train_steps, beta_start, beta_end },
        ScheduleName::ScaledLinear => Schedule::ScaledLinear { train_steps, beta_start, beta_end },
        ScheduleName::Cosine => Schedule::Cosine { train_steps },
        ScheduleName::Sigmoid => Schedule::Sigmoid { train_steps, beta_start, beta_end },
    };
    let json =
        serde_json::json!({"diffuse": 1, "sample": {"shape": [1]}, "schedule": schedule, "prediction": "epsilon"});
    Manifest::parse(&json.to_string()).map_err(|reason| Error::Model { model: "no model".into(), reason }.into())
}
