//! Which tensor of a graph plays which role, by its manifest.

use half::{bf16, f16};

use crate::model::{ConditionInput, Inputs, LearnedVariance, Manifest};
use crate::network::{Element, Signature, TensorInfo};
use crate::schedule::NoiseSchedule;

type Checked<T> = std::result::Result<T, String>;

/// Which tensor of the graph plays which role.
#[derive(Debug)]
pub(super) struct Roles {
    pub(super) sample: Slot,
    pub(super) time: Slot,
    pub(super) time_form: TimeForm,
    pub(super) class: Option<Slot>,
    /// In the order of the manifest's conditions; nothing for those that are joined to the sample.
    pub(super) conditions: Vec<Option<Slot>>,
    pub(super) direction: Option<Slot>,
    pub(super) prediction: Slot,
    pub(super) derivative: Option<Slot>,
}

/// An input or an output that has a role: its place among those of the graph, and its type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) index: usize,
    pub(super) element: Element,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeForm {
    Scalar,
    /// An axis of 1, whatever the batch.
    One,
    Batch,
}

/// The inputs that a manifest finds in a graph, by their places.
struct Places {
    sample: usize,
    time: usize,
    class: Option<usize>,
    conditions: Vec<Option<usize>>,
    direction: Option<usize>,
}

impl Roles {
    pub(super) fn assign(signature: &Signature, manifest: &Manifest, schedule: &dyn NoiseSchedule) -> Checked<Self> {
        let Signature { inputs, outputs } = signature;
        if let Some(empty) = inputs.iter().chain(outputs).find(|tensor| tensor.shape.contains(&Some(0))) {
            return Err(format!("the tensor {empty} has an axis of 0, so that it never holds a value"));
        }
        let places = Places::find(inputs, manifest)?;
        places.check_all_are_used(inputs, manifest)?;
        let shape = &manifest.sample.shape;
        let doubled = if manifest.variance == LearnedVariance::None { 1 } else { 2 };
        let prediction = prediction(signature, manifest)?;
        let joined = manifest.joined_channels();
        let mut seen = shape.clone();
        seen[0] += joined;
        let field = if joined > 0 { "sample.shape with the joined conditions" } else { "sample.shape" };
        expect_samples(field, &inputs[places.sample], &seen, 1)?;
        let field = if doubled == 2 { "sample.shape with twice the channels for variance" } else { "sample.shape" };
        expect_samples(field, &outputs[prediction], shape, doubled)?;
        for ((name, condition), place) in manifest.conditions.iter().zip(&places.conditions) {
            if let Some(place) = *place {
                expect_samples(&format!("conditions.{name}.shape"), &inputs[place], &condition.shape, 1)?;
            }
        }
        if let Some(place) = places.direction {
            expect_samples("sample.shape", &inputs[place], shape, 1)?;
        }
        let derivative = match &manifest.outputs.derivative {
            None => None,
            Some(name) => {
                let place = outputs.iter().position(|output| output.name == *name).ok_or_else(|| {
                    format!("outputs.derivative is '{name}', but the graph's outputs are {}", list(outputs))
                })?;
                expect_samples("sample.shape", &outputs[place], shape, 1)?;
                Some(place)
            }
        };
        let time_form = expect_time(&inputs[places.time], manifest, schedule)?;
        expect_class(inputs, places.class, manifest)?;
        let slot = |tensors: &[TensorInfo], index: usize| Slot { index, element: tensors[index].element };
        Ok(Self {
            sample: slot(inputs, places.sample),
            time: slot(inputs, places.time),
            time_form,
            class: places.class.map(|place| slot(inputs, place)),
            conditions: places.conditions.iter().map(|place| place.map(|place| slot(inputs, place))).collect(),
            direction: places.direction.map(|place| slot(inputs, place)),
            prediction: slot(outputs, prediction),
            derivative: derivative.map(|place| slot(outputs, place)),
        })
    }
}

impl Roles {
    /// What of a graph that fits its manifest is perhaps not as it was meant.
    pub(super) fn notes(
        &self,
        signature: &Signature,
        manifest: &Manifest,
        schedule: &dyn NoiseSchedule,
    ) -> Vec<String> {
        let info = &signature.inputs[self.time.index];
        rounded_times(info, manifest, schedule).into_iter().collect()
    }
}

/// What becomes of a number in a type.
pub(super) fn in_type(element: Element, value: f64) -> f64 {
    match element {
        Element::F16 => f16::from_f64(value).to_f64(),
        Element::Bf16 => bf16::from_f64(value).to_f64(),
        Element::F32 => f64::from(value as f32),
        _ => value,
    }
}

/// What is to be said of training steps whose time becomes another's in the type of the time.
fn rounded_times(info: &TensorInfo, manifest: &Manifest, schedule: &dyn NoiseSchedule) -> Option<String> {
    let steps = schedule.train_steps().filter(|_| matches!(info.element, Element::F16 | Element::Bf16))?;
    let told: Vec<f64> = (0..steps).map(|t| manifest.time().encode(schedule.level(t as f64), schedule)).collect();
    let is_anothers = |&t: &usize| {
        let off = (in_type(info.element, told[t]) - told[t]).abs();
        let neighbours = [t.checked_sub(1), t.checked_add(1)];
        neighbours.into_iter().flatten().filter_map(|t| told.get(t)).any(|other| off >= 0.5 * (other - told[t]).abs())
    };
    let wrong: Vec<usize> = (0..steps).filter(is_anothers).collect();
    let last = *wrong.last()?;
    Some(format!(
        "the time {info} is told in {}, which rounds {} of the {steps} training steps to another's time, such as {} to {}; export it with another type",
        info.element,
        wrong.len(),
        told[last],
        in_type(info.element, told[last])
    ))
}

impl Places {
    fn find(inputs: &[TensorInfo], manifest: &Manifest) -> Checked<Self> {
        let named = |role: &str, name: &str| match inputs.iter().position(|input| input.name == name) {
            Some(place) => Ok(place),
            None => Err(format!("inputs.{role} is '{name}', but the graph's inputs are {}", list(inputs))),
        };
        let find = |role: &str, name: &Option<String>| -> Checked<Option<usize>> {
            if let Some(name) = name {
                return named(role, name).map(Some);
            }
            let usual = Inputs::usual_names(role);
            let mut known = (0..inputs.len()).filter(|&place| usual.contains(&inputs[place].name.as_str()));
            match (known.next(), known.next()) {
                (Some(first), Some(second)) => Err(format!(
                    "both '{}' and '{}' could be the {role}; name the one that is in the manifest as inputs.{role}",
                    inputs[first].name, inputs[second].name
                )),
                (first, _) => Ok(first),
            }
        };
        let required = |role: &str, place: Option<usize>| {
            place.ok_or_else(|| format!("no input is known to be the {role}; name it in the manifest as inputs.{role}. The graph's inputs are {}", list(inputs)))
        };
        let names = &manifest.inputs;
        let of_condition = |(name, condition): (&String, &ConditionInput)| {
            let input = names.conditions.get(name).unwrap_or(name);
            if condition.joined { Ok(None) } else { named(name, input).map(Some) }
        };
        Ok(Self {
            sample: required("sample", find("sample", &names.sample)?)?,
            time: required("time", find("time", &names.time)?)?,
            class: find("class", &names.class)?,
            conditions: manifest.conditions.iter().map(of_condition).collect::<Checked<_>>()?,
            direction: find("direction", &names.direction)?,
        })
    }

    fn check_all_are_used(&self, inputs: &[TensorInfo], manifest: &Manifest) -> Checked<()> {
        let known = [Some(self.sample), Some(self.time), self.class, self.direction];
        for (place, info) in inputs.iter().enumerate() {
            let conditions = self.conditions.iter().filter(|condition| **condition == Some(place)).count();
            match known.iter().filter(|role| **role == Some(place)).count() + conditions {
                0 => {
                    let own: Vec<&str> = manifest.conditions.keys().map(String::as_str).collect();
                    return Err(format!(
                        "the input {info} has no role; the roles are sample, time, class{}. List it in the manifest's conditions, or export the model without it or with its value built in",
                        if own.is_empty() { String::new() } else { format!(" and the conditions {}", own.join(", ")) }
                    ));
                }
                1 => {}
                _ => return Err(format!("the input '{}' has two roles in the manifest's inputs", info.name)),
            }
        }
        Ok(())
    }
}

fn expect_time(info: &TensorInfo, manifest: &Manifest, schedule: &dyn NoiseSchedule) -> Checked<TimeForm> {
    // A batch axis fixed at 1 reads the same as one time for all, and means the same where the samples' is fixed too.
    let form = match info.shape[..] {
        [] => TimeForm::Scalar,
        [Some(1)] => TimeForm::One,
        [_] => TimeForm::Batch,
        _ => return Err(format!("the time {info}: expected no axis, one of 1 or one of the batch")),
    };
    match info.element {
        Element::I64 | Element::I32 if !manifest.time().is_whole() => Err(format!(
            "the time {info} takes whole numbers, but the manifest's time gives fractions; expected a float input, or the encoding \"index\""
        )),
        Element::I64 | Element::I32 if !manifest.time().fits(info.element == Element::I32, schedule) => {
            Err(format!("the time {info} cannot hold the times that the manifest's time gives"))
        }
        Element::Other => Err(format!("the time {info}: expected i64, i32, f32, f16, bf16 or f64")),
        element => match infinite_time(element, manifest, schedule) {
            Some((t, told)) => Err(format!(
                "the time {info} cannot hold what the manifest's time gives at t = {t}: {told} is infinite in {element}; export it with another type"
            )),
            None => Ok(form),
        },
    }
}

/// The end of the schedule whose time is infinite in the type of the time, and that time.
fn infinite_time(element: Element, manifest: &Manifest, schedule: &dyn NoiseSchedule) -> Option<(f64, f64)> {
    let told = |t: f64| (t, manifest.time().encode(schedule.level(t), schedule));
    schedule.bounds().map(told).into_iter().find(|(_, told)| !in_type(element, *told).is_finite())
}

fn expect_class(inputs: &[TensorInfo], place: Option<usize>, manifest: &Manifest) -> Checked<()> {
    match (place, &manifest.classes) {
        (Some(place), None) => {
            Err(format!("the graph has the input {} for a class, but the manifest has no classes", inputs[place]))
        }
        (None, Some(_)) => Err(format!(
            "the manifest has classes, but no input is known to take them; name it as inputs.class. The graph's inputs are {}",
            list(inputs)
        )),
        (Some(place), Some(_)) => {
            let info = &inputs[place];
            if !matches!(info.element, Element::I64 | Element::I32) || info.shape.len() != 1 {
                return Err(format!("the class {info}: expected i64 or i32 with one axis, the batch"));
            }
            Ok(())
        }
        (None, None) => Ok(()),
    }
}

/// The place of what the network predicts.
fn prediction(signature: &Signature, manifest: &Manifest) -> Checked<usize> {
    let outputs = &signature.outputs[..];
    match (&manifest.outputs.prediction, outputs) {
        (Some(name), _) => outputs
            .iter()
            .position(|output| output.name == *name)
            .ok_or_else(|| format!("outputs.prediction is '{name}', but the graph's outputs are {}", list(outputs))),
        (None, [_]) => Ok(0),
        (None, _) => Err(format!(
            "the graph has {} outputs; name the prediction in the manifest as outputs.prediction. They are {}",
            outputs.len(),
            list(outputs)
        )),
    }
}

fn list(tensors: &[TensorInfo]) -> String {
    tensors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Checks that a tensor of the graph can hold a batch of items of `shape`, with the channels times `channels`.
fn expect_samples(field: &str, info: &TensorInfo, shape: &[usize], channels: usize) -> Checked<()> {
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
