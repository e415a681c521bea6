//! Evaluations of a model's graph, with the buffers that they need.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use ort::session::{RunOptions, Session, SessionInputValue, SessionOutputs};
use ort::value::{PrimitiveTensorElementType, Shape, TensorRef};

use super::host::Question;
use super::predictor::Source;
use super::roles::{Roles, Slot, TimeForm, in_type};
use super::turns::{Turns, Waiter};
use super::{ConditionInput, Element, Model, Network};
use crate::cancel::Interrupt;
use crate::denoiser::Query;
use crate::error::{Error, Result};
use crate::process::{self, Call, Own};
use crate::schedule::NoiseLevel;
use crate::tensor::{first_not_finite, make_room, resize};

/// Evaluates a model's graph. Each job has one of its own, with buffers that are kept from step to step.
pub(super) struct Evaluator {
    pub(super) model: Arc<Model>,
    sample: Values,
    time: Values,
    class: Values,
    conditions: Vec<Values>,
    joined: Vec<f32>,
    direction: Values,
    still: Vec<f32>,
    output: Vec<f32>,
    shape: Vec<usize>,
    stop: Arc<Stop>,
}

/// The options of runs of a graph, and the graph.
type Graph = (Own<RunOptions>, Arc<Turns<Own<Session>>>);

/// Ends an evaluation from another thread: the wait for its turn at once, and ONNX Runtime before the next node; and so every later one.
pub(super) struct Stop {
    stopped: AtomicBool,
    /// What waits for its turn at the graph.
    waiter: Arc<Waiter>,
    /// `None` for a network of the host's, which asks whether it was stopped.
    graph: Option<Graph>,
}

impl Stop {
    /// One of evaluations whose runs have options of ONNX Runtime's, by their keys.
    pub(super) fn new(network: Option<&Network>, entries: &[(&str, &str)]) -> Result<Arc<Self>> {
        let graph = match network {
            Some(network) => {
                let _call = Call::begin()?;
                let options = run_options(entries).map_err(|error| Error::runtime(error.message()))?;
                Some((Own::native(options), Arc::clone(network.session())))
            }
            None => None,
        };
        let stop = Arc::new(Self { stopped: AtomicBool::new(false), waiter: Arc::default(), graph });
        process::interrupt_at_exit(&(Arc::clone(&stop) as Arc<dyn Interrupt>));
        Ok(stop)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub(super) fn waiter(&self) -> &Arc<Waiter> {
        &self.waiter
    }

    /// The options of its runs.
    pub(super) fn options(&self) -> Option<&RunOptions> {
        self.graph.as_ref().map(|(options, _)| &**options)
    }
}

impl Interrupt for Stop {
    fn interrupt(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        if let Some((options, session)) = &self.graph {
            // It fails only if the options were not valid, and then there is no run to stop.
            let _ = options.terminate();
            session.look_up(&self.waiter);
        }
    }
}

fn no_classes() -> Error {
    Error::argument("classes", "this model needs a class for every item of the batch")
}

fn run_options(entries: &[(&str, &str)]) -> ort::Result<RunOptions> {
    let mut options = RunOptions::new()?;
    for (key, value) in entries {
        options.set(key, value)?;
    }
    Ok(options)
}

/// Which of the things that a network says is asked for.
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
    pub(super) items: std::ops::Range<usize>,
    /// What the network sees of them.
    pub(super) sample: &'a [f32],
    /// What it is to be differentiated along; nothing is zeros.
    pub(super) direction: &'a [f32],
}

impl Evaluator {
    pub(super) fn new(model: Arc<Model>) -> Result<Self> {
        Self::with_options(model, &[])
    }

    /// One whose runs have options of ONNX Runtime's, by their keys.
    pub(super) fn with_options(model: Arc<Model>, entries: &[(&str, &str)]) -> Result<Self> {
        let roles = model.roles();
        let of = |slot: Option<Slot>| Values::new(slot.map_or(Element::Other, |slot| slot.element));
        let conditions = roles.map_or(&[][..], |roles| &roles.conditions);
        let stop = Stop::new(model.network(), entries)?;
        Ok(Self {
            sample: of(roles.map(|roles| roles.sample)),
            time: of(roles.map(|roles| roles.time)),
            class: of(roles.and_then(|roles| roles.class)),
            conditions: conditions.iter().map(|&slot| of(slot)).collect(),
            joined: Vec::new(),
            direction: of(roles.and_then(|roles| roles.direction)),
            still: Vec::new(),
            output: Vec::new(),
            shape: Vec::new(),
            stop,
            model,
        })
    }

    /// How many bytes its buffers take, but for a few of times and classes.
    pub(super) fn bytes(&self) -> usize {
        [&self.joined, &self.still, &self.output].iter().map(|buffer| size_of_val(&buffer[..])).sum()
    }

    pub(super) fn interrupt(&self) -> Arc<dyn Interrupt> {
        Arc::clone(&self.stop) as Arc<dyn Interrupt>
    }

    /// The parts that a batch of `batch` items is evaluated in: a graph whose batch is fixed is run as often as it takes.
    pub(super) fn parts(&self, batch: usize) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        let size = self.model.fixed_batch().unwrap_or(batch).max(1);
        (0..batch).step_by(size).map(move |first| first..first + size)
    }

    /// Runs the network once, and hands what it says of each item of the part to `each`, with the item's place in the part. Where that is longer than
    /// an item, the first part of an item's length is known to be finite.
    pub(super) fn run(
        &mut self,
        query: &Query<'_>,
        part: &Part<'_>,
        wanted: Wanted,
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        let Self { model, sample, time, class, conditions, joined, direction, still, output, shape, stop } = self;
        let Model { source, manifest, schedule, .. } = &**model;
        let count = part.items.len();
        let failed = |reason: String| Error::Evaluation { step: query.step, reason };
        let refused = |error: ort::Error| match error.message() {
            // It was ended before the next node.
            _ if stop.is_stopped() => Error::Cancelled,
            text if is_of_memory(text) => {
                Error::memory(format!("an evaluation of {count} items: ONNX Runtime: {text}"))
            }
            text => failed(format!("ONNX Runtime: {text}")),
        };
        shape.clear();
        shape.extend_from_slice(query.x.shape());
        shape[0] = count;

        let told = |name: &str, info: &ConditionInput| {
            let length: usize = info.shape.iter().product();
            let given =
                query.condition.tensors.get(name).filter(|given| given.shape().get(1..) == Some(&info.shape[..]));
            let range = part.items.start * length..part.items.end * length;
            given.and_then(|given| given.as_slice()).and_then(|values| values.get(range)).ok_or_else(|| {
                let shape = &info.shape;
                Error::argument(
                    "condition",
                    format!("this model needs '{name}' for every item of the batch, each of the shape {shape:?}"),
                )
            })
        };
        let channels = manifest.joined_channels();
        let whole;
        let (seen, seen_shape) = if channels == 0 {
            (part.sample, &*shape)
        } else {
            joined.clear();
            make_room(joined, part.sample.len() / shape[1] * (shape[1] + channels))?;
            let length = part.sample.len() / count;
            for (item, sample) in part.sample.chunks(length).enumerate() {
                joined.extend_from_slice(sample);
                for (name, info) in manifest.conditions.iter().filter(|(_, info)| info.joined) {
                    let values = told(name, info)?;
                    let length = values.len() / count;
                    joined.extend_from_slice(&values[item * length..][..length]);
                }
            }
            whole = shape.iter().enumerate().map(|(axis, size)| size + if axis == 1 { channels } else { 0 }).collect();
            (&**joined, &whole)
        };
        let (length, doubled) = (part.sample.len() / count, wanted.doubled());
        let unfit = |reason| {
            failed(match reason {
                Unfit::Shape(reason) => reason,
                Unfit::Value(name, value, item) => {
                    let item = part.items.start + item;
                    format!("the output '{name}' holds {value} for item {item} at t = {}", query.level.t)
                }
            })
        };
        let told_time = manifest.time().encode(query.level, &**schedule);
        let (network, roles) = match source {
            Source::Graph(network, roles) => (network, roles),
            Source::Host(host, _) => {
                manifest.conditions.iter().try_for_each(|(name, info)| told(name, info).map(drop))?;
                if manifest.classes.is_some() && query.condition.classes.as_ref().is_none_or(|all| all.len() != count) {
                    return Err(no_classes());
                }
                if stop.is_stopped() {
                    return Err(Error::Cancelled);
                }
                output.clear();
                resize(output, part.sample.len() * doubled, f32::NAN)?;
                let stopped = &stop.stopped;
                let Query { x, level, condition, step } = query;
                let query = &Query { x: x.view(), level: *level, condition, step: *step };
                let question = Question { query, input: seen, shape: seen_shape, time: told_time, stopped };
                let called = host.evaluate(&question, output);
                if stop.is_stopped() {
                    // It may have returned with anything.
                    return Err(Error::Cancelled);
                }
                let blamed = |reason: String| Error::Callback { step: *step, reason };
                called.map_err(blamed)?;
                let said = said_of_each("", length * doubled, length, output, each);
                return said.map_err(|wrong| match wrong {
                    Unfit::Shape(reason) => blamed(reason),
                    Unfit::Value(_, value, item) => {
                        blamed(format!("the network wrote {value}, or nothing, for item {item}"))
                    }
                });
            }
        };
        // From here on ONNX Runtime has a part in it.
        let _call = Call::begin()?;
        if wanted.slot(roles).element != Element::F32 {
            // What is read is put there.
            resize(output, part.sample.len() * doubled, 0.0)?;
        }
        if !in_type(roles.time.element, told_time).is_finite() {
            let (NoiseLevel { t, alpha, sigma }, element) = (query.level, roles.time.element);
            return Err(failed(format!(
                "at t = {t}, α = {alpha}, σ = {sigma} the network would be told a time of {told_time}, which is no number in {element}"
            )));
        }
        sample.make_room(seen.len())?;
        let of_sample = (roles.sample.index, sample.of_samples(seen, seen_shape).map_err(refused)?);
        let times = if roles.time_form == TimeForm::Batch { count } else { 1 };
        time.fill(told_time, times);
        let time_shape: &[usize] = if roles.time_form == TimeForm::Scalar { &[] } else { &[times] };
        let of_time = (roles.time.index, time.value(time_shape).map_err(refused)?);
        let mut of_class = None;
        if let Some(slot) = roles.class {
            let Some(classes) = query.condition.classes.as_deref().and_then(|all| all.get(part.items.clone())) else {
                return Err(no_classes());
            };
            class.copy_classes(classes);
            of_class = Some((slot.index, class.value(&[count]).map_err(refused)?));
        }
        let mut others: Vec<(usize, SessionInputValue<'_>)> = Vec::new();
        for ((slot, values), (name, info)) in roles.conditions.iter().zip(conditions).zip(&manifest.conditions) {
            let Some(slot) = slot else { continue };
            let shape: Vec<usize> = std::iter::once(count).chain(info.shape.iter().copied()).collect();
            values.make_room(shape.iter().product())?;
            others.push((slot.index, values.of_samples(told(name, info)?, &shape).map_err(refused)?));
        }
        if let Some(slot) = roles.direction {
            still.clear();
            resize(still, part.sample.len() - part.direction.len(), 0.0)?;
            direction.make_room(part.sample.len())?;
            let along = if still.is_empty() { part.direction } else { &still[..] };
            others.push((slot.index, direction.of_samples(along, shape).map_err(refused)?));
        }

        let slot = wanted.slot(roles);
        let read = |outputs: &SessionOutputs<'_>| -> ort::Result<Result<()>> {
            let (found, values) = values_of(outputs, slot, output)?;
            let name = &network.outputs()[slot.index].name;
            let said = expect(name, found, shape, doubled)
                .and_then(|()| said_of_each(name, length * doubled, length, values, &mut each));
            Ok(said.map_err(unfit))
        };
        // What most networks are told takes no allocation.
        match of_class {
            None if others.is_empty() => network.run(&in_order([of_sample, of_time]), stop, read),
            Some(of_class) if others.is_empty() => network.run(&in_order([of_sample, of_time, of_class]), stop, read),
            of_class => {
                others.extend([of_sample, of_time].into_iter().chain(of_class));
                others.sort_unstable_by_key(|(index, _)| *index);
                let inputs: Vec<SessionInputValue<'_>> = others.into_iter().map(|(_, value)| value).collect();
                network.run(&inputs, stop, read)
            }
        }?
        .map_err(refused)?
    }
}

/// Whether that is how ONNX Runtime says that there is no memory.
pub(super) fn is_of_memory(text: &str) -> bool {
    text.contains("bad_alloc") || text.contains("Failed to allocate memory")
}

/// The shape and the values of an output, which are put into `room` where they are not f32.
fn values_of<'a>(
    outputs: &'a SessionOutputs<'_>,
    wanted: Slot,
    room: &'a mut [f32],
) -> ort::Result<(&'a Shape, &'a [f32])> {
    Ok(match wanted.element {
        // Of another shape than expected it is refused for that, so that the room there is is enough.
        Element::F16 => {
            let (found, values) = outputs[wanted.index].try_extract_tensor::<f16>()?;
            let values = &values[..values.len().min(room.len())];
            let said = &mut room[..values.len()];
            values.convert_to_f32_slice(said);
            (found, said)
        }
        Element::Bf16 => {
            let (found, values) = outputs[wanted.index].try_extract_tensor::<bf16>()?;
            let values = &values[..values.len().min(room.len())];
            let said = &mut room[..values.len()];
            values.convert_to_f32_slice(said);
            (found, said)
        }
        _ => outputs[wanted.index].try_extract_tensor::<f32>()?,
    })
}

/// Why what a network says cannot be used.
enum Unfit<'a> {
    Shape(String),
    /// The output, the value, and the place of the item.
    Value(&'a str, f32, usize),
}

/// Whether an output has the shape of the samples, with the channels times `doubled`.
fn expect<'a>(name: &'a str, found: &Shape, shape: &[usize], doubled: usize) -> std::result::Result<(), Unfit<'a>> {
    let fits =
        found.len() == shape.len()
            && found.iter().zip(shape).enumerate().all(|(axis, (&found, &size))| {
                usize::try_from(found) == Ok(if axis == 1 { size * doubled } else { size })
            });
    if fits {
        return Ok(());
    }
    let twice = if doubled == 2 { " with twice the channels" } else { "" };
    Err(Unfit::Shape(format!("the output '{name}' has a shape of {found}, expected {shape:?}{twice}")))
}

/// Hands what is said of each item, `values` in parts of the length `of_item`, to `each`, if the first `checked` of it are finite.
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

/// The values in the order of the graph's inputs.
fn in_order<const N: usize>(mut by_index: [(usize, SessionInputValue<'_>); N]) -> [SessionInputValue<'_>; N] {
    by_index.sort_unstable_by_key(|(index, _)| *index);
    by_index.map(|(_, value)| value)
}

/// A buffer of the type that an input has.
#[derive(Debug)]
enum Values {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
    F64(Vec<f64>),
    I64(Vec<i64>),
    I32(Vec<i32>),
}

impl Values {
    fn new(element: Element) -> Self {
        match element {
            Element::F32 | Element::Other => Self::F32(Vec::new()),
            Element::F16 => Self::F16(Vec::new()),
            Element::Bf16 => Self::Bf16(Vec::new()),
            Element::F64 => Self::F64(Vec::new()),
            Element::I64 => Self::I64(Vec::new()),
            Element::I32 => Self::I32(Vec::new()),
        }
    }

    /// Room for samples of `length` values, where they are converted.
    fn make_room(&mut self, length: usize) -> Result<()> {
        match self {
            Self::F16(values) => make_room(values, length),
            Self::Bf16(values) => make_room(values, length),
            _ => Ok(()),
        }
    }

    /// `count` times `value`; the nearest whole number where the type has no fractions.
    fn fill(&mut self, value: f64, count: usize) {
        fn set<T: Clone>(values: &mut Vec<T>, value: T, count: usize) {
            values.clear();
            values.resize(count, value);
        }
        match self {
            Self::F32(values) => set(values, value as f32, count),
            Self::F16(values) => set(values, f16::from_f64(value), count),
            Self::Bf16(values) => set(values, bf16::from_f64(value), count),
            Self::F64(values) => set(values, value, count),
            Self::I64(values) => set(values, value.round() as i64, count),
            Self::I32(values) => set(values, value.round() as i32, count),
        }
    }

    fn copy_classes(&mut self, classes: &[i64]) {
        match self {
            Self::I32(values) => {
                values.clear();
                values.extend(classes.iter().map(|&class| class as i32));
            }
            Self::I64(values) => {
                values.clear();
                values.extend_from_slice(classes);
            }
            // `Roles::assign` lets no other type through.
            _ => {}
        }
    }

    /// Samples as the network takes them: `x` itself in f32, else converted here.
    fn of_samples<'a>(&'a mut self, x: &'a [f32], shape: &[usize]) -> ort::Result<SessionInputValue<'a>> {
        match self {
            Self::F16(values) => {
                values.resize(x.len(), f16::ZERO);
                values.convert_from_f32_slice(x);
                borrow(shape, values)
            }
            Self::Bf16(values) => {
                values.resize(x.len(), bf16::ZERO);
                values.convert_from_f32_slice(x);
                borrow(shape, values)
            }
            _ => borrow(shape, x),
        }
    }

    fn value(&self, shape: &[usize]) -> ort::Result<SessionInputValue<'_>> {
        match self {
            Self::F32(values) => borrow(shape, values),
            Self::F16(values) => borrow(shape, values),
            Self::Bf16(values) => borrow(shape, values),
            Self::F64(values) => borrow(shape, values),
            Self::I64(values) => borrow(shape, values),
            Self::I32(values) => borrow(shape, values),
        }
    }
}

fn borrow<'a, T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static>(
    shape: &[usize],
    values: &'a [T],
) -> ort::Result<SessionInputValue<'a>> {
    Ok(TensorRef::from_array_view((Shape::from(shape), values))?.into())
}
