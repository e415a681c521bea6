//! Pipelines without conditions. Those of pixels have the networks of Ho et al. 2020, "Denoising Diffusion
//! Probabilistic Models". Those of latents follow Rombach et al. 2022.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::facts::Facts;
use super::family::Family;
use super::parts::{self, USUAL_SIZE, Unet};
use super::stable_diffusion::SCALE;
use crate::model::pipeline::{NoNegative, Pipeline};

pub(super) const FAMILY: Family = Family {
    name: "unconditional",
    classes: &["DDPMPipeline", "DDIMPipeline", "PNDMPipeline", "ScoreSdeVePipeline", "KarrasVePipeline", "LDMPipeline"],
    of_image: [&[]; 2],
    read,
};

fn read(facts: &Facts) -> Result<Pipeline, String> {
    let is_latent =
        ["vqvae_decoder", "vae_decoder", "vqvae", "vae"].iter().any(|name| facts.components.contains_key(*name));
    let unet = Unet::find(facts, "unet", 3)?;
    let autoencoder = if is_latent { Some(parts::autoencoder(facts, SCALE)?) } else { None };
    let [height, width] = unet.size(USUAL_SIZE);
    let sample = match &autoencoder {
        Some(_) => parts::latents(facts, &unet),
        // It has the data's range, to which diffusers' pipelines clip where the scheduler's configuration states it.
        None => json!({"shape": [unet.channels, height, width], "kind": "image"}),
    };
    let factor = autoencoder.as_ref().map_or(1, |autoencoder| autoencoder.factor);
    // A model whose scheduler is DDPM makes as many steps as it was trained on.
    let steps = if facts.class().is_some_and(|class| class.contains("DDPM")) { 1000 } else { 50 };
    let manifest = parts::manifest(facts, &unet, sample, json!({}), json!({ "steps": steps }))?;
    Ok(Pipeline {
        diffuse_pipeline: 1,
        family: FAMILY.name.to_owned(),
        predictor: unet.graph.to_owned(),
        manifest: Value::Object(manifest),
        text_encoders: BTreeMap::new(),
        conditions: BTreeMap::new(),
        no_negative: NoNegative::Empty,
        autoencoder,
        unguided_scale: 1.0,
        scheduler_config: facts.scheduler.clone(),
        size: Some([height, width].map(|side| side.saturating_mul(factor))),
    })
}
