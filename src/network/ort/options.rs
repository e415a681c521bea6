//! The options with which a network is opened in ONNX Runtime.

use std::cell::RefCell;
use std::sync::Arc;
use std::thread::JoinHandle;

use ort::environment::ThreadManager;
use ort::session::Session;
use ort::session::builder::{LoadCanceler, SessionBuilder};

use super::provider::{self, MOST_THREADS, Opening, Placement, Provider};
use super::runtime::Runtime;
use crate::cancel::{Canceller, Interrupt};
use crate::error::{Error, Result};
use crate::priority::Priority;
use crate::process::{self, Vigil};

/// The memory policy: what becomes of the parts of a model that are not being evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Memory {
    /// They stay open for the next run.
    #[default]
    Keep,
    /// Each part is released when its stage of a run is over. So a run never holds more than its largest part.
    Stage,
    /// Parts are released where the files of the open ones have more bytes than this.
    Limit(u64),
}

impl Memory {
    /// Reads a policy: `keep`, `stage`, or a number of bytes, which may end in `k`, `M` or `G`.
    ///
    /// # Errors
    /// [`Error::Argument`] if it is none of these.
    pub fn parse(text: &str) -> Result<Self> {
        let unit = |text: &str| match text.as_bytes().last() {
            Some(b'k') => 1_000,
            Some(b'M') => 1_000_000,
            Some(b'G') => 1_000_000_000,
            _ => 1,
        };
        let bytes = |text: &str| {
            let number: f64 = text.trim_end_matches(['k', 'M', 'G']).parse().ok()?;
            let bytes = number * f64::from(unit(text));
            (bytes.is_finite() && bytes >= 0.0).then_some(bytes as u64)
        };
        match text {
            "keep" => Ok(Self::Keep),
            "stage" => Ok(Self::Stage),
            _ => bytes(text).map(Self::Limit).ok_or_else(|| {
                Error::argument("memory", format!("{text:?}; expected keep, stage, or a number of bytes such as 4G"))
            }),
        }
    }
}

/// How a model is opened. The defaults suit a program that does other things as well.
#[derive(Debug, Clone, Default)]
pub struct ModelOptions {
    /// The number of threads that one evaluation uses, up to 1024. Default: 0.
    ///
    /// 0 is one thread per physical core, or per logical core that the opening thread may use if there are fewer. It
    /// leaves one core to the host where there are more than two.
    pub threads: usize,
    /// Whether idle threads spin while they wait. Spinning makes evaluations that follow each other at once a little
    /// faster. It keeps a core busy between those that do not.
    pub spinning: bool,
    /// The priority of evaluations, which is that of ONNX Runtime's threads for them. A [`Runner`](crate::run::Runner)
    /// has its own priority, which in C is that of the model. The caller's threads keep theirs.
    pub priority: Priority,
    /// The execution providers, in the order of preference. The first available one takes the nodes that it can, and
    /// the next ones take the rest. An empty list is the CPU alone. An unavailable provider is skipped only if there is
    /// another after it. [`Network::placement`](super::Network::placement) reports which were skipped.
    pub providers: Vec<Provider>,
    /// Whether the CPU may take the nodes that none of `providers` takes, without being one of them.
    ///
    /// It may always take nodes that compute sizes, which CUDA leaves to the CPU by choice. It may also take nodes of a
    /// pipeline's parts beside its predictor, for which no step waits.
    pub cpu_nodes: bool,
    /// A manifest, as JSON, to use instead of the model's own.
    pub manifest: Option<String>,
    /// The weight files of a model that is opened from bytes: each file's name, as the model spells it, and its bytes.
    /// They are kept for as long as the model is open. A model that is opened from a file takes none.
    pub external_data: Vec<(String, Arc<[u8]>)>,
    /// Whether weight files are read into memory. Otherwise the system maps the files, which is quicker and takes less
    /// memory. But a program that overwrites a mapped file in place ends this process (SIGBUS), or changes what is
    /// generated.
    pub copy_weights: bool,
    /// The memory policy for the parts of a model that are not being evaluated. It has no effect on a model of one
    /// graph.
    pub memory: Memory,
    /// A canceller that ends the opening from another thread, with [`Error::Cancelled`].
    pub canceller: Option<Canceller>,
}

/// ONNX Runtime's own way to end an opening.
struct LoadInterrupt(LoadCanceler);

impl Interrupt for LoadInterrupt {
    fn interrupt(&self) {
        // It fails only once the opening is over.
        let _ = self.0.cancel();
    }
}

impl ModelOptions {
    /// Watches over the first calls with these providers.
    pub(super) fn vigil(&self, what: &str) -> Vigil {
        let names: Vec<&str> = self.providers.iter().map(Provider::name).collect();
        Vigil::keep(&format!("{what} {}", names.join(",")))
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (i, (name, _)) in self.external_data.iter().enumerate() {
            if self.external_data[..i].iter().any(|(other, _)| other == name) {
                return Err(Error::argument("external_data", format!("{name:?} is given twice")));
            }
        }
        if self.threads > MOST_THREADS {
            return Err(Error::argument("threads", format!("{}; at most {MOST_THREADS} are possible", self.threads)));
        }
        Ok(())
    }

    /// Opens a session with these options by `commit`.
    pub(super) fn open(
        &self,
        runtime: &Runtime,
        commit: impl Fn(SessionBuilder) -> Result<Session>,
    ) -> Result<(Session, Placement)> {
        let attempts = RefCell::default();
        let builder = || builder(runtime, self, &attempts).map_err(|error| Error::runtime(error.message()));
        let Self { providers, cpu_nodes, .. } = self;
        let opened = provider::open(&Opening { runtime, providers, cpu_nodes: *cpu_nodes, builder, commit });
        match opened {
            Err(_) if process::is_ending() || self.canceller.as_ref().is_some_and(Canceller::is_cancelled) => {
                Err(Error::Cancelled)
            }
            opened => opened,
        }
    }
}

/// The number of physical cores, or of the logical cores that this thread may use where these are fewer. They are fewer
/// within a container's limit, and on a thread that is bound to some, as the network's threads will be.
fn cores() -> usize {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    num_cpus::get_physical().clamp(1, allowed).min(MOST_THREADS)
}

/// How many of `cores` one evaluation uses. A host with more than two keeps one for its frames.
const fn leaving_one(cores: usize) -> usize {
    if cores > 2 { cores - 1 } else { cores }
}

/// Makes ONNX Runtime's threads where they have another priority than this thread.
struct Threads(Priority);

impl ThreadManager for Threads {
    type Thread = JoinHandle<()>;

    fn create(&self, work: impl FnOnce() + Send + 'static) -> ort::Result<Self::Thread> {
        let priority = self.0;
        let body = move || {
            priority.take();
            work();
        };
        std::thread::Builder::new()
            .name("diffuse network".into())
            .spawn(body)
            .map_err(|error| ort::Error::new(format!("the system refuses a thread: {error}")))
    }

    fn join(thread: Self::Thread) -> ort::Result<()> {
        // The thread returns nothing, and a panic in it would be ONNX Runtime's.
        let _ = thread.join();
        Ok(())
    }
}

/// A builder with these options. The handle that interrupts it is in `attempts` for as long as the opening takes.
fn builder(
    runtime: &Runtime,
    options: &ModelOptions,
    attempts: &RefCell<Vec<Arc<dyn Interrupt>>>,
) -> ort::Result<SessionBuilder> {
    let mut builder = Session::builder(runtime.environment())?
        .with_no_environment_execution_providers()?
        .with_intra_op_spinning(options.spinning)?
        .with_inter_op_spinning(options.spinning)?;
    // With a given number ONNX Runtime does not bind its threads to cores, where they would be on the host's.
    builder = builder.with_intra_threads(match options.threads {
        0 => leaving_one(cores()),
        threads => threads,
    })?;
    if options.priority != Priority::Normal {
        builder = builder.with_thread_manager(Threads(options.priority))?;
    }
    let interrupt: Arc<dyn Interrupt> = Arc::new(LoadInterrupt(builder.canceler()));
    process::interrupt_at_exit(&interrupt);
    options.canceller.iter().for_each(|canceller| canceller.add(&interrupt));
    attempts.borrow_mut().push(interrupt);
    for (name, bytes) in &options.external_data {
        builder = builder.with_external_initializer_file_in_memory(name, Arc::clone(bytes))?;
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_two_cores_are_shared_with_the_host() {
        assert_eq!([1, 2, 3, 4, 64].map(leaving_one), [1, 2, 2, 3, 63]);
        let allowed = std::thread::available_parallelism().unwrap().get();
        assert!((1..=allowed).contains(&cores()), "{} of {allowed}", cores());
    }
}
