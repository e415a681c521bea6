//! Many jobs on one model at once, beside the same jobs one after another. It measures on the sprite model. It also
//! measures on a network of microseconds, where only the change of turns counts.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diffuse::{Model, ModelOptions, Request, Runner, Runtime};

const JOBS: usize = 2000;
const ROUNDS: usize = 5;
const FOREVER: Duration = Duration::from_secs(3600);

fn main() -> diffuse::Result<()> {
    let runtime = Runtime::open(None)?;
    let jobs = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(JOBS);
    for (path, class, steps, rounds) in
        [("onnx/fixtures/time_first.onnx", None, 10, ROUNDS), ("onnx/models/sprites.onnx", Some(3), 4, 1)]
    {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let model = Arc::new(Model::open(&runtime, &model, &ModelOptions::default())?);
        let request =
            |seed| Request { seed, steps: Some(steps), classes: class.map(|class| vec![class]), ..Request::default() };
        let runners =
            || (0..jobs).map(|i| request(i as u64).job(&model).map(Runner::new)).collect::<diffuse::Result<Vec<_>>>();
        let mut ratios = Vec::new();
        for _ in 0..rounds {
            let each = in_turn(runners()?)?;
            ratios.push(at_once(runners()?)?.as_secs_f64() / each.as_secs_f64());
        }
        ratios.sort_by(f64::total_cmp);
        println!(
            "{jobs} jobs of {steps} steps of {path} at once take {:.2} times as long as one after another (median of {rounds}; {:.2} to {:.2})",
            ratios[rounds / 2],
            ratios[0],
            ratios[rounds - 1]
        );
    }
    Ok(())
}

/// Runs each job on a worker of its own, like the others, when the one before has ended.
fn in_turn(runners: Vec<Runner>) -> diffuse::Result<Duration> {
    let start = Instant::now();
    for runner in &runners {
        runner.start(None)?;
        runner.wait(FOREVER)?;
    }
    Ok(start.elapsed())
}

fn at_once(runners: Vec<Runner>) -> diffuse::Result<Duration> {
    let start = Instant::now();
    runners.iter().try_for_each(|runner| runner.start(None))?;
    for runner in &runners {
        runner.wait(FOREVER)?;
    }
    Ok(start.elapsed())
}
