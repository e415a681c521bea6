//! A model: a network whose manifest fits it, and the denoiser that it makes.

use std::path::Path;
use std::sync::Arc;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use ndarray::{ArrayD, ArrayViewD};
use ort::session::{RunOptions, SessionInputValue, SessionOutputs};
use ort::value::{PrimitiveTensorElementType, Shape, TensorRef};

use super::{Element, LearnedVariance, Manifest, ModelOptions, Network, Runtime, TensorInfo};
use crate::denoiser::{Condition, Denoised, Denoiser, Interrupt, Query};
use crate::error::{Error, Result};
use crate::likelihood::{self, Divergence, VariationalBound};
use crate::noise::CounterNoise;
use crate::schedule::{NoiseLevel, NoiseSchedule, Tables};
use crate::solver::{Adaptive, Variance};
use crate::tensor::first_not_finite;

/// A network together with a manifest that fits it. It may be shared between threads; evaluations take turns.
#[derive(Debug)]
pub struct Model {
    network: Network,
    manifest: Manifest,
    schedule: Arc<dyn NoiseSchedule>,
    roles: Roles,
}

/// Which tensor of the graph plays which role.
#[derive(Debug)]
struct Roles {
    sample: Input,
    time: Input,
    time_form: TimeForm,
    class: Option<Input>,
    output: usize,
    output_element: Element,
}

/// An input that has a role: its place among the graph's inputs, and its type.
#[derive(Debug, Clone, Copy)]
struct Input {
    index: usize,
    element: Element,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeForm {
    Scalar,
    /// An axis of 1, whatever the batch.
    One,
    Batch,
}

impl Model {
    /// Opens the model file at `path`. Its manifest is that of `options`, else the file beside it (`model.diffuse.json` for
    /// `model.onnx`), else the one in its metadata.
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
        let roles =
            Roles::assign(&network, &manifest, &*schedule).map_err(|reason| Error::model(network.name(), reason))?;
        Ok(Self { network, manifest, schedule, roles })
    }

    /// The network, as its graph describes it.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The schedule of the manifest.
    #[must_use]
    pub fn schedule(&self) -> &Arc<dyn NoiseSchedule> {
        &self.schedule
    }

    /// The name in the manifest; else that of the file without its ending; else "model".
    #[must_use]
    pub fn name(&self) -> &str {
        self.manifest.name.as_deref().or_else(|| self.network.stem()).unwrap_or("model")
    }

    /// Whether samples of `shape` (batch first) can be evaluated.
    ///
    /// # Errors
    /// [`Error::Argument`] with the axis, what is expected and what was found.
    pub fn check_shape(&self, shape: &[usize]) -> Result<()> {
        let info = &self.network.inputs()[self.roles.sample.index];
        let axes = shape.len() == info.shape.len();
        let fits =
            axes && info.shape.iter().zip(shape).skip(1).all(|(axis, size)| axis.is_none_or(|axis| axis == *size));
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

    /// One question to the network, for a process of the caller's own: x̂₀ of the noisy samples `x` (batch first) at `level`,
    /// unclipped. `level` may be any, such as `model.schedule().level(t)`; what the network is told of the
    /// time is made from it as the manifest says.
    ///
    /// # Errors
    /// [`Error::Argument`] if `x` or `condition` does not fit the model; [`Error::Evaluation`] if the network fails, says
    /// something that is not a finite number, or cannot say x̂₀ at this level (ε where α = 0).
    pub fn denoise(
        self: &Arc<Self>,
        x: ArrayViewD<'_, f32>,
        level: NoiseLevel,
        condition: &Condition,
    ) -> Result<ArrayD<f32>> {
        self.check_shape(x.shape())?;
        self.check_classes(condition.classes.as_deref(), x.shape()[0])?;
        let NoiseLevel { t, alpha, sigma } = level;
        if !(t.is_finite() && alpha.is_finite() && alpha >= 0.0 && sigma.is_finite() && sigma >= 0.0) {
            let reason = format!("t = {t}, α = {alpha}, σ = {sigma}; all must be finite, α and σ not negative");
            return Err(Error::argument("level", reason));
        }
        let x = x.as_standard_layout();
        let mut out = Denoised::new(x.shape());
        Predictor::new(Arc::clone(self))?.denoise(Query { x: x.view(), level, condition, step: 0 }, &mut out)?;
        Ok(out.x0)
    }

    /// The logarithm of the density, in nats, of each of the samples `x` (batch first): [`likelihood::log_density`] with this model. `seed` is
    /// that of the directions of [`Divergence::Hutchinson`].
    ///
    /// # Errors
    /// [`Error::Argument`] if `x` or `condition` does not fit the model; as there.
    pub fn log_density(
        self: &Arc<Self>,
        x: ArrayViewD<'_, f32>,
        condition: &Condition,
        divergence: Divergence,
        tolerance: Adaptive,
        seed: u64,
    ) -> Result<Vec<f64>> {
        self.check_samples(&x, condition)?;
        let mut predictor = Predictor::new(Arc::clone(self))?;
        let noise = &mut CounterNoise::new(seed);
        likelihood::log_density(&mut predictor, &*self.schedule, x, condition, divergence, tolerance, noise)
    }

    /// DDPM's variational bound of each of the samples `x` (batch first): [`likelihood::variational_bound`] with this model.
    ///
    /// # Errors
    /// [`Error::Argument`] if `x` or `condition` does not fit the model; as there.
    pub fn variational_bound(
        self: &Arc<Self>,
        x: ArrayViewD<'_, f32>,
        condition: &Condition,
        variance: Variance,
        seed: u64,
    ) -> Result<Vec<VariationalBound>> {
        self.check_samples(&x, condition)?;
        let mut predictor = Predictor::new(Arc::clone(self))?;
        let noise = &mut CounterNoise::new(seed);
        likelihood::variational_bound(&mut predictor, &*self.schedule, x, condition, variance, noise)
    }

    fn check_samples(&self, x: &ArrayViewD<'_, f32>, condition: &Condition) -> Result<()> {
        self.check_shape(x.shape())?;
        self.check_classes(condition.classes.as_deref(), x.shape()[0])?;
        match x.iter().find(|value| !value.is_finite()) {
            Some(value) => Err(Error::argument("x", format!("a value is {value}, which is no finite number"))),
            None => Ok(()),
        }
    }

    /// Whether `classes` are what a batch of `count` items needs: one class of the model per item, or none for a model without.
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
        self.network.inputs()[self.roles.sample.index].shape[0]
    }
}

impl Roles {
    fn assign(
        network: &Network,
        manifest: &Manifest,
        schedule: &dyn NoiseSchedule,
    ) -> std::result::Result<Self, String> {
        let inputs = network.inputs();
        let place = |role: &str,
                     named: &Option<String>,
                     usual: &[&str]|
         -> std::result::Result<Option<usize>, String> {
            match named {
                Some(name) => match inputs.iter().position(|input| input.name == *name) {
                    Some(index) => Ok(Some(index)),
                    None => Err(format!("inputs.{role} is '{name}', but the graph's inputs are {}", list(inputs))),
                },
                None => {
                    let mut known = (0..inputs.len()).filter(|&index| usual.contains(&inputs[index].name.as_str()));
                    match (known.next(), known.next()) {
                        (Some(first), Some(second)) => Err(format!(
                            "both '{}' and '{}' could be the {role}; name the one that is in the manifest as inputs.{role}",
                            inputs[first].name, inputs[second].name
                        )),
                        (first, _) => Ok(first),
                    }
                }
            }
        };
        let names = &manifest.inputs;
        let required = |role: &str, place: Option<usize>| {
            place.ok_or_else(|| format!("no input is known to be the {role}; name it in the manifest as inputs.{role}. The graph's inputs are {}", list(inputs)))
        };
        let sample = required("sample", place("sample", &names.sample, &["x", "sample", "x_t", "noisy_sample"])?)?;
        let time = required("time", place("time", &names.time, &["t", "timestep", "timesteps", "time", "sigma"])?)?;
        let class = place("class", &names.class, &["y", "class_labels", "labels", "class"])?;

        for (index, info) in inputs.iter().enumerate() {
            let roles = [Some(sample), Some(time), class].iter().filter(|role| **role == Some(index)).count();
            if roles == 0 {
                return Err(format!(
                    "the input {info} has no role; the roles are sample, time and class. Export the model without it, or with its value built in"
                ));
            }
            if roles > 1 {
                return Err(format!("the input '{}' has two roles in the manifest's inputs", info.name));
            }
        }

        let (output, output_info) = Self::output(network, manifest)?;
        let shape = &manifest.sample.shape;
        let doubled = if manifest.variance == LearnedVariance::None { 1 } else { 2 };
        expect_sample("sample.shape", &inputs[sample], shape, 1)?;
        expect_sample(
            if doubled == 2 { "sample.shape with twice the channels for variance" } else { "sample.shape" },
            output_info,
            shape,
            doubled,
        )?;

        let info = &inputs[time];
        let time_form = match info.shape[..] {
            [] => TimeForm::Scalar,
            [Some(1)] => TimeForm::One,
            [_] => TimeForm::Batch,
            _ => return Err(format!("the time {info}: expected no axis, one of 1 or one of the batch")),
        };
        // A batch axis fixed at 1 reads the same as one time for all, and means the same where the samples' is fixed too.
        match info.element {
            Element::I64 | Element::I32 if !manifest.time().is_whole() => {
                return Err(format!(
                    "the time {info} takes whole numbers, but the manifest's time gives fractions; expected a float input, or the encoding \"index\""
                ));
            }
            Element::I64 | Element::I32 if !manifest.time().fits(info.element == Element::I32, schedule) => {
                return Err(format!("the time {info} cannot hold the times that the manifest's time gives"));
            }
            Element::Other => return Err(format!("the time {info}: expected i64, i32, f32, f16, bf16 or f64")),
            _ => {}
        }
        match (class, &manifest.classes) {
            (Some(class), None) => {
                return Err(format!(
                    "the graph has the input {} for a class, but the manifest has no classes",
                    inputs[class]
                ));
            }
            (None, Some(_)) => {
                return Err(format!(
                    "the manifest has classes, but no input is known to take them; name it as inputs.class. The graph's inputs are {}",
                    list(inputs)
                ));
            }
            (Some(class), Some(_)) => {
                let info = &inputs[class];
                if !matches!(info.element, Element::I64 | Element::I32) || info.shape.len() != 1 {
                    return Err(format!("the class {info}: expected i64 or i32 with one axis, the batch"));
                }
            }
            (None, None) => {}
        }
        let input = |index: usize| Input { index, element: inputs[index].element };
        Ok(Self {
            sample: input(sample),
            time: input(time),
            time_form,
            class: class.map(input),
            output,
            output_element: output_info.element,
        })
    }

    fn output<'a>(network: &'a Network, manifest: &Manifest) -> std::result::Result<(usize, &'a TensorInfo), String> {
        let outputs = network.outputs();
        let index = match (&manifest.outputs.prediction, outputs) {
            (Some(name), _) => outputs.iter().position(|output| output.name == *name),
            (None, [_]) => Some(0),
            (None, _) => {
                return Err(format!(
                    "the graph has {} outputs; name the prediction in the manifest as outputs.prediction. They are {}",
                    outputs.len(),
                    list(outputs)
                ));
            }
        };
        match index {
            Some(index) => Ok((index, &outputs[index])),
            None => Err(format!(
                "outputs.prediction is '{}', but the graph's outputs are {}",
                manifest.outputs.prediction.as_deref().unwrap_or_default(),
                list(outputs)
            )),
        }
    }
}

fn list(tensors: &[TensorInfo]) -> String {
    tensors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Checks that a tensor of the graph can hold samples of the manifest's shape, with the channels times `channels`.
fn expect_sample(field: &str, info: &TensorInfo, shape: &[usize], channels: usize) -> std::result::Result<(), String> {
    let mut expected: Vec<Option<usize>> = std::iter::once(None).chain(shape.iter().map(|&size| Some(size))).collect();
    expected[1] = expected[1].map(|size| size * channels);
    let fits = info.shape.len() == expected.len()
        && info
            .shape
            .iter()
            .zip(&expected)
            .all(|(found, expected)| found.is_none() || expected.is_none() || found == expected);
    let spelled: Vec<String> =
        expected.iter().map(|axis| axis.map_or("batch".into(), |size| size.to_string())).collect();
    if !fits {
        return Err(format!(
            "the tensor {info} does not fit the manifest, by which it is [{}] ({field})",
            spelled.join(",")
        ));
    }
    if !matches!(info.element, Element::F32 | Element::F16 | Element::Bf16) {
        return Err(format!("the tensor {info}: expected f32, f16 or bf16, found {}", info.element));
    }
    Ok(())
}

/// The denoiser that a model makes. Each job has one of its own, with buffers that are kept from step to step.
pub struct Predictor {
    model: Arc<Model>,
    sample: Values,
    time: Values,
    class: Values,
    output: Vec<f32>,
    scaled: Vec<f32>,
    shape: Vec<usize>,
    options: Arc<RunOptions>,
}

impl std::fmt::Debug for Predictor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Predictor").field("model", &self.model).finish_non_exhaustive()
    }
}

/// ONNX Runtime's own way to stop a run: it ends before the next node, and so does every later run with these options.
struct Terminate(Arc<RunOptions>);

impl Interrupt for Terminate {
    fn interrupt(&self) {
        // It fails only if the options were not valid, and then there is no run to stop.
        let _ = self.0.terminate();
    }
}

impl Predictor {
    /// A denoiser that evaluates `model`.
    ///
    /// # Errors
    /// [`Error::Runtime`] if ONNX Runtime is out of memory.
    pub fn new(model: Arc<Model>) -> Result<Self> {
        let roles = &model.roles;
        let class = roles.class.map_or(Element::I64, |class| class.element);
        let (sample, time, class) =
            (Values::new(roles.sample.element), Values::new(roles.time.element), Values::new(class));
        let options = RunOptions::new().map_err(|error| Error::runtime(error.message()))?;
        Ok(Self {
            model,
            sample,
            time,
            class,
            output: Vec::new(),
            scaled: Vec::new(),
            shape: Vec::new(),
            options: Arc::new(options),
        })
    }
}

impl Denoiser for Predictor {
    fn interrupt(&self) -> Option<Arc<dyn Interrupt>> {
        Some(Arc::new(Terminate(Arc::clone(&self.options))))
    }

    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        self.model.check_shape(query.x.shape())?;
        if out.x0.shape() != query.x.shape() {
            let reason = format!("the answer has a shape of {:?}, the samples {:?}", out.x0.shape(), query.x.shape());
            return Err(Error::argument("out", reason));
        }
        let learned = self.model.manifest.variance != LearnedVariance::None;
        if learned && out.variance.as_ref().is_none_or(|variance| variance.shape() != query.x.shape()) {
            out.variance = Some(ArrayD::zeros(query.x.shape()));
        }
        let Denoised { x0, variance, .. } = out;
        let (Some(x), Some(x0)) = (query.x.as_slice(), x0.as_slice_mut()) else {
            return Err(Error::argument("x", "the samples must lie in standard (C) order"));
        };
        let variance =
            variance.as_mut().filter(|_| learned).and_then(|variance| variance.as_slice_mut()).unwrap_or_default();
        let range_of = |range: std::ops::Range<usize>| if learned { range } else { 0..0 };
        let batch = query.x.shape()[0];
        // A graph whose batch is fixed is run as often as it takes.
        let chunk = self.model.fixed_batch().unwrap_or(batch);
        let item_length = x.len() / batch;
        self.shape.clear();
        self.shape.extend_from_slice(query.x.shape());
        self.shape[0] = chunk;
        for first in (0..batch).step_by(chunk) {
            let range = first * item_length..(first + chunk) * item_length;
            self.evaluate(&query, &x[range.clone()], first, &mut x0[range.clone()], &mut variance[range_of(range)])?;
        }
        Ok(())
    }
}

impl Predictor {
    /// One run of the network, on as many items as the graph takes.
    fn evaluate(
        &mut self,
        query: &Query<'_>,
        x: &[f32],
        first: usize,
        x0: &mut [f32],
        variance: &mut [f32],
    ) -> Result<()> {
        let Self { model, sample, time, class, output, scaled, shape, options } = self;
        let Model { network, manifest, schedule, roles } = &**model;
        let chunk = shape[0];
        let failed = |reason: String| Error::Evaluation { step: query.step, reason };
        let refused = |error: ort::Error| failed(format!("ONNX Runtime: {}", error.message()));

        let encoded = manifest.time().encode(query.level, &**schedule);
        let times = if roles.time_form == TimeForm::Batch { chunk } else { 1 };
        time.fill(encoded, times);
        let time_shape: &[usize] = if roles.time_form == TimeForm::Scalar { &[] } else { &[times] };
        let factor = manifest.input_scaling.factor(manifest.prediction, query.level, manifest.deviation());
        let seen = if factor == 1.0 {
            x
        } else {
            scaled.clear();
            scaled.extend(x.iter().map(|value| value * factor as f32));
            &*scaled
        };
        let sample_value = sample.of_samples(seen, shape).map_err(refused)?;
        let time_value = time.value(time_shape).map_err(refused)?;
        let by_index = [(roles.sample.index, sample_value), (roles.time.index, time_value)];

        let name = &network.outputs()[roles.output].name;
        let (of_x, of_output) = manifest.prediction.to_x0(query.level, &**schedule, manifest.deviation());
        if !((of_x as f32).is_finite() && (of_output as f32).is_finite()) {
            return Err(failed(format!(
                "at t = {} the schedule leaves nothing of the clean sample (α = {}), and x̂₀ cannot be found from the prediction",
                query.level.t, query.level.alpha
            )));
        }
        let read = |outputs: &SessionOutputs<'_>| -> ort::Result<Result<()>> {
            let (found, values): (_, &[f32]) = match roles.output_element {
                Element::F16 => {
                    let (found, values) = outputs[roles.output].try_extract_tensor::<f16>()?;
                    output.resize(values.len(), 0.0);
                    values.convert_to_f32_slice(output);
                    (found, output)
                }
                Element::Bf16 => {
                    let (found, values) = outputs[roles.output].try_extract_tensor::<bf16>()?;
                    output.resize(values.len(), 0.0);
                    values.convert_to_f32_slice(output);
                    (found, output)
                }
                _ => outputs[roles.output].try_extract_tensor::<f32>()?,
            };
            let doubled = if manifest.variance == LearnedVariance::None { 1 } else { 2 };
            let fits = found.len() == shape.len()
                && found.iter().zip(shape.iter()).enumerate().all(|(axis, (&found, &size))| {
                    usize::try_from(found) == Ok(if axis == 1 { size * doubled } else { size })
                });
            if !fits {
                return Ok(Err(failed(format!(
                    "the output '{name}' has a shape of {found}, expected {shape:?}{}",
                    if doubled == 2 { " with twice the channels" } else { "" }
                ))));
            }
            let item_length = x0.len() / chunk;
            for item in 0..chunk {
                let said = &values[item * item_length * doubled..][..item_length];
                if let Some(index) = first_not_finite(said) {
                    return Ok(Err(failed(format!(
                        "the output '{name}' holds {} for item {} at t = {}",
                        said[index],
                        first + item,
                        query.level.t
                    ))));
                }
                let range = item * item_length..(item + 1) * item_length;
                if doubled == 2 {
                    let said = &values[(item * 2 + 1) * item_length..][..item_length];
                    variance[range.clone()].copy_from_slice(said);
                }
                for ((x0, x), said) in x0[range.clone()].iter_mut().zip(&x[range]).zip(said) {
                    *x0 = of_x as f32 * x + of_output as f32 * said;
                }
            }
            Ok(Ok(()))
        };
        match roles.class {
            None => network.run(in_order(by_index), options, read),
            Some(input) => {
                let Some(classes) =
                    query.condition.classes.as_deref().and_then(|classes| classes.get(first..first + chunk))
                else {
                    return Err(Error::argument("classes", "this model needs a class for every item of the batch"));
                };
                class.copy_classes(classes);
                let class_value = class.value(&[chunk]).map_err(refused)?;
                let [sample, time] = by_index;
                network.run(in_order([sample, time, (input.index, class_value)]), options, read)
            }
        }
        .map_err(refused)?
    }
}

/// The values in the order of the graph's inputs.
fn in_order<const N: usize>(mut by_index: [(usize, SessionInputValue<'_>); N]) -> [SessionInputValue<'_>; N] {
    by_index.sort_unstable_by_key(|(index, _)| *index);
    by_index.map(|(_, value)| value)
}

/// A buffer of the type that an input has.
#[derive(Debug)]
enum Values {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
    F64(Vec<f64>),
    I64(Vec<i64>),
    I32(Vec<i32>),
}

impl Values {
    fn new(element: Element) -> Self {
        match element {
            Element::F32 | Element::Other => Self::F32(Vec::new()),
            Element::F16 => Self::F16(Vec::new()),
            Element::Bf16 => Self::Bf16(Vec::new()),
            Element::F64 => Self::F64(Vec::new()),
            Element::I64 => Self::I64(Vec::new()),
            Element::I32 => Self::I32(Vec::new()),
        }
    }

    /// `count` times `value`; the nearest whole number where the type has no fractions.
    fn fill(&mut self, value: f64, count: usize) {
        fn set<T: Clone>(values: &mut Vec<T>, value: T, count: usize) {
            values.clear();
            values.resize(count, value);
        }
        match self {
            Self::F32(values) => set(values, value as f32, count),
            Self::F16(values) => set(values, f16::from_f64(value), count),
            Self::Bf16(values) => set(values, bf16::from_f64(value), count),
            Self::F64(values) => set(values, value, count),
            Self::I64(values) => set(values, value.round() as i64, count),
            Self::I32(values) => set(values, value.round() as i32, count),
        }
    }

    fn copy_classes(&mut self, classes: &[i64]) {
        match self {
            Self::I32(values) => {
                values.clear();
                values.extend(classes.iter().map(|&class| class as i32));
            }
            Self::I64(values) => {
                values.clear();
                values.extend_from_slice(classes);
            }
            // `Roles::assign` lets no other type through.
            _ => {}
        }
    }

    /// Samples as the network takes them: `x` itself in f32, else converted here.
    fn of_samples<'a>(&'a mut self, x: &'a [f32], shape: &[usize]) -> ort::Result<SessionInputValue<'a>> {
        match self {
            Self::F16(values) => {
                values.resize(x.len(), f16::ZERO);
                values.convert_from_f32_slice(x);
                borrow(shape, values)
            }
            Self::Bf16(values) => {
                values.resize(x.len(), bf16::ZERO);
                values.convert_from_f32_slice(x);
                borrow(shape, values)
            }
            _ => borrow(shape, x),
        }
    }

    fn value(&self, shape: &[usize]) -> ort::Result<SessionInputValue<'_>> {
        match self {
            Self::F32(values) => borrow(shape, values),
            Self::F16(values) => borrow(shape, values),
            Self::Bf16(values) => borrow(shape, values),
            Self::F64(values) => borrow(shape, values),
            Self::I64(values) => borrow(shape, values),
            Self::I32(values) => borrow(shape, values),
        }
    }
}

fn borrow<'a, T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static>(
    shape: &[usize],
    values: &'a [T],
) -> ort::Result<SessionInputValue<'a>> {
    Ok(TensorRef::from_array_view((Shape::from(shape), values))?.into())
}
