//! diffuse runs diffusion sampling on exported ONNX predictors. ONNX Runtime evaluates the network. This crate does the
//! rest natively: noise schedules, solvers, guidance and pictures.
//!
//! Begin with three types. A [`Runtime`] loads ONNX Runtime. A [`Model`] is an `.onnx` file with its manifest, or the
//! folder of a pipeline that was exported to ONNX. A [`Request`] states what to generate.
//!
//! ```no_run
//! use std::{path::Path, sync::Arc};
//! use diffuse::{Model, ModelOptions, Request, Runtime};
//!
//! # fn main() -> diffuse::Result<()> {
//! let runtime = Runtime::open(None)?;
//! let model = Arc::new(Model::open(&runtime, Path::new("sprites.onnx"), &ModelOptions::default())?);
//! let request = Request { seed: 7, classes: Some(vec![model.class("heart")?]), ..Request::default() };
//! let samples = request.job(&model)?.run()?; // an ndarray, batch first
//! # Ok(())
//! # }
//! ```
//!
//! A request becomes a [`Job`], which makes one evaluation of the network per [`step`](Job::step).
//!
//! | To do this | See |
//! |---|---|
//! | Set an option by its name, such as `steps` or `guidance_scale` | [`Request::set`], [`settings`] |
//! | Turn samples into RGBA pixels | [`stage::pixels`] |
//! | Generate from a prompt, with a pipeline of several networks | [`run::Run`] |
//! | Work on a worker thread, with progress, a preview and cancelling | [`Runner`] |
//! | Find what a run will cost before it is made | [`Request::cost`] |
//! | Evaluate the network, add noise or compute a likelihood without a run | [`Model::denoise`], [`likelihood`] |
//! | Read or write a model's manifest | [`model`] |
//! | Evaluate a network with code of your own instead of ONNX Runtime | [`Model::from_host`] |
//!
//! # A job by hand
//!
//! The parts of a job can be put together without a model. They are a [`Grid`](schedule::Grid) of noise levels, a
//! [`Solver`](solver::Solver), a [`Denoiser`](denoiser::Denoiser) and a [`NoiseSource`](noise::NoiseSource). Here the
//! denoiser is a formula.
//!
//! ```
//! use std::sync::Arc;
//! use diffuse::Job;
//! use diffuse::denoiser::{Condition, Denoised, Denoiser, Query};
//! use diffuse::noise::CounterNoise;
//! use diffuse::schedule::{Grid, GridOptions, Spacing, VariancePreserving};
//! use diffuse::solver::Ddim;
//!
//! /// What the network of a model learns, E\[x₀ | x\], is a formula where the data are normal: of mean 2 and variance 1/4.
//! struct Normal;
//!
//! impl Denoiser for Normal {
//!     fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> diffuse::Result<()> {
//!         let [alpha, sigma] = [query.level.alpha as f32, query.level.sigma as f32];
//!         let share = alpha / 4.0 / (alpha * alpha / 4.0 + sigma * sigma);
//!         out.x0.zip_mut_with(&query.x, |x0, x| *x0 = 2.0 + share * (x - 2.0 * alpha));
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> diffuse::Result<()> {
//! let schedule = Arc::new(VariancePreserving::new(0.1, 20.0, 1e-3)?);
//! let grid = Grid::spaced(schedule, &GridOptions::new(Spacing::Karras, 50))?;
//! let (solver, noise) = (Box::new(Ddim::new(0.0)?), Box::new(CounterNoise::new(7)));
//! let mut job = Job::new(Box::new(Normal), solver, grid, noise, Condition::default(), &[1000])?;
//! while !job.step()?.is_finished() {}
//! let (mean, deviation) = (job.sample().mean().unwrap(), job.sample().std(0.0));
//! assert!((mean - 2.0).abs() < 0.05 && (deviation - 0.5).abs() < 0.05, "{mean} ± {deviation}");
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! All three are on by default.
//!
//! - `text` has the tokenizers, for models that take a prompt. Without it a prompt is an error that names the feature.
//! - `capi` has the C interface of `include/diffuse.h`.
//! - `cli` has what only the program `diffuse-cli` needs. A library can do without it.
//!
//! # Guarantees
//!
//! Bad input is an [`Error`], not a panic. The exceptions are [`tensor::combine`] and [`solver::Solver::plan`], which
//! state what they demand. Nothing writes to standard output or standard error. Nothing connects to the internet.
//! Scalars are f64 and tensors are f32.
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod bytes;
mod cancel;
#[cfg(feature = "capi")]
pub mod capi;
pub mod denoiser;
mod error;
mod float;
pub mod guidance;
pub mod json;
pub mod likelihood;
pub mod log;
pub mod model;
pub mod network;
pub mod noise;
pub mod option;
mod prediction;
mod priority;
mod process;
mod prompt;
pub mod request;
pub mod run;
pub mod sample;
pub mod schedule;
pub mod settings;
mod signature;
pub mod solver;
pub mod stage;
mod sync;
pub mod tensor;
pub mod text;
#[cfg_attr(not(feature = "text"), expect(dead_code, reason = "only a tokenizer reads its files"))]
mod tokenizer;

pub use error::{Error, Result};
pub use network::{ModelOptions, Runtime};
pub use prediction::{InputScaling, Prediction};
pub use priority::Priority;
pub use request::Request;
pub use run::Runner;
pub use sample::Job;
pub use stage::Model;
#[doc(hidden)]
pub use tokenizer::tokens_of;
