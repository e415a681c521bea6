//! Guidance: what steers a sample. Each is a [`Denoiser`](crate::denoiser::Denoiser) around another one, so that every
//! solver takes it.
//!
//! From the network outward the order is: [`ClassifierFree`] on what the network predicts, then clipping, then
//! [`ByClassifier`], whose term must not be clipped away, and [`ByHost`] last; what a mask keeps is put in by the job
//! after that.
//!
//! With exact scores and any scale but 1 the ODE and the SDE of a guided sampler end in different distributions, and
//! neither of them draws from `p(x)·p(y|x)^s` (Bradley & Nakkiran 2024, arXiv:2408.09000).

mod classifier;
mod classifier_free;
mod host;
mod instruction;

pub use classifier::{ByClassifier, Classifier, ClassifierForm};
pub use classifier_free::{ClassifierFree, Form, Guidance, Pairing, Projection, Space};
pub use host::{ByHost, Callback};
pub use instruction::ByInstruction;
