//! The noise schedule of training.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::omitted::is_default;
use crate::schedule::{
    BetaKind, BetaSchedule, ContinuousCosine, Edm, Flow, NoiseSchedule, Spacing, SubVariancePreserving, Tables,
    Terminal, Trigonometric, VarianceExploding, VariancePreserving,
};

/// The noise schedule of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// [`BetaKind::Linear`].
    Linear(BetaRange),
    /// [`BetaKind::ScaledLinear`].
    ScaledLinear(BetaRange),
    /// [`BetaKind::Sigmoid`].
    Sigmoid(BetaRange),
    /// [`BetaKind::SigmoidAlphaBar`].
    SigmoidAlphaBar(SigmoidRange),
    /// [`BetaKind::Cosine`].
    Cosine(Steps),
    /// [`BetaKind::Exponential`].
    Exponential(Steps),
    /// [`BetaKind::Laplace`].
    Laplace(Steps),
    /// [`BetaKind::Trained`].
    Trained {
        /// β, one for each of the T training steps.
        betas: Vec<f64>,
        /// How the schedule ends.
        #[serde(default, skip_serializing_if = "is_default")]
        terminal: Terminal,
    },
    /// [`VariancePreserving`].
    Vp(ContinuousBeta),
    /// [`SubVariancePreserving`].
    SubVp(ContinuousBeta),
    /// [`VarianceExploding`].
    Ve {
        /// σ at t = 0.
        sigma_min: f64,
        /// σ at t = 1.
        sigma_max: f64,
        /// The least time that runs visit.
        #[serde(default = "least_time_ve")]
        least_time: f64,
    },
    /// [`Edm`].
    Edm {
        /// The least σ that runs visit.
        #[serde(default = "sigma_min")]
        sigma_min: f64,
        /// The σ that runs start from.
        #[serde(default = "sigma_max")]
        sigma_max: f64,
    },
    /// [`Trigonometric`].
    Trigonometric {
        /// The least time that runs visit.
        #[serde(default = "least_time")]
        least_time: f64,
    },
    /// [`ContinuousCosine`].
    ContinuousCosine {
        /// The offset of the time.
        #[serde(default = "offset")]
        s: f64,
        /// The least time that runs visit.
        #[serde(default = "least_time")]
        least_time: f64,
    },
    /// [`Flow`].
    Flow {
        /// The least time that runs visit.
        #[serde(default = "least_time")]
        least_time: f64,
    },
}

/// T, the number of training steps, and the ends of β.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BetaRange {
    /// T, the number of training steps.
    pub train_steps: usize,
    /// β of the first step, or the β that the curve leaves from.
    pub beta_start: f64,
    /// β of the last step, or the β that the curve tends to.
    pub beta_end: f64,
    /// How the schedule ends.
    #[serde(skip_serializing_if = "is_default")]
    pub terminal: Terminal,
    /// The divisor of the signal-to-noise ratio ᾱ/(1 − ᾱ), for samples with more values than β was meant for.
    #[serde(skip_serializing_if = "is_one")]
    pub snr_shift: f64,
}

impl Default for BetaRange {
    fn default() -> Self {
        Self { train_steps: 1000, beta_start: 1e-4, beta_end: 0.02, terminal: Terminal::AsTrained, snr_shift: 1.0 }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_one(value: &f64) -> bool {
    *value == 1.0
}

/// T, and the part of a logistic curve that ᾱ follows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SigmoidRange {
    /// T, the number of training steps.
    pub train_steps: usize,
    /// Where the curve begins.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// τ, the divisor of both.
    pub tau: f64,
    /// How the schedule ends.
    #[serde(skip_serializing_if = "is_default")]
    pub terminal: Terminal,
}

impl Default for SigmoidRange {
    fn default() -> Self {
        Self { train_steps: 1000, start: -3.0, end: 3.0, tau: 1.0, terminal: Terminal::AsTrained }
    }
}

/// T, for a schedule without other parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Steps {
    /// T, the number of training steps.
    pub train_steps: usize,
    /// How the schedule ends.
    #[serde(skip_serializing_if = "is_default")]
    pub terminal: Terminal,
    /// The same as [`BetaRange::snr_shift`].
    #[serde(skip_serializing_if = "is_one")]
    pub snr_shift: f64,
}

impl Default for Steps {
    fn default() -> Self {
        Self { train_steps: 1000, terminal: Terminal::AsTrained, snr_shift: 1.0 }
    }
}

/// The ends of β in continuous time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContinuousBeta {
    /// β at t = 0.
    pub beta_min: f64,
    /// β at t = 1.
    pub beta_max: f64,
    /// The least time that runs visit.
    pub least_time: f64,
}

impl Default for ContinuousBeta {
    fn default() -> Self {
        Self { beta_min: 0.1, beta_max: 20.0, least_time: 1e-3 }
    }
}

fn offset() -> f64 {
    0.008
}

fn least_time() -> f64 {
    1e-3
}

fn least_time_ve() -> f64 {
    1e-5
}

fn sigma_min() -> f64 {
    0.002
}

fn sigma_max() -> f64 {
    80.0
}

impl Schedule {
    /// Builds the noise schedule.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) with the field that is out of its range.
    pub fn build(&self, tables: Tables) -> crate::Result<Arc<dyn NoiseSchedule>> {
        let ranged = |kind: fn(f64, f64) -> BetaKind, range: &BetaRange| {
            let kind = kind(range.beta_start, range.beta_end);
            BetaSchedule::shifted(kind, range.train_steps, tables, range.terminal, range.snr_shift)
        };
        let plain = |kind, steps: &Steps| {
            BetaSchedule::shifted(kind, steps.train_steps, tables, steps.terminal, steps.snr_shift)
        };
        Ok(match self {
            Self::Linear(range) => Arc::new(ranged(|start, end| BetaKind::Linear { start, end }, range)?),
            Self::ScaledLinear(range) => Arc::new(ranged(|start, end| BetaKind::ScaledLinear { start, end }, range)?),
            Self::Sigmoid(range) => Arc::new(ranged(|start, end| BetaKind::Sigmoid { start, end }, range)?),
            Self::SigmoidAlphaBar(SigmoidRange { train_steps, start, end, tau, terminal }) => {
                let kind = BetaKind::SigmoidAlphaBar { start: *start, end: *end, tau: *tau };
                Arc::new(BetaSchedule::ending(kind, *train_steps, tables, *terminal)?)
            }
            Self::Cosine(steps) => Arc::new(plain(BetaKind::Cosine, steps)?),
            Self::Exponential(steps) => Arc::new(plain(BetaKind::Exponential, steps)?),
            Self::Laplace(steps) => Arc::new(plain(BetaKind::Laplace, steps)?),
            Self::Trained { betas, terminal } => {
                Arc::new(BetaSchedule::ending(BetaKind::Trained(betas.clone()), betas.len(), tables, *terminal)?)
            }
            Self::Vp(beta) => Arc::new(VariancePreserving::new(beta.beta_min, beta.beta_max, beta.least_time)?),
            Self::SubVp(beta) => Arc::new(SubVariancePreserving::new(beta.beta_min, beta.beta_max, beta.least_time)?),
            Self::Ve { sigma_min, sigma_max, least_time } => {
                Arc::new(VarianceExploding::new(*sigma_min, *sigma_max, *least_time)?)
            }
            Self::Edm { sigma_min, sigma_max } => Arc::new(Edm::new(*sigma_min, *sigma_max)?),
            Self::Trigonometric { least_time } => Arc::new(Trigonometric::new(*least_time)?),
            Self::ContinuousCosine { s, least_time } => Arc::new(ContinuousCosine::new(*s, *least_time)?),
            Self::Flow { least_time } => Arc::new(Flow::new(*least_time)?),
        })
    }

    /// Whether α is 1 at every time.
    pub(super) fn keeps_the_sample(&self) -> bool {
        matches!(self, Self::Ve { .. } | Self::Edm { .. })
    }

    /// The grid that is used where neither the caller nor the manifest names one.
    pub(super) fn grid(&self) -> Spacing {
        match self {
            Self::Edm { .. } => Spacing::Karras,
            Self::Vp(_) | Self::SubVp(_) | Self::Ve { .. } => Spacing::Linspace,
            // Trailing starts from the noise that a run starts with. Leading misses it (Lin et al. 2023, §3.3).
            _ => Spacing::Trailing,
        }
    }
}
