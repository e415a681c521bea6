//! Guidance: what steers a sample. Each kind is a [`Denoiser`](crate::denoiser::Denoiser) around another one, so every
//! solver can use it.
//!
//! The order from the network outward is fixed. [`ClassifierFree`] works on the network's prediction. Clipping comes
//! next. [`ByClassifier`] follows, since its term must not be clipped away. [`ByHost`] is last. After that the job puts
//! in what a mask keeps.
//!
//! Even with exact scores, the ODE and the SDE of a guided sampler end in different distributions at any scale but 1.
//! Neither of them samples from `p(x)·p(y|x)^s` (Bradley & Nakkiran 2024, arXiv:2408.09000).

mod classifier;
mod classifier_free;
mod host;
mod instruction;

pub use classifier::{ByClassifier, Classifier, ClassifierForm};
pub use classifier_free::{ClassifierFree, Form, Guidance, Pairing, Projection, Space};
pub use host::{ByHost, Callback};
pub use instruction::ByInstruction;
