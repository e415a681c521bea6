//! Which noise levels a run visits.

use std::sync::Arc;

use super::{BetaSchedule, NoiseLevel, NoiseSchedule};
use crate::error::{Error, Result};
use crate::option::words;

words! {
    /// How the evaluations of a run are spread over the T training steps (Lin et al. 2023, "Common Diffusion Noise
    /// Schedules and Sample Steps are Flawed", table 2).
    pub enum Spacing {
        Leading = "leading", "Multiples of ⌊T/N⌋ from 0 up: the first step is missed at the noisy end.";
        Trailing = "trailing", "Back from the last training step in strides of T/N.";
        Linspace = "linspace", "Evenly spaced with both ends.";
    }
}

words! {
    /// Where a run ends, after its last evaluation.
    #[derive(Default)]
    pub enum Ending {
        #[default]
        Clean = "clean", "At the clean sample (α = 1, σ = 0).";
        First = "first", "At the least noisy level of training, t = 0; Stable Diffusion's configuration.";
    }
}

/// The levels of a run, from the noisiest to the one it ends at, and the schedule that they are from.
///
/// A grid of N steps has N + 1 levels; the network is evaluated at all but the last (and, by some solvers, between them).
#[derive(Debug, Clone)]
pub struct Grid {
    levels: Vec<NoiseLevel>,
    schedule: Arc<dyn NoiseSchedule>,
}

impl Grid {
    /// A grid of the caller's own levels.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are fewer than two levels, if α or σ is negative or not finite, if α is 0, if σ is 0
    /// anywhere but at the end, or if the noise (σ/α) does not fall from each level to the next.
    pub fn new(levels: Vec<NoiseLevel>, schedule: Arc<dyn NoiseSchedule>) -> Result<Self> {
        let refuse = |reason: String| Err(Error::argument("grid", reason));
        if levels.len() < 2 {
            return refuse(format!("{} levels; a run needs one to start from and one to end at", levels.len()));
        }
        for (i, level) in levels.iter().enumerate() {
            let NoiseLevel { t, alpha, sigma } = *level;
            let last = i + 1 == levels.len();
            if !(t.is_finite()
                && alpha.is_finite()
                && alpha > 0.0
                && sigma.is_finite()
                && (sigma > 0.0 || last && sigma == 0.0))
            {
                return refuse(format!(
                    "level {i} has t = {t}, α = {alpha}, σ = {sigma}; both must be positive (σ may be 0 at the end)"
                ));
            }
        }
        for (i, pair) in levels.windows(2).enumerate() {
            let (from, to) = (pair[0].noise_to_signal(), pair[1].noise_to_signal());
            if from <= to {
                return refuse(format!("σ/α goes from {from} at level {i} to {to} at level {}; it has to fall", i + 1));
            }
        }
        Ok(Self { levels, schedule })
    }

    /// `steps` evaluations spread over the training steps of `schedule` by `spacing`. `offset` is added to the times of
    /// [`Spacing::Leading`] (diffusers' `steps_offset`; 1 for Stable Diffusion) and must be 0 for the others.
    ///
    /// # Errors
    /// [`Error::Argument`] if `steps` is 0 or above the number of training steps, if `offset` leads beyond them or is given to
    /// another grid, or if the grid visits t = 0 and is to end there.
    pub fn spaced(
        schedule: &Arc<BetaSchedule>,
        spacing: Spacing,
        steps: usize,
        offset: usize,
        ending: Ending,
    ) -> Result<Self> {
        let train_steps = schedule.steps();
        if steps == 0 || steps > train_steps {
            return Err(Error::argument(
                "steps",
                format!("{steps}; the model was trained on {train_steps} steps, so 1 to {train_steps} are possible"),
            ));
        }
        if offset > 0 && spacing != Spacing::Leading {
            return Err(Error::argument("steps_offset", format!("{offset}; only the leading grid has an offset")));
        }
        if offset >= train_steps {
            return Err(Error::argument(
                "steps_offset",
                format!("{offset}; the model was trained on {train_steps} steps"),
            ));
        }
        let (total, count) = (train_steps as f64, steps as f64);
        // The strides are rounded as numpy's arange and linspace round them, and ties go to even: so the times are those of the
        // models' authors for every number of steps.
        let trailing = (total - total / count) - total;
        let linspace = (total - 1.0) / (count - 1.0);
        let time = |i: usize| match spacing {
            Spacing::Leading => ((steps - 1 - i) * (train_steps / steps) + offset) as f64,
            Spacing::Trailing => (total + i as f64 * trailing).round_ties_even() - 1.0,
            Spacing::Linspace if i == 0 => total - 1.0,
            Spacing::Linspace => ((steps - 1 - i) as f64 * linspace).round_ties_even(),
        };
        if time(0) > total - 1.0 {
            return Err(Error::argument(
                "steps_offset",
                format!(
                    "{offset}; with {steps} leading steps the first time would be {}, beyond the last of training, {}",
                    time(0),
                    train_steps - 1
                ),
            ));
        }
        if ending == Ending::First && time(steps - 1) == 0.0 {
            return Err(Error::argument(
                "ending",
                "the grid visits t = 0, the least noisy level, so there is nothing left to do to end at it; end at the clean sample, or use a grid that stays above (leading with an offset)",
            ));
        }
        let end = match ending {
            Ending::Clean => -1.0,
            Ending::First => 0.0,
        };
        let levels = (0..steps).map(time).chain([end]).map(|t| schedule.level(t)).collect();
        Self::new(levels, Arc::clone(schedule) as Arc<dyn NoiseSchedule>)
    }

    /// The levels, noisiest first.
    #[must_use]
    pub fn levels(&self) -> &[NoiseLevel] {
        &self.levels
    }

    /// The schedule that the levels are from, for solvers that evaluate between them.
    #[must_use]
    pub fn schedule(&self) -> &dyn NoiseSchedule {
        &*self.schedule
    }

    /// N, the number of steps: one less than the levels.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.levels.len() - 1
    }

    /// The level that the run ends at.
    #[must_use]
    pub fn end(&self) -> NoiseLevel {
        self.levels[self.steps()]
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BetaKind, Tables};
    use super::*;

    fn schedule(steps: usize) -> Arc<BetaSchedule> {
        Arc::new(BetaSchedule::new(BetaKind::Linear { start: 1e-4, end: 0.02 }, steps, Tables::Exact).unwrap())
    }

    fn times(spacing: Spacing, steps: usize, offset: usize) -> Vec<f64> {
        let grid = Grid::spaced(&schedule(1000), spacing, steps, offset, Ending::Clean).unwrap();
        grid.levels().iter().map(|level| level.t).collect()
    }

    #[test]
    fn the_table_of_lin_et_al() {
        // "Common Diffusion Noise Schedules and Sample Steps are Flawed", table 2: T = 1000, S = 10, counted from 1 there.
        assert_eq!(times(Spacing::Leading, 10, 0), [900., 800., 700., 600., 500., 400., 300., 200., 100., 0., -1.]);
        assert_eq!(times(Spacing::Leading, 10, 1)[0], 901.0);
        assert_eq!(times(Spacing::Trailing, 10, 0), [999., 899., 799., 699., 599., 499., 399., 299., 199., 99., -1.]);
        assert_eq!(times(Spacing::Linspace, 10, 0), [999., 888., 777., 666., 555., 444., 333., 222., 111., 0., -1.]);
    }

    #[test]
    fn every_number_of_steps_gives_that_many() {
        // numpy's arange with a fractional stride yields one step too many for 61, 103, 121 and others.
        for spacing in [Spacing::Leading, Spacing::Trailing, Spacing::Linspace] {
            for steps in 1..=1000 {
                assert_eq!(times(spacing, steps, 0).len(), steps + 1, "{spacing:?}");
            }
        }
    }

    #[test]
    fn impossible_grids_are_refused() {
        let spaced =
            |steps, offset, spacing| Grid::spaced(&schedule(100), spacing, steps, offset, Ending::Clean).map(|_| ());
        assert!(spaced(0, 0, Spacing::Leading).is_err());
        assert!(spaced(101, 0, Spacing::Trailing).is_err());
        assert!(spaced(100, 1, Spacing::Leading).is_err());
        assert!(spaced(10, 1, Spacing::Trailing).is_err());
        let first = |offset| Grid::spaced(&schedule(100), Spacing::Leading, 10, offset, Ending::First).map(|_| ());
        assert!(first(0).unwrap_err().to_string().contains("ending") && first(1).is_ok());
        let level = |t: f64| schedule(100).level(t);
        let new = |levels| Grid::new(levels, schedule(100)).map(|_| ());
        assert!(new(vec![level(5.0)]).is_err());
        assert!(new(vec![level(5.0), level(5.0)]).is_err());
        assert!(new(vec![level(5.0), level(6.0)]).is_err());
        assert!(new(vec![level(-1.0), level(-1.0)]).is_err());
        assert!(new(vec![NoiseLevel { t: 0.0, alpha: f64::NAN, sigma: 1.0 }, level(3.0)]).is_err());
        assert!(new(vec![level(50.5), level(20.25), level(-1.0)]).is_ok());
    }
}
