//! Steps along the probability-flow ODE, in the variable that a [`Frame`] names.

use super::update::Update;
use crate::schedule::{Frame, NoiseLevel};

impl Frame {
    /// dy/du at `level`, where x is the sample and x̂₀ its estimate.
    pub(super) fn slope(self, level: NoiseLevel) -> Update {
        // (x/s − x̂₀)/u with s·u = σ: finite also where s is 0.
        Update::X / level.sigma - Update::DENOISED * (self.scale(level) / level.sigma)
    }

    /// x after a move from the sample `x` at `from` along `slope` to `to`.
    pub(super) fn advance(self, x: Update, from: NoiseLevel, slope: Update, to: NoiseLevel) -> Update {
        (x / self.scale(from) + slope * (self.u(to) - self.u(from))) * self.scale(to)
    }
}
