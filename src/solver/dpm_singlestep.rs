//! DPM-Solver and DPM-Solver++ in singlestep form, on the levels of the grid as in diffusers'
//! DPMSolverSinglestepScheduler. Sources: Lu et al. 2022, arXiv:2206.00927, algorithms 1 and 2, and arXiv:2211.01095,
//! algorithm 1.

use std::fmt;

use super::dpm_solver::{ALGORITHM, Algorithm, LOWER_ORDER_FINAL, ORDER, VARIANT, Variant, misprint};
use super::entry::{Entry, Solver};
use super::update::{Cursor, Move, Update};
use crate::error::{Error, Result};
use crate::option::Options;
use crate::schedule::Grid;

/// Singlestep DPM-Solver. It works in blocks of as many levels as its order.
///
/// Each step of a block begins anew at the block's start, with the predictions made since. The first step is of order
/// 1, then comes one of order 2, then one of order 3. Nothing is carried from block to block. The number of steps is
/// that of evaluations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpmSinglestep {
    /// The quantity that is expanded.
    pub(super) algorithm: Algorithm,
    /// The order, 1 to 3.
    pub(super) order: usize,
    /// How the derivative enters.
    pub(super) variant: Variant,
    /// Whether the last steps are of lower order. They always are where the run ends at the clean sample, or where the
    /// steps do not make whole blocks.
    pub(super) lower_order_final: bool,
    /// Whether the third order is diffusers' as well.
    pub(super) as_diffusers: bool,
}

impl DpmSinglestep {
    fn new(options: &Options, as_diffusers: bool) -> Result<Self> {
        let algorithm = ALGORITHM.choice(options);
        if algorithm == Algorithm::NoiseSde {
            return Err(Error::argument("algorithm", "sde-dpm-solver has no singlestep form; sde-dpm-solver++ has"));
        }
        Ok(Self {
            algorithm,
            order: ORDER.whole(options),
            variant: VARIANT.choice(options),
            lower_order_final: LOWER_ORDER_FINAL.flag(options),
            as_diffusers,
        })
    }

    /// The order of a step, which is its place in its block.
    fn order_at(&self, grid: &Grid, step: usize) -> usize {
        let (steps, order) = (grid.steps(), self.order);
        let onto_clean = grid.end().sigma == 0.0;
        let by_place = step % order + 1;
        if !(self.lower_order_final || onto_clean || !steps.is_multiple_of(order)) {
            return by_place;
        }
        // The last block has what is left of the steps, and its last step is of first order.
        let last_block = if order < 3 || steps.is_multiple_of(3) { order } else { steps % 3 };
        let begin = if order == 2 && steps % 2 == 1 { steps - 1 } else { steps - last_block };
        match step.checked_sub(begin) {
            None => by_place,
            Some(_) if step + 1 == steps && !(order == 3 && steps % 3 == 2) => 1,
            // A whole number of blocks of two or three ends with steps of orders 1, 1 or 1, 2, 1.
            Some(place) => place + 1,
        }
        .min(if onto_clean && step + 1 == steps { 1 } else { 3 })
    }
}

impl Solver for DpmSinglestep {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let levels = grid.levels();
        let (here, to) = (levels[at.step], levels[at.step + 1]);
        let order = self.order_at(grid, at.step);
        let said = self.algorithm.said(here);
        if order == 1 {
            let update = if here.alpha == 0.0 || to.sigma == 0.0 {
                self.algorithm.without_lambda(here, to)
            } else {
                let integrals = self.algorithm.integrals(here, to);
                Update::X * integrals.x + said * integrals.derivative[0] + Update::NOISE * integrals.noise
            };
            let step = Move::step(at, update).save();
            return if self.order > 1 { step.keep(0, said) } else { step };
        }
        let from = levels[at.step + 1 - order];
        if from.alpha == 0.0 {
            // Nothing can be expanded around pure noise.
            return Move::step(at, self.algorithm.without_lambda(here, to));
        }
        let integrals = self.algorithm.integrals(from, to);
        let [value, first, second] = integrals.derivative;
        let second = if self.as_diffusers { second - misprint(self.algorithm, to) } else { second };
        let h = to.lambda() - from.lambda();
        // Where the later values are, as a share of the step.
        let r = |j: usize| (levels[at.step - j].lambda() - from.lambda()) / h;
        let first_said = Update::kept(0);
        let base = Update::SAVED * integrals.x + first_said * value + Update::NOISE * integrals.noise;
        if order == 2 {
            let difference = (said - first_said) / r(0);
            let update = base + difference * if self.variant == Variant::Heun { first } else { integrals.midpoint };
            let step = Move::step(at, update);
            return if self.order > 2 { step.keep(1, said) } else { step };
        }
        let (far, near) = ((said - first_said) / r(0), (Update::kept(1) - first_said) / r(1));
        let update = match self.variant {
            Variant::Midpoint => base + far * first,
            Variant::Heun => {
                let slope = (near * r(0) - far * r(1)) / (r(0) - r(1));
                base + slope * first + (far - near) * (2.0 * second / (r(0) - r(1)))
            }
        };
        Move::step(at, update)
    }

    fn slots(&self) -> usize {
        self.order - 1
    }
}

impl fmt::Display for DpmSinglestep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.as_diffusers { ", as diffusers takes its steps" } else { "" };
        write!(f, "{} (singlestep, order {}{form})", self.algorithm.word(), self.order)
    }
}

pub(super) const ENTRY: Entry = Entry {
    name: "dpm-solver-singlestep",
    summary: "Lu et al. 2022. DPM-Solver(++), singlestep, of order 1 to 3. Its steps are evaluations.",
    options: &[ALGORITHM, ORDER, VARIANT, LOWER_ORDER_FINAL],
    build: |options| Ok(Box::new(DpmSinglestep::new(options, false)?)),
    as_diffusers: Some(|options, _| Ok(Box::new(DpmSinglestep::new(options, true)?))),
};

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schedule::{BetaKind, BetaSchedule, Ending, GridOptions, Spacing, Tables};

    #[test]
    fn the_orders_of_the_last_block_are_those_of_the_authors_code() -> Result<()> {
        let schedule = Arc::new(BetaSchedule::new(BetaKind::Cosine, 1000, Tables::Exact)?);
        let orders = |order: usize, steps: usize, ending: Ending, lower_order_final: bool| -> Result<Vec<usize>> {
            let options = GridOptions { ending, offset: 1, ..GridOptions::new(Spacing::Leading, steps) };
            let grid = Grid::spaced(Arc::clone(&schedule) as _, &options)?;
            let algorithm = Algorithm::Data;
            let variant = Variant::Midpoint;
            let solver = DpmSinglestep { algorithm, order, variant, lower_order_final, as_diffusers: false };
            Ok((0..steps).map(|step| solver.order_at(&grid, step)).collect())
        };
        assert_eq!(orders(3, 6, Ending::Clean, true)?, [1, 2, 3, 1, 2, 1]);
        assert_eq!(orders(3, 7, Ending::First, true)?, [1, 2, 3, 1, 2, 3, 1]);
        assert_eq!(orders(3, 8, Ending::First, true)?, [1, 2, 3, 1, 2, 3, 1, 2]);
        assert_eq!(orders(3, 8, Ending::Clean, true)?, [1, 2, 3, 1, 2, 3, 1, 1]);
        assert_eq!(orders(3, 6, Ending::First, false)?, [1, 2, 3, 1, 2, 3]);
        assert_eq!(orders(2, 6, Ending::First, true)?, [1, 2, 1, 2, 1, 1]);
        assert_eq!(orders(2, 7, Ending::First, true)?, [1, 2, 1, 2, 1, 2, 1]);
        assert_eq!(orders(2, 6, Ending::First, false)?, [1, 2, 1, 2, 1, 2]);
        assert_eq!(orders(1, 4, Ending::Clean, true)?, [1, 1, 1, 1]);
        assert_eq!(orders(3, 2, Ending::Clean, true)?, [1, 1]);
        assert_eq!(orders(3, 1, Ending::Clean, true)?, [1]);
        Ok(())
    }
}
