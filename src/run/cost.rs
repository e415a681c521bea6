//! What a run will cost in time and memory, before it is made.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::staged::Staged;
use super::work::{Stage, Work};
use crate::error::Result;
use crate::request::Request;
use crate::sample::{Canceller, Job};
use crate::stage::Model;

/// What a run is expected to cost.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Cost {
    /// The number of estimates of the clean samples. Under guidance each may take two evaluations of the network.
    /// `None` for a solver that chooses its own steps.
    pub evaluations: Option<usize>,
    /// The time of the whole run on this machine as it is now. It includes opening the parts of a pipeline that are not
    /// open. `None` for a solver that chooses its own steps.
    pub time: Option<Duration>,
    /// The part of that time that encodes prompts and images. It is zero for a model of one network. Texts that were
    /// read lately are not read again.
    pub encoding: Duration,
    /// The part of that time that decodes latents into pictures. It is zero for a model of one network.
    pub decoding: Duration,
    /// The most bytes that the run and its model hold at a time on the CPU: the weights, what an evaluation needs, and
    /// the run's tensors. ONNX Runtime itself takes some 40 MB in addition. Weights in files beside the graph are
    /// not counted. Add the size of these files.
    pub peak_bytes: usize,
}

/// The most memory that the stages have held.
struct Peak<'a> {
    model: &'a Model,
    canceller: &'a Canceller,
    bytes: usize,
}

impl Peak<'_> {
    /// Counts what the model holds now, and `tensors` bytes beside it.
    fn note(&mut self, tensors: usize) -> Result<()> {
        let of_model = self.model.memory_unless(self.canceller)?.unwrap_or(0);
        self.bytes = self.bytes.max(of_model + tensors);
        Ok(())
    }
}

/// The quickest of some pieces of work. The first is left out where there are others, since it allocates.
fn quickest(pieces: &[Duration]) -> Option<Duration> {
    pieces.iter().skip(usize::from(pieces.len() > 1)).min().copied()
}

/// `one` times `count`.
fn times(one: Option<Duration>, count: Option<usize>) -> Option<Duration> {
    one?.checked_mul(u32::try_from(count?).ok()?)
}

/// The number of steps of sampling that are made.
const STEPS: usize = 3;

impl Request {
    /// Finds what sampling this request from `model` will cost.
    ///
    /// It makes three estimates of the clean samples as the run would, and counts with the quicker of the last two. The
    /// caller's guidance is left out. For a pipeline it encodes everything, and decodes one or two tiles. The memory
    /// that earlier evaluations of the predictor left behind is given back first ([`Model::trim`]). `canceller` ends
    /// the evaluations, and the waits for their turns.
    ///
    /// # Errors
    /// As [`job`](Self::job) and [`Job::step`](crate::Job::step).
    pub fn cost(&self, model: &Arc<Model>, canceller: &Canceller) -> Result<Cost> {
        canceller.check()?;
        // Otherwise the memory that an earlier and larger run needed would be counted as well.
        let _ = model.trim(canceller);
        let request = Self { callback: None, ..self.clone() };
        let cost = match model.parts() {
            Some(_) => request.of_stages(model, canceller),
            None => request.of_job(model, canceller),
        };
        let mut cost = cost.map_err(|error| canceller.cause(error))?;
        if let Some(guidance) = &self.classifier {
            cost.peak_bytes += guidance.classifier.memory_unless(canceller)?.unwrap_or(0);
        }
        Ok(cost)
    }

    fn of_job(&self, model: &Arc<Model>, canceller: &Canceller) -> Result<Cost> {
        let mut job = self.job(model)?;
        job.set_canceller(canceller);
        let mut taken = Vec::new();
        while taken.len() < STEPS && !job.progress().is_finished() {
            let start = Instant::now();
            job.step()?;
            taken.push(start.elapsed());
        }
        let evaluations = job.evaluations();
        let time = times(quickest(&taken), evaluations);
        let mut peak = Peak { model, canceller, bytes: 0 };
        // In addition to the job's own tensors there is the latest estimate, for previews.
        peak.note(job.bytes() + size_of::<f32>() * job.sample().len())?;
        Ok(Cost { evaluations, time, encoding: Duration::ZERO, decoding: Duration::ZERO, peak_bytes: peak.bytes })
    }

    fn of_stages(&self, model: &Arc<Model>, canceller: &Canceller) -> Result<Cost> {
        let mut run = Staged::new(model, self, canceller)?;
        let mut peak = Peak { model, canceller, bytes: 0 };
        let mut step = |run: &mut Staged| -> Result<Duration> {
            let start = Instant::now();
            run.step()?;
            let taken = start.elapsed();
            peak.note(run.bytes())?;
            Ok(taken)
        };
        let (mut encoding, mut opening, mut decoding) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        while run.stage() == Stage::Encoding {
            encoding += step(&mut run)?;
        }
        while run.prepares() {
            opening += step(&mut run)?;
        }
        let evaluations = run.job().and_then(Job::evaluations);
        let mut taken = Vec::new();
        while taken.len() < STEPS && run.job().is_some() {
            taken.push(step(&mut run)?);
        }
        run.decode_now()?;
        if run.stage() == Stage::Decoding {
            while run.prepares() {
                decoding += step(&mut run)?;
            }
            let (mut tiles, count) = (Vec::new(), run.progress().steps);
            while tiles.len() < 2 && !run.is_finished() {
                tiles.push(step(&mut run)?);
            }
            decoding = decoding.saturating_add(times(quickest(&tiles), Some(count)).unwrap_or_default());
        }
        let sampling = times(quickest(&taken), evaluations);
        let time = sampling.map(|sampling| sampling.saturating_add(encoding + opening).saturating_add(decoding));
        Ok(Cost { evaluations, time, encoding, decoding, peak_bytes: peak.bytes })
    }
}
