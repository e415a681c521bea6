//! What a host's code is told of an estimate that it is to make or to change, and how it is called.

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

/// What an estimate of the clean samples is made from. It lives as long as the callback that it is given to.
pub struct diffuse_estimate {
    _opaque: [u8; 0],
}

/// What it points to outlives the call that it is lent for.
pub(super) struct EstimateValue {
    x: *const f32,
    shape: Vec<usize>,
    level: NoiseLevel,
    step: usize,
    condition: *const Condition,
    network: Option<NetworkValue>,
}

/// What a network of the host's is told besides.
struct NetworkValue {
    input: *const f32,
    length: usize,
    time: f64,
    stopped: *const AtomicBool,
}

/// Code of the host's, called with every estimate of the clean samples: to change it, as guidance
/// (diffuse_request_set_guidance_callback()), or to make it, as the network (diffuse_model_open_callback()). `values`,
/// `length` of them, are those of all items one after the other; `estimate` says what they are made from. It returns 0;
/// anything else ends the step with DIFFUSE_CALLBACK, and `message`, to which up to `capacity` bytes with a zero at
/// their end may be written, becomes a part of its message.
///
/// It is called on the thread that steps the job. It may cancel and free that job, but not step or read it; what is
/// freed so is gone, with its callbacks and their data, when the step is over. Freeing another job waits for that one,
/// so that two jobs must not free each other so. It must not unwind. One that does not return holds up its job:
/// diffuse_job_cancel() and diffuse_job_wait() with a time return, but diffuse_job_free() does not before it does.
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

/// A callback and what it is called with.
pub(super) struct Callback {
    function: unsafe extern "C" fn(*const diffuse_estimate, *mut f32, usize, *mut c_char, usize, *mut c_void) -> i32,
    user_data: UserData,
}

// SAFETY: the header says on which thread it is called, and the host sees to what its data allow.
unsafe impl Send for Callback {}
// SAFETY: as above; jobs of several threads may call it at once only if the host gives it to several.
unsafe impl Sync for Callback {}

impl Callback {
    /// What the host gives as the argument `name`.
    pub(super) fn new(function: diffuse_callback, user_data: UserData, name: &'static str) -> Result<Self> {
        Ok(Self { function: function.ok_or_else(|| null(name))?, user_data })
    }

    /// Lets it change an estimate.
    pub(super) fn guide(&self, query: &Query<'_>, denoised: &mut [f32]) -> Result<(), String> {
        self.call(EstimateValue::new(query)?, denoised)
    }

    /// Lets it be the network.
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
        let none = || Error::argument("estimate", "only a network of the host's is told this");
        self.network.as_ref().ok_or_else(none)
    }
}

impl Noun for diffuse_estimate {
    type Value = EstimateValue;
    const NAME: &'static str = "estimate";
    const TAG: u64 = u64::from_le_bytes(*b"diff:est");
}

/// The noisy samples that the estimate is made from, alpha*clean + sigma*noise, of the shape that
/// diffuse_estimate_shape() says, to be read during the callback. NULL if `estimate` is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_estimate_x(estimate: *const diffuse_estimate) -> *const f32 {
    // SAFETY: the handle is as the header demands.
    quietly(std::ptr::null(), || unsafe { borrow(estimate, "estimate") }.map_or(std::ptr::null(), |value| value.x))
}

/// The noise level: the time `t` of the model's schedule, alpha and sigma. What a network is given for the time is
/// another thing: diffuse_estimate_time().
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

/// The step of the run, counted from 0, and how many items there are. Solvers that take several estimates a step give
/// the same step to each; one that chooses its own steps takes one item at a time; and guidance asks a network for
/// twice the request's items at once, the guided and the unguided, or in turn.
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

/// The shape of x, batch first, as diffuse_job_shape(): that of the request, for a model that leaves it free.
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

/// What the network is given for the time, which the manifest says how to make of the level. DIFFUSE_ARGUMENT in a
/// guidance callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_estimate_time(estimate: *const diffuse_estimate, time: *mut f64) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe { store(time, borrow(estimate, "estimate")?.network()?.time, "time") })
}

/// What the network sees of the samples, to be read during the callback: scaled as the manifest says, and with the
/// conditions that are joined to the samples before or behind them, item by item; `*length` values. DIFFUSE_ARGUMENT in
/// a guidance callback.
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

/// The class of every item, to be read during the callback; NULL for a model without classes, or if `estimate` is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_estimate_classes(estimate: *const diffuse_estimate) -> *const i64 {
    // SAFETY: the handle is as the header demands, and the condition outlives the callback.
    let condition = || unsafe { Some(&*borrow(estimate, "estimate").ok()?.condition) };
    quietly(std::ptr::null(), || {
        condition().and_then(|of| of.classes.as_ref()).map_or(std::ptr::null(), |of| of.as_ptr())
    })
}

/// The condition called `name` in the manifest, to be read during the callback: its values in `*values`, of the type
/// `*element`, and its shape, items first unless it is one for all, as diffuse_estimate_shape() gives that of x. The
/// type is one that has the numbers of the graph's: DIFFUSE_ELEMENT_F32 for floats of 16 and 32 bits,
/// DIFFUSE_ELEMENT_F64, or DIFFUSE_ELEMENT_I64 for integers and truth values; for a network of the host's own one that
/// has the numbers of the request's. DIFFUSE_ARGUMENT if there is none of that name.
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

/// Whether the job was cancelled, `*cancelled` 1 or 0, so that a network that takes long may return early, with
/// anything. DIFFUSE_ARGUMENT in a guidance callback.
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
