//! What a job costs a host's frame, on a worker thread and within the frame, through the C interface. It also measures
//! the memory that a thousand jobs leave behind.

use std::ffi::CString;
use std::path::Path;
use std::time::{Duration, Instant};

use diffuse::Runtime;
use diffuse::capi::*;

const FRAME: Duration = Duration::from_nanos(16_666_667);
const CYCLES: usize = 1000;

/// Values of each item of the sprites.
const ITEM: usize = 4 * 32 * 32;

fn main() -> diffuse::Result<()> {
    let runtime = Runtime::open(None)?;
    let model = open(&runtime);
    polls(model);
    frames(model);
    budgets(model);
    cycles(model);
    // SAFETY: made by `open`, freed once.
    unsafe { diffuse_model_free(model) };
    Ok(())
}

fn check(status: i32) {
    assert_eq!(status, DIFFUSE_OK);
}

/// The sprites on one thread, so that the host has a core to itself.
fn open(runtime: &Runtime) -> *mut diffuse_model {
    let text = |path: &Path| CString::new(path.to_str().unwrap_or_default()).unwrap_or_default();
    let path = text(&Path::new(env!("CARGO_MANIFEST_DIR")).join("onnx/models/sprites.onnx"));
    let (mut handle, mut options, mut model) = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: live strings, writable places for the handles, and handles that were made before they are used.
    unsafe {
        check(diffuse_runtime_open(text(runtime.path()).as_ptr(), &raw mut handle));
        check(diffuse_model_options_new(&raw mut options));
        check(diffuse_model_options_set_threads(options, 1));
        check(diffuse_model_open(handle, path.as_ptr(), options, &raw mut model));
        diffuse_model_options_free(options);
        diffuse_runtime_free(handle);
    }
    model
}

fn job(model: *mut diffuse_model, count: usize, steps: usize) -> *mut diffuse_job {
    let (mut request, mut job) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: as above; the classes are copied.
    unsafe {
        check(diffuse_request_new(&raw mut request));
        check(diffuse_request_set_classes(request, vec![0i64; count].as_ptr(), count));
        check(diffuse_request_set_number(request, c"steps".as_ptr(), steps as f64));
        check(diffuse_job_new(model, request, &raw mut job));
        diffuse_request_free(request);
    }
    job
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The value that `share` of the sorted ones lie below.
fn at(sorted: &[Duration], share: f64) -> f64 {
    microseconds(sorted[((sorted.len() - 1) as f64 * share) as usize])
}

fn polls(model: *mut diffuse_model) {
    const POLLS: u32 = 10_000;
    let job = job(model, 16, 1000);
    let mut each: Vec<Duration> = Vec::new();
    let mut state = 0;
    // SAFETY: handles of the library, and a place for the state.
    unsafe {
        check(diffuse_job_start(job));
        for _ in 0..100 {
            let start = Instant::now();
            for _ in 0..POLLS {
                check(diffuse_job_poll(job, &raw mut state));
            }
            each.push(start.elapsed() / POLLS);
            assert_eq!(state, DIFFUSE_JOB_RUNNING);
        }
        diffuse_job_free(job);
    }
    each.sort();
    println!(
        "diffuse_job_poll while the worker runs: {:.3} µs (median of 100 times {POLLS}), {:.3} µs at most",
        at(&each, 0.5),
        at(&each, 1.0)
    );
}

/// What a loop at 60 Hz does in each frame: start, poll, read the progress, draw the preview.
fn frames(model: *mut diffuse_model) {
    const FRAMES: usize = 600;
    let mut pixels = vec![0u8; ITEM];
    let (mut works, mut starts, mut drawn) = (Vec::new(), Vec::new(), 0);
    let mut handle = std::ptr::null_mut();
    let (mut state, mut step, mut steps, mut seen) = (DIFFUSE_JOB_FINISHED, 0, 0, 0);
    let mut next = Instant::now();
    for _ in 0..FRAMES {
        next += FRAME;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let start = Instant::now();
        // SAFETY: handles of the library, places for what is stored, and room for the pixels.
        unsafe {
            if state == DIFFUSE_JOB_FINISHED {
                diffuse_job_free(handle);
                handle = job(model, 1, 50);
                check(diffuse_job_start(handle));
                seen = 0;
            }
            check(diffuse_job_poll(handle, &raw mut state));
            check(diffuse_job_progress(handle, &raw mut step, &raw mut steps));
            if step > seen {
                seen = step;
                check(diffuse_job_preview_pixels(handle, 0, pixels.as_mut_ptr(), pixels.len(), 128, 0));
                drawn += 1;
            }
        }
        works.push(start.elapsed());
        if seen == 0 {
            starts.push(start.elapsed());
        }
    }
    // SAFETY: as above.
    unsafe { diffuse_job_free(handle) };
    works.sort();
    starts.sort();
    println!(
        "the calling thread's own work in {FRAMES} frames at 60 Hz, with {} starts and {drawn} previews: {:.1} µs (median), {:.1} µs (99 %), {:.1} µs (at most); with a start {:.1} µs (median)",
        starts.len(),
        at(&works, 0.5),
        at(&works, 0.99),
        at(&works, 1.0),
        at(&starts, 0.5)
    );
}

/// How far `diffuse_job_advance` goes over its time, beside how much the evaluations themselves differ.
fn budgets(model: *mut diffuse_model) {
    const BUDGET: Duration = Duration::from_micros(4000);
    let (mut overruns, mut evaluations, mut idle) = (Vec::new(), Vec::new(), 0);
    let (mut step, mut steps, mut finished, mut expected, mut longer) = (0, 0, 0, 0, 0);
    // SAFETY: handles of the library and places for what is stored.
    unsafe {
        for _ in 0..10 {
            let stepped = job(model, 1, 100);
            for _ in 0..100 {
                let start = Instant::now();
                check(diffuse_job_step(stepped, &raw mut finished));
                evaluations.push(start.elapsed());
            }
            diffuse_job_free(stepped);
            let budgeted = job(model, 1, 200);
            check(diffuse_job_step(budgeted, &raw mut finished));
            let mut before = 1;
            while finished == 0 {
                // Where nothing fits, what a step takes, so that a busy machine draws as well.
                check(diffuse_job_expected(budgeted, &raw mut expected));
                let budget = BUDGET.max(Duration::from_micros(expected));
                longer += usize::from(budget > BUDGET);
                let start = Instant::now();
                check(diffuse_job_advance(budgeted, budget.as_micros() as u64, &raw mut finished));
                let taken = start.elapsed();
                check(diffuse_job_progress(budgeted, &raw mut step, &raw mut steps));
                if step == before {
                    idle += 1;
                } else {
                    overruns.push(taken.saturating_sub(budget));
                }
                before = step;
                std::thread::sleep(Duration::from_millis(1));
            }
            diffuse_job_free(budgeted);
        }
    }
    evaluations.sort();
    overruns.sort();
    println!(
        "an evaluation takes {:.0} µs (median), {:.0} to {:.0} µs (1 to 99 %), {:.0} µs at most",
        at(&evaluations, 0.5),
        at(&evaluations, 0.01),
        at(&evaluations, 0.99),
        at(&evaluations, 1.0)
    );
    println!(
        "{} calls of diffuse_job_advance with {} µs worked ({idle} found that nothing fits, {longer} were given what a step takes instead); they took longer than that by",
        overruns.len(),
        BUDGET.as_micros()
    );
    let mut from = 0;
    for bound in [0, 50, 100, 200, 500, 1000, 2000, 4000, u64::MAX] {
        let within = |taken: &&Duration| **taken <= Duration::from_micros(bound);
        let until = if bound == u64::MAX { overruns.len() } else { overruns.iter().filter(within).count() };
        let name = if bound == u64::MAX { "more".to_owned() } else { format!("≤ {bound} µs") };
        println!("  {name:>10} {:>5} {}", until - from, "#".repeat((until - from) * 60 / overruns.len().max(1)));
        from = until;
    }
}

/// Resident memory after a thousand jobs, each on its worker, and after as many models.
fn cycles(model: *mut diffuse_model) {
    let mut resident = Vec::new();
    for cycle in 0..=CYCLES {
        let handle = job(model, 1, 4);
        let mut state = 0;
        // SAFETY: as above.
        unsafe {
            check(diffuse_job_start(handle));
            check(diffuse_job_wait(handle, 60_000, &raw mut state));
            diffuse_job_free(handle);
        }
        if cycle % (CYCLES / 10) == 0 {
            resident.push(resident_kib());
        }
    }
    println!("resident memory at every hundredth of {CYCLES} jobs, in KiB: {resident:?}");
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}
