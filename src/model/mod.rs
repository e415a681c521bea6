//! What a model says of itself, without ONNX Runtime: its manifest, and the configurations of diffusers.

mod manifest;
mod resolved;
mod scheduler_config;

pub use manifest::{
    BetaRange, Classes, ConditionInput, ContinuousBeta, Defaults, Encoding, Inputs, Kind, LearnedVariance,
    MOST_CLASSES, MOST_NAME, Manifest, Outputs, Sample, Schedule, SigmoidRange, Steps, Time, Toward,
};
pub use scheduler_config::{DynamicShift, SchedulerConfig};
