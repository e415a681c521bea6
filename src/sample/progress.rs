//! The progress of a run, and the greatest size of its samples.

use crate::error::{Error, Result};

/// The most values that the samples of one job may have. They take 1 GiB in f32, and up to ten times that with the
/// job's other buffers. More would be a mistake of the caller, and could make the system kill the process.
pub const MOST_VALUES: usize = 1 << 28;

/// The number of values of a batch of `shape`.
///
/// # Errors
/// [`Error::Argument`] if the shape has no axes, a zero or more than [`MOST_VALUES`] values.
pub(crate) fn checked_length(shape: &[usize]) -> Result<usize> {
    let length = shape.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis));
    match length {
        Some(length) if length > 0 && !shape.is_empty() && length <= MOST_VALUES => Ok(length),
        _ => {
            let reason = format!("{shape:?}; every axis must be at least 1, all values together at most {MOST_VALUES}");
            Err(Error::argument("shape", reason))
        }
    }
}

/// How many steps of a job are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Progress {
    /// The number of steps that are done.
    pub step: usize,
    /// The number of all steps.
    pub steps: usize,
}

impl Progress {
    /// Whether the run is over.
    #[must_use]
    pub fn is_finished(self) -> bool {
        self.step >= self.steps
    }
}
