//! What is to be drawn, and how.

use std::ffi::c_char;

use super::guard::{guard, quietly, slice, string};
use super::handle::{Noun, borrow_mut, give, take};
use crate::error::Result;
use crate::onnx::SchedulerConfig;
use crate::pipeline::Request;

/// What is to be drawn, and how. What is not set is as the model's manifest says. Values are checked against each other and the model when
/// a job is made.
pub struct diffuse_request {
    _opaque: [u8; 0],
}

impl Noun for diffuse_request {
    type Value = Request;
    const NAME: &'static str = "request";
    const TAG: u64 = u64::from_le_bytes(*b"diff:req");
}

/// Makes a request for one item with seed 0. Free it with diffuse_request_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_new(request: *mut *mut diffuse_request) -> i32 {
    // SAFETY: the pointer is as the header demands.
    guard(|| unsafe { give(request, "request", || Ok(Request::default())) })
}

/// Frees a request. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_free(request: *mut diffuse_request) {
    // SAFETY: the handle is as the header demands.
    quietly((), || drop(unsafe { take(request) }));
}

/// Changes a request.
///
/// # Safety
/// `request` is NULL or a handle that nobody else uses during the call.
unsafe fn set(request: *mut diffuse_request, change: impl FnOnce(&mut Request) -> Result<()>) -> i32 {
    // SAFETY: passed on.
    guard(|| change(unsafe { borrow_mut(request, "request") }?))
}

/// The seed of the first item; item i has seed + i, wrapping.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_seed(request: *mut diffuse_request, seed: u64) -> i32 {
    // SAFETY: the handle is as the header demands.
    unsafe {
        set(request, |request| {
            request.seed = seed;
            Ok(())
        })
    }
}

/// How many items are drawn at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_count(request: *mut diffuse_request, count: usize) -> i32 {
    // SAFETY: the handle is as the header demands.
    unsafe {
        set(request, |request| {
            request.count = count;
            Ok(())
        })
    }
}

/// The class of every item, `count` of them, which becomes the number of items; a number that is set later has to agree. They are copied.
/// Without classes a model that has a null class draws every item with that one, and a model that has none refuses the job.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_classes(
    request: *mut diffuse_request,
    classes: *const i64,
    count: usize,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            let classes = slice(classes, count, "classes")?;
            (request.count, request.classes) = (count, Some(classes.to_vec()));
            Ok(())
        })
    }
}

/// The shape of one item, for a model that leaves it free. It is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_shape(
    request: *mut diffuse_request,
    axes: *const usize,
    rank: usize,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            request.shape = Some(slice(axes, rank, "axes")?.to_vec());
            Ok(())
        })
    }
}

/// Sets the option `key` to `value`, as text. The options are listed below the description of this header.
///
/// DIFFUSE_ARGUMENT if there is no such option or if it cannot have this value. Whether it fits the model, the solver and the other
/// options shows when a job is made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set(
    request: *mut diffuse_request,
    key: *const c_char,
    value: *const c_char,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe { set(request, |request| request.set(string(key, "key")?, string(value, "value")?)) }
}

/// As diffuse_request_set(), with a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_number(
    request: *mut diffuse_request,
    key: *const c_char,
    value: f64,
) -> i32 {
    // Adding 0 turns −0, which is no whole number as text, into 0.
    // SAFETY: the pointers are as the header demands.
    unsafe { set(request, |request| request.set(string(key, "key")?, value + 0.0)) }
}

/// Sets what the text of a scheduler_config.json of diffusers says of sampling: the solver, the grid and their options, but not the number of
/// steps. What was set before is replaced. DIFFUSE_ARGUMENT if it is no such text, with the field that is not understood; a job
/// cannot be made with a model that was trained on another schedule.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_scheduler_config(
    request: *mut diffuse_request,
    json: *const c_char,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe { set(request, |request| request.set_scheduler_config(&SchedulerConfig::parse(string(json, "json")?)?)) }
}
