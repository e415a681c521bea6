//! Whether the fields of a manifest contradict each other.

use std::collections::HashSet;

use super::defaults::Defaults;
use super::document::Manifest;
use super::sample::{Kind, Sample};
use super::tensors::{Inputs, LearnedVariance, MOST_CLASSES};
use super::time::{Encoding, Time, Toward};
use crate::option::Options;
use crate::prediction::Prediction;
use crate::sample::MOST_VALUES;
use crate::schedule::{NoiseSchedule, Spacing, Tables};
use crate::settings;
use crate::solver;

/// The most bytes that the name of a model or of a condition may have.
pub const MOST_NAME: usize = 64;

impl Manifest {
    pub(super) fn check(&self) -> std::result::Result<(), String> {
        self.check_name()?;
        self.check_sample()?;
        let schedule = self.schedule.build(Tables::Exact).map_err(|error| format!("schedule: {error}"))?;
        self.check_prediction(&*schedule)?;
        self.check_time(&*schedule)?;
        self.check_classes()?;
        self.check_tensors()?;
        self.check_defaults(&*schedule)
    }

    fn check_name(&self) -> std::result::Result<(), String> {
        if let Some(name) = &self.name {
            // It becomes part of file names, and the manifest is another's.
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if name.is_empty() || name.len() > MOST_NAME || name.starts_with('.') || !name.chars().all(plain) {
                return Err(format!(
                    "name is {name:?}; it is 1 to 64 letters, digits, '-', '_' and '.', and does not begin with '.'"
                ));
            }
        }
        Ok(())
    }

    fn check_sample(&self) -> std::result::Result<(), String> {
        let Sample { shape, .. } = &self.sample;
        let values = shape.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis));
        if values.is_none_or(|values| values > MOST_VALUES) {
            return Err(format!("sample.shape is {shape:?}; one item has at most {MOST_VALUES} values"));
        }
        if shape.is_empty() || shape.contains(&0) {
            return Err(format!("sample.shape is {shape:?}; it needs at least one axis, and every axis at least 1"));
        }
        match (self.sample.kind(), &shape[..]) {
            (Kind::Image, [1 | 3 | 4, _, _]) | (Kind::Points, [2]) | (Kind::Tensor, _) => {}
            (Kind::Image, _) => {
                return Err(format!(
                    "sample.shape is {shape:?}; an image is [channels, height, width] with 1, 3 or 4 channels"
                ));
            }
            (Kind::Points, _) => return Err(format!("sample.shape is {shape:?}; points are [2]")),
        }
        match self.sample.range() {
            Some([low, high]) if !(low.is_finite() && high.is_finite() && low < high) => {
                return Err(format!("sample.range is [{low}, {high}]; the first must be below the second"));
            }
            None if self.sample.clip() => {
                return Err("sample.clip is true, but there is no sample.range to clip to".into());
            }
            _ => {}
        }
        if self.sample.clamp && self.sample.range().is_none() {
            return Err("sample.clamp is true, but there is no sample.range to clamp to".into());
        }
        if self.sample.sigma_data.is_some_and(|sigma_data| !(sigma_data.is_finite() && sigma_data > 0.0)) {
            return Err(format!("sample.sigma_data is {}; it has to be above 0", self.sigma_data()));
        }
        Ok(())
    }

    fn check_prediction(&self, schedule: &dyn NoiseSchedule) -> std::result::Result<(), String> {
        let noisiest = schedule.level(schedule.bounds()[1]);
        if noisiest.alpha == 0.0 && !self.prediction.allows_pure_noise() {
            return Err(
                "prediction: from ε, the score and F nothing can be found where the schedule leaves nothing of the clean sample; \
                 a network that was trained so says v, x0 or the flow. In steps of training schedule.terminal \"floored\" leaves ᾱ = 2⁻²⁴"
                    .into(),
            );
        }
        if self.prediction == Prediction::PosteriorMean && schedule.train_steps().is_none() {
            return Err("prediction is \"posterior_mean\", which a schedule in continuous time does not have".into());
        }
        if self.is_classifier() && self.classes.is_none() {
            return Err("prediction is \"class_gradient\", which is of a class, but there are no classes".into());
        }
        if self.is_classifier() && self.variance != LearnedVariance::None {
            return Err("variance is learned, but a gradient has none".into());
        }
        Ok(())
    }

    fn check_time(&self, schedule: &dyn NoiseSchedule) -> std::result::Result<(), String> {
        let Time { encoding, direction, scale, offset } = self.time();
        if encoding == Encoding::Index && schedule.train_steps().is_none() {
            return Err("time.encoding is \"index\", which a schedule in continuous time does not have; expected unit, sigma or log_sigma".into());
        }
        if direction == Toward::Data && matches!(encoding, Encoding::Sigma | Encoding::LogSigma) {
            return Err("time.direction is \"data\", which only the encodings \"index\" and \"unit\" can have".into());
        }
        if !(scale.is_finite() && scale != 0.0 && offset.is_finite()) {
            return Err(format!(
                "time.scale is {scale} and time.offset {offset}; both must be finite, the scale not 0"
            ));
        }
        Ok(())
    }

    fn check_classes(&self) -> std::result::Result<(), String> {
        if let Some(classes) = &self.classes {
            let count = classes.count();
            if count == 0 {
                return Err("classes has neither names nor a count".into());
            }
            if count > MOST_CLASSES || classes.null.is_some_and(|null| null > MOST_CLASSES) {
                return Err(format!("classes.count or classes.null is above {MOST_CLASSES}"));
            }
            if !classes.names.is_empty() && classes.names.len() != count {
                return Err(format!("classes.count is {count}, but there are {} classes.names", classes.names.len()));
            }
            let mut seen = HashSet::new();
            if let Some(twice) = classes.names.iter().find(|name| !seen.insert(*name)) {
                return Err(format!("classes.names has '{twice}' twice"));
            }
        }
        if self.inputs.class.is_some() && self.classes.is_none() {
            return Err("inputs.class is named, but there are no classes".into());
        }
        Ok(())
    }

    fn check_tensors(&self) -> std::result::Result<(), String> {
        for (name, condition) in &self.conditions {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
            if !begins
                || name.len() > MOST_NAME
                || !name.chars().all(plain)
                || Inputs::ROLES.iter().any(|(role, _)| role == name)
            {
                return Err(format!(
                    "conditions has {name:?}; a name is 1 to 64 small letters, digits and '_', begins with a letter, and is none of {}",
                    Inputs::roles()
                ));
            }
            let shape = &condition.shape;
            let values = shape.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis));
            if shape.is_empty() || values.is_none_or(|values| values == 0 || values > MOST_VALUES) {
                return Err(format!(
                    "conditions.{name}.shape is {shape:?}; it needs at least one axis, each at least 1, and at most {MOST_VALUES} values"
                ));
            }
            if condition.kind() == Kind::Image && !matches!(shape[..], [1 | 3 | 4, _, _]) {
                return Err(format!(
                    "conditions.{name}.shape is {shape:?}; an image is [channels, height, width] with 1, 3 or 4 channels"
                ));
            }
            if condition.joined && (shape.len() != self.sample.shape.len() || shape[1..] != self.sample.shape[1..]) {
                return Err(format!(
                    "conditions.{name}.shape is {shape:?}; what is joined to the sample {:?} differs in the channels alone",
                    self.sample.shape
                ));
            }
            if condition.joined && self.inputs.conditions.contains_key(name) {
                return Err(format!("inputs.{name} is named, but the condition is joined to the sample"));
            }
            let [low, high] = condition.range();
            if !(low.is_finite() && high.is_finite() && low < high) {
                return Err(format!("conditions.{name}.range is [{low}, {high}]; the first must be below the second"));
            }
        }
        if let Some(role) = self.inputs.conditions.keys().find(|role| !self.conditions.contains_key(*role)) {
            return Err(format!("inputs.{role}: unknown field; there are {}, and the conditions", Inputs::roles()));
        }
        let Inputs { sample, time, class, direction, conditions } = &self.inputs;
        let mut seen = HashSet::new();
        let mut named = [sample, time, class, direction].into_iter().flatten().chain(conditions.values());
        if let Some(twice) = named.find(|name| !seen.insert(*name)) {
            return Err(format!("the input '{twice}' has two roles in the manifest's inputs"));
        }
        if self.inputs.direction.is_some() != self.outputs.derivative.is_some() {
            return Err("inputs.direction and outputs.derivative go together; one of them is missing".into());
        }
        if self.outputs.derivative.is_some() && self.joined_channels() > 0 {
            return Err("outputs.derivative: a network with joined conditions cannot have it".into());
        }
        if self.outputs.derivative.is_some() && self.variance != LearnedVariance::None {
            return Err("outputs.derivative: a network with a learned variance cannot have it".into());
        }
        Ok(())
    }

    fn check_defaults(&self, schedule: &dyn NoiseSchedule) -> std::result::Result<(), String> {
        let Defaults { steps, eta, steps_offset, .. } = self.defaults;
        if eta.is_some_and(|eta| !(0.0..=1.0).contains(&eta)) {
            return Err(format!("defaults.eta is {}; it lies between 0 and 1", eta.unwrap_or_default()));
        }
        let grid = self.defaults.grid;
        let values = self.defaults.values().map_err(|error| format!("defaults.options: {error}"))?;
        let mut options = Options::default();
        let named = solver::SOLVERS.iter().find(|entry| entry.name == self.solver());
        let of_solver = |key: &str| {
            let of_run = settings::OPTIONS.iter().any(|option| option.key == key);
            let has = || named.is_some_and(|entry| entry.options.iter().any(|option| option.key == key));
            // η is for whichever solvers have it.
            !of_run && solver::option(key).is_some() && (key != "eta" || has())
        };
        values.into_iter().filter(|(key, _)| of_solver(key)).for_each(|(key, value)| options.set(key, value));
        solver::build(self.solver(), &options).map_err(|error| format!("defaults: {error}"))?;
        if steps == Some(0) {
            return Err("defaults.steps is 0; a run takes at least one step".into());
        }
        if steps_offset > 0 && grid != Some(Spacing::Leading) {
            return Err(format!(
                "defaults.steps_offset is {steps_offset}, but only the grid \"leading\" has an offset"
            ));
        }
        if steps_offset > 0 && schedule.train_steps().is_none_or(|train_steps| steps_offset >= train_steps) {
            return Err(format!("defaults.steps_offset is {steps_offset}; it is below schedule.train_steps"));
        }
        Ok(())
    }
}
