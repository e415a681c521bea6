//! A model: a network whose manifest fits it, and the denoiser that it makes.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};
use ort::session::Session;
use sha2::{Digest, Sha256};

use super::evaluator::{Evaluator, Part, Stop, Wanted};
use super::files::hex;
use super::native::Arena;
use super::roles::Roles;
use super::{HostNetwork, Inputs, LearnedVariance, Manifest, ModelOptions, Network, Outputs, Placement, Runtime};
use crate::cancel::Interrupt;
use crate::denoiser::{Condition, Denoised, Denoiser, Query};
use crate::error::{Error, Result};
use crate::job::Canceller;
use crate::likelihood::{self, Divergence, VariationalBound};
use crate::log::{Severity, say};
use crate::noise::{CounterNoise, Draw, NoiseSource};
use crate::process::Own;
use crate::schedule::{NoiseLevel, NoiseSchedule, Tables};
use crate::solver::{Adaptive, Variance};
use crate::tensor::{make_room, zeros};

/// A network together with a manifest that fits it. It may be shared between threads; evaluations take turns.
#[derive(Debug)]
pub struct Model {
    pub(super) source: Source,
    pub(super) manifest: Manifest,
    pub(super) schedule: Arc<dyn NoiseSchedule>,
    notes: Vec<String>,
}

/// What evaluates a model's network.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each model")]
pub(super) enum Source {
    /// ONNX Runtime.
    Graph(Network, Roles),
    /// The caller's own code.
    Host(Arc<HostNetwork>, Placement),
}

impl Model {
    /// Opens the model file at `path`. Its manifest is that of `options`, else the file beside it (`model.diffuse.json` for
    /// `model.onnx`), else the one in its metadata.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be read; [`Error::Model`] if it is not a model that ONNX Runtime can run, has no
    /// manifest, or has one that does not fit the graph.
    pub fn open(runtime: &Runtime, path: &Path, options: &ModelOptions) -> Result<Self> {
        Self::new(Network::open(runtime, path, options)?)
    }

    /// Opens a model from the bytes of its file. They are not needed afterwards.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(runtime: &Runtime, bytes: &[u8], options: &ModelOptions) -> Result<Self> {
        Self::new(Network::from_bytes(runtime, bytes, options)?)
    }

    /// Reads the manifest of `network` and checks it against the graph.
    ///
    /// # Errors
    /// [`Error::Model`] with the tensor or field, what is expected and what was found.
    pub fn new(network: Network) -> Result<Self> {
        let Some((json, place)) = network.manifest() else {
            return Err(Error::model(
                network.name(),
                "there is no manifest, neither in the model's metadata nor in a .diffuse.json file beside it, so its schedule and prediction are unknown; onnx/README.md says how to write one",
            ));
        };
        let manifest =
            Manifest::parse(json).map_err(|reason| Error::model(network.name(), format!("{place}: {reason}")))?;
        let schedule =
            manifest.schedule.build(Tables::Exact).map_err(|error| Error::model(network.name(), error.to_string()))?;
        let roles =
            Roles::assign(&network, &manifest, &*schedule).map_err(|reason| Error::model(network.name(), reason))?;
        let notes = roles.notes(&network, &manifest, &*schedule);
        for note in &notes {
            say(Severity::Warning, || format!("{}: {note}", network.name()));
        }
        Ok(Self { source: Source::Graph(network, roles), manifest, schedule, notes })
    }

    /// A model whose network is the caller's own code, `network`, which does what `manifest`, as JSON, says: for hosts that run it themselves. ONNX
    /// Runtime is not needed.
    ///
    /// # Errors
    /// [`Error::Model`] with what of the manifest is wrong, or is about a graph.
    pub fn from_host(manifest: &str, network: Arc<HostNetwork>) -> Result<Self> {
        let refused = |reason: String| Error::model("the host's network", reason);
        let manifest = Manifest::parse(manifest).map_err(refused)?;
        if manifest.inputs != Inputs::default() || manifest.outputs != Outputs::default() {
            return Err(refused("there is no graph whose inputs and outputs the manifest could name".into()));
        }
        let schedule = manifest.schedule.build(Tables::Exact).map_err(|error| refused(error.to_string()))?;
        let placement = Placement { provider: "host".into(), ..Placement::default() };
        Ok(Self { source: Source::Host(network, placement), manifest, schedule, notes: Vec::new() })
    }

    /// The network, as its graph describes it; `None` for the caller's own.
    #[must_use]
    pub fn network(&self) -> Option<&Network> {
        match &self.source {
            Source::Graph(network, _) => Some(network),
            Source::Host(..) => None,
        }
    }

    /// What the model is known by: [`Network::hash`], or the SHA-256 of its manifest where its network is the caller's own.
    ///
    /// # Errors
    /// As there.
    pub fn hash(&self) -> Result<Cow<'_, str>> {
        match &self.source {
            Source::Graph(network, _) => network.hash().map(Cow::Borrowed),
            Source::Host(..) => {
                Ok(Cow::Owned(hex(Sha256::digest(serde_json::to_string(&self.manifest).unwrap_or_default()))))
            }
        }
    }

    /// What evaluates it: an execution provider of ONNX Runtime, or "host".
    #[must_use]
    pub fn placement(&self) -> &Placement {
        match &self.source {
            Source::Graph(network, _) => network.placement(),
            Source::Host(_, placement) => placement,
        }
    }

    /// How many bytes ONNX Runtime holds for it on the processor: its weights, and room for what evaluations have needed at a time. `None` where it does
    /// not say, and for a network of the caller's own.
    #[must_use]
    pub fn memory(&self) -> Option<usize> {
        self.network()?.with_session(|session| Arena::of(session).ok()?.bytes().ok())?
    }

    /// The same, but [`Error::Cancelled`] where `canceller` ends the wait for its turn.
    pub(crate) fn memory_unless(&self, canceller: &Canceller) -> Result<Option<usize>> {
        let Some(network) = self.network() else { return Ok(None) };
        let stop = Stop::new(Some(network), &[])?;
        canceller.add(&(Arc::clone(&stop) as Arc<dyn Interrupt>));
        let bytes = |session: &mut Own<Session>| Arena::of(session).ok()?.bytes().ok();
        network.session().with(Some(stop.waiter()), || stop.is_stopped(), bytes).ok_or(Error::Cancelled)
    }

    /// Gives back to the system what evaluations have needed at a time and do not need now: ONNX Runtime keeps it
    /// otherwise for as long as the model is open. That is done at the end of an evaluation, which this makes, of one
    /// item, and which `canceller` ends. For a network of the caller's own it does nothing; what lies on a device is
    /// left alone.
    ///
    /// # Errors
    /// As [`denoise`](Self::denoise).
    pub fn trim(self: &Arc<Self>, canceller: &Canceller) -> Result<()> {
        canceller.check()?;
        if self.network().is_none() {
            return Ok(());
        }
        let count = self.fixed_batch().unwrap_or(1);
        let of_items = |shape: &[usize]| zeros(&[&[count], shape].concat());
        let conditions = self.manifest.conditions.iter();
        let tensors = conditions.map(|(name, info)| Ok((name.clone(), Arc::new(of_items(&info.shape)?))));
        let condition = Condition {
            classes: self.manifest.classes.as_ref().map(|_| vec![0; count]),
            tensors: tensors.collect::<Result<_>>()?,
            ..Condition::default()
        };
        let x = of_items(&self.manifest.sample.shape)?;
        let level = self.schedule.level(self.schedule.bounds()[1]);
        let query = Query { x: x.view(), level, condition: &condition, step: 0 };
        let mut evaluator =
            Evaluator::with_options(Arc::clone(self), &[("memory.enable_memory_arena_shrinkage", "cpu:0")])?;
        canceller.add(&evaluator.interrupt());
        let part = Part { items: 0..count, sample: x.as_slice().unwrap_or_default(), direction: &[] };
        let doubled = if self.manifest.variance == LearnedVariance::None { 1 } else { 2 };
        evaluator.run(&query, &part, Wanted::Prediction { doubled }, |_, _| {})
    }

    pub(super) fn roles(&self) -> Option<&Roles> {
        match &self.source {
            Source::Graph(_, roles) => Some(roles),
            Source::Host(..) => None,
        }
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What of it works, and is perhaps not as it was meant, each in a sentence. The log sink hears it when the model
    /// is opened.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The noise level at the time `t` of its schedule; below 0 that of the clean sample.
    ///
    /// # Errors
    /// [`Error::Argument`] if `t` is no number, or beyond the schedule's times.
    pub fn level(&self, t: f64) -> Result<NoiseLevel> {
        let most = self.schedule.bounds()[1];
        if !(t.is_finite() && t <= most) {
            let reason = format!("{t} is not a time of the schedule, 0 to {most} (below 0 is the clean sample)");
            return Err(Error::argument("t", reason));
        }
        Ok(self.schedule.level(t))
    }

    /// The schedule of the manifest.
    #[must_use]
    pub fn schedule(&self) -> &Arc<dyn NoiseSchedule> {
        &self.schedule
    }

    /// The name in the manifest; else that of the file without its ending; else "model".
    #[must_use]
    pub fn name(&self) -> &str {
        self.manifest.name.as_deref().or_else(|| self.network()?.stem()).unwrap_or("model")
    }

    /// Whether samples of `shape` (batch first) can be evaluated.
    ///
    /// # Errors
    /// [`Error::Argument`] with the axis, what is expected and what was found.
    pub fn check_shape(&self, shape: &[usize]) -> Result<()> {
        let Source::Graph(network, roles) = &self.source else { return self.check_shape_of_host(shape) };
        let info = &network.inputs()[roles.sample.index];
        let axes = shape.len() == info.shape.len();
        // Behind the sample's channels lie those of the conditions that are joined to it.
        let joined = |place: usize| if place == 1 { self.manifest.joined_channels() } else { 0 };
        let mut sizes = info.shape.iter().zip(shape).enumerate().skip(1);
        let fits = axes && sizes.all(|(place, (axis, size))| axis.is_none_or(|axis| axis == *size + joined(place)));
        if !fits || shape[0] == 0 {
            return Err(Error::argument("shape", format!("{shape:?} does not fit the model's input {info}")));
        }
        match self.fixed_batch() {
            Some(fixed) if !shape[0].is_multiple_of(fixed) => Err(Error::argument(
                "count",
                format!(
                    "{}; the model's batch axis is fixed at {fixed}, so a multiple of it is needed ({info})",
                    shape[0]
                ),
            )),
            _ => Ok(()),
        }
    }

    /// A host's network takes items of the manifest's rank and channels; of what size, it says itself.
    fn check_shape_of_host(&self, shape: &[usize]) -> Result<()> {
        let own = &self.manifest.sample.shape;
        if shape.len() == own.len() + 1 && shape[0] > 0 && shape[1] == own[0] {
            return Ok(());
        }
        Err(Error::argument("shape", format!("{shape:?} does not fit the manifest's {own:?} behind the batch")))
    }

    /// The class with the given name or number.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is none; the message lists those that there are.
    pub fn class(&self, name: &str) -> Result<i64> {
        let Some(classes) = &self.manifest.classes else {
            return Err(Error::argument("class", format!("'{name}' is asked for, but this model has no classes")));
        };
        let by_name = classes.names.iter().position(|known| known == name);
        let by_number =
            name.parse().ok().filter(|&index: &usize| index < classes.count() || classes.null == Some(index));
        let null = (name == "none").then_some(classes.null).flatten();
        match by_name.or(by_number).or(null) {
            Some(index) => Ok(index as i64),
            None => {
                let known = if classes.names.is_empty() {
                    format!("0 to {}", classes.count() - 1)
                } else {
                    classes.names.join(", ")
                };
                let null = if classes.null.is_some() { ", none" } else { "" };
                Err(Error::argument("class", format!("there is no class '{name}'; there are {known}{null}")))
            }
        }
    }

    /// One question to the network, for a process of the caller's own: x̂₀ of the noisy samples `x` (batch first) at
    /// `level`, unclipped. `level` may be any, such as `model.schedule().level(t)`; what the network is told of the
    /// time is made from it as the manifest says. `canceller` ends it from another thread, also where it waits for its
    /// turn.
    ///
    /// # Errors
    /// [`Error::Argument`] if `x` or `condition` does not fit the model; [`Error::Cancelled`]; [`Error::Evaluation`] if
    /// the network fails, says something that is not a finite number, or cannot say x̂₀ at this level (ε where α = 0).
    pub fn denoise(
        self: &Arc<Self>,
        x: ArrayViewD<'_, f32>,
        level: NoiseLevel,
        condition: &Condition,
        canceller: &Canceller,
    ) -> Result<ArrayD<f32>> {
        canceller.check()?;
        self.check_shape(x.shape())?;
        self.check_classes(condition.classes.as_deref(), x.shape()[0])?;
        let NoiseLevel { t, alpha, sigma } = level;
        let share = 0.0..=f64::from(f32::MAX);
        let is_level = share.contains(&alpha) && share.contains(&sigma) && (alpha > 0.0 || sigma > 0.0);
        if !is_level || self.level(t).is_err() {
            let most = self.schedule.bounds()[1];
            let reason = format!(
                "t = {t}, α = {alpha}, σ = {sigma}; t is at most {most}, α and σ are finite, not negative and not both 0"
            );
            return Err(Error::argument("level", reason));
        }
        let x = x.as_standard_layout();
        let mut out = Denoised::new(x.shape())?;
        let mut predictor = Predictor::until(self, canceller)?;
        predictor.denoise(Query { x: x.view(), level, condition, step: 0 }, &mut out)?;
        Ok(out.x0)
    }

    /// Forward noising: `α·x0 + σ·z` at the time `t` of the model's schedule (Ho et al. 2020, eq. 4), with the noise z that a run with this
    /// seed starts from unless it is told to draw torch's.
    ///
    /// # Errors
    /// [`Error::Argument`] if `x0` does not fit the model or is not finite, or `t` is not a time of the schedule.
    pub fn add_noise(&self, x0: ArrayViewD<'_, f32>, t: f64, seed: u64) -> Result<ArrayD<f32>> {
        self.check_shape(x0.shape())?;
        if let Some(wrong) = x0.iter().find(|value| !value.is_finite()) {
            return Err(Error::argument("x0", format!("a value is {wrong}")));
        }
        let most = self.schedule.bounds()[1];
        if !(0.0..=most).contains(&t) {
            return Err(Error::argument("time", format!("{t} is not a time of the schedule, 0 to {most}")));
        }
        let NoiseLevel { alpha, sigma, .. } = self.schedule.level(t);
        let mut noise = zeros(x0.shape())?;
        let length = x0.len() / x0.shape()[0];
        CounterNoise::new(seed).fill(Draw::Start, length, noise.as_slice_mut().unwrap_or_default());
        noise.zip_mut_with(&x0, |z, x0| *z = (alpha * f64::from(*x0) + sigma * f64::from(*z)) as f32);
        Ok(noise)
    }

    /// The logarithm of the density, in nats, of each of the samples `x` (batch first): [`likelihood::log_density`] with this model. `seed` is
    /// that of the directions of [`Divergence::Hutchinson`]. `canceller` as for [`denoise`](Self::denoise).
    ///
    /// # Errors
    /// [`Error::Argument`] if `x` or `condition` does not fit the model; as there.
    pub fn log_density(
        self: &Arc<Self>,
        x: ArrayViewD<'_, f32>,
        condition: &Condition,
        divergence: Divergence,
        tolerance: Adaptive,
        seed: u64,
        canceller: &Canceller,
    ) -> Result<Vec<f64>> {
        canceller.check()?;
        self.check_samples(&x, condition)?;
        let mut predictor = Predictor::until(self, canceller)?;
        let noise = &mut CounterNoise::new(seed);
        likelihood::log_density(&mut predictor, &*self.schedule, x, condition, divergence, tolerance, noise)
    }

    /// DDPM's variational bound of each of the samples `x` (batch first): [`likelihood::variational_bound`] with this
    /// model. `canceller` as for [`denoise`](Self::denoise).
    ///
    /// # Errors
    /// [`Error::Argument`] if `x` or `condition` does not fit the model; as there.
    pub fn variational_bound(
        self: &Arc<Self>,
        x: ArrayViewD<'_, f32>,
        condition: &Condition,
        variance: Variance,
        seed: u64,
        canceller: &Canceller,
    ) -> Result<Vec<VariationalBound>> {
        canceller.check()?;
        self.check_samples(&x, condition)?;
        let mut predictor = Predictor::until(self, canceller)?;
        let noise = &mut CounterNoise::new(seed);
        likelihood::variational_bound(&mut predictor, &*self.schedule, x, condition, variance, noise)
    }

    fn check_samples(&self, x: &ArrayViewD<'_, f32>, condition: &Condition) -> Result<()> {
        self.check_shape(x.shape())?;
        self.check_classes(condition.classes.as_deref(), x.shape()[0])?;
        match x.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(Error::argument("x", format!("a value is {value}, which is no finite number"))),
            None => Ok(()),
        }
    }

    /// Whether `classes` are what a batch of `count` items needs: one class of the model per item, or none for a model without.
    ///
    /// # Errors
    /// [`Error::Argument`] with what does not fit.
    pub fn check_classes(&self, classes: Option<&[i64]>, count: usize) -> Result<()> {
        let refuse = |reason: String| Err(Error::argument("classes", reason));
        match (classes, &self.manifest.classes) {
            (None, None) => Ok(()),
            (Some(_), None) => refuse("this model has no classes".into()),
            (None, Some(known)) => {
                refuse(format!("this model needs a class for every item, from 0 to {}", known.count() - 1))
            }
            (Some(classes), Some(_)) if classes.len() != count => {
                refuse(format!("{} classes for {count} items", classes.len()))
            }
            (Some(classes), Some(known)) => {
                let allowed = |class: i64| {
                    usize::try_from(class).is_ok_and(|class| class < known.count() || known.null == Some(class))
                };
                match classes.iter().find(|class| !allowed(**class)) {
                    Some(class) => {
                        let null = known.null.map_or(String::new(), |null| format!(", and {null} for none"));
                        refuse(format!("{class}; this model has the classes 0 to {}{null}", known.count() - 1))
                    }
                    None => Ok(()),
                }
            }
        }
    }

    /// The number of items that the graph's batch axis is fixed at; `None` where it is free.
    #[must_use]
    pub fn fixed_batch(&self) -> Option<usize> {
        match &self.source {
            Source::Graph(network, roles) => network.inputs()[roles.sample.index].shape[0],
            Source::Host(..) => None,
        }
    }
}

/// The denoiser that a model makes.
pub struct Predictor {
    evaluator: Evaluator,
    scaled: Vec<f32>,
}

impl std::fmt::Debug for Predictor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Predictor").field("model", &self.evaluator.model).finish_non_exhaustive()
    }
}

impl Predictor {
    /// A denoiser that evaluates `model`.
    ///
    /// # Errors
    /// [`Error::Argument`] if it is a classifier; [`Error::Runtime`] if ONNX Runtime has no options for a run.
    pub fn new(model: Arc<Model>) -> Result<Self> {
        if model.manifest.is_classifier() {
            let reason = format!("'{}' is a classifier, which guides the samples of another model", model.name());
            return Err(Error::argument("model", reason));
        }
        Ok(Self { evaluator: Evaluator::new(model)?, scaled: Vec::new() })
    }

    /// One that `canceller` ends.
    fn until(model: &Arc<Model>, canceller: &Canceller) -> Result<Self> {
        let predictor = Self::new(Arc::clone(model))?;
        canceller.add(&predictor.evaluator.interrupt());
        Ok(predictor)
    }

    /// The coefficients of x̂₀ in x and the network's output at the query's level, and the factor of what the network sees.
    fn coefficients(&self, query: &Query<'_>) -> Result<(f32, f32, f32)> {
        let Model { manifest, schedule, .. } = &*self.evaluator.model;
        let (of_x, of_output) = manifest.prediction.to_x0(query.level, &**schedule, manifest.deviation());
        let factor = manifest.input_scaling.factor(manifest.prediction, query.level, manifest.deviation());
        let (of_x, of_output, factor) = (of_x as f32, of_output as f32, factor as f32);
        if !(of_x.is_finite() && of_output.is_finite()) {
            let reason = format!(
                "at t = {} the schedule leaves nothing of the clean sample (α = {}), and x̂₀ cannot be found from the prediction",
                query.level.t, query.level.alpha
            );
            return Err(Error::Evaluation { step: query.step, reason });
        }
        Ok((of_x, of_output, factor))
    }
}

/// `values` times `factor`: as they are, or in `room`.
fn scale<'a>(values: &'a [f32], factor: f32, room: &'a mut Vec<f32>) -> Result<&'a [f32]> {
    if factor == 1.0 {
        return Ok(values);
    }
    room.clear();
    make_room(room, values.len())?;
    room.extend(values.iter().map(|value| value * factor));
    Ok(room)
}

impl Denoiser for Predictor {
    fn interrupt(&self) -> Option<Arc<dyn Interrupt>> {
        Some(self.evaluator.interrupt())
    }

    fn of_output(&self, level: NoiseLevel) -> (f64, f64) {
        let Model { manifest, schedule, .. } = &*self.evaluator.model;
        manifest.prediction.to_x0(level, &**schedule, manifest.deviation())
    }

    fn takes_any_batch(&self) -> bool {
        self.evaluator.model.fixed_batch().is_none()
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.scaled[..]) + self.evaluator.bytes()
    }

    fn fingerprint(&self) -> Result<Option<String>> {
        self.evaluator.model.hash().map(|hash| Some(hash.into_owned()))
    }

    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        let model = Arc::clone(&self.evaluator.model);
        model.check_shape(query.x.shape())?;
        if out.x0.shape() != query.x.shape() {
            let reason = format!("the answer has a shape of {:?}, the samples {:?}", out.x0.shape(), query.x.shape());
            return Err(Error::argument("out", reason));
        }
        let learned = model.manifest.variance != LearnedVariance::None;
        if learned && out.variance.as_ref().is_none_or(|variance| variance.shape() != query.x.shape()) {
            out.variance = Some(zeros(query.x.shape())?);
        }
        let Denoised { x0, variance, .. } = out;
        let (Some(x), Some(x0)) = (query.x.as_slice(), x0.as_slice_mut()) else {
            return Err(Error::argument("x", "the samples must lie in standard (C) order"));
        };
        let variance =
            variance.as_mut().filter(|_| learned).and_then(|variance| variance.as_slice_mut()).unwrap_or_default();
        let (of_x, of_output, factor) = self.coefficients(&query)?;
        let batch = query.x.shape()[0];
        let length = x.len() / batch;
        for items in self.evaluator.parts(batch) {
            let range = items.start * length..items.end * length;
            let sample = scale(&x[range], factor, &mut self.scaled)?;
            let part = Part { items: items.clone(), sample, direction: &[] };
            let doubled = if learned { 2 } else { 1 };
            self.evaluator.run(&query, &part, Wanted::Prediction { doubled }, |item, said| {
                let item = items.start + item;
                let range = item * length..(item + 1) * length;
                let (said, of_variance) = said.split_at(length);
                if learned {
                    variance[range.clone()].copy_from_slice(of_variance);
                }
                for ((x0, x), said) in x0[range.clone()].iter_mut().zip(&x[range]).zip(said) {
                    *x0 = of_x * x + of_output * said;
                }
            })?;
        }
        Ok(())
    }

    fn derivative(&mut self, query: Query<'_>, direction: ArrayViewD<'_, f32>) -> Result<Option<ArrayD<f32>>> {
        let model = Arc::clone(&self.evaluator.model);
        if model.roles().is_none_or(|roles| roles.derivative.is_none()) {
            return Ok(None);
        }
        model.check_shape(query.x.shape())?;
        let mut derivative = zeros(query.x.shape())?;
        let (Some(x), Some(along), Some(out)) = (query.x.as_slice(), direction.as_slice(), derivative.as_slice_mut())
        else {
            return Err(Error::argument("x", "the samples and the direction must lie in standard (C) order"));
        };
        if direction.shape() != query.x.shape() {
            let reason = format!("a shape of {:?}, the samples have {:?}", direction.shape(), query.x.shape());
            return Err(Error::argument("direction", reason));
        }
        // x̂₀ = a·x + b·F(c·x), so that along d it changes by a·d + b·F'(c·x)·(c·d).
        let (of_x, of_output, factor) = self.coefficients(&query)?;
        let length = x.len() / query.x.shape()[0];
        let mut scaled = Vec::new();
        for items in self.evaluator.parts(query.x.shape()[0]) {
            let range = items.start * length..items.end * length;
            let sample = scale(&x[range.clone()], factor, &mut self.scaled)?;
            let part = Part { items: items.clone(), sample, direction: scale(&along[range], factor, &mut scaled)? };
            self.evaluator.run(&query, &part, Wanted::Derivative, |item, said| {
                let range = (items.start + item) * length..(items.start + item + 1) * length;
                for ((out, along), said) in out[range.clone()].iter_mut().zip(&along[range]).zip(said) {
                    *out = of_x * along + of_output * said;
                }
            })?;
        }
        Ok(Some(derivative))
    }
}
