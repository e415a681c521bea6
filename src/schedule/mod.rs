//! Noise schedules, and the grids of noise levels that runs visit.
//!
//! A schedule has α(t), the share of the clean sample at time t, and σ(t), the share of noise. Every process here is a
//! Gaussian path, `x_t = α(t)·x₀ + σ(t)·ε`, with ε standard normal.

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
