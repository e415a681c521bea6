//! The known part of the samples, which a mask keeps.

use crate::denoiser::Denoised;
use crate::schedule::NoiseLevel;

/// The known part of the samples: the image where the mask is 0.
pub(super) struct Known {
    pub(super) mask: Vec<f32>,
    pub(super) image: Vec<f32>,
    /// The noise of the known part, where x is what is replaced. It is empty where x̂₀ is replaced.
    pub(super) noise: Vec<f32>,
}

impl Known {
    /// Replaces the known part of an estimate. Its first value has the index `first` among the samples.
    pub(super) fn impose(&self, denoised: &mut Denoised, first: usize) {
        denoised.change(|values| {
            let known = self.mask[first..].iter().zip(&self.image[first..]);
            for (value, (mask, image)) in values.iter_mut().zip(known) {
                // The ends are set directly, since rounding in the formula would leave traces.
                *value = match *mask {
                    0.0 => *image,
                    1.0 => *value,
                    mask => mask * *value + (1.0 - mask) * image,
                };
            }
        });
        // A classifier does not move the known part either.
        denoised.scale_shift(&self.mask[first..]);
    }

    /// Replaces the known part of `x`, which is at `level` now.
    pub(super) fn replace(&self, x: &mut [f32], level: NoiseLevel) {
        let (alpha, sigma) = (level.alpha as f32, level.sigma as f32);
        let known = self.mask.iter().zip(&self.image).zip(&self.noise);
        for (x, ((mask, image), noise)) in x.iter_mut().zip(known) {
            *x = (1.0 - mask) * (alpha * image + sigma * noise) + mask * *x;
        }
    }
}
