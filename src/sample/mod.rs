//! A run of a solver: the samples, where they stand on the grid, and the parts that move them.

mod job;

pub(crate) use job::{Budget, checked_length};
pub use job::{Canceller, Job, MOST_VALUES, Progress};
