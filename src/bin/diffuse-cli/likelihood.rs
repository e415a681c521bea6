//! `diffuse-cli likelihood`: computes the likelihood of given samples under a model.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use diffuse::likelihood::{Divergence, bits_per_dim};
use diffuse::sample::Canceller;
use diffuse::solver::{Adaptive, Variance};
use diffuse::{Error, Request};

use crate::conditions::{self, HELP};
use crate::failure::Failure;
use crate::input::{Input, ModelInput};
use crate::shared::{DeviceArguments, RuntimeArguments, classes_of, print, print_json};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The model.
    model: PathBuf,
    /// The samples: a .npy with the batch first, as `generate` writes it.
    samples: PathBuf,
    /// The class of every sample, by name or number, separated by commas. May be given more than once.
    #[arg(long, value_name = "NAME")]
    class: Vec<String>,
    #[arg(long, value_name = "NAME=X", help = HELP)]
    condition: Vec<String>,
    /// The number of random directions of Hutchinson's estimate. 0 computes the whole divergence, for points and other
    /// small samples.
    #[arg(long, value_name = "N", default_value_t = 0)]
    directions: usize,
    /// The tolerated error of a step.
    #[arg(long, value_name = "X", default_value_t = 1e-5)]
    tolerance: f64,
    /// The seed of the directions, or of the bound's noise.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Computes DDPM's variational bound instead, of 8-bit values from -1 to 1, with this variance of the reverse
    /// process.
    #[arg(long, value_name = "VARIANCE", conflicts_with_all = ["directions", "tolerance"], value_parser = clap::builder::PossibleValuesParser::new(Variance::WORDS))]
    bound: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    runtime: RuntimeArguments,
}

/// An error of the library, in terms of this command's arguments.
fn named(error: Error) -> Failure {
    match error {
        Error::Argument { name: "shape" | "x", reason } => Failure::Usage(format!("the samples: {reason}")),
        Error::Argument { name: "classes", reason } => Failure::Usage(format!("--class: {reason}")),
        Error::Argument { name: "condition", reason } => Failure::Usage(format!("--condition: {reason}")),
        Error::Argument { name: "divergence", reason } => Failure::Usage(format!("--directions: {reason}")),
        Error::Argument { name: "variance" | "schedule", reason } => Failure::Usage(format!("--bound: {reason}")),
        error => error.into(),
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let samples = Input::values("", &arguments.samples)?;
    let x = samples.array("a .npy of numbers")?;
    if x.is_empty() || x.ndim() == 0 {
        return Err(samples.refused("there is no batch of samples in it"));
    }
    drop(samples);
    let x = x.view();
    if !(1e-9..=0.1).contains(&arguments.tolerance) {
        return Err(Failure::Usage(format!(
            "--tolerance: {}; expected a number from 1e-9 to 0.1",
            arguments.tolerance
        )));
    }
    let conditions = conditions::read("--condition", &arguments.condition)?;
    let model = ModelInput::read("the model", &arguments.model)?;
    let model = Arc::new(model.open(&arguments.runtime.open()?, &arguments.device.model_options()?)?);
    let classes = classes_of(&model, &arguments.class)?;
    let conditions = conditions.decode(&model, &mut BTreeMap::new())?;
    let request = Request {
        classes: (!classes.is_empty()).then_some(classes),
        conditions: conditions.part(0, x.shape()[0], x.shape()[0]),
        ..Request::default()
    };
    let condition = request.told(&model, x.shape()).map_err(named)?;
    let length = x.len() / x.shape()[0];
    if let Some(variance) = arguments.bound.as_deref().and_then(Variance::from_word) {
        let bounds =
            model.variational_bound(x, &condition, variance, arguments.seed, &Canceller::default()).map_err(named)?;
        if arguments.json {
            return print_json(&bounds);
        }
        let mut text = String::from("bits per value: prior, steps, decoder, and their sum\n");
        for (item, bound) in bounds.iter().enumerate() {
            let _ = writeln!(
                text,
                "{item:>6} {:>10.5} {:>10.5} {:>10.5} {:>10.5}",
                bound.prior, bound.steps, bound.decoder, bound.total
            );
        }
        return print(&text);
    }
    let divergence = match arguments.directions {
        0 => Divergence::Exact,
        directions => Divergence::Hutchinson(directions),
    };
    let Arguments { tolerance, seed, .. } = *arguments;
    let tolerance = Adaptive { relative: tolerance, absolute: tolerance, max_evaluations: 100_000 };
    let densities =
        model.log_density(x, &condition, divergence, tolerance, seed, &Canceller::default()).map_err(named)?;
    if arguments.json {
        return print_json(&densities);
    }
    let mut text = String::from("log density in nats, and bits per value\n");
    for (item, density) in densities.iter().enumerate() {
        let _ = writeln!(text, "{item:>6} {density:>12.5} {:>10.5}", bits_per_dim(*density, length));
    }
    print(&text)
}
