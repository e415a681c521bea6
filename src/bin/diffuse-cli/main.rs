//! The command line program of diffuse.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod anomaly;
mod calibration;
mod conditions;
mod doctor;
mod failure;
mod generate;
mod guess;
mod hypotheses;
mod input;
mod inspect;
mod interrupt;
mod likelihood;
mod npy;
mod output;
mod picture;
mod plan;
mod plot;
mod samples;
mod scaling;
mod shared;
mod steering;
mod suggest;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use diffuse::option::Group;
use diffuse::settings;
use diffuse::text::{escaped, is_unsafe};

/// Generates pictures with diffusion models: an exported ONNX noise predictor in, pictures out.
#[derive(Debug, Parser)]
#[command(name = "diffuse-cli", version, after_help = failure::EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Generate pictures, points or tensors with a model.
    Generate(Box<generate::Arguments>),
    /// Show what a model is and needs, or how a generated picture was made.
    Inspect(Box<inspect::Arguments>),
    /// Print a run's noise levels and its solver's coefficients, without running the model.
    Plan(plan::Arguments),
    /// Draw a run's schedule, grid and coefficients into an SVG file.
    Plot(plot::Arguments),
    /// Compute the likelihood of given samples under a model.
    Likelihood(Box<likelihood::Arguments>),
    /// Show what images would be in another class, and where they differ from that.
    Anomaly(Box<anomaly::Arguments>),
    /// Check that ONNX Runtime is found and starts, and print what to do if not.
    Doctor(doctor::Arguments),
}

/// Ends each text of the help with a full stop, which clap takes off, and states defaults as the option tables do:
/// "Default: 1."
fn in_sentences(command: clap::Command) -> clap::Command {
    let ended = |text: &clap::builder::StyledStr| {
        let text = text.to_string();
        if text.ends_with('.') { text } else { format!("{text}.") }
    };
    let about = command.get_about().map(ended);
    let command = command.mut_args(|argument| {
        let Some(mut help) = argument.get_help().map(ended) else { return argument };
        if let (false, [default]) = (argument.is_hide_default_value_set(), argument.get_default_values()) {
            help += &format!(" Default: {}.", default.to_string_lossy());
            return argument.help(help).hide_default_value(true);
        }
        argument.help(help)
    });
    let command = command.mut_subcommands(in_sentences);
    if let Some(about) = about { command.about(about) } else { command }
}

/// Ends the program with the message of the argument parser. It quotes arguments, so what a terminal would obey in them
/// is escaped first.
fn refuse<T>(command: &clap::Command, error: clap::Error) -> T {
    let arguments = || std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    if error.use_stderr() && arguments().any(|argument| argument.contains(is_unsafe)) {
        let safe = arguments().map(|argument| escaped(&argument).to_string());
        let error = command.clone().try_get_matches_from(safe).err().unwrap_or(error);
        failure::say(&error.render().to_string());
        std::process::exit(error.exit_code());
    }
    error.exit()
}

fn main() -> ExitCode {
    // `anomaly` has its own meaning of two options, and the other options of a start have no meaning there.
    let mut command = in_sentences(Arguments::command()).mut_subcommand("anomaly", |command| {
        let command = command
            .mut_arg("strength", |strength| {
                let usual = settings::STRENGTH_OF_COUNTERFACTUAL;
                strength.help(format!("How far the image is inverted, as a share of the steps. Default: {usual}."))
            })
            .mut_arg("classifier_scale", |scale| {
                let usual = anomaly::USUAL_SCALE;
                scale.help(format!(
                    "The scale of a classifier's gradient. Default: {usual}, which suits the shipped classifier."
                ))
            });
        let idle = settings::of(Group::Start).map(|option| option.key).filter(|key| *key != "strength");
        idle.fold(command, |command, idle| command.mut_arg(idle, |argument| argument.hide(true)))
    });
    let matches = command.try_get_matches_from_mut(std::env::args_os());
    let matches = matches.unwrap_or_else(|error| refuse(&command, error));
    let arguments = Arguments::from_arg_matches(&matches);
    let arguments = arguments.unwrap_or_else(|error| refuse(&command, error.format(&mut command.clone())));
    let result = interrupt::listen().and_then(|()| match arguments.command {
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Plot(arguments) => plot::run(&arguments),
        Command::Likelihood(arguments) => likelihood::run(&arguments),
        Command::Anomaly(arguments) => anomaly::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
