//! The network's inputs and outputs beside the sample and the time: classes, conditions, and the names of all of them
//! in the graph.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::omitted::is_default;
use super::sample::Kind;
use super::shape::Shape;

/// The greatest number of classes of a model. More is a mistake.
pub const MOST_CLASSES: usize = 1_000_000;

/// Whether the network also predicts the variance of the reverse process, in a second half of its output's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearnedVariance {
    /// It does not.
    #[default]
    None,
    /// It predicts the logarithm of the variance.
    Learned,
    /// It predicts a position between the logarithms of β̃ and β (Nichol & Dhariwal 2021, eq. 15).
    LearnedRange,
    /// There is a second half, which is not used.
    Unused,
}

impl LearnedVariance {
    /// How many times the sample's channels the output has.
    #[must_use]
    pub fn doubled(self) -> usize {
        if self == Self::None { 1 } else { 2 }
    }

    /// Whether solvers may use it.
    #[must_use]
    pub fn is_learned(self) -> bool {
        matches!(self, Self::Learned | Self::LearnedRange)
    }
}

/// Which of the two rows has the negative condition, for a graph whose batch of two is the pair of guidance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuidancePair {
    /// The first row, as in Stable Diffusion's pipelines.
    NegativeFirst,
    /// The second row.
    NegativeLast,
}

/// The classes of a class-conditional model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Classes {
    /// The names, in the order of the indices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The number of classes. It is not needed where they are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// The index that stands for "no class", where the model was trained with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub null: Option<usize>,
}

impl Classes {
    /// The number of classes, without the null class.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.unwrap_or(self.names.len())
    }

    /// The name of a class, or its number where it has none.
    #[must_use]
    pub fn name(&self, index: usize) -> String {
        match self.names.get(index) {
            Some(name) => name.clone(),
            None if self.null == Some(index) => "none".into(),
            None => index.to_string(),
        }
    }
}

/// A condition of the network besides the class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionInput {
    /// The shape of one item; `[]` is one number. The batch axis is in front of it unless "batch" stands in it. A
    /// string names a free size.
    pub shape: Shape,
    /// Whether each item has its own value. If not, one value is for all items, and there is no batch axis.
    #[serde(default = "each", skip_serializing_if = "Clone::clone")]
    pub batch: bool,
    /// What the values are, as for a sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The least and the greatest value, to which pictures are scaled, as for a sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[f32; 2]>,
    /// Whether it is joined behind the sample's channels, and has no input of its own. Several are joined in the order
    /// of their names.
    #[serde(default, skip_serializing_if = "is_default")]
    pub joined: bool,
    /// Whether it is joined before the sample, and not behind it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub before: bool,
    /// The axis of an item along which it is joined. 0 is the axis of the channels in most models.
    #[serde(default, skip_serializing_if = "is_default")]
    pub axis: usize,
}

/// The default, as most conditions have it.
fn each() -> bool {
    true
}

impl ConditionInput {
    /// The kind that is set. Default: an image for `[1, 3 or 4, height, width]`, points for `[2]`, a tensor for the
    /// rest.
    ///
    /// What is given as a picture is one, so four channels are not in doubt as they are in
    /// [`Sample::kind`](super::Sample::kind).
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind.unwrap_or_else(|| Kind::usual(&self.shape))
    }

    /// The range that is set. Default: −1 to 1.
    #[must_use]
    pub fn range(&self) -> [f32; 2] {
        self.range.unwrap_or([-1.0, 1.0])
    }
}

/// The names of the graph's inputs by role. A role that is not named is found by its usual names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Inputs {
    /// The noisy sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<String>,
    /// The time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The direction of the derivative. It belongs to [`Outputs::derivative`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// The latest estimate of the clean sample, which is zeros before the first. This is "self-conditioning" (Chen et
    /// al. 2022, "Analog Bits").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_condition: Option<String>,
    /// The conditions. One that is not here is an input of its own name.
    #[serde(flatten)]
    pub conditions: BTreeMap<String, String>,
}

impl Inputs {
    /// The roles of inputs beside the conditions, each with its usual names. An input is found by them where the
    /// manifest does not name it.
    pub const ROLES: &[(&str, &[&str])] = &[
        ("sample", &["x", "sample", "x_t", "noisy_sample"]),
        ("time", &["t", "timestep", "timesteps", "time", "sigma"]),
        ("class", &["y", "class_labels", "labels", "class"]),
        ("direction", &[]),
        ("self_condition", &["x_self_cond"]),
    ];

    /// The usual names of the input with the role `role`.
    #[must_use]
    pub fn usual_names(role: &str) -> &'static [&'static str] {
        Self::ROLES.iter().find(|(known, _)| *known == role).map_or(&[], |(_, names)| names)
    }

    /// The roles, in words.
    pub(super) fn roles() -> String {
        Self::ROLES.iter().map(|(role, _)| *role).collect::<Vec<_>>().join(", ")
    }
}

/// The names of the graph's outputs by role.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outputs {
    /// The prediction. It need not be named where there is one output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<String>,
    /// The product of the prediction's Jacobian with respect to the sample and [`Inputs::direction`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub derivative: Option<String>,
}
