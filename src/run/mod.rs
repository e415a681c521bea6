//! Runs: what is done step by step, by whom, and what it takes.

mod cost;
mod counterfactual;
mod runner;

pub use cost::Cost;
pub use counterfactual::Counterfactual;
pub(crate) use runner::THREAD;
pub use runner::{Opener, Opening, Runner, Stage, State};
