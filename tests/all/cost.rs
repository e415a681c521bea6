//! What a run is said to take is what it takes.

use std::sync::Arc;
use std::time::Instant;

use diffuse::sample::Canceller;
use diffuse::{Model, Request};

use crate::support::{alone, model};

fn request(model: &Model, count: usize) -> Request {
    let class = model.class("heart").unwrap();
    Request { count, classes: Some(vec![class; count]), steps: Some(20), ..Request::default() }
}

/// A field of /proc/self/status, in bytes.
#[cfg(target_os = "linux")]
fn status(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn evaluations_time_and_memory_are_as_said() {
    // Memory is that of the process.
    if !alone("cost::evaluations_time_and_memory_are_as_said") {
        return;
    }
    let model = model("onnx/models/sprites.onnx");
    counts(&model);
    #[cfg(target_os = "linux")]
    memory(&model);
}

fn counts(model: &Arc<Model>) {
    for (solver, evaluations) in
        [("ddim", Some(20)), ("heun", Some(39)), ("unipc", Some(20)), ("dpm2", Some(39)), ("rk45", None)]
    {
        let request = request(model, 1).with("solver", solver).unwrap();
        let cost = request.cost(model, &Canceller::default()).unwrap();
        let start = Instant::now();
        if solver == "rk45" {
            assert!(cost.time.is_none());
        } else {
            request.job(model).unwrap().run().unwrap();
            println!("{solver}: {:?} said, {:?} taken", cost.time.unwrap(), start.elapsed());
            assert!(!cost.time.unwrap().is_zero());
        }
        assert_eq!(cost.evaluations, evaluations, "{solver}");
    }
    // What guidance keeps is counted: the answer without the class (so many items are not asked as one batch of twice
    // the size), and of APG two tensors in f64.
    let [plain, guided, projected] =
        [&[][..], &[("guidance_scale", "2")], &[("guidance_scale", "2"), ("guidance_form", "apg")]].map(|pairs| {
            let mut request = Request { negative_classes: None, ..request(model, 64) };
            pairs.iter().for_each(|(key, value)| request.set(key, value).unwrap());
            request.job(model).map(|mut job| job.step().map(|_| job.bytes())).unwrap().unwrap()
        });
    let tensor = 4 * 64 * 4096;
    assert_eq!((guided - plain, projected - guided), (tensor, 4 * tensor));
    // Of a single step as well, and with a callback that is not called.
    let one = Request { steps: Some(1), ..request(model, 1) };
    assert_eq!(one.cost(model, &Canceller::default()).unwrap().evaluations, Some(1));
}

#[cfg(target_os = "linux")]
fn memory(model: &Arc<Model>) {
    let small = request(model, 1).cost(model, &Canceller::default()).unwrap();
    let before = status("VmRSS");
    // What it takes at most it takes in every step.
    let request = Request { steps: Some(3), ..request(model, 256) };
    let large = request.cost(model, &Canceller::default()).unwrap();
    request.job(model).unwrap().run().unwrap();
    let grown = status("VmHWM") - before;
    let said = large.peak_bytes - small.peak_bytes;
    println!("said {} and {}, grown by {grown}", small.peak_bytes, large.peak_bytes);
    assert!((0.7..1.4).contains(&(said as f64 / grown as f64)), "{said} bytes more were said, and {grown} taken");
    // What the large run has left behind is not counted for a small one.
    let again = self::request(model, 1).cost(model, &Canceller::default()).unwrap();
    assert!(again.peak_bytes < 2 * small.peak_bytes, "{again:?} after {small:?}");
    // And is given back when that is asked for.
    request.job(model).unwrap().step().unwrap();
    let held = (model.memory().unwrap(), status("VmRSS"));
    model.trim(&Canceller::default()).unwrap();
    let left = (model.memory().unwrap(), status("VmRSS"));
    println!("held {held:?}, left {left:?} (ONNX Runtime's, the process's)");
    assert!(left.0 * 4 < held.0 && left.1 + held.0 / 4 < held.1);
    model.trim(&Canceller::default()).unwrap();
}
