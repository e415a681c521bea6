//! `diffuse-cli inspect`: shows what a model is and needs, or how a picture was made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use diffuse::model::{Manifest, Pipeline, Source};
use diffuse::network::{PartHash, Placement, Signature, TensorInfo};
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
    /// A model (.onnx), the folder of a pipeline, or a picture (.png).
    file: PathBuf,
    /// Prints JSON.
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
            Err(Failure::Usage("--samples: it is for models, and this is a picture".into()))
        }
        Inspected::Picture(picture) => inspect_picture(&picture, arguments.json),
        Inspected::Folder(_) if arguments.guess.samples.is_some() => Err(Failure::Usage(
            "--samples: it is for an .onnx file, and this is a folder; name the .onnx file in it".into(),
        )),
        Inspected::Folder(folder) => inspect_folder(&folder, arguments),
        Inspected::Model(model) => inspect_model(&model, arguments),
    }
}

/// The report on a folder.
#[derive(serde::Serialize)]
struct FolderReport<'a> {
    folder: String,
    pipeline: &'a Pipeline,
    /// The inputs and outputs of each graph, by its path.
    graphs: BTreeMap<String, Graph<'a>>,
    notes: &'a [String],
}

/// The inputs and outputs of a graph.
#[derive(serde::Serialize)]
struct Graph<'a> {
    bytes: u64,
    inputs: &'a [TensorInfo],
    outputs: &'a [TensorInfo],
}

fn inspect_folder(folder: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let model = Model::open(&arguments.runtime.open()?, folder, &arguments.device.model_options()?)?;
    let Some(pipeline) = model.pipeline() else {
        return Err(Failure::Other("the folder has one network".into()));
    };
    say_notes(&model);
    let graphs = model.graphs();
    let graphs = graphs.iter().map(|graph| {
        let Signature { inputs, outputs } = graph.signature;
        (graph.path.clone(), Graph { bytes: graph.bytes, inputs, outputs })
    });
    let report = FolderReport { folder: shown(folder), pipeline, graphs: graphs.collect(), notes: model.notes() };
    if arguments.json {
        return print_json(&report);
    }
    let mut text = format!("{}\nfamily   {}\n", report.folder, escaped(&pipeline.family));
    if let Some([height, width]) = pipeline.size {
        let usual = format!("of {width} by {height} pixels by default");
        let factor = pipeline.autoencoder.as_ref().map_or(1, |autoencoder| autoencoder.factor);
        let sides = if factor > 1 { format!(", with sides in multiples of {factor}") } else { String::new() };
        let _ = writeln!(text, "draws    pictures, {usual}{sides}");
    }
    let told = |wanted: &Source| pipeline.conditions.values().any(|source| source == wanted);
    let has_encoder = pipeline.autoencoder.as_ref().is_some_and(|autoencoder| autoencoder.encoder.is_some());
    let image = match (told(&Source::MaskedImage), told(&Source::Image)) {
        (true, _) => "an image and a mask",
        (_, true) => "an image",
        _ => "an image, with a mask or without, if one is given",
    };
    let takes =
        [(pipeline.reads_text(), "a prompt"), (has_encoder, image), (model.manifest().classes.is_some(), "a class")];
    let takes: Vec<&str> = takes.into_iter().filter_map(|(takes, what)| takes.then_some(what)).collect();
    let _ = writeln!(text, "takes    {}", if takes.is_empty() { "nothing".to_owned() } else { takes.join("; ") });
    if let Some(config) = model.scheduler_config() {
        let manifest = Request::manifest_of(&model);
        let usual = |place: &str| manifest.pointer(place).map(Value::to_string).unwrap_or_default().replace('"', "");
        let [solver, steps, scale] =
            ["/defaults/solver", "/defaults/steps", "/defaults/options/guidance_scale"].map(usual);
        let guided = if scale.is_empty() { scale } else { format!(", guidance_scale {scale}") };
        let class = escaped(&config.class);
        let _ = writeln!(text, "sampling {solver}, by {class}; {steps} steps{guided} by default");
    }
    for (path, Graph { bytes, inputs, outputs }) in &report.graphs {
        let _ = writeln!(text, "\n{}, {:.1} MB", escaped(path), *bytes as f64 / 1e6);
        for (what, tensors) in [("takes", inputs), ("gives", outputs)] {
            for tensor in *tensors {
                let _ = writeln!(text, "  {what} {tensor}");
            }
        }
    }
    print(&text)
}

fn inspect_picture(input: &Input, as_json: bool) -> Result<(), Failure> {
    let broken =
        |reason: String| Failure::file(input.path(), std::io::Error::new(std::io::ErrorKind::InvalidData, reason));
    let record = picture::record(input.bytes()).map_err(|error| broken(format!("the picture is damaged: {error}")))?;
    let Some(record) = record else {
        return Err(broken(
            "the picture has no record of how it was made; it is not from diffuse, or its text was removed".into(),
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
    /// The hash of the model, which is made of those of its parts.
    sha256: &'a str,
    parts: &'a [PartHash],
    inputs: &'a [TensorInfo],
    outputs: &'a [TensorInfo],
    placement: &'a Placement,
    manifest: Option<&'a Manifest>,
    manifest_from: Option<&'a str>,
    schedule: Option<Ends>,
    /// A manifest for a graph that has none, with "?" where the graph states nothing.
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

/// How the variance that the network predicts is used by default. It depends on the solver.
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
