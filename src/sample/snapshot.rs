//! A job between two steps, as bytes.

use sha2::{Digest, Sha256};

use super::job::Job;
use crate::bytes::{Reader, Writer};
use crate::error::{Error, Result};
use crate::solver::Cursor;
use crate::tensor::{copied, copy, make_room, resize};

/// The first bytes of a snapshot. A byte with the number of its format follows.
const SNAPSHOT: &[u8; 8] = b"diffsnap";

/// The number of the format. In format 1 a model was identified by the hash of its graph's file alone.
const SNAPSHOT_FORMAT: u8 = 2;

/// The content of a snapshot of this format, if it is whole.
fn content_of(snapshot: &[u8]) -> Result<&[u8]> {
    let refuse = |reason: &str| Err(Error::argument("snapshot", reason));
    let Some((content, sum)) = snapshot.split_last_chunk::<32>() else {
        return refuse("it is too short to be one");
    };
    let Some((&format, content_of_format)) = content.strip_prefix(SNAPSHOT).and_then(<[u8]>::split_first) else {
        return refuse("it is none");
    };
    if format != SNAPSHOT_FORMAT {
        return refuse(&format!(
            "it is of format {format}, of another version of diffuse; this one has format {SNAPSHOT_FORMAT}"
        ));
    }
    if Sha256::digest(content)[..] != sum[..] {
        return refuse("it was changed or cut off: its checksum does not fit");
    }
    Ok(content_of_format)
}

impl Job {
    /// The job as it stands between two steps, as bytes. [`restore`](Self::restore) takes them, also in another
    /// process, or more than once.
    ///
    /// They hold the samples and all that was kept of earlier steps. They do not hold the request. Conditions, images
    /// and callbacks are given again to the job that restores them.
    ///
    /// # Errors
    /// [`Error::Io`] if a file of the model was changed since it was opened, since its hash is stored.
    /// [`Error::Memory`] if there is no memory for the bytes.
    pub fn snapshot(&self) -> Result<Vec<u8>> {
        let mut to = Writer::new();
        to.bytes(SNAPSHOT);
        to.bytes(&[SNAPSHOT_FORMAT]);
        to.bytes(&self.identity()?);
        to.whole(self.cursor.step as u64);
        to.whole(self.cursor.stage as u64);
        to.whole(u64::from(self.evaluated));
        to.floats(self.x.as_slice().unwrap_or_default());
        if self.evaluated {
            to.floats(self.denoised.x0.as_slice().unwrap_or_default());
        }
        to.whole(u64::from(!self.saved.is_empty()));
        if !self.saved.is_empty() {
            to.floats(&self.saved);
        }
        self.history.iter().for_each(|slot| to.floats(slot));
        self.save_parts(&mut to);
        let mut bytes = to.finish()?;
        let sum = Sha256::digest(&bytes);
        let length = bytes.len() + sum.len();
        make_room(&mut bytes, length)?;
        bytes.extend(sum);
        Ok(bytes)
    }

    /// Restores a [`snapshot`](Self::snapshot) of a job with the same model, shape, solver, grid and kind of noise.
    ///
    /// The class, the guidance, the callback and the rest of the request may differ, for a run that branches off. The
    /// bytes are not trusted. A job that refuses them stays as it was.
    ///
    /// # Errors
    /// [`Error::Argument`] if the bytes are no snapshot, were changed, or are of another run. [`Error::Io`] as for
    /// [`snapshot`](Self::snapshot).
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
        let refuse = |reason: &str| Err(Error::argument("snapshot", reason));
        let content_of_format = content_of(snapshot)?;
        // This loads into a copy of what it changes, since only half of the bytes may be sound.
        let mut from = Reader::new(content_of_format);
        if from.bytes(32)? != self.identity()? {
            return refuse(
                "it is of another run: the model, the shape, the solver, the grid or the kind of noise differs",
            );
        }
        let steps = self.grid.steps() as u64;
        let step = from.whole("the step", steps)? as usize;
        let stage = from.whole("the stage", u64::from(u32::MAX))? as usize;
        let Some(saves) = self.saved_at(Cursor { step, stage }) else {
            return refuse("its position is none of a run of this solver");
        };
        let evaluated = from.whole("a flag", 1)? == 1;
        let mut x = copy(&self.x.view())?;
        let mut x0 = copy(&self.denoised.x0.view())?;
        from.floats("samples", x.as_slice_mut().unwrap_or_default())?;
        if evaluated {
            from.floats("the estimate", x0.as_slice_mut().unwrap_or_default())?;
        }
        let mut saved = Vec::new();
        if (from.whole("a flag", 1)? == 1) != saves {
            return refuse("it does not fit the solver: saved samples are missing, or there are too many");
        }
        if saves {
            resize(&mut saved, x.len(), 0.0)?;
            from.floats("samples", &mut saved)?;
        }
        let mut history = self.history.iter().map(|slot| copied(slot)).collect::<Result<Vec<_>>>()?;
        history.iter_mut().try_for_each(|slot| from.floats("history", slot))?;
        let mut parts = Writer::new();
        self.save_parts(&mut parts);
        let before = parts.finish()?;
        // The only input that a network has of the run so far is the estimate.
        let loaded = self
            .load_parts(&mut from, step == self.grid.steps())
            .and_then(|()| from.finish())
            .and_then(|()| self.denoiser.feed_back(evaluated.then_some(&x0)));
        if let Err(error) = loaded {
            // The parts are loaded again as they were. They wrote these bytes themselves, so they fit.
            let _ = self.load_parts(&mut Reader::new(&before), self.progress().is_finished());
            return Err(error);
        }
        (self.x, self.denoised.x0, self.saved, self.history) = (x, x0, saved, history);
        (self.cursor, self.evaluated) = (Cursor { step, stage }, evaluated);
        Ok(())
    }

    /// Whether a run that can be saved at `at` has a saved x there. `None` where no run can be saved, which is at the
    /// end and before evaluations.
    fn saved_at(&self, at: Cursor) -> Option<bool> {
        if self.integration.is_some() {
            return (at.stage == 0).then_some(false);
        }
        let (mut cursor, mut saved) = (Cursor::default(), false);
        while cursor != at && cursor.step <= at.step && cursor.step < self.grid.steps() {
            let step = self.solver.plan(&self.grid, cursor);
            saved |= step.save;
            cursor = step.next;
        }
        let stands = cursor.step >= self.grid.steps() || self.solver.evaluate_at(&self.grid, at).is_some();
        (cursor == at && stands).then_some(saved)
    }

    fn save_parts(&self, to: &mut Writer) {
        if let Some(integration) = &self.integration {
            integration.save(to);
        }
        self.noise.save(to);
        self.denoiser.save(to);
    }

    fn load_parts(&mut self, from: &mut Reader<'_>, finished: bool) -> Result<()> {
        if let Some(integration) = &mut self.integration {
            integration.load(from, self.x.shape()[0], finished)?;
        }
        self.noise.load(from)?;
        self.denoiser.load(from, self.x.shape())
    }

    /// What a snapshot has to match: the model, the shape, the solver, the grid, and the kind of noise.
    fn identity(&self) -> Result<[u8; 32]> {
        let mut to = Writer::new();
        to.bytes(self.denoiser.fingerprint()?.unwrap_or_default().as_bytes());
        self.x.shape().iter().for_each(|axis| to.whole(*axis as u64));
        to.bytes(self.solver.to_string().as_bytes());
        for level in self.grid.levels() {
            [level.t, level.alpha, level.sigma].into_iter().for_each(|value| to.real(value));
        }
        to.bytes(self.noise.kind().as_bytes());
        Ok(Sha256::digest(to.finish()?).into())
    }
}
