//! Reads the `scheduler_config.json` of diffusers, and lists where its schedulers differ.

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
