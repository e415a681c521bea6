//! Solvers: how to move from one noise level to the next, as numbers.
//!
//! A solver is a pure function from a grid and a cursor to coefficients. It holds no tensor and no state. So it can be
//! checked without a network, printed as a table, and left and resumed between any two evaluations.
//!
//! There is one file per solver, with its paper at the head. To add a solver, write its file with an [`Entry`] and name
//! it in [`SOLVERS`]. Then give it a line in `tests/all/order.rs` or `tests/all/distributions.rs`. A test fails where
//! both lack it.

mod ancestral;
mod churn;
mod consistency;
mod ddim;
mod ddim_inverse;
mod ddpm;
mod deis;
mod dpm2;
mod dpm_2s;
mod dpm_cogvideox;
mod dpm_singlestep;
mod dpm_solver;
mod entry;
mod euler;
mod euler_ancestral_rf;
mod exponential;
mod frame;
mod gradient_estimation;
mod heun;
mod integration;
mod langevin;
mod lcm;
mod lms;
mod pndm;
mod reverse_sde;
mod rk45;
mod sa;
mod tcd;
mod unipc;
mod update;

pub(crate) use ancestral::added_variance;
pub use churn::Churn;
pub use consistency::Consistency;
pub use ddim::Ddim;
pub(crate) use ddim::ETA;
pub use ddim_inverse::DdimInverse;
pub use ddpm::{Ddpm, Variance};
pub use deis::Deis;
pub use dpm_2s::Dpm2s;
pub use dpm_singlestep::DpmSinglestep;
pub use dpm_solver::{Algorithm, DpmSolver, Variant};
pub use dpm2::Dpm2;
pub use entry::{Diffusers, Entry, Habit, Solver};
pub use euler::{Euler, EulerAncestral};
pub use euler_ancestral_rf::EulerAncestralRf;
pub use heun::Heun;
pub use integration::Adaptive;
pub(crate) use integration::{Integration, dormand_prince};
pub(crate) use langevin::{CORRECTOR_SIZE, CORRECTOR_SNR, CORRECTOR_STEPS};
pub use langevin::{Correction, Langevin, PredictorCorrector, StepSize};
pub use lcm::Lcm;
pub use lms::Lms;
pub use pndm::{Pndm, Warmup};
pub use reverse_sde::{Discretization, ReverseSde};
pub use rk45::Rk45;
pub use sa::SaSolver;
pub use tcd::Tcd;
pub use unipc::{Scaling, UniPc};
pub use update::{Cursor, Deviation, MOST_HISTORY, Move, Update};

use crate::error::{Error, Result};
use crate::option::{OptionEntry, Options};

/// Every solver, by the name that it has in all interfaces.
pub const SOLVERS: &[Entry] = &[
    ddpm::ENTRY,
    ddim::ENTRY,
    euler::ENTRY,
    euler::ANCESTRAL_ENTRY,
    heun::ENTRY,
    dpm2::ENTRY,
    lms::ENTRY,
    pndm::ENTRY,
    dpm_cogvideox::ENTRY,
    dpm_singlestep::ENTRY,
    dpm_2s::ENTRY,
    deis::ENTRY,
    unipc::ENTRY,
    sa::ENTRY,
    lcm::ENTRY,
    tcd::ENTRY,
    consistency::ENTRY,
    euler_ancestral_rf::ENTRY,
    gradient_estimation::ENTRY,
    reverse_sde::ENTRY,
    langevin::ENTRY,
    rk45::ENTRY,
];

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

/// The option called `key` of any solver that has it.
#[must_use]
pub fn option(key: &str) -> Option<&'static OptionEntry> {
    SOLVERS.iter().flat_map(|entry| entry.options).find(|option| option.key == key)
}

/// The solver called `name`.
///
/// # Errors
/// [`Error::Argument`] if there is none of this name, or if it does not have one of the options.
pub fn build(name: &str, options: &Options) -> Result<Box<dyn Solver>> {
    checked(name, options).and_then(|entry| (entry.build)(options))
}

/// The solver called `name`, with the steps of diffusers' scheduler.
///
/// # Errors
/// As [`build`].
pub fn build_as_diffusers(name: &str, options: &Options, told: &Diffusers) -> Result<Box<dyn Solver>> {
    let entry = checked(name, options)?;
    entry.as_diffusers.map_or_else(|| (entry.build)(options), |build| build(options, told))
}

/// The entry of that name, if it has all of the options.
fn checked(name: &str, options: &Options) -> Result<&'static Entry> {
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
    Ok(entry)
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
