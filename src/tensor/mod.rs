//! Tensors: the passes over memory, their allocation, and tensors of any type of numbers.

mod combine;
mod storage;
mod typed;

pub use combine::{Kept, Term, combine, combine_and_keep, first_not_finite};
pub(crate) use storage::{copied, copy, make_room, resize, zeros};
pub(crate) use typed::Number;
pub use typed::Tensor;
