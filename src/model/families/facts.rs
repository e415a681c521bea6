//! The contents of a folder, as far as families need them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::Error;
use crate::signature::{Signature, TensorInfo};

/// The greatest number in a configuration that is accepted.
const MOST: u64 = 1 << 24;

/// The fields of configurations that are read, by what they hold.
const WHOLE: &[&str] = &[
    "in_channels",
    "out_channels",
    "sample_size",
    "cross_attention_dim",
    "time_cond_proj_dim",
    "projection_class_embeddings_input_dim",
    "num_embeds_ada_norm",
    "max_position_embeddings",
    "vocab_size",
    "num_hidden_layers",
];
const NUMBERS: &[&str] = &["scaling_factor", "shift_factor"];
const LISTS: &[&str] = &["latents_mean", "latents_std"];
const BLOCKS: &[&str] = &["block_out_channels", "encoder_block_out_channels"];

/// The contents of a folder.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// `model_index.json`.
    pub(crate) index: Option<Value>,
    /// `scheduler/scheduler_config.json`.
    pub(crate) scheduler: Option<Value>,
    /// `diffuse.preview.json`: how latents are shown.
    pub(crate) preview: Option<Value>,
    /// The sub-folders, by their names.
    pub(crate) components: BTreeMap<String, Component>,
}

/// A sub-folder with a network, or what is left of one.
#[derive(Debug, Default)]
pub(crate) struct Component {
    /// The path of its graph; `None` where there is none.
    pub(crate) graph: Option<String>,
    /// The inputs and outputs of its graph.
    pub(crate) signature: Signature,
    /// `config.json`.
    pub(crate) config: Option<Value>,
    /// What is wrong with it, if something is.
    pub(crate) wrong: Option<String>,
}

impl Facts {
    /// The class of the pipeline in `model_index.json`.
    pub(crate) fn class(&self) -> Option<&str> {
        self.index.as_ref()?.get("_class_name")?.as_str()
    }

    /// The component of this name, if it has a graph.
    pub(crate) fn component(&self, name: &str) -> Option<(&Component, &str)> {
        let component = self.components.get(name)?;
        Some((component, component.graph.as_deref()?))
    }

    /// The component of this name, if there is one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn optional(&self, name: &str) -> Result<Option<(&Component, &str)>, String> {
        match self.components.get(name).and_then(|component| component.wrong.as_ref()) {
            Some(wrong) => Err(wrong.clone()),
            None => Ok(self.component(name)),
        }
    }

    /// The component of this name.
    ///
    /// # Errors
    /// The missing component, and the place where it was looked for.
    pub(super) fn needed(&self, name: &str) -> Result<(&Component, &str), String> {
        self.optional(name)?.ok_or_else(|| {
            let there = match self.components.get(name) {
                Some(_) => "the folder is there, and no .onnx file in it: was the export interrupted?",
                None => "there is no such folder",
            };
            format!("{name}/model.onnx is missing ({there})")
        })
    }

    /// A flag of `model_index.json`.
    ///
    /// # Errors
    /// The value that is no flag.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, String> {
        match self.index.as_ref().and_then(|index| index.get(key)) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(format!("model_index.json: {key}: {other}; expected true or false")),
        }
    }

    /// Whether `model_index.json` lists a component of this name.
    pub(super) fn lists(&self, name: &str) -> bool {
        let said = self.index.as_ref().and_then(|index| index.get(name)).and_then(Value::as_array);
        said.is_some_and(|pair| pair.iter().any(|word| !word.is_null()))
    }
}

impl Component {
    /// A component that failed with this error.
    pub(crate) fn failed(error: &Error) -> Self {
        Self { wrong: Some(error.to_string()), ..Self::default() }
    }

    /// Refuses a configuration whose fields are no numbers where numbers are read. A field that is absent or null has
    /// its default.
    ///
    /// # Errors
    /// The field, and what is expected.
    pub(crate) fn check(&self) -> Result<(), String> {
        /// Fields, the test of their values, and the values in words.
        type Rule<'a> = (&'a [&'a str], &'a dyn Fn(&Value) -> bool, &'a str);
        let Some(config) = &self.config else { return Ok(()) };
        if !config.is_object() {
            return Err("it is no JSON object".into());
        }
        let is_whole = |value: &Value| value.as_u64().is_some_and(|whole| whole <= MOST);
        let all = |value: &Value, is: &dyn Fn(&Value) -> bool| {
            value.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(is))
        };
        let whole_or_list = |value: &Value| is_whole(value) || all(value, &is_whole);
        let rules: [Rule<'_>; 4] = [
            (WHOLE, &whole_or_list, "a whole number"),
            (NUMBERS, &Value::is_number, "a number"),
            (LISTS, &|value| all(value, &Value::is_number), "a list of numbers"),
            (
                BLOCKS,
                &|value| all(value, &is_whole) && value.as_array().is_some_and(|list| list.len() <= 8),
                "one to eight whole numbers",
            ),
        ];
        for (keys, is, expected) in rules {
            for key in keys {
                if let Some(value) = config.get(*key).filter(|value| !value.is_null() && !is(value)) {
                    return Err(format!("{key}: {value}; expected {expected}"));
                }
            }
        }
        Ok(())
    }

    /// A whole number of `config.json`, or the first of a list.
    pub(super) fn whole(&self, key: &str) -> Option<usize> {
        let value = self.config.as_ref()?.get(key)?;
        let value = value.as_array().map_or(Some(value), |list| list.first())?;
        usize::try_from(value.as_u64()?).ok()
    }

    /// A number of `config.json`.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        self.config.as_ref()?.get(key)?.as_f64()
    }

    /// Numbers of `config.json`.
    pub(super) fn numbers(&self, key: &str) -> Option<Vec<f64>> {
        self.config.as_ref()?.get(key)?.as_array()?.iter().map(Value::as_f64).collect()
    }

    /// The input of this name.
    pub(super) fn input(&self, name: &str) -> Option<&TensorInfo> {
        self.signature.inputs.iter().find(|input| input.name == name)
    }

    /// The output of this name.
    pub(super) fn output(&self, name: &str) -> Option<&TensorInfo> {
        self.signature.outputs.iter().find(|output| output.name == name)
    }

    /// The first input, or else output, of `names` that there is.
    pub(super) fn first_of<'a>(tensors: &'a [TensorInfo], names: &[&str]) -> Option<&'a TensorInfo> {
        names.iter().find_map(|name| tensors.iter().find(|tensor| tensor.name == *name))
    }
}

/// An axis of a tensor, where it is fixed.
pub(super) fn axis(tensor: Option<&TensorInfo>, place: usize) -> Option<usize> {
    tensor?.shape.get(place).copied().flatten()
}
