//! The request: what to generate and how, with options that can be set by name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ndarray::ArrayD;

use crate::error::{Error, Result};
use crate::guidance::Callback;
use crate::model::{Axis, Manifest, Run, SchedulerConfig};
use crate::option::{Group, OptionEntry, Options, Value, Words};
use crate::sample::checked_length;
use crate::schedule::{Ending, Spacing};
use crate::settings::{self, Clipping, Compat, Noise};
use crate::stage::Model;
use crate::tensor::Tensor;

/// The caller's own guidance: code that sees every estimate of the clean samples and may change it.
#[derive(Clone)]
pub struct HostGuidance(pub Arc<Callback>);

impl PartialEq for HostGuidance {
    /// Whether both are the same callback, and not merely equal ones.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for HostGuidance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostGuidance")
    }
}

/// Classifier guidance: a classifier, and the class that it leads each item to.
#[derive(Debug, Clone)]
pub struct ClassifierGuidance {
    /// The classifier. It was exported with its gradient.
    pub classifier: Arc<Model>,
    /// The classes, by the classifier's numbers: one for all items, or one for each.
    pub classes: Vec<i64>,
}

impl PartialEq for ClassifierGuidance {
    /// Whether both have the same classifier and the same classes.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.classifier, &other.classifier) && self.classes == other.classes
    }
}

/// What to generate, and how. A field that is `None` takes the value of the model's manifest.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Request {
    /// The seed of item 0. Item `i` has the seed `seed + i`, which wraps. [`Noise::Torch`] differs.
    pub seed: u64,
    /// The number of items, at least 1.
    pub count: usize,
    /// The class of every item, for a model with classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<i64>>,
    /// The classes by name, in place of `classes`. Each is a name, a number or "none", as [`Manifest::class`] takes it.
    /// One is for all items, or there is one for each.
    #[serde(skip)]
    pub class_names: Vec<String>,
    /// The shape of one item. It is needed where the graph leaves the shape free, or where the manifest names free
    /// sizes.
    pub shape: Option<Vec<usize>>,
    /// The name of the solver.
    pub solver: Option<String>,
    /// The options of the solver and the grid: those of [`settings::OPTIONS`], and the solver's own.
    #[serde(flatten)]
    pub options: Options,
    /// The number of steps, from 1 to the number of training steps.
    pub steps: Option<usize>,
    /// How the steps are spread over the noise schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<Spacing>,
    /// The offset that is added to the timesteps of the leading grid.
    pub steps_offset: Option<usize>,
    /// The noise level at which the run ends.
    pub ending: Option<Ending>,
    /// Whether x̂₀ is clipped.
    pub clipping: Clipping,
    /// Whose arithmetic the run follows: the papers', or that of diffusers.
    pub compat: Compat,
    /// The source of the noise.
    pub noise: Noise,
    /// The negative classes, which classifier-free guidance leads away from: one for all items, or one for each. The
    /// default is the model's null class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negative_classes: Option<Vec<i64>>,
    /// The negative classes by name, in place of `negative_classes`.
    #[serde(skip)]
    pub negative_class_names: Vec<String>,
    /// The network's other conditions, by their names in the manifest. A tensor is for all items, or has one entry for
    /// each. It is batch first, wherever the graph has its batch axis. Its numbers may have any type. Numbers that the
    /// graph's type does not have are an error.
    #[serde(skip)]
    pub conditions: BTreeMap<String, Arc<Tensor>>,
    /// The conditions that differ in the negative condition, which guidance leads away from.
    #[serde(skip)]
    pub negative_conditions: BTreeMap<String, Arc<Tensor>>,
    /// A classifier, and the classes that it leads the samples to.
    #[serde(skip)]
    pub classifier: Option<ClassifierGuidance>,
    /// The caller's own guidance.
    #[serde(skip)]
    pub callback: Option<HostGuidance>,
    /// The prompts, for a model that reads text: one for all items, or one for each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<String>,
    /// The negative prompts, which guidance leads away from: one for all items, or one for each. `None` takes the usual
    /// one of the model's family, which is the empty text or no text at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negative_prompts: Option<Vec<String>>,
    /// Clean samples, one for all items or one for each. The run starts from them, with the noise of its first level
    /// added. The option `strength` sets how many of the steps it makes. With a mask, the samples are what the mask
    /// keeps.
    #[serde(skip)]
    pub image: Option<Arc<ArrayD<f32>>>,
    /// The mask: 1 where the image is generated anew, 0 where it is kept. Its shape is `[height, width]`. An axis for
    /// the channels may stand before these, and one for the items before that. Each of the two is 1 or the full number.
    /// A model that has the mask among its conditions uses it as it was trained to.
    #[serde(skip)]
    pub mask: Option<Arc<ArrayD<f32>>>,
    /// Whether the run goes the other way, from the image to the noise that it would be generated from. This is DDIM
    /// inversion.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub invert: bool,
    /// The scheduler's configuration that was set. The model must have been trained as it states.
    #[serde(skip)]
    pub scheduler_config: Option<Box<SchedulerConfig>>,
}

impl Default for Request {
    /// A request for one item with seed 0. The model's manifest decides everything else.
    fn default() -> Self {
        Self {
            seed: 0,
            count: 1,
            classes: None,
            class_names: Vec::new(),
            shape: None,
            solver: None,
            options: Options::default(),
            steps: None,
            grid: None,
            steps_offset: None,
            ending: None,
            clipping: Clipping::default(),
            compat: Compat::default(),
            noise: Noise::default(),
            negative_classes: None,
            negative_class_names: Vec::new(),
            conditions: BTreeMap::new(),
            negative_conditions: BTreeMap::new(),
            classifier: None,
            callback: None,
            prompts: Vec::new(),
            negative_prompts: None,
            image: None,
            mask: None,
            invert: settings::INVERT.flag(&Options::default()),
            scheduler_config: None,
        }
    }
}

/// Stores the value of an option in the request, or that the option is not set.
type Keep = fn(&mut Request, Option<&Value>);

/// The value of an option, as the type of the field that it sets.
fn word<T: Words>(value: Option<&Value>) -> Option<T> {
    value.and_then(|value| T::from_word(value.text()))
}

/// How a request stores each of [`settings::CHOICES`].
const FIELDS: &[(OptionEntry, Keep)] = &[
    (settings::SOLVER, |request, value| request.solver = value.map(Value::to_string)),
    (settings::STEPS, |request, value| request.steps = value.and_then(Value::whole)),
    (settings::GRID, |request, value| request.grid = value.and_then(|value| Spacing::from_word(value.text()))),
    (settings::STEPS_OFFSET, |request, value| request.steps_offset = value.and_then(Value::whole)),
    (settings::ENDING, |request, value| request.ending = word(value)),
    (settings::CLIPPING, |request, value| request.clipping = word(value).unwrap_or_default()),
    (settings::COMPAT, |request, value| request.compat = word(value).unwrap_or_default()),
    (settings::NOISE, |request, value| request.noise = word(value).unwrap_or_default()),
    (settings::INVERT, |request, value| request.invert = value == Some(&Value::Flag(true))),
];

fn no_option(key: &str) -> Error {
    let keys: Vec<&str> = settings::all().map(|option| option.key).collect();
    Error::argument("key", format!("there is no option {key:?}; there are {}", keys.join(", ")))
}

impl Request {
    /// Sets the option `key` to `value`. [`settings::all`] lists the options. The value is text, or anything that can
    /// be written as text.
    ///
    /// ```
    /// # fn main() -> diffuse::Result<()> {
    /// let mut request = diffuse::Request::default();
    /// request.set("solver", "dpm-solver")?;
    /// request.set("steps", 12)?;
    /// assert_eq!((request.solver.as_deref(), request.steps), (Some("dpm-solver"), Some(12)));
    /// let error = request.set("steps", "a dozen").unwrap_err();
    /// assert!(error.to_string().starts_with("steps: "));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such option, or if it cannot have this value. Whether the solver has the
    /// option is checked when the job is made.
    pub fn set(&mut self, key: &str, value: impl ToString) -> Result<()> {
        let text = value.to_string();
        if let Some(error) = settings::renamed(key, &text) {
            return Err(error);
        }
        if let Some((entry, keep)) = FIELDS.iter().find(|(entry, _)| entry.key == key) {
            let value = entry.parse(&text)?;
            self.leave_config(key, Some(&value));
            keep(self, Some(&value));
        } else {
            let entry = settings::option(key).ok_or_else(|| no_option(key))?;
            self.options.set(entry.key, entry.parse(&text)?);
        }
        Ok(())
    }

    /// Removes the setting of the option `key`, also one that a scheduler's configuration made. The option then has its
    /// default.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such option.
    pub fn unset(&mut self, key: &str) -> Result<()> {
        if let Some(error) = settings::renamed(key, "") {
            return Err(error);
        }
        match FIELDS.iter().find(|(entry, _)| entry.key == key) {
            Some((_, keep)) => {
                self.leave_config(key, None);
                keep(self, None);
            }
            None => {
                let entry = settings::option(key).ok_or_else(|| no_option(key))?;
                self.options = self.options.filtered(|key| key != entry.key);
            }
        }
        Ok(())
    }

    /// The request with the named classes replaced by their numbers.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such class, or if there are numbers as well.
    pub(crate) fn numbered(&self, manifest: &Manifest) -> Result<Cow<'_, Self>> {
        if self.class_names.is_empty() && self.negative_class_names.is_empty() {
            return Ok(Cow::Borrowed(self));
        }
        let numbers = |name: &'static str, names: &[String], numbers: &Option<Vec<i64>>| -> Result<Option<Vec<i64>>> {
            if names.is_empty() {
                return Ok(numbers.clone());
            }
            if numbers.is_some() {
                return Err(Error::argument(name, "they are given by name and by number; give one of the two"));
            }
            names.iter().map(|name| manifest.class(name)).collect::<Result<_>>().map(Some)
        };
        let mut classes = numbers("classes", &self.class_names, &self.classes)?;
        if let Some([one]) = classes.as_deref() {
            // The size is checked before memory for so many is allocated.
            if self.count > 1 {
                let sizes =
                    manifest.sample.shape.0.iter().map(|axis| if let Axis::Size(size) = axis { *size } else { 1 });
                checked_length(&std::iter::once(self.count).chain(sizes).collect::<Vec<_>>())?;
            }
            classes = Some(vec![*one; self.count]);
        }
        let negative_classes = numbers("negative_classes", &self.negative_class_names, &self.negative_classes)?;
        let (class_names, negative_class_names) = (Vec::new(), Vec::new());
        Ok(Cow::Owned(Self { classes, negative_classes, class_names, negative_class_names, ..self.clone() }))
    }

    /// Removes what a scheduler's configuration set for its own solver or grid, where `value` of the option `key` names
    /// another one, or the model's.
    fn leave_config(&mut self, key: &str, value: Option<&Value>) {
        let Some(config) = &self.scheduler_config else { return };
        let of_config = config.options();
        if of_config.get(key).is_none_or(|said| value.is_some_and(|value| *said == value.to_string())) {
            return;
        }
        let is_own = |key: &str| of_config.contains_key(key) && self.is_of_config(key);
        match key {
            "solver" => {
                let shared = |key: &str| settings::OPTIONS.iter().any(|option| option.key == key);
                self.options = self.options.filtered(|key| shared(key) || !is_own(key));
            }
            "grid" => {
                let grid = value.and_then(|value| Spacing::from_word(value.text()));
                let is = |wanted: Spacing| grid == Some(wanted);
                let over_noise = grid.map(Spacing::is_over_noise);
                let takes = |key: &str| match key {
                    "sigma_min" | "sigma_max" => over_noise == Some(true),
                    "rho" => is(Spacing::Karras),
                    "original_steps" => is(Spacing::Lcm),
                    "lambda_min" => over_noise == Some(false) && !is(Spacing::Lcm),
                    _ => true,
                };
                let offset = config.defaults.steps_offset;
                let options = self.options.filtered(|key| takes(key) || !is_own(key));
                self.steps_offset = self.steps_offset.filter(|own| is(Spacing::Leading) || *own != offset);
                if self.ending == Some(config.defaults.ending) {
                    self.ending = grid.map(|grid| config.ending_of(grid));
                }
                self.options = options;
            }
            _ => {}
        }
    }

    /// The request with an option set: [`set`](Self::set) for chains of calls.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn with(mut self, key: &str, value: impl ToString) -> Result<Self> {
        self.set(key, value)?;
        Ok(self)
    }

    /// Sets what a `scheduler_config.json` of diffusers states about sampling: the solver, the grid and their options,
    /// but not the number of steps. It replaces what was set of these before. What is set afterwards takes precedence.
    /// A scheduler that goes from clean samples to noise makes the request an inversion. With [`Compat::Diffusers`] the
    /// levels are exactly those that the scheduler computes, unless another solver or grid is set afterwards.
    ///
    /// # Errors
    /// [`Error::Argument`] if an option has no such value. Whether the configuration fits the model's training is
    /// checked when the job is made.
    pub fn set_scheduler_config(&mut self, config: &SchedulerConfig) -> Result<()> {
        // A value that is refused leaves the request as it was.
        let mut request = self.clone();
        let was_of_config = request.scheduler_config.take().is_some_and(|config| config.inverse);
        // What no configuration sets stays as it was.
        request.options = request.options.filtered(|key| settings::group(key).is_some_and(Group::is_of_caller));
        for (key, value) in config.options() {
            request.set(&key, value)?;
        }
        request.invert = config.inverse || request.invert && !was_of_config;
        request.scheduler_config = Some(Box::new(config.clone()));
        *self = request;
        Ok(())
    }

    /// Whether an option has the value that the scheduler's configuration set, or its default where none was set.
    pub(super) fn is_of_config(&self, key: &str) -> bool {
        let Some(config) = &self.scheduler_config else { return false };
        let of_config = config.options();
        let said = of_config.get(key).and_then(|value| settings::option(key)?.parse(value).ok());
        said.as_ref() == self.options.get(key)
    }

    /// Where diffusers differs from this run for its scheduler's configuration, and which of its settings are ignored.
    /// Each is one line of text. There are none without a configuration.
    #[must_use]
    pub fn departures(&self) -> Vec<String> {
        let Some(config) = self.scheduler_config.as_deref() else { return Vec::new() };
        let given = settings::levels(&self.options).next().map(|(_, levels)| levels.len());
        let steps = self.steps.or(given);
        // Errors are reported when the job is made.
        let levels = self.levels_of_scheduler(steps.unwrap_or(2), Some(1.0));
        let run = Run {
            options: &self.options,
            steps,
            is_part: self.image.is_some() && !self.invert || settings::STRENGTH.given(&self.options).is_some(),
            compatible: self.compat == Compat::Diffusers,
            on_its_levels: !matches!(levels, Ok(None)),
        };
        config.notes(&run).into_iter().map(|note| format!("{}: {note}", config.class)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_every_choice() {
        assert!(FIELDS.iter().map(|(entry, _)| entry).eq(settings::CHOICES));
    }
}
