//! A run of a model of several parts: it encodes prompts and images, samples latents, and decodes them.

use std::sync::Arc;
use std::time::Instant;

use ndarray::{Array3, ArrayD, ArrayView3, ArrayViewD, Axis, IxDyn};
use sha2::{Digest, Sha256};

use super::work::{Samples, Stage, Work, not_yet};
use crate::bytes::{Reader, Writer};
use crate::error::{Error, Result};
use crate::log::{Severity, say};
use crate::request::{Composition, Finish, Plan, Request};
use crate::sample::{Canceller, Job, Pace, Progress};
use crate::stage::pixels::{Look, latent_preview};
use crate::stage::{Coder, Decoding, Model, within};
use crate::tensor::{copied, make_room, zeros};

/// A run of a model of several parts.
pub(super) struct Staged {
    model: Arc<Model>,
    canceller: Canceller,
    /// The request, for a run that is restored to its beginning.
    request: Request,
    /// What a snapshot has to match, beside the model.
    identity: [u8; 32],
    /// The shape of the latents, batch first.
    latents: Vec<usize>,
    /// The number of sampling steps.
    steps: usize,
    at: At,
    /// The snapshot that the job restores when it is made.
    resumed: Option<Vec<u8>>,
    finish: Finish,
    /// The times of the pieces of the current stage.
    pace: Pace,
    /// The latest estimate of the pictures.
    preview: Option<ArrayD<f32>>,
    /// The small decoder of the preview, where the model has one.
    small: Option<Coder>,
}

/// What is done next.
enum At {
    Encode(Box<Composition>),
    /// The predictor is opened, and the job is made.
    Open(Box<Composition>),
    Sample(Box<Job>),
    Decode(Box<Decoding>),
    /// The samples are pictures already.
    Done(ArrayD<f32>),
}

impl Staged {
    /// Creates a run of `request`.
    ///
    /// # Errors
    /// As [`Composition::new`].
    pub(super) fn new(model: &Arc<Model>, request: &Request, canceller: &Canceller) -> Result<Self> {
        let composition = Composition::new(model, request)?;
        let finish = composition.finish()?;
        let plan = composition.plan()?;
        let (latents, steps) = (composition.shape(), plan.grid.steps());
        let identity = identity_of(&plan, composition.kind_of_noise()?, &latents, &finish)?;
        let (model, canceller) = (Arc::clone(model), canceller.clone());
        let at = At::Encode(Box::new(composition));
        let (pace, request) = (Pace::new(), request.clone());
        let (resumed, preview, small) = (None, None, None);
        Ok(Self { model, canceller, request, identity, latents, steps, at, resumed, finish, pace, preview, small })
    }

    /// The job. It is there once its inputs are encoded, and until its samples are decoded.
    pub(super) fn job(&self) -> Option<&Job> {
        match &self.at {
            At::Sample(job) => Some(job),
            _ => None,
        }
    }

    /// The job, to be changed between two steps.
    pub(super) fn job_mut(&mut self) -> Option<&mut Job> {
        match &mut self.at {
            At::Sample(job) => Some(job),
            _ => None,
        }
    }

    /// The pictures, once they are decoded.
    ///
    /// # Errors
    /// [`Error::NotYet`] before.
    pub(super) fn sample(&self) -> Result<ArrayViewD<'_, f32>> {
        match &self.at {
            At::Decode(decoding) if self.is_finished() => Ok(decoding.pictures()),
            At::Done(pictures) => Ok(pictures.view()),
            _ => {
                Err(Error::not_yet("the pictures are decoded in the last steps; until then there are previews of them"))
            }
        }
    }

    /// The latents as they stand.
    ///
    /// # Errors
    /// [`Error::NotYet`] before there are any.
    pub(super) fn latents(&self) -> Result<ArrayViewD<'_, f32>> {
        match &self.at {
            At::Sample(job) => Ok(job.sample()),
            At::Decode(decoding) => Ok(decoding.latents()),
            At::Done(samples) => Ok(samples.view()),
            At::Encode(_) | At::Open(_) => Err(not_yet()),
        }
    }

    /// The stage after the job. Its samples are decoded where the model has an autoencoder.
    fn after(&self, latents: ArrayD<f32>) -> Result<At> {
        if self.model.pipeline().is_none_or(|pipeline| pipeline.autoencoder.is_none()) {
            return Ok(At::Done(latents));
        }
        let decoding = Decoding::new(latents, self.finish.tile, &self.finish.shape)?;
        Ok(At::Decode(Box::new(decoding)))
    }

    /// The number of bytes of its tensors.
    pub(super) fn bytes(&self) -> usize {
        let of_stage = match &self.at {
            At::Encode(_) | At::Open(_) => 0,
            At::Sample(job) => job.bytes(),
            At::Decode(decoding) => decoding.bytes(),
            At::Done(samples) => size_of::<f32>() * samples.len(),
        };
        of_stage + self.preview.as_ref().map_or(0, |preview| size_of::<f32>() * preview.len())
    }

    /// Skips the steps that are left, and decodes the latest estimate.
    pub(super) fn decode_now(&mut self) -> Result<()> {
        let At::Sample(job) = &self.at else { return Ok(()) };
        // The sample itself may hold more noise than a decoder in f16 can take.
        let latents = job.preview().unwrap_or(job.sample()).to_owned();
        self.at = self.after(latents)?;
        self.small = None;
        self.model.release();
        Ok(())
    }

    /// Opens the predictor, and makes the job.
    fn open(&mut self) -> Result<()> {
        let At::Open(composition) = &mut self.at else { return Ok(()) };
        // This is held until the job is made, so that no other run releases the network in between.
        let _network = match self.model.parts() {
            Some(parts) => {
                self.small = parts.preview_decoder(&self.canceller)?;
                Some(parts.load(&self.canceller)?)
            }
            None => None,
        };
        let mut job = match composition.job() {
            Ok(job) => job,
            Err(error) => {
                // Noise may have been drawn from the old one by now.
                self.at = At::Encode(Box::new(Composition::new(&self.model, &self.request)?));
                return Err(error);
            }
        };
        job.set_canceller(&self.canceller);
        // A snapshot that does not fit is dropped, and the run can go on from its beginning.
        let resumed = self.resumed.take().map_or(Ok(()), |snapshot| job.restore(&snapshot));
        self.at = At::Sample(Box::new(job));
        resumed.and_then(|()| self.show_latents())
    }

    /// Shows the latest estimate of the latents at the size of the pictures.
    fn show_latents(&mut self) -> Result<()> {
        let At::Sample(job) = &self.at else { return Ok(()) };
        let Some(latest) = job.preview() else { return Ok(()) };
        if latest.shape() == self.finish.shape {
            self.preview = Some(latest.to_owned());
            return Ok(());
        }
        let matrix = self.model.manifest().sample.preview.as_ref();
        let small_decoder = &mut self.small;
        let preview = match &mut self.preview {
            Some(preview) => preview,
            none => none.insert(zeros(&self.finish.shape)?),
        };
        for (latent, mut picture) in latest.outer_iter().zip(preview.outer_iter_mut()) {
            let Ok(latent) = latent.into_dimensionality() else { return Ok(()) };
            let small = match decoded(small_decoder, latent, &self.canceller) {
                Some(small) => small,
                None => latent_preview(latent, matrix)?,
            };
            let (_, height, width) = small.dim();
            let (rows, columns) = (picture.shape()[1], picture.shape()[2]);
            for (mut plane, small) in picture.outer_iter_mut().zip(small.outer_iter()) {
                let at = |at: &IxDyn| [at[0] * height / rows, at[1] * width / columns];
                plane.indexed_iter_mut().for_each(|(place, value)| *value = small[at(&place)]);
            }
        }
        Ok(())
    }
}

/// Explains a first step that fails in ONNX Runtime at other sizes than the `usual` ones. A U-Net that was exported at
/// sizes which it halves evenly cannot double others.
fn with_sizes(error: Error, shape: &[usize], usual: Option<[usize; 2]>) -> Error {
    const EVEN: usize = 64;
    let is_odd = shape[2..].iter().any(|side| side % EVEN != 0) && usual.is_some_and(|usual| usual != shape[2..]);
    match error {
        Error::Evaluation { step: 0, reason } if is_odd && reason.starts_with("ONNX Runtime") => {
            let reason =
                format!("{reason}; it may be exported for multiples of {EVEN} pixels alone: set width and height");
            Error::Evaluation { step: 0, reason }
        }
        error => error,
    }
}

/// The preview of `latent` by a small decoder. A decoder that fails is not used again.
fn decoded(decoder: &mut Option<Coder>, latent: ArrayView3<'_, f32>, canceller: &Canceller) -> Option<Array3<f32>> {
    let why = match decoder.as_mut()?.decode(latent) {
        Ok(made) if made.shape()[0] == 3 => return Some(within(made)),
        Ok(made) => format!("it makes {} channels; expected 3", made.shape()[0]),
        Err(_) if canceller.is_cancelled() => return None,
        Err(error) => error.to_string(),
    };
    say(Severity::Warning, || format!("there are no previews of the small decoder: {why}"));
    *decoder = None;
    None
}

impl Work for Staged {
    fn stage(&self) -> Stage {
        match &self.at {
            At::Encode(_) => Stage::Encoding,
            At::Open(_) | At::Sample(_) => Stage::Sampling,
            At::Decode(_) => Stage::Decoding,
            At::Done(_) => Stage::Sampling,
        }
    }

    fn progress(&self) -> Progress {
        let of = |(step, steps): (usize, usize)| Progress { step, steps };
        match &self.at {
            At::Encode(composition) => of(composition.progress()),
            At::Open(_) => self.steps(),
            At::Sample(job) => job.progress(),
            At::Decode(decoding) => of(decoding.progress()),
            At::Done(_) => Progress { step: 1, steps: 1 },
        }
    }

    fn steps(&self) -> Progress {
        let steps = self.steps;
        match &self.at {
            At::Encode(_) | At::Open(_) => Progress { step: 0, steps },
            At::Sample(job) => job.progress(),
            At::Decode(_) | At::Done(_) => Progress { step: steps, steps },
        }
    }

    fn is_finished(&self) -> bool {
        match &self.at {
            At::Decode(decoding) => {
                let (done, all) = decoding.progress();
                decoding.is_begun() && done == all
            }
            At::Done(_) => true,
            _ => false,
        }
    }

    fn prepares(&self) -> bool {
        match &self.at {
            At::Open(_) => true,
            At::Decode(decoding) => !decoding.is_begun(),
            _ => false,
        }
    }

    fn step(&mut self) -> Result<()> {
        let (model, canceller) = (Arc::clone(&self.model), self.canceller.clone());
        let unless_cancelled = |error| canceller.cause(error);
        let start = Instant::now();
        match &mut self.at {
            At::Encode(composition) => {
                composition.step(&canceller).map_err(unless_cancelled)?;
                self.pace.note(start.elapsed());
                if !composition.is_ready() {
                    return Ok(());
                }
            }
            At::Open(_) => {
                canceller.check()?;
                return self.open().map_err(unless_cancelled);
            }
            At::Sample(job) => {
                let usual = self.model.pipeline().and_then(|pipeline| pipeline.size);
                let stepped = job.step().map_err(|error| with_sizes(error, &self.finish.shape, usual));
                let finished = stepped?.is_finished();
                self.show_latents()?;
                self.pace.note(start.elapsed());
                if !finished {
                    return Ok(());
                }
            }
            At::Decode(decoding) => {
                canceller.check()?;
                let Some(parts) = model.parts() else { return Ok(()) };
                if !decoding.is_begun() {
                    return decoding.open(parts, &canceller).map_err(unless_cancelled);
                }
                decoding.step().map_err(unless_cancelled)?;
                let (done, all) = decoding.progress();
                if done == all {
                    self.finish.paste(decoding.pictures_mut());
                    decoding.close();
                    model.release();
                }
                // Items that are decoded are shown as they are.
                let of_item = all / self.finish.shape[0].max(1);
                if let Some(preview) = &mut self.preview {
                    for item in 0..done / of_item.max(1) {
                        preview.index_axis_mut(Axis(0), item).assign(&decoding.pictures().index_axis(Axis(0), item));
                    }
                }
                self.pace.note(start.elapsed());
                return Ok(());
            }
            At::Done(_) => return Ok(()),
        }
        self.advance()
    }

    fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    fn pace(&mut self) -> &mut Pace {
        &mut self.pace
    }

    fn samples(&self) -> Option<Samples> {
        let range = self.model.drawn().range().unwrap_or([-1.0, 1.0]);
        Some(Samples { shape: self.finish.shape.clone(), look: Some(Look::Pixels(range)) })
    }

    fn preview(&self) -> Option<ArrayViewD<'_, f32>> {
        self.preview.as_ref().map(|preview| preview.view())
    }

    fn save(&self) -> Result<Vec<u8>> {
        let mut to = Writer::new();
        to.bytes(SNAPSHOT);
        to.bytes(&[SNAPSHOT_FORMAT]);
        to.bytes(&Sha256::digest(&*self.model.hash()?));
        to.bytes(&self.identity);
        match (&self.at, &self.resumed) {
            // A restored run encodes again.
            (At::Encode(_) | At::Open(_), None) => to.bytes(&[OF_ENCODING]),
            (At::Encode(_) | At::Open(_), Some(snapshot)) => {
                to.bytes(&[OF_SAMPLING]);
                to.bytes(snapshot);
            }
            (At::Sample(job), _) => {
                to.bytes(&[OF_SAMPLING]);
                to.bytes(&job.snapshot()?);
            }
            (At::Decode(decoding), _) => {
                to.bytes(&[OF_DECODING]);
                decoding.save(&mut to);
            }
            (At::Done(samples), _) => {
                to.bytes(&[OF_RESULT]);
                to.floats(samples.as_slice().unwrap_or_default());
            }
        }
        let mut bytes = to.finish()?;
        let sum = Sha256::digest(&bytes);
        make_room(&mut bytes, sum.len())?;
        bytes.extend(sum);
        Ok(bytes)
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
        let refuse = |reason: &str| Err(Error::argument("snapshot", reason));
        let rest = content_of(snapshot)?;
        let mut from = Reader::new(rest);
        let of_model = from.bytes(32)? == &Sha256::digest(&*self.model.hash()?)[..];
        if !of_model || from.bytes(32)? != self.identity {
            return refuse(
                "it is of another run: the model, the shape, the solver, the grid or the kind of noise differs",
            );
        }
        let next = match from.bytes(1)? {
            [OF_ENCODING] => {
                from.finish()?;
                self.resumed = None;
                At::Encode(Box::new(Composition::new(&self.model, &self.request)?))
            }
            [OF_SAMPLING] => {
                let snapshot = from.rest();
                if let At::Sample(job) = &mut self.at {
                    job.restore(snapshot)?;
                    self.preview = None;
                    return self.show_latents();
                }
                // The job is made once its inputs are encoded.
                let composition = Composition::new(&self.model, &self.request)?;
                self.resumed = Some(copied(snapshot)?);
                At::Encode(Box::new(composition))
            }
            [OF_DECODING] => {
                let mut decoding = Decoding::new(zeros(&self.latents)?, self.finish.tile, &self.finish.shape)?;
                let Some(parts) = self.model.parts() else { return refuse("there is nothing to decode with") };
                decoding.load(&mut from, parts, &self.canceller)?;
                from.finish()?;
                At::Decode(Box::new(decoding))
            }
            [OF_RESULT] => {
                let mut samples = zeros(&self.finish.shape)?;
                from.floats("samples", samples.as_slice_mut().unwrap_or_default())?;
                from.finish()?;
                At::Done(samples)
            }
            _ => return refuse("it is of no stage that is known"),
        };
        self.preview = match &next {
            At::Decode(decoding) if decoding.progress().0 > 0 => Some(decoding.pictures().to_owned()),
            At::Done(samples) => Some(samples.clone()),
            _ => None,
        };
        self.at = next;
        self.small = None;
        self.pace = Pace::new();
        Ok(())
    }
}

impl Drop for Staged {
    /// A run that is dropped before its end releases what the memory policy does not keep.
    fn drop(&mut self) {
        self.at = At::Done(ArrayD::default(ndarray::IxDyn(&[0])));
        self.small = None;
        self.model.release();
    }
}

/// The first bytes of a snapshot. A byte with the number of its format follows.
const SNAPSHOT: &[u8; 8] = b"diffpipe";
const SNAPSHOT_FORMAT: u8 = 1;

/// The content of a snapshot of this format, if it is whole.
fn content_of(snapshot: &[u8]) -> Result<&[u8]> {
    let refuse = |reason: &str| Err(Error::argument("snapshot", reason));
    let Some((content, sum)) = snapshot.split_last_chunk::<32>() else {
        return refuse("it is too short to be one");
    };
    let Some((&format, rest)) = content.strip_prefix(SNAPSHOT).and_then(<[u8]>::split_first) else {
        return refuse("it is none of a model of several parts");
    };
    if format != SNAPSHOT_FORMAT {
        return refuse("it is of another version of diffuse");
    }
    if Sha256::digest(content)[..] != sum[..] {
        return refuse("it was changed or cut off: its checksum does not fit");
    }
    Ok(rest)
}

/// The stages that a snapshot may be of.
const OF_ENCODING: u8 = 0;
const OF_SAMPLING: u8 = 1;
const OF_DECODING: u8 = 2;
const OF_RESULT: u8 = 3;

/// What a snapshot has to match, beside the model: the shapes, the solver, the grid, the kind of noise, and the tiles.
fn identity_of(plan: &Plan, noise: &str, latents: &[usize], finish: &Finish) -> Result<[u8; 32]> {
    let Plan { solver, grid, .. } = plan;
    let mut to = Writer::new();
    finish.shape.iter().chain(latents).for_each(|axis| to.whole(*axis as u64));
    to.bytes(solver.to_string().as_bytes());
    for level in grid.levels() {
        [level.t, level.alpha, level.sigma].into_iter().for_each(|value| to.real(value));
    }
    to.bytes(noise.as_bytes());
    to.whole(finish.tile.map_or(0, |tile| 1 + tile as u64));
    Ok(Sha256::digest(to.finish()?).into())
}

impl Staged {
    /// Goes on to the next stage.
    fn advance(&mut self) -> Result<()> {
        self.pace = Pace::new();
        let done = std::mem::replace(&mut self.at, At::Done(ArrayD::default(ndarray::IxDyn(&[0]))));
        self.at = match done {
            At::Encode(composition) => At::Open(composition),
            At::Sample(job) => match self.after(job.sample().to_owned()) {
                Ok(next) => {
                    drop(job);
                    self.small = None;
                    self.model.release();
                    next
                }
                Err(error) => {
                    self.at = At::Sample(job);
                    return Err(error);
                }
            },
            other => other,
        };
        Ok(())
    }
}
