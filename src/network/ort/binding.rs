//! A caller's inputs and evaluations of a network. An input stays set until it is set again.

use std::sync::Arc;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use ndarray::ArrayD;
use ort::session::{SessionInputValue, SessionOutputs};
use ort::value::{DynValue, PrimitiveTensorElementType, Shape, Tensor};

use super::network::{Network, is_of_memory};
use super::stop::Stop;
use crate::cancel::Interrupt;
use crate::error::{Error, Result};
use crate::process::{Call, Own};
use crate::signature::Element;
use crate::tensor::{Tensor as Given, resize};

/// A caller's binding to a network. An input stays set until it is set again, so what does not change within a run is
/// copied once. As long as the shapes stay the same, setting inputs and evaluating allocate nothing but what ONNX
/// Runtime does.
pub(crate) struct Binding {
    network: Arc<Network>,
    inputs: Vec<Input>,
    /// The inputs of the evaluation.
    values: Own<Vec<SessionInputValue<'static>>>,
    /// Earlier tensors of each input.
    before: Own<Vec<Vec<SessionInputValue<'static>>>>,
    /// An output in f32, where it is of another type.
    output: Vec<f32>,
    stop: Arc<Stop>,
}

/// An input of the graph.
struct Input {
    element: Element,
    set: bool,
    /// What its tensor was made of, as far as that was kept.
    of: Option<Kept>,
    /// What its earlier tensors were made of.
    of_before: Vec<Option<Kept>>,
    /// The earlier tensor that is replaced next.
    next: usize,
}

/// The items of a batch that are copied, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// This many items from the first on.
    Run(usize, usize),
    /// These two items.
    Pair([usize; 2]),
}

impl Rows {
    /// The number of items.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Run(_, count) => count,
            Self::Pair(_) => 2,
        }
    }

    /// The item at `place` among them.
    pub(crate) fn item(self, place: usize) -> usize {
        match self {
            Self::Run(first, _) => first + place,
            Self::Pair(items) => items[place],
        }
    }

    /// The items.
    pub(crate) fn items(self) -> impl Iterator<Item = usize> + Clone {
        (0..self.len()).map(move |place| self.item(place))
    }

    /// The least number of items of a batch that has these.
    pub(crate) fn end(self) -> usize {
        match self {
            Self::Run(first, count) => first + count,
            Self::Pair([one, other]) => 1 + one.max(other),
        }
    }
}

/// The part of a tensor that is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// All of it, as it is.
    Whole,
    /// These items of a tensor whose first axis is that of the items. In the copy that axis has this place. `None` for
    /// one item without the axis.
    Items(Rows, Option<usize>),
}

/// A part of a shared tensor, which does not change.
struct Kept {
    tensor: Arc<Given>,
    share: Share,
}

impl Kept {
    fn is(&self, tensor: &Arc<Given>, share: Share) -> bool {
        Arc::ptr_eq(&self.tensor, tensor) && self.share == share
    }
}

impl Binding {
    /// Binds `network`, with these options of ONNX Runtime for its evaluations, by their keys.
    ///
    /// # Errors
    /// [`Error::Runtime`] if ONNX Runtime has no such options. [`Error::Cancelled`] at the end of the process.
    pub(crate) fn new(network: &Arc<Network>, options: &[(&str, &str)]) -> Result<Self> {
        let stop = Stop::new(network.session(), options)?;
        let inputs = network.signature().inputs.iter();
        let inputs: Vec<_> = inputs
            .map(|info| Input { element: info.element, set: false, of: None, of_before: Vec::new(), next: 0 })
            .collect();
        let values: Result<Vec<_>> = inputs.iter().map(|input| tensor_of(input.element, &[1])).collect();
        let before = Own::native(inputs.iter().map(|_| Vec::new()).collect());
        let values = Own::native(values?);
        Ok(Self { network: Arc::clone(network), inputs, values, before, output: Vec::new(), stop })
    }

    /// The network.
    pub(crate) fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// The handle that ends its evaluations from another thread.
    pub(crate) fn interrupt(&self) -> Arc<dyn Interrupt> {
        Arc::clone(&self.stop) as Arc<dyn Interrupt>
    }

    /// The number of bytes of its tensors.
    pub(crate) fn bytes(&self) -> usize {
        let size = |value: &SessionInputValue<'_>| {
            let shape = value.dtype().tensor_shape().map_or(0, Shape::num_elements);
            shape * value.dtype().tensor_type().map_or(0, |element| element.byte_size(1).unwrap_or(0))
        };
        let all = self.values.iter().chain(self.before.iter().flatten());
        all.map(size).sum::<usize>() + size_of_val(&self.output[..])
    }

    /// Sets an input to `values`, rounded to whole numbers where its type has no fractions.
    ///
    /// # Errors
    /// [`Error::Memory`] if there is no memory for them.
    pub(crate) fn set(&mut self, input: usize, shape: &[usize], values: &[f32]) -> Result<()> {
        match self.room(input, shape)? {
            // This converts many values at a time.
            Room::F16(room) => room.convert_from_f32_slice(values),
            Room::Bf16(room) => room.convert_from_f32_slice(values),
            mut room => room.write(0, values),
        }
        Ok(())
    }

    /// Sets an input to a part of `tensor`, unless it is that already. As many as `others` of its earlier tensors are
    /// kept as well. So what an input alternates between is copied once each.
    ///
    /// # Errors
    /// As [`set`](Self::set). [`Error::Argument`] if the tensor does not have these items.
    pub(crate) fn keep(&mut self, input: usize, tensor: &Arc<Given>, share: Share, others: usize) -> Result<()> {
        let is = |kept: &Option<Kept>| kept.as_ref().is_some_and(|kept| kept.is(tensor, share));
        let Input { element, of, of_before, next, .. } = &mut self.inputs[input];
        if is(of) {
            return Ok(());
        }
        let before = &mut self.before[input];
        let place = match of_before.iter().position(is) {
            // There is nothing to keep.
            None if of.is_none() || others == 0 => None,
            None if before.len() < others => {
                before.push(tensor_of(*element, &[1])?);
                of_before.push(None);
                Some(before.len() - 1)
            }
            None => {
                *next = (*next + 1) % before.len();
                Some(*next)
            }
            known => known,
        };
        if let Some(place) = place {
            std::mem::swap(&mut self.values[input], &mut before[place]);
            std::mem::swap(of, &mut of_before[place]);
        }
        if is(of) {
            return Ok(());
        }
        self.copy(input, tensor, share)?;
        self.inputs[input].of = Some(Kept { tensor: Arc::clone(tensor), share });
        Ok(())
    }

    /// Copies a part of `tensor` into an input.
    fn copy(&mut self, input: usize, tensor: &Given, share: Share) -> Result<()> {
        let mut shape = tensor.shape().to_vec();
        let (rows, outer) = match share {
            Share::Whole => (Rows::Run(0, 1), 1),
            Share::Items(rows, place) => {
                shape.remove(0);
                let outer = shape.iter().take(place.unwrap_or(0)).product();
                if let Some(place) = place {
                    shape.insert(place, rows.len());
                }
                (rows, outer)
            }
        };
        let length = shape.iter().product::<usize>() / rows.len();
        let has = tensor.is_standard() && tensor.len() >= rows.end() * length && (outer * rows.len()) > 0;
        if !has {
            return Err(Error::argument("condition", "it has fewer items than are evaluated"));
        }
        let mut room = self.room(input, &shape)?;
        // The axis of the items may be behind others.
        let inner = length / outer;
        for (place, item) in rows.items().enumerate() {
            for part in 0..outer {
                let (to, from) = ((part * rows.len() + place) * inner, item * length + part * inner);
                match tensor {
                    Given::F32(array) => room.write(to, &array.as_slice().unwrap_or_default()[from..from + inner]),
                    Given::F64(array) => room.write(to, &array.as_slice().unwrap_or_default()[from..from + inner]),
                    Given::I64(array) => room.write(to, &array.as_slice().unwrap_or_default()[from..from + inner]),
                }
            }
        }
        Ok(())
    }

    /// Sets every value of an input to `value`, rounded to a whole number where its type has no fractions.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub(crate) fn fill(&mut self, input: usize, shape: &[usize], value: f64) -> Result<()> {
        self.room(input, shape)?.fill(value);
        Ok(())
    }

    /// Sets an input to whole numbers.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub(crate) fn count(&mut self, input: usize, shape: &[usize], values: impl Iterator<Item = i64>) -> Result<()> {
        let mut room = self.room(input, shape)?;
        values.enumerate().for_each(|(place, value)| room.write(place, &[value]));
        Ok(())
    }

    /// Sets an input to ones among zeros. There are as many rows of `width` as places, and each row has a one at its
    /// place. A place beyond the row gives a row of zeros.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub(crate) fn mark(
        &mut self,
        input: usize,
        shape: &[usize],
        width: usize,
        places: impl Iterator<Item = i64>,
    ) -> Result<()> {
        let mut room = self.room(input, shape)?;
        room.fill(0.0);
        for (row, place) in places.enumerate() {
            if let Some(place) = usize::try_from(place).ok().filter(|place| *place < width) {
                room.write(row * width + place, &[1i64]);
            }
        }
        Ok(())
    }

    /// The values of an input, which has this shape from now on.
    fn room(&mut self, input: usize, shape: &[usize]) -> Result<Room<'_>> {
        // The earlier values are freed here.
        let _call = Call::begin()?;
        let Input { element, set, of, .. } = &mut self.inputs[input];
        *of = None;
        let value = &mut self.values[input];
        let has = value.dtype().tensor_shape().is_some_and(|has| {
            has.len() == shape.len() && has.iter().zip(shape).all(|(has, size)| usize::try_from(*has) == Ok(*size))
        });
        if !has {
            *value = tensor_of(*element, shape)?;
        }
        *set = true;
        let SessionInputValue::Owned(value) = value else {
            return Err(Error::runtime("an input is not the caller's own"));
        };
        room_of(value, *element).map_err(|error| Error::runtime(error.message()))
    }

    /// Evaluates the network once, and passes the shape and the values of one output to `read`. Of an output that is
    /// not f32 the first `length` values are read. `step` and `items` are for messages.
    ///
    /// # Errors
    /// [`Error::Cancelled`] once it was interrupted. [`Error::Memory`]. [`Error::Evaluation`] with ONNX Runtime's
    /// message. Also what `read` returns.
    pub(crate) fn evaluate<T>(
        &mut self,
        output: Output,
        (step, items): (usize, usize),
        read: impl FnOnce(&[i64], &[f32]) -> Result<T>,
    ) -> Result<T> {
        let Self { network, inputs, values, output: room, stop, .. } = self;
        if let Some(missing) = inputs.iter().position(|input| !input.set) {
            let name = &network.signature().inputs[missing].name;
            return Err(Error::Evaluation { step, reason: format!("the input '{name}' was never set") });
        }
        let _call = Call::begin()?;
        if output.element != Element::F32 {
            resize(room, output.length, 0.0)?;
        }
        let read = |outputs: &SessionOutputs<'_>| -> ort::Result<Result<T>> {
            let (shape, values) = values_of(outputs, output, room)?;
            Ok(read(shape, values))
        };
        let result = network.run(&values[..], stop, read)?;
        result.unwrap_or_else(|error| match error.message() {
            // It was ended before the next node.
            _ if stop.is_stopped() => Err(Error::Cancelled),
            text if is_of_memory(text) => {
                Err(Error::memory(format!("an evaluation of {items} items: ONNX Runtime: {text}")))
            }
            text => Err(Error::Evaluation { step, reason: format!("ONNX Runtime: {text}") }),
        })
    }
}

impl Binding {
    /// Evaluates the network once, and returns these of its outputs, each as f32 in its shape. `what` is for messages.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate). [`Error::Model`] if the graph fails, or if an output holds no numbers.
    pub(crate) fn outputs(&mut self, wanted: &[usize], what: &str) -> Result<Vec<ArrayD<f32>>> {
        let Self { network, inputs, values, stop, .. } = self;
        let failed = |reason: String| Error::model(network.name(), format!("{what}: {reason}"));
        if let Some(missing) = inputs.iter().position(|input| !input.set) {
            return Err(failed(format!("nothing is known for its input {}", network.signature().inputs[missing])));
        }
        let _call = Call::begin()?;
        let read = |outputs: &SessionOutputs<'_>| wanted.iter().map(|index| singles(outputs, *index)).collect();
        let result: ort::Result<Vec<ArrayD<f32>>> = network.run(&values[..], stop, read)?;
        result.map_err(|error| match error.message() {
            _ if stop.is_stopped() => Error::Cancelled,
            text if is_of_memory(text) => Error::memory(format!("{what}: ONNX Runtime: {text}")),
            text => failed(format!("ONNX Runtime: {text}")),
        })
    }
}

/// An output in f32, in its shape.
fn singles(outputs: &SessionOutputs<'_>, index: usize) -> ort::Result<ArrayD<f32>> {
    let output = &outputs[index];
    let (shape, values) = match output.dtype().tensor_type() {
        Some(ort::value::TensorElementType::Float16) => {
            let (shape, values) = output.try_extract_tensor::<f16>()?;
            (shape, values.to_f32_vec())
        }
        Some(ort::value::TensorElementType::Bfloat16) => {
            let (shape, values) = output.try_extract_tensor::<bf16>()?;
            (shape, values.to_f32_vec())
        }
        Some(ort::value::TensorElementType::Float64) => {
            let (shape, values) = output.try_extract_tensor::<f64>()?;
            (shape, values.iter().map(|value| *value as f32).collect())
        }
        _ => {
            let (shape, values) = output.try_extract_tensor::<f32>()?;
            (shape, values.to_vec())
        }
    };
    let axes: Vec<usize> = shape.iter().map(|axis| usize::try_from(*axis).unwrap_or(0)).collect();
    ArrayD::from_shape_vec(axes, values).map_err(|error| ort::Error::new(error.to_string()))
}

/// An output to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// Its place among the outputs of the graph.
    pub(crate) index: usize,
    /// Its type.
    pub(crate) element: Element,
    /// The expected number of values.
    pub(crate) length: usize,
}

/// A number that an input is set to.
trait Number: Copy {
    fn real(self) -> f64;
    fn single(self) -> f32;
    fn whole(self) -> i64;
}

impl Number for f32 {
    fn real(self) -> f64 {
        f64::from(self)
    }

    fn single(self) -> f32 {
        self
    }

    fn whole(self) -> i64 {
        self.round() as i64
    }
}

impl Number for f64 {
    fn real(self) -> f64 {
        self
    }

    fn single(self) -> f32 {
        self as f32
    }

    fn whole(self) -> i64 {
        self.round() as i64
    }
}

impl Number for i64 {
    fn real(self) -> f64 {
        self as f64
    }

    fn single(self) -> f32 {
        self as f32
    }

    fn whole(self) -> i64 {
        self
    }
}

/// A type that differs with the type of the elements.
macro_rules! of_elements {
    ($($variant:ident: $element:ty = $value:ident => $from:expr),+ $(,)?) => {
        /// The values of a tensor.
        enum Room<'a> {
            $($variant(&'a mut [$element]),)+
        }

        impl Room<'_> {
            /// Writes `values` from the place `at` on.
            fn write<T: Number>(&mut self, at: usize, values: &[T]) {
                match self {
                    $(Self::$variant(room) => {
                        let room = &mut room[at..at + values.len()];
                        room.iter_mut().zip(values).for_each(|(room, $value)| *room = $from);
                    })+
                }
            }

            /// Sets all values to `value`.
            fn fill(&mut self, value: f64) {
                match self {
                    $(Self::$variant(room) => {
                        let $value = &value;
                        room.fill($from);
                    })+
                }
            }
        }

        fn room_of(value: &mut DynValue, element: Element) -> ort::Result<Room<'_>> {
            Ok(match element {
                $(Element::$variant => Room::$variant(value.try_extract_tensor_mut()?.1),)+
                Element::Other => Room::F32(value.try_extract_tensor_mut()?.1),
            })
        }

        /// A tensor of zeros.
        fn tensor_of(element: Element, shape: &[usize]) -> Result<SessionInputValue<'static>> {
            let _call = Call::begin()?;
            match element {
                $(Element::$variant => zeros::<$element>(shape),)+
                Element::Other => zeros::<f32>(shape),
            }
        }
    };
}

of_elements! {
    F32: f32 = value => value.single(),
    F16: f16 = value => f16::from_f64(value.real()),
    Bf16: bf16 = value => bf16::from_f64(value.real()),
    F64: f64 = value => value.real(),
    I64: i64 = value => value.whole(),
    I32: i32 = value => value.whole() as i32,
    I16: i16 = value => value.whole() as i16,
    I8: i8 = value => value.whole() as i8,
    U64: u64 = value => value.whole() as u64,
    U32: u32 = value => value.whole() as u32,
    U16: u16 = value => value.whole() as u16,
    U8: u8 = value => value.whole() as u8,
    Bool: bool = value => value.whole() != 0,
}

fn zeros<T: PrimitiveTensorElementType + Clone + Default + std::fmt::Debug + 'static>(
    shape: &[usize],
) -> Result<SessionInputValue<'static>> {
    let mut values = Vec::new();
    resize(&mut values, shape.iter().product(), T::default())?;
    let tensor = Tensor::from_array((shape, values)).map_err(|error| Error::runtime(error.message()))?;
    Ok(SessionInputValue::Owned(tensor.into_dyn()))
}

/// The shape and the values of an output. They are converted into `room` where they are not f32.
fn values_of<'a>(
    outputs: &'a SessionOutputs<'_>,
    wanted: Output,
    room: &'a mut [f32],
) -> ort::Result<(&'a Shape, &'a [f32])> {
    Ok(match wanted.element {
        // An unexpected shape is refused later, so the room that there is is enough.
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
        Element::F64 => {
            let (found, values) = outputs[wanted.index].try_extract_tensor::<f64>()?;
            let values = &values[..values.len().min(room.len())];
            let said = &mut room[..values.len()];
            said.iter_mut().zip(values).for_each(|(said, value)| *said = *value as f32);
            (found, said)
        }
        _ => outputs[wanted.index].try_extract_tensor::<f32>()?,
    })
}
