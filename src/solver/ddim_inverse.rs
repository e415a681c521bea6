//! DDIM inversion: from a clean sample up to the noise that it would be generated from. Sources: Song et al. 2020,
//! arXiv:2010.02502, §4.3; Dhariwal & Nichol 2021, arXiv:2105.05233, appendix F.

use std::fmt;

use super::entry::Solver;
use super::update::{Cursor, Move, Update};
use crate::schedule::{Frame, Grid, NoiseLevel};

/// DDIM with η = 0 on a [reversed](Grid::reversed) grid.
///
/// The network is evaluated at the level where a step ends. The sample does not have that noise yet, but the step back
/// down evaluates there. This takes ε̂(x_to, to) ≈ ε̂(x_from, to). On the straight path, and where nothing of the clean
/// sample is left, the velocity is taken to be the same instead. Of pure noise a network predicts only the ε̂ that it
/// was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DdimInverse;

impl Solver for DdimInverse {
    fn evaluate_at(&self, grid: &Grid, at: Cursor) -> Option<NoiseLevel> {
        Some(grid.levels()[at.step + 1])
    }

    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        if grid.schedule().frame() == Frame::Straight || to.alpha == 0.0 {
            let frame = Frame::Straight;
            return Move::step(at, frame.advance(Update::X, from, frame.slope(to), to));
        }
        // The prediction is ε̂, whatever sample the network is evaluated at.
        let epsilon = Update::epsilon(to);
        Move::step(at, (Update::X - epsilon * from.sigma) * (to.alpha / from.alpha) + epsilon * to.sigma)
    }
}

impl fmt::Display for DdimInverse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ddim inverse")
    }
}
