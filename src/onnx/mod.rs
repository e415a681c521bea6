//! ONNX Runtime and the models that run in it. Nothing outside of this module knows of either.

mod classifier;
mod evaluator;
mod external;
mod files;
mod host;
mod library;
mod manifest;
mod native;
mod predictor;
mod provider;
mod roles;
mod runtime;
mod scheduler_config;
mod session;
mod turns;

pub use classifier::ClassGradient;
pub use host::{HostNetwork, Question};
pub use manifest::{
    BetaRange, Classes, ConditionInput, ContinuousBeta, Defaults, Encoding, Inputs, Kind, LearnedVariance, Manifest,
    Outputs, Sample, Schedule, Steps, Time, Toward,
};
pub use predictor::{Model, Predictor};
pub use provider::{PROVIDERS, Placement, Provider, ProviderEntry, ProviderNodes, Skipped};
pub use runtime::{Candidate, OLDEST_MINOR_VERSION, Runtime};
pub use scheduler_config::{DynamicShift, SchedulerConfig};
pub(crate) use session::MOST_THREADS;
pub use session::{Element, ModelOptions, Network, PartHash, TensorInfo};

pub use crate::log::{LogSink, Severity, set_log_sink};
