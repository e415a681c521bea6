//! `diffuse-cli plan`: prints a run's noise levels and its solver's coefficients, as a table.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use diffuse::model::Manifest;
use diffuse::request::Plan as Planned;
use diffuse::schedule::{Grid, NoiseLevel};
use diffuse::solver::{Cursor, Deviation, SOLVERS, Solver, Update};
use diffuse::{Error, ModelOptions};

use crate::failure::Failure;
use crate::input::ModelInput;
use crate::output::{MODEL, Source, model_sources};
use crate::shared::{RuntimeArguments, SamplingArguments, print, print_json};

#[derive(Debug, Args)]
#[command(after_help = solvers())]
pub(crate) struct Arguments {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    plan: PlanArguments,
}

/// The model or schedule of a run, and how it is sampled.
#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// The model whose schedule and defaults are used. Without one, --schedule sets the schedule.
    model: Option<PathBuf>,
    /// The schedule without a model, with its usual numbers: 1000 training steps, β from 1e-4 to 0.02, VE from 0.01 to
    /// 50.
    #[arg(long, conflicts_with_all = ["model", "scheduler_config"], default_value = "linear")]
    schedule: ScheduleName,
    #[command(flatten)]
    sampling: SamplingArguments,
    #[command(flatten)]
    runtime: RuntimeArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScheduleName {
    Linear,
    ScaledLinear,
    Cosine,
    Sigmoid,
    SigmoidAlphaBar,
    Exponential,
    Laplace,
    Vp,
    SubVp,
    Ve,
    Edm,
    Flow,
    ContinuousCosine,
}

fn solvers() -> String {
    SOLVERS.iter().fold(String::from("Solvers:\n"), |mut text, entry| {
        let _ = writeln!(text, "  {:21} {}", entry.name, entry.summary);
        text
    })
}

/// The most moves that are listed or drawn.
const MOST_MOVES: usize = 100_000;

/// A run's moves, without its network.
pub(crate) struct Plan {
    pub(crate) solver: Box<dyn Solver>,
    pub(crate) grid: Grid,
    pub(crate) rows: Vec<Row>,
}

#[derive(serde::Serialize)]
pub(crate) struct Row {
    step: usize,
    stage: usize,
    /// The level at which the network is evaluated. `None` for a move without an evaluation.
    evaluate_at: Option<NoiseLevel>,
    pub(crate) update: Update,
    /// The slot that is written to, and what it holds from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    keep: Option<(usize, Update)>,
    /// Whether x, as it was before, is saved.
    save: bool,
    /// The factor of the fresh noise, value by value.
    #[serde(skip_serializing_if = "Option::is_none")]
    deviation: Option<Deviation>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = arguments.plan.plan()?;
    if arguments.json {
        return print_json(&plan.rows);
    }
    print(&plan.table())
}

impl PlanArguments {
    /// The files that are read, so that they are not written over.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let model = self.model.iter().flat_map(|path| model_sources(MODEL, path));
        let config = self.sampling.path().map(|path| ("the scheduler's configuration", path.to_path_buf()));
        // ONNX Runtime is open already, and only its path is needed.
        let runtime = self.model.as_ref().and_then(|_| self.runtime.open().ok());
        let library = runtime.map(|runtime| ("ONNX Runtime's library", runtime.path().to_path_buf()));
        model.chain(config).chain(library).collect()
    }

    pub(crate) fn plan(&self) -> Result<Plan, Failure> {
        let request = self.sampling.request()?;
        let Planned { solver, grid, .. } = match (&self.model, self.sampling.scheduler_config()?) {
            (Some(path), _) => {
                let model = ModelInput::read("the model", path)?;
                request.plan_sampling(&model.open(&self.runtime.open()?, &ModelOptions::default())?)?
            }
            (None, Some(config)) => request.plan(&manifest_of(
                serde_json::to_value(&config.schedule),
                serde_json::to_value(config.prediction),
                serde_json::to_value(config.variance),
                config.sigma_data,
            )?)?,
            (None, None) => request.plan(&without_a_model(self.schedule)?)?,
        };
        let mut rows = Vec::new();
        let mut at = Cursor::default();
        while at.step < grid.steps() {
            if rows.len() == MOST_MOVES {
                return Err(Failure::Usage(format!("--steps: more than {MOST_MOVES} moves; a plan is for fewer")));
            }
            let step = solver.plan(&grid, at);
            rows.push(Row {
                step: at.step,
                stage: at.stage,
                evaluate_at: solver.evaluate_at(&grid, at),
                update: step.update,
                keep: step.keep,
                save: step.save,
                deviation: (step.deviation != Deviation::One).then_some(step.deviation),
            });
            at = step.next;
        }
        Ok(Plan { solver, grid, rows })
    }
}

/// The name of a coefficient, and the coefficient.
type Column = (String, Box<dyn Fn(&Update) -> f64>);

impl Plan {
    /// The coefficients that are not 0 everywhere.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let mut columns: Vec<Column> = vec![
            ("x".into(), Box::new(|update| update.x)),
            ("x̂₀".into(), Box::new(|update| update.denoised)),
            ("d".into(), Box::new(|update| update.direction)),
            ("z".into(), Box::new(|update| update.noise)),
            ("saved".into(), Box::new(|update| update.saved)),
        ];
        for slot in 0..self.solver.slots() {
            columns.push((format!("h{slot}"), Box::new(move |update| update.history[slot])));
        }
        columns.retain(|(_, of)| self.rows.iter().any(|row| of(&row.update) != 0.0));
        columns
    }

    fn table(&self) -> String {
        let Self { solver, grid, rows } = self;
        let columns = self.columns();
        let saved = usize::from(rows.iter().any(|row| row.save));
        let mut text = format!("{solver}\n");
        if solver.adaptive().is_some() {
            text += "It chooses its own steps between the first and the last noisy level. The rows below are Euler's on the grid.\n";
        }
        let _ = writeln!(
            text,
            "{} evaluations. It keeps {} tensors beside x and x̂₀. Each row sets x to a sum: each column's tensor times its number \
         (d: the x̂₀ that ε̂ is taken from; z: fresh noise; saved: the x saved in a row marked s; h: kept by earlier rows)\n",
            rows.iter().filter(|row| row.evaluate_at.is_some()).count(),
            solver.slots() + saved
        );
        let _ = write!(text, "{:>6} {:>9} {:>11} {:>11}", "step", "t", "α", "σ");
        for (name, _) in &columns {
            let _ = write!(text, " {name:>13}");
        }
        text.push('\n');
        for Row { step, stage, evaluate_at, update, save, .. } in rows {
            let level = evaluate_at.map_or_else(
                || format!("{:>33}", "-"),
                |NoiseLevel { t, alpha, sigma }| format!("{t:>9.4} {alpha:>11.6} {sigma:>11.6}"),
            );
            let mark = if *save { "s" } else { "" };
            let place = if *stage == 0 { step.to_string() } else { format!("{step}.{stage}") };
            let _ = write!(text, "{:>6} {level}", mark.to_owned() + &place);
            for (_, of) in &columns {
                // Adding 0 turns −0 into 0.
                let _ = write!(text, " {:>13.8}", of(update) + 0.0);
            }
            text.push('\n');
        }
        let NoiseLevel { t, alpha, sigma } = grid.end();
        let _ = writeln!(text, "{:>6} {t:>9.4} {alpha:>11.6} {sigma:>11.6}", "end");
        text
    }
}

fn without_a_model(name: ScheduleName) -> Result<Manifest, Failure> {
    let name = name.to_possible_value().map_or(String::new(), |value| value.get_name().replace('-', "_"));
    let mut schedule = serde_json::json!({"kind": name});
    if name == "ve" {
        schedule = serde_json::json!({"kind": name, "sigma_min": 0.01, "sigma_max": 50.0});
    }
    // The coefficients do not depend on the prediction, and x₀ is possible at every level.
    manifest_of(Ok(schedule), Ok("x0".into()), Ok("none".into()), None)
}

fn manifest_of(
    schedule: serde_json::Result<serde_json::Value>,
    prediction: serde_json::Result<serde_json::Value>,
    variance: serde_json::Result<serde_json::Value>,
    sigma_data: Option<f64>,
) -> Result<Manifest, Failure> {
    let (Ok(schedule), Ok(prediction), Ok(variance)) = (schedule, prediction, variance) else {
        return Err(Failure::Other("the schedule cannot be written as JSON".into()));
    };
    let mut sample = serde_json::json!({"shape": [1]});
    if let Some(sigma_data) = sigma_data {
        sample["sigma_data"] = sigma_data.into();
    }
    let json = serde_json::json!({"diffuse": 1, "sample": sample, "schedule": schedule, "prediction": prediction, "variance": variance});
    Manifest::parse(&json.to_string()).map_err(|reason| Error::Model { model: "no model".into(), reason }.into())
}
