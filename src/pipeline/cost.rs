//! What a run will take, before it is run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Request;
use crate::error::Result;
use crate::onnx::Model;

/// What a run is expected to take.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Cost {
    /// How many estimates of the clean samples it makes. Under guidance each may take two runs of the network. `None` for a solver that chooses its
    /// own steps.
    pub evaluations: Option<usize>,
    /// How long that takes on this machine as it is now; `None` as above.
    pub time: Option<Duration>,
    /// How many bytes the run and its model hold at a time on the processor: the weights, what an evaluation needs, and the run's tensors. ONNX Runtime
    /// itself takes some 40 MB beside it.
    pub peak_bytes: usize,
}

impl Request {
    /// What drawing this from `model` will take. It is found by two estimates of the clean samples as the run makes them, the second of which is timed; the
    /// caller's guidance is left out. What the model's earlier evaluations have left behind is given back first, where ONNX Runtime can do that.
    ///
    /// # Errors
    /// As [`job`](Self::job) and [`Job::step`](crate::Job::step).
    pub fn cost(&self, model: &Arc<Model>) -> Result<Cost> {
        let mut job = Self { callback: None, ..self.clone() }.job(model)?;
        // Without it what an earlier and larger run has needed is counted as well.
        let _ = model.trim();
        job.step()?;
        let start = Instant::now();
        let timed = !job.step()?.is_finished() || job.progress().steps > 1;
        let step = if timed { Some(start.elapsed()) } else { job.expected_step() };
        let evaluations = job.evaluations();
        let time = evaluations.zip(step).and_then(|(count, step)| step.checked_mul(u32::try_from(count).ok()?));
        Ok(Cost { evaluations, time, peak_bytes: job.bytes() + model.memory().unwrap_or(0) })
    }
}
