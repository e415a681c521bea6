//! Runs: work in steps, the threads that do it, and what it costs.

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
