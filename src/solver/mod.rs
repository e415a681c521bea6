//! Solvers: how to move from one noise level to the next, as numbers.
//!
//! A solver is a pure function from a grid and a cursor to coefficients. It holds no tensor and no state, so it can be
//! checked without a network, printed as a table, and left and resumed between any two evaluations.
//!
//! One page per solver. To add one: write its page with an [`Entry`], and name it in [`SOLVERS`].
//!
//! - Ho, Jain, Abbeel 2020, "Denoising Diffusion Probabilistic Models", arXiv:2006.11239: `ddpm`
//! - Song, Meng, Ermon 2020, "Denoising Diffusion Implicit Models", arXiv:2010.02502: `ddim`

mod ddim;
mod ddpm;

pub use ddim::Ddim;
pub use ddpm::{Ddpm, Variance};

use std::fmt;

use crate::error::{Error, Result};
use crate::option::{OptionEntry, Options};
use crate::schedule::{Grid, NoiseLevel};

/// Every solver, by the name that it has in all of the interfaces.
pub const SOLVERS: &[Entry] = &[ddpm::ENTRY, ddim::ENTRY];

/// `x ← x·`[`x`](Self::x)` + x̂₀·`[`denoised`](Self::denoised)` + d·`[`direction`](Self::direction)` + z·`[`noise`](Self::noise)
///
/// where x̂₀ is the denoised sample, d the x̂₀ from which the direction back to the noise (ε̂) is taken, and z standard
/// normal. d is x̂₀ itself unless a denoiser parts the two, as diffusers' DDIM does when it clips.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Update {
    /// The coefficient of x.
    pub x: f64,
    /// The coefficient of x̂₀.
    pub denoised: f64,
    /// The coefficient of the x̂₀ that ε̂ is taken from.
    pub direction: f64,
    /// The coefficient of fresh noise; 0 where none is to be drawn.
    pub noise: f64,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Cursor {
    /// The step of the grid: the run has reached `grid.levels()[step]`.
    pub step: usize,
    /// The stage within the step, for solvers that take several.
    pub stage: usize,
}

/// One move: apply `update`, go on at `next`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Move {
    /// What happens to x.
    pub update: Update,
    /// Where the run stands afterwards.
    pub next: Cursor,
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
            return Err(Error::argument(key, format!("{name} has no such option; {} has it", with.join(", "))));
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
        assert!(message.starts_with("eta: ddpm") && message.contains("ddim has it"), "{message}");
    }
}
