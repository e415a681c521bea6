//! Noise of which the first draw was made before the run.

use super::source::{Draw, NoiseSource};
use crate::bytes::{Reader, Writer};
use crate::error::Result;

/// A source whose noise for the start of a run was drawn before the run was made. An encoder draws from the same stream
/// before and after it.
pub(crate) struct BegunNoise {
    start: Vec<f32>,
    rest: Box<dyn NoiseSource>,
}

impl BegunNoise {
    /// The source `rest`, with `start` as the noise that the run starts from.
    pub(crate) fn new(start: Vec<f32>, rest: Box<dyn NoiseSource>) -> Self {
        Self { start, rest }
    }
}

impl NoiseSource for BegunNoise {
    fn fill(&mut self, draw: Draw, item_length: usize, out: &mut [f32]) {
        match draw {
            Draw::Start if self.start.len() == out.len() => {
                out.copy_from_slice(&self.start);
                self.start = Vec::new();
            }
            draw => self.rest.fill(draw, item_length, out),
        }
    }

    fn is_stream(&self) -> bool {
        self.rest.is_stream()
    }

    fn kind(&self) -> &'static str {
        self.rest.kind()
    }

    fn save(&self, to: &mut Writer) {
        self.rest.save(to);
    }

    fn load(&mut self, from: &mut Reader<'_>) -> Result<()> {
        self.rest.load(from)
    }
}
