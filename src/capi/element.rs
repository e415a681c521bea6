//! The element types of a host's conditions.

use std::ffi::c_void;

use half::{bf16, f16};
use ndarray::ArrayD;

use super::buffers::slice;
use crate::error::{Error, Result};
use crate::tensor::{Tensor, make_room};

/// Element type of an array: 32-bit floats.
pub const DIFFUSE_ELEMENT_F32: i32 = 0;
/// Element type: 16-bit floats (IEEE 754 half precision).
pub const DIFFUSE_ELEMENT_F16: i32 = 1;
/// Element type: 16-bit floats with the exponent of 32 bits (bfloat16).
pub const DIFFUSE_ELEMENT_BF16: i32 = 2;
/// Element type: 64-bit floats.
pub const DIFFUSE_ELEMENT_F64: i32 = 3;
/// Element type: signed 64-bit integers.
pub const DIFFUSE_ELEMENT_I64: i32 = 4;
/// Element type: signed 32-bit integers.
pub const DIFFUSE_ELEMENT_I32: i32 = 5;
/// Element type: signed 16-bit integers.
pub const DIFFUSE_ELEMENT_I16: i32 = 6;
/// Element type: signed 8-bit integers.
pub const DIFFUSE_ELEMENT_I8: i32 = 7;
/// Element type: unsigned 64-bit integers.
pub const DIFFUSE_ELEMENT_U64: i32 = 8;
/// Element type: unsigned 32-bit integers.
pub const DIFFUSE_ELEMENT_U32: i32 = 9;
/// Element type: unsigned 16-bit integers.
pub const DIFFUSE_ELEMENT_U16: i32 = 10;
/// Element type: unsigned 8-bit integers.
pub const DIFFUSE_ELEMENT_U8: i32 = 11;
/// Element type: truth values of one byte each, 0 or 1.
pub const DIFFUSE_ELEMENT_BOOL: i32 = 12;

/// Copies a host's array into a tensor.
///
/// # Errors
/// [`Error::Argument`] if there is no such type, if no memory holds the shape, or if a tensor cannot hold a value.
///
/// # Safety
/// `values` points to as many values of the type `element` as the axes state. Nobody changes them during the call.
pub(super) unsafe fn tensor_of(element: i32, values: *const c_void, axes: &[usize]) -> Result<Tensor> {
    let refuse = |reason: &str| Err(Error::argument("axes", format!("{axes:?} {reason}")));
    if axes.contains(&0) {
        return refuse("is no shape of a tensor; every axis is at least 1");
    }
    let Some(length) = axes.iter().try_fold(1usize, |length, axis| length.checked_mul(*axis)) else {
        return refuse("are more values than any memory holds");
    };
    /// # Safety
    /// As [`slice`].
    unsafe fn read<T: Copy, U>(
        values: *const c_void,
        length: usize,
        axes: &[usize],
        convert: impl Fn(T) -> Result<U>,
    ) -> Result<ArrayD<U>> {
        // SAFETY: passed on.
        let given = unsafe { slice(values.cast::<T>(), length, "values") }?;
        let mut own = Vec::new();
        make_room(&mut own, length)?;
        given.iter().try_for_each(|value| convert(*value).map(|value| own.push(value)))?;
        ArrayD::from_shape_vec(axes, own).map_err(|error| Error::argument("axes", error.to_string()))
    }
    macro_rules! read {
        ($variant:ident, $convert:expr) => {
            // SAFETY: passed on.
            unsafe { read(values, length, axes, $convert) }.map(Tensor::$variant)
        };
    }
    let beyond = |value: u64| Error::argument("values", format!("{value} is more than an integer of 63 bits"));
    match element {
        DIFFUSE_ELEMENT_F32 => read!(F32, |value: f32| Ok(value)),
        DIFFUSE_ELEMENT_F16 => read!(F32, |bits: u16| Ok(f16::from_bits(bits).to_f32())),
        DIFFUSE_ELEMENT_BF16 => read!(F32, |bits: u16| Ok(bf16::from_bits(bits).to_f32())),
        DIFFUSE_ELEMENT_F64 => read!(F64, |value: f64| Ok(value)),
        DIFFUSE_ELEMENT_I64 => read!(I64, |value: i64| Ok(value)),
        DIFFUSE_ELEMENT_I32 => read!(I64, |value: i32| Ok(i64::from(value))),
        DIFFUSE_ELEMENT_I16 => read!(I64, |value: i16| Ok(i64::from(value))),
        DIFFUSE_ELEMENT_I8 => read!(I64, |value: i8| Ok(i64::from(value))),
        DIFFUSE_ELEMENT_U64 => read!(I64, |value: u64| i64::try_from(value).map_err(|_| beyond(value))),
        DIFFUSE_ELEMENT_U32 => read!(I64, |value: u32| Ok(i64::from(value))),
        DIFFUSE_ELEMENT_U16 => read!(I64, |value: u16| Ok(i64::from(value))),
        DIFFUSE_ELEMENT_U8 => read!(I64, |value: u8| Ok(i64::from(value))),
        DIFFUSE_ELEMENT_BOOL => read!(I64, |value: u8| match value {
            0 | 1 => Ok(i64::from(value)),
            _ => Err(Error::argument("values", format!("{value} is no truth value; these are 0 and 1"))),
        }),
        _ => Err(Error::argument("element", format!("{element}; it is one of the DIFFUSE_ELEMENT_ numbers"))),
    }
}

/// Returns the type of a tensor's values, and their address.
pub(super) fn values_of(tensor: &Tensor) -> (i32, *const c_void) {
    match tensor {
        Tensor::F32(array) => (DIFFUSE_ELEMENT_F32, array.as_ptr().cast()),
        Tensor::F64(array) => (DIFFUSE_ELEMENT_F64, array.as_ptr().cast()),
        Tensor::I64(array) => (DIFFUSE_ELEMENT_I64, array.as_ptr().cast()),
    }
}
