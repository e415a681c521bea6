//! Checks that the fields of a manifest do not contradict each other.

use std::collections::HashSet;

use serde_json::json;

use super::defaults::Defaults;
use super::document::Manifest;
use super::sample::{Kind, Sample};
use super::shape::{Axis, MOST_NAME};
use super::tensors::{ConditionInput, Inputs, LearnedVariance, MOST_CLASSES};
use super::time::{Encoding, Time, Toward};
use crate::option::Options;
use crate::prediction::Prediction;
use crate::sample::MOST_VALUES;
use crate::schedule::{NoiseSchedule, Spacing, Tables};
use crate::settings;
use crate::solver;

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
            // It becomes part of file names, and the manifest comes from somebody else.
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
        shape.check(MOST_VALUES).map_err(|reason| format!("sample.shape is {shape}; {reason}"))?;
        if shape.0.is_empty() || shape.0.contains(&Axis::Batch) {
            return Err(format!("sample.shape is {shape}; it has at least one axis, and none for the batch"));
        }
        match (self.sample.kind(), &shape.0[..]) {
            (Kind::Image, [Axis::Size(1 | 3 | 4), _, _])
            | (Kind::Points, [Axis::Size(2)])
            | (Kind::Latent, [Axis::Size(_), _, _])
            | (Kind::Tensor, _) => {}
            (Kind::Image, _) => {
                return Err(format!(
                    "sample.shape is {shape}; an image is [channels, height, width] with 1, 3 or 4 channels"
                ));
            }
            (Kind::Points, _) => return Err(format!("sample.shape is {shape}; points are [2]")),
            (Kind::Latent, _) => {
                return Err(format!("sample.shape is {shape}; latents are [channels, height, width], or a tensor"));
            }
        }
        self.check_preview()?;
        if matches!(shape.0[0], Axis::Free(_)) && (self.sample.channels_last || self.variance.doubled() > 1) {
            return Err(format!("sample.shape is {shape}; the number of channels, its first axis, is not free here"));
        }
        if self.sample.channels_last && self.outputs.derivative.is_some() {
            return Err("sample.channels_last: a network with outputs.derivative cannot have it".into());
        }
        match self.sample.range() {
            Some([low, high]) if !(low.is_finite() && high.is_finite() && low < high) => {
                return Err(format!("sample.range is [{low}, {high}]; the first must be below the second"));
            }
            None if self.sample.clip() => return Err(self.without_range("clip")),
            None if self.sample.clamp => return Err(self.without_range("clamp")),
            _ => {}
        }
        if self.sample.sigma_data.is_some_and(|sigma_data| !(sigma_data.is_finite() && sigma_data > 0.0)) {
            return Err(format!("sample.sigma_data is {}; it has to be above 0", self.sigma_data()));
        }
        Ok(())
    }

    fn without_range(&self, what: &str) -> String {
        let four = "; four channels are a tensor unless sample.kind is \"image\"";
        let hint = if self.sample.is_ambiguous() { four } else { "" };
        format!("sample.{what} is true, but there is no sample.range to {what} to{hint}")
    }

    fn check_preview(&self) -> std::result::Result<(), String> {
        let Some(rows) = &self.sample.preview else { return Ok(()) };
        if self.sample.kind != Some(Kind::Latent) {
            return Err("sample.preview is how latents are shown, and sample.kind is not \"latent\"".into());
        }
        let Some(Axis::Size(channels)) = self.sample.shape.0.first() else { return Ok(()) };
        if rows.iter().any(|row| ![*channels, channels + 1].contains(&row.len()) || row.iter().any(|x| !x.is_finite()))
        {
            return Err(format!(
                "sample.preview: red, green and blue each take {channels} finite numbers, one for each channel, and perhaps a summand"
            ));
        }
        Ok(())
    }

    fn check_prediction(&self, schedule: &dyn NoiseSchedule) -> std::result::Result<(), String> {
        let noisiest = schedule.level(schedule.bounds()[1]);
        if noisiest.alpha == 0.0 && !self.prediction.allows_pure_noise() {
            return Err(
                "prediction: ε, the score and F do not determine x̂₀ where the schedule has α = 0. \
                 A network of such a schedule predicts v, x0 or the flow. With training steps, schedule.terminal \"floored\" leaves ᾱ = 2⁻²⁴"
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
            return Err(format!("variance is {}, but a gradient has none", json!(self.variance)));
        }
        Ok(())
    }

    fn check_time(&self, schedule: &dyn NoiseSchedule) -> std::result::Result<(), String> {
        let time = self.time();
        let Time { encoding, direction, scale, offset } = time;
        if encoding == Encoding::Index && schedule.train_steps().is_none() {
            return Err("time.encoding is \"index\", which a schedule in continuous time does not have; expected unit, sigma, log_sigma, alpha, sigma_squared or log_snr".into());
        }
        if encoding == Encoding::Alpha && self.schedule.keeps_the_sample() {
            return Err("time.encoding is \"alpha\", which is 1 at every time of this schedule".into());
        }
        if direction == Toward::Data && !time.turns() {
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
        self.conditions.iter().try_for_each(|(name, condition)| self.check_condition(name, condition))?;
        if let Some(role) = self.inputs.conditions.keys().find(|role| !self.conditions.contains_key(*role)) {
            return Err(format!("inputs.{role}: unknown field; there are {}, and the conditions", Inputs::roles()));
        }
        let Inputs { sample, time, class, direction, self_condition, conditions } = &self.inputs;
        let mut seen = HashSet::new();
        let own = self.conditions.iter().filter(|(_, condition)| !condition.joined).map(|(name, _)| name);
        let own = own.map(|name| conditions.get(name).unwrap_or(name));
        let mut named = [sample, time, class, direction, self_condition].into_iter().flatten().chain(own);
        if let Some(twice) = named.find(|name| !seen.insert(*name)) {
            return Err(format!("the input '{twice}' has two roles in the manifest's inputs"));
        }
        if self.is_classifier() && (self.guidance_pair.is_some() || self.inputs.self_condition.is_some()) {
            return Err(
                "prediction is \"class_gradient\": a classifier has neither guidance_pair nor inputs.self_condition"
                    .into(),
            );
        }
        self.check_derivative()
    }

    fn check_condition(&self, name: &str, condition: &ConditionInput) -> std::result::Result<(), String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
        let is_role = Inputs::ROLES.iter().any(|(role, _)| *role == name);
        if !begins || name.len() > MOST_NAME || !name.chars().all(plain) || is_role {
            return Err(format!(
                "conditions has {name:?}; a name is 1 to 64 small letters, digits and '_', begins with a letter, and is none of {}",
                Inputs::roles()
            ));
        }
        let shape = &condition.shape;
        shape.check(MOST_VALUES).map_err(|reason| format!("conditions.{name}.shape is {shape}; {reason}"))?;
        let expected = match (condition.kind(), &shape.item().collect::<Vec<_>>()[..]) {
            (Kind::Image, [Axis::Size(1 | 3 | 4), _, _]) | (Kind::Latent, [Axis::Size(_), _, _]) => None,
            (Kind::Image, _) => Some("an image is [channels, height, width] with 1, 3 or 4 channels"),
            (Kind::Latent, _) => Some("latents are [channels, height, width], or a tensor"),
            (Kind::Points | Kind::Tensor, _) => None,
        };
        if let Some(expected) = expected {
            return Err(format!("conditions.{name}.shape is {shape}; {expected}"));
        }
        if !condition.batch && shape.0.contains(&Axis::Batch) {
            return Err(format!("conditions.{name}.batch is false, but \"batch\" stands in its shape, {shape}"));
        }
        if condition.joined {
            self.check_joined(name, condition)?;
        } else if condition.before || condition.axis != 0 {
            return Err(format!(
                "conditions.{name}: before and axis are for joined conditions, and this one is not joined"
            ));
        }
        let [low, high] = condition.range();
        if !(low.is_finite() && high.is_finite() && low < high) {
            return Err(format!("conditions.{name}.range is [{low}, {high}]; the first must be below the second"));
        }
        Ok(())
    }

    fn check_derivative(&self) -> std::result::Result<(), String> {
        if self.inputs.direction.is_some() != self.outputs.derivative.is_some() {
            return Err("inputs.direction and outputs.derivative go together; one of them is missing".into());
        }
        if self.outputs.derivative.is_none() {
            return Ok(());
        }
        let cannot = [
            (self.guidance_pair.is_some(), "a graph whose batch is the pair of guidance"),
            (self.inputs.self_condition.is_some(), "a network with self-conditioning"),
            (self.joined_channels() > 0, "a network with joined conditions"),
            (self.variance != LearnedVariance::None, "a network with twice the channels"),
        ];
        match cannot.into_iter().find(|(is, _)| *is) {
            Some((_, what)) => Err(format!("outputs.derivative: it is not possible for {what}")),
            None => Ok(()),
        }
    }

    /// Checks a condition that is joined to the sample. It differs from the sample along one axis, the same as all
    /// others.
    fn check_joined(&self, name: &str, condition: &ConditionInput) -> std::result::Result<(), String> {
        let (shape, axis) = (&condition.shape, condition.axis);
        let (own, item) = (&self.sample.shape.0, shape.item().collect::<Vec<_>>());
        let differs = |place: usize| place != axis && *item[place] != own[place];
        if item.len() != own.len() || (0..own.len()).any(differs) || !matches!(item.get(axis), Some(Axis::Size(_))) {
            return Err(format!(
                "conditions.{name}.shape is {shape}; a condition that is joined to the sample {} may differ in axis {axis} alone, whose size is not free",
                self.sample.shape
            ));
        }
        if shape.batch() != 0 || !condition.batch {
            return Err(format!("conditions.{name}: a joined condition has the batch in front, as the sample has"));
        }
        if self.inputs.conditions.contains_key(name) {
            return Err(format!("inputs.{name} is named, but the condition is joined to the sample"));
        }
        match self.conditions.iter().find(|(_, other)| other.joined && other.axis != axis) {
            Some((other, _)) => Err(format!("conditions.{name}.axis is {axis}, but that of '{other}' is another")),
            None => Ok(()),
        }
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
            // η belongs to any solver that has it.
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
