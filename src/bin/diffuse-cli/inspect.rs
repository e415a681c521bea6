//! `diffuse-cli inspect`: what a model is and needs, or what a picture was made with.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use diffuse::model::Manifest;
use diffuse::network::{PartHash, Placement, TensorInfo};
use diffuse::schedule::NoiseLevel;
use diffuse::solver::SOLVERS;
use diffuse::text::{escaped, escaped_json};
use diffuse::{Model, Request, json};
use serde_json::Value;

use crate::failure::Failure;
use crate::guess;
use crate::input::{Input, Inspected, ModelInput};
use crate::picture;
use crate::shared::{DeviceArguments, RuntimeArguments, print, print_json, say_notes, shown};
use crate::suggest;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A model (.onnx) or a picture (.png)
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    guess: guess::SampleArguments,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    runtime: RuntimeArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match Inspected::read(&arguments.file)? {
        Inspected::Picture(_) if arguments.guess.samples.is_some() => {
            Err(Failure::Usage("--samples: a picture is inspected, and not a model".into()))
        }
        Inspected::Picture(picture) => inspect_picture(&picture, arguments.json),
        Inspected::Model(model) => inspect_model(&model, arguments),
    }
}

fn inspect_picture(input: &Input, as_json: bool) -> Result<(), Failure> {
    let broken =
        |reason: String| Failure::file(input.path(), std::io::Error::new(std::io::ErrorKind::InvalidData, reason));
    let record = picture::record(input.bytes()).map_err(|error| broken(format!("the picture is damaged: {error}")))?;
    let Some(record) = record else {
        return Err(broken(
            "the picture does not say how it was made; it is not from diffuse, or its text was removed".into(),
        ));
    };
    let record = json::value(&record).map_err(|error| broken(format!("its text is damaged: {error}")))?;
    if as_json {
        return print_json(&record);
    }
    let mut text = String::new();
    for (name, value) in record.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let _ = writeln!(text, "{:13} {}", escaped(name).to_string(), escaped(&value));
    }
    print(&text)
}

#[derive(serde::Serialize)]
struct Report<'a> {
    file: String,
    /// What the model is known by, which is made of those of its parts.
    sha256: &'a str,
    parts: &'a [PartHash],
    inputs: &'a [TensorInfo],
    outputs: &'a [TensorInfo],
    placement: &'a Placement,
    manifest: Option<&'a Manifest>,
    manifest_from: Option<&'a str>,
    schedule: Option<Ends>,
    /// A manifest for a graph that has none, with "?" for what it cannot know.
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<Value>,
}

/// Both ends of a schedule.
#[derive(serde::Serialize)]
struct Ends {
    cleanest: NoiseLevel,
    noisiest: NoiseLevel,
}

fn inspect_model(input: &ModelInput, arguments: &Arguments) -> Result<(), Failure> {
    let network = input.network(&arguments.runtime.open()?, &arguments.device.model_options()?)?;
    if let Some(samples) = &arguments.guess.samples {
        return guess::run(input, network, samples, &arguments.guess, arguments.json);
    }
    if network.manifest().is_none() {
        let report = Report {
            file: network.name(),
            sha256: network.hash()?,
            parts: network.parts()?,
            inputs: &network.signature().inputs,
            outputs: &network.signature().outputs,
            placement: network.placement(),
            manifest: None,
            manifest_from: None,
            schedule: None,
            suggestion: suggest::manifest(network.signature()).ok(),
        };
        return if arguments.json {
            print_json(&report)
        } else {
            let beside = shown(&arguments.file.with_extension("diffuse.json"));
            print(&(describe(&report) + &suggest::advice(network.signature(), &beside)))
        };
    }
    let model = Model::new(network).map_err(|error| input.named(error))?;
    say_notes(&model);
    let (Some(network), manifest) = (model.network(), model.manifest()) else {
        return Err(Failure::Other("the model has no graph".into()));
    };
    let [cleanest, noisiest] = model.schedule().bounds().map(|t| model.schedule().level(t));
    let report = Report {
        file: network.name(),
        sha256: network.hash()?,
        parts: network.parts()?,
        inputs: &network.signature().inputs,
        outputs: &network.signature().outputs,
        placement: network.placement(),
        manifest: Some(manifest),
        manifest_from: network.manifest().map(|(_, place)| place),
        schedule: Some(Ends { cleanest, noisiest }),
        suggestion: None,
    };
    if arguments.json { print_json(&report) } else { print(&describe(&report)) }
}

fn describe(report: &Report<'_>) -> String {
    let mut text = format!("{}\nsha256   {}\n", escaped(&report.file), report.sha256);
    for PartHash { part, sha256 } in report.parts {
        let _ = writeln!(text, "part     {sha256}  {}", escaped(part));
    }
    for input in report.inputs {
        let _ = writeln!(text, "input    {input}");
    }
    for output in report.outputs {
        let _ = writeln!(text, "output   {output}");
    }
    let _ = writeln!(text, "runs on  {}", escaped(&report.placement.to_string()));
    let (Some(manifest), Some(ends)) = (report.manifest, &report.schedule) else { return text };
    for (label, end) in [("cleanest", ends.cleanest), ("noisiest", ends.noisiest)] {
        let _ = writeln!(
            text,
            "{label} t = {}, α = {:.6}, σ = {:.6}, ln(α/σ) = {:.3}",
            end.t,
            end.alpha,
            end.sigma,
            end.lambda()
        );
    }
    if manifest.variance.is_learned() {
        let _ = writeln!(text, "variance {}", use_of_variance(manifest));
    }
    let _ = writeln!(text, "manifest, from {}:", escaped(report.manifest_from.unwrap_or_default()));
    let _ = writeln!(text, "{}", escaped_json(&serde_json::to_string_pretty(manifest).unwrap_or_default()));
    text
}

/// What becomes of the variance that the network predicts, where the caller says nothing of it: asked of every solver.
fn use_of_variance(manifest: &Manifest) -> String {
    let uses = SOLVERS.iter().filter_map(|entry| {
        let request = Request { solver: Some(entry.name.into()), ..Request::default() };
        let solver = request.plan(manifest).ok()?.solver;
        let word = request.resolved(manifest).options.text("variance")?.to_owned();
        solver.needs_variance().then_some((entry.name, word))
    });
    let (names, words): (Vec<&str>, BTreeSet<String>) = uses.unzip();
    if names.is_empty() {
        return "no solver uses the variance that the network predicts".into();
    }
    let words: Vec<String> = words.into_iter().collect();
    format!(
        "{} adds noise of the variance that the network predicts (--variance {}, its default here); the other solvers do not use it",
        names.join(", "),
        words.join(", ")
    )
}
