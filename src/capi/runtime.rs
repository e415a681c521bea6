//! ONNX Runtime.

use std::ffi::{CString, c_char, c_void};
use std::path::Path;

use super::buffers::{c_string, optional_string};
use super::guard::{guard, quietly};
use super::handle::{Noun, borrow, give, take};
use crate::network::Runtime;

/// ONNX Runtime, loaded and started. There is one in a process: all handles refer to it, and freeing them does not stop
/// it.
pub struct diffuse_runtime {
    _opaque: [u8; 0],
}

pub(super) struct RuntimeValue {
    pub(super) runtime: Runtime,
    path: CString,
    version: CString,
    providers: CString,
}

impl RuntimeValue {
    fn new(runtime: Runtime) -> Self {
        let (path, version) = (c_string(&runtime.path().to_string_lossy()), c_string(runtime.version()));
        let providers = c_string(&runtime.providers().join(","));
        Self { runtime, path, version, providers }
    }
}

impl Noun for diffuse_runtime {
    type Value = RuntimeValue;
    const NAME: &'static str = "runtime";
    const TAG: u64 = u64::from_le_bytes(*b"diff:run");
}

/// Loads ONNX Runtime (1.24 or newer) and starts it, or refers to the one that this process has started already.
///
/// `path` is its shared library, or the folder that the library lies in. NULL takes what the environment variable
/// ORT_DYLIB_PATH names, else the library beside this one, else that beside the program, else, except on Windows, that
/// in the system's folders, and at last what the system's loader finds by its bare name: in an Android package, through
/// LD_LIBRARY_PATH, and through the rpath of the module that this library is in.
///
/// Call it before other threads read or change environment variables: it sets ORT_DISABLE_TELEMETRY=1 unless that
/// variable is set, since ONNX Runtime's official builds send telemetry otherwise.
///
/// DIFFUSE_RUNTIME if there is none, or another one is already running. On success `*runtime` is to be freed with
/// diffuse_runtime_free(); on failure it is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_runtime_open(path: *const c_char, runtime: *mut *mut diffuse_runtime) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe {
        give(runtime, "runtime", || {
            Ok(RuntimeValue::new(Runtime::open(optional_string(path, "path")?.map(Path::new))?))
        })
    })
}

/// Takes the ONNX Runtime (1.24 or newer) that the program has already, linked into it or loaded: `base` is what its
/// OrtGetApiBase() returns. No file is looked for: for systems without one, such as iOS and consoles, and for programs
/// that use ONNX Runtime besides. It has to stay loaded for as long as the process lives. There is one environment of
/// ONNX Runtime in a process: a host that wants its own logger or thread pools makes that before, and it stays as it
/// is, but for its telemetry, which is turned off; no environment variable is set. Otherwise as diffuse_runtime_open();
/// diffuse_runtime_path() is "the host's".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_runtime_of_host(base: *const c_void, runtime: *mut *mut diffuse_runtime) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe { give(runtime, "runtime", || Ok(RuntimeValue::new(Runtime::of_host(base)?))) })
}

/// Frees a handle. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_runtime_free(runtime: *mut diffuse_runtime) {
    // SAFETY: the handle is as the header demands.
    quietly((), || drop(unsafe { take(runtime) }));
}

/// The file that was loaded; NULL if `runtime` is none. The string lives as long as the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_runtime_path(runtime: *const diffuse_runtime) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let path = || unsafe { borrow(runtime, "runtime") }.map_or(std::ptr::null(), |value| value.path.as_ptr());
    quietly(std::ptr::null(), path)
}

/// Its version, such as "1.31.1"; NULL if `runtime` is none. The string lives as long as the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_runtime_version(runtime: *const diffuse_runtime) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let version = || unsafe { borrow(runtime, "runtime") }.map_or(std::ptr::null(), |value| value.version.as_ptr());
    quietly(std::ptr::null(), version)
}

/// The names of the execution providers that it was built with, separated by commas; NULL if `runtime` is none. Whether
/// one works is known when a model is opened: it may lack libraries, a driver or a device. The string lives as long as
/// the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_runtime_providers(runtime: *const diffuse_runtime) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let providers = || unsafe { borrow(runtime, "runtime") }.map_or(std::ptr::null(), |value| value.providers.as_ptr());
    quietly(std::ptr::null(), providers)
}
