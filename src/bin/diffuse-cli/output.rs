//! Writing files: whole or not at all.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::interrupt::{self, Finishing};

/// Where a result goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A file.
    File(PathBuf),
    /// Standard output, written `-`.
    Stdout,
}

impl Target {
    pub(crate) fn new(path: &Path) -> Self {
        if path == Path::new("-") { Self::Stdout } else { Self::File(path.to_path_buf()) }
    }

    /// Refuses to write over what is read.
    pub(crate) fn is_not(&self, input: &Path, what: &str) -> Result<(), Failure> {
        let same = |path: &Path| Some(std::fs::canonicalize(path).ok()? == std::fs::canonicalize(input).ok()?);
        match self {
            Self::File(path) if same(path) == Some(true) => {
                Err(Failure::Usage(format!("-o {}: this is {what}", path.display())))
            }
            _ => Ok(()),
        }
    }

    /// Finds out before the work what can be known then: that the folder is there, and that a terminal is not sent bytes.
    pub(crate) fn check(&self, binary: bool) -> Result<(), Failure> {
        match self {
            Self::Stdout if binary && io::stdout().is_terminal() => Err(Failure::Usage(
                "-o -: standard output is a terminal, which cannot show a picture; send it to a file or a program"
                    .into(),
            )),
            Self::Stdout => Ok(()),
            Self::File(path) => {
                if path.is_dir() {
                    return Err(Failure::file(path, io::ErrorKind::IsADirectory.into()));
                }
                let folder = folder_of(path);
                // The system's own word on why not.
                match std::fs::metadata(folder) {
                    Ok(metadata) if metadata.is_dir() => Ok(()),
                    Ok(_) => Err(Failure::file(folder, io::ErrorKind::NotADirectory.into())),
                    Err(error) => Err(Failure::file(folder, error)),
                }
            }
        }
    }

    /// Writes `bytes`: to a temporary file beside the target that then takes its name, so that a full disk or a crash leaves
    /// either the old file or the new one. What is not a regular file (a pipe, a device) is written to directly.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Stdout => {
                interrupt::note_written();
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Failure::stdout)
            }
            Self::File(path) => write_file(path, bytes).map_err(|error| Failure::file(path, error)),
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link is followed, so that the file that it names is replaced and not the link.
    let resolved = std::fs::canonicalize(path);
    let path = resolved.as_deref().unwrap_or(path);
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        interrupt::note_written();
        return std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let _finishing = Finishing::begin();
    let mut builder = tempfile::Builder::new();
    builder.prefix(".diffuse-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // What `open` asks for by itself; the system takes the umask off. tempfile's own choice is a private file.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    interrupt::note_written();
    Ok(())
}
