//! What an image would be if it were of another class, and where the two differ. Source: Wolleb et al. 2022, "Diffusion
//! Models for Medical Anomaly Detection", arXiv:2203.04306.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{ArrayD, Axis, Zip};

use crate::error::{Error, Result};
use crate::option::Group;
use crate::request::{Request, fitted};
use crate::sample::{Canceller, Progress};
use crate::settings;
use crate::stage::Model;

/// Images as they would be if they were of another class.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Counterfactual {
    /// The images that were generated, batch first.
    pub images: ArrayD<f32>,
    /// The request that generated them, with every choice made.
    pub request: Request,
    /// How far each value is from that of the image: the mean of the absolute differences over the channels. It is
    /// batch first and has no axis for the channels.
    pub map: ArrayD<f32>,
}

/// Refuses a pipeline, whose pictures are not what its network samples.
fn check_is_one_network(model: &Model) -> Result<()> {
    let reason = "it compares images of one network; a model of several parts samples latents";
    if model.pipeline().is_some() { Err(Error::argument("model", reason)) } else { Ok(()) }
}

impl Request {
    /// Changes images to another class, and maps where they differ.
    ///
    /// The image is inverted without guidance, and then sampled again with guidance, by a classifier or away from the
    /// negative condition. Both ways use DDIM unless the request names a solver. The option `strength` sets how far the
    /// image is inverted. Default: half of the way. What guidance leaves alone comes back nearly as it was. What it
    /// changes is seen in the map.
    ///
    /// Wolleb et al. evaluate the network on the way up at the sample's own level, which has no ε̂ at the clean end.
    /// Here, as in diffusers, it is evaluated at the next level.
    ///
    /// `each` is called before every step with the share of the work that is done. An error that it returns ends the
    /// work. `canceller` ends it from another thread, also within a step.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no image, or no guidance. Else as [`job`](Self::job) and
    /// [`step`](crate::Job::step).
    pub fn counterfactual(
        &self,
        model: &Arc<Model>,
        canceller: &Canceller,
        each: &mut dyn FnMut(f64) -> Result<()>,
    ) -> Result<Counterfactual> {
        let Some(image) = &self.image else {
            return Err(Error::argument("image", "there is none"));
        };
        check_is_one_network(model)?;
        let mut redraw = self.clone();
        if settings::STRENGTH.given(&redraw.options).is_none() {
            redraw.set(settings::STRENGTH.key, settings::STRENGTH_OF_COUNTERFACTUAL)?;
        }
        (redraw.invert, redraw.image) = (false, None);
        if redraw.solver.is_none() {
            redraw.set("solver", "ddim")?;
        }
        let shape = redraw.item(model)?;
        let clean = fitted("image", "image", image, self.count, &shape)?;
        let mut again = redraw.job(model)?;
        again.set_canceller(canceller);
        let resolved = redraw.resolved(model.manifest());
        if redraw.classifier.is_none() && redraw.callback.is_none() && !again.is_guided() {
            return Err(Error::argument("classifier", "there is none, and no guidance_scale, so nothing would change"));
        }
        // The inversion is not guided.
        let unguided = |key: &str| !settings::group(key).is_some_and(Group::guides);
        let mut invert = Self {
            negative_classes: None,
            negative_conditions: BTreeMap::new(),
            image: Some(Arc::clone(image)),
            invert: true,
            classifier: None,
            callback: None,
            options: redraw.options.filtered(unguided),
            ..redraw.clone()
        };
        // The manifest's own guidance is turned off as well.
        invert.set("guidance_scale", 1)?;
        invert.set("guidance_form", "plain")?;
        let mut job = invert.job(model)?;
        job.set_canceller(canceller);
        let share = |half: f64, progress: Progress| half + 0.5 * progress.step as f64 / progress.steps as f64;
        while !job.progress().is_finished() {
            each(share(0.0, job.progress()))?;
            job.step()?;
        }
        again.start_from(job.sample())?;
        while !again.progress().is_finished() {
            each(share(0.5, again.progress()))?;
            again.step()?;
        }
        let images = again.sample().to_owned();
        let mut apart = images.clone();
        Zip::from(&mut apart).and(&*clean).for_each(|value, clean| *value = (*value - clean).abs());
        let map = apart.mean_axis(Axis(1)).unwrap_or_else(|| apart.clone());
        Ok(Counterfactual { images, map, request: resolved })
    }
}
