//! What a source of noise is.

use crate::bytes::{Reader, Writer};
use crate::error::Result;

/// Which noise of a run is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Draw {
    /// The noise that the run starts from.
    Start,
    /// The noise that a solver adds.
    Step {
        /// The step of the grid, counted from 0.
        step: u32,
        /// The stage of a step that draws more than once.
        stage: u32,
    },
    /// The noise of the latents of an image.
    Latents {
        /// Which: 0 of the image, 1 of the image without what is drawn anew.
        which: u32,
    },
}

/// A source of independent standard normal values.
pub trait NoiseSource: Send {
    /// Fills `out`, the items of a batch one after the other with `item_length` values each.
    ///
    /// A job asks for every draw once, in the order of its steps. What [`CounterNoise`](super::CounterNoise) gives
    /// depends on `draw` alone, what a stream such as [`TorchNoise`](super::TorchNoise) gives on its position.
    fn fill(&mut self, draw: Draw, item_length: usize, out: &mut [f32]);

    /// Whether what a draw gives depends on those before it.
    fn is_stream(&self) -> bool {
        false
    }

    /// What tells it from sources of another kind: part of what a snapshot has to fit.
    fn kind(&self) -> &'static str {
        ""
    }

    /// Writes down where a stream stands, for a snapshot of the job. Nothing for a source that is a function of the
    /// draw.
    fn save(&self, to: &mut Writer) {
        let _ = to;
    }

    /// Takes up what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) if it is something else.
    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        let _ = from;
        Ok(())
    }
}
