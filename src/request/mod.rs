//! From a request to a job. First every choice is made, by the caller or by the model's manifest. Then the parts of the
//! run are made.

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
