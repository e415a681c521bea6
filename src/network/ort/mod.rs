//! Networks in ONNX Runtime. Only this module uses ONNX Runtime.

mod binding;
mod contents;
mod files;
mod library;
mod native;
mod network;
mod options;
mod overheard;
mod part;
mod provider;
mod runtime;
mod stop;
mod turns;

pub(crate) use binding::{Binding, Output, Rows, Share};
pub(crate) use files::hex;
pub use network::{Network, PartHash};
pub use options::{Memory, ModelOptions};
pub(crate) use part::Part;
pub use provider::{MOST_THREADS, PROVIDERS, Placement, Provider, ProviderEntry, ProviderNodes, Skipped};
pub use runtime::{Candidate, OLDEST_MINOR_VERSION, Runtime};
