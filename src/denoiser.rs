//! Denoisers: what a job evaluates at every step to estimate the clean sample behind a noisy one.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{ArrayD, ArrayViewD};

use crate::bytes::{Reader, Writer};
pub use crate::cancel::Interrupt;
use crate::error::{Error, Result};
use crate::schedule::NoiseLevel;
use crate::tensor::{Tensor, copy, first_not_finite, make_room, zeros};

/// The conditions of the samples of a batch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Condition {
    /// The class of every item, in the order of the batch; `None` for a model without classes.
    pub classes: Option<Vec<i64>>,
    /// The network's other conditions with a value for each item, by their names in the manifest. Each tensor is batch
    /// first and in standard order. Tensors are shared, since they may be large.
    pub tensors: BTreeMap<String, Arc<Tensor>>,
    /// The network's conditions with one value for all items, by their names in the manifest. They have no batch axis.
    pub common: BTreeMap<String, Arc<Tensor>>,
    /// The negative condition, which [classifier-free guidance](crate::guidance::ClassifierFree) leads away from.
    pub negative: Option<Arc<Condition>>,
    /// The class that [a classifier](crate::guidance::ByClassifier) leads each item to, by the classifier's numbers.
    pub toward: Option<Vec<i64>>,
    /// Whether the second half of the items repeats the first half under another condition ([`beside`](Self::beside)).
    /// A graph whose batch of two is such a pair is given them so.
    pub paired: bool,
}

impl Condition {
    /// A condition of the classes of a batch, and nothing else.
    #[must_use]
    pub fn classes(classes: Option<Vec<i64>>) -> Self {
        Self { classes, ..Self::default() }
    }

    /// Checks that every part of the condition has `count` items.
    ///
    /// # Errors
    /// [`Error::Argument`] with the part that has another number.
    pub fn check(&self, count: usize) -> Result<()> {
        for (name, classes) in [("classes", &self.classes), ("toward", &self.toward)] {
            if let Some(classes) = classes.as_ref().filter(|classes| classes.len() != count) {
                return Err(Error::argument(name, format!("{} classes for a batch of {count}", classes.len())));
            }
        }
        if let Some((name, tensor)) = self.tensors.iter().find(|(_, tensor)| tensor.shape().first() != Some(&count)) {
            let reason = format!("'{name}' has a shape of {:?}, for a batch of {count}", tensor.shape());
            return Err(Error::argument("condition", reason));
        }
        self.negative.as_ref().map_or(Ok(()), |negative| negative.check(count))
    }

    /// The condition of item `item` alone.
    #[must_use]
    pub fn item(&self, item: usize) -> Self {
        let one = |classes: &Option<Vec<i64>>| classes.as_ref().and_then(|all| all.get(item)).map(|&class| vec![class]);
        let only = |tensor: &Tensor| Arc::new(tensor.items(item, 1));
        Self {
            classes: one(&self.classes),
            tensors: self.tensors.iter().map(|(name, tensor)| (name.clone(), only(tensor))).collect(),
            common: self.common.clone(),
            negative: self.negative.as_ref().map(|negative| Arc::new(negative.item(item))),
            toward: one(&self.toward),
            paired: false,
        }
    }

    /// Whether it is certainly the same as `other`. Tensors are compared by their addresses, and not value by value.
    #[must_use]
    pub(crate) fn is(&self, other: &Self) -> bool {
        let negative = match (&self.negative, &other.negative) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        negative
            && self.classes == other.classes
            && self.toward == other.toward
            && self.paired == other.paired
            && same(&self.tensors, &other.tensors)
            && same(&self.common, &other.common)
    }

    /// The number of bytes of its tensors, shared or not.
    pub(crate) fn bytes(&self) -> usize {
        self.tensors.values().chain(self.common.values()).map(|tensor| tensor.bytes()).sum()
    }

    /// The condition of a batch of twice the size: this one's items, and behind them those of `other`. `None` where one
    /// batch cannot have both. That is so where tensors have other shapes or types, or where a value for all items
    /// differs.
    ///
    /// # Errors
    /// [`Error::Memory`] if there is no memory for it.
    pub fn beside(&self, other: &Self) -> Result<Option<Self>> {
        let classes = match (&self.classes, &other.classes) {
            (Some(classes), Some(others)) => Some(classes.iter().chain(others).copied().collect()),
            (None, None) => None,
            _ => return Ok(None),
        };
        if !same(&self.common, &other.common) || !self.tensors.keys().eq(other.tensors.keys()) {
            return Ok(None);
        }
        let mut tensors = BTreeMap::new();
        for ((name, tensor), other) in self.tensors.iter().zip(other.tensors.values()) {
            let Some(both) = tensor.followed_by(other)? else { return Ok(None) };
            tensors.insert(name.clone(), Arc::new(both));
        }
        Ok(Some(Self { classes, tensors, common: self.common.clone(), paired: true, ..Self::default() }))
    }
}

/// Whether these are the same tensors, by their addresses and not value by value.
fn same(some: &BTreeMap<String, Arc<Tensor>>, others: &BTreeMap<String, Arc<Tensor>>) -> bool {
    some.keys().eq(others.keys()) && some.values().zip(others.values()).all(|(one, other)| Arc::ptr_eq(one, other))
}

/// The input of one call of a [`Denoiser`].
#[derive(Debug, Clone)]
pub struct Query<'a> {
    /// The noisy samples, batch first.
    pub x: ArrayViewD<'a, f32>,
    /// The noise level of all samples.
    pub level: NoiseLevel,
    /// The condition of the samples.
    pub condition: &'a Condition,
    /// The step of the run, for error messages and schedules. It is 0 outside of a run.
    pub step: usize,
}

/// The output of a [`Denoiser`]: an estimate of the clean samples. It is reused from step to step, so that nothing is
/// allocated. Call [`reset`](Self::reset) before it is used again.
#[derive(Debug, Clone)]
pub struct Denoised {
    /// x̂₀, in the shape of x.
    pub x0: ArrayD<f32>,
    direction: Option<ArrayD<f32>>,
    parted: bool,
    shift: Option<ArrayD<f32>>,
    shifted: bool,
    /// The variance that a network with a learned variance predicts, in the shape of x. `None` for any other network.
    pub variance: Option<ArrayD<f32>>,
}

impl Denoised {
    /// Allocates an estimate for samples of `shape`.
    ///
    /// # Errors
    /// [`Error::Memory`] if there is no memory for them.
    pub fn new(shape: &[usize]) -> Result<Self> {
        let x0 = zeros(shape)?;
        Ok(Self { x0, direction: None, parted: false, shift: None, shifted: false, variance: None })
    }

    /// The x̂₀ that ε̂ is taken from. `None` where it is the x̂₀ that is used.
    #[must_use]
    pub fn direction(&self) -> Option<&ArrayD<f32>> {
        self.direction.as_ref().filter(|_| self.parted)
    }

    /// Takes ε̂ from x̂₀ as it is now, so that later changes of x̂₀ do not change ε̂. It does nothing if ε̂ is taken
    /// from another x̂₀ already.
    ///
    /// # Errors
    /// [`Error::Memory`] if there is no memory for it.
    pub fn part(&mut self) -> Result<()> {
        if !self.parted {
            match &mut self.direction {
                Some(direction) if direction.shape() == self.x0.shape() => direction.assign(&self.x0),
                _ => self.direction = Some(copy(&self.x0.view())?),
            }
            self.parted = true;
        }
        Ok(())
    }

    /// Prepares the estimate for a new query. ε̂ is taken from the x̂₀ that is used, and nothing moves the mean.
    pub fn reset(&mut self) {
        (self.parted, self.shifted) = (false, false);
    }

    /// Takes ε̂ from `x0`, in the order of this estimate's x̂₀, so that changes of x̂₀ do not change ε̂.
    ///
    /// # Errors
    /// As [`part`](Self::part).
    pub fn set_direction(&mut self, x0: &[f32]) -> Result<()> {
        self.part()?;
        if let Some(direction) = self.direction.as_mut().and_then(|direction| direction.as_slice_mut()) {
            direction.copy_from_slice(x0);
        }
        Ok(())
    }

    /// Multiplies the shift of the mean by the shares in `of_value`.
    pub(crate) fn scale_shift(&mut self, of_value: &[f32]) {
        if let Some(shift) = self.shift.as_mut().filter(|_| self.shifted) {
            shift.iter_mut().zip(of_value).for_each(|(value, share)| *value *= share);
        }
    }

    /// The shift of a step's mean, s·∇ log p(y|x), in units of the variance of the noise that the step adds.
    #[must_use]
    pub fn shift(&self) -> Option<&ArrayD<f32>> {
        self.shift.as_ref().filter(|_| self.shifted)
    }

    /// Shifts the mean by `gradient` times `factor`. `gradient` is in the order of this estimate's x̂₀.
    ///
    /// # Errors
    /// As [`part`](Self::part).
    pub fn set_shift(&mut self, gradient: &[f32], factor: f32) -> Result<()> {
        let shift = match &mut self.shift {
            Some(shift) if shift.shape() == self.x0.shape() => shift,
            shift => shift.insert(zeros(self.x0.shape())?),
        };
        if let Some(values) = shift.as_slice_mut() {
            values.iter_mut().zip(gradient).for_each(|(value, gradient)| *value = factor * gradient);
        }
        self.shifted = true;
        Ok(())
    }

    /// The number of bytes of its tensors.
    pub(crate) fn bytes(&self) -> usize {
        let all = [Some(&self.x0), self.direction.as_ref(), self.shift.as_ref(), self.variance.as_ref()];
        all.into_iter().flatten().map(|tensor| size_of::<f32>() * tensor.len()).sum()
    }

    /// Changes x̂₀, and in the same way the x̂₀ that ε̂ is taken from.
    pub(crate) fn change(&mut self, mut change: impl FnMut(&mut [f32])) {
        let direction = self.direction.as_mut().filter(|_| self.parted);
        for estimate in [Some(&mut self.x0), direction].into_iter().flatten() {
            change(estimate.as_slice_mut().unwrap_or_default());
        }
    }

    /// Adds `factor` times `values` to x̂₀, and to the x̂₀ that ε̂ is taken from.
    pub fn add(&mut self, values: &[f32], factor: f32) {
        self.change(|x0| x0.iter_mut().zip(values).for_each(|(x0, value)| *x0 += factor * value));
    }
}

/// Refuses an estimate with a value that is not finite, before it becomes a picture or is blamed on the caller's code.
pub(crate) fn check_finite(x0: &[f32], step: usize, level: NoiseLevel) -> Result<()> {
    match first_not_finite(x0) {
        Some(index) => {
            let reason = format!("the denoised sample holds {} at t = {}", x0[index], level.t);
            Err(Error::Evaluation { step, reason })
        }
        None => Ok(()),
    }
}

/// Estimates the clean sample behind a noisy one. A denoiser is a network, guidance around a network, or a formula.
///
/// A denoiser around another one returns that one as its [`inner`](Self::inner). A method that it does not define is
/// passed on to the inner one.
pub trait Denoiser: Send {
    /// Estimates the clean samples of `query`, and writes them to `out`. The `x0` of `out` has the shape of `query.x`.
    ///
    /// # Errors
    /// [`Error::Evaluation`] if the network fails. Other variants if the query does not fit the network.
    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()>;

    /// The denoiser that this one is around. `None` for a network or a formula.
    fn inner(&self) -> Option<&dyn Denoiser> {
        None
    }

    /// The denoiser that this one is around, to be changed.
    fn inner_mut(&mut self) -> Option<&mut dyn Denoiser> {
        None
    }

    /// The handle that stops an evaluation of this denoiser from another thread. `None` if nothing does.
    fn interrupt(&self) -> Option<Arc<dyn Interrupt>> {
        self.inner()?.interrupt()
    }

    /// The `(a, b)` of `x̂₀ = a·x + b·output`, where x̂₀ is computed from x and a network's output. Guidance that works
    /// on the output needs them. `(0, 1)` where there is only x̂₀.
    fn of_output(&self, level: NoiseLevel) -> (f64, f64) {
        self.inner().map_or((0.0, 1.0), |inner| inner.of_output(level))
    }

    /// Passes on the x̂₀ that the run continues with after the latest estimate, in the shape of x. A network with
    /// self-conditioning has it as an input of the next evaluation (Chen et al. 2022, "Analog Bits"). `None` means that
    /// there was no estimate yet.
    ///
    /// # Errors
    /// [`Error::Memory`] if there is no memory to keep it.
    fn feed_back(&mut self, x0: Option<&ArrayD<f32>>) -> Result<()> {
        self.inner_mut().map_or(Ok(()), |inner| inner.feed_back(x0))
    }

    /// Whether a batch of any size is evaluated at once.
    fn takes_any_batch(&self) -> bool {
        self.inner().is_none_or(|inner| inner.takes_any_batch())
    }

    /// Whether a condition and its negative cost no more together than one of them. Then both are evaluated at once,
    /// however many items there are.
    fn wants_pairs(&self) -> bool {
        self.inner().is_some_and(|inner| inner.wants_pairs())
    }

    /// The number of bytes of the tensors that it keeps from query to query. Those of the inner one are included.
    fn bytes(&self) -> usize {
        self.inner().map_or(0, |inner| inner.bytes())
    }

    /// A hash of what is evaluated, so that a snapshot is not restored with another network. `None` for what has none,
    /// such as a formula.
    ///
    /// # Errors
    /// [`Error::Io`] if the model's file is gone.
    fn fingerprint(&self) -> Result<Option<String>> {
        self.inner().map_or(Ok(None), |inner| inner.fingerprint())
    }

    /// Writes what the denoiser keeps from query to query, for a snapshot of the job. One that keeps nothing writes
    /// nothing.
    fn save(&self, to: &mut Writer) {
        if let Some(inner) = self.inner() {
            inner.save(to);
        }
    }

    /// Restores what [`save`](Self::save) wrote, for samples of `shape`.
    ///
    /// # Errors
    /// [`Error::Argument`] if the bytes are something else.
    fn load(&mut self, from: &mut Reader<'_>, shape: &[usize]) -> Result<()> {
        self.inner_mut().map_or(Ok(()), |inner| inner.load(from, shape))
    }

    /// `(∂x̂₀/∂x)·direction` at `query`, for likelihoods. `None` if the denoiser cannot compute it. This method is
    /// never passed on to the inner denoiser.
    ///
    /// # Errors
    /// As [`denoise`](Self::denoise).
    fn derivative(&mut self, query: Query<'_>, direction: ArrayViewD<'_, f32>) -> Result<Option<ArrayD<f32>>> {
        let _ = (query, direction);
        Ok(None)
    }
}

impl Denoiser for Box<dyn Denoiser> {
    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        (**self).denoise(query, out)
    }

    fn inner(&self) -> Option<&dyn Denoiser> {
        Some(&**self)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Denoiser> {
        Some(&mut **self)
    }

    fn derivative(&mut self, query: Query<'_>, direction: ArrayViewD<'_, f32>) -> Result<Option<ArrayD<f32>>> {
        (**self).derivative(query, direction)
    }
}

/// Which x̂₀ determines ε̂ when x̂₀ is clipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The clipped x̂₀, so that x stays `α·x̂₀ + σ·ε̂`. This is guided-diffusion's way, and `use_clipped_model_output`
    /// in diffusers.
    #[default]
    Clipped,
    /// The network's own prediction, which is diffusers' default.
    Network,
}

/// How x̂₀ is brought into a range of values.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Threshold {
    /// Every value is clamped to the range. Sources: the code of Ho et al. 2020; "static thresholding" in Saharia et
    /// al. 2022, "Photorealistic Text-to-Image Diffusion Models".
    Static([f32; 2]),
    /// "Dynamic thresholding" of Saharia et al. 2022, for a range of −1 to 1. Let s be the `ratio`-quantile of an
    /// item's absolute values, at least 1 and at most `most`. The item's values are clamped to −s … s and divided by s.
    Dynamic {
        /// The quantile. Saharia et al. use 0.995.
        ratio: f64,
        /// The greatest s. With 1 it is [`Static`](Self::Static).
        most: f64,
    },
}

/// A denoiser that brings the x̂₀ of another one into a range of values.
#[derive(Debug)]
pub struct Clip<D> {
    inner: D,
    threshold: Threshold,
    direction: Direction,
    sorted: Vec<f32>,
}

impl<D: Denoiser> Clip<D> {
    /// Wraps `inner`, and clips its x̂₀.
    ///
    /// # Errors
    /// [`Error::Argument`] if the range is empty or not finite, if the ratio is not within 0 to 1, or if the greatest s
    /// is below 1.
    pub fn new(inner: D, threshold: Threshold, direction: Direction) -> Result<Self> {
        match threshold {
            Threshold::Static([low, high]) if !(low.is_finite() && high.is_finite() && low < high) => {
                let reason = format!("[{low}, {high}]; the first value must be below the second, both finite");
                Err(Error::argument("range", reason))
            }
            Threshold::Dynamic { ratio, .. } if !(0.0..=1.0).contains(&ratio) => {
                Err(Error::argument("threshold_ratio", format!("{ratio}; a quantile lies between 0 and 1")))
            }
            Threshold::Dynamic { most, .. } if !(most >= 1.0 && most.is_finite()) => {
                Err(Error::argument("threshold_max", format!("{most}; it is at least 1")))
            }
            _ => Ok(Self { inner, threshold, direction, sorted: Vec::new() }),
        }
    }

    fn apply(&mut self, item: &mut [f32]) {
        // There is room for an item by now.
        match self.threshold {
            Threshold::Static([low, high]) => item.iter_mut().for_each(|value| *value = value.clamp(low, high)),
            Threshold::Dynamic { ratio, most } => {
                self.sorted.clear();
                self.sorted.extend(item.iter().map(|value| value.abs()));
                self.sorted.sort_unstable_by(f32::total_cmp);
                // This is torch.quantile's linear interpolation between ranks.
                let place = ratio * (self.sorted.len() - 1) as f64;
                let (below, above) = (self.sorted[place.floor() as usize], self.sorted[place.ceil() as usize]);
                let quantile = f64::from(below) + place.fract() * f64::from(above - below);
                let s = quantile.clamp(1.0, most) as f32;
                item.iter_mut().for_each(|value| *value = value.clamp(-s, s) / s);
            }
        }
    }
}

impl<D: Denoiser> Denoiser for Clip<D> {
    fn inner(&self) -> Option<&dyn Denoiser> {
        Some(&self.inner)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Denoiser> {
        Some(&mut self.inner)
    }

    fn bytes(&self) -> usize {
        self.inner.bytes() + size_of_val(&self.sorted[..])
    }

    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        let (step, level, items) = (query.step, query.level, query.x.shape().first().copied().unwrap_or(1));
        self.inner.denoise(query, out)?;
        check_finite(out.x0.as_slice().unwrap_or_default(), step, level)?;
        if matches!(self.threshold, Threshold::Dynamic { .. }) {
            self.sorted.clear();
            make_room(&mut self.sorted, out.x0.len() / items.max(1))?;
        }
        if self.direction == Direction::Network {
            out.part()?;
            let values = out.x0.as_slice_mut().unwrap_or_default();
            let length = (values.len() / items.max(1)).max(1);
            values.chunks_mut(length).for_each(|item| self.apply(item));
        } else {
            // This also changes an x̂₀ that only ε̂ is taken from, as in CFG++.
            out.change(|values| {
                let length = (values.len() / items.max(1)).max(1);
                values.chunks_mut(length).for_each(|item| self.apply(item));
            });
        }
        Ok(())
    }
}
