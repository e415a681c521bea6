//! What every export does: it catches panics, and turns errors into a status and a message.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::remember;
use super::status::{self, DIFFUSE_OK, DIFFUSE_PANIC};
use crate::error::{Error, Result};
use crate::float::Usual;
use crate::process::attend;

thread_local! {
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

/// Runs the body of an export that cannot fail. Returns `otherwise` if the body panics.
pub(super) fn quietly<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    let _usual = Usual::enter();
    attend();
    silence_panics();
    let outer = INSIDE.replace(true);
    let result = catch_unwind(AssertUnwindSafe(body));
    INSIDE.set(outer);
    result.unwrap_or(otherwise)
}

/// Keeps Rust's panic hook from printing on stderr, which is the host's. Panics elsewhere, as in a Rust host that links
/// this library, keep their hook.
fn silence_panics() {
    // No `Once`: a child that is forked while another thread is in it would wait for ever.
    static DONE: AtomicBool = AtomicBool::new(false);
    if DONE.load(Ordering::Relaxed) || DONE.swap(true, Ordering::SeqCst) {
        return;
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        // A worker's panic is kept in as well.
        if !INSIDE.get() && std::thread::current().name() != Some(crate::run::THREAD) {
            before(info);
        }
    }));
}
