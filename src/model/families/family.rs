//! What a family is.

use super::facts::Facts;
use crate::model::pipeline::Pipeline;

/// A family of pipelines.
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What the names of its classes in diffusers begin with, without what exporters put before them.
    pub(super) classes: &'static [&'static str],
    /// What becomes of a folder of it.
    pub(super) read: fn(&Facts) -> Result<Pipeline, String>,
}
