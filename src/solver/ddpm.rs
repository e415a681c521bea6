//! DDPM. Source: Ho, Jain, Abbeel 2020, "Denoising Diffusion Probabilistic Models", arXiv:2006.11239.

use std::fmt;

use super::ancestral::{added_variance, split_noise};
use super::entry::{Entry, Habit, Solver};
use super::update::{Cursor, Deviation, Move, Update};
use crate::option::{Fallback, Group, OptionEntry, words};
use crate::schedule::{Grid, Tables};

words! {
    /// The variance of the noise that [`Ddpm`] adds (§3.2 of the paper).
    #[non_exhaustive]
    pub enum Variance {
        #[default]
        Posterior = "posterior", "β̃, the variance of the posterior q(x_{t−1} | x_t, x₀) (equation 7). Right for data that is a single point.";
        Beta = "beta", "β, the larger of the two. Right for data that is standard normal.";
        Learned = "learned", "The variance whose logarithm the network predicts in the second half of its output (Nichol & Dhariwal 2021, \"Improved Denoising Diffusion Probabilistic Models\").";
        LearnedRange = "learned-range", "Between posterior and beta in the logarithm, where the network predicts (equation 15 of that paper).";
    }
}

/// DDPM, which is ancestral sampling: `x ← μ̃(x, x̂₀) + √variance·z` (eqs. 6, 7 and algorithm 2).
///
/// On a sub-grid a move `from` → `to` has `β = 1 − ᾱ_from/ᾱ_to` (Nichol & Dhariwal 2021, §4, on fewer steps). The last
/// move, onto the clean sample, adds no noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ddpm {
    /// The variance of the noise.
    pub variance: Variance,
}

impl Solver for Ddpm {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        let last = to.sigma == 0.0;
        // The posterior is the first-order move with all of the noise that η = 1 draws afresh.
        let (kept, fresh) = split_noise(from, to, 1.0);
        let noise = match self.variance {
            _ if last => 0.0,
            Variance::Posterior => fresh,
            Variance::Beta => added_variance(from, to).sqrt(),
            Variance::Learned | Variance::LearnedRange => 1.0,
        };
        let deviation = match self.variance {
            _ if last => Deviation::One,
            Variance::Posterior | Variance::Beta => Deviation::One,
            Variance::Learned => Deviation::Logarithm,
            Variance::LearnedRange => Deviation::Range([2.0 * fresh.ln(), added_variance(from, to).ln()]),
        };
        let x = kept / from.sigma;
        let update = Update::X * x + Update::DENOISED * (to.alpha - from.alpha * x) + Update::NOISE * noise;
        Move { deviation, ..Move::step(at, update) }
    }

    fn takes_shift(&self) -> bool {
        true
    }

    fn needs_variance(&self) -> bool {
        matches!(self.variance, Variance::Learned | Variance::LearnedRange)
    }
}

/// DDPM with the steps of diffusers. It adds noise wherever the time that it comes from is above 0, also onto the
/// finished sample. There the posterior's variance is floored at 1e-20. It reads a learned variance as itself.
#[derive(Debug, Clone, Copy, PartialEq)]
struct OfDiffusers {
    ddpm: Ddpm,
    habit: Habit,
    tables: Tables,
}

impl OfDiffusers {
    /// The coefficients of x and of x̂₀, the posterior's variance and β, rounded as in diffusers.
    fn parts(&self, grid: &Grid, at: Cursor) -> [f64; 4] {
        let round = |value: f64| self.tables.round(value);
        let (from, to) = (grid.levels()[at.step], grid.levels()[at.step + 1]);
        let [bar, bar_to] = [from, to].map(|level| round(level.alpha * level.alpha));
        let [noise, noise_to] = [bar, bar_to].map(|bar| round(1.0 - bar));
        let of_table = grid.schedule().beta(from.t as usize).filter(|_| {
            let next = to.t.max(-1.0);
            self.habit == Habit::UnClip && from.t >= 0.0 && next == from.t - 1.0
        });
        let kept = round(bar / bar_to);
        let beta = of_table.unwrap_or(round(1.0 - kept));
        let kept = if self.habit == Habit::UnClip { round(1.0 - beta) } else { kept };
        let of_x0 = round(round(round(bar_to.sqrt()) * beta) / noise);
        let of_x = round(round(round(kept.sqrt()) * noise_to) / noise);
        let variance = round(round(noise_to / noise) * beta).max(LEAST_VARIANCE);
        [of_x, of_x0, variance, beta]
    }
}

impl Solver for OfDiffusers {
    fn plan(&self, grid: &Grid, at: Cursor) -> Move {
        let last = at.step + 1 == grid.steps();
        if self.habit == Habit::Wuerstchen {
            let step = self.ddpm.plan(grid, at);
            let noise = if last { 0.0 } else { step.update.noise };
            let unused = usize::from(noise == 0.0);
            return Move { update: Update { noise, ..step.update }, unused, ..step };
        }
        let [of_x, of_x0, variance, beta] = self.parts(grid, at);
        let (noise, deviation) = match self.ddpm.variance {
            _ if grid.levels()[at.step].t <= 0.0 => (0.0, Deviation::One),
            Variance::Posterior => (variance.sqrt(), Deviation::One),
            Variance::Beta => (beta.sqrt(), Deviation::One),
            Variance::Learned => (1.0, Deviation::Root),
            Variance::LearnedRange => (1.0, Deviation::Range([variance.ln(), beta.ln()])),
        };
        let update = Update::X * of_x + Update::DENOISED * of_x0 + Update::NOISE * noise;
        Move { deviation, ..Move::step(at, update) }
    }

    fn takes_shift(&self) -> bool {
        true
    }

    fn needs_variance(&self) -> bool {
        self.ddpm.needs_variance()
    }
}

/// The least variance of diffusers' posterior.
const LEAST_VARIANCE: f64 = 1e-20;

impl fmt::Display for OfDiffusers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, as diffusers takes its steps", self.ddpm)
    }
}

impl fmt::Display for Ddpm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.variance {
            Variance::Posterior => "ddpm (noise of variance β̃)",
            Variance::Beta => "ddpm (noise of variance β)",
            Variance::Learned | Variance::LearnedRange => "ddpm (noise of the variance that the network predicts)",
        })
    }
}

const VARIANCE: OptionEntry = OptionEntry {
    key: "variance",
    group: Group::Solver,
    kind: Variance::KIND,
    default: Fallback::Word(Variance::DEFAULT.word()),
    summary: "The variance of DDPM's noise.",
};

pub(super) const ENTRY: Entry = Entry {
    name: "ddpm",
    summary: "Ho et al. 2020. Ancestral sampling, best with as many steps as the model was trained on.",
    options: &[VARIANCE],
    build: |options| Ok(Box::new(Ddpm { variance: VARIANCE.choice(options) })),
    as_diffusers: Some(|options, told| {
        let ddpm = Ddpm { variance: VARIANCE.choice(options) };
        Ok(Box::new(OfDiffusers { ddpm, habit: told.habit, tables: told.tables }))
    }),
};

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schedule::{BetaKind, BetaSchedule, GridOptions, NoiseSchedule, Spacing, Tables};
    use crate::solver::Ddim;

    /// The coefficients are written as in the paper, from β and ᾱ of the full chain.
    #[test]
    fn the_full_chain_has_the_coefficients_of_equations_6_and_7() {
        let schedule =
            Arc::new(BetaSchedule::new(BetaKind::Linear { start: 1e-4, end: 0.02 }, 1000, Tables::Exact).unwrap());
        let grid = Grid::spaced(Arc::clone(&schedule) as _, &GridOptions::new(Spacing::Leading, 1000)).unwrap();
        for step in 0..1000 {
            let t = 999 - step;
            let beta = 1e-4 + t as f64 * (0.02 - 1e-4) / 999.0;
            let alpha_bar = schedule.level(t as f64).alpha.powi(2);
            let previous = schedule.level(t as f64 - 1.0).alpha.powi(2);
            let at = Cursor { step, stage: 0 };
            let posterior = Ddpm { variance: Variance::Posterior }.plan(&grid, at).update;
            let close = |value: f64, expected: f64| {
                assert!((value - expected).abs() < 1e-10, "t = {t}: {value} for {expected}")
            };
            close(posterior.denoised, previous.sqrt() * beta / (1.0 - alpha_bar));
            close(posterior.x, (1.0 - beta).sqrt() * (1.0 - previous) / (1.0 - alpha_bar));
            close(posterior.noise, ((1.0 - previous) / (1.0 - alpha_bar) * beta).sqrt());
            let large = Ddpm { variance: Variance::Beta }.plan(&grid, at).update;
            close(large.noise, if t > 0 { beta.sqrt() } else { 0.0 });
            assert_eq!((large.x, large.denoised), (posterior.x, posterior.denoised));
        }
    }

    #[test]
    fn ddim_with_all_the_noise_is_ddpm_on_any_grid() {
        let schedule = Arc::new(BetaSchedule::new(BetaKind::Cosine, 1000, Tables::Exact).unwrap());
        for spacing in [Spacing::Leading, Spacing::Trailing, Spacing::Linspace] {
            let grid = Grid::spaced(Arc::clone(&schedule) as _, &GridOptions::new(spacing, 37)).unwrap();
            for step in 0..37 {
                let at = Cursor { step, stage: 0 };
                let ddpm = Ddpm::default().plan(&grid, at).update;
                let ddim = Ddim::new(1.0).unwrap().plan(&grid, at).update;
                assert!((ddpm.x - ddim.x).abs() < 1e-10);
                assert!((ddpm.denoised - ddim.denoised - ddim.direction).abs() < 1e-10);
                assert!((ddpm.noise - ddim.noise).abs() < 1e-10);
            }
        }
    }
}
