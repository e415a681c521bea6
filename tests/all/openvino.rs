//! OpenVINO's provider beside the CPU's, in the same ONNX Runtime. That is another build than the other tests use:
//!
//! ```sh
//! python3 onnx/setup.py --provider openvino
//! ORT_DYLIB_PATH=onnx/runtime-openvino cargo test --test all openvino:: -- --ignored
//! ```
#![cfg(all(target_os = "linux", feature = "cli"))]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use diffuse::denoiser::Condition;
use diffuse::network::Provider;
use diffuse::sample::Canceller;
use diffuse::schedule::Tables;
use diffuse::{Error, Model, ModelOptions, Request};
use ndarray::ArrayD;

use crate::support::{model, model_with, repository, runtime};

const WHY: &str = "needs ONNX Runtime with OpenVINO; its head says how";

fn on_openvino(options: &[(&str, &str)]) -> ModelOptions {
    let provider = options
        .iter()
        .fold(Provider::new("openvino").unwrap(), |provider, (key, value)| provider.with_option(key, value).unwrap());
    ModelOptions { providers: vec![provider], ..ModelOptions::default() }
}

/// The furthest that x̂₀ is apart on the two, relative to max(1, |x̂₀|), at a few levels and for a batch of three.
fn distance(name: &str) -> f64 {
    let (here, there) = (model(name), model_with(name, &on_openvino(&[])));
    let placement = there.placement();
    assert_eq!(placement.provider, "openvino", "{name}");
    assert!(placement.skipped.is_empty() && placement.nodes.len() == 1, "{name}: {placement:?}");
    let manifest = here.manifest();
    let schedule = manifest.schedule.build(Tables::Exact).unwrap();
    let count = here.fixed_batch().unwrap_or(3);
    let mut shape = vec![count];
    shape.extend(manifest.sample.shape.sizes().unwrap());
    let mut worst: f64 = 0.0;
    for t in [20.0, 500.0, 980.0] {
        let mut next = 1u32;
        let x = ArrayD::from_shape_simple_fn(shape.as_slice(), || {
            next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(next) as f32 / 2f32.powi(31) - 1.0
        });
        let classes =
            manifest.classes.as_ref().map(|classes| (0..count).map(|i| (i % classes.count()) as i64).collect());
        let condition = Condition::classes(classes);
        let denoise =
            |model: &Arc<Model>| model.denoise(x.view(), schedule.level(t), &condition, &Canceller::default()).unwrap();
        for (here, there) in denoise(&here).iter().zip(&denoise(&there)) {
            worst = worst.max(f64::from((here - there).abs()) / f64::from(here.abs()).max(1.0));
        }
    }
    println!("{name}: {worst:.1e}");
    worst
}

#[test]
#[ignore = "needs ONNX Runtime with OpenVINO; its head says how"]
fn openvino_says_what_the_processor_says() {
    assert!(runtime().providers().contains(&"openvino"), "{WHY}");
    for name in [
        "models/sprites",
        "models/swiss_roll",
        "fixtures/time_first",
        "fixtures/two_c",
        "fixtures/rank5",
        "fixtures/fixed_batch",
    ] {
        let worst = distance(&format!("onnx/{name}.onnx"));
        assert!(worst < 1e-4, "{name}: {worst:e}");
    }
    // Told to compute in 8 bits of fraction, it is off by as much, so that the bound above means something.
    let rounded = on_openvino(&[("load_config", r#"{"CPU":{"INFERENCE_PRECISION_HINT":"bf16"}}"#)]);
    let (exact, rounded) = (model("onnx/models/swiss_roll.onnx"), model_with("onnx/models/swiss_roll.onnx", &rounded));
    let x = ArrayD::from_elem(vec![4, 2], 0.3f32);
    let level = exact.manifest().schedule.build(Tables::Exact).unwrap().level(500.0);
    let [a, b] = [exact, rounded]
        .map(|model| model.denoise(x.view(), level, &Condition::default(), &Canceller::default()).unwrap());
    let apart = (&a - &b).iter().fold(0f32, |worst, difference| worst.max(difference.abs()));
    println!("in bf16: {apart:.1e}");
    assert!(apart > 1e-4, "{apart:e}");
}

#[test]
#[ignore = "needs ONNX Runtime with OpenVINO; its head says how"]
fn a_whole_run_is_the_same_picture() {
    let request = Request { seed: 5, count: 2, classes: Some(vec![1, 4]), steps: Some(20), ..Request::default() };
    let name = "onnx/models/sprites.onnx";
    let [here, there] =
        [model(name), model_with(name, &on_openvino(&[]))].map(|model| request.job(&model).unwrap().run().unwrap());
    let worst = (&here - &there).iter().fold(0f32, |worst, difference| worst.max(difference.abs()));
    println!("20 steps: {worst:.1e}");
    assert!(worst < 1e-4, "{worst:e}");
}

#[test]
#[ignore = "needs ONNX Runtime with OpenVINO; its head says how"]
fn nodes_that_it_does_not_take_are_named() {
    let open = |options: &ModelOptions| Model::open(&runtime(), &repository("onnx/fixtures/mixed.onnx"), options);
    let strict = on_openvino(&[]);
    match open(&strict) {
        Err(Error::Provider { provider, reason }) => {
            assert_eq!(provider, "openvino");
            assert!(reason.contains("1 Hardmax") && reason.contains("cpu_nodes"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    let with_cpu = ModelOptions {
        providers: [strict.providers.clone(), vec![Provider::new("cpu").unwrap()]].concat(),
        ..strict.clone()
    };
    let allowed = ModelOptions { cpu_nodes: true, ..strict };
    for options in [with_cpu, allowed] {
        let model = open(&options).unwrap();
        let placement = model.placement();
        let names: Vec<_> = placement.nodes.iter().map(|share| share.provider.as_str()).collect();
        assert_eq!((placement.provider.as_str(), names), ("openvino", vec!["openvino", "cpu"]));
        assert!(placement.nodes.iter().any(|share| share.provider == "cpu" && share.nodes == 1), "{placement:?}");
    }
}

/// A device that is not there, a value that the device does not take, a library that lacks another.
#[test]
#[ignore = "needs ONNX Runtime with OpenVINO; its head says how"]
fn what_it_lacks_is_named() {
    let name = repository("onnx/models/swiss_roll.onnx");
    for (key, value, said) in [("device_type", "GPU", "GPU"), ("precision", "FP16", "FP32")] {
        let error = Model::open(&runtime(), &name, &on_openvino(&[(key, value)])).unwrap_err().to_string();
        assert!(error.starts_with("provider openvino: ") && error.contains(said), "{error}");
    }
    // Only another process can open another copy of ONNX Runtime.
    let folder = tempfile::tempdir_in(repository("target")).unwrap();
    let source = runtime().path().parent().unwrap().to_owned();
    for entry in std::fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name() != Some(Path::new("libtbb.so.12").as_os_str()) {
            std::fs::hard_link(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    let inspect = |providers: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_diffuse-cli"));
        command.arg("inspect").arg(&name).args(["--provider", providers, "--onnxruntime"]).arg(folder.path());
        command.output().unwrap()
    };
    let alone = inspect("openvino");
    let said = String::from_utf8_lossy(&alone.stderr).into_owned();
    assert!(alone.status.code() == Some(7) && said.contains("libtbb.so.12"), "{said}");
    let with_cpu = inspect("openvino,cpu");
    let said = String::from_utf8_lossy(&with_cpu.stdout).into_owned();
    assert!(
        with_cpu.status.success() && said.contains("runs on  cpu; not openvino") && said.contains("libtbb.so.12"),
        "{said}"
    );
}
