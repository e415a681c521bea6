//! The probability-flow ODE by an adaptive Runge–Kutta method. Sources: Dormand & Prince 1980, "A family of embedded
//! Runge–Kutta formulae". Hairer, Nørsett, Wanner 1993, "Solving Ordinary Differential Equations I", §II.4, for the
//! step control. Song et al. 2021, arXiv:2011.13456, §4.3, sample with scipy's RK45, which is the same pair.

use std::fmt;

use super::entry::{Entry, Solver};
use super::integration::Adaptive;
use super::update::{Cursor, Move};
use crate::option::{Fallback, Group, Kind, OptionEntry};
use crate::schedule::Grid;

/// An adaptive solver of fifth order. It chooses the length of its steps so that the error is within the tolerance. The
/// error is the difference from a fourth-order result.
///
/// It goes from the first level of the grid to the last that has noise. If the grid ends at the clean sample, it takes
/// x̂₀ there. The levels between do not matter.
///
/// Each item is integrated by itself, since steps that fit a batch would make every item depend on the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rk45(pub Adaptive);

impl Solver for Rk45 {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        // These steps take one of the grid's each, for a plan that is printed without a run.
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
    summary: "The tolerated error of a step of rk45 relative to the sample, which is f32.",
};
const ATOL: OptionEntry = OptionEntry {
    key: "atol",
    group: Group::Solver,
    kind: Kind::Real(1e-9, 1.0),
    default: Fallback::Real(1e-4),
    summary: "The tolerated error of a step of rk45 beside that.",
};
const MAX_EVALUATIONS: OptionEntry = OptionEntry {
    key: "max_evaluations",
    group: Group::Solver,
    kind: Kind::Whole(13, 10_000_000),
    default: Fallback::Whole(10_000),
    summary: "The evaluations of an item after which rk45 gives up.",
};

pub(super) const ENTRY: Entry = Entry {
    name: "rk45",
    summary: "Dormand & Prince. The probability-flow ODE with steps of its own choice, to a tolerance.",
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
