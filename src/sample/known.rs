//! The part of the samples that is known: what a mask keeps.

use crate::denoiser::Denoised;

/// What of the samples is known: the image where the mask is 0.
pub(super) struct Known {
    pub(super) mask: Vec<f32>,
    pub(super) image: Vec<f32>,
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
}
