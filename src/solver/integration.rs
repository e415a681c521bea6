//! Solves an ODE by an embedded Runge–Kutta pair. Sources: Dormand & Prince 1980, "A family of embedded Runge–Kutta
//! formulae". The step control is that of Hairer, Nørsett, Wanner 1993, "Solving Ordinary Differential Equations I",
//! §II.4.

use crate::bytes::{Reader, Writer};
use crate::error::{Error, Result};
use crate::schedule::{Frame, Grid, NoiseLevel};
use crate::tensor::resize;

/// The options of a solver that chooses its own steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adaptive {
    /// The allowed error of a step relative to |y|.
    pub relative: f64,
    /// The allowed absolute error of a step, which is added to the relative one.
    pub absolute: f64,
    /// The most evaluations of one item.
    pub max_evaluations: usize,
}

/// The stages: the place of each as a share of the step, and the weights of those before it. The last are the
/// fifth-order result.
const NODES: [f64; 7] = [0.0, 1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0];
const WEIGHTS: [[f64; 6]; 7] = [
    [0.0; 6],
    [1.0 / 5.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [3.0 / 40.0, 9.0 / 40.0, 0.0, 0.0, 0.0, 0.0],
    [44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0, 0.0, 0.0, 0.0],
    [19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0, 0.0, 0.0],
    [9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0, 0.0],
    [35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
];
/// The weights of the difference between the fifth-order and the fourth-order result.
const ERROR: [f64; 7] =
    [71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339_200.0, 22.0 / 525.0, -1.0 / 40.0];

/// Whether a step with this error, relative to the allowed one, is accepted, and the factor for the next step's length.
/// The length does not grow after a step that was rejected.
fn controlled(error: f64, rejected: bool) -> (bool, f64) {
    let factor = 0.9 * error.powf(-0.2);
    if error < 1.0 {
        (true, factor.min(if rejected { 1.0 } else { 10.0 }))
    } else {
        // This also serves errors that are not a number.
        (false, if error.is_finite() { factor.max(0.2) } else { 0.2 })
    }
}

/// An integration of `dy/dτ` by the pair, stage by stage. Its owner computes the [slope](Self::slope) of every stage,
/// and calls [`go_on`](Self::go_on).
#[derive(Debug)]
struct Pair {
    tau: f64,
    /// The length of the next step, or of the current one.
    length: f64,
    stage: usize,
    rejected: bool,
    y: Vec<f64>,
    slopes: [Vec<f64>; 7],
}

/// The outcome of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Another stage of the same step is next.
    Stage,
    /// The step missed the tolerance, and begins anew with a shorter one.
    Rejected,
    /// y has moved.
    Accepted,
}

impl Pair {
    fn new(y: Vec<f64>, tau: f64) -> Result<Self> {
        let mut slopes: [Vec<f64>; 7] = Default::default();
        slopes.iter_mut().try_for_each(|slope| resize(slope, y.len(), 0.0))?;
        Ok(Self { tau, length: 0.0, stage: 0, rejected: false, y, slopes })
    }

    /// The time of the stage.
    fn at(&self) -> f64 {
        self.tau + NODES[self.stage] * self.length
    }

    /// Value `i` of the y of the stage.
    fn asked(&self, i: usize) -> f64 {
        let moved: f64 = (0..self.stage).map(|k| WEIGHTS[self.stage][k] * self.slopes[k][i]).sum();
        self.y[i] + self.length * moved
    }

    /// The slope of the stage, to be written.
    fn slope(&mut self) -> &mut Vec<f64> {
        &mut self.slopes[self.stage]
    }

    /// Shortens a step that is about to begin so that it does not go beyond `end`.
    fn stop_at(&mut self, end: f64) {
        if self.length >= end - self.tau {
            self.length = end - self.tau;
        }
    }

    /// Continues after a stage whose slope was written.
    fn go_on(&mut self, adaptive: Adaptive) -> Outcome {
        if self.stage < 6 {
            self.stage += 1;
            return Outcome::Stage;
        }
        let mean_square = (0..self.y.len())
            .map(|i| {
                let error = self.length * (0..7).map(|k| ERROR[k] * self.slopes[k][i]).sum::<f64>();
                let size = self.y[i].abs().max(self.asked(i).abs());
                (error / (adaptive.absolute + adaptive.relative * size)).powi(2)
            })
            .sum::<f64>()
            / self.y.len() as f64;
        let (accepted, factor) = controlled(mean_square.sqrt(), self.rejected);
        self.rejected = !accepted;
        if accepted {
            // The last stage was evaluated at the new y.
            for i in 0..self.y.len() {
                self.y[i] = self.asked(i);
            }
            self.tau += self.length;
            // Its slope is the first of the next step.
            self.slopes.swap(0, 6);
        }
        self.stage = 1;
        self.length *= factor;
        if accepted { Outcome::Accepted } else { Outcome::Rejected }
    }
}

/// The state of an adaptive run, which integrates one item after another.
///
/// With `y = x/s` and `u = σ/s` the ODE is `dy/d(ln u) = y − x̂₀` in either [`Frame`], which is free of poles. Time is
/// τ = −ln u here.
#[derive(Debug)]
pub(crate) struct Integration {
    adaptive: Adaptive,
    frame: Frame,
    /// τ at the first level and at the last that has noise.
    ends: [f64; 2],
    item: usize,
    evaluations: usize,
    pair: Pair,
    finishing: bool,
}

impl Integration {
    pub(crate) fn new(adaptive: Adaptive, grid: &Grid, length: usize) -> Result<Self> {
        let frame = grid.frame();
        let levels = grid.levels();
        let noisy = levels.iter().rev().find(|level| level.sigma > 0.0).copied().unwrap_or(levels[0]);
        let ends = [levels[0], noisy].map(|level| -frame.u(level).ln());
        let mut y = Vec::new();
        resize(&mut y, length, 0.0)?;
        let pair = Pair::new(y, ends[0])?;
        Ok(Self { adaptive, frame, ends, item: 0, evaluations: 0, pair, finishing: false })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.pair.slopes.iter().chain([&self.pair.y]).map(|tensor| size_of_val(&tensor[..])).sum()
    }

    pub(crate) fn save(&self, to: &mut Writer) {
        let Pair { tau, length, stage, rejected, y, slopes } = &self.pair;
        for count in [self.item, *stage, self.evaluations, usize::from(*rejected), usize::from(self.finishing)] {
            to.whole(count as u64);
        }
        to.real(*tau);
        to.real(*length);
        to.reals(y);
        slopes.iter().for_each(|slope| to.reals(slope));
    }

    pub(crate) fn load(&mut self, from: &mut Reader<'_>, items: usize, finished: bool) -> Result<()> {
        self.item = from.whole("the item", items as u64)? as usize;
        if (self.item == items) != finished {
            return Err(Error::argument("snapshot", "its items are not as far as its steps"));
        }
        let pair = &mut self.pair;
        pair.stage = from.whole("the stage", 6)? as usize;
        self.evaluations = from.whole("evaluations", self.adaptive.max_evaluations as u64)? as usize;
        pair.rejected = from.whole("a flag", 1)? == 1;
        self.finishing = from.whole("a flag", 1)? == 1;
        let [start, end] = self.ends;
        let within = |tau: f64| (tau - start) / (end - start) >= -1e-9 && (tau - start) / (end - start) <= 1.0 + 1e-9;
        pair.tau = Some(from.real("the place")?)
            .filter(|tau| within(*tau))
            .ok_or_else(|| Error::argument("snapshot", "it stands beyond the ends of the run"))?;
        pair.length = from.real("the step")?;
        from.reals("the item", &mut pair.y)?;
        pair.slopes.iter_mut().try_for_each(|slope| from.reals("slopes", slope))
    }

    /// The current item. It is the number of items when all are done.
    pub(crate) fn item(&self) -> usize {
        self.item
    }

    fn level_at(&self, grid: &Grid, tau: f64) -> NoiseLevel {
        let u = (-tau).exp();
        match self.frame {
            _ if tau == self.ends[0] => grid.levels()[0],
            Frame::Signal => grid.at_noise_to_signal(u),
            Frame::Straight => grid.at_noise_to_signal(u / (1.0 - u)),
        }
    }

    /// The level of the next evaluation.
    pub(crate) fn level(&self, grid: &Grid) -> NoiseLevel {
        self.level_at(grid, if self.finishing { self.ends[1] } else { self.pair.at() })
    }

    /// Puts the sample of the next evaluation into `x`, which holds the item as it stands.
    pub(crate) fn query(&mut self, grid: &Grid, x: &mut [f32]) {
        let scale = self.frame.scale(self.level(grid));
        if self.evaluations == 0 {
            self.pair.y.iter_mut().zip(&*x).for_each(|(y, &x)| *y = f64::from(x) / scale);
        }
        for (i, x) in x.iter_mut().enumerate() {
            *x = (self.pair.asked(i) * scale) as f32;
        }
    }

    /// Takes the estimate of an evaluation. A finished step is accepted, and `x` moves, or it begins anew with a
    /// shorter one. Returns how far the item is, 0 to 1.
    pub(crate) fn advance(&mut self, grid: &Grid, said: &[f32], x: &mut [f32]) -> Result<f64> {
        self.evaluations += 1;
        let [start, end] = self.ends;
        if self.finishing {
            x.copy_from_slice(said);
            self.next_item();
            return Ok(0.0);
        }
        if self.pair.stage == 0 && self.pair.length == 0.0 {
            // The first step is a hundredth of the way. It may cost one evaluation more than needed, and guesses
            // nothing about the scale of the problem.
            self.pair.length = (end - start) / 100.0;
        }
        let scale = self.frame.scale(self.level_at(grid, self.pair.at()));
        for (i, &said) in said.iter().enumerate() {
            // The slope is at the x that the network was given, which was rounded.
            let asked = f64::from((self.pair.asked(i) * scale) as f32) / scale;
            self.pair.slope()[i] = f64::from(said) - asked;
        }
        if self.pair.go_on(self.adaptive) == Outcome::Accepted {
            let scale = self.frame.scale(self.level_at(grid, self.pair.tau));
            x.iter_mut().zip(&self.pair.y).for_each(|(x, y)| *x = (y * scale) as f32);
            if end - self.pair.tau <= 1e-12 * (end - start) {
                if grid.end().sigma == 0.0 {
                    self.finishing = true;
                    self.pair.stage = 0;
                    return Ok(1.0);
                }
                self.next_item();
                return Ok(0.0);
            }
            self.pair.stop_at(end);
        }
        self.within_budget(start, end)
    }

    fn next_item(&mut self) {
        self.item += 1;
        self.evaluations = 0;
        (self.pair.tau, self.pair.length, self.pair.stage) = (self.ends[0], 0.0, 0);
        (self.pair.rejected, self.finishing) = (false, false);
    }

    fn within_budget(&self, start: f64, end: f64) -> Result<f64> {
        let reached = (self.pair.tau - start) / (end - start);
        if self.evaluations >= self.adaptive.max_evaluations {
            let reason = format!(
                "rk45 has not met its tolerance ({} + {}·|y|) for item {} after {} evaluations. It reached the noise {:.4} of {:.4}, {:.0} % of the way in its logarithm. Allow more evaluations (max_evaluations) or a greater tolerance (rtol, atol)",
                self.adaptive.absolute,
                self.adaptive.relative,
                self.item,
                self.evaluations,
                (-self.pair.tau).exp(),
                (-end).exp(),
                100.0 * reached
            );
            return Err(Error::Evaluation { step: 0, reason });
        }
        Ok(reached)
    }
}

/// Integrates `dy/dτ = slope(τ, y)` over `span`, whose end is above its start, to the tolerance.
///
/// # Errors
/// [`Error::Evaluation`] if that takes more evaluations than are allowed. Also what `slope` returns.
pub(crate) fn dormand_prince(
    mut slope: impl FnMut(f64, &[f64], &mut [f64]) -> Result<()>,
    y: &mut Vec<f64>,
    span: [f64; 2],
    adaptive: Adaptive,
) -> Result<()> {
    let [start, end] = span;
    let left = |tau: f64| (end - tau) / (end - start) > 1e-12;
    let mut pair = Pair::new(std::mem::take(y), start)?;
    let mut asked = Vec::new();
    resize(&mut asked, pair.y.len(), 0.0)?;
    let mut evaluations = 0;
    while left(pair.tau) {
        asked.iter_mut().enumerate().for_each(|(i, asked)| *asked = pair.asked(i));
        // The end is exact. It may be a level that its time leads to only nearly.
        let at = pair.at();
        let at = if ((end - at) / (end - start)).abs() < 1e-12 { end } else { at };
        slope(at, &asked, pair.slope())?;
        evaluations += 1;
        if pair.stage == 0 {
            pair.length = (end - start) / 100.0;
        }
        let outcome = pair.go_on(adaptive);
        if outcome != Outcome::Stage {
            pair.stop_at(end);
        }
        if outcome != Outcome::Stage && evaluations >= adaptive.max_evaluations && left(pair.tau) {
            let reached = 100.0 * (pair.tau - start) / (end - start);
            let reason = format!(
                "the tolerance ({} + {}·|y|) is not met after {evaluations} evaluations, at {reached:.0} % of the way in the logarithm of the noise. Allow more evaluations (max_evaluations) or a greater tolerance (rtol, atol)",
                adaptive.absolute, adaptive.relative
            );
            return Err(Error::Evaluation { step: 0, reason });
        }
    }
    *y = pair.y;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps grow over a quiet stretch, and are then too long for a pulse whose integral is known.
    #[test]
    fn a_step_that_misses_the_tolerance_is_taken_again() {
        let width = 0.15;
        let mut y = vec![0.0];
        let pulse = |tau: f64, _: &[f64], out: &mut [f64]| {
            out[0] = (-((tau - 0.7) / width).powi(2)).exp();
            Ok(())
        };
        let adaptive = Adaptive { relative: 1e-8, absolute: 1e-8, max_evaluations: 10_000 };
        dormand_prince(pulse, &mut y, [0.0, 1.0], adaptive).unwrap();
        // The part beyond the end follows from the error function at 2.
        let expected = 0.5 * width * std::f64::consts::PI.sqrt() * (1.0 + 0.995_322_265_018_952_7);
        assert!((y[0] - expected).abs() < 1e-7, "{} for {expected}", y[0]);
        assert!(!controlled(1.0, false).0 && !controlled(f64::NAN, false).0 && controlled(0.99, false).0);
        assert_eq!((controlled(0.0, false), controlled(0.0, true)), ((true, 10.0), (true, 1.0)));
        assert!(controlled(1e9, false).1 >= 0.2 && controlled(f64::INFINITY, false).1 < 1.0);
    }
}
