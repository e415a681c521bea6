//! What the folders of several families have in common.

use serde_json::{Map, Value, json};

use super::facts::{Component, Facts, axis};
use crate::log::{Severity, say};
use crate::model::diffusers::SchedulerConfig;
use crate::model::manifest::LearnedVariance;
use crate::model::pipeline::{Autoencoder, Encoded, TextEncoder};

/// The usual number of steps of a Stable Diffusion pipeline.
pub(super) const USUAL_STEPS: usize = 50;

/// The usual size of a picture of Stable Diffusion, in latents.
pub(super) const USUAL_SIZE: usize = 64;

/// The folder of a small decoder for previews, such as TAESD's.
const PREVIEW_DECODER: &str = "preview_decoder";

/// The autoencoder of a folder, from its configuration. Defaults are those of Stable Diffusion before it had one.
pub(super) fn autoencoder(facts: &Facts, usual_scale: f64) -> Result<Autoencoder, String> {
    let either = |name: &str, other: &str| Ok::<_, String>(facts.optional(name)?.or(facts.optional(other)?));
    let decoder = match either("vae_decoder", "vqvae_decoder")? {
        Some(known) => known,
        None => facts.needed("vae_decoder")?,
    };
    // The small one's latents are the predictor's, unless it states otherwise.
    let small = facts.optional(PREVIEW_DECODER).unwrap_or_else(|reason| {
        // It takes no part in the result.
        say(Severity::Warning, || format!("there are no previews of the small decoder: {reason}"));
        None
    });
    let small = small.map(|decoder| Box::new(of_halves(decoder, None, 1.0)));
    Ok(Autoencoder { preview: small, ..of_halves(decoder, either("vae_encoder", "vqvae_encoder")?, usual_scale) })
}

fn of_halves(
    (decoder, graph): (&Component, &str),
    encoder: Option<(&Component, &str)>,
    usual_scale: f64,
) -> Autoencoder {
    // In half of the folders only one of the two halves has it.
    let config = |key: &str| decoder.number(key).or_else(|| encoder?.0.number(key));
    let list = |key: &str| decoder.numbers(key).or_else(|| encoder?.0.numbers(key));
    let blocks = ["block_out_channels", "encoder_block_out_channels"];
    let blocks = blocks.into_iter().find_map(list).map(|blocks| blocks.len());
    let factor = blocks.filter(|count| (1..=8).contains(count)).map_or(8, |count| 1 << (count - 1));
    let tile = decoder.whole("sample_size").or_else(|| encoder?.0.whole("sample_size"));
    Autoencoder {
        decoder: graph.to_owned(),
        encoder: encoder.map(|(_, graph)| graph.to_owned()),
        factor,
        scale: config("scaling_factor").unwrap_or(usual_scale),
        shift: config("shift_factor").unwrap_or(0.0),
        means: list("latents_mean"),
        deviations: list("latents_std"),
        tile: tile.unwrap_or(512).max(8 * factor),
        preview: None,
    }
}

/// The text encoder in the sub-folder `name`, whose tokenizer is in `tokenizer`.
pub(super) fn text_encoder(facts: &Facts, name: &str, tokenizer: &str) -> Result<TextEncoder, String> {
    let (component, graph) = facts.needed(name)?;
    let of_graph = axis(Component::first_of(&component.signature.inputs, &["input_ids"]), 1);
    Ok(TextEncoder {
        graph: graph.to_owned(),
        tokenizer: tokenizer.to_owned(),
        length: of_graph.or_else(|| component.whole("max_position_embeddings")),
        vocabulary: component.whole("vocab_size"),
    })
}

/// The output of a text encoder that is one of `names`.
pub(super) fn output(facts: &Facts, encoder: &str, names: &[&str]) -> Result<Encoded, String> {
    let (component, graph) = facts.needed(encoder)?;
    match Component::first_of(&component.signature.outputs, names) {
        Some(output) => Ok(Encoded { encoder: encoder.to_owned(), output: output.name.clone() }),
        None => Err(format!("{graph} has no output {}; it has {}", names.join(" or "), outputs_of(component))),
    }
}

/// The output of a text encoder's last layer but one: `hidden_states.{L−1}` of L layers.
pub(super) fn last_but_one(facts: &Facts, encoder: &str) -> Result<Encoded, String> {
    let (component, graph) = facts.needed(encoder)?;
    let number = |name: &str| name.strip_prefix("hidden_states.")?.parse::<usize>().ok();
    let last = component.signature.outputs.iter().filter_map(|output| number(&output.name)).max();
    let layers = component.whole("num_hidden_layers").or(last);
    let name = layers.and_then(|layers| layers.checked_sub(1)).map(|layer| format!("hidden_states.{layer}"));
    match name.filter(|name| component.output(name).is_some()) {
        Some(output) => Ok(Encoded { encoder: encoder.to_owned(), output }),
        None => Err(format!(
            "{graph} has no output for its layers' last but one (hidden_states.N); it has {}: export it with output_hidden_states",
            outputs_of(component)
        )),
    }
}

fn outputs_of(component: &Component) -> String {
    let names: Vec<&str> = component.signature.outputs.iter().map(|output| output.name.as_str()).collect();
    names.join(", ")
}

/// What a predictor takes, from its configuration and its graph.
pub(super) struct Unet<'a> {
    pub(super) component: &'a Component,
    pub(super) graph: &'a str,
    /// The channels of the latents.
    pub(super) channels: usize,
    /// The number of channels that it takes beside them.
    pub(super) joined: usize,
    /// Whether it has twice as many output channels, for a variance.
    pub(super) doubled: bool,
}

impl<'a> Unet<'a> {
    /// The U-Net of a folder, with `usual` channels of latents by default.
    pub(super) fn find(facts: &'a Facts, name: &str, usual: usize) -> Result<Self, String> {
        let (component, graph) = facts.needed(name)?;
        let output = component.signature.outputs.first();
        let channels = component.whole("out_channels").or_else(|| axis(output, 1)).unwrap_or(usual);
        let sample = Component::first_of(&component.signature.inputs, &["sample", "hidden_states", "x"]);
        let taken = axis(sample, 1).or_else(|| component.whole("in_channels")).unwrap_or(channels);
        // Half of its output may be a variance.
        let doubled = channels == 2 * taken;
        let channels = if doubled { taken } else { channels };
        let joined = taken.checked_sub(channels).ok_or_else(|| {
            format!("{graph} takes {taken} channels and gives {channels}; at least as many are needed")
        })?;
        Ok(Self { component, graph, channels, joined, doubled })
    }

    /// The height and the width of a picture in latents. Default: `usual`.
    pub(super) fn size(&self, usual: usize) -> [usize; 2] {
        let sample = Component::first_of(&self.component.signature.inputs, &["sample", "hidden_states", "x"]);
        let of_graph = [axis(sample, 2), axis(sample, 3)];
        let config = self.component.config.as_ref().and_then(|config| config.get("sample_size"));
        let list = config.and_then(Value::as_array);
        let of_config = |place: usize| {
            let value = list.map_or(config, |list| list.get(place))?;
            usize::try_from(value.as_u64()?).ok()
        };
        [0, 1].map(|place| of_graph[place].or_else(|| of_config(place)).unwrap_or(usual))
    }

    /// The names of the graph's inputs and outputs, as a manifest has them.
    pub(super) fn names(&self, manifest: &mut Map<String, Value>) {
        let Component { signature, .. } = self.component;
        let mut inputs = Map::new();
        let roles: [(&str, &[&str]); 2] =
            [("sample", &["sample", "hidden_states", "x"]), ("time", &["timestep", "timesteps", "t"])];
        for (role, names) in roles {
            if let Some(tensor) = Component::first_of(&signature.inputs, names) {
                inputs.insert(role.into(), json!(tensor.name));
            }
        }
        manifest.insert("inputs".into(), Value::Object(inputs));
        if signature.outputs.len() > 1
            && let Some(output) = Component::first_of(&signature.outputs, &["out_sample", "sample", "noise_pred"])
        {
            manifest.insert("outputs".into(), json!({"prediction": output.name}));
        }
    }

    /// The condition for the prompt's embedding, with its width as far as that is known.
    pub(super) fn context(&self) -> Value {
        let width = axis(self.component.input("encoder_hidden_states"), 2);
        let width = width.or_else(|| self.component.whole("cross_attention_dim"));
        json!({"shape": ["tokens", width.map_or_else(|| json!("features"), |width| json!(width))]})
    }
}

/// The manifest of a predictor: its training from the scheduler's configuration, with `sample`, `conditions` and
/// `defaults`.
pub(super) fn manifest(
    facts: &Facts,
    unet: &Unet<'_>,
    sample: Value,
    conditions: Value,
    defaults: Value,
) -> Result<Map<String, Value>, String> {
    let config = facts.scheduler.as_ref().ok_or("scheduler/scheduler_config.json is missing")?;
    let config = SchedulerConfig::parse(&config.to_string())
        .map_err(|error| format!("scheduler/scheduler_config.json: {error}"))?;
    let mut manifest = Map::new();
    manifest.insert("diffuse".into(), json!(1));
    manifest.insert("sample".into(), sample);
    manifest.insert("schedule".into(), json!(config.schedule));
    manifest.insert("prediction".into(), json!(config.prediction));
    if unet.doubled {
        let variance = if config.variance.is_learned() { config.variance } else { LearnedVariance::Unused };
        manifest.insert("variance".into(), json!(variance));
    }
    if conditions.as_object().is_some_and(|conditions| !conditions.is_empty()) {
        manifest.insert("conditions".into(), conditions);
    }
    unet.names(&mut manifest);
    manifest.insert("defaults".into(), defaults);
    Ok(manifest)
}

/// The manifest's entry for samples that are latents.
pub(super) fn latents(facts: &Facts, unet: &Unet<'_>) -> Value {
    let mut sample = json!({"shape": [unet.channels, "height", "width"], "kind": "latent"});
    if let Some(preview) = facts.preview.as_ref().and_then(|preview| preview.get("preview")) {
        sample["preview"] = preview.clone();
    }
    sample
}

/// The number of steps of a distilled model, which has no guidance. `None` for any other model.
///
/// No file states that a model is distilled. It is taken for one if its scheduler was made for such models (TCD, LCM).
/// So is one whose scheduler is Euler's with trailing timesteps. Models with zero terminal SNR or v have that scheduler
/// too, and are left out.
pub(super) fn steps_of_distilled(facts: &Facts) -> Option<usize> {
    let config = facts.scheduler.as_ref()?;
    let word = |key: &str| config.get(key).and_then(Value::as_str).unwrap_or_default();
    let class = word("_class_name");
    if class.starts_with("TCD") || class.starts_with("LCM") {
        return Some(4);
    }
    let rescaled = config.get("rescale_betas_zero_snr").and_then(Value::as_bool).unwrap_or(false);
    let plain = !rescaled && matches!(word("prediction_type"), "" | "epsilon");
    (class.starts_with("Euler") && word("timestep_spacing") == "trailing" && plain).then_some(1)
}
