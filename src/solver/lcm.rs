//! LCM, which is the multistep sampling of consistency models (Song et al. 2023, arXiv:2303.01469, algorithm 1).
//! Source: Luo, Tan, Huang, Li, Zhao 2023, "Latent Consistency Models", arXiv:2310.04378, algorithm 3.

use std::fmt;

use super::churn::S_NOISE;
use super::entry::{Entry, Solver};
use super::update::{Cursor, Move, Update};
use crate::option::{Fallback, Group, Kind, OptionEntry};
use crate::schedule::Grid;

/// The LCM sampler. The network predicts the end of the trajectory, and noise takes it to the next level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lcm {
    /// The factor of times in the boundary condition `c_skip·x + c_out·x̂₀`. 0 uses x̂₀ alone. So does `None` where
    /// time does not count training steps.
    pub(super) timestep_scaling: Option<f64>,
    /// The standard deviation of the noise, relative to the exact one.
    pub(super) noise: f64,
}

/// The factor of times in training. It matters at the first few times only.
const SCALING: f64 = 10.0;
/// The factor where time does not count training steps.
const SCALING_OF_CONTINUOUS_TIME: f64 = 0.0;

/// The standard deviation of the data in the boundary condition.
const SIGMA_DATA: f64 = 0.5;

impl Solver for Lcm {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        let usual = if grid.schedule().train_steps().is_some() { SCALING } else { SCALING_OF_CONTINUOUS_TIME };
        let scaling = self.timestep_scaling.unwrap_or(usual);
        let end = if scaling == 0.0 {
            Update::DENOISED
        } else {
            let scaled = from.t * scaling;
            let norm = scaled * scaled + SIGMA_DATA * SIGMA_DATA;
            Update::DENOISED * (scaled / norm.sqrt()) + Update::X * (SIGMA_DATA * SIGMA_DATA / norm)
        };
        Move::step(at, end * to.alpha + Update::NOISE * (to.sigma * self.noise))
    }
}

impl fmt::Display for Lcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.noise == 1.0 { f.write_str("lcm") } else { write!(f, "lcm (noise {})", self.noise) }
    }
}

const TIMESTEP_SCALING: OptionEntry = OptionEntry {
    key: "timestep_scaling",
    group: Group::Solver,
    kind: Kind::Real(0.0, 1e6),
    default: Fallback::But(
        &Fallback::Real(SCALING),
        &[("in continuous time", Fallback::Real(SCALING_OF_CONTINUOUS_TIME))],
    ),
    summary: "The factor of times in the boundary condition of LCM. 0 is no boundary condition.",
};

pub(super) const ENTRY: Entry = Entry {
    name: "lcm",
    summary: "Luo et al. 2023. For distilled consistency models, 1 to 8 steps, with the grid lcm.",
    options: &[TIMESTEP_SCALING, S_NOISE],
    build: |options| {
        let timestep_scaling = options.real(TIMESTEP_SCALING.key);
        Ok(Box::new(Lcm { timestep_scaling, noise: S_NOISE.real(options) }))
    },
    as_diffusers: None,
};
