//! The manifest itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::defaults::Defaults;
use super::omitted::is_default;
use super::sample::Sample;
use super::schedule::Schedule;
use super::tensors::{Classes, ConditionInput, GuidancePair, Inputs, LearnedVariance, Outputs};
use super::time::Time;
use crate::prediction::{InputScaling, Prediction};

/// A model's manifest: what cannot be read from its graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Where the JSON Schema of manifests is, for editors. It is not looked at.
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The version of the schema: 1.
    pub diffuse: u32,
    /// A short name, used for file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the model draws.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The licence of the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Where the model is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What a sample is.
    pub sample: Sample,
    /// The noise schedule that the model was trained on.
    pub schedule: Schedule,
    /// What the network predicts.
    pub prediction: Prediction,
    /// What the network sees of the noisy sample.
    #[serde(default, skip_serializing_if = "is_default")]
    pub input_scaling: InputScaling,
    /// Whether the second half of the output's channels is a learned variance.
    #[serde(default)]
    pub variance: LearnedVariance,
    /// What the network is given for the time. See [`Manifest::time`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// The classes, where the model has some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
    /// What else the network is given, by name: a smaller picture, a mask, a vector.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, ConditionInput>,
    /// Of a graph whose batch of two is one item under both conditions of guidance, which of them is which.
    #[serde(default, skip_serializing_if = "is_default")]
    pub guidance_pair: Option<GuidancePair>,
    /// The names of the graph's inputs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub inputs: Inputs,
    /// The names of the graph's outputs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub outputs: Outputs,
    /// How the model is best sampled.
    #[serde(default)]
    pub defaults: Defaults,
}
