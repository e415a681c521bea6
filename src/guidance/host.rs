//! Guidance by the host: its own code may change every estimate of the clean samples before it is used.

use std::sync::Arc;

use crate::denoiser::{Denoised, Denoiser, Query, check_finite};
use crate::error::{Error, Result};
use crate::tensor::first_not_finite;

/// The host's code. It is given the query (x, the level and the step), and x̂₀ with the items of the batch one after
/// the other. It may change x̂₀. An error that it returns ends the job's step with [`Error::Callback`].
///
/// A solver that chooses its own steps calls it with one item, the one that is being integrated.
pub type Callback = dyn Fn(&Query<'_>, &mut [f32]) -> Result<(), String> + Send + Sync;

/// A denoiser whose estimates a [`Callback`] may change, for a palette, a tiling, a symmetry or physics. ε̂ follows the
/// changed x̂₀, unless clipping or CFG++ takes it from another one. What a mask keeps is put in afterwards.
pub struct ByHost<D> {
    inner: D,
    callback: Arc<Callback>,
}

impl<D: Denoiser> ByHost<D> {
    /// Wraps `inner`, and passes its estimates through `callback`.
    pub fn new(inner: D, callback: Arc<Callback>) -> Self {
        Self { inner, callback }
    }
}

impl<D: Denoiser> Denoiser for ByHost<D> {
    fn inner(&self) -> Option<&dyn Denoiser> {
        Some(&self.inner)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Denoiser> {
        Some(&mut self.inner)
    }

    fn denoise(&mut self, query: Query<'_>, out: &mut Denoised) -> Result<()> {
        self.inner.denoise(query.clone(), out)?;
        let step = query.step;
        let Some(values) = out.x0.as_slice_mut() else {
            let reason = "the denoiser answered in another than the standard order".to_owned();
            return Err(Error::Evaluation { step, reason });
        };
        // The host is not blamed for a wrong prediction of the network.
        check_finite(values, step, query.level)?;
        (self.callback)(&query, values).map_err(|reason| Error::Callback { step, reason })?;
        match first_not_finite(values) {
            Some(index) => {
                let reason = format!("it wrote {} as value {index} of the denoised samples", values[index]);
                Err(Error::Callback { step, reason })
            }
            None => Ok(()),
        }
    }
}
