//! The part of a request that steers: its conditions and its guidance.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::ArrayD;

use super::ask::{ClassifierGuidance, Request};
use super::fitting::fitted;
use crate::denoiser::Condition;
use crate::error::{Error, Result};
use crate::guidance::{Form, Guidance, Pairing, Projection, Space};
use crate::option::Options;
use crate::schedule::{Frame, Grid};
use crate::solver::Solver;
use crate::stage::{ClassGradient, Model};

/// The options of guidance beside its scale, which are of no use without.
const OF_GUIDANCE: &[&str] = &[
    "guidance_sigma_min",
    "guidance_sigma_max",
    "guidance_rescale",
    "guidance_form",
    "guidance_space",
    "guidance_momentum",
    "guidance_parallel",
    "guidance_norm",
    "guidance_pairing",
];

/// What the options say, taken for granted.
fn guidance_of(options: &Options, grid: &Grid) -> Guidance {
    // On the straight path noise is counted by t.
    let bound = |key, otherwise: f64| match (options.real(key), grid.schedule().frame()) {
        (Some(t), Frame::Straight) if t >= 1.0 => f64::INFINITY,
        (Some(t), Frame::Straight) => t / (1.0 - t),
        (given, _) => given.unwrap_or(otherwise),
    };
    let (usual, projection) = (Guidance::default(), Projection::default());
    Guidance {
        scale: options.real("guidance_scale").unwrap_or(usual.scale),
        scales: options.numbers("guidance_scales").map(<[f64]>::to_vec),
        interval: [bound("guidance_sigma_min", 0.0), bound("guidance_sigma_max", f64::INFINITY)],
        rescale: options.real("guidance_rescale").unwrap_or(usual.rescale),
        form: options.text("guidance_form").and_then(Form::from_word).unwrap_or_default(),
        projection: Projection {
            momentum: options.real("guidance_momentum").unwrap_or(projection.momentum),
            parallel: options.real("guidance_parallel").unwrap_or(projection.parallel),
            norm: options.real("guidance_norm"),
            ..projection
        },
        space: options.text("guidance_space").and_then(Space::from_word),
        pairing: options.text("guidance_pairing").and_then(Pairing::from_word).unwrap_or_default(),
        ..usual
    }
}

impl Request {
    /// What the options say of classifier-free guidance on a run along `grid`; `None` for none.
    pub(super) fn guidance(&self, options: &Options, grid: &Grid, solver: &dyn Solver) -> Result<Option<Guidance>> {
        self.check_scales(options, grid, solver)?;
        let guidance = guidance_of(options, grid);
        let refuse = |name, reason: String| Err(Error::argument(name, reason));
        if guidance.interval[0] > guidance.interval[1] {
            return refuse("guidance_sigma_min", "it is above guidance_sigma_max, and no level lies between".into());
        }
        if guidance.form != Form::Projected
            && let Some(key) = ["guidance_momentum", "guidance_parallel", "guidance_norm"]
                .into_iter()
                .find(|key| self.options.get(key).is_some())
        {
            return refuse(key, "it is for guidance_form \"apg\"".into());
        }
        let corrected = options.whole("corrector_steps").is_some_and(|steps| steps > 0);
        if guidance.form == Form::PlusPlus && (!solver.takes_direction() || corrected) {
            let reason = format!(
                "cfg++ takes ε̂ and x̂₀ from different answers, which ddim, euler, euler-ancestral and tcd can tell apart; {solver} cannot"
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

    /// Refuses scales that are not one for each step.
    fn check_scales(&self, options: &Options, grid: &Grid, solver: &dyn Solver) -> Result<()> {
        let Some(scales) = options.numbers("guidance_scales") else { return Ok(()) };
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

    /// Refuses what is of no use where the scale is 1, unless that was said: an explicit scale of 1 turns guidance off, and
    /// its unused options are no error then.
    fn check_nothing_is_guided(&self, options: &Options, form: Form) -> Result<()> {
        if self.options.get("guidance_scale").is_some() || options.get("guidance_scales").is_some() {
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
        let plain = |key: &&&str| **key != "guidance_form" || form != Form::Plain;
        match OF_GUIDANCE.iter().filter(plain).find(|key| self.options.get(key).is_some()) {
            Some(key) => refuse(key),
            None => Ok(()),
        }
    }

    /// What the network is told of the items, and what it is led away from and to.
    pub(super) fn condition(&self, model: &Model, guided: bool) -> Result<Condition> {
        let condition = Condition {
            classes: self.checked_classes(model)?,
            tensors: self.tensors(model, &self.conditions)?,
            ..Condition::default()
        };
        let toward = match &self.classifier {
            None => None,
            Some(ClassifierGuidance { classifier, classes }) => {
                ClassGradient::check(classifier)?;
                let classes = if classes.len() == 1 { vec![classes[0]; self.count] } else { classes.clone() };
                classifier.check_classes(Some(&classes), self.count).map_err(|error| renamed(error, "toward"))?;
                Some(classes)
            }
        };
        let negative = if guided { Some(Arc::new(self.negative(model, &condition)?)) } else { None };
        Ok(Condition { negative, toward, ..condition })
    }

    /// The negative condition: the null class unless another one is given.
    fn negative(&self, model: &Model, condition: &Condition) -> Result<Condition> {
        let refuse = |reason: &str| Err(Error::argument("guidance_scale", reason));
        let null = model.manifest().classes.as_ref().and_then(|classes| classes.null);
        let classes = match (&self.negative_classes, null, &condition.classes) {
            (Some(classes), ..) if classes.len() == 1 => Some(vec![classes[0]; self.count]),
            (Some(classes), ..) => Some(classes.clone()),
            (None, Some(null), _) => Some(vec![null as i64; self.count]),
            (None, None, Some(_)) if self.negative_conditions.is_empty() => {
                return refuse("the model has no null class to lead away from; give the negative classes");
            }
            (None, None, classes) => classes.clone(),
        };
        if classes.is_some() || self.negative_classes.is_some() {
            model.check_classes(classes.as_deref(), self.count).map_err(|error| renamed(error, "negative_classes"))?;
        }
        let mut tensors = condition.tensors.clone();
        tensors.extend(self.tensors_given(model, &self.negative_conditions, "negative_condition")?);
        if classes.is_none() && self.negative_conditions.is_empty() {
            return refuse("this model knows no classes to lead to, and there is no negative condition");
        }
        if classes == condition.classes && self.negative_conditions.is_empty() {
            return refuse(
                "there is nothing to lead to: what the model is told is the negative condition; give classes, or negative conditions",
            );
        }
        Ok(Condition { classes, tensors, ..Condition::default() })
    }

    /// The conditions of the model's manifest, for every item.
    fn tensors(
        &self,
        model: &Model,
        given: &BTreeMap<String, Arc<ArrayD<f32>>>,
    ) -> Result<BTreeMap<String, Arc<ArrayD<f32>>>> {
        let mut tensors = self.tensors_given(model, given, "condition")?;
        let by_mask = self.of_mask(model)?;
        for (name, info) in &model.manifest().conditions {
            if !tensors.contains_key(name) {
                let Some(own) = by_mask.get(name.as_str()) else {
                    let reason =
                        format!("this model is told '{name}', {:?} for an item, and it is not given", info.shape);
                    return Err(Error::argument("condition", reason));
                };
                tensors.insert(name.clone(), Arc::clone(own));
            }
        }
        Ok(tensors)
    }

    fn tensors_given(
        &self,
        model: &Model,
        given: &BTreeMap<String, Arc<ArrayD<f32>>>,
        argument: &'static str,
    ) -> Result<BTreeMap<String, Arc<ArrayD<f32>>>> {
        let known = &model.manifest().conditions;
        let one = |(name, tensor): (&String, &Arc<ArrayD<f32>>)| {
            let Some(info) = known.get(name) else {
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                let there_are =
                    if names.is_empty() { "it has none".into() } else { format!("it has {}", names.join(", ")) };
                return Err(Error::argument(argument, format!("this model has no condition '{name}'; {there_are}")));
            };
            Ok((name.clone(), fitted(argument, name, tensor, self.count, &info.shape)?))
        };
        given.iter().map(one).collect()
    }

    /// The class of every item; the null class for all of them where none is given and the model has one.
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

/// The error under another argument's name.
fn renamed(error: Error, name: &'static str) -> Error {
    match error {
        Error::Argument { reason, .. } => Error::argument(name, reason),
        other => other,
    }
}
