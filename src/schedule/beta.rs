//! Variance-preserving schedules in discrete time, as DDPM and its descendants are trained on.

use super::{NoiseLevel, NoiseSchedule};
use crate::error::{Error, Result};

/// How β grows over the T training steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BetaKind {
    /// β evenly spaced (Ho et al. 2020, §4).
    Linear {
        /// β of the first step.
        start: f64,
        /// β of the last step.
        end: f64,
    },
    /// √β evenly spaced ("quad" in the code of Ho et al. 2020, "linear" in that of Rombach et al. 2022).
    ScaledLinear {
        /// β of the first step.
        start: f64,
        /// β of the last step.
        end: f64,
    },
    /// ᾱ a squared cosine, β at most 0.999 (Nichol & Dhariwal 2021, eq. 17).
    Cosine,
    /// β a logistic function of the step, over its arguments −6 to 6 (the code of Xu et al. 2022, "GeoDiff").
    Sigmoid {
        /// β that the curve leaves from.
        start: f64,
        /// β that the curve tends to.
        end: f64,
    },
}

/// The arithmetic in which the tables are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tables {
    /// In f64: what the formulas say.
    #[default]
    Exact,
    /// Rounded to f32 where diffusers rounds, to draw the very same picture: α and σ then differ by up to 3e-4 from
    /// the formulas.
    Diffusers,
}

impl Tables {
    /// `value` in this arithmetic.
    pub(crate) fn round(self, value: f64) -> f64 {
        match self {
            Self::Exact => value,
            Self::Diffusers => f64::from(value as f32),
        }
    }

    /// `count` values from `first` to `last`. In f32 from both ends to the middle with a rounded increment, which is
    /// how torch computes it.
    fn linspace(self, first: f64, last: f64, count: usize) -> Vec<f64> {
        let (first, last) = (self.round(first), self.round(last));
        let intervals = count.saturating_sub(1).max(1) as f64;
        let increment = self.round(self.round(last - first) / self.round(intervals));
        (0..count)
            .map(|i| {
                let value = if i < count / 2 || count == 1 {
                    first + increment * i as f64
                } else {
                    last - increment * (count - 1 - i) as f64
                };
                self.round(value)
            })
            .collect()
    }
}

impl BetaKind {
    fn betas(self, steps: usize, tables: Tables) -> Vec<f64> {
        let round = |value| tables.round(value);
        match self {
            Self::Linear { start, end } => tables.linspace(start, end, steps),
            Self::ScaledLinear { start, end } => {
                tables.linspace(start.sqrt(), end.sqrt(), steps).into_iter().map(|root| round(root * root)).collect()
            }
            Self::Cosine => {
                let alpha_bar = |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
                let total = steps as f64;
                (0..steps)
                    .map(|i| 1.0 - alpha_bar((i + 1) as f64 / total) / alpha_bar(i as f64 / total))
                    .map(|beta| round(beta.min(0.999)))
                    .collect()
            }
            Self::Sigmoid { start, end } => tables
                .linspace(-6.0, 6.0, steps)
                .into_iter()
                .map(|argument| round(1.0 / round(1.0 + round((-argument).exp()))))
                .map(|logistic| round(round(logistic * round(end - start)) + round(start)))
                .collect(),
        }
    }
}

/// The schedule `α = √ᾱ`, `σ = √(1−ᾱ)` with `ᾱ_t = Π (1−β_i)`, for t = 0 … T−1 (Ho et al. 2020, eq. 4).
///
/// Between two indices λ is interpolated linearly. Times below 0 are the clean sample (α = 1, σ = 0, t = −1).
#[derive(Debug, Clone, PartialEq)]
pub struct BetaSchedule {
    alpha_bar: Vec<f64>,
}

impl BetaSchedule {
    /// The schedule of `kind` over `steps` training steps.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no steps or more than a million, or if a β is not within (0, 1).
    pub fn new(kind: BetaKind, steps: usize, tables: Tables) -> Result<Self> {
        if !(1..=1_000_000).contains(&steps) {
            return Err(Error::argument("train_steps", format!("{steps} training steps; 1 to 1000000 are possible")));
        }
        if let BetaKind::Linear { start, end }
        | BetaKind::ScaledLinear { start, end }
        | BetaKind::Sigmoid { start, end } = kind
        {
            for (name, beta) in [("beta_start", start), ("beta_end", end)] {
                if !(beta > 0.0 && beta < 1.0) {
                    return Err(Error::argument(name, format!("{beta}; a β lies between 0 and 1, both excluded")));
                }
            }
        }
        // The product runs in f64 also where its terms were rounded: torch's cumprod does so.
        let mut product = 1.0;
        let alpha_bar: Vec<f64> = kind
            .betas(steps, tables)
            .into_iter()
            .map(|beta| {
                product *= tables.round(1.0 - beta);
                tables.round(product)
            })
            .collect();
        // Thousands of large β underflow ᾱ to 0, where nothing of the image is left to divide by.
        let before = |t: usize| if t == 0 { 1.0 } else { alpha_bar[t - 1] };
        if let Some(t) = (0..steps).find(|&t| alpha_bar[t] >= before(t) && alpha_bar[t] > 0.0) {
            let reason = format!("β at t = {t} is too small to add any noise in this precision; use a larger one");
            return Err(Error::argument("schedule", reason));
        }
        match alpha_bar.iter().position(|&value| value <= 0.0) {
            Some(t) => Err(Error::argument(
                "schedule",
                format!(
                    "the share of the clean sample that is left at t = {t} is {}; use fewer training steps or a smaller β",
                    alpha_bar[t]
                ),
            )),
            None => Ok(Self { alpha_bar }),
        }
    }

    /// T, the number of training steps.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.alpha_bar.len()
    }

    fn at(&self, index: usize) -> NoiseLevel {
        let alpha_bar = self.alpha_bar[index];
        NoiseLevel { t: index as f64, alpha: alpha_bar.sqrt(), sigma: (1.0 - alpha_bar).sqrt() }
    }
}

impl NoiseSchedule for BetaSchedule {
    fn level(&self, t: f64) -> NoiseLevel {
        if t < 0.0 {
            return NoiseLevel { t: -1.0, alpha: 1.0, sigma: 0.0 };
        }
        let t = t.min((self.steps() - 1) as f64);
        let below = self.at(t as usize);
        let fraction = t - below.t;
        if fraction == 0.0 {
            return below;
        }
        let above = self.at(t as usize + 1);
        let lambda = below.lambda() + fraction * (above.lambda() - below.lambda());
        // α² + σ² = 1 and α/σ = e^λ.
        let part = |exponent: f64| (1.0 + exponent.exp()).sqrt().recip();
        NoiseLevel { t, alpha: part(-2.0 * lambda), sigma: part(2.0 * lambda) }
    }

    fn time(&self, lambda: f64) -> f64 {
        if lambda == f64::INFINITY {
            return -1.0;
        }
        let last = self.steps() - 1;
        // λ falls as t grows.
        let above = self.alpha_bar.partition_point(|&alpha_bar| 0.5 * (alpha_bar / (1.0 - alpha_bar)).ln() >= lambda);
        if above == 0 {
            return 0.0;
        }
        if above > last {
            return last as f64;
        }
        let (low, high) = (self.at(above - 1), self.at(above));
        low.t + (low.lambda() - lambda) / (low.lambda() - high.lambda())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [BetaKind; 4] = [
        BetaKind::Linear { start: 1e-4, end: 0.02 },
        BetaKind::ScaledLinear { start: 0.00085, end: 0.012 },
        BetaKind::Cosine,
        BetaKind::Sigmoid { start: 1e-4, end: 0.02 },
    ];

    #[test]
    fn the_cosine_schedule_is_the_closed_form_of_its_paper() {
        let schedule = BetaSchedule::new(BetaKind::Cosine, 1000, Tables::Exact).unwrap();
        let f = |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
        // Up to the last steps, where β is clipped, the product telescopes. Three known ports get it wrong by dividing integers.
        for t in [0usize, 1, 10, 500, 900, 990] {
            let expected = f((t + 1) as f64 / 1000.0) / f(0.0);
            let level = schedule.level(t as f64);
            assert!((level.alpha * level.alpha - expected).abs() < 1e-12, "t = {t}");
        }
    }

    #[test]
    fn the_linear_schedule_agrees_with_the_product_of_its_definition() {
        let schedule = BetaSchedule::new(KINDS[0], 1000, Tables::Exact).unwrap();
        let log: f64 = (0..1000).map(|i| (-(1e-4 + f64::from(i) * (0.02 - 1e-4) / 999.0)).ln_1p()).sum();
        let level = schedule.level(999.0);
        assert!((2.0 * level.alpha.ln() - log).abs() < 1e-11);
    }

    #[test]
    fn noise_rises_and_time_inverts_lambda_on_and_off_the_indices() {
        for kind in KINDS {
            for tables in [Tables::Exact, Tables::Diffusers] {
                let schedule = BetaSchedule::new(kind, 1000, tables).unwrap();
                let mut last = f64::INFINITY;
                for k in 0..=999 * 4 {
                    let t = f64::from(k) / 4.0;
                    let level = schedule.level(t);
                    assert!((level.alpha.hypot(level.sigma) - 1.0).abs() < 1e-12);
                    assert!(level.lambda() < last, "{kind:?} at {t}");
                    last = level.lambda();
                    assert!((schedule.time(level.lambda()) - t).abs() < 1e-6, "{kind:?} at {t}");
                }
                assert_eq!(schedule.time(100.0), 0.0);
                assert_eq!(schedule.time(schedule.level(-1.0).lambda()), -1.0);
                assert_eq!(schedule.time(-100.0), 999.0);
            }
        }
    }

    #[test]
    fn impossible_schedules_are_refused() {
        let new = |start, end, steps| BetaSchedule::new(BetaKind::Linear { start, end }, steps, Tables::Exact);
        assert!(new(1e-4, 0.02, 0).is_err());
        assert!(new(0.0, 0.02, 10).is_err());
        assert!(new(1e-4, 1.0, 10).is_err());
        assert!(new(f64::NAN, 0.02, 10).is_err());
        assert!(new(0.5, 0.9, 5000).unwrap_err().to_string().contains("smaller β"), "ᾱ underflows");
        assert!(new(1e-300, 1e-300, 10).unwrap_err().to_string().contains("larger"), "β is lost");
        assert!(new(1e-4, 0.02, 1).is_ok());
    }
}
