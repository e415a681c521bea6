//! A tensor of the caller's, with values of any type.

use ndarray::{ArrayD, ArrayView, Axis, IxDyn, Slice};

use super::storage::make_room;
use crate::error::{Error, Result};

/// A tensor of a condition, in one of three types. Values of fewer bits are held in the next type that has all of them:
/// halves as f32, whole numbers and Booleans as i64.
#[derive(Debug, Clone, PartialEq)]
pub enum Tensor {
    /// 32-bit floats.
    F32(ArrayD<f32>),
    /// 64-bit floats.
    F64(ArrayD<f64>),
    /// Whole numbers, and Booleans as 0 and 1.
    I64(ArrayD<i64>),
}

/// Does the same with the array of a tensor, whatever its type.
macro_rules! each {
    ($tensor:expr, $array:ident => $body:expr) => {
        match $tensor {
            Tensor::F32($array) => $body,
            Tensor::F64($array) => $body,
            Tensor::I64($array) => $body,
        }
    };
}

/// Does the same, and makes a tensor of the result.
macro_rules! map {
    ($tensor:expr, $array:ident => $body:expr) => {
        match $tensor {
            Tensor::F32($array) => Tensor::F32($body),
            Tensor::F64($array) => Tensor::F64($body),
            Tensor::I64($array) => Tensor::I64($body),
        }
    };
}

macro_rules! from {
    ($($element:ty => $variant:ident),+) => {$(
        impl From<ArrayD<$element>> for Tensor {
            fn from(array: ArrayD<$element>) -> Self {
                Self::$variant(array)
            }
        }
    )+};
}

from!(f32 => F32, f64 => F64, i64 => I64);

impl Tensor {
    /// Its shape.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        each!(self, array => array.shape())
    }

    /// The number of its values.
    #[must_use]
    pub fn len(&self) -> usize {
        each!(self, array => array.len())
    }

    /// Whether it has no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of bytes of its values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        fn bytes<T>(array: &ArrayD<T>) -> usize {
            array.len() * size_of::<T>()
        }
        each!(self, array => bytes(array))
    }

    /// Its values, if they are f32 and in standard order.
    #[must_use]
    pub fn as_f32(&self) -> Option<&[f32]> {
        match self {
            Self::F32(array) => array.as_slice(),
            _ => None,
        }
    }

    /// Whether its values are in standard order.
    pub(crate) fn is_standard(&self) -> bool {
        each!(self, array => array.is_standard_layout())
    }

    /// `count` items from `first` on, of a tensor whose first axis is that of the items.
    #[must_use]
    pub fn items(&self, first: usize, count: usize) -> Self {
        map!(self, array => array.slice_axis(Axis(0), Slice::from(first..first + count)).to_owned())
    }

    /// This tensor's values with those of `other` behind them, along the first axis. `None` if their types or shapes
    /// differ.
    ///
    /// # Errors
    /// [`Error::Memory`] if there is no memory for both.
    pub(crate) fn followed_by(&self, other: &Self) -> Result<Option<Self>> {
        fn both<T: Copy>(one: &ArrayD<T>, other: &ArrayD<T>) -> Result<Option<ArrayD<T>>> {
            let (Some(first), Some(second)) = (one.shape().first(), other.shape().first()) else { return Ok(None) };
            if one.shape()[1..] != other.shape()[1..] {
                return Ok(None);
            }
            let mut values = Vec::new();
            make_room(&mut values, one.len() + other.len())?;
            values.extend(one.iter().chain(other));
            let shape = [&[first + second], &one.shape()[1..]].concat();
            shaped(&shape, values).map(Some)
        }
        Ok(match (self, other) {
            (Self::F32(one), Self::F32(other)) => both(one, other)?.map(Self::F32),
            (Self::F64(one), Self::F64(other)) => both(one, other)?.map(Self::F64),
            (Self::I64(one), Self::I64(other)) => both(one, other)?.map(Self::I64),
            _ => None,
        })
    }

    /// The same values as a tensor of `shape`, repeated along axes of 1. `None` where they do not fit.
    ///
    /// # Errors
    /// As [`followed_by`](Self::followed_by).
    pub(crate) fn spread(&self, shape: &[usize], over: &[usize]) -> Result<Option<Self>> {
        fn spread<T: Copy>(array: &ArrayD<T>, shape: &[usize], over: &[usize]) -> Result<Option<ArrayD<T>>> {
            // This works in whatever order the values are.
            let Ok(whole) = array.to_shape(IxDyn(shape)) else { return Ok(None) };
            match whole.broadcast(IxDyn(over)) {
                Some(view) => standard(&view).map(Some),
                None => Ok(None),
            }
        }
        Ok(match self {
            Self::F32(array) => spread(array, shape, over)?.map(Self::F32),
            Self::F64(array) => spread(array, shape, over)?.map(Self::F64),
            Self::I64(array) => spread(array, shape, over)?.map(Self::I64),
        })
    }

    /// The same numbers in another type.
    ///
    /// # Errors
    /// As [`followed_by`](Self::followed_by).
    pub(crate) fn converted<T: Copy>(&self, convert: impl Fn(Number) -> T) -> Result<ArrayD<T>> {
        let mut values = Vec::new();
        make_room(&mut values, self.len())?;
        match self {
            Self::F32(array) => values.extend(array.iter().map(|value| convert(Number::Real(f64::from(*value))))),
            Self::F64(array) => values.extend(array.iter().map(|value| convert(Number::Real(*value)))),
            Self::I64(array) => values.extend(array.iter().map(|value| convert(Number::Whole(*value)))),
        }
        shaped(self.shape(), values)
    }

    /// The first of its values that is not `fine`.
    pub(crate) fn find(&self, fine: impl Fn(Number) -> bool) -> Option<Number> {
        match self {
            Self::F32(array) => array.iter().map(|value| Number::Real(f64::from(*value))).find(|value| !fine(*value)),
            Self::F64(array) => array.iter().map(|value| Number::Real(*value)).find(|value| !fine(*value)),
            Self::I64(array) => array.iter().map(|value| Number::Whole(*value)).find(|value| !fine(*value)),
        }
    }
}

/// A value of a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// A floating-point number.
    Real(f64),
    /// A whole number.
    Whole(i64),
}

impl Number {
    /// The number as the nearest f64.
    pub(crate) fn real(self) -> f64 {
        match self {
            Self::Real(value) => value,
            Self::Whole(value) => value as f64,
        }
    }

    /// The number, if it is a whole one.
    pub(crate) fn whole(self) -> Option<i64> {
        /// Every whole f64 up to this one is an i64.
        const MOST: f64 = 9_223_372_036_854_774_784.0;
        match self {
            Self::Whole(value) => Some(value),
            Self::Real(value) if value.fract() == 0.0 && value.abs() <= MOST => Some(value as i64),
            Self::Real(_) => None,
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // This is the shorter form of very large and very small numbers.
            Self::Real(value) => write!(f, "{value:?}"),
            Self::Whole(value) => write!(f, "{value}"),
        }
    }
}

fn standard<T: Copy>(view: &ArrayView<'_, T, IxDyn>) -> Result<ArrayD<T>> {
    let mut values = Vec::new();
    make_room(&mut values, view.len())?;
    values.extend(view.iter().copied());
    shaped(view.shape(), values)
}

fn shaped<T>(shape: &[usize], values: Vec<T>) -> Result<ArrayD<T>> {
    ArrayD::from_shape_vec(shape, values).map_err(|error| Error::argument("shape", error.to_string()))
}
