//! What a network has for inputs and outputs: their names, types and shapes.

use std::fmt;

use crate::text::escaped;

/// The type of a tensor's elements, as far as this crate uses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// 32-bit float.
    F32,
    /// 16-bit float (IEEE 754 half precision).
    F16,
    /// 16-bit float with the exponent of 32 bits.
    Bf16,
    /// 64-bit float.
    F64,
    /// 64-bit integer.
    I64,
    /// 32-bit integer.
    I32,
    /// A type that no role can have.
    Other,
}

impl Element {
    /// Whether it is one of the floating-point types.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::Bf16 | Self::F64)
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::F64 => "f64",
            Self::I64 => "i64",
            Self::I32 => "i32",
            Self::Other => "another type",
        })
    }
}

/// An input or an output of a graph. It is written `name: f32[batch,3,32,32]`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub element: Element,
    /// Its axes: a size, or `None` where the size is free.
    pub shape: Vec<Option<usize>>,
    /// The names of the free axes; empty for those that have none.
    pub axes: Vec<String>,
}

impl fmt::Display for TensorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axes: Vec<String> = self
            .shape
            .iter()
            .enumerate()
            .map(|(i, axis)| match (axis, self.axes.get(i).map_or("", String::as_str)) {
                (Some(size), _) => size.to_string(),
                (None, "") => "?".into(),
                (None, name) => escaped(name).to_string(),
            })
            .collect();
        write!(f, "{}: {}[{}]", escaped(&self.name), self.element, axes.join(","))
    }
}

/// The inputs and outputs of a network, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signature {
    /// What it takes.
    pub inputs: Vec<TensorInfo>,
    /// What it gives.
    pub outputs: Vec<TensorInfo>,
}
