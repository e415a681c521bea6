//! Cancelling: a flag that stays, and what it interrupts.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crate::error::{Error, Result};
use crate::sync::Mutex;

/// Stops an evaluation that is under way.
pub trait Interrupt: Send + Sync {
    /// Makes the running evaluation of the denoiser that this is from return soon, with an error, and every later one
    /// at once. It may be called from any thread.
    fn interrupt(&self);
}

/// Cancels a job, or calls that it is handed to, from any thread, also before they have started and in the middle of an
/// evaluation. It cannot be taken back. Clones are the same one.
#[derive(Clone, Default)]
pub struct Canceller(Arc<Cancelled>);

#[derive(Default)]
struct Cancelled {
    flag: AtomicBool,
    interrupts: Mutex<Vec<Weak<dyn Interrupt>>>,
}

impl Canceller {
    /// Interrupts that as well, from now on and for as long as others hold it: at once if it was cancelled already.
    pub(crate) fn add(&self, interrupt: &Arc<dyn Interrupt>) {
        let mut interrupts = self.0.interrupts.held();
        if self.is_cancelled() {
            interrupt.interrupt();
        }
        interrupts.retain(|known| known.strong_count() > 0);
        interrupts.push(Arc::downgrade(interrupt));
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if it was cancelled.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// What is to be said of an error: that it was cancelled, if it was, since an evaluation that is interrupted fails.
    pub(crate) fn cause(&self, error: Error) -> Error {
        if self.is_cancelled() { Error::Cancelled } else { error }
    }

    /// Makes the running [`Job::step`](crate::Job::step) or call and every further one that would evaluate return
    /// [`Error::Cancelled`](crate::Error::Cancelled). An evaluation that is under way is interrupted where the denoiser
    /// can do that: ONNX Runtime stops before the next node of the graph, and a job that waits for its turn at the
    /// model waits no longer.
    pub fn cancel(&self) {
        // The flag first: an evaluation that fails because of the interrupt must find it set.
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

/// What interrupts whichever of the two can be.
pub(crate) fn both(
    first: Option<Arc<dyn Interrupt>>,
    second: Option<Arc<dyn Interrupt>>,
) -> Option<Arc<dyn Interrupt>> {
    match (first, second) {
        (Some(first), Some(second)) => Some(Arc::new(Both(first, second))),
        (first, second) => first.or(second),
    }
}
