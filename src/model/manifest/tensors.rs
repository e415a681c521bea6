//! What the network takes and gives beside the sample and the time: classes, conditions, and the names of all of them
//! in the graph.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::omitted::is_default;
use super::sample::Kind;
use super::shape::Shape;

/// The most classes that a model may have; more is a slip.
pub const MOST_CLASSES: usize = 1_000_000;

/// Whether the network also says the variance of the reverse process, in a second half of its output's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearnedVariance {
    /// No.
    #[default]
    None,
    /// The logarithm of the variance.
    Learned,
    /// A position between the logarithms of β̃ and β (Nichol & Dhariwal 2021, eq. 15).
    LearnedRange,
    /// There is a second half, but nothing is to be made of it.
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

/// Of a graph whose batch of two is the pair of guidance, which of the two has the negative condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuidancePair {
    /// The first, as in Stable Diffusion's pipelines.
    NegativeFirst,
    /// The second.
    NegativeLast,
}

/// The classes of a class-conditional model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Classes {
    /// The names, in the order of the indices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// How many there are; not needed where they are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// The index that stands for "no class", where the model was trained with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub null: Option<usize>,
}

impl Classes {
    /// How many classes there are, without the null class.
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

/// A tensor that the network is given besides the sample, the time and the class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionInput {
    /// The shape of one item; `[]` is one number. The axis of the batch is in front of it unless "batch" stands in it;
    /// a string is a size that is free.
    pub shape: Shape,
    /// Whether each item has its own. If not, one value is for all of them, and there is no axis for the batch.
    #[serde(default = "each", skip_serializing_if = "Clone::clone")]
    pub batch: bool,
    /// What the values are: as for a sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The least and the greatest value, which pictures are brought to: as for a sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[f32; 2]>,
    /// Whether it has no input of its own, but lies behind the sample's channels in the sample's: with others in the
    /// order of their names.
    #[serde(default, skip_serializing_if = "is_default")]
    pub joined: bool,
    /// Whether what is joined lies before the sample, and not behind it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub before: bool,
    /// The axis of an item that it is joined along: 0 is the channels of most.
    #[serde(default, skip_serializing_if = "is_default")]
    pub axis: usize,
}

/// As most conditions are.
fn each() -> bool {
    true
}

impl ConditionInput {
    /// The kind that is given; else an image for `[1, 3 or 4, height, width]`, points for `[2]`, a tensor for the rest.
    /// What is given as a picture is one, so that four channels are not in doubt as they are in
    /// [`Sample::kind`](super::Sample::kind).
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind.unwrap_or_else(|| Kind::usual(&self.shape))
    }

    /// The range that is given; else −1 to 1.
    #[must_use]
    pub fn range(&self) -> [f32; 2] {
        self.range.unwrap_or([-1.0, 1.0])
    }
}

/// The names of the graph's inputs by role. What is not named is guessed from the usual names.
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
    /// What the derivative is taken along; with [`Outputs::derivative`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// The latest estimate of the clean sample ("self-conditioning", Chen et al. 2022, "Analog Bits"); zeros before the
    /// first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_condition: Option<String>,
    /// The conditions; one that is not here is an input of its own name.
    #[serde(flatten)]
    pub conditions: BTreeMap<String, String>,
}

impl Inputs {
    /// What an input of the graph may be, beside a condition, each with the names that it usually has: it is found by
    /// them where the manifest does not name it.
    pub const ROLES: &[(&str, &[&str])] = &[
        ("sample", &["x", "sample", "x_t", "noisy_sample"]),
        ("time", &["t", "timestep", "timesteps", "time", "sigma"]),
        ("class", &["y", "class_labels", "labels", "class"]),
        ("direction", &[]),
        ("self_condition", &["x_self_cond"]),
    ];

    /// The names that the input with the role `role` usually has.
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
    /// What the network predicts; not needed where there is one output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<String>,
    /// The Jacobian of the prediction with respect to the sample times [`Inputs::direction`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub derivative: Option<String>,
}
