//! The C ABI: a thin layer over the crate, with one file per noun of `include/diffuse.h`.
//!
//! An export unwraps its pointers, makes one call and stores the result. Rules that hold for every export live in one
//! place. Panics and errors are in `guard.rs`, handles in `handle.rs`, and the numbers of the status codes in
//! `status.rs`.
#![allow(non_camel_case_types, reason = "these are the names of a C header")]
#![allow(clippy::missing_safety_doc, reason = "the header says once, at its top, what every pointer has to be")]

#[cfg(panic = "abort")]
compile_error!("the feature capi needs panic = \"unwind\": with abort, a bug here would end the host");

mod buffers;
mod calls;
mod cancel;
mod element;
mod error;
mod estimate;
mod guard;
mod handle;
mod job;
mod log;
mod model;
mod pixels;
mod request;
mod runtime;
mod status;
mod user_data;
mod version;

pub use calls::*;
pub use cancel::*;
pub use element::*;
pub use error::*;
pub use estimate::*;
pub use job::*;
pub use log::*;
pub use model::*;
pub use pixels::*;
pub use request::*;
pub use runtime::*;
pub use status::*;
pub use user_data::*;
pub use version::*;
