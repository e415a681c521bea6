//! What several commands have in common.

use std::cell::OnceCell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, Args, FromArgMatches};
use diffuse::model::SchedulerConfig;
use diffuse::network::{Memory, PROVIDERS, Placement, Provider};
use diffuse::option::{Group, Kind};
use diffuse::text::{escaped, escaped_json, escaped_lines};
use diffuse::{Error, Model, ModelOptions, Request, Runtime, settings};

use crate::failure::{Failure, say};
use crate::input::Input;
use crate::output::Source;

// A heading also holds for whatever follows it. So arguments with a heading are flattened into a command behind the
// command's own arguments.

/// Where ONNX Runtime is.
#[derive(Debug, Args)]
#[command(next_help_heading = "ONNX Runtime")]
pub(crate) struct RuntimeArguments {
    /// ONNX Runtime's library, or the folder that holds it. Default: what ORT_DYLIB_PATH names, else beside
    /// diffuse-cli, else the system's.
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
#[command(next_help_heading = "ONNX Runtime")]
pub(crate) struct DeviceArguments {
    #[arg(long, value_name = "NAME", value_delimiter = ',', help = provider_help())]
    provider: Vec<String>,
    /// An option of a provider, such as cuda.device_id=1. May be given more than once.
    #[arg(long, value_name = "NAME.KEY=VALUE")]
    provider_option: Vec<String>,
    /// The plugin library of another provider, under its name in --provider. May be given more than once.
    #[arg(long, value_name = "NAME=PATH")]
    provider_library: Vec<String>,
    /// Lets the CPU run the nodes that no provider supports.
    #[arg(long)]
    cpu_nodes: bool,
    /// Reads external weight files into memory, so that nothing can overwrite the weights during the run.
    #[arg(long)]
    copy_weights: bool,
    /// How the parts of a pipeline stay in memory: keep (all of them), stage (one at a time), or a number of bytes such
    /// as 4G. Parts beyond that number are unloaded while they are not evaluated.
    #[arg(long, value_name = "POLICY", default_value = "keep")]
    memory: String,
    /// The worker threads of one evaluation. Default: one per physical core, less one where there are more than two.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
}

fn provider_help() -> String {
    let names: Vec<_> = PROVIDERS.iter().map(|entry| entry.name).collect();
    format!(
        "The execution provider: {}. With several, separated by commas, the next one takes over where one is not \
         available, and runs the nodes that one does not support. Default: cpu.",
        names.join(", ")
    )
}

impl DeviceArguments {
    /// The libraries of --provider-library.
    pub(crate) fn libraries(&self) -> impl Iterator<Item = Source> {
        let paths = self.provider_library.iter().filter_map(|text| text.split_once('='));
        paths.map(|(_, path)| ("a provider's library", path.into()))
    }

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
        for (i, (name, _)) in libraries.iter().enumerate() {
            if libraries[..i].iter().any(|(other, _)| other == name) {
                return Err(Failure::Usage(format!("--provider-library: '{name}' is given twice")));
            }
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
        let Self { cpu_nodes, copy_weights, threads, .. } = *self;
        let memory = Memory::parse(&self.memory).map_err(|error| match error {
            Error::Argument { reason, .. } => Failure::Usage(format!("--memory: {reason}")),
            other => other.into(),
        })?;
        Ok(ModelOptions { providers, cpu_nodes, copy_weights, threads, memory, ..ModelOptions::default() })
    }
}

/// Prints the notes on a model for its user.
pub(crate) fn say_notes(model: &Model) {
    model.notes().iter().for_each(|note| say(&format!("note: {}\n", escaped(note))));
}

/// Prints where a model runs, if that is not the default.
pub(crate) fn say_placement(placement: &Placement) {
    if placement.provider != "cpu" || !placement.skipped.is_empty() {
        say(&format!("runs on {}\n", escaped(&placement.to_string())));
    }
}

/// The most bytes of a scheduler's configuration.
const MOST_CONFIG: u64 = 1 << 20;

const SCHEDULER_CONFIG: &str = "scheduler_config";

/// How a run is sampled: a flag for each option of a request. Without a flag an option has the value of the model's
/// manifest.
#[derive(Debug)]
pub(crate) struct SamplingArguments {
    given: Vec<(&'static str, String)>,
    scheduler_config: Option<PathBuf>,
    /// The configuration in that file, once it has been read.
    config: OnceCell<SchedulerConfig>,
}

impl SamplingArguments {
    pub(crate) fn request(&self) -> Result<Request, Failure> {
        let mut request = Request::default();
        if let Some(config) = self.scheduler_config()? {
            request.set_scheduler_config(config)?;
        }
        for (key, value) in &self.given {
            request.set(key, value)?;
        }
        request.departures().iter().for_each(|note| say(&format!("{}\n", escaped(note))));
        Ok(request)
    }
}

impl SamplingArguments {
    /// The file of --scheduler-config.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.scheduler_config.as_deref()
    }

    /// The configuration in the file of --scheduler-config. It is read once.
    pub(crate) fn scheduler_config(&self) -> Result<Option<&SchedulerConfig>, Failure> {
        let Some(path) = &self.scheduler_config else { return Ok(None) };
        if let Some(config) = self.config.get() {
            return Ok(Some(config));
        }
        let input = Input::read("--scheduler-config", path, MOST_CONFIG)?;
        match SchedulerConfig::from_bytes(input.bytes()) {
            Ok(config) => Ok(Some(self.config.get_or_init(|| config))),
            Err(Error::Argument { name, reason }) => Err(input.refused(format!("{name}: {reason}"))),
            Err(error) => Err(error.into()),
        }
    }
}

/// The error for a former name of the flag `--now`.
pub(crate) fn former(now: &str) -> Result<String, String> {
    Err(format!("the flag is now called --{now}"))
}

/// The class that `text` names.
pub(crate) fn class_of(model: &Model, text: &str) -> Result<i64, Error> {
    model.class(text).or_else(|_| model.class(text.trim()))
}

/// The classes that `texts` name. Each text has one or several, separated by commas. Names may have commas themselves
/// ("tench, Tinca tinca"), so the longest run of parts that is a class counts.
pub(crate) fn classes_of(model: &Model, texts: &[String]) -> Result<Vec<i64>, Error> {
    /// The most commas in the name of a class. A name with more is chosen by its number, since names may be of any
    /// length.
    const MOST_PARTS: usize = 64;
    let names = model.manifest().classes.iter().flat_map(|classes| &classes.names);
    let longest = 1 + names.map(|name| name.matches(',').take(MOST_PARTS - 1).count()).max().unwrap_or(0);
    let mut found = Vec::new();
    for text in texts {
        let parts: Vec<&str> = text.split(',').collect();
        let mut rest = &parts[..];
        while let Some(first) = rest.first() {
            let runs = (2..=longest.min(rest.len())).rev();
            let several =
                runs.filter_map(|length| Some((length, class_of(model, &rest[..length].join(",")).ok()?))).next();
            let (length, class) = several.map_or_else(|| class_of(model, first).map(|class| (1, class)), Ok)?;
            found.push(class);
            rest = &rest[length..];
        }
    }
    Ok(found)
}

impl Args for SamplingArguments {
    fn augment_args(command: clap::Command) -> clap::Command {
        let command = command.arg(
            Arg::new(SCHEDULER_CONFIG)
                .long("scheduler-config")
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help_heading("Sampling")
                .help("A scheduler_config.json of diffusers. It sets the solver, grid and options, and flags override it."),
        );
        let command = settings::RENAMED.iter().fold(command, |command, (before, now)| {
            let flag = before.replace('_', "-");
            let parser = |_: &str| former(&now.replace('_', "-"));
            command.arg(Arg::new(*before).long(flag).hide(true).value_parser(parser))
        });
        let options = Group::OF_REQUEST.iter().flat_map(|group| settings::of(*group));
        options.fold(command, |command, option| {
            let mut argument = Arg::new(option.key).long(option.key.replace('_', "-")).help(option.text());
            argument = match option.kind {
                Kind::Choice(words, meanings) => {
                    let values = words.iter().enumerate().map(|(i, word)| match meanings.get(i) {
                        Some(meaning) => PossibleValue::new(word).help(*meaning),
                        None => PossibleValue::new(word),
                    });
                    argument.value_name("NAME").value_parser(PossibleValuesParser::new(values))
                }
                Kind::Flag => argument.value_name("0|1"),
                Kind::Whole(..) => argument.value_name("N"),
                _ => argument.value_name("VALUE").allow_negative_numbers(true),
            };
            command.arg(argument.help_heading(option.group.heading()))
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SamplingArguments {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let given = settings::all()
            .filter_map(|option| Some((option.key, matches.get_one::<String>(option.key)?.clone())))
            .collect();
        Ok(Self { given, scheduler_config: matches.get_one(SCHEDULER_CONFIG).cloned(), config: OnceCell::new() })
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Writes text to standard output, without what a terminal would obey. Unlike `println!` it does not panic when nobody
/// reads it. It keeps ends of lines, so text from elsewhere has to be escaped with [`diffuse::text::escaped`] before it
/// is put into `text`.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let text = escaped_lines(text).to_string();
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| if text.ends_with('\n') { Ok(()) } else { stdout.write_all(b"\n") })
        .and_then(|()| stdout.flush())
        .map_err(Failure::stdout)
}

/// The name of a file, to be shown within a line.
pub(crate) fn shown(path: &Path) -> String {
    escaped(&path.to_string_lossy()).to_string()
}

/// Writes a value to standard output as JSON.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    match serde_json::to_string_pretty(value) {
        Ok(json) => print(&escaped_json(&json)),
        Err(error) => Err(Failure::Other(format!("--json: {error}"))),
    }
}
