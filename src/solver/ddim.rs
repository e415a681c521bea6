//! DDIM. Source: Song, Meng, Ermon 2020, "Denoising Diffusion Implicit Models", arXiv:2010.02502. The paper's α is ᾱ =
//! α² here.

use std::fmt;

use super::ancestral::split_noise;
use super::entry::{Entry, Solver};
use super::update::{Cursor, Move, Update};
use crate::error::{Error, Result};
use crate::option::{Fallback, Group, Kind, OptionEntry};
use crate::schedule::{Grid, NoiseLevel, Tables};

/// DDIM: `x ← α_to·x̂₀ + kept·ε̂ + fresh·z` (eq. 12). `fresh` is η times that of DDPM (eq. 16), and `kept = √(σ_to² −
/// fresh²)`.
///
/// η = 0 is deterministic, and is the Euler method of the probability-flow ODE in σ/α. η = 1 is DDPM on the same
/// levels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ddim {
    eta: f64,
    form: Form,
}

/// Whose arithmetic a step follows.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Paper,
    Diffusers { stride: f64, tables: Tables },
}

impl Ddim {
    /// DDIM with the given η.
    ///
    /// # Errors
    /// [`Error::Argument`] if `eta` is not within 0 to 1.
    pub fn new(eta: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&eta) {
            let reason = format!("{eta}; η lies between 0 (deterministic) and 1 (as much noise as DDPM)");
            return Err(Error::argument("eta", reason));
        }
        Ok(Self { eta, form: Form::Paper })
    }

    /// DDIM with the steps of diffusers, for exactly the same picture.
    ///
    /// It moves to the level `stride` (⌊T/N⌋) training steps down, whatever the grid's next level is. On some grids it
    /// thus moves to one level and evaluates at another. These are linspace grids, and trailing ones where N does not
    /// divide T. With [`Tables::Diffusers`] its coefficients are rounded to f32 on the way. Where most of the noise is
    /// fresh, the share that is kept is then off by some percent, as it is in diffusers.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn like_diffusers(eta: f64, stride: usize, tables: Tables) -> Result<Self> {
        Ok(Self { form: Form::Diffusers { stride: stride as f64, tables }, ..Self::new(eta)? })
    }
}

impl Solver for Ddim {
    fn takes_direction(&self) -> bool {
        true
    }

    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let from = grid.levels()[at.step];
        let (to, (kept, fresh)) = match self.form {
            Form::Paper => {
                let to = grid.levels()[at.step + 1];
                (to, split_noise(from, to, self.eta))
            }
            Form::Diffusers { stride, tables } => {
                let to = if from.t >= stride { grid.schedule().level(from.t - stride) } else { grid.end() };
                (to, split_noise_rounded(from, to, self.eta, tables))
            }
        };
        let update = Update::DENOISED * to.alpha + Update::epsilon(from) * kept + Update::NOISE * fresh;
        Move::step(at, update)
    }
}

impl fmt::Display for Ddim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.form == Form::Paper { "" } else { ", as diffusers takes its steps" };
        write!(f, "ddim (η = {}{form})", self.eta)
    }
}

/// [`split_noise`] in the order and the precision of diffusers.
fn split_noise_rounded(from: NoiseLevel, to: NoiseLevel, eta: f64, tables: Tables) -> (f64, f64) {
    let round = |value: f64| tables.round(value);
    let (alpha_bar_from, alpha_bar_to) = (round(from.alpha * from.alpha), round(to.alpha * to.alpha));
    let noise_to = round(1.0 - alpha_bar_to);
    let beta = round(1.0 - round(alpha_bar_from / alpha_bar_to));
    let variance = round(round(noise_to / round(1.0 - alpha_bar_from)) * beta);
    let fresh = round(eta * round(variance.sqrt()));
    let kept = round(round(noise_to - round(fresh * fresh)).max(0.0).sqrt());
    (kept, fresh)
}

/// η of euler-ancestral and related solvers, which is fully ancestral.
pub(super) const ETA_OF_ANCESTRAL: f64 = 1.0;
pub(crate) const ETA: OptionEntry = OptionEntry {
    key: "eta",
    group: Group::Solver,
    kind: Kind::Real(0.0, 1.0),
    default: Fallback::But(
        &Fallback::Real(0.0),
        &[("for euler-ancestral and euler-ancestral-rf", Fallback::Real(ETA_OF_ANCESTRAL))],
    ),
    summary: "The share η of fresh noise. 0 is deterministic, and 1 adds as much noise as DDPM.",
};

pub(super) const ENTRY: Entry = Entry {
    name: "ddim",
    summary: "Song et al. 2020. Deterministic at η = 0, DDPM at η = 1. Good pictures in 20 to 50 steps.",
    options: &[ETA],
    build: |options| Ok(Box::new(Ddim::new(ETA.real(options))?)),
    as_diffusers: Some(|options, told| {
        let eta = ETA.real(options);
        let ddim = |stride| Ddim::like_diffusers(eta, stride, told.tables);
        Ok(Box::new(told.stride.map_or_else(|| Ddim::new(eta), ddim)?))
    }),
};
