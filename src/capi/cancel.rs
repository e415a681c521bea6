//! Cancelling of calls that evaluate without a job.

use super::guard::{guard, quietly};
use super::handle::{Noun, borrow, give, take};
use crate::error::Result;
use crate::sample::Canceller;

/// A handle that cancels calls from another thread. It cancels the running calls that it was passed to, and every later
/// call that it is passed to. Several calls may use one handle, also at once. Jobs have diffuse_job_cancel() instead.
pub struct diffuse_cancel {
    _opaque: [u8; 0],
}

impl Noun for diffuse_cancel {
    /// Shared, so that a call keeps it when the handle is freed meanwhile.
    type Value = Canceller;
    const NAME: &'static str = "cancel";
    const TAG: u64 = u64::from_le_bytes(*b"diff:can");
}

/// Makes a cancel handle. Free it with diffuse_cancel_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_cancel_new(cancel: *mut *mut diffuse_cancel) -> i32 {
    // SAFETY: the pointer is as the header demands.
    guard(|| unsafe { give(cancel, "cancel", || Ok(Canceller::default())) })
}

/// Frees a cancel handle. NULL is fine. A call that uses the handle at the time goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_cancel_free(cancel: *mut diffuse_cancel) {
    // SAFETY: the handle is as the header demands.
    quietly((), || drop(unsafe { take(cancel) }));
}

/// Cancels every call that `cancel` was passed to, from any thread. These calls and every later one return
/// DIFFUSE_CANCELLED. A call that waits for its turn at the model returns at once. A call that evaluates returns when
/// the network's current node ends. This cannot be undone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_cancel_cancel(cancel: *const diffuse_cancel) -> i32 {
    guard(|| {
        // SAFETY: the handle is as the header demands.
        unsafe { borrow(cancel, "cancel") }?.cancel();
        Ok(())
    })
}

/// Returns the canceller in `cancel`. For NULL it is one that nothing cancels.
///
/// # Safety
/// `cancel` is NULL or a handle.
pub(super) unsafe fn canceller_of(cancel: *const diffuse_cancel) -> Result<Canceller> {
    if cancel.is_null() {
        return Ok(Canceller::default());
    }
    // SAFETY: passed on.
    unsafe { borrow(cancel, "cancel") }.cloned()
}
