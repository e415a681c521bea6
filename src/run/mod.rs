//! Runs: what is done step by step, by whom, and what it takes.

mod cost;
mod counterfactual;
mod draw;
mod runner;
mod staged;
mod work;

pub use cost::Cost;
pub use counterfactual::Counterfactual;
pub use draw::{Open, Run};
pub use runner::{Runner, State, THREAD};
pub use work::{Samples, Stage, Work};
