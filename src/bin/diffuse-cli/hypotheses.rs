//! Hypotheses about a graph: what it predicts, its noise schedule, its time input, and its input scaling. A manifest
//! fixes the fields that it sets. Fields that it lacks, or that are "?", are open.

use std::sync::Arc;

use diffuse::model::{Encoding, MOST_CLASSES, Manifest, Schedule, Time, Toward};
use diffuse::network::Element;
use diffuse::schedule::{NoiseLevel, NoiseSchedule, Tables};
use diffuse::{InputScaling, Prediction, json};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::suggest::{self, UNKNOWN};

const PREDICTIONS: [Prediction; 7] = [
    Prediction::Epsilon,
    Prediction::X0,
    Prediction::V,
    Prediction::Score,
    Prediction::Flow,
    Prediction::FlowToData,
    Prediction::Edm,
];

/// The schedules that are in use for training, as manifests have them.
const SCHEDULES: &[&str] = &[
    r#"{"kind": "linear"}"#,
    r#"{"kind": "linear", "train_steps": 100}"#,
    r#"{"kind": "linear", "train_steps": 200}"#,
    r#"{"kind": "linear", "train_steps": 300}"#,
    r#"{"kind": "linear", "train_steps": 400}"#,
    r#"{"kind": "linear", "train_steps": 500}"#,
    // guided-diffusion scales β so where T is not 1000.
    r#"{"kind": "linear", "train_steps": 100, "beta_start": 0.001, "beta_end": 0.2}"#,
    r#"{"kind": "linear", "train_steps": 200, "beta_start": 0.0005, "beta_end": 0.1}"#,
    r#"{"kind": "linear", "train_steps": 500, "beta_start": 0.0002, "beta_end": 0.04}"#,
    r#"{"kind": "linear", "terminal": "zero_snr"}"#,
    // These are AnimateDiff's, DiffWave's, WaveGrad's and SR3's.
    r#"{"kind": "linear", "beta_start": 0.00085, "beta_end": 0.012}"#,
    r#"{"kind": "linear", "train_steps": 50, "beta_end": 0.05}"#,
    r#"{"kind": "linear", "beta_start": 0.000001, "beta_end": 0.01}"#,
    r#"{"kind": "linear", "train_steps": 2000, "beta_start": 0.000001, "beta_end": 0.01}"#,
    // This is latent diffusion's.
    r#"{"kind": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}"#,
    r#"{"kind": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "terminal": "zero_snr"}"#,
    r#"{"kind": "scaled_linear", "beta_start": 0.0015, "beta_end": 0.0195}"#,
    r#"{"kind": "scaled_linear"}"#,
    r#"{"kind": "cosine"}"#,
    r#"{"kind": "cosine", "train_steps": 100}"#,
    r#"{"kind": "cosine", "train_steps": 200}"#,
    r#"{"kind": "cosine", "train_steps": 500}"#,
    r#"{"kind": "cosine", "train_steps": 4000}"#,
    r#"{"kind": "sigmoid"}"#,
    r#"{"kind": "sigmoid", "train_steps": 100}"#,
    r#"{"kind": "sigmoid_alpha_bar"}"#,
    r#"{"kind": "sigmoid_alpha_bar", "train_steps": 100}"#,
    r#"{"kind": "vp"}"#,
    r#"{"kind": "sub_vp"}"#,
    r#"{"kind": "ve", "sigma_min": 0.01, "sigma_max": 1}"#,
    r#"{"kind": "ve", "sigma_min": 0.01, "sigma_max": 3}"#,
    r#"{"kind": "ve", "sigma_min": 0.01, "sigma_max": 10}"#,
    r#"{"kind": "ve", "sigma_min": 0.01, "sigma_max": 50}"#,
    r#"{"kind": "ve", "sigma_min": 0.01, "sigma_max": 378}"#,
    r#"{"kind": "edm"}"#,
    r#"{"kind": "flow"}"#,
    r#"{"kind": "trigonometric"}"#,
    r#"{"kind": "continuous_cosine"}"#,
];

/// How a network's output may be read, and which inputs it then needs.
#[derive(Debug, Clone)]
pub(crate) struct Hypothesis {
    schedule: Arc<Scheduled>,
    pub(crate) prediction: Prediction,
    time: Time,
    scaling: InputScaling,
    /// The standard deviation of the data. It is 1 where nothing depends on it.
    sigma_data: f64,
}

/// A schedule as a manifest has it, and as it is built.
#[derive(Debug)]
struct Scheduled {
    said: Schedule,
    schedule: Arc<dyn NoiseSchedule>,
}

impl PartialEq for Hypothesis {
    fn eq(&self, other: &Self) -> bool {
        self.schedule.said == other.schedule.said
            && self.prediction == other.prediction
            && self.time == other.time
            && self.scaling == other.scaling
            && self.sigma_data == other.sigma_data
    }
}

/// An evaluation of the network under a hypothesis.
pub(crate) struct Question {
    pub(crate) level: NoiseLevel,
    /// The factor of the network's input.
    pub(crate) factor: f64,
    pub(crate) time: f64,
    /// The coefficients of x̂₀ in x and in the network's output.
    pub(crate) to_x0: (f64, f64),
}

impl Hypothesis {
    fn new(
        schedule: &Arc<Scheduled>,
        prediction: Prediction,
        time: Time,
        scaling: InputScaling,
        sigma_data: f64,
    ) -> Self {
        let counts = prediction == Prediction::Edm || scaling != InputScaling::None;
        let scaling = if prediction == Prediction::Edm { InputScaling::None } else { scaling };
        Self {
            schedule: Arc::clone(schedule),
            prediction,
            time,
            scaling,
            sigma_data: if counts { sigma_data } else { 1.0 },
        }
    }

    /// The evaluation at the level nearest to λ = `lambda`. `None` if it is further off than `most`. With training
    /// steps only the steps are levels.
    pub(crate) fn question(&self, lambda: f64, most: f64) -> Option<Question> {
        let schedule = &*self.schedule.schedule;
        let [first, last] = schedule.bounds();
        let time = schedule.time(lambda).clamp(first, last);
        let level = schedule.level(if schedule.train_steps().is_some() { time.round() } else { time });
        let factor = self.scaling.factor(self.prediction, level, self.sigma_data);
        let to_x0 = self.prediction.to_x0(level, schedule, self.sigma_data);
        let is_near = (level.lambda() - lambda).abs() <= most && to_x0.0.is_finite() && to_x0.1.is_finite();
        is_near.then(|| Question { level, factor, time: self.time.encode(level, schedule), to_x0 })
    }

    /// Whether it is possible for a network whose time input has the type `element`.
    fn is_possible(&self, element: Element) -> bool {
        let schedule = &*self.schedule.schedule;
        let Self { prediction, time, .. } = self;
        let [first, last] = schedule.bounds().map(|t| schedule.level(t));
        let is_stepped = schedule.train_steps().is_some();
        let is_told = element.whole_numbers().is_none_or(|[least, most]| {
            let within = |level| (least as f64..=most as f64).contains(&time.encode(level, schedule));
            let is_whole = [time.scale, time.offset].iter().all(|number| number.fract() == 0.0);
            time.encoding == Encoding::Index && is_whole && within(first) && within(last)
        });
        // A manifest whose time input is not finite, or the same at every level, does not open.
        let is_number = [first, last].iter().all(|level| element.rounded(time.encode(*level, schedule)).is_finite());
        let is_telling = time.encoding != Encoding::Alpha || first.alpha > last.alpha;
        is_told
            && is_number
            && is_telling
            && (last.alpha > 0.0 || prediction.allows_pure_noise())
            && (is_stepped || (time.encoding != Encoding::Index && *prediction != Prediction::PosteriorMean))
    }

    /// Whether it is in use. F of Karras et al. belongs to their schedule, or to noise that is added to the sample as
    /// it is. Nobody scales data with a deviation of 1.
    fn is_usual(&self) -> bool {
        let Self { schedule: scheduled, prediction, scaling, .. } = self;
        let schedule = &*scheduled.schedule;
        let middle = schedule.level(schedule.bounds().iter().sum::<f64>() / 2.0);
        let adds_noise = matches!(scheduled.said, Schedule::Edm { .. } | Schedule::Ve { .. });
        (*prediction != Prediction::Edm || adds_noise)
            && (*scaling == InputScaling::None || (middle.deviation(1.0) - 1.0).abs() > 1e-9)
    }

    /// Its fields as a manifest has them, without defaults.
    pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("schedule", spelled(&self.schedule.said, &["kind", "train_steps"])),
            ("prediction", json!(self.prediction).to_string()),
            ("time", spelled(&self.time, &["encoding"])),
        ];
        if self.scaling != InputScaling::None {
            fields.push(("input_scaling", json!(self.scaling).to_string()));
        }
        // The defaults of a manifest.
        if self.sigma_data != if self.prediction == Prediction::Edm { 0.5 } else { 1.0 } {
            fields.push(("sample", format!("{{\"sigma_data\": {}}}", self.sigma_data)));
        }
        fields
    }
}

/// An object as JSON, without fields that have their default unless they are in `kept`.
fn spelled<T: Serialize + DeserializeOwned + PartialEq>(value: &T, kept: &[&str]) -> String {
    let mut fields = object(value);
    // The fields are in the order of the type. A map does not keep it.
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut keys: Vec<String> = fields.keys().cloned().collect();
    keys.sort_by_key(|key| text.find(&format!("{key:?}:")));
    for key in keys.iter().filter(|key| !kept.contains(&key.as_str())) {
        let Some(field) = fields.remove(key) else { continue };
        if serde_json::from_value::<T>(Value::Object(fields.clone())).ok().as_ref() != Some(value) {
            fields.insert(key.clone(), field);
        }
    }
    let number = |field: &Value| field.as_f64().map_or_else(|| field.to_string(), |number| number.to_string());
    let fields = keys.iter().filter_map(|key| Some(format!("{key:?}: {}", number(fields.get(key)?))));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
}

fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// What is known of a model.
#[derive(Debug)]
pub(crate) struct Told {
    /// The fields of the manifest that are set.
    said: Map<String, Value>,
    /// The manifest, if it is whole.
    whole: Option<Manifest>,
}

impl Told {
    /// Reads a manifest that may lack the fields to be found.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let whole = Manifest::parse(text).ok();
        match json::value(text).map_err(|error| format!("the manifest cannot be read as JSON: {error}"))? {
            Value::Object(said) => Ok(Self { said, whole }),
            _ => Err("manifest: it is no object".into()),
        }
    }

    /// A manifest under which the network can be evaluated for any hypothesis. Its time input is `NoiseLevel::t`, and
    /// its x̂₀ is the network's output as it is.
    pub(crate) fn carrier(&self) -> Result<Manifest, String> {
        if self.said.get("prediction").is_some_and(|prediction| prediction == "class_gradient") {
            return Err(
                "manifest: prediction is \"class_gradient\": it is a classifier, and no samples are drawn from it"
                    .into(),
            );
        }
        let mut said = Value::Object(self.said.clone());
        said["prediction"] = json!("x0");
        said["schedule"] = json!({"kind": "linear", "train_steps": 1});
        said["time"] = json!({"encoding": "index"});
        // The output of the variance is not used.
        said["variance"].as_str().filter(|word| *word == UNKNOWN).is_some().then(|| said["variance"] = json!("unused"));
        ["defaults", "input_scaling"].iter().for_each(|field| forget(&mut said, field));
        let of_sections = [("sample", "kind"), ("sample", "sigma_data"), ("classes", "count"), ("classes", "null")];
        for (section, field) in of_sections {
            let section =
                said.get_mut(section).filter(|section| section.get(field).is_some_and(|word| word == UNKNOWN));
            section.into_iter().for_each(|section| forget(section, field));
        }
        // The number of classes is not in the graph. The given ones are some of them.
        let classes = said.get_mut("classes").and_then(Value::as_object_mut);
        for classes in classes.into_iter().filter(|classes| !classes.contains_key("names")) {
            classes.entry("count").or_insert(json!(MOST_CLASSES));
        }
        match suggest::unknown(&said).first() {
            Some(place) => {
                let field = place.trim_start_matches('/').replace('/', ".");
                Err(format!("manifest: {field} is \"?\", which samples cannot determine; set it"))
            }
            None => Manifest::parse(&said.to_string()),
        }
    }

    /// The hypothesis of the manifest itself, if it is whole.
    pub(crate) fn own(&self) -> Option<Hypothesis> {
        let manifest = self.whole.as_ref()?;
        let schedule = &scheduled(manifest.schedule.clone())?;
        let Manifest { prediction, input_scaling, .. } = *manifest;
        Some(Hypothesis::new(schedule, prediction, manifest.time(), input_scaling, manifest.sigma_data()))
    }

    /// The hypotheses for a network whose time input has the type `element`, and for data of the deviation `deviation`.
    /// A whole manifest is compared with all others.
    pub(crate) fn hypotheses(&self, element: Element, deviation: f64) -> Result<Vec<Hypothesis>, String> {
        let ways = self.ways(deviation)?;
        let mut found: Vec<Hypothesis> = self.own().into_iter().collect();
        for schedule in schedules(self.held("schedule")) {
            let times = times(&schedule, self.held("time"));
            for (time, way) in times.iter().flat_map(|time| ways.iter().map(move |way| (*time, *way))) {
                let (prediction, scaling, sigma_data) = way;
                let hypothesis = Hypothesis::new(&schedule, prediction, time, scaling, sigma_data);
                let is_said = self.held("prediction").or(self.held("input_scaling")).is_some();
                let counts = hypothesis.is_possible(element) && (is_said || hypothesis.is_usual());
                if counts && !found.contains(&hypothesis) {
                    found.push(hypothesis);
                }
            }
        }
        if found.is_empty() {
            return Err("manifest: no usual schedule agrees with its fields".into());
        }
        Ok(found)
    }

    /// The value of a field, unless it is open or the whole manifest is checked.
    fn held(&self, field: &str) -> Option<&Value> {
        self.said.get(field).filter(|value| self.whole.is_none() && *value != UNKNOWN)
    }

    /// The value of a field that is a word, else all `usual` ones.
    fn words<T: DeserializeOwned + Copy>(&self, field: &str, usual: &[T]) -> Result<Vec<T>, String> {
        let Some(held) = self.held(field) else { return Ok(usual.to_vec()) };
        let word = serde_json::from_value(held.clone()).map_err(|error| format!("manifest: {field}: {error}"))?;
        Ok(vec![word])
    }

    /// The kinds of prediction, the kinds of input scaling, and the deviations of the data that are possible together.
    fn ways(&self, deviation: f64) -> Result<Vec<(Prediction, InputScaling, f64)>, String> {
        let predictions = self.words("prediction", &PREDICTIONS)?;
        let scalings = self.words("input_scaling", &[InputScaling::None, InputScaling::UnitVariance])?;
        let said = self.said.get("sample").and_then(|sample| sample.get("sigma_data")).and_then(Value::as_f64);
        let mut ways = Vec::new();
        for prediction in predictions {
            for scaling in &scalings {
                let all = said.map_or_else(|| deviations(prediction, *scaling, deviation), |said| vec![said]);
                ways.extend(all.into_iter().map(|sigma_data| (prediction, *scaling, sigma_data)));
            }
        }
        Ok(ways)
    }
}

/// The deviations of the data for which a network may have been made, where the data has `deviation`.
fn deviations(prediction: Prediction, scaling: InputScaling, deviation: f64) -> Vec<f64> {
    let usual: &[f64] = match (prediction, scaling) {
        (Prediction::Edm, _) => &[0.5, 1.0],
        (_, InputScaling::None) => return vec![1.0],
        _ => &[1.0],
    };
    let own = (deviation * 100.0).round() / 100.0;
    let is_another = usual.iter().all(|usual| (own / usual).ln().abs() > 0.05);
    usual.iter().copied().chain(is_another.then_some(own)).collect()
}

fn scheduled(said: Schedule) -> Option<Arc<Scheduled>> {
    let schedule = said.build(Tables::Exact).ok()?;
    Some(Arc::new(Scheduled { said, schedule }))
}

/// The schedules that agree with the fields that are set.
fn schedules(held: Option<&Value>) -> Vec<Arc<Scheduled>> {
    let usual = SCHEDULES.iter().filter_map(|text| serde_json::from_str::<Schedule>(text).ok());
    let fitting = usual.filter_map(|schedule| fitted(&object(&schedule), held, "kind"));
    // A schedule that is set need not be a usual one.
    let said = held.filter(|held| suggest::unknown(held).is_empty()).cloned();
    unique(parsed::<Schedule>(said.into_iter().chain(fitting).collect())).into_iter().filter_map(scheduled).collect()
}

/// The time inputs that a network may have, as far as they agree with the fields that are set.
fn times(schedule: &Scheduled, held: Option<&Value>) -> Vec<Time> {
    let usual = usual_times(schedule);
    unique(parsed::<Time>(usual.iter().filter_map(|time| fitted(&object(time), held, "encoding")).collect()))
}

fn usual_times(schedule: &Scheduled) -> Vec<Time> {
    let mut times = Vec::new();
    let mut add = |encoding, scale, offset, directions: &[Toward]| {
        times.extend(directions.iter().map(|direction| Time { encoding, scale, offset, direction: *direction }));
    };
    let both = &[Toward::Noise, Toward::Data];
    match schedule.schedule.train_steps() {
        Some(steps) => {
            add(Encoding::Index, 1.0, 0.0, both);
            // Steps may be counted from 1, and as a share.
            add(Encoding::Index, 1.0, 1.0, &[Toward::Noise]);
            add(Encoding::Index, 1.0 / steps as f64, 0.0, &[Toward::Noise]);
            add(Encoding::Unit, 1.0, 0.0, both);
            add(Encoding::Unit, 1000.0, 0.0, &[Toward::Noise]);
        }
        // The time of Karras et al. is σ, whose greatest value does not occur in training.
        None if matches!(schedule.said, Schedule::Edm { .. }) => {}
        None => {
            // 999 is score_sde's.
            [1.0, 999.0, 1000.0].iter().for_each(|scale| add(Encoding::Unit, *scale, 0.0, both));
        }
    }
    for (encoding, scale) in [
        (Encoding::Sigma, 1.0),
        (Encoding::LogSigma, 1.0),
        // Karras et al. 2022, table 1.
        (Encoding::LogSigma, 0.25),
        (Encoding::LogSnr, 1.0),
        (Encoding::Alpha, 1.0),
        (Encoding::SigmaSquared, 1.0),
    ] {
        add(encoding, scale, 0.0, &[Toward::Noise]);
    }
    times
}

/// The usual object `usual` with the fields that are set. Its `word` has to be the same, unless it is open. If it is
/// open, fields that are not set are open. Otherwise only fields that are "?" are open.
fn fitted(usual: &Map<String, Value>, held: Option<&Value>, word: &str) -> Option<Value> {
    let Some(held) = held.and_then(Value::as_object) else { return Some(Value::Object(usual.clone())) };
    let is_open = held.get(word).is_none_or(|word| word == UNKNOWN);
    if !is_open && held.get(word) != usual.get(word) {
        return None;
    }
    let mut fields = if is_open { usual.clone() } else { Map::new() };
    for (key, value) in held {
        match (value == UNKNOWN, usual.get(key)) {
            (false, _) => fields.insert(key.clone(), value.clone()),
            (true, Some(usual)) => fields.insert(key.clone(), usual.clone()),
            (true, None) => None,
        };
    }
    Some(Value::Object(fields))
}

fn parsed<T: DeserializeOwned>(values: Vec<Value>) -> Vec<T> {
    values.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect()
}

fn unique<T: PartialEq>(values: Vec<T>) -> Vec<T> {
    values.into_iter().fold(Vec::new(), |mut unique, value| {
        if !unique.contains(&value) {
            unique.push(value);
        }
        unique
    })
}

fn forget(object: &mut Value, field: &str) {
    object.as_object_mut().into_iter().for_each(|fields| drop(fields.remove(field)));
}
