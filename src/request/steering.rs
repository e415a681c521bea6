//! The part of a request that steers: its conditions and its guidance.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ask::{ClassifierGuidance, Request};
use super::fitting::Fit;
use crate::denoiser::Condition;
use crate::error::{Error, Result};
use crate::guidance::{Form, Guidance, Projection, Space};
use crate::model::{Axis, ConditionInput, Manifest, Sizes};
use crate::option::{Group, OptionEntry, Options};
use crate::schedule::{Frame, Grid};
use crate::settings;
use crate::solver::Solver;
use crate::stage::{ClassGradient, Model};
use crate::tensor::Tensor;

/// The options of guidance other than its scale. They have no effect without guidance.
fn of_guidance() -> impl Iterator<Item = &'static OptionEntry> {
    let scales = [settings::GUIDANCE_SCALE, settings::GUIDANCE_SCALES];
    settings::of(Group::Guidance).filter(move |option| !scales.contains(option))
}

/// The guidance that the options set. The options are not checked here.
fn guidance_of(options: &Options, grid: &Grid) -> Guidance {
    // On the straight path noise is measured by t.
    let bound = |option: OptionEntry| match (options.real(option.key), grid.schedule().frame()) {
        (Some(t), Frame::Straight) if t >= 1.0 => f64::INFINITY,
        (Some(t), Frame::Straight) => t / (1.0 - t),
        _ => option.real(options),
    };
    Guidance {
        scale: settings::GUIDANCE_SCALE.real(options),
        scales: options.numbers(settings::GUIDANCE_SCALES.key).map(<[f64]>::to_vec),
        interval: [settings::GUIDANCE_SIGMA_MIN, settings::GUIDANCE_SIGMA_MAX].map(bound),
        rescale: settings::GUIDANCE_RESCALE.real(options),
        form: settings::GUIDANCE_FORM.choice(options),
        projection: Projection {
            momentum: settings::GUIDANCE_MOMENTUM.real(options),
            parallel: settings::GUIDANCE_PARALLEL.real(options),
            norm: Some(settings::GUIDANCE_NORM.real(options)).filter(|norm| norm.is_finite()),
        },
        space: options.text(settings::GUIDANCE_SPACE.key).and_then(Space::from_word),
        pairing: settings::GUIDANCE_PAIRING.choice(options),
    }
}

impl Request {
    /// The classifier-free guidance that the options set for a run along `grid`. `None` without guidance.
    pub(super) fn guidance(&self, options: &Options, grid: &Grid, solver: &dyn Solver) -> Result<Option<Guidance>> {
        self.check_scales(options, grid, solver)?;
        let guidance = guidance_of(options, grid);
        let refuse = |name, reason: String| Err(Error::argument(name, reason));
        if guidance.interval[0] > guidance.interval[1] {
            return refuse("guidance_sigma_min", "it is above guidance_sigma_max, and no level lies between".into());
        }
        if guidance.form != Form::Projected
            && let Some(option) = [settings::GUIDANCE_MOMENTUM, settings::GUIDANCE_PARALLEL, settings::GUIDANCE_NORM]
                .into_iter()
                .find(|option| option.given(&self.options).is_some())
        {
            return refuse(option.key, "it is for guidance_form \"apg\"".into());
        }
        let corrected = settings::CORRECTOR_STEPS.whole(options) > 0;
        if guidance.form == Form::PlusPlus && (!solver.takes_direction() || corrected) {
            let reason = format!(
                "cfg++ takes ε̂ and x̂₀ from different predictions; {solver} cannot tell them apart; use ddim, euler, euler-ancestral or tcd"
            );
            return refuse("guidance_form", reason);
        }
        if guidance.form == Form::Projected && solver.adaptive().is_some() {
            return refuse("guidance_form", format!("apg goes from step to step, and {solver} tries steps twice"));
        }
        if guidance.is_on() || guidance.form == Form::PlusPlus {
            return Ok(Some(guidance));
        }
        self.check_nothing_is_guided(options, guidance.form).map(|()| None)
    }

    /// Refuses a list of scales that does not have one for each step.
    fn check_scales(&self, options: &Options, grid: &Grid, solver: &dyn Solver) -> Result<()> {
        let Some(scales) = options.numbers(settings::GUIDANCE_SCALES.key) else { return Ok(()) };
        if options.get("guidance_scale").is_some() && self.options.get("guidance_scale").is_some() {
            let reason = "guidance_scales are given as well; one of the two is enough";
            return Err(Error::argument("guidance_scale", reason));
        }
        let reason = if scales.len() != grid.steps() {
            format!("{} scales; the run has {} steps, each of which takes one", scales.len(), grid.steps())
        } else if solver.adaptive().is_some() {
            format!("{solver} has no steps of the grid to give scales to")
        } else {
            return Ok(());
        };
        Err(Error::argument("guidance_scales", reason))
    }

    /// Refuses options that have no effect at a scale of 1. An explicit scale of 1 turns guidance off, so its unused
    /// options are not an error then.
    fn check_nothing_is_guided(&self, options: &Options, form: Form) -> Result<()> {
        let given = |option: OptionEntry, options: &Options| option.given(options).is_some();
        if given(settings::GUIDANCE_SCALE, &self.options) || given(settings::GUIDANCE_SCALES, options) {
            return Ok(());
        }
        let refuse =
            |name| Err(Error::argument(name, "there is no guidance; set guidance_scale to another number than 1"));
        if self.negative_classes.is_some() {
            return refuse("negative_classes");
        }
        if !self.negative_conditions.is_empty() {
            return refuse("negative_conditions");
        }
        let said = |option: &&OptionEntry| {
            option.given(&self.options).is_some() && (option.key != settings::GUIDANCE_FORM.key || form != Form::Plain)
        };
        match of_guidance().find(said) {
            Some(option) => refuse(option.key),
            None => Ok(()),
        }
    }

    /// The condition that this request's classes and conditions make for `model`, on samples of `shape` (batch first).
    /// It serves calls without a run, such as [`Model::denoise`]. The rest of the request is about runs and is ignored.
    ///
    /// # Errors
    /// [`Error::Argument`] with the class or the condition that does not fit, and what would.
    pub fn told(&self, model: &Model, shape: &[usize]) -> Result<Condition> {
        let Some((count, item)) = shape.split_first() else {
            return Err(Error::argument("shape", "it has no axes; the first is that of the items"));
        };
        model.check_shape(shape)?;
        let own = Self { count: *count, shape: Some(item.to_vec()), ..self.clone() };
        own.numbered(model.manifest())?.condition(model, item, false)
    }

    /// The condition of the items, with what guidance leads away from and to.
    pub(super) fn condition(&self, model: &Model, item: &[usize], guided: bool) -> Result<Condition> {
        let given = self.given(model, item)?;
        let (condition, sizes) = self.fitted(model, item, &given, self.checked_classes(model)?)?;
        let toward = match &self.classifier {
            None => None,
            Some(ClassifierGuidance { classifier, classes }) => {
                ClassGradient::check(classifier)?;
                let classes = if classes.len() == 1 { vec![classes[0]; self.count] } else { classes.clone() };
                classifier.check_classes(Some(&classes), self.count).map_err(|error| renamed(error, "toward"))?;
                Some(classes)
            }
        };
        let negative = if guided { Some(Arc::new(self.negative(model, item, given, &condition)?)) } else { None };
        model.note_sizes(&sizes);
        Ok(Condition { negative, toward, ..condition })
    }

    /// The negative condition. It has the null class unless another one is given.
    fn negative(&self, model: &Model, item: &[usize], mut given: Given, condition: &Condition) -> Result<Condition> {
        let refuse = |reason: &str| Err(Error::argument("guidance_scale", reason));
        let null = model.manifest().classes.as_ref().and_then(|classes| classes.null);
        let classes = match (&self.negative_classes, null, &condition.classes) {
            (Some(classes), ..) if classes.len() == 1 => Some(vec![classes[0]; self.count]),
            (Some(classes), ..) => Some(classes.clone()),
            (None, Some(null), _) => Some(vec![null as i64; self.count]),
            (None, None, Some(_)) if self.negative_conditions.is_empty() => {
                return refuse("the model has no null class for guidance; give the negative classes");
            }
            (None, None, classes) => classes.clone(),
        };
        if classes.is_some() || self.negative_classes.is_some() {
            model.check_classes(classes.as_deref(), self.count).map_err(|error| renamed(error, "negative_classes"))?;
        }
        if classes.is_none() && self.negative_conditions.is_empty() {
            return refuse("guidance needs a condition: this model has no classes, and there is no negative condition");
        }
        if classes == condition.classes && self.negative_conditions.is_empty() {
            return refuse(
                "guidance has no direction: the condition is the negative condition; give classes, or negative conditions",
            );
        }
        for (name, tensor) in &self.negative_conditions {
            check_is_known(model, "negative_condition", name)?;
            given.insert(name.clone(), ("negative_condition", Arc::clone(tensor)));
        }
        let (mut negative, _) = self.fitted(model, item, &given, classes)?;
        // A value that is the same in both is one tensor, so that the network is given it once.
        for (name, tensor) in negative.tensors.iter_mut().chain(&mut negative.common) {
            let own = condition.tensors.get(name).or_else(|| condition.common.get(name));
            if let Some(own) = own.filter(|_| !self.negative_conditions.contains_key(name)) {
                *tensor = Arc::clone(own);
            }
        }
        Ok(negative)
    }

    /// The sizes that `manifest` leaves free, as far as the request determines them. Where the request contradicts
    /// itself the first value counts, and the rest is refused when it is fitted.
    pub(super) fn sizes(&self, manifest: &Manifest) -> Sizes {
        let mut sizes = Sizes::new();
        if let Some(shape) = &self.shape {
            let _ = manifest.sample.shape.bind(shape, &mut sizes);
        }
        for (name, info) in &manifest.conditions {
            let Some(found) = self.conditions.get(name).map(|tensor| tensor.shape()) else { continue };
            let _ = info.shape.bind(&found[found.len().saturating_sub(info.shape.rank())..], &mut sizes);
        }
        sizes
    }

    /// The shape of one generated item. It is the given shape, else the manifest's with its free sizes filled in, else
    /// that of the pictures of a model of several parts.
    ///
    /// # Errors
    /// [`Error::Argument`] with the size that nothing determines, or that the model cannot generate.
    pub fn item(&self, model: &Model) -> Result<Vec<usize>> {
        if model.pipeline().is_none() {
            return self.sampled(model);
        }
        let [height, width] = self.size(model)?;
        let channels = model.drawn().shape.0.first().and_then(Axis::size).unwrap_or(3);
        Ok(vec![channels, height, width])
    }

    /// The shape of an item of the samples.
    pub(super) fn sampled(&self, model: &Model) -> Result<Vec<usize>> {
        let own = &model.manifest().sample.shape;
        let mut sizes = self.sizes(model.manifest());
        sizes.extend(model.sizes());
        match (&self.shape, own.bound(&sizes)) {
            (Some(shape), _) => Ok(shape.clone()),
            (None, Some(shape)) => Ok(shape),
            (None, None) => {
                let reason = format!("this model's samples are {own}, whose free sizes are unknown; give their shape");
                Err(Error::argument("shape", reason))
            }
        }
    }

    /// The conditions that the request sets for a model whose samples have the shape `item`, and those that follow from
    /// its mask.
    fn given(&self, model: &Model, item: &[usize]) -> Result<Given> {
        let mut given = Given::new();
        for (name, tensor) in &self.conditions {
            check_is_known(model, "condition", name)?;
            given.insert(name.clone(), ("condition", Arc::clone(tensor)));
        }
        for (name, own) in self.of_mask(model, item)? {
            given.entry(name.to_owned()).or_insert(("condition", own));
        }
        Ok(given)
    }

    /// The condition that is made of the given tensors, and the free sizes that it determines.
    fn fitted(
        &self,
        model: &Model,
        item: &[usize],
        given: &Given,
        classes: Option<Vec<i64>>,
    ) -> Result<(Condition, Sizes)> {
        let manifest = model.manifest();
        let mut condition = Condition { classes, ..Condition::default() };
        let mut sizes = model.sizes();
        if let Err(Some(unfit)) = manifest.sample.shape.bind(item, &mut sizes) {
            return Err(Error::argument("shape", format!("{item:?}; expected {}{unfit}", manifest.sample.shape)));
        }
        for (name, info) in &manifest.conditions {
            let Some((argument, tensor)) = given.get(name) else {
                let reason = format!("this model needs '{name}', {} for an item, and it is not given", info.shape);
                return Err(Error::argument("condition", reason));
            };
            let element = model.condition_element(name);
            let info = &joined_to(info, item);
            let tensor = Fit { argument, name, info, element, count: self.count }.tensor(tensor, &mut sizes)?;
            let all = if info.batch { &mut condition.tensors } else { &mut condition.common };
            all.insert(name.clone(), tensor);
        }
        Ok((condition, sizes))
    }

    /// The class of every item. It is the null class for all where none is given and the model has one.
    fn checked_classes(&self, model: &Model) -> Result<Option<Vec<i64>>> {
        let null = model.manifest().classes.as_ref().and_then(|classes| classes.null);
        let classes = match (&self.classes, null) {
            (None, Some(null)) => Some(vec![null as i64; self.count]),
            (classes, _) => classes.clone(),
        };
        model.check_classes(classes.as_deref(), self.count)?;
        Ok(classes)
    }
}

/// The given tensors of a model's conditions, each with the argument that it came by.
type Given = BTreeMap<String, (&'static str, Arc<Tensor>)>;

/// A tensor that is joined to samples of the shape `item` has their length along every axis but one.
fn joined_to(info: &ConditionInput, item: &[usize]) -> ConditionInput {
    let mut info = info.clone();
    if info.joined {
        for (place, (own, size)) in info.shape.0.iter_mut().filter(|axis| **axis != Axis::Batch).zip(item).enumerate() {
            if place != info.axis {
                *own = Axis::Size(*size);
            }
        }
    }
    info
}

fn check_is_known(model: &Model, argument: &'static str, name: &str) -> Result<()> {
    let known = &model.manifest().conditions;
    if known.contains_key(name) {
        return Ok(());
    }
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    let there_are = if names.is_empty() { "it has none".into() } else { format!("it has {}", names.join(", ")) };
    Err(Error::argument(argument, format!("this model has no condition '{name}'; {there_are}")))
}

/// The error under another argument's name.
fn renamed(error: Error, name: &'static str) -> Error {
    match error {
        Error::Argument { reason, .. } => Error::argument(name, reason),
        other => other,
    }
}
