//! SA-Solver, in the form of its code. Source: Xue, Yi, Luo, Zhang, Sun, Li, Ma 2023, "SA-Solver: Stochastic Adams
//! Solver for Fast Sampling of Diffusion Models", arXiv:2309.05019, algorithm 1.

use std::fmt;

use super::dpm_solver::LOWER_ORDER_FINAL;
use super::entry::{Entry, Solver};
use super::exponential::weighted_integral;
use super::unipc::PREDICT_X0;
use super::update::{Cursor, Move, Update};
use crate::error::{Error, Result};
use crate::option::{Fallback, Group, Kind, OptionEntry, Options};
use crate::schedule::{Grid, NoiseLevel};

/// SA-Solver, a multistep predictor and corrector of an SDE whose noise is τ times that of the reverse SDE (eq. 7). A
/// step takes one evaluation. The prediction at the predicted sample first corrects that sample, and then predicts the
/// next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SaSolver {
    /// The order of the predictor, 1 to 3.
    pub(super) predictor_order: usize,
    /// The order of the corrector, 0 (none) to 4.
    pub(super) corrector_order: usize,
    /// τ, the share of the reverse SDE's noise; 0 is deterministic.
    pub(super) tau: f64,
    /// The times, as shares of the greatest, between which τ is not 0.
    pub(super) between: [f64; 2],
    /// Whether x̂₀ is expanded, and not ε̂.
    pub(super) data: bool,
    /// Whether the last steps are of lower order.
    pub(super) lower_order_final: bool,
    /// The factor of times in diffusers, in whose units these shares are 200 to 800 whatever T is. It draws noise in
    /// every step.
    pub(super) as_diffusers: Option<f64>,
}

impl SaSolver {
    fn new(options: &Options, as_diffusers: Option<f64>) -> Result<Self> {
        let (least, most) = (TAU_FROM.real(options), TAU_TO.real(options));
        if least > most {
            return Err(Error::argument("tau_to", format!("{most}; it has to be above tau_from, which is {least}")));
        }
        Ok(Self {
            predictor_order: PREDICTOR_ORDER.whole(options),
            corrector_order: CORRECTOR_ORDER.whole(options),
            tau: TAU.real(options),
            between: [least, most],
            data: PREDICT_X0.flag(options),
            lower_order_final: LOWER_ORDER_FINAL.flag(options),
            as_diffusers,
        })
    }

    fn tau(&self, grid: &Grid, from: NoiseLevel) -> f64 {
        let [least, most] = self.between;
        let total = match self.as_diffusers {
            Some(scale) => 1000.0 / scale,
            None => grid.schedule().train_steps().map_or(grid.schedule().bounds()[1], |steps| steps as f64),
        };
        if (least..=most).contains(&(from.t / total)) { self.tau } else { 0.0 }
    }

    fn order(&self, grid: &Grid, step: usize, order: usize, more: usize) -> usize {
        let at_end = if self.lower_order_final { grid.steps() - step + more } else { order };
        // A level of pure noise has no λ.
        let first = usize::from(grid.levels()[0].alpha == 0.0);
        order.min(at_end).min(step + 1 + more - first)
    }

    /// The weights of the values, latest first, in the move from level `step` to the next. The first value is of level
    /// `newest`.
    fn weights(&self, grid: &Grid, step: usize, newest: usize, order: usize) -> Vec<f64> {
        let levels = grid.levels();
        let (from, to) = (levels[step], levels[step + 1]);
        let tau = self.tau(grid, from);
        let (rate, scale) = if self.data { (1.0 + tau * tau, to.alpha) } else { (-1.0, -to.sigma) };
        let scale = scale * (1.0 + tau * tau);
        let nodes: Vec<f64> = (0..order).map(|j| levels[newest - j].lambda()).collect();
        let mut weights: Vec<f64> =
            (0..order).map(|j| scale * weighted_integral(&nodes, j, from.lambda(), to.lambda(), rate)).collect();
        if self.data && order == 2 {
            // This is of third order in h, and better for few steps according to the authors.
            let h = to.lambda() - from.lambda();
            let rest = h * h / 2.0 - (h * rate + (-h * rate).exp_m1()) / (rate * rate);
            let more = scale * rest / (nodes[0] - nodes[1]);
            weights[0] += more;
            weights[1] -= more;
        }
        weights
    }
}

impl SaSolver {
    /// The move with the noise that diffusers draws even where it is not used.
    fn drawn(&self, step: Move) -> Move {
        let idle = self.as_diffusers.is_some() && step.update.noise == 0.0;
        step.after_draws(usize::from(idle))
    }
}

impl Solver for SaSolver {
    fn evaluate_at(&self, grid: &Grid, at: Cursor) -> Option<NoiseLevel> {
        (at.stage == 0).then(|| grid.levels()[at.step])
    }

    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let levels = grid.levels();
        let from = levels[at.step];
        let kept = |step: usize| Update::kept(step % self.slots());
        if at.stage == 0 {
            let said = if self.data { Update::DENOISED } else { Update::epsilon(from) };
            let mut corrected = Update::X;
            if at.step > 0 && self.corrector_order > 0 && levels[at.step - 1].alpha > 0.0 {
                // x before the prediction and its noise count alike in both. Only the values count differently.
                let before = at.step - 1;
                let order = self.order(grid, before, self.predictor_order, 0);
                for (j, weight) in self.weights(grid, before, before, order).into_iter().enumerate() {
                    corrected = corrected - kept(before - j) * weight;
                }
                let order = self.order(grid, before, self.corrector_order, 1);
                for (j, weight) in self.weights(grid, before, at.step, order).into_iter().enumerate() {
                    corrected = corrected + if j == 0 { said } else { kept(at.step - j) } * weight;
                }
            }
            return Move::stage(at, corrected).keep(at.step % self.slots(), said);
        }
        let to = levels[at.step + 1];
        if from.alpha == 0.0 || to.sigma == 0.0 {
            // λ is infinite at one end.
            let noise = if self.tau(grid, from) > 0.0 { Update::NOISE } else { Update::X / from.sigma };
            return self.drawn(Move::step(at, Update::DENOISED * to.alpha + noise * to.sigma));
        }
        let (h, tau) = (to.lambda() - from.lambda(), self.tau(grid, from));
        let order = self.order(grid, at.step, self.predictor_order, 0);
        let (of_x, noise) = if self.data {
            ((-tau * tau * h).exp() * to.sigma / from.sigma, to.sigma * (-(-2.0 * tau * tau * h).exp_m1()).sqrt())
        } else {
            (to.alpha / from.alpha, tau * to.sigma * (2.0 * h).exp_m1().sqrt())
        };
        let weights = self.weights(grid, at.step, at.step, order).into_iter().enumerate();
        let base = Update::X * of_x + Update::NOISE * noise;
        self.drawn(Move::step(at, weights.fold(base, |sum, (j, weight)| sum + kept(at.step - j) * weight)))
    }

    fn slots(&self) -> usize {
        self.predictor_order.max(self.corrector_order.saturating_sub(1))
    }
}

impl fmt::Display for SaSolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.as_diffusers.is_some() { ", as diffusers takes its steps" } else { "" };
        write!(f, "sa-solver (orders {} and {}, τ = {}{form})", self.predictor_order, self.corrector_order, self.tau)
    }
}

const PREDICTOR_ORDER: OptionEntry = OptionEntry {
    key: "predictor_order",
    group: Group::Solver,
    kind: Kind::Whole(1, 3),
    default: Fallback::Whole(2),
    summary: "The order of sa-solver's predictor.",
};
const CORRECTOR_ORDER: OptionEntry = OptionEntry {
    key: "corrector_order",
    group: Group::Solver,
    kind: Kind::Whole(0, 4),
    default: Fallback::Whole(2),
    summary: "The order of sa-solver's corrector. 0 is no corrector.",
};
const TAU: OptionEntry = OptionEntry {
    key: "tau",
    group: Group::Solver,
    kind: Kind::Real(0.0, 10.0),
    default: Fallback::Real(1.0),
    summary: "τ of sa-solver: the share of the reverse SDE's noise.",
};
const TAU_FROM: OptionEntry = OptionEntry {
    key: "tau_from",
    group: Group::Solver,
    kind: Kind::Real(0.0, 1.0),
    default: Fallback::Real(0.2),
    summary: "The smallest time at which τ applies, as a share of the largest time.",
};
const TAU_TO: OptionEntry = OptionEntry {
    key: "tau_to",
    group: Group::Solver,
    kind: Kind::Real(0.0, 1.0),
    default: Fallback::Real(0.8),
    summary: "The largest time at which τ applies, as a share of the largest time of all.",
};

pub(super) const ENTRY: Entry = Entry {
    name: "sa-solver",
    summary: "Xue et al. 2023. Stochastic Adams predictor and corrector, one evaluation a step.",
    options: &[PREDICTOR_ORDER, CORRECTOR_ORDER, TAU, TAU_FROM, TAU_TO, PREDICT_X0, LOWER_ORDER_FINAL],
    build: |options| Ok(Box::new(SaSolver::new(options, None)?)),
    as_diffusers: Some(|options, told| Ok(Box::new(SaSolver::new(options, Some(told.time_scale))?))),
};
