//! Classifier guidance. Source: Dhariwal & Nichol 2021, "Diffusion Models Beat GANs on Image Synthesis",
//! arXiv:2105.05233, §4, algorithms 1 and 2.

use std::sync::Arc;

use ndarray::ArrayD;

use crate::cancel::{Interrupt, both};
use crate::denoiser::{Denoised, Denoiser, Query};
use crate::error::{Error, Result};
use crate::option::words;
use crate::schedule::NoiseLevel;
use crate::tensor::{first_not_finite, zeros};

words! {
    /// How the classifier's gradient moves a sample.
    #[non_exhaustive]
    pub enum ClassifierForm {
        #[default]
        Auto = "auto", "mean for DDPM, noise for the other solvers.";
        Mean = "mean", "The mean of a step moves by s·Σ·∇ log p(y|x), where Σ is the variance of the noise that the step adds. Algorithm 1, for DDPM.";
        Noise = "noise", "ε̂ moves by −σ·s·∇ log p(y|x). Algorithm 2, for any solver.";
    }
}

/// A classifier with its gradient, which tells how a noisy sample becomes more likely to be of a class.
pub trait Classifier: Send {
    /// The handle that stops an evaluation of this classifier from another thread. `None` if nothing does.
    fn interrupt(&self) -> Option<Arc<dyn Interrupt>> {
        None
    }

    /// Writes `∇ log p(y | x)` with respect to x to `out`, at the query's level and for the class `y` of every item in
    /// `classes`. `out` has the shape of `query.x`. The query's condition is the predictor's.
    ///
    /// # Errors
    /// [`Error::Evaluation`] if the network fails. Other variants if the query does not fit it.
    fn gradient(&mut self, query: Query<'_>, classes: &[i64], out: &mut ArrayD<f32>) -> Result<()>;
}

/// A denoiser whose estimates a classifier moves toward the [classes](crate::denoiser::Condition::toward) of the
/// query's condition.
///
/// In the form for ε̂, x̂₀ moves by `(σ²/α)·s·∇ log p(y|x)`. That is infinite where nothing of the clean sample is left
/// (α = 0), and there the term is left out.
pub struct ByClassifier<D, C> {
    inner: D,
    classifier: C,
    scale: f64,
    form: ClassifierForm,
    gradient: ArrayD<f32>,
}

impl<D: Denoiser, C: Classifier> ByClassifier<D, C> {
    /// Wraps `inner`, and moves its estimates by `scale` times the gradient of `classifier`. [`ClassifierForm::Auto`]
    /// is [`ClassifierForm::Noise`] here, where the solver is not known.
    ///
    /// # Errors
    /// [`Error::Argument`] if the scale is not finite.
    pub fn new(inner: D, classifier: C, scale: f64, form: ClassifierForm) -> Result<Self> {
        if !scale.is_finite() {
            return Err(Error::argument("classifier_scale", format!("{scale}; it has to be finite")));
        }
        Ok(Self { inner, classifier, scale, form, gradient: ArrayD::zeros(ndarray::IxDyn(&[0])) })
    }
}

impl<D: Denoiser, C: Classifier> Denoiser for ByClassifier<D, C> {
    fn interrupt(&self) -> Option<Arc<dyn Interrupt>> {
        both(self.inner.interrupt(), self.classifier.interrupt())
    }

    fn inner(&self) -> Option<&dyn Denoiser> {
        Some(&self.inner)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Denoiser> {
        Some(&mut self.inner)
    }

    fn bytes(&self) -> usize {
        self.inner.bytes() + size_of::<f32>() * self.gradient.len()
    }

    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        self.inner.denoise(query.clone(), out)?;
        let (NoiseLevel { t, alpha, sigma }, step) = (query.level, query.step);
        if self.scale == 0.0 || (alpha == 0.0 && self.form != ClassifierForm::Mean) {
            return Ok(());
        }
        let Some(classes) = &query.condition.toward else {
            return Err(Error::argument("classifier", "there is a classifier, but no class for it to guide toward"));
        };
        if self.gradient.shape() != query.x.shape() {
            self.gradient = zeros(query.x.shape())?;
        }
        self.classifier.gradient(query.clone(), classes, &mut self.gradient)?;
        let fits = self.gradient.shape() == query.x.shape();
        let Some(gradient) = self.gradient.as_slice().filter(|_| fits) else {
            let reason = "the classifier's gradient has another shape than the samples".to_owned();
            return Err(Error::Evaluation { step, reason });
        };
        if let Some(index) = first_not_finite(gradient) {
            let reason = format!("the classifier's gradient holds {} at t = {t}", gradient[index]);
            return Err(Error::Evaluation { step, reason });
        }
        if self.form == ClassifierForm::Mean {
            out.set_shift(gradient, self.scale as f32)?;
        } else {
            out.add(gradient, (self.scale * sigma * sigma / alpha) as f32);
        }
        Ok(())
    }
}
