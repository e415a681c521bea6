//! Cancelling: a flag that stays set, and the evaluations that it interrupts.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crate::error::{Error, Result};
use crate::sync::Mutex;

/// Stops an evaluation that is running.
pub trait Interrupt: Send + Sync {
    /// Makes the denoiser's running evaluation return soon with an error, and every later one at once. It may be called
    /// from any thread.
    fn interrupt(&self);
}

/// Cancels a job, or the calls that it is passed to, from any thread. This works before they have started, and in the
/// middle of an evaluation. It cannot be undone. Clones share one flag.
#[derive(Clone, Default)]
pub struct Canceller(Arc<Cancelled>);

#[derive(Default)]
struct Cancelled {
    flag: AtomicBool,
    interrupts: Mutex<Vec<Weak<dyn Interrupt>>>,
}

impl Canceller {
    /// Interrupts `interrupt` as well, from now on and for as long as others hold it. If this was cancelled already,
    /// that happens at once.
    pub(crate) fn add(&self, interrupt: &Arc<dyn Interrupt>) {
        let mut interrupts = self.0.interrupts.held();
        if self.is_cancelled() {
            interrupt.interrupt();
        }
        interrupts.retain(|known| known.strong_count() > 0);
        interrupts.push(Arc::downgrade(interrupt));
    }

    /// Checks that it was not cancelled.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if it was cancelled.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Replaces an error by [`Error::Cancelled`], if it was cancelled. An evaluation that is interrupted fails with
    /// another error.
    pub(crate) fn cause(&self, error: Error) -> Error {
        if self.is_cancelled() { Error::Cancelled } else { error }
    }

    /// Makes the running [`Job::step`](crate::Job::step) or call, and every later one that would evaluate, return
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    ///
    /// A running evaluation is interrupted where the denoiser can do that. ONNX Runtime stops before the next node of
    /// the graph. A job that waits for its turn at the model stops waiting.
    pub fn cancel(&self) {
        // The flag comes first, since an evaluation that fails because of the interrupt must find it set.
        self.0.flag.store(true, Ordering::SeqCst);
        let interrupts = self.0.interrupts.held();
        interrupts.iter().filter_map(Weak::upgrade).for_each(|interrupt| interrupt.interrupt());
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.flag.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Canceller").field(&self.is_cancelled()).finish()
    }
}

/// Interrupts both of two parts of a denoiser.
struct Both(Arc<dyn Interrupt>, Arc<dyn Interrupt>);

impl Interrupt for Both {
    fn interrupt(&self) {
        self.0.interrupt();
        self.1.interrupt();
    }
}

/// The handle that interrupts both, or the one of the two that there is.
pub(crate) fn both(
    first: Option<Arc<dyn Interrupt>>,
    second: Option<Arc<dyn Interrupt>>,
) -> Option<Arc<dyn Interrupt>> {
    match (first, second) {
        (Some(first), Some(second)) => Some(Arc::new(Both(first, second))),
        (first, second) => first.or(second),
    }
}
