//! A run, one evaluation at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ndarray::{ArrayD, ArrayViewD, Axis, Slice};
use sha2::{Digest, Sha256};

use crate::bytes::{Reader, Writer};
pub use crate::cancel::Canceller;
use crate::cancel::Interrupt;
use crate::denoiser::{Condition, Denoised, Denoiser, Query};
use crate::error::{Error, Result};
use crate::log::{Severity, say};
use crate::noise::{Draw, NoiseSource};
use crate::schedule::{Grid, NoiseLevel};
use crate::solver::{Cursor, Deviation, Integration, MOST_HISTORY, Move, Solver, Update};
use crate::tensor::{Kept, Term, combine, combine_and_keep, copied, copy, first_not_finite, make_room, resize, zeros};

/// The most values that the samples of one job may have: 1 GiB in f32, and up to ten times that with the job's other buffers. More is
/// a slip of the caller, and would end in the system killing the process rather than in an error.
pub const MOST_VALUES: usize = 1 << 28;

/// How a snapshot begins; a byte with the number of its format follows.
const SNAPSHOT: &[u8; 8] = b"diffsnap";

/// In format 1 a model was known by the hash of its graph's file alone.
const SNAPSHOT_FORMAT: u8 = 2;

/// The number of values of a batch of `shape`.
///
/// # Errors
/// [`Error::Argument`] if the shape has no axes, a zero or more than [`MOST_VALUES`] values.
pub(crate) fn checked_length(shape: &[usize]) -> Result<usize> {
    let length = shape.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis));
    match length {
        Some(length) if length > 0 && !shape.is_empty() && length <= MOST_VALUES => Ok(length),
        _ => {
            let reason = format!("{shape:?}; every axis must be at least 1, all values together at most {MOST_VALUES}");
            Err(Error::argument("shape", reason))
        }
    }
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Progress {
    /// Steps of the grid that are done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
}

impl Progress {
    /// Whether the run is over.
    #[must_use]
    pub fn is_finished(self) -> bool {
        self.step >= self.steps
    }
}

/// A run: the samples, where they stand on the grid, and the parts that move them.
///
/// A job works only inside of [`step`](Self::step) and [`run`](Self::run), on the calling thread. A step that fails leaves
/// the samples as they were before it (with churn, as they are once its noise was added).
pub struct Job {
    denoiser: Box<dyn Denoiser>,
    solver: Box<dyn Solver>,
    grid: Grid,
    noise: Box<dyn NoiseSource>,
    condition: Condition,
    cursor: Cursor,
    x: ArrayD<f32>,
    denoised: Denoised,
    evaluated: bool,
    /// Whether x is no longer the noise that the run was made with.
    started: bool,
    /// Fresh noise; empty until a solver asks for some.
    fresh: Vec<f32>,
    saved: Vec<f32>,
    history: Vec<Vec<f32>>,
    /// For a solver that chooses its own steps.
    integration: Option<Integration>,
    /// What x is clamped to after each step.
    clamp: Option<[f32; 2]>,
    /// What of the samples is known.
    known: Option<Known>,
    canceller: Canceller,
    /// What the canceller interrupts.
    interrupt: Option<Arc<dyn Interrupt>>,
    pace: Pace,
}

/// How long the latest steps took, and what the next one is expected to take by them.
#[derive(Debug, Default)]
struct Pace {
    /// What is gone by while there are none of the latest: the first step, in which ONNX Runtime makes room, or the
    /// quickest that was seen.
    guess: Option<Duration>,
    /// With room for all that are kept, so that a step allocates nothing.
    latest: VecDeque<Duration>,
    /// The shortest of all steps since it was last gone by.
    quickest: Option<Duration>,
    /// How many steps were measured.
    measured: usize,
    /// Whether the log sink has heard that no step fits.
    said: bool,
}

impl Pace {
    /// How many are kept.
    const LATEST: usize = 8;

    fn new() -> Self {
        Self { latest: VecDeque::with_capacity(Self::LATEST), ..Self::default() }
    }

    fn note(&mut self, step: Duration) {
        self.measured += 1;
        self.quickest = Some(self.quickest.map_or(step, |quickest| quickest.min(step)));
        if self.measured == 1 {
            self.guess = Some(step);
            return;
        }
        self.guess = None;
        if self.latest.len() == Self::LATEST {
            self.latest.pop_front();
        }
        self.latest.push_back(step);
    }

    /// The longest of the latest: a step that takes twice as long at times, such as a guided one in an interval, is to
    /// fit as well. `None` where nothing is known, and a step is to be made to know it.
    fn known(&self) -> Option<Duration> {
        self.latest.iter().max().copied().or(self.guess)
    }

    /// Whether a step is expected to end within `time`, of which a part is `gone`.
    fn fits(&self, gone: Duration, time: Duration) -> bool {
        self.known().is_none_or(|expected| gone.saturating_add(expected) <= time)
    }

    /// No step was made within `time` because of what is known: a part of it is forgotten, so that a step that was held
    /// up does not hold up the job for good. Which one that was cannot be seen before there are two beside the first,
    /// in which room is made. Of more the longest is forgotten; instead of the last of them the quickest of all counts
    /// once, if it fits. Where that does not help no step fits.
    fn relent(&mut self, time: Duration) {
        if self.measured < 3 {
            self.latest.clear();
            self.guess = None;
        } else if self.latest.len() > 1 {
            let longest = (0..self.latest.len()).max_by_key(|&place| self.latest[place]);
            longest.and_then(|place| self.latest.remove(place));
        } else if self.quickest.is_some_and(|quickest| quickest <= time) {
            self.latest.clear();
            self.guess = self.quickest.take();
        } else if !std::mem::replace(&mut self.said, true) {
            let expected = self.known().unwrap_or_default();
            say(Severity::Warning, || {
                format!(
                    "a step of a job is expected to take {expected:?}, so that none is made within the {time:?} that it is given; give it at least what \
                     diffuse_job_expected says, draw fewer items at a time, or run it on a worker (diffuse_job_start)"
                )
            });
        }
    }
}

/// A time to step in.
pub(crate) struct Budget {
    /// `None` before the first question.
    start: Option<Instant>,
    time: Duration,
    used: bool,
}

impl Budget {
    /// One that begins with the first step, so that what a step is expected to take is enough for it.
    pub(crate) fn new(time: Duration) -> Self {
        Self { start: None, time, used: false }
    }

    /// One that has begun.
    pub(crate) fn from_now(time: Duration) -> Self {
        Self { start: Some(Instant::now()), ..Self::new(time) }
    }

    /// Whether one more step of `job` is expected to end within it.
    pub(crate) fn allows(&mut self, job: &mut Job) -> bool {
        let gone = self.start.map_or(Duration::ZERO, |start| start.elapsed());
        self.start.get_or_insert_with(Instant::now);
        let fits = job.pace.fits(gone, self.time);
        if !fits && !self.used {
            job.pace.relent(self.time);
        }
        self.used |= fits;
        fits
    }
}

impl Job {
    /// A job for samples of `shape` (batch first), started from noise: `√(α² + σ²)·z` at the first level of the grid, which
    /// is the deviation of data of unit variance there, and exactly 1 on a variance-preserving schedule.
    ///
    /// # Errors
    /// [`Error::Argument`] if the shape has no axes, a zero or more than [`MOST_VALUES`] values, or if the condition does
    /// not have one class per item.
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
        let first = grid.levels()[0];
        let mut x = zeros(shape)?;
        let values = x.as_slice_mut().unwrap_or_default();
        noise.fill(Draw::Start, length / shape[0], values);
        combine(values, first.deviation(1.0) as f32, &[]);
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

    /// Starts from `x` instead of from drawn noise. `x` is the noisy sample at the first level of the grid. The noise that it
    /// replaces has been drawn, which matters to a source that is a stream.
    ///
    /// # Errors
    /// [`Error::Argument`] if the job has already been stepped, if the shape differs, or if a value is not finite.
    pub fn start_from(&mut self, x: ArrayViewD<'_, f32>) -> Result<()> {
        self.check_start("x", &x)?;
        self.x.assign(&x);
        self.started = true;
        Ok(())
    }

    /// Starts from the clean samples `x0`, noised to the first level of the grid with the noise that the run would have started from:
    /// Meng et al. 2021, "SDEdit", arXiv:2108.01073, where the grid begins at less than all of the noise.
    ///
    /// # Errors
    /// As [`start_from`](Self::start_from).
    pub fn start_from_clean(&mut self, x0: ArrayViewD<'_, f32>) -> Result<()> {
        self.check_start("image", &x0)?;
        if self.started {
            return Err(Error::argument("image", "the job starts from other samples already"));
        }
        self.started = true;
        let first = self.grid.levels()[0];
        let NoiseLevel { alpha, sigma, .. } = first;
        // x is √(α² + σ²)·z until now.
        let of_noise = if sigma == 0.0 { 0.0 } else { sigma / first.deviation(1.0) };
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

    /// Draws only where `mask` is 1, and keeps what `image` has where it is 0; between them the two are mixed. At every step the known part of x̂₀ is
    /// replaced, so that x there is the image with the noise of its level (Song et al. 2021, arXiv:2011.13456, appendix I.2, with a
    /// noise that stays the same as long as the solver draws none); in a run that ends at a clean level the image itself stands there, bit by bit.
    ///
    /// Both have the samples' shape, or an axis of 1 where it is the same for all.
    ///
    /// # Errors
    /// [`Error::Argument`] if a shape does not fit, the mask leaves 0 … 1, or a value is not finite.
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
        self.known = Some(Known { mask, image });
        Ok(())
    }

    /// Puts the known part back where the run has ended without noise.
    fn restore_known(&mut self) {
        let ends_clean = self.grid.levels().last().is_some_and(|level| level.sigma == 0.0);
        let Some(known) = self.known.as_ref().filter(|_| ends_clean) else { return };
        for (x, (mask, image)) in self.x.iter_mut().zip(known.mask.iter().zip(&known.image)) {
            if *mask == 0.0 {
                *x = *image;
            }
        }
    }

    fn check_shift(&self) -> Result<()> {
        let Some(shift) = self.denoised.shift() else { return Ok(()) };
        let reason = if !self.solver.takes_shift() {
            format!(
                "{} cannot move the mean of its steps; the classifier's form for ε̂ is for every solver",
                self.solver
            )
        } else if shift.shape() != self.x.shape() || !shift.is_standard_layout() {
            format!("what the mean is to move by has a shape of {:?}, the samples {:?}", shift.shape(), self.x.shape())
        } else {
            return Ok(());
        };
        Err(Error::Evaluation { step: self.cursor.step, reason })
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

    /// One evaluation, and every move that it allows. Steps after the last do nothing.
    ///
    /// # Errors
    /// [`Error::Cancelled`] after [`Canceller::cancel`]; [`Error::Evaluation`] if the network fails or says something that is
    /// not a finite number; what else the denoiser returns.
    pub fn step(&mut self) -> Result<Progress> {
        let start = Instant::now();
        let unfinished = !self.progress().is_finished();
        let progress = if self.integration.is_some() { self.step_adaptively() } else { self.step_along_the_grid() }?;
        if unfinished {
            self.pace.note(start.elapsed());
        }
        Ok(progress)
    }

    fn step_along_the_grid(&mut self) -> Result<Progress> {
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
                    return Err(if self.canceller.is_cancelled() { Error::Cancelled } else { error });
                }
                self.check_denoised(level.t)?;
                self.check_variance()?;
                self.check_shift()?;
                if let Some(known) = &self.known {
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
        if evaluated && self.progress().is_finished() {
            self.restore_known();
            // Coefficients beyond f32 would show here and nowhere else.
            if let Some(index) = self.x.as_slice().and_then(first_not_finite) {
                let reason = format!("the finished sample holds {}", self.x.as_slice().map_or(f32::NAN, |x| x[index]));
                return Err(Error::Evaluation { step: self.cursor.step, reason });
            }
        }
        Ok(self.progress())
    }

    /// Steps for as long as the time lasts: as many evaluations as are expected to fit into `budget`, by those that the
    /// job has made, and none that is not expected to. Of a job that has made none nothing is known, and one is made;
    /// the first, which is a slow one, is not gone by for long, nor is the second alone. Where no evaluation fits,
    /// nothing is done, and the longest is forgotten, so that one that was held up does not hold up the job for good.
    /// Where still none fits the log sink hears so, once; [`expected_step`](Self::expected_step) is the least time that
    /// something is done in.
    ///
    /// An evaluation is not cut short: the call takes longer than the budget by what the last one takes longer than expected.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn advance(&mut self, budget: Duration) -> Result<Progress> {
        let mut budget = Budget::new(budget);
        while !self.progress().is_finished() && budget.allows(self) {
            self.step()?;
        }
        Ok(self.progress())
    }

    /// How long the next step is expected to take: as long as the longest of the latest ones.
    /// [`advance`](Self::advance) with that time makes one. `None` before the first.
    #[must_use]
    pub fn expected_step(&self) -> Option<Duration> {
        self.pace.known().or(self.pace.quickest)
    }

    /// How many evaluations the whole run makes, by the moves of its solver; `None` where it chooses its own steps.
    #[must_use]
    pub fn evaluations(&self) -> Option<usize> {
        if self.integration.is_some() {
            return None;
        }
        let (mut cursor, mut count) = (Cursor::default(), 0);
        while cursor.step < self.grid.steps() {
            count += usize::from(self.solver.evaluate_at(&self.grid, cursor).is_some());
            cursor = self.solver.plan(&self.grid, cursor).next;
        }
        Some(count)
    }

    /// How many bytes its tensors take, with those of guidance and of the network's inputs and outputs as far as there are any yet.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let vectors = [&self.fresh, &self.saved].into_iter().chain(&self.history);
        let known = self.known.iter().flat_map(|known| [&known.mask, &known.image]);
        let own: usize = vectors.chain(known).map(|values| size_of_val(&values[..])).sum();
        let integration = self.integration.as_ref().map_or(0, Integration::bytes);
        size_of::<f32>() * self.x.len() + own + self.denoised.bytes() + integration + self.denoiser.bytes()
    }

    /// Steps to the end and returns the samples, batch first.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn run(mut self) -> Result<ArrayD<f32>> {
        while !self.step()?.is_finished() {}
        Ok(self.x)
    }

    /// How far the job is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress { step: self.cursor.step, steps: self.grid.steps() }
    }

    /// The samples as they stand: noisy before the end of the run, the result after it.
    #[must_use]
    pub fn sample(&self) -> ArrayViewD<'_, f32> {
        self.x.view()
    }

    /// The latest estimate of what the samples will be; `None` before the first step. After a step that failed it may be a part of the
    /// estimate that failed.
    #[must_use]
    pub fn preview(&self) -> Option<ArrayViewD<'_, f32>> {
        self.evaluated.then(|| self.denoised.x0.view())
    }

    /// The job as it stands between two steps, as bytes: to be taken up by [`restore`](Self::restore), also in another process, or more than
    /// once. They hold the samples and all that was kept of earlier steps, not the request: conditions, images and callbacks are given
    /// again to the job that takes them up.
    ///
    /// # Errors
    /// [`Error::Io`] if a file of the model, whose hash is noted, was changed since it was opened; [`Error::Memory`] if there is none for it.
    pub fn snapshot(&self) -> Result<Vec<u8>> {
        let mut to = Writer::new();
        to.bytes(SNAPSHOT);
        to.bytes(&[SNAPSHOT_FORMAT]);
        to.bytes(&self.identity()?);
        to.whole(self.cursor.step as u64);
        to.whole(self.cursor.stage as u64);
        to.whole(u64::from(self.evaluated));
        to.floats(self.x.as_slice().unwrap_or_default());
        if self.evaluated {
            to.floats(self.denoised.x0.as_slice().unwrap_or_default());
        }
        to.whole(u64::from(!self.saved.is_empty()));
        if !self.saved.is_empty() {
            to.floats(&self.saved);
        }
        self.history.iter().for_each(|slot| to.floats(slot));
        self.save_parts(&mut to);
        let mut bytes = to.finish()?;
        let sum = Sha256::digest(&bytes);
        let length = bytes.len() + sum.len();
        make_room(&mut bytes, length)?;
        bytes.extend(sum);
        Ok(bytes)
    }

    /// Takes up a [`snapshot`](Self::snapshot) of a job of the same model, shape, solver, grid and kind of noise. What else a request says may
    /// differ, for a run that branches off: its class, its guidance, its callback. The bytes are not trusted; a job that refuses them
    /// stands where it stood.
    ///
    /// # Errors
    /// [`Error::Argument`] if the bytes are no snapshot, were changed, or are of another run; [`Error::Io`] as [`snapshot`](Self::snapshot).
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
        let refuse = |reason: &str| Err(Error::argument("snapshot", reason));
        let Some((content, sum)) = snapshot.split_last_chunk::<32>() else {
            return refuse("it is too short to be one");
        };
        let Some((&format, content_of_format)) = content.strip_prefix(SNAPSHOT).and_then(<[u8]>::split_first) else {
            return refuse("it is none");
        };
        if format != SNAPSHOT_FORMAT {
            return refuse(&format!(
                "it is of format {format}, of another version of diffuse; this one has format {SNAPSHOT_FORMAT}"
            ));
        }
        if Sha256::digest(content)[..] != sum[..] {
            return refuse("it was changed or cut off: its checksum does not fit");
        }
        // Into a copy of what it changes first: half of it may be sound.
        let mut from = Reader::new(content_of_format);
        if from.bytes(32)? != self.identity()? {
            return refuse(
                "it is of another run: the model, the shape, the solver, the grid or the kind of noise differs",
            );
        }
        let steps = self.grid.steps() as u64;
        let step = from.whole("the step", steps)? as usize;
        let stage = from.whole("the stage", u64::from(u32::MAX))? as usize;
        let Some(saves) = self.saved_at(Cursor { step, stage }) else {
            return refuse("it stands where no run of this solver does");
        };
        let evaluated = from.whole("a flag", 1)? == 1;
        let mut x = copy(&self.x.view())?;
        let mut x0 = copy(&self.denoised.x0.view())?;
        from.floats("samples", x.as_slice_mut().unwrap_or_default())?;
        if evaluated {
            from.floats("the estimate", x0.as_slice_mut().unwrap_or_default())?;
        }
        let mut saved = Vec::new();
        if (from.whole("a flag", 1)? == 1) != saves {
            return refuse("what a run of this solver saves is missing, or too much");
        }
        if saves {
            resize(&mut saved, x.len(), 0.0)?;
            from.floats("samples", &mut saved)?;
        }
        let mut history = self.history.iter().map(|slot| copied(slot)).collect::<Result<Vec<_>>>()?;
        history.iter_mut().try_for_each(|slot| from.floats("history", slot))?;
        let mut parts = Writer::new();
        self.save_parts(&mut parts);
        let before = parts.finish()?;
        if let Err(error) = self.load_parts(&mut from, step == self.grid.steps()).and_then(|()| from.finish()) {
            // What was loaded of the parts is undone; they wrote it themselves, so that it fits.
            let _ = self.load_parts(&mut Reader::new(&before), self.progress().is_finished());
            return Err(error);
        }
        (self.x, self.denoised.x0, self.saved, self.history) = (x, x0, saved, history);
        (self.cursor, self.evaluated) = (Cursor { step, stage }, evaluated);
        Ok(())
    }

    /// Whether a run that can be left at `at` has a saved x there; `None` if none can be left there, which is at the end, and before evaluations.
    fn saved_at(&self, at: Cursor) -> Option<bool> {
        if self.integration.is_some() {
            return (at.stage == 0).then_some(false);
        }
        let (mut cursor, mut saved) = (Cursor::default(), false);
        while cursor != at && cursor.step <= at.step && cursor.step < self.grid.steps() {
            let step = self.solver.plan(&self.grid, cursor);
            saved |= step.save;
            cursor = step.next;
        }
        let stands = cursor.step >= self.grid.steps() || self.solver.evaluate_at(&self.grid, at).is_some();
        (cursor == at && stands).then_some(saved)
    }

    fn save_parts(&self, to: &mut Writer) {
        if let Some(integration) = &self.integration {
            integration.save(to);
        }
        self.noise.save(to);
        self.denoiser.save(to);
    }

    fn load_parts(&mut self, from: &mut Reader<'_>, finished: bool) -> Result<()> {
        if let Some(integration) = &mut self.integration {
            integration.load(from, self.x.shape()[0], finished)?;
        }
        self.noise.load(from)?;
        self.denoiser.load(from, self.x.shape())
    }

    /// What a snapshot has to be of: the model, the shape, the solver, the grid, the kind of noise.
    fn identity(&self) -> Result<[u8; 32]> {
        let mut to = Writer::new();
        to.bytes(self.denoiser.fingerprint()?.unwrap_or_default().as_bytes());
        self.x.shape().iter().for_each(|axis| to.whole(*axis as u64));
        to.bytes(self.solver.to_string().as_bytes());
        for level in self.grid.levels() {
            [level.t, level.alpha, level.sigma].into_iter().for_each(|value| to.real(value));
        }
        to.bytes(self.noise.kind().as_bytes());
        Ok(Sha256::digest(to.finish()?).into())
    }

    /// The levels that the job visits.
    #[must_use]
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Whether its condition has something that guidance leads to or away from.
    #[must_use]
    pub fn is_guided(&self) -> bool {
        self.condition.negative.is_some() || self.condition.toward.is_some()
    }

    /// A handle that cancels this job, from any thread.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Lets `canceller` cancel it, instead of its own.
    pub(crate) fn set_canceller(&mut self, canceller: &Canceller) {
        if let Some(interrupt) = &self.interrupt {
            canceller.add(interrupt);
        }
        self.canceller = canceller.clone();
    }

    fn apply(&mut self, step: &Move) -> Result<()> {
        let update = step.update;
        let batch = self.x.shape()[0];
        // Before anything is changed or drawn.
        make_room(&mut self.saved, if step.save { self.x.len() } else { 0 })?;
        // The arrays are this job's own, made in standard order, so they are slices.
        let x = self.x.as_slice_mut().unwrap_or_default();
        let x0 = self.denoised.x0.as_slice().unwrap_or_default();
        if update.noise != 0.0 {
            resize(&mut self.fresh, x.len(), 0.0)?;
            let draw = Draw::Step { step: self.cursor.step as u32, stage: self.cursor.stage as u32 };
            let item_length = x.len() / batch;
            self.noise.fill(draw, item_length, &mut self.fresh);
            let said = self.denoised.variance.as_ref().and_then(|said| said.as_slice()).unwrap_or_default();
            scale_noise(&mut self.fresh, step.deviation, said);
        }
        let shift = self.denoised.shift().and_then(|shift| shift.as_slice()).unwrap_or_default();
        let (of_x0, of_direction, direction) = match self.denoised.direction() {
            Some(direction) => (update.denoised, update.direction, direction.as_slice().unwrap_or_default()),
            None => (update.denoised + update.direction, 0.0, x0),
        };
        let of_denoised = [(of_x0 as f32, x0), (of_direction as f32, direction)];
        if let Some(snr) = step.norms {
            let length = x.len() / batch;
            for ((x, noise), (x0, direction)) in
                x.chunks_mut(length).zip(self.fresh.chunks(length)).zip(x0.chunks(length).zip(direction.chunks(length)))
            {
                step_by_norms(x, noise, &update, [(of_x0, x0), (of_direction, direction)], snr);
            }
            return Ok(());
        }
        if step.save {
            self.saved.clear();
            self.saved.extend_from_slice(x);
        }
        let mut terms: [Term<'_>; 4 + MOST_HISTORY] = [(0.0, &[]); 4 + MOST_HISTORY];
        terms[..2].copy_from_slice(&of_denoised);
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
                let [of_x0, of_direction] = match self.denoised.direction() {
                    Some(_) => [kept.denoised, kept.direction],
                    None => [kept.denoised + kept.direction, 0.0],
                };
                let made = [(of_x0 as f32, x0), (of_direction as f32, direction)];
                let before = update.history[*slot] as f32;
                combine_and_keep(x, update.x as f32, &terms, Kept { held, before, x: kept.x as f32, terms: made });
            }
        }
        if let Some((slot, _, held)) = replaced {
            self.history[slot] = held;
        }
        if update.noise != 0.0 && !shift.is_empty() {
            let said = self.denoised.variance.as_ref().and_then(|said| said.as_slice()).unwrap_or_default();
            shift_mean(x, shift, step, said);
        }
        Ok(())
    }

    /// One evaluation of a solver that chooses its own steps, of one item: a step that fits one item would make it depend on the others.
    fn step_adaptively(&mut self) -> Result<Progress> {
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
        let condition = self.condition.item(item);
        let mut answer = Denoised::new(query_x.shape())?;
        let query = Query { x: query_x.view(), level, condition: &condition, step: self.cursor.step };
        if let Err(error) = self.denoiser.denoise(query, &mut answer) {
            return Err(if self.canceller.is_cancelled() { Error::Cancelled } else { error });
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

    fn check_variance(&self) -> Result<()> {
        let fits = |said: &ArrayD<f32>| {
            said.shape() == self.x.shape() && said.as_slice().is_some_and(|said| first_not_finite(said).is_none())
        };
        if self.solver.needs_variance() && !self.denoised.variance.as_ref().is_some_and(fits) {
            let reason = "the solver needs the variance that the network has learned, and the denoiser says none of the samples' shape, all finite";
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
                    "the denoiser answered with a shape of {:?} (or not in standard order) to {:?}",
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
}

/// A Langevin step of one item, of the size that the norms of its noise and score give.
fn step_by_norms(x: &mut [f32], noise: &[f32], update: &Update, denoised: [(f64, &[f32]); 2], snr: f64) {
    let [(of_x0, x0), (of_direction, direction)] = denoised;
    let score = |i: usize, x: f32| {
        (update.x - 1.0) * f64::from(x) + of_x0 * f64::from(x0[i]) + of_direction * f64::from(direction[i])
    };
    let of_score: f64 = x.iter().enumerate().map(|(i, &x)| score(i, x).powi(2)).sum();
    let of_noise: f64 = noise.iter().map(|&z| f64::from(z).powi(2)).sum();
    // Where there is no slope at all there is nothing to go by.
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

/// What of the samples is known: the image where the mask is 0.
struct Known {
    mask: Vec<f32>,
    image: Vec<f32>,
}

impl Known {
    /// Replaces the known part of an answer, whose first value is the one with the index `first` of the samples.
    fn impose(&self, denoised: &mut Denoised, first: usize) {
        denoised.change(|values| {
            let known = self.mask[first..].iter().zip(&self.image[first..]);
            for (value, (mask, image)) in values.iter_mut().zip(known) {
                // Not by the formula at its ends, where rounding would leave traces.
                *value = match *mask {
                    0.0 => *image,
                    1.0 => *value,
                    mask => mask * *value + (1.0 - mask) * image,
                };
            }
        });
        // Nor does a classifier move it.
        denoised.scale_shift(&self.mask[first..]);
    }
}

/// Multiplies fresh noise by the deviation that goes with what the network says of the variance.
fn scale_noise(fresh: &mut [f32], deviation: Deviation, said: &[f32]) {
    if deviation != Deviation::One {
        let factor = |said: f32| (0.5 * deviation.log_variance(f64::from(said))).exp() as f32;
        fresh.iter_mut().zip(said).for_each(|(value, &said)| *value *= factor(said));
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

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Duration = Duration::from_millis(4);

    /// Frames of 4 ms of a run whose steps take so many microseconds: how many were made, and how many frames it took,
    /// at most 200.
    fn frames(steps: &[u64]) -> (usize, usize) {
        let (mut pace, mut made) = (Pace::new(), 0);
        for frame in 0..200 {
            let mut gone = Duration::ZERO;
            while made < steps.len() && pace.fits(gone, BUDGET) {
                let step = Duration::from_micros(steps[made]);
                pace.note(step);
                gone += step;
                made += 1;
            }
            if made == steps.len() {
                return (made, frame);
            }
            if gone.is_zero() {
                pace.relent(BUDGET);
            }
        }
        (made, 200)
    }

    #[test]
    fn any_single_hiccup_is_survived() {
        for first in [1000, 4500, 60_000] {
            for slow in [4500, 60_000, 10_000_000] {
                for place in 0..30 {
                    let mut steps = vec![1000; 30];
                    (steps[0], steps[place]) = (first, slow);
                    let (made, frames) = frames(&steps);
                    assert!(made == 30 && frames < 30, "first {first}, slow at {place}: {made} steps, {frames} frames");
                }
            }
        }
    }

    #[test]
    fn nor_do_two_beside_each_other_end_it_where_a_quick_step_was_seen() {
        for place in 1..29 {
            let mut steps = vec![1000; 30];
            (steps[place], steps[place + 1]) = (60_000, 4500);
            assert_eq!(frames(&steps).0, 30, "slow at {place}");
        }
    }

    /// The first, and two to know it by.
    #[test]
    fn steps_that_never_fit_are_not_made() {
        for first in [4500, 60_000] {
            assert_eq!(frames(&[&[first][..], &[4500; 29]].concat()), (3, 200));
        }
    }
}
