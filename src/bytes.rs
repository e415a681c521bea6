//! The bytes of a snapshot: written in order, and read back with every length checked. Numbers are little-endian.

use crate::error::{Error, Result};

/// Collects the bytes of a snapshot.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    /// Whether there was no memory for some of the bytes.
    lacks: bool,
}

impl Writer {
    /// A writer without bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        if !self.lacks {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Writes a whole number, a count, or a flag as 0 or 1.
    pub fn whole(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Writes a real number.
    pub fn real(&mut self, value: f64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Writes values, with their number before them.
    pub fn floats(&mut self, values: &[f32]) {
        self.make_room(8 + size_of_val(values));
        self.whole(values.len() as u64);
        values.iter().for_each(|value| self.bytes(&value.to_le_bytes()));
    }

    /// Writes numbers, with their count before them.
    pub fn reals(&mut self, values: &[f64]) {
        self.make_room(8 + size_of_val(values));
        self.whole(values.len() as u64);
        values.iter().for_each(|value| self.bytes(&value.to_le_bytes()));
    }

    fn make_room(&mut self, more: usize) {
        self.lacks |= self.bytes.try_reserve(more).is_err();
    }

    /// The bytes that were written.
    ///
    /// # Errors
    /// [`Error::Memory`] if there was no memory for them.
    pub fn finish(self) -> Result<Vec<u8>> {
        if self.lacks { Err(Error::memory("a snapshot")) } else { Ok(self.bytes) }
    }
}

/// Reads what a [`Writer`] wrote. The bytes are not trusted. What is missing or has the wrong length is an error.
/// Nothing is allocated because of what they state.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads `bytes` from the front.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Reads the next `count` bytes.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are fewer.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        match self.0.split_at_checked(count) {
            Some((bytes, rest)) => {
                self.0 = rest;
                Ok(bytes)
            }
            None => Err(Error::argument("snapshot", "it ends too early")),
        }
    }

    fn eight(&mut self) -> Result<[u8; 8]> {
        let mut eight = [0; 8];
        eight.copy_from_slice(self.bytes(8)?);
        Ok(eight)
    }

    /// Reads a whole number of at most `most`.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is none, or a greater one.
    pub fn whole(&mut self, what: &str, most: u64) -> Result<u64> {
        let value = u64::from_le_bytes(self.eight()?);
        if value > most {
            return Err(Error::argument("snapshot", format!("it has {value} for {what}, which is at most {most}")));
        }
        Ok(value)
    }

    /// Reads a finite number.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is none.
    pub fn real(&mut self, what: &str) -> Result<f64> {
        let value = f64::from_le_bytes(self.eight()?);
        if value.is_finite() {
            Ok(value)
        } else {
            Err(Error::argument("snapshot", format!("it has {value} for {what}")))
        }
    }

    /// Reads as many finite values as `out` has room for.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are more or fewer.
    pub fn floats(&mut self, what: &str, out: &mut [f32]) -> Result<()> {
        self.count(what, out.len())?;
        let (values, _) = self.bytes(4 * out.len())?.as_chunks::<4>();
        out.iter_mut().zip(values).try_for_each(|(out, bytes)| {
            *out = finite(what, f32::from_le_bytes(*bytes))?;
            Ok(())
        })
    }

    /// Reads as many finite numbers as `out` has room for.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are more or fewer.
    pub fn reals(&mut self, what: &str, out: &mut [f64]) -> Result<()> {
        self.count(what, out.len())?;
        out.iter_mut().try_for_each(|out| {
            *out = self.real(what)?;
            Ok(())
        })
    }

    fn count(&mut self, what: &str, expected: usize) -> Result<()> {
        match self.whole(what, u64::MAX)? {
            count if count == expected as u64 => Ok(()),
            count => Err(Error::argument("snapshot", format!("it has {count} values of {what}, expected {expected}"))),
        }
    }

    /// Reads all bytes that are left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`Error::Argument`] if something is.
    pub fn finish(self) -> Result<()> {
        match self.0.len() {
            0 => Ok(()),
            left => Err(Error::argument("snapshot", format!("{left} bytes follow behind its end"))),
        }
    }
}

fn finite(what: &str, value: f32) -> Result<f32> {
    if value.is_finite() { Ok(value) } else { Err(Error::argument("snapshot", format!("it has {value} in {what}"))) }
}
