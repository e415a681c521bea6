//! Finds ONNX Runtime and starts it, once in a process and by absolute path. It writes nothing to standard error, and
//! nothing connects to the internet.

use std::ffi::{CStr, c_char, c_void};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ort::environment::{Environment, EnvironmentBuilder};
use ort::logging::LogLevel;

use super::library;
use super::overheard::hear;
use crate::error::{Error, Result};
use crate::log::{OF_RUNTIME, Severity, say};
use crate::process::{self, Call, Process, Unforked, Vigil};
use crate::sync::{Guard, Mutex};

/// The minor version of the oldest ONNX Runtime that works, 1.`OLDEST_MINOR_VERSION`.
pub const OLDEST_MINOR_VERSION: u32 = ort::MINOR_VERSION;

/// The environment variable that names ONNX Runtime's library, or its folder.
const VARIABLE: &str = "ORT_DYLIB_PATH";

/// The environment variable that turns off ONNX Runtime's telemetry.
const TELEMETRY: &str = "ORT_DISABLE_TELEMETRY";

/// The reason of a candidate that the variable names.
const NAMED: &str = "the environment variable ORT_DYLIB_PATH";

/// Where Debian and its derivatives put libraries of this architecture.
const DEBIAN_LIBRARIES: &str =
    if cfg!(target_arch = "aarch64") { "/usr/lib/aarch64-linux-gnu" } else { "/usr/lib/x86_64-linux-gnu" };

/// ONNX Runtime allows one environment per process. A second cannot be made even when the first is gone. So this one
/// lives as long as the process.
static OPENED: Mutex<Option<Runtime>> = Mutex::new(None);

fn log(level: LogLevel, message: &str) {
    if level >= LogLevel::Error {
        hear(message);
    }
    let severity = match level {
        LogLevel::Verbose => Severity::Verbose,
        LogLevel::Info => Severity::Info,
        LogLevel::Warning => Severity::Warning,
        LogLevel::Error => Severity::Error,
        LogLevel::Fatal => Severity::Fatal,
    };
    say(severity, || format!("{OF_RUNTIME}{message}"));
}

/// ONNX Runtime, loaded and started. There is one in a process, and clones refer to it.
#[derive(Debug, Clone)]
pub struct Runtime {
    environment: Environment,
    /// The address of the host's own ONNX Runtime. `None` for one that was loaded from a file.
    base: Option<usize>,
    path: Arc<Path>,
    version: Arc<str>,
}

/// A place where ONNX Runtime was looked for.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Candidate {
    /// Why this place: "the environment variable ORT_DYLIB_PATH", "beside diffuse", …
    pub reason: &'static str,
    /// The folder, or the file where one was named.
    pub place: PathBuf,
    /// The library that was found there.
    pub library: Option<PathBuf>,
}

impl Runtime {
    /// Loads ONNX Runtime and starts it, or returns the one that this process has already started.
    ///
    /// `path` is its library, or the library's folder. Without a path, the first of these
    /// [`candidates`](Self::candidates) that has the library is used.
    ///
    /// 1. What the environment variable `ORT_DYLIB_PATH` names.
    /// 2. The folder of this library. Where it is a link, the link's folder comes first.
    /// 3. The folder of the program.
    /// 4. Except on Windows: the system's library folders.
    /// 5. Except on Windows: what the system's loader finds by the bare name. That is in an Android package, through
    ///    `LD_LIBRARY_PATH`, or through the rpath.
    ///
    /// Windows is excepted because its system folder may hold an old library of another program.
    ///
    /// Official builds of ONNX Runtime from 1.29 on send telemetry. With one of those this call sets the environment
    /// variable `ORT_DISABLE_TELEMETRY` to 1, unless it is already set to something. So call it before other threads
    /// read or write environment variables, or set the variable for the process.
    ///
    /// # Errors
    /// [`Error::Runtime`] if there is no library, if it cannot be loaded, or if it is older than 1.24. Also if
    /// `ORT_DYLIB_PATH` names a place that has none, or if another one is already running in this process.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        process::check_runtime()?;
        let mut opening = Opening::begin()?;
        let opened = &mut *opening.0;
        let _call = Call::begin()?;
        if let Some(runtime) = opened.as_ref() {
            return match path.map(resolve).transpose()? {
                Some(asked) if *asked != *runtime.path => Err(runtime.only_one(&asked.display().to_string())),
                _ => Ok(runtime.clone()),
            };
        }
        let library = match path {
            Some(path) => resolve(path)?,
            None => find()?,
        };
        process::attend();
        let _vigil = Vigil::keep("ONNX Runtime");
        let runtime = start(library)?;
        Ok(opened.insert(runtime).clone())
    }

    /// Uses the ONNX Runtime that the program has already linked or loaded. `base` is what its `OrtGetApiBase()`
    /// returns. No file is looked for.
    ///
    /// This is for systems without such a file, and for programs that use ONNX Runtime besides. They then share one
    /// environment with this crate, whose messages go where the program sends them. If the host has made an environment
    /// before, it keeps its logger and its level of messages. Its telemetry is turned off. The process's environment
    /// variables are left alone.
    ///
    /// # Safety
    /// `base` is what that function returned, and its library stays loaded as long as the process lives.
    ///
    /// # Errors
    /// [`Error::Runtime`] if it is NULL or older than 1.24, or if another one is already running in this process.
    pub unsafe fn of_host(base: *const c_void) -> Result<Self> {
        process::check_runtime()?;
        let mut opening = Opening::begin()?;
        let opened = &mut *opening.0;
        let _call = Call::begin()?;
        if let Some(runtime) = opened.as_ref() {
            return if runtime.base == Some(base as usize) {
                Ok(runtime.clone())
            } else {
                Err(runtime.only_one("the host's"))
            };
        }
        let refused = |what: String| Error::runtime(format!("the host's pointer is not ONNX Runtime: {what}"));
        // SAFETY: passed on.
        let base_of = unsafe { base.cast::<ApiBase>().as_ref() }.ok_or_else(|| refused("it is NULL".into()))?;
        // SAFETY: as above.
        let (version, api) = unsafe { base_of.asked() }.map_err(refused)?;
        if api.is_null() {
            let reason = format!("the host's ONNX Runtime is {version}; 1.{OLDEST_MINOR_VERSION} or newer is needed");
            return Err(Error::runtime(reason));
        }
        process::attend();
        let _vigil = Vigil::keep("ONNX Runtime");
        // SAFETY: as above: an API of the version that `ort` knows, whose functions come first in that of a later one.
        if !ort::set_api(unsafe { api.cast::<ort::sys::OrtApi>().read() }) {
            return Err(Error::runtime(
                "another ONNX Runtime was tried before, and failed; this process is bound to it",
            ));
        }
        let runtime = Self::begun(ort::init(), Some(base as usize), Path::new("the host's").into(), version)?;
        Ok(opened.insert(runtime).clone())
    }

    /// Starts the ONNX Runtime of `builder`.
    fn begun(builder: EnvironmentBuilder, base: Option<usize>, path: Arc<Path>, version: String) -> Result<Self> {
        // There is one environment in a process, and the host's stays as the host has set it.
        let is_ours = base.is_none();
        if is_ours && has_telemetry(&version) {
            // SAFETY: the caller of `open` was told to call it before other threads use the environment.
            unsafe { Self::keep_quiet() };
        }
        // The logger keeps errors that are reported anyway, and warnings about graphics cards, off standard error.
        let environment = builder
            .with_name("diffuse")
            // `ort` would turn it on otherwise, also in the host's environment.
            .with_telemetry(false)
            .with_logger(Arc::new(|level, _: &str, _: &str, _: &str, message: &str| log(level, message)))
            .build()
            .map_err(|error| Error::runtime(format!("{} did not start: {error}", path.display())))?;
        if is_ours {
            // `ort` sets the most verbose level. ONNX Runtime would format messages that nobody reads, also between the
            // nodes of a run.
            environment.set_log_level(LogLevel::Warning);
        }
        Ok(Self { environment, base, path, version: version.into() })
    }

    /// The error that refuses `another`.
    fn only_one(&self, another: &str) -> Error {
        let running = self.path.display();
        Error::runtime(format!(
            "{another} cannot run beside {running}: a process allows one ONNX Runtime, and that one is already running"
        ))
    }

    /// Sets `ORT_DISABLE_TELEMETRY` to 1, unless it is set to something, as [`open`](Self::open) does. It is for a
    /// program that calls `open` on another thread.
    ///
    /// # Safety
    /// No other thread reads or changes environment variables meanwhile, except through Rust's standard library.
    pub unsafe fn keep_quiet() {
        if std::env::var_os(TELEMETRY).is_none() {
            // SAFETY: passed on. There is no other way to keep the library quiet: its API call for it is not heeded.
            unsafe { std::env::set_var(TELEMETRY, "1") };
        }
    }

    /// The places where [`open`](Self::open) looks without a path, in their order, with what is there.
    #[must_use]
    pub fn candidates() -> Vec<Candidate> {
        let mut places: Vec<(&str, PathBuf)> = Vec::new();
        if let Some(path) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
            places.push((NAMED, path.into()));
        }
        places.extend(own_folders().into_iter().map(|folder| ("beside diffuse", folder)));
        let program = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.to_path_buf()));
        let program = program.filter(|folder| places.iter().all(|(_, known)| known != folder));
        places.extend(program.map(|folder| ("beside the program", folder)));
        let system: &[&str] = match std::env::consts::OS {
            "macos" => &["/usr/local/lib", "/opt/homebrew/lib"],
            "linux" => &["/usr/local/lib", "/usr/lib64", "/usr/lib", DEBIAN_LIBRARIES],
            _ => &[],
        };
        places.extend(system.iter().map(|folder| ("the system's libraries", PathBuf::from(folder))));
        places.into_iter().map(|(reason, place)| Candidate { reason, library: library_at(&place), place }).collect()
    }

    /// The path of the library that was loaded.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is the host's own, and not a library of a known file.
    pub(crate) fn is_of_host(&self) -> bool {
        self.base.is_some()
    }

    /// Its version, such as "1.31.1".
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// ONNX Runtime's environment, for the benchmark that profiles a session of its own. It is not part of the API.
    #[doc(hidden)]
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }
}

/// One more than the generation of the process in which a thread holds [`OPENED`]; 0 for none.
static OPENING_IN: AtomicU32 = AtomicU32::new(0);

/// The lock of [`OPENED`], held by this thread. A fork waits until it is released.
struct Opening(Guard<'static, Option<Runtime>>, #[expect(dead_code, reason = "it is held")] Unforked);

impl Opening {
    fn begin() -> Result<Self> {
        /// Far longer than opening a library takes.
        const LONGEST: Duration = Duration::from_secs(60);
        let (this, start) = (Process::current().generation() + 1, Instant::now());
        let unforked = Unforked::begin();
        loop {
            if let Some(held) = OPENED.try_held() {
                OPENING_IN.store(this, Ordering::SeqCst);
                return Ok(Self(held, unforked));
            }
            // No thread of this process will release it.
            if ![0, this].contains(&OPENING_IN.load(Ordering::SeqCst)) {
                let reason = "another thread was opening it as this process was forked; open it before the fork";
                return Err(Error::runtime(reason));
            }
            if start.elapsed() > LONGEST {
                let reason = "another thread has been opening it for a minute; try again when it is done";
                return Err(Error::runtime(reason));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        OPENING_IN.store(0, Ordering::SeqCst);
    }
}

/// The absolute path of the library that `path` names, itself or by its folder.
fn resolve(path: &Path) -> Result<PathBuf> {
    let library = library_at(path).ok_or_else(|| {
        let what =
            if path.is_dir() { format!("the folder holds no {}", library_name()) } else { "no such file".into() };
        Error::runtime(format!("{}: {what}", path.display()))
    })?;
    std::fs::canonicalize(&library).map_err(|error| Error::io(&library, error))
}

fn find() -> Result<PathBuf> {
    let candidates = Runtime::candidates();
    if let Some(named) = candidates.first().filter(|candidate| candidate.reason == NAMED && candidate.library.is_none())
    {
        let place = named.place.display();
        return Err(Error::runtime(format!("{VARIABLE} names {place}, and there is no {} there", library_name())));
    }
    match candidates.iter().find_map(|candidate| candidate.library.as_deref()) {
        Some(library) => resolve(library),
        None => by_loader().ok_or_else(|| {
            let tried: Vec<String> = candidates
                .iter()
                .map(|candidate| format!("{} ({})", candidate.place.display(), candidate.reason))
                .collect();
            let loader = if cfg!(unix) { ", nor by the system's loader" } else { "" };
            Error::runtime(format!(
                "{} was not found in {}{loader}. Put it beside the program, name it when opening, or set {VARIABLE} to it; version 1.{OLDEST_MINOR_VERSION} or newer is needed",
                library_name(),
                tried.join(", ")
            ))
        }),
    }
}

fn library_name() -> String {
    format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

/// The library at `place`: the file itself, or the one in that folder, with or without a version in its name.
fn library_at(place: &Path) -> Option<PathBuf> {
    if place.is_file() {
        return Some(place.to_path_buf());
    }
    let plain = place.join(library_name());
    if plain.is_file() {
        return Some(plain);
    }
    // These are libonnxruntime.so.1.31.1 on Linux and libonnxruntime.1.31.1.dylib on macOS. The Python wheels have only
    // these.
    let (prefix, suffix) = match std::env::consts::OS {
        "macos" | "ios" => ("libonnxruntime.".to_owned(), ".dylib"),
        _ => (format!("{}.", library_name()), ""),
    };
    let numbers = |path: &PathBuf| -> Option<Vec<u32>> {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix(&prefix)?.strip_suffix(suffix)?.split('.').map(|part| part.parse().ok()).collect()
    };
    std::fs::read_dir(place)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| numbers(path).is_some())
        .max_by_key(numbers)
}

/// The folder of the module that contains this code: libdiffuse's, or the program's where it is linked in. Where that
/// is a link, the link's folder comes first and that of the file second.
#[cfg(unix)]
fn own_folders() -> Vec<PathBuf> {
    use std::os::unix::ffi::OsStrExt;

    let here = own_folders as fn() -> Vec<PathBuf> as *const libc::c_void;
    // SAFETY: Dl_info is a plain C struct for which all zeroes is a value.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: the address is that of a function in this module, `info` is writable for the call.
    let found = unsafe { libc::dladdr(here, &raw mut info) };
    if found == 0 || info.dli_fname.is_null() {
        return Vec::new();
    }
    // SAFETY: dladdr promises a string that lives as long as the module, which this code is part of.
    let name = unsafe { std::ffi::CStr::from_ptr(info.dli_fname) };
    let name = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes()));
    // A relative name was valid when the module was loaded, in a working directory that may have changed since. For the
    // main program it may even be a bare name that was found through PATH. It counts if it still leads to the file that
    // is in memory.
    let path = if name.is_absolute() {
        Some(name.to_path_buf())
    } else {
        let file = mapped_from(here as usize);
        let link =
            std::path::absolute(name).ok().filter(|link| file.is_some() && std::fs::canonicalize(link).ok() == file);
        link.or(file)
    };
    let Some(path) = path.or_else(|| std::env::current_exe().ok()) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = path.parent().map(Path::to_path_buf).into_iter().collect();
    if let Some(folder) = std::fs::canonicalize(&path).ok().and_then(|path| Some(path.parent()?.to_path_buf()))
        && !folders.contains(&folder)
    {
        folders.push(folder);
    }
    folders
}

/// The file that is mapped at `address`, according to Linux.
#[cfg(unix)]
fn mapped_from(address: usize) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;

    let maps = std::fs::read("/proc/self/maps").ok()?;
    maps.split(|&byte| byte == b'\n').find_map(|line| {
        // "7f0c1000-7f0c3000 r-xp 00001000 fe:00 4242    /folder/file"
        let range = std::str::from_utf8(line.split(|&byte| byte == b' ').next()?).ok()?;
        let (start, end) = range.split_once('-')?;
        let bounds = usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
        let path = &line[line.iter().position(|&byte| byte == b'/')?..];
        bounds.contains(&address).then(|| std::ffi::OsStr::from_bytes(path).into())
    })
}

/// The folder of the module that contains this code: diffuse.dll's, or the program's where it is linked in.
#[cfg(windows)]
fn own_folders() -> Vec<PathBuf> {
    use std::os::windows::ffi::OsStringExt;

    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetModuleHandleExW(flags: u32, address: *const c_void, module: *mut *mut c_void) -> i32;
        fn GetModuleFileNameW(module: *mut c_void, name: *mut u16, capacity: u32) -> u32;
    }
    /// GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT and _FROM_ADDRESS.
    const FLAGS: u32 = 2 | 4;
    /// The longest path that Windows has.
    const LONGEST: usize = 1 << 15;
    let here = own_folders as fn() -> Vec<PathBuf> as *const c_void;
    let mut module = std::ptr::null_mut();
    // SAFETY: the address is that of a function in this module, and `module` is writable for the call.
    if unsafe { GetModuleHandleExW(FLAGS, here, &raw mut module) } == 0 {
        return Vec::new();
    }
    let mut name = vec![0; LONGEST];
    // SAFETY: the module stays while its code runs, and `name` has room for so many.
    let length = unsafe { GetModuleFileNameW(module, name.as_mut_ptr(), LONGEST as u32) } as usize;
    let path = PathBuf::from(std::ffi::OsString::from_wide(&name[..length.min(LONGEST)]));
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_path_buf).into_iter().collect()
}

#[cfg(not(any(unix, windows)))]
fn own_folders() -> Vec<PathBuf> {
    Vec::new()
}

/// What the system's loader finds by the library's bare name. On Android it looks in the program's package. Elsewhere
/// it looks through LD_LIBRARY_PATH (DYLD_LIBRARY_PATH), the rpath of this module, and the loader's own cache. It is
/// not used on Windows, whose system folder may hold an old library of another program.
#[cfg(unix)]
fn by_loader() -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;

    loader_names().iter().find_map(|name| {
        // SAFETY: what its initialisers do is its affair; it is the library that the system has under this name.
        let module = unsafe { libloading::Library::new(*name) }.ok()?;
        // SAFETY: this is the symbol's type in ONNX Runtime's header, of which only the address is used.
        let entry = *unsafe { module.get::<unsafe extern "C" fn() -> *const ApiBase>(b"OrtGetApiBase") }.ok()?;
        // SAFETY: Dl_info is a plain C struct for which all zeroes is a value.
        let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
        // SAFETY: the address is one in the library, which is loaded; `info` is writable for the call.
        if unsafe { libc::dladdr(entry as *const c_void, &raw mut info) } == 0 || info.dli_fname.is_null() {
            return None;
        }
        // SAFETY: dladdr promises a string that lives as long as the library, which is closed after this.
        let path = unsafe { CStr::from_ptr(info.dli_fname) };
        let path = Path::new(std::ffi::OsStr::from_bytes(path.to_bytes()));
        // The file itself identifies the library when it is opened again. In an Android package it is no file.
        std::fs::canonicalize(path).or_else(|_| std::path::absolute(path)).ok()
    })
}

#[cfg(not(unix))]
fn by_loader() -> Option<PathBuf> {
    None
}

/// The names that the system's loader looks for: that in programs linked to it, and that in packages.
#[cfg(unix)]
fn loader_names() -> &'static [&'static str] {
    match std::env::consts::OS {
        // There the loader looks for bare names in the current folder as well.
        "macos" | "ios" => &[
            "@rpath/libonnxruntime.1.dylib",
            "@rpath/libonnxruntime.dylib",
            "@rpath/onnxruntime.framework/onnxruntime",
        ],
        "android" => &["libonnxruntime.so"],
        _ => &["libonnxruntime.so.1", "libonnxruntime.so"],
    }
}

fn start(library: PathBuf) -> Result<Runtime> {
    // In an Android package it is no file of its own.
    if library.exists() {
        library::check(&library).map_err(Error::runtime)?;
    }
    // This is held until `ort` has it as well, so that it is not loaded twice.
    let _module = entered(&library)?;
    let builder = ort::init_from(&library).map_err(|error| refusal(&library, &error))?;
    let version = version(&library).unwrap_or_else(|| "unknown".into());
    Runtime::begun(builder, None, library.into(), version)
}

/// The structure that OrtGetApiBase returns, with its functions as optional, since a library may lack them.
#[repr(C)]
struct ApiBase {
    get_api: Option<unsafe extern "C" fn(u32) -> *const c_void>,
    get_version_string: Option<unsafe extern "C" fn() -> *const c_char>,
}

impl ApiBase {
    /// Its version and the required API, which is NULL if the library is too old.
    ///
    /// # Safety
    /// It is what OrtGetApiBase returned.
    unsafe fn asked(&self) -> Result<(String, *const c_void), String> {
        // SAFETY: the functions' types are those of ONNX Runtime's header, the same in all versions; it returns a
        // static string, or NULL.
        let version = self.get_version_string.map_or(std::ptr::null(), |version| unsafe { version() });
        if version.is_null() {
            return Err("it does not report its version".into());
        }
        // SAFETY: not NULL, so a static C string.
        let version = unsafe { CStr::from_ptr(version) }.to_string_lossy().into_owned();
        let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
        // An older one writes to standard error that it has no such API.
        if minor.is_none_or(|minor| minor < OLDEST_MINOR_VERSION) {
            return Ok((version, std::ptr::null()));
        }
        // SAFETY: as above; it returns a static structure, or NULL.
        let api = self.get_api.map_or(std::ptr::null(), |api| unsafe { api(OLDEST_MINOR_VERSION) });
        if api.is_null() {
            return Err(format!("version {version} gives no API of 1.{OLDEST_MINOR_VERSION}"));
        }
        Ok((version, api))
    }
}

/// Loads the library, and refuses one that returns NULL for its API or its version. `ort` takes these for granted, and
/// panics or reads at NULL. A library that cannot be loaded, has no such function or is too old is left to `ort`, which
/// reports it.
fn entered(library: &Path) -> Result<Option<libloading::Library>> {
    type GetApiBase = unsafe extern "C" fn() -> *const ApiBase;
    let refused = |what: &str| Err(Error::runtime(format!("{} is not ONNX Runtime: {what}", library.display())));
    // SAFETY: what its initialisers do is its affair; it is the library that the caller asked for.
    let Ok(module) = (unsafe { libloading::Library::new(library) }) else { return Ok(None) };
    // SAFETY: this is the symbol's type in ONNX Runtime's header, the same in all versions.
    let Ok(get_api_base) = (unsafe { module.get::<GetApiBase>(b"OrtGetApiBase") }).map(|symbol| *symbol) else {
        return Ok(Some(module));
    };
    // SAFETY: as above; it returns a static structure, or NULL.
    let Some(base) = (unsafe { get_api_base().as_ref() }) else { return refused("its OrtGetApiBase gives NULL") };
    // SAFETY: as above.
    match unsafe { base.asked() } {
        Ok(_) => Ok(Some(module)),
        Err(reason) => refused(&reason),
    }
}

/// Whether this version may send telemetry. Official builds do from 1.29 on. A library without a version may.
fn has_telemetry(version: &str) -> bool {
    version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok()).is_none_or(|minor| minor >= 29)
}

/// The version of the library. Only the entry point that `ort` keeps private can report it.
fn version(library: &Path) -> Option<String> {
    type GetApiBase = unsafe extern "C" fn() -> *const ort::sys::OrtApiBase;
    // SAFETY: the library is loaded already, so its initialisers do not run again.
    let module = unsafe { libloading::Library::new(library) }.ok()?;
    // SAFETY: this is the symbol's type in ONNX Runtime's header, the same in all versions.
    let get_api_base = unsafe { module.get::<GetApiBase>(b"OrtGetApiBase") }.ok()?;
    // SAFETY: ONNX Runtime returns a static structure, or null.
    let base = unsafe { get_api_base().as_ref() }?;
    // SAFETY: the function returns a static C string.
    let version = unsafe { std::ffi::CStr::from_ptr((base.GetVersionString)()) };
    Some(version.to_str().ok()?.to_owned())
}

fn refusal(library: &Path, error: &ort::LoadDynamicError) -> Error {
    let place = library.display();
    Error::runtime(match error {
        ort::LoadDynamicError::Dlopen { error, .. } => {
            // libloading's own text leaves the system's reason to its source.
            let reason = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
            format!("{place} cannot be loaded: {reason}")
        }
        ort::LoadDynamicError::MissingApi { .. } => {
            format!("{place} is a library, but not ONNX Runtime: it has no OrtGetApiBase")
        }
        ort::LoadDynamicError::BadVersion { version_str, .. } => {
            format!("{place} is version {version_str}; 1.{OLDEST_MINOR_VERSION} or newer is needed")
        }
        ort::LoadDynamicError::InvalidVersionString => format!("{place} does not report its version"),
    })
}
