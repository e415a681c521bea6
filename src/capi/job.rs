//! Jobs: a run, one evaluation at a time.

use std::ffi::c_char;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ndarray::{ArrayView3, ArrayViewD};

use super::buffers::{
    c_string, copy_out, copy_string, exactly, slice, slice_mut, store, store_if_wanted, store_shape, string,
};
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

/// A job: one run, done step by step. It works on the calling thread in diffuse_job_step(), diffuse_job_run() and
/// diffuse_job_advance(). After diffuse_job_start() it works on a worker thread of its own.
///
/// Any thread may make these calls at any time: diffuse_job_poll(), _wait(), _progress(), _stage(), _expected(),
/// _shape(), _error(), _estimates(), _model(), _preview(), _preview_pixels(), _pause() and _cancel(). Every other call
/// returns DIFFUSE_BUSY while the job works, or while another thread is in such a call. diffuse_job_free() is the
/// exception. After it, no thread may use the job any more.
pub struct diffuse_job {
    _opaque: [u8; 0],
}

pub(super) struct JobValue {
    runner: Runner,
    /// The model that the job uses, once that is open.
    model: Arc<OnceLock<Arc<Model>>>,
}

impl Noun for diffuse_job {
    /// Shared, so that a step keeps it when its callback or another thread frees the handle.
    type Value = Arc<JobValue>;
    const NAME: &'static str = "job";
    const TAG: u64 = u64::from_le_bytes(*b"diff:job");
}

/// State of a job: no worker has it, and it is not at its end. The host steps it.
pub const DIFFUSE_JOB_IDLE: i32 = 0;

/// State of a job: its worker is running it.
pub const DIFFUSE_JOB_RUNNING: i32 = 1;

/// State of a job: it is at its end, whoever has run it.
pub const DIFFUSE_JOB_FINISHED: i32 = 2;

/// State of a job: its worker has stopped before the end. diffuse_job_wait() returns the reason.
pub const DIFFUSE_JOB_STOPPED: i32 = 3;

/// State of a job: its worker has stopped before the end, because of diffuse_job_pause() or because its time was up.
/// The job can be started again.
pub const DIFFUSE_JOB_PAUSED: i32 = 4;

/// Stage of a job: the model is opened.
pub const DIFFUSE_STAGE_LOADING: i32 = 0;

/// Stage of a job: it prepares the conditions and the start of the samples. Prompts are read, and images are encoded.
pub const DIFFUSE_STAGE_ENCODING: i32 = 1;

/// Stage of a job: it samples, or has sampled. A job that decodes goes on to the next stage.
pub const DIFFUSE_STAGE_SAMPLING: i32 = 2;

/// Stage of a job: a folder's autoencoder decodes the latents to pictures.
pub const DIFFUSE_STAGE_DECODING: i32 = 3;

/// Makes a job that draws `request` from `model`. Both may be freed or changed afterwards. Returns DIFFUSE_ARGUMENT if
/// a field of the request does not fit, and the message names it. On success, free `*job` with diffuse_job_free(). On
/// failure, `*job` is NULL.
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

/// Makes a job that opens its model when it is first stepped or started. A worker can so do all of the work. `path`,
/// `options` and `request` are as for diffuse_model_open() and diffuse_job_new(). They may be freed or changed
/// afterwards, but the user data of callbacks must stay valid.
///
/// The step, or diffuse_job_wait(), reports what is wrong with them, and can be tried again. Cancelling the job ends
/// the opening where ONNX Runtime checks for that. It does not end an execution provider's compiling.
///
/// `runtime` may be NULL. The worker then opens the ONNX Runtime that diffuse_runtime_open() finds by itself, which
/// takes longer than a frame. In that case this call sets ORT_DISABLE_TELEMETRY=1, unless that variable is set. Make
/// the first such call before other threads read or change environment variables.
///
/// `request` may be NULL. The job then opens the model and is at its end. diffuse_job_model() gives the model.
///
/// Until the model is open, calls that need its samples return DIFFUSE_NOT_YET, also diffuse_job_restore().
/// diffuse_job_advance() with a time of 0 opens the model and makes one step. A host that needs the model's sizes and
/// classes before that uses diffuse_model_open() instead.
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

/// Makes a job as diffuse_job_open() does, for a model from the `length` bytes of its file. The bytes are copied.
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

/// Writes another handle of the job's model to `*model`, also of a model that the job has opened itself. Free it with
/// diffuse_model_free(), before the job or after it. Returns DIFFUSE_NOT_YET before the model is open. Any thread may
/// call it.
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

/// Cancels a job and frees it. NULL is fine. The call waits for a step that another thread is in, which ends soon. In a
/// callback of the job itself, the job is freed when the current step is over. The callback may not use it any more.
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

/// Starts the run from `x` instead of from random noise. `x` holds the noisy samples at the first level of the run,
/// `length` values in all. Call it before the first step. The values are copied. Returns DIFFUSE_ARGUMENT for a job of
/// a folder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_start_from(job: *mut diffuse_job, x: *const f32, length: usize) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, x) = unsafe { (borrow(job, "job")?, slice(x, length, "x")?) };
        let shape = &value.runner.samples()?.shape;
        let wrong = || Error::argument("length", format!("{length} values do not make {shape:?}"));
        let x = exactly(x, shape).ok_or_else(wrong)?;
        value.runner.change(|run| run.start_from(x))
    })
}

/// Does one step: one estimate of the clean samples, and every move that it allows. `*finished` becomes 1 with the last
/// step, and is 0 before. `finished` may be NULL. Steps after the last do nothing. A step that fails leaves the samples
/// as they were.
///
/// Returns DIFFUSE_CANCELLED after diffuse_job_cancel(), and DIFFUSE_EVALUATION if the network fails.
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

/// Steps the job to its end. Statuses are as for diffuse_job_step().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_run(job: *mut diffuse_job) -> i32 {
    guard(|| {
        // SAFETY: the handle is as the header demands. It is not looked at again: a job that is freed meanwhile is
        // cancelled.
        let value = Arc::clone(unsafe { borrow(job, "job") }?);
        value.runner.run()
    })
}

/// Steps the job for at most `microseconds`, for a host that works within a frame. It makes as many estimates as are
/// expected to fit, by the times of those that the job has made. It begins none that is not expected to fit. A job that
/// has made no estimate makes one. After diffuse_job_open() it also opens its model.
///
/// If no estimate fits, the call does nothing and returns DIFFUSE_OK. With a time that is too short for any step, the
/// run does not come to its end. The log sink (diffuse_log_set()) receives one message about that for each job. On a
/// slow or busy machine, pass the greater of the frame's time and the time that diffuse_job_expected() gives. Or draw
/// fewer items, or start a worker.
///
/// An evaluation is not cut short. If the last one takes longer than expected, the call takes longer by the difference.
/// `finished` and the statuses are as for diffuse_job_step().
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

/// Writes the expected time of the job's next step to `*microseconds`. It is the time of the longest of the latest
/// steps, and 0 before the first. diffuse_job_advance() with that time makes a step. Any thread may call it.
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

/// Runs the job to its end on a thread of its own, named "diffuse job", and returns at once. Meanwhile, calls that step
/// or read the job return DIFFUSE_BUSY. diffuse_job_poll(), diffuse_job_wait(), diffuse_job_progress(), the previews
/// and diffuse_job_cancel() work from any thread. Callbacks are called on the worker. A job that has stopped can be
/// started again.
///
/// Returns DIFFUSE_CANCELLED if the job was cancelled. Returns DIFFUSE_BUSY if it runs already, or if another thread is
/// in a call of it. Returns DIFFUSE_RUNTIME if the system refuses a thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_start(job: *mut diffuse_job) -> i32 {
    // SAFETY: the handle is as the header demands.
    guard(|| unsafe { borrow(job, "job") }?.runner.start(None))
}

/// Starts the job as diffuse_job_start() does, for at most `microseconds`: a deadline. The time counts as in
/// diffuse_job_advance(). When it is up, the preview is the best estimate that could be made within it. The job is then
/// DIFFUSE_JOB_PAUSED, or DIFFUSE_JOB_FINISHED if it had time to spare. An evaluation is not cut short.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_start_for(job: *mut diffuse_job, microseconds: u64) -> i32 {
    // SAFETY: the handle is as the header demands.
    guard(|| unsafe { borrow(job, "job") }?.runner.start(Some(Duration::from_micros(microseconds))))
}

/// Lets the job's worker end after its current step, without waiting for it. Any thread may call it. diffuse_job_wait()
/// waits for the worker, and then finds the job DIFFUSE_JOB_PAUSED or DIFFUSE_JOB_FINISHED. The job can then be read,
/// kept with diffuse_job_snapshot(), stepped, and started again. For a job that is not running, this call does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_pause(job: *const diffuse_job) -> i32 {
    guard(|| {
        // SAFETY: the handle is as the header demands.
        unsafe { borrow(job, "job") }?.runner.pause();
        Ok(())
    })
}

/// Writes the state of the job to `*state`: DIFFUSE_JOB_IDLE, _RUNNING, _FINISHED, _STOPPED or _PAUSED. It does not
/// wait. Any thread may call it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_poll(job: *const diffuse_job, state: *mut i32) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        unsafe { store(state, number(borrow(job, "job")?.runner.state()), "state") }
    })
}

/// Waits until the job's worker has ended, for at most `milliseconds`. `*state` becomes the state that
/// diffuse_job_poll() then gives. Any thread may wait, except the worker itself.
///
/// Returns how the run ended. The status is DIFFUSE_OK also if the job is still running or was not started. It is
/// DIFFUSE_CANCELLED after diffuse_job_cancel(), also before the start. Other statuses are as for diffuse_job_step().
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

/// Cancels a job, from any thread, also before it has started. The running step and every later one return
/// DIFFUSE_CANCELLED, as soon as the network's current node ends. OpenVINO and TensorRT make one node of all that they
/// take. There, the evaluation ends first. This cannot be undone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_cancel(job: *const diffuse_job) -> i32 {
    guard(|| {
        // SAFETY: the handle is as the header demands.
        unsafe { borrow(job, "job") }?.runner.cancel();
        Ok(())
    })
}

/// Writes how many steps of sampling are done, and how many there are in all. Both are 0 before the model is open. A
/// job of a folder encodes before the first step and decodes after the last. diffuse_job_stage() reports that. Any
/// thread may call it.
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

/// Writes to `*estimates` how many estimates of the samples there have been for diffuse_job_preview(). If the number is
/// the same as in the last frame, a host has nothing new to upload. Samples restored from a snapshot count as one. Any
/// thread may call it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_estimates(job: *const diffuse_job, estimates: *mut u64) -> i32 {
    // SAFETY: the pointers are as the header demands.
    guard(|| unsafe { store(estimates, borrow(job, "job")?.runner.estimates(), "estimates") })
}

/// Writes the stage of the job to `*stage`: DIFFUSE_STAGE_LOADING, _ENCODING, _SAMPLING or _DECODING. `*total` becomes
/// the number of pieces of work in that stage, and `*done` the number of those that are done. In sampling, these are
/// the steps. Any thread may call it.
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

/// Writes the status and the message of the job's latest step that failed, on whichever thread, also its worker.
/// `*status` is DIFFUSE_OK if none has failed. `message` receives as much of the message as `capacity` bytes hold, with
/// the zero at the end. `message` may be NULL if `capacity` is 0. Any thread may call it.
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

/// Writes the shape of the samples, batch first. The parameters are as for diffuse_model_shape().
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

/// Copies the current samples to `values`, all items one after the other. They are noisy before the end of the run, and
/// the result after it. `length` must be exactly the number of their values. For a folder, the samples are the
/// pictures. They exist at the end of the run, and the call returns DIFFUSE_NOT_YET before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_read(job: *const diffuse_job, values: *mut f32, length: usize) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, out) = unsafe { (borrow(job, "job")?, slice_mut(values, length, "values")?) };
        value.runner.look(|run| copy_out(run.sample()?, out, "length"))
    })
}

/// Copies the current latents of a folder to `values`, all items one after the other. Latents are what the folder's
/// predictor samples. Pictures are made from them at the end, and the latents stay. For a model of one network, they
/// are the samples of diffuse_job_read().
///
/// `*needed` becomes the number of their values, and `length` must be that number. With a `length` of 0 the call only
/// writes `*needed`, and `values` may be NULL. Returns DIFFUSE_NOT_YET before there are any latents. A call that fails
/// leaves `*needed` as it was.
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

/// Draws item `item` of the samples as pixels of four bytes, for an image model. `length` is the size of `pixels` in
/// bytes, at least stride·(height−1) + 4·width. Rows are `stride` bytes apart, at least 4·width. Bytes between the rows
/// are left alone. `flags` is 0 or a sum of DIFFUSE_BOTTOM_UP and DIFFUSE_BGRA.
///
/// Values are in the encoding that the model was trained on, which is usually sRGB. Alpha is straight, and is 255 where
/// the image has none. Returns DIFFUSE_ARGUMENT for latents, which are no pixels before they are decoded, and for a
/// tensor.
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

/// Writes the job as it is between two steps to `bytes`, for diffuse_job_restore(), also in another process. Uses are a
/// saved game, a suspended app, and a run that branches. A snapshot holds the samples and what is kept of earlier
/// steps, but not the request.
///
/// `*length` becomes the number of bytes, and `capacity` must be at least that. With a `capacity` of 0 the call only
/// writes `*length`, and `bytes` may be NULL. The snapshot notes the model's hash. Returns DIFFUSE_IO if a file of the
/// model was changed since the model was opened.
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

/// Restores what diffuse_job_snapshot() wrote for a job of the same model, shape, solver, steps, grid and kind of
/// noise. With the same request, the run ends with the same bits. The rest of the request may differ, for a run that
/// branches off.
///
/// The call does not trust the bytes. Returns DIFFUSE_ARGUMENT if they are no snapshot, were changed, or are from
/// another run. The job is then as it was before. A job of a folder that was sampling first encodes its prompts and
/// images again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_restore(job: *mut diffuse_job, bytes: *const u8, length: usize) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, snapshot) = unsafe { (borrow(job, "job")?, slice(bytes, length, "bytes")?) };
        value.runner.change(|run| run.restore(snapshot))
    })
}

/// Copies the latest estimate of the final samples to `values`. After the last step, it is the result. Any thread may
/// call it, also while a step is running. The parameters are as for diffuse_job_read(). Returns DIFFUSE_NOT_YET before
/// the first step.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn diffuse_job_preview(job: *const diffuse_job, values: *mut f32, length: usize) -> i32 {
    guard(|| {
        // SAFETY: the pointers are as the header demands.
        let (value, out) = unsafe { (borrow(job, "job")?, slice_mut(values, length, "values")?) };
        value.runner.preview(|preview| copy_out(preview, out, "length"))
    })
}

/// Draws item `item` of the latest estimate as pixels. Any thread may call it, also while a step is running. The
/// parameters are as for diffuse_job_read_pixels().
///
/// Latents are drawn as well, by the matrix in the manifest (sample.preview). Without a matrix, their first three
/// channels are drawn, each from its least value to its greatest. Returns DIFFUSE_NOT_YET before the first step.
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

/// Returns a function that gives the runtime on the thread that opens a model. NULL is the runtime that the search
/// finds.
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

/// Returns a copy of the request. NULL is none.
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

    /// Makes a job of the model that `open` opens with the given options.
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

    /// Draws item `item` of `samples` as pixels, or as a preview of them.
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
