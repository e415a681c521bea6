//! What a run will take, before it is run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::staged::Staged;
use super::work::{Stage, Work};
use crate::error::Result;
use crate::request::Request;
use crate::sample::{Canceller, Job};
use crate::stage::Model;

/// What a run is expected to take.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Cost {
    /// How many estimates of the clean samples it makes. Under guidance each may take two runs of the network. `None`
    /// for a solver that chooses its own steps.
    pub evaluations: Option<usize>,
    /// How long the whole of it takes on this machine as it is now, with opening the parts of a pipeline that are not
    /// open; `None` as above.
    pub time: Option<Duration>,
    /// What of that the prompts and images take that a pipeline is given; zero for a model of one network. Texts that
    /// were read lately are not read again.
    pub encoding: Duration,
    /// What of that the pictures take that are made of its latents; zero for a model of one network.
    pub decoding: Duration,
    /// How many bytes the run and its model hold at a time on the CPU: the weights, what an evaluation needs, and the
    /// run's tensors. ONNX Runtime itself takes some 40 MB beside it.
    pub peak_bytes: usize,
}

/// What stages have held at most.
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

/// The quickest of some pieces, without the first where there are others: that one makes room.
fn quickest(pieces: &[Duration]) -> Option<Duration> {
    pieces.iter().skip(usize::from(pieces.len() > 1)).min().copied()
}

/// `one` as often as `count`.
fn times(one: Option<Duration>, count: Option<usize>) -> Option<Duration> {
    one?.checked_mul(u32::try_from(count?).ok()?)
}

/// How many steps of sampling are made.
const STEPS: usize = 3;

impl Request {
    /// What drawing this from `model` will take. It is found by three estimates of the clean samples as the run makes
    /// them, of which the quicker one of the last two is what is reckoned with; the caller's guidance is left out. Of
    /// a pipeline everything is encoded, and one or two tiles are decoded. What earlier evaluations of the network that
    /// predicts have left behind is given back first ([`Model::trim`]). `canceller` ends the evaluations, and the waits
    /// for their turns.
    ///
    /// # Errors
    /// As [`job`](Self::job) and [`Job::step`](crate::Job::step).
    pub fn cost(&self, model: &Arc<Model>, canceller: &Canceller) -> Result<Cost> {
        canceller.check()?;
        // Without it what an earlier and larger run has needed is counted as well.
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
        // Beside the job's own there is the latest estimate, for those who look at it.
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
