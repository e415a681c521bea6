//! Runs beside diffusers' with a network that looks at x and t: what it is told at every evaluation, and the end.
//! `onnx/goldens_live.py` wrote them. Recorded outputs, which tests/all/schedulers.rs compares with, do not see what a
//! network is told.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use diffuse::model::{DEPARTURES, Manifest, Schedule, SchedulerConfig};
use diffuse::network::HostNetwork;
use diffuse::{Model, Request};
use ndarray::ArrayD;
use serde_json::Value;

use crate::support::{Goldens, agree, repository};

/// A run, and what it is told.
struct Case {
    value: Value,
    seed: u64,
    count: usize,
    shape: Vec<usize>,
}

/// What the network was told and what came out.
struct Run {
    inputs: Vec<Vec<f32>>,
    times: Vec<f64>,
    end: Vec<f32>,
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(repository("onnx/goldens/live.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let shape: Vec<usize> = serde_json::from_value(file["shape"].clone()).unwrap();
    let of = |value: &Value| Case {
        value: value.clone(),
        seed: file["seed"].as_u64().unwrap(),
        count: file["count"].as_u64().unwrap() as usize,
        shape: shape.clone(),
    };
    file["cases"].as_array().unwrap().iter().map(of).collect()
}

/// The network of `onnx/live.py`, of items of `shape`: channels, height, width.
fn network(x: &[f32], t: f64, shape: &[usize], learned: &str, out: &mut [f32]) {
    let [channels, height, width] = shape[..] else { panic!("{shape:?}") };
    let length = channels * height * width;
    let doubled = if learned.is_empty() { 1 } else { 2 };
    for (item, out) in x.chunks(length).zip(out.chunks_mut(doubled * length)) {
        let at = |c: usize, row: usize, column: usize| f64::from(item[(c * height + row) * width + column]);
        for (i, value) in item.iter().enumerate() {
            let (column, row, channel) = (i % width, i / width % height, i / width / height);
            let left = at(channel, row, (column + width - 1) % width);
            let before = at((channel + channels - 1) % channels, row, column);
            let said = 1.1 * (0.9 * f64::from(*value)).tanh() + 0.2 * (0.7 * left - 0.2).tanh();
            out[i] = (said - 0.1 * before.tanh() + 0.1 * (t - 0.5)) as f32;
            if !learned.is_empty() {
                let x = f64::from(*value);
                let variance = if learned == "learned" { 0.02 + 0.01 * x.tanh() } else { (0.3 * x).clamp(-1.0, 1.0) };
                out[length + i] = variance as f32;
            }
        }
    }
}

impl Case {
    fn text(&self, key: &str) -> &str {
        self.value[key].as_str().unwrap()
    }

    fn request(&self) -> Request {
        let config = SchedulerConfig::parse(self.text("config")).unwrap_or_else(|error| panic!("{error}"));
        let mut request = Request { seed: self.seed, count: self.count, ..Request::default() };
        request.set_scheduler_config(&config).unwrap();
        request.set("compat", "diffusers").unwrap();
        request.set("noise", "torch").unwrap();
        for (key, value) in self.value["options"].as_object().unwrap() {
            request.set(key, value.as_str().unwrap()).unwrap();
        }
        if request.options.get("strength").is_some() {
            request.image = Some(Arc::new(ArrayD::zeros(self.shape.clone())));
        }
        request
    }

    fn run(&self) -> diffuse::Result<Run> {
        let told = Arc::new(Mutex::new((Vec::new(), Vec::new())));
        let (noted, shape) = (Arc::clone(&told), self.shape.clone());
        let (unit, learned) = (self.value["unit"].as_f64().unwrap(), self.text("learned").to_owned());
        let host = HostNetwork::new(move |question, out: &mut [f32]| {
            let mut noted = noted.lock().unwrap();
            noted.0.push(question.input.to_vec());
            noted.1.push(question.time);
            network(question.input, question.time / unit, &shape, &learned, out);
            Ok(())
        });
        let model = Arc::new(Model::from_host(&self.value["manifest"].to_string(), Arc::new(host))?);
        let end = self.request().job(&model)?.run()?.into_raw_vec_and_offset().0;
        let (inputs, times) = std::mem::take(&mut *told.lock().unwrap());
        Ok(Run { inputs, times, end })
    }

    /// How far a run is from diffusers', as a share of the greatest |x|, and in the times that the network is told.
    fn distances(&self, run: &Run, expected: &[f32]) -> (f64, f64) {
        let length = run.end.len();
        let found = run.inputs.iter().chain([&run.end]).flatten();
        assert_eq!(expected.len(), (run.inputs.len() + 1) * length, "{}: evaluations", self.text("name"));
        let furthest = greatest(found.zip(expected).map(|(a, b)| f64::from((a - b).abs())));
        let times = self.value["times"].as_array().unwrap().iter().map(|t| t.as_f64().unwrap());
        let off = greatest(run.times.iter().zip(times).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)));
        (furthest / self.value["greatest"].as_f64().unwrap(), off)
    }
}

/// The σ of every level are diffusers': of its own variance-preserving schedulers σ/α.
#[test]
fn every_level_is_diffusers() {
    let mut compared = 0;
    for case in cases() {
        let name = case.text("name");
        let mut expected: Vec<f64> = serde_json::from_value(case.value["sigmas"].clone()).unwrap();
        if expected.is_empty() {
            continue;
        }
        let manifest = Manifest::parse(&case.value["manifest"].to_string()).unwrap();
        let grid = case.request().plan(&manifest).unwrap().grid;
        let is_straight = matches!(manifest.schedule, Schedule::Flow { .. });
        let found = grid.levels().iter().map(|level| if is_straight { level.sigma } else { level.noise_to_signal() });
        if case.value["options"].get("strength").is_some() {
            expected.drain(..expected.len() - grid.levels().len());
        }
        if grid.levels().len() != expected.len() {
            // Heun's has those within a run twice.
            expected.dedup();
        }
        let inverted = case.text("config").contains("\"invert_sigmas\": true");
        if inverted {
            // Counted from the other end there.
            expected.iter_mut().for_each(|sigma| *sigma = 1.0 - *sigma);
        }
        let least = if inverted { 1.0 } else { 1e-9 };
        assert_eq!(grid.levels().len(), expected.len(), "{name}");
        let off = greatest(found.zip(&expected).map(|(a, b)| (a - b).abs() / b.abs().max(least)));
        assert!(off < 1e-6, "{name}: {off:e}");
        compared += expected.len();
    }
    println!("{compared} levels");
    assert!(compared > 700);
}

/// The greatest of them; infinity where one is no number.
fn greatest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |most, value| if value.is_nan() { f64::INFINITY } else { most.max(value) })
}

#[test]
fn every_run_is_diffusers() {
    let goldens = Goldens::open("onnx/goldens/live.safetensors");
    let (mut wrong, mut furthest, mut evaluations) = (Vec::new(), 0f64, 0);
    let cases = cases();
    for case in &cases {
        let name = case.text("name");
        let run = case.run().unwrap_or_else(|error| panic!("{name}: {error}"));
        evaluations += run.inputs.len();
        let expected = goldens.tensor(name);
        let (distance, time) = case.distances(&run, expected.as_slice().unwrap());
        furthest = furthest.max(distance);
        // KDPM2's middle times are found in f32 there.
        let bound = if case.text("config").contains("KDPM2") { 1e-5 } else { 1e-6 };
        if distance > 1e-5 || time > bound {
            wrong.push(format!("{name}: {distance:.1e}, times {time:.1e}"));
        }
    }
    println!("{} runs, {evaluations} evaluations, the furthest {furthest:.1e}·max(1, max|x|) away", cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() > 100 && evaluations > 1500);
}

/// A wrong step would be seen: by the papers some run is another for each of diffusers' departures that is followed,
/// and lists it.
#[test]
fn every_departure_that_is_followed_makes_a_difference() {
    let goldens = Goldens::open("onnx/goldens/live.safetensors");
    let (mut differ, mut listed) = (0, Vec::new());
    for mut case in cases() {
        case.value["options"]["compat"] = "papers".into();
        let Ok(run) = case.run() else { continue };
        let expected = goldens.tensor(case.text("name"));
        let as_many = run.end.len() * (run.inputs.len() + 1) == expected.len();
        if !as_many || case.distances(&run, expected.as_slice().unwrap()).0 > 1e-5 {
            differ += 1;
            listed.extend(case.request().departures());
        }
    }
    println!("{differ} of {} runs are others by the papers", cases().len());
    let followed = DEPARTURES.iter().filter(|departure| departure.refused.is_none());
    let unseen: Vec<_> = followed
        .filter(|departure| !listed.iter().any(|line| line.contains(departure.diffusers)))
        .map(|departure| departure.diffusers)
        .collect();
    assert!(unseen.is_empty(), "no run shows that {}", unseen.join("\nnor that "));
}

/// What `tests/DIFFUSERS.md` says of real files and of every departure.
#[test]
fn the_page_of_departures_is_fresh() {
    let mut page = String::from(
        "# Every difference from diffusers

This page has configurations that were run beside diffusers 0.42.1, every known difference, and what is refused.
[Beside diffusers](../docs/diffusers.md) explains how the two are compared. `tests/all/live.rs` generates it from
[live.json](../onnx/goldens/live.json) (`onnx/goldens_live.py`) and the library's list of departures.

## Configurations as repositories publish them

Each configuration is run with `compat diffusers`, torch's noise, and a network that looks at x and t. A run has 25
steps, but for FLUX.1-schnell's, which has the 4 of its pipeline. The network's input and time at every evaluation, and
the end, are within 1e-5·max(1, max|x|) of diffusers'. The levels are within 1e-6.

Two classes of diffusers draw from a Brownian tree. The same independent noise replaces it on both sides. More runs than
these are compared: those that a search once found to differ, and the other classes.

| file | class | evaluations | ignored |
|---|---|---|---|
",
    );
    for case in cases().iter().filter(|case| !case.text("name").starts_with(|first: char| first.is_ascii_digit())) {
        let config = SchedulerConfig::parse(case.text("config")).unwrap();
        let evaluations = case.value["times"].as_array().unwrap().len();
        let ignored: Vec<String> = config.ignored.iter().map(|field| format!("`{field}`")).collect();
        let _ = writeln!(
            page,
            "| `{}` | {} | {evaluations} | {} |",
            case.text("name"),
            config.class.trim_end_matches("Scheduler"),
            ignored.join(", ")
        );
    }
    page += "
## Where the two differ

A request lists those of its run: `diffuse_request_departures()` in C and `Request::departures` in Rust. The command
line prints them.

| diffusers' | does | diffuse | with `compat diffusers` |
|---|---|---|---|
";
    for departure in DEPARTURES {
        let compat = departure.refused.map_or("followed".to_owned(), |why| format!("not followed: {why}"));
        let _ = writeln!(page, "| {} | {} | {} | {compat} |", departure.of, departure.diffusers, departure.here);
    }
    page += "
## What diffusers accepts and is refused here

Each of these is an error that names the field or option.

| what | why |
|---|---|
";
    for (what, why) in REFUSED {
        let _ = writeln!(page, "| {what} | {why} |");
    }
    agree("tests/DIFFUSERS.md", &page);
}

/// What is refused that diffusers takes.
const REFUSED: &[(&str, &str)] = &[
    ("a key that is there twice", "Python takes the last; which one was meant is not to be known"),
    (
        "a field that no class of diffusers has or had",
        "it is a misspelling of one, whose default would be taken silently",
    ),
    ("`fixed_large_log`", "diffusers takes the root of a logarithm, which is no number"),
    (
        "ε at zero terminal SNR (`ZeroSnr`: DDPM, DDIM, LCM, TCD), and ε or v with `use_flow_sigmas`",
        "nothing of x̂₀ can be found from ε where nothing of the sample is left; diffusers divides by 0, and clips what comes of it",
    ),
    (
        "`use_karras_sigmas` and its kin beside each other, or beside `use_flow_sigmas` (of UniPC's Karras alone goes with it)",
        "one of them counts in diffusers, by the order of its code",
    ),
    (
        "levels whose σ/α rises, such as those of a floor of 2⁻²⁴ on β that leave less before",
        "the noise would have to come back",
    ),
    ("`tau_func`, `solver_p`, `scale_factors`", "they are code, or another scheduler"),
    (
        "`use_clipped_model_output` with thresholding",
        "there is no option for the two; with clipping it is `clipping on`",
    ),
    ("`sde-dpmsolver` with `solver_order` 3", "it has no third order; diffusers fails in the step that would take it"),
    ("`trained_betas` of IPNDM", "diffusers takes them for the noise itself"),
    (
        "RePaint",
        "its grid rises again and again, which plans, snapshots and progress have no place for; a mask with any other solver keeps the known part",
    ),
    ("`mu` or `tokens` where the configuration does not shift by them", "diffusers ignores μ there silently"),
    (
        "`trained_betas` that are not `num_train_timesteps`, in CogVideoX's without `snr_shift_scale` 1",
        "a time would be another's; diffusers ignores the shift there silently",
    ),
    (
        "more steps than a multistep solver has different levels for",
        "it would divide by 0; diffusers makes NaN of the samples, or an IndexError",
    ),
    (
        "`sample_max_value` below 1, a shift outside of 0.001 to 1000, and what else is beyond the options' ranges",
        "no model is sampled with it, and what comes of it is not meant",
    ),
    ("`sigmas` with `timesteps`, and either where the class takes none", "one of the two is the grid"),
];
