//! What several commands have in common.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use diffuse::onnx::{Placement, Provider};
use diffuse::pipeline::{Clipping, Likeness, Noise};
use diffuse::schedule::{Ending, Spacing};
use diffuse::solver::{SolverOptions, Variance};
use diffuse::{Error, ModelOptions, Request, Runtime};

use crate::failure::{Failure, say};

/// Where ONNX Runtime is.
#[derive(Debug, Args)]
pub(crate) struct RuntimeArguments {
    /// ONNX Runtime's library, or the folder that it lies in [default: what ORT_DYLIB_PATH names, else beside diffuse-cli, else the system's]
    #[arg(long = "onnxruntime", value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
}

impl RuntimeArguments {
    pub(crate) fn open(&self) -> Result<Runtime, Failure> {
        Ok(Runtime::open(self.path.as_deref())?)
    }
}

/// What evaluates the network.
#[derive(Debug, Args)]
pub(crate) struct DeviceArguments {
    /// What evaluates the network: cpu, cuda, tensorrt, openvino, coreml, directml, webgpu, nnapi, qnn or xnnpack. With several,
    /// separated by commas, the next takes over where one cannot be had, and the nodes that one does not take [default: cpu]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    provider: Vec<String>,
    /// An option of a provider, such as cuda.device_id=1; may be given more than once
    #[arg(long, value_name = "NAME.KEY=VALUE")]
    provider_option: Vec<String>,
    /// The library of a provider that is not one of these, by the name it has in --provider; may be given more than once
    #[arg(long, value_name = "NAME=PATH")]
    provider_library: Vec<String>,
    /// Let the processor take the nodes that no provider takes
    #[arg(long)]
    cpu_nodes: bool,
    /// Threads that one evaluation uses [default: one per core]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
}

impl DeviceArguments {
    pub(crate) fn model_options(&self) -> Result<ModelOptions, Failure> {
        let split = |text: &str, separator: char, flag: &str, form: &str| -> Result<(String, String), Failure> {
            let parts = text.split_once(separator).filter(|(left, right)| !left.is_empty() && !right.is_empty());
            let (left, right) = parts.ok_or_else(|| Failure::Usage(format!("--{flag}: {text:?}; expected {form}")))?;
            Ok((left.to_owned(), right.to_owned()))
        };
        let libraries = self.provider_library.iter().map(|text| split(text, '=', "provider-library", "NAME=PATH"));
        let libraries: Vec<(String, String)> = libraries.collect::<Result<_, _>>()?;
        if let Some((name, _)) = libraries.iter().find(|(name, _)| !self.provider.contains(name)) {
            return Err(Failure::Usage(format!("--provider-library: '{name}' is not in --provider")));
        }
        let mut providers = Vec::new();
        for name in &self.provider {
            providers.push(match libraries.iter().find(|(known, _)| known == name) {
                Some((_, path)) => Provider::plugin(name, path)?,
                None => Provider::new(name)?,
            });
        }
        for text in &self.provider_option {
            let form = "NAME.KEY=VALUE";
            let (option, value) = split(text, '=', "provider-option", form)?;
            let (name, key) = split(&option, '.', "provider-option", form)?;
            let Some(provider) = providers.iter_mut().find(|provider| provider.name() == name) else {
                return Err(Failure::Usage(format!("--provider-option: '{name}' is not in --provider")));
            };
            provider.set_option(&key, &value).map_err(|error| match error {
                Error::Argument { reason, .. } => Failure::Usage(format!("--provider-option: {reason}")),
                other => other.into(),
            })?;
        }
        Ok(ModelOptions { providers, cpu_nodes: self.cpu_nodes, threads: self.threads, ..ModelOptions::default() })
    }
}

/// Says where a model runs, if that is not simply where it does unless asked.
pub(crate) fn say_placement(placement: &Placement) {
    if placement.provider != "cpu" || !placement.skipped.is_empty() {
        say(&format!("runs on {placement}\n"));
    }
}

/// How a run is sampled. What is not said is as the model's manifest has it.
#[derive(Debug, Args)]
pub(crate) struct SamplingArguments {
    /// The solver: ddpm, ddim [default: the model's]
    #[arg(long, value_name = "NAME")]
    solver: Option<String>,
    /// How many steps (evaluations of the network) [default: the model's]
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// How the steps are spread over those of training [default: the model's]
    #[arg(long)]
    grid: Option<GridName>,
    /// Added to the times of the leading grid [default: the model's]
    #[arg(long, value_name = "N")]
    steps_offset: Option<usize>,
    /// The share of fresh noise, 0 to 1 (ddim) [default: the model's]
    #[arg(long, value_name = "ETA")]
    eta: Option<f64>,
    /// The variance of the noise (ddpm) [default: posterior]
    #[arg(long)]
    variance: Option<VarianceName>,
    /// The level that the run ends at
    #[arg(long, default_value = "clean")]
    ending: EndingName,
    /// Whether the denoised sample is kept in the data's range at every step
    #[arg(long, default_value = "model")]
    clipping: ClipName,
    /// Whose arithmetic is followed where diffusers departs from the papers
    #[arg(long, default_value = "papers")]
    like: LikeName,
    /// Where the noise comes from
    #[arg(long, default_value = "counter")]
    noise: NoiseName,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GridName {
    /// Multiples of T/N from 0 up
    Leading,
    /// Back from the last training step
    Trailing,
    /// Evenly, with both ends
    Linspace,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum VarianceName {
    /// β̃, that of the posterior
    Posterior,
    /// β, the larger
    Beta,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EndingName {
    /// The clean sample
    Clean,
    /// The least noisy level of training
    First,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ClipName {
    /// As the model's manifest says
    Model,
    /// Never
    Off,
    /// Always; the noise is taken from the clipped sample
    On,
    /// Always; the noise is as the network said
    KeepNoise,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LikeName {
    /// The papers'
    Papers,
    /// diffusers', for the same picture as its pipelines
    Diffusers,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum NoiseName {
    /// diffuse's own generator
    Counter,
    /// torch's CPU generator, one for all items, which are then one batch
    Torch,
    /// torch's CPU generator, one for every item
    TorchPerItem,
}

impl SamplingArguments {
    pub(crate) fn request(&self) -> Request {
        Request {
            solver: self.solver.clone(),
            options: SolverOptions {
                eta: self.eta,
                variance: self.variance.map(|name| match name {
                    VarianceName::Posterior => Variance::Posterior,
                    VarianceName::Beta => Variance::Beta,
                }),
            },
            steps: self.steps,
            grid: self.grid.map(|name| match name {
                GridName::Leading => Spacing::Leading,
                GridName::Trailing => Spacing::Trailing,
                GridName::Linspace => Spacing::Linspace,
            }),
            steps_offset: self.steps_offset,
            ending: match self.ending {
                EndingName::Clean => Ending::Clean,
                EndingName::First => Ending::First,
            },
            clipping: match self.clipping {
                ClipName::Model => Clipping::Model,
                ClipName::Off => Clipping::Off,
                ClipName::On => Clipping::On,
                ClipName::KeepNoise => Clipping::KeepNoise,
            },
            likeness: match self.like {
                LikeName::Papers => Likeness::Papers,
                LikeName::Diffusers => Likeness::Diffusers,
            },
            noise: match self.noise {
                NoiseName::Counter => Noise::Counter,
                NoiseName::Torch => Noise::Torch,
                NoiseName::TorchPerItem => Noise::TorchPerItem,
            },
            ..Request::default()
        }
    }
}

/// Writes text to standard output. Unlike `println!` it does not panic when nobody reads it.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| if text.ends_with('\n') { Ok(()) } else { stdout.write_all(b"\n") })
        .and_then(|()| stdout.flush())
        .map_err(Failure::stdout)
}

/// Writes a value to standard output as JSON.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    match serde_json::to_string_pretty(value) {
        Ok(json) => print(&json),
        Err(error) => Err(Failure::Other(format!("--json: {error}"))),
    }
}
