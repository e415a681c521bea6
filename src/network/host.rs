//! A network that the caller evaluates: what it is asked, and what it may ask back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cancel::Interrupt;
use crate::denoiser::Query;
use crate::process;

/// What a [`HostNetwork`] is to evaluate.
#[derive(Clone)]
pub struct Question<'a> {
    /// The noisy samples, the level, the step of the run, and the condition with every class and tensor that the
    /// manifest asks for.
    pub query: &'a Query<'a>,
    /// What the network sees of the samples: scaled as the manifest says, with the joined conditions behind their
    /// channels.
    pub input: &'a [f32],
    /// The axes of `input`, batch first.
    pub shape: &'a [usize],
    /// What the network is given for the time.
    pub time: f64,
    pub(crate) stopped: &'a AtomicBool,
}

impl Question<'_> {
    /// Whether the job was cancelled, so that a network that takes long may return with anything.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

/// The function of a [`HostNetwork`]: it writes what the network predicts, of the samples' shape (with twice the
/// channels where the manifest says that it says a variance), the items one after the other. An error ends the step
/// with [`Error::Callback`](crate::Error::Callback).
type Evaluate = dyn Fn(&Question<'_>, &mut [f32]) -> Result<(), String> + Send + Sync;

/// A network that is the caller's own code. Jobs of several threads call it at once.
pub struct HostNetwork(Box<Evaluate>);

impl HostNetwork {
    /// The network that `evaluate` is.
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

/// Tells a network of the caller's that it is not to go on; it asks, and is not ended.
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
