//! A job: a run that makes one evaluation at a time.

use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};

use super::budget::Pace;
use super::known::Known;
use super::progress::{Progress, checked_length};
use crate::cancel::{Canceller, Interrupt};
use crate::denoiser::{Condition, Denoised, Denoiser};
use crate::error::{Error, Result};
use crate::noise::{Draw, NoiseSource};
use crate::schedule::{Grid, NoiseLevel};
use crate::solver::{Cursor, Integration, MOST_HISTORY, Solver};
use crate::tensor::{combine, copy, first_not_finite, make_room, resize, zeros};

/// A run of a solver: the samples, their place on the grid, and the parts that move them.
///
/// A job works only inside of [`step`](Self::step) and [`run`](Self::run), on the calling thread. A step that fails
/// leaves the samples as they were before it. With churn they are left as they were once its noise was added.
pub struct Job {
    pub(super) denoiser: Box<dyn Denoiser>,
    pub(super) solver: Box<dyn Solver>,
    pub(super) grid: Grid,
    pub(super) noise: Box<dyn NoiseSource>,
    pub(super) condition: Condition,
    /// The index and the condition of the current item, for a solver that takes items one by one.
    pub(super) of_item: Option<(usize, Condition)>,
    pub(super) cursor: Cursor,
    pub(super) x: ArrayD<f32>,
    pub(super) denoised: Denoised,
    pub(super) evaluated: bool,
    /// Whether x is no longer the noise that the job began with.
    pub(super) started: bool,
    /// Fresh noise. It is empty until a solver needs some.
    pub(super) fresh: Vec<f32>,
    pub(super) saved: Vec<f32>,
    pub(super) history: Vec<Vec<f32>>,
    /// The state of a solver that chooses its own steps.
    pub(super) integration: Option<Integration>,
    /// The range that x is clamped to after each step.
    pub(super) clamp: Option<[f32; 2]>,
    /// The part of the samples that a mask keeps.
    pub(super) known: Option<Known>,
    pub(super) canceller: Canceller,
    /// What the canceller interrupts.
    pub(super) interrupt: Option<Arc<dyn Interrupt>>,
    pub(super) pace: Pace,
}

impl Job {
    /// Creates a job for samples of `shape` (batch first) that starts from noise.
    ///
    /// The noise is `√(α² + σ²)·z` at the first level of the grid, or as the grid [states](Grid::start). That is the
    /// deviation of data of unit variance there. On a variance-preserving schedule it is exactly 1.
    ///
    /// # Errors
    /// [`Error::Argument`] if the shape has no axes, a zero, or more than [`MOST_VALUES`](super::MOST_VALUES) values.
    /// Also if the condition does not have one class per item.
    pub fn new(
        denoiser: Box<dyn Denoiser>,
        solver: Box<dyn Solver>,
        grid: Grid,
        mut noise: Box<dyn NoiseSource>,
        condition: Condition,
        shape: &[usize],
    ) -> Result<Self> {
        let length = checked_length(shape)?;
        condition.check(shape[0])?;
        let mut x = zeros(shape)?;
        let values = x.as_slice_mut().unwrap_or_default();
        noise.fill(Draw::Start, length / shape[0], values);
        combine(values, grid.start() as f32, &[]);
        let (canceller, interrupt) = (Canceller::default(), denoiser.interrupt());
        if let Some(interrupt) = &interrupt {
            canceller.add(interrupt);
        }
        let slots = solver.slots().min(MOST_HISTORY);
        let mut history = vec![Vec::new(); slots];
        history.iter_mut().try_for_each(|slot| resize(slot, length, 0.0))?;
        let integration = match solver.adaptive() {
            Some(adaptive) => Some(Integration::new(adaptive, &grid, length / shape[0])?),
            None => None,
        };
        Ok(Self {
            denoiser,
            solver,
            grid,
            noise,
            condition,
            of_item: None,
            cursor: Cursor::default(),
            denoised: Denoised::new(shape)?,
            x,
            evaluated: false,
            started: false,
            fresh: Vec::new(),
            saved: Vec::new(),
            history,
            integration,
            clamp: None,
            known: None,
            canceller,
            interrupt,
            pace: Pace::new(),
        })
    }

    /// Starts from `x` instead of from random noise. `x` is the noisy sample at the first level of the grid. The noise
    /// that it replaces has been drawn already, which matters to a source that is a stream.
    ///
    /// # Errors
    /// [`Error::Argument`] if the job has already been stepped, if the shape differs, or if a value is not finite.
    pub fn start_from(&mut self, x: ArrayViewD<'_, f32>) -> Result<()> {
        self.check_start("x", &x)?;
        self.x.assign(&x);
        self.started = true;
        Ok(())
    }

    /// Starts from the clean samples `x0`, with noise added to the first level of the grid. It is the noise that the
    /// run would have started from. Source: Meng et al. 2021, "SDEdit", arXiv:2108.01073, where the grid begins at less
    /// than all of the noise.
    ///
    /// # Errors
    /// As [`start_from`](Self::start_from).
    pub fn start_from_clean(&mut self, x0: ArrayViewD<'_, f32>) -> Result<()> {
        self.check_start("image", &x0)?;
        if self.started {
            return Err(Error::argument("image", "the job starts from other samples already"));
        }
        self.started = true;
        let NoiseLevel { alpha, sigma, .. } = self.grid.levels()[0];
        let of_noise = if sigma == 0.0 { 0.0 } else { sigma / self.grid.start() };
        self.x.zip_mut_with(&x0, |x, x0| *x = (alpha * f64::from(*x0) + of_noise * f64::from(*x)) as f32);
        Ok(())
    }

    fn check_start(&self, name: &'static str, x: &ArrayViewD<'_, f32>) -> Result<()> {
        if self.evaluated {
            return Err(Error::argument(name, "the job has already started"));
        }
        if x.shape() != self.x.shape() {
            let reason = format!("a shape of {:?} where the job has {:?}", x.shape(), self.x.shape());
            return Err(Error::argument(name, reason));
        }
        if x.iter().any(|value| !value.is_finite()) {
            return Err(Error::argument(name, "a value is not a finite number"));
        }
        Ok(())
    }

    /// Samples only where `mask` is 1, and keeps `image` where it is 0. Values in between mix the two.
    ///
    /// At every step the known part of x̂₀ is replaced, so that x there is the image with the noise of its level.
    /// Source: Song et al. 2021, arXiv:2011.13456, appendix I.2. Here the noise stays the same as long as the solver
    /// draws none. At the end of a run that ends at a clean level, the image itself stands there, bit by bit.
    ///
    /// Both have the samples' shape, or an axis of 1 where they are the same for all.
    ///
    /// # Errors
    /// [`Error::Argument`] if a shape does not fit, if the mask leaves 0 … 1, or if a value is not finite.
    pub fn keep(&mut self, mask: ArrayViewD<'_, f32>, image: ArrayViewD<'_, f32>) -> Result<()> {
        if self.evaluated {
            return Err(Error::argument("mask", "the job has already started"));
        }
        let fitting = |name: &'static str, values: &ArrayViewD<'_, f32>| match values.broadcast(self.x.raw_dim()) {
            Some(whole) if values.ndim() == self.x.ndim() => Ok(copy(&whole)?.into_raw_vec_and_offset().0),
            _ => {
                let reason = format!("a shape of {:?} where the job has {:?}", values.shape(), self.x.shape());
                Err(Error::argument(name, reason))
            }
        };
        let (mask, image) = (fitting("mask", &mask)?, fitting("image", &image)?);
        if let Some(wrong) = mask.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            return Err(Error::argument("mask", format!("a value is {wrong}; 0 keeps, 1 draws")));
        }
        if first_not_finite(&image).is_some() {
            return Err(Error::argument("image", "a value is not a finite number"));
        }
        self.known = Some(Known { mask, image, noise: Vec::new() });
        Ok(())
    }

    /// As [`keep`](Self::keep), but as diffusers' pipelines do it. After every step the known part of x is replaced,
    /// and not that of x̂₀. It becomes the image with the noise that the run started from, and at the end the image.
    ///
    /// # Errors
    /// As there. [`Error::Argument`] if the run already starts from something other than noise.
    pub(crate) fn keep_noised(&mut self, mask: ArrayViewD<'_, f32>, image: ArrayViewD<'_, f32>) -> Result<()> {
        if self.started {
            return Err(Error::argument("mask", "the job starts from other samples already"));
        }
        self.keep(mask, image)?;
        let start = self.grid.start() as f32;
        if let Some(known) = &mut self.known {
            make_room(&mut known.noise, self.x.len())?;
            known.noise.extend(self.x.iter().map(|x| x / start));
        }
        Ok(())
    }

    /// Restores the known part where the run has ended without noise.
    pub(super) fn restore_known(&mut self) {
        let ends_clean = self.grid.levels().last().is_some_and(|level| level.sigma == 0.0);
        let Some(known) = self.known.as_ref().filter(|_| ends_clean) else { return };
        for (x, (mask, image)) in self.x.iter_mut().zip(known.mask.iter().zip(&known.image)) {
            if *mask == 0.0 {
                *x = *image;
            }
        }
    }

    /// Clamps x to `range` after every step, as some models were trained to be sampled.
    ///
    /// # Errors
    /// [`Error::Argument`] if the range is empty or not finite.
    pub fn clamp(&mut self, range: [f32; 2]) -> Result<()> {
        let [low, high] = range;
        if !(low.is_finite() && high.is_finite() && low < high) {
            let reason = format!("[{low}, {high}]; the first value must be below the second, both finite");
            return Err(Error::argument("range", reason));
        }
        self.clamp = Some(range);
        Ok(())
    }

    /// The number of bytes of the job's tensors, with those of its conditions and of guidance. The network's inputs and
    /// outputs are counted as far as there are any yet.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let vectors = [&self.fresh, &self.saved].into_iter().chain(&self.history);
        let known = self.known.iter().flat_map(|known| [&known.mask, &known.image, &known.noise]);
        let own: usize = vectors.chain(known).map(|values| size_of_val(&values[..])).sum();
        let integration = self.integration.as_ref().map_or(0, Integration::bytes);
        let told = self.condition.bytes() + self.condition.negative.as_ref().map_or(0, |negative| negative.bytes());
        size_of::<f32>() * self.x.len() + own + self.denoised.bytes() + integration + told + self.denoiser.bytes()
    }

    /// How many steps are done.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress { step: self.cursor.step, steps: self.grid.steps() }
    }

    /// The samples as they stand: noisy before the end of the run, and the result after it.
    #[must_use]
    pub fn sample(&self) -> ArrayViewD<'_, f32> {
        self.x.view()
    }

    /// The latest estimate of the final samples; `None` before the first step. After the last step it is the result.
    /// After a step that failed it may be a part of the estimate that failed.
    #[must_use]
    pub fn preview(&self) -> Option<ArrayViewD<'_, f32>> {
        // A multistep solver ends elsewhere than at its last x̂₀, and so does a run that ends at a noisy level.
        let latest = if self.progress().is_finished() { &self.x } else { &self.denoised.x0 };
        self.evaluated.then(|| latest.view())
    }

    /// The grid of noise levels that the job visits.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Whether the condition has something that guidance leads to or away from.
    #[must_use]
    pub fn is_guided(&self) -> bool {
        self.condition.negative.is_some() || self.condition.toward.is_some()
    }

    /// A handle that cancels this job from any thread.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Lets `canceller` cancel the job, instead of its own canceller.
    pub(crate) fn set_canceller(&mut self, canceller: &Canceller) {
        if let Some(interrupt) = &self.interrupt {
            canceller.add(interrupt);
        }
        self.canceller = canceller.clone();
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("solver", &self.solver)
            .field("cursor", &self.cursor)
            .field("shape", &self.x.shape())
            .finish_non_exhaustive()
    }
}
