//! The families of pipelines whose folders are recognised, one file each. The files of such a folder are read as the
//! data of a [`Pipeline`].

mod class_conditional;
mod facts;
mod family;
mod latent_consistency;
mod parts;
mod stable_diffusion;
mod stable_diffusion_xl;
mod unconditional;

pub(crate) use facts::{Component, Facts};
pub use family::Family;

use super::pipeline::Pipeline;

/// All families. Where a class's name begins as in two families, the longer beginning counts.
pub const FAMILIES: &[&Family] = &[
    &stable_diffusion::FAMILY,
    &stable_diffusion_xl::FAMILY,
    &latent_consistency::FAMILY,
    &unconditional::FAMILY,
    &class_conditional::FAMILY,
];

/// What exporters put before the name of a class.
const EXPORTERS: &[&str] = &["Onnx", "ORT"];

/// Classes whose names begin as in a family but that do not belong to it.
const OTHERS: &[&str] = &[
    "StableDiffusion3",
    "StableDiffusionUpscale",
    "StableDiffusionLatentUpscale",
    "StableDiffusionControlNet",
    "StableDiffusionXLControlNet",
    "StableDiffusionXLInstructPix2Pix",
    "StableDiffusionAdapter",
    "StableDiffusionXLAdapter",
    "StableDiffusionDepth2Img",
    "StableDiffusionImageVariation",
    "StableDiffusionGLIGEN",
    "LDMTextToImage",
    "LDMSuperResolution",
];

/// Reads what a folder is, and what its parts do.
///
/// # Errors
/// What is missing, or that the family is unknown, with what can be done.
pub(crate) fn recognise(facts: &Facts) -> Result<Pipeline, String> {
    let said = facts.index.as_ref().and_then(|index| index.get("_class_name"));
    let family = match (facts.class(), said) {
        (Some(class), _) => of_class(class)?,
        (None, Some(other)) => return Err(format!("model_index.json: _class_name: {other}; expected a name")),
        (None, None) => of_parts(facts)?,
    };
    (family.read)(facts)
}

/// The family of a class of diffusers.
fn of_class(class: &str) -> Result<&'static Family, String> {
    let plain = EXPORTERS.iter().find_map(|prefix| class.strip_prefix(prefix)).unwrap_or(class);
    let begins = |name: &&str| plain.starts_with(name);
    let longest =
        |family: &&'static Family| family.classes.iter().filter(|name| begins(name)).map(|name| name.len()).max();
    let known = FAMILIES.iter().copied().filter_map(|family| Some((longest(&family)?, family)));
    match known.max_by_key(|(length, _)| *length) {
        Some((_, family)) if !OTHERS.iter().any(|other| plain.starts_with(other)) => Ok(family),
        _ => {
            let names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
            Err(format!(
                "model_index.json: _class_name is '{class}', which is no known family ({}). Describe its parts in {}, as in docs/model/pipelines.md",
                names.join(", "),
                super::pipeline::PIPELINE_FILE
            ))
        }
    }
}

/// The family of a folder that does not state its class.
fn of_parts(facts: &Facts) -> Result<&'static Family, String> {
    let has = |name: &str| facts.components.contains_key(name);
    if has("unet") && has("text_encoder_2") {
        return Ok(&stable_diffusion_xl::FAMILY);
    }
    if has("unet") && has("text_encoder") {
        let embeds = facts.component("unet").is_some_and(|(unet, _)| unet.input("timestep_cond").is_some());
        return Ok(if embeds { &latent_consistency::FAMILY } else { &stable_diffusion::FAMILY });
    }
    if has("unet") {
        return Ok(&unconditional::FAMILY);
    }
    Err(format!(
        "it is no known pipeline: there is neither a model_index.json nor a folder unet. Describe its parts in {}, as in docs/model/pipelines.md",
        super::pipeline::PIPELINE_FILE
    ))
}
