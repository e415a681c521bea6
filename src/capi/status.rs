//! The status codes: their numbers, which never change, and their names.

use std::ffi::{CStr, c_char};

use crate::error::Error;

/// The call succeeded.
pub const DIFFUSE_OK: i32 = 0;
/// An argument cannot be used. Change the call.
pub const DIFFUSE_ARGUMENT: i32 = 1;
/// The model or its manifest does not fit. Change the model.
pub const DIFFUSE_MODEL: i32 = 2;
/// ONNX Runtime is missing, too old, or did not start.
pub const DIFFUSE_RUNTIME: i32 = 3;
/// The network failed, or predicted something that is not a number.
pub const DIFFUSE_EVALUATION: i32 = 4;
/// A file could not be read. diffuse_error_path() returns which one, and diffuse_error_errno() why.
pub const DIFFUSE_IO: i32 = 5;
/// The job or the call was cancelled.
pub const DIFFUSE_CANCELLED: i32 = 6;
/// Another thread is working on the job. Wait for it.
pub const DIFFUSE_BUSY: i32 = 7;
/// diffuse has a bug. Free the handle involved.
pub const DIFFUSE_PANIC: i32 = 8;
/// A requested execution provider cannot be used. Install what it lacks, or request another one.
pub const DIFFUSE_PROVIDER: i32 = 9;
/// The host's own callback failed, or wrote something that is not a number.
pub const DIFFUSE_CALLBACK: i32 = 10;
/// The system has no memory for the call. Request less, or free something.
pub const DIFFUSE_MEMORY: i32 = 11;
/// The result is not there yet. Go on with the job, and call again.
pub const DIFFUSE_NOT_YET: i32 = 12;

/// The numbers and their names. A number never changes its meaning: a host that was compiled with one version runs with
/// the next.
#[doc(hidden)]
pub const DIFFUSE_STATUSES: &[(i32, &CStr)] = &[
    (DIFFUSE_OK, c"DIFFUSE_OK"),
    (DIFFUSE_ARGUMENT, c"DIFFUSE_ARGUMENT"),
    (DIFFUSE_MODEL, c"DIFFUSE_MODEL"),
    (DIFFUSE_RUNTIME, c"DIFFUSE_RUNTIME"),
    (DIFFUSE_EVALUATION, c"DIFFUSE_EVALUATION"),
    (DIFFUSE_IO, c"DIFFUSE_IO"),
    (DIFFUSE_CANCELLED, c"DIFFUSE_CANCELLED"),
    (DIFFUSE_BUSY, c"DIFFUSE_BUSY"),
    (DIFFUSE_PANIC, c"DIFFUSE_PANIC"),
    (DIFFUSE_PROVIDER, c"DIFFUSE_PROVIDER"),
    (DIFFUSE_CALLBACK, c"DIFFUSE_CALLBACK"),
    (DIFFUSE_MEMORY, c"DIFFUSE_MEMORY"),
    (DIFFUSE_NOT_YET, c"DIFFUSE_NOT_YET"),
];

/// Returns the name of a status, such as "DIFFUSE_ARGUMENT". Returns "unknown" for a number that is no status. The
/// string is static.
#[unsafe(no_mangle)]
pub extern "C" fn diffuse_status_name(status: i32) -> *const c_char {
    let known = DIFFUSE_STATUSES.iter().find(|(number, _)| *number == status);
    known.map_or(c"unknown", |(_, name)| name).as_ptr()
}

/// Returns the status for an error of the library.
pub(super) fn of(error: &Error) -> i32 {
    match error {
        Error::Argument { .. } => DIFFUSE_ARGUMENT,
        Error::Model { .. } => DIFFUSE_MODEL,
        Error::Runtime { .. } => DIFFUSE_RUNTIME,
        Error::Provider { .. } => DIFFUSE_PROVIDER,
        Error::Evaluation { .. } => DIFFUSE_EVALUATION,
        Error::Io { .. } => DIFFUSE_IO,
        Error::Callback { .. } => DIFFUSE_CALLBACK,
        Error::Cancelled => DIFFUSE_CANCELLED,
        Error::Busy => DIFFUSE_BUSY,
        Error::Panic { .. } => DIFFUSE_PANIC,
        Error::Memory { .. } => DIFFUSE_MEMORY,
        Error::NotYet { .. } => DIFFUSE_NOT_YET,
    }
}

// Frozen.
const _: () = assert!(DIFFUSE_OK == 0 && DIFFUSE_ARGUMENT == 1 && DIFFUSE_MODEL == 2 && DIFFUSE_RUNTIME == 3);
const _: () = assert!(DIFFUSE_EVALUATION == 4 && DIFFUSE_IO == 5 && DIFFUSE_CANCELLED == 6 && DIFFUSE_BUSY == 7);
const _: () = assert!(DIFFUSE_PANIC == 8 && DIFFUSE_PROVIDER == 9 && DIFFUSE_CALLBACK == 10 && DIFFUSE_MEMORY == 11);
const _: () = assert!(DIFFUSE_NOT_YET == 12);
