//! The denoiser that evaluates a model.

use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};

use super::evaluator::{Evaluator, Sight, Wanted};
use super::model::Model;
use crate::cancel::{Canceller, Interrupt};
use crate::denoiser::{Denoised, Denoiser, Query};
use crate::error::{Error, Result};
use crate::prediction::Prediction;
use crate::schedule::NoiseLevel;
use crate::tensor::{make_room, zeros};

/// The denoiser that evaluates a model.
pub struct Predictor {
    evaluator: Evaluator,
    /// How the network's output is read.
    prediction: Prediction,
    /// The latest x̂₀ of the run, for a network that has it as an input. It is empty before the first.
    fed_back: Vec<f32>,
}

impl std::fmt::Debug for Predictor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Predictor").field("model", &self.evaluator.model).finish_non_exhaustive()
    }
}

impl Predictor {
    /// Creates a denoiser that evaluates `model`.
    ///
    /// # Errors
    /// [`Error::Argument`] if it is a classifier. [`Error::Runtime`] if ONNX Runtime has no options for a run.
    pub fn new(model: Arc<Model>) -> Result<Self> {
        Self::reading(model, None)
    }

    /// Creates a denoiser that reads the network's output as `prediction`, and not as the manifest states. Where that
    /// points toward the data and the manifest's does not, the network's time input is reversed as well.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn reading(model: Arc<Model>, prediction: Option<Prediction>) -> Result<Self> {
        if model.manifest.is_classifier() {
            let reason = format!("'{}' is a classifier, which guides the samples of another model", model.name());
            return Err(Error::argument("model", reason));
        }
        let own = model.manifest.prediction;
        let prediction = prediction.unwrap_or(own);
        let mut evaluator = Evaluator::new(model)?;
        if prediction != own && matches!(own, Prediction::Flow | Prediction::FlowToData) {
            evaluator.turn_time();
        }
        Ok(Self { evaluator, prediction, fed_back: Vec::new() })
    }

    /// Creates a denoiser that `canceller` ends.
    pub(super) fn until(model: &Arc<Model>, canceller: &Canceller) -> Result<Self> {
        let predictor = Self::new(Arc::clone(model))?;
        canceller.add(&predictor.evaluator.interrupt());
        Ok(predictor)
    }

    /// The coefficients of x̂₀ in x and in the network's output at the query's level, and the factor of the network's
    /// input.
    fn coefficients(&self, query: &Query<'_>) -> Result<(f32, f32, f32)> {
        let Model { manifest, schedule, .. } = &*self.evaluator.model;
        let (of_x, of_output) = self.prediction.to_x0(query.level, &**schedule, manifest.sigma_data());
        let factor = manifest.input_scaling.factor(self.prediction, query.level, manifest.sigma_data());
        let (of_x, of_output, factor) = (of_x as f32, of_output as f32, factor as f32);
        if !(of_x.is_finite() && of_output.is_finite()) {
            let reason = format!(
                "at t = {} the schedule leaves nothing of the clean sample (α = {}), and the prediction does not determine x̂₀",
                query.level.t, query.level.alpha
            );
            return Err(Error::Evaluation { step: query.step, reason });
        }
        Ok((of_x, of_output, factor))
    }
}

impl Denoiser for Predictor {
    fn interrupt(&self) -> Option<Arc<dyn Interrupt>> {
        Some(self.evaluator.interrupt())
    }

    fn of_output(&self, level: NoiseLevel) -> (f64, f64) {
        let Model { manifest, schedule, .. } = &*self.evaluator.model;
        self.prediction.to_x0(level, &**schedule, manifest.sigma_data())
    }

    fn takes_any_batch(&self) -> bool {
        self.evaluator.model.fixed_batch().is_none()
    }

    fn wants_pairs(&self) -> bool {
        self.evaluator.model.wants_pairs()
    }

    fn feed_back(&mut self, x0: Option<&ArrayD<f32>>) -> Result<()> {
        if self.evaluator.model.feeds_back() {
            make_room(&mut self.fed_back, x0.map_or(0, ArrayD::len))?;
            self.fed_back.clear();
            self.fed_back.extend(x0.into_iter().flatten());
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.fed_back[..]) + self.evaluator.bytes()
    }

    fn fingerprint(&self) -> Result<Option<String>> {
        self.evaluator.model.hash().map(|hash| Some(hash.into_owned()))
    }

    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        let model = Arc::clone(&self.evaluator.model);
        model.check_shape(query.x.shape())?;
        if out.x0.shape() != query.x.shape() {
            let reason =
                format!("the network's output has a shape of {:?}, the samples {:?}", out.x0.shape(), query.x.shape());
            return Err(Error::argument("out", reason));
        }
        let learned = model.manifest.variance.is_learned();
        if learned && out.variance.as_ref().is_none_or(|variance| variance.shape() != query.x.shape()) {
            out.variance = Some(zeros(query.x.shape())?);
        }
        let Denoised { x0, variance, .. } = out;
        let (Some(x), Some(x0)) = (query.x.as_slice(), x0.as_slice_mut()) else {
            return Err(Error::argument("x", "the samples must lie in standard (C) order"));
        };
        let variance =
            variance.as_mut().filter(|_| learned).and_then(|variance| variance.as_slice_mut()).unwrap_or_default();
        let (of_x, of_output, factor) = self.coefficients(&query)?;
        if model.feeds_back() {
            // This makes room to keep the estimate once the step is made.
            make_room(&mut self.fed_back, x.len())?;
        }
        let length = x.len() / query.x.shape()[0];
        let sight = Sight { factor, fed_back: &self.fed_back };
        for part in self.evaluator.parts(&query) {
            self.evaluator.run(&query, part, sight, Wanted::Prediction, |item, said| {
                let range = item * length..(item + 1) * length;
                let (said, of_variance) = said.split_at(length);
                if learned {
                    variance[range.clone()].copy_from_slice(of_variance);
                }
                for ((x0, x), said) in x0[range.clone()].iter_mut().zip(&x[range]).zip(said) {
                    *x0 = of_x * x + of_output * said;
                }
            })?;
        }
        Ok(())
    }

    fn derivative(&mut self, query: Query<'_>, direction: ArrayViewD<'_, f32>) -> Result<Option<ArrayD<f32>>> {
        let model = Arc::clone(&self.evaluator.model);
        if model.roles().is_none_or(|roles| roles.derivative.is_none()) {
            return Ok(None);
        }
        model.check_shape(query.x.shape())?;
        let mut derivative = zeros(query.x.shape())?;
        let (Some(x), Some(along), Some(out)) = (query.x.as_slice(), direction.as_slice(), derivative.as_slice_mut())
        else {
            return Err(Error::argument("x", "the samples and the direction must lie in standard (C) order"));
        };
        if direction.shape() != query.x.shape() {
            let reason = format!("a shape of {:?}, the samples have {:?}", direction.shape(), query.x.shape());
            return Err(Error::argument("direction", reason));
        }
        // x̂₀ = a·x + b·F(c·x), so that along d it changes by a·d + b·F'(c·x)·(c·d).
        let (of_x, of_output, factor) = self.coefficients(&query)?;
        let length = x.len() / query.x.shape()[0];
        let sight = Sight { factor, fed_back: &[] };
        for part in self.evaluator.parts(&query) {
            self.evaluator.run(&query, part, sight, Wanted::Derivative(along), |item, said| {
                let range = item * length..(item + 1) * length;
                for ((out, along), said) in out[range.clone()].iter_mut().zip(&along[range]).zip(said) {
                    *out = of_x * along + of_output * said;
                }
            })?;
        }
        Ok(Some(derivative))
    }
}
