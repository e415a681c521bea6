//! From a plan to a job: makes what the plan only names, for a model that is open.

use std::sync::Arc;

use super::ask::{ClassifierGuidance, Request};
use super::compose::Composition;
use super::editing::is_told_mask;
use super::fitting::{check_same_schedule, fitted};
use super::plan::Plan;
use crate::cancel::Canceller;
use crate::denoiser::{Clip, Condition, Denoiser};
use crate::error::{Error, Result};
use crate::guidance::{ByClassifier, ByHost, ByInstruction, ClassifierForm, ClassifierFree, Guidance};
use crate::noise::NoiseSource;
use crate::option::Group;
use crate::sample::{Job, checked_length};
use crate::settings::{self, Compat};
use crate::solver::Solver;
use crate::stage::{ClassGradient, Model, Predictor};
use crate::tensor::{Tensor, zeros};

impl Request {
    /// Makes the job that samples this request from `model`. For a model of several parts the prompts and images are
    /// encoded here, and the job is that of the predictor, in latents. A [`Run`](crate::run::Run) does this step by
    /// step, and decodes the latents as well.
    ///
    /// # Errors
    /// [`Error::Argument`] with the field that does not fit, and what would.
    pub fn job(&self, model: &Arc<Model>) -> Result<Job> {
        let Some(parts) = model.parts() else { return self.plan(model.manifest())?.job(model) };
        let (mut composition, canceller) = (Composition::new(model, self)?, Canceller::default());
        while !composition.is_ready() {
            composition.step(&canceller)?;
        }
        let _network = parts.load(&canceller)?;
        composition.job()
    }
}

impl Plan {
    /// Makes the job that carries out the plan with `model`.
    ///
    /// # Errors
    /// [`Error::Argument`] with the field of the request that does not fit, and what would.
    pub fn job(self, model: &Arc<Model>) -> Result<Job> {
        let noise = self.request.noise_source()?;
        self.job_with(model, noise)
    }

    /// The same as [`job`](Self::job) with `noise`, of which some may be drawn already.
    pub(crate) fn job_with(self, model: &Arc<Model>, noise: Box<dyn NoiseSource>) -> Result<Job> {
        let shape = self.shape(model)?;
        let mut condition = self.request.condition(model, &shape[1..], self.guidance.is_some())?;
        if let (Some(name), Some(image)) = (Request::instructed(model), &condition.negative) {
            condition.negative = Some(Arc::new(with_nothing(image, name)?));
        }
        let denoiser = self.denoiser(model)?;
        let Self { request, solver, grid, whole, .. } = self;
        let mut job = Job::new(denoiser, solver, grid, noise, condition, &shape)?;
        request.start(model, &mut job, &shape, whole)?;
        let sample = &model.manifest().sample;
        if let Some(range) = sample.range().filter(|_| sample.clamp) {
            job.clamp(range)?;
        }
        Ok(job)
    }

    /// The shape of the samples, batch first, if `model` can generate such.
    fn shape(&self, model: &Model) -> Result<Vec<usize>> {
        let kind = model.manifest().sample.kind();
        if self.request.count == 0 {
            return Err(Error::argument("count", "0; at least one item is needed"));
        }
        let shape = [vec![self.request.count], self.request.sampled(model)?].concat();
        model.check_shape(&shape)?;
        if !kind.fits(&shape[1..]) {
            let reason = format!("{:?} does not fit the manifest's kind of samples: {kind:?}", &shape[1..]);
            return Err(Error::argument("shape", reason));
        }
        if self.solver.adaptive().is_some() {
            check_adaptive(model, &*self.solver)?;
        }
        // The size is checked before memory is allocated.
        checked_length(&shape)?;
        Ok(shape)
    }

    /// The denoiser: the network, guidance of its prediction, clipping, the classifier, and the caller's own code.
    fn denoiser(&self, model: &Arc<Model>) -> Result<Box<dyn Denoiser>> {
        let mut denoiser: Box<dyn Denoiser> = Box::new(Predictor::reading(Arc::clone(model), self.reading)?);
        if let (Some(guidance), Some(image_scale)) = (&self.guidance, self.image_scale) {
            let plain = Guidance { scale: guidance.scale, pairing: guidance.pairing, ..Guidance::default() };
            if *guidance != plain {
                let reason = "a model that edits an image by an instruction is guided by its two scales alone";
                return Err(Error::argument("guidance_form", reason));
            }
            denoiser = Box::new(ByInstruction::new(denoiser, guidance.scale, image_scale));
        } else if let Some(guidance) = &self.guidance {
            denoiser = Box::new(ClassifierFree::new(denoiser, guidance.clone())?);
        }
        if let Some((threshold, direction)) = self.clipping {
            denoiser = Box::new(Clip::new(denoiser, threshold, direction)?);
        }
        if let Some(ClassifierGuidance { classifier, .. }) = &self.request.classifier {
            // A solver that chooses its own steps takes one item at a time.
            let at_once = if self.solver.adaptive().is_some() { 1 } else { self.request.count };
            check_classifier(model, classifier, at_once)?;
            let (form, scale) = (self.classifier_form()?, settings::CLASSIFIER_SCALE.real(&self.request.options));
            let classifier = ClassGradient::new(Arc::clone(classifier))?;
            denoiser = Box::new(ByClassifier::new(denoiser, classifier, scale, form)?);
        } else if let Some(option) =
            settings::of(Group::Classifier).find(|option| option.given(&self.request.options).is_some())
        {
            return Err(Error::argument(option.key, "there is no classifier"));
        }
        if let Some(callback) = &self.request.callback {
            denoiser = Box::new(ByHost::new(denoiser, Arc::clone(&callback.0)));
        }
        Ok(denoiser)
    }

    fn classifier_form(&self) -> Result<ClassifierForm> {
        let Self { request, solver, .. } = self;
        match settings::CLASSIFIER_FORM.choice(&request.options) {
            ClassifierForm::Auto if solver.takes_shift() => Ok(ClassifierForm::Mean),
            ClassifierForm::Auto => Ok(ClassifierForm::Noise),
            ClassifierForm::Mean if !solver.takes_shift() => {
                let reason = format!(
                    "\"mean\" is for ddpm, whose steps have the variance that it goes by; {solver} takes \"noise\""
                );
                Err(Error::argument("classifier_form", reason))
            }
            form => Ok(form),
        }
    }
}

/// `image`, a condition with an image called `name`, guided away from the same condition without the image.
fn with_nothing(image: &Condition, name: &str) -> Result<Condition> {
    let mut nothing = image.clone();
    if let Some(tensor) = nothing.tensors.get_mut(name) {
        *tensor = Arc::new(Tensor::F32(zeros(tensor.shape())?));
    }
    Ok(Condition { negative: Some(Arc::new(nothing)), ..image.clone() })
}

impl Request {
    /// Puts the image and the mask into a job. `whole` tells whether the job visits its whole grid.
    fn start(&self, model: &Model, job: &mut Job, shape: &[usize], whole: bool) -> Result<()> {
        let item = &shape[1..];
        let Some(image) = &self.image else {
            return match &self.mask {
                Some(_) => Err(Error::argument("mask", "there is no image whose part it keeps")),
                None if self.invert => {
                    let reason = "an inversion starts from an image, and there is no image";
                    Err(Error::argument("invert", reason))
                }
                None => Ok(()),
            };
        };
        let image = fitted("image", "image", image, self.count, item)?;
        let of_x = model.pipeline().is_some() && self.compat == Compat::Diffusers;
        let kept = self.mask.as_ref().filter(|_| !is_told_mask(model.manifest()));
        let kept = kept.map(|mask| self.checked_mask(mask, item)).transpose()?;
        if let Some(mask) = kept.as_ref().filter(|_| of_x) {
            job.keep_noised(mask.view(), image.view())?;
        }
        // A run over the whole grid starts from pure noise, so a mask alone keeps the image. Given levels may begin
        // anywhere.
        let given = settings::levels(&self.options).next().is_some();
        if self.mask.is_none() || given || !whole {
            job.start_from_clean(image.view())?;
        }
        match kept {
            Some(mask) if !of_x => job.keep(mask.view(), image.view()),
            _ => Ok(()),
        }
    }
}

/// Refuses a solver that chooses its own steps where the model cannot be evaluated item by item.
fn check_adaptive(model: &Model, solver: &dyn Solver) -> Result<()> {
    let refuse = |reason: String| Err(Error::argument("solver", reason));
    match model.fixed_batch() {
        Some(batch) if batch > 1 => {
            refuse(format!("{solver} takes one item at a time; the model's batch axis is fixed at {batch}"))
        }
        _ if model.feeds_back() => {
            refuse(format!("{solver} tries steps twice, and this model is given the estimate of the step before"))
        }
        _ if model.manifest().sample.clamp => {
            refuse(format!("{solver} has no steps of the grid, after which this model is to be clamped"))
        }
        _ => Ok(()),
    }
}

/// Refuses a classifier that was made for other samples than the model's.
fn check_classifier(model: &Model, classifier: &Model, count: usize) -> Result<()> {
    let refuse = |reason: String| Err(Error::argument("classifier", reason));
    let (ours, theirs) = (model.manifest(), classifier.manifest());
    ClassGradient::check(classifier)?;
    if ours.sample.shape != theirs.sample.shape {
        return refuse(format!("is for samples of {}; this model's are {}", theirs.sample.shape, ours.sample.shape));
    }
    if ours.sample.range() != theirs.sample.range() {
        let [ours, theirs] = [ours, theirs].map(|manifest| manifest.sample.range());
        return refuse(format!("is for samples of the range {theirs:?}; this model's is {ours:?}"));
    }
    if classifier.fixed_batch().is_some_and(|batch| !count.is_multiple_of(batch)) {
        return refuse(format!(
            "its batch axis is fixed at {}; {count} items are no multiple of it",
            classifier.fixed_batch().unwrap_or(1)
        ));
    }
    check_same_schedule("classifier", &theirs.schedule, &ours.schedule)
}
