//! What a job leaves of a host's frames. A loop at 60 Hz has work of its own in each frame. Beside it 64 sprites are
//! generated on a worker thread, with normal priority and in the background, turn by turn with the loop alone. It
//! prints how many of 300 frames were kept, how long they took, and when the first preview was there.
//!
//! Run it with `cargo bench --bench giving_way` on a machine that does nothing else. Where the loop alone keeps fewer
//! than 295 frames, it prints this and nothing more.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diffuse::run::{Run, Runner, State};
use diffuse::{Model, ModelOptions, Priority, Request, Runtime};

const FRAMES: u32 = 300;
const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 60);
/// What a frame does besides, on one core.
const WORK: Duration = Duration::from_millis(12);
const ROUNDS: usize = 5;
/// The upper ends of the histogram, in milliseconds.
const ENDS: [f64; 4] = [17.0, 20.0, 34.0, f64::INFINITY];

type Failure = Box<dyn std::error::Error>;

/// How a loop went.
#[derive(Default)]
struct Loop {
    kept: usize,
    histogram: [usize; ENDS.len()],
    preview: Option<Duration>,
}

/// Loops for as long as 300 frames take, and counts those that begin in time.
fn frames(job: Option<&Runner>) -> Loop {
    let (start, mut of_loop, mut last) = (Instant::now(), Loop::default(), Instant::now());
    let mut next = start;
    while start.elapsed() < FRAME * FRAMES {
        let begun = Instant::now();
        while begun.elapsed() < WORK {
            std::hint::spin_loop();
        }
        if of_loop.preview.is_none() && job.is_some_and(|job| job.estimates() > 0) {
            of_loop.preview = Some(start.elapsed());
        }
        // As a display does: to its next refresh.
        while next <= Instant::now() {
            next += FRAME;
        }
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let took = last.elapsed().as_secs_f64() * 1e3;
        last = Instant::now();
        of_loop.kept += 1;
        of_loop.histogram[ENDS.iter().position(|end| took <= *end).unwrap_or_default()] += 1;
    }
    of_loop
}

fn beside(runtime: &Runtime, priority: Priority) -> Result<Loop, Failure> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("onnx/models/sprites.onnx");
    let options = ModelOptions { priority, ..ModelOptions::default() };
    let model = Arc::new(Model::open(runtime, &path, &options)?);
    let request = Request { count: 64, classes: Some(vec![0; 64]), steps: Some(1000), ..Request::default() };
    let job = Runner::new(Run::new(&model, &request.with("solver", "ddim")?)?);
    job.set_priority(priority);
    job.start(None)?;
    let of_loop = frames(Some(&job));
    if job.state() != State::Running {
        return Err("the job ended before the loop did".into());
    }
    job.cancel();
    let _ = job.wait(Duration::from_secs(60));
    Ok(of_loop)
}

fn main() -> Result<(), Failure> {
    let runtime = Runtime::open(None)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("300 frames of 60 Hz with {} ms of work each, on {cores} cores; {ROUNDS} rounds", WORK.as_millis());
    let mut rounds: [Vec<Loop>; 3] = Default::default();
    for _ in 0..ROUNDS {
        rounds[0].push(frames(None));
        rounds[1].push(beside(&runtime, Priority::Normal)?);
        rounds[2].push(beside(&runtime, Priority::Background)?);
    }
    println!("| beside | frames kept (median) | least | ≤ 17 ms | ≤ 20 | ≤ 34 | more | first preview (median) |");
    println!("|---|---|---|---|---|---|---|---|");
    let mut idle = 0;
    for (name, mut loops) in ["nothing", "a job", "a job in the background"].into_iter().zip(rounds) {
        loops.sort_by_key(|of_loop| of_loop.kept);
        let histogram = ENDS.iter().enumerate().map(|(i, _)| {
            let all: usize = loops.iter().map(|of_loop| of_loop.histogram[i]).sum();
            format!("{:.1}", all as f64 / ROUNDS as f64)
        });
        let histogram: Vec<String> = histogram.collect();
        let mut previews: Vec<Duration> = loops.iter().filter_map(|of_loop| of_loop.preview).collect();
        previews.sort_unstable();
        let preview = previews.get(previews.len() / 2).map_or(String::new(), |time| format!("{} ms", time.as_millis()));
        let (median, least) = (loops[ROUNDS / 2].kept, loops[0].kept);
        println!("| {name} | {median} | {least} | {} | {preview} |", histogram.join(" | "));
        if name == "nothing" {
            idle = median;
        }
    }
    if idle < 295 {
        println!("the loop alone keeps {idle} of 300: this machine is too busy to tell");
    }
    Ok(())
}
