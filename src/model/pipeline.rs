//! A model of several parts, as data: a predictor, text encoders, an autoencoder, and how their outputs are used. A
//! folder of a known family is [recognised](super::families) as such data. A pipeline of one's own has the same data in
//! a file beside its parts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::manifest::{Axis, Manifest};
use crate::json::Json;

/// The name of the file in a folder that describes its parts.
pub const PIPELINE_FILE: &str = "pipeline.diffuse.json";

/// A model of several parts. Every file is named by its path from the folder, with `/` between the parts of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// The version of the schema: 1.
    pub diffuse_pipeline: u32,
    /// The kind of pipeline, such as `stable-diffusion`.
    pub family: String,
    /// The graph of the predictor.
    pub predictor: String,
    /// The manifest of the predictor, as for a model of one file.
    pub manifest: Value,
    /// The text encoders, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub text_encoders: BTreeMap<String, TextEncoder>,
    /// What the predictor's conditions are made of, by their names in the manifest. A condition that is not here is
    /// given with the request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, Source>,
    /// What guidance leads away from where no negative prompt is given.
    #[serde(default)]
    pub no_negative: NoNegative,
    /// The autoencoder. `None` where the predictor samples pictures itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoencoder: Option<Autoencoder>,
    /// The greatest guidance scale that turns guidance off.
    #[serde(default = "one")]
    pub unguided_scale: f64,
    /// The contents of a scheduler_config.json of diffusers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler_config: Option<Value>,
    /// The usual size of a picture: its height and its width in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
}

/// The most tokens that a text encoder reads at once.
const MOST_TOKENS: usize = 1 << 16;

/// The greatest width of an embedded guidance scale.
const MOST_WIDTH: usize = 1 << 16;

/// The greatest usual width and height of a picture.
const MOST_SIDE: usize = 1 << 16;

fn one() -> f64 {
    1.0
}

/// A network that reads a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextEncoder {
    /// Its graph.
    pub graph: String,
    /// The folder of its tokenizer.
    pub tokenizer: String,
    /// How many tokens it reads at once. Default: the tokenizer's own length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// The size of its vocabulary, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<usize>,
}

/// An output of a text encoder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoded {
    /// The name of the encoder.
    pub encoder: String,
    /// The name of its graph's output.
    pub output: String,
}

/// What a condition of the predictor is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// The prompt: these outputs of text encoders, with their features one behind the other.
    Text(Vec<Encoded>),
    /// Sizes of the picture in pixels, and where it is cropped, in this order.
    Sizes(Vec<Size>),
    /// The guidance scale s, embedded as w = s − 1 in so many sines and cosines. There is no other guidance then.
    /// Source: Luo et al. 2023, "Latent Consistency Models".
    Guidance(usize),
    /// The mask at the size of the samples: where the image is generated anew.
    Mask,
    /// The latents of the image without what is generated anew.
    MaskedImage,
    /// The mean latents of the image, without the autoencoder's factor. This is the image that an instruction changes.
    Image,
}

/// A number about the picture that is a condition of the predictor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// The height of the picture that this one is a part of.
    OriginalHeight,
    /// The width of the picture that this one is a part of.
    OriginalWidth,
    /// The height that is cropped off above.
    CropTop,
    /// The width that is cropped off on the left.
    CropLeft,
    /// The height that is generated.
    Height,
    /// The width that is generated.
    Width,
    /// The aesthetic score to aim for, about 1 to 10.
    AestheticScore,
}

/// What guidance leads away from where no negative prompt is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoNegative {
    /// The empty text.
    #[default]
    Empty,
    /// Zeros in place of the text encoders' outputs.
    Zeros,
}

/// An autoencoder, which turns pictures into latents and back. A latent z is made of the encoder's output as `(z −
/// shift)·scale`. With means and deviations of the channels it is `(z − mean)·scale/deviation`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Autoencoder {
    /// The graph of the decoder, which makes pictures.
    pub decoder: String,
    /// The graph of the encoder, which makes latents. Without it no picture can be given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<String>,
    /// The width and the height of a latent in pixels.
    pub factor: usize,
    /// The factor of the latents.
    pub scale: f64,
    /// The shift that is subtracted before the factor is applied.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shift: f64,
    /// The mean of each channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub means: Option<Vec<f64>>,
    /// The standard deviation of each channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deviations: Option<Vec<f64>>,
    /// The side of a tile in pixels, which is the size of the pictures that it was trained on.
    pub tile: usize,
    /// A small autoencoder, whose decoder makes previews of the same latents. Without it previews are linear in the
    /// latents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<Box<Autoencoder>>,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// The values that must be objects, where they are present, with their names.
fn objects_of(value: &Value) -> Vec<(String, &Value)> {
    let members = |value: &'_ Value| -> Vec<String> {
        value.as_object().into_iter().flat_map(|object| object.keys().cloned()).collect()
    };
    let named = |name: &str, value| (name.to_owned(), value);
    let autoencoder = &value["autoencoder"];
    let mut objects = vec![
        named("it", value),
        named("manifest", &value["manifest"]),
        named("text_encoders", &value["text_encoders"]),
        named("conditions", &value["conditions"]),
        named("autoencoder", autoencoder),
        named("autoencoder.preview", &autoencoder["preview"]),
    ];
    for name in members(&value["text_encoders"]) {
        objects.push((format!("text_encoders.{name}"), &value["text_encoders"][&name]));
    }
    for name in members(&value["conditions"]) {
        let outputs = value["conditions"][&name]["text"].as_array().into_iter().flatten();
        objects.extend(outputs.map(|output| (format!("conditions.{name}.text"), output)));
    }
    objects
}

impl Pipeline {
    /// Reads the text of a pipeline file, with the predictor's manifest.
    ///
    /// # Errors
    /// The field, what is expected and what was found.
    pub fn parse(json: &str) -> Result<(Self, Manifest), String> {
        let json = Json::new(json).map_err(|error| format!("it cannot be read as JSON: {error}"))?;
        let value: Value = json.read().map_err(|error| error.to_string())?;
        // serde would also accept the list of its fields' values for an object.
        if let Some(field) = objects_of(&value).into_iter().find_map(|(field, value)| value.is_array().then_some(field))
        {
            return Err(format!("{field} is a list; expected an object"));
        }
        let pipeline: Self = json.read().map_err(|error| error.to_string())?;
        pipeline.checked().map(|manifest| (pipeline, manifest))
    }

    /// The predictor's manifest, where everything in the pipeline fits together.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn checked(&self) -> Result<Manifest, String> {
        if self.diffuse_pipeline != 1 {
            return Err(format!("diffuse_pipeline: {}; this version reads 1", self.diffuse_pipeline));
        }
        self.check_paths()?;
        let manifest = Manifest::parse(&self.manifest.to_string()).map_err(|reason| {
            let reason = reason.strip_prefix("manifest: ").unwrap_or(&reason);
            format!("manifest: {reason}")
        })?;
        for (name, source) in &self.conditions {
            if !manifest.conditions.contains_key(name) {
                return Err(format!("conditions.{name}: the manifest has no condition of this name"));
            }
            match source {
                Source::Text(outputs) if outputs.is_empty() => {
                    return Err(format!("conditions.{name}.text: no output of any text encoder"));
                }
                Source::Text(outputs) => {
                    let unknown = outputs.iter().find(|output| !self.text_encoders.contains_key(&output.encoder));
                    if let Some(unknown) = unknown {
                        let reason = format!("there is no text encoder '{}'", unknown.encoder);
                        return Err(format!("conditions.{name}.text: {reason}"));
                    }
                }
                Source::Guidance(width) if !(4..=MOST_WIDTH).contains(width) || width % 2 != 0 => {
                    return Err(format!("conditions.{name}.guidance: {width}; an even number from 4 to {MOST_WIDTH}"));
                }
                Source::Mask | Source::MaskedImage | Source::Image if self.autoencoder.is_none() => {
                    return Err(format!("conditions.{name}: there is no autoencoder for the image"));
                }
                _ => {}
            }
        }
        for (name, encoder) in &self.text_encoders {
            if let Some(length) = encoder.length.filter(|length| !(2..=MOST_TOKENS).contains(length)) {
                return Err(format!(
                    "text_encoders.{name}.length: {length} (max_position_embeddings); 2 to {MOST_TOKENS} tokens"
                ));
            }
        }
        if let Some(autoencoder) = &self.autoencoder {
            autoencoder.check(&manifest)?;
        }
        let factor = self.autoencoder.as_ref().map_or(1, |autoencoder| autoencoder.factor);
        let fits = |side: &usize| (1..=MOST_SIDE).contains(side) && side.is_multiple_of(factor);
        if let Some(side) = self.size.iter().flatten().find(|side| !fits(side)) {
            return Err(format!("size: {side} pixels (sample_size); a multiple of {factor}, up to {MOST_SIDE}"));
        }
        Ok(manifest)
    }

    /// Refuses files that do not lie in the folder.
    fn check_paths(&self) -> Result<(), String> {
        let encoders = self.text_encoders.values().flat_map(|encoder| [&encoder.graph, &encoder.tokenizer]);
        let small = self.autoencoder.iter().filter_map(|own| own.preview.as_deref());
        let halves = self.autoencoder.iter().chain(small);
        let halves = halves.flat_map(|own| std::iter::once(&own.decoder).chain(&own.encoder));
        let is_within = |path: &str| {
            !path.is_empty()
                && !path.contains(['\\', ':'])
                && path.split('/').all(|part| !["", ".", ".."].contains(&part))
        };
        match std::iter::once(&self.predictor).chain(encoders).chain(halves).find(|path| !is_within(path)) {
            Some(path) => Err(format!("'{path}' is no path within the folder, such as unet/model.onnx")),
            None => Ok(()),
        }
    }

    /// Whether the pipeline uses a prompt.
    #[must_use]
    pub fn reads_text(&self) -> bool {
        self.conditions.values().any(|source| matches!(source, Source::Text(_)))
    }

    /// Whether the guidance scale is a condition of the predictor, and does not guide.
    #[must_use]
    pub fn embeds_guidance(&self) -> bool {
        self.conditions.values().any(|source| matches!(source, Source::Guidance(_)))
    }
}

impl Autoencoder {
    fn check(&self, manifest: &Manifest) -> Result<(), String> {
        // The factor must be a normal number in f32, in which latents are.
        let is_factor = |value: f64| (value as f32).is_normal();
        if !(1..=256).contains(&self.factor) {
            return Err(format!("autoencoder.factor: {}; 1 to 256", self.factor));
        }
        if !is_factor(self.scale) || !(self.shift as f32).is_finite() {
            return Err(format!(
                "autoencoder.scale: {}, shift: {} (scaling_factor, shift_factor); numbers of f32, the first not 0",
                self.scale, self.shift
            ));
        }
        if self.tile < self.factor * 8 {
            return Err(format!("autoencoder.tile: {}; at least 8 latents, {} pixels", self.tile, self.factor * 8));
        }
        if self.means.is_some() != self.deviations.is_some() {
            return Err("autoencoder.means, deviations (latents_mean, latents_std): one without the other".into());
        }
        let channels = manifest.sample.shape.0.first().and_then(Axis::size);
        for (name, list) in [("means", &self.means), ("deviations", &self.deviations)] {
            let Some(list) = list else { continue };
            let fits = channels.is_none_or(|channels| channels == list.len());
            let is_one =
                |value: f64| (value as f32).is_finite() && (name == "means" || value > 0.0 && is_factor(value));
            let values = list.iter().all(|value| is_one(*value));
            if !fits || !values {
                return Err(format!("autoencoder.{name}: {} numbers; one for each channel of the latents", list.len()));
            }
        }
        match &self.preview {
            Some(small) if small.preview.is_some() || small.encoder.is_some() => {
                Err("autoencoder.preview: it has a decoder, and neither an encoder nor a preview of its own".into())
            }
            Some(small) => {
                small.check(manifest).map_err(|reason| reason.replacen("autoencoder.", "autoencoder.preview.", 1))
            }
            None => Ok(()),
        }
    }
}
