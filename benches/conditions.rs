//! What a guided step costs with a large condition, [512, 4096] for an item, on a network that does nothing. It
//! compares unguided steps, guided ones one after the other, and guided ones as one batch. Each is measured beside bare
//! calls on inputs that were made before.

#[allow(dead_code)]
#[path = "../tests/support/graph.rs"]
mod graph;

use std::sync::Arc;
use std::time::Instant;

use diffuse::{Model, ModelOptions, Request, Runtime};
use graph::{Axis, FLOAT, INT64, Tensor, node};
use ndarray::{ArrayD, IxDyn};
use ort::value::Tensor as Value;

const STEPS: usize = 50;
const ROUNDS: usize = 31;
const CONDITION: [usize; 2] = [512, 4096];

const MANIFEST: &str = r#"{"diffuse": 1, "sample": {"shape": [4]}, "schedule": {"kind": "linear"}, "prediction": "x0",
    "conditions": {"c": {"shape": [512, 4096]}}}"#;

fn main() -> diffuse::Result<()> {
    let batch = Axis::Free("batch");
    let sample = |name| Tensor(name, FLOAT, vec![batch, Axis::Of(4)]);
    let condition = Tensor("c", FLOAT, vec![batch, Axis::Of(512), Axis::Of(4096)]);
    let inputs = [sample("x"), Tensor("t", INT64, vec![batch]), condition];
    let graph = graph::model(&[node("Identity", &["x"], &["out"], &[])], &[], &inputs, &[sample("out")], MANIFEST);
    let options = ModelOptions { threads: 1, ..ModelOptions::default() };
    let model = Arc::new(Model::from_bytes(&Runtime::open(None)?, &graph, &options)?);
    for (label, pairing, calls, items) in
        [("unguided", None, 1, 1), ("sequential", Some("sequential"), 2, 1), ("batched", Some("batched"), 1, 2)]
    {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let bare = bare(&model, items) * calls as f64;
            rounds.push((step(&model, pairing)? - bare, bare));
        }
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let above = |share: usize| rounds[(ROUNDS - 1) * share / 4].0;
        println!(
            "{label:10}: a step takes {:.4} ms more than its {calls} bare call{} (quartiles {:.4} to {:.4}; they take {:.4} ms)",
            above(2),
            if calls == 1 { "" } else { "s" },
            above(1),
            above(3),
            rounds[ROUNDS / 2].1,
        );
    }
    Ok(())
}

fn condition(value: f32) -> Arc<diffuse::tensor::Tensor> {
    Arc::new(ArrayD::from_elem(IxDyn(&CONDITION), value).into())
}

/// Milliseconds of a step after the first.
fn step(model: &Arc<Model>, pairing: Option<&str>) -> diffuse::Result<f64> {
    let mut request = Request { steps: Some(STEPS + 1), ..Request::default() }.with("solver", "ddim")?;
    request.conditions.insert("c".into(), condition(0.5));
    if let Some(pairing) = pairing {
        request = request.with("guidance_scale", 3)?.with("guidance_pairing", pairing)?;
        request.negative_conditions.insert("c".into(), condition(-0.5));
    }
    let mut job = request.job(model)?;
    job.step()?;
    let start = Instant::now();
    while !job.step()?.is_finished() {}
    Ok(start.elapsed().as_secs_f64() * 1e3 / STEPS as f64)
}

/// Milliseconds of a call of the session, on this many items.
fn bare(model: &Model, items: usize) -> f64 {
    let network = model.network().unwrap_or_else(|| panic!("there is a graph"));
    let made = || -> ort::Result<_> {
        Ok((
            Value::from_array(([items, 4], vec![0.5f32; items * 4]))?,
            Value::from_array(([items], vec![7i64; items]))?,
            Value::from_array((
                [items, CONDITION[0], CONDITION[1]],
                vec![0.5f32; items * CONDITION[0] * CONDITION[1]],
            ))?,
        ))
    };
    let (x, t, c) = made().unwrap_or_else(|error| panic!("{error}"));
    let time = network.with_session(|session| {
        let start = Instant::now();
        for _ in 0..STEPS {
            let outputs = session.run(ort::inputs![&x, &t, &c]).unwrap_or_else(|error| panic!("{error}"));
            std::hint::black_box(&outputs);
        }
        start.elapsed().as_secs_f64() * 1e3 / STEPS as f64
    });
    time.unwrap_or(f64::NAN)
}
