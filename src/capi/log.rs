//! What ONNX Runtime and the library have to say, for a host that wants to hear it.

use std::ffi::{c_char, c_void};

use super::buffers::c_string;
use super::guard::guard;
use super::user_data::{UserData, diffuse_release};
use crate::float::with_hosts;
use crate::log::{Severity, set_log_sink};

/// What messages go to: the severity (0 verbose, 1 information, 2 warning, 3 error, 4 fatal) and a text that is
/// valid during the call. It may be called from any thread, also from several at once, and must not call diffuse.
pub type diffuse_log_sink = Option<unsafe extern "C" fn(severity: i32, message: *const c_char, user_data: *mut c_void)>;

/// The host's function and data.
struct Sink(unsafe extern "C" fn(i32, *const c_char, *mut c_void), UserData);

// SAFETY: the header says that the sink is called from any thread.
unsafe impl Send for Sink {}
// SAFETY: as above, also from several at once.
unsafe impl Sync for Sink {}

impl Sink {
    fn call(&self, severity: Severity, message: &str) {
        // SAFETY: the host promised a function that may be called so; the text outlives the call.
        with_hosts(|| unsafe { (self.0)(severity as i32, c_string(message).as_ptr(), self.1.pointer) });
    }
}

/// Sends ONNX Runtime's messages, which begin with "ONNX Runtime: ", to `sink`, together with `user_data`; NULL, the
/// default, drops them. So are those of diffuse about what is no error and may not be meant, such as a time that no
/// step fits into. Errors that diffuse reports by a status are said there and need no sink. When the call returns the
/// former sink is not called any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_log_set(sink: diffuse_log_sink, user_data: *mut c_void) -> i32 {
    set(sink, UserData::new(user_data, None))
}

/// The same with a function that lets go of `user_data`, once the sink is not called any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_log_set_owned(
    sink: diffuse_log_sink,
    user_data: *mut c_void,
    release: diffuse_release,
) -> i32 {
    set(sink, UserData::new(user_data, release))
}

fn set(sink: diffuse_log_sink, user_data: UserData) -> i32 {
    guard(|| {
        set_log_sink(sink.map(|function| {
            let sink = Sink(function, user_data);
            Box::new(move |severity, message: &str| sink.call(severity, message)) as _
        }));
        Ok(())
    })
}
