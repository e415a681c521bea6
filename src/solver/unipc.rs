//! UniPC, in the form of its code and of diffusers. Source: Zhao, Bai, Rao, Zhou, Lu 2023, "UniPC: A Unified
//! Predictor-Corrector Framework for Fast Sampling of Diffusion Models", arXiv:2302.04867, algorithms 5 to 8.

use std::fmt;

use super::dpm_solver::{LOWER_ORDER_FINAL, ORDER, usable_order};
use super::entry::{Entry, Solver};
use super::exponential::{lagrange, scaled_phi};
use super::update::{Cursor, Move, Update};
use crate::error::Error;
use crate::option::{Fallback, Group, Kind, OptionEntry, words};
use crate::schedule::Grid;

words! {
    /// The function B(h) of the paper (§3.4), which scales the correction.
    #[non_exhaustive]
    pub enum Scaling {
        #[default]
        Bh2 = "bh2", "B(h) = eʰ − 1.";
        Bh1 = "bh1", "B(h) = h. For unconditional models and few steps.";
    }
}

/// UniPC, a multistep predictor with a corrector of one order more that needs no evaluation of its own. The prediction
/// at the predicted sample first corrects that sample, and then predicts the next.
#[derive(Debug, Clone, PartialEq)]
pub struct UniPc {
    /// The order of the predictor, 1 to 3.
    pub(super) order: usize,
    /// B(h), the scaling of the correction.
    pub(super) scaling: Scaling,
    /// Whether x̂₀ is expanded, and not ε̂. Guided models need x̂₀.
    pub(super) data: bool,
    /// Whether the last steps are of lower order.
    pub(super) lower_order_final: bool,
    /// The steps whose prediction is not corrected.
    pub(super) uncorrected: Vec<usize>,
}

impl UniPc {
    fn order_at(&self, grid: &Grid, step: usize) -> usize {
        usable_order(grid, step, self.order, self.lower_order_final)
    }

    /// The move from level `step` to the next. It takes `x`, the prediction `current` there, and earlier ones. `ahead`
    /// is the prediction at the next level, if that is known.
    fn advance(&self, grid: &Grid, step: usize, x: Update, current: Update, ahead: Option<Update>) -> Update {
        let levels = grid.levels();
        let (from, to, order) = (levels[step], levels[step + 1], self.order_at(grid, step));
        let h = to.lambda() - from.lambda();
        let (hh, of_x, scale) =
            if self.data { (-h, to.sigma / from.sigma, to.alpha) } else { (h, to.alpha / from.alpha, to.sigma) };
        let phi_1 = hh.exp_m1();
        let base = x * of_x - current * (scale * phi_1);
        let b_h = match self.scaling {
            Scaling::Bh1 => hh,
            Scaling::Bh2 => phi_1,
        };
        let earlier = |j: usize| Update::kept((step - j) % self.slots());
        let r = |j: usize| (levels[step - j].lambda() - from.lambda()) / h;
        let mut points: Vec<f64> = (1..order).map(r).collect();
        let mut differences: Vec<Update> = (1..order).map(|j| (earlier(j) - current) / r(j)).collect();
        if let Some(ahead) = ahead {
            points.push(1.0);
            differences.push(ahead - current);
        }
        // Σ_m ρ_m·r_m^{k−1} = hh·φ_{k+1}(hh)·k!/B for k = 1 …; with one unknown the papers take ½ for it.
        let mut factorial = 1.0;
        let wanted: Vec<f64> = (1..=points.len())
            .map(|k| {
                factorial *= k as f64;
                scaled_phi(k + 1, hh) * factorial / b_h
            })
            .collect();
        let weights = if points.len() == 1 { vec![0.5] } else { vandermonde(&points, &wanted) };
        weights
            .iter()
            .zip(differences)
            .fold(base, |sum, (weight, difference)| sum - difference * (scale * b_h * weight))
    }
}

/// The weights ρ with `Σ_m ρ_m·points_m^k = wanted_k` for k = 0, 1, …. For a polynomial that is 1 at one point and 0 at
/// the others, the sum is that point's weight.
fn vandermonde(points: &[f64], wanted: &[f64]) -> Vec<f64> {
    let weight =
        |m| lagrange(points, m, 0.0).iter().zip(wanted).map(|(coefficient, wanted)| coefficient * wanted).sum();
    (0..points.len()).map(weight).collect()
}

impl Solver for UniPc {
    fn evaluate_at(&self, grid: &Grid, at: Cursor) -> Option<crate::schedule::NoiseLevel> {
        (at.stage == 0).then(|| grid.levels()[at.step])
    }

    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let levels = grid.levels();
        let from = levels[at.step];
        let said = if self.data { Update::DENOISED } else { Update::epsilon(from) };
        let slot = |step: usize| step % self.slots();
        if at.stage == 0 {
            // Earlier predictions are one step further back here than for the prediction.
            let corrected = match at.step.checked_sub(1) {
                Some(before) if levels[before].alpha > 0.0 && !self.uncorrected.contains(&before) => {
                    self.advance(grid, before, Update::SAVED, Update::kept(slot(before)), Some(said))
                }
                _ => Update::X,
            };
            return Move::stage(at, corrected).keep(slot(at.step), said);
        }
        let to = levels[at.step + 1];
        let current = Update::kept(slot(at.step));
        let update = if to.sigma == 0.0 {
            Update::DENOISED * to.alpha
        } else if from.alpha == 0.0 {
            Update::DENOISED * to.alpha + Update::X * (to.sigma / from.sigma)
        } else {
            self.advance(grid, at.step, Update::X, current, None)
        };
        Move::step(at, update).save()
    }

    fn slots(&self) -> usize {
        // The corrector of order p uses p values before the current one.
        self.order
    }
}

impl fmt::Display for UniPc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unipc (order {}, {}", self.order, self.scaling.word())?;
        if !self.uncorrected.is_empty() {
            write!(f, ", not corrected after {:?}", self.uncorrected)?;
        }
        f.write_str(")")
    }
}

const SCALING: OptionEntry = OptionEntry {
    key: "scaling",
    group: Group::Solver,
    kind: Scaling::KIND,
    default: Fallback::Word(Scaling::DEFAULT.word()),
    summary: "The function B(h) of the UniPC paper.",
};
pub(super) const PREDICT_X0: OptionEntry = OptionEntry {
    key: "predict_x0",
    group: Group::Solver,
    kind: Kind::Flag,
    default: Fallback::Flag(true),
    summary: "Whether unipc expands x̂₀ (1) or ε̂ (0).",
};
const DISABLE_CORRECTOR: OptionEntry = OptionEntry {
    key: "disable_corrector",
    group: Group::Solver,
    kind: Kind::Numbers,
    default: Fallback::Nothing,
    summary: "The steps that unipc does not correct, counted from 0.",
};

pub(super) const ENTRY: Entry = Entry {
    name: "unipc",
    summary: "Zhao et al. 2023. Predictor and corrector from one evaluation a step, of order 1 to 3.",
    options: &[ORDER, SCALING, PREDICT_X0, LOWER_ORDER_FINAL, DISABLE_CORRECTOR],
    build: |options| {
        let steps = options.numbers(DISABLE_CORRECTOR.key).unwrap_or_default();
        if let Some(step) = steps.iter().find(|step| **step < 0.0 || step.fract() != 0.0) {
            let reason = format!("{step}; steps are whole numbers from 0");
            return Err(Error::argument(DISABLE_CORRECTOR.key, reason));
        }
        Ok(Box::new(UniPc {
            order: ORDER.whole(options),
            scaling: SCALING.choice(options),
            data: PREDICT_X0.flag(options),
            lower_order_final: LOWER_ORDER_FINAL.flag(options),
            uncorrected: steps.iter().map(|step| *step as usize).collect(),
        }))
    },
    as_diffusers: None,
};
