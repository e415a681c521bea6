//! Suggests a manifest for a graph that has none, with "?" where the graph states nothing.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use diffuse::model::Inputs;
use diffuse::network::{Element, Signature, TensorInfo};
use serde_json::{Map, Value, json};

/// The value of a field that only the training determines.
pub(crate) const UNKNOWN: &str = "?";

/// The numbers of channels that a picture may have.
const CHANNELS: [usize; 3] = [1, 3, 4];

/// How the output's shape follows from the sample's.
#[derive(Clone, Copy, PartialEq)]
enum Likeness {
    /// It has the same shape.
    Same,
    /// It has twice the channels, along this axis of the tensor.
    Doubled(usize),
    /// The input is longer along this axis, by this much. Something is joined to the sample.
    Joined(usize, usize),
    /// It has the same shape except for axes of 1.
    Reshaped,
}

/// What was found in the graph.
struct Found<'a> {
    signature: &'a Signature,
    sample: usize,
    likeness: Likeness,
    output: usize,
    /// Whether the samples have a batch axis.
    batched: bool,
    time: Option<usize>,
}

/// A manifest for the graph, complete except for "?". The error states what is missing.
pub(crate) fn manifest(signature: &Signature) -> Result<Value, String> {
    let found = Found::new(signature)?;
    let mut manifest = Map::new();
    let mut put = |key: &str, value: Value| drop(manifest.insert(key.to_owned(), value));
    put("diffuse", json!(1));
    put("sample", found.sample_section());
    put("schedule", json!({"kind": UNKNOWN}));
    put("prediction", json!(UNKNOWN));
    if matches!(found.likeness, Likeness::Doubled(_)) {
        put("variance", json!(UNKNOWN));
    }
    let whole = found.time.is_some_and(|time| signature.inputs[time].element.whole_numbers().is_some());
    put("time", json!({"encoding": if whole { "index" } else { UNKNOWN }}));
    let class = found.class();
    if class.is_some() {
        put("classes", json!({"count": UNKNOWN, "null": null}));
    }
    if found.batched && signature.inputs[found.sample].shape[0] == Some(2) {
        put("guidance_pair", json!(UNKNOWN));
    }
    let self_condition = found.self_condition();
    let mut inputs = Map::new();
    let roles =
        [("sample", Some(found.sample)), ("time", found.time), ("class", class), ("self_condition", self_condition)];
    for (role, place) in roles {
        let name = place.map(|place| &signature.inputs[place].name);
        if let Some(name) = name.filter(|name| !Inputs::usual_names(role).contains(&name.as_str())) {
            inputs.insert(role.to_owned(), json!(name));
        }
    }
    let mut conditions = found.joined();
    let known = roles.map(|(_, place)| place);
    for (place, info) in signature.inputs.iter().enumerate().filter(|(place, _)| !known.contains(&Some(*place))) {
        let name = Some(condition_name(&info.name, place)).filter(|name| !conditions.contains_key(name));
        let name = name.unwrap_or_else(|| format!("input_{place}"));
        if name != info.name {
            inputs.insert(name.clone(), json!(info.name));
        }
        conditions.insert(name, found.condition(info));
    }
    if !conditions.is_empty() {
        put("conditions", Value::Object(conditions));
    }
    if !inputs.is_empty() {
        put("inputs", Value::Object(inputs));
    }
    if signature.outputs.len() > 1 {
        put("outputs", json!({"prediction": signature.outputs[found.output].name}));
    }
    Ok(Value::Object(manifest))
}

/// The text of a manifest, with a line for each section and each condition.
pub(crate) fn text(manifest: &Value) -> String {
    const ORDER: [&str; 11] = [
        "diffuse",
        "sample",
        "schedule",
        "prediction",
        "variance",
        "time",
        "classes",
        "conditions",
        "guidance_pair",
        "inputs",
        "outputs",
    ];
    let lines = ORDER.iter().filter_map(|key| {
        let value = manifest.get(key)?;
        let of_conditions = value.as_object().filter(|_| *key == "conditions").map(|conditions| {
            let each = conditions.iter().map(|(name, condition)| format!("    {}: {}", json!(name), inline(condition)));
            format!("{{\n{}\n  }}", each.collect::<Vec<_>>().join(",\n"))
        });
        Some(format!("  {}: {}", json!(key), of_conditions.unwrap_or_else(|| inline(value))))
    });
    format!("{{\n{}\n}}\n", lines.collect::<Vec<_>>().join(",\n"))
}

/// JSON on one line, with the shape first.
fn inline(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| *key != "shape");
            let parts = fields.iter().map(|(key, value)| format!("{}: {}", json!(key), inline(value)));
            format!("{{{}}}", parts.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// The places at which a manifest has "?", as JSON pointers.
pub(crate) fn unknown(manifest: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, places: &mut Vec<String>) {
        match value {
            Value::String(text) if text == UNKNOWN => places.push(at.to_owned()),
            Value::Object(fields) => fields.iter().for_each(|(key, value)| walk(value, &format!("{at}/{key}"), places)),
            _ => {}
        }
    }
    let mut places = Vec::new();
    walk(manifest, "", &mut places);
    places
}

/// A name that the manifest accepts for a condition, as close to the input's as possible.
fn condition_name(input: &str, place: usize) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = input.chars().map(plain).collect();
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    let is_role = Inputs::ROLES.iter().any(|(role, _)| *role == name);
    if begins && !is_role && name.len() <= diffuse::model::MOST_NAME { name } else { format!("input_{place}") }
}

/// Whether two axes can be the same: equal sizes, or free ones.
fn alike(one: Option<usize>, other: Option<usize>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

/// How the output's shape follows, if this input is the sample.
fn likeness(input: &TensorInfo, output: &TensorInfo) -> Option<Likeness> {
    let (of_input, of_output) = (&input.shape, &output.shape);
    if of_input.len() != of_output.len() {
        let long = |shape: &[Option<usize>]| shape.iter().filter(|size| **size != Some(1)).copied().collect::<Vec<_>>();
        let (one, other) = (long(of_input), long(of_output));
        let same = one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| alike(*one, *other));
        return (same && of_input.len().abs_diff(of_output.len()) == 1).then_some(Likeness::Reshaped);
    }
    let apart = |axis: &usize| !alike(of_input[*axis], of_output[*axis]);
    let mut differ = (0..of_input.len()).filter(apart);
    match (differ.next(), differ.next()) {
        (None, _) => Some(Likeness::Same),
        (Some(axis), None) => match (of_input[axis], of_output[axis]) {
            (Some(own), Some(said)) if said == 2 * own => Some(Likeness::Doubled(axis)),
            (Some(own), Some(said)) if own > said && said > 0 => Some(Likeness::Joined(axis, own - said)),
            _ => None,
        },
        _ => None,
    }
}

/// How many of the input's free axes the output has by name, and whether it has other ones instead.
fn names(input: &TensorInfo, output: &TensorInfo) -> (usize, bool) {
    let free = |info: &'_ TensorInfo| -> Vec<String> {
        let named = info.axes.iter().zip(&info.shape).filter(|(name, size)| size.is_none() && !name.is_empty());
        named.map(|(name, _)| name.clone()).collect()
    };
    let (own, said) = (free(input), free(output));
    let same = own.iter().filter(|name| said.contains(name)).count();
    (same, same < own.len() && same < said.len())
}

impl<'a> Found<'a> {
    fn new(signature: &'a Signature) -> Result<Self, String> {
        let Signature { inputs, outputs } = signature;
        let floats = |tensors: &'a [TensorInfo]| tensors.iter().enumerate().filter(|(_, info)| info.element.is_float());
        let usual = |info: &TensorInfo| {
            let names = ["latent", "hidden_states", "noisy", "img", "image"];
            let is_usual = Inputs::usual_names("sample").contains(&info.name.as_str());
            if is_usual { 2 } else { u8::from(names.iter().any(|name| info.name.contains(name))) }
        };
        let mut best: Option<((u8, usize, u8), Self)> = None;
        for (output, said) in floats(outputs) {
            for (sample, info) in floats(inputs).filter(|(_, info)| !info.shape.is_empty()) {
                let Some(likeness) = likeness(info, said) else { continue };
                let how = match likeness {
                    Likeness::Same => 3,
                    Likeness::Doubled(_) | Likeness::Joined(..) => 2,
                    Likeness::Reshaped => 1,
                };
                let (same, other) = names(info, said);
                // One number for many items is no sample where there is another input.
                let how = if info.shape.len() == 1 { 0 } else { how.min(if other { 1 } else { 3 }) };
                let rank = (how, same, usual(info));
                if best.as_ref().is_none_or(|(before, _)| rank > *before) {
                    let found = Self { signature, sample, likeness, output, batched: true, time: None };
                    best = Some((rank, found));
                }
            }
        }
        let Some((_, mut found)) = best else {
            return Err("no float input has the shape of an output, so that none is known to be the sample".into());
        };
        found.time = found.time();
        let item = &inputs[found.sample].shape;
        // Three axes beside a time without axes are an item, unless another tensor has the first of them.
        let alone = |(place, info): (usize, &TensorInfo)| place == found.sample || info.shape.first() != item.first();
        let is_item = matches!(item[..], [Some(2..), _, _]) && inputs.iter().enumerate().all(alone);
        found.batched = !(is_item && found.time.is_none_or(|time| inputs[time].shape.is_empty()));
        Ok(found)
    }

    fn input(&self) -> &'a TensorInfo {
        &self.signature.inputs[self.sample]
    }

    /// Whether an input can be numbers: one, or one for each item.
    fn is_numbers(&self, info: &TensorInfo) -> bool {
        let batch = self.input().shape[0];
        let own = |size: &Option<usize>| size.is_none() || *size == batch;
        info.shape.iter().filter(|size| **size != Some(1)).all(own)
            && info.shape.iter().filter(|size| **size != Some(1)).count() <= 1
    }

    /// The input for the time: by its name, or the only one with one number for each item.
    fn time(&self) -> Option<usize> {
        const PARTS: [&str; 8] = ["time", "step", "noise_level", "sigma", "tau", "variance", "snr", "gamma"];
        let inputs = &self.signature.inputs;
        let may = |(place, info): &(usize, &TensorInfo)| {
            *place != self.sample && info.element != Element::Bool && self.is_numbers(info)
        };
        let named = |names: &dyn Fn(&str) -> bool| {
            inputs.iter().enumerate().filter(may).find(|(_, info)| names(&info.name)).map(|(place, _)| place)
        };
        let only = || {
            let mut all = inputs.iter().enumerate().filter(may).map(|(place, _)| place);
            all.next().filter(|_| all.next().is_none())
        };
        named(&|name| Inputs::usual_names("time").contains(&name))
            .or_else(|| named(&|name| PARTS.iter().any(|part| name.to_lowercase().contains(part))))
            .or_else(only)
    }

    /// The input for a class: whole numbers with a usual name.
    fn class(&self) -> Option<usize> {
        let is_class = |(place, info): &(usize, &TensorInfo)| {
            ![Some(self.sample), self.time].contains(&Some(*place))
                && Inputs::usual_names("class").contains(&info.name.as_str())
                && info.element.whole_numbers().is_some()
                && self.is_numbers(info)
        };
        self.signature.inputs.iter().enumerate().find(is_class).map(|(place, _)| place)
    }

    /// The input for the latest estimate: like the sample, with a usual name.
    fn self_condition(&self) -> Option<usize> {
        let is_it = |(place, info): &(usize, &TensorInfo)| {
            *place != self.sample && info.name.contains("self_cond") && info.shape == self.input().shape
        };
        self.signature.inputs.iter().enumerate().find(is_it).map(|(place, _)| place)
    }

    /// The axes of an item of the samples, in the graph's order.
    fn item(&self) -> Vec<Value> {
        let (input, output) = (self.input(), &self.signature.outputs[self.output]);
        let of = if matches!(self.likeness, Likeness::Joined(..)) { output } else { input };
        (usize::from(self.batched)..input.shape.len())
            .map(|axis| {
                // The other tensor may have the size that one leaves free.
                let size = of.shape[axis].or_else(|| {
                    let other = output.shape.get(axis).filter(|_| self.likeness == Likeness::Same);
                    other.copied().flatten()
                });
                size.map_or_else(|| json!(axis_name(input, axis)), |size| json!(size))
            })
            .collect()
    }

    /// Whether the graph has the channels last, as far as sizes tell.
    fn channels_last(&self) -> bool {
        let item = self.item();
        let size = |axis: usize| item.get(axis).and_then(Value::as_u64).map(|size| size as usize);
        let (first, last) = (size(0), size(2));
        item.len() == 3 && last.is_some_and(|last| CHANNELS.contains(&last) && first.is_none_or(|first| first > last))
    }

    fn sample_section(&self) -> Value {
        let mut item = self.item();
        let mut sample = Map::new();
        if self.channels_last() {
            item.rotate_right(1);
            sample.insert("channels_last".into(), json!(true));
        }
        if item.len() == 3 && item[0] == json!(4) {
            sample.insert("kind".into(), json!(UNKNOWN));
        }
        sample.insert("shape".into(), Value::Array(item));
        Value::Object(sample)
    }

    /// What the samples' input has beside the samples.
    fn joined(&self) -> Map<String, Value> {
        let Likeness::Joined(axis, longer) = self.likeness else { return Map::new() };
        let (mut item, mut axis) = (self.item(), axis - usize::from(self.batched));
        if self.channels_last() {
            item.rotate_right(1);
            axis = (axis + 1) % item.len();
        }
        let one = |longer: usize, before: Value| {
            let mut shape = item.clone();
            shape[axis] = json!(longer);
            let mut condition = json!({"shape": shape, "joined": true});
            if !before.is_null() {
                condition["before"] = before;
            }
            if axis > 0 {
                condition["axis"] = json!(axis);
            }
            condition
        };
        let own = item[axis].as_u64().unwrap_or_default() as usize;
        // Inpainting networks have this.
        if axis == 0 && longer == own + 1 {
            let parts = [("mask", 1), ("masked_sample", own)];
            return parts.map(|(name, longer)| (name.to_owned(), one(longer, Value::Null))).into_iter().collect();
        }
        Map::from_iter([("joined_condition".to_owned(), one(longer, json!(UNKNOWN)))])
    }

    /// The manifest's entry for an input that is a condition.
    fn condition(&self, info: &TensorInfo) -> Value {
        let batch = if self.batched { Some(self.batch_axis(info)) } else { None };
        let place = batch.flatten();
        let axes = (0..info.shape.len()).filter(|axis| Some(*axis) != place || place > Some(0)).map(|axis| match info
            .shape[axis]
        {
            _ if Some(axis) == place => json!("batch"),
            Some(size) => json!(size),
            None => json!(axis_name(info, axis)),
        });
        let mut condition = json!({"shape": axes.collect::<Vec<_>>()});
        // Items that are evaluated one at a time have their own value even without an axis.
        if batch == Some(None) && self.input().shape[0] != Some(1) {
            condition["batch"] = json!(false);
        }
        condition
    }

    /// The place of the batch axis of a condition.
    fn batch_axis(&self, info: &TensorInfo) -> Option<usize> {
        let input = self.input();
        match (input.shape[0], input.axes.first().filter(|name| !name.is_empty())) {
            (None, Some(name)) => {
                (0..info.shape.len()).find(|axis| info.shape[*axis].is_none() && info.axes.get(*axis) == Some(name))
            }
            (None, None) => info.shape.first().filter(|size| size.is_none()).map(|_| 0),
            (Some(fixed), _) => info.shape.first().filter(|size| **size == Some(fixed)).map(|_| 0),
        }
    }
}

/// A name for a free axis: the graph's, as far as the manifest accepts it.
fn axis_name(info: &TensorInfo, axis: usize) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = info.axes.get(axis).map(|name| name.chars().map(plain).collect()).unwrap_or_default();
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    let fits = !is_number && name != "batch" && name.len() <= diffuse::model::MOST_NAME;
    if fits { name } else { format!("{}_{axis}", condition_name(&info.name, axis)) }
}

/// The advice of `inspect` for a graph without a manifest. The manifest's file would be `beside`.
pub(crate) fn advice(signature: &Signature, beside: &str) -> String {
    let manifest = match manifest(signature) {
        Ok(manifest) => manifest,
        Err(reason) => {
            return format!(
                "There is no manifest, and none can be suggested: {reason}. docs/model/manifest.md states how to write one.\n"
            );
        }
    };
    let mut text = format!(
        "There is no manifest, so the model's schedule and prediction are unknown and nothing can be generated with it.
Write this as {beside}, with the values of its training in place of each \"?\".
docs/model/manifest.md lists the possible values, and inspect --samples finds most of them from clean samples.
{}",
        self::text(&manifest)
    );
    let kinds: BTreeSet<String> = unknown(&manifest).into_iter().collect();
    for (place, choices) in [
        ("/sample/kind", "image (RGBA), or latent (what an autoencoder decodes), or tensor"),
        ("/variance", "learned, learned_range, or unused"),
        (
            "/guidance_pair",
            "negative_first or negative_last; leave it out if the two items have nothing to do with each other",
        ),
        ("/classes/count", "how many classes there are; classes.null is the one that stands for none, if there is one"),
        ("/conditions/joined_condition/before", "true where it lies before the sample's values, else false"),
    ] {
        if kinds.contains(place) {
            let _ = writeln!(text, "{}: {choices}", place[1..].replace('/', "."));
        }
    }
    // Numbers with a class's usual name are an embedding, or one-hot. The graph is the same.
    for name in Inputs::usual_names("class") {
        if let Some(width) = manifest["conditions"][name]["shape"][0].as_u64() {
            let _ = writeln!(
                text,
                "conditions.{name}: if it is one-hot, leave it out and write \"classes\": {{\"count\": {width}, \"null\": null}}"
            );
        }
    }
    text
}
