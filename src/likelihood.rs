//! The likelihood of given samples under a model.
//!
//! [`log_density`] follows the probability-flow ODE. Source: Song et al. 2021, "Score-Based Generative Modeling through
//! Stochastic Differential Equations", arXiv:2011.13456, §4.3 and appendix D.2.
//!
//! [`variational_bound`] is DDPM's bound. Sources: Ho et al. 2020, arXiv:2006.11239, eq. 5; Nichol & Dhariwal 2021,
//! arXiv:2102.09672.

use ndarray::{ArrayD, ArrayViewD, Axis, Slice};

use crate::denoiser::{Condition, Denoised, Denoiser, Query};
use crate::error::{Error, Result};
use crate::noise::{Draw, NoiseSource};
use crate::schedule::{Frame, NoiseLevel, NoiseSchedule};
use crate::solver::{Adaptive, Deviation, Variance, added_variance, dormand_prince};
use crate::tensor::first_not_finite;

/// The most directions of [`Divergence::Hutchinson`].
const MOST_DIRECTIONS: usize = 10_000;

/// How the divergence of the ODE is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Divergence {
    /// The whole trace, with one derivative for each value of an item. It suits points and other small items.
    Exact,
    /// Hutchinson's estimate from this many random directions of ±1, which is right on average. The directions stay the
    /// same along the whole way. Source: Grathwohl et al. 2018, "FFJORD", arXiv:1810.01367, §3.1.
    Hutchinson(usize),
}

/// The most values of an item for [`Divergence::Exact`].
const MOST_EXACT: usize = 4096;

/// The log density in nats of every item of `x` (batch first) at the least noisy level of `schedule`. It is the density
/// that the probability-flow ODE makes of the noise `N(0, α² + σ²)` from which runs start.
///
/// This is the density of the slightly noisy sample, not of the clean one. A model of points on a curve has no density
/// of clean samples. Each item is integrated by itself, to the tolerance.
///
/// The divergence needs derivatives. They are the denoiser's own ([`Denoiser::derivative`]) where it has them.
/// Otherwise they are differences of its estimates a hundredth of the noise apart, accurate to some 1e-3 in f32.
/// `noise` draws the directions of [`Divergence::Hutchinson`].
///
/// # Errors
/// [`Error::Argument`] if the items are too large for the exact divergence, or if there are no directions.
/// [`Error::Evaluation`] if the tolerance is not met within the allowed evaluations. Other errors are the denoiser's.
pub fn log_density(
    denoiser: &mut dyn Denoiser,
    schedule: &dyn NoiseSchedule,
    x: ArrayViewD<'_, f32>,
    condition: &Condition,
    divergence: Divergence,
    tolerance: Adaptive,
    noise: &mut dyn NoiseSource,
) -> Result<Vec<f64>> {
    let items = x.shape().first().copied().unwrap_or(0);
    let length = x.len() / items.max(1);
    let directions = directions(divergence, items, length, noise)?;
    let [least, most] = schedule.bounds().map(|t| schedule.level(t));
    // σ/α of pure noise is infinite.
    let frame = if most.alpha == 0.0 { Frame::Straight } else { schedule.frame() };
    let [start, end] = [least, most].map(|level| frame.u(level).ln());
    let mut densities = Vec::with_capacity(items);
    for (item, directions) in (0..items).zip(directions) {
        let x = x.slice_axis(Axis(0), Slice::from(item..item + 1));
        let mut asked = Asked { denoiser, condition: condition.item(item), shape: x.shape().to_vec(), item };
        // With y = x/s, this is the log density of y relative to that at the end.
        let scale = frame.scale(least);
        let mut state: Vec<f64> = x.iter().map(|&value| f64::from(value) / scale).chain([0.0]).collect();
        let slope = |tau: f64, state: &[f64], out: &mut [f64]| -> Result<()> {
            let u = tau.exp();
            let level = match frame {
                _ if tau == end => most,
                _ if tau == start => least,
                Frame::Signal => schedule.level(schedule.time(-u.ln())),
                Frame::Straight => schedule.level(schedule.time(((1.0 - u) / u).ln())),
            };
            let scale = frame.scale(level);
            let x: Vec<f32> = state[..length].iter().map(|y| (y * scale) as f32).collect();
            let (denoised, trace) = asked.denoised_and_trace(&x, level, &directions)?;
            for (i, out) in out[..length].iter_mut().enumerate() {
                *out = f64::from(x[i]) / scale - f64::from(denoised[i]);
            }
            out[length] = length as f64 - scale * trace;
            Ok(())
        };
        dormand_prince(slope, &mut state, [start, end], tolerance)?;
        let scale = frame.scale(most);
        let variance = most.alpha * most.alpha + most.sigma * most.sigma;
        let square: f64 = state[..length].iter().map(|y| (y * scale).powi(2)).sum();
        let prior = -0.5 * (square / variance + length as f64 * (std::f64::consts::TAU * variance).ln());
        // It goes from the density of x at the noisy end to that of y, along the way, and back at the other end.
        let of_scale = length as f64 * (scale.ln() - frame.scale(least).ln());
        densities.push(prior + of_scale + state[length]);
    }
    Ok(densities)
}

/// Bits per value of an item of `length` values with this `log_density` in nats.
///
/// For 8-bit images of the range −1 to 1 add `7`, the logarithm of the width of their steps. Source: Theis et al. 2016,
/// "A Note on the Evaluation of Generative Models".
#[must_use]
pub fn bits_per_dim(log_density: f64, length: usize) -> f64 {
    -log_density / (length as f64 * std::f64::consts::LN_2)
}

/// The directions for each item, and the weight of their results.
fn directions(
    divergence: Divergence,
    items: usize,
    length: usize,
    noise: &mut dyn NoiseSource,
) -> Result<Vec<Vec<Vec<f32>>>> {
    match divergence {
        Divergence::Exact if length > MOST_EXACT => {
            let reason = format!(
                "exact, for items of {length} values; at most {MOST_EXACT} are possible, hutchinson has no limit"
            );
            Err(Error::argument("divergence", reason))
        }
        Divergence::Exact => {
            let unit = |i: usize| (0..length).map(|j| f32::from(u8::from(i == j))).collect::<Vec<f32>>();
            let all: Vec<_> = (0..length).map(unit).collect();
            Ok(vec![all; items])
        }
        Divergence::Hutchinson(0) => {
            Err(Error::argument("divergence", "hutchinson with 0 directions; at least 1 is needed"))
        }
        Divergence::Hutchinson(count) if count > MOST_DIRECTIONS => Err(Error::argument(
            "divergence",
            format!("hutchinson with {count} directions; at most {MOST_DIRECTIONS} are possible"),
        )),
        Divergence::Hutchinson(count) => {
            let mut all = vec![Vec::with_capacity(count); items];
            for k in 0..count {
                let mut values = vec![0.0; items * length];
                noise.fill(Draw::Step { step: k as u32, stage: 0 }, length, &mut values);
                // Signs scatter the least; the weight 1/√count makes the mean of the squares a sum.
                let weight = (1.0 / (count as f32)).sqrt();
                for (item, values) in all.iter_mut().zip(values.chunks(length)) {
                    item.push(values.iter().map(|value| weight.copysign(*value)).collect());
                }
            }
            Ok(all)
        }
    }
}

/// A denoiser with the inputs of one item.
struct Asked<'a> {
    denoiser: &'a mut dyn Denoiser,
    condition: Condition,
    shape: Vec<usize>,
    item: usize,
}

impl Asked<'_> {
    /// x̂₀ of `x`, and `Σ vᵀ(∂x̂₀/∂x)v` over the directions.
    fn denoised_and_trace(&mut self, x: &[f32], level: NoiseLevel, directions: &[Vec<f32>]) -> Result<(Vec<f32>, f64)> {
        let denoised = self.ask(x, level)?;
        let mut trace = 0.0;
        // This is the width over which x̂₀ changes: the noise, and at little noise a tenth of data of unit variance.
        let width = 0.01 * level.deviation(0.1);
        for direction in directions {
            let dot = |change: &[f32]| -> f64 {
                change.iter().zip(direction).map(|(change, v)| f64::from(*change) * f64::from(*v)).sum()
            };
            let array = |values: &[f32]| ArrayD::from_shape_vec(self.shape.clone(), values.to_vec());
            let (Ok(at), Ok(along)) = (array(x), array(direction)) else {
                return Err(Error::argument("x", "a shape that does not fit its values"));
            };
            let query = Query { x: at.view(), level, condition: &self.condition, step: 0 };
            if let Some(derivative) = self.denoiser.derivative(query, along.view())? {
                trace += dot(derivative.as_slice().unwrap_or_default());
                continue;
            }
            let norm = direction.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            let step = (width * (x.len() as f64).sqrt() / norm) as f32;
            let moved = |sign: f32| -> Vec<f32> { x.iter().zip(direction).map(|(x, v)| x + sign * step * v).collect() };
            let (ahead, behind) = (moved(1.0), moved(-1.0));
            let (up, down) = (self.ask(&ahead, level)?, self.ask(&behind, level)?);
            // It is divided by the distance in f32, value by value, along the direction.
            let gone = dot(&ahead.iter().zip(&behind).map(|(a, b)| a - b).collect::<Vec<f32>>()) / (norm * norm);
            trace += dot(&up.iter().zip(&down).map(|(a, b)| a - b).collect::<Vec<f32>>()) / gone;
        }
        Ok((denoised, trace))
    }

    fn ask(&mut self, x: &[f32], level: NoiseLevel) -> Result<Vec<f32>> {
        let Ok(x) = ArrayD::from_shape_vec(self.shape.clone(), x.to_vec()) else {
            return Err(Error::argument("x", "a shape that does not fit its values"));
        };
        let mut out = Denoised::new(&self.shape)?;
        self.denoiser.denoise(Query { x: x.view(), level, condition: &self.condition, step: 0 }, &mut out)?;
        let values = out.x0.as_slice().unwrap_or_default();
        if let Some(index) = first_not_finite(values) {
            let reason = format!("the denoised sample of item {} is {} at t = {}", self.item, values[index], level.t);
            return Err(Error::Evaluation { step: 0, reason });
        }
        Ok(values.to_vec())
    }
}

/// DDPM's variational bound of one item, in bits per value.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct VariationalBound {
    /// The whole bound on the negative log probability, which is the sum of the other three.
    pub total: f64,
    /// `KL(q(x_T | x₀) ‖ N(0, 1))`, which measures what is left of the sample at the noisy end.
    pub prior: f64,
    /// `Σ KL(q(x_{t−1} | x_t, x₀) ‖ p(x_{t−1} | x_t))` over the steps between.
    pub steps: f64,
    /// `−log p(x₀ | x_1)`, for values in 256 steps from −1 to 1.
    pub decoder: f64,
}

impl VariationalBound {
    /// The bound of an item with only the part of the noisy end, not divided by the item's length.
    fn prior(item: &[f32], last: NoiseLevel) -> Self {
        let variance = last.sigma * last.sigma;
        let divergence = |x: &f32| 0.5 * ((last.alpha * f64::from(*x)).powi(2) + variance - 1.0 - variance.ln());
        Self { total: 0.0, prior: item.iter().map(divergence).sum(), steps: 0.0, decoder: 0.0 }
    }

    /// Adds the contribution of a value `x` at one step. The network predicts `denoised` for it, and `said` for the
    /// variance.
    fn add(&mut self, x: f64, denoised: f64, reverse: &Reverse, said: f64, last: bool) {
        // The means differ by the error of x̂₀.
        let off = reverse.of_x0 * (x - denoised);
        let log_variance = reverse.log_variance(said);
        if last {
            self.decoder -= log_step(x, denoised, (0.5 * log_variance).exp());
        } else {
            let ratio = (reverse.log_posterior - log_variance).exp();
            self.steps +=
                0.5 * (log_variance - reverse.log_posterior + ratio - 1.0 + off * off * (-log_variance).exp());
        }
    }
}

/// The variational bound of every item of `x`, by a chain of all training steps. `x` is batch first, with values in 256
/// steps of the range −1 to 1.
///
/// There is one draw of noise for each step, so it takes T evaluations. `variance` is that of the reverse process. At
/// the last step β̃ is 0, and the variance of the step before is used, as in Nichol & Dhariwal.
///
/// # Errors
/// [`Error::Argument`] if the schedule has no training steps, or if the variance is a learned one and the network
/// predicts none. Other errors are the denoiser's.
pub fn variational_bound(
    denoiser: &mut dyn Denoiser,
    schedule: &dyn NoiseSchedule,
    x: ArrayViewD<'_, f32>,
    condition: &Condition,
    variance: Variance,
    noise: &mut dyn NoiseSource,
) -> Result<Vec<VariationalBound>> {
    let Some(train_steps) = schedule.train_steps() else {
        return Err(Error::argument(
            "schedule",
            "the variational bound is of the steps of training, which this schedule does not have",
        ));
    };
    let items = x.shape().first().copied().unwrap_or(0);
    let length = x.len() / items.max(1);
    let clean: Vec<f32> = x.iter().copied().collect();
    if let Some(value) = clean.iter().find(|value| !(-1.0..=1.0).contains(*value)) {
        return Err(Error::argument(
            "x",
            format!("a value is {value}; the bound is of values in 256 steps from -1 to 1"),
        ));
    }
    let last = schedule.level(train_steps as f64 - 1.0);
    let mut bounds: Vec<_> = clean.chunks(length.max(1)).map(|item| VariationalBound::prior(item, last)).collect();
    let mut fresh = vec![0.0; clean.len()];
    let mut out = Denoised::new(x.shape())?;
    for t in (0..train_steps).rev() {
        let (from, to) = (schedule.level(t as f64), schedule.level(t as f64 - 1.0));
        noise.fill(Draw::Step { step: t as u32, stage: 0 }, length, &mut fresh);
        let noisy: Vec<f32> = clean
            .iter()
            .zip(&fresh)
            .map(|(x, z)| (from.alpha * f64::from(*x) + from.sigma * f64::from(*z)) as f32)
            .collect();
        let Ok(noisy) = ArrayD::from_shape_vec(x.shape(), noisy) else {
            return Err(Error::argument("x", "a shape that does not fit its values"));
        };
        denoiser.denoise(Query { x: noisy.view(), level: from, condition, step: t }, &mut out)?;
        let said = out.variance.as_ref().and_then(|said| said.as_slice());
        if said.is_none() && matches!(variance, Variance::Learned | Variance::LearnedRange) {
            return Err(Error::argument(
                "variance",
                "the network predicts none; use posterior or beta, which need none",
            ));
        }
        let reverse = Reverse::new(schedule, from, to, variance);
        for (i, (x, denoised)) in clean.iter().zip(out.x0.as_slice().unwrap_or_default()).enumerate() {
            let said = said.map_or(0.0, |said| f64::from(said[i]));
            bounds[i / length].add(f64::from(*x), f64::from(*denoised), &reverse, said, t == 0);
        }
    }
    let unit = length as f64 * std::f64::consts::LN_2;
    for bound in &mut bounds {
        (bound.prior, bound.steps, bound.decoder) = (bound.prior / unit, bound.steps / unit, bound.decoder / unit);
        bound.total = bound.prior + bound.steps + bound.decoder;
    }
    Ok(bounds)
}

/// One step of the reverse chain.
struct Reverse {
    /// The coefficient of x₀ in the posterior's mean.
    of_x0: f64,
    log_posterior: f64,
    log_beta: f64,
    variance: Variance,
}

impl Reverse {
    fn new(schedule: &dyn NoiseSchedule, from: NoiseLevel, to: NoiseLevel, variance: Variance) -> Self {
        let moments = |from: NoiseLevel, to: NoiseLevel| {
            let beta = added_variance(from, to);
            (beta, beta * (to.sigma / from.sigma).powi(2), to.alpha * beta / (from.sigma * from.sigma))
        };
        let (beta, mut posterior, of_x0) = moments(from, to);
        if posterior == 0.0 {
            posterior = moments(schedule.level(from.t + 1.0), from).1;
        }
        Self { of_x0, log_posterior: posterior.ln(), log_beta: beta.ln(), variance }
    }

    fn log_variance(&self, said: f64) -> f64 {
        match self.variance {
            Variance::Posterior => self.log_posterior,
            Variance::Beta => self.log_beta,
            Variance::Learned => Deviation::Logarithm.log_variance(said),
            Variance::LearnedRange => Deviation::Range([self.log_posterior, self.log_beta]).log_variance(said),
        }
    }
}

/// The log probability that a normal variable of this mean and deviation falls into the same one of the 256 steps as
/// `x`. The outermost steps are open (Ho et al. 2020, eq. 13).
fn log_step(x: f64, mean: f64, deviation: f64) -> f64 {
    let below =
        |edge: f64| 0.5 * special::Error::compl_error(-(edge - mean) / deviation * std::f64::consts::FRAC_1_SQRT_2);
    let above =
        |edge: f64| 0.5 * special::Error::compl_error((edge - mean) / deviation * std::f64::consts::FRAC_1_SQRT_2);
    let (low, high) = (x - 1.0 / 255.0, x + 1.0 / 255.0);
    let probability = if x < -0.999 {
        below(high)
    } else if x > 0.999 {
        above(low)
    } else if mean < x {
        // It is the difference of the smaller tails, which does not cancel.
        above(low) - above(high)
    } else {
        below(high) - below(low)
    };
    probability.max(1e-12).ln()
}
