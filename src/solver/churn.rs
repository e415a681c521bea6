//! Churn: noise that is added before a step, which the step then corrects. Source: Karras et al. 2022,
//! arXiv:2206.00364, algorithm 2. The paper's σ is u = σ/α here.

use std::fmt;

use super::update::Update;
use crate::error::{Error, Result};
use crate::option::{Fallback, Group, Kind, OptionEntry, Options};
use crate::prediction::Prediction;
use crate::schedule::{Grid, NoiseLevel};

/// How much noise is added, and where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Churn {
    /// S_churn. With N steps, u rises by the factor 1 + min(S_churn/N, √2 − 1) before each.
    pub(super) amount: f64,
    /// S_tmin and S_tmax, the u between which noise is added.
    pub(super) between: [f64; 2],
    /// S_noise, the standard deviation of the added noise relative to the exact one. A little above 1 makes up for lost
    /// detail.
    pub(super) noise: f64,
    /// The number that S_churn is divided by, where it is not the number of steps.
    pub(super) over: Option<usize>,
}

impl Churn {
    /// No churn. The entries of the options take their defaults from here.
    pub(super) const NONE: Self = Self { amount: 0.0, between: [0.0, f64::INFINITY], noise: 1.0, over: None };
}

impl Default for Churn {
    /// No churn.
    fn default() -> Self {
        Self::NONE
    }
}

const S_CHURN: OptionEntry = OptionEntry {
    key: "s_churn",
    group: Group::Solver,
    kind: Kind::Real(0.0, 1e6),
    default: Fallback::Real(Churn::NONE.amount),
    summary: "How much noise is added before the steps, over all steps together.",
};
const S_TMIN: OptionEntry = OptionEntry {
    key: "s_tmin",
    group: Group::Solver,
    kind: Kind::Real(0.0, 1e9),
    default: Fallback::Real(Churn::NONE.between[0]),
    summary: "The smallest σ/α at which noise is added.",
};
const S_TMAX: OptionEntry = OptionEntry {
    key: "s_tmax",
    group: Group::Solver,
    kind: Kind::Real(0.0, 1e9),
    default: Fallback::Real(Churn::NONE.between[1]),
    summary: "The largest σ/α at which noise is added.",
};
pub(super) const S_NOISE: OptionEntry = OptionEntry {
    key: "s_noise",
    group: Group::Solver,
    kind: Kind::Real(0.0, 10.0),
    default: Fallback::Real(Churn::NONE.noise),
    summary: "The standard deviation of the added noise.",
};

pub(super) const OPTIONS: &[OptionEntry] = &[S_CHURN, S_TMIN, S_TMAX, S_NOISE];

impl Churn {
    pub(super) fn new(options: &Options) -> Result<Self> {
        if S_CHURN.given(options).is_none()
            && let Some(option) = [S_TMIN, S_TMAX, S_NOISE].iter().find(|option| option.given(options).is_some())
        {
            return Err(Error::argument(option.key, "there is no churn; set s_churn as well"));
        }
        let [least, most] = [S_TMIN, S_TMAX].map(|option| option.real(options));
        if least > most {
            return Err(Error::argument("s_tmax", format!("{most}; it has to be above s_tmin, which is {least}")));
        }
        Ok(Self { amount: S_CHURN.real(options), between: [least, most], noise: S_NOISE.real(options), over: None })
    }

    /// The level of step `step` after noise was added. `None` if the step adds none.
    pub(super) fn raised(&self, grid: &Grid, step: usize) -> Option<NoiseLevel> {
        let from = grid.levels()[step];
        let u = from.noise_to_signal();
        let factor = (self.amount / self.over.unwrap_or(grid.steps()) as f64).min(std::f64::consts::SQRT_2 - 1.0);
        let [least, most] = self.between;
        (factor > 0.0 && u.is_finite() && (least..=most).contains(&u))
            .then(|| grid.at_noise_to_signal(u * (1.0 + factor)))
    }

    /// The move from `from` up to `raised`. The clean sample keeps its share of x, and noise makes up the rest.
    pub(super) fn raise(&self, from: NoiseLevel, raised: NoiseLevel) -> Update {
        let (u, u_raised) = (from.noise_to_signal(), raised.noise_to_signal());
        let added = ((u_raised - u) * (u_raised + u)).max(0.0).sqrt();
        Update::X * (raised.alpha / from.alpha) + Update::NOISE * (raised.alpha * added * self.noise)
    }
}

/// What diffusers keeps of a prediction. It evaluates the network before the noise is added.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct AskedBefore {
    pub(super) prediction: Prediction,
    pub(super) sigma_data: f64,
}

impl Churn {
    /// The whole step from `from` by way of `raised` to `to`, for a prediction made at `from`. It is read as a
    /// prediction about the sample with the noise. A prediction of ε or of EDM's F is read at the level `raised`.
    pub(super) fn step_asked_before(
        &self,
        asked: AskedBefore,
        from: NoiseLevel,
        raised: NoiseLevel,
        to: NoiseLevel,
    ) -> Update {
        let [u, u_raised, u_to] = [from, raised, to].map(|level| level.noise_to_signal());
        let added = ((u_raised - u) * (u_raised + u)).max(0.0).sqrt() * self.noise;
        let before = Update::X / from.alpha;
        let noisy = before + Update::NOISE * added;
        let slope = match asked.prediction {
            Prediction::V => {
                let share = (u * u + 1.0).recip();
                (noisy - Update::DIRECTION - Update::NOISE * (added * share)) / u_raised
            }
            Prediction::Edm | Prediction::EdmV => {
                let variance = asked.sigma_data * asked.sigma_data;
                let parts = |u: f64| (variance / (u * u + variance), u / (u * u + variance).sqrt());
                let ((skip, out), (skip_raised, out_raised)) = (parts(u), parts(u_raised));
                let said = (Update::DIRECTION - before * skip) * (out_raised / out);
                (noisy - noisy * skip_raised - said) / u_raised
            }
            Prediction::X0 => (noisy - Update::DIRECTION) / u_raised,
            _ => Update::epsilon(from),
        };
        (noisy + slope * (u_to - u_raised)) * to.alpha
    }
}

impl fmt::Display for Churn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.amount > 0.0 { write!(f, " (churn {}, noise {})", self.amount, self.noise) } else { Ok(()) }
    }
}
