//! Callbacks of the host that make or change an estimate: what they receive, and how they are called.

use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use super::buffers::{null, store, store_shape, string};
use super::element::values_of;
use super::guard::{guard, quietly};
use super::handle::{Noun, borrow, lend};
use super::user_data::UserData;
use crate::denoiser::{Condition, Query};
use crate::error::{Error, Result};
use crate::float::with_hosts;
use crate::network::Question;
use crate::schedule::NoiseLevel;

/// The inputs of one estimate of the clean samples. The library passes it to a callback, and it lives until the
/// callback returns.
pub struct diffuse_estimate {
    _opaque: [u8; 0],
}

/// All that it points to outlives the call that it is lent for.
pub(super) struct EstimateValue {
    x: *const f32,
    shape: Vec<usize>,
    level: NoiseLevel,
    step: usize,
    condition: *const Condition,
    network: Option<NetworkValue>,
}

/// The further inputs of a network of the host's.
struct NetworkValue {
    input: *const f32,
    length: usize,
    time: f64,
    stopped: *const AtomicBool,
}

/// A function of the host's that the library calls for every estimate of the clean samples. As guidance
/// (diffuse_request_set_guidance_callback()), it may change the estimate. As the network
/// (diffuse_model_open_callback()), it makes the prediction.
///
/// `values` holds the values of all items one after the other, `length` in all. `estimate` gives what they are made
/// from. The function returns 0. Any other result ends the step with DIFFUSE_CALLBACK. The function may then write a
/// text to `message`, up to `capacity` bytes with the zero at the end. The text becomes part of the error message.
///
/// The function is called on the thread that steps the job. It may cancel and free that job, but must not step or read
/// it. A job that it frees, with its callbacks and their data, lives until the step is over. Freeing another job waits
/// for that job, so two jobs must not free each other in this way. The function must not unwind.
///
/// A function that does not return holds up its job. diffuse_job_cancel() still returns, and diffuse_job_wait() returns
/// after its time. diffuse_job_free() returns only after the function does.
pub type diffuse_callback = Option<
    unsafe extern "C" fn(
        estimate: *const diffuse_estimate,
        values: *mut f32,
        length: usize,
        message: *mut c_char,
        capacity: usize,
        user_data: *mut c_void,
    ) -> i32,
>;

/// A callback, and the data that it is called with.
pub(super) struct Callback {
    function: unsafe extern "C" fn(*const diffuse_estimate, *mut f32, usize, *mut c_char, usize, *mut c_void) -> i32,
    user_data: UserData,
}

// SAFETY: the header says on which thread it is called, and the host sees to what its data allow.
unsafe impl Send for Callback {}
// SAFETY: as above; jobs of several threads may call it at once only if the host gives it to several.
unsafe impl Sync for Callback {}

impl Callback {
    /// Wraps what the host gives as the argument `name`.
    pub(super) fn new(function: diffuse_callback, user_data: UserData, name: &'static str) -> Result<Self> {
        Ok(Self { function: function.ok_or_else(|| null(name))?, user_data })
    }

    /// Lets the callback change an estimate.
    pub(super) fn guide(&self, query: &Query<'_>, denoised: &mut [f32]) -> Result<(), String> {
        self.call(EstimateValue::new(query)?, denoised)
    }

    /// Lets the callback act as the network.
    pub(super) fn evaluate(&self, question: &Question<'_>, output: &mut [f32]) -> Result<(), String> {
        let Question { input, time, stopped, .. } = *question;
        let network = NetworkValue { input: input.as_ptr(), length: input.len(), time, stopped };
        self.call(EstimateValue { network: Some(network), ..EstimateValue::new(question.query)? }, output)
    }

    fn call(&self, value: EstimateValue, values: &mut [f32]) -> Result<(), String> {
        let mut message: [c_char; 512] = [0; 512];
        let status = lend(value, |estimate| {
            let (message, capacity) = (message.as_mut_ptr(), message.len());
            // SAFETY: the arrays have these lengths, and live during the call; what the function does with them is the
            // host's promise.
            with_hosts(|| unsafe {
                (self.function)(estimate, values.as_mut_ptr(), values.len(), message, capacity, self.user_data.pointer)
            })
        });
        if status == 0 {
            return Ok(());
        }
        message[message.len() - 1] = 0;
        // SAFETY: an array with a zero at its end.
        let text = unsafe { CStr::from_ptr(message.as_ptr()) }.to_string_lossy();
        Err(if text.is_empty() { format!("it returned {status}") } else { format!("{text} (it returned {status})") })
    }
}

impl EstimateValue {
    fn new(query: &Query<'_>) -> Result<Self, String> {
        let x = query.x.as_slice().ok_or("the samples are not in order")?.as_ptr();
        let Query { level, step, condition, .. } = *query;
        Ok(Self { x, shape: query.x.shape().to_vec(), level, step, condition, network: None })
    }

    fn network(&self) -> Result<&NetworkValue> {
        let none = || Error::argument("estimate", "only a network of the host has this");
        self.network.as_ref().ok_or_else(none)
    }
}

impl Noun for diffuse_estimate {
    type Value = EstimateValue;
    const NAME: &'static str = "estimate";
    const TAG: u64 = u64::from_le_bytes(*b"diff:est");
}

/// Returns the noisy samples that the estimate is made from: `alpha·clean + sigma·noise`. diffuse_estimate_shape()
/// gives their shape. They may be read during the callback. Returns NULL if `estimate` is not a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_estimate_x(estimate: *const diffuse_estimate) -> *const f32 {
    // SAFETY: the handle is as the header demands.
    quietly(std::ptr::null(), || unsafe { borrow(estimate, "estimate") }.map_or(std::ptr::null(), |value| value.x))
}

/// Writes the noise level: the time `t` of the model's schedule, `alpha` and `sigma`. The network's own input for the
/// time may be another number, which diffuse_estimate_time() gives.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_estimate_level(
    estimate: *const diffuse_estimate,
    t: *mut f64,
    alpha: *mut f64,
    sigma: *mut f64,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe {
            let NoiseLevel { t: time, alpha: of_clean, sigma: of_noise } = borrow(estimate, "estimate")?.level;
            store(t, time, "t")?;
            store(alpha, of_clean, "alpha")?;
            store(sigma, of_noise, "sigma")
        }
    })
}

/// Writes the step of the run, counted from 0, and the number of items. A solver that takes several estimates per step
/// gives each the same step. A solver that chooses its own steps takes one item at a time. Guidance takes a guided and
/// an unguided estimate of each item. A network then gets twice the request's items at once, or both halves in turn.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_estimate_step(
    estimate: *const diffuse_estimate,
    step: *mut usize,
    items: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe {
            let value = borrow(estimate, "estimate")?;
            store(step, value.step, "step")?;
            store(items, value.shape[0], "items")
        }
    })
}

/// Writes the shape of the samples, batch first. The parameters are as for diffuse_model_shape(). For a model that
/// leaves the shape free, it is the request's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_estimate_shape(
    estimate: *const diffuse_estimate,
    axes: *mut usize,
    capacity: usize,
    rank: *mut usize,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe { store_shape(&borrow(estimate, "estimate")?.shape, axes, capacity, rank) })
}

/// Writes the network's input for the time. The manifest defines how it follows from the noise level. Returns
/// DIFFUSE_ARGUMENT in a guidance callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_estimate_time(estimate: *const diffuse_estimate, time: *mut f64) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe { store(time, borrow(estimate, "estimate")?.network()?.time, "time") })
}

/// Writes the address of the network's input for the samples to `*values`, and its number of values to `*length`. The
/// manifest defines how the samples are scaled. Conditions that are joined to the samples come before or behind them,
/// item by item. The values may be read during the callback. Returns DIFFUSE_ARGUMENT in a guidance callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_estimate_input(
    estimate: *const diffuse_estimate,
    values: *mut *const f32,
    length: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe {
            let network = borrow(estimate, "estimate")?.network()?;
            store(values, network.input, "values")?;
            store(length, network.length, "length")
        }
    })
}

/// Returns the class of every item. The classes may be read during the callback. Returns NULL for a model without
/// classes, or if `estimate` is not a valid handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_estimate_classes(estimate: *const diffuse_estimate) -> *const i64 {
    // SAFETY: the handle is as the header demands, and the condition outlives the callback.
    let condition = || unsafe { Some(&*borrow(estimate, "estimate").ok()?.condition) };
    quietly(std::ptr::null(), || {
        condition().and_then(|of| of.classes.as_ref()).map_or(std::ptr::null(), |of| of.as_ptr())
    })
}

/// Writes the values, the type and the shape of the condition that the manifest calls `name`. Returns DIFFUSE_ARGUMENT
/// if there is none of that name.
///
/// `*values` becomes the address of the values, which may be read during the callback. `axes`, `capacity` and `rank`
/// receive the shape as in diffuse_estimate_shape(). Items come first, unless one condition is for all of them.
///
/// `*element` becomes a type that holds the numbers of the graph's type. It is DIFFUSE_ELEMENT_F32 for floats of 16 and
/// 32 bits, DIFFUSE_ELEMENT_F64 for floats of 64 bits, or DIFFUSE_ELEMENT_I64 for integers and truth values. For a
/// network of the host's own, it is a type that holds the numbers of the request's type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_estimate_condition(
    estimate: *const diffuse_estimate,
    name: *const c_char,
    element: *mut i32,
    values: *mut *const c_void,
    axes: *mut usize,
    capacity: usize,
    rank: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands, and the condition outlives the callback.
        unsafe {
            let (condition, name) = (&*borrow(estimate, "estimate")?.condition, string(name, "name")?);
            let found = condition.tensors.get(name).or_else(|| condition.common.get(name));
            let found = found.ok_or_else(|| Error::argument("name", format!("there is no condition {name:?}")))?;
            let (own, place) = values_of(found);
            // Nothing is written where something is wrong.
            if element.is_null() || values.is_null() {
                return Err(null(if element.is_null() { "element" } else { "values" }));
            }
            store_shape(found.shape(), axes, capacity, rank)?;
            store(element, own, "element")?;
            store(values, place, "values")
        }
    })
}

/// Sets `*cancelled` to 1 if the job was cancelled, else to 0. A network that takes long may then return early, with
/// any values. Returns DIFFUSE_ARGUMENT in a guidance callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_estimate_is_cancelled(estimate: *const diffuse_estimate, cancelled: *mut i32) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands, and the question outlives the callback.
        unsafe {
            let stopped = &*borrow(estimate, "estimate")?.network()?.stopped;
            store(cancelled, i32::from(stopped.load(Ordering::SeqCst)), "cancelled")
        }
    })
}
