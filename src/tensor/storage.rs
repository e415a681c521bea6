//! Allocation of tensors, where too little memory is an error.

use ndarray::{ArrayD, ArrayViewD};

use crate::error::{Error, Result};

/// Makes `values` `length` long, with `value` in new places. The system may have no memory for a tensor. That is an
/// error here, and does not end the process.
pub(crate) fn resize<T: Clone>(values: &mut Vec<T>, length: usize, value: T) -> Result<()> {
    make_room(values, length)?;
    values.resize(length, value);
    Ok(())
}

/// Makes room in `values` for `length` values, so that no later allocation is needed.
pub(crate) fn make_room<T>(values: &mut Vec<T>, length: usize) -> Result<()> {
    values.try_reserve_exact(length.saturating_sub(values.len())).map_err(|_| {
        Error::memory(format!("{length} values of a tensor, {} bytes", length.saturating_mul(size_of::<T>())))
    })
}

/// A copy of `values`.
pub(crate) fn copied<T: Copy>(values: &[T]) -> Result<Vec<T>> {
    let mut copy = Vec::new();
    make_room(&mut copy, values.len())?;
    copy.extend_from_slice(values);
    Ok(copy)
}

/// A tensor of zeros.
pub(crate) fn zeros(shape: &[usize]) -> Result<ArrayD<f32>> {
    let mut values = Vec::new();
    resize(&mut values, shape.iter().product(), 0.0)?;
    of(shape, values)
}

/// A copy of a tensor, in standard order.
pub(crate) fn copy(tensor: &ArrayViewD<'_, f32>) -> Result<ArrayD<f32>> {
    let mut values = Vec::new();
    make_room(&mut values, tensor.len())?;
    match tensor.as_slice() {
        Some(slice) => values.extend_from_slice(slice),
        None => values.extend(tensor.iter()),
    }
    of(tensor.shape(), values)
}

fn of(shape: &[usize], values: Vec<f32>) -> Result<ArrayD<f32>> {
    ArrayD::from_shape_vec(shape, values).map_err(|error| Error::argument("shape", error.to_string()))
}
