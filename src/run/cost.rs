//! What a run will take, before it is run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::request::Request;
use crate::sample::Canceller;
use crate::stage::Model;

/// What a run is expected to take.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Cost {
    /// How many estimates of the clean samples it makes. Under guidance each may take two runs of the network. `None`
    /// for a solver that chooses its own steps.
    pub evaluations: Option<usize>,
    /// How long that takes on this machine as it is now; `None` as above.
    pub time: Option<Duration>,
    /// How many bytes the run and its model hold at a time on the CPU: the weights, what an evaluation needs, and the
    /// run's tensors. ONNX Runtime itself takes some 40 MB beside it.
    pub peak_bytes: usize,
}

impl Request {
    /// What drawing this from `model` will take. It is found by three estimates of the clean samples as the run makes
    /// them, of which the quicker one of the last two is what is reckoned with; the caller's guidance is left out, and
    /// so is what a pipeline's text encoders and its autoencoder take. What the model's earlier evaluations have left
    /// behind is given back first ([`Model::trim`]). `canceller` ends the evaluations, and the waits for their turns.
    ///
    /// # Errors
    /// As [`job`](Self::job) and [`Job::step`](crate::Job::step).
    pub fn cost(&self, model: &Arc<Model>, canceller: &Canceller) -> Result<Cost> {
        canceller.check()?;
        let mut job = Self { callback: None, ..self.clone() }.job_unless(model, canceller)?;
        job.set_canceller(canceller);
        // Without it what an earlier and larger run has needed is counted as well.
        let _ = model.trim(canceller);
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
        let time = evaluations.zip(quickest).and_then(|(count, step)| step.checked_mul(u32::try_from(count).ok()?));
        let of_model = model.memory_unless(canceller)?.unwrap_or(0);
        let of_classifier = match &self.classifier {
            Some(guidance) => guidance.classifier.memory_unless(canceller)?.unwrap_or(0),
            None => 0,
        };
        // Beside the job's own there is the latest estimate, for those who look at it.
        let preview = size_of::<f32>() * job.sample().len();
        let peak_bytes = job.bytes() + preview + of_model + of_classifier;
        Ok(Cost { evaluations, time, peak_bytes })
    }
}
