//! What a model says about itself: the manifest, version 1. `onnx/README.md` describes it field by field.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::json::{Json, decoded};
use crate::option::{Options, Value};
use crate::prediction::{InputScaling, Prediction};
use crate::sample::MOST_VALUES;
use crate::schedule::{
    BetaKind, BetaSchedule, Edm, Ending, Flow, NoiseLevel, NoiseSchedule, Spacing, SubVariancePreserving, Tables,
    Terminal, Trigonometric, VarianceExploding, VariancePreserving,
};
use crate::settings;
use crate::solver;

/// The most bytes that the name of a model or of a condition may have.
pub const MOST_NAME: usize = 64;

/// The most classes that a model may have; more is a slip.
pub const MOST_CLASSES: usize = 1_000_000;

/// A model's manifest: what cannot be read from its graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the schema: 1.
    pub diffuse: u32,
    /// A short name, used for file names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the model draws.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The licence of the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Where the model is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What a sample is.
    pub sample: Sample,
    /// The noise schedule that the model was trained on.
    pub schedule: Schedule,
    /// What the network says.
    pub prediction: Prediction,
    /// What the network sees of the noisy sample.
    #[serde(default, skip_serializing_if = "is_default")]
    pub input_scaling: InputScaling,
    /// Whether the second half of the output's channels is a learned variance.
    #[serde(default)]
    pub variance: LearnedVariance,
    /// What the network is told of the time. See [`Manifest::time`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// The classes, where the model has some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
    /// What the network is told besides, by name: a smaller picture, a mask, a vector.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, ConditionInput>,
    /// The names of the graph's inputs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub inputs: Inputs,
    /// The names of the graph's outputs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub outputs: Outputs,
    /// How the model is best sampled.
    #[serde(default)]
    pub defaults: Defaults,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a sample is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The shape of one item, without the batch.
    pub shape: Vec<usize>,
    /// What the values are. See [`Sample::kind`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The least and the greatest value of the data. See [`Sample::range`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[f32; 2]>,
    /// Whether x̂₀ is clipped to the range at every step. See [`Sample::clip`] for the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<bool>,
    /// Whether x itself is clamped to the range after every step.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clamp: bool,
    /// The standard deviation of the data, where the network's scaling needs it. See [`Manifest::sigma_data`] for the
    /// default. It was called `deviation` once, and is read by that name.
    #[serde(alias = "deviation", skip_serializing_if = "Option::is_none")]
    pub sigma_data: Option<f64>,
}

/// What the values of a sample are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Pixels, channels first: 1 (grey), 3 (RGB) or 4 (RGB and straight alpha).
    Image,
    /// One point of the plane.
    Points,
    /// Anything else.
    Tensor,
}

impl Kind {
    fn usual(shape: &[usize]) -> Self {
        match shape {
            [1 | 3 | 4, _, _] => Self::Image,
            [2] => Self::Points,
            _ => Self::Tensor,
        }
    }
}

impl Sample {
    /// The kind that is given; else an image for `[1 or 3 or 4, height, width]`, points for `[2]`, a tensor for the rest.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind.unwrap_or_else(|| Kind::usual(&self.shape))
    }

    /// The range that is given; else −1 to 1 for images.
    #[must_use]
    pub fn range(&self) -> Option<[f32; 2]> {
        self.range.or((self.kind() == Kind::Image).then_some([-1.0, 1.0]))
    }

    /// Whether x̂₀ is clipped: as given; else for images only.
    #[must_use]
    pub fn clip(&self) -> bool {
        self.clip.unwrap_or(self.kind() == Kind::Image)
    }
}

/// The noise schedule of training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// [`BetaKind::Linear`].
    Linear(BetaRange),
    /// [`BetaKind::ScaledLinear`].
    ScaledLinear(BetaRange),
    /// [`BetaKind::Sigmoid`].
    Sigmoid(BetaRange),
    /// [`BetaKind::Cosine`].
    Cosine(Steps),
    /// [`BetaKind::Exponential`].
    Exponential(Steps),
    /// [`BetaKind::Laplace`].
    Laplace(Steps),
    /// [`BetaKind::Trained`].
    Trained {
        /// β, one for each of the T training steps.
        betas: Vec<f64>,
        /// How the schedule ends.
        #[serde(default, skip_serializing_if = "is_default")]
        terminal: Terminal,
    },
    /// [`VariancePreserving`].
    Vp(ContinuousBeta),
    /// [`SubVariancePreserving`].
    SubVp(ContinuousBeta),
    /// [`VarianceExploding`].
    Ve {
        /// σ at t = 0.
        sigma_min: f64,
        /// σ at t = 1.
        sigma_max: f64,
        /// The least time that runs visit.
        #[serde(default = "least_time_ve")]
        least_time: f64,
    },
    /// [`Edm`].
    Edm {
        /// The least σ that runs visit.
        #[serde(default = "sigma_min")]
        sigma_min: f64,
        /// The σ that runs start from.
        #[serde(default = "sigma_max")]
        sigma_max: f64,
    },
    /// [`Trigonometric`].
    Trigonometric {
        /// The least time that runs visit.
        #[serde(default = "least_time")]
        least_time: f64,
    },
    /// [`Flow`].
    Flow {
        /// The least time that runs visit.
        #[serde(default = "least_time")]
        least_time: f64,
    },
}

/// T and the ends of β.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BetaRange {
    /// T.
    pub train_steps: usize,
    /// β of the first step, or what the curve leaves from.
    pub beta_start: f64,
    /// β of the last step, or what the curve tends to.
    pub beta_end: f64,
    /// How the schedule ends.
    #[serde(skip_serializing_if = "is_default")]
    pub terminal: Terminal,
}

impl Default for BetaRange {
    fn default() -> Self {
        Self { train_steps: 1000, beta_start: 1e-4, beta_end: 0.02, terminal: Terminal::AsTrained }
    }
}

/// T, for a schedule that has nothing else to say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Steps {
    /// T.
    pub train_steps: usize,
    /// How the schedule ends.
    #[serde(skip_serializing_if = "is_default")]
    pub terminal: Terminal,
}

impl Default for Steps {
    fn default() -> Self {
        Self { train_steps: 1000, terminal: Terminal::AsTrained }
    }
}

/// The ends of β in continuous time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContinuousBeta {
    /// β at t = 0.
    pub beta_min: f64,
    /// β at t = 1.
    pub beta_max: f64,
    /// The least time that runs visit.
    pub least_time: f64,
}

impl Default for ContinuousBeta {
    fn default() -> Self {
        Self { beta_min: 0.1, beta_max: 20.0, least_time: 1e-3 }
    }
}

fn least_time() -> f64 {
    1e-3
}

fn least_time_ve() -> f64 {
    1e-5
}

fn sigma_min() -> f64 {
    0.002
}

fn sigma_max() -> f64 {
    80.0
}

impl Schedule {
    /// The schedule itself.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) with the field that is out of its range.
    pub fn build(&self, tables: Tables) -> crate::Result<Arc<dyn NoiseSchedule>> {
        let ranged = |kind: fn(f64, f64) -> BetaKind, range: &BetaRange| {
            let kind = kind(range.beta_start, range.beta_end);
            BetaSchedule::ending(kind, range.train_steps, tables, range.terminal)
        };
        let plain = |kind, steps: &Steps| BetaSchedule::ending(kind, steps.train_steps, tables, steps.terminal);
        Ok(match self {
            Self::Linear(range) => Arc::new(ranged(|start, end| BetaKind::Linear { start, end }, range)?),
            Self::ScaledLinear(range) => Arc::new(ranged(|start, end| BetaKind::ScaledLinear { start, end }, range)?),
            Self::Sigmoid(range) => Arc::new(ranged(|start, end| BetaKind::Sigmoid { start, end }, range)?),
            Self::Cosine(steps) => Arc::new(plain(BetaKind::Cosine, steps)?),
            Self::Exponential(steps) => Arc::new(plain(BetaKind::Exponential, steps)?),
            Self::Laplace(steps) => Arc::new(plain(BetaKind::Laplace, steps)?),
            Self::Trained { betas, terminal } => {
                Arc::new(BetaSchedule::ending(BetaKind::Trained(betas.clone()), betas.len(), tables, *terminal)?)
            }
            Self::Vp(beta) => Arc::new(VariancePreserving::new(beta.beta_min, beta.beta_max, beta.least_time)?),
            Self::SubVp(beta) => Arc::new(SubVariancePreserving::new(beta.beta_min, beta.beta_max, beta.least_time)?),
            Self::Ve { sigma_min, sigma_max, least_time } => {
                Arc::new(VarianceExploding::new(*sigma_min, *sigma_max, *least_time)?)
            }
            Self::Edm { sigma_min, sigma_max } => Arc::new(Edm::new(*sigma_min, *sigma_max)?),
            Self::Trigonometric { least_time } => Arc::new(Trigonometric::new(*least_time)?),
            Self::Flow { least_time } => Arc::new(Flow::new(*least_time)?),
        })
    }

    /// The grid that is used where neither the caller nor the manifest names one.
    fn grid(&self) -> Spacing {
        match self {
            Self::Edm { .. } => Spacing::Karras,
            Self::Vp(_) | Self::SubVp(_) | Self::Ve { .. } => Spacing::Linspace,
            // Trailing starts from the noise that a run is started with; leading misses it (Lin et al. 2023, §3.3).
            _ => Spacing::Trailing,
        }
    }
}

/// Whether the network also says the variance of the reverse process, in a second half of its output's channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearnedVariance {
    /// No.
    #[default]
    None,
    /// The logarithm of the variance.
    Learned,
    /// A position between the logarithms of β̃ and β (Nichol & Dhariwal 2021, eq. 15).
    LearnedRange,
}

/// The number that tells the network the time: `scale·encoded + offset`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Time {
    /// What is encoded.
    pub encoding: Encoding,
    /// The factor.
    pub scale: f64,
    /// The summand.
    pub offset: f64,
    /// What it grows toward.
    pub direction: Toward,
}

impl Default for Time {
    fn default() -> Self {
        Self { encoding: Encoding::Index, scale: 1.0, offset: 0.0, direction: Toward::Noise }
    }
}

/// What of the noise level the network is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// t, from 0 to T−1. Not in continuous time.
    Index,
    /// (t+1)/T, from 1/T to 1; in continuous time t as a share of the greatest.
    Unit,
    /// σ/α.
    Sigma,
    /// ln(σ/α).
    LogSigma,
}

/// What the encoded time grows toward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Toward {
    /// A greater time is noisier.
    Noise,
    /// A greater time is cleaner: an index becomes T−1−t, a unit 1−unit.
    Data,
}

impl Time {
    /// What the network is told at `level` of `schedule`.
    #[must_use]
    pub fn encode(&self, level: NoiseLevel, schedule: &dyn NoiseSchedule) -> f64 {
        let (last, unit) = match schedule.train_steps() {
            Some(steps) => (steps as f64 - 1.0, (level.t + 1.0) / steps as f64),
            None => (schedule.bounds()[1], level.t / schedule.bounds()[1]),
        };
        let encoded = match (self.encoding, self.direction) {
            (Encoding::Index, Toward::Noise) => level.t,
            (Encoding::Index, Toward::Data) => last - level.t,
            (Encoding::Unit, Toward::Noise) => unit,
            (Encoding::Unit, Toward::Data) => 1.0 - unit,
            (Encoding::Sigma, _) => level.noise_to_signal(),
            (Encoding::LogSigma, _) => level.noise_to_signal().ln(),
        };
        self.scale * encoded + self.offset
    }

    /// Whether every time of training fits into an integer of 32 or of 64 bits.
    pub(crate) fn fits(&self, narrow: bool, schedule: &dyn NoiseSchedule) -> bool {
        // 2⁵³ is where f64, in which times are computed, ends to tell whole numbers apart.
        let most = if narrow { f64::from(i32::MAX) } else { 9_007_199_254_740_992.0 };
        (self.scale.abs() * (schedule.bounds()[1] + 1.0) + self.offset.abs()) <= most
    }

    /// Whether every time of training is a whole number.
    pub(crate) fn is_whole(&self) -> bool {
        self.encoding == Encoding::Index && self.scale.fract() == 0.0 && self.offset.fract() == 0.0
    }
}

/// The classes of a class-conditional model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Classes {
    /// The names, in the order of the indices.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// How many there are; not needed where they are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// The index that stands for "no class", where the model was trained with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub null: Option<usize>,
}

impl Classes {
    /// How many classes there are, without the null class.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.unwrap_or(self.names.len())
    }

    /// The name of a class, or its number where it has none.
    #[must_use]
    pub fn name(&self, index: usize) -> String {
        match self.names.get(index) {
            Some(name) => name.clone(),
            None if self.null == Some(index) => "none".into(),
            None => index.to_string(),
        }
    }
}

/// A tensor that the network is told besides the sample, the time and the class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionInput {
    /// The shape of one item, without the batch.
    pub shape: Vec<usize>,
    /// What the values are: as for a sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The least and the greatest value, which pictures are brought to: as for a sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<[f32; 2]>,
    /// Whether it has no input of its own, but lies behind the sample's channels in the sample's: with others in the order of their names.
    #[serde(default, skip_serializing_if = "is_default")]
    pub joined: bool,
}

impl ConditionInput {
    /// The kind that is given; else as [`Sample::kind`].
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind.unwrap_or_else(|| Kind::usual(&self.shape))
    }

    /// The range that is given; else −1 to 1.
    #[must_use]
    pub fn range(&self) -> [f32; 2] {
        self.range.unwrap_or([-1.0, 1.0])
    }
}

/// The names of the graph's inputs by role. What is not named is guessed from the usual names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Inputs {
    /// The noisy sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<String>,
    /// The time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// What the derivative is taken along; with [`Outputs::derivative`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// The conditions; one that is not here is an input of its own name.
    #[serde(flatten)]
    pub conditions: BTreeMap<String, String>,
}

impl Inputs {
    /// What an input of the graph may be, beside a condition, each with the names that it usually has: it is found by them
    /// where the manifest does not name it.
    pub const ROLES: &[(&str, &[&str])] = &[
        ("sample", &["x", "sample", "x_t", "noisy_sample"]),
        ("time", &["t", "timestep", "timesteps", "time", "sigma"]),
        ("class", &["y", "class_labels", "labels", "class"]),
        ("direction", &[]),
    ];

    /// The names that the input with the role `role` usually has.
    #[must_use]
    pub fn usual_names(role: &str) -> &'static [&'static str] {
        Self::ROLES.iter().find(|(known, _)| *known == role).map_or(&[], |(_, names)| names)
    }

    /// The roles, in words.
    fn roles() -> String {
        Self::ROLES.iter().map(|(role, _)| *role).collect::<Vec<_>>().join(", ")
    }
}

/// The names of the graph's outputs by role.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outputs {
    /// What the network says; not needed where there is one output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<String>,
    /// The Jacobian of the prediction with respect to the sample times [`Inputs::direction`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub derivative: Option<String>,
}

/// How the model is best sampled.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// The solver, by its name; by the schedule unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solver: Option<String>,
    /// The number of steps, T where it is more; by the schedule unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// The grid; by the schedule unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<Spacing>,
    /// What is added to the times of the leading grid.
    pub steps_offset: usize,
    /// Where the run ends.
    #[serde(skip_serializing_if = "is_default")]
    pub ending: Ending,
    /// η, for solvers that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta: Option<f64>,
    /// What else the solver and the grid are told, by the names of the options.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, serde_json::Value>,
}

impl Defaults {
    /// Spells the options that have another name by now as they are called.
    fn renew(&mut self) -> std::result::Result<(), String> {
        for (former, key) in settings::RENAMED {
            let Some(value) = self.options.remove(*former) else { continue };
            if self.options.insert((*key).to_owned(), value).is_some() {
                return Err(format!("defaults.options: {former:?} and {key:?} are the same option"));
            }
        }
        for (key, former, word) in settings::REWORDED {
            let value = self.options.get_mut(*key);
            value.filter(|value| value == former).into_iter().for_each(|value| *value = (*word).into());
        }
        Ok(())
    }

    /// The options that the manifest sets, η among them, as the tables of options read them.
    pub(crate) fn values(&self) -> crate::Result<Vec<(&'static str, Value)>> {
        let mut values = Vec::new();
        for (key, given) in &self.options {
            let text = given.as_str().map_or_else(|| given.to_string(), ToOwned::to_owned);
            let entry = settings::option(key)
                .ok_or_else(|| crate::Error::argument("options", format!("there is no option {key:?}")))?;
            values.push((entry.key, entry.parse(&text)?));
        }
        if let Some(eta) = self.eta {
            values.push(("eta", Value::Real(eta)));
        }
        Ok(values)
    }
}

/// The objects of a manifest, beside the conditions.
const OBJECTS: &[&str] = &["sample", "schedule", "time", "classes", "inputs", "outputs", "defaults"];

/// The fields whose values are words.
const WORDED: &[&str] = &[
    "prediction",
    "input_scaling",
    "variance",
    "sample.kind",
    "schedule.kind",
    "schedule.terminal",
    "time.encoding",
    "time.direction",
];

/// Refuses what serde would take as well: for an object the list of its values; for a word its number, or an object that
/// has it for a key.
fn check_forms(manifest: &serde_json::Value) -> std::result::Result<(), String> {
    let at = |field: &str| field.split('.').fold(manifest, |value, key| &value[key]);
    let conditions = || manifest["conditions"].as_object().into_iter().flat_map(|conditions| conditions.keys());
    let objects = OBJECTS.iter().map(|field| (*field).to_owned());
    if let Some(list) =
        objects.chain(conditions().map(|name| format!("conditions.{name}"))).find(|field| at(field).is_array())
    {
        return Err(format!("{list} is a list; expected an object"));
    }
    let worded = WORDED.iter().map(|field| (*field).to_owned());
    let is_no_word = |field: &String| at(field).is_object() || at(field).is_number();
    match worded.chain(conditions().map(|name| format!("conditions.{name}.kind"))).find(is_no_word) {
        Some(field) => Err(format!("{field} is {}; expected a word", at(&field))),
        None => Ok(()),
    }
}

impl Manifest {
    /// The version of the schema that is read.
    pub const VERSION: u32 = 1;

    /// Reads a manifest, in UTF-8 or in UTF-16 with a byte-order mark, and checks that its fields do not contradict
    /// each other.
    ///
    /// # Errors
    /// What is wrong, with the field, as text: the caller knows the file.
    pub fn from_bytes(bytes: &[u8]) -> std::result::Result<Self, String> {
        Self::parse(&decoded(bytes).map_err(|reason| format!("the manifest cannot be read as JSON: {reason}"))?)
    }

    /// Reads a manifest from text, which may begin with a byte-order mark. A key that is there twice is an error; whole
    /// numbers may be written `1000.0`.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes).
    pub fn parse(json: &str) -> std::result::Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            diffuse: Option<serde_json::Value>,
        }
        // The version first: an older program should say "newer schema", not stumble over a field that it does not know.
        let json = Json::new(json).map_err(|error| format!("the manifest cannot be read as JSON: {error}"))?;
        let version: Version =
            json.read().map_err(|error| format!("the manifest cannot be read as JSON: {}", error.inner()))?;
        let read = Self::VERSION;
        match version.diffuse {
            Some(found) if found == read => {}
            Some(found) => {
                return Err(format!("manifest: \"diffuse\" is {found}; this program reads version {read}"));
            }
            None => {
                return Err(format!(
                    "manifest: \"diffuse\", the version of the schema, is missing; it should be {read}"
                ));
            }
        }
        let read = json.read().map_err(|error| format!("manifest: {}: {}", error.path(), error.inner()));
        let mut manifest: Self = read?;
        let forms: serde_json::Value = json.read().map_err(|error| format!("manifest: {}", error.inner()))?;
        if forms.is_array() {
            return Err("manifest: it is a list; expected an object".into());
        }
        check_forms(&forms).map_err(|reason| format!("manifest: {reason}"))?;
        manifest.defaults.renew().and_then(|()| manifest.check()).map_err(|reason| format!("manifest: {reason}"))?;
        Ok(manifest)
    }

    /// What the network is told of the time: as given; else t for schedules with steps of training, ln(σ)/4 for [`Schedule::Edm`] (Karras et al.
    /// 2022, table 1), and t as a share of the greatest for the others.
    #[must_use]
    pub fn time(&self) -> Time {
        self.time.unwrap_or(match self.schedule {
            Schedule::Edm { .. } => Time { encoding: Encoding::LogSigma, scale: 0.25, ..Time::default() },
            Schedule::Vp(_)
            | Schedule::SubVp(_)
            | Schedule::Ve { .. }
            | Schedule::Trigonometric { .. }
            | Schedule::Flow { .. } => Time { encoding: Encoding::Unit, ..Time::default() },
            _ => Time::default(),
        })
    }

    /// The standard deviation of the data: as given; else ½ for [`Prediction::Edm`] and 1 for the others.
    #[must_use]
    pub fn sigma_data(&self) -> f64 {
        self.sample.sigma_data.unwrap_or(if self.prediction == Prediction::Edm { 0.5 } else { 1.0 })
    }

    /// What is best at few evaluations for a model of this kind, by `benches/choosing.rs`: the solver, its order, the grid and the number of steps.
    fn usual(&self) -> (&'static str, u64, Spacing, usize) {
        let terminal = match &self.schedule {
            Schedule::Linear(range) | Schedule::ScaledLinear(range) | Schedule::Sigmoid(range) => range.terminal,
            Schedule::Cosine(steps) | Schedule::Exponential(steps) | Schedule::Laplace(steps) => steps.terminal,
            Schedule::Trained { terminal, .. } => *terminal,
            _ => Terminal::AsTrained,
        };
        match self.schedule {
            Schedule::Edm { .. } => ("deis", 3, Spacing::Karras, 20),
            // From pure noise there are no even steps in the logarithm of the noise.
            Schedule::Flow { .. } | Schedule::Trigonometric { .. } => ("unipc", 2, Spacing::Trailing, 20),
            _ if terminal == Terminal::ZeroSnr => ("unipc", 2, Spacing::Trailing, 20),
            _ => ("unipc", 2, Spacing::Exponential, 20),
        }
    }

    /// Whether `solver` is taken because neither the caller nor the manifest names one.
    fn is_usual(&self, solver: &str) -> bool {
        self.defaults.solver.is_none() && solver == self.usual().0
    }

    /// The solver: as given; else DEIS for [`Schedule::Edm`] and UniPC for the others.
    #[must_use]
    pub fn solver(&self) -> &str {
        self.defaults.solver.as_deref().unwrap_or(self.usual().0)
    }

    /// The order of the solver, where it is not the manifest that names it.
    pub(crate) fn order(&self, solver: &str) -> Option<u64> {
        self.is_usual(solver).then_some(self.usual().1)
    }

    /// The grid for `solver`: as given; else what suits the solver that is taken where none is named; else for another solver Karras et al.'s for
    /// [`Schedule::Edm`], evenly spaced times with both ends for the SDEs, and trailing for the others.
    #[must_use]
    pub fn grid(&self, solver: &str) -> Spacing {
        let own = || if self.is_usual(solver) { self.usual().2 } else { self.schedule.grid() };
        self.defaults.grid.unwrap_or_else(own)
    }

    /// The number of steps for `solver`: as given; else 20 for the solver that is taken where none is named, and 50 for others; T where that is
    /// more.
    #[must_use]
    pub fn steps(&self, solver: &str) -> usize {
        let own = || if self.is_usual(solver) { self.usual().3 } else { 50 };
        let most = self.schedule.build(Tables::Exact).ok().and_then(|schedule| schedule.train_steps());
        self.defaults.steps.unwrap_or_else(own).min(most.unwrap_or(usize::MAX))
    }

    /// How many channels of joined conditions lie behind those of the sample.
    #[must_use]
    pub fn joined_channels(&self) -> usize {
        self.conditions.values().filter(|condition| condition.joined).map(|condition| condition.shape[0]).sum()
    }

    /// Whether it is of a classifier, which guides a predictor's samples and draws none.
    #[must_use]
    pub fn is_classifier(&self) -> bool {
        self.prediction == Prediction::ClassGradient
    }

    fn check(&self) -> std::result::Result<(), String> {
        self.check_name()?;
        self.check_sample()?;
        let schedule = self.schedule.build(Tables::Exact).map_err(|error| format!("schedule: {error}"))?;
        self.check_prediction(&*schedule)?;
        self.check_time(&*schedule)?;
        self.check_classes()?;
        self.check_tensors()?;
        self.check_defaults(&*schedule)
    }

    fn check_name(&self) -> std::result::Result<(), String> {
        if let Some(name) = &self.name {
            // It becomes part of file names, and the manifest is another's.
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if name.is_empty() || name.len() > MOST_NAME || name.starts_with('.') || !name.chars().all(plain) {
                return Err(format!(
                    "name is {name:?}; it is 1 to 64 letters, digits, '-', '_' and '.', and does not begin with '.'"
                ));
            }
        }
        Ok(())
    }

    fn check_sample(&self) -> std::result::Result<(), String> {
        let Sample { shape, .. } = &self.sample;
        let values = shape.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis));
        if values.is_none_or(|values| values > MOST_VALUES) {
            return Err(format!("sample.shape is {shape:?}; one item has at most {MOST_VALUES} values"));
        }
        if shape.is_empty() || shape.contains(&0) {
            return Err(format!("sample.shape is {shape:?}; it needs at least one axis, and every axis at least 1"));
        }
        match (self.sample.kind(), &shape[..]) {
            (Kind::Image, [1 | 3 | 4, _, _]) | (Kind::Points, [2]) | (Kind::Tensor, _) => {}
            (Kind::Image, _) => {
                return Err(format!(
                    "sample.shape is {shape:?}; an image is [channels, height, width] with 1, 3 or 4 channels"
                ));
            }
            (Kind::Points, _) => return Err(format!("sample.shape is {shape:?}; points are [2]")),
        }
        match self.sample.range() {
            Some([low, high]) if !(low.is_finite() && high.is_finite() && low < high) => {
                return Err(format!("sample.range is [{low}, {high}]; the first must be below the second"));
            }
            None if self.sample.clip() => {
                return Err("sample.clip is true, but there is no sample.range to clip to".into());
            }
            _ => {}
        }
        if self.sample.clamp && self.sample.range().is_none() {
            return Err("sample.clamp is true, but there is no sample.range to clamp to".into());
        }
        if self.sample.sigma_data.is_some_and(|sigma_data| !(sigma_data.is_finite() && sigma_data > 0.0)) {
            return Err(format!("sample.sigma_data is {}; it has to be above 0", self.sigma_data()));
        }
        Ok(())
    }

    fn check_prediction(&self, schedule: &dyn NoiseSchedule) -> std::result::Result<(), String> {
        let noisiest = schedule.level(schedule.bounds()[1]);
        if noisiest.alpha == 0.0 && !self.prediction.allows_pure_noise() {
            return Err(
                "prediction: from ε, the score and F nothing can be found where the schedule leaves nothing of the clean sample; \
                 a network that was trained so says v, x0 or the flow. In steps of training schedule.terminal \"floored\" leaves ᾱ = 2⁻²⁴"
                    .into(),
            );
        }
        if self.prediction == Prediction::PosteriorMean && schedule.train_steps().is_none() {
            return Err("prediction is \"posterior_mean\", which a schedule in continuous time does not have".into());
        }
        if self.is_classifier() && self.classes.is_none() {
            return Err("prediction is \"class_gradient\", which is of a class, but there are no classes".into());
        }
        if self.is_classifier() && self.variance != LearnedVariance::None {
            return Err("variance is learned, but a gradient has none".into());
        }
        Ok(())
    }

    fn check_time(&self, schedule: &dyn NoiseSchedule) -> std::result::Result<(), String> {
        let Time { encoding, direction, scale, offset } = self.time();
        if encoding == Encoding::Index && schedule.train_steps().is_none() {
            return Err("time.encoding is \"index\", which a schedule in continuous time does not have; expected unit, sigma or log_sigma".into());
        }
        if direction == Toward::Data && matches!(encoding, Encoding::Sigma | Encoding::LogSigma) {
            return Err("time.direction is \"data\", which only the encodings \"index\" and \"unit\" can have".into());
        }
        if !(scale.is_finite() && scale != 0.0 && offset.is_finite()) {
            return Err(format!(
                "time.scale is {scale} and time.offset {offset}; both must be finite, the scale not 0"
            ));
        }
        Ok(())
    }

    fn check_classes(&self) -> std::result::Result<(), String> {
        if let Some(classes) = &self.classes {
            let count = classes.count();
            if count == 0 {
                return Err("classes has neither names nor a count".into());
            }
            if count > MOST_CLASSES || classes.null.is_some_and(|null| null > MOST_CLASSES) {
                return Err(format!("classes.count or classes.null is above {MOST_CLASSES}"));
            }
            if !classes.names.is_empty() && classes.names.len() != count {
                return Err(format!("classes.count is {count}, but there are {} classes.names", classes.names.len()));
            }
            let mut seen = HashSet::new();
            if let Some(twice) = classes.names.iter().find(|name| !seen.insert(*name)) {
                return Err(format!("classes.names has '{twice}' twice"));
            }
        }
        if self.inputs.class.is_some() && self.classes.is_none() {
            return Err("inputs.class is named, but there are no classes".into());
        }
        Ok(())
    }

    fn check_tensors(&self) -> std::result::Result<(), String> {
        for (name, condition) in &self.conditions {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
            if !begins
                || name.len() > MOST_NAME
                || !name.chars().all(plain)
                || Inputs::ROLES.iter().any(|(role, _)| role == name)
            {
                return Err(format!(
                    "conditions has {name:?}; a name is 1 to 64 small letters, digits and '_', begins with a letter, and is none of {}",
                    Inputs::roles()
                ));
            }
            let shape = &condition.shape;
            let values = shape.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis));
            if shape.is_empty() || values.is_none_or(|values| values == 0 || values > MOST_VALUES) {
                return Err(format!(
                    "conditions.{name}.shape is {shape:?}; it needs at least one axis, each at least 1, and at most {MOST_VALUES} values"
                ));
            }
            if condition.kind() == Kind::Image && !matches!(shape[..], [1 | 3 | 4, _, _]) {
                return Err(format!(
                    "conditions.{name}.shape is {shape:?}; an image is [channels, height, width] with 1, 3 or 4 channels"
                ));
            }
            if condition.joined && (shape.len() != self.sample.shape.len() || shape[1..] != self.sample.shape[1..]) {
                return Err(format!(
                    "conditions.{name}.shape is {shape:?}; what is joined to the sample {:?} differs in the channels alone",
                    self.sample.shape
                ));
            }
            if condition.joined && self.inputs.conditions.contains_key(name) {
                return Err(format!("inputs.{name} is named, but the condition is joined to the sample"));
            }
            let [low, high] = condition.range();
            if !(low.is_finite() && high.is_finite() && low < high) {
                return Err(format!("conditions.{name}.range is [{low}, {high}]; the first must be below the second"));
            }
        }
        if let Some(role) = self.inputs.conditions.keys().find(|role| !self.conditions.contains_key(*role)) {
            return Err(format!("inputs.{role}: unknown field; there are {}, and the conditions", Inputs::roles()));
        }
        let Inputs { sample, time, class, direction, conditions } = &self.inputs;
        let mut seen = HashSet::new();
        let mut named = [sample, time, class, direction].into_iter().flatten().chain(conditions.values());
        if let Some(twice) = named.find(|name| !seen.insert(*name)) {
            return Err(format!("the input '{twice}' has two roles in the manifest's inputs"));
        }
        if self.inputs.direction.is_some() != self.outputs.derivative.is_some() {
            return Err("inputs.direction and outputs.derivative go together; one of them is missing".into());
        }
        if self.outputs.derivative.is_some() && self.joined_channels() > 0 {
            return Err("outputs.derivative: a network with joined conditions cannot have it".into());
        }
        if self.outputs.derivative.is_some() && self.variance != LearnedVariance::None {
            return Err("outputs.derivative: a network with a learned variance cannot have it".into());
        }
        Ok(())
    }

    fn check_defaults(&self, schedule: &dyn NoiseSchedule) -> std::result::Result<(), String> {
        let Defaults { steps, eta, steps_offset, .. } = self.defaults;
        if eta.is_some_and(|eta| !(0.0..=1.0).contains(&eta)) {
            return Err(format!("defaults.eta is {}; it lies between 0 and 1", eta.unwrap_or_default()));
        }
        let grid = self.defaults.grid;
        let values = self.defaults.values().map_err(|error| format!("defaults.options: {error}"))?;
        let mut options = Options::default();
        let named = solver::SOLVERS.iter().find(|entry| entry.name == self.solver());
        let of_solver = |key: &str| {
            let of_run = settings::OPTIONS.iter().any(|option| option.key == key);
            let has = || named.is_some_and(|entry| entry.options.iter().any(|option| option.key == key));
            // η is for whichever solvers have it.
            !of_run && solver::option(key).is_some() && (key != "eta" || has())
        };
        values.into_iter().filter(|(key, _)| of_solver(key)).for_each(|(key, value)| options.set(key, value));
        solver::build(self.solver(), &options).map_err(|error| format!("defaults: {error}"))?;
        if steps == Some(0) {
            return Err("defaults.steps is 0; a run takes at least one step".into());
        }
        if steps_offset > 0 && grid != Some(Spacing::Leading) {
            return Err(format!(
                "defaults.steps_offset is {steps_offset}, but only the grid \"leading\" has an offset"
            ));
        }
        if steps_offset > 0 && schedule.train_steps().is_none_or(|train_steps| steps_offset >= train_steps) {
            return Err(format!("defaults.steps_offset is {steps_offset}; it is below schedule.train_steps"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str =
        r#"{"diffuse": 1, "sample": {"shape": [3, 8, 8]}, "schedule": {"kind": "linear"}, "prediction": "epsilon"}"#;

    #[test]
    fn the_least_manifest_has_the_documented_defaults() {
        let manifest = Manifest::parse(LEAST).unwrap();
        assert_eq!(manifest.sample.kind(), Kind::Image);
        assert_eq!(manifest.sample.range(), Some([-1.0, 1.0]));
        assert!(manifest.sample.clip());
        assert_eq!(manifest.schedule, Schedule::Linear(BetaRange::default()));
        assert_eq!(manifest.time(), Time::default());
        assert_eq!(manifest.grid("ddim"), Spacing::Trailing);
        assert_eq!(
            (manifest.solver(), manifest.grid("unipc"), manifest.steps("unipc")),
            ("unipc", Spacing::Exponential, 20)
        );
        assert_eq!(manifest.steps("ddim"), 50);
        // What is written is read back the same.
        assert_eq!(Manifest::parse(&serde_json::to_string(&manifest).unwrap()).unwrap(), manifest);
    }

    /// The cases that `onnx/test_manifest.py` holds the exporter's rules against, too.
    #[test]
    fn the_rules_are_those_of_the_exporter() {
        #[derive(Deserialize)]
        struct Case {
            why: String,
            holds: bool,
            names: Option<String>,
            #[serde(default)]
            manifest: serde_json::Value,
            /// In place of a manifest what a value cannot say: a key that is there twice, how a number is spelled.
            text: Option<String>,
        }
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../onnx/fixtures/manifests.json")).unwrap();
        assert!(cases.len() > 40);
        for Case { why, holds, names, manifest, text } in cases {
            match Manifest::parse(&text.unwrap_or_else(|| manifest.to_string())) {
                Ok(_) => assert!(holds, "{why}: is accepted"),
                Err(error) => assert!(!holds && error.contains(&names.unwrap()), "{why}: {error}"),
            }
        }
        assert!(Manifest::parse(&LEAST[1..]).unwrap_err().contains("as JSON"));
    }

    #[test]
    fn times_are_encoded_as_documented() {
        let level = NoiseLevel { t: 249.0, alpha: 0.8, sigma: 0.6 };
        let schedule = Schedule::Linear(BetaRange::default()).build(Tables::Exact).unwrap();
        let encode =
            |encoding, direction, scale, offset| Time { encoding, scale, offset, direction }.encode(level, &*schedule);
        assert_eq!(encode(Encoding::Index, Toward::Noise, 1.0, 0.0), 249.0);
        assert_eq!(encode(Encoding::Index, Toward::Data, 1.0, 0.0), 750.0);
        assert_eq!(encode(Encoding::Unit, Toward::Noise, 1.0, 0.0), 0.25);
        assert_eq!(encode(Encoding::Unit, Toward::Data, 1000.0, 1.0), 751.0);
        assert!((encode(Encoding::Sigma, Toward::Noise, 1.0, 0.0) - 0.75).abs() < 1e-15);
        assert!((encode(Encoding::LogSigma, Toward::Noise, 0.25, 0.0) - 0.25 * 0.75f64.ln()).abs() < 1e-15);
    }
}
