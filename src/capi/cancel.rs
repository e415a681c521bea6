//! What ends the calls that evaluate without a job.

use super::guard::{guard, quietly};
use super::handle::{Noun, borrow, give, take};
use crate::error::Result;
use crate::sample::Canceller;

/// What ends calls from another thread: those that it is handed to and that are running, and every one that it is
/// handed to afterwards. One may be handed to several calls, also at once. Jobs have diffuse_job_cancel() instead.
pub struct diffuse_cancel {
    _opaque: [u8; 0],
}

impl Noun for diffuse_cancel {
    /// Shared, so that a call holds on to it when the handle is freed meanwhile.
    type Value = Canceller;
    const NAME: &'static str = "cancel";
    const TAG: u64 = u64::from_le_bytes(*b"diff:can");
}

/// Makes a cancel. Free it with diffuse_cancel_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_cancel_new(cancel: *mut *mut diffuse_cancel) -> i32 {
    // SAFETY: the pointer is as the header demands.
    guard(|| unsafe { give(cancel, "cancel", || Ok(Canceller::default())) })
}

/// Frees a cancel, also while a call uses it, which goes on. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_cancel_free(cancel: *mut diffuse_cancel) {
    // SAFETY: the handle is as the header demands.
    quietly((), || drop(unsafe { take(cancel) }));
}

/// Cancels, from any thread: the calls that it was handed to, and every later one, return DIFFUSE_CANCELLED, as soon as
/// the node of the network that is running ends, and at once where they wait for their turn at the model. It cannot be
/// taken back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_cancel_cancel(cancel: *const diffuse_cancel) -> i32 {
    guard(|| {
        // SAFETY: the handle is as the header demands.
        unsafe { borrow(cancel, "cancel") }?.cancel();
        Ok(())
    })
}

/// What ends a call; nothing does where it is NULL.
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
