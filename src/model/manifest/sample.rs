//! What a sample is.

use serde::{Deserialize, Serialize};

use super::omitted::is_default;

/// What a sample is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The shape of one item, without the batch.
    pub shape: Vec<usize>,
    /// What the values are. See [`Sample::kind`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The least and the greatest value of the data. See [`Sample::range`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[f32; 2]>,
    /// Whether x̂₀ is clipped to the range at every step. See [`Sample::clip`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<bool>,
    /// Whether x itself is clamped to the range after every step.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clamp: bool,
    /// The standard deviation of the data, where the network's scaling needs it. See
    /// [`Manifest::sigma_data`](super::Manifest::sigma_data) for the default. It was called `deviation` once, and is
    /// read by that name.
    #[serde(alias = "deviation", skip_serializing_if = "Option::is_none")]
    pub sigma_data: Option<f64>,
}

/// What the values of a sample are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Pixels, channels first: 1 (grey), 3 (RGB) or 4 (RGB and straight alpha).
    Image,
    /// One point of the plane.
    Points,
    /// Anything else.
    Tensor,
}

impl Kind {
    pub(super) fn usual(shape: &[usize]) -> Self {
        match shape {
            [1 | 3 | 4, _, _] => Self::Image,
            [2] => Self::Points,
            _ => Self::Tensor,
        }
    }
}

impl Sample {
    /// The kind that is given; else an image for `[1 or 3 or 4, height, width]`, points for `[2]`, a tensor for the
    /// rest.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind.unwrap_or_else(|| Kind::usual(&self.shape))
    }

    /// The range that is given; else −1 to 1 for images.
    #[must_use]
    pub fn range(&self) -> Option<[f32; 2]> {
        self.range.or((self.kind() == Kind::Image).then_some([-1.0, 1.0]))
    }

    /// Whether x̂₀ is clipped: as given; else for images only.
    #[must_use]
    pub fn clip(&self) -> bool {
        self.clip.unwrap_or(self.kind() == Kind::Image)
    }
}
