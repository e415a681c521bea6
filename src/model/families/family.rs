//! The type of a pipeline family.

use super::facts::Facts;
use crate::model::pipeline::Pipeline;

/// A family of pipelines.
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// How the names of its classes in diffusers begin, without an exporter's prefix.
    pub(super) classes: &'static [&'static str],
    /// The default options of diffusers' pipelines that start from an image, and of those with a mask as well. They are
    /// listed where they differ from the model's manifest.
    pub(crate) of_image: [&'static [(&'static str, f64)]; 2],
    /// Reads a folder of this family as a pipeline.
    pub(super) read: fn(&Facts) -> Result<Pipeline, String>,
}
