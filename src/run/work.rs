//! Work that is done in steps. The runner knows this trait, and nothing of the stages behind it.

use ndarray::ArrayViewD;

use crate::error::{Error, Result};
use crate::sample::{Canceller, Pace, Progress};
use crate::stage::pixels::Look;

/// The stages of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The model is opened, as one piece of work.
    Loading,
    /// Prompts are read and images are encoded.
    Encoding,
    /// The steps of the grid are made.
    Sampling,
    /// Latents are decoded into pictures. A tile is a piece of work.
    Decoding,
}

/// The shape of a run's samples, and how they look.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Samples {
    /// Their shape, batch first.
    pub shape: Vec<usize>,
    /// How they look; `None` without a model.
    pub look: Option<Look>,
}

/// Work that is done in steps and that a [`Runner`](super::Runner) drives. A step makes one estimate, with as many
/// evaluations of networks as that takes, or it prepares something. Stages follow each other in the order of [`Stage`].
/// Within a stage the progress does not fall.
pub trait Work: Send + 'static {
    /// The stage that the work is in.
    fn stage(&self) -> Stage;

    /// How much of that stage is done.
    fn progress(&self) -> Progress;

    /// How many sampling steps are done, and how many there are, in whichever stage. It is 0 of 0 where that is not
    /// known yet.
    fn steps(&self) -> Progress {
        match self.stage() {
            Stage::Sampling => self.progress(),
            _ => Progress { step: 0, steps: 0 },
        }
    }

    /// Whether all of the work is done.
    fn is_finished(&self) -> bool;

    /// Whether the next step only prepares, as opening a model does. Such a step is made along with the first that does
    /// not, and no time budget counts it.
    fn prepares(&self) -> bool;

    /// Makes one step. A step that fails can be made again.
    ///
    /// # Errors
    /// [`Error::Cancelled`] once its [`canceller`](Self::canceller) was cancelled. Otherwise the error of what failed.
    fn step(&mut self) -> Result<()>;

    /// The handle that cancels the work.
    fn canceller(&self) -> Canceller;

    /// The times of the steps. The code that makes a step [notes](Pace::note) its time here, unless the step only
    /// prepares. Budgets and deadlines use nothing else.
    fn pace(&mut self) -> &mut Pace;

    /// The shape of the samples and how they look, which does not change from then on. `None` while the work
    /// [prepares](Self::prepares).
    fn samples(&self) -> Option<Samples>;

    /// Whether the work will have samples.
    fn draws(&self) -> bool {
        true
    }

    /// The latest estimate of the samples; `None` before the first.
    fn preview(&self) -> Option<ArrayViewD<'_, f32>>;

    /// The work as it stands between two steps, as bytes.
    ///
    /// # Errors
    /// [`Error::NotYet`] where there is nothing to save yet. Else as [`Job::snapshot`](crate::Job::snapshot).
    fn save(&self) -> Result<Vec<u8>>;

    /// Restores what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// As [`save`](Self::save), and [`Job::restore`](crate::Job::restore).
    fn restore(&mut self, snapshot: &[u8]) -> Result<()>;
}

/// The error of work that [has no samples](Work::draws).
pub(super) fn draws_nothing() -> Error {
    Error::argument("job", "it was made without a request: it opens its model, and has no samples")
}

/// The error of a run that has no job yet.
pub(super) fn not_yet() -> Error {
    Error::not_yet("the job is not made yet: its first step opens the model and makes it, so step or start it first")
}
