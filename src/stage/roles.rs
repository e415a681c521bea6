//! Assigns roles to the tensors of a graph, by its manifest.

use crate::model::{Axis, ConditionInput, Inputs, Manifest, Sizes};
use crate::network::{Element, Signature, TensorInfo};
use crate::schedule::NoiseSchedule;
use crate::text::escaped;

type Checked<T> = std::result::Result<T, String>;

/// The roles of the graph's tensors.
#[derive(Debug)]
pub(super) struct Roles {
    pub(super) sample: Slot,
    /// The axes of an item in the manifest's order, as far as the graph fixes them.
    pub(super) item: Vec<Option<usize>>,
    /// Whether samples have a batch axis.
    pub(super) batched: bool,
    /// The number of rows of a fixed batch. It is 1 where there is no batch axis.
    pub(super) batch: Option<usize>,
    /// The manifest's free sizes that the graph fixes.
    pub(super) sizes: Sizes,
    pub(super) time: Slot,
    pub(super) time_axes: Axes,
    pub(super) class: Option<ClassSlot>,
    /// The conditions, in the order of the manifest.
    pub(super) conditions: Vec<ConditionSlot>,
    pub(super) direction: Option<Slot>,
    pub(super) self_condition: Option<Slot>,
    pub(super) prediction: Slot,
    pub(super) derivative: Option<Slot>,
    /// The inputs that have a role because nothing else is left for it.
    left_over: Vec<(&'static str, usize)>,
}

/// An input or an output that has a role: its place among those of the graph, and its type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) index: usize,
    pub(super) element: Element,
}

/// The axes of an input of numbers, with one number for all items or one for each. All are 1 but the batch axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axes {
    rank: usize,
    batch: Option<usize>,
}

impl Axes {
    /// The axes of a tensor of this `shape`, if it has no others. `batch` is the samples' batch where the graph fixes
    /// it.
    fn of(shape: &[Option<usize>], batch: Option<usize>) -> Option<Self> {
        let own = shape.iter().position(Option::is_none);
        let own = own.or_else(|| shape.iter().position(|size| *size == batch && batch.is_some_and(|batch| batch > 1)));
        let is_one = |(place, size): (usize, &Option<usize>)| own == Some(place) || size.is_none_or(|size| size == 1);
        shape.iter().enumerate().all(is_one).then_some(Self { rank: shape.len(), batch: own })
    }

    /// Whether there is one number for all of a batch.
    pub(super) fn is_one(self) -> bool {
        self.batch.is_none()
    }

    /// Writes the shape for a batch of `count` to `shape`.
    pub(super) fn shape(self, count: usize, shape: &mut Vec<usize>) {
        shape.clear();
        shape.resize(self.rank, 1);
        if let Some(batch) = self.batch {
            shape[batch] = count;
        }
    }
}

/// The input for the class.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClassSlot {
    pub(super) slot: Slot,
    /// The axes without that of the classes.
    pub(super) axes: Axes,
    /// The length of the axis of the classes, where a class is the place of a 1 among zeros.
    pub(super) one_hot: Option<usize>,
}

/// The role of a condition in the graph.
#[derive(Debug)]
pub(super) struct ConditionSlot {
    /// `None` for a condition that is joined to the sample.
    pub(super) slot: Option<Slot>,
    /// The place of the batch axis. `None` where there is none, because all items have one value, or each is evaluated
    /// by itself.
    pub(super) batch: Option<usize>,
}

/// The inputs of a graph that a manifest names or implies, by their places.
struct Places {
    sample: usize,
    time: usize,
    class: Option<usize>,
    conditions: Vec<Option<usize>>,
    direction: Option<usize>,
    self_condition: Option<usize>,
    /// The inputs that have a role because nothing else is left for it.
    left_over: Vec<(&'static str, usize)>,
}

impl Roles {
    pub(super) fn assign(signature: &Signature, manifest: &Manifest, schedule: &dyn NoiseSchedule) -> Checked<Self> {
        let Signature { inputs, outputs } = signature;
        if let Some(empty) = inputs.iter().chain(outputs).find(|tensor| tensor.shape.contains(&Some(0))) {
            return Err(format!("the tensor {empty} has an axis of 0, so that it never holds a value"));
        }
        let places = Places::find(inputs, manifest)?;
        places.check_all_are_used(inputs, manifest)?;
        let mut sizes = Sizes::new();
        let OwnInput { item, batched, mut batch } = expect_sample(&inputs[places.sample], manifest, &mut sizes)?;
        let samples = Samples { manifest, batched };
        let prediction = prediction(signature, manifest)?;
        samples.expect_output(&outputs[prediction], manifest.variance.doubled())?;
        for place in [places.direction, places.self_condition].into_iter().flatten() {
            samples.expect(&inputs[place], 1)?;
        }
        let derivative = derivative(outputs, &samples)?;
        // Whatever else fixes a size is known before it is compared.
        for (condition, place) in manifest.conditions.values().zip(&places.conditions) {
            let shape = place.map(|place| &inputs[place].shape[..]).unwrap_or_default();
            if condition.batch && shape.len() == condition.shape.rank() + 1 {
                batch = batch.or(shape[condition.shape.batch()]);
            }
        }
        let of_condition = |((name, condition), place): ((&String, &ConditionInput), &Option<usize>)| match place {
            Some(place) => expect_condition(name, condition, (&inputs[*place], *place), &mut batch, &mut sizes),
            None => Ok(ConditionSlot { slot: None, batch: Some(0) }),
        };
        let conditions =
            manifest.conditions.iter().zip(&places.conditions).map(of_condition).collect::<Checked<_>>()?;
        if manifest.guidance_pair.is_some() && (!batched || batch.is_some_and(|batch| batch != 2)) {
            let info = &inputs[places.sample];
            return Err(format!("guidance_pair is given, but the batch of {info} is not two"));
        }
        let time_axes = expect_time(&inputs[places.time], manifest, schedule, batch)?;
        let class = expect_class(inputs, places.class, manifest, batch)?;
        let slot = |tensors: &[TensorInfo], index: usize| Slot { index, element: tensors[index].element };
        Ok(Self {
            sample: slot(inputs, places.sample),
            item,
            batched,
            batch,
            time: slot(inputs, places.time),
            time_axes,
            class,
            conditions,
            sizes,
            direction: places.direction.map(|place| slot(inputs, place)),
            self_condition: places.self_condition.map(|place| slot(inputs, place)),
            prediction: slot(outputs, prediction),
            derivative: derivative.map(|place| slot(outputs, place)),
            left_over: places.left_over,
        })
    }

    /// Notes on a graph that fits its manifest but may not be meant so.
    pub(super) fn notes(
        &self,
        signature: &Signature,
        manifest: &Manifest,
        schedule: &dyn NoiseSchedule,
    ) -> Vec<String> {
        let info = &signature.inputs[self.time.index];
        let guessed = self.left_over.iter().map(|(role, place)| {
            let info = &signature.inputs[*place];
            format!(
                "{info} is used as the {role}, since no other input is left for it; set inputs.{role} to make it certain"
            )
        });
        rounded_times(info, manifest, schedule).into_iter().chain(guessed).collect()
    }
}

/// The note about training steps whose time rounds to another step's in the type of the time input.
fn rounded_times(info: &TensorInfo, manifest: &Manifest, schedule: &dyn NoiseSchedule) -> Option<String> {
    let steps = schedule.train_steps().filter(|_| matches!(info.element, Element::F16 | Element::Bf16))?;
    let told: Vec<f64> = (0..steps).map(|t| manifest.time().encode(schedule.level(t as f64), schedule)).collect();
    let is_anothers = |&t: &usize| {
        let off = (info.element.rounded(told[t]) - told[t]).abs();
        let neighbours = [t.checked_sub(1), t.checked_add(1)];
        neighbours.into_iter().flatten().filter_map(|t| told.get(t)).any(|other| off >= 0.5 * (other - told[t]).abs())
    };
    let wrong: Vec<usize> = (0..steps).filter(is_anothers).collect();
    let last = *wrong.last()?;
    Some(format!(
        "the time {info} has the type {}, which rounds {} of the {steps} training steps to another's time, such as {} to {}; export it with another type",
        info.element,
        wrong.len(),
        told[last],
        info.element.rounded(told[last])
    ))
}

/// A role that is found by its input's usual names, with a test whether an input can have it.
type Guess<'a> = (&'static str, &'a dyn Fn(&TensorInfo) -> bool);

/// The inputs of the roles, in the order of [`Inputs::ROLES`], and those of the conditions. They are set as far as the
/// manifest names them.
type Named = ([Option<usize>; 5], Vec<Option<usize>>);

impl Places {
    fn find(inputs: &[TensorInfo], manifest: &Manifest) -> Checked<Self> {
        let (mut found, conditions) = Self::named(inputs, manifest)?;
        let mut left_over = Vec::new();
        let rank = manifest.sample.shape.rank();
        let like_sample = |info: &TensorInfo| info.element.is_float() && [rank, rank + 1].contains(&info.shape.len());
        let like_time = |info: &TensorInfo| {
            let most = info.shape.iter().flatten().copied().max();
            info.element != Element::Other && Axes::of(&info.shape, most).is_some()
        };
        let like_class = |info: &TensorInfo| {
            let first = info.shape.first().copied().flatten();
            class_form(info, manifest, first).is_some() || like_time(info)
        };
        let never = |_: &TensorInfo| false;
        let guesses: [Guess<'_>; 5] = [
            ("sample", &like_sample),
            ("time", &like_time),
            ("class", &like_class),
            ("direction", &never),
            ("self_condition", &like_sample),
        ];
        // A name in the manifest comes before a usual name, and a usual name before what is left over.
        for by_name in [true, false] {
            for (place, (role, fits)) in guesses.iter().enumerate() {
                let needed = place < 2 || place == 2 && manifest.classes.is_some();
                if found[place].is_some() || !by_name && !needed {
                    continue;
                }
                let free = |input: &usize| !found.contains(&Some(*input)) && !conditions.contains(&Some(*input));
                let usual = Inputs::usual_names(role);
                let is_meant = |input: &usize| !by_name || usual.contains(&inputs[*input].name.as_str());
                let mut known = (0..inputs.len()).filter(free).filter(is_meant).filter(|input| fits(&inputs[*input]));
                match (known.next(), known.next()) {
                    (Some(first), Some(second)) if by_name => {
                        return Err(format!(
                            "both '{}' and '{}' could be the {role}; name the one that is in the manifest as inputs.{role}",
                            inputs[first].name, inputs[second].name
                        ));
                    }
                    (first, None) => {
                        found[place] = first;
                        left_over.extend(first.filter(|_| !by_name).map(|first| (*role, first)));
                    }
                    _ => {}
                }
            }
        }
        let [sample, time, class, direction, self_condition] = found;
        let without_class = manifest.classes.is_some() && class.is_none();
        match (sample, time) {
            (Some(sample), Some(time)) if !without_class => {
                Ok(Self { sample, time, class, conditions, direction, self_condition, left_over })
            }
            _ => Err(missing([sample.is_none(), time.is_none(), without_class], inputs)),
        }
    }

    /// The inputs that the manifest names.
    fn named(inputs: &[TensorInfo], manifest: &Manifest) -> Checked<Named> {
        let Inputs { sample, time, class, direction, self_condition, conditions } = &manifest.inputs;
        let mut wrong = Vec::new();
        let mut named = |role: &str, name: &String| {
            let place = inputs.iter().position(|input| input.name == *name);
            if place.is_none() {
                wrong.push(format!("inputs.{role} is '{name}', but the graph's inputs are {}", list(inputs)));
            }
            place
        };
        let roles = [
            ("sample", sample),
            ("time", time),
            ("class", class),
            ("direction", direction),
            ("self_condition", self_condition),
        ];
        let roles = roles.map(|(role, name)| name.as_ref().and_then(|name| named(role, name)));
        let of_condition = |(name, condition): (&String, &ConditionInput)| {
            let input = conditions.get(name).unwrap_or(name);
            if condition.joined { None } else { named(name, input) }
        };
        let conditions = manifest.conditions.iter().map(of_condition).collect();
        if wrong.is_empty() { Ok((roles, conditions)) } else { Err(wrong.join("; ")) }
    }

    fn check_all_are_used(&self, inputs: &[TensorInfo], manifest: &Manifest) -> Checked<()> {
        let known = [Some(self.sample), Some(self.time), self.class, self.direction, self.self_condition];
        let mut unused = Vec::new();
        for (place, info) in inputs.iter().enumerate() {
            let conditions = self.conditions.iter().filter(|condition| **condition == Some(place)).count();
            match known.iter().filter(|role| **role == Some(place)).count() + conditions {
                0 => unused.push(info.clone()),
                1 => {}
                _ => return Err(format!("the input '{}' has two roles in the manifest's inputs", info.name)),
            }
        }
        if unused.is_empty() {
            return Ok(());
        }
        let own: Vec<&str> = manifest.conditions.keys().map(String::as_str).collect();
        let (inputs, has, it) = if unused.len() == 1 { ("input", "has", "it") } else { ("inputs", "have", "them") };
        Err(format!(
            "the {inputs} {} {has} no role; the roles are {}{}. List {it} in the manifest's conditions, or export the model without {it} or with {} value built in",
            list(&unused),
            Inputs::ROLES.iter().map(|(role, _)| *role).collect::<Vec<_>>().join(", "),
            if own.is_empty() { String::new() } else { format!(" and the conditions {}", own.join(", ")) },
            if unused.len() == 1 { "its" } else { "their" }
        ))
    }
}

/// The message about a sample, a time or a class for which no input was found.
fn missing(missing: [bool; 3], inputs: &[TensorInfo]) -> String {
    let all = ["sample", "time", "class"].into_iter().zip(missing);
    let missing: Vec<&str> = all.filter(|(_, missing)| *missing).map(|(role, _)| role).collect();
    let fields: Vec<String> = missing.iter().map(|role| format!("inputs.{role}")).collect();
    let it = if missing.len() > 1 { "them" } else { "it" };
    format!(
        "no input is known to be the {}; name {it} in the manifest as {}. The graph's inputs are {}",
        missing.join(", the "),
        fields.join(", "),
        list(inputs)
    )
}

fn expect_time(
    info: &TensorInfo,
    manifest: &Manifest,
    schedule: &dyn NoiseSchedule,
    batch: Option<usize>,
) -> Checked<Axes> {
    let Some(axes) = Axes::of(&info.shape, batch) else {
        return Err(format!("the time {info}: expected one number, or one for each item of the batch"));
    };
    let whole = info.element.whole_numbers();
    if whole.is_some() && !manifest.time().is_whole() {
        return Err(format!(
            "the time {info} takes whole numbers, but the manifest's time gives fractions; expected a float input, or the encoding \"index\""
        ));
    }
    if info.element == Element::Other {
        return Err(format!("the time {info}: expected a type of numbers"));
    }
    if let Some(whole) = whole
        && !manifest.time().fits(whole, schedule)
    {
        return Err(format!("the time {info} cannot hold the values of the manifest's time"));
    }
    match infinite_time(info.element, manifest, schedule) {
        Some((t, told)) if !told.is_finite() => Err(format!(
            "the time {info}: the manifest's time is infinite at t = {t}, whatever the type; expected another time.encoding, or a schedule that ends before"
        )),
        Some((t, told)) => Err(format!(
            "the time {info} cannot hold the manifest's time at t = {t}: {told} is infinite in {}; export it with another type",
            info.element
        )),
        None => Ok(axes),
    }
}

/// The end of the schedule whose time is infinite in the type of the time, and that time.
fn infinite_time(element: Element, manifest: &Manifest, schedule: &dyn NoiseSchedule) -> Option<(f64, f64)> {
    let told = |t: f64| (t, manifest.time().encode(schedule.level(t), schedule));
    schedule.bounds().map(told).into_iter().find(|(_, told)| !element.rounded(*told).is_finite())
}

/// How an input takes classes: as numbers, or as ones among zeros along its last axis. `None` if it takes none.
fn class_form(info: &TensorInfo, manifest: &Manifest, batch: Option<usize>) -> Option<(Axes, Option<usize>)> {
    let classes = manifest.classes.as_ref()?;
    let count = classes.count();
    let most = count.max(classes.null.map_or(0, |null| null + 1));
    let one_hot = match info.shape.split_last() {
        Some((Some(width), rest))
            if (*width == count || *width == most) && *width > 1 && (batch != Some(*width) || !rest.is_empty()) =>
        {
            Axes::of(rest, batch).map(|axes| (axes, Some(*width)))
        }
        Some((None, rest)) if !rest.is_empty() && info.element.is_float() => {
            Axes::of(rest, batch).map(|axes| (axes, Some(count)))
        }
        _ => None,
    };
    // A single number is a class by its number.
    let numbered = || Axes::of(&info.shape, batch).map(|axes| (axes, None));
    if info.element == Element::Other { None } else { one_hot.or_else(numbered) }
}

fn expect_class(
    inputs: &[TensorInfo],
    place: Option<usize>,
    manifest: &Manifest,
    batch: Option<usize>,
) -> Checked<Option<ClassSlot>> {
    match (place, &manifest.classes) {
        (Some(place), None) => {
            Err(format!("the graph has the input {} for a class, but the manifest has no classes", inputs[place]))
        }
        (Some(index), Some(classes)) => {
            let info = &inputs[index];
            let Some((axes, one_hot)) = class_form(info, manifest, batch) else {
                return Err(format!(
                    "the class {info}: expected a number for each item, or one axis more of {}, the classes",
                    classes.count()
                ));
            };
            let greatest = classes.count().max(classes.null.map_or(0, |null| null + 1)) - 1;
            if one_hot.is_none() && !has_all(info.element, greatest) {
                return Err(format!(
                    "the class {info}: {} does not have all of the numbers 0 to {greatest}; export it with another type",
                    info.element
                ));
            }
            Ok(Some(ClassSlot { slot: Slot { index, element: info.element }, axes, one_hot }))
        }
        (None, _) => Ok(None),
    }
}

/// The place of the output with the derivative, where the manifest names one.
fn derivative(outputs: &[TensorInfo], samples: &Samples<'_>) -> Checked<Option<usize>> {
    let Some(name) = &samples.manifest.outputs.derivative else { return Ok(None) };
    let place = outputs
        .iter()
        .position(|output| output.name == *name)
        .ok_or_else(|| format!("outputs.derivative is '{name}', but the graph's outputs are {}", list(outputs)))?;
    samples.expect(&outputs[place], 1).map(|()| Some(place))
}

/// Whether a type has every whole number up to `greatest`.
fn has_all(element: Element, greatest: usize) -> bool {
    let exact = |number: usize| element.rounded(number as f64) == number as f64;
    match element.whole_numbers() {
        Some([_, most]) => i64::try_from(greatest).is_ok_and(|greatest| greatest <= most),
        // A type that has two successive whole numbers has all lesser ones.
        None => exact(greatest) && exact(greatest.saturating_sub(1)),
    }
}

/// The place of the output with the prediction.
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

/// Whether a tensor of the graph can have the `expected` axes.
fn fits(found: &[Option<usize>], expected: &[Axis]) -> bool {
    let one = |(found, expected): (&Option<usize>, &Axis)| match (found, expected) {
        (Some(found), Axis::Size(size)) => found == size,
        _ => true,
    };
    found.len() == expected.len() && found.iter().zip(expected).all(one)
}

/// Notes the free sizes that `info` determines. Its axes are `found`, in the manifest's order.
fn note_sizes(info: &TensorInfo, found: &[Option<usize>], expected: &[Axis], sizes: &mut Sizes) -> Checked<()> {
    for (found, expected) in found.iter().zip(expected) {
        let (Some(found), Axis::Free(name)) = (found, expected) else { continue };
        let known = *sizes.entry(name.clone()).or_insert(*found);
        if known != *found {
            let name = escaped(name);
            return Err(format!(
                "the tensor {info} has {found} where the manifest has '{name}', which is {known} in another"
            ));
        }
    }
    Ok(())
}

fn spelled(axes: &[Axis]) -> String {
    axes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// What the graph's input for the samples determines.
struct OwnInput {
    item: Vec<Option<usize>>,
    batched: bool,
    /// The size of a fixed batch. It is 1 where there is no batch axis.
    batch: Option<usize>,
}

fn expect_sample(info: &TensorInfo, manifest: &Manifest, sizes: &mut Sizes) -> Checked<OwnInput> {
    let joined = manifest.joined_channels();
    let mut seen = manifest.sample.shape.0.clone();
    if let Some(Axis::Size(size)) = seen.get_mut(manifest.joined_axis()) {
        *size += joined;
    }
    let batched = info.shape.len() != seen.len();
    let samples = Samples { manifest, batched };
    let mut field = "sample.shape".to_owned();
    if joined > 0 {
        field += " with the joined conditions";
    }
    samples.expect_as(info, seen.clone(), &field)?;
    let mut item = samples.in_order(&info.shape[usize::from(batched)..]);
    if let Some(Some(size)) = item.get_mut(manifest.joined_axis()) {
        match size.checked_sub(joined).filter(|own| *own > 0) {
            Some(own) => *size = own,
            None => {
                return Err(format!("the tensor {info} has no room for the {joined} values of the joined conditions"));
            }
        }
    }
    note_sizes(info, &item, &manifest.sample.shape.0, sizes)?;
    let batch = if batched { info.shape[0] } else { Some(1) };
    Ok(OwnInput { item, batched, batch })
}

/// The layout of samples in the graph.
struct Samples<'a> {
    manifest: &'a Manifest,
    batched: bool,
}

impl Samples<'_> {
    /// The axes of an item of the graph, in the manifest's order.
    fn in_order(&self, axes: &[Option<usize>]) -> Vec<Option<usize>> {
        let mut axes = axes.to_vec();
        if self.manifest.sample.channels_last {
            axes.rotate_right(1);
        }
        axes
    }

    /// Checks that `info` can hold samples with the channels times `channels`.
    fn expect(&self, info: &TensorInfo, channels: usize) -> Checked<()> {
        let mut item = self.manifest.sample.shape.0.clone();
        if let Axis::Size(size) = &mut item[0] {
            *size *= channels;
        }
        let twice = if channels == 2 { " with twice the channels for variance" } else { "" };
        self.expect_as(info, item, &format!("sample.shape{twice}"))
    }

    /// Checks an output likewise. It may have other axes if it has as many values.
    fn expect_output(&self, info: &TensorInfo, channels: usize) -> Checked<()> {
        let rank = self.manifest.sample.shape.rank() + usize::from(self.batched);
        if info.shape.len() == rank {
            return self.expect(info, channels);
        }
        expect_float(info)?;
        let mut own: Vec<Option<usize>> = self.manifest.sample.shape.0.iter().map(Axis::size).collect();
        own[0] = own[0].map(|size| size * channels);
        let length = own.iter().copied().product::<Option<usize>>();
        if self.manifest.sample.channels_last {
            own.rotate_left(1);
        }
        // Another rank may have more or fewer axes of 1, or one axis for all of an item. Free sizes are checked at the
        // evaluation.
        let long = |sizes: &[Option<usize>]| sizes.iter().filter(|size| **size != Some(1)).copied().collect::<Vec<_>>();
        let said = long(info.shape.get(usize::from(self.batched)..).unwrap_or_default());
        let alike = |own: &[Option<usize>]| {
            said.len() == own.len()
                && said.iter().zip(own).all(|(said, own)| said.is_none() || own.is_none() || said == own)
        };
        let is_open = said.contains(&None);
        let is_flat = info.shape.len() < rank && alike(&long(&[length]));
        if !(alike(&long(&own)) || is_flat || is_open && !alike(&long(&own)) && said.len() > own.len()) {
            return Err(format!(
                "the tensor {info} does not fit the manifest; expected [{}] but for axes of 1, or one axis for an item",
                spelled(&self.whole(channels))
            ));
        }
        Ok(())
    }

    /// The graph's axes of samples with the channels times `channels`.
    fn whole(&self, channels: usize) -> Vec<Axis> {
        let mut item = self.manifest.sample.shape.0.clone();
        if let Axis::Size(size) = &mut item[0] {
            *size *= channels;
        }
        self.in_graph(item)
    }

    /// The axes of an item as the graph has them, with the batch axis.
    fn in_graph(&self, mut item: Vec<Axis>) -> Vec<Axis> {
        if self.manifest.sample.channels_last {
            item.rotate_left(1);
        }
        let mut whole = if self.batched { vec![Axis::Batch] } else { Vec::new() };
        whole.append(&mut item);
        whole
    }

    fn expect_as(&self, info: &TensorInfo, item: Vec<Axis>, field: &str) -> Checked<()> {
        let expected = self.in_graph(item);
        if !fits(&info.shape, &expected) {
            return Err(format!(
                "the tensor {info} does not fit the manifest; expected [{}] ({field})",
                spelled(&expected)
            ));
        }
        expect_float(info)
    }
}

fn expect_float(info: &TensorInfo) -> Checked<()> {
    if info.element.is_float() {
        return Ok(());
    }
    Err(format!("the tensor {info}: expected f32, f16, bf16 or f64, found {}", info.element))
}

/// The role of a condition in the graph, whose batch is fixed at `batch`, as far as it is known by now.
fn expect_condition(
    name: &str,
    condition: &ConditionInput,
    (info, index): (&TensorInfo, usize),
    batch: &mut Option<usize>,
    sizes: &mut Sizes,
) -> Checked<ConditionSlot> {
    let shape = &condition.shape;
    let item: Vec<Axis> = shape.item().cloned().collect();
    let mut whole = item.clone();
    whole.insert(shape.batch(), Axis::Batch);
    // Items that are evaluated one after the other need no batch axis.
    let alone = condition.batch && *batch == Some(1) && info.shape.len() == item.len();
    let (expected, of_batch) = if condition.batch && !alone { (&whole, Some(shape.batch())) } else { (&item, None) };
    if !fits(&info.shape, expected) {
        let field = format!("conditions.{name}.shape");
        let hint = if condition.batch && fits(&info.shape, &item) {
            "; \"batch\": false is one value for all items"
        } else {
            ""
        };
        return Err(format!(
            "the tensor {info} does not fit the manifest; expected [{}] ({field}{hint})",
            spelled(expected)
        ));
    }
    if info.element == Element::Other {
        return Err(format!("the tensor {info}: expected a type of numbers, or truth values"));
    }
    let mut found = info.shape.clone();
    if let Some(size) = of_batch.and_then(|place| found.remove(place))
        && *batch.get_or_insert(size) != size
    {
        let batch = batch.unwrap_or_default();
        return Err(format!("the tensor {info} has a batch of {size}, and the graph's other inputs one of {batch}"));
    }
    note_sizes(info, &found, &item, sizes)?;
    Ok(ConditionSlot { slot: Some(Slot { index, element: info.element }), batch: of_batch })
}
