//! The files that a model was opened from, with their hashes, and whether they have changed.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::contents::{self, Contents};
use crate::error::{Error, Result};
use crate::signature::Signature;

/// A file of a model, kept open. Later reads are of the file that ONNX Runtime has read, whatever its name stands for
/// by then.
#[derive(Debug)]
struct Part {
    /// The name. It is empty for the graph, and as the graph spells it for external data.
    name: String,
    path: PathBuf,
    /// `None` beyond [`MOST_OPEN`]; then its path is absolute.
    file: Option<Kept>,
    seen: Seen,
}

/// The number of files of a model that are always kept open.
const ALWAYS_OPEN: usize = 4;

/// The number of further files that are kept open, over all models. A process may have some 1,000 open, and some
/// exporters write one for each tensor.
const MOST_OPEN: usize = 64;

/// The number of further files that are open.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// An open file, and whether it is counted.
#[derive(Debug)]
struct Kept {
    file: Arc<File>,
    counts: bool,
}

impl Kept {
    /// Keeps the file as the `place`th of a model. `None` where it is one too many.
    fn new(file: File, place: usize) -> Option<Self> {
        let kept = Self { file: Arc::new(file), counts: place >= ALWAYS_OPEN };
        // One too many is closed at once, and no longer counted.
        (!kept.counts || OPEN.fetch_add(1, Ordering::Relaxed) < MOST_OPEN).then_some(kept)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.counts {
            OPEN.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// What identifies a file, and one state of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    place: (u64, u64),
    length: u64,
    modified: Option<SystemTime>,
}

impl Seen {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let place = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let place = (0, 0);
        Self { place, length: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl Part {
    fn open(name: String, path: PathBuf, place: usize) -> Result<Self> {
        let failed = |error| Error::io(&path, error);
        // This comes first, since opening a pipe would wait for a writer.
        if !std::fs::metadata(&path).map_err(failed)?.is_file() {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")));
        }
        let file = File::open(&path).map_err(failed)?;
        let seen = Seen::of(&file.metadata().map_err(failed)?);
        let file = Kept::new(file, place);
        let path =
            if file.is_some() { path } else { std::path::absolute(&path).map_err(|error| Error::io(&path, error))? };
        Ok(Self { name, path, file, seen })
    }

    /// The file, if it is as it was.
    fn unchanged(&self) -> Result<Arc<File>> {
        let failed = |error| Error::io(&self.path, error);
        let file = match &self.file {
            Some(kept) => Arc::clone(&kept.file),
            None => Arc::new(File::open(&self.path).map_err(failed)?),
        };
        let now = Seen::of(&file.metadata().map_err(failed)?);
        if now == self.seen { Ok(file) } else { Err(self.changed()) }
    }

    fn changed(&self) -> Error {
        let reason = "it was changed since the model was opened; open the model again";
        Error::io(&self.path, io::Error::new(io::ErrorKind::InvalidData, reason))
    }

    /// Passes its bytes to `take`, from the first to the last. Several threads may do so at once.
    fn read(&self, mut take: impl FnMut(&[u8])) -> Result<()> {
        let file = self.unchanged()?;
        let mut room = vec![0; 1 << 16];
        let mut at = 0;
        while at < self.seen.length {
            match read_at(&file, &mut room, at) {
                Ok(0) => break,
                Ok(count) => {
                    take(&room[..count]);
                    at += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(&self.path, error)),
            }
        }
        let now = Seen::of(&file.metadata().map_err(|error| Error::io(&self.path, error))?);
        if at == self.seen.length && now == self.seen { Ok(()) } else { Err(self.changed()) }
    }

    fn digest(&self) -> Result<String> {
        let mut hasher = Sha256::new();
        self.read(|bytes| hasher.update(bytes))?;
        Ok(hex(hasher.finalize()))
    }
}

#[cfg(unix)]
fn read_at(file: &File, room: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, room, at)
}

#[cfg(windows)]
fn read_at(file: &File, room: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, room, at)
}

/// Whether a file of this name is in the folder of the model or below it. ONNX Runtime refuses others.
fn is_within(name: &Path) -> bool {
    let mut depth = 0usize;
    name.components().all(|part| match part {
        Component::Normal(_) => {
            depth += 1;
            true
        }
        Component::CurDir => true,
        Component::ParentDir => {
            let below = depth > 0;
            depth = depth.saturating_sub(1);
            below
        }
        Component::RootDir | Component::Prefix(_) => false,
    })
}

#[cfg(unix)]
fn name_of(bytes: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(std::ffi::OsStr::from_bytes(bytes).into())
}

#[cfg(not(unix))]
fn name_of(bytes: &[u8]) -> Option<PathBuf> {
    std::str::from_utf8(bytes).ok().map(PathBuf::from)
}

/// The files of a model: its graph, and those with external data.
#[derive(Debug)]
pub(super) struct Files {
    parts: Vec<Part>,
    /// Why there may be other files.
    unknown: Option<String>,
    /// The first file that is missing.
    missing: Option<String>,
    signature: Signature,
    is_compiled: bool,
}

impl Files {
    /// Notes the graph's file at `path` and the files of its weights. A missing file is for ONNX Runtime to report.
    /// `stop` is called now and then, and ends this if it returns true.
    pub(super) fn open(path: &Path, stop: &dyn Fn() -> bool) -> Result<Self> {
        let graph = Part::open(String::new(), path.to_path_buf(), 0)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let (contents, mut unknown) = match contents::read(&*graph.unchanged()?, graph.seen.length, stop) {
            Ok(contents) => (contents, None),
            Err(_) if stop() => return Err(Error::Cancelled),
            Err(error) => (Contents::default(), Some(error.to_string())),
        };
        let Contents { files: names, signature, is_compiled, .. } = contents;
        let (mut parts, mut missing) = (vec![graph], None);
        for bytes in names {
            let name = String::from_utf8_lossy(&bytes).into_owned();
            let Some(relative) = name_of(&bytes) else {
                unknown = Some(format!("'{name}' is no name of a file here"));
                continue;
            };
            if !is_within(&relative) {
                continue;
            }
            match Part::open(name, folder.join(relative), parts.len()) {
                Ok(part) => parts.push(part),
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    missing.get_or_insert_with(|| String::from_utf8_lossy(&bytes).into_owned());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Self { parts, unknown, missing, signature, is_compiled })
    }

    /// The graph's inputs and outputs, as far as they could be read.
    pub(super) fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Whether the graph is one that a provider has compiled for its device.
    pub(super) fn is_compiled(&self) -> bool {
        self.is_compiled
    }

    /// The number of bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.seen.length).sum()
    }

    /// The first weight file that is missing, as the graph spells it.
    pub(super) fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// Why the graph could not be read, if it could not.
    pub(super) fn unread(&self) -> Option<&str> {
        self.unknown.as_deref()
    }

    /// Checks that their names still stand for the files that were noted, unchanged.
    ///
    /// # Errors
    /// [`Error::Io`] with the file that was changed or replaced.
    pub(super) fn check_names(&self) -> Result<()> {
        self.parts.iter().try_for_each(|part| {
            let now = std::fs::metadata(&part.path).map_err(|error| Error::io(&part.path, error))?;
            if Seen::of(&now) == part.seen { Ok(()) } else { Err(part.changed()) }
        })
    }

    /// Their paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().map(|part| part.path.as_path())
    }

    /// The bytes of the external data, by the names in the graph.
    ///
    /// # Errors
    /// [`Error::Io`] if one cannot be read. [`Error::Memory`] if there is no memory for it.
    pub(super) fn external_data(&self) -> Result<Vec<(String, Arc<[u8]>)>> {
        let data = self.parts.iter().filter(|part| !part.name.is_empty()).map(|part| {
            let length = usize::try_from(part.seen.length).unwrap_or(usize::MAX);
            // This checks that there is room for it, which the shared allocation cannot do.
            let lacks = |_| Error::memory(format!("the weights in {}", part.path.display()));
            Vec::<u8>::new().try_reserve_exact(length).map_err(lacks)?;
            let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, length).collect();
            let mut rest = Arc::get_mut(&mut bytes).unwrap_or_default();
            part.read(|more| {
                if let Some(room) = rest.split_off_mut(..more.len().min(rest.len())) {
                    room.copy_from_slice(&more[..room.len()]);
                }
            })?;
            Ok((part.name.clone(), bytes))
        });
        data.collect()
    }

    /// The SHA-256 of each file, by its name.
    ///
    /// # Errors
    /// [`Error::Io`] if one was changed since, or cannot be read. [`Error::Model`] if there may be others.
    pub(super) fn digests(&self) -> Result<Vec<(String, String)>> {
        if let Some(reason) = &self.unknown {
            let reason = format!("its hash is unknown, since its files with weights cannot be found ({reason})");
            return Err(Error::model(self.parts[0].path.display().to_string(), reason));
        }
        self.parts.iter().map(|part| Ok((part.name.clone(), part.digest()?))).collect()
    }
}

pub(crate) fn hex(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
