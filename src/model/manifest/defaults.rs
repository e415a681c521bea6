//! The manifest's settings for sampling.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::omitted::is_default;
use crate::option::Value;
use crate::schedule::{Ending, Spacing};
use crate::settings;

/// The settings with which the model is sampled best.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// The name of the solver. Its default depends on the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solver: Option<String>,
    /// The number of steps, or T where it is more. Its default depends on the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// The grid. Its default depends on the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<Spacing>,
    /// The offset that is added to the times of the leading grid.
    pub steps_offset: usize,
    /// The noise level at which the run ends.
    #[serde(skip_serializing_if = "is_default")]
    pub ending: Ending,
    /// η, for solvers that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta: Option<f64>,
    /// Other options of the solver and the grid, by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, serde_json::Value>,
}

impl Defaults {
    /// Renames options that have a new name.
    pub(super) fn renew(&mut self) -> std::result::Result<(), String> {
        for (former, key) in settings::RENAMED {
            let Some(value) = self.options.remove(*former) else { continue };
            if self.options.insert((*key).to_owned(), value).is_some() {
                return Err(format!("defaults.options: {former:?} and {key:?} are the same option"));
            }
        }
        for (key, former, word) in settings::REWORDED {
            let value = self.options.get_mut(*key);
            value.filter(|value| value == former).into_iter().for_each(|value| *value = (*word).into());
        }
        Ok(())
    }

    /// The options that the manifest sets, η among them, as the tables of options read them.
    pub(crate) fn values(&self) -> crate::Result<Vec<(&'static str, Value)>> {
        let mut values = Vec::new();
        for (key, given) in &self.options {
            let text = given.as_str().map_or_else(|| given.to_string(), ToOwned::to_owned);
            let entry = settings::option(key)
                .ok_or_else(|| crate::Error::argument("options", format!("there is no option {key:?}")))?;
            values.push((entry.key, entry.parse(&text)?));
        }
        if let Some(eta) = self.eta {
            values.push(("eta", Value::Real(eta)));
        }
        Ok(values)
    }
}
