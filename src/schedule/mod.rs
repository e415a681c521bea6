//! Noise schedules: how much of the clean sample, α(t), and how much noise, σ(t), a sample holds at time t.
//!
//! Every process here is one Gaussian path, `x_t = α(t)·x₀ + σ(t)·ε` with ε standard normal.

mod beta;
mod continuous;
mod grid;
mod level;

pub use beta::{BetaKind, BetaSchedule, Tables, Terminal};
pub use continuous::{
    ContinuousCosine, Edm, Flow, SubVariancePreserving, Trigonometric, VarianceExploding, VariancePreserving,
};
pub use grid::{Ending, Grid, GridOptions, Spacing};
pub(crate) use grid::{MOST_STEPS, NOTHING_TO_STRETCH};
pub use level::{Frame, NoiseLevel, NoiseSchedule, Rates};
