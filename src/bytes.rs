//! What a paused run consists of, as bytes: written in order, and read back with every length checked. Numbers are
//! little-endian.

use crate::error::{Error, Result};

/// Collects what is to be kept.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    /// Whether there was no memory for something.
    lacks: bool,
}

impl Writer {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        if !self.lacks {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// A whole number, a count, or a flag as 0 or 1.
    pub fn whole(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// A real number.
    pub fn real(&mut self, value: f64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Values, behind their number.
    pub fn floats(&mut self, values: &[f32]) {
        self.make_room(8 + size_of_val(values));
        self.whole(values.len() as u64);
        values.iter().for_each(|value| self.bytes(&value.to_le_bytes()));
    }

    /// Numbers, behind how many there are.
    pub fn reals(&mut self, values: &[f64]) {
        self.make_room(8 + size_of_val(values));
        self.whole(values.len() as u64);
        values.iter().for_each(|value| self.bytes(&value.to_le_bytes()));
    }

    fn make_room(&mut self, more: usize) {
        self.lacks |= self.bytes.try_reserve(more).is_err();
    }

    /// What was collected.
    ///
    /// # Errors
    /// [`Error::Memory`] if there was no memory for it.
    pub fn finish(self) -> Result<Vec<u8>> {
        if self.lacks { Err(Error::memory("a snapshot")) } else { Ok(self.bytes) }
    }
}

/// Reads what a [`Writer`] wrote. The bytes are not trusted: what is not there, or not as long as it has to be, is an
/// error, and nothing is allocated by what they say.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads `bytes` from the front.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `count` bytes.
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

    /// A whole number of at most `most`.
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

    /// A finite number.
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

    /// As many finite values as `out` has room for.
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

    /// As many finite numbers as `out` has room for.
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

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is.
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
