//! The part of a request that starts from something: an image, a mask, or another seed's noise.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{ArrayD, IxDyn};

use super::ask::Request;
use super::fitting::fitted;
use crate::error::{Error, Result};
use crate::model::Manifest;
use crate::noise::{BlendedNoise, CounterNoise, ListedNoise, NoiseSource, TorchNoise};
use crate::settings::{Noise, SEEDS, VARIATION_STRENGTH};
use crate::stage::Model;
use crate::tensor::Tensor;

/// The greatest number of generators of [`Noise::TorchPerItem`]. Each takes 2.5 kB.
const MOST_GENERATORS: usize = 1 << 16;

/// The greatest seed of a list, whose numbers are f64.
const MOST_SEED: f64 = 9_007_199_254_740_992.0;

/// The condition by which an inpainting model is given the mask. It is given the image outside of the mask beside it.
const MASK: &str = "mask";
const MASKED_SAMPLE: &str = "masked_sample";

/// Whether the model has the mask among its conditions.
pub(super) fn is_told_mask(manifest: &Manifest) -> bool {
    manifest.conditions.contains_key(MASK)
}

impl Request {
    /// The source of the noise.
    pub(super) fn noise_source(&self) -> Result<Box<dyn NoiseSource>> {
        let options = &self.options;
        let refuse = |name, reason: &str| Err(Error::argument(name, reason));
        let (to, variation) = (options.get("interpolate_to"), options.get("variation_seed"));
        if to.is_some() && variation.is_some() {
            return refuse(
                "variation_seed",
                "interpolate_to is given as well; only one of the two can set where items start",
            );
        }
        if variation.is_none() && options.get("variation_strength").is_some() {
            return refuse("variation_strength", "there is no variation_seed for it");
        }
        let seed_of = |value: &crate::option::Value| match value {
            crate::option::Value::Whole(seed) => *seed,
            _ => 0,
        };
        if let Some((key, value)) =
            to.map(|to| ("interpolate_to", to)).or(variation.map(|seed| ("variation_seed", seed)))
        {
            if self.invert {
                return refuse(key, "an inversion starts from the image alone");
            }
            if self.noise != Noise::Counter {
                return refuse(key, "it goes between diffuse's own noises; leave noise at counter");
            }
            if SEEDS.given(options).is_some() {
                return refuse(key, "seeds are given as well; only one of the two can set where items start");
            }
            if key == "interpolate_to" && self.count < 2 {
                return refuse(key, "it takes at least 2 items, the first and the last");
            }
            return Ok(Box::new(if key == "interpolate_to" {
                BlendedNoise::between(self.seed, seed_of(value), self.count)
            } else {
                let strength = VARIATION_STRENGTH.real(options);
                BlendedNoise::variations(self.seed, seed_of(value), strength, self.count)
            }));
        }
        if let Some(seeds) = self.seeds()? {
            return match self.noise {
                Noise::Counter => Ok(Box::new(ListedNoise::new(seeds))),
                Noise::TorchPerItem => Ok(Box::new(TorchNoise::listed(&seeds))),
                Noise::Torch => {
                    refuse("seeds", "torch has one generator for all items; noise torch-per-item has a list")
                }
            };
        }
        Ok(match self.noise {
            Noise::Counter => Box::new(CounterNoise::new(self.seed)),
            Noise::Torch => Box::new(TorchNoise::new(self.seed)),
            Noise::TorchPerItem if self.count > MOST_GENERATORS => {
                let reason = format!("a generator for each of {} items; {MOST_GENERATORS} are possible", self.count);
                return Err(Error::argument("noise", reason));
            }
            Noise::TorchPerItem => Box::new(TorchNoise::per_item(self.seed)),
        })
    }

    /// The seed of each item, where seeds are listed.
    fn seeds(&self) -> Result<Option<Vec<u64>>> {
        let Some(listed) = self.options.numbers(SEEDS.key) else { return Ok(None) };
        let refuse = |reason: String| Err(Error::argument(SEEDS.key, reason));
        if listed.len() != self.count {
            return refuse(format!("{} of them for {} items", listed.len(), self.count));
        }
        if listed.len() > MOST_GENERATORS {
            return refuse(format!("{}; at most {MOST_GENERATORS} are possible", listed.len()));
        }
        match listed.iter().find(|seed| !(0.0..=MOST_SEED).contains(*seed) || seed.fract() != 0.0) {
            Some(wrong) => refuse(format!("{wrong}; whole numbers from 0 to 2^53 are possible")),
            None => Ok(Some(listed.iter().map(|seed| *seed as u64).collect())),
        }
    }

    /// The mask with the axes of the samples. An axis is 1 where the mask is the same for all items, or for all
    /// channels.
    pub(super) fn checked_mask(&self, mask: &ArrayD<f32>, item: &[usize]) -> Result<ArrayD<f32>> {
        let refuse = |reason: String| Err(Error::argument("mask", reason));
        if let Some(wrong) = mask.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            return refuse(format!("a value is {wrong}; 0 keeps, 1 draws"));
        }
        let plane = &item[1..];
        let of_plane: usize = plane.iter().product();
        let axes: Vec<usize> = match mask.shape() {
            // The length of a flat list of values determines the number of planes.
            [length] if *length == of_plane => vec![1, 1],
            [length] if *length == self.count * of_plane => vec![self.count, 1],
            shape if shape == plane => vec![1, 1],
            [channels, rest @ ..] if rest == plane && [1, item[0]].contains(channels) => vec![1, *channels],
            [items, channels, rest @ ..]
                if rest == plane && [1, self.count].contains(items) && [1, item[0]].contains(channels) =>
            {
                vec![*items, *channels]
            }
            shape => {
                return refuse(format!(
                    "a shape of {shape:?}; expected {plane:?}, for all of the items or for each, with one channel or {}",
                    item[0]
                ));
            }
        };
        let shape: Vec<usize> = axes.into_iter().chain(plane.iter().copied()).collect();
        let values = mask.iter().copied().collect();
        ArrayD::from_shape_vec(IxDyn(&shape), values).map_err(|error| Error::argument("mask", error.to_string()))
    }

    /// The conditions of an inpainting model, from the mask and the image.
    pub(super) fn of_mask(&self, model: &Model, item: &[usize]) -> Result<BTreeMap<&'static str, Arc<Tensor>>> {
        let manifest = model.manifest();
        let (Some(mask), Some(image), true) = (&self.mask, &self.image, is_told_mask(manifest)) else {
            return Ok(BTreeMap::new());
        };
        let image = fitted("image", "image", image, self.count, item)?;
        let mask = self.checked_mask(mask, item)?;
        let mut shape = image.shape().to_vec();
        let whole = mask.broadcast(IxDyn(&shape)).map(|mask| mask.to_owned()).unwrap_or_default();
        let mut masked = (*image).clone();
        masked.zip_mut_with(&whole, |value, mask| *value = if *mask < 0.5 { *value } else { 0.0 });
        shape[1] = 1;
        let first = whole.slice_axis(ndarray::Axis(1), ndarray::Slice::from(0..1)).to_owned();
        Ok(BTreeMap::from(
            [(MASK, first), (MASKED_SAMPLE, masked)].map(|(name, values)| (name, Arc::new(values.into()))),
        ))
    }
}
