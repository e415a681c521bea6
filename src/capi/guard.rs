//! What every export does: keep panics in, turn errors into a status and a message.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use super::status::{self, DIFFUSE_OK, DIFFUSE_PANIC};
use crate::error::{Error, Result};
use crate::float::Usual;
use crate::process::attend;

thread_local! {
    static MESSAGE: RefCell<CString> = RefCell::new(CString::default());
    /// The file that it was about, and the system's number.
    static FILE: RefCell<(Option<CString>, i32)> = const { RefCell::new((None, 0)) };
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs the body of an export.
pub(super) fn guard(body: impl FnOnce() -> Result<()>) -> i32 {
    let _usual = Usual::enter();
    attend();
    silence_panics();
    let outer = INSIDE.replace(true);
    let result = catch_unwind(AssertUnwindSafe(body));
    INSIDE.set(outer);
    match result {
        Ok(Ok(())) => DIFFUSE_OK,
        Ok(Err(error)) => {
            remember(&error);
            status::of(&error)
        }
        Err(panic) => {
            remember(&Error::panic(&*panic));
            DIFFUSE_PANIC
        }
    }
}

/// Runs the body of an export that cannot fail and gives `otherwise` if it panics.
pub(super) fn quietly<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    let _usual = Usual::enter();
    attend();
    silence_panics();
    let outer = INSIDE.replace(true);
    let result = catch_unwind(AssertUnwindSafe(body));
    INSIDE.set(outer);
    result.unwrap_or(otherwise)
}

/// The message of the last export that failed on this thread.
pub(super) fn message() -> *const c_char {
    MESSAGE.with_borrow(|message| message.as_ptr())
}

/// The file that the last export that failed on this thread was about.
pub(super) fn path() -> *const c_char {
    FILE.with_borrow(|(path, _)| path.as_ref().map_or(std::ptr::null(), |path| path.as_ptr()))
}

/// The system's number for it.
pub(super) fn system_error() -> i32 {
    FILE.with_borrow(|(_, number)| *number)
}

fn remember(error: &Error) {
    let file = match error {
        Error::Io { path, source } => {
            (CString::new(path.as_os_str().as_encoded_bytes()).ok(), source.raw_os_error().unwrap_or(0))
        }
        _ => (None, 0),
    };
    FILE.with_borrow_mut(|known| *known = file);
    MESSAGE.with_borrow_mut(|message| *message = c_string(&error.to_string()));
}

/// `text` for C; a zero byte within it ends it.
pub(super) fn c_string(text: &str) -> CString {
    let until_zero = text.split('\0').next().unwrap_or_default();
    CString::new(until_zero).unwrap_or_default()
}

/// Writes as much of `text` as `room` has place for, with a zero at the end; no character is cut in two.
pub(super) fn copy_string(text: &CStr, room: &mut [u8]) {
    let Some(most) = room.len().checked_sub(1) else { return };
    let text = text.to_str().unwrap_or_default();
    let end = (0..=most.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    room[..end].copy_from_slice(&text.as_bytes()[..end]);
    room[end] = 0;
}

/// Rust's hook prints a panic on stderr, which is the host's. Panics elsewhere (a Rust host that links us) are left as they were.
fn silence_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // A worker's panic is kept in as well.
            if !INSIDE.get() && std::thread::current().name() != Some(crate::runner::THREAD) {
                before(info);
            }
        }));
    });
}

/// The UTF-8 string `pointer`, which must not be NULL.
///
/// # Safety
/// `pointer` is NULL or a zero-terminated string that outlives the call, as the header demands.
pub(super) unsafe fn string<'a>(pointer: *const c_char, argument: &'static str) -> Result<&'a str> {
    // SAFETY: passed on.
    unsafe { optional_string(pointer, argument) }?.ok_or_else(|| null(argument))
}

/// The UTF-8 string `pointer`, `None` if it is NULL.
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

/// The `length` values at `pointer`.
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

/// The `length` values at `pointer`, to be written.
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

/// The size that a host's struct says of itself at its start, if it is at least `first`, which is what the first hosts knew of it.
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

/// Writes as much of `value` as a host's struct of `room` bytes has place for.
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
