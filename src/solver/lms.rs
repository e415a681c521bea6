//! The linear multistep method, which is Adams–Bashforth on uneven levels. Source: `sample_lms` of Katherine Crowson's
//! k-diffusion. Its σ is u = σ/α here.

use std::fmt;

use super::entry::{Entry, Solver};
use super::exponential::integral;
use super::update::{Cursor, Move, Update};
use crate::option::{Fallback, Group, Kind, OptionEntry};
use crate::schedule::Grid;

/// The linear multistep method. The slope is replaced by the polynomial through its last values, which is integrated. A
/// step takes one evaluation. The order is the number of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lms {
    /// The greatest number of slopes, 1 to 4.
    pub(super) order: usize,
}

impl Solver for Lms {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let frame = grid.frame();
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        let order = self.order.min(at.step + 1);
        let nodes: Vec<f64> = (0..order).map(|j| frame.u(grid.levels()[at.step - j])).collect();
        let weight = |j| integral(&nodes, j, frame.u(from), frame.u(to));
        let slots = self.slots();
        let earlier = |j: usize| Update::kept((at.step - j) % slots);
        let change = (1..order).fold(frame.slope(from) * weight(0), |sum, j| sum + earlier(j) * weight(j));
        let update = (Update::X / frame.scale(from) + change) * frame.scale(to);
        let step = Move::step(at, update);
        if slots == 0 { step } else { step.keep(at.step % slots, frame.slope(from)) }
    }

    fn slots(&self) -> usize {
        self.order - 1
    }
}

impl fmt::Display for Lms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lms (order {})", self.order)
    }
}

const ORDER: OptionEntry = OptionEntry {
    key: "lms_order",
    group: Group::Solver,
    kind: Kind::Whole(1, 4),
    default: Fallback::Whole(4),
    summary: "The number of slopes that a step uses.",
};

pub(super) const ENTRY: Entry = Entry {
    name: "lms",
    summary: "k-diffusion. Linear multistep of order 4, one evaluation a step.",
    options: &[ORDER],
    build: |options| Ok(Box::new(Lms { order: ORDER.whole(options) })),
    as_diffusers: None,
};
