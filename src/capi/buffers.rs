//! Reads what hosts pass in, and writes what they get back: strings, numbers, arrays and structs.

use std::ffi::{CStr, CString, c_char};

use ndarray::ArrayViewD;

use crate::error::{Error, Result};

/// Returns `values` in `shape`, unless they are more or fewer. An array's own view takes more of them, and ignores the
/// rest.
pub(super) fn exactly<'a>(values: &'a [f32], shape: &[usize]) -> Option<ArrayViewD<'a, f32>> {
    ArrayViewD::from_shape(shape, values).ok().filter(|array| array.len() == values.len())
}

/// Converts `text` to a C string. A zero byte within it ends it.
pub(super) fn c_string(text: &str) -> CString {
    let until_zero = text.split('\0').next().unwrap_or_default();
    CString::new(until_zero).unwrap_or_default()
}

/// Writes as much of `text` as `room` holds, with a zero at the end. It cuts no character in two.
pub(super) fn copy_string(text: &CStr, room: &mut [u8]) {
    let Some(most) = room.len().checked_sub(1) else { return };
    let text = text.to_str().unwrap_or_default();
    let end = (0..=most.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    room[..end].copy_from_slice(&text.as_bytes()[..end]);
    room[end] = 0;
}

/// Returns the UTF-8 string at `pointer`, which must not be NULL.
///
/// # Safety
/// `pointer` is NULL or a zero-terminated string that outlives the call, as the header demands.
pub(super) unsafe fn string<'a>(pointer: *const c_char, argument: &'static str) -> Result<&'a str> {
    // SAFETY: passed on.
    unsafe { optional_string(pointer, argument) }?.ok_or_else(|| null(argument))
}

/// Returns the UTF-8 string at `pointer`, or `None` if it is NULL.
///
/// # Safety
/// As [`string`].
pub(super) unsafe fn optional_string<'a>(pointer: *const c_char, argument: &'static str) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, so a zero-terminated string by the caller's promise.
    let bytes = unsafe { CStr::from_ptr(pointer) };
    bytes.to_str().map(Some).map_err(|error| Error::argument(argument, format!("the string is not UTF-8: {error}")))
}

/// Returns the `length` values at `pointer`.
///
/// # Safety
/// `pointer` is NULL or points to `length` values that nobody changes during the call.
pub(super) unsafe fn slice<'a, T>(pointer: *const T, length: usize, argument: &'static str) -> Result<&'a [T]> {
    check(pointer, length, argument)?;
    if length == 0 {
        return Ok(&[]);
    }
    // SAFETY: checked for NULL, alignment and size; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(pointer, length) })
}

/// Returns the `length` values at `pointer`, for writing.
///
/// # Safety
/// `pointer` is NULL or points to `length` initialised values that nobody else uses during the call.
pub(super) unsafe fn slice_mut<'a, T>(pointer: *mut T, length: usize, argument: &'static str) -> Result<&'a mut [T]> {
    check(pointer, length, argument)?;
    if length == 0 {
        return Ok(&mut []);
    }
    // SAFETY: checked for NULL, alignment and size; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, length) })
}

fn check<T>(pointer: *const T, length: usize, argument: &'static str) -> Result<()> {
    if length > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Error::argument(argument, format!("a length of {length} is more than any memory holds")));
    }
    if pointer.is_null() && length > 0 {
        return Err(null(argument));
    }
    if !pointer.is_aligned() {
        return Err(Error::argument(argument, format!("the pointer is not aligned to {} bytes", align_of::<T>())));
    }
    Ok(())
}

/// Writes `value` to `pointer`.
///
/// # Safety
/// `pointer` is NULL or may be written to.
pub(super) unsafe fn store<T>(pointer: *mut T, value: T, argument: &'static str) -> Result<()> {
    check(pointer, 1, argument)?;
    // SAFETY: checked for NULL and alignment; writable by the caller's promise.
    unsafe { pointer.write(value) };
    Ok(())
}

/// Writes `value` to `pointer`, unless that is NULL.
///
/// # Safety
/// As [`store`].
pub(super) unsafe fn store_if_wanted<T>(pointer: *mut T, value: T, argument: &'static str) -> Result<()> {
    // SAFETY: passed on.
    if pointer.is_null() { Ok(()) } else { unsafe { store(pointer, value, argument) } }
}

/// Returns the size that a host's struct states at its start. It must be at least `first`, the size that the first
/// hosts knew.
///
/// # Safety
/// `pointer` is NULL or points to a struct that begins with a `u32`.
pub(super) unsafe fn struct_size<T>(pointer: *const T, first: usize, argument: &'static str) -> Result<usize> {
    check(pointer, 1, argument)?;
    // SAFETY: checked for NULL and alignment; the rest is the caller's promise.
    let size = unsafe { pointer.cast::<u32>().read() } as usize;
    if size < first {
        let reason = format!("its struct_size is {size}; set it to the size of the struct, {first} or more");
        return Err(Error::argument(argument, reason));
    }
    Ok(size)
}

/// Writes as much of `value` as a host's struct of `room` bytes holds.
///
/// # Safety
/// `pointer` may be written to for `room` bytes, as [`struct_size`] has found.
pub(super) unsafe fn store_part<T: Copy>(pointer: *mut T, value: &T, room: usize) {
    let bytes = std::ptr::from_ref(value).cast::<u8>();
    // SAFETY: no more than the value has, and no more than there is place for.
    unsafe { bytes.copy_to_nonoverlapping(pointer.cast(), room.min(size_of::<T>())) };
}

pub(super) fn null(argument: &'static str) -> Error {
    Error::argument(argument, "is NULL")
}

/// Returns the axes of a host's shape.
///
/// # Safety
/// As [`slice`].
pub(super) unsafe fn shape<'a>(axes: *const usize, rank: usize) -> Result<&'a [usize]> {
    /// No tensor has more axes. A larger number is no rank, and the host's array does not have that many values to
    /// read.
    const MOST_AXES: usize = 64;
    if rank > MOST_AXES {
        return Err(Error::argument("rank", format!("{rank}; a shape has at most {MOST_AXES} axes")));
    }
    // SAFETY: passed on.
    unsafe { slice(axes, rank, "axes") }
}

/// Writes a shape and its rank to a host's variables.
///
/// # Safety
/// `axes` has room for `capacity` values, and `rank` may be written to.
pub(super) unsafe fn store_shape(shape: &[usize], axes: *mut usize, capacity: usize, rank: *mut usize) -> Result<()> {
    if capacity > 0 && capacity < shape.len() {
        return Err(Error::argument("capacity", format!("{capacity}; the shape has {} axes", shape.len())));
    }
    if capacity > 0 {
        // SAFETY: passed on.
        unsafe { slice_mut(axes, shape.len(), "axes") }?.copy_from_slice(shape);
    }
    // SAFETY: passed on.
    unsafe { store(rank, shape.len(), "rank") }
}

/// Copies an array into a host's buffer of exactly its size.
pub(super) fn copy_out(array: ArrayViewD<'_, f32>, out: &mut [f32], argument: &'static str) -> Result<()> {
    if out.len() != array.len() {
        return Err(Error::argument(argument, format!("room for {} values; {} are needed", out.len(), array.len())));
    }
    match array.as_slice() {
        Some(values) => out.copy_from_slice(values),
        None => out.iter_mut().zip(array).for_each(|(out, value)| *out = *value),
    }
    Ok(())
}
