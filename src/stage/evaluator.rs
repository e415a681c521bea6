//! Evaluates a model's network, with the buffers that this needs.

use std::iter::empty;
use std::sync::Arc;

use super::layout::{Joined, Order};
use super::model::{Model, Source};
use super::roles::{ClassSlot, Roles, Slot};
use crate::cancel::{Canceller, Interrupt};
use crate::denoiser::Query;
use crate::error::{Error, Result};
use crate::model::{ConditionInput, GuidancePair, Time, Toward};
use crate::network::{Binding, HostNetwork, Output, Question, Rows, Share, Stopped};
use crate::schedule::NoiseLevel;
use crate::tensor::{Tensor, first_not_finite, resize};

/// Evaluates a model's network. Each job has its own evaluator, whose buffers are kept from step to step.
pub(super) struct Evaluator {
    pub(super) model: Arc<Model>,
    /// How the network's time input is computed.
    time: Time,
    hold: Hold,
    room: Room,
}

/// Holds what evaluates the network.
enum Hold {
    Graph(Binding),
    /// The flag that tells the host's network to stop, and the buffer that it writes to.
    Host(Arc<Stopped>, Vec<f32>),
}

/// The buffers that are kept from evaluation to evaluation.
#[derive(Default)]
struct Room {
    /// The network's input of samples, and what goes with them. A buffer is used where the input is not a part of the
    /// samples as it is.
    seen: [Vec<f32>; 2],
    beside: [Vec<f32>; 2],
    /// The samples' shape in the network's order, without and with what is joined to them.
    shape: Vec<usize>,
    seen_shape: Vec<usize>,
    /// The shape of an input of numbers.
    axes: Vec<usize>,
    /// The network's output for an item, in the manifest's order.
    said: Vec<f32>,
}

/// Which of a network's outputs is evaluated.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// Its prediction.
    Prediction,
    /// The derivative of the prediction along this direction, of the samples' shape.
    Derivative(&'a [f32]),
}

impl<'a> Wanted<'a> {
    /// How many times the samples' channels the output has.
    fn doubled(self, model: &Model) -> usize {
        match self {
            Self::Prediction => model.manifest.variance.doubled(),
            Self::Derivative(_) => 1,
        }
    }

    /// The output of the graph. An output that the manifest does not name is never evaluated.
    fn slot(self, roles: &Roles) -> Slot {
        match self {
            Self::Prediction => roles.prediction,
            Self::Derivative(_) => roles.derivative.unwrap_or(roles.prediction),
        }
    }

    /// The direction of the derivative. It is empty for zeros.
    fn along(self) -> &'a [f32] {
        match self {
            Self::Prediction => &[],
            Self::Derivative(direction) => direction,
        }
    }
}

/// A part of a batch, as large as the network takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// The items of the query that the part has.
    rows: Rows,
    /// Which of its two rows is used, where the other exists only because the graph needs two.
    only: Option<usize>,
}

/// The network's input of samples.
#[derive(Clone, Copy)]
pub(super) struct Sight<'a> {
    /// The factor that scales the samples.
    pub(super) factor: f32,
    /// The latest estimate of these samples. It is empty for zeros. Both items of a pair have the same.
    pub(super) fed_back: &'a [f32],
}

/// The inputs of the network for a part of a query.
struct Input<'a, 'q> {
    model: &'a Model,
    query: &'a Query<'q>,
    part: Part,
    order: Order<'a>,
    /// The shape of the part's samples, in the network's order.
    shape: &'a [usize],
    /// The samples with what is joined to them, and their shape.
    seen: &'a [f32],
    seen_shape: &'a [usize],
    /// The value of the time input.
    time: f64,
    /// How many times the samples' channels the output has.
    doubled: usize,
}

impl Evaluator {
    pub(super) fn new(model: Arc<Model>) -> Result<Self> {
        Self::with_options(model, &[])
    }

    /// Creates an evaluator whose runs have these options of ONNX Runtime, by their keys.
    pub(super) fn with_options(model: Arc<Model>, entries: &[(&str, &str)]) -> Result<Self> {
        let hold = match &model.source {
            Source::Graph(part, _) => Hold::Graph(Binding::new(&part.network(&Canceller::default())?, entries)?),
            Source::Host(..) => Hold::Host(Stopped::new(), Vec::new()),
        };
        Ok(Self { time: model.manifest.time(), model, hold, room: Room::default() })
    }

    /// Reverses the direction of the time input.
    pub(super) fn turn_time(&mut self) {
        self.time.direction = match self.time.direction {
            Toward::Noise => Toward::Data,
            Toward::Data => Toward::Noise,
        };
    }

    /// The number of bytes of its buffers.
    pub(super) fn bytes(&self) -> usize {
        let held = match &self.hold {
            Hold::Graph(binding) => binding.bytes(),
            Hold::Host(_, output) => size_of_val(&output[..]),
        };
        let Room { seen, beside, said, .. } = &self.room;
        held + seen.iter().chain(beside).chain([said]).map(|values| size_of_val(&values[..])).sum::<usize>()
    }

    pub(super) fn interrupt(&self) -> Arc<dyn Interrupt> {
        match &self.hold {
            Hold::Graph(binding) => binding.interrupt(),
            Hold::Host(stopped, _) => Arc::clone(stopped) as Arc<dyn Interrupt>,
        }
    }

    /// The parts in which the batch of a query is evaluated. A graph with a fixed batch runs as often as it takes. A
    /// graph that takes one class for all items runs once for each item where they have several.
    pub(super) fn parts(&self, query: &Query<'_>) -> impl Iterator<Item = Part> + use<> {
        let batch = query.x.shape()[0];
        let pair = self.model.roles().and(self.model.manifest.guidance_pair);
        let paired = pair.is_some() && query.condition.paired;
        let items = if paired { batch / 2 } else { batch };
        let split = self.model.shares_class() && !all_equal(query.condition.classes.as_deref());
        let size = self.model.fixed_batch().unwrap_or(if split { 1 } else { batch }).max(1);
        (0..items).step_by(size).map(move |first| match pair {
            None => Part { rows: Rows::Run(first, size), only: None },
            Some(pair) => {
                // The second half of a paired batch has the negative condition.
                let other = if paired { items + first } else { first };
                let negative_first = pair == GuidancePair::NegativeFirst;
                let rows = if negative_first { [other, first] } else { [first, other] };
                Part { rows: Rows::Pair(rows), only: (!paired).then_some(usize::from(negative_first)) }
            }
        })
    }

    /// Runs the network once, and passes the output for each item of the part to `each`, with the item's place in the
    /// batch. Where an output is longer than an item, its first part of an item's length is known to be finite.
    pub(super) fn run(
        &mut self,
        query: &Query<'_>,
        part: Part,
        sight: Sight<'_>,
        wanted: Wanted<'_>,
        each: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        let Self { model, time, hold, room } = self;
        let Room { seen, beside, shape, seen_shape, axes, said } = room;
        let Model { source, manifest, schedule, .. } = &**model;
        let Some(x) = query.x.as_slice() else {
            return Err(Error::argument("x", "the samples must lie in standard (C) order"));
        };
        let order = Order { item: &query.x.shape()[1..], channels_last: manifest.sample.channels_last };
        let batched = model.roles().is_none_or(|roles| roles.batched);
        let (count, axis) = (part.rows.len(), manifest.joined_axis());
        order.shape(count, batched, (axis, 0), shape);
        order.shape(count, batched, (axis, manifest.joined_channels()), seen_shape);
        let of_joined = || manifest.conditions.iter().filter(|(_, info)| info.joined);
        of_joined().try_for_each(|(name, info)| joined(query, part, name, info).map(drop))?;
        let joined = of_joined().filter_map(|(name, info)| joined(query, part, name, info).ok());
        let seen = order.lay_out(x, part.rows, sight.factor, (axis, joined), seen)?;
        let time = time.encode(query.level, &**schedule);
        let doubled = wanted.doubled(model);
        let input = Input { model, query, part, order, shape, seen, seen_shape, time, doubled };
        match (source, hold) {
            (Source::Graph(_, roles), Hold::Graph(binding)) => {
                input.bind(roles, binding, axes)?;
                // The derivative is with respect to the network's input.
                let beside_samples =
                    [(roles.direction, wanted.along(), sight.factor), (roles.self_condition, sight.fed_back, 1.0)];
                for (slot, values, factor) in beside_samples {
                    let Some(slot) = slot else { continue };
                    let values = order.lay_out(values, part.rows, factor, (0, empty()), beside)?;
                    binding.set(slot.index, shape, values)?;
                }
                input.evaluate(binding, wanted.slot(roles), said, each)
            }
            (Source::Host(host, _), Hold::Host(stopped, output)) => {
                input.check_is_whole()?;
                input.ask(host, stopped, output, said, each)
            }
            _ => Err(Error::Evaluation { step: query.step, reason: "the model has another network".into() }),
        }
    }
}

fn all_equal(classes: Option<&[i64]>) -> bool {
    classes.unwrap_or_default().windows(2).all(|both| both[0] == both[1])
}

/// The tensor of the condition called `name` that is joined to the part's samples.
fn joined<'a>(query: &Query<'a>, part: Part, name: &str, info: &ConditionInput) -> Result<Joined<'a>> {
    let tensor = told(query, part, name, info)?;
    let (own, given) = (&query.x.shape()[1..], &tensor.shape()[1..]);
    let fits = |place: usize| place == info.axis || own[place] == given[place];
    match tensor.as_f32().filter(|_| own.len() == given.len() && (0..own.len()).all(fits)) {
        Some(values) => Ok(Joined { values, length: given.iter().product(), before: info.before }),
        None => {
            let reason = format!("'{name}' is {given:?} for an item, which cannot be joined to samples of {own:?}");
            Err(Error::argument("condition", reason))
        }
    }
}

/// The condition called `name`, which the query has for all items of the part.
fn told<'a>(query: &Query<'a>, part: Part, name: &str, info: &ConditionInput) -> Result<&'a Arc<Tensor>> {
    let all = if info.batch { &query.condition.tensors } else { &query.condition.common };
    let fits = |given: &&Arc<Tensor>| {
        let shape = given.shape();
        let has_items = !info.batch || shape.first().is_some_and(|count| *count >= part.rows.end());
        has_items && given.is_standard() && info.shape.fits(&shape[usize::from(info.batch)..])
    };
    all.get(name).filter(fits).ok_or_else(|| {
        let shape = &info.shape;
        let reason = if info.batch {
            format!("this model needs '{name}' for every item of the batch, each of the shape {shape}")
        } else {
            format!("this model needs '{name}', of the shape {shape}, for all items")
        };
        Error::argument("condition", reason)
    })
}

fn no_classes() -> Error {
    Error::argument("classes", "this model needs a class for every item of the batch")
}

impl Input<'_, '_> {
    fn failed(&self, reason: String) -> Error {
        Error::Evaluation { step: self.query.step, reason }
    }

    /// Sets the graph's inputs by their roles, except those that are like the samples.
    fn bind(&self, roles: &Roles, binding: &mut Binding, axes: &mut Vec<usize>) -> Result<()> {
        let Self { model, query, part, seen, seen_shape, time, .. } = *self;
        let count = part.rows.len();
        if !roles.time.element.rounded(time).is_finite() {
            let (NoiseLevel { t, alpha, sigma }, element) = (query.level, roles.time.element);
            return Err(self.failed(format!(
                "at t = {t}, α = {alpha}, σ = {sigma} the network's input for the time would be {time}, which is no number in {element}"
            )));
        }
        binding.set(roles.sample.index, seen_shape, seen)?;
        roles.time_axes.shape(count, axes);
        binding.fill(roles.time.index, axes, time)?;
        if let Some(class) = &roles.class {
            self.bind_class(class, binding, axes)?;
        }
        // Guidance that evaluates one after the other alternates between two conditions, of as many parts as there are.
        let others = 2 * query.x.shape()[0].div_ceil(count) - 1;
        for (condition, (name, info)) in roles.conditions.iter().zip(&model.manifest.conditions) {
            let Some(slot) = condition.slot else { continue };
            let share = if info.batch { Share::Items(part.rows, condition.batch) } else { Share::Whole };
            binding.keep(slot.index, told(query, part, name, info)?, share, others)?;
        }
        Ok(())
    }

    /// Sets the input for the classes.
    fn bind_class(&self, input: &ClassSlot, binding: &mut Binding, axes: &mut Vec<usize>) -> Result<()> {
        let Self { query, part, .. } = self;
        let classes = query.condition.classes.as_deref().filter(|classes| classes.len() >= part.rows.end());
        let classes = classes.ok_or_else(no_classes)?;
        let ClassSlot { slot, axes: own, one_hot } = input;
        let count = if own.is_one() { 1 } else { part.rows.len() };
        own.shape(count, axes);
        // One for all of the part.
        if own.is_one() && part.rows.items().any(|item| classes[item] != classes[part.rows.item(0)]) {
            let reason =
                format!("this model's graph takes one class for {} items, and they have several", part.rows.len());
            return Err(Error::argument("classes", reason));
        }
        let all = part.rows.items().take(count).map(|item| classes[item]);
        match one_hot {
            None => binding.count(slot.index, axes, all),
            Some(width) => {
                axes.push(*width);
                binding.mark(slot.index, axes, *width, all)
            }
        }
    }

    /// Evaluates the graph, once its inputs are set.
    fn evaluate(
        &self,
        binding: &mut Binding,
        slot: Slot,
        room: &mut Vec<f32>,
        each: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        let length = self.part.rows.len() * self.order.length() * self.doubled;
        let output = Output { index: slot.index, element: slot.element, length };
        let network = Arc::clone(binding.network());
        let name = &network.signature().outputs[slot.index].name;
        binding.evaluate(output, (self.query.step, self.part.rows.len()), |found, values| {
            let said = self.expect(name, found, values.len()).map_err(Unfit::Shape);
            said.and_then(|()| self.said_of_each(values, room, each)).map_err(|unfit| match unfit {
                Unfit::Shape(reason) => self.failed(reason),
                Unfit::Value(value, item) => {
                    let t = self.query.level.t;
                    self.failed(format!("the output '{name}' holds {value} for item {item} at t = {t}"))
                }
                Unfit::Room(error) => error,
            })
        })
    }

    /// Checks that an output has the shape of the samples, with the channels times `doubled`. It may have another rank
    /// if it has as many values.
    fn expect(&self, name: &str, found: &[i64], values: usize) -> std::result::Result<(), String> {
        let Self { order, shape, doubled, .. } = self;
        let channels = if order.channels_last { shape.len() - 1 } else { shape.len() - order.item.len() };
        let of = |axis: usize| if axis == channels { shape[axis] * doubled } else { shape[axis] };
        let own = (0..shape.len()).map(of);
        // Another rank may have more or fewer axes of 1, or one axis for all of an item.
        let long = |size: &usize| *size != 1;
        let said = || found.iter().map(|size| usize::try_from(*size).unwrap_or(0));
        let fits = if found.len() == shape.len() {
            said().eq(own)
        } else {
            let flat = order.length() * doubled;
            let is_flat =
                found.len() < shape.len() && said().filter(long).eq([values / flat, flat].into_iter().filter(long));
            is_flat && values == self.part.rows.len() * flat || said().filter(long).eq(own.filter(long))
        };
        if fits {
            return Ok(());
        }
        let twice = if *doubled == 2 { " with twice the channels" } else { "" };
        Err(format!("the output '{name}' has a shape of {found:?}, expected {shape:?}{twice}"))
    }

    /// Passes the output for each requested item to `each`. It is an error if the output is not finite over an item's
    /// length.
    fn said_of_each(
        &self,
        values: &[f32],
        room: &mut Vec<f32>,
        mut each: impl FnMut(usize, &[f32]),
    ) -> std::result::Result<(), Unfit> {
        let Self { part, order, doubled, .. } = self;
        let length = order.length();
        for (row, said) in values.chunks_exact(length * doubled).enumerate() {
            if part.only.is_some_and(|only| only != row) {
                continue;
            }
            let item = part.rows.item(row);
            let said = order.read(said, *doubled, room).map_err(Unfit::Room)?;
            if let Some(index) = first_not_finite(&said[..length]) {
                return Err(Unfit::Value(said[index], item));
            }
            each(item, said);
        }
        Ok(())
    }

    /// Checks that the query has all the conditions that the manifest names.
    fn check_is_whole(&self) -> Result<()> {
        let Self { model, query, part, .. } = self;
        let conditions = &mut model.manifest.conditions.iter();
        conditions.try_for_each(|(name, info)| told(query, *part, name, info).map(drop))?;
        let fits = |classes: &Vec<i64>| classes.len() == part.rows.len();
        if model.manifest.classes.is_some() && !query.condition.classes.as_ref().is_some_and(fits) {
            return Err(no_classes());
        }
        Ok(())
    }

    /// Evaluates a network of the host's.
    fn ask(
        &self,
        host: &HostNetwork,
        stopped: &Stopped,
        output: &mut Vec<f32>,
        room: &mut Vec<f32>,
        each: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        if stopped.is_stopped() {
            return Err(Error::Cancelled);
        }
        output.clear();
        resize(output, self.part.rows.len() * self.order.length() * self.doubled, f32::NAN)?;
        let Query { x, level, condition, step } = self.query;
        let query = &Query { x: x.view(), level: *level, condition, step: *step };
        let (input, shape) = (self.seen, self.seen_shape);
        let question = Question { query, input, shape, time: self.time, stopped: stopped.flag() };
        let called = host.evaluate(&question, output);
        if stopped.is_stopped() {
            // A cancelled network may have returned with anything.
            return Err(Error::Cancelled);
        }
        let blamed = |reason: String| Error::Callback { step: *step, reason };
        called.map_err(blamed)?;
        self.said_of_each(output, room, each).map_err(|wrong| match wrong {
            Unfit::Shape(reason) => blamed(reason),
            Unfit::Value(value, item) => blamed(format!("the network wrote {value}, or nothing, for item {item}")),
            Unfit::Room(error) => error,
        })
    }
}

/// Why a prediction of the network cannot be used.
enum Unfit {
    Shape(String),
    /// The value that is not finite, and its item.
    Value(f32, usize),
    /// There is no memory to read the prediction.
    Room(Error),
}
