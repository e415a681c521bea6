//! Latent consistency models (Luo et al. 2023). They have Stable Diffusion's parts. Their predictor has the guidance
//! scale as a condition, and generates in a few steps.

use std::collections::BTreeMap;

use serde_json::json;

use super::facts::{Facts, axis};
use super::family::Family;
use super::parts::{self, USUAL_SIZE};
use super::stable_diffusion::{SCALE, Text, of_latents};
use crate::model::pipeline::{NoNegative, Pipeline, Source};

pub(super) const FAMILY: Family =
    Family { name: "latent-consistency", classes: &["LatentConsistencyModel"], of_image: [&[]; 2], read };

/// The default width of the scale's embedding.
const WIDTH: usize = 256;

fn read(facts: &Facts) -> Result<Pipeline, String> {
    let (unet, graph) = facts.needed("unet")?;
    let Some(input) = unet.input("timestep_cond") else {
        return Err(format!(
            "{graph} has no input timestep_cond; a latent consistency model takes the guidance scale there"
        ));
    };
    let width = axis(Some(input), 1).or_else(|| unet.whole("time_cond_proj_dim")).unwrap_or(WIDTH);
    let text = parts::output(facts, "text_encoder", &["last_hidden_state", "hidden_states", "sample"])?;
    let encoder = parts::text_encoder(facts, "text_encoder", "tokenizer")?;
    of_latents(
        facts,
        Text {
            family: FAMILY.name,
            encoders: BTreeMap::from([("text_encoder".to_owned(), encoder)]),
            conditions: vec![
                ("encoder_hidden_states", None, Source::Text(vec![text])),
                ("timestep_cond", Some(json!([width])), Source::Guidance(width)),
            ],
            no_negative: NoNegative::Empty,
            scale: SCALE,
            defaults: json!({"steps": 4, "options": {"guidance_scale": 8.5}}),
            size: USUAL_SIZE,
        },
    )
}
