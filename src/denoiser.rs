//! What a job asks at every step: the clean sample behind a noisy one.

use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};

use crate::error::{Error, Result};
use crate::schedule::NoiseLevel;
use crate::tensor::first_not_finite;

/// What the samples of a batch are conditioned on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Condition {
    /// The class of every item, in the order of the batch; `None` for a model without classes.
    pub classes: Option<Vec<i64>>,
}

/// One question to a [`Denoiser`].
#[derive(Debug, Clone)]
pub struct Query<'a> {
    /// The noisy samples, batch first.
    pub x: ArrayViewD<'a, f32>,
    /// The noise level of all of them.
    pub level: NoiseLevel,
    /// What they are conditioned on.
    pub condition: &'a Condition,
    /// The step of the run, for error messages and schedules; 0 outside of a run.
    pub step: usize,
}

/// The answer: an estimate of the clean samples. It is reused from step to step, so that nothing is allocated.
#[derive(Debug, Clone)]
pub struct Denoised {
    /// x̂₀, of the shape of x.
    pub x0: ArrayD<f32>,
    direction: Option<ArrayD<f32>>,
    parted: bool,
}

impl Denoised {
    /// An answer with room for samples of `shape`.
    #[must_use]
    pub fn new(shape: &[usize]) -> Self {
        Self { x0: ArrayD::zeros(shape), direction: None, parted: false }
    }

    /// The x̂₀ from which ε̂ is taken, where it is another one than the x̂₀ that is used.
    #[must_use]
    pub fn direction(&self) -> Option<&ArrayD<f32>> {
        self.direction.as_ref().filter(|_| self.parted)
    }

    /// Takes ε̂ from x̂₀ as it is now, whatever becomes of x̂₀ afterwards, unless it is taken from another already.
    pub fn part(&mut self) {
        if !self.parted {
            match &mut self.direction {
                Some(direction) if direction.shape() == self.x0.shape() => direction.assign(&self.x0),
                _ => self.direction = Some(self.x0.clone()),
            }
            self.parted = true;
        }
    }

    /// Takes ε̂ from the x̂₀ that is used, as it is for every new query.
    pub fn join(&mut self) {
        self.parted = false;
    }
}

/// Stops an evaluation that is under way.
pub trait Interrupt: Send + Sync {
    /// Makes the running evaluation of the denoiser that this is from return soon, with an error, and every later one at once.
    /// It may be called from any thread.
    fn interrupt(&self);
}

/// Estimates the clean sample behind a noisy one: a network, a guidance around a network, or a formula.
pub trait Denoiser: Send {
    /// What stops an evaluation of this denoiser from another thread; `None` if nothing does.
    fn interrupt(&self) -> Option<Arc<dyn Interrupt>> {
        None
    }

    /// Answers `query` in `out`, whose `x0` has the shape of `query.x`.
    ///
    /// # Errors
    /// [`Error::Evaluation`] if the network fails; other variants if the query does not fit it.
    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()>;
}

impl<D: Denoiser + ?Sized> Denoiser for Box<D> {
    fn interrupt(&self) -> Option<Arc<dyn Interrupt>> {
        (**self).interrupt()
    }

    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        (**self).denoise(query, out)
    }
}

/// What ε̂ is taken from when x̂₀ is clipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the clipped x̂₀, so that x stays `α·x̂₀ + σ·ε̂` (guided-diffusion; `use_clipped_model_output` in diffusers).
    #[default]
    Clipped,
    /// From what the network said: diffusers' default.
    Network,
}

/// Clips x̂₀ to a range of values (Ho et al. 2020's code; Saharia et al. 2022, "static thresholding").
#[derive(Debug)]
pub struct Clip<D> {
    inner: D,
    range: [f32; 2],
    direction: Direction,
}

impl<D: Denoiser> Clip<D> {
    /// `inner`, with its x̂₀ clipped to `range`.
    ///
    /// # Errors
    /// [`Error::Argument`] if the range is empty or not finite.
    pub fn new(inner: D, range: [f32; 2], direction: Direction) -> Result<Self> {
        let [low, high] = range;
        if !(low.is_finite() && high.is_finite() && low < high) {
            return Err(Error::argument(
                "range",
                format!("[{low}, {high}]; the first value must be below the second, both finite"),
            ));
        }
        Ok(Self { inner, range, direction })
    }
}

impl<D: Denoiser> Denoiser for Clip<D> {
    fn interrupt(&self) -> Option<Arc<dyn Interrupt>> {
        self.inner.interrupt()
    }

    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        let (step, level) = (query.step, query.level);
        self.inner.denoise(query, out)?;
        // Clipping would turn an infinity into a picture.
        if let Some(index) = out.x0.as_slice().and_then(first_not_finite) {
            let reason = format!(
                "the denoised sample holds {} at t = {}",
                out.x0.as_slice().map_or(f32::NAN, |x0| x0[index]),
                level.t
            );
            return Err(Error::Evaluation { step, reason });
        }
        match self.direction {
            Direction::Network => out.part(),
            Direction::Clipped => out.join(),
        }
        let [low, high] = self.range;
        out.x0.mapv_inplace(|value| value.clamp(low, high));
        Ok(())
    }
}
