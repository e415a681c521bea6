//! The manifest of a model, version 1. `docs/model/manifest.md` describes it field by field.

mod check;
mod defaults;
mod document;
mod named;
mod omitted;
mod read;
mod sample;
mod schedule;
mod shape;
mod tensors;
mod time;
mod usual;

pub use defaults::Defaults;
pub use document::Manifest;
pub use sample::{Kind, Sample};
pub use schedule::{BetaRange, ContinuousBeta, Schedule, SigmoidRange, Steps};
pub use shape::{Axis, MOST_NAME, Shape, Sizes};
pub use tensors::{Classes, ConditionInput, GuidancePair, Inputs, LearnedVariance, MOST_CLASSES, Outputs};
pub use time::{Encoding, Time, Toward};
