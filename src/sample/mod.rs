//! Jobs, budgets and snapshots: a run of a solver, one evaluation at a time.

mod adaptive;
mod along;
mod budget;
mod job;
mod known;
mod progress;
mod snapshot;
mod step;

pub(crate) use budget::Budget;
pub use budget::Pace;
pub use job::Job;
pub(crate) use progress::checked_length;
pub use progress::{MOST_VALUES, Progress};

pub use crate::cancel::Canceller;
