//! A run: it opens a model, makes what the samples start from, and samples.

use std::sync::{Arc, OnceLock};

use ndarray::ArrayViewD;

use super::staged::Staged;
use super::work::{Samples, Stage, Work, draws_nothing, not_yet};
use crate::error::{Error, Result};
use crate::request::Request;
use crate::sample::{Canceller, Job, Pace, Progress};
use crate::stage::Model;
use crate::stage::pixels::Look;

/// Opens a model. Cancelling the canceller ends it with an error.
pub type Open = dyn Fn(&Canceller) -> Result<Model> + Send;

/// A run, from opening its model to its samples. Its first steps make what it lacks. So not even opening the model has
/// to happen on the thread that creates the run.
pub struct Run {
    canceller: Canceller,
    part: Part,
    /// Where other threads find the model once it is open.
    model: Arc<OnceLock<Arc<Model>>>,
    /// How the samples look, where the model is known.
    look: Option<Look>,
    /// The times of the steps before there is a job.
    pace: Pace,
}

/// What is to be done next.
enum Part {
    Load(Box<Open>, Option<Box<Request>>),
    /// Nothing is left, since the run only opens a model.
    Loaded,
    Encode(Arc<Model>, Box<Request>),
    Sample(Box<Job>),
    Staged(Box<Staged>),
}

impl Run {
    /// Creates a run of `request` with the model that `open` opens. Without a request it opens the model, and that is
    /// all.
    #[must_use]
    pub fn open(open: Box<Open>, request: impl Into<Option<Request>>) -> Self {
        Self::at(Part::Load(open, request.into().map(Box::new)), Canceller::default())
    }

    /// Creates a run of `request` with a model that is open. It only has to sample.
    ///
    /// # Errors
    /// As [`Request::job`].
    pub fn new(model: &Arc<Model>, request: &Request) -> Result<Self> {
        if model.pipeline().is_some() {
            let canceller = Canceller::default();
            let staged = Staged::new(model, request, &canceller)?;
            let part = Part::Staged(Box::new(staged));
            return Ok(Self { model: Arc::new(Arc::clone(model).into()), ..Self::at(part, canceller) });
        }
        let model_of = Arc::new(Arc::clone(model).into());
        Ok(Self { look: Some(look_of(model)), model: model_of, ..request.job(model)?.into() })
    }

    /// Where the run's model is once it is open. A run of a [`Job`] alone has no model.
    #[must_use]
    pub fn model(&self) -> Arc<OnceLock<Arc<Model>>> {
        Arc::clone(&self.model)
    }

    /// The error for samples that are not there.
    fn absent(&self) -> Error {
        if self.draws() { not_yet() } else { draws_nothing() }
    }

    fn at(part: Part, canceller: Canceller) -> Self {
        Self { canceller, part, model: Arc::default(), look: None, pace: Pace::default() }
    }

    /// The job.
    ///
    /// # Errors
    /// [`Error::NotYet`] before it is made, which takes the model.
    pub fn job(&self) -> Result<&Job> {
        match &self.part {
            Part::Sample(job) => Ok(job),
            Part::Staged(staged) => staged.job().ok_or_else(not_yet),
            _ => Err(self.absent()),
        }
    }

    /// The job, to be changed between two steps.
    ///
    /// # Errors
    /// As [`job`](Self::job).
    pub fn job_mut(&mut self) -> Result<&mut Job> {
        match &mut self.part {
            Part::Sample(job) => Ok(job),
            Part::Staged(staged) => staged.job_mut().ok_or_else(not_yet),
            Part::Load(_, None) | Part::Loaded => Err(draws_nothing()),
            Part::Load(..) | Part::Encode(..) => Err(not_yet()),
        }
    }

    /// The samples as they stand. For a model of one network they are noisy before the end of the run. For a model of
    /// several parts they are the pictures, which are there at its end.
    ///
    /// # Errors
    /// [`Error::NotYet`] before there is anything.
    pub fn sample(&self) -> Result<ArrayViewD<'_, f32>> {
        match &self.part {
            Part::Sample(job) => Ok(job.sample()),
            Part::Staged(staged) => staged.sample(),
            _ => Err(self.absent()),
        }
    }

    /// The predictor's samples as they stand, also once they are decoded. They are latents where pictures are made from
    /// them.
    ///
    /// # Errors
    /// [`Error::NotYet`] before there is anything.
    pub fn latents(&self) -> Result<ArrayViewD<'_, f32>> {
        match &self.part {
            Part::Sample(job) => Ok(job.sample()),
            Part::Staged(staged) => staged.latents(),
            _ => Err(self.absent()),
        }
    }

    /// Starts from `x` instead of from noise, as [`Job::start_from`] does.
    ///
    /// # Errors
    /// As there. [`Error::Argument`] for a model of several parts.
    pub fn start_from(&mut self, x: ArrayViewD<'_, f32>) -> Result<()> {
        if let Part::Staged(_) = &self.part {
            let reason = "a model of several parts starts from noise of its own, or from an image";
            return Err(Error::argument("x", reason));
        }
        self.job_mut()?.start_from(x)
    }
}

impl From<Job> for Run {
    fn from(job: Job) -> Self {
        let canceller = job.canceller();
        Self::at(Part::Sample(Box::new(job)), canceller)
    }
}

impl Work for Run {
    fn stage(&self) -> Stage {
        match &self.part {
            Part::Load(..) | Part::Loaded => Stage::Loading,
            Part::Encode(..) => Stage::Encoding,
            Part::Sample(_) => Stage::Sampling,
            Part::Staged(staged) => staged.stage(),
        }
    }

    fn progress(&self) -> Progress {
        match &self.part {
            Part::Load(..) | Part::Encode(..) => Progress { step: 0, steps: 1 },
            Part::Loaded => Progress { step: 1, steps: 1 },
            Part::Sample(job) => job.progress(),
            Part::Staged(staged) => staged.progress(),
        }
    }

    fn steps(&self) -> Progress {
        match &self.part {
            Part::Load(..) | Part::Loaded | Part::Encode(..) => Progress { step: 0, steps: 0 },
            Part::Sample(job) => job.progress(),
            Part::Staged(staged) => staged.steps(),
        }
    }

    fn is_finished(&self) -> bool {
        match &self.part {
            Part::Load(..) | Part::Encode(..) => false,
            Part::Loaded => true,
            Part::Sample(job) => job.progress().is_finished(),
            Part::Staged(staged) => staged.is_finished(),
        }
    }

    fn prepares(&self) -> bool {
        match &self.part {
            Part::Load(..) | Part::Encode(..) => true,
            Part::Loaded | Part::Sample(_) => false,
            Part::Staged(staged) => staged.prepares(),
        }
    }

    fn step(&mut self) -> Result<()> {
        match &mut self.part {
            Part::Sample(job) => return job.step().map(drop),
            Part::Staged(staged) => return staged.step(),
            Part::Loaded => return Ok(()),
            Part::Load(..) | Part::Encode(..) => self.canceller.check()?,
        }
        let next = match &self.part {
            Part::Load(open, request) => open(&self.canceller).map(|model| {
                let model = Arc::new(model);
                drop(self.model.set(Arc::clone(&model)));
                request.clone().map_or(Part::Loaded, |request| Part::Encode(model, request))
            }),
            Part::Encode(model, request) if model.pipeline().is_some() => {
                Staged::new(model, request, &self.canceller).map(|staged| Part::Staged(Box::new(staged)))
            }
            Part::Encode(model, request) => request.job(model).map(|job| Part::Sample(Box::new(job))),
            Part::Loaded | Part::Sample(_) | Part::Staged(_) => return Ok(()),
        };
        let mut next = match next {
            Err(_) if self.canceller.is_cancelled() => return Err(Error::Cancelled),
            next => next?,
        };
        match &mut next {
            Part::Encode(model, _) => self.look = Some(look_of(model)),
            Part::Sample(job) => job.set_canceller(&self.canceller),
            Part::Load(..) | Part::Loaded | Part::Staged(_) => {}
        }
        self.part = next;
        Ok(())
    }

    fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    fn pace(&mut self) -> &mut Pace {
        match &mut self.part {
            Part::Sample(job) => job.pace(),
            Part::Staged(staged) => staged.pace(),
            _ => &mut self.pace,
        }
    }

    fn samples(&self) -> Option<Samples> {
        match &self.part {
            Part::Load(..) | Part::Loaded | Part::Encode(..) => None,
            Part::Sample(job) => Some(Samples { shape: job.sample().shape().to_vec(), look: self.look.clone() }),
            Part::Staged(staged) => staged.samples(),
        }
    }

    fn draws(&self) -> bool {
        !matches!(self.part, Part::Load(_, None) | Part::Loaded)
    }

    fn preview(&self) -> Option<ArrayViewD<'_, f32>> {
        match &self.part {
            Part::Load(..) | Part::Loaded | Part::Encode(..) => None,
            Part::Sample(job) => job.preview(),
            Part::Staged(staged) => staged.preview(),
        }
    }

    fn save(&self) -> Result<Vec<u8>> {
        match &self.part {
            Part::Staged(staged) => staged.save(),
            _ => self.job()?.snapshot(),
        }
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
        match &mut self.part {
            Part::Staged(staged) => staged.restore(snapshot),
            _ => self.job_mut()?.restore(snapshot),
        }
    }
}

fn look_of(model: &Model) -> Look {
    Look::of(&model.manifest().sample)
}
