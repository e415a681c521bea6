//! Runs: what is done step by step, by whom, and what it takes.

mod cost;
mod counterfactual;
mod draw;
mod runner;
mod work;

pub use cost::Cost;
pub use counterfactual::Counterfactual;
pub use draw::{Open, Run};
pub(crate) use runner::THREAD;
pub use runner::{Runner, State};
pub use work::{Samples, Stage, Work};
