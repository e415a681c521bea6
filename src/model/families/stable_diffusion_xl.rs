//! Stable Diffusion XL, with its distilled variants Turbo, Lightning and Hyper. Source: Podell et al. 2023, "SDXL:
//! Improving Latent Diffusion Models for High-Resolution Image Synthesis".

use std::collections::BTreeMap;

use serde_json::json;

use super::facts::{Facts, axis};
use super::family::Family;
use super::parts::{self, USUAL_SIZE, USUAL_STEPS};
use super::stable_diffusion::{Text, of_latents};
use crate::model::pipeline::{NoNegative, Pipeline, Size, Source};

pub(super) const FAMILY: Family = Family {
    name: "stable-diffusion-xl",
    classes: &["StableDiffusionXL"],
    of_image: [&[("strength", STRENGTH)], &[("strength", STRENGTH_OF_HOLES), ("guidance_scale", 7.5)]],
    read,
};

/// The default `strength` of diffusers' pipelines that start from an image, and of inpainting.
pub(crate) const STRENGTH: f64 = 0.3;
pub(crate) const STRENGTH_OF_HOLES: f64 = 0.9999;

/// The default factor of its latents.
const SCALE: f64 = 0.13025;

fn read(facts: &Facts) -> Result<Pipeline, String> {
    let defaults = match parts::steps_of_distilled(facts) {
        // Turbo needs one step, and Lightning two to eight. Its files have the number only in their names.
        Some(_) => json!({"steps": 4}),
        None => json!({"steps": USUAL_STEPS, "options": {"guidance_scale": 5.0}}),
    };
    let second = parts::text_encoder(facts, "text_encoder_2", "tokenizer_2")?;
    let mut encoders = BTreeMap::from([("text_encoder_2".to_owned(), second)]);
    let mut context = vec![parts::last_but_one(facts, "text_encoder_2")?];
    // The refiner has only the second one.
    if facts.components.contains_key("text_encoder") || facts.lists("text_encoder") {
        encoders.insert("text_encoder".into(), parts::text_encoder(facts, "text_encoder", "tokenizer")?);
        context.insert(0, parts::last_but_one(facts, "text_encoder")?);
    }
    let pooled = parts::output(facts, "text_encoder_2", &["text_embeds", "pooler_output"])?;
    let (unet, _) = facts.needed("unet")?;
    // It has five numbers of a sixth of the embedding's width each, and a pooled text of 1280.
    let is_refiner = axis(unet.input("time_ids"), 1) == Some(5)
        || facts.flag("requires_aesthetics_score")? == Some(true)
        || unet.whole("projection_class_embeddings_input_dim") == Some(2560);
    if is_refiner {
        return Err("it is a refiner, which goes on with the latents of another model; that is not offered".into());
    }
    let sizes =
        vec![Size::OriginalHeight, Size::OriginalWidth, Size::CropTop, Size::CropLeft, Size::Height, Size::Width];
    // An exporter declares a wrong width: `text_embeds` is [batch, features] whatever it is called.
    let width = axis(unet.input("text_embeds"), 1);
    let width = width.map_or_else(|| json!("pooled"), |width| json!(width));
    of_latents(
        facts,
        Text {
            family: FAMILY.name,
            encoders,
            conditions: vec![
                ("encoder_hidden_states", None, Source::Text(context)),
                ("text_embeds", Some(json!([width])), Source::Text(vec![pooled])),
                ("time_ids", Some(json!([sizes.len()])), Source::Sizes(sizes)),
            ],
            // This is as in optimum, whose folders do not always state it.
            no_negative: match facts.flag("force_zeros_for_empty_prompt")? {
                Some(false) => NoNegative::Empty,
                _ => NoNegative::Zeros,
            },
            scale: SCALE,
            defaults,
            size: 2 * USUAL_SIZE,
        },
    )
}
