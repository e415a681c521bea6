//! Guidance by an instruction and an image. Source: Brooks et al. 2023, "InstructPix2Pix: Learning to Follow Image
//! Editing Instructions", arXiv:2211.09800, eq. 3.

use crate::denoiser::{Denoised, Denoiser, Query};
use crate::error::{Error, Result};
use crate::tensor::combine;

/// A denoiser guided toward an image, and from the image toward what an instruction makes of it.
///
/// The estimate is `u + s_image·(i − u) + s·(t − i)`. Here t is the estimate with both the image and the instruction, i
/// with the image alone, and u with neither. The condition's [`negative`](crate::denoiser::Condition::negative) has the
/// image alone, and the negative of that one has neither. Every query takes three evaluations.
pub struct ByInstruction<D> {
    inner: D,
    scale: f64,
    image_scale: f64,
    others: Option<[Denoised; 2]>,
}

impl<D: Denoiser> ByInstruction<D> {
    /// Wraps `inner`. It is guided to an instruction by `scale`, and to an image by `image_scale`.
    pub fn new(inner: D, scale: f64, image_scale: f64) -> Self {
        Self { inner, scale, image_scale, others: None }
    }
}

impl<D: Denoiser> Denoiser for ByInstruction<D> {
    fn inner(&self) -> Option<&dyn Denoiser> {
        Some(&self.inner)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Denoiser> {
        Some(&mut self.inner)
    }

    fn bytes(&self) -> usize {
        self.others.iter().flatten().map(Denoised::bytes).sum::<usize>() + self.inner.bytes()
    }

    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        let image = query.condition.negative.as_deref();
        let nothing = image.and_then(|image| image.negative.as_deref());
        let (Some(image), Some(nothing)) = (image, nothing) else {
            let reason = "there is no condition with the image alone, or none without it";
            return Err(Error::argument("condition", reason));
        };
        let shape = query.x.shape();
        let others = match &mut self.others {
            Some(others) if others[0].x0.shape() == shape => others,
            others => others.insert([Denoised::new(shape)?, Denoised::new(shape)?]),
        };
        self.inner.denoise(query.clone(), out)?;
        for (condition, other) in [image, nothing].into_iter().zip(&mut *others) {
            other.reset();
            self.inner.denoise(Query { condition, ..query.clone() }, other)?;
        }
        let [of_image, of_nothing] = others.each_ref().map(|other| other.x0.as_slice().unwrap_or_default());
        // x̂₀ is affine in the network's output, and the weights add up to 1.
        let terms = [((self.image_scale - self.scale) as f32, of_image), ((1.0 - self.image_scale) as f32, of_nothing)];
        combine(out.x0.as_slice_mut().unwrap_or_default(), self.scale as f32, &terms);
        Ok(())
    }
}
