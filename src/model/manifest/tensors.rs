//! What the network takes and gives beside the sample and the time: classes, conditions, and the names of all of them
//! in the graph.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::omitted::is_default;
use super::sample::Kind;

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
    /// The shape of one item, without the batch.
    pub shape: Vec<usize>,
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
}

impl ConditionInput {
    /// The kind that is given; else as [`Sample::kind`](super::Sample::kind).
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
