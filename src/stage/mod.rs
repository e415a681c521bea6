//! Models and their parts. A job evaluates the predictor, and its samples become pictures.

mod autoencoder;
mod calls;
mod classifier;
mod evaluator;
mod folder;
mod layout;
mod model;
mod parts;
pub mod pixels;
mod predictor;
mod roles;

pub(crate) use autoencoder::{Canvas, Coder, Decoding, Tiles, within};
pub use classifier::ClassGradient;
pub use model::{Graph, Model};
pub(crate) use parts::Parts;
pub use predictor::Predictor;
