//! The `scheduler_config.json` of diffusers: what it says in this crate's words, and what its schedulers do otherwise.

mod classes;
mod config;
mod departures;
mod fields;
mod levels;
mod numbers;
mod spread;

pub use config::{DynamicShift, SchedulerConfig};
pub(crate) use departures::Run;
pub use departures::{DEPARTURES, Departure};
pub(crate) use levels::Asked;
