//! What a run will take, before it is run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::request::{Composition, Finish, Request};
use crate::sample::{Canceller, Job};
use crate::stage::{Decoding, Model};

/// What a run is expected to take.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Cost {
    /// How many estimates of the clean samples it makes. Under guidance each may take two runs of the network. `None`
    /// for a solver that chooses its own steps.
    pub evaluations: Option<usize>,
    /// How long the whole of it takes on this machine as it is now; `None` as above.
    pub time: Option<Duration>,
    /// What of that the prompts and images take that a pipeline is given, with opening their encoders where they are
    /// not open, and reading texts that were not read lately; zero for a model of one network.
    pub encoding: Duration,
    /// What of that the pictures take that are made of its latents; zero for a model of one network.
    pub decoding: Duration,
    /// How many bytes the run and its model hold at a time on the CPU: the weights, what an evaluation needs, and the
    /// run's tensors. ONNX Runtime itself takes some 40 MB beside it.
    pub peak_bytes: usize,
}

/// What the stages have held at most.
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

/// The bytes of so many values.
fn bytes_of(shape: &[usize]) -> usize {
    size_of::<f32>() * shape.iter().product::<usize>()
}

impl Request {
    /// What drawing this from `model` will take. It is found by three estimates of the clean samples as the run makes
    /// them, of which the quicker one of the last two is what is reckoned with; the caller's guidance is left out. Of
    /// a pipeline everything is encoded, and one tile decoded. What the model's earlier evaluations have left behind
    /// is given back first ([`Model::trim`]). `canceller` ends the evaluations, and the waits for their turns.
    ///
    /// # Errors
    /// As [`job`](Self::job) and [`Job::step`](crate::Job::step).
    pub fn cost(&self, model: &Arc<Model>, canceller: &Canceller) -> Result<Cost> {
        let measured = self.measured(model, canceller);
        measured.map_err(|error| canceller.cause(error))
    }

    fn measured(&self, model: &Arc<Model>, canceller: &Canceller) -> Result<Cost> {
        canceller.check()?;
        // Without it what an earlier and larger run has needed is counted as well.
        let _ = model.trim(canceller);
        let request = Self { callback: None, ..self.clone() };
        let mut peak = Peak { model, canceller, bytes: 0 };
        let (mut job, finish, encoding) = request.encoded(&mut peak, model)?;
        job.set_canceller(canceller);
        let mut quickest = None;
        for step in 0..3 {
            let start = Instant::now();
            if job.progress().is_finished() {
                break;
            }
            job.step()?;
            // The first makes room; it is all that is known of a run of one.
            quickest = match quickest {
                Some(before) if step > 1 => Some(start.elapsed().min(before)),
                _ => Some(start.elapsed()),
            };
        }
        let evaluations = job.evaluations();
        let sampling = evaluations.zip(quickest).and_then(|(count, step)| step.checked_mul(u32::try_from(count).ok()?));
        // Beside the job's own there is the latest estimate, for those who look at it.
        let preview = finish.as_ref().map_or_else(|| bytes_of(job.sample().shape()), |finish| bytes_of(&finish.shape));
        peak.note(job.bytes() + preview)?;
        let decoding = match &finish {
            Some(finish) => decoding(job, finish, &mut peak, model)?,
            None => Duration::ZERO,
        };
        let of_classifier = match &self.classifier {
            Some(guidance) => guidance.classifier.memory_unless(canceller)?.unwrap_or(0),
            None => 0,
        };
        let time = sampling.map(|sampling| sampling + encoding + decoding);
        Ok(Cost { evaluations, time, encoding, decoding, peak_bytes: peak.bytes + of_classifier })
    }

    /// The job, what is left to do after it, and how long it takes to make what it is given.
    fn encoded(&self, peak: &mut Peak<'_>, model: &Arc<Model>) -> Result<(Job, Option<Finish>, Duration)> {
        let Some(parts) = model.parts() else {
            return Ok((self.plan(model.manifest())?.job(model)?, None, Duration::ZERO));
        };
        let mut composition = Composition::new(model, self)?;
        let (finish, start) = (composition.finish()?, Instant::now());
        while !composition.is_ready() {
            composition.step(peak.canceller)?;
            peak.note(0)?;
        }
        let encoding = start.elapsed();
        let _network = parts.load(peak.canceller)?;
        Ok((composition.job()?, Some(finish), encoding))
    }
}

/// How long it takes to make pictures of what `job` draws.
fn decoding(job: Job, finish: &Finish, peak: &mut Peak<'_>, model: &Model) -> Result<Duration> {
    let Some(parts) = model.parts().filter(|parts| parts.pipeline.autoencoder.is_some()) else {
        return Ok(Duration::ZERO);
    };
    // Not the sample, whose noise may be more than a decoder in f16 can take.
    let latents = job.preview().unwrap_or(job.sample()).to_owned();
    drop(job);
    model.release();
    let mut decoding = Decoding::new(latents, finish.tile, &finish.shape)?;
    decoding.open(parts, peak.canceller)?;
    let start = Instant::now();
    decoding.step()?;
    let (one, (_, count)) = (start.elapsed(), decoding.progress());
    // The pictures and the preview of them, and of a picture in tiles its sums and their weights.
    let pictures = bytes_of(&finish.shape);
    peak.note(2 * pictures + 2 * pictures / finish.shape[0] + bytes_of(decoding.latents().shape()))?;
    drop(decoding);
    model.release();
    Ok(one.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX)))
}
