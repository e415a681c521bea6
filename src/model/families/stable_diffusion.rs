//! Stable Diffusion 1 and 2. Source: Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion
//! Models".
//!
//! Predictors with nine channels are for inpainting. Those with eight follow instructions (Brooks et al. 2023,
//! "InstructPix2Pix").

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::facts::Facts;
use super::family::Family;
use super::parts::{self, USUAL_SIZE, USUAL_STEPS, Unet};
use crate::model::pipeline::{NoNegative, Pipeline, Source};

pub(super) const FAMILY: Family =
    Family { name: "stable-diffusion", classes: &["StableDiffusion"], of_image: [&[]; 2], read };

/// The default factor of its latents.
pub(super) const SCALE: f64 = 0.18215;

/// The usual number of steps to follow an instruction (Brooks et al. 2023, §3.2).
const STEPS_OF_INSTRUCTIONS: usize = 100;

fn read(facts: &Facts) -> Result<Pipeline, String> {
    let defaults = match parts::steps_of_distilled(facts) {
        Some(steps) => json!({ "steps": steps }),
        None => json!({"steps": USUAL_STEPS, "options": {"guidance_scale": 7.5}}),
    };
    let text = parts::output(facts, "text_encoder", &["last_hidden_state", "hidden_states", "sample"])?;
    let encoder = parts::text_encoder(facts, "text_encoder", "tokenizer")?;
    of_latents(
        facts,
        Text {
            family: FAMILY.name,
            encoders: BTreeMap::from([("text_encoder".to_owned(), encoder)]),
            conditions: vec![("encoder_hidden_states", None, Source::Text(vec![text]))],
            no_negative: NoNegative::Empty,
            scale: SCALE,
            defaults,
            size: USUAL_SIZE,
        },
    )
}

/// How families with one U-Net and a text condition differ.
pub(super) struct Text {
    pub(super) family: &'static str,
    pub(super) encoders: BTreeMap<String, crate::model::pipeline::TextEncoder>,
    /// The conditions: their shapes where these differ from the prompt embedding's, and what they are made of.
    pub(super) conditions: Vec<(&'static str, Option<Value>, Source)>,
    pub(super) no_negative: NoNegative,
    /// The usual factor of the latents.
    pub(super) scale: f64,
    pub(super) defaults: Value,
    /// The usual size of a picture, in latents.
    pub(super) size: usize,
}

/// A U-Net of latents with a text condition.
pub(super) fn of_latents(facts: &Facts, mut text: Text) -> Result<Pipeline, String> {
    let unet = Unet::find(facts, "unet", 4)?;
    let autoencoder = parts::autoencoder(facts, text.scale)?;
    let (mut shapes, mut conditions) = (Map::new(), BTreeMap::new());
    for (name, shape, source) in text.conditions {
        let shape = shape.map_or_else(|| unet.context(), |shape| json!({"shape": shape}));
        shapes.insert(name.into(), shape);
        conditions.insert(name.to_owned(), source);
    }
    let joined = |channels: usize| json!({"shape": [channels, "height", "width"], "joined": true, "kind": "tensor"});
    match unet.joined {
        0 => {}
        // Behind the latents they stand in the order of their names: the mask, then the image outside of it.
        joint if joint == 1 + unet.channels => {
            for (name, channels, source) in
                [("mask", 1, Source::Mask), ("masked_sample", unet.channels, Source::MaskedImage)]
            {
                shapes.insert(name.into(), joined(channels));
                conditions.insert(name.to_owned(), source);
            }
        }
        joint if joint == unet.channels => {
            shapes.insert("image".into(), joined(unet.channels));
            conditions.insert("image".to_owned(), Source::Image);
            if text.defaults["steps"] == USUAL_STEPS {
                text.defaults["steps"] = json!(STEPS_OF_INSTRUCTIONS);
            }
        }
        joint => {
            return Err(format!(
                "{} takes {joint} channels beside the {} of its latents; expected 5 (a mask and its image) or 4 (an image)",
                unet.graph, unet.channels
            ));
        }
    }
    let size = unet.size(text.size).map(|size| size.saturating_mul(autoencoder.factor));
    let manifest = parts::manifest(facts, &unet, parts::latents(facts, &unet), Value::Object(shapes), text.defaults)?;
    Ok(Pipeline {
        diffuse_pipeline: 1,
        family: text.family.to_owned(),
        predictor: unet.graph.to_owned(),
        manifest: Value::Object(manifest),
        text_encoders: text.encoders,
        conditions,
        no_negative: text.no_negative,
        autoencoder: Some(autoencoder),
        unguided_scale: 1.0,
        scheduler_config: facts.scheduler.clone(),
        size: Some(size),
    })
}
