//! Evaluations of a model's network, with the buffers that they need.

use std::ops::Range;
use std::sync::Arc;

use ndarray::ArrayD;

use super::model::{Model, Source};
use super::roles::{Roles, Slot, TimeForm, in_type};
use crate::cancel::Interrupt;
use crate::denoiser::Query;
use crate::error::{Error, Result};
use crate::model::ConditionInput;
use crate::network::{Binding, HostNetwork, Output, Question, Stopped};
use crate::schedule::NoiseLevel;
use crate::tensor::{first_not_finite, make_room, resize};

/// Evaluates a model's network. Each job has one of its own, with buffers that are kept from step to step.
pub(super) struct Evaluator {
    pub(super) model: Arc<Model>,
    hold: Hold,
    /// Samples with the conditions that are joined to them.
    joined: Vec<f32>,
    joined_shape: Vec<usize>,
    still: Vec<f32>,
    shape: Vec<usize>,
}

/// A hold on what evaluates the network.
enum Hold {
    Graph(Binding),
    /// What tells the host's network to stop, and what it writes to.
    Host(Arc<Stopped>, Vec<f32>),
}

/// Which of the things that a network predicts is asked for.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// Its prediction, which is this many times as long as an item.
    Prediction { doubled: usize },
    /// The derivative of the prediction along a direction.
    Derivative,
}

impl Wanted {
    fn doubled(self) -> usize {
        match self {
            Self::Prediction { doubled } => doubled,
            Self::Derivative => 1,
        }
    }

    /// The output of the graph that it is. One that the manifest does not name is not asked for.
    fn slot(self, roles: &Roles) -> Slot {
        match self {
            Self::Prediction { .. } => roles.prediction,
            Self::Derivative => roles.derivative.unwrap_or(roles.prediction),
        }
    }
}

/// A part of a batch, as much of it as the graph takes at once.
pub(super) struct Part<'a> {
    /// The items that it has of the query's.
    pub(super) items: Range<usize>,
    /// What the network sees of them.
    pub(super) sample: &'a [f32],
    /// What it is to be differentiated along; nothing is zeros.
    pub(super) direction: &'a [f32],
}

/// What the network is handed for a part of a query.
struct Input<'a, 'q> {
    query: &'a Query<'q>,
    part: &'a Part<'a>,
    /// The part's samples, as they are in the query.
    shape: &'a [usize],
    /// What the network sees, with what is joined to the samples, and its shape.
    seen: &'a [f32],
    seen_shape: &'a [usize],
    /// What it is told of the time.
    time: f64,
}

impl Evaluator {
    pub(super) fn new(model: Arc<Model>) -> Result<Self> {
        Self::with_options(model, &[])
    }

    /// One whose runs have options of ONNX Runtime's, by their keys.
    pub(super) fn with_options(model: Arc<Model>, entries: &[(&str, &str)]) -> Result<Self> {
        let hold = match &model.source {
            Source::Graph(network, _) => Hold::Graph(Binding::new(network, entries)?),
            Source::Host(..) => Hold::Host(Stopped::new(), Vec::new()),
        };
        let (joined, joined_shape, still, shape) = Default::default();
        Ok(Self { model, hold, joined, joined_shape, still, shape })
    }

    /// How many bytes its buffers take.
    pub(super) fn bytes(&self) -> usize {
        let held = match &self.hold {
            Hold::Graph(binding) => binding.bytes(),
            Hold::Host(_, output) => size_of_val(&output[..]),
        };
        held + size_of_val(&self.joined[..]) + size_of_val(&self.still[..])
    }

    pub(super) fn interrupt(&self) -> Arc<dyn Interrupt> {
        match &self.hold {
            Hold::Graph(binding) => binding.interrupt(),
            Hold::Host(stopped, _) => Arc::clone(stopped) as Arc<dyn Interrupt>,
        }
    }

    /// The parts that a batch of `batch` items is evaluated in: a graph whose batch is fixed is run as often as it
    /// takes.
    pub(super) fn parts(&self, batch: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let size = self.model.fixed_batch().unwrap_or(batch).max(1);
        (0..batch).step_by(size).map(move |first| first..first + size)
    }

    /// Runs the network once, and hands what it says of each item of the part to `each`, with the item's place in the
    /// part. Where that is longer than an item, the first part of an item's length is known to be finite.
    pub(super) fn run(
        &mut self,
        query: &Query<'_>,
        part: &Part<'_>,
        wanted: Wanted,
        each: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        let Self { model, hold, joined, joined_shape, still, shape } = self;
        let Model { source, manifest, schedule, .. } = &**model;
        shape.clear();
        shape.extend_from_slice(query.x.shape());
        shape[0] = part.items.len();
        let channels = manifest.joined_channels();
        let (seen, seen_shape) = if channels == 0 {
            (part.sample, &*shape)
        } else {
            join(query, part, manifest.conditions.iter(), channels, joined)?;
            joined_shape.clone_from(shape);
            joined_shape[1] += channels;
            (&**joined, &*joined_shape)
        };
        let time = manifest.time().encode(query.level, &**schedule);
        let input = Input { query, part, shape, seen, seen_shape, time };
        match (source, hold) {
            (Source::Graph(_, roles), Hold::Graph(binding)) => {
                input.bind(model, roles, binding, still)?;
                input.evaluate(binding, wanted.slot(roles), wanted.doubled(), each)
            }
            (Source::Host(host, _), Hold::Host(stopped, output)) => {
                input.check_is_whole(model)?;
                input.ask(host, stopped, output, wanted.doubled(), each)
            }
            _ => Err(Error::Evaluation { step: query.step, reason: "the model has another network".into() }),
        }
    }
}

/// Puts what is joined to the samples behind their channels, item by item.
fn join<'a>(
    query: &Query<'_>,
    part: &Part<'_>,
    conditions: impl Iterator<Item = (&'a String, &'a ConditionInput)> + Clone,
    channels: usize,
    joined: &mut Vec<f32>,
) -> Result<()> {
    let own = query.x.shape()[1];
    joined.clear();
    make_room(joined, part.sample.len() / own * (own + channels))?;
    let length = part.sample.len() / part.items.len();
    for (sample, item) in part.sample.chunks(length).zip(part.items.clone()) {
        joined.extend_from_slice(sample);
        for (name, info) in conditions.clone().filter(|(_, info)| info.joined) {
            let tensor = told(query, part, name, info)?;
            let length = info.shape.iter().product::<usize>();
            joined.extend_from_slice(&tensor.as_slice().unwrap_or_default()[item * length..][..length]);
        }
    }
    Ok(())
}

/// The condition called `name`, which the query has for all items of the part.
fn told<'a>(query: &Query<'a>, part: &Part<'_>, name: &str, info: &ConditionInput) -> Result<&'a Arc<ArrayD<f32>>> {
    let given = query.condition.tensors.get(name).filter(|given| {
        let shape = given.shape();
        shape.get(1..) == Some(&info.shape[..]) && shape[0] >= part.items.end && given.is_standard_layout()
    });
    given.ok_or_else(|| {
        let shape = &info.shape;
        Error::argument(
            "condition",
            format!("this model needs '{name}' for every item of the batch, each of the shape {shape:?}"),
        )
    })
}

fn no_classes() -> Error {
    Error::argument("classes", "this model needs a class for every item of the batch")
}

impl Input<'_, '_> {
    /// How many values an item has.
    fn length(&self) -> usize {
        self.part.sample.len() / self.part.items.len()
    }

    fn failed(&self, reason: String) -> Error {
        Error::Evaluation { step: self.query.step, reason }
    }

    /// Sets the graph's inputs by their roles.
    fn bind(&self, model: &Model, roles: &Roles, binding: &mut Binding, still: &mut Vec<f32>) -> Result<()> {
        let Self { query, part, shape, seen, seen_shape, time } = *self;
        let count = part.items.len();
        if !in_type(roles.time.element, time).is_finite() {
            let (NoiseLevel { t, alpha, sigma }, element) = (query.level, roles.time.element);
            return Err(self.failed(format!(
                "at t = {t}, α = {alpha}, σ = {sigma} the network would be told a time of {time}, which is no number in {element}"
            )));
        }
        binding.set(roles.sample.index, seen_shape, seen)?;
        let time_shape: &[usize] = match roles.time_form {
            TimeForm::Scalar => &[],
            TimeForm::One => &[1],
            TimeForm::Batch => &[count],
        };
        binding.fill(roles.time.index, time_shape, time)?;
        if let Some(slot) = roles.class {
            let classes = query.condition.classes.as_deref().and_then(|all| all.get(part.items.clone()));
            binding.count(slot.index, classes.ok_or_else(no_classes)?)?;
        }
        // Guidance that asks one after the other alternates between two conditions, of as many parts as there are.
        let others = 2 * query.x.shape()[0].div_ceil(count) - 1;
        for (slot, (name, info)) in roles.conditions.iter().zip(&model.manifest.conditions) {
            let Some(slot) = slot else { continue };
            binding.keep(slot.index, told(query, part, name, info)?, part.items.clone(), others)?;
        }
        if let Some(slot) = roles.direction {
            still.clear();
            resize(still, part.sample.len() - part.direction.len(), 0.0)?;
            let along = if still.is_empty() { part.direction } else { &still[..] };
            binding.set(slot.index, shape, along)?;
        }
        Ok(())
    }

    /// Evaluates the graph, whose inputs are set.
    fn evaluate(
        &self,
        binding: &mut Binding,
        slot: Slot,
        doubled: usize,
        each: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        let length = self.length();
        let output = Output { index: slot.index, element: slot.element, length: self.part.sample.len() * doubled };
        let network = Arc::clone(binding.network());
        let name = &network.signature().outputs[slot.index].name;
        binding.evaluate(output, (self.query.step, self.part.items.len()), |found, values| {
            let said = expect(name, found, self.shape, doubled)
                .and_then(|()| said_of_each(name, length * doubled, length, values, each));
            said.map_err(|unfit| {
                self.failed(match unfit {
                    Unfit::Shape(reason) => reason,
                    Unfit::Value(name, value, item) => {
                        let item = self.part.items.start + item;
                        format!("the output '{name}' holds {value} for item {item} at t = {}", self.query.level.t)
                    }
                })
            })
        })
    }

    /// Whether the query has all that the manifest says that the network is given.
    fn check_is_whole(&self, model: &Model) -> Result<()> {
        let conditions = &mut model.manifest.conditions.iter();
        conditions.try_for_each(|(name, info)| told(self.query, self.part, name, info).map(drop))?;
        let fits = |classes: &Vec<i64>| classes.len() == self.part.items.len();
        if model.manifest.classes.is_some() && !self.query.condition.classes.as_ref().is_some_and(fits) {
            return Err(no_classes());
        }
        Ok(())
    }

    /// Asks a network of the host's.
    fn ask(
        &self,
        host: &HostNetwork,
        stopped: &Stopped,
        output: &mut Vec<f32>,
        doubled: usize,
        each: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        if stopped.is_stopped() {
            return Err(Error::Cancelled);
        }
        output.clear();
        resize(output, self.part.sample.len() * doubled, f32::NAN)?;
        let Query { x, level, condition, step } = self.query;
        let query = &Query { x: x.view(), level: *level, condition, step: *step };
        let (input, shape) = (self.seen, self.seen_shape);
        let question = Question { query, input, shape, time: self.time, stopped: stopped.flag() };
        let called = host.evaluate(&question, output);
        if stopped.is_stopped() {
            // It may have returned with anything.
            return Err(Error::Cancelled);
        }
        let blamed = |reason: String| Error::Callback { step: *step, reason };
        called.map_err(blamed)?;
        let said = said_of_each("", self.length() * doubled, self.length(), output, each);
        said.map_err(|wrong| match wrong {
            Unfit::Shape(reason) => blamed(reason),
            Unfit::Value(_, value, item) => blamed(format!("the network wrote {value}, or nothing, for item {item}")),
        })
    }
}

/// Why what a network predicts cannot be used.
enum Unfit<'a> {
    Shape(String),
    /// The output, the value, and the place of the item.
    Value(&'a str, f32, usize),
}

/// Whether an output has the shape of the samples, with the channels times `doubled`.
fn expect<'a>(name: &'a str, found: &[i64], shape: &[usize], doubled: usize) -> std::result::Result<(), Unfit<'a>> {
    let fits =
        found.len() == shape.len()
            && found.iter().zip(shape).enumerate().all(|(axis, (&found, &size))| {
                usize::try_from(found) == Ok(if axis == 1 { size * doubled } else { size })
            });
    if fits {
        return Ok(());
    }
    let twice = if doubled == 2 { " with twice the channels" } else { "" };
    Err(Unfit::Shape(format!("the output '{name}' has a shape of {found:?}, expected {shape:?}{twice}")))
}

/// Hands what is said of each item, `values` in parts of the length `of_item`, to `each`, if the first `checked` of it
/// are finite.
fn said_of_each<'a>(
    name: &'a str,
    of_item: usize,
    checked: usize,
    values: &[f32],
    mut each: impl FnMut(usize, &[f32]),
) -> std::result::Result<(), Unfit<'a>> {
    for (item, said) in values.chunks_exact(of_item).enumerate() {
        if let Some(index) = first_not_finite(&said[..checked]) {
            return Err(Unfit::Value(name, said[index], item));
        }
        each(item, said);
    }
    Ok(())
}
