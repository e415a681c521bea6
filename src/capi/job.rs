//! Jobs: a run, one evaluation at a time.

use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::Duration;

use ndarray::{ArrayD, ArrayView3, ArrayViewD};

use super::guard::{contained, guard, quietly, slice, slice_mut, store};
use super::handle::{Noun, borrow, give, take};
use super::model::{copy_out, diffuse_model, store_shape};
use super::request::diffuse_request;
use crate::error::{Error, Result};
use crate::job::{Canceller, Job, Progress};
use crate::pixels::{Layout, rgba8_into};

/// A run. It works inside of diffuse_job_step(), diffuse_job_run() and diffuse_job_advance(), on the calling thread, or after diffuse_job_start() on one of
/// its own. While it does, other threads may call diffuse_job_cancel(), diffuse_job_progress(), diffuse_job_poll(), diffuse_job_wait() and the
/// previews; every other call of theirs returns DIFFUSE_BUSY, but for diffuse_job_free(), after which no thread may use the job any more.
pub struct diffuse_job {
    _opaque: [u8; 0],
}

pub(super) struct JobValue {
    job: Mutex<Job>,
    canceller: Canceller,
    done: AtomicUsize,
    steps: usize,
    shape: Vec<usize>,
    range: [f32; 2],
    /// The thread that is in a step, as [`this_thread`] has it; 0 for none.
    stepping: AtomicUsize,
    /// What its worker is doing.
    state: AtomicI32,
    worker: Mutex<Worker>,
    ended: Condvar,
    /// A copy of the latest estimate, so that a preview does not wait for the evaluation that is running.
    preview: Mutex<Option<ArrayD<f32>>>,
}

impl Noun for diffuse_job {
    /// Shared, so that a step holds on to it when its callback, or another thread, frees the handle.
    type Value = Arc<JobValue>;
    const NAME: &'static str = "job";
    const TAG: u64 = u64::from_le_bytes(*b"diff:job");
}

/// Pixel rows from the bottom up (Unity) instead of from the top down.
pub const DIFFUSE_BOTTOM_UP: u32 = 1;

/// Pixels as blue, green, red, alpha (Unreal) instead of red, green, blue, alpha.
pub const DIFFUSE_BGRA: u32 = 2;

/// What diffuse_job_poll() says of a job that was not started: it is stepped by the host.
pub const DIFFUSE_JOB_IDLE: i32 = 0;

/// Its worker is running it.
pub const DIFFUSE_JOB_RUNNING: i32 = 1;

/// Its worker has run it to the end.
pub const DIFFUSE_JOB_FINISHED: i32 = 2;

/// Its worker has stopped before: diffuse_job_wait() says why.
pub const DIFFUSE_JOB_STOPPED: i32 = 3;

/// Makes a job that draws `request` from `model`; both may be freed or changed afterwards. DIFFUSE_ARGUMENT with the field of the
/// request that does not fit. On success `*job` is to be freed with diffuse_job_free(); on failure it is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_new(
    model: *const diffuse_model,
    request: *const diffuse_request,
    job: *mut *mut diffuse_job,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe {
        give(job, "job", || {
            let model = &borrow(model, "model")?.model;
            let range = model.manifest().sample.range().unwrap_or([-1.0, 1.0]);
            Ok(Arc::new(JobValue::new(borrow(request, "request")?.job(model)?, range)))
        })
    })
}

/// Cancels a job and frees it, waiting for a step that another thread is in, which ends soon. NULL is fine. In a callback of the job itself it
/// is freed when the step is over that the callback is called in, and may not be used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_free(job: *mut diffuse_job) {
    quietly((), || {
        // SAFETY: the handle is as the header demands.
        if let Ok(value) = unsafe { borrow(job, "job") } {
            value.canceller.cancel();
            // A callback of the job itself is within a step, which would be waited for for ever.
            if !value.is_stepped_here() {
                drop(value.job.lock());
                value.join();
            }
        }
        // SAFETY: as above.
        drop(unsafe { take(job) });
    });
}

/// Starts from `x`, `length` values, instead of from drawn noise: the noisy samples at the first level of the run, before the first
/// step. They are copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_start_from(job: *mut diffuse_job, x: *const f32, length: usize) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, x) = unsafe { (borrow(job, "job")?, slice(x, length, "x")?) };
        let wrong = |_| Error::argument("length", format!("{length} values do not make {:?}", value.shape));
        let x = ArrayViewD::from_shape(value.shape.as_slice(), x).map_err(wrong)?;
        value.lock()?.start_from(x)
    })
}

/// Does one step: one estimate of the clean samples, and every move that it allows. `*finished` becomes 1 with the last step and is 0
/// before; it may be NULL. Steps after the last do nothing. A step that fails leaves the samples as they were.
///
/// DIFFUSE_CANCELLED after diffuse_job_cancel(), DIFFUSE_EVALUATION if the network fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_step(job: *mut diffuse_job, finished: *mut i32) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let value = Arc::clone(unsafe { borrow(job, "job") }?);
        let progress = value.step()?;
        if finished.is_null() {
            return Ok(());
        }
        // SAFETY: as above.
        unsafe { store(finished, i32::from(progress.is_finished()), "finished") }
    })
}

/// Steps to the end. As diffuse_job_step().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_run(job: *mut diffuse_job) -> i32 {
    guard(|| {
        // SAFETY: the handle is as the header demands. It is not looked at again: a job that is freed meanwhile is cancelled.
        let value = Arc::clone(unsafe { borrow(job, "job") }?);
        while !value.step()?.is_finished() {}
        Ok(())
    })
}

/// Steps for as long as the time lasts, for a host that works within a frame: as many estimates as are expected to fit into `microseconds`, by those
/// that the job has made, and none that is not expected to. Of a job that has made none nothing is known, and one is made; where none fits,
/// nothing is done. An evaluation is not cut short: the call takes longer than its time by what the last one takes longer than expected.
/// Otherwise as diffuse_job_step().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_advance(job: *mut diffuse_job, microseconds: u64, finished: *mut i32) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let value = Arc::clone(unsafe { borrow(job, "job") }?);
        let progress = value.work(value.lock(), |job| job.advance(Duration::from_micros(microseconds)))?;
        if finished.is_null() {
            return Ok(());
        }
        // SAFETY: as above.
        unsafe { store(finished, i32::from(progress.is_finished()), "finished") }
    })
}

/// Runs the job to its end on a thread of its own, named "diffuse job", and returns at once. Meanwhile calls that step or read it return DIFFUSE_BUSY;
/// diffuse_job_poll(), diffuse_job_wait(), diffuse_job_progress(), the previews and diffuse_job_cancel() are for any thread. A callback is
/// called on the worker. One that has stopped can be started again, unless it was cancelled.
///
/// DIFFUSE_BUSY if it runs already, DIFFUSE_RUNTIME if the system refuses a thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_start(job: *mut diffuse_job) -> i32 {
    // SAFETY: the handle is as the header demands.
    guard(|| JobValue::start(unsafe { borrow(job, "job") }?))
}

/// Says in `*state` whether the job's worker runs: DIFFUSE_JOB_IDLE, _RUNNING, _FINISHED or _STOPPED. It does not wait, and any thread may ask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_poll(job: *const diffuse_job, state: *mut i32) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe { store(state, borrow(job, "job")?.state.load(Ordering::SeqCst), "state") }
    })
}

/// Waits until the job's worker has ended, but not longer than `milliseconds`; `*state` then is as diffuse_job_poll() says. It returns how the run ended:
/// DIFFUSE_OK also if it is still running or was not started, DIFFUSE_CANCELLED after diffuse_job_cancel(), else as diffuse_job_step(). Any thread may
/// wait, but for the worker itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_wait(job: *const diffuse_job, milliseconds: u64, state: *mut i32) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let value = Arc::clone(unsafe { borrow(job, "job") }?);
        let result = value.wait(Duration::from_millis(milliseconds));
        // SAFETY: as above.
        unsafe { store(state, value.state.load(Ordering::SeqCst), "state")? };
        result
    })
}

/// Cancels a job, from any thread, also before it has started: the step that is running and every later one return
/// DIFFUSE_CANCELLED, as soon as the node of the network that is running ends. OpenVINO and TensorRT make one node of all that they
/// take; there it is after the evaluation. It cannot be taken back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_cancel(job: *const diffuse_job) -> i32 {
    guard(|| {
        // SAFETY: the handle is as the header demands.
        unsafe { borrow(job, "job") }?.canceller.cancel();
        Ok(())
    })
}

/// How many steps are done, and how many there are in all. Any thread may ask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_progress(job: *const diffuse_job, step: *mut usize, steps: *mut usize) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe {
            let value = borrow(job, "job")?;
            store(step, value.done.load(Ordering::SeqCst), "step")?;
            store(steps, value.steps, "steps")
        }
    })
}

/// The shape of the samples, batch first. As diffuse_model_shape().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_shape(
    job: *const diffuse_job,
    axes: *mut usize,
    capacity: usize,
    rank: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe { store_shape(&borrow(job, "job")?.shape, axes, capacity, rank) }
    })
}

/// Copies the samples as they stand, all items one after the other: noisy before the end of the run, the result after it. `length` is
/// the number of values that there is room for, exactly that of the samples.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_read(job: *const diffuse_job, values: *mut f32, length: usize) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, out) = unsafe { (borrow(job, "job")?, slice_mut(values, length, "values")?) };
        copy_out(value.lock()?.sample(), out, "length")
    })
}

/// Draws item `item` of the samples as pixels of four bytes, for an image model. Rows are `stride` bytes apart, at least
/// 4·width; `length` is the size of `pixels` in bytes, at least stride·(height−1) + 4·width. `flags` is 0 or a sum of
/// DIFFUSE_BOTTOM_UP and DIFFUSE_BGRA. Values are in the encoding that the model was trained on (sRGB as a rule), alpha is straight, 255 where
/// the image has none. Bytes between the rows are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_read_pixels(
    job: *const diffuse_job,
    item: usize,
    pixels: *mut u8,
    length: usize,
    stride: usize,
    flags: u32,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, out) = unsafe { (borrow(job, "job")?, slice_mut(pixels, length, "pixels")?) };
        let job = value.lock()?;
        rgba8_into(value.image(job.sample(), item)?, value.range, out, layout(stride, flags)?)
    })
}

/// Writes the job as it stands between two steps to `bytes`, for diffuse_job_restore(), also in another process: a saved game, a suspended app, a run
/// that is to branch. `*length` becomes the number of bytes, which `capacity` has to be at least; with a capacity of 0, where `bytes` may be
/// NULL, only that is said. It holds the samples and what is kept of earlier steps, not the request.
///
/// DIFFUSE_IO if the model's file, whose hash is noted, is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_snapshot(
    job: *const diffuse_job,
    bytes: *mut u8,
    capacity: usize,
    length: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let snapshot = unsafe {
            let snapshot = borrow(job, "job")?.lock()?.snapshot()?;
            store(length, snapshot.len(), "length")?;
            snapshot
        };
        if capacity == 0 {
            return Ok(());
        }
        if capacity < snapshot.len() {
            let reason = format!("{capacity}; the snapshot has {} bytes", snapshot.len());
            return Err(Error::argument("capacity", reason));
        }
        // SAFETY: as above.
        unsafe { slice_mut(bytes, snapshot.len(), "bytes") }?.copy_from_slice(&snapshot);
        Ok(())
    })
}

/// Takes up what diffuse_job_snapshot() wrote of a job of the same model, shape, solver, steps, grid and kind of noise. With the same request the run
/// ends with the same bits; what else the request says may differ, for a run that branches off. The bytes are not trusted: DIFFUSE_ARGUMENT
/// if they are no snapshot, were changed, or are of another run, and the job stands where it stood.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_restore(job: *mut diffuse_job, bytes: *const u8, length: usize) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, snapshot) = unsafe { (borrow(job, "job")?, slice(bytes, length, "bytes")?) };
        let mut job = value.lock()?;
        job.restore(snapshot)?;
        value.publish(&job);
        Ok(())
    })
}

/// Copies the latest estimate of what the samples will be, which after the last step is the result, from any thread, also while a step is running. As diffuse_job_read().
/// DIFFUSE_ARGUMENT before the first step.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_preview(job: *const diffuse_job, values: *mut f32, length: usize) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, out) = unsafe { (borrow(job, "job")?, slice_mut(values, length, "values")?) };
        value.with_preview(|preview| copy_out(preview, out, "length"))
    })
}

/// Draws item `item` of the latest estimate as pixels, from any thread, also while a step is running. As diffuse_job_read_pixels().
/// DIFFUSE_ARGUMENT before the first step.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_preview_pixels(
    job: *const diffuse_job,
    item: usize,
    pixels: *mut u8,
    length: usize,
    stride: usize,
    flags: u32,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, out) = unsafe { (borrow(job, "job")?, slice_mut(pixels, length, "pixels")?) };
        let layout = layout(stride, flags)?;
        value.with_preview(|preview| rgba8_into(value.image(preview, item)?, value.range, out, layout))
    })
}

/// The thread that runs a job, and how its run ended.
#[derive(Default)]
struct Worker {
    thread: Option<JoinHandle<()>>,
    outcome: Option<Error>,
}

/// The same once more, for whoever asks again how a run ended.
fn again(error: &Error) -> Error {
    match error {
        Error::Argument { name, reason } => Error::Argument { name, reason: reason.clone() },
        Error::Io { path, source } => {
            Error::Io { path: path.clone(), source: std::io::Error::new(source.kind(), source.to_string()) }
        }
        Error::Model { model, reason } => Error::Model { model: model.clone(), reason: reason.clone() },
        Error::Runtime { reason } => Error::Runtime { reason: reason.clone() },
        Error::Provider { provider, reason } => Error::Provider { provider: provider.clone(), reason: reason.clone() },
        Error::Evaluation { step, reason } => Error::Evaluation { step: *step, reason: reason.clone() },
        Error::Callback { step, reason } => Error::Callback { step: *step, reason: reason.clone() },
        Error::Cancelled => Error::Cancelled,
        Error::Busy => Error::Busy,
    }
}

/// A number of this thread, which no other one has while it lives. `std::thread::current` would allocate in a thread that is not ours.
fn this_thread() -> usize {
    thread_local!(static PLACE: u8 = const { 0 });
    PLACE.with(|place| std::ptr::from_ref(place) as usize)
}

/// Marks the thread that is in a step, until it is dropped.
struct Stepping<'a>(&'a AtomicUsize);

impl<'a> Stepping<'a> {
    fn begin(value: &'a JobValue) -> Self {
        value.stepping.store(this_thread(), Ordering::SeqCst);
        Self(&value.stepping)
    }
}

impl Drop for Stepping<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

impl JobValue {
    fn is_stepped_here(&self) -> bool {
        self.stepping.load(Ordering::SeqCst) == this_thread()
    }

    fn new(job: Job, range: [f32; 2]) -> Self {
        let Progress { step, steps } = job.progress();
        let (canceller, shape) = (job.canceller(), job.sample().shape().to_vec());
        Self {
            job: Mutex::new(job),
            canceller,
            done: AtomicUsize::new(step),
            steps,
            shape,
            range,
            stepping: AtomicUsize::new(0),
            state: AtomicI32::new(DIFFUSE_JOB_IDLE),
            worker: Mutex::new(Worker::default()),
            ended: Condvar::new(),
            preview: Mutex::new(None),
        }
    }

    /// The job, for a call of the host's; not while its worker has it.
    fn lock(&self) -> Result<MutexGuard<'_, Job>> {
        if self.state.load(Ordering::SeqCst) == DIFFUSE_JOB_RUNNING {
            return Err(Error::Busy);
        }
        self.try_lock()
    }

    fn try_lock(&self) -> Result<MutexGuard<'_, Job>> {
        match self.job.try_lock() {
            Ok(job) => Ok(job),
            // A step that panicked has left the samples as they were, or the job is finished with.
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Error::Busy),
        }
    }

    fn step(&self) -> Result<Progress> {
        self.work(self.lock(), Job::step)
    }

    fn start(self: &Arc<Self>) -> Result<()> {
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if self.state.load(Ordering::SeqCst) == DIFFUSE_JOB_RUNNING {
            return Err(Error::Busy);
        }
        // One that has ended is only waited for.
        if let Some(thread) = worker.thread.take() {
            let _ = thread.join();
        }
        worker.outcome = None;
        let value = Arc::clone(self);
        let body = move || {
            // A panic of ours ends the run, not the host.
            let run = || {
                while !value.work(value.try_lock(), Job::step)?.is_finished() {}
                Ok(())
            };
            let result = contained(run).unwrap_or_else(|| Err(Error::runtime("a bug in diffuse: the worker panicked")));
            let mut worker = value.worker.lock().unwrap_or_else(PoisonError::into_inner);
            let state = if result.is_ok() { DIFFUSE_JOB_FINISHED } else { DIFFUSE_JOB_STOPPED };
            worker.outcome = result.err();
            value.state.store(state, Ordering::SeqCst);
            value.ended.notify_all();
        };
        self.state.store(DIFFUSE_JOB_RUNNING, Ordering::SeqCst);
        match std::thread::Builder::new().name("diffuse job".into()).spawn(body) {
            Ok(thread) => worker.thread = Some(thread),
            Err(error) => {
                self.state.store(DIFFUSE_JOB_IDLE, Ordering::SeqCst);
                return Err(Error::runtime(format!("the system refuses a thread for the job: {error}")));
            }
        }
        Ok(())
    }

    /// Waits for the worker's end, and says how it ended.
    fn wait(&self, most: Duration) -> Result<()> {
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_stepped_here() {
            return Err(Error::argument("job", "its own callback cannot wait for it"));
        }
        let running = |_: &mut Worker| self.state.load(Ordering::SeqCst) == DIFFUSE_JOB_RUNNING;
        let (worker, _) = self.ended.wait_timeout_while(worker, most, running).unwrap_or_else(PoisonError::into_inner);
        worker.outcome.as_ref().map_or(Ok(()), |error| Err(again(error)))
    }

    /// Waits until the worker's thread is gone.
    fn join(&self) {
        let thread = self.worker.lock().unwrap_or_else(PoisonError::into_inner).thread.take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    /// Works on the job, on this thread, and lets the others see what came of it.
    fn work(
        &self,
        job: Result<MutexGuard<'_, Job>>,
        work: impl FnOnce(&mut Job) -> Result<Progress>,
    ) -> Result<Progress> {
        let mut job = match job {
            // Whoever frees the job holds it for a moment.
            Err(Error::Busy) if self.canceller.is_cancelled() => return Err(Error::Cancelled),
            job => job?,
        };
        let stepping = Stepping::begin(self);
        let result = work(&mut job);
        drop(stepping);
        if result.is_ok() {
            self.publish(&job);
        }
        // Some steps may have been done before one that failed.
        self.done.store(job.progress().step, Ordering::SeqCst);
        result
    }

    /// Lets other threads see how far the job is, and its latest estimate.
    fn publish(&self, job: &Job) {
        let mut preview = self.preview.lock().unwrap_or_else(PoisonError::into_inner);
        match (job.preview(), preview.as_mut()) {
            (Some(latest), Some(preview)) => preview.assign(&latest),
            (latest, _) => *preview = latest.map(|latest| latest.to_owned()),
        }
        self.done.store(job.progress().step, Ordering::SeqCst);
    }

    fn with_preview<T>(&self, read: impl FnOnce(ArrayViewD<'_, f32>) -> Result<T>) -> Result<T> {
        match self.preview.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(preview) => read(preview.view()),
            None => Err(Error::argument("job", "there is no preview before the first step")),
        }
    }

    fn image<'a>(&self, samples: ArrayViewD<'a, f32>, item: usize) -> Result<ArrayView3<'a, f32>> {
        let count = self.shape[0];
        if item >= count {
            return Err(Error::argument("item", format!("{item}; there are {count} items, counted from 0")));
        }
        let item = samples.index_axis_move(ndarray::Axis(0), item);
        item.into_dimensionality().map_err(|_| {
            Error::argument("job", format!("items of shape {:?} are no images; read their values", &self.shape[1..]))
        })
    }
}

pub(super) fn layout(stride: usize, flags: u32) -> Result<Layout> {
    if flags & !(DIFFUSE_BOTTOM_UP | DIFFUSE_BGRA) != 0 {
        return Err(Error::argument(
            "flags",
            format!("{flags}; only DIFFUSE_BOTTOM_UP (1) and DIFFUSE_BGRA (2) are known"),
        ));
    }
    Ok(Layout { stride, bottom_up: flags & DIFFUSE_BOTTOM_UP != 0, bgra: flags & DIFFUSE_BGRA != 0 })
}
