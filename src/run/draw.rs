//! A run that draws: a model is opened, what the samples start from is made, and they are sampled.

use std::sync::Arc;

use ndarray::ArrayViewD;

use super::work::{Samples, Stage, Work};
use crate::error::{Error, Result};
use crate::request::Request;
use crate::sample::{Canceller, Job, Pace, Progress};
use crate::stage::Model;
use crate::stage::pixels::Look;

/// Opens a model, until the canceller is cancelled.
pub type Open = dyn Fn(&Canceller) -> Result<Model> + Send;

/// A run, from its model to its samples. What it lacks is made by its first steps, so that not even opening the model
/// is done on the thread that asks for it.
pub struct Run {
    canceller: Canceller,
    part: Part,
    /// How the samples look, where the model is known.
    look: Option<Look>,
    /// Before there is a job.
    pace: Pace,
}

/// What is to be done next.
enum Part {
    Load(Box<Open>, Box<Request>),
    Encode(Arc<Model>, Box<Request>),
    Sample(Box<Job>),
}

impl Run {
    /// A run of `request` with the model that `open` opens.
    #[must_use]
    pub fn open(open: Box<Open>, request: Request) -> Self {
        Self::at(Part::Load(open, Box::new(request)), Canceller::default())
    }

    /// A run of `request` with a model that is open, of which nothing is left but to sample.
    ///
    /// # Errors
    /// As [`Request::job`].
    pub fn new(model: &Arc<Model>, request: &Request) -> Result<Self> {
        Ok(Self { look: Some(look_of(model)), ..request.job(model)?.into() })
    }

    fn at(part: Part, canceller: Canceller) -> Self {
        Self { canceller, part, look: None, pace: Pace::default() }
    }

    /// The job.
    ///
    /// # Errors
    /// [`Error::NotYet`] before it is made, which takes its model.
    pub fn job(&self) -> Result<&Job> {
        match &self.part {
            Part::Sample(job) => Ok(job),
            _ => Err(not_yet()),
        }
    }

    /// The same, to be changed between two steps.
    ///
    /// # Errors
    /// As [`job`](Self::job).
    pub fn job_mut(&mut self) -> Result<&mut Job> {
        match &mut self.part {
            Part::Sample(job) => Ok(job),
            _ => Err(not_yet()),
        }
    }
}

impl From<Job> for Run {
    fn from(job: Job) -> Self {
        let canceller = job.canceller();
        Self::at(Part::Sample(Box::new(job)), canceller)
    }
}

pub(super) fn not_yet() -> Error {
    Error::not_yet("the job is not made yet: its first step opens the model and makes it, so step or start it first")
}

impl Work for Run {
    fn stage(&self) -> Stage {
        match &self.part {
            Part::Load(..) => Stage::Loading,
            Part::Encode(..) => Stage::Encoding,
            Part::Sample(_) => Stage::Sampling,
        }
    }

    fn progress(&self) -> Progress {
        self.job().map_or(Progress { step: 0, steps: 1 }, Job::progress)
    }

    fn is_finished(&self) -> bool {
        self.job().is_ok_and(|job| job.progress().is_finished())
    }

    fn prepares(&self) -> bool {
        self.job().is_err()
    }

    fn step(&mut self) -> Result<()> {
        if let Part::Sample(job) = &mut self.part {
            return job.step().map(drop);
        }
        self.canceller.check()?;
        let next = match &self.part {
            Part::Load(open, request) => {
                open(&self.canceller).map(|model| Part::Encode(Arc::new(model), request.clone()))
            }
            Part::Encode(model, request) => request.job(model).map(|job| Part::Sample(Box::new(job))),
            Part::Sample(_) => return Ok(()),
        };
        let mut next = match next {
            Err(_) if self.canceller.is_cancelled() => return Err(Error::Cancelled),
            next => next?,
        };
        match &mut next {
            Part::Encode(model, _) => self.look = Some(look_of(model)),
            Part::Sample(job) => job.set_canceller(&self.canceller),
            Part::Load(..) => {}
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
            _ => &mut self.pace,
        }
    }

    fn samples(&self) -> Option<Samples> {
        let job = self.job().ok()?;
        Some(Samples { shape: job.sample().shape().to_vec(), look: self.look.clone() })
    }

    fn preview(&self) -> Option<ArrayViewD<'_, f32>> {
        self.job().ok()?.preview()
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.job()?.snapshot()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
        self.job_mut()?.restore(snapshot)
    }
}

fn look_of(model: &Model) -> Look {
    Look::of(&model.manifest().sample)
}
