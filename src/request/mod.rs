//! From what is asked for to a job: every choice made, by the caller or by the model's manifest, and then the parts
//! that a run is made of.

mod ask;
mod choices;
mod compose;
mod editing;
mod encode;
mod fitting;
mod plan;
mod steering;

pub use ask::{ClassifierGuidance, HostGuidance, Request};
pub(crate) use compose::{Composition, Finish};
pub(crate) use fitting::fitted;
pub use plan::Plan;
