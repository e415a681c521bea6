//! What diffusers computes its own levels from, as the file states it.

use super::classes::Family;
use crate::model::manifest::Schedule;
use crate::prediction::Prediction;

/// What diffusers computes its own levels from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spread {
    pub(super) name: &'static str,
    pub(super) family: Family,
    /// T, the number of training steps.
    pub(super) train_steps: usize,
    pub(super) even: Even,
    /// The noise over which the steps are spread. `None` where they are spread over times.
    pub(super) over: Option<Over>,
    /// Whether β is a cosine, whose times are not rounded.
    pub(super) cosine: bool,
    pub(super) offset: usize,
    /// The steps of distillation.
    pub(super) original_steps: usize,
    /// `sigma_min` and `sigma_max`.
    pub(super) ends: [Option<f64>; 2],
    pub(super) rho: f64,
    /// Whether the run ends at the least noise.
    pub(super) to_least: bool,
    /// Whether DDIM and related solvers end at the clean sample.
    pub(super) to_one: bool,
    /// Whether the levels are those of the straight path.
    pub(super) flow: bool,
    pub(super) shift: f64,
    /// Whether the shift is set with every run.
    pub(super) dynamic: bool,
    pub(super) shift_terminal: Option<f64>,
    /// Whether σ is counted from the other end.
    pub(super) inverted: bool,
    pub(super) log_linear: bool,
    pub(super) lambda_min: Option<f64>,
    /// Whether β is rescaled to zero terminal SNR, with ᾱ floored at 2⁻²⁴.
    pub(super) floored: bool,
    /// The `scaler` of Wuerstchen's cosine.
    pub(super) scaler: f64,
    pub(super) offset_of_cosine: f64,
    /// The schedule and the prediction of a model in continuous time, as the file states them.
    pub(super) trained: Option<(Schedule, Prediction)>,
    /// The schedule of the file's β, where another one is used. Some levels depend on it all the same.
    pub(super) betas: Option<Schedule>,
}

/// How times are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Even {
    Leading,
    Trailing,
    Linspace,
}

/// Over which noise steps are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Karras,
    Exponential,
    Beta,
    Lu,
}
