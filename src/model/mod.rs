//! What describes a model without ONNX Runtime: its manifest, pipelines, and the configurations of diffusers.

mod diffusers;
mod families;
mod manifest;
mod pipeline;
mod resolved;

pub(crate) use diffusers::{Asked, Run};
pub use diffusers::{DEPARTURES, Departure, DynamicShift, SchedulerConfig};
pub(crate) use families::{Component, Facts, recognise};
pub use families::{FAMILIES, Family};
pub use manifest::{
    Axis, BetaRange, Classes, ConditionInput, ContinuousBeta, Defaults, Encoding, GuidancePair, Inputs, Kind,
    LearnedVariance, MOST_CLASSES, MOST_NAME, Manifest, Outputs, Sample, Schedule, Shape, SigmoidRange, Sizes, Steps,
    Time, Toward,
};
pub use pipeline::{Autoencoder, Encoded, NoNegative, PIPELINE_FILE, Pipeline, Size, Source, TextEncoder};
