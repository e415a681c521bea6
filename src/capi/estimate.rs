//! What a host's guidance is told of an estimate, during its callback.

use super::guard::{guard, quietly, store};
use super::handle::{Noun, borrow};
use crate::schedule::NoiseLevel;

/// What an estimate of the clean samples was made from. It lives as long as the callback that it is given to.
pub struct diffuse_estimate {
    _opaque: [u8; 0],
}

pub(super) struct EstimateValue {
    /// The samples, which outlive the call that this is lent for.
    pub(super) x: *const f32,
    pub(super) items: usize,
    pub(super) level: NoiseLevel,
    pub(super) step: usize,
}

impl Noun for diffuse_estimate {
    type Value = EstimateValue;
    const NAME: &'static str = "estimate";
    const TAG: u64 = u64::from_le_bytes(*b"diff:est");
}

/// The noisy samples that the estimate was made from, alpha*clean + sigma*noise: as many values as there are denoised ones, to be read during the callback.
/// NULL if `estimate` is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_estimate_x(estimate: *const diffuse_estimate) -> *const f32 {
    // SAFETY: the handle is as the header demands.
    quietly(std::ptr::null(), || unsafe { borrow(estimate, "estimate") }.map_or(std::ptr::null(), |value| value.x))
}

/// The noise level: the time of the model's schedule, alpha and sigma.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_estimate_level(
    estimate: *const diffuse_estimate,
    time: *mut f64,
    alpha: *mut f64,
    sigma: *mut f64,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe {
            let NoiseLevel { t, alpha: of_clean, sigma: of_noise } = borrow(estimate, "estimate")?.level;
            store(time, t, "time")?;
            store(alpha, of_clean, "alpha")?;
            store(sigma, of_noise, "sigma")
        }
    })
}

/// The step of the run, counted from 0, and how many items there are. Solvers that take several estimates a step give the same step to each; one that
/// chooses its own steps takes one item at a time.
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
            store(items, value.items, "items")
        }
    })
}
