//! What a run costs beside its evaluations. It compares 50 DDIM steps of the sprite model with 50 bare calls of the
//! same session, turn by turn in one process. It does the same with guidance, beside bare calls on batches of two. It
//! prints the ratios.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diffuse::{Model, ModelOptions, Request, Runtime};
use ort::value::TensorRef;

const STEPS: usize = 50;
const ROUNDS: usize = 31;

fn main() -> diffuse::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("onnx/models/sprites.onnx");
    for threads in [1, 2] {
        let options = ModelOptions { threads, ..ModelOptions::default() };
        let model = Arc::new(Model::open(&Runtime::open(None)?, &path, &options)?);
        for (batch, what) in [(1, "DDIM steps"), (2, "guided DDIM steps")] {
            // The first round warms caches and the allocator of ONNX Runtime up.
            bare(&model, batch);
            job(&model, batch)?;
            let mut rounds = Vec::new();
            for round in 0..ROUNDS {
                // Which goes first alternates, so that a drift of the machine favours neither.
                let (bare, job) = if round % 2 == 0 {
                    let bare = bare(&model, batch);
                    (bare, job(&model, batch)?)
                } else {
                    let job = job(&model, batch)?;
                    (bare(&model, batch), job)
                };
                rounds.push((job.as_secs_f64() / bare.as_secs_f64(), bare));
            }
            rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
            let ratio = |share: usize| rounds[(ROUNDS - 1) * share / 4].0;
            println!(
                "{threads} threads: {STEPS} {what} cost {:.4} times {STEPS} bare calls on {batch} (quartiles {:.4} to {:.4}; a call takes {:.2} ms)",
                ratio(2),
                ratio(1),
                ratio(3),
                rounds[ROUNDS / 2].1.as_secs_f64() * 1e3 / STEPS as f64
            );
        }
    }
    Ok(())
}

/// A run. It is guided if the network evaluates two items at once.
fn job(model: &Arc<Model>, batch: usize) -> diffuse::Result<Duration> {
    let request = Request { classes: Some(vec![0]), steps: Some(STEPS), ..Request::default() };
    let request = if batch == 2 { request.with("guidance_scale", 3)? } else { request };
    let start = Instant::now();
    request.job(model)?.run()?;
    Ok(start.elapsed())
}

fn bare(model: &Model, batch: usize) -> Duration {
    let x = vec![0.5f32; batch * 4 * 32 * 32];
    let start = Instant::now();
    for step in 0..STEPS {
        let (t, y) = (vec![(STEPS - step) as i64 * 20 - 1; batch], vec![0i64; batch]);
        model.network().unwrap().with_session(|session| {
            let mut run = || -> ort::Result<f32> {
                let inputs = ort::inputs![
                    TensorRef::from_array_view(([batch, 4, 32, 32], &x[..]))?,
                    TensorRef::from_array_view(([batch], &t[..]))?,
                    TensorRef::from_array_view(([batch], &y[..]))?
                ];
                let outputs = session.run(inputs)?;
                Ok(outputs[0].try_extract_tensor::<f32>()?.1[0])
            };
            std::hint::black_box(run()).unwrap_or_else(|error| panic!("{error}"))
        });
    }
    start.elapsed()
}
