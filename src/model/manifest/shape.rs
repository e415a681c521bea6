//! Shapes in a manifest: sizes, and names of free sizes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::escaped;

/// Values of free sizes, by their names.
pub type Sizes = BTreeMap<String, usize>;

/// The word for the batch axis.
const BATCH: &str = "batch";

/// The greatest length of the name of a model, of a condition or of a size, in bytes.
pub const MOST_NAME: usize = 64;

/// An axis of a [`Shape`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Axis {
    /// An axis of this length.
    Size(usize),
    /// The batch axis.
    Batch,
    /// An axis of a free size. Axes of the same name have the same size.
    Free(String),
}

impl Axis {
    /// Its length, if that is fixed.
    #[must_use]
    pub fn size(&self) -> Option<usize> {
        match self {
            Self::Size(size) => Some(*size),
            Self::Batch | Self::Free(_) => None,
        }
    }
}

/// The shape of a tensor: `[77, 768]`, or `["T", "batch", 80]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shape(pub Vec<Axis>);

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => write!(f, "{size}"),
            Self::Batch => f.write_str(BATCH),
            Self::Free(name) => write!(f, "{}", escaped(name)),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axes: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        write!(f, "[{}]", axes.join(", "))
    }
}

impl Serialize for Axis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Size(size) => serializer.serialize_u64(*size as u64),
            Self::Batch => serializer.serialize_str(BATCH),
            Self::Free(name) => serializer.serialize_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Axis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Axis;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size, or the name of one that is free")
            }

            fn visit_u64<E: de::Error>(self, size: u64) -> Result<Axis, E> {
                let size = usize::try_from(size);
                size.map(Axis::Size).map_err(|_| E::invalid_value(de::Unexpected::Other("a size beyond memory"), &self))
            }

            fn visit_i64<E: de::Error>(self, size: i64) -> Result<Axis, E> {
                match u64::try_from(size) {
                    Ok(size) => self.visit_u64(size),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Signed(size), &self)),
                }
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Axis, E> {
                Ok(if name == BATCH { Axis::Batch } else { Axis::Free(name.to_owned()) })
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Self {
        Self(sizes.iter().map(|&size| Axis::Size(size)).collect())
    }
}

impl Shape {
    /// The axes of one item.
    pub fn item(&self) -> impl Iterator<Item = &Axis> + Clone {
        self.0.iter().filter(|axis| **axis != Axis::Batch)
    }

    /// The number of axes of an item.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.item().count()
    }

    /// The place of the batch axis. It is in front unless the shape places it elsewhere.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.0.iter().position(|axis| *axis == Axis::Batch).unwrap_or(0)
    }

    /// The sizes of an item, if none of them is free.
    #[must_use]
    pub fn sizes(&self) -> Option<Vec<usize>> {
        self.bound(&Sizes::new())
    }

    /// The sizes of an item, if the free ones are among `sizes`.
    #[must_use]
    pub fn bound(&self, sizes: &Sizes) -> Option<Vec<usize>> {
        let size = |axis: &Axis| match axis {
            Axis::Size(size) => Some(*size),
            Axis::Free(name) => sizes.get(name).copied(),
            Axis::Batch => None,
        };
        self.item().map(size).collect()
    }

    /// The sizes of an item. A free size that is not among `sizes` is `usual`.
    #[must_use]
    pub fn bound_or(&self, sizes: &Sizes, usual: usize) -> Vec<usize> {
        let size = |axis: &Axis| match axis {
            Axis::Size(size) => *size,
            Axis::Free(name) => sizes.get(name).copied().unwrap_or(usual),
            Axis::Batch => 1,
        };
        self.item().map(size).collect()
    }

    /// Whether an item may have the sizes `found`, whatever the free sizes are elsewhere.
    #[must_use]
    pub fn fits(&self, found: &[usize]) -> bool {
        let one = |(axis, found): (&Axis, &usize)| match axis {
            Axis::Size(size) => size == found,
            _ => *found > 0,
        };
        found.len() == self.rank() && self.item().zip(found).all(one)
    }

    /// Checks that an item may have the sizes `found`, as far as `sizes` are known. Sizes that were not known are added
    /// to them.
    ///
    /// # Errors
    /// `None` if the item is not of this shape at all. Otherwise the known value of a free size, if only that differs.
    pub fn bind(&self, found: &[usize], sizes: &mut Sizes) -> Result<(), Option<String>> {
        if !self.fits(found) {
            return Err(None);
        }
        for (axis, &size) in self.item().zip(found) {
            let Axis::Free(name) = axis else { continue };
            let known = *sizes.entry(name.clone()).or_insert(size);
            if known != size {
                return Err(Some(format!(", and '{}' is {known} in the other inputs", escaped(name))));
            }
        }
        Ok(())
    }

    /// The shape without the batch axis.
    #[must_use]
    pub fn of_item(&self) -> Self {
        Self(self.item().cloned().collect())
    }

    /// Checks the shape. It may have at most `most` values.
    pub(super) fn check(&self, most: usize) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let batches = self.0.iter().filter(|axis| **axis == Axis::Batch).count();
        if batches > 1 {
            return Err("\"batch\" stands in it twice".into());
        }
        let mut product = 1usize;
        for axis in &self.0 {
            match axis {
                // A name of digits alone is a size in quotes, which is a mistake.
                Axis::Free(name)
                    if name.is_empty()
                        || name.len() > MOST_NAME
                        || name.bytes().all(|byte| byte.is_ascii_digit())
                        || !name.chars().all(plain) =>
                {
                    return Err(format!(
                        "the name of a free size is 1 to 64 letters, digits and '_', not all of them digits, unlike {name:?}"
                    ));
                }
                Axis::Size(0) => return Err("every axis is at least 1".into()),
                Axis::Size(size) => product = product.saturating_mul(*size),
                _ => {}
            }
        }
        if product > most { Err(format!("one item has at most {most} values")) } else { Ok(()) }
    }
}
