//! A move of a solver, as numbers: the coefficients of x, what is kept, and where the run stands afterwards.

use std::ops::{Add, Div, Mul, Sub};

use crate::schedule::NoiseLevel;

/// The most tensors of earlier steps that a solver may keep.
pub const MOST_HISTORY: usize = 5;

/// The new x of a move, as coefficients: `x·`[`x`](Self::x)` + x̂₀·`[`denoised`](Self::denoised)` +
/// d·`[`direction`](Self::direction) ` + z·`[`noise`](Self::noise)` + s·`[`saved`](Self::saved)` + Σ
/// hᵢ·`[`history`](Self::history).
///
/// Here x̂₀ is the denoised sample, and d the x̂₀ from which the direction back to the noise (ε̂) is taken. z is
/// standard normal, s the x that was saved, and h what earlier moves kept. d is x̂₀ itself unless a denoiser gives them
/// different values, as diffusers' DDIM does when it clips.
///
/// Updates can be added and scaled, so that a solver is written as its paper writes it. [`X`](Self::X),
/// [`DENOISED`](Self::DENOISED) and so on are the symbols. Here is DDIM, `x ← α·x̂₀ + σ·ε̂`.
///
/// ```
/// use diffuse::schedule::{Flow, Grid, GridOptions, Spacing};
/// use diffuse::solver::{Cursor, Ddim, Solver, Update};
///
/// # fn main() -> diffuse::Result<()> {
/// let grid = Grid::spaced(std::sync::Arc::new(Flow::new(1e-3)?), &GridOptions::new(Spacing::Linspace, 10))?;
/// let [from, to] = [grid.levels()[3], grid.levels()[4]];
/// let written = Update::DENOISED * to.alpha + Update::epsilon(from) * to.sigma;
/// let planned = Ddim::new(0.0)?.plan(&grid, Cursor { step: 3, stage: 0 }).update;
/// let difference = written - planned;
/// assert!(difference.x.abs() < 1e-12 && (difference.denoised + difference.direction).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Update {
    /// The coefficient of x.
    pub x: f64,
    /// The coefficient of x̂₀.
    pub denoised: f64,
    /// The coefficient of the x̂₀ that ε̂ is taken from.
    pub direction: f64,
    /// The coefficient of fresh noise. With 0 none is drawn.
    pub noise: f64,
    /// The coefficient of the x that was saved.
    pub saved: f64,
    /// The coefficients of what was kept, slot by slot.
    pub history: [f64; MOST_HISTORY],
}

impl Update {
    const ZERO: Self =
        Self { x: 0.0, denoised: 0.0, direction: 0.0, noise: 0.0, saved: 0.0, history: [0.0; MOST_HISTORY] };
    /// The symbol x.
    pub const X: Self = Self { x: 1.0, ..Self::ZERO };
    /// The symbol x̂₀.
    pub const DENOISED: Self = Self { denoised: 1.0, ..Self::ZERO };
    /// The symbol d, the x̂₀ that ε̂ is taken from.
    pub const DIRECTION: Self = Self { direction: 1.0, ..Self::ZERO };
    /// The symbol z, fresh noise.
    pub const NOISE: Self = Self { noise: 1.0, ..Self::ZERO };
    /// The symbol s, the x that was saved.
    pub const SAVED: Self = Self { saved: 1.0, ..Self::ZERO };

    /// What the slot holds.
    #[must_use]
    pub fn kept(slot: usize) -> Self {
        let mut update = Self::ZERO;
        update.history[slot] = 1.0;
        update
    }

    /// Whether every coefficient is finite.
    pub(crate) fn is_finite(&self) -> bool {
        let Self { x, denoised, direction, noise, saved, history } = *self;
        [x, denoised, direction, noise, saved].iter().chain(&history).all(|value| value.is_finite())
    }

    /// ε̂ at `level`, the network's estimate of the noise in x.
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
        // A zero coefficient stays zero, since 0·∞ is no number.
        self.zip(self, |a, _| if a == 0.0 { 0.0 } else { a * factor })
    }
}

impl Div<f64> for Update {
    type Output = Self;

    fn div(self, divisor: f64) -> Self {
        self.zip(self, |a, _| if a == 0.0 { 0.0 } else { a / divisor })
    }
}

/// The place of a run on its grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Cursor {
    /// The step of the grid: the run has reached `grid.levels()[step]`.
    pub step: usize,
    /// The stage within the step, for solvers that take several.
    pub stage: usize,
}

/// The factor of fresh noise, value by value, in addition to its coefficient.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Deviation {
    /// No factor.
    #[default]
    One,
    /// The root of the variance whose logarithm the network predicts.
    Logarithm,
    /// The root of the variance that the network predicts, as diffusers reads it.
    Root,
    /// The root of a variance whose logarithm the network places between these two. A prediction of −1 is the first,
    /// and 1 the second (Nichol & Dhariwal 2021, eq. 15).
    Range([f64; 2]),
}

impl Deviation {
    /// The logarithm of the variance by which noise is multiplied, for the prediction `said`.
    pub(crate) fn log_variance(self, said: f64) -> f64 {
        match self {
            Self::One => 0.0,
            Self::Logarithm => said,
            Self::Root => said.ln(),
            Self::Range([least, most]) => least + 0.5 * (said + 1.0) * (most - least),
        }
    }
}

/// One move of a run: x becomes `update`, and the run stands at `next`. What is kept and saved is taken before the
/// update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Move {
    /// The new x.
    pub update: Update,
    /// A slot, and what it holds from now on, made of x, x̂₀ and d. The update still uses what it held before.
    pub keep: Option<(usize, Update)>,
    /// Whether x is saved.
    pub save: bool,
    /// The factor of the fresh noise.
    pub deviation: Deviation,
    /// The signal-to-noise ratio r of a Langevin step. Its size `e = 2·(r·‖z‖/‖s‖)²` is found from the norms of each
    /// item's noise and score. The update has the score once and the noise √2 times. They are multiplied by e and √e.
    pub norms: Option<f64>,
    /// The number of draws of noise that are not used, before those that are. They matter to a stream, whose later
    /// draws depend on them.
    pub unused: usize,
    /// The place of the run afterwards.
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
            unused: 0,
            next: Cursor { step: at.step + 1, stage: 0 },
        }
    }

    /// The move from `at` to the next stage of the same step.
    #[must_use]
    pub fn stage(at: Cursor, update: Update) -> Self {
        let next = Cursor { step: at.step, stage: at.stage + 1 };
        Self { next, ..Self::step(at, update) }
    }

    /// The move, after which `slot` holds `kept`.
    #[must_use]
    pub fn keep(self, slot: usize, kept: Update) -> Self {
        Self { keep: Some((slot, kept)), ..self }
    }

    /// The move, which also saves x.
    #[must_use]
    pub fn save(self) -> Self {
        Self { save: true, ..self }
    }

    /// The move, after `unused` draws of noise.
    pub(super) fn after_draws(self, unused: usize) -> Self {
        Self { unused, ..self }
    }
}
