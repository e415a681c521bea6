//! The log sink: messages of ONNX Runtime and of the library, for a host that wants them.

use std::ffi::{c_char, c_void};

use super::buffers::c_string;
use super::guard::guard;
use super::user_data::{UserData, diffuse_release};
use crate::float::with_hosts;
use crate::log::{Severity, set_log_sink};

/// A function that receives log messages. `severity` is 0 (verbose), 1 (information), 2 (warning), 3 (error) or 4
/// (fatal). `message` is valid during the call. The library may call the sink from any thread, also from several at
/// once. The sink must not call diffuse.
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

/// Sets the function that receives log messages. The library calls it with `user_data`. NULL, the default, drops the
/// messages. When this call returns, the former sink is not called any more.
///
/// Messages of ONNX Runtime begin with "ONNX Runtime: ". The others are diffuse's own. They are about something that is
/// no error but may not be intended, such as a time that no step fits into. Errors of diffuse come as a status and need
/// no sink.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_log_set(sink: diffuse_log_sink, user_data: *mut c_void) -> i32 {
    set(sink, UserData::new(user_data, None))
}

/// Sets the log sink as diffuse_log_set() does, with a function that releases `user_data`. The library calls `release`
/// once the sink is not called any more.
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
