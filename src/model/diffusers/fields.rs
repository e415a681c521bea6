//! The fields of one `scheduler_config.json`.

use serde_json::Value;

use super::classes::{CLASSES, Class};
use crate::error::{Error, Result};
use crate::json::{Json, quoted};

/// Every field that a scheduler of diffusers has or had, one a line.
const KNOWN: &str = include_str!("fields.txt");

/// The options and the parts of a schedule that have another name in a file.
const FIELD_OF: &[(&str, &str)] = &[
    ("betas", "trained_betas"),
    ("train_steps", "num_train_timesteps"),
    ("snr_shift", "snr_shift_scale"),
    ("least_time", "sampling_eps"),
    ("order", "solver_order"),
    ("lambda_min", "lambda_min_clipped"),
    ("shift", "flow_shift"),
    ("s_tmin", "s_min"),
    ("s_tmax", "s_max"),
    ("corrector_snr", "snr"),
    ("corrector_steps", "correct_steps"),
    ("original_steps", "original_inference_steps"),
    ("threshold_ratio", "dynamic_thresholding_ratio"),
    ("threshold_max", "sample_max_value"),
];

/// The fields of one file.
pub(super) struct Fields {
    /// The class's name, as the file spells it.
    pub(super) name: String,
    pub(super) class: &'static Class,
    /// The fields that other classes have, which this one ignores.
    pub(super) ignored: Vec<String>,
    values: serde_json::Map<String, Value>,
}

impl Fields {
    pub(super) fn parse(json: &str) -> Result<Self> {
        let wrong = |reason: String| Error::argument("scheduler_config", reason);
        let no_object = |reason: String| wrong(format!("is not a JSON object: {reason}"));
        let json = quoted(json);
        let json = Json::new(&json).map_err(no_object)?;
        let values: serde_json::Map<String, Value> =
            json.read().map_err(|error| no_object(error.inner().to_string()))?;
        let name = values.get("_class_name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(class) = CLASSES.iter().find(|class| name.strip_suffix("Scheduler") == Some(class.name)) else {
            let known: Vec<_> = CLASSES.iter().map(|class| format!("{}Scheduler", class.name)).collect();
            let reason = format!("{name:?} is not known; known are {}", known.join(", "));
            return Err(Error::argument("_class_name", reason));
        };
        let mut ignored = Vec::new();
        for key in values.keys().filter(|key| !key.starts_with('_')) {
            if class.has(key) {
                continue;
            }
            if !KNOWN.lines().any(|known| known == key) {
                return Err(wrong(format!(
                    "{key:?} is not a field of {name}, nor of any other scheduler of diffusers"
                )));
            }
            ignored.push(key.clone());
        }
        Ok(Self { name, class, ignored, values })
    }

    pub(super) fn error(&self, key: &'static str, reason: impl Into<String>) -> Error {
        Error::argument(key, format!("{} ({})", reason.into(), self.name))
    }

    /// Turns an error about an option into one about the field that set it.
    pub(super) fn named(&self, error: Error) -> Error {
        let Error::Argument { name, reason } = error else { return error };
        let fields = FIELD_OF.iter().filter(|(option, _)| *option == name).map(|(_, field)| *field);
        match fields.into_iter().find(|field| self.get(field).is_some()) {
            Some(field) => self.error(field, reason),
            None => self.error(name, reason),
        }
    }

    /// The value of a field that the class has.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null() && self.class.has(key))
    }

    pub(super) fn flag(&self, key: &'static str, otherwise: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(otherwise),
            Some(value) => value.as_bool().ok_or_else(|| self.error(key, format!("{value}; expected true or false"))),
        }
    }

    pub(super) fn real(&self, key: &'static str) -> Result<Option<f64>> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) => Ok(Some(number)),
                None => Err(self.error(key, format!("{value}; expected a number"))),
            },
        }
    }

    pub(super) fn whole(&self, key: &'static str, otherwise: usize) -> Result<usize> {
        match self.get(key) {
            None => Ok(otherwise),
            Some(value) => {
                let whole = value.as_u64().and_then(|number| usize::try_from(number).ok());
                whole.ok_or_else(|| self.error(key, format!("{value}; expected a whole number")))
            }
        }
    }

    pub(super) fn text(&self, key: &'static str, otherwise: &str) -> Result<String> {
        match self.get(key) {
            None => Ok(otherwise.to_owned()),
            Some(value) => match value.as_str() {
                Some(text) => Ok(text.to_owned()),
                None => Err(self.error(key, format!("{value}; expected a text"))),
            },
        }
    }

    pub(super) fn numbers(&self, key: &'static str) -> Result<Option<Vec<f64>>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let numbers = value.as_array().map(|list| list.iter().map(Value::as_f64).collect::<Option<Vec<_>>>());
        match numbers.flatten() {
            Some(numbers) => Ok(Some(numbers)),
            None => Err(self.error(key, "expected a list of numbers")),
        }
    }

    /// The number of a field in which minus infinity means none.
    pub(super) fn above_minus_infinity(&self, key: &'static str) -> Result<Option<f64>> {
        if self.get(key).and_then(Value::as_str) == Some("-Infinity") { Ok(None) } else { self.real(key) }
    }

    /// Refuses values of a field that have no counterpart.
    pub(super) fn only(&self, key: &'static str, fine: &[Value]) -> Result<()> {
        match self.get(key) {
            Some(value) if !fine.contains(value) => {
                let fine: Vec<_> = fine.iter().map(ToString::to_string).collect();
                let fine = if fine.is_empty() { "null".into() } else { fine.join(" or ") };
                Err(self.error(key, format!("{value}; only {fine} has a counterpart here")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_a_class_is_known() {
        for class in CLASSES {
            for field in class.fields.iter().copied().flatten() {
                assert!(KNOWN.lines().any(|known| known == *field), "{}: {field}", class.name);
            }
        }
    }
}
