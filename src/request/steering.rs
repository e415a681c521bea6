//! The part of a request that steers: its conditions and its guidance.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::ArrayD;

use super::ask::{ClassifierGuidance, Request};
use super::fitting::fitted;
use crate::denoiser::Condition;
use crate::error::{Error, Result};
use crate::guidance::{Form, Guidance, Projection, Space};
use crate::option::{Group, OptionEntry, Options};
use crate::schedule::{Frame, Grid};
use crate::settings;
use crate::solver::Solver;
use crate::stage::{ClassGradient, Model};

/// The options of guidance beside its scale, which are of no use without.
fn of_guidance() -> impl Iterator<Item = &'static OptionEntry> {
    let scales = [settings::GUIDANCE_SCALE, settings::GUIDANCE_SCALES];
    settings::of(Group::Guidance).filter(move |option| !scales.contains(option))
}

/// What the options say, taken for granted.
fn guidance_of(options: &Options, grid: &Grid) -> Guidance {
    // On the straight path noise is counted by t.
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
    /// What the options say of classifier-free guidance on a run along `grid`; `None` for none.
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

    /// Refuses what is of no use where the scale is 1, unless that was said: an explicit scale of 1 turns guidance off,
    /// and its unused options are no error then.
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

    /// What the network is given of the items, and what it is led away from and to.
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
