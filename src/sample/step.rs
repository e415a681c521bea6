//! The steps of a job, by whichever kind of solver: one, all, or as many as fit into a time.

use std::time::{Duration, Instant};

use ndarray::ArrayD;

use super::budget::{Budget, Pace};
use super::job::Job;
use super::progress::Progress;
use crate::error::Result;
use crate::solver::Cursor;

impl Job {
    /// How long its steps take.
    pub(crate) fn pace(&mut self) -> &mut Pace {
        &mut self.pace
    }

    /// One evaluation, and every move that it allows. Steps after the last do nothing.
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled) after [`Canceller::cancel`](super::Canceller::cancel);
    /// [`Error::Evaluation`](crate::Error::Evaluation) if the network fails or says something that is
    /// not a finite number; what else the denoiser returns.
    pub fn step(&mut self) -> Result<Progress> {
        let start = Instant::now();
        let unfinished = !self.progress().is_finished();
        let progress = if self.integration.is_some() { self.step_adaptively() } else { self.step_along_the_grid() }?;
        if unfinished {
            self.pace.note(start.elapsed());
        }
        Ok(progress)
    }

    /// Steps for as long as the time lasts: as many evaluations as are expected to fit into `budget`, by those that the
    /// job has made, and none that is not expected to. Of a job that has made none nothing is known, and one is made;
    /// the first, which is a slow one, is not gone by for long, nor is the second alone. Where no evaluation fits,
    /// nothing is done, and the longest is forgotten, so that one that was held up does not hold up the job for good.
    /// Where still none fits the log sink hears so, once; [`expected_step`](Self::expected_step) is the least time that
    /// something is done in.
    ///
    /// An evaluation is not cut short: the call takes longer than the budget by what the last one takes longer than
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

    /// How long the next step is expected to take: as long as the longest of the latest ones.
    /// [`advance`](Self::advance) with that time makes one. `None` before the first.
    #[must_use]
    pub fn expected_step(&self) -> Option<Duration> {
        self.pace.expected()
    }

    /// How many evaluations the whole run makes, by the moves of its solver; `None` where it chooses its own steps.
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

    /// Steps to the end and returns the samples, batch first.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn run(mut self) -> Result<ArrayD<f32>> {
        while !self.step()?.is_finished() {}
        Ok(self.x)
    }
}
