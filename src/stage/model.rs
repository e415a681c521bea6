//! Models: a network with a manifest that fits it. A pipeline has parts before and behind the network as well.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use super::folder::{Folder, INDEX};
use super::parts::Parts;
use super::roles::Roles;
use crate::cancel::Canceller;
use crate::error::{Error, Result};
use crate::json::decoded;
use crate::log::{Severity, say};
use crate::model::{
    Axis, Inputs, Kind, Manifest, Outputs, PIPELINE_FILE, Pipeline, Sample, SchedulerConfig, Shape, Sizes, recognise,
};
use crate::network::{Element, HostNetwork, ModelOptions, Network, Part, PartHash, Placement, Runtime, hex};
use crate::priority::Priority;
use crate::schedule::{NoiseLevel, NoiseSchedule, Tables};
use crate::signature::Signature;
use crate::sync::Mutex;

/// A network together with a manifest that fits it, with its other parts where a folder was opened. It can be shared
/// between threads. Their evaluations take turns.
#[derive(Debug)]
pub struct Model {
    pub(super) source: Source,
    pub(super) manifest: Manifest,
    pub(super) schedule: Arc<dyn NoiseSchedule>,
    notes: Vec<String>,
    /// The samples that a run generates: the network's own, or what the autoencoder makes of them.
    drawn: Sample,
    parts: Option<Box<Parts>>,
    /// The placement for a network that was not open yet.
    asked: Placement,
    hashes: OnceLock<(String, Vec<PartHash>)>,
    /// The free sizes of the latest run.
    latest: Mutex<Sizes>,
}

/// A graph of a model of several parts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Graph<'a> {
    /// Its file, as a path from the folder.
    pub path: String,
    /// The number of bytes of the graph, with the files of its weights.
    pub bytes: u64,
    /// Its inputs and outputs.
    pub signature: &'a Signature,
}

/// What evaluates a model's network.
#[derive(Debug)]
pub(super) enum Source {
    /// ONNX Runtime.
    Graph(Arc<Part>, Box<Roles>),
    /// The caller's own code.
    Host(Arc<HostNetwork>, Placement),
}

/// The note about samples that may be pictures or latents.
fn ambiguous_kind(manifest: &Manifest) -> Option<String> {
    manifest.sample.is_ambiguous().then(|| {
        format!(
            "sample.shape is {} and sample.kind is not given. The samples are treated as a tensor, which is neither clipped nor drawn. \"image\" is RGBA, \"latent\" is the input of an autoencoder",
            manifest.sample.shape
        )
    })
}

/// What a pipeline generates. It is pixels of the usual size where an autoencoder makes them, else the predictor's
/// samples.
fn drawn(pipeline: &Pipeline, manifest: &Manifest) -> Sample {
    if pipeline.autoencoder.is_none() {
        return manifest.sample.clone();
    }
    let axis = |place: usize, name: &str| match pipeline.size {
        Some(size) => Axis::Size(size[place]),
        None => Axis::Free(name.into()),
    };
    Sample {
        shape: Shape(vec![Axis::Size(3), axis(0, "height"), axis(1, "width")]),
        channels_last: false,
        kind: Some(Kind::Image),
        preview: None,
        range: Some([-1.0, 1.0]),
        clip: None,
        clamp: false,
        sigma_data: None,
    }
}

/// Adds to an error about a file that it is a part of a pipeline's folder.
fn with_whole(error: Error, path: &Path) -> Error {
    // The file is a part, or in a part's folder. The first ancestor is the path itself.
    let whole = path.ancestors().skip(1).take(2).find(|folder| folder.join(INDEX).is_file());
    match (error, whole) {
        (Error::Model { model, reason }, Some(whole)) => {
            let reason = format!("{reason}; it is a part of the pipeline in {}: open that folder", whole.display());
            Error::Model { model, reason }
        }
        (error, _) => error,
    }
}

impl Model {
    /// Opens the model file, or the folder of a pipeline, at `path`.
    ///
    /// The manifest of a file is that of `options`, else the file beside it (`model.diffuse.json` for `model.onnx`),
    /// else the one in its metadata.
    ///
    /// A folder is a pipeline that was exported to ONNX. Its [family](crate::model::FAMILIES) is known, or it has a
    /// [description](crate::model::PIPELINE_FILE) of its parts. The inputs and outputs of its graphs are read at once.
    /// ONNX Runtime opens each graph when a run needs it. [`ModelOptions::memory`] sets for how long it stays open.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be read. [`Error::Model`] if ONNX Runtime cannot run the model, if there is no
    /// manifest, or if the manifest does not fit the graph. For a folder, also if a part is missing or its family is
    /// unknown.
    pub fn open(runtime: &Runtime, path: &Path, options: &ModelOptions) -> Result<Self> {
        let opened = if path.is_dir() {
            Self::of_folder(runtime, Folder::Disk(path.to_path_buf()), options)
        } else {
            Network::open(runtime, path, options).and_then(Self::new)
        };
        opened.map_err(|error| with_whole(error, path))
    }

    /// Opens a model of several parts from the bytes of its files. They are named by their paths from the folder that
    /// they would be in, with `/` between the parts of a path. The bytes are kept for as long as the model is open.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_parts(runtime: &Runtime, files: BTreeMap<String, Arc<[u8]>>, options: &ModelOptions) -> Result<Self> {
        Self::of_folder(runtime, Folder::Memory(files), options)
    }

    fn of_folder(runtime: &Runtime, folder: Folder, options: &ModelOptions) -> Result<Self> {
        options.check()?;
        if options.manifest.is_some() {
            let reason = format!("a folder has a manifest of its own; describe other parts in its {PIPELINE_FILE}");
            return Err(Error::argument("manifest", reason));
        }
        let refused = |reason: String| Error::model(folder.name(), reason);
        let mut open = BTreeMap::new();
        let described = folder.read(PIPELINE_FILE)?;
        let (pipeline, manifest) = match described {
            Some(bytes) => {
                let text = decoded(&bytes).map_err(|reason| refused(format!("{PIPELINE_FILE}: {reason}")))?;
                Pipeline::parse(&text).map_err(|reason| refused(format!("{PIPELINE_FILE}: {reason}")))?
            }
            None => {
                let (facts, found) = folder.facts(&mut |graph| folder.part(runtime, graph, options))?;
                open = found;
                let pipeline = recognise(&facts).map_err(&refused)?;
                let manifest = pipeline.checked().map_err(&refused)?;
                (pipeline, manifest)
            }
        };
        let scheduler = pipeline.scheduler_config.as_ref().map(|config| SchedulerConfig::parse(&config.to_string()));
        let scheduler = scheduler.transpose().map_err(|error| refused(format!("scheduler_config: {error}")))?;
        let mut part = |folder: &Folder, graph: &str| match open.remove(graph) {
            Some(part) => Ok(part),
            None => folder.part(runtime, graph, options),
        };
        let predictor = Arc::new(part(&folder, &pipeline.predictor)?);
        let drawn = drawn(&pipeline, &manifest);
        // Nodes that no step waits for may run on the CPU where a provider lacks them. CLIP's text encoder finds the
        // end of a text by an ArgMax, which CUDA lacks.
        let mut beside = |folder: &Folder, graph: &str| part(folder, graph).map(Part::with_cpu_nodes);
        let parts = Parts::new(folder, pipeline, scheduler, Arc::clone(&predictor), options.memory, &mut beside)?;
        if !options.providers.is_empty() {
            // This shows at once whether the predictor can be opened.
            parts.load(&options.canceller.clone().unwrap_or_default())?;
            parts.release();
        }
        Self::of_part(predictor, manifest, drawn, Some(Box::new(parts)))
    }

    /// Opens a model from the bytes of its file. The bytes are not needed afterwards.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(runtime: &Runtime, bytes: &[u8], options: &ModelOptions) -> Result<Self> {
        Self::new(Network::from_bytes(runtime, bytes, options)?)
    }

    /// Reads the manifest of `network` and checks it against the graph.
    ///
    /// # Errors
    /// [`Error::Model`] with the tensor or field, what is expected and what was found.
    pub fn new(network: Network) -> Result<Self> {
        let Some((json, place)) = network.manifest() else {
            return Err(Error::model(
                network.name(),
                "there is no manifest, neither in the model's metadata nor in a .diffuse.json file beside it. Its schedule and prediction are unknown; docs/model/manifest.md states how to write one",
            ));
        };
        let manifest =
            Manifest::parse(json).map_err(|reason| Error::model(network.name(), format!("{place}: {reason}")))?;
        Self::under(Arc::new(network), manifest)
    }

    /// A model of `network` under `manifest`, as [`Manifest::parse`] returns it. A manifest that the network has is
    /// ignored, so one network can be used under several.
    ///
    /// # Errors
    /// [`Error::Model`] with the tensor that does not fit the manifest.
    pub fn under(network: Arc<Network>, manifest: Manifest) -> Result<Self> {
        let drawn = manifest.sample.clone();
        Self::of_part(Arc::new(Part::of(network)), manifest, drawn, None)
    }

    fn of_part(part: Arc<Part>, manifest: Manifest, drawn: Sample, parts: Option<Box<Parts>>) -> Result<Self> {
        let schedule =
            manifest.schedule.build(Tables::Exact).map_err(|error| Error::model(part.name(), error.to_string()))?;
        let roles = Roles::assign(part.signature(), &manifest, &*schedule)
            .map_err(|reason| Error::model(part.name(), reason))?;
        let mut notes = roles.notes(part.signature(), &manifest, &*schedule);
        notes.extend(ambiguous_kind(&manifest));
        for note in &notes {
            say(Severity::Warning, || format!("{}: {note}", part.name()));
        }
        Ok(Self {
            source: Source::Graph(part, Box::new(roles)),
            manifest,
            schedule,
            notes,
            drawn,
            parts,
            asked: Placement { provider: "cpu".into(), ..Placement::default() },
            hashes: OnceLock::new(),
            latest: Mutex::default(),
        })
    }

    /// A model whose network is the caller's own code, for hosts that evaluate it themselves. `network` does what the
    /// JSON in `manifest` states. ONNX Runtime is not needed.
    ///
    /// # Errors
    /// [`Error::Model`] with what is wrong in the manifest, or is about a graph.
    pub fn from_host(manifest: &str, network: Arc<HostNetwork>) -> Result<Self> {
        let refused = |reason: String| Error::model("the host's network", reason);
        let manifest = Manifest::parse(manifest).map_err(refused)?;
        if manifest.inputs != Inputs::default() || manifest.outputs != Outputs::default() {
            return Err(refused("there is no graph whose inputs and outputs the manifest could name".into()));
        }
        if manifest.sample.channels_last || manifest.guidance_pair.is_some() {
            let reason = "sample.channels_last and guidance_pair are about a graph, and there is none";
            return Err(refused(reason.into()));
        }
        let schedule = manifest.schedule.build(Tables::Exact).map_err(|error| refused(error.to_string()))?;
        let placement = Placement { provider: "host".into(), ..Placement::default() };
        let notes: Vec<String> = ambiguous_kind(&manifest).into_iter().collect();
        notes.iter().for_each(|note| say(Severity::Warning, || format!("the host's network: {note}")));
        Ok(Self {
            source: Source::Host(network, placement.clone()),
            drawn: manifest.sample.clone(),
            manifest,
            schedule,
            notes,
            parts: None,
            asked: placement,
            hashes: OnceLock::new(),
            latest: Mutex::default(),
        })
    }

    /// The predictor's network, as its graph describes it. `None` for the caller's own, and for a part of a folder that
    /// is not open.
    #[must_use]
    pub fn network(&self) -> Option<Arc<Network>> {
        match &self.source {
            Source::Graph(part, _) => part.held(),
            Source::Host(..) => None,
        }
    }

    /// Releases the parts that the memory policy does not keep, at the end of a stage.
    pub(crate) fn release(&self) {
        if let Some(parts) = &self.parts {
            parts.release();
        }
    }

    /// The description of its other parts. `None` for a model of one network.
    #[must_use]
    pub fn pipeline(&self) -> Option<&Pipeline> {
        self.parts.as_ref().map(|parts| &parts.pipeline)
    }

    /// The sampling settings of its folder.
    #[must_use]
    pub fn scheduler_config(&self) -> Option<&SchedulerConfig> {
        self.parts.as_ref()?.scheduler.as_ref()
    }

    /// The samples that a run generates: those of the manifest, or the pictures that an autoencoder makes of them, in
    /// their usual size.
    #[must_use]
    pub fn drawn(&self) -> &Sample {
        &self.drawn
    }

    /// The graphs of a model of several parts, the predictor's first. It is empty for any other model.
    #[must_use]
    pub fn graphs(&self) -> Vec<Graph<'_>> {
        let (Source::Graph(part, _), Some(parts)) = (&self.source, &self.parts) else { return Vec::new() };
        let own = std::iter::once((parts.pipeline.predictor.as_str(), &**part));
        let all = own.chain(parts.graphs());
        all.map(|(path, part)| Graph { path: path.to_owned(), bytes: part.bytes(), signature: part.signature() })
            .collect()
    }

    pub(crate) fn parts(&self) -> Option<&Parts> {
        self.parts.as_deref()
    }

    /// The SHA-256 that identifies the model. It is [`Network::hash`], or that of the manifest where the network is the
    /// caller's own. For a folder it is that of the lines that `sha256sum` prints for its files, and of the parts that
    /// they are taken for.
    ///
    /// # Errors
    /// As there.
    pub fn hash(&self) -> Result<Cow<'_, str>> {
        match (&self.source, &self.parts) {
            (Source::Graph(part, _), Some(parts)) => Ok(Cow::Borrowed(&self.hashes_of(part, parts)?.0)),
            (Source::Graph(part, _), None) => {
                let network = part.network(&Canceller::default())?;
                network.hash().map(|hash| Cow::Owned(hash.to_owned()))
            }
            (Source::Host(..), _) => Ok(Cow::Owned(hex(Sha256::digest(self.manifest.by_first_names())))),
        }
    }

    /// The SHA-256 of everything that the model consists of: [`Network::parts`], or the files of a folder. The entry
    /// "pipeline" of a folder states the parts that its files are taken for. It is empty for a network of the caller's
    /// own.
    ///
    /// # Errors
    /// As there.
    pub fn part_hashes(&self) -> Result<Vec<PartHash>> {
        match (&self.source, &self.parts) {
            (Source::Graph(part, _), Some(parts)) => Ok(self.hashes_of(part, parts)?.1.clone()),
            (Source::Graph(part, _), None) => Ok(part.network(&Canceller::default())?.parts()?.to_vec()),
            (Source::Host(..), _) => Ok(Vec::new()),
        }
    }

    fn hashes_of(&self, part: &Part, parts: &Parts) -> Result<&(String, Vec<PartHash>)> {
        if let Some(known) = self.hashes.get() {
            return Ok(known);
        }
        let name = &parts.pipeline.predictor;
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = |file: String| if file.is_empty() { name.clone() } else { format!("{folder}/{file}") };
        let own = part.digests()?.into_iter().map(|(file, digest)| (path(file), digest));
        let mut all: Vec<(String, String)> = own.chain(parts.digests()?).collect();
        let said = serde_json::to_string(&parts.pipeline).unwrap_or_default();
        all.push(("pipeline".into(), hex(Sha256::digest(said))));
        let all: Vec<PartHash> = all.into_iter().map(|(part, sha256)| PartHash { part, sha256 }).collect();
        let lines: String = all.iter().map(|part| format!("{}  {}\n", part.sha256, part.part)).collect();
        Ok(self.hashes.get_or_init(|| (hex(Sha256::digest(lines)), all)))
    }

    /// What evaluates the network: an execution provider of ONNX Runtime, or "host".
    #[must_use]
    pub fn placement(&self) -> &Placement {
        match &self.source {
            Source::Graph(part, _) => part.placement().unwrap_or(&self.asked),
            Source::Host(_, placement) => placement,
        }
    }

    /// The priority of its evaluations: [`ModelOptions::priority`].
    #[must_use]
    pub fn priority(&self) -> Priority {
        match &self.source {
            Source::Graph(part, _) => part.priority(),
            Source::Host(..) => Priority::Normal,
        }
    }

    /// The number of bytes that ONNX Runtime holds for the model on the CPU: its weights, and the memory that
    /// evaluations have needed at a time. `None` where ONNX Runtime does not report it, and for a network of the
    /// caller's own.
    #[must_use]
    pub fn memory(&self) -> Option<usize> {
        self.memory_unless(&Canceller::default()).ok()?
    }

    /// The same as [`memory`](Self::memory), but [`Error::Cancelled`] where `canceller` ends the wait for its turn.
    pub(crate) fn memory_unless(&self, canceller: &Canceller) -> Result<Option<usize>> {
        let others = self.parts.iter().flat_map(|parts| parts.held());
        let mut sum = None;
        for network in self.network().into_iter().chain(others) {
            let Some(bytes) = network.memory(canceller)? else { return Ok(None) };
            *sum.get_or_insert(0) += bytes;
        }
        Ok(sum)
    }

    pub(super) fn roles(&self) -> Option<&Roles> {
        match &self.source {
            Source::Graph(_, roles) => Some(roles),
            Source::Host(..) => None,
        }
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Notes on what works but may not be meant so, each in a sentence. The log sink receives them when the model is
    /// opened.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The noise level at the time `t` of its schedule. Below 0 it is that of the clean sample.
    ///
    /// # Errors
    /// [`Error::Argument`] if `t` is no number, or beyond the schedule's times.
    pub fn level(&self, t: f64) -> Result<NoiseLevel> {
        let most = self.schedule.bounds()[1];
        if !(t.is_finite() && t <= most) {
            let reason = format!("{t} is not a time of the schedule, 0 to {most} (below 0 is the clean sample)");
            return Err(Error::argument("t", reason));
        }
        Ok(self.schedule.level(t))
    }

    /// The schedule of the manifest.
    #[must_use]
    pub fn schedule(&self) -> &Arc<dyn NoiseSchedule> {
        &self.schedule
    }

    /// The name in the manifest, else that of the file without its ending, else "model".
    #[must_use]
    pub fn name(&self) -> &str {
        let stem = || match (&self.source, &self.parts) {
            (_, Some(parts)) => parts.name(),
            (Source::Graph(part, _), None) => part.stem(),
            (Source::Host(..), None) => None,
        };
        self.manifest.name.as_deref().or_else(stem).unwrap_or("model")
    }

    /// Checks that samples of `shape` (batch first) can be evaluated.
    ///
    /// # Errors
    /// [`Error::Argument`] with the axis, what is expected and what was found.
    pub fn check_shape(&self, shape: &[usize]) -> Result<()> {
        let Source::Graph(part, roles) = &self.source else { return self.check_shape_of_host(shape) };
        let info = &part.signature().inputs[roles.sample.index];
        let own = &self.manifest.sample.shape;
        // The manifest states only the usual size where the graph leaves it free.
        let fits = |(axis, size): (&Option<usize>, &usize)| axis.map_or(*size > 0, |axis| axis == *size);
        let fits = shape.len() == own.rank() + 1 && roles.item.iter().zip(&shape[1..]).all(fits);
        if !fits || shape[0] == 0 {
            let reason = format!("{shape:?} does not fit the model's {own} behind the batch (its input {info})");
            return Err(Error::argument("shape", reason));
        }
        match self.fixed_batch() {
            Some(fixed) if !shape[0].is_multiple_of(fixed) => Err(Error::argument(
                "count",
                format!(
                    "{}; the model's batch axis is fixed at {fixed}, so a multiple of it is needed ({info})",
                    shape[0]
                ),
            )),
            _ => Ok(()),
        }
    }

    /// A host's network takes items of the manifest's rank and channels. It decides itself which sizes it takes.
    fn check_shape_of_host(&self, shape: &[usize]) -> Result<()> {
        let own = &self.manifest.sample.shape;
        let is_whole = shape.len() == own.rank() + 1 && !shape.contains(&0);
        if is_whole && own.0.first().is_none_or(|channels| Shape(vec![channels.clone()]).fits(&shape[1..2])) {
            return Ok(());
        }
        Err(Error::argument("shape", format!("{shape:?} does not fit the manifest's {own} behind the batch")))
    }

    /// The class with the given name or number.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is none; the message lists those that there are.
    pub fn class(&self, name: &str) -> Result<i64> {
        self.manifest.class(name)
    }

    /// Checks that `classes` are what a batch of `count` items needs: one class of the model per item, or none for a
    /// model without classes.
    ///
    /// # Errors
    /// [`Error::Argument`] with what does not fit.
    pub fn check_classes(&self, classes: Option<&[i64]>, count: usize) -> Result<()> {
        let refuse = |reason: String| Err(Error::argument("classes", reason));
        match (classes, &self.manifest.classes) {
            (None, None) => Ok(()),
            (Some(_), None) => refuse("this model has no classes".into()),
            (None, Some(known)) => {
                refuse(format!("this model needs a class for every item, from 0 to {}", known.count() - 1))
            }
            (Some(classes), Some(_)) if classes.len() != count => {
                refuse(format!("{} classes for {count} items", classes.len()))
            }
            (Some(classes), Some(known)) => {
                let allowed = |class: i64| {
                    usize::try_from(class).is_ok_and(|class| class < known.count() || known.null == Some(class))
                };
                match classes.iter().find(|class| !allowed(**class)) {
                    Some(class) => {
                        let null = known.null.map_or(String::new(), |null| format!(", and {null} for none"));
                        refuse(format!("{class}; this model has the classes 0 to {}{null}", known.count() - 1))
                    }
                    None => self.check_shared_class(classes),
                }
            }
        }
    }

    /// Refuses classes that differ among items where the graph takes one for all of them.
    fn check_shared_class(&self, classes: &[i64]) -> Result<()> {
        let Some(fixed) = self.fixed_batch().filter(|_| self.shares_class()) else { return Ok(()) };
        if classes.chunks(fixed).all(|some| some.iter().all(|class| *class == some[0])) {
            return Ok(());
        }
        let reason = format!("this model's graph takes one class for each {fixed} items, and they have several");
        Err(Error::argument("classes", reason))
    }

    /// The number of items that are evaluated at once, where the graph's batch axis is fixed. It is 1 where there is no
    /// batch axis, or where its two rows are the pair of guidance. `None` where the batch is free.
    #[must_use]
    pub fn fixed_batch(&self) -> Option<usize> {
        let roles = self.roles()?;
        if self.manifest.guidance_pair.is_some() { Some(1) } else { roles.batch }
    }

    /// Whether the graph's batch is the pair of guidance.
    pub(super) fn wants_pairs(&self) -> bool {
        self.roles().and(self.manifest.guidance_pair).is_some()
    }

    /// Whether the network has the latest estimate of the run as an input.
    pub(crate) fn feeds_back(&self) -> bool {
        self.roles().is_some_and(|roles| roles.self_condition.is_some())
    }

    /// Whether the graph takes one class for all that it evaluates at once.
    pub(super) fn shares_class(&self) -> bool {
        self.roles().and_then(|roles| roles.class).is_some_and(|class| class.axes.is_one())
    }

    /// The type in which the graph takes the condition called `name`. `None` where the condition is joined to the
    /// sample, or where there is no graph.
    #[must_use]
    pub fn condition_element(&self, name: &str) -> Option<Element> {
        let place = self.manifest.conditions.keys().position(|known| known == name)?;
        self.roles()?.conditions.get(place)?.slot.map(|slot| slot.element)
    }

    /// Keeps the free sizes of a run, for [`trim`](Self::trim).
    pub(crate) fn note_sizes(&self, sizes: &Sizes) {
        if !sizes.is_empty() {
            self.latest.held().clone_from(sizes);
        }
    }

    /// The free sizes of the latest run.
    pub(super) fn latest_sizes(&self) -> Sizes {
        self.latest.held().clone()
    }

    /// The type in which the graph takes the time. `None` where there is no graph.
    #[must_use]
    pub fn time_element(&self) -> Option<Element> {
        self.roles().map(|roles| roles.time.element)
    }

    /// The manifest's free sizes that the graph fixes.
    pub(crate) fn sizes(&self) -> Sizes {
        self.roles().map(|roles| roles.sizes.clone()).unwrap_or_default()
    }
}
