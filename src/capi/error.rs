//! The error of the last call that failed on a thread.

use std::cell::RefCell;
use std::ffi::{CString, c_char};

use super::buffers::c_string;
use crate::error::Error;

thread_local! {
    static MESSAGE: RefCell<CString> = RefCell::new(CString::default());
    /// The file that the error is about, and the system's error number.
    static FILE: RefCell<(Option<CString>, i32)> = const { RefCell::new((None, 0)) };
}

/// Keeps the error of the last export that failed on this thread.
pub(super) fn remember(error: &Error) {
    let file = match error {
        Error::Io { path, source } => {
            (CString::new(path.as_os_str().as_encoded_bytes()).ok(), source.raw_os_error().unwrap_or(0))
        }
        _ => (None, 0),
    };
    FILE.with_borrow_mut(|known| *known = file);
    MESSAGE.with_borrow_mut(|message| *message = c_string(&error.to_string()));
}

/// Returns what went wrong in the last call that failed on this thread, in English. The message names the argument,
/// file or tensor, and the remedy. It is "" if no call has failed. The string is valid until the next call that fails
/// on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn diffuse_error_message() -> *const c_char {
    MESSAGE.with_borrow(|message| message.as_ptr())
}

/// Returns the file that the last failed call on this thread could not read or write (DIFFUSE_IO). Returns NULL if that
/// call failed for another reason, or if none has failed. The string is valid until the next call that fails on this
/// thread.
#[unsafe(no_mangle)]
pub extern "C" fn diffuse_error_path() -> *const c_char {
    FILE.with_borrow(|(path, _)| path.as_ref().map_or(std::ptr::null(), |path| path.as_ptr()))
}

/// Returns the system's error number for the file of diffuse_error_path(). It is errno, or the result of GetLastError()
/// on Windows. Returns 0 if the system gave none.
#[unsafe(no_mangle)]
pub extern "C" fn diffuse_error_errno() -> i32 {
    FILE.with_borrow(|(_, number)| *number)
}
