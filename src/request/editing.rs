//! The part of a request that starts from something: an image, a mask, another seed's noise, a clean sample to be inverted.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{ArrayD, IxDyn};

use super::ask::{MOST_GENERATORS, Request, fitted};
use crate::error::{Error, Result};
use crate::model::Manifest;
use crate::noise::{BlendedNoise, CounterNoise, NoiseSource, TorchNoise};
use crate::option::Options;
use crate::sample::Job;
use crate::schedule::Grid;
use crate::settings::{self, CORRECTOR_STEPS, ETA, Noise, STRENGTH, STRENGTH_FROM_IMAGE, VARIATION_STRENGTH};
use crate::solver::{DdimInverse, Solver};
use crate::stage::Model;

/// What a model that was trained to fill holes is told of the mask, and of the image outside of it.
const MASK: &str = "mask";
const MASKED_SAMPLE: &str = "masked_sample";

impl Request {
    /// Whether the model is told the mask itself.
    fn is_told_mask(manifest: &Manifest) -> bool {
        manifest.conditions.contains_key(MASK)
    }

    /// The part of the grid that is run, and its direction.
    pub(super) fn directed(
        &self,
        grid: Grid,
        solver: Box<dyn Solver>,
        name: &str,
        options: &Options,
    ) -> Result<(Box<dyn Solver>, Grid)> {
        let from_image = self.image.is_some() && self.mask.is_none() && !self.invert;
        let strength = match STRENGTH.given(options) {
            None if from_image => STRENGTH_FROM_IMAGE,
            _ => STRENGTH.real(options),
        };
        // Rounded down, as in diffusers.
        // A product that is a whole number but for its rounding is that number: 0.29 of 100 are 29.
        let steps = ((grid.steps() as f64 * strength + 1e-9) as usize).min(grid.steps());
        if steps == 0 {
            let reason = format!("{strength} of {0} steps is none; at least 1/{0} is needed", grid.steps());
            return Err(Error::argument("strength", reason));
        }
        let grid = if steps < grid.steps() { grid.last_steps(steps) } else { grid };
        if !self.invert {
            return Ok((solver, grid));
        }
        if self.image.is_none() {
            return Err(Error::argument(
                "invert",
                "it goes from an image to the noise behind it, and there is no image",
            ));
        }
        if self.mask.is_some() {
            return Err(Error::argument("mask", "an inversion draws nothing that a mask could keep"));
        }
        let corrected = CORRECTOR_STEPS.whole(options) > 0;
        if name != "ddim" || ETA.real(options) > 0.0 || corrected {
            let reason = format!("{solver} cannot be inverted; ddim can, with eta 0");
            return Err(Error::argument("solver", reason));
        }
        Ok((Box::new(DdimInverse), grid.reversed()))
    }

    /// Where the noise comes from.
    pub(super) fn noise_source(&self, options: &Options) -> Result<Box<dyn NoiseSource>> {
        let refuse = |name, reason: &str| Err(Error::argument(name, reason));
        let (to, variation) = (options.get("interpolate_to"), options.get("variation_seed"));
        if to.is_some() && variation.is_some() {
            return refuse("variation_seed", "interpolate_to is given as well; one of the two says where items start");
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

    /// Puts the image and the mask into a job.
    pub(super) fn start(&self, model: &Model, job: &mut Job, shape: &[usize]) -> Result<()> {
        let item = &shape[1..];
        let Some(image) = &self.image else {
            return match &self.mask {
                Some(_) => Err(Error::argument("mask", "there is no image whose part it keeps")),
                None => Ok(()),
            };
        };
        let image = fitted("image", "image", image, self.count, item)?;
        // All of the noise is what a run starts from; there a mask alone keeps the image. Levels that are given may begin anywhere.
        let given = settings::levels(&self.options).next().is_some();
        let whole = self.mask.is_some() && !given && job.grid().steps() == self.plan_length(model)?;
        if !whole {
            job.start_from_clean(image.view())?;
        }
        if let Some(mask) = &self.mask
            && !Self::is_told_mask(model.manifest())
        {
            job.keep(self.checked_mask(mask, item)?.view(), image.view())?;
        }
        Ok(())
    }

    /// How many steps the grid has before any of them is left out.
    fn plan_length(&self, model: &Model) -> Result<usize> {
        let mut whole = self.clone();
        whole.options = whole.options.filtered(|key| key != STRENGTH.key);
        Ok(whole.plan(model.manifest())?.1.steps())
    }

    /// The mask, with the axes of the samples: 1 where it is the same for all items, or for all channels.
    fn checked_mask(&self, mask: &ArrayD<f32>, item: &[usize]) -> Result<ArrayD<f32>> {
        let refuse = |reason: String| Err(Error::argument("mask", reason));
        if let Some(wrong) = mask.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            return refuse(format!("a value is {wrong}; 0 keeps, 1 draws"));
        }
        let plane = &item[1..];
        let of_plane: usize = plane.iter().product();
        let axes: Vec<usize> = match mask.shape() {
            // A list of values is as many planes as it is long.
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

    /// The conditions of a model that was trained to fill holes, from the mask and the image.
    pub(super) fn of_mask(&self, model: &Model) -> Result<BTreeMap<&'static str, Arc<ArrayD<f32>>>> {
        let manifest = model.manifest();
        let (Some(mask), Some(image), true) = (&self.mask, &self.image, Self::is_told_mask(manifest)) else {
            return Ok(BTreeMap::new());
        };
        let item = self.shape.as_ref().unwrap_or(&manifest.sample.shape);
        let image = fitted("image", "image", image, self.count, item)?;
        let mask = self.checked_mask(mask, item)?;
        let mut shape = image.shape().to_vec();
        let whole = mask.broadcast(IxDyn(&shape)).map(|mask| mask.to_owned()).unwrap_or_default();
        let mut masked = (*image).clone();
        masked.zip_mut_with(&whole, |value, mask| *value = if *mask < 0.5 { *value } else { 0.0 });
        shape[1] = 1;
        let first = whole.slice_axis(ndarray::Axis(1), ndarray::Slice::from(0..1)).to_owned();
        Ok(BTreeMap::from([(MASK, Arc::new(first)), (MASKED_SAMPLE, Arc::new(masked))]))
    }
}
