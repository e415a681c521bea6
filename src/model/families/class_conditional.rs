//! Diffusion transformers of latents with a class condition. Source: Peebles & Xie 2023, "Scalable Diffusion Models
//! with Transformers".

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::facts::{Component, Facts};
use super::family::Family;
use super::parts::{self, USUAL_SIZE, Unet};
use super::stable_diffusion::SCALE;
use crate::model::pipeline::{NoNegative, Pipeline};

pub(super) const FAMILY: Family =
    Family { name: "class-conditional", classes: &["DiTPipeline"], of_image: [&[]; 2], read };

/// The default number of classes, which is ImageNet's.
const CLASSES: usize = 1000;

fn read(facts: &Facts) -> Result<Pipeline, String> {
    let unet = Unet::find(facts, "transformer", 4)?;
    let autoencoder = parts::autoencoder(facts, SCALE)?;
    let mut manifest = parts::manifest(
        facts,
        &unet,
        parts::latents(facts, &unet),
        json!({}),
        json!({"steps": 50, "options": {"guidance_scale": 4.0}}),
    )?;
    let count = unet.component.whole("num_embeds_ada_norm").unwrap_or(CLASSES);
    let mut classes = json!({"count": count, "null": count});
    if let Some(names) = names(facts, count) {
        classes = json!({"names": names, "null": count});
    }
    manifest.insert("classes".into(), classes);
    if let Some(input) = Component::first_of(&unet.component.signature.inputs, &["class_labels", "y", "labels"])
        && let Some(inputs) = manifest.get_mut("inputs").and_then(Value::as_object_mut)
    {
        inputs.insert("class".into(), json!(input.name));
    }
    let size = unet.size(USUAL_SIZE / 2).map(|size| size.saturating_mul(autoencoder.factor));
    Ok(Pipeline {
        diffuse_pipeline: 1,
        family: FAMILY.name.to_owned(),
        predictor: unet.graph.to_owned(),
        manifest: Value::Object(manifest),
        text_encoders: BTreeMap::new(),
        conditions: BTreeMap::new(),
        no_negative: NoNegative::Empty,
        autoencoder: Some(autoencoder),
        unguided_scale: 1.0,
        scheduler_config: facts.scheduler.clone(),
        size: Some(size),
    })
}

/// The names of the classes in `model_index.json`, where each has one and no two are the same. Of several names for one
/// class the first is used. It gets the class's number where another class has the same name.
fn names(facts: &Facts, count: usize) -> Option<Vec<String>> {
    let of_index: &Map<String, Value> = facts.index.as_ref()?.get("id2label")?.as_object()?;
    let mut known = BTreeMap::new();
    let name = |place: usize| -> Option<String> {
        let all = of_index.get(&place.to_string())?.as_str()?;
        let first = all.split(',').next().map(str::trim).filter(|first| !first.is_empty())?;
        let again: &mut usize = known.entry(first.to_owned()).or_default();
        *again += 1;
        Some(if *again > 1 { format!("{first} {place}") } else { first.to_owned() })
    };
    (0..count).map(name).collect()
}
