//! Variance-preserving schedules in discrete time, as DDPM and its descendants are trained on.

use super::level::{NoiseLevel, NoiseSchedule, Rates};
use crate::error::{Error, Result};

/// How β grows over the T training steps.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BetaKind {
    /// β evenly spaced (Ho et al. 2020, §4).
    Linear {
        /// β of the first step.
        start: f64,
        /// β of the last step.
        end: f64,
    },
    /// √β evenly spaced. It is "quad" in the code of Ho et al. 2020, and "linear" in that of Rombach et al. 2022.
    ScaledLinear {
        /// β of the first step.
        start: f64,
        /// β of the last step.
        end: f64,
    },
    /// ᾱ is a squared cosine, with β at most 0.999 (Nichol & Dhariwal 2021, eq. 17).
    Cosine,
    /// β is a logistic function of the step, over its arguments −6 to 6 (the code of Xu et al. 2022, "GeoDiff").
    Sigmoid {
        /// The β that the curve leaves from.
        start: f64,
        /// The β that the curve tends to.
        end: f64,
    },
    /// ᾱ follows a logistic curve of the step between its arguments `start/τ` and `end/τ`. It is scaled to fall from 1
    /// to 0, with β at most 0.999. The curve's end is rounded to f32, as in denoising-diffusion-pytorch. Source: Jabri
    /// et al. 2022, "Scalable Adaptive Computation for Iterative Generation", figure 8.
    SigmoidAlphaBar {
        /// Where the curve begins, times τ.
        start: f64,
        /// Where it ends, times τ.
        end: f64,
        /// The temperature τ: the smaller it is, the steeper the curve.
        tau: f64,
    },
    /// ᾱ = e^(−12·t/T), with β at most 0.999. This is diffusers' "exp".
    Exponential,
    /// Most training is near λ = 0, with β at most 0.999. This is diffusers' "laplace", after Hang & Gu 2024, "Improved
    /// Noise Schedule for Diffusion Training". The paper's ᾱ is the square of diffusers' ᾱ, and this is diffusers'.
    Laplace,
    /// The β themselves, one for each training step.
    Trained(Vec<f64>),
}

/// How the schedule ends at its noisiest step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Terminal {
    /// As β makes it. A little of the clean sample is left.
    #[default]
    AsTrained,
    /// √ᾱ is shifted and scaled so that nothing of the clean sample is left. A network that predicts ε cannot start
    /// there. Source: Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed", algorithm 1.
    ZeroSnr,
    /// As [`ZeroSnr`](Self::ZeroSnr), but ᾱ is 2⁻²⁴ at the last step, so that solvers that divide by α can start there.
    /// It is half of the ᾱ before, if that is less.
    Floored,
}

/// The arithmetic in which the tables are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tables {
    /// f64, as the formulas state.
    #[default]
    Exact,
    /// f32 where diffusers rounds, for exactly the same picture. α and σ then differ by up to 3e-4 from the formulas.
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

    /// `count` values from `first` to `last`. In f32 they are computed from both ends to the middle with a rounded
    /// increment, as torch does.
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
    /// The greatest distance of `start/τ` and `end/τ` of [`SigmoidAlphaBar`](Self::SigmoidAlphaBar) from 0. Beyond it
    /// their exponentials are not finite.
    pub const MOST_ARGUMENT: f64 = 600.0;

    fn check(&self, steps: usize) -> Result<()> {
        if let Self::Linear { start, end } | Self::ScaledLinear { start, end } | Self::Sigmoid { start, end } = *self {
            for (name, beta) in [("beta_start", start), ("beta_end", end)] {
                if !(beta > 0.0 && beta < 1.0) {
                    return Err(Error::argument(name, format!("{beta}; a β lies between 0 and 1, both excluded")));
                }
            }
        }
        if let Self::SigmoidAlphaBar { start, end, tau } = *self {
            check_sigmoid(start, end, tau)?;
        }
        if let Self::Trained(betas) = self {
            if betas.len() != steps {
                let reason = format!("{} values of β for {steps} training steps", betas.len());
                return Err(Error::argument("betas", reason));
            }
            if let Some(t) = betas.iter().position(|beta| !(*beta > 0.0 && *beta < 1.0)) {
                let reason = format!("β is {} at t = {t}; a β lies between 0 and 1, both excluded", betas[t]);
                return Err(Error::argument("betas", reason));
            }
        }
        Ok(())
    }

    fn betas(&self, steps: usize, tables: Tables) -> Vec<f64> {
        let round = |value| tables.round(value);
        let of_alpha_bar = |alpha_bar: &dyn Fn(f64) -> f64| {
            let total = steps as f64;
            (0..steps)
                .map(|i| 1.0 - alpha_bar((i + 1) as f64 / total) / alpha_bar(i as f64 / total))
                .map(|beta| round(beta.min(0.999)))
                .collect()
        };
        match *self {
            Self::Linear { start, end } => tables.linspace(start, end, steps),
            Self::ScaledLinear { start, end } => {
                tables.linspace(start.sqrt(), end.sqrt(), steps).into_iter().map(|root| round(root * root)).collect()
            }
            Self::Cosine => of_alpha_bar(&|t| ((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2)),
            Self::SigmoidAlphaBar { start, end, tau } => {
                let (start, end) = (start / tau, end / tau);
                let logistic = |argument: f64| 1.0 / (1.0 + (-argument).exp());
                let single = |value: f64| f64::from(value as f32);
                // How far the rounding moves ᾱ. It is up to 6e-8, which is 1e-5 in the last α where τ is 0.3.
                let moved = single(logistic(single(end))) - logistic(end);
                of_alpha_bar(&|t| {
                    let behind = (1.0 - t) * (end - start);
                    // logistic(end) − logistic(end − behind), without cancellation.
                    logistic(end) * -(-behind).exp_m1() / (1.0 + (end - behind).exp()) + moved
                })
            }
            Self::Exponential => of_alpha_bar(&|t| (-12.0 * t).exp()),
            Self::Laplace => of_alpha_bar(&|t| {
                let lambda = -0.5 * (0.5 - t).signum() * (1.0 - 2.0 * (0.5 - t).abs() + 1e-6).ln();
                (1.0 + (-lambda).exp()).recip().sqrt()
            }),
            Self::Trained(ref betas) => betas.iter().map(|&beta| round(beta)).collect(),
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
/// λ is interpolated linearly between two indices. Times below 0 are the clean sample (α = 1, σ = 0, t = −1).
#[derive(Debug, Clone, PartialEq)]
pub struct BetaSchedule {
    alpha_bar: Vec<f64>,
    betas: Vec<f64>,
}

impl BetaSchedule {
    /// The most training steps that a schedule may have.
    pub const MOST_STEPS: usize = 1_000_000;

    /// The schedule of `kind` over `steps` training steps.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no steps or more than a million, or if a β is not within (0, 1).
    pub fn new(kind: BetaKind, steps: usize, tables: Tables) -> Result<Self> {
        Self::ending(kind, steps, tables, Terminal::AsTrained)
    }

    /// The schedule of `kind` over `steps` training steps, with another end.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn ending(kind: BetaKind, steps: usize, tables: Tables, terminal: Terminal) -> Result<Self> {
        Self::shifted(kind, steps, tables, terminal, 1.0)
    }

    /// The schedule with its signal-to-noise ratio ᾱ/(1 − ᾱ) divided by `snr_shift`. Source: Hoogeboom et al. 2023,
    /// "Simple Diffusion", §3.1, in the form of CogVideoX.
    ///
    /// # Errors
    /// As [`new`](Self::new), or if `snr_shift` is not above 0.
    pub fn shifted(kind: BetaKind, steps: usize, tables: Tables, terminal: Terminal, snr_shift: f64) -> Result<Self> {
        if !(snr_shift.is_finite() && snr_shift > 0.0) {
            return Err(Error::argument("snr_shift", format!("{snr_shift}; it has to be above 0")));
        }
        if !(1..=Self::MOST_STEPS).contains(&steps) {
            let reason = format!("{steps} training steps; 1 to {} are possible", Self::MOST_STEPS);
            return Err(Error::argument("train_steps", reason));
        }
        kind.check(steps)?;
        let betas = kind.betas(steps, tables);
        let mut alpha_bar = cumulative_product(betas.iter().map(|beta| 1.0 - beta), tables);
        if snr_shift != 1.0 {
            for bar in &mut alpha_bar {
                *bar = tables.round(*bar / tables.round(snr_shift + tables.round((1.0 - snr_shift) * *bar)));
            }
        }
        if terminal != Terminal::AsTrained {
            if steps < 2 {
                return Err(Error::argument("train_steps", "1; a schedule that is rescaled has at least 2"));
            }
            alpha_bar = to_zero(&alpha_bar, tables);
            if terminal == Terminal::Floored {
                // Where the ᾱ before is less than that, this is half of it.
                alpha_bar[steps - 1] = 2f64.powi(-24).min(0.5 * alpha_bar[steps - 2]);
            }
        }
        // Thousands of large β underflow ᾱ to 0, where nothing of the image is left to divide by.
        let before = |t: usize| if t == 0 { 1.0 } else { alpha_bar[t - 1] };
        if let Some(t) = (0..steps).find(|&t| alpha_bar[t] >= before(t) && alpha_bar[t] > 0.0) {
            let reason = if before(t) < f64::from(f32::MIN_POSITIVE) {
                format!(
                    "nothing that f32 holds is left of the clean sample at t = {t}; use fewer training steps or a smaller β"
                )
            } else {
                format!("β at t = {t} is too small to add any noise in this precision; use a larger one")
            };
            return Err(Error::argument("schedule", reason));
        }
        let dividing = if terminal == Terminal::ZeroSnr { &alpha_bar[..steps - 1] } else { &alpha_bar };
        match dividing.iter().position(|&value| value.is_nan() || value <= 0.0) {
            Some(t) => Err(Error::argument(
                "schedule",
                format!(
                    "the share of the clean sample that is left at t = {t} is {}; use fewer training steps or a smaller β",
                    alpha_bar[t]
                ),
            )),
            None => Ok(Self { alpha_bar, betas }),
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

fn check_sigmoid(start: f64, end: f64, tau: f64) -> Result<()> {
    let most = BetaKind::MOST_ARGUMENT;
    for (name, value) in [("start", start), ("end", end)] {
        if !value.is_finite() {
            return Err(Error::argument(name, format!("{value}; it has to be finite")));
        }
    }
    if !(tau > 0.0 && tau.is_finite()) {
        return Err(Error::argument("tau", format!("{tau}; it has to be finite and above 0")));
    }
    if start.abs().max(end.abs()) / tau > most {
        let reason = format!("{tau}; start/tau and end/tau have to lie between −{most} and {most}");
        return Err(Error::argument("tau", reason));
    }
    if end / tau <= start / tau {
        return Err(Error::argument("end", format!("{end}; it has to be above start, which is {start}")));
    }
    Ok(())
}

/// The running product of the terms. It is kept in f64 even where its terms are rounded, as torch's cumprod does.
fn cumulative_product(terms: impl Iterator<Item = f64>, tables: Tables) -> Vec<f64> {
    let mut product = 1.0;
    terms
        .map(|term| {
            product *= tables.round(term);
            tables.round(product)
        })
        .collect()
}

/// ᾱ, rescaled so that it ends at 0.
fn to_zero(alpha_bar: &[f64], tables: Tables) -> Vec<f64> {
    let round = |value| tables.round(value);
    let root: Vec<f64> = alpha_bar.iter().map(|&value| round(value.sqrt())).collect();
    let (first, last) = (root[0], root[root.len() - 1]);
    let scale = round(first / round(first - last));
    let squared: Vec<f64> =
        root.iter().map(|&value| round(round(value - last) * scale)).map(|value| round(value * value)).collect();
    // It is computed by way of β and its product as in the paper, so that it rounds as there.
    let ratios = (0..squared.len()).map(|t| if t == 0 { squared[0] } else { round(squared[t] / squared[t - 1]) });
    cumulative_product(ratios.map(|ratio| 1.0 - round(1.0 - ratio)), tables)
}

impl NoiseSchedule for BetaSchedule {
    fn beta(&self, t: usize) -> Option<f64> {
        self.betas.get(t).copied()
    }

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
        if above.alpha == 0.0 {
            // λ is infinite there.
            let alpha = below.alpha * (1.0 - fraction);
            return NoiseLevel { t, alpha, sigma: ((1.0 - alpha) * (1.0 + alpha)).sqrt() };
        }
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
        if high.alpha == 0.0 {
            let alpha = (1.0 + (-2.0 * lambda).exp()).sqrt().recip();
            return low.t + 1.0 - alpha / low.alpha;
        }
        low.t + (low.lambda() - lambda) / (low.lambda() - high.lambda())
    }

    fn bounds(&self) -> [f64; 2] {
        [0.0, (self.steps() - 1) as f64]
    }

    fn train_steps(&self) -> Option<usize> {
        Some(self.steps())
    }

    fn rates(&self, t: f64) -> Rates {
        // This is β of the training step that leads up to t, per training step.
        let index = (t.ceil().max(0.0) as usize).min(self.steps() - 1);
        let before = if index == 0 { 1.0 } else { self.alpha_bar[index - 1] };
        let beta = 1.0 - self.alpha_bar[index] / before;
        Rates { drift: -0.5 * beta, diffusion: beta.sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [BetaKind; 5] = [
        BetaKind::Linear { start: 1e-4, end: 0.02 },
        BetaKind::ScaledLinear { start: 0.00085, end: 0.012 },
        BetaKind::Cosine,
        BetaKind::Sigmoid { start: 1e-4, end: 0.02 },
        BetaKind::SigmoidAlphaBar { start: -3.0, end: 3.0, tau: 1.0 },
    ];

    #[test]
    fn the_cosine_schedule_is_the_closed_form_of_its_paper() {
        let schedule = BetaSchedule::new(BetaKind::Cosine, 1000, Tables::Exact).unwrap();
        let f = |t: f64| ((t + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
        // The product telescopes up to the last steps, where β is clipped. Three known ports get it wrong by dividing
        // integers.
        for t in [0usize, 1, 10, 500, 900, 990] {
            let expected = f((t + 1) as f64 / 1000.0) / f(0.0);
            let level = schedule.level(t as f64);
            assert!((level.alpha * level.alpha - expected).abs() < 1e-12, "t = {t}");
        }
    }

    #[test]
    fn the_linear_schedule_agrees_with_the_product_of_its_definition() {
        let schedule = BetaSchedule::new(KINDS[0].clone(), 1000, Tables::Exact).unwrap();
        let log: f64 = (0..1000).map(|i| (-(1e-4 + f64::from(i) * (0.02 - 1e-4) / 999.0)).ln_1p()).sum();
        let level = schedule.level(999.0);
        assert!((2.0 * level.alpha.ln() - log).abs() < 1e-11);
    }

    #[test]
    fn noise_rises_and_time_inverts_lambda_on_and_off_the_indices() {
        for kind in KINDS {
            for tables in [Tables::Exact, Tables::Diffusers] {
                let schedule = BetaSchedule::new(kind.clone(), 1000, tables).unwrap();
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
        let new = |start, end, tau, steps| {
            BetaSchedule::new(BetaKind::SigmoidAlphaBar { start, end, tau }, steps, Tables::Exact)
                .map_err(|error| error.to_string())
        };
        for (start, end, tau, named) in [
            (f64::NAN, 3.0, 1.0, "start"),
            (f64::NEG_INFINITY, 3.0, 1.0, "start"),
            (-3.0, f64::NAN, 1.0, "end"),
            (3.0, 3.0, 1.0, "end"),
            (3.0, -3.0, 1.0, "end"),
            (-3.0, 3.0, f64::NAN, "tau"),
            (-3.0, 3.0, 0.0, "tau"),
            (-3.0, 3.0, -1.0, "tau"),
            (-3.0, 3.0, 1e-3, "tau"),
            (-f64::MAX, f64::MAX, 1e-300, "tau"),
            (-300.0, 3.0, 1.0, "larger"),
        ] {
            let error = new(start, end, tau, 1000).unwrap_err();
            assert!(error.contains(named), "{start}, {end}, {tau}: {error}");
        }
        assert!(new(-3.0, 3.0, 1.0, 0).is_err() && new(-3.0, 3.0, 1.0, BetaSchedule::MOST_STEPS + 1).is_err());
        for steps in [1, 2, BetaSchedule::MOST_STEPS] {
            assert!(new(-3.0, 3.0, 1.0, steps).is_ok(), "{steps}");
        }
        assert!(new(-600.0, 600.0, 1.0, 10).is_err() && new(0.0, 600.0, 1.0, 1000).is_ok());
    }
}
