//! The inputs and outputs of a network: their names, types and shapes.

use std::fmt;

use half::{bf16, f16};

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
    /// 16-bit integer.
    I16,
    /// 8-bit integer.
    I8,
    /// 64-bit integer without a sign.
    U64,
    /// 32-bit integer without a sign.
    U32,
    /// 16-bit integer without a sign.
    U16,
    /// 8-bit integer without a sign.
    U8,
    /// A Boolean value.
    Bool,
    /// A type that no role can have.
    Other,
}

impl Element {
    /// Whether it is one of the floating-point types.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::Bf16 | Self::F64)
    }

    /// `value` rounded to this type.
    #[must_use]
    pub fn rounded(self, value: f64) -> f64 {
        match self {
            Self::F16 => f16::from_f64(value).to_f64(),
            Self::Bf16 => bf16::from_f64(value).to_f64(),
            Self::F32 => f64::from(value as f32),
            _ => value,
        }
    }

    /// The least and the greatest value of a type of whole numbers, as far as i64 has them.
    #[must_use]
    pub fn whole_numbers(self) -> Option<[i64; 2]> {
        Some(match self {
            Self::I64 => [i64::MIN, i64::MAX],
            Self::I32 => [i64::from(i32::MIN), i64::from(i32::MAX)],
            Self::I16 => [i64::from(i16::MIN), i64::from(i16::MAX)],
            Self::I8 => [i64::from(i8::MIN), i64::from(i8::MAX)],
            Self::U64 => [0, i64::MAX],
            Self::U32 => [0, i64::from(u32::MAX)],
            Self::U16 => [0, i64::from(u16::MAX)],
            Self::U8 => [0, i64::from(u8::MAX)],
            Self::Bool => [0, 1],
            Self::F32 | Self::F16 | Self::Bf16 | Self::F64 | Self::Other => return None,
        })
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
            Self::I16 => "i16",
            Self::I8 => "i8",
            Self::U64 => "u64",
            Self::U32 => "u32",
            Self::U16 => "u16",
            Self::U8 => "u8",
            Self::Bool => "bool",
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
    /// The names of the free axes. A name is empty for an axis that has none.
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
    /// The inputs.
    pub inputs: Vec<TensorInfo>,
    /// The outputs.
    pub outputs: Vec<TensorInfo>,
}
