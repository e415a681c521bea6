//! Steps of a solver that chooses its own steps, item by item.

use ndarray::{Axis, Slice};

use super::job::Job;
use super::progress::Progress;
use crate::denoiser::{Denoised, Query};
use crate::error::{Error, Result};
use crate::tensor::{copy, first_not_finite};

impl Job {
    /// Makes one evaluation of a solver that chooses its own steps, for one item. Several items at once would make a
    /// step of one depend on the others.
    pub(super) fn step_adaptively(&mut self) -> Result<Progress> {
        let Some(integration) = &mut self.integration else { return Ok(self.progress()) };
        if self.cursor.step >= self.grid.steps() {
            return Ok(self.progress());
        }
        if self.canceller.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let (item, batch) = (integration.item(), self.x.shape()[0]);
        let mut query_x = copy(&self.x.slice_axis(Axis(0), Slice::from(item..item + 1)))?;
        let level = integration.level(&self.grid);
        integration.query(&self.grid, query_x.as_slice_mut().unwrap_or_default());
        let condition = match &mut self.of_item {
            Some((known, condition)) if *known == item => condition,
            of_item => &mut of_item.insert((item, self.condition.item(item))).1,
        };
        let mut answer = Denoised::new(query_x.shape())?;
        let query = Query { x: query_x.view(), level, condition, step: self.cursor.step };
        if let Err(error) = self.denoiser.denoise(query, &mut answer) {
            return Err(self.canceller.cause(error));
        }
        if answer.shift().is_some() {
            let reason = format!("{} cannot move the mean of its steps", self.solver);
            return Err(Error::Evaluation { step: self.cursor.step, reason });
        }
        if let Some(known) = &self.known {
            known.impose(&mut answer, item * query_x.len());
        }
        let said = answer.x0.as_slice().filter(|_| answer.x0.shape() == query_x.shape());
        let Some(said) = said.filter(|said| first_not_finite(said).is_none()) else {
            let reason =
                format!("the denoised sample of item {item} is not finite, or of another shape, at t = {}", level.t);
            return Err(Error::Evaluation { step: self.cursor.step, reason });
        };
        self.denoised.x0.slice_axis_mut(Axis(0), Slice::from(item..item + 1)).assign(&answer.x0);
        self.evaluated = true;
        let mut x = self.x.slice_axis_mut(Axis(0), Slice::from(item..item + 1));
        let reached = integration.advance(&self.grid, said, x.as_slice_mut().unwrap_or_default())?;
        // The steps of the grid are spread over the items, so that progress grows evenly.
        let steps = self.grid.steps();
        let done = (item as f64 + reached) / batch as f64;
        self.cursor.step = if integration.item() == batch {
            steps
        } else {
            ((done * steps as f64) as usize).clamp(self.cursor.step, steps - 1)
        };
        if self.progress().is_finished() {
            self.restore_known();
        }
        if self.progress().is_finished()
            && let Some(index) = self.x.as_slice().and_then(first_not_finite)
        {
            let reason = format!("the finished sample holds {}", self.x.as_slice().map_or(f32::NAN, |x| x[index]));
            return Err(Error::Evaluation { step: self.cursor.step, reason });
        }
        Ok(self.progress())
    }
}
