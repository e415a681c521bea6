//! Sources of a run's noise: by seed, between seeds, and as torch draws it.

mod begun;
mod blend;
mod counter;
mod listed;
mod source;
mod torch;

pub(crate) use begun::BegunNoise;
pub use blend::{BlendedNoise, slerp};
pub use counter::CounterNoise;
pub use listed::ListedNoise;
pub use source::{Draw, NoiseSource};
pub use torch::TorchNoise;
