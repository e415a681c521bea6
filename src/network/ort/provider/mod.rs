//! Execution providers: what evaluates a network (the CPU, CUDA, TensorRT, …), by name, in the order in which they are
//! wanted.

mod asked;
mod placement;
mod table;

pub use asked::Provider;
pub(super) use placement::{Opening, open};
pub use placement::{Placement, ProviderNodes, Skipped};
pub use table::{MOST_THREADS, PROVIDERS, ProviderEntry};
