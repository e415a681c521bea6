//! Where the random numbers of a run come from.

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
