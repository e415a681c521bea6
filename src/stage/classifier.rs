//! A classifier that was exported with its gradient.

use std::sync::Arc;

use ndarray::ArrayD;

use super::evaluator::{Evaluator, Sight, Wanted};
use super::model::Model;
use crate::cancel::Interrupt;
use crate::denoiser::{Condition, Query};
use crate::error::{Error, Result};
use crate::guidance::Classifier;

/// The gradient of a classifier, for a model whose prediction is [`ClassGradient`](crate::Prediction::ClassGradient).
pub struct ClassGradient {
    evaluator: Evaluator,
}

impl std::fmt::Debug for ClassGradient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClassGradient").field("model", &self.evaluator.model).finish_non_exhaustive()
    }
}

impl ClassGradient {
    /// Creates a classifier that evaluates `model`.
    ///
    /// # Errors
    /// [`Error::Argument`] if it is not a classifier. [`Error::Runtime`] if ONNX Runtime has no options for a run.
    pub fn new(model: Arc<Model>) -> Result<Self> {
        Self::check(&model)?;
        Ok(Self { evaluator: Evaluator::new(model)? })
    }

    /// Checks that `model` is a classifier.
    ///
    /// # Errors
    /// [`Error::Argument`] if it is not.
    pub fn check(model: &Model) -> Result<()> {
        if model.manifest.is_classifier() {
            return Ok(());
        }
        let reason = format!(
            "'{}' predicts {}; a classifier predicts class_gradient; onnx/classifier.py exports one",
            model.name(),
            model.manifest.prediction
        );
        Err(Error::argument("classifier", reason))
    }
}

impl Classifier for ClassGradient {
    fn interrupt(&self) -> Option<Arc<dyn Interrupt>> {
        Some(self.evaluator.interrupt())
    }

    fn gradient(&mut self, query: Query<'_>, classes: &[i64], out: &mut ArrayD<f32>) -> Result<()> {
        let model = Arc::clone(&self.evaluator.model);
        model.check_shape(query.x.shape())?;
        model.check_classes(Some(classes), query.x.shape()[0])?;
        if out.shape() != query.x.shape() {
            let reason =
                format!("the network's output has a shape of {:?}, the samples {:?}", out.shape(), query.x.shape());
            return Err(Error::argument("out", reason));
        }
        let (Some(x), Some(out)) = (query.x.as_slice(), out.as_slice_mut()) else {
            return Err(Error::argument("x", "the samples must lie in standard (C) order"));
        };
        // The classifier does not take the predictor's conditions.
        let condition = Condition::classes(Some(classes.to_vec()));
        let query = Query { x: query.x.view(), level: query.level, condition: &condition, step: query.step };
        let factor =
            model.manifest.input_scaling.factor(model.manifest.prediction, query.level, model.manifest.sigma_data());
        let factor = factor as f32;
        let length = x.len() / query.x.shape()[0];
        let sight = Sight { factor, fed_back: &[] };
        for part in self.evaluator.parts(&query) {
            self.evaluator.run(&query, part, sight, Wanted::Prediction, |item, said| {
                let item = &mut out[item * length..][..length];
                // This is the derivative with respect to x, of a classifier that takes c·x.
                item.iter_mut().zip(said).for_each(|(out, said)| *out = factor * said);
            })?;
        }
        Ok(())
    }
}
