//! What a host waits for. It compares a run through the C interface with the same run through Rust, turn by turn in one
//! process. It compares the time of cancelling with that of the longest node of the network, which ONNX Runtime has to
//! finish.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use diffuse::capi::*;
use diffuse::{Model, ModelOptions, Request, Runtime};
use ort::session::Session;
use ort::value::TensorRef;

const STEPS: usize = 20;
const ROUNDS: usize = 101;
/// The items of the evaluation that is cancelled: enough for it to take a while.
const BATCH: usize = 64;
const CANCELS: usize = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("onnx/models/sprites.onnx");
    through_c(&path)?;
    cancel(&path)
}

fn through_c(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::open(None)?;
    let model = Arc::new(Model::open(&runtime, path, &ModelOptions { threads: 1, ..ModelOptions::default() })?);
    let c = Handles::open(runtime.path(), path, 1);
    let rust = || -> diffuse::Result<Duration> {
        let request = Request { classes: Some(vec![0]), steps: Some(STEPS), ..Request::default() };
        let start = Instant::now();
        std::hint::black_box(request.job(&model)?.run()?);
        Ok(start.elapsed())
    };
    rust()?;
    c.run();
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        // Which goes first alternates, so that a drift of the machine favours neither.
        let (rust, c) = if round % 2 == 0 {
            let rust = rust()?;
            (rust, c.run())
        } else {
            let c = c.run();
            (rust()?, c)
        };
        ratios.push(c.as_secs_f64() / rust.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "{STEPS} DDIM steps through C cost {:.4} times those through Rust (quartiles {:.4} to {:.4}, {ROUNDS} rounds)",
        ratios[ROUNDS / 2],
        ratios[ROUNDS / 4],
        ratios[ROUNDS * 3 / 4]
    );
    Ok(())
}

/// What a C host holds.
struct Handles {
    model: *mut diffuse_model,
}

impl Handles {
    fn open(runtime: &Path, path: &Path, threads: u32) -> Self {
        let text = |path: &Path| CString::new(path.to_str().unwrap_or_default()).unwrap_or_default();
        let (mut handle, mut options, mut model) = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: live strings, writable places for the handles, and handles that were made before they are used.
        unsafe {
            check(diffuse_runtime_open(text(runtime).as_ptr(), &raw mut handle));
            check(diffuse_model_options_new(&raw mut options));
            check(diffuse_model_options_set_threads(options, threads));
            check(diffuse_model_open(handle, text(path).as_ptr(), options, &raw mut model));
            diffuse_model_options_free(options);
            diffuse_runtime_free(handle);
        }
        Self { model }
    }

    /// A job of `count` items and many steps.
    fn job(&self, count: usize) -> *mut diffuse_job {
        let (mut request, mut job) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: as above; the classes are copied.
        unsafe {
            check(diffuse_request_new(&raw mut request));
            check(diffuse_request_set_classes(request, vec![0i64; count].as_ptr(), count));
            check(diffuse_request_set_number(request, c"steps".as_ptr(), 1000.0));
            check(diffuse_job_new(self.model, request, &raw mut job));
            diffuse_request_free(request);
        }
        job
    }

    fn run(&self) -> Duration {
        let (mut request, mut job) = (std::ptr::null_mut(), std::ptr::null_mut());
        let mut values = vec![0f32; 4 * 32 * 32];
        let start = Instant::now();
        // SAFETY: as above; `values` has the room that is said.
        unsafe {
            check(diffuse_request_new(&raw mut request));
            check(diffuse_request_set_classes(request, [0i64].as_ptr(), 1));
            check(diffuse_request_set_number(request, c"steps".as_ptr(), STEPS as f64));
            check(diffuse_job_new(self.model, request, &raw mut job));
            check(diffuse_job_run(job));
            check(diffuse_job_read(job, values.as_mut_ptr(), values.len()));
            diffuse_job_free(job);
            diffuse_request_free(request);
        }
        let taken = start.elapsed();
        std::hint::black_box(values);
        taken
    }
}

impl Drop for Handles {
    fn drop(&mut self) {
        // SAFETY: made by `open`, freed once.
        unsafe { diffuse_model_free(self.model) };
    }
}

fn check(status: i32) {
    assert_eq!(status, DIFFUSE_OK);
}

fn cancel(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::open(None)?;
    let model = Arc::new(Model::open(&runtime, path, &ModelOptions::default())?);
    let request = Request { count: BATCH, classes: Some(vec![0; BATCH]), steps: Some(2), ..Request::default() };
    let mut job = request.job(&model)?;
    job.step()?;
    let start = Instant::now();
    job.step()?;
    let evaluation = start.elapsed();

    // Through C, on a worker: cancelled and freed, which waits for it, all over the evaluation and at no regular
    // moments.
    let handles = Handles::open(runtime.path(), path, 0);
    let mut waits = Vec::new();
    let mut moment = 0.0;
    for _ in 0..CANCELS {
        moment = (moment + 0.618_033_988_75) % 1.0;
        let job = handles.job(BATCH);
        // SAFETY: a handle of the library, used by this thread alone.
        let wait = unsafe {
            check(diffuse_job_start(job));
            std::thread::sleep(evaluation.mul_f64(1.1 * moment));
            let cancelled = Instant::now();
            check(diffuse_job_cancel(job));
            diffuse_job_free(job);
            cancelled.elapsed()
        };
        waits.push(wait);
    }
    waits.sort();
    let longest = longest_node(&runtime, path)?;
    println!(
        "an evaluation of {BATCH} items takes {:.0} ms, its longest node {:.1} ms; cancelled and freed at {} moments of it, the job is gone after {:.1} ms (median) and {:.1} ms (at most)",
        milliseconds(evaluation),
        milliseconds(longest),
        waits.len(),
        milliseconds(waits[waits.len() / 2]),
        milliseconds(waits[waits.len() - 1])
    );
    let bound = longest + Duration::from_millis(5);
    println!(
        "{} of {} within the longest node and 5 ms",
        waits.iter().filter(|wait| **wait <= bound).count(),
        waits.len()
    );
    Ok(())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The longest that one node of the network takes, by ONNX Runtime's profiler: the median over a few evaluations.
fn longest_node(runtime: &Runtime, path: &Path) -> Result<Duration, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let mut session = Session::builder(runtime.environment())?
        .with_intra_op_spinning(false)?
        .with_profiling(folder.path().join("profile"))?
        .commit_from_file(path)?;
    let (x, t, y) = (vec![0.5f32; BATCH * 4 * 32 * 32], vec![500i64; BATCH], vec![0i64; BATCH]);
    for _ in 0..7 {
        session.run(ort::inputs![
            TensorRef::from_array_view(([BATCH, 4, 32, 32], &x[..]))?,
            TensorRef::from_array_view(([BATCH], &t[..]))?,
            TensorRef::from_array_view(([BATCH], &y[..]))?
        ])?;
    }
    let file = PathBuf::from(session.end_profiling()?);
    let events: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(file)?)?;
    let mut runs: Vec<u64> = Vec::new();
    let mut longest = 0;
    for event in &events {
        let duration = event["dur"].as_u64().unwrap_or(0);
        match (event["cat"].as_str(), event["name"].as_str()) {
            (Some("Node"), Some(name)) if name.ends_with("_kernel_time") => longest = longest.max(duration),
            (Some("Session"), Some("model_run")) => runs.push(std::mem::take(&mut longest)),
            _ => {}
        }
    }
    runs.sort_unstable();
    Ok(Duration::from_micros(runs[runs.len() / 2]))
}
