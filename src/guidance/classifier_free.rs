//! Classifier-free guidance, and what has been made of it since. Source: Ho & Salimans 2022, "Classifier-Free Diffusion
//! Guidance", arXiv:2207.12598, eq. 6 with w = s − 1.

use ndarray::{ArrayD, ArrayViewD, Axis, Slice};

use crate::bytes::{Reader, Writer};
use crate::denoiser::{Condition, Denoised, Denoiser, Query};
use crate::error::{Error, Result};
use crate::option::words;
use crate::schedule::NoiseLevel;
use crate::tensor::{copy, make_room, resize, zeros};

words! {
    /// How the predictions for the condition and for the negative condition are combined.
    #[non_exhaustive]
    pub enum Form {
        #[default]
        Plain = "plain", "x̂₀ = u + s·(c − u) (Ho & Salimans 2022).";
        Projected = "apg", "c + (s − 1)·Δ (Sadat et al. 2024). Δ is c − u with momentum, a bounded norm, and less of its part along c.";
        PlusPlus = "cfg++", "As plain, with s from 0 to 1 and ε̂ from u (Chung et al. 2024, arXiv:2406.08070). For ddim, euler, euler-ancestral and tcd.";
    }
}

words! {
    /// The quantity that non-linear guidance is computed from.
    #[non_exhaustive]
    pub enum Space {
        Output = "output", "The network's output.";
        Denoised = "denoised", "The denoised sample x̂₀.";
    }
}

impl Space {
    /// The space of [`Form::Projected`] in its paper.
    pub const OF_PROJECTION: Self = Self::Denoised;
    /// The space of [`Guidance::rescale`] in its paper.
    pub const OF_RESCALE: Self = Self::Output;
}

words! {
    /// Whether the two evaluations are made together or one after the other.
    #[non_exhaustive]
    pub enum Pairing {
        #[default]
        Auto = "auto", "As one batch of twice the size. One after the other where the graph's batch is fixed or the batch has more than 16 items. Always as a pair where the graph's batch is the pair of guidance.";
        Batched = "batched", "As one batch of twice the size.";
        Sequential = "sequential", "One after the other, except in a graph whose batch is the pair of guidance.";
    }
}

/// The most items that [`Pairing::Auto`] makes one batch of twice the size from. Beyond it nothing is gained, and twice
/// the memory is needed.
const MOST_BATCHED: usize = 16;

/// The parameters of [`Form::Projected`]. Source: Sadat et al. 2024, "Eliminating Oversaturation and Artifacts of High
/// Guidance Scales in Diffusion Models", arXiv:2410.02416, algorithm 1.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Projection {
    /// β, the weight of the difference of the guided evaluation before. The evaluations of one step at one level count
    /// as one, such as those of Langevin corrections.
    pub momentum: f64,
    /// η, the share that is kept of the difference's part along the prediction.
    pub parallel: f64,
    /// r, the greatest norm of an item's difference. `None` is no bound.
    pub norm: Option<f64>,
}

impl Projection {
    /// The default parameters, within what the paper recommends. The entries of the options take their defaults from
    /// here.
    pub const USUAL: Self = Self { momentum: -0.5, parallel: 0.0, norm: None };
}

impl Default for Projection {
    fn default() -> Self {
        Self::USUAL
    }
}

/// How a sample is guided from its negative condition toward its condition.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Guidance {
    /// The guidance scale s. 1 is the condition alone, and 0 the negative condition alone. It may be any number, also
    /// below 0.
    pub scale: f64,
    /// The guidance scale of every step, in place of `scale`.
    pub scales: Option<Vec<f64>>,
    /// The range of σ/α in which samples are guided, both ends included. Outside of it the scale is 1. Source:
    /// Kynkäänniemi et al. 2024, "Applying Guidance in a Limited Interval", arXiv:2404.07724.
    pub interval: [f64; 2],
    /// φ, which tells how far an item's standard deviation is brought back to that with the condition alone. Source:
    /// Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps Are Flawed", arXiv:2305.08891, eqs. 15 and
    /// 16.
    pub rescale: f64,
    /// How the two predictions are combined.
    pub form: Form,
    /// The parameters of [`Form::Projected`].
    pub projection: Projection,
    /// The quantity that `rescale` and the projection are computed from. `None` takes those of their papers: the output
    /// for `rescale`, and x̂₀ for the projection.
    pub space: Option<Space>,
    /// Whether the two evaluations are made together or one after the other.
    pub pairing: Pairing,
}

impl Default for Guidance {
    /// The same as [`Guidance::NONE`].
    fn default() -> Self {
        Self::NONE.clone()
    }
}

impl Guidance {
    /// No guidance, which is the scale 1. The entries of the options take their defaults from here.
    pub const NONE: &'static Self = &Self {
        scale: 1.0,
        scales: None,
        interval: [0.0, f64::INFINITY],
        rescale: 0.0,
        form: Form::DEFAULT,
        projection: Projection::USUAL,
        space: None,
        pairing: Pairing::DEFAULT,
    };

    /// Guidance with the scale s.
    #[must_use]
    pub fn new(scale: f64) -> Self {
        Self { scale, ..Self::default() }
    }

    /// The scale at a step and a level. `None` outside of the interval, where there is no guidance.
    #[must_use]
    pub fn scale_at(&self, step: usize, level: NoiseLevel) -> Option<f64> {
        let [least, most] = self.interval;
        if !(least..=most).contains(&level.noise_to_signal()) {
            return None;
        }
        Some(self.scales.as_ref().and_then(|scales| scales.get(step)).copied().unwrap_or(self.scale))
    }

    /// Whether any step may be guided.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.scales.as_ref().map_or(self.scale != 1.0, |scales| scales.iter().any(|scale| *scale != 1.0))
    }

    fn check(&self) -> Result<()> {
        let refuse = |name, reason: String| Err(Error::argument(name, reason));
        let scales = self.scales.iter().flatten().map(|scale| ("guidance_scales", *scale));
        for (name, scale) in scales.chain([("guidance_scale", self.scale)]) {
            if !scale.is_finite() {
                return refuse(name, format!("{scale}; it has to be finite"));
            }
            if self.form == Form::PlusPlus && !(0.0..=1.0).contains(&scale) {
                return refuse(name, format!("{scale}; cfg++ goes from 0, without the condition, to 1"));
            }
        }
        let [least, most] = self.interval;
        if least.is_nan() || most.is_nan() || least > most {
            return refuse("guidance_sigma_min", format!("{least} to {most}; the first is at most the second"));
        }
        if !(0.0..=1.0).contains(&self.rescale) {
            return refuse("guidance_rescale", format!("{}; it lies between 0 and 1", self.rescale));
        }
        let Projection { momentum, parallel, norm } = self.projection;
        if momentum.is_nan() || momentum.abs() >= 1.0 {
            return refuse("guidance_momentum", format!("{momentum}; it lies between -1 and 1, both excluded"));
        }
        if !parallel.is_finite() {
            return refuse("guidance_parallel", format!("{parallel}; it has to be finite"));
        }
        if norm.is_some_and(|norm| !(norm > 0.0 && norm.is_finite())) {
            return refuse("guidance_norm", format!("{}; it has to be above 0", norm.unwrap_or_default()));
        }
        Ok(())
    }
}

/// Classifier-free guidance around a denoiser that takes conditions.
///
/// At every query whose scale is neither 1 nor 0 the denoiser is evaluated twice, with the query's condition and with
/// that condition's [`negative`](Condition::negative). Both evaluations estimate x̂₀. A denoiser that takes ε̂ from
/// another x̂₀, or shifts a mean, must be around this one.
pub struct ClassifierFree<D> {
    inner: D,
    guidance: Guidance,
    /// x twice, and the estimates for both.
    pair: Option<(ArrayD<f32>, Denoised)>,
    joined: Option<Joined>,
    negative: Option<Denoised>,
    /// The difference of the guided evaluation before, with its momentum, for [`Form::Projected`].
    before: Vec<f64>,
    /// The difference of the latest evaluation, and its query. A step that failed may be made once more, and then uses
    /// `before` again.
    latest: Option<(Asked, Vec<f64>)>,
}

/// Both conditions of a batch, one behind the other. They are joined once, so that the network's inputs are the same
/// tensors from step to step.
struct Joined {
    of: Condition,
    /// `None` where one batch cannot have both.
    both: Option<Condition>,
}

/// Both conditions as that of one batch, if it can have both.
fn joined<'a>(
    joined: &'a mut Option<Joined>,
    condition: &Condition,
    negative: &Condition,
) -> Result<Option<&'a Condition>> {
    if joined.as_ref().is_none_or(|known| !known.of.is(condition)) {
        *joined = Some(Joined { of: condition.clone(), both: condition.beside(negative)? });
    }
    Ok(joined.as_ref().and_then(|known| known.both.as_ref()))
}

/// The identity of a query: its step, and t as bits.
type Asked = (usize, u64);

impl<D: Denoiser> ClassifierFree<D> {
    /// Wraps `inner` in guidance.
    ///
    /// # Errors
    /// [`Error::Argument`] with the number that is out of its range.
    pub fn new(inner: D, guidance: Guidance) -> Result<Self> {
        guidance.check()?;
        Ok(Self { inner, guidance, pair: None, joined: None, negative: None, before: Vec::new(), latest: None })
    }

    /// Evaluates the denoiser with the condition into `out`, and with the negative one into `self.negative`.
    fn ask_both(&mut self, query: &Query<'_>, negative: &Condition, out: &mut Denoised) -> Result<()> {
        let shape = query.x.shape();
        let batch = shape[0];
        let batched = match self.guidance.pairing {
            Pairing::Batched => true,
            Pairing::Sequential => self.inner.wants_pairs(),
            Pairing::Auto => self.inner.wants_pairs() || batch <= MOST_BATCHED && self.inner.takes_any_batch(),
        };
        let other = match &mut self.negative {
            Some(other) if other.x0.shape() == shape => other,
            other => other.insert(Denoised::new(shape)?),
        };
        let both = if batched { joined(&mut self.joined, query.condition, negative)? } else { None };
        if batched && both.is_none() && self.guidance.pairing == Pairing::Batched {
            let reason = "the inputs of the two conditions differ in shape, or are one for all items; use \"sequential\", which evaluates one after the other";
            return Err(Error::argument("guidance_pairing", reason));
        }
        let Some(both) = both else {
            self.inner.denoise(query.clone(), out)?;
            other.reset();
            return self.inner.denoise(Query { condition: negative, ..query.clone() }, other);
        };
        let is_pair = |of: &[usize]| of[0] == 2 * batch && of[1..] == shape[1..];
        let (x, answer) = match &mut self.pair {
            Some(pair) if is_pair(pair.0.shape()) => pair,
            pair => {
                let mut doubled = shape.to_vec();
                doubled[0] *= 2;
                pair.insert((zeros(&doubled)?, Denoised::new(&doubled)?))
            }
        };
        for first in [0, batch] {
            half_mut(x, first, batch).assign(&query.x);
        }
        answer.reset();
        let both = Query { x: x.view(), level: query.level, condition: both, step: query.step };
        self.inner.denoise(both, answer)?;
        out.x0.assign(&half(&answer.x0, 0, batch));
        other.x0.assign(&half(&answer.x0, batch, batch));
        // The variance is that with the condition, as in the code of Nichol et al. 2021, "GLIDE".
        out.variance = match (out.variance.take(), &answer.variance) {
            (Some(mut variance), Some(said)) if variance.shape() == shape => {
                variance.assign(&half(said, 0, batch));
                Some(variance)
            }
            (_, said) => said.as_ref().map(|said| copy(&half(said, 0, batch))).transpose()?,
        };
        Ok(())
    }

    /// Makes the projection use the evaluation before this one.
    fn remember(&mut self, asked: Asked, length: usize) -> Result<()> {
        if let Some((_, difference)) = self.latest.take_if(|(latest, _)| *latest != asked) {
            self.before = difference;
        }
        resize(&mut self.before, length, 0.0)?;
        let (_, latest) = self.latest.get_or_insert_with(|| (asked, Vec::new()));
        latest.clear();
        make_room(latest, length)?;
        latest.extend_from_slice(&self.before);
        Ok(())
    }

    /// Combines the estimates of all items in `c`, which holds those with the condition.
    fn guide(&mut self, scale: f64, output: (f64, f64), x: &[f32], c: &mut [f32], length: usize) {
        let Guidance { rescale, form, projection, space, .. } = self.guidance;
        let frame = |usual: Space| if space.unwrap_or(usual) == Space::Output { output } else { (0.0, 1.0) };
        let u = self.negative.as_mut().and_then(|other| other.x0.as_slice_mut()).unwrap_or_default();
        for (item, ((x, c), u)) in x.chunks(length).zip(c.chunks_mut(length)).zip(u.chunks_mut(length)).enumerate() {
            // This is the output apart from x. A common factor cancels.
            let (share, _) = frame(Space::OF_RESCALE);
            let apart = |x: &f32, x0: &f32| f64::from(*x0) - share * f64::from(*x);
            let spread = |c: &[f32]| deviation(x.iter().zip(c).map(|(x, c)| apart(x, c)));
            let before = if rescale > 0.0 { spread(c) } else { 0.0 };
            match form {
                Form::Plain | Form::PlusPlus => {
                    for (c, u) in c.iter_mut().zip(&*u) {
                        *c = (f64::from(*u) + scale * (f64::from(*c) - f64::from(*u))) as f32;
                    }
                }
                Form::Projected => {
                    let kept = self.latest.as_mut().map(|(_, latest)| &mut latest[item * length..][..length]);
                    project(kept.unwrap_or_default(), x, c, u, frame(Space::OF_PROJECTION), scale, projection);
                }
            }
            if rescale > 0.0 {
                let after = spread(c);
                let factor = if after > 0.0 { rescale * before / after + (1.0 - rescale) } else { 1.0 };
                for (x, c) in x.iter().zip(&mut *c) {
                    *c = (share * f64::from(*x) + factor * apart(x, c)) as f32;
                }
            }
        }
    }
}

fn half(both: &ArrayD<f32>, first: usize, count: usize) -> ArrayViewD<'_, f32> {
    both.slice_axis(Axis(0), Slice::from(first..first + count))
}

fn half_mut(both: &mut ArrayD<f32>, first: usize, count: usize) -> ndarray::ArrayViewMutD<'_, f32> {
    both.slice_axis_mut(Axis(0), Slice::from(first..first + count))
}

impl<D: Denoiser> Denoiser for ClassifierFree<D> {
    fn inner(&self) -> Option<&dyn Denoiser> {
        Some(&self.inner)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Denoiser> {
        Some(&mut self.inner)
    }

    fn bytes(&self) -> usize {
        let pair = self.pair.as_ref().map_or(0, |(x, answer)| size_of::<f32>() * x.len() + answer.bytes());
        let latest = self.latest.as_ref().map_or(0, |(_, latest)| size_of_val(&latest[..]));
        let negative = self.negative.as_ref().map_or(0, Denoised::bytes);
        let joined = self.joined.as_ref().and_then(|joined| joined.both.as_ref()).map_or(0, Condition::bytes);
        self.inner.bytes() + pair + joined + negative + latest + size_of_val(&self.before[..])
    }

    fn save(&self, to: &mut Writer) {
        to.whole(u64::from(self.latest.is_some()));
        if let Some(((step, t), difference)) = &self.latest {
            to.whole(*step as u64);
            to.whole(*t);
            to.reals(difference);
            to.reals(&self.before);
        }
        self.inner.save(to);
    }

    fn load(&mut self, from: &mut Reader<'_>, shape: &[usize]) -> Result<()> {
        (self.latest, self.before) = (None, Vec::new());
        if from.whole("guidance", 1)? == 1 {
            let asked = (from.whole("the step", usize::MAX as u64)? as usize, from.whole("the time", u64::MAX)?);
            let mut difference = Vec::new();
            for kept in [&mut difference, &mut self.before] {
                resize(kept, shape.iter().product(), 0.0)?;
            }
            from.reals("guidance", &mut difference)?;
            from.reals("guidance", &mut self.before)?;
            self.latest = Some((asked, difference));
        }
        self.inner.load(from, shape)
    }

    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        let Some(scale) = self.guidance.scale_at(query.step, query.level) else {
            return self.inner.denoise(query, out);
        };
        if scale == 1.0 && self.guidance.form != Form::PlusPlus {
            return self.inner.denoise(query, out);
        }
        let Some(negative) = query.condition.negative.clone() else {
            return Err(Error::argument("negative", "guidance needs a negative condition, and there is none"));
        };
        if scale == 0.0 && matches!(self.guidance.form, Form::Plain | Form::PlusPlus) && self.guidance.rescale == 0.0 {
            return self.inner.denoise(Query { condition: &negative, ..query }, out);
        }
        self.ask_both(&query, &negative, out)?;
        let output = self.inner.of_output(query.level);
        let x = query.x.as_slice().unwrap_or_default();
        let negative = self.negative.as_ref().and_then(|other| other.x0.as_slice()).unwrap_or_default();
        let positive = out.x0.as_slice_mut().unwrap_or_default();
        if x.len() != positive.len() || x.len() != negative.len() {
            let reason = "the denoiser's output has another shape than its input, or is not in standard order";
            return Err(Error::Evaluation { step: query.step, reason: reason.into() });
        }
        if self.guidance.form == Form::Projected {
            self.remember((query.step, query.level.t.to_bits()), x.len())?;
        }
        self.guide(scale, output, x, positive, (x.len() / query.x.shape()[0]).max(1));
        if self.guidance.form == Form::PlusPlus {
            let negative = self.negative.as_ref().and_then(|other| other.x0.as_slice());
            out.set_direction(negative.unwrap_or_default())?;
        }
        Ok(())
    }
}

/// Algorithm 1 of Sadat et al. 2024 on one item. It writes the result to `c`, and what is kept of the difference to
/// `kept`. It is computed from the network's output, `(x̂₀ − a·x)/b`.
fn project(kept: &mut [f64], x: &[f32], c: &mut [f32], u: &[f32], (a, b): (f64, f64), scale: f64, numbers: Projection) {
    let Projection { momentum, parallel, norm } = numbers;
    for ((kept, c), u) in kept.iter_mut().zip(&*c).zip(u) {
        *kept = (f64::from(*c) - f64::from(*u)) / b + momentum * *kept;
    }
    let length = kept.iter().map(|difference| difference.powi(2)).sum::<f64>().sqrt();
    let shorten = norm.filter(|norm| length > *norm).map_or(1.0, |norm| norm / length);
    let said = |x: f32, c: f32| (f64::from(c) - a * f64::from(x)) / b;
    let square: f64 = x.iter().zip(&*c).map(|(x, c)| said(*x, *c).powi(2)).sum();
    let dot: f64 = x.iter().zip(&*c).zip(&*kept).map(|((x, c), difference)| said(*x, *c) * difference).sum();
    let along = if square > 0.0 { dot * shorten / square } else { 0.0 };
    for ((x, c), difference) in x.iter().zip(c).zip(kept) {
        // This is the difference without the share of its part along c that is not kept.
        let update = *difference * shorten - (1.0 - parallel) * along * said(*x, *c);
        *c = (f64::from(*c) + (scale - 1.0) * b * update) as f32;
    }
}

/// The standard deviation of the values.
fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let (count, sum) = values.clone().fold((0usize, 0.0), |(count, sum), value| (count + 1, sum + value));
    let mean = sum / count.max(1) as f64;
    (values.map(|value| (value - mean).powi(2)).sum::<f64>() / count.max(1) as f64).sqrt()
}
