//! Calls that evaluate a model without a job.

use std::borrow::Cow;
use std::ffi::c_char;

use ndarray::ArrayViewD;

use super::buffers::{copy_out, exactly, slice, slice_mut, string};
use super::cancel::{canceller_of, diffuse_cancel};
use super::guard::guard;
use super::handle::borrow;
use super::model::diffuse_model;
use super::request::diffuse_request;
use crate::denoiser::Condition;
use crate::error::{Error, Result};
use crate::likelihood::Divergence;
use crate::request::Request;
use crate::schedule::NoiseLevel;
use crate::solver::{Adaptive, Variance};
use crate::stage::Model;
use crate::tensor::copied;

/// Evaluates the network once, for a sampling process of the host's own. It estimates the clean samples behind the
/// noisy samples `x`, and writes them to `denoised`.
///
/// Each of the two arrays holds `count` items of the model's shape, `length` values in all. Both may be the same array.
/// (`t`, `alpha`, `sigma`) is the noise level of `x`. `request` sets the classes and conditions of the items, and their
/// shape where the model leaves it free. Its other settings are about runs, and are ignored. `request` may be NULL for
/// a model without classes and conditions.
///
/// `cancel` may be NULL. Once it is cancelled, the call promptly returns DIFFUSE_CANCELLED, also while it waits for its
/// turn. Returns DIFFUSE_EVALUATION if the network fails or predicts something that is not a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_denoise(
    model: *const diffuse_model,
    request: *const diffuse_request,
    x: *const f32,
    length: usize,
    count: usize,
    t: f64,
    alpha: f64,
    sigma: f64,
    cancel: *const diffuse_cancel,
    denoised: *mut f32,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (model, x, canceller) =
            unsafe { (&borrow(model, "model")?.model, slice(x, length, "x")?, canceller_of(cancel)?) };
        // SAFETY: as above.
        let (x, condition) = unsafe { told(model, request, x, count) }?;
        let level = NoiseLevel { t, alpha, sigma };
        let answer = model.denoise(x, level, &condition, &canceller)?;
        // SAFETY: as above; `x` is not read any more, so the two may be the same.
        copy_out(answer.view(), unsafe { slice_mut(denoised, length, "denoised") }?, "denoised")
    })
}

/// Computes the logarithm of the density, in nats, of each of the `count` samples in `x`. It follows the
/// probability-flow ODE. `x` has `length` values in all, and `log_densities` has room for `count` values.
///
/// `directions` is the number of random directions in Hutchinson's estimate of the divergence. They are drawn with
/// `seed`. 0 takes the whole trace, for points and other small items. `tolerance` is the error that a step may have,
/// relative and absolute, from 1e-9 to 0.1. A usual value is 1e-5. `request` and `cancel` are as for
/// diffuse_model_denoise().
///
/// The result is the density of the slightly noisy sample at the least noisy level of the schedule. It takes hundreds
/// of evaluations or more for each item.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_log_density(
    model: *const diffuse_model,
    request: *const diffuse_request,
    x: *const f32,
    length: usize,
    count: usize,
    directions: usize,
    tolerance: f64,
    seed: u64,
    cancel: *const diffuse_cancel,
    log_densities: *mut f64,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (model, x, canceller, out) = unsafe {
            let (model, x) = (&borrow(model, "model")?.model, slice(x, length, "x")?);
            (model, x, canceller_of(cancel)?, slice_mut(log_densities, count, "log_densities")?)
        };
        // SAFETY: as above.
        let (x, condition) = unsafe { told(model, request, x, count) }?;
        if !(1e-9..=0.1).contains(&tolerance) {
            return Err(Error::argument("tolerance", format!("{tolerance}; expected a number from 1e-9 to 0.1")));
        }
        let divergence = if directions == 0 { Divergence::Exact } else { Divergence::Hutchinson(directions) };
        let tolerance = Adaptive { relative: tolerance, absolute: tolerance, max_evaluations: 100_000 };
        out.copy_from_slice(&model.log_density(x, &condition, divergence, tolerance, seed, &canceller)?);
        Ok(())
    })
}

/// Computes DDPM's variational bound on the negative log-probability of each of the `count` samples in `x`. It writes
/// the bounds, in bits per value, to `bits_per_dim`, which has room for `count` values. `x` has `length` values in all,
/// from -1 to 1 in 256 steps.
///
/// `variance` is the variance of the reverse process: "posterior" or "beta". For a network that predicts it, `variance`
/// may also be "learned" or "learned-range". The noise is drawn with `seed`. `request` and `cancel` are as for
/// diffuse_model_denoise().
///
/// The call takes one evaluation for each training step. Returns DIFFUSE_ARGUMENT if the schedule has no training
/// steps.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_variational_bound(
    model: *const diffuse_model,
    request: *const diffuse_request,
    x: *const f32,
    length: usize,
    count: usize,
    variance: *const c_char,
    seed: u64,
    cancel: *const diffuse_cancel,
    bits_per_dim: *mut f64,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (model, x, variance, canceller, out) = unsafe {
            let (model, x) = (&borrow(model, "model")?.model, slice(x, length, "x")?);
            let (variance, canceller) = (variance_of(variance)?, canceller_of(cancel)?);
            (model, x, variance, canceller, slice_mut(bits_per_dim, count, "bits_per_dim")?)
        };
        // SAFETY: as above.
        let (x, condition) = unsafe { told(model, request, x, count) }?;
        let bounds = model.variational_bound(x, &condition, variance, seed, &canceller)?;
        out.iter_mut().zip(bounds).for_each(|(out, bound)| *out = bound.total);
        Ok(())
    })
}

/// Adds noise to clean samples: `x` becomes alpha·x0 + sigma·noise at the time `time` of the model's schedule. Each of
/// the two arrays holds `count` items, `length` values in all. Both may be the same array.
///
/// The noise is that of a run with this seed and the option noise at "counter". Item i has the noise of seed + i.
/// `request` sets the shape of the items where the model leaves it free. Otherwise it may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_model_add_noise(
    model: *const diffuse_model,
    request: *const diffuse_request,
    x0: *const f32,
    length: usize,
    count: usize,
    time: f64,
    seed: u64,
    x: *mut f32,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands; what is read is copied before anything is written.
        let (model, request, clean) = unsafe {
            (&borrow(model, "model")?.model, request_or_default(request)?, copied(slice(x0, length, "x0")?)?)
        };
        let noisy = model.add_noise(items_of(model, &request, &clean, count)?, time, seed)?;
        // SAFETY: as above.
        copy_out(noisy.view(), unsafe { slice_mut(x, length, "x") }?, "length")
    })
}

/// # Safety
/// `request` is NULL or a handle.
unsafe fn request_or_default<'a>(request: *const diffuse_request) -> Result<Cow<'a, Request>> {
    if request.is_null() {
        return Ok(Cow::Owned(Request::default()));
    }
    // SAFETY: passed on.
    unsafe { borrow(request, "request") }?.request().map(Cow::Borrowed)
}

/// Returns a host's values as items of the shape that the model and the request set, and the condition of these items.
///
/// # Safety
/// As [`request_or_default`].
unsafe fn told<'a>(
    model: &Model,
    request: *const diffuse_request,
    x: &'a [f32],
    count: usize,
) -> Result<(ArrayViewD<'a, f32>, Condition)> {
    // SAFETY: passed on.
    let request = unsafe { request_or_default(request) }?;
    let x = items_of(model, &request, x, count)?;
    let condition = request.told(model, x.shape())?;
    Ok((x, condition))
}

/// # Safety
/// As [`string`].
unsafe fn variance_of(word: *const c_char) -> Result<Variance> {
    // SAFETY: passed on.
    let word = unsafe { string(word, "variance") }?;
    let unknown = || Error::argument("variance", format!("{word:?}; expected {}", Variance::WORDS.join(", ")));
    Variance::from_word(word).ok_or_else(unknown)
}

/// Returns a host's values as `count` items of the shape that the model and the request set.
fn items_of<'a>(model: &Model, request: &Request, x: &'a [f32], count: usize) -> Result<ArrayViewD<'a, f32>> {
    let shape = [vec![count], request.item(model)?].concat();
    exactly(x, &shape).ok_or_else(|| {
        Error::argument("length", format!("{} values do not make {count} items of {:?}", x.len(), &shape[1..]))
    })
}
