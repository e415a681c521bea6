//! diffuse on the command line.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod anomaly;
mod doctor;
mod failure;
mod generate;
mod inspect;
mod likelihood;
mod output;
mod picture;
mod plan;
mod plot;
mod shared;
mod steering;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Draws from diffusion models: an exported ONNX noise predictor in, pictures out.
#[derive(Debug, Parser)]
#[command(name = "diffuse-cli", version, after_help = failure::EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Draw pictures (or points, or tensors) from a model
    Generate(Box<generate::Arguments>),
    /// Show what a model is and needs, or what a generated picture was made with
    Inspect(inspect::Arguments),
    /// Print a run's noise levels and its solver's coefficients, without running anything
    Plan(plan::Arguments),
    /// Draw a run's schedule, grid and coefficients into a file
    Plot(plot::Arguments),
    /// Say how likely given samples are to a model
    Likelihood(Box<likelihood::Arguments>),
    /// Show what images would be if they were of another class, and where they differ from that
    Anomaly(Box<anomaly::Arguments>),
    /// Check that ONNX Runtime is found and starts, and say what to do if not
    Doctor(doctor::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Plot(arguments) => plot::run(&arguments),
        Command::Likelihood(arguments) => likelihood::run(&arguments),
        Command::Anomaly(arguments) => anomaly::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
