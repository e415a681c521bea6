//! Handles: pointers that carry the type of their target.

use super::buffers::{null, store};
use crate::error::{Error, Result};
use crate::process::Process;

/// One of the header's opaque types.
pub(super) trait Noun {
    /// What a handle of this type holds.
    type Value;
    /// The type's name in messages.
    const NAME: &'static str;
    /// Different for every type, so that no handle passes for one of another type.
    const TAG: u64;
}

/// What a handle points to.
#[repr(C)]
struct Tagged<T> {
    tag: u64,
    process: Process,
    value: T,
}

impl<T> Tagged<T> {
    fn new<N: Noun<Value = T>>(value: T) -> Self {
        Self { tag: N::TAG, process: Process::current(), value }
    }
}

/// The tag of a freed handle. It reveals a second use, until the handle's memory is used again.
const FREED: u64 = 0x6465_6572_6621_2121;

/// Makes a handle and stores it in `out`. `out` becomes NULL if that fails.
///
/// # Safety
/// `out` is NULL or may be written to.
pub(super) unsafe fn give<N: Noun>(
    out: *mut *mut N,
    argument: &'static str,
    make: impl FnOnce() -> Result<N::Value>,
) -> Result<()> {
    // SAFETY: passed on. Checked before anything is made that nobody could free.
    unsafe { store(out, std::ptr::null_mut(), argument)? };
    let handle = Box::into_raw(Box::new(Tagged::new::<N>(make()?)));
    // SAFETY: passed on.
    unsafe { store(out, handle.cast(), argument) }
}

/// Lends a handle for the time of a call.
pub(super) fn lend<N: Noun, T>(value: N::Value, call: impl FnOnce(*const N) -> T) -> T {
    let mut tagged = Tagged::new::<N>(value);
    let result = call((&raw const tagged).cast());
    // SAFETY: a live place of ours. A handle that is kept beyond the call is seen, as long as nothing else lies there.
    unsafe { (&raw mut tagged.tag).write_volatile(FREED) };
    result
}

/// Returns what `handle` holds.
///
/// # Safety
/// `handle` is NULL, or this library returned it and it is not freed yet.
pub(super) unsafe fn borrow<'a, N: Noun>(handle: *const N, argument: &'static str) -> Result<&'a N::Value> {
    let tagged = checked::<N>(handle, argument)?;
    // SAFETY: the tag says that this is a live handle of this type; the caller promises that it stays so during the
    // call.
    Ok(unsafe { &(*tagged).value })
}

/// Returns what `handle` holds, for changing it.
///
/// # Safety
/// As [`borrow`], and nobody else uses the handle during the call.
pub(super) unsafe fn borrow_mut<'a, N: Noun>(handle: *mut N, argument: &'static str) -> Result<&'a mut N::Value> {
    let tagged = checked::<N>(handle, argument)?.cast_mut();
    // SAFETY: as in `borrow`; exclusive by the caller's promise.
    Ok(unsafe { &mut (*tagged).value })
}

/// Takes a handle back and frees it. NULL, handles of another type, and handles from before a fork are left alone.
///
/// # Safety
/// As [`borrow_mut`], and the handle is not used afterwards.
pub(super) unsafe fn take<N: Noun>(handle: *mut N) -> Option<N::Value> {
    let tagged = checked::<N>(handle, N::NAME).ok()?.cast_mut();
    // SAFETY: a live handle of this type, made by `new` and given up by the caller.
    unsafe {
        (&raw mut (*tagged).tag).write_volatile(FREED);
        Some(Box::from_raw(tagged).value)
    }
}

fn checked<N: Noun>(handle: *const N, argument: &'static str) -> Result<*const Tagged<N::Value>> {
    if handle.is_null() {
        return Err(null(argument));
    }
    let tag = handle.cast::<u64>();
    // SAFETY: the caller promises a handle of this library, and every one begins with a tag.
    let found = if tag.is_aligned() { unsafe { tag.read_volatile() } } else { 0 };
    if found == N::TAG {
        let tagged: *const Tagged<N::Value> = handle.cast();
        // SAFETY: the tag says that this is a live handle of this type.
        unsafe { (*tagged).process }.check(argument)?;
        return Ok(tagged);
    }
    let what = if found == FREED { "was freed already" } else { "is a handle of another type" };
    Err(Error::argument(argument, format!("the pointer {what}; expected a {}", N::NAME)))
}
