//! From what is asked for to a run: the parts that it is made of, chosen by the caller or by the model's manifest.

mod ask;
mod editing;
mod steering;

pub(crate) use ask::fitted;
pub use ask::{ClassifierGuidance, HostGuidance, Request};
