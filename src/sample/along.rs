//! Steps along the grid: an evaluation, and the moves that it allows.

use ndarray::ArrayD;

use super::job::Job;
use super::progress::Progress;
use crate::denoiser::{Denoised, Query};
use crate::error::{Error, Result};
use crate::noise::Draw;
use crate::schedule::NoiseLevel;
use crate::solver::{Deviation, MOST_HISTORY, Move, Update};
use crate::tensor::{Kept, Term, combine, combine_and_keep, first_not_finite, make_room, resize};

impl Job {
    pub(super) fn step_along_the_grid(&mut self) -> Result<Progress> {
        let mut evaluated = false;
        while self.cursor.step < self.grid.steps() {
            if let Some(level) = self.solver.evaluate_at(&self.grid, self.cursor) {
                if evaluated {
                    break;
                }
                if self.canceller.is_cancelled() {
                    return Err(Error::Cancelled);
                }
                let query = Query { x: self.x.view(), level, condition: &self.condition, step: self.cursor.step };
                self.denoised.reset();
                if let Err(error) = self.denoiser.denoise(query, &mut self.denoised) {
                    return Err(self.canceller.cause(error));
                }
                self.check_denoised(level.t)?;
                self.check_variance()?;
                self.check_shift()?;
                if let Some(known) = self.known.as_ref().filter(|known| known.noise.is_empty()) {
                    known.impose(&mut self.denoised, 0);
                }
                evaluated = true;
                self.evaluated = true;
            }
            let step = self.solver.plan(&self.grid, self.cursor);
            self.apply(&step)?;
            if let Some([low, high]) = self.clamp.filter(|_| step.next.step > self.cursor.step) {
                self.x.mapv_inplace(|value| value.clamp(low, high));
            }
            self.cursor = step.next;
        }
        if evaluated {
            self.replace_known();
            // This comes when nothing of the step can fail and be repeated, except that its result may be wrong.
            self.denoiser.feed_back(Some(&self.denoised.x0))?;
        }
        if evaluated && self.progress().is_finished() {
            self.restore_known();
            // Coefficients beyond the range of f32 would show here and nowhere else.
            if let Some(index) = self.x.as_slice().and_then(first_not_finite) {
                let reason = format!("the finished sample holds {}", self.x.as_slice().map_or(f32::NAN, |x| x[index]));
                return Err(Error::Evaluation { step: self.cursor.step, reason });
            }
        }
        Ok(self.progress())
    }

    /// Replaces the known part of x, where it is x that is replaced.
    fn replace_known(&mut self) {
        let Some(known) = self.known.as_ref().filter(|known| !known.noise.is_empty()) else { return };
        let is_finished = self.cursor.step >= self.grid.steps();
        let next = if is_finished { None } else { self.solver.evaluate_at(&self.grid, self.cursor) };
        let level = next.unwrap_or_else(|| match self.grid.levels().get(self.cursor.step) {
            Some(level) if !is_finished => *level,
            _ => NoiseLevel::clean(0.0),
        });
        if let Some(x) = self.x.as_slice_mut() {
            known.replace(x, level);
        }
    }

    fn apply(&mut self, step: &Move) -> Result<()> {
        // Room is made before anything is changed or drawn.
        make_room(&mut self.saved, if step.save { self.x.len() } else { 0 })?;
        let unused = if self.noise.is_stream() { step.unused } else { 0 };
        let draws = unused + usize::from(step.update.noise != 0.0);
        for _ in 0..draws {
            self.draw()?;
        }
        if draws > unused {
            scale_noise(&mut self.fresh, step.deviation, of_variance(&self.denoised));
        }
        if let Some(snr) = step.norms {
            self.apply_by_norms(&step.update, snr);
            return Ok(());
        }
        if step.save {
            self.saved.clear();
            self.saved.extend_from_slice(self.x.as_slice().unwrap_or_default());
        }
        self.combine(step);
        let shift = self.denoised.shift().and_then(|shift| shift.as_slice()).unwrap_or_default();
        if step.update.noise != 0.0 && !shift.is_empty() {
            shift_mean(self.x.as_slice_mut().unwrap_or_default(), shift, step, of_variance(&self.denoised));
        }
        Ok(())
    }

    /// Draws fresh noise.
    fn draw(&mut self) -> Result<()> {
        let (length, batch) = (self.x.len(), self.x.shape()[0]);
        resize(&mut self.fresh, length, 0.0)?;
        let draw = Draw::Step { step: self.cursor.step as u32, stage: self.cursor.stage as u32 };
        self.noise.fill(draw, length / batch, &mut self.fresh);
        Ok(())
    }

    /// Makes x a combination of itself, the estimate, fresh noise, and what was kept.
    fn combine(&mut self, step: &Move) {
        let update = step.update;
        // The arrays are this job's own and in standard order, so they are slices.
        let x = self.x.as_slice_mut().unwrap_or_default();
        let of_denoised = estimates(&self.denoised, update.denoised, update.direction);
        let mut terms: [Term<'_>; 4 + MOST_HISTORY] = [(0.0, &[]); 4 + MOST_HISTORY];
        terms[..2].copy_from_slice(&of_denoised.map(|(of, values)| (of as f32, values)));
        terms[2] = (update.noise as f32, &self.fresh);
        terms[3] = (update.saved as f32, &self.saved);
        // The slot that is replaced is read and written at once, so it is not one of the terms.
        let mut replaced = step.keep.map(|(slot, kept)| (slot, kept, std::mem::take(&mut self.history[slot])));
        for (term, (slot, held)) in terms[4..].iter_mut().zip(self.history.iter().enumerate()) {
            if replaced.as_ref().is_none_or(|(taken, ..)| *taken != slot) {
                *term = (update.history[slot] as f32, held);
            }
        }
        match &mut replaced {
            None => combine(x, update.x as f32, &terms),
            Some((slot, kept, held)) => {
                let made = estimates(&self.denoised, kept.denoised, kept.direction);
                let made = made.map(|(of, values)| (of as f32, values));
                let before = update.history[*slot] as f32;
                combine_and_keep(x, update.x as f32, &terms, Kept { held, before, x: kept.x as f32, terms: made });
            }
        }
        if let Some((slot, _, held)) = replaced {
            self.history[slot] = held;
        }
    }

    /// Makes a Langevin step whose size is found item by item.
    fn apply_by_norms(&mut self, update: &Update, snr: f64) {
        let length = self.x.len() / self.x.shape()[0];
        let [(of_x0, x0), (of_direction, direction)] = estimates(&self.denoised, update.denoised, update.direction);
        let x = self.x.as_slice_mut().unwrap_or_default();
        for ((x, noise), (x0, direction)) in
            x.chunks_mut(length).zip(self.fresh.chunks(length)).zip(x0.chunks(length).zip(direction.chunks(length)))
        {
            step_by_norms(x, noise, update, [(of_x0, x0), (of_direction, direction)], snr);
        }
    }

    fn check_variance(&self) -> Result<()> {
        let fits = |said: &ArrayD<f32>| {
            said.shape() == self.x.shape() && said.as_slice().is_some_and(|said| first_not_finite(said).is_none())
        };
        if self.solver.needs_variance() && !self.denoised.variance.as_ref().is_some_and(fits) {
            let reason = "the solver needs a learned variance, and the denoiser gave none that is finite and has the samples' shape";
            return Err(Error::Evaluation { step: self.cursor.step, reason: reason.into() });
        }
        Ok(())
    }

    fn check_denoised(&self, t: f64) -> Result<()> {
        let x0 = &self.denoised.x0;
        let values = match x0.as_slice() {
            Some(values) if x0.shape() == self.x.shape() => values,
            _ => {
                let reason = format!(
                    "the denoiser's output has a shape of {:?} (or is not in standard order); expected {:?}",
                    x0.shape(),
                    self.x.shape()
                );
                return Err(Error::Evaluation { step: self.cursor.step, reason });
            }
        };
        if let Some(direction) = self.denoised.direction()
            && (direction.shape() != self.x.shape() || !direction.is_standard_layout())
        {
            let reason = format!(
                "the denoiser's direction has a shape of {:?}, the samples {:?}",
                direction.shape(),
                self.x.shape()
            );
            return Err(Error::Evaluation { step: self.cursor.step, reason });
        }
        let Some(index) = first_not_finite(values) else { return Ok(()) };
        let item = index / (values.len() / self.x.shape()[0]);
        Err(Error::Evaluation {
            step: self.cursor.step,
            reason: format!("the denoised sample of item {item} is {} at t = {t}", values[index]),
        })
    }

    fn check_shift(&self) -> Result<()> {
        let Some(shift) = self.denoised.shift() else { return Ok(()) };
        let reason = if !self.solver.takes_shift() {
            format!(
                "{} cannot move the mean of its steps; the classifier's form for ε̂ is for every solver",
                self.solver
            )
        } else if shift.shape() != self.x.shape() || !shift.is_standard_layout() {
            format!("the shift of the mean has a shape of {:?}, the samples {:?}", shift.shape(), self.x.shape())
        } else {
            return Ok(());
        };
        Err(Error::Evaluation { step: self.cursor.step, reason })
    }
}

/// x̂₀ and the x̂₀ that ε̂ is taken from, each with its coefficient.
fn estimates(denoised: &Denoised, of_x0: f64, of_direction: f64) -> [(f64, &[f32]); 2] {
    let x0 = denoised.x0.as_slice().unwrap_or_default();
    match denoised.direction() {
        Some(direction) => [(of_x0, x0), (of_direction, direction.as_slice().unwrap_or_default())],
        None => [(of_x0 + of_direction, x0), (0.0, x0)],
    }
}

/// The network's prediction of the variance. It is empty where there is none.
fn of_variance(denoised: &Denoised) -> &[f32] {
    denoised.variance.as_ref().and_then(|said| said.as_slice()).unwrap_or_default()
}

/// Makes a Langevin step of one item. The norms of its noise and its score give its size.
fn step_by_norms(x: &mut [f32], noise: &[f32], update: &Update, denoised: [(f64, &[f32]); 2], snr: f64) {
    let [(of_x0, x0), (of_direction, direction)] = denoised;
    let score = |i: usize, x: f32| {
        (update.x - 1.0) * f64::from(x) + of_x0 * f64::from(x0[i]) + of_direction * f64::from(direction[i])
    };
    let of_score: f64 = x.iter().enumerate().map(|(i, &x)| score(i, x).powi(2)).sum();
    let of_noise: f64 = noise.iter().map(|&z| f64::from(z).powi(2)).sum();
    // Where the score is zero it gives no size.
    let size = if of_score == 0.0 { 0.0 } else { 2.0 * snr * snr * of_noise / of_score };
    let of_z = update.noise * size.sqrt();
    for (i, (x, z)) in x.iter_mut().zip(noise).enumerate() {
        *x = (f64::from(*x) + size * score(i, *x) + of_z * f64::from(*z)) as f32;
    }
}

/// Moves the mean of a step by its variance times `shift` (Dhariwal & Nichol 2021, algorithm 1).
fn shift_mean(x: &mut [f32], shift: &[f32], step: &Move, said: &[f32]) {
    let variance = step.update.noise * step.update.noise;
    for (i, (x, shift)) in x.iter_mut().zip(shift).enumerate() {
        let learned = match (step.deviation, said.get(i)) {
            (Deviation::One, _) | (_, None) => 1.0,
            (deviation, Some(said)) => deviation.log_variance(f64::from(*said)).exp(),
        };
        *x = (f64::from(*x) + variance * learned * f64::from(*shift)) as f32;
    }
}

/// Multiplies fresh noise by the deviation that belongs to the network's prediction of the variance.
fn scale_noise(fresh: &mut [f32], deviation: Deviation, said: &[f32]) {
    if deviation != Deviation::One {
        let factor = |said: f32| (0.5 * deviation.log_variance(f64::from(said))).exp() as f32;
        fresh.iter_mut().zip(said).for_each(|(value, &said)| *value *= factor(said));
    }
}
