//! The part of the samples that is known: what a mask keeps.

use crate::denoiser::Denoised;
use crate::schedule::NoiseLevel;

/// What of the samples is known: the image where the mask is 0.
pub(super) struct Known {
    pub(super) mask: Vec<f32>,
    pub(super) image: Vec<f32>,
    /// The noise that the known part of x has, where x is what is replaced; nothing where x̂₀ is.
    pub(super) noise: Vec<f32>,
}

impl Known {
    /// Replaces the known part of an answer, whose first value is the one with the index `first` of the samples.
    pub(super) fn impose(&self, denoised: &mut Denoised, first: usize) {
        denoised.change(|values| {
            let known = self.mask[first..].iter().zip(&self.image[first..]);
            for (value, (mask, image)) in values.iter_mut().zip(known) {
                // Not by the formula at its ends, where rounding would leave traces.
                *value = match *mask {
                    0.0 => *image,
                    1.0 => *value,
                    mask => mask * *value + (1.0 - mask) * image,
                };
            }
        });
        // Nor does a classifier move it.
        denoised.scale_shift(&self.mask[first..]);
    }

    /// Replaces the known part of `x`, which has come to `level`.
    pub(super) fn replace(&self, x: &mut [f32], level: NoiseLevel) {
        let (alpha, sigma) = (level.alpha as f32, level.sigma as f32);
        let known = self.mask.iter().zip(&self.image).zip(&self.noise);
        for (x, ((mask, image), noise)) in x.iter_mut().zip(known) {
            *x = (1.0 - mask) * (alpha * image + sigma * noise) + mask * *x;
        }
    }
}
