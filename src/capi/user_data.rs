//! The user data of a host's functions, and how it is released.

use std::ffi::c_void;

use crate::float::with_hosts;

/// A function that releases `user_data`. The library calls it once, when nothing needs `user_data` any more. It runs on
/// the thread that drops the last use, and also when the call fails that it was passed to. It may free handles, such as
/// a model that its data holds. It must not call diffuse otherwise.
pub type diffuse_release = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// The pointer that a function of the host's is called with. It is released when nothing calls that function any more.
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
