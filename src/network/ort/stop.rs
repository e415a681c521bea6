//! Ends evaluations of a network from another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ort::session::{RunOptions, Session};

use super::turns::{Turns, Waiter};
use crate::cancel::Interrupt;
use crate::error::{Error, Result};
use crate::process::{self, Call, Own};

/// Ends an evaluation from another thread. The wait for its turn ends at once, and ONNX Runtime before the next node.
/// Every later evaluation ends as well.
pub(super) struct Stop {
    stopped: AtomicBool,
    /// The place in the line for the session.
    waiter: Arc<Waiter>,
    options: Own<RunOptions>,
    session: Arc<Turns<Own<Session>>>,
}

impl Stop {
    /// Creates one for evaluations of `session` that have these options of ONNX Runtime, by their keys.
    pub(super) fn new(session: &Arc<Turns<Own<Session>>>, entries: &[(&str, &str)]) -> Result<Arc<Self>> {
        let _call = Call::begin()?;
        let options = run_options(entries).map_err(|error| Error::runtime(error.message()))?;
        let stop = Arc::new(Self {
            stopped: AtomicBool::new(false),
            waiter: Arc::default(),
            options: Own::native(options),
            session: Arc::clone(session),
        });
        process::interrupt_at_exit(&(Arc::clone(&stop) as Arc<dyn Interrupt>));
        Ok(stop)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub(super) fn waiter(&self) -> &Arc<Waiter> {
        &self.waiter
    }

    /// The options of its evaluations.
    pub(super) fn options(&self) -> &RunOptions {
        &self.options
    }
}

impl Interrupt for Stop {
    fn interrupt(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        // It fails only if the options were not valid, and then there is no run to stop.
        let _ = self.options.terminate();
        self.session.look_up(&self.waiter);
    }
}

fn run_options(entries: &[(&str, &str)]) -> ort::Result<RunOptions> {
    let mut options = RunOptions::new()?;
    for (key, value) in entries {
        options.set(key, value)?;
    }
    Ok(options)
}
