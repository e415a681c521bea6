//! What a host's functions are called with, and how it is let go of.

use std::ffi::c_void;

use crate::float::with_hosts;

/// What lets go of `user_data`. It is called once, on whichever thread lets go of the function last that it was given
/// with, also where the call fails that gives it. It may free handles, such as a model that its data holds, and must
/// not call diffuse otherwise.
pub type diffuse_release = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// What a function of the host's is called with, until nothing calls that any more.
pub(super) struct UserData {
    pub(super) pointer: *mut c_void,
    release: diffuse_release,
}

impl UserData {
    pub(super) fn new(pointer: *mut c_void, release: diffuse_release) -> Self {
        Self { pointer, release }
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the host promised a function that may be called so, once.
            with_hosts(|| unsafe { release(self.pointer) });
        }
    }
}
