//! From a request in pictures and prompts to one in latents and embeddings, for a model of several parts. The model's
//! text encoders and its autoencoder do this one piece of work at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ndarray::{Array3, ArrayD, Axis, Ix3, IxDyn, Slice, concatenate};

use super::ask::Request;
use super::fitting::fitted;
use super::plan::Plan;
use crate::cancel::Canceller;
use crate::error::{Error, Result};
use crate::guidance::Form;
use crate::log::{Severity, say};
use crate::model::{Encoded, FAMILIES, NoNegative, Pipeline, Size, Source};
use crate::noise::{BegunNoise, Draw, NoiseSource};
use crate::option::{Group, OptionEntry, Value};
use crate::prompt::{Chunk, Weighed, check_text, fill, weigh};
use crate::sample::{Job, checked_length};
use crate::schedule::Spacing;
use crate::settings::{self, Compat, LongPrompts, Noise, StrengthOf, Weights};
use crate::stage::{Canvas, Coder, Model, Parts, Tiles};
use crate::tensor::{Tensor, zeros};
use crate::tokenizer::Tokens;

/// A piece of work, which is done in one step.
enum Piece {
    /// An encoder reads a text.
    Read { encoder: String, text: String },
    /// All texts are read, and the text encoders are released.
    Release,
    /// The image encoder is opened.
    Open,
    /// The image encoder encodes a tile of an image.
    Tile { image: usize, item: usize, place: usize },
    /// Random numbers are drawn, and latents are made.
    Draw,
}

/// An image to encode: its items, and what the encoder has made of them.
struct Picture {
    values: Arc<ArrayD<f32>>,
    canvas: Option<Canvas>,
    moments: Vec<Array3<f32>>,
}

/// The indices of the images that are encoded: the image itself, and the image outside of the mask.
const WHOLE: usize = 0;
const MASKED: usize = 1;

/// A request on its way to a job.
pub(crate) struct Composition {
    model: Arc<Model>,
    pipeline: Pipeline,
    /// The request as the caller made it.
    asked: Request,
    /// The request in latents, as far as it is made.
    latent: Request,
    /// The height and the width of the pictures, in pixels.
    size: [usize; 2],
    item: Vec<usize>,
    /// The prompts of the items, and their negative prompts where there are any.
    prompts: Vec<String>,
    negatives: Option<Vec<String>>,
    guided: bool,
    /// The guidance scale as the caller set it, where the predictor is not guided by it.
    scale: Option<Value>,
    pieces: VecDeque<Piece>,
    done: usize,
    /// The number of chunks of every text, where texts are read in chunks or with weights. It is 0 before that is
    /// known.
    chunks: usize,
    /// What the encoders made of the texts, by encoder and text.
    read: BTreeMap<(String, String), Vec<Arc<ArrayD<f32>>>>,
    coder: Option<Coder>,
    tiles: Option<Tiles>,
    pictures: [Option<Picture>; 2],
    noise: Option<Box<dyn NoiseSource>>,
}

/// What is left to do once the samples are generated.
pub(crate) struct Finish {
    /// The shape of the pictures, batch first.
    pub(crate) shape: Vec<usize>,
    /// The side of a tile.
    pub(crate) tile: Option<usize>,
    /// What is put back: the mask and the image. They have the shape of the pictures, or one item.
    paste: Option<(ArrayD<f32>, Arc<ArrayD<f32>>)>,
}

impl Finish {
    /// Puts back what the mask keeps.
    pub(crate) fn paste(&self, pictures: &mut ArrayD<f32>) {
        let Some((mask, image)) = &self.paste else { return };
        let shape = pictures.shape().to_vec();
        let (plane, of_item) = (shape[2] * shape[3], shape[1] * shape[2] * shape[3]);
        let (Some(pictures), Some(masks), Some(images)) = (pictures.as_slice_mut(), mask.as_slice(), image.as_slice())
        else {
            return;
        };
        // One mask may serve all items and all channels, and one image all items.
        let of_mask = masks.len() / mask.shape()[0];
        for (at, value) in pictures.iter_mut().enumerate() {
            let (item, within) = (at / of_item, at % of_item);
            let place = if of_mask == plane { within % plane } else { within };
            let (mask, image) = (masks[(item * of_mask + place) % masks.len()], images[at % images.len()]);
            // The ends are set directly, since rounding in the formula would leave traces.
            *value = match mask {
                0.0 => image,
                1.0 => *value,
                mask => mask * *value + (1.0 - mask) * image,
            };
        }
    }
}

/// A text for each of `count` items, from one for all or one for each.
fn for_each_item(name: &'static str, texts: &[String], count: usize) -> Result<Vec<String>> {
    match texts {
        [one] => Ok(vec![one.clone(); count]),
        texts if texts.len() == count => Ok(texts.to_vec()),
        texts => {
            let reason = format!("{} of them for {count} items; one for all, or one for each", texts.len());
            Err(Error::argument(name, reason))
        }
    }
}

/// Refuses options that have no effect with `pipeline`.
fn check_is_of_use(asked: &Request, pipeline: &Pipeline) -> Result<()> {
    let refuse = |name: &'static str, reason: &str| Err(Error::argument(name, reason));
    let given = |option: &OptionEntry| option.given(&asked.options).is_some();
    let of_pictures = [settings::TILE, settings::PASTE];
    if let Some(option) = of_pictures.iter().find(|option| pipeline.autoencoder.is_none() && given(option)) {
        return refuse(option.key, "this model draws pixels itself; it has no autoencoder");
    }
    let of_texts = [settings::WEIGHTS, settings::LONG_PROMPTS];
    if let Some(option) = of_texts.iter().find(|option| !pipeline.reads_text() && given(option)) {
        return refuse(option.key, "this model reads no text; it has no text encoder");
    }
    if asked.invert && pipeline.autoencoder.is_some() {
        return refuse("invert", "the noise behind an image is latents here, which no run of a pipeline starts from");
    }
    Ok(())
}

/// The defaults of diffusers' pipelines that start from an image, where they differ from those that start from noise.
fn defaults_of_diffusers(asked: &Request, pipeline: &Pipeline) -> &'static [(&'static str, f64)] {
    let family = FAMILIES.iter().find(|family| family.name == pipeline.family);
    match (family, &asked.image) {
        (Some(family), Some(_)) if asked.compat == Compat::Diffusers => {
            family.of_image[usize::from(asked.mask.is_some())]
        }
        _ => &[],
    }
}

/// The outputs that `pipeline` needs from a text encoder, in the order of its conditions.
fn outputs_of<'a>(pipeline: &'a Pipeline, encoder: &str) -> Vec<&'a str> {
    let mut outputs = Vec::new();
    for source in pipeline.conditions.values() {
        let Source::Text(all) = source else { continue };
        for Encoded { output, .. } in all.iter().filter(|output| output.encoder == encoder) {
            if !outputs.contains(&output.as_str()) {
                outputs.push(output);
            }
        }
    }
    outputs
}

impl Composition {
    /// Prepares `request` for `model` and makes every choice. Nothing is evaluated yet.
    ///
    /// # Errors
    /// [`Error::Argument`] with the field that does not fit, and what would.
    pub(crate) fn new(model: &Arc<Model>, request: &Request) -> Result<Self> {
        let Some(parts) = model.parts() else {
            return Err(Error::argument("model", "it has one network, and nothing to compose"));
        };
        let asked = request.numbered(model.manifest())?.over(model.scheduler_config())?;
        if asked.count == 0 {
            return Err(Error::argument("count", "0; at least one item is needed"));
        }
        check_is_of_use(&asked, &parts.pipeline)?;
        let size = asked.size(model)?;
        let (pipeline, manifest) = (&parts.pipeline, model.manifest());
        let mut latent = asked.clone();
        let channels = manifest.sample.shape.0.first().and_then(crate::model::Axis::size);
        let channels = channels.ok_or_else(|| {
            Error::model(model.name(), "sample.shape: the number of channels is not fixed; expected a number")
        })?;
        let factor = pipeline.autoencoder.as_ref().map_or(1, |autoencoder| autoencoder.factor);
        let item = vec![channels, size[0] / factor, size[1] / factor];
        // The size is checked before anything is made for each of them.
        checked_length(&[asked.count, item[0], item[1], item[2]])?;
        latent.shape = Some(item.clone());
        let is_picture = |key: &str| settings::group(key) == Some(Group::Picture);
        latent.options = latent.options.filtered(|key| !is_picture(key));
        (latent.prompts, latent.negative_prompts) = (Vec::new(), None);
        let mut composition = Self {
            model: Arc::clone(model),
            pipeline: pipeline.clone(),
            asked,
            latent,
            size,
            item,
            prompts: Vec::new(),
            negatives: None,
            guided: false,
            scale: None,
            pieces: VecDeque::new(),
            done: 0,
            chunks: 0,
            read: BTreeMap::new(),
            coder: None,
            tiles: None,
            pictures: [None, None],
            noise: None,
        };
        composition.usual_with_an_image()?;
        composition.scale(parts)?;
        composition.texts(parts)?;
        composition.images(parts)?;
        // Other errors are reported before anything is made.
        composition.plan()?;
        composition.kind_of_noise()?;
        composition.pieces.push_back(Piece::Draw);
        Ok(composition)
    }

    /// Sets the defaults of a run that starts from an image.
    fn usual_with_an_image(&mut self) -> Result<()> {
        let manifest = self.model.manifest();
        for (key, value) in defaults_of_diffusers(&self.asked, &self.pipeline) {
            // A distilled network is not guided, whatever the usual scale is.
            let of_scale = *key == settings::GUIDANCE_SCALE.key;
            let scales = settings::GUIDANCE_SCALES.given(&self.latent.options).is_some();
            let is_usual = !of_scale || !scales && manifest.defaults.options.contains_key(*key);
            if is_usual && self.latent.options.get(key).is_none() {
                self.latent.set(key, *value)?;
            }
        }
        let takes_steps = settings::STRENGTH_OF.given(&self.latent.options).is_some();
        if self.pipeline.embeds_guidance() && self.latent.image.is_some() && !takes_steps {
            // A distilled model has few steps, and none of them is left out where they are among those of its
            // distillation.
            let few = self.latent.clone().with(settings::STRENGTH_OF.key, StrengthOf::Original.word())?;
            if self.latent.resolved(manifest).grid == Some(Spacing::Lcm) {
                self.latent = few;
            }
        }
        Ok(())
    }

    /// Decides whether there is guidance, and how strong it is.
    fn scale(&mut self, parts: &Parts) -> Result<()> {
        let (pipeline, manifest) = (&parts.pipeline, self.model.manifest());
        let instructs = pipeline.conditions.values().any(|source| *source == Source::Image);
        if !instructs && settings::IMAGE_GUIDANCE_SCALE.given(&self.asked.options).is_some() {
            let reason = "it is for models that edit an image by an instruction, and this one does not";
            return Err(Error::argument(settings::IMAGE_GUIDANCE_SCALE.key, reason));
        }
        if !pipeline.reads_text() {
            // Guidance by classes, if any, works as for a model of one network.
            return Ok(());
        }
        let defaults = manifest.defaults.values().unwrap_or_default();
        let own = defaults.into_iter().find(|(key, _)| *key == settings::GUIDANCE_SCALE.key);
        let given = settings::GUIDANCE_SCALE.given(&self.latent.options).is_some();
        if let Some((key, value)) =
            own.filter(|_| !given && settings::GUIDANCE_SCALES.given(&self.latent.options).is_none())
        {
            self.latent.options.set(key, value);
        }
        let scale = settings::GUIDANCE_SCALE.real(&self.latent.options);
        let scales = settings::GUIDANCE_SCALES.given(&self.latent.options).is_some();
        for (name, source) in &pipeline.conditions {
            if let (Source::Guidance(width), false) = (source, self.asked.conditions.contains_key(name)) {
                let tensor = embedded(scale - 1.0, *width);
                self.latent.conditions.insert(name.clone(), Arc::new(Tensor::F32(tensor)));
            }
        }
        // CFG++ goes from 0 to 1, and takes both predictions at all of it.
        let is_plus_plus = settings::GUIDANCE_FORM.choice::<Form>(&self.latent.options) == Form::PlusPlus;
        self.guided = scales || is_plus_plus || scale > pipeline.unguided_scale;
        if instructs && settings::IMAGE_GUIDANCE_SCALE.real(&self.asked.options) < 1.0 {
            self.guided = false;
        }
        if pipeline.embeds_guidance() || !self.guided {
            if scales && pipeline.embeds_guidance() {
                let reason = "this model takes one guidance scale as its input; give guidance_scale";
                return Err(Error::argument("guidance_scales", reason));
            }
            self.guided = false;
            self.scale = self.latent.options.get(settings::GUIDANCE_SCALE.key).cloned();
            let off = settings::GUIDANCE_SCALE.parse("1")?;
            self.latent.options.set(settings::GUIDANCE_SCALE.key, off);
        }
        Ok(())
    }

    /// Collects the prompts, and plans what has to be read for them.
    fn texts(&mut self, parts: &Parts) -> Result<()> {
        let pipeline = &parts.pipeline;
        let count = self.asked.count;
        let refuse =
            |name: &'static str| Err(Error::argument(name, "this model reads no text; it has no text encoder"));
        if !pipeline.reads_text() {
            return match (self.asked.prompts.is_empty(), &self.asked.negative_prompts) {
                (false, _) => refuse("prompt"),
                (true, Some(_)) => refuse("negative_prompt"),
                (true, None) => Ok(()),
            };
        }
        // A text whose embeddings the host supplies is not read.
        let open = |given: &BTreeMap<String, Arc<Tensor>>| -> Vec<&String> {
            let texts = pipeline.conditions.iter().filter(|(_, source)| matches!(source, Source::Text(_)));
            texts.map(|(name, _)| name).filter(|name| !given.contains_key(*name)).collect()
        };
        let (own, negative) = (open(&self.asked.conditions), open(&self.asked.negative_conditions));
        if !own.is_empty() {
            if self.asked.prompts.is_empty() {
                let names: Vec<&str> = own.iter().map(|name| name.as_str()).collect();
                let names = names.join(", ");
                let reason = format!(
                    "this model needs a prompt, and there is none; give one, which may be empty, or embeddings ({names})"
                );
                return Err(Error::argument("prompt", reason));
            }
            self.prompts = for_each_item("prompt", &self.asked.prompts, count)?;
        }
        let negatives = self.asked.negative_prompts.as_ref();
        let negatives = negatives.map(|texts| for_each_item("negative_prompt", texts, count)).transpose()?;
        if negatives.is_some() && !self.guided {
            say(Severity::Warning, || "there is no guidance, and so the negative prompt counts for nothing".to_owned());
        }
        self.negatives = match (negatives, pipeline.no_negative) {
            _ if !self.guided || negative.is_empty() => None,
            (None, NoNegative::Empty) => Some(vec![String::new(); count]),
            (texts, _) => texts,
        };
        let weighed = settings::WEIGHTS.choice::<Weights>(&self.asked.options) != Weights::Off;
        for text in &self.prompts {
            check_text("prompt", text, weighed)?;
        }
        for text in self.negatives.iter().flatten() {
            check_text("negative_prompt", text, weighed)?;
        }
        for encoder in pipeline.text_encoders.keys() {
            let mut known: Vec<&String> = Vec::new();
            for text in self.prompts.iter().chain(self.negatives.iter().flatten()) {
                if !known.contains(&text) {
                    known.push(text);
                    self.pieces.push_back(Piece::Read { encoder: encoder.clone(), text: text.clone() });
                }
            }
            self.pieces.push_back(Piece::Release);
        }
        Ok(())
    }

    /// Collects the images, and plans what has to be encoded of them.
    fn images(&mut self, parts: &Parts) -> Result<()> {
        let (pipeline, count) = (&parts.pipeline, self.asked.count);
        let told = |wanted: &Source| pipeline.conditions.values().any(|source| source == wanted);
        let (told_mask, told_image) = (told(&Source::MaskedImage), told(&Source::Image));
        if pipeline.autoencoder.is_none() {
            return Ok(());
        }
        let Some(image) = &self.asked.image else {
            return match (&self.asked.mask, told_mask, told_image) {
                (Some(_), ..) => Err(Error::argument("mask", "there is no image whose part it keeps")),
                (None, true, _) => {
                    Err(Error::argument("image", "this model fills a hole in an image; give an image and a mask"))
                }
                (None, _, true) => Err(Error::argument("image", "this model changes an image; give one")),
                (None, ..) => Ok(()),
            };
        };
        let item = [3, self.size[0], self.size[1]];
        // An image for all items is encoded once.
        let items = if image.ndim() == 4 && image.shape()[0] == count { count } else { 1 };
        let image = fitted("image", "image", image, items, &item)?;
        if image.iter().any(|value| !(-1.0..=1.0).contains(value)) {
            return Err(Error::argument("image", "its values are −1 (black) to 1 (white), and some lie beyond"));
        }
        let mask = self.asked.mask.as_ref().map(|mask| self.asked.checked_mask(mask, &item)).transpose()?;
        if mask.as_ref().is_some_and(|mask| mask.shape()[1] != 1) {
            return Err(Error::argument("mask", "it has several channels; one is for the whole of a pixel"));
        }
        if told_mask && mask.is_none() {
            return Err(Error::argument("mask", "this model fills a hole in an image; give a mask of it"));
        }
        if told_image && mask.is_some() {
            return Err(Error::argument("mask", "this model changes a whole image"));
        }
        let picture = |values: Arc<ArrayD<f32>>| Picture { values, canvas: None, moments: Vec::new() };
        let starts = self.starts_from_image(told_mask)?;
        // The noise of the 4-channel model is drawn for it all the same.
        if let Some(mask) = &mask {
            let masked = masked(&image, mask);
            self.pictures[MASKED] = told_mask.then(|| picture(Arc::new(masked)));
        }
        if starts || told_image {
            self.pictures[WHOLE] = Some(picture(image));
        }
        if told_image || told_mask {
            self.latent.image = None;
        }
        if self.pictures.iter().any(Option::is_some) {
            self.pieces.push_back(Piece::Open);
        }
        Ok(())
    }

    /// Whether latents of the image itself are needed, to start from or to keep.
    fn starts_from_image(&self, told_mask: bool) -> Result<bool> {
        if !told_mask {
            return Ok(true);
        }
        // An inpainting model starts from noise where it makes all of the steps.
        let strength = settings::STRENGTH.given(&self.latent.options).is_some();
        Ok(strength && settings::STRENGTH.real(&self.latent.options) < 1.0)
    }

    /// The plan of the run, in latents.
    ///
    /// # Errors
    /// As [`Request::plan`].
    pub(crate) fn plan(&self) -> Result<Plan> {
        let mut stand_in = self.latent.clone();
        self.stand_in(&mut stand_in)?;
        Ok(self.told(stand_in.plan(self.model.manifest())?))
    }

    /// Adds to a plan what only the composition knows.
    fn told(&self, mut plan: Plan) -> Plan {
        if plan.guidance.is_some() && Request::instructed(&self.model).is_some() {
            plan.image_scale = Some(settings::IMAGE_GUIDANCE_SCALE.real(&self.asked.options));
        }
        plan
    }

    /// Sets placeholder negative conditions, so that a plan knows of guidance before the real ones are made.
    fn stand_in(&self, request: &mut Request) -> Result<()> {
        if self.guided {
            for (name, source) in &self.pipeline.conditions {
                if matches!(source, Source::Text(_)) {
                    let nothing = Arc::new(Tensor::F32(zeros(&[1])?));
                    request.negative_conditions.entry(name.clone()).or_insert(nothing);
                }
            }
        }
        Ok(())
    }

    /// What is left to do once the samples are generated.
    ///
    /// # Errors
    /// [`Error::Argument`] if the mask does not fit.
    pub(crate) fn finish(&self) -> Result<Finish> {
        let options = &self.asked.options;
        let item = [3, self.size[0], self.size[1]];
        let shape = match &self.pipeline.autoencoder {
            Some(_) => vec![self.asked.count, item[0], item[1], item[2]],
            None => [vec![self.asked.count], self.item.clone()].concat(),
        };
        checked_length(&shape)?;
        let wanted = match settings::PASTE.given(options) {
            None => self.asked.compat == Compat::Papers,
            Some(_) => settings::PASTE.flag(options),
        };
        let paste = match (&self.asked.mask, &self.asked.image) {
            (Some(mask), Some(image)) if wanted && self.pipeline.autoencoder.is_some() => {
                let items =
                    if image.ndim() == 4 && image.shape()[0] == self.asked.count { self.asked.count } else { 1 };
                let image = fitted("image", "image", image, items, &item)?;
                Some((self.asked.checked_mask(mask, &item)?, image))
            }
            _ => None,
        };
        let tile = self.tile();
        Ok(Finish { shape, tile, paste })
    }

    /// The kind of noise of the run.
    ///
    /// # Errors
    /// [`Error::Argument`] if the settings of the noise contradict each other.
    pub(crate) fn kind_of_noise(&self) -> Result<&'static str> {
        self.latent.noise_source().map(|noise| noise.kind())
    }

    /// The shape of the samples, batch first. Where pictures are made from latents, this is the latents' shape.
    pub(crate) fn shape(&self) -> Vec<usize> {
        [&[self.asked.count], &self.item[..]].concat()
    }

    /// The side of a tile as requested. There is none where diffusers' pipelines use tiles only on request.
    fn tile(&self) -> Option<usize> {
        let options = &self.asked.options;
        let usual = if self.asked.compat == Compat::Diffusers { Some(0) } else { None };
        settings::TILE.given(options).map(|_| settings::TILE.whole(options)).or(usual)
    }

    /// How many pieces are done, and how many there are.
    pub(crate) fn progress(&self) -> (usize, usize) {
        (self.done, self.done + self.pieces.len())
    }

    /// Whether everything but the job is done.
    pub(crate) fn is_ready(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Does the next piece.
    ///
    /// # Errors
    /// [`Error::Model`] if a part cannot be opened, or fails; [`Error::Cancelled`].
    pub(crate) fn step(&mut self, canceller: &Canceller) -> Result<()> {
        canceller.check()?;
        let model = Arc::clone(&self.model);
        let (Some(parts), Some(piece)) = (model.parts(), self.pieces.front()) else { return Ok(()) };
        let mut more = Vec::new();
        match piece {
            Piece::Read { encoder, text } => {
                let (encoder, text) = (encoder.clone(), text.clone());
                let made = self.read(parts, &encoder, &text, canceller)?;
                self.read.insert((encoder, text), made);
            }
            Piece::Release => model.release(),
            Piece::Open => {
                let coder = parts.encoder(canceller)?;
                let latents = self.size.map(|side| side / coder.factor());
                let tiles = coder.tiles(latents, self.tile(), true)?;
                for (image, picture) in self.pictures.iter().enumerate() {
                    let items = picture.as_ref().map_or(0, |picture| picture.values.shape()[0]);
                    for item in 0..items {
                        more.extend((0..tiles.len()).map(|place| Piece::Tile { image, item, place }));
                    }
                }
                (self.coder, self.tiles) = (Some(coder), Some(tiles));
            }
            Piece::Tile { image, item, place } => {
                let (image, item, place) = (*image, *item, *place);
                self.encode(image, item, place)?;
            }
            Piece::Draw => self.draw(parts)?,
        }
        self.pieces.pop_front();
        self.done += 1;
        more.into_iter().rev().for_each(|piece| self.pieces.push_front(piece));
        if self.is_ready() {
            (self.coder, self.tiles) = (None, None);
            model.release();
        }
        Ok(())
    }

    /// Reads a text with a text encoder.
    fn read(
        &mut self,
        parts: &Parts,
        encoder: &str,
        text: &str,
        canceller: &Canceller,
    ) -> Result<Vec<Arc<ArrayD<f32>>>> {
        let outputs = outputs_of(&parts.pipeline, encoder);
        let options = &self.asked.options;
        let (weights, long): (Weights, LongPrompts) =
            (settings::WEIGHTS.choice(options), settings::LONG_PROMPTS.choice(options));
        if weights == Weights::Off && long == LongPrompts::Cut {
            let tokens = parts.tokens(encoder, text)?;
            if let Some(cut) = &tokens.cut {
                say(Severity::Warning, || format!("the prompt is longer than {encoder} reads; it does not see: {cut}"));
            }
            return parts.encoded(encoder, &outputs, &tokens, canceller);
        }
        let weighed = weights != Weights::Off;
        if self.chunks == 0 {
            self.chunks = if long == LongPrompts::Chunks { self.most_chunks(parts, weighed)? } else { 1 };
        }
        let (mut chunks, marks) = parts.chunks(encoder, text, weighed)?;
        if chunks.len() > self.chunks {
            let more = chunks.len() - 1;
            say(Severity::Warning, || {
                format!(
                    "the prompt is longer than {encoder} reads, by {more} chunks; long_prompts \"chunks\" reads all of it"
                )
            });
            chunks.truncate(self.chunks);
        }
        fill(&mut chunks, self.chunks, marks);
        let mut made: Vec<Vec<ArrayD<f32>>> = vec![Vec::new(); outputs.len()];
        for chunk in chunks {
            let encoded = weighed_chunk(parts, encoder, &outputs, chunk, weights, canceller)?;
            made.iter_mut().zip(encoded).for_each(|(all, output)| all.push(output));
        }
        made.into_iter().map(|all| joined(&all)).collect()
    }

    /// The number of chunks of the longest text, over all encoders.
    fn most_chunks(&self, parts: &Parts, weighed: bool) -> Result<usize> {
        let mut most = 1;
        for encoder in parts.pipeline.text_encoders.keys() {
            for text in self.prompts.iter().chain(self.negatives.iter().flatten()) {
                most = most.max(parts.chunks(encoder, text, weighed)?.0.len());
            }
        }
        Ok(most)
    }

    /// Encodes a tile of an item of an image.
    fn encode(&mut self, image: usize, item: usize, place: usize) -> Result<()> {
        let (Some(coder), Some(tiles), Some(picture)) = (&mut self.coder, &self.tiles, &mut self.pictures[image])
        else {
            return Ok(());
        };
        let (start, size) = tiles.at(place, coder.factor());
        let values = picture.values.index_axis(Axis(0), item);
        let part = values.slice_axis(Axis(1), Slice::from(start[0]..start[0] + size[0]));
        let part = part.slice_axis(Axis(2), Slice::from(start[1]..start[1] + size[1]));
        let part = part.into_dimensionality::<Ix3>().map_err(|error| Error::argument("image", error.to_string()))?;
        let made = coder.moments(part)?;
        let expected = size.map(|side| side / coder.factor());
        if made.shape()[1..] != expected || ![self.item[0], 2 * self.item[0]].contains(&made.shape()[0]) {
            let (channels, factor) = (self.item[0], coder.factor());
            let reason = format!(
                "vae_encoder makes {:?} of {size:?} pixels; expected {channels} channels, or twice as many, of {expected:?} (one for {factor} by {factor} pixels: block_out_channels)",
                made.shape()
            );
            return Err(Error::model(self.model.name(), reason));
        }
        if tiles.len() == 1 {
            picture.moments.push(made);
            return Ok(());
        }
        let canvas = match &mut picture.canvas {
            Some(canvas) => canvas,
            none => none.insert(Canvas::new(tiles.clone(), made.shape()[0], 1)?),
        };
        canvas.add(place, &made);
        if place + 1 == tiles.len() {
            picture.moments.extend(picture.canvas.take().map(Canvas::finish));
        }
        Ok(())
    }

    /// Draws random numbers in the order of diffusers' pipelines, and makes latents of the images.
    fn draw(&mut self, parts: &Parts) -> Result<()> {
        let mut noise = self.latent.noise_source()?;
        let length: usize = self.item.iter().product();
        let told_image = parts.pipeline.conditions.values().any(|source| *source == Source::Image);
        let has_mask = self.asked.mask.is_some();
        // With a generator for each item, each draws for one image of all items. In diffusers' inpainting one draws for
        // all.
        let drawn_for = |items: usize| match self.latent.noise {
            Noise::Torch => items,
            Noise::TorchPerItem if has_mask => items,
            _ => self.asked.count.max(items),
        };
        let drawn = |noise: &mut Box<dyn NoiseSource>, which: usize, items: usize| -> Result<Vec<f32>> {
            let mut values = Vec::new();
            crate::tensor::resize(&mut values, drawn_for(items) * length, 0.0)?;
            noise.fill(Draw::Latents { which: which as u32 }, length, &mut values);
            Ok(values)
        };
        let items_of = |picture: &Option<Picture>| picture.as_ref().map(|picture| picture.values.shape()[0]);
        let mut of_images = [None, None];
        if let Some(items) = items_of(&self.pictures[WHOLE]).filter(|_| !told_image) {
            of_images[WHOLE] = Some(drawn(&mut noise, WHOLE, items)?);
        }
        let mut start = Vec::new();
        crate::tensor::resize(&mut start, self.asked.count * length, 0.0)?;
        noise.fill(Draw::Start, length, &mut start);
        if has_mask {
            let items = items_of(&self.pictures[MASKED]).or(items_of(&self.pictures[WHOLE])).unwrap_or(1);
            of_images[MASKED] = Some(drawn(&mut noise, MASKED, items)?);
        }
        self.noise = Some(Box::new(BegunNoise::new(start, noise)));
        for (which, of_image) in of_images.into_iter().enumerate() {
            let Some(picture) = &self.pictures[which] else { continue };
            let latents = self.latents(picture, of_image.as_deref(), !told_image)?;
            match which {
                WHOLE if told_image => {
                    let name = Request::instructed(&self.model).unwrap_or_default().to_owned();
                    self.latent.conditions.insert(name, Arc::new(Tensor::F32(latents)));
                }
                WHOLE => self.latent.image = Some(Arc::new(latents)),
                _ => {
                    let masked = |(_, source): &(&String, &Source)| **source == Source::MaskedImage;
                    let name = parts.pipeline.conditions.iter().find(masked).map(|(name, _)| name.clone());
                    self.latent.conditions.insert(name.unwrap_or_default(), Arc::new(Tensor::F32(latents)));
                }
            }
        }
        self.masks(parts)?;
        self.conditions(parts)?;
        // This comes last, so that a step that failed can be done again.
        self.pictures = [None, None];
        Ok(())
    }

    /// The latents of an image, from the noise that was drawn for it.
    fn latents(&self, picture: &Picture, noise: Option<&[f32]>, scaled: bool) -> Result<ArrayD<f32>> {
        let Some(coder) = &self.coder else { return Err(Error::argument("image", "it is not encoded")) };
        let length: usize = self.item.iter().product();
        let items = noise.map_or(1, |noise| noise.len() / length).max(picture.moments.len());
        let mut all = zeros(&[&[items], &self.item[..]].concat())?;
        for (item, mut latents) in all.outer_iter_mut().enumerate() {
            let moments = &picture.moments[item % picture.moments.len()];
            let noise = noise.map(|noise| &noise[item % (noise.len() / length) * length..][..length]);
            let made = coder.latents(moments, self.item[0], noise, scaled)?;
            if made.shape() != &self.item[..] {
                let reason = format!("the encoder gives latents of {:?}; expected {:?}", made.shape(), self.item);
                return Err(Error::model(self.model.name(), reason));
            }
            latents.assign(&made);
        }
        Ok(all)
    }

    /// Makes the mask at the size of the latents. A latent takes the pixel at its corner, as either 0 or 1.
    fn masks(&mut self, parts: &Parts) -> Result<()> {
        let (Some(mask), Some(autoencoder)) = (&self.asked.mask, &parts.pipeline.autoencoder) else { return Ok(()) };
        let mask = self.asked.checked_mask(mask, &[3, self.size[0], self.size[1]])?;
        let factor = autoencoder.factor;
        let shape = [mask.shape()[0], 1, self.item[1], self.item[2]];
        let small = ArrayD::from_shape_fn(&shape[..], |at| {
            let value = mask[[at[0], 0, at[2] * factor, at[3] * factor]];
            f32::from(u8::from(value >= 0.5))
        });
        if parts.pipeline.conditions.values().any(|source| *source == Source::MaskedImage) {
            for (name, source) in &parts.pipeline.conditions {
                if *source == Source::Mask {
                    self.latent.conditions.insert(name.clone(), Arc::new(Tensor::F32(small.clone())));
                }
            }
            self.latent.mask = None;
        } else {
            self.latent.mask = Some(Arc::new(small));
        }
        Ok(())
    }

    /// Makes the conditions that come from texts and sizes.
    fn conditions(&mut self, parts: &Parts) -> Result<()> {
        for (name, source) in &parts.pipeline.conditions {
            let given = self.asked.conditions.get(name);
            match source {
                Source::Text(outputs) => {
                    let own = match given {
                        Some(given) => Arc::clone(given),
                        None => Arc::new(Tensor::F32(self.of_texts(&parts.pipeline, outputs, &self.prompts)?)),
                    };
                    if given.is_none() {
                        self.check_width(name, own.shape())?;
                    }
                    if self.guided && !self.asked.negative_conditions.contains_key(name) {
                        let negative = match &self.negatives {
                            Some(texts) => self.of_texts(&parts.pipeline, outputs, texts)?,
                            None => zeros(own.shape())?,
                        };
                        self.latent.negative_conditions.insert(name.clone(), Arc::new(Tensor::F32(negative)));
                    }
                    self.latent.conditions.insert(name.clone(), own);
                }
                _ if given.is_some() => {}
                Source::Sizes(sizes) => {
                    let of = |size: &Size| match size {
                        Size::OriginalHeight | Size::Height => self.size[0] as f32,
                        Size::OriginalWidth | Size::Width => self.size[1] as f32,
                        Size::CropTop | Size::CropLeft => 0.0,
                        Size::AestheticScore => 6.0,
                    };
                    let values: Vec<f32> = sizes.iter().map(of).collect();
                    let tensor = ArrayD::from_shape_vec(IxDyn(&[1, values.len()]), values);
                    let tensor = tensor.map_err(|error| Error::argument("condition", error.to_string()))?;
                    self.latent.conditions.insert(name.clone(), Arc::new(Tensor::F32(tensor)));
                }
                Source::Guidance(_) | Source::Mask | Source::MaskedImage | Source::Image => {}
            }
        }
        Ok(())
    }

    /// Refuses text encoders whose output has another width than the predictor takes.
    fn check_width(&self, name: &str, found: &[usize]) -> Result<()> {
        let taken = self.model.manifest().conditions.get(name).and_then(|info| info.shape.0.last()?.size());
        match (taken, found.last()) {
            (Some(taken), Some(width)) if taken != *width => {
                let reason = format!(
                    "its text encoders give {width} values for '{name}', and its network takes {taken}: one of them is missing, or another model's"
                );
                Err(Error::model(self.model.name(), reason))
            }
            _ => Ok(()),
        }
    }

    /// The condition that these outputs of text encoders make for the texts of all items, items first. There is one
    /// item where all have the same text.
    fn of_texts(&self, pipeline: &Pipeline, outputs: &[Encoded], texts: &[String]) -> Result<ArrayD<f32>> {
        let is_one = texts.windows(2).all(|both| both[0] == both[1]);
        let mut items = Vec::new();
        for text in texts.iter().take(if is_one { 1 } else { texts.len() }) {
            let mut features = Vec::new();
            for Encoded { encoder, output } in outputs {
                let place = outputs_of(pipeline, encoder).iter().position(|known| known == output);
                let read = self.read.get(&(encoder.clone(), text.clone()));
                let made = place.zip(read).and_then(|(place, read)| read.get(place));
                features.push(made.ok_or_else(|| Error::argument("prompt", format!("{encoder} did not read it")))?);
            }
            let views: Vec<_> = features.iter().map(|made| made.view()).collect();
            let last = Axis(views.first().map_or(0, |view| view.ndim().saturating_sub(1)));
            let joined = concatenate(last, &views).map_err(|_| {
                let shapes: Vec<String> = views.iter().map(|view| format!("{:?}", view.shape())).collect();
                let reason = format!("the outputs of its text encoders cannot be joined: {}", shapes.join(" and "));
                Error::model(self.model.name(), reason)
            })?;
            items.push(joined);
        }
        let views: Vec<_> = items.iter().map(|item| item.view()).collect();
        ndarray::stack(Axis(0), &views).map_err(|error| Error::argument("prompt", error.to_string()))
    }

    /// Makes the job, once all pieces are done.
    ///
    /// # Errors
    /// As [`Request::job`].
    pub(crate) fn job(&mut self) -> Result<Job> {
        let plan = self.told(self.latent.plan(self.model.manifest())?);
        let noise = match self.noise.take() {
            Some(noise) => noise,
            None => self.latent.noise_source()?,
        };
        plan.job_with(&self.model, noise)
    }
}

impl Request {
    /// The name of the condition by which `model` is given the image that an instruction changes, if there is one.
    pub(super) fn instructed(model: &Model) -> Option<&str> {
        let mut conditions = model.pipeline()?.conditions.iter();
        conditions.find(|(_, source)| **source == Source::Image).map(|(name, _)| name.as_str())
    }
}

/// The output of a text encoder for a chunk, with the weights of its tokens applied.
fn weighed_chunk(
    parts: &Parts,
    encoder: &str,
    outputs: &[&str],
    Chunk { ids, weights: of_ids, used }: Chunk,
    weights: Weights,
    canceller: &Canceller,
) -> Result<Vec<ArrayD<f32>>> {
    let tokens = Tokens { ids, cut: None, used };
    let mut made = Vec::new();
    for output in parts.encoded(encoder, outputs, &tokens, canceller)? {
        let mut output = (*output).clone();
        if let Ok(rows) = output.view_mut().into_dimensionality()
            && weigh(rows, &of_ids, weights == Weights::Web) == Weighed::MeanNearZero
        {
            say(Severity::Warning, || {
                format!(
                    "the mean of the embeddings of {encoder} is too near to 0 to be kept; the weights apply as with a1111-no-norm"
                )
            });
        }
        made.push(output);
    }
    Ok(made)
}

/// The outputs of an encoder for all chunks, joined one behind the other. Of an output for the whole text, only that of
/// the first chunk is kept.
fn joined(all: &[ArrayD<f32>]) -> Result<Arc<ArrayD<f32>>> {
    let views: Vec<_> = all.iter().map(|output| output.view()).collect();
    match views.first() {
        Some(first) if first.ndim() <= 1 => Ok(Arc::new(first.to_owned())),
        _ => concatenate(Axis(0), &views).map(Arc::new).map_err(|error| Error::argument("prompt", error.to_string())),
    }
}

/// The image where it is kept, and grey where it is generated anew.
fn masked(image: &ArrayD<f32>, mask: &ArrayD<f32>) -> ArrayD<f32> {
    let items = image.shape()[0].max(mask.shape()[0]);
    let mut shape = image.shape().to_vec();
    shape[0] = items;
    let mut masked = image.broadcast(&shape[..]).map(|image| image.to_owned()).unwrap_or_else(|| image.clone());
    if let Some(mask) = mask.broadcast(&shape[..]) {
        masked.zip_mut_with(&mask, |value, mask| *value = if *mask < 0.5 { *value } else { 0.0 });
    }
    masked
}

/// `w` embedded in `width` sines and cosines, as timesteps are (Luo et al. 2023).
fn embedded(w: f64, width: usize) -> ArrayD<f32> {
    let half = width / 2;
    // The angles are f32 as in training, since some are in the thousands and their last digits matter.
    let step = 10_000f32.ln() / (half as f32 - 1.0);
    let frequency = |place: usize| f64::from(place as f32 * -step).exp() as f32;
    let angle = |place: usize| f64::from(w as f32 * 1000.0 * frequency(place));
    let value = |place: usize| if place < half { angle(place).sin() } else { angle(place - half).cos() };
    ArrayD::from_shape_fn(IxDyn(&[1, width]), |at| value(at[1]) as f32)
}

impl Request {
    /// The plan of the request with `model`, of one network or of several parts. Every choice is made. Prompts, sizes
    /// and scales stand as the caller set them.
    ///
    /// # Errors
    /// As [`plan`](Self::plan). Also as [`job`](Self::job), for errors that show before anything is evaluated.
    pub fn plan_for(&self, model: &Arc<Model>) -> Result<Plan> {
        if model.pipeline().is_none() {
            return self.plan(model.manifest());
        }
        let composition = Composition::new(model, self)?;
        let mut plan = composition.plan()?;
        plan.request.shape = Some(composition.finish()?.shape.split_off(1));
        let Request { prompts, negative_prompts, negative_conditions, .. } = &composition.asked;
        plan.request.prompts.clone_from(prompts);
        plan.request.negative_prompts.clone_from(negative_prompts);
        plan.request.negative_conditions.clone_from(negative_conditions);
        for (key, value) in composition.asked.options.iter() {
            plan.request.options.set(key, value.clone());
        }
        if let Some(scale) = composition.scale {
            plan.request.options.set(settings::GUIDANCE_SCALE.key, scale);
        }
        Ok(plan)
    }

    /// The plan of the sampling alone, on top of the settings of the model's folder. It needs no prompt and no image.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn plan_sampling(&self, model: &Model) -> Result<Plan> {
        self.over(model.scheduler_config())?.plan(model.manifest())
    }

    /// The manifest of `model` as [`Manifest::resolved`](crate::model::Manifest::resolved) returns it, with the
    /// sampling settings of its folder.
    #[must_use]
    pub fn manifest_of(model: &Model) -> serde_json::Value {
        let manifest = model.manifest();
        let Some(Ok(asked)) = model.scheduler_config().map(|config| Self::default().over(Some(config))) else {
            return manifest.resolved();
        };
        let mut manifest = manifest.clone();
        let chosen = asked.resolved(&manifest);
        let defaults = &mut manifest.defaults;
        let given = (&chosen.solver, chosen.grid, chosen.steps_offset, chosen.ending);
        if let (Some(solver), Some(grid), Some(offset), Some(ending)) = given {
            (defaults.solver, defaults.steps, defaults.grid) = (Some(solver.clone()), chosen.steps, Some(grid));
            (defaults.steps_offset, defaults.ending) = (offset, ending);
        }
        for (key, value) in asked.options.iter() {
            match (key, value) {
                ("eta", Value::Real(eta)) => defaults.eta = Some(*eta),
                _ => drop(defaults.options.insert(key.to_owned(), serde_json::json!(value))),
            }
        }
        manifest.resolved()
    }

    /// The request on top of the sampling settings of a model's folder. What the caller has set takes precedence.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub(crate) fn over(&self, config: Option<&crate::model::SchedulerConfig>) -> Result<Self> {
        let Some(config) = config.filter(|_| self.scheduler_config.is_none()) else { return Ok(self.clone()) };
        let mut under =
            Self { solver: None, steps: None, grid: None, steps_offset: None, ending: None, ..self.clone() };
        under.clipping = settings::Clipping::Model;
        under.options = crate::option::Options::default();
        under.set_scheduler_config(config).map_err(|error| match error {
            Error::Argument { name: "scheduler_config", reason } => {
                Error::argument("scheduler_config", format!("the folder's own: {reason}"))
            }
            Error::Argument { name, reason } => {
                Error::argument("scheduler_config", format!("the folder's own: {name}: {reason}"))
            }
            error => error,
        })?;
        let said = [
            ("solver", self.solver.clone()),
            ("steps", self.steps.map(|steps| steps.to_string())),
            ("grid", self.grid.map(|grid| grid.word().to_owned())),
            ("steps_offset", self.steps_offset.map(|offset| offset.to_string())),
            ("ending", self.ending.map(|ending| ending.word().to_owned())),
            ("clipping", (self.clipping != settings::Clipping::Model).then(|| self.clipping.word().to_owned())),
        ];
        for (key, value) in said {
            value.map_or(Ok(()), |value| under.set(key, value))?;
        }
        for (key, value) in self.options.iter() {
            under.options.set(key, value.clone());
        }
        under.invert = self.invert || under.invert;
        Ok(under)
    }

    /// The height and the width of the pictures that `model` is to generate.
    pub(super) fn size(&self, model: &Model) -> Result<[usize; 2]> {
        let options = &self.options;
        let usual = model.pipeline().and_then(|pipeline| pipeline.size);
        let of_image = self.image.as_ref().and_then(|image| match image.shape() {
            [.., 3, height, width] => Some([*height, *width]),
            _ => None,
        });
        let channels = model.drawn().shape.0.first().and_then(crate::model::Axis::size).unwrap_or(3);
        let of_shape = match self.shape.as_deref() {
            Some([found, height, width]) if *found == channels => Some([*height, *width]),
            Some(shape) => {
                let reason = format!("{shape:?}; it is that of a picture, [{channels}, height, width] in pixels");
                return Err(Error::argument("shape", reason));
            }
            None => None,
        };
        let factor = model.pipeline().and_then(|pipeline| pipeline.autoencoder.as_ref()).map_or(1, |own| own.factor);
        let fixed = model.sizes();
        let fixed = ["height", "width"].map(|side| fixed.get(side).map(|side| side.saturating_mul(factor)));
        let fallback = of_image.or(usual);
        let mut size = [0; 2];
        for (place, option) in [settings::HEIGHT, settings::WIDTH].into_iter().enumerate() {
            let given = option.given(options).map(|_| option.whole(options));
            let side = given.or(of_shape.map(|size| size[place])).or(fixed[place]).or(fallback.map(|size| size[place]));
            let Some(side) = side else {
                return Err(Error::argument(option.key, "the model does not state the size of its pictures; give it"));
            };
            if let Some(fixed) = fixed[place].filter(|fixed| *fixed != side) {
                return Err(Error::argument(option.key, format!("{side}; this model draws {fixed} alone")));
            }
            if side == 0 || !side.is_multiple_of(factor) {
                let below = (side / factor * factor).max(factor);
                let reason = format!("{side}; this model draws multiples of {factor}: {below} or {}", below + factor);
                return Err(Error::argument(option.key, reason));
            }
            size[place] = side;
        }
        Ok(size)
    }
}
