//! ONNX Runtime.

use std::ffi::{CString, c_char, c_void};
use std::path::Path;

use super::buffers::{c_string, optional_string};
use super::guard::{guard, quietly};
use super::handle::{Noun, borrow, give, take};
use crate::network::Runtime;

/// ONNX Runtime, loaded and started. A process has one. All handles refer to it, and freeing them does not stop it.
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

/// Loads ONNX Runtime (1.24 or newer) and starts it. If this process has started it already, the new handle refers to
/// that one.
///
/// `path` is ONNX Runtime's shared library, or the folder that holds it. With NULL, the call searches for the library
/// and takes the first that it finds. It tries the place that the environment variable ORT_DYLIB_PATH names, then the
/// folder of this library, then the folder of the program. The search fails if ORT_DYLIB_PATH names a place without the
/// library. On Windows it ends there. Elsewhere it then tries the system's library folders, and last passes the bare
/// name to the system's loader. The loader also searches an Android package, LD_LIBRARY_PATH, and the rpath of the
/// module that this library is in.
///
/// Make this call before other threads read or change environment variables. It sets ORT_DISABLE_TELEMETRY=1 unless
/// that variable is set, because ONNX Runtime's official builds send telemetry otherwise.
///
/// Returns DIFFUSE_RUNTIME if there is no ONNX Runtime, or if another one is already running. On success, free
/// `*runtime` with diffuse_runtime_free(). On failure, `*runtime` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_runtime_open(path: *const c_char, runtime: *mut *mut diffuse_runtime) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe {
        give(runtime, "runtime", || {
            Ok(RuntimeValue::new(Runtime::open(optional_string(path, "path")?.map(Path::new))?))
        })
    })
}

/// Uses the ONNX Runtime (1.24 or newer) that the program has already, linked into it or loaded. `base` is the result
/// of its OrtGetApiBase(). The call searches for no file. It is for systems without such a file, such as iOS and
/// consoles. It is also for programs that use ONNX Runtime themselves.
///
/// ONNX Runtime must stay loaded for as long as the process lives. A process has one environment of ONNX Runtime. A
/// host that wants its own logger or thread pools makes that environment before this call. The environment stays as it
/// is, except that its telemetry is turned off. This call sets no environment variable.
///
/// Statuses and ownership are as for diffuse_runtime_open(). diffuse_runtime_path() returns "the host's".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_runtime_of_host(base: *const c_void, runtime: *mut *mut diffuse_runtime) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe { give(runtime, "runtime", || Ok(RuntimeValue::new(Runtime::of_host(base)?))) })
}

/// Frees a runtime handle. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_runtime_free(runtime: *mut diffuse_runtime) {
    // SAFETY: the handle is as the header demands.
    quietly((), || drop(unsafe { take(runtime) }));
}

/// Returns the path of the ONNX Runtime that was loaded. Returns NULL if `runtime` is not a valid handle. The string
/// lives as long as the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_runtime_path(runtime: *const diffuse_runtime) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let path = || unsafe { borrow(runtime, "runtime") }.map_or(std::ptr::null(), |value| value.path.as_ptr());
    quietly(std::ptr::null(), path)
}

/// Returns the version of ONNX Runtime, such as "1.31.1". Returns NULL if `runtime` is not a valid handle. The string
/// lives as long as the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_runtime_version(runtime: *const diffuse_runtime) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let version = || unsafe { borrow(runtime, "runtime") }.map_or(std::ptr::null(), |value| value.version.as_ptr());
    quietly(std::ptr::null(), version)
}

/// Returns the names of the execution providers that this ONNX Runtime was built with, separated by commas. Opening a
/// model shows whether one works. It may lack libraries, a driver or a device. Returns NULL if `runtime` is not a valid
/// handle. The string lives as long as the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_runtime_providers(runtime: *const diffuse_runtime) -> *const c_char {
    // SAFETY: the handle is as the header demands.
    let providers = || unsafe { borrow(runtime, "runtime") }.map_or(std::ptr::null(), |value| value.providers.as_ptr());
    quietly(std::ptr::null(), providers)
}
