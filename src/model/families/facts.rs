//! What is in a folder, as far as families look at it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::Error;
use crate::signature::{Signature, TensorInfo};

/// What is in a folder.
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
    /// What that takes and gives.
    pub(crate) signature: Signature,
    /// `config.json`.
    pub(crate) config: Option<Value>,
    /// What is wrong with it, where something is.
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

    /// The component of this name.
    ///
    /// # Errors
    /// That it is missing, and where it is looked for.
    pub(super) fn needed(&self, name: &str) -> Result<(&Component, &str), String> {
        let wrong = self.components.get(name).and_then(|component| component.wrong.as_ref());
        if let Some(wrong) = wrong {
            return Err(wrong.clone());
        }
        self.component(name).ok_or_else(|| {
            let there = match self.components.get(name) {
                Some(_) => "the folder is there, and no .onnx file in it: was the export interrupted?",
                None => "there is no such folder",
            };
            format!("{name}/model.onnx is missing ({there})")
        })
    }

    /// A flag of `model_index.json`.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.index.as_ref()?.get(key)?.as_bool()
    }
}

impl Component {
    /// One with which this is wrong.
    pub(crate) fn failed(error: &Error) -> Self {
        Self { wrong: Some(error.to_string()), ..Self::default() }
    }

    /// A whole number of `config.json`; of a list its first.
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
