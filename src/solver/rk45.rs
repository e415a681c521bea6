//! The probability-flow ODE by an adaptive Runge–Kutta method: Dormand & Prince 1980, "A family of embedded Runge–Kutta
//! formulae", with the step control of Hairer, Nørsett, Wanner 1993, "Solving Ordinary Differential Equations I",
//! §II.4; Song et al. 2021, arXiv:2011.13456, §4.3, sample with scipy's RK45, which is the same pair.

use std::fmt;

use super::entry::{Entry, Solver};
use super::integration::Adaptive;
use super::update::{Cursor, Move};
use crate::option::{Fallback, Group, Kind, OptionEntry};
use crate::schedule::Grid;

/// Steps of fifth order whose length is chosen so that the error, by the difference from a fourth-order result, is
/// within the tolerance. It goes from the first level of the grid to the last that has noise, and takes x̂₀ there if the
/// grid ends at the clean sample; the levels between do not matter.
///
/// Each item is integrated by itself, since the steps that fit a batch would make every item depend on the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rk45(pub Adaptive);

impl Solver for Rk45 {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        // What the steps would be with one of the grid's each, for whoever asks without running.
        super::euler::Euler::default().plan(grid, at)
    }

    fn adaptive(&self) -> Option<Adaptive> {
        Some(self.0)
    }
}

impl fmt::Display for Rk45 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Adaptive { relative, absolute, .. } = self.0;
        write!(f, "rk45 (adaptive; tolerance {absolute} + {relative}·|y|)")
    }
}

const RTOL: OptionEntry = OptionEntry {
    key: "rtol",
    group: Group::Solver,
    kind: Kind::Real(1e-6, 1.0),
    default: Fallback::Real(1e-4),
    summary: "The error that a step of rk45 may have relative to the sample, which is f32.",
};
const ATOL: OptionEntry = OptionEntry {
    key: "atol",
    group: Group::Solver,
    kind: Kind::Real(1e-9, 1.0),
    default: Fallback::Real(1e-4),
    summary: "The error that a step of rk45 may have beside that.",
};
const MAX_EVALUATIONS: OptionEntry = OptionEntry {
    key: "max_evaluations",
    group: Group::Solver,
    kind: Kind::Whole(13, 10_000_000),
    default: Fallback::Whole(10_000),
    summary: "After how many evaluations of an item rk45 gives up.",
};

pub(super) const ENTRY: Entry = Entry {
    name: "rk45",
    summary: "Dormand & Prince: the probability-flow ODE with steps of its own choice, to a tolerance",
    options: &[RTOL, ATOL, MAX_EVALUATIONS],
    build: |options| {
        Ok(Box::new(Rk45(Adaptive {
            relative: RTOL.real(options),
            absolute: ATOL.real(options),
            max_evaluations: MAX_EVALUATIONS.whole(options),
        })))
    },
    as_diffusers: None,
};
