//! A model: a network whose manifest fits it.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::roles::Roles;
use crate::cancel::Canceller;
use crate::error::{Error, Result};
use crate::log::{Severity, say};
use crate::model::{Inputs, Manifest, Outputs};
use crate::network::{HostNetwork, ModelOptions, Network, Placement, Runtime, hex};
use crate::schedule::{NoiseLevel, NoiseSchedule, Tables};

/// A network together with a manifest that fits it. It may be shared between threads; evaluations take turns.
#[derive(Debug)]
pub struct Model {
    pub(super) source: Source,
    pub(super) manifest: Manifest,
    pub(super) schedule: Arc<dyn NoiseSchedule>,
    notes: Vec<String>,
}

/// What evaluates a model's network.
#[derive(Debug)]
pub(super) enum Source {
    /// ONNX Runtime.
    Graph(Arc<Network>, Roles),
    /// The caller's own code.
    Host(Arc<HostNetwork>, Placement),
}

impl Model {
    /// Opens the model file at `path`. Its manifest is that of `options`, else the file beside it (`model.diffuse.json`
    /// for `model.onnx`), else the one in its metadata.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be read; [`Error::Model`] if it is not a model that ONNX Runtime can run, has no
    /// manifest, or has one that does not fit the graph.
    pub fn open(runtime: &Runtime, path: &Path, options: &ModelOptions) -> Result<Self> {
        Self::new(Network::open(runtime, path, options)?)
    }

    /// Opens a model from the bytes of its file. They are not needed afterwards.
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
                "there is no manifest, neither in the model's metadata nor in a .diffuse.json file beside it, so its schedule and prediction are unknown; onnx/README.md says how to write one",
            ));
        };
        let manifest =
            Manifest::parse(json).map_err(|reason| Error::model(network.name(), format!("{place}: {reason}")))?;
        let schedule =
            manifest.schedule.build(Tables::Exact).map_err(|error| Error::model(network.name(), error.to_string()))?;
        let roles = Roles::assign(network.signature(), &manifest, &*schedule)
            .map_err(|reason| Error::model(network.name(), reason))?;
        let notes = roles.notes(network.signature(), &manifest, &*schedule);
        for note in &notes {
            say(Severity::Warning, || format!("{}: {note}", network.name()));
        }
        Ok(Self { source: Source::Graph(Arc::new(network), roles), manifest, schedule, notes })
    }

    /// A model whose network is the caller's own code, `network`, which does what `manifest`, as JSON, says: for hosts
    /// that run it themselves. ONNX Runtime is not needed.
    ///
    /// # Errors
    /// [`Error::Model`] with what of the manifest is wrong, or is about a graph.
    pub fn from_host(manifest: &str, network: Arc<HostNetwork>) -> Result<Self> {
        let refused = |reason: String| Error::model("the host's network", reason);
        let manifest = Manifest::parse(manifest).map_err(refused)?;
        if manifest.inputs != Inputs::default() || manifest.outputs != Outputs::default() {
            return Err(refused("there is no graph whose inputs and outputs the manifest could name".into()));
        }
        let schedule = manifest.schedule.build(Tables::Exact).map_err(|error| refused(error.to_string()))?;
        let placement = Placement { provider: "host".into(), ..Placement::default() };
        Ok(Self { source: Source::Host(network, placement), manifest, schedule, notes: Vec::new() })
    }

    /// The network, as its graph describes it; `None` for the caller's own.
    #[must_use]
    pub fn network(&self) -> Option<&Network> {
        match &self.source {
            Source::Graph(network, _) => Some(network),
            Source::Host(..) => None,
        }
    }

    /// What the model is known by: [`Network::hash`], or the SHA-256 of its manifest where its network is the caller's
    /// own.
    ///
    /// # Errors
    /// As there.
    pub fn hash(&self) -> Result<Cow<'_, str>> {
        match &self.source {
            Source::Graph(network, _) => network.hash().map(Cow::Borrowed),
            Source::Host(..) => Ok(Cow::Owned(hex(Sha256::digest(self.manifest.by_first_names())))),
        }
    }

    /// What evaluates it: an execution provider of ONNX Runtime, or "host".
    #[must_use]
    pub fn placement(&self) -> &Placement {
        match &self.source {
            Source::Graph(network, _) => network.placement(),
            Source::Host(_, placement) => placement,
        }
    }

    /// How many bytes ONNX Runtime holds for it on the CPU: its weights, and room for what evaluations have needed at a
    /// time. `None` where it does not say, and for a network of the caller's own.
    #[must_use]
    pub fn memory(&self) -> Option<usize> {
        self.memory_unless(&Canceller::default()).ok()?
    }

    /// The same, but [`Error::Cancelled`] where `canceller` ends the wait for its turn.
    pub(crate) fn memory_unless(&self, canceller: &Canceller) -> Result<Option<usize>> {
        self.network().map_or(Ok(None), |network| network.memory(canceller))
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

    /// What of it works, and is perhaps not as it was meant, each in a sentence. The log sink hears it when the model
    /// is opened.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The noise level at the time `t` of its schedule; below 0 that of the clean sample.
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

    /// The name in the manifest; else that of the file without its ending; else "model".
    #[must_use]
    pub fn name(&self) -> &str {
        self.manifest.name.as_deref().or_else(|| self.network()?.stem()).unwrap_or("model")
    }

    /// Whether samples of `shape` (batch first) can be evaluated.
    ///
    /// # Errors
    /// [`Error::Argument`] with the axis, what is expected and what was found.
    pub fn check_shape(&self, shape: &[usize]) -> Result<()> {
        let Source::Graph(network, roles) = &self.source else { return self.check_shape_of_host(shape) };
        let info = &network.signature().inputs[roles.sample.index];
        let axes = shape.len() == info.shape.len();
        // Behind the sample's channels lie those of the conditions that are joined to it.
        let joined = |place: usize| if place == 1 { self.manifest.joined_channels() } else { 0 };
        let mut sizes = info.shape.iter().zip(shape).enumerate().skip(1);
        let fits = axes && sizes.all(|(place, (axis, size))| axis.is_none_or(|axis| axis == *size + joined(place)));
        if !fits || shape[0] == 0 {
            return Err(Error::argument("shape", format!("{shape:?} does not fit the model's input {info}")));
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

    /// A host's network takes items of the manifest's rank and channels; of what size, it says itself.
    fn check_shape_of_host(&self, shape: &[usize]) -> Result<()> {
        let own = &self.manifest.sample.shape;
        if shape.len() == own.len() + 1 && shape[0] > 0 && shape[1] == own[0] {
            return Ok(());
        }
        Err(Error::argument("shape", format!("{shape:?} does not fit the manifest's {own:?} behind the batch")))
    }

    /// The class with the given name or number.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is none; the message lists those that there are.
    pub fn class(&self, name: &str) -> Result<i64> {
        let Some(classes) = &self.manifest.classes else {
            return Err(Error::argument("class", format!("'{name}' is asked for, but this model has no classes")));
        };
        let by_name = classes.names.iter().position(|known| known == name);
        let by_number =
            name.parse().ok().filter(|&index: &usize| index < classes.count() || classes.null == Some(index));
        let null = (name == "none").then_some(classes.null).flatten();
        match by_name.or(by_number).or(null) {
            Some(index) => Ok(index as i64),
            None => {
                let known = if classes.names.is_empty() {
                    format!("0 to {}", classes.count() - 1)
                } else {
                    classes.names.join(", ")
                };
                let null = if classes.null.is_some() { ", none" } else { "" };
                Err(Error::argument("class", format!("there is no class '{name}'; there are {known}{null}")))
            }
        }
    }

    /// Whether `classes` are what a batch of `count` items needs: one class of the model per item, or none for a model
    /// without.
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
                    None => Ok(()),
                }
            }
        }
    }

    /// The number of items that the graph's batch axis is fixed at; `None` where it is free.
    #[must_use]
    pub fn fixed_batch(&self) -> Option<usize> {
        match &self.source {
            Source::Graph(network, roles) => network.signature().inputs[roles.sample.index].shape[0],
            Source::Host(..) => None,
        }
    }
}
