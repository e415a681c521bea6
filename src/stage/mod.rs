//! What is done with the parts of a model: the denoiser that its predictor makes, and the pictures that samples are.

mod calls;
mod classifier;
mod evaluator;
mod layout;
mod model;
pub mod pixels;
mod predictor;
mod roles;

pub use classifier::ClassGradient;
pub use model::Model;
pub use predictor::Predictor;
