//! The trait of a noise source, and the draws that a run makes.

use crate::bytes::{Reader, Writer};
use crate::error::Result;

/// One draw of a run's noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Draw {
    /// The noise that the run starts from.
    Start,
    /// The noise that a solver adds in a step.
    Step {
        /// The step of the grid, counted from 0.
        step: u32,
        /// The stage of a step that draws more than once.
        stage: u32,
    },
    /// The noise of the latents of an image.
    Latents {
        /// The image: 0 is the image itself, and 1 the image without what is generated anew.
        which: u32,
    },
}

/// A source of independent standard normal values.
pub trait NoiseSource: Send {
    /// Fills `out` with the items of a batch one after the other, `item_length` values each.
    ///
    /// A job makes every draw once, in the order of its steps. The noise of [`CounterNoise`](super::CounterNoise)
    /// depends on `draw` alone. That of a stream such as [`TorchNoise`](super::TorchNoise) depends on its position.
    fn fill(&mut self, draw: Draw, item_length: usize, out: &mut [f32]);

    /// Whether a draw depends on the draws before it.
    fn is_stream(&self) -> bool {
        false
    }

    /// The name of this kind of source, which a snapshot has to match.
    fn kind(&self) -> &'static str {
        ""
    }

    /// Writes the position of a stream, for a snapshot of the job. A source that is a function of the draw writes
    /// nothing.
    fn save(&self, to: &mut Writer) {
        let _ = to;
    }

    /// Restores what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) if it is something else.
    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        let _ = from;
        Ok(())
    }
}
