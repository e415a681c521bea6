//! Solvers: how to move from one noise level to the next, as numbers.
//!
//! A solver is a pure function from a grid and a cursor to coefficients. It holds no tensor and no state, so it can be
//! checked without a network, printed as a table, and left and resumed between any two evaluations.
//!
//! One page per solver, with its paper at the head. To add one: write its page with an [`Entry`], and name it in [`SOLVERS`].

mod churn;
mod ddim;
mod ddim_inverse;
mod ddpm;
mod deis;
mod dpm2;
mod dpm_2s;
mod dpm_singlestep;
mod dpm_solver;
mod euler;
mod exponential;
mod frame;
mod gradient_estimation;
mod heun;
pub(crate) mod langevin;
mod lcm;
mod lms;
mod pndm;
mod reverse_sde;
mod rk45;
mod sa;
mod tcd;
mod unipc;

pub use churn::Churn;
pub use ddim::Ddim;
pub use ddim_inverse::DdimInverse;
pub use ddpm::{Ddpm, Variance};
pub use deis::Deis;
pub use dpm_2s::Dpm2s;
pub use dpm_singlestep::DpmSinglestep;
pub use dpm_solver::{Algorithm, DpmSolver, Variant};
pub use dpm2::Dpm2;
pub use euler::{Euler, EulerAncestral};
pub use heun::Heun;
pub use langevin::{Correction, Langevin, PredictorCorrector, StepSize};
pub use lcm::Lcm;
pub use lms::Lms;
pub use pndm::{Pndm, Warmup};
pub use reverse_sde::{Discretization, ReverseSde};
pub use rk45::{Adaptive, Rk45};
pub(crate) use rk45::{Integration, dormand_prince};
pub use sa::SaSolver;
pub use tcd::Tcd;
pub use unipc::{Scaling, UniPc};

use std::fmt;
use std::ops::{Add, Div, Mul, Sub};

use crate::error::{Error, Result};
use crate::option::{OptionEntry, Options};
use crate::schedule::{Grid, NoiseLevel};

/// Every solver, by the name that it has in all of the interfaces.
pub const SOLVERS: &[Entry] = &[
    ddpm::ENTRY,
    ddim::ENTRY,
    euler::ENTRY,
    euler::ANCESTRAL_ENTRY,
    heun::ENTRY,
    dpm2::ENTRY,
    lms::ENTRY,
    pndm::ENTRY,
    dpm_solver::ENTRY,
    dpm_singlestep::ENTRY,
    dpm_2s::ENTRY,
    deis::ENTRY,
    unipc::ENTRY,
    sa::ENTRY,
    lcm::ENTRY,
    tcd::ENTRY,
    gradient_estimation::ENTRY,
    reverse_sde::ENTRY,
    langevin::ENTRY,
    rk45::ENTRY,
];

/// The most tensors of earlier steps that a solver may keep.
pub const MOST_HISTORY: usize = 5;

/// What x becomes: `x·`[`x`](Self::x)` + x̂₀·`[`denoised`](Self::denoised)` + d·`[`direction`](Self::direction)` + z·`[`noise`](Self::noise)`
/// + s·`[`saved`](Self::saved)` + Σ hᵢ·`[`history`](Self::history)
///
/// where x̂₀ is the denoised sample, d the x̂₀ from which the direction back to the noise (ε̂) is taken, z standard normal, s the x that
/// was saved and h what earlier moves kept. d is x̂₀ itself unless a denoiser parts the two, as diffusers' DDIM does when it clips.
///
/// Updates add up and can be scaled, so that a solver is written as its paper writes it: [`X`](Self::X), [`DENOISED`](Self::DENOISED) and
/// so on are the symbols.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Update {
    /// The coefficient of x.
    pub x: f64,
    /// The coefficient of x̂₀.
    pub denoised: f64,
    /// The coefficient of the x̂₀ that ε̂ is taken from.
    pub direction: f64,
    /// The coefficient of fresh noise; 0 where none is to be drawn.
    pub noise: f64,
    /// The coefficient of the x that was saved.
    pub saved: f64,
    /// The coefficients of what was kept, slot by slot.
    pub history: [f64; MOST_HISTORY],
}

impl Update {
    const ZERO: Self =
        Self { x: 0.0, denoised: 0.0, direction: 0.0, noise: 0.0, saved: 0.0, history: [0.0; MOST_HISTORY] };
    /// x.
    pub const X: Self = Self { x: 1.0, ..Self::ZERO };
    /// x̂₀.
    pub const DENOISED: Self = Self { denoised: 1.0, ..Self::ZERO };
    /// The x̂₀ that ε̂ is taken from.
    pub const DIRECTION: Self = Self { direction: 1.0, ..Self::ZERO };
    /// Fresh noise.
    pub const NOISE: Self = Self { noise: 1.0, ..Self::ZERO };
    /// The x that was saved.
    pub const SAVED: Self = Self { saved: 1.0, ..Self::ZERO };

    /// What the slot holds.
    #[must_use]
    pub fn kept(slot: usize) -> Self {
        let mut update = Self::ZERO;
        update.history[slot] = 1.0;
        update
    }

    /// ε̂ at `level`: the noise that the network sees in x.
    #[must_use]
    pub fn epsilon(level: NoiseLevel) -> Self {
        (Self::X - Self::DIRECTION * level.alpha) / level.sigma
    }

    /// The score at `level`: −ε̂/σ.
    #[must_use]
    pub fn score(level: NoiseLevel) -> Self {
        (Self::DIRECTION * level.alpha - Self::X) / (level.sigma * level.sigma)
    }

    fn zip(self, other: Self, join: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            x: join(self.x, other.x),
            denoised: join(self.denoised, other.denoised),
            direction: join(self.direction, other.direction),
            noise: join(self.noise, other.noise),
            saved: join(self.saved, other.saved),
            history: std::array::from_fn(|slot| join(self.history[slot], other.history[slot])),
        }
    }
}

impl Add for Update {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
}

impl Sub for Update {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
}

impl Mul<f64> for Update {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        // Not a factor of what is not there: 0·∞ is no number.
        self.zip(self, |a, _| if a == 0.0 { 0.0 } else { a * factor })
    }
}

impl Div<f64> for Update {
    type Output = Self;

    fn div(self, divisor: f64) -> Self {
        self.zip(self, |a, _| if a == 0.0 { 0.0 } else { a / divisor })
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Cursor {
    /// The step of the grid: the run has reached `grid.levels()[step]`.
    pub step: usize,
    /// The stage within the step, for solvers that take several.
    pub stage: usize,
}

/// What fresh noise is multiplied by, value by value, beside its coefficient.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Deviation {
    /// Nothing.
    #[default]
    One,
    /// The root of the variance whose logarithm the network says.
    Logarithm,
    /// The root of the variance whose logarithm lies between these two as the network says: at the first for −1, at the second for 1
    /// (Nichol & Dhariwal 2021, eq. 15).
    Range([f64; 2]),
}

impl Deviation {
    /// The logarithm of the variance by which noise is multiplied, where the network says `said`.
    pub(crate) fn log_variance(self, said: f64) -> f64 {
        match self {
            Self::One => 0.0,
            Self::Logarithm => said,
            Self::Range([least, most]) => least + 0.5 * (said + 1.0) * (most - least),
        }
    }
}

/// One move: x becomes `update`, and the run stands at `next`. What is kept and saved is of before the update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Move {
    /// What becomes of x.
    pub update: Update,
    /// A slot and what it holds from now on, made of x, x̂₀ and d. The update still sees what it held.
    pub keep: Option<(usize, Update)>,
    /// Whether x is saved.
    pub save: bool,
    /// What the fresh noise is multiplied by.
    pub deviation: Deviation,
    /// The signal-to-noise ratio r of a Langevin step whose size `e = 2·(r·‖z‖/‖s‖)²` is found from the norms of each item's noise and score:
    /// the update has the score once and the noise √2 times, and they are multiplied by e and √e.
    pub norms: Option<f64>,
    /// Where the run stands afterwards.
    pub next: Cursor,
}

impl Move {
    /// The move from `at` to the next step, which keeps nothing.
    #[must_use]
    pub fn step(at: Cursor, update: Update) -> Self {
        Self {
            update,
            keep: None,
            save: false,
            deviation: Deviation::One,
            norms: None,
            next: Cursor { step: at.step + 1, stage: 0 },
        }
    }

    /// The move from `at` to the next stage of the same step.
    #[must_use]
    pub fn stage(at: Cursor, update: Update) -> Self {
        let next = Cursor { step: at.step, stage: at.stage + 1 };
        Self { update, keep: None, save: false, deviation: Deviation::One, norms: None, next }
    }

    /// The same, and `slot` holds `kept` from now on.
    #[must_use]
    pub fn keep(self, slot: usize, kept: Update) -> Self {
        Self { keep: Some((slot, kept)), ..self }
    }

    /// The same, and x is saved.
    #[must_use]
    pub fn save(self) -> Self {
        Self { save: true, ..self }
    }
}

/// How to move along a grid. See the [module](self). A solver is displayed as its name and what it was told.
pub trait Solver: fmt::Debug + fmt::Display + Send + Sync {
    /// The level at which x̂₀ is needed next; `None` if the next move needs no evaluation.
    ///
    /// `at.step` must be below `grid.steps()`.
    fn evaluate_at(&self, grid: &Grid, at: Cursor) -> Option<NoiseLevel> {
        Some(grid.levels()[at.step])
    }

    /// The move from `at`, whose step must be below `grid.steps()`.
    fn plan(&self, grid: &Grid, at: Cursor) -> Move;

    /// Whether its moves need what a network with a learned variance says of it.
    fn needs_variance(&self) -> bool {
        false
    }

    /// Whether the noise of its moves has the variance Σ of the reverse process, by which classifier guidance may move the mean.
    fn takes_shift(&self) -> bool {
        false
    }

    /// Whether its moves take ε̂ from [`Update::DIRECTION`] and everything else from [`Update::DENOISED`], as a guidance that parts the two needs it.
    fn takes_direction(&self) -> bool {
        false
    }

    /// The tolerance of a solver that chooses its own steps along the grid's way; [`plan`](Self::plan) is then not asked.
    fn adaptive(&self) -> Option<Adaptive> {
        None
    }

    /// How many slots its moves use.
    fn slots(&self) -> usize {
        0
    }
}

/// A solver's name, what it is, and how it is made.
pub struct Entry {
    /// The name, in lower case.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// What it may be told. Where two solvers have an option of the same name it is the same option.
    pub options: &'static [OptionEntry],
    build: fn(&Options) -> Result<Box<dyn Solver>>,
}

/// The names of [`SOLVERS`].
pub const NAMES: &[&str] = &{
    let mut names = [""; SOLVERS.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = SOLVERS[i].name;
        i += 1;
    }
    names
};

/// The option called `key` of whichever solvers have it.
#[must_use]
pub fn option(key: &str) -> Option<&'static OptionEntry> {
    SOLVERS.iter().flat_map(|entry| entry.options).find(|option| option.key == key)
}

/// The solver called `name`.
///
/// # Errors
/// [`Error::Argument`] if there is none of this name, or if it does not have one of the options.
pub fn build(name: &str, options: &Options) -> Result<Box<dyn Solver>> {
    let Some(entry) = SOLVERS.iter().find(|entry| entry.name == name) else {
        return Err(Error::argument("solver", format!("there is no solver '{name}'; there are {}", NAMES.join(", "))));
    };
    for (key, _) in options.iter() {
        if !entry.options.iter().any(|option| option.key == key) {
            let with: Vec<&str> = SOLVERS
                .iter()
                .filter(|entry| entry.options.iter().any(|option| option.key == key))
                .map(|entry| entry.name)
                .collect();
            let whose = if with.len() == 1 { "has" } else { "have" };
            return Err(Error::argument(key, format!("{name} has no such option; {} {whose} it", with.join(", "))));
        }
    }
    (entry.build)(options)
}

/// How the standard deviation at level `to` is split, coming from `from`: into the part of the noise that is kept and the
/// part that is drawn afresh, for η ∈ [0, 1]. With a constant x̂₀ the first-order move is then
/// `x ← α_to·x̂₀ + kept·ε̂ + fresh·z` with `ε̂ = (x − α_from·x̂₀)/σ_from` (DDIM, eqs. 12 and 16, for any α and σ).
fn split_noise(from: NoiseLevel, to: NoiseLevel, eta: f64) -> (f64, f64) {
    let decay = from.alpha * to.sigma / (to.alpha * from.sigma);
    let fresh = eta * to.sigma * ((1.0 - decay) * (1.0 + decay)).max(0.0).sqrt();
    // √(σ² − fresh²), written so that nothing cancels where nearly all of the noise is fresh.
    let kept = to.sigma * ((1.0 - eta) * (1.0 + eta) + (eta * decay).powi(2)).max(0.0).sqrt();
    (kept, fresh)
}

/// The level that the deterministic part of a move from `from` to `to` ends at, and the noise that is drawn on top, for η ∈ [0, 1].
fn ancestral_split(from: NoiseLevel, to: NoiseLevel, eta: f64) -> (NoiseLevel, f64) {
    if eta == 0.0 {
        return (to, 0.0);
    }
    let (kept, fresh) = split_noise(from, to, eta);
    (NoiseLevel { sigma: kept, ..to }, fresh)
}

/// β of a move: the variance of the noise that the forward process adds from `to` up to `from`.
pub(crate) fn added_variance(from: NoiseLevel, to: NoiseLevel) -> f64 {
    let decay = from.alpha / to.alpha;
    ((from.sigma - decay * to.sigma) * (from.sigma + decay * to.sigma)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::option::Value;

    #[test]
    fn an_unknown_solver_is_an_error_that_lists_the_known_ones() {
        let message = build("dddim", &Options::default()).unwrap_err().to_string();
        assert!(message.contains("dddim") && message.contains("ddpm, ddim"), "{message}");
    }

    #[test]
    fn names_are_unique() {
        for (i, entry) in SOLVERS.iter().enumerate() {
            assert!(SOLVERS[..i].iter().all(|earlier| earlier.name != entry.name));
            assert!(build(entry.name, &Options::default()).is_ok());
        }
    }

    #[test]
    fn an_option_means_the_same_to_every_solver() {
        for entry in SOLVERS {
            for known in entry.options {
                assert_eq!(Some(known), option(known.key));
            }
        }
    }

    #[test]
    fn an_option_of_another_solver_is_an_error_that_says_whose_it_is() {
        let mut options = Options::default();
        options.set("eta", Value::Real(0.5));
        let message = build("ddpm", &options).unwrap_err().to_string();
        assert!(
            message.starts_with("eta: ddpm") && message.contains("ddim, ") && message.contains(" have it"),
            "{message}"
        );
    }
}
