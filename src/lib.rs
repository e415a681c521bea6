//! diffuse samples from diffusion models: it runs an exported ONNX noise predictor in ONNX Runtime and does the rest, from
//! the noise to the picture, natively.

#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

pub mod denoiser;
mod error;
pub mod job;
pub mod noise;
pub mod onnx;
pub mod pipeline;
pub mod pixels;
mod prediction;
pub mod schedule;
pub mod solver;
pub mod tensor;

pub use error::{Error, Result};
pub use job::Job;
pub use onnx::{Model, ModelOptions, Runtime};
pub use pipeline::Request;
pub use prediction::Prediction;
