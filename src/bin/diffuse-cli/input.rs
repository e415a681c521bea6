//! Files that are read, once and up to a limit. The same bytes are decoded and hashed. So a pipe is as good as a file,
//! and a file cannot change in between.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use diffuse::network::Network;
use diffuse::stage::pixels::{Layout, from_rgba8};
use diffuse::tensor::Tensor;
use diffuse::{Error, Model, ModelOptions, Runtime};
use ndarray::{Array3, ArrayD};
use sha2::{Digest, Sha256};

use crate::failure::{Failure, say};
use crate::scaling::scaled;
use crate::shared::shown;
use crate::{npy, picture};

/// The most bytes of an image or an array. More is a mistake.
pub(crate) const MOST_VALUES: u64 = 1 << 30;

/// The most bytes of a model that is no regular file, and so is read whole. ONNX allows no more in one file.
const MOST_MODEL: u64 = 1 << 31;

/// The bytes of a file that a flag names.
#[derive(Debug)]
pub(crate) struct Input {
    /// The flag with its dashes, or a description of the file.
    flag: String,
    path: PathBuf,
    bytes: Vec<u8>,
}

/// Opens a file. Some programs pass a socket as standard input. It cannot be opened by its name, but it can be read.
fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let is_stdin = || ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|name| path == Path::new(name));
    match File::open(path) {
        Ok(file) => Ok(Box::new(file)),
        Err(error) if error.kind() != io::ErrorKind::NotFound && is_stdin() => Ok(Box::new(io::stdin())),
        Err(error) => Err(error),
    }
}

impl Input {
    /// Reads the file at `path`, for the flag or argument `flag`.
    pub(crate) fn read(flag: &str, path: &Path, most: u64) -> Result<Self, Failure> {
        let source = open(path).map_err(|error| Failure::file(path, error))?;
        let input = Self { flag: flag.to_owned(), path: path.to_path_buf(), bytes: Vec::new() };
        // A file's length is known before it is read, and a pipe's is not.
        if std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > most) {
            return Err(input.refused(format!("more than {most} bytes")));
        }
        input.and_read(source, most)
    }

    /// Reads an image or an array.
    pub(crate) fn values(flag: &str, path: &Path) -> Result<Self, Failure> {
        Self::read(flag, path, MOST_VALUES)
    }

    fn and_read(mut self, source: impl Read, most: u64) -> Result<Self, Failure> {
        let left = most.saturating_sub(self.bytes.len() as u64);
        let read = source.take(left + 1).read_to_end(&mut self.bytes);
        read.map_err(|error| Failure::file(&self.path, error))?;
        if self.bytes.len() as u64 > most {
            return Err(self.refused(format!("more than {most} bytes")));
        }
        Ok(self)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of what was read.
    pub(crate) fn hash(&self) -> String {
        Sha256::digest(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn is_png(&self) -> bool {
        picture::is_png(&self.bytes)
    }

    /// An error about a wrong argument, with the names of its flag and its file.
    pub(crate) fn refused(&self, reason: impl std::fmt::Display) -> Failure {
        let space = if self.flag.is_empty() { "" } else { ": " };
        Failure::Usage(format!("{}{space}{}: {reason}", self.flag, self.path.display()))
    }

    /// The pixels of a .png.
    pub(crate) fn pixels(&self) -> Result<Array3<u8>, Failure> {
        picture::decode(&self.bytes).map_err(|reason| self.refused(format!("not a PNG that can be read: {reason}")))
    }

    /// The values of a .npy.
    pub(crate) fn array(&self, expected: &str) -> Result<ArrayD<f32>, Failure> {
        npy::read(&self.bytes).map_err(|reason| self.refused(format!("expected {expected}: {reason}")))
    }

    /// The values of a .npy, as they are.
    pub(crate) fn tensor(&self) -> Result<Tensor, Failure> {
        npy::read_any(&self.bytes)
            .map_err(|reason| self.refused(format!("expected a .png, or a .npy of numbers: {reason}")))
    }

    /// The values of a .png or of a .npy. A .png has the size of `shape`, or is scaled to it on request.
    pub(crate) fn image(&self, shape: &[usize], range: [f32; 2], scale: bool) -> Result<ArrayD<f32>, Failure> {
        if !self.is_png() {
            return self.array("a .png, or a .npy of numbers");
        }
        let pixels = self.pixels()?;
        let (height, width, _) = pixels.dim();
        let [channels @ (1 | 3 | 4), tall, wide] = shape[..] else {
            return Err(self.refused(format!("a picture, where a .npy of the shape {shape:?} is expected")));
        };
        let pixels = match scale {
            _ if (height, width) == (tall, wide) => pixels,
            true => scaled(&pixels, [tall, wide]).map_err(|reason| self.refused(reason))?,
            false => {
                return Err(self.refused(format!(
                    "{width} by {height} pixels, where {wide} by {tall} are expected; scale it before"
                )));
            }
        };
        if channels < 4 && pixels.iter().skip(3).step_by(4).any(|&alpha| alpha < 255) {
            self.say_transparent();
        }
        let mut image = Array3::zeros((channels, tall, wide));
        let layout = Layout { stride: 4 * wide, bottom_up: false, bgra: false };
        let filled = from_rgba8(pixels.as_slice().unwrap_or_default(), layout, range, image.view_mut());
        filled.map_err(|error| match error {
            Error::Argument { reason, .. } => self.refused(reason),
            other => other.into(),
        })?;
        Ok(image.into_dyn())
    }

    /// Prints once what happens to transparent pixels where a model has no alpha.
    fn say_transparent(&self) {
        static SAID: std::sync::Once = std::sync::Once::new();
        SAID.call_once(|| {
            say(&format!(
                "{}: it is transparent in places; the model has no alpha and gets it over white\n",
                shown(&self.path)
            ));
        });
    }
}

/// A model on the command line. A regular file is opened in its place, beside its manifest and its external data. A
/// model through a pipe is read once, and has its manifest inside.
pub(crate) enum ModelInput {
    File(PathBuf),
    Read(Input),
}

impl ModelInput {
    pub(crate) fn read(flag: &str, path: &Path) -> Result<Self, Failure> {
        // A missing path or a folder is for the library to refuse.
        let stream = std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
        if stream { Ok(Self::Read(Input::read(flag, path, MOST_MODEL)?)) } else { Ok(Self::File(path.to_path_buf())) }
    }

    /// Opens the network, with or without its manifest.
    pub(crate) fn network(&self, runtime: &Runtime, options: &ModelOptions) -> Result<Network, Failure> {
        match self {
            Self::File(path) => Ok(Network::open(runtime, path, options)?),
            Self::Read(input) => Network::from_bytes(runtime, &input.bytes, options).map_err(|error| self.named(error)),
        }
    }

    /// Opens the model.
    pub(crate) fn open(&self, runtime: &Runtime, options: &ModelOptions) -> Result<Model, Failure> {
        if let Self::File(path) = self {
            return Ok(Model::open(runtime, path, options)?);
        }
        Model::new(self.network(runtime, options)?).map_err(|error| self.named(error))
    }

    /// An error of the library, to which a model that was read is a model in memory.
    pub(crate) fn named(&self, error: Error) -> Failure {
        match (self, error) {
            (Self::Read(input), Error::Model { reason, .. }) => {
                Error::Model { model: input.path.display().to_string(), reason }.into()
            }
            (_, error) => error.into(),
        }
    }
}

/// The kinds of files that `inspect` shows.
pub(crate) enum Inspected {
    Folder(PathBuf),
    Picture(Input),
    Model(ModelInput),
}

impl Inspected {
    /// Tells a picture from a model by its first bytes, and then reads the rest.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::file(path, error);
        if path.is_dir() {
            return Ok(Self::Folder(path.to_path_buf()));
        }
        let mut source = open(path).map_err(failed)?;
        let mut first = Vec::new();
        source.by_ref().take(8).read_to_end(&mut first).map_err(failed)?;
        let (picture, regular) = (picture::is_png(&first), std::fs::metadata(path).is_ok_and(|file| file.is_file()));
        if !picture && regular {
            return Ok(Self::Model(ModelInput::File(path.to_path_buf())));
        }
        let input = Input { flag: String::new(), path: path.to_path_buf(), bytes: first };
        let input = input.and_read(source, if picture { MOST_VALUES } else { MOST_MODEL })?;
        Ok(if picture { Self::Picture(input) } else { Self::Model(ModelInput::Read(input)) })
    }
}
