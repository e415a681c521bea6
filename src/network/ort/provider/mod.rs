//! Execution providers, such as the CPU, CUDA or TensorRT. They evaluate a network, and are requested by name in the
//! order of preference.

mod asked;
mod placement;
mod table;

pub use asked::Provider;
pub(super) use placement::{Opening, open};
pub use placement::{Placement, ProviderNodes, Skipped};
pub use table::{MOST_THREADS, PROVIDERS, ProviderEntry};
