//! Langevin dynamics, as a solver and as the corrector of any other one. Sources: Song & Ermon 2019, "Generative
//! Modeling by Estimating Gradients of the Data Distribution", arXiv:1907.05600, algorithm 1; Song et al. 2021,
//! arXiv:2011.13456, algorithms 4 and 5.

use std::fmt;

use super::entry::{Entry, Solver};
use super::update::{Cursor, Move, Update};
use crate::error::{Error, Result};
use crate::option::{Fallback, Group, Kind, OptionEntry, Options, words};
use crate::schedule::{Grid, NoiseLevel};

words! {
    /// The size `e` of a step of Langevin dynamics.
    #[non_exhaustive]
    pub enum StepSize {
        #[default]
        Noise = "noise", "The noise level: e = 2·r²·σ².";
        Norms = "norms", "The norms of an item's noise and score: e = 2·(r·‖z‖/‖s‖)² (Song et al. 2021). For pictures. With few values the norms scatter, and the samples spread too wide.";
    }
}

/// The Langevin step `x ← x + e·s + √(2e)·z` at one level, with the score s.
///
/// Song et al. 2021 take norms over the batch, which makes an item depend on the others. [`StepSize::Norms`] takes each
/// item's own norms. [`StepSize::Noise`] takes the values that these are near for d values, √d and √d/σ. The factor 1 −
/// β for VP of Song et al. is left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correction {
    /// The number of steps at every level.
    pub steps: usize,
    /// r, the signal-to-noise ratio of the paper.
    pub snr: f64,
    /// The size of the steps.
    pub size: StepSize,
}

impl Correction {
    /// `steps` corrections with these options.
    pub(crate) fn new(steps: usize, options: &Options) -> Self {
        Self { steps, snr: CORRECTOR_SNR.real(options), size: CORRECTOR_SIZE.choice(options) }
    }

    /// The move at `level` to the next stage.
    fn step(self, at: Cursor, level: NoiseLevel) -> Move {
        let size = match self.size {
            StepSize::Noise => 2.0 * (self.snr * level.sigma).powi(2),
            StepSize::Norms => 1.0,
        };
        let norms = (self.size == StepSize::Norms).then_some(self.snr);
        let update = Update::X + Update::score(level) * size + Update::NOISE * (2.0 * size).sqrt();
        Move { norms, ..Move::stage(at, update) }
    }
}

/// Annealed Langevin dynamics: the correction at every level of the grid, from the noisiest down, and x̂₀ at the end.
/// With one level it is Langevin dynamics at that level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Langevin(pub Correction);

impl Solver for Langevin {
    fn evaluate_at(&self, grid: &Grid, at: Cursor) -> Option<NoiseLevel> {
        // The last move takes x̂₀.
        (at.stage < self.0.steps || grid.levels()[at.step + 1].sigma == 0.0).then(|| grid.levels()[at.step])
    }

    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        if at.stage < self.0.steps {
            self.0.step(at, from)
        } else if to.sigma == 0.0 {
            Move::step(at, Update::DENOISED * to.alpha)
        } else if from.alpha == 0.0 {
            Move::step(at, Update::X * (to.sigma / from.sigma))
        } else {
            Move::step(at, Update::X * (to.alpha / from.alpha))
        }
    }
}

impl fmt::Display for Langevin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "annealed Langevin ({} a level, r = {})", self.0.steps, self.0.snr)
    }
}

/// A solver with corrections. A [`Correction`] is made at every level where a step of the solver begins.
#[derive(Debug)]
pub struct PredictorCorrector {
    predictor: Box<dyn Solver>,
    correction: Correction,
}

impl PredictorCorrector {
    /// Makes `correction` before each step of `predictor`.
    ///
    /// # Errors
    /// [`Error::Argument`] if the predictor chooses its own levels.
    pub fn new(predictor: Box<dyn Solver>, correction: Correction) -> Result<Self> {
        if predictor.adaptive().is_some() {
            let reason = format!("{predictor} chooses its own levels, and cannot be corrected at them");
            return Err(Error::argument("corrector_steps", reason));
        }
        Ok(Self { predictor, correction })
    }

    /// The cursor that the predictor sees; `None` while corrections are made.
    fn inner(&self, at: Cursor) -> Option<Cursor> {
        at.stage.checked_sub(self.correction.steps).map(|stage| Cursor { stage, ..at })
    }
}

impl Solver for PredictorCorrector {
    fn evaluate_at(&self, grid: &Grid, at: Cursor) -> Option<NoiseLevel> {
        match self.inner(at) {
            Some(at) => self.predictor.evaluate_at(grid, at),
            None => Some(grid.levels()[at.step]),
        }
    }

    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let Some(inner) = self.inner(at) else {
            return self.correction.step(at, grid.levels()[at.step]);
        };
        let mut step = self.predictor.plan(grid, inner);
        if step.next.step == at.step {
            step.next.stage += self.correction.steps;
        }
        step
    }

    fn needs_variance(&self) -> bool {
        self.predictor.needs_variance()
    }

    fn slots(&self) -> usize {
        self.predictor.slots()
    }
}

impl fmt::Display for PredictorCorrector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Correction { steps, snr, .. } = self.correction;
        write!(f, "{} with {steps} Langevin corrections a level (r = {snr})", self.predictor)
    }
}

/// The default of `corrector_steps` for langevin itself, which consists of them.
const STEPS_OF_LANGEVIN: u64 = 10;
pub(crate) const CORRECTOR_STEPS: OptionEntry = OptionEntry {
    key: "corrector_steps",
    group: Group::Correction,
    kind: Kind::Whole(0, 10_000),
    default: Fallback::But(&Fallback::Whole(0), &[("for langevin", Fallback::Whole(STEPS_OF_LANGEVIN))]),
    summary: "The number of Langevin corrections at every level, before each step of the solver.",
};
/// The option for r. Its default is that of Song et al. 2021 for most of their models.
pub(crate) const CORRECTOR_SNR: OptionEntry = OptionEntry {
    key: "corrector_snr",
    group: Group::Correction,
    kind: Kind::Real(1e-6, 1.0),
    default: Fallback::Real(0.16),
    summary: "The signal-to-noise ratio r of Langevin corrections.",
};
pub(crate) const CORRECTOR_SIZE: OptionEntry = OptionEntry {
    key: "corrector_size",
    group: Group::Correction,
    kind: StepSize::KIND,
    default: Fallback::Word(StepSize::DEFAULT.word()),
    summary: "What the size e of Langevin corrections is computed from.",
};

pub(super) const ENTRY: Entry = Entry {
    name: "langevin",
    summary: "Song & Ermon 2019. Annealed Langevin dynamics, for models that predict the score. Many evaluations a level.",
    options: &[CORRECTOR_STEPS, CORRECTOR_SNR, CORRECTOR_SIZE],
    build: |options| {
        let steps = options.whole(CORRECTOR_STEPS.key).unwrap_or(STEPS_OF_LANGEVIN as usize);
        if steps == 0 {
            return Err(Error::argument("corrector_steps", "0; langevin consists of them, so at least 1 is needed"));
        }
        Ok(Box::new(Langevin(Correction::new(steps, options))))
    },
    as_diffusers: None,
};
