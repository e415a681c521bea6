//! A graph that is opened when it is needed, and can be released.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::contents;
use super::files::{Files, hex};
use super::network::Network;
use super::options::ModelOptions;
use super::provider::Placement;
use super::runtime::Runtime;
use crate::cancel::Canceller;
use crate::error::{Error, Result};
use crate::priority::Priority;
use crate::signature::Signature;
use crate::sync::Mutex;

/// A graph of a model. Its inputs and outputs are read from its file. So ONNX Runtime need not have it open before it
/// is evaluated, nor after.
#[derive(Debug)]
pub(crate) struct Part {
    name: String,
    stem: Option<String>,
    place: Place,
    signature: Signature,
    bytes: u64,
    held: Mutex<Held>,
    placement: OnceLock<Placement>,
}

/// What is known of an open network.
#[derive(Debug, Default)]
struct Held {
    /// `None` once it was released.
    own: Option<Arc<Network>>,
    /// The network for as long as jobs evaluate it. So a part that was released is not opened a second time beside it.
    of_jobs: Weak<Network>,
}

/// Where the network is opened from.
#[derive(Debug)]
enum Place {
    /// The caller opened it, and it stays open.
    Open,
    File(Opener, PathBuf, Files),
    Memory(Opener, Arc<[u8]>),
}

/// What opens the network.
struct Opener {
    runtime: Runtime,
    options: ModelOptions,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener").finish_non_exhaustive()
    }
}

/// How long a job sleeps at a time while another one opens the part. A cancelled job waits no longer than this.
const PAUSE: Duration = Duration::from_millis(1);

impl Part {
    /// A network that is open and stays open.
    pub(crate) fn of(network: Arc<Network>) -> Self {
        Self {
            name: network.name(),
            stem: network.stem().map(str::to_owned),
            place: Place::Open,
            signature: network.signature().clone(),
            bytes: 0,
            placement: OnceLock::from(network.placement().clone()),
            held: Mutex::new(Held { of_jobs: Arc::downgrade(&network), own: Some(network) }),
        }
    }

    /// The priority of its evaluations.
    pub(crate) fn priority(&self) -> Priority {
        match &self.place {
            Place::Open => self.held.held().own.as_ref().map_or(Priority::Normal, |network| network.priority()),
            Place::File(opener, ..) | Place::Memory(opener, _) => opener.options.priority,
        }
    }

    /// The part, of which the CPU may take nodes that no provider takes.
    #[must_use]
    pub(crate) fn with_cpu_nodes(mut self) -> Self {
        if let Place::File(opener, ..) | Place::Memory(opener, _) = &mut self.place {
            opener.options.cpu_nodes = true;
        }
        self
    }

    /// The graph in the file at `path`, with its weight files.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read. [`Error::Model`] if it is no graph, if a weight file is missing, or if it is
    /// compiled for a device. [`Error::Cancelled`].
    pub(crate) fn file(runtime: &Runtime, path: &Path, options: &ModelOptions) -> Result<Self> {
        let name = path.display().to_string();
        let stopped = || options.canceller.as_ref().is_some_and(Canceller::is_cancelled);
        let files = Files::open(path, &stopped)?;
        check(&name, files.unread(), files.is_compiled(), files.missing())?;
        if files.signature().outputs.is_empty() {
            return Err(Error::model(name, "it is empty, or no ONNX graph: it gives nothing"));
        }
        let (signature, bytes) = (files.signature().clone(), files.bytes());
        let place = Place::File(Opener::new(runtime, options), path.to_path_buf(), files);
        Ok(Self { name, stem: None, place, signature, bytes, held: Mutex::default(), placement: OnceLock::new() })
    }

    /// The graph in `graph`, called `name`. `data` finds its weight files by the names in the graph.
    ///
    /// # Errors
    /// As [`file`](Self::file).
    pub(crate) fn memory(
        runtime: &Runtime,
        name: &str,
        graph: &Arc<[u8]>,
        options: &ModelOptions,
        data: impl Fn(&str) -> Option<Arc<[u8]>>,
    ) -> Result<Self> {
        let read = contents::read(Cursor::new(&graph[..]), graph.len() as u64, &|| false);
        let contents = read.map_err(|error| Error::model(name, format!("it is no ONNX graph ({error})")))?;
        let mut external = Vec::new();
        let mut missing = None;
        for file in &contents.files {
            let file = String::from_utf8_lossy(file).into_owned();
            match data(&file) {
                Some(bytes) => external.push((file, bytes)),
                None => missing = Some(file),
            }
        }
        check(name, None, contents.is_compiled, missing.as_deref())?;
        let bytes = graph.len() + external.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        let options = ModelOptions { external_data: external, ..options.clone() };
        Ok(Self {
            name: name.to_owned(),
            stem: None,
            place: Place::Memory(Opener::new(runtime, &options), Arc::clone(graph)),
            signature: contents.signature,
            bytes: bytes as u64,
            held: Mutex::default(),
            placement: OnceLock::new(),
        })
    }

    /// Its file, or the caller's name for it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The name of its file without the ending.
    pub(crate) fn stem(&self) -> Option<&str> {
        self.stem.as_deref()
    }

    /// Its inputs and outputs.
    pub(crate) fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The number of bytes of its files. It is 0 for a part that the caller opened.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The network, if it is open because it is held or because a job evaluates it.
    pub(crate) fn held(&self) -> Option<Arc<Network>> {
        self.held.held().of_jobs.upgrade()
    }

    /// Its execution providers, once it was open.
    pub(crate) fn placement(&self) -> Option<&Placement> {
        self.placement.get()
    }

    /// The network, which is opened if it is not open.
    ///
    /// # Errors
    /// As [`Network::open`]. [`Error::Io`] if a file of it was changed since the model was opened.
    /// [`Error::Cancelled`].
    pub(crate) fn network(&self, canceller: &Canceller) -> Result<Arc<Network>> {
        let mut held = loop {
            canceller.check()?;
            match self.held.try_held() {
                Some(held) => break held,
                // Another job is opening it.
                None => std::thread::sleep(PAUSE),
            }
        };
        if let Some(network) = held.of_jobs.upgrade() {
            held.own = Some(Arc::clone(&network));
            return Ok(network);
        }
        let with = |options: &ModelOptions| ModelOptions { canceller: Some(canceller.clone()), ..options.clone() };
        let network = match &self.place {
            Place::Open => return Err(Error::model(&self.name, "it was given back")),
            Place::File(Opener { runtime, options }, path, files) => {
                files.check_names()?;
                let network = Network::open(runtime, path, &with(options))?;
                files.check_names()?;
                network
            }
            Place::Memory(Opener { runtime, options }, graph) => Network::from_bytes(runtime, graph, &with(options))?,
        };
        self.placement.get_or_init(|| network.placement().clone());
        let network = Arc::new(network);
        *held = Held { of_jobs: Arc::downgrade(&network), own: Some(Arc::clone(&network)) };
        Ok(network)
    }

    /// Releases it. Its memory is free once no job evaluates it any more. A part that the caller opened stays.
    pub(crate) fn release(&self) {
        if !matches!(self.place, Place::Open) {
            let network = self.held.try_held().and_then(|mut held| held.own.take());
            drop(network);
        }
    }

    /// The SHA-256 of each of its files, by the name in the graph. The name of the graph itself is empty.
    ///
    /// # Errors
    /// [`Error::Io`] if one was changed since the model was opened, or cannot be read.
    pub(crate) fn digests(&self) -> Result<Vec<(String, String)>> {
        match &self.place {
            Place::Open => Ok(Vec::new()),
            Place::File(_, _, files) => files.digests(),
            Place::Memory(Opener { options, .. }, graph) => {
                let data = options.external_data.iter().map(|(name, bytes)| (name.clone(), hex(Sha256::digest(bytes))));
                Ok(std::iter::once((String::new(), hex(Sha256::digest(graph)))).chain(data).collect())
            }
        }
    }
}

impl Opener {
    fn new(runtime: &Runtime, options: &ModelOptions) -> Self {
        // A part uses neither the manifest nor the canceller of the whole model's opening.
        let options = ModelOptions { manifest: None, canceller: None, ..options.clone() };
        Self { runtime: runtime.clone(), options }
    }
}

/// Refuses a graph that cannot be read, is compiled, or lacks weight files.
fn check(name: &str, unread: Option<&str>, is_compiled: bool, missing: Option<&str>) -> Result<()> {
    if let Some(reason) = unread {
        return Err(Error::model(name, format!("it is no ONNX graph, or not all of one ({reason})")));
    }
    if is_compiled {
        let reason = "it is compiled for one device (an EPContext node), and only that device's own software runs it; export the model as plain ONNX";
        return Err(Error::model(name, reason));
    }
    match missing {
        Some(file) => Err(Error::model(name, format!("its weights are in '{file}', which is not there"))),
        None => Ok(()),
    }
}
