//! A network in ONNX Runtime: it opens the graph, and reads its inputs and outputs.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once, OnceLock};

use ort::session::{Session, SessionInputValue, SessionOutputs};
use ort::value::{Outlet, TensorElementType, ValueType};
use sha2::{Digest, Sha256};

use super::files::{Files, hex};
use super::native::Arena;
use super::options::ModelOptions;
use super::provider::Placement;
use super::runtime::Runtime;
use super::stop::Stop;
use super::turns::Turns;
use crate::cancel::{Canceller, Interrupt};
use crate::error::{Error, Result};
use crate::json::decoded;
use crate::priority::Priority;
use crate::process::{self, Call, Own, Process, Vigil};
use crate::signature::{Element, Signature, TensorInfo};

/// The key of the manifest in a model's metadata.
const METADATA_KEY: &str = "diffuse";

/// ONNX Runtime's description of an input or an output.
fn info(outlet: &Outlet) -> TensorInfo {
    let name = outlet.name().to_owned();
    let ValueType::Tensor { ty, shape, dimension_symbols } = outlet.dtype() else {
        return TensorInfo { name, element: Element::Other, shape: Vec::new(), axes: Vec::new() };
    };
    TensorInfo {
        name,
        element: match ty {
            TensorElementType::Float32 => Element::F32,
            TensorElementType::Float16 => Element::F16,
            TensorElementType::Bfloat16 => Element::Bf16,
            TensorElementType::Float64 => Element::F64,
            TensorElementType::Int64 => Element::I64,
            TensorElementType::Int32 => Element::I32,
            TensorElementType::Int16 => Element::I16,
            TensorElementType::Int8 => Element::I8,
            TensorElementType::Uint64 => Element::U64,
            TensorElementType::Uint32 => Element::U32,
            TensorElementType::Uint16 => Element::U16,
            TensorElementType::Uint8 => Element::U8,
            TensorElementType::Bool => Element::Bool,
            _ => Element::Other,
        },
        shape: shape.iter().map(|&axis| usize::try_from(axis).ok()).collect(),
        axes: dimension_symbols.iter().map(ToString::to_string).collect(),
    }
}

/// The origin of a network's bytes.
#[derive(Debug)]
enum Origin {
    File(PathBuf, Files),
    /// The SHA-256 of the graph, and the files with external data that were given.
    Memory(String, Vec<(String, Arc<[u8]>)>),
}

/// The SHA-256 of a part of a model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PartHash {
    /// "graph", "manifest", or the name that the graph has for a file with weights.
    pub part: String,
    /// In hexadecimal.
    pub sha256: String,
}

/// A network in ONNX Runtime, before its manifest has been read. `diffuse-cli inspect` shows it for a model without a
/// manifest.
pub struct Network {
    session: Arc<Turns<Own<Session>>>,
    process: Process,
    /// Whether it was evaluated.
    begun: Once,
    placement: Placement,
    priority: Priority,
    signature: Signature,
    manifest: Option<(String, String)>,
    origin: Origin,
    hashes: OnceLock<(String, Vec<PartHash>)>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("origin", &self.origin)
            .field("placement", &self.placement)
            .field("signature", &self.signature)
            .finish_non_exhaustive()
    }
}

impl Network {
    /// Opens the model file at `path`, with the external data beside it. The files stay open, so that
    /// [`hash`](Self::hash) is the hash of what was opened.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read. [`Error::Model`] if it is not a model that ONNX Runtime can run.
    pub fn open(runtime: &Runtime, path: &Path, options: &ModelOptions) -> Result<Self> {
        options.check()?;
        if !options.external_data.is_empty() {
            let reason = "it is for a model from bytes; one from a file has the files beside it";
            return Err(Error::argument("external_data", reason));
        }
        let (_call, _vigil) = (Call::begin()?, options.vigil("opening"));
        let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
        let name = path.display().to_string();
        if metadata.is_dir() {
            return Err(Error::model(name, "this is a folder; name the .onnx file in it"));
        }
        if !metadata.is_file() {
            return Err(Error::model(name, "this is no regular file; read it and open the model from its bytes"));
        }
        if metadata.len() == 0 {
            return Err(Error::model(name, "the file is empty"));
        }
        // This also tells a file that may not be read from one that is no model, for which ONNX Runtime has the same
        // message.
        let stopped = || process::is_ending() || options.canceller.as_ref().is_some_and(Canceller::is_cancelled);
        let files = Files::open(path, &stopped)?;
        let copied;
        let options = if options.copy_weights {
            copied = ModelOptions { external_data: files.external_data()?, ..options.clone() };
            &copied
        } else {
            options
        };
        let opened = options.open(runtime, |mut builder| contained(&name, || builder.commit_from_file(path)));
        let opened = opened.map_err(|error| with_format(error, &first_bytes(path)))?;
        // ONNX Runtime has opened them by their names as well.
        files.check_names()?;
        let beside = read_beside(&path.with_extension("diffuse.json"))?;
        Ok(Self::new(opened, beside, options, Origin::File(path.to_path_buf(), files)))
    }

    /// Opens a model from the bytes of its file. They are not needed afterwards.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(runtime: &Runtime, bytes: &[u8], options: &ModelOptions) -> Result<Self> {
        options.check()?;
        let (_call, _vigil) = (Call::begin()?, options.vigil("opening"));
        if bytes.is_empty() {
            return Err(Error::model(MEMORY, "there are no bytes"));
        }
        let opened = options.open(runtime, |mut builder| contained(MEMORY, || builder.commit_from_memory(bytes)));
        let opened = opened.map_err(|error| with_format(error, bytes))?;
        let mut data = options.external_data.clone();
        data.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let origin = Origin::Memory(hex(Sha256::digest(bytes)), data);
        Ok(Self::new(opened, None, options, origin))
    }

    fn new(
        (session, placement): (Session, Placement),
        beside: Option<(String, String)>,
        options: &ModelOptions,
        origin: Origin,
    ) -> Self {
        let inside = session.metadata().ok().and_then(|metadata| metadata.custom(METADATA_KEY));
        let given = options.manifest.clone().map(|json| (json, "the manifest that was passed".to_owned()));
        let manifest = given.or(beside).or_else(|| Some((inside?, "the model's metadata".to_owned())));
        let signature = Signature {
            inputs: session.inputs().iter().map(info).collect(),
            outputs: session.outputs().iter().map(info).collect(),
        };
        let session = Arc::new(Turns::new(Own::native(session)));
        let (process, hashes, begun) = (Process::current(), OnceLock::new(), Once::new());
        let priority = options.priority;
        Self { session, process, begun, placement, priority, signature, manifest, origin, hashes }
    }

    /// The priority of its evaluations.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// The inputs and outputs of the graph.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The execution providers that evaluate it, and those that were requested and skipped.
    #[must_use]
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// The manifest, as JSON, and where it is from: the options, the file beside the model, or the model's metadata.
    #[must_use]
    pub fn manifest(&self) -> Option<(&str, &str)> {
        self.manifest.as_ref().map(|(json, place)| (json.as_str(), place.as_str()))
    }

    /// The model's path, or "model in memory".
    #[must_use]
    pub fn name(&self) -> String {
        match &self.origin {
            Origin::File(path, _) => path.display().to_string(),
            Origin::Memory(..) => MEMORY.into(),
        }
    }

    /// The name of the model's file without its ending.
    pub(crate) fn stem(&self) -> Option<&str> {
        match &self.origin {
            Origin::File(path, _) => path.file_stem()?.to_str(),
            Origin::Memory(..) => None,
        }
    }

    /// The SHA-256 that identifies the model, in hexadecimal. It is that of the lines that `sha256sum` prints for its
    /// [`parts`](Self::parts), each "hash, two spaces, part". The files are read for it on the first call.
    ///
    /// # Errors
    /// [`Error::Io`] if a file of it was changed since the model was opened. [`Error::Argument`] in a process that was
    /// forked since.
    pub fn hash(&self) -> Result<&str> {
        Ok(&self.hashes()?.0)
    }

    /// The SHA-256 of everything that the model consists of: the graph, every file with weights, and the manifest in
    /// use.
    ///
    /// # Errors
    /// As [`hash`](Self::hash).
    pub fn parts(&self) -> Result<&[PartHash]> {
        Ok(&self.hashes()?.1)
    }

    fn hashes(&self) -> Result<&(String, Vec<PartHash>)> {
        self.process.check("model")?;
        if let Some(known) = self.hashes.get() {
            return Ok(known);
        }
        let of_files = match &self.origin {
            Origin::File(_, files) => files.digests()?,
            Origin::Memory(graph, data) => {
                let data = data.iter().map(|(name, bytes)| (name.clone(), hex(Sha256::digest(bytes))));
                std::iter::once((String::new(), graph.clone())).chain(data).collect()
            }
        };
        let manifest = self.manifest.iter().map(|(json, _)| ("manifest".to_owned(), hex(Sha256::digest(json))));
        let named =
            of_files.into_iter().map(|(name, hash)| (if name.is_empty() { "graph".into() } else { name }, hash));
        let parts: Vec<PartHash> = named.chain(manifest).map(|(part, sha256)| PartHash { part, sha256 }).collect();
        let mut whole = Sha256::new();
        for PartHash { part, sha256 } in &parts {
            whole.update(format!("{sha256}  {part}\n"));
        }
        Ok(self.hashes.get_or_init(|| (hex(whole.finalize()), parts)))
    }

    /// The weight files that the model file at `path` names, as far as they are there. Nothing stays open.
    #[must_use]
    pub fn weight_files(path: &Path) -> Vec<PathBuf> {
        let files = std::fs::metadata(path).is_ok_and(|file| file.is_file()).then(|| Files::open(path, &|| false));
        files.and_then(Result::ok).iter().flat_map(Files::paths).skip(1).map(Path::to_path_buf).collect()
    }

    /// Calls `call` with the session. It is for benchmarks and tests that compare a step with a bare call of the
    /// session. It is not part of the API, since it has the types of a release candidate of another crate.
    #[doc(hidden)]
    pub fn with_session<T>(&self, call: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let _call = Call::begin().ok()?;
        self.session.with(None, || false, |session| call(session))
    }

    /// The session, which is used in turns.
    pub(super) fn session(&self) -> &Arc<Turns<Own<Session>>> {
        &self.session
    }

    /// The number of bytes that ONNX Runtime holds for it on the CPU: its weights, and the memory that evaluations have
    /// needed at a time. `None` where ONNX Runtime does not report it. `canceller` ends the wait for its turn.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn memory(&self, canceller: &Canceller) -> Result<Option<usize>> {
        let stop = Stop::new(&self.session, &[])?;
        canceller.add(&(Arc::clone(&stop) as Arc<dyn Interrupt>));
        let bytes = |session: &mut Own<Session>| Arena::of(session).ok()?.bytes().ok();
        self.session.with(Some(stop.waiter()), || stop.is_stopped(), bytes).ok_or(Error::Cancelled)
    }

    /// Evaluates the network once on `inputs`, in the order of its [`signature`](Self::signature), and passes its
    /// outputs to `read`. `stop` can end it, and the wait for its turn, from another thread. Then the error is
    /// [`Error::Cancelled`], or ONNX Runtime's.
    pub(super) fn run<T>(
        &self,
        inputs: &[SessionInputValue<'_>],
        stop: &Stop,
        read: impl FnOnce(&SessionOutputs<'_>) -> ort::Result<T>,
    ) -> Result<ort::Result<T>> {
        self.process.check("model")?;
        let call = |session: &mut Own<Session>| {
            let _call = Call::begin()?;
            let mut vigil = None;
            self.begun.call_once(|| vigil = Some(Vigil::keep(&format!("evaluating {}", self.placement.provider))));
            let outputs = session.run_with_options(inputs, stop.options());
            Ok(outputs.and_then(|outputs| read(&outputs)))
        };
        self.session.with(Some(stop.waiter()), || stop.is_stopped(), call).ok_or(Error::Cancelled)?
    }
}

const MEMORY: &str = "model in memory";

/// Opens a session. `ort` panics on a few graphs that ONNX Runtime accepts, such as one with an axis of −2.
fn contained(model: &str, open: impl FnOnce() -> ort::Result<Session>) -> Result<Session> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(open)) {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(error)) if is_of_memory(error.message()) => Err(Error::memory(format!("{model}: {}", error.message()))),
        Ok(Err(error)) => Err(Error::model(model, format!("ONNX Runtime cannot open it: {}", error.message()))),
        Err(_) => Err(Error::model(model, "its graph declares a type or an axis that is impossible")),
    }
}

/// The first bytes of the file at `path`, and none if it cannot be read.
fn first_bytes(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = std::fs::File::open(path).and_then(|file| file.take(16).read_to_end(&mut bytes));
    bytes
}

/// Explains a model that ONNX Runtime cannot open, where its first bytes are those of another format.
fn with_format(error: Error, bytes: &[u8]) -> Error {
    let format = match bytes {
        [b'G', b'G', b'U', b'F', ..] => "a GGUF file",
        // A length of 8 bytes, and JSON.
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] => "a safetensors checkpoint",
        [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..] => "a PyTorch checkpoint",
        [0xff, 0xd8, 0xff, ..] | [0x89, b'P', b'N', b'G', ..] => "a picture",
        _ => return error,
    };
    match error {
        Error::Model { model, .. } => Error::Model {
            model,
            reason: format!("this is {format}, and no ONNX file; export the network to ONNX first"),
        },
        error => error,
    }
}

/// The manifest beside a model and its path; `None` if there is none.
fn read_beside(path: &Path) -> Result<Option<(String, String)>> {
    /// The greatest length of a manifest file, far more than any has. The file is not ours, and might be a device
    /// without an end.
    const MOST_BYTES: u64 = 16 << 20;
    // A broken link is a mistake, and not the absence of a manifest. A model's name may be so long that no file can
    // have it with another ending.
    let absent = [std::io::ErrorKind::NotFound, std::io::ErrorKind::InvalidFilename];
    if path.symlink_metadata().is_err_and(|error| absent.contains(&error.kind())) {
        return Ok(None);
    }
    let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        return Err(Error::model(
            path.display().to_string(),
            format!("a manifest is a file of at most {MOST_BYTES} bytes"),
        ));
    }
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    let json = decoded(&bytes).map_err(|reason| Error::model(path.display().to_string(), reason))?;
    Ok(Some((json.into_owned(), path.display().to_string())))
}

/// Whether this is ONNX Runtime's message for too little memory.
pub(super) fn is_of_memory(text: &str) -> bool {
    text.contains("bad_alloc") || text.contains("Failed to allocate memory")
}
