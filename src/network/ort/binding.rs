//! A caller's hold on a network: its inputs, which stay until they are set again, and its evaluations.

use std::ops::Range;
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
use crate::network::signature::Element;
use crate::process::{Call, Own};
use crate::tensor::resize;

/// A caller's hold on a network. An input stays as it was set until it is set again, so that what does not change
/// within a run is handed over once. As long as the shapes stay, setting and evaluating allocate nothing but what ONNX
/// Runtime does.
pub(crate) struct Binding {
    network: Arc<Network>,
    inputs: Vec<Input>,
    /// What the network is evaluated on.
    values: Own<Vec<SessionInputValue<'static>>>,
    /// For each input, tensors that it had before.
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
    /// What those were made of that it had before.
    of_before: Vec<Option<Kept>>,
    /// Which of these makes room for the next.
    next: usize,
}

/// Some items of a tensor that is shared, and so does not change.
struct Kept {
    tensor: Arc<ArrayD<f32>>,
    items: Range<usize>,
}

impl Kept {
    fn is(&self, tensor: &Arc<ArrayD<f32>>, items: &Range<usize>) -> bool {
        Arc::ptr_eq(&self.tensor, tensor) && self.items == *items
    }
}

impl Binding {
    /// A hold on `network`, whose evaluations have these options of ONNX Runtime's, by their keys.
    ///
    /// # Errors
    /// [`Error::Runtime`] if ONNX Runtime has no such options; [`Error::Cancelled`] at the end of the process.
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

    /// What ends its evaluations from another thread.
    pub(crate) fn interrupt(&self) -> Arc<dyn Interrupt> {
        Arc::clone(&self.stop) as Arc<dyn Interrupt>
    }

    /// How many bytes its tensors take.
    pub(crate) fn bytes(&self) -> usize {
        let size = |value: &SessionInputValue<'_>| {
            let shape = value.dtype().tensor_shape().map_or(0, Shape::num_elements);
            shape * value.dtype().tensor_type().map_or(0, |element| element.byte_size(1).unwrap_or(0))
        };
        let all = self.values.iter().chain(self.before.iter().flatten());
        all.map(size).sum::<usize>() + size_of_val(&self.output[..])
    }

    /// Sets an input of a floating-point type to `values`.
    ///
    /// # Errors
    /// [`Error::Memory`] if there is no memory for them.
    pub(crate) fn set(&mut self, input: usize, shape: &[usize], values: &[f32]) -> Result<()> {
        match self.room(input, shape)? {
            Room::F32(room) => room.copy_from_slice(values),
            Room::F16(room) => room.convert_from_f32_slice(values),
            Room::Bf16(room) => room.convert_from_f32_slice(values),
            Room::F64(room) => room.iter_mut().zip(values).for_each(|(room, value)| *room = f64::from(*value)),
            Room::I64(room) => room.iter_mut().zip(values).for_each(|(room, value)| *room = value.round() as i64),
            Room::I32(room) => room.iter_mut().zip(values).for_each(|(room, value)| *room = value.round() as i32),
        }
        Ok(())
    }

    /// Sets an input to the `items` of `tensor`, batch first, unless it is that already. As many as `others` of the
    /// tensors that it had before are kept as well, so that what an input alternates between is copied once each.
    ///
    /// # Errors
    /// As [`set`](Self::set); [`Error::Argument`] if the tensor does not have these items.
    pub(crate) fn keep(
        &mut self,
        input: usize,
        tensor: &Arc<ArrayD<f32>>,
        items: Range<usize>,
        others: usize,
    ) -> Result<()> {
        let is = |kept: &Option<Kept>| kept.as_ref().is_some_and(|kept| kept.is(tensor, &items));
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
        let mut shape = tensor.shape().to_vec();
        let length = shape[1..].iter().product::<usize>();
        shape[0] = items.len();
        let values = tensor.as_slice().and_then(|all| all.get(items.start * length..items.end * length));
        let Some(values) = values else {
            return Err(Error::argument("condition", "it does not have the items that are asked for"));
        };
        self.set(input, &shape, values)?;
        self.inputs[input].of = Some(Kept { tensor: Arc::clone(tensor), items });
        Ok(())
    }

    /// Sets every value of an input to `value`, to the nearest whole number where its type has no fractions.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub(crate) fn fill(&mut self, input: usize, shape: &[usize], value: f64) -> Result<()> {
        match self.room(input, shape)? {
            Room::F32(room) => room.fill(value as f32),
            Room::F16(room) => room.fill(f16::from_f64(value)),
            Room::Bf16(room) => room.fill(bf16::from_f64(value)),
            Room::F64(room) => room.fill(value),
            Room::I64(room) => room.fill(value.round() as i64),
            Room::I32(room) => room.fill(value.round() as i32),
        }
        Ok(())
    }

    /// Sets an input with one axis to whole numbers.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub(crate) fn count(&mut self, input: usize, values: &[i64]) -> Result<()> {
        match self.room(input, &[values.len()])? {
            Room::F32(room) => room.iter_mut().zip(values).for_each(|(room, value)| *room = *value as f32),
            Room::F16(room) => {
                room.iter_mut().zip(values).for_each(|(room, value)| *room = f16::from_f64(*value as f64))
            }
            Room::Bf16(room) => {
                room.iter_mut().zip(values).for_each(|(room, value)| *room = bf16::from_f64(*value as f64));
            }
            Room::F64(room) => room.iter_mut().zip(values).for_each(|(room, value)| *room = *value as f64),
            Room::I64(room) => room.copy_from_slice(values),
            Room::I32(room) => room.iter_mut().zip(values).for_each(|(room, value)| *room = *value as i32),
        }
        Ok(())
    }

    /// The values of an input, which has this shape from now on.
    fn room(&mut self, input: usize, shape: &[usize]) -> Result<Room<'_>> {
        // What it had is freed here.
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

    /// Evaluates the network once, and hands an output of it, its shape and its values, to `read`. Of one that is not
    /// in f32 the first `length` values are read. `step` and `items` are for messages.
    ///
    /// # Errors
    /// [`Error::Cancelled`] once it was interrupted; [`Error::Memory`]; [`Error::Evaluation`] with what ONNX Runtime
    /// says; what `read` returns.
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

/// An output that is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// Its place among those of the graph.
    pub(crate) index: usize,
    /// Its type.
    pub(crate) element: Element,
    /// How many values it is expected to have.
    pub(crate) length: usize,
}

/// The values of a tensor.
enum Room<'a> {
    F32(&'a mut [f32]),
    F16(&'a mut [f16]),
    Bf16(&'a mut [bf16]),
    F64(&'a mut [f64]),
    I64(&'a mut [i64]),
    I32(&'a mut [i32]),
}

fn room_of(value: &mut DynValue, element: Element) -> ort::Result<Room<'_>> {
    Ok(match element {
        Element::F32 | Element::Other => Room::F32(value.try_extract_tensor_mut()?.1),
        Element::F16 => Room::F16(value.try_extract_tensor_mut()?.1),
        Element::Bf16 => Room::Bf16(value.try_extract_tensor_mut()?.1),
        Element::F64 => Room::F64(value.try_extract_tensor_mut()?.1),
        Element::I64 => Room::I64(value.try_extract_tensor_mut()?.1),
        Element::I32 => Room::I32(value.try_extract_tensor_mut()?.1),
    })
}

/// A tensor of zeros.
fn tensor_of(element: Element, shape: &[usize]) -> Result<SessionInputValue<'static>> {
    fn zeros<T: PrimitiveTensorElementType + Clone + Default + std::fmt::Debug + 'static>(
        shape: &[usize],
    ) -> Result<SessionInputValue<'static>> {
        let mut values = Vec::new();
        resize(&mut values, shape.iter().product(), T::default())?;
        let tensor = Tensor::from_array((shape, values)).map_err(|error| Error::runtime(error.message()))?;
        Ok(SessionInputValue::Owned(tensor.into_dyn()))
    }
    let _call = Call::begin()?;
    match element {
        Element::F32 | Element::Other => zeros::<f32>(shape),
        Element::F16 => zeros::<f16>(shape),
        Element::Bf16 => zeros::<bf16>(shape),
        Element::F64 => zeros::<f64>(shape),
        Element::I64 => zeros::<i64>(shape),
        Element::I32 => zeros::<i32>(shape),
    }
}

/// The shape and the values of an output, which are put into `room` where they are not f32.
fn values_of<'a>(
    outputs: &'a SessionOutputs<'_>,
    wanted: Output,
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
