//! A model's calls without a job: an estimate, added noise, likelihoods, and releasing memory.

use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};

use super::evaluator::{Evaluator, Sight, Wanted};
use super::model::Model;
use super::predictor::Predictor;
use crate::cancel::Canceller;
use crate::denoiser::{Condition, Denoised, Denoiser, Query};
use crate::error::{Error, Result};
use crate::likelihood::{self, Divergence, VariationalBound};
use crate::model::Shape;
use crate::noise::{CounterNoise, Draw, NoiseSource};
use crate::schedule::NoiseLevel;
use crate::solver::{Adaptive, Variance};
use crate::tensor::{Tensor, zeros};

impl Model {
    /// Gives memory back to the system that evaluations needed at a time and do not need now. Otherwise ONNX Runtime
    /// keeps it for as long as the model is open.
    ///
    /// ONNX Runtime gives it back at the end of an evaluation. So this call evaluates one item, which `canceller` ends.
    /// It does nothing for a network of the caller's own. Memory on a device is left alone.
    ///
    /// # Errors
    /// As [`denoise`](Self::denoise).
    pub fn trim(self: &Arc<Self>, canceller: &Canceller) -> Result<()> {
        canceller.check()?;
        if self.network().is_none() {
            return Ok(());
        }
        let count = self.fixed_batch().unwrap_or(1);
        let of_items = |shape: &[usize]| zeros(&[&[count], shape].concat());
        let sizes = [self.sizes(), self.latest_sizes()].into_iter().flatten().collect();
        let bound = |shape: &Shape| shape.bound(&sizes);
        let shapes = self.manifest.conditions.values().map(|info| bound(&info.shape)).collect::<Option<Vec<_>>>();
        // A free size without a known length means that nothing was evaluated either.
        let (Some(own), Some(shapes)) = (bound(&self.manifest.sample.shape), shapes) else { return Ok(()) };
        let mut condition =
            Condition { classes: self.manifest.classes.as_ref().map(|_| vec![0; count]), ..Condition::default() };
        for ((name, info), item) in self.manifest.conditions.iter().zip(shapes) {
            let (all, tensor) = if info.batch {
                (&mut condition.tensors, of_items(&item)?)
            } else {
                (&mut condition.common, zeros(&item)?)
            };
            all.insert(name.clone(), Arc::new(Tensor::F32(tensor)));
        }
        let x = of_items(&own)?;
        let level = self.schedule.level(self.schedule.bounds()[1]);
        let query = Query { x: x.view(), level, condition: &condition, step: 0 };
        let mut evaluator =
            Evaluator::with_options(Arc::clone(self), &[("memory.enable_memory_arena_shrinkage", "cpu:0")])?;
        canceller.add(&evaluator.interrupt());
        let Some(part) = evaluator.parts(&query).next() else { return Ok(()) };
        evaluator.run(&query, part, Sight { factor: 1.0, fed_back: &[] }, Wanted::Prediction, |_, _| {})
    }

    /// Evaluates the network once, for a sampling process of the caller's own. Returns the x̂₀ of the noisy samples `x`
    /// (batch first) at `level`, without clipping.
    ///
    /// `level` may be any noise level, such as `model.schedule().level(t)`. The network's time input is computed from
    /// it as the manifest states. `canceller` ends the call from another thread, also while it waits for its turn.
    ///
    /// # Errors
    /// [`Error::Argument`] if `x` or `condition` does not fit the model. [`Error::Cancelled`]. [`Error::Evaluation`] if
    /// the network fails or predicts something that is not a finite number. Also if no x̂₀ follows from the prediction
    /// at this level (ε where α = 0).
    pub fn denoise(
        self: &Arc<Self>,
        x: ArrayViewD<'_, f32>,
        level: NoiseLevel,
        condition: &Condition,
        canceller: &Canceller,
    ) -> Result<ArrayD<f32>> {
        canceller.check()?;
        self.check_shape(x.shape())?;
        self.check_classes(condition.classes.as_deref(), x.shape()[0])?;
        let NoiseLevel { t, alpha, sigma } = level;
        let share = 0.0..=f64::from(f32::MAX);
        let is_level = share.contains(&alpha) && share.contains(&sigma) && (alpha > 0.0 || sigma > 0.0);
        if !is_level || self.level(t).is_err() {
            let most = self.schedule.bounds()[1];
            let reason = format!(
                "t = {t}, α = {alpha}, σ = {sigma}; t is at most {most}, α and σ are finite, not negative and not both 0"
            );
            return Err(Error::argument("level", reason));
        }
        let x = x.as_standard_layout();
        let mut out = Denoised::new(x.shape())?;
        let mut predictor = Predictor::until(self, canceller)?;
        predictor.denoise(Query { x: x.view(), level, condition, step: 0 }, &mut out)?;
        Ok(out.x0)
    }

    /// Adds noise to clean samples: `α·x0 + σ·z` at the time `t` of the model's schedule (Ho et al. 2020, eq. 4). The
    /// noise z is the one that a run with this seed starts from, unless the run uses torch's.
    ///
    /// # Errors
    /// [`Error::Argument`] if `x0` does not fit the model or is not finite, or if `t` is not a time of the schedule.
    pub fn add_noise(&self, x0: ArrayViewD<'_, f32>, t: f64, seed: u64) -> Result<ArrayD<f32>> {
        self.check_shape(x0.shape())?;
        if let Some(wrong) = x0.iter().find(|value| !value.is_finite()) {
            return Err(Error::argument("x0", format!("a value is {wrong}")));
        }
        let most = self.schedule.bounds()[1];
        if !(0.0..=most).contains(&t) {
            return Err(Error::argument("time", format!("{t} is not a time of the schedule, 0 to {most}")));
        }
        let NoiseLevel { alpha, sigma, .. } = self.schedule.level(t);
        let mut noise = zeros(x0.shape())?;
        let length = x0.len() / x0.shape()[0];
        CounterNoise::new(seed).fill(Draw::Start, length, noise.as_slice_mut().unwrap_or_default());
        noise.zip_mut_with(&x0, |z, x0| *z = (alpha * f64::from(*x0) + sigma * f64::from(*z)) as f32);
        Ok(noise)
    }

    /// The log density in nats of each of the samples `x` (batch first): [`likelihood::log_density`] with this model.
    /// `seed` is the seed of the directions of [`Divergence::Hutchinson`]. `canceller` ends it as in
    /// [`denoise`](Self::denoise).
    ///
    /// # Errors
    /// [`Error::Argument`] if `x` or `condition` does not fit the model. Else as there.
    pub fn log_density(
        self: &Arc<Self>,
        x: ArrayViewD<'_, f32>,
        condition: &Condition,
        divergence: Divergence,
        tolerance: Adaptive,
        seed: u64,
        canceller: &Canceller,
    ) -> Result<Vec<f64>> {
        canceller.check()?;
        self.check_samples(&x, condition)?;
        let mut predictor = Predictor::until(self, canceller)?;
        let noise = &mut CounterNoise::new(seed);
        likelihood::log_density(&mut predictor, &*self.schedule, x, condition, divergence, tolerance, noise)
    }

    /// DDPM's variational bound of each of the samples `x` (batch first): [`likelihood::variational_bound`] with this
    /// model. `canceller` ends it as in [`denoise`](Self::denoise).
    ///
    /// # Errors
    /// [`Error::Argument`] if `x` or `condition` does not fit the model. Else as there.
    pub fn variational_bound(
        self: &Arc<Self>,
        x: ArrayViewD<'_, f32>,
        condition: &Condition,
        variance: Variance,
        seed: u64,
        canceller: &Canceller,
    ) -> Result<Vec<VariationalBound>> {
        canceller.check()?;
        self.check_samples(&x, condition)?;
        let mut predictor = Predictor::until(self, canceller)?;
        let noise = &mut CounterNoise::new(seed);
        likelihood::variational_bound(&mut predictor, &*self.schedule, x, condition, variance, noise)
    }

    fn check_samples(&self, x: &ArrayViewD<'_, f32>, condition: &Condition) -> Result<()> {
        self.check_shape(x.shape())?;
        self.check_classes(condition.classes.as_deref(), x.shape()[0])?;
        match x.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(Error::argument("x", format!("a value is {value}, which is no finite number"))),
            None => Ok(()),
        }
    }
}
