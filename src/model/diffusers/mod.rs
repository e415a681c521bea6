//! The `scheduler_config.json` of diffusers: what it says in this crate's words, and what its schedulers do otherwise.

mod classes;
mod config;
mod departures;
mod fields;
mod levels;
mod numbers;
mod spread;

pub use config::{DynamicShift, SchedulerConfig};
pub use departures::{Compat, DEPARTURES, Departure};
pub use levels::Asked;
