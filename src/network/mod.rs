//! Networks, in ONNX Runtime or as the caller's own code, with their inputs and outputs.

mod host;
mod ort;

pub use crate::signature::{Element, Signature, TensorInfo};
pub(crate) use host::Stopped;
pub use host::{HostNetwork, Question};
pub(crate) use ort::{Binding, Output, Part, Rows, Share, hex};
pub use ort::{
    Candidate, MOST_THREADS, Memory, ModelOptions, Network, OLDEST_MINOR_VERSION, PROVIDERS, PartHash, Placement,
    Provider, ProviderEntry, ProviderNodes, Runtime, Skipped,
};
