//! The manifest's description of a sample.

use serde::{Deserialize, Serialize};

use super::omitted::is_default;
use super::shape::{Axis, Shape};

/// The shape and the values of a sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The shape of one item, without the batch. A string names a free size. It is that of the request's shape, or of a
    /// condition with the same name.
    pub shape: Shape,
    /// Whether the graph has the channels behind the other axes. Everywhere else in this crate they are in front.
    #[serde(default, skip_serializing_if = "is_default")]
    pub channels_last: bool,
    /// What the values are. See [`Sample::kind`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// How latents are previewed before they are decoded. There is a row for red, green and blue: a factor for each
    /// channel, and an optional summand behind them. The result is black at −1 and white at 1. Without it the first
    /// three channels are shown, each stretched from its least value to its greatest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<[Vec<f32>; 3]>,
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
    /// [`Manifest::sigma_data`](super::Manifest::sigma_data) for the default. The former name `deviation` is read as
    /// well.
    #[serde(alias = "deviation", skip_serializing_if = "Option::is_none")]
    pub sigma_data: Option<f64>,
}

/// What the values of a sample are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Pixels, channels first: 1 (grey), 3 (RGB) or 4 (RGB and straight alpha).
    Image,
    /// The latents of an autoencoder, channels first. They have to be decoded into a picture.
    Latent,
    /// One point of the plane.
    Points,
    /// Anything else.
    Tensor,
}

impl Kind {
    /// The default kind of a condition of this shape.
    pub(super) fn usual(shape: &Shape) -> Self {
        match shape.item().collect::<Vec<_>>()[..] {
            [Axis::Size(1 | 3 | 4), _, _] => Self::Image,
            [Axis::Size(2)] => Self::Points,
            _ => Self::Tensor,
        }
    }

    /// Whether an item of these sizes can be of this kind.
    #[must_use]
    pub fn fits(self, sizes: &[usize]) -> bool {
        match self {
            Self::Image => matches!(sizes, [1 | 3 | 4, _, _]),
            Self::Points => *sizes == [2],
            Self::Latent | Self::Tensor => true,
        }
    }
}

impl Sample {
    /// The kind that is set. Default: an image for `[1 or 3, height, width]`, points for `[2]`, a tensor for the rest.
    ///
    /// Four channels may be RGBA or latents. They are a tensor unless the manifest sets the kind, since latents that
    /// are clipped and shown as pixels are spoilt.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind.unwrap_or_else(|| if self.is_ambiguous() { Kind::Tensor } else { Kind::usual(&self.shape) })
    }

    /// Whether it may be RGBA or latents, and the manifest does not set which.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        self.kind.is_none() && matches!(self.shape.0[..], [Axis::Size(4), _, _])
    }

    /// The range that is set. Default: −1 to 1 for images.
    #[must_use]
    pub fn range(&self) -> Option<[f32; 2]> {
        self.range.or((self.kind() == Kind::Image).then_some([-1.0, 1.0]))
    }

    /// Whether x̂₀ is clipped. Default: for images only.
    #[must_use]
    pub fn clip(&self) -> bool {
        self.clip.unwrap_or(self.kind() == Kind::Image)
    }
}
