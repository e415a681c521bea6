//! The shipped models on an NVIDIA GPU beside the CPU: `cargo test --test gpu`. Without a GPU it says so and passes;
//! README.md beside this file says what has to be there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use diffuse::denoiser::Condition;
use diffuse::network::Provider;
use diffuse::run::{Run, Work};
use diffuse::sample::Canceller;
use diffuse::schedule::Tables;
use diffuse::{Error, Model, ModelOptions, Request, Runtime};
use ndarray::ArrayD;

/// How far a GPU may be from the CPU, relative to max(1, |x̂₀|), in f32.
const BOUND: f64 = 1e-3;
/// The same of the noise that is predicted, where factors are rounded to 10 bits: some units in its last place. x̂₀ is
/// no measure there, since it divides the noise by α, which is 1/128 at the noisiest level.
const COARSE_BOUND: f64 = 5e-3;
/// How far the pictures of a pipeline may be apart, of 2.
const PICTURES_BOUND: f64 = 4.0 / 255.0;

fn main() {
    if let Err(why) = driver() {
        println!("\nSKIPPED: there is no NVIDIA GPU here ({why}), so that nothing was tried on CUDA and TensorRT.\n");
        return;
    }
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("NVIDIA_TF32_OVERRIDE", "0") };
    let library = Path::new("onnx/runtime-cuda");
    assert!(library.is_dir(), "there is a GPU, but no ONNX Runtime for it: python3 onnx/setup.py --provider cuda");
    let runtime = Runtime::open(Some(library)).unwrap();
    println!("ONNX Runtime {} at {}", runtime.version(), runtime.path().display());
    println!(
        "| model | provider | furthest x̂₀ from the CPU's | furthest noise | 20 steps, furthest | ms an evaluation, batch 1 | batch 16 | times the CPU's speed |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut failed = Vec::new();
    for name in ["models/sprites", "models/swiss_roll", "fixtures/half"] {
        for (label, providers) in [
            ("cuda", vec![provider("cuda", &[])]),
            ("tensorrt", vec![provider("tensorrt", &[]), provider("cuda", &[])]),
            (
                "tensorrt, trt_fp16_enable",
                vec![provider("tensorrt", &[("trt_fp16_enable", "1")]), provider("cuda", &[])],
            ),
        ] {
            // TensorRT takes TF32 unless the environment says otherwise, which `main` made it say.
            let exact = !label.contains("tf32") && !label.contains("fp16") && !name.ends_with("half");
            let options = ModelOptions { providers, ..ModelOptions::default() };
            match row(&runtime, name, label, &options) {
                Ok([denoised, _]) if exact && denoised >= BOUND => {
                    failed.push(format!("x̂₀ of {name} on {label} is off by {denoised:e}"))
                }
                Ok([_, noise]) if noise >= COARSE_BOUND => {
                    failed.push(format!("the noise of {name} on {label} is off by {noise:e}"))
                }
                Ok(_) => {}
                // CUDA has to be there; TensorRT's libraries are an addition.
                Err(Error::Provider { reason, .. }) if label.starts_with("tensorrt") && reason.contains("library") => {
                    println!("| {name} | {label} | not tried: {reason} | | | | | |")
                }
                Err(error) => failed.push(format!("{name} on {label}: {error}")),
            }
        }
    }
    println!("\n| pipeline | furthest picture from the CPU's, of 2 |\n|---|---|");
    for name in ["sd", "sdxl", "lcm", "dit"] {
        match pictures(&runtime, name) {
            Ok(furthest) if furthest < PICTURES_BOUND => println!("| {name} | {furthest:.1e} |"),
            Ok(furthest) => failed.push(format!("the picture of {name} is off by {furthest:e}")),
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// How far the picture is from the CPU's that the pipeline in a folder draws on CUDA.
fn pictures(runtime: &Runtime, name: &str) -> diffuse::Result<f64> {
    let folder = format!("onnx/pipelines/{name}");
    let prompts = if name == "dit" { Vec::new() } else { vec!["a fox".to_owned()] };
    let request = Request { seed: 1, prompts, steps: Some(6), ..Request::default() };
    let drawn = |providers: Vec<Provider>| -> diffuse::Result<ArrayD<f32>> {
        let options = ModelOptions { providers, ..ModelOptions::default() };
        let model = Arc::new(Model::open(runtime, Path::new(&folder), &options)?);
        let mut run = Run::new(&model, &request)?;
        while !run.is_finished() {
            run.step()?;
        }
        Ok(run.sample().expect("it has finished").to_owned())
    };
    let (here, there) = (drawn(Vec::new())?, drawn(vec![provider("cuda", &[])])?);
    Ok(here.iter().zip(&there).fold(0.0, |worst, (a, b)| worst.max(f64::from((a - b).abs()))))
}

/// How far x̂₀ is from the CPU's, and the noise that is predicted.
fn row(runtime: &Runtime, name: &str, label: &str, options: &ModelOptions) -> diffuse::Result<[f64; 2]> {
    let path = PathBuf::from(format!("onnx/{name}.onnx"));
    let here = Arc::new(Model::open(runtime, &path, &ModelOptions::default())?);
    let there = Arc::new(Model::open(runtime, &path, options)?);
    let placement = there.placement();
    if let Some(skipped) = placement.skipped.first().filter(|_| label.starts_with("tensorrt")) {
        return Err(Error::Provider { provider: skipped.provider.clone(), reason: skipped.reason.clone() });
    }
    assert!(label.starts_with(&placement.provider), "{label}: {placement:?}");
    let nodes = |cpu: bool| -> usize {
        placement.nodes.iter().filter(|share| (share.provider == "cpu") == cpu).map(|share| share.nodes).sum()
    };
    // What free axes leave to the CPU are sums over shapes, never the network's own work.
    assert!(nodes(true) <= nodes(false), "{label}: the CPU has most of it: {placement:?}");
    let schedule = here.manifest().schedule.build(Tables::Exact)?;
    let (mut furthest, mut noise): (f64, f64) = (0.0, 0.0);
    for t in [20.0, 500.0, 980.0] {
        let level = schedule.level(t);
        let (x, condition) = samples(&here, 3);
        let [a, b] = [&here, &there].map(|model| model.denoise(x.view(), level, &condition, &Canceller::default()));
        let (a, b) = (a?, b?);
        furthest = furthest.max(distance(&a, &b));
        let noise_of = |denoised: &ArrayD<f32>| (&x - denoised * level.alpha as f32) / level.sigma as f32;
        noise = noise.max(distance(&noise_of(&a), &noise_of(&b)));
    }
    let classes = here.manifest().classes.as_ref().map(|_| vec![0, 1]);
    let request = Request { seed: 1, count: 2, classes, steps: Some(20), ..Request::default() };
    let run = distance(&request.job(&here)?.run()?, &request.job(&there)?.run()?);
    let [one, many] = [1, 16].map(|count| Ok::<_, Error>((time(&here, count)?, time(&there, count)?)));
    let ((here_one, there_one), (here_many, there_many)) = (one?, many?);
    println!(
        "| {name} | {label}: {placement} | {furthest:.1e} | {noise:.1e} | {run:.1e} | {:.3} | {:.3} | {:.1}, {:.1} |",
        there_one.as_secs_f64() * 1e3,
        there_many.as_secs_f64() * 1e3,
        here_one.as_secs_f64() / there_one.as_secs_f64(),
        here_many.as_secs_f64() / there_many.as_secs_f64()
    );
    Ok([furthest, noise])
}

/// The median of a few evaluations, after a few that warm up.
fn time(model: &Arc<Model>, count: usize) -> diffuse::Result<Duration> {
    let level = model.manifest().schedule.build(Tables::Exact)?.level(500.0);
    let (x, condition) = samples(model, count);
    let mut times = Vec::new();
    for _ in 0..30 {
        let start = Instant::now();
        std::hint::black_box(model.denoise(x.view(), level, &condition, &Canceller::default())?);
        times.push(start.elapsed());
    }
    let rest = &mut times[10..];
    rest.sort();
    Ok(rest[rest.len() / 2])
}

/// Samples that are the same everywhere, and their classes.
fn samples(model: &Model, count: usize) -> (ArrayD<f32>, Condition) {
    let manifest = model.manifest();
    let mut shape = vec![count];
    shape.extend(manifest.sample.shape.sizes().unwrap());
    let mut next = 1u32;
    let x = ArrayD::from_shape_simple_fn(shape, || {
        next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(next) / 2f64.powi(31) - 1.0) as f32
    });
    let classes = manifest.classes.as_ref().map(|classes| (0..count).map(|i| (i % classes.count()) as i64).collect());
    (x, Condition::classes(classes))
}

fn distance(a: &ArrayD<f32>, b: &ArrayD<f32>) -> f64 {
    a.iter().zip(b).fold(0.0, |worst, (a, b)| worst.max(f64::from((a - b).abs()) / f64::from(a.abs()).max(1.0)))
}

fn provider(name: &str, options: &[(&str, &str)]) -> Provider {
    options
        .iter()
        .fold(Provider::new(name).unwrap(), |provider, (key, value)| provider.with_option(key, value).unwrap())
}

/// Whether NVIDIA's driver is there and has a GPU.
fn driver() -> Result<(), String> {
    let name = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" };
    // SAFETY: the driver's library, whose initialisers are meant to run in any process.
    let library = unsafe { libloading::Library::new(name) }.map_err(|_| format!("{name} cannot be loaded"))?;
    type Init = unsafe extern "C" fn(u32) -> i32;
    type Count = unsafe extern "C" fn(*mut i32) -> i32;
    let missing = |error: libloading::Error| format!("{name}: {error}");
    // SAFETY: these are the functions' types in CUDA's driver API.
    let (init, count) = unsafe {
        (library.get::<Init>(b"cuInit").map_err(missing)?, library.get::<Count>(b"cuDeviceGetCount").map_err(missing)?)
    };
    let mut found = 0;
    // SAFETY: `found` may be written to; cuInit comes first, as the API demands.
    let (started, counted) = unsafe { (init(0), count(&raw mut found)) };
    if started == 0 && counted == 0 && found > 0 {
        Ok(())
    } else {
        Err(format!("{name} finds no device: code {started}"))
    }
}
