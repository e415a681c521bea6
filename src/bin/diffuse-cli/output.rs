//! Writes files, whole or not at all. It writes over nothing that the run reads, and never loses a picture that was
//! generated.
//!
//! What can be known before the run is checked then. That is whether the file and its folder can be written to, and
//! whether the file is one that the run reads.
//!
//! A file that the user names is replaced: by a temporary file beside it that takes its name, with its permissions and
//! its owner. Where the system does not allow that, the file is written in place. Examples are a mount point, or a file
//! of another user. A name that was chosen here replaces nothing, and becomes the next one that is free. If writing
//! fails all the same, the bytes go elsewhere, and standard error shows where.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, IsTerminal, Seek, Write};
use std::path::{Path, PathBuf};

use diffuse::network::Network;
use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::interrupt;
use crate::shared::shown;

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
}

/// A file that the run reads, and its description.
pub(crate) type Source = (&'static str, PathBuf);

/// A model, its weight files, and the manifest beside it.
pub(crate) fn model_sources(what: [&'static str; 3], path: &Path) -> Vec<Source> {
    let [model, weights, manifest] = what;
    let files = Network::weight_files(path).into_iter().map(|path| (weights, path));
    let own = [(model, path.to_path_buf()), (manifest, path.with_extension("diffuse.json"))];
    own.into_iter().chain(files).collect()
}

/// The descriptions of a model's files.
pub(crate) const MODEL: [&str; 3] = ["the model", "a file with the model's weights", "the model's manifest"];

/// The descriptions of a classifier's files.
pub(crate) const CLASSIFIER: [&str; 3] =
    ["the classifier", "a file with the classifier's weights", "the classifier's manifest"];

/// A name that is chosen here, in two parts. Of a name that is too long, the first part is cut.
#[derive(Debug, Clone)]
pub(crate) struct Stem {
    pub(crate) start: String,
    pub(crate) end: String,
}

/// The most bytes of a file's name in current file systems.
const MOST_NAME: usize = 255;

impl Stem {
    /// The `number`th name to try, with this ending.
    fn name(&self, number: usize, ending: &str) -> String {
        let number = if number > 1 { format!("-{number}") } else { String::new() };
        let tail = format!("{}{number}{}{ending}", self.end, if ending.is_empty() { "" } else { "." });
        let room = MOST_NAME.saturating_sub(tail.len());
        let end = (0..=room.min(self.start.len())).rev().find(|&end| self.start.is_char_boundary(end));
        format!("{}{tail}", &self.start[..end.unwrap_or(0)])
    }
}

/// The outputs of a command: each file with its format and that format's ending.
pub(crate) struct Outputs<F> {
    /// The name that is used where none is given, and for a result that cannot be written to its place.
    stem: Stem,
    /// `None` for the name that is chosen here.
    named: Option<Vec<Target>>,
    formats: Vec<(F, &'static str)>,
}

/// The result of writing.
pub(crate) struct Written {
    pub(crate) files: Vec<PathBuf>,
    /// The first failure. The other files have been written all the same.
    pub(crate) failure: Option<Failure>,
}

impl Written {
    /// Ends the command with the failure, if there is one.
    pub(crate) fn end(self) -> Result<(), Failure> {
        self.failure.map_or(Ok(()), Err)
    }
}

impl<F> Outputs<F> {
    /// Files under the default name, or the next one that is free.
    pub(crate) fn usual(stem: Stem, formats: Vec<(F, &'static str)>) -> Self {
        Self { stem, named: None, formats }
    }

    /// Files that the user has named.
    pub(crate) fn named(stem: Stem, targets: Vec<(Target, F, &'static str)>) -> Self {
        let mut targets = targets;
        // Standard output comes last. Its reader may stop early, and the files have to be written all the same.
        targets.sort_by_key(|(target, ..)| *target == Target::Stdout);
        let (named, formats) = targets.into_iter().map(|(target, format, ending)| (target, (format, ending))).unzip();
        Self { stem, named: Some(named), formats }
    }

    pub(crate) fn formats(&self) -> impl Iterator<Item = &F> {
        self.formats.iter().map(|(format, _)| format)
    }

    /// Whether the names were chosen here, and so have to be printed.
    pub(crate) fn is_usual(&self) -> bool {
        self.named.is_none()
    }

    /// Checks before the work what can be known then. `binary` tells whether a format is not for a terminal. `sources`
    /// are the files that the run reads.
    pub(crate) fn check(&self, binary: impl Fn(&F) -> bool, sources: &[Source]) -> Result<(), Failure> {
        let Some(named) = &self.named else { return check_folder(Path::new(".")) };
        for (i, target) in named.iter().enumerate() {
            if named[..i].iter().any(|earlier| is_same(earlier, target)) {
                return Err(Failure::Usage("-o: the same file is named twice".into()));
            }
            match target {
                Target::Stdout if binary(&self.formats[i].0) && io::stdout().is_terminal() => {
                    return Err(Failure::Usage(
                        "-o -: standard output is a terminal, which cannot show a picture; send it to a file or a program".into(),
                    ));
                }
                Target::Stdout => refuse_source("-", identity_of_stdout(), sources)?,
                Target::File(path) => check_file(path, sources)?,
            }
        }
        Ok(())
    }

    /// Writes all files, as `encode` makes them. Only a failure of `encode`, or Ctrl-C, ends this early.
    pub(crate) fn write(&self, mut encode: impl FnMut(&F) -> Result<Vec<u8>, Failure>) -> Result<Written, Failure> {
        let mut written = Written { files: Vec::new(), failure: None };
        let Some(named) = &self.named else {
            let mut files = Vec::new();
            for (format, ending) in &self.formats {
                interrupt::check()?;
                files.push((*ending, encode(format)?));
            }
            match write_free(Path::new(""), &self.stem, 1, &files, false) {
                Ok(paths) => written.files = paths,
                Err(error) => {
                    let saved = save(&files, &self.stem, [(std::env::temp_dir(), 1)], false);
                    let place = PathBuf::from(self.stem.name(1, files.first().map_or("", |(ending, _)| ending)));
                    written.failure = Some(lost(&place, &error, saved));
                }
            }
            interrupt::check()?;
            return Ok(written);
        };
        for (target, (format, ending)) in named.iter().zip(&self.formats) {
            interrupt::check()?;
            let bytes = encode(format)?;
            match self.write_one(target, ending, bytes) {
                Ok(Some(path)) => written.files.push(path),
                Ok(None) => {}
                Err(failure) => written.failure = written.failure.or(Some(failure)),
            }
        }
        interrupt::check()?;
        Ok(written)
    }

    /// Writes one, or saves it elsewhere.
    fn write_one(&self, target: &Target, ending: &'static str, bytes: Vec<u8>) -> Result<Option<PathBuf>, Failure> {
        let elsewhere = [(PathBuf::new(), 1), (std::env::temp_dir(), 1)];
        match target {
            Target::Stdout => {
                interrupt::note_written();
                let mut stdout = io::stdout().lock();
                match stdout.write_all(&bytes).and_then(|()| stdout.flush()) {
                    Ok(()) => Ok(None),
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::Unread),
                    Err(error) => {
                        let saved = save(&[(ending, bytes)], &self.stem, elsewhere, false);
                        Err(lost(Path::new("standard output"), &error, saved))
                    }
                }
            }
            Target::File(path) => {
                let place = Place::of(path);
                let Err(error) = place.as_ref().map_err(copy_of).and_then(|place| place.write(&bytes)) else {
                    return Ok(Some(path.clone()));
                };
                let saved = match place {
                    Ok(Place::Special(_)) => save(&[(ending, bytes)], &self.stem, elsewhere, false),
                    place => {
                        let (place, old) = match place {
                            Ok(Place::Regular(path, old)) => (path, old),
                            _ => (path.clone(), None),
                        };
                        let stem = place.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                        let stem = Stem { start: stem, end: String::new() };
                        let beside = (folder_of(&place).to_path_buf(), 2);
                        let private = old.as_ref().is_some_and(is_private);
                        save(&[(ending, bytes)], &stem, [beside].into_iter().chain(elsewhere), private)
                    }
                };
                Err(lost(path, &error, saved))
            }
        }
    }
}

fn copy_of(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

/// Saves a result that could not be written to its place. It uses the first folder that takes it, and the first free
/// name from a number on.
fn save(
    files: &[(&str, Vec<u8>)],
    stem: &Stem,
    folders: impl IntoIterator<Item = (PathBuf, usize)>,
    private: bool,
) -> Result<Vec<PathBuf>, io::Error> {
    let mut outcome = Err(ErrorKind::NotFound.into());
    for (folder, number) in folders {
        outcome = write_free(&folder, stem, number, files, private);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// The error about a result that is not in its place.
fn lost(path: &Path, error: &io::Error, saved: io::Result<Vec<PathBuf>>) -> Failure {
    let reason = match saved {
        Ok(paths) => {
            let paths: Vec<String> = paths.iter().map(|path| shown(path)).collect();
            format!("{error}; what was drawn is in {} instead", paths.join(" and "))
        }
        Err(other) => format!("{error}; nor could it be saved elsewhere: {other}"),
    };
    Failure::file(path, io::Error::new(error.kind(), reason))
}

/// What a path leads to.
enum Place {
    /// A regular file, or none yet, at the end of all links.
    Regular(PathBuf, Option<Metadata>),
    /// A pipe or a device.
    Special(PathBuf),
}

impl Place {
    fn of(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
            // The link's end may have no name, as /proc/self/fd/1 of a file that was deleted.
            Ok(found) if found.is_file() => {
                Ok(Self::Regular(fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()), Some(found)))
            }
            Ok(_) => Ok(Self::Special(path.to_path_buf())),
            // This is a folder's name in place of a file's.
            Err(_) if path.to_string_lossy().ends_with(std::path::is_separator) => Err(ErrorKind::IsADirectory.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::Regular(end_of_links(path), None)),
            Err(error) => Err(error),
        }
    }

    /// Writes `bytes` to a temporary file beside the target, which then takes its name. So a full disk or a crash
    /// leaves either the old file or the new one. A pipe or a device is written to directly.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Special(path) => {
                interrupt::note_written();
                OpenOptions::new().write(true).open(path)?.write_all(bytes)
            }
            Self::Regular(path, old) => {
                let _finishing = interrupt::finishing();
                replace(path, bytes, old.as_ref())?;
                interrupt::note_written();
                Ok(())
            }
        }
    }
}

/// The end of a link that has no file at its end.
fn end_of_links(path: &Path) -> PathBuf {
    /// The most links, as on Linux. The system itself has refused circular ones.
    const MOST_LINKS: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        let Ok(next) = fs::read_link(&path) else { break };
        path = folder_of(&path).join(next);
    }
    path
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// The identity of a file, whatever its name: its device and its number there.
#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(not(unix))]
type Identity = PathBuf;

#[cfg(unix)]
fn identity(file: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (file.dev(), file.ino())
}

/// The identity of the regular file at `path`. Pipes and devices have none, since what goes in is not what comes out.
#[cfg(unix)]
fn identity_of(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().filter(Metadata::is_file).map(|file| identity(&file))
}

#[cfg(not(unix))]
fn identity_of(path: &Path) -> Option<Identity> {
    fs::canonicalize(path).ok()
}

#[cfg(unix)]
fn identity_of_stdout() -> Option<Identity> {
    use std::os::fd::AsFd;
    let file = File::from(io::stdout().as_fd().try_clone_to_owned().ok()?);
    file.metadata().ok().filter(Metadata::is_file).map(|file| identity(&file))
}

#[cfg(not(unix))]
fn identity_of_stdout() -> Option<Identity> {
    None
}

/// Whether others may not read the file.
#[cfg(unix)]
fn is_private(file: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.mode() & 0o004 == 0
}

#[cfg(not(unix))]
fn is_private(_: &Metadata) -> bool {
    false
}

/// Whether `path` is still the name of the open `file`.
#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    let named = fs::symlink_metadata(path).map(|found| identity(&found));
    matches!((file.metadata(), named), (Ok(open), Ok(named)) if identity(&open) == named)
}

/// Windows does not let another file take the name of an open one.
#[cfg(not(unix))]
fn is_still(_: &File, path: &Path) -> bool {
    path.exists()
}

fn is_same(one: &Target, other: &Target) -> bool {
    let (one, other) = match (one, other) {
        (Target::File(one), Target::File(other)) => (one, other),
        (Target::Stdout, Target::File(path)) | (Target::File(path), Target::Stdout) => {
            return identity_of_stdout().is_some_and(|stdout| identity_of(path) == Some(stdout));
        }
        (Target::Stdout, Target::Stdout) => return true,
    };
    let end = |path: &Path| match Place::of(path) {
        Ok(Place::Regular(path, _)) => {
            let folder = fs::canonicalize(folder_of(&path));
            folder.map_or(path.clone(), |folder| folder.join(path.file_name().unwrap_or_default()))
        }
        _ => path.to_path_buf(),
    };
    end(one) == end(other) || identity_of(one).is_some_and(|one| identity_of(other) == Some(one))
}

fn refuse_source(name: &str, output: Option<Identity>, sources: &[Source]) -> Result<(), Failure> {
    let Some(output) = output else { return Ok(()) };
    let same = |path: &Path| identity_of(path).is_some_and(|source| source == output);
    match sources.iter().find(|(_, path)| same(path)) {
        Some((what, path)) => Err(Failure::Usage(format!(
            "-o {name}: this is {what} of this run ({}), which is never written over; name another file",
            path.display()
        ))),
        None => Ok(()),
    }
}

/// Checks that a file can be written, and that the run does not read it.
fn check_file(path: &Path, sources: &[Source]) -> Result<(), Failure> {
    let failed = |error| Failure::file(path, error);
    refuse_source(&path.display().to_string(), identity_of(path), sources)?;
    match Place::of(path).map_err(failed)? {
        Place::Special(_) => Ok(()),
        Place::Regular(_, Some(old)) => {
            // Root may write even where writing is not allowed.
            if old.permissions().readonly() {
                return Err(failed(io::Error::new(ErrorKind::PermissionDenied, "the file is read-only")));
            }
            OpenOptions::new().write(true).open(path).map(drop).map_err(failed)
        }
        Place::Regular(path, None) => check_folder(folder_of(&path)),
    }
}

/// Checks that a file can be created in `folder`, by trying.
fn check_folder(folder: &Path) -> Result<(), Failure> {
    let found = fs::metadata(folder).map_err(|error| Failure::file(folder, error))?;
    if !found.is_dir() {
        return Err(Failure::file(folder, ErrorKind::NotADirectory.into()));
    }
    // Ctrl-C must not come between the file's creation and its end.
    let finishing = interrupt::finishing();
    let made = temporary(folder, true).map(drop);
    drop(finishing);
    interrupt::check()?;
    made.map_err(|error| {
        Failure::file(folder, io::Error::new(error.kind(), format!("no file can be made there: {}", plain(&error))))
    })
}

/// The system's own message. The crate for temporary files would add the name of its file, which means nothing to
/// users.
fn plain(error: &io::Error) -> io::Error {
    let text = error.to_string();
    io::Error::new(error.kind(), text.rsplit_once(" at path \"").map_or(&*text, |(words, _)| words))
}

const PREFIX: &str = ".diffuse-";
const SUFFIX: &str = ".part";
const RANDOM: usize = 12;

/// A new file beside the result, locked for as long as it is written. `private` makes it private, for the replacement
/// of a private file.
fn temporary(folder: &Path, private: bool) -> io::Result<NamedTempFile> {
    const ATTEMPTS: usize = 100;
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(RANDOM);
    #[cfg(not(unix))]
    let _ = private;
    #[cfg(unix)]
    if !private {
        use std::os::unix::fs::PermissionsExt;
        // These are the permissions of `open`, from which the system takes the umask. tempfile would make a private
        // file.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    for _ in 0..ATTEMPTS {
        let file = builder.tempfile_in(folder)?;
        match file.as_file().try_lock() {
            Ok(()) if is_still(file.as_file(), file.path()) => return Ok(file),
            // Another run may take it for the file of a killed run, between its creation and its lock.
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            // On a file system without locks no run can remove it either.
            Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
    Err(io::Error::other("temporary files are removed as soon as they are made"))
}

fn is_temporary(name: &std::ffi::OsStr) -> bool {
    let middle = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
    middle.is_some_and(|middle| middle.len() == RANDOM && middle.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Removes the temporary files that killed runs have left in `folder`, which are not locked.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !is_temporary(&entry.file_name()) || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let path = entry.path();
        let Ok(file) = File::open(&path) else { continue };
        // A run that has finished in between has given the file another name.
        if file.try_lock().is_ok() && is_still(&file, &path) {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Replaces the file at `path` by `bytes`. Its metadata is `old`, if it exists.
fn replace(path: &Path, bytes: &[u8], old: Option<&Metadata>) -> io::Result<()> {
    let folder = folder_of(path);
    sweep(folder);
    let mut file = match temporary(folder, old.is_some()) {
        Ok(file) => file,
        // The file can be written to, but its folder takes no new files.
        Err(error)
            if old.is_some() && matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) =>
        {
            return overwrite(path, bytes);
        }
        Err(error) => return Err(plain(&error)),
    };
    file.write_all(bytes).map_err(|error| plain(&error))?;
    file.as_file().sync_all()?;
    if old.is_some_and(|old| take_after(file.as_file(), old).is_err()) {
        return overwrite(path, bytes);
    }
    match file.persist(path) {
        Ok(_) => Ok(()),
        // It is a mount point (EBUSY), or a file of another user in a folder like /tmp (EPERM).
        Err(_) if old.is_some() => overwrite(path, bytes),
        Err(refused) => Err(refused.error),
    }
}

/// Gives `file` the owner and the permissions of `old`. It is an error where that is not allowed, since they would
/// change.
#[cfg(unix)]
fn take_after(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))
}

#[cfg(not(unix))]
fn take_after(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Writes `bytes` into the existing file. Where there is no room for them it gets its old contents back.
fn overwrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let old = fs::read(path).ok();
    let mut file = OpenOptions::new().write(true).open(path)?;
    // From here on the file has changed.
    interrupt::note_written();
    let mut put = |bytes: &[u8]| {
        file.rewind()?;
        file.write_all(bytes)?;
        file.set_len(bytes.len() as u64)?;
        file.sync_all()
    };
    put(bytes).inspect_err(|_| drop(old.map(|old| put(&old))))
}

/// Writes files to `folder`, given as endings and bytes. All get the same number, the first that is free from `number`
/// on.
fn write_free(
    folder: &Path,
    stem: &Stem,
    number: usize,
    files: &[(&str, Vec<u8>)],
    private: bool,
) -> io::Result<Vec<PathBuf>> {
    const MOST_NUMBERS: usize = 100_000;
    let _finishing = interrupt::finishing();
    let place = if folder == Path::new("") { Path::new(".") } else { folder };
    sweep(place);
    let mut written = Vec::new();
    for (_, bytes) in files {
        let mut file = temporary(place, private).map_err(|error| plain(&error))?;
        file.write_all(bytes).map_err(|error| plain(&error))?;
        file.as_file().sync_all()?;
        written.push(file);
    }
    for number in number..MOST_NUMBERS {
        let names: Vec<PathBuf> = files.iter().map(|(ending, _)| folder.join(stem.name(number, ending))).collect();
        match give_names(&written, &names) {
            Ok(()) => {
                interrupt::note_written();
                return Ok(names);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(ErrorKind::AlreadyExists, "all of the names that it could have are taken"))
}

/// Gives each of `files` its name, if all of the names are free. Another run may want the same ones at the same moment,
/// so the system decides.
fn give_names(files: &[NamedTempFile], names: &[PathBuf]) -> io::Result<()> {
    let all = |claim: &dyn Fn(&Path, &Path) -> io::Result<()>| {
        for (i, (file, name)) in files.iter().zip(names).enumerate() {
            if let Err(error) = claim(file.path(), name) {
                names[..i].iter().for_each(|ours| drop(fs::remove_file(ours)));
                return Err(error);
            }
        }
        Ok(())
    };
    // This is a second name. The first one goes with the temporary file.
    match all(&|file, name| fs::hard_link(file, name)) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            // The file system has no hard links, so empty files reserve the names.
            all(&|_, name| OpenOptions::new().write(true).create_new(true).open(name).map(drop))?;
            let named = all(&|file, name| fs::rename(file, name));
            if named.is_err() {
                names.iter().for_each(|ours| drop(fs::remove_file(ours)));
            }
            named
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters() {
        let stem = |start: &str| Stem { start: start.into(), end: "-7".into() };
        assert_eq!(stem("heart").name(1, "png"), "heart-7.png");
        assert_eq!(stem("heart").name(12, "png"), "heart-7-12.png");
        assert_eq!(stem(&"a".repeat(300)).name(2, "png"), format!("{}-7-2.png", "a".repeat(247)));
        let long = stem(&"ü".repeat(200)).name(1, "png");
        assert!(long.len() == 254 && long.ends_with("ü-7.png"), "{long}");
    }

    #[test]
    fn only_our_temporary_files_are_known() {
        for (name, ours) in [
            (".diffuse-0aZ9bcdefghi.part", true),
            (".diffuse-0aZ9bcdefgh.part", false),
            (".diffuse-0aZ9bcdefghij.part", false),
            (".diffuse-0aZ9bcdef.hi.part", false),
            ("diffuse-0aZ9bcdefghi.part", false),
            (".diffuse-0aZ9bcdefghi.png", false),
        ] {
            assert_eq!(is_temporary(name.as_ref()), ours, "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(is_temporary(temporary(folder.path(), false).unwrap().path().file_name().unwrap()));
    }

    #[test]
    fn what_a_killed_run_has_left_is_removed_and_what_is_written_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let written = temporary(folder.path(), false).unwrap();
        fs::write(at(".diffuse-abcdefghijkl.part"), "left").unwrap();
        fs::write(at(".diffuse-another.part"), "not ours").unwrap();
        fs::write(at("a.png"), "").unwrap();
        fs::create_dir(at(".diffuse-mnopqrstuvwx.part")).unwrap();
        replace(&at("a.png"), b"new", None).unwrap();
        assert!(!at(".diffuse-abcdefghijkl.part").exists());
        assert!(at(".diffuse-another.part").exists() && at(".diffuse-mnopqrstuvwx.part").exists());
        assert!(written.path().exists(), "a file that is being written was removed");
    }

    /// Runs that write and sweep in one folder at once never take each other's files.
    #[test]
    fn many_runs_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let stem = Stem { start: "a".into(), end: String::new() };
        std::thread::scope(|scope| {
            for run in 0..8u8 {
                let (folder, stem) = (folder.path(), stem.clone());
                scope.spawn(move || {
                    for _ in 0..25 {
                        let files = [("csv", vec![run; 10]), ("png", vec![run; 20])];
                        write_free(folder, &stem, 1, &files, false).unwrap();
                    }
                });
            }
        });
        for number in 1..=200 {
            let [csv, png] =
                ["csv", "png"].map(|ending| fs::read(folder.path().join(stem.name(number, ending))).unwrap());
            assert!(csv.len() == 10 && png.len() == 20 && csv[0] == png[0], "two runs share number {number}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 400, "something was left behind");
    }
}
