//! Where the random numbers of a run come from.

mod blend;
mod counter;
mod source;
mod torch;

pub use blend::{BlendedNoise, slerp};
pub use counter::CounterNoise;
pub use source::{Draw, NoiseSource};
pub use torch::TorchNoise;
