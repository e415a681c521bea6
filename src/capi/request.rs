//! What is to be drawn, and how.

use std::ffi::c_char;

use super::guard::{guard, quietly, slice, string};
use super::handle::{Noun, borrow_mut, give, take};
use crate::error::{Error, Result};
use crate::pipeline::{Clipping, Likeness, Noise, Request};
use crate::schedule::{Ending, Spacing};
use crate::solver::Variance;

/// What is to be drawn, and how. What is not set is as the model's manifest says. Values are checked when a job is made.
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

/// The value that `name` stands for.
fn named<T: Copy>(argument: &'static str, name: &str, names: &[(&str, T)]) -> Result<T> {
    match names.iter().find(|(known, _)| *known == name) {
        Some((_, value)) => Ok(*value),
        None => {
            let known: Vec<&str> = names.iter().map(|(known, _)| *known).collect();
            Err(Error::argument(argument, format!("there is no '{name}'; there are {}", known.join(", "))))
        }
    }
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

/// The class of every item, `count` of them, which becomes the number of items. They are copied.
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

/// The solver: "ddpm" or "ddim".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_solver(request: *mut diffuse_request, name: *const c_char) -> i32 {
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            request.solver = Some(string(name, "name")?.to_owned());
            Ok(())
        })
    }
}

/// The number of steps, from 1 to the number of training steps.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_steps(request: *mut diffuse_request, steps: usize) -> i32 {
    // SAFETY: the handle is as the header demands.
    unsafe {
        set(request, |request| {
            request.steps = Some(steps);
            Ok(())
        })
    }
}

/// How the steps are spread over those of training: "leading", "trailing" or "linspace".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_grid(request: *mut diffuse_request, name: *const c_char) -> i32 {
    const NAMES: &[(&str, Spacing)] =
        &[("leading", Spacing::Leading), ("trailing", Spacing::Trailing), ("linspace", Spacing::Linspace)];
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            request.grid = Some(named("name", string(name, "name")?, NAMES)?);
            Ok(())
        })
    }
}

/// What is added to the times of the leading grid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_steps_offset(request: *mut diffuse_request, offset: usize) -> i32 {
    // SAFETY: the handle is as the header demands.
    unsafe {
        set(request, |request| {
            request.steps_offset = Some(offset);
            Ok(())
        })
    }
}

/// Where the run ends: "clean" (at the clean sample, the default) or "first" (at the least noisy level of training).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_ending(request: *mut diffuse_request, name: *const c_char) -> i32 {
    const NAMES: &[(&str, Ending)] = &[("clean", Ending::Clean), ("first", Ending::First)];
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            request.ending = named("name", string(name, "name")?, NAMES)?;
            Ok(())
        })
    }
}

/// ddim's share of fresh noise, from 0 to 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_eta(request: *mut diffuse_request, eta: f64) -> i32 {
    // SAFETY: the handle is as the header demands.
    unsafe {
        set(request, |request| {
            request.options.eta = Some(eta);
            Ok(())
        })
    }
}

/// The variance of ddpm's noise: "posterior" (the default) or "beta".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_variance(request: *mut diffuse_request, name: *const c_char) -> i32 {
    const NAMES: &[(&str, Variance)] = &[("posterior", Variance::Posterior), ("beta", Variance::Beta)];
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            request.options.variance = Some(named("name", string(name, "name")?, NAMES)?);
            Ok(())
        })
    }
}

/// Whether the denoised sample is kept in the data's range at every step: "model" (as the manifest says, the default), "off", "on"
/// (the noise is then taken from the clipped sample) or "keep-noise" (the noise is as the network said).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_clipping(request: *mut diffuse_request, name: *const c_char) -> i32 {
    const NAMES: &[(&str, Clipping)] = &[
        ("model", Clipping::Model),
        ("off", Clipping::Off),
        ("on", Clipping::On),
        ("keep-noise", Clipping::KeepNoise),
    ];
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            request.clipping = named("name", string(name, "name")?, NAMES)?;
            Ok(())
        })
    }
}

/// Whose arithmetic is followed where diffusers departs from the papers: "papers" (the default) or "diffusers".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_likeness(request: *mut diffuse_request, name: *const c_char) -> i32 {
    const NAMES: &[(&str, Likeness)] = &[("papers", Likeness::Papers), ("diffusers", Likeness::Diffusers)];
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            request.likeness = named("name", string(name, "name")?, NAMES)?;
            Ok(())
        })
    }
}

/// Where the noise comes from: "counter" (diffuse's own, the default), "torch" (torch's CPU generator, one for the batch) or
/// "torch-per-item" (one for every item).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_request_set_noise(request: *mut diffuse_request, name: *const c_char) -> i32 {
    const NAMES: &[(&str, Noise)] =
        &[("counter", Noise::Counter), ("torch", Noise::Torch), ("torch-per-item", Noise::TorchPerItem)];
    // SAFETY: the pointers are as the header demands.
    unsafe {
        set(request, |request| {
            request.noise = named("name", string(name, "name")?, NAMES)?;
            Ok(())
        })
    }
}
