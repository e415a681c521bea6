//! The type of a manifest.

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
    /// The place of the JSON Schema of manifests, for editors. It is not read.
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The version of the schema: 1.
    pub diffuse: u32,
    /// A short name, used for file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the model generates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The licence of the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Where the model comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The shape and the values of a sample.
    pub sample: Sample,
    /// The noise schedule that the model was trained on.
    pub schedule: Schedule,
    /// What the network predicts.
    pub prediction: Prediction,
    /// How the noisy sample is scaled for the network.
    #[serde(default, skip_serializing_if = "is_default")]
    pub input_scaling: InputScaling,
    /// Whether the second half of the output's channels is a learned variance.
    #[serde(default)]
    pub variance: LearnedVariance,
    /// How the network's time input is computed. See [`Manifest::time`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// The classes, where the model has some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
    /// The network's other conditions by name, such as a smaller picture, a mask or a vector.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, ConditionInput>,
    /// Which item has the negative condition, for a graph whose batch of two is one item under both conditions of
    /// guidance.
    #[serde(default, skip_serializing_if = "is_default")]
    pub guidance_pair: Option<GuidancePair>,
    /// The names of the graph's inputs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub inputs: Inputs,
    /// The names of the graph's outputs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub outputs: Outputs,
    /// The settings with which the model is sampled best.
    #[serde(default)]
    pub defaults: Defaults,
}
