//! A network that the caller evaluates with code of its own.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cancel::Interrupt;
use crate::denoiser::Query;
use crate::process;

/// One evaluation of a [`HostNetwork`]: its inputs.
#[derive(Clone)]
pub struct Question<'a> {
    /// The noisy samples, the level, the step of the run, and the condition. The condition has every class and tensor
    /// that the manifest names.
    pub query: &'a Query<'a>,
    /// The network's input of samples, scaled as the manifest states, with the joined conditions behind their channels.
    pub input: &'a [f32],
    /// The axes of `input`, batch first.
    pub shape: &'a [usize],
    /// The network's time input.
    pub time: f64,
    pub(crate) stopped: &'a AtomicBool,
}

impl Question<'_> {
    /// Whether the job was cancelled. A network that takes long may then return at once, with anything.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

/// The function of a [`HostNetwork`]. It writes the prediction, in the samples' shape, the items one after the other.
/// There are twice the channels where the manifest has a variance. An error that it returns ends the step with
/// [`Error::Callback`](crate::Error::Callback).
type Evaluate = dyn Fn(&Question<'_>, &mut [f32]) -> Result<(), String> + Send + Sync;

/// A network that is the caller's own code. Jobs on several threads call it at the same time.
pub struct HostNetwork(Box<Evaluate>);

impl HostNetwork {
    /// Creates a network that calls `evaluate`.
    pub fn new(evaluate: impl Fn(&Question<'_>, &mut [f32]) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Box::new(evaluate))
    }

    pub(crate) fn evaluate(&self, question: &Question<'_>, out: &mut [f32]) -> Result<(), String> {
        (self.0)(question, out)
    }
}

impl fmt::Debug for HostNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostNetwork")
    }
}

/// The flag that tells a caller's network to stop. The network has to look at it, since nothing ends it.
#[derive(Default)]
pub(crate) struct Stopped(AtomicBool);

impl Stopped {
    pub(crate) fn new() -> Arc<Self> {
        let stopped = Arc::new(Self::default());
        process::interrupt_at_exit(&(Arc::clone(&stopped) as Arc<dyn Interrupt>));
        stopped
    }

    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.0
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Interrupt for Stopped {
    fn interrupt(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
