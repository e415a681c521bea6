//! What went wrong in the last call of a thread that failed.

use std::cell::RefCell;
use std::ffi::{CString, c_char};

use super::buffers::c_string;
use crate::error::Error;

thread_local! {
    static MESSAGE: RefCell<CString> = RefCell::new(CString::default());
    /// The file that it was about, and the system's number.
    static FILE: RefCell<(Option<CString>, i32)> = const { RefCell::new((None, 0)) };
}

/// Keeps what the last export that failed on this thread has to say.
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

/// What went wrong in the last call on this thread that failed, in English, with the argument, file or tensor and the
/// remedy; "" if none has failed. The string is valid until the next call that fails on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn diffuse_error_message() -> *const c_char {
    MESSAGE.with_borrow(|message| message.as_ptr())
}

/// The file that the last call on this thread that failed could not read or write (DIFFUSE_IO); NULL if it failed for
/// another reason, or none has. The string is valid until the next call that fails on this thread.
#[unsafe(no_mangle)]
pub extern "C" fn diffuse_error_path() -> *const c_char {
    FILE.with_borrow(|(path, _)| path.as_ref().map_or(std::ptr::null(), |path| path.as_ptr()))
}

/// The number that the system gave for it: errno, or what GetLastError() says on Windows; 0 where it gave none.
#[unsafe(no_mangle)]
pub extern "C" fn diffuse_error_errno() -> i32 {
    FILE.with_borrow(|(_, number)| *number)
}
