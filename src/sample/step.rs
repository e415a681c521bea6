//! The steps of a job with any kind of solver: one, all, or as many as fit into a time.

use std::time::{Duration, Instant};

use ndarray::ArrayD;

use super::budget::{Budget, Pace};
use super::job::Job;
use super::progress::Progress;
use crate::error::Result;
use crate::solver::Cursor;

impl Job {
    /// How long the job's steps take.
    pub(crate) fn pace(&mut self) -> &mut Pace {
        &mut self.pace
    }

    /// Makes one evaluation, and every move of the samples that it allows. Steps after the last do nothing.
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled) after [`Canceller::cancel`](super::Canceller::cancel).
    /// [`Error::Evaluation`](crate::Error::Evaluation) if the network fails or predicts something that is not a finite
    /// number. Other errors are the denoiser's.
    pub fn step(&mut self) -> Result<Progress> {
        let start = Instant::now();
        let unfinished = !self.progress().is_finished();
        let progress = if self.integration.is_some() { self.step_adaptively() } else { self.step_along_the_grid() }?;
        if unfinished {
            self.pace.note(start.elapsed());
        }
        Ok(progress)
    }

    /// Makes as many steps as are expected to fit into `budget`, by the times of the steps so far. A job that has made
    /// no step makes one, since nothing is known of its time.
    ///
    /// The first step is slow, and its time does not count for long. Nor does that of the second alone. Where no step
    /// fits, none is made and the longest time is forgotten. So one step that was held up does not hold up the job for
    /// good. Where still none fits, the log sink is told once. [`expected_step`](Self::expected_step) is the least time
    /// in which a step is made.
    ///
    /// A step is not cut short. The call takes longer than the budget by as much as its last step takes longer than
    /// expected.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn advance(&mut self, budget: Duration) -> Result<Progress> {
        let mut budget = Budget::new(budget);
        while !self.progress().is_finished() && budget.allows(&mut self.pace) {
            self.step()?;
        }
        Ok(self.progress())
    }

    /// The expected time of the next step, which is the longest of the latest times. [`advance`](Self::advance) with
    /// that time makes a step. `None` before the first step.
    #[must_use]
    pub fn expected_step(&self) -> Option<Duration> {
        self.pace.expected()
    }

    /// The number of evaluations of the whole run, by the moves of its solver. `None` where the solver chooses its own
    /// steps.
    #[must_use]
    pub fn evaluations(&self) -> Option<usize> {
        if self.integration.is_some() {
            return None;
        }
        let (mut cursor, mut count) = (Cursor::default(), 0);
        while cursor.step < self.grid.steps() {
            count += usize::from(self.solver.evaluate_at(&self.grid, cursor).is_some());
            cursor = self.solver.plan(&self.grid, cursor).next;
        }
        Some(count)
    }

    /// Makes all steps to the end and returns the samples, batch first.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn run(mut self) -> Result<ArrayD<f32>> {
        while !self.step()?.is_finished() {}
        Ok(self.x)
    }
}
