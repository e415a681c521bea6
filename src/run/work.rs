//! Work that is done step by step, of whichever kind: what drives it knows this and no stage.

use ndarray::ArrayViewD;

use crate::error::{Error, Result};
use crate::sample::{Canceller, Pace, Progress};
use crate::stage::pixels::Look;

/// What a run goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The model is opened: one piece of work.
    Loading,
    /// What the samples are conditioned on and start from is made: prompts are read, and images encoded.
    Encoding,
    /// The steps of the grid.
    Sampling,
    /// Pictures are made of what was drawn, where that is latents: a tile is a piece of work.
    Decoding,
}

/// What the samples of a run are.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Samples {
    /// Their shape, batch first.
    pub shape: Vec<usize>,
    /// How they look; `None` where no model says so.
    pub look: Option<Look>,
}

/// Work that is done in steps, each of them one estimate, for which networks are evaluated as often as it takes, or one
/// preparation. A [`Runner`](super::Runner) drives it. Stages follow each other in the order of [`Stage`], and within
/// one the progress does not fall.
pub trait Work: Send + 'static {
    /// What it is at.
    fn stage(&self) -> Stage;

    /// How much of that is done.
    fn progress(&self) -> Progress;

    /// How many steps of sampling are done, of how many, whatever it is at; 0 of 0 where that is not known yet.
    fn steps(&self) -> Progress {
        match self.stage() {
            Stage::Sampling => self.progress(),
            _ => Progress { step: 0, steps: 0 },
        }
    }

    /// Whether all of it is done.
    fn is_finished(&self) -> bool;

    /// Whether the next step only prepares, as opening a model does: it is made along with the first that does not, and
    /// is not what a time is given for.
    fn prepares(&self) -> bool;

    /// One step. A step that fails can be made again.
    ///
    /// # Errors
    /// [`Error::Cancelled`] once its [`canceller`](Self::canceller) was cancelled; what went
    /// wrong.
    fn step(&mut self) -> Result<()>;

    /// What cancels it.
    fn canceller(&self) -> Canceller;

    /// How long its steps take: whoever makes a step [notes](Pace::note) it here, but for those that prepare. Budgets
    /// and deadlines go by nothing else.
    fn pace(&mut self) -> &mut Pace;

    /// What its samples are, which does not change from then on; `None` while it [prepares](Self::prepares).
    fn samples(&self) -> Option<Samples>;

    /// Whether it will have any.
    fn draws(&self) -> bool {
        true
    }

    /// The latest estimate of them; `None` before the first.
    fn preview(&self) -> Option<ArrayViewD<'_, f32>>;

    /// The work as it stands between two steps, as bytes.
    ///
    /// # Errors
    /// [`Error::NotYet`] where there is nothing to keep yet; as
    /// [`Job::snapshot`](crate::Job::snapshot).
    fn save(&self) -> Result<Vec<u8>>;

    /// Takes up what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// As [`save`](Self::save), and [`Job::restore`](crate::Job::restore).
    fn restore(&mut self, snapshot: &[u8]) -> Result<()>;
}

/// What work says that [draws](Work::draws) nothing.
pub(super) fn draws_nothing() -> Error {
    Error::argument("job", "it was made without a request: it opens its model, and has no samples")
}

/// What a run without a job says.
pub(super) fn not_yet() -> Error {
    Error::not_yet("the job is not made yet: its first step opens the model and makes it, so step or start it first")
}
