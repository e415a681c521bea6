//! Jobs: a run, one evaluation at a time.

use std::ffi::c_char;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ndarray::{ArrayView3, ArrayViewD};

use super::buffers::{c_string, copy_out, copy_string, slice, slice_mut, store, store_if_wanted, store_shape, string};
use super::guard::{guard, quietly};
use super::handle::{Noun, borrow, give, take};
use super::model::{ModelValue, diffuse_model, diffuse_model_options, options_or_default};
use super::pixels::layout;
use super::request::diffuse_request;
use super::runtime::diffuse_runtime;
use super::status::{DIFFUSE_OK, of as status_of};
use crate::error::{Error, Result};
use crate::network::{ModelOptions, Runtime};
use crate::request::Request;
use crate::run::{Run, Runner, Stage, State, Work};
use crate::sample::Canceller;
use crate::stage::Model;
use crate::stage::pixels::{Layout, Look, latent_preview, rgba8_into};
use crate::tensor::copied;

/// A run. It works inside of diffuse_job_step(), diffuse_job_run() and diffuse_job_advance(), on the calling thread, or
/// after diffuse_job_start() on one of its own. While it does, and while another thread is in a call that is not one of
/// these, every call returns DIFFUSE_BUSY but for diffuse_job_poll(), _wait(), _progress(), _stage(), _expected(),
/// _shape(), _error(), _estimates(), _model(), _preview(), _preview_pixels(), _pause() and _cancel(), which any thread
/// may make at any time, and diffuse_job_free(), after which no thread may use the job any more.
pub struct diffuse_job {
    _opaque: [u8; 0],
}

pub(super) struct JobValue {
    runner: Runner,
    /// The model that it draws from, once that is open.
    model: Arc<OnceLock<Arc<Model>>>,
}

impl Noun for diffuse_job {
    /// Shared, so that a step holds on to it when its callback, or another thread, frees the handle.
    type Value = Arc<JobValue>;
    const NAME: &'static str = "job";
    const TAG: u64 = u64::from_le_bytes(*b"diff:job");
}

/// What diffuse_job_poll() says of a job that no worker has, and that is not at its end: it is stepped by the host.
pub const DIFFUSE_JOB_IDLE: i32 = 0;

/// Its worker is running it.
pub const DIFFUSE_JOB_RUNNING: i32 = 1;

/// It is at its end, whoever has run it.
pub const DIFFUSE_JOB_FINISHED: i32 = 2;

/// Its worker has stopped before: diffuse_job_wait() says why.
pub const DIFFUSE_JOB_STOPPED: i32 = 3;

/// Its worker has stopped before, because of diffuse_job_pause() or because its time was up; it can be started again.
pub const DIFFUSE_JOB_PAUSED: i32 = 4;

/// What diffuse_job_stage() says while the model is opened.
pub const DIFFUSE_STAGE_LOADING: i32 = 0;

/// While what the samples are conditioned on and start from is made: prompts are read, images are encoded.
pub const DIFFUSE_STAGE_ENCODING: i32 = 1;

/// While the steps are done, and when they are: a job that decodes goes on.
pub const DIFFUSE_STAGE_SAMPLING: i32 = 2;

/// While pictures are made of what was drawn: of latents, by a folder's autoencoder.
pub const DIFFUSE_STAGE_DECODING: i32 = 3;

/// Makes a job that draws `request` from `model`; both may be freed or changed afterwards. DIFFUSE_ARGUMENT with the
/// field of the request that does not fit. On success `*job` is to be freed with diffuse_job_free(); on failure it is
/// NULL.
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
            let run = Run::new(model, borrow(request, "request")?.request()?)?;
            Ok(Arc::new(JobValue::new(run)))
        })
    })
}

/// Makes a job whose model is opened when it is first stepped or started, so that a worker can do all of it: `path`,
/// `options` and `request` are as for diffuse_model_open() and diffuse_job_new(), and may be freed or changed
/// afterwards, but for what callbacks are given. What is wrong with them is said by the step, or by diffuse_job_wait(),
/// which can be tried again. Cancelling ends the opening where ONNX Runtime looks up, which the compiling of a provider
/// does not.
///
/// `runtime` may be NULL: the worker opens the one that diffuse_runtime_open() finds by itself, which takes longer than
/// a frame. This call then sets ORT_DISABLE_TELEMETRY=1 unless that variable is set: as with diffuse_runtime_open(),
/// the first one is to be made before other threads read or change environment variables. `request` may be NULL: the
/// job opens the model, and is at its end. diffuse_job_model() gives the model.
///
/// Until the model is open calls that need its samples, diffuse_job_restore() among them, are DIFFUSE_NOT_YET;
/// diffuse_job_advance() with a time of 0 opens it and makes one step. Sizes and classes that only the model knows are
/// had from diffuse_model_open() instead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_open(
    runtime: *const diffuse_runtime,
    path: *const c_char,
    options: *const diffuse_model_options,
    request: *const diffuse_request,
    job: *mut *mut diffuse_job,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe {
        give(job, "job", || {
            let (path, options) = (PathBuf::from(string(path, "path")?), options_or_default(options)?);
            let (request, runtime) = (asked(request)?, later(runtime)?);
            Ok(JobValue::opening(options, request, move |options| Model::open(&runtime()?, &path, options)))
        })
    })
}

/// As diffuse_job_open(), for a model from the `length` bytes of its file, which are copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_open_bytes(
    runtime: *const diffuse_runtime,
    bytes: *const u8,
    length: usize,
    options: *const diffuse_model_options,
    request: *const diffuse_request,
    job: *mut *mut diffuse_job,
) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe {
        give(job, "job", || {
            let (bytes, options) = (copied(slice(bytes, length, "bytes")?)?, options_or_default(options)?);
            let (request, runtime) = (asked(request)?, later(runtime)?);
            Ok(JobValue::opening(options, request, move |options| Model::from_bytes(&runtime()?, &bytes, options)))
        })
    })
}

/// The model that the job draws from, also one that it has opened itself, in `*model`: another handle of it, to be
/// freed with diffuse_model_free(), before the job or after it. DIFFUSE_NOT_YET before it is open. Any thread may ask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_model(job: *const diffuse_job, model: *mut *mut diffuse_model) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe {
        give(model, "model", || match borrow(job, "job")?.model.get() {
            Some(model) => Ok(ModelValue::new(Arc::clone(model))),
            None => Err(Error::not_yet("the job's model is not open yet: its first step opens it")),
        })
    })
}

/// Cancels a job and frees it, waiting for a step that another thread is in, which ends soon. NULL is fine. In a
/// callback of the job itself it is freed when the step is over that the callback is called in, and may not be used any
/// more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_free(job: *mut diffuse_job) {
    quietly((), || {
        // SAFETY: the handle is as the header demands.
        if let Ok(value) = unsafe { borrow(job, "job") } {
            value.runner.close();
        }
        // SAFETY: as above.
        drop(unsafe { take(job) });
    });
}

/// Starts from `x`, `length` values, instead of from drawn noise: the noisy samples at the first level of the run,
/// before the first step. They are copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_start_from(job: *mut diffuse_job, x: *const f32, length: usize) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, x) = unsafe { (borrow(job, "job")?, slice(x, length, "x")?) };
        let shape = &value.runner.samples()?.shape;
        let wrong = |_| Error::argument("length", format!("{length} values do not make {shape:?}"));
        let x = ArrayViewD::from_shape(&shape[..], x).map_err(wrong)?;
        value.runner.change(|run| run.start_from(x))
    })
}

/// Does one step: one estimate of the clean samples, and every move that it allows. `*finished` becomes 1 with the last
/// step and is 0 before; it may be NULL. Steps after the last do nothing. A step that fails leaves the samples as they
/// were.
///
/// DIFFUSE_CANCELLED after diffuse_job_cancel(), DIFFUSE_EVALUATION if the network fails.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_step(job: *mut diffuse_job, finished: *mut i32) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let value = Arc::clone(unsafe { borrow(job, "job") }?);
        let progress = value.runner.step()?;
        // SAFETY: as above.
        unsafe { store_if_wanted(finished, i32::from(progress.is_finished()), "finished") }
    })
}

/// Steps to the end. As diffuse_job_step().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_run(job: *mut diffuse_job) -> i32 {
    guard(|| {
        // SAFETY: the handle is as the header demands. It is not looked at again: a job that is freed meanwhile is
        // cancelled.
        let value = Arc::clone(unsafe { borrow(job, "job") }?);
        value.runner.run()
    })
}

/// Steps for as long as the time lasts, for a host that works within a frame: as many estimates as are expected to fit
/// into `microseconds`, by those that the job has made, and none that is not expected to. Of a job that has made none
/// nothing is known, and one is made (and its model opened, after diffuse_job_open()).
///
/// Where none fits, nothing is done, and the status is DIFFUSE_OK: a time that is too short for any does not end the
/// run. The log sink (diffuse_log_set()) hears so, once for each job. On a slow or busy machine give it the greater of
/// the frame's time and what diffuse_job_expected() says, draw fewer items, or start a worker. An evaluation is not cut
/// short: the call takes longer than its time by what the last one takes longer than expected. Otherwise as
/// diffuse_job_step().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_advance(job: *mut diffuse_job, microseconds: u64, finished: *mut i32) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let value = Arc::clone(unsafe { borrow(job, "job") }?);
        let progress = value.runner.advance(Duration::from_micros(microseconds))?;
        // SAFETY: as above.
        unsafe { store_if_wanted(finished, i32::from(progress.is_finished()), "finished") }
    })
}

/// What the job's next step is expected to take, in `*microseconds`: as long as the longest of the latest ones; 0
/// before the first. diffuse_job_advance() with that time makes a step. Any thread may ask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_expected(job: *const diffuse_job, microseconds: *mut u64) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe {
            let expected = borrow(job, "job")?.runner.expected_step().unwrap_or_default();
            // Rounded up, so that it is enough.
            let whole = u64::try_from(expected.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
            store(microseconds, whole, "microseconds")
        }
    })
}

/// Runs the job to its end on a thread of its own, named "diffuse job", and returns at once. Meanwhile calls that step
/// or read it return DIFFUSE_BUSY; diffuse_job_poll(), diffuse_job_wait(), diffuse_job_progress(), the previews and
/// diffuse_job_cancel() are for any thread. A callback is called on the worker. One that has stopped can be started
/// again.
///
/// DIFFUSE_CANCELLED if it was cancelled, DIFFUSE_BUSY if it runs already or another thread is in a call of it,
/// DIFFUSE_RUNTIME if the system refuses a thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_start(job: *mut diffuse_job) -> i32 {
    // SAFETY: the handle is as the header demands.
    guard(|| unsafe { borrow(job, "job") }?.runner.start(None))
}

/// As diffuse_job_start(), but for as long as the time lasts, as in diffuse_job_advance(): a deadline. The preview then
/// is the best estimate that could be had by then; the job is DIFFUSE_JOB_PAUSED, or _FINISHED if it had steps to
/// spare. An evaluation is not cut short.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_start_for(job: *mut diffuse_job, microseconds: u64) -> i32 {
    // SAFETY: the handle is as the header demands.
    guard(|| unsafe { borrow(job, "job") }?.runner.start(Some(Duration::from_micros(microseconds))))
}

/// Lets the job's worker end after the step that it is in, from any thread, without waiting for it: diffuse_job_wait()
/// does, and then finds it DIFFUSE_JOB_PAUSED, or _FINISHED. It can be read then, kept with diffuse_job_snapshot(),
/// stepped, and started again. Of a job that is not running it does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_pause(job: *const diffuse_job) -> i32 {
    guard(|| {
        // SAFETY: the handle is as the header demands.
        unsafe { borrow(job, "job") }?.runner.pause();
        Ok(())
    })
}

/// Says in `*state` how the job stands: DIFFUSE_JOB_IDLE, _RUNNING, _FINISHED, _STOPPED or _PAUSED. It does not wait,
/// and any thread may ask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_poll(job: *const diffuse_job, state: *mut i32) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe { store(state, number(borrow(job, "job")?.runner.state()), "state") }
    })
}

/// Waits until the job's worker has ended, but not longer than `milliseconds`; `*state` then is as diffuse_job_poll()
/// says. It returns how the run ended: DIFFUSE_OK also if it is still running or was not started, DIFFUSE_CANCELLED
/// after diffuse_job_cancel(), also before its start, else as diffuse_job_step(). Any thread may wait, but for the
/// worker itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_wait(job: *const diffuse_job, milliseconds: u64, state: *mut i32) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let value = Arc::clone(unsafe { borrow(job, "job") }?);
        let result = value.runner.wait(Duration::from_millis(milliseconds));
        let ended = result.as_ref().map_or_else(|_| value.runner.state(), |&state| state);
        // SAFETY: as above.
        unsafe { store(state, number(ended), "state")? };
        result.map(drop)
    })
}

fn number(state: State) -> i32 {
    match state {
        State::Idle => DIFFUSE_JOB_IDLE,
        State::Running => DIFFUSE_JOB_RUNNING,
        State::Finished => DIFFUSE_JOB_FINISHED,
        State::Stopped => DIFFUSE_JOB_STOPPED,
        State::Paused => DIFFUSE_JOB_PAUSED,
    }
}

/// Cancels a job, from any thread, also before it has started: the step that is running and every later one return
/// DIFFUSE_CANCELLED, as soon as the node of the network that is running ends. OpenVINO and TensorRT make one node of
/// all that they take; there it is after the evaluation. It cannot be taken back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_cancel(job: *const diffuse_job) -> i32 {
    guard(|| {
        // SAFETY: the handle is as the header demands.
        unsafe { borrow(job, "job") }?.runner.cancel();
        Ok(())
    })
}

/// How many steps of sampling are done, and how many there are in all; 0 of 0 before its model is open. A job of a
/// folder encodes before the first and decodes after the last: diffuse_job_stage() says so. Any thread may ask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_progress(job: *const diffuse_job, step: *mut usize, steps: *mut usize) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe {
            let progress = borrow(job, "job")?.runner.steps();
            store(step, progress.step, "step")?;
            store(steps, progress.steps, "steps")
        }
    })
}

/// How many estimates of the samples there have been to look at, in `*estimates`: it grows with what
/// diffuse_job_preview() gives, so that a host whose frame finds the number that the last one found has nothing to
/// upload. What is taken up from a snapshot counts as one. Any thread may ask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_estimates(job: *const diffuse_job, estimates: *mut u64) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe { store(estimates, borrow(job, "job")?.runner.estimates(), "estimates") })
}

/// What the job is at: `*stage` is DIFFUSE_STAGE_LOADING, _ENCODING, _SAMPLING or _DECODING, of which `*done` of
/// `*total` pieces of work are done; of sampling these are the steps. Any thread may ask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_stage(
    job: *const diffuse_job,
    stage: *mut i32,
    done: *mut usize,
    total: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe {
            let (at, progress) = borrow(job, "job")?.runner.progress();
            store(stage, number_of_stage(at), "stage")?;
            store(done, progress.step, "done")?;
            store(total, progress.steps, "total")
        }
    })
}

fn number_of_stage(stage: Stage) -> i32 {
    match stage {
        Stage::Loading => DIFFUSE_STAGE_LOADING,
        Stage::Encoding => DIFFUSE_STAGE_ENCODING,
        Stage::Sampling => DIFFUSE_STAGE_SAMPLING,
        Stage::Decoding => DIFFUSE_STAGE_DECODING,
    }
}

/// What the latest step of the job that failed said, whichever thread it was on, also its worker: its status in
/// `*status` (DIFFUSE_OK if none has failed) and its message as a string in `message`, as much of it as `capacity`
/// bytes hold with the zero at the end; `message` may be NULL if `capacity` is 0. Any thread may ask.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_error(
    job: *const diffuse_job,
    status: *mut i32,
    message: *mut c_char,
    capacity: usize,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, room) = unsafe { (borrow(job, "job")?, slice_mut(message.cast::<u8>(), capacity, "message")?) };
        let failure = value.runner.failure();
        // SAFETY: as above.
        unsafe { store(status, failure.as_ref().map_or(DIFFUSE_OK, status_of), "status")? };
        let text = c_string(&failure.map_or(String::new(), |error| error.to_string()));
        copy_string(&text, room);
        Ok(())
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
        unsafe { store_shape(&borrow(job, "job")?.runner.samples()?.shape, axes, capacity, rank) }
    })
}

/// Copies the samples as they stand, all items one after the other: noisy before the end of the run, the result after
/// it. `length` is the number of values that there is room for, exactly that of the samples. Of a folder it is the
/// pictures, which are there at the end of the run: DIFFUSE_NOT_YET before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_read(job: *const diffuse_job, values: *mut f32, length: usize) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, out) = unsafe { (borrow(job, "job")?, slice_mut(values, length, "values")?) };
        value.runner.look(|run| copy_out(run.sample()?, out, "length"))
    })
}

/// Copies what the network of a folder samples, all items one after the other, as it stands: latents, of which pictures
/// are made at the end, and which stay afterwards. `*needed` becomes the number of their values, which `length` has to
/// be; with a `length` of 0, where `values` may be NULL, only that is said. Of a model of one network it is the samples
/// of diffuse_job_read(). DIFFUSE_NOT_YET before there are any, as anything that fails, leaves `*needed` as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_latents(
    job: *const diffuse_job,
    values: *mut f32,
    length: usize,
    needed: *mut usize,
) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, out) = unsafe { (borrow(job, "job")?, slice_mut(values, length, "values")?) };
        let count = value.runner.look(|run| {
            let latents = run.latents()?;
            let count = latents.len();
            if length > 0 { copy_out(latents, out, "length").map(|()| count) } else { Ok(count) }
        })?;
        // SAFETY: as above.
        unsafe { store(needed, count, "needed") }
    })
}

/// Draws item `item` of the samples as pixels of four bytes, for an image model. Rows are `stride` bytes apart, at
/// least 4·width; `length` is the size of `pixels` in bytes, at least stride·(height−1) + 4·width. `flags` is 0 or a
/// sum of DIFFUSE_BOTTOM_UP and DIFFUSE_BGRA. Values are in the encoding that the model was trained on (sRGB as a
/// rule), alpha is straight, 255 where the image has none. Bytes between the rows are left alone. DIFFUSE_ARGUMENT for
/// latents, which are no pixels before they are decoded, and for a tensor.
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
        let layout = layout(stride, flags)?;
        value.runner.look(|run| value.draw(run.sample()?, item, out, layout, false))
    })
}

/// Writes the job as it stands between two steps to `bytes`, for diffuse_job_restore(), also in another process: a
/// saved game, a suspended app, a run that is to branch. `*length` becomes the number of bytes, which `capacity` has to
/// be at least; with a capacity of 0, where `bytes` may be NULL, only that is said. It holds the samples and what is
/// kept of earlier steps, not the request.
///
/// DIFFUSE_IO if a file of the model, whose hash is noted, was changed since it was opened.
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
            let snapshot = borrow(job, "job")?.runner.look(Run::save)?;
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

/// Takes up what diffuse_job_snapshot() wrote of a job of the same model, shape, solver, steps, grid and kind of noise.
/// With the same request the run ends with the same bits; what else the request says may differ, for a run that
/// branches off. The bytes are not trusted: DIFFUSE_ARGUMENT if they are no snapshot, were changed, or are of another
/// run, and the job stands where it stood. A job of a folder that was sampling encodes again what it is given first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_restore(job: *mut diffuse_job, bytes: *const u8, length: usize) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, snapshot) = unsafe { (borrow(job, "job")?, slice(bytes, length, "bytes")?) };
        value.runner.change(|run| run.restore(snapshot))
    })
}

/// Copies the latest estimate of what the samples will be, which after the last step is the result, from any thread,
/// also while a step is running. As diffuse_job_read(). DIFFUSE_NOT_YET before the first step.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_preview(job: *const diffuse_job, values: *mut f32, length: usize) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, out) = unsafe { (borrow(job, "job")?, slice_mut(values, length, "values")?) };
        value.runner.preview(|preview| copy_out(preview, out, "length"))
    })
}

/// Draws item `item` of the latest estimate as pixels, from any thread, also while a step is running. As
/// diffuse_job_read_pixels(), but latents can be looked at: by the matrix of the manifest (sample.preview), else by
/// their first three channels, each from its least value to its greatest. DIFFUSE_NOT_YET before the first step.
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
        value.runner.preview(|preview| value.draw(preview, item, out, layout, true))
    })
}

/// What gives the runtime on the thread that opens a model; NULL is the one that is found.
///
/// # Safety
/// As [`borrow`].
unsafe fn later(runtime: *const diffuse_runtime) -> Result<impl Fn() -> Result<Runtime> + Send + 'static> {
    let known = if runtime.is_null() {
        // Here and not on the worker: other threads may use the environment by then.
        // SAFETY: the header demands it.
        unsafe { Runtime::keep_quiet() };
        None
    } else {
        // SAFETY: passed on.
        Some(unsafe { borrow(runtime, "runtime") }?.runtime.clone())
    };
    Ok(move || known.clone().map_or_else(|| Runtime::open(None), Ok))
}

/// A copy of the request; NULL is none.
///
/// # Safety
/// As [`borrow`].
unsafe fn asked(request: *const diffuse_request) -> Result<Option<Request>> {
    if request.is_null() {
        return Ok(None);
    }
    // SAFETY: passed on.
    Ok(Some(unsafe { borrow(request, "request") }?.request()?.clone()))
}

impl JobValue {
    fn new(run: Run) -> Self {
        let (model, runner) = (run.model(), Runner::new(run));
        model.get().into_iter().for_each(|model| runner.set_priority(model.priority()));
        Self { model, runner }
    }

    /// A job of the model that `open` opens with the options that it is given.
    fn opening(
        options: ModelOptions,
        request: Option<Request>,
        open: impl Fn(&ModelOptions) -> Result<Model> + Send + 'static,
    ) -> Arc<Self> {
        let priority = options.priority;
        let open =
            move |canceller: &Canceller| open(&ModelOptions { canceller: Some(canceller.clone()), ..options.clone() });
        let value = Self::new(Run::open(Box::new(open), request));
        value.runner.set_priority(priority);
        Arc::new(value)
    }

    /// Item `item` of `samples` as pixels, or as a preview of them.
    fn draw(
        &self,
        samples: ArrayViewD<'_, f32>,
        item: usize,
        out: &mut [u8],
        layout: Layout,
        as_preview: bool,
    ) -> Result<()> {
        let count = samples.shape()[0];
        if item >= count {
            return Err(Error::argument("item", format!("{item}; there are {count} items, counted from 0")));
        }
        let item = samples.index_axis_move(ndarray::Axis(0), item);
        let refused = |what: &str| Error::argument("job", format!("items of shape {:?} are {what}", item.shape()));
        let (look, values) =
            (&self.runner.samples()?.look, "no images by the manifest's sample.kind; read their values");
        let image: ArrayView3<'_, f32> = item.view().into_dimensionality().map_err(|_| refused(values))?;
        match (look, as_preview) {
            (Some(Look::Pixels(range)), _) => rgba8_into(image, *range, out, layout),
            (Some(Look::Latents(matrix)), true) => {
                rgba8_into(latent_preview(image, matrix.as_ref())?.view(), [-1.0, 1.0], out, layout)
            }
            (Some(Look::Latents(_)), false) => Err(refused(
                "latents, which a decoder makes pixels of; read their values, or look at diffuse_job_preview_pixels()",
            )),
            _ => Err(refused(values)),
        }
    }
}
