//! How the network's time input is computed.

use serde::{Deserialize, Serialize};

use crate::schedule::{NoiseLevel, NoiseSchedule};

/// The network's time input: `scale·encoded + offset`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Time {
    /// The quantity that is encoded.
    pub encoding: Encoding,
    /// The factor.
    pub scale: f64,
    /// The summand.
    pub offset: f64,
    /// The direction in which it grows.
    pub direction: Toward,
}

impl Default for Time {
    fn default() -> Self {
        Self { encoding: Encoding::Index, scale: 1.0, offset: 0.0, direction: Toward::Noise }
    }
}

/// The quantity that is computed from the noise level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// t, from 0 to T−1. It does not exist in continuous time.
    Index,
    /// (t+1)/T, from 1/T to 1. In continuous time it is t as a share of the greatest.
    Unit,
    /// σ/α.
    Sigma,
    /// ln(σ/α).
    LogSigma,
    /// α, the share of the clean sample: √ᾱ of DDPM.
    Alpha,
    /// σ², the variance of the noise: 1 − ᾱ of DDPM.
    SigmaSquared,
    /// ln(α²/σ²).
    LogSnr,
    /// The angle arctan(σ/α), from 0 to π/2.
    Angle,
}

/// The direction in which the encoded time grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Toward {
    /// A greater time is noisier.
    Noise,
    /// A greater time is cleaner: an index becomes T−1−t, a unit 1−unit.
    Data,
}

impl Time {
    /// The network's time input at `level` of `schedule`.
    #[must_use]
    pub fn encode(&self, level: NoiseLevel, schedule: &dyn NoiseSchedule) -> f64 {
        let (last, unit) = match schedule.train_steps() {
            Some(steps) => (steps as f64 - 1.0, (level.t + 1.0) / steps as f64),
            None => (schedule.bounds()[1], level.t / schedule.bounds()[1]),
        };
        let encoded = match (self.encoding, self.direction) {
            (Encoding::Index, Toward::Noise) => level.t,
            (Encoding::Index, Toward::Data) => last - level.t,
            (Encoding::Unit, Toward::Noise) => unit,
            (Encoding::Unit, Toward::Data) => 1.0 - unit,
            (Encoding::Sigma, _) => level.noise_to_signal(),
            (Encoding::LogSigma, _) => level.noise_to_signal().ln(),
            (Encoding::Alpha, _) => level.alpha,
            (Encoding::SigmaSquared, _) => level.sigma * level.sigma,
            (Encoding::LogSnr, _) => 2.0 * level.lambda(),
            (Encoding::Angle, _) => level.sigma.atan2(level.alpha),
        };
        self.scale * encoded + self.offset
    }

    /// Whether every time of training fits into a type of whole numbers with this least and greatest value.
    pub(crate) fn fits(&self, [least, most]: [i64; 2], schedule: &dyn NoiseSchedule) -> bool {
        // Above 2⁵³, f64 cannot tell whole numbers apart, and times are f64.
        const TOLD_APART: f64 = 9_007_199_254_740_992.0;
        let told = |t: f64| self.encode(schedule.level(t), schedule);
        // Only an index has whole times, and it is linear in t.
        schedule
            .bounds()
            .map(told)
            .into_iter()
            .all(|told| told.abs() <= TOLD_APART && told.round() >= least as f64 && told.round() <= most as f64)
    }

    /// Whether the encoding can grow toward the data.
    pub(super) fn turns(self) -> bool {
        matches!(self.encoding, Encoding::Index | Encoding::Unit)
    }

    /// Whether every time of training is a whole number.
    pub(crate) fn is_whole(&self) -> bool {
        self.encoding == Encoding::Index && self.scale.fract() == 0.0 && self.offset.fract() == 0.0
    }
}
