//! ONNX Runtime and the models that run in it. Nothing outside of this module knows of either.

mod manifest;
mod predictor;
mod runtime;
mod session;

pub use manifest::{Classes, Defaults, Encoding, Kind, LearnedVariance, Manifest, Sample, Schedule, Time, Toward};
pub use predictor::{Model, Predictor};
pub use runtime::{Candidate, OLDEST_MINOR_VERSION, Runtime};
pub use session::{Element, ModelOptions, Network, TensorInfo};
