//! What a family is.

use super::facts::Facts;
use crate::model::pipeline::Pipeline;

/// A family of pipelines.
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What the names of its classes in diffusers begin with, without what exporters put before them.
    pub(super) classes: &'static [&'static str],
    /// What options diffusers' pipelines have by default from an image on, and with a mask of it, where that is not
    /// what the model's manifest says.
    pub(crate) of_image: [&'static [(&'static str, f64)]; 2],
    /// What becomes of a folder of it.
    pub(super) read: fn(&Facts) -> Result<Pipeline, String>,
}
