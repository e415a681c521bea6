//! Models of every form that the manifest and the graph allow: what the network is told, and what is made of its
//! answer, beside torch. `onnx/fixtures.py` exports the models and writes down what torch says.

use std::collections::BTreeMap;
use std::sync::Arc;

use diffuse::denoiser::{Condition, Denoiser, Query};
use diffuse::model::Manifest;
use diffuse::network::Network;
use diffuse::sample::Canceller;
use diffuse::schedule::{NoiseLevel, Tables};
use diffuse::settings::Clipping;
use diffuse::stage::Predictor;
use diffuse::{Error, Model, ModelOptions, Request};
use ndarray::{ArrayD, ArrayViewD, Axis, Slice};
use serde::Deserialize;

use crate::support::{model, model_with, repository, runtime};

/// What torch said of one input.
#[derive(Deserialize)]
struct Expected {
    index: f64,
    time: f64,
    shape: Vec<usize>,
    x: Vec<f32>,
    output: Vec<f32>,
    /// What else the network was told, and its derivative.
    #[serde(default)]
    class: Option<Vec<i64>>,
    #[serde(flatten)]
    tensors: BTreeMap<String, serde_json::Value>,
}

impl Expected {
    fn tensor(&self, name: &str, shape: &[usize]) -> ArrayD<f32> {
        let values: Vec<f32> = serde_json::from_value(self.tensors[name].clone()).unwrap();
        let shape: Vec<usize> = std::iter::once(self.shape[0]).chain(shape.iter().copied()).collect();
        ArrayD::from_shape_vec(shape, values).unwrap()
    }

    fn condition(&self, manifest: &Manifest) -> Condition {
        let tensors = manifest.conditions.iter();
        Condition {
            classes: self.class.clone(),
            tensors: tensors
                .map(|(name, info)| (name.clone(), Arc::new(self.tensor(name, &info.shape.sizes().unwrap()).into())))
                .collect(),
            ..Condition::default()
        }
    }
}

fn expected(name: &str) -> Vec<Expected> {
    serde_json::from_str(&std::fs::read_to_string(repository(&format!("onnx/fixtures/{name}.json"))).unwrap()).unwrap()
}

/// The furthest that x̂₀ is from what torch's output gives, relative to max(1, |x̂₀|).
fn distance(model: &Arc<Model>, name: &str) -> f64 {
    let manifest = model.manifest();
    let schedule = manifest.schedule.build(Tables::Exact).unwrap();
    let mut worst: f64 = 0.0;
    for case in expected(name) {
        let condition = case.condition(manifest);
        let Expected { index, time, shape, x, output, .. } = case;
        let level = schedule.level(index);
        let told = manifest.time().encode(level, &*schedule);
        assert!((told - time).abs() <= 1e-6 * time.abs().max(1.0), "{name}: told {told}, torch was told {time}");
        let x = ArrayD::from_shape_vec(shape.clone(), x).unwrap();
        let x0 = model.denoise(x.view(), level, &condition, &Canceller::default()).unwrap();
        let (of_x, of_output) = manifest.prediction.to_x0(level, &*schedule, 1.0);
        // The first half of the channels is the prediction.
        let (item, said) = (x.len() / shape[0], output.len() / shape[0]);
        for (i, (x, x0)) in x.iter().zip(&x0).enumerate() {
            let truth = of_x * f64::from(*x) + of_output * f64::from(output[i / item * said + i % item]);
            worst = worst.max((f64::from(*x0) - truth).abs() / truth.abs().max(1.0));
        }
    }
    println!("{name}: {worst:.1e}");
    worst
}

/// The Jacobian-vector product of an export, beside torch's by forward differentiation in f64.
#[test]
fn a_graph_that_says_its_derivative_is_believed() {
    let model = model("onnx/fixtures/derivative.onnx");
    let mut predictor = Predictor::new(Arc::clone(&model)).unwrap();
    for case in expected("derivative") {
        let shape = &model.manifest().sample.shape.sizes().unwrap();
        let (direction, derivative) = (case.tensor("direction", shape), case.tensor("derivative", shape));
        let level = model.schedule().level(case.index);
        let x = ArrayD::from_shape_vec(case.shape.clone(), case.x.clone()).unwrap();
        let query = Query { x: x.view(), level, condition: &Condition::default(), step: 0 };
        let found = predictor.derivative(query.clone(), direction.view()).unwrap().unwrap();
        let (of_x, of_output) = model.manifest().prediction.to_x0(level, &**model.schedule(), 1.0);
        for ((found, along), said) in found.iter().zip(&direction).zip(&derivative) {
            let truth = of_x * f64::from(*along) + of_output * f64::from(*said);
            assert!((f64::from(*found) - truth).abs() < 1e-5 * truth.abs().max(1.0), "{found} for {truth}");
        }
        let wrong = ArrayD::zeros(vec![1, 3, 8, 8]);
        assert!(predictor.derivative(query, wrong.view()).unwrap_err().to_string().starts_with("direction: "));
    }
    // One without has none, and likelihoods take differences.
    let mut plain = Predictor::new(crate::support::model("onnx/fixtures/time_first.onnx")).unwrap();
    let x = ArrayD::zeros(vec![1, 3, 8, 8]);
    let level = NoiseLevel { t: 500.0, alpha: 0.6, sigma: 0.8 };
    let query = Query { x: x.view(), level, condition: &Condition::default(), step: 0 };
    assert!(plain.derivative(query, x.view()).unwrap().is_none());
}

#[test]
fn a_classifier_draws_nothing() {
    let model = model("onnx/fixtures/classifier.onnx");
    let request = Request { classes: Some(vec![0]), ..Request::default() };
    let message = request.job(&model).unwrap_err().to_string();
    assert!(message.starts_with("model: ") && message.contains("classifier"), "{message}");
}

#[test]
fn what_the_network_is_told_has_to_be_there_and_of_its_shape() {
    let model = model("onnx/fixtures/conditioned.onnx");
    let case = &expected("conditioned")[0];
    let x = ArrayD::from_shape_vec(case.shape.clone(), case.x.clone()).unwrap();
    let level = model.schedule().level(500.0);
    let whole = case.condition(model.manifest());
    for (name, shape) in [("vector", None), ("vector", Some(vec![2, 4])), ("small", Some(vec![1, 3, 4, 4]))] {
        let mut condition = whole.clone();
        condition.tensors.remove(name);
        if let Some(shape) = shape {
            condition.tensors.insert(name.to_owned(), Arc::new(ArrayD::<f32>::zeros(shape).into()));
        }
        let message = model.denoise(x.view(), level, &condition, &Canceller::default()).unwrap_err().to_string();
        assert!(message.starts_with("condition: ") && message.contains(&format!("'{name}'")), "{message}");
    }
}

#[test]
fn models_of_every_form_say_what_torch_says() {
    for name in [
        "time_first",
        "two_c",
        "time_scalar_f32",
        "time_i32_one",
        "fixed_batch",
        "rank2",
        "rank5",
        "external",
        "unit_time_to_data",
        "labelled",
        "conditioned",
        "joined",
        "derivative",
    ] {
        let worst = distance(&model(&format!("onnx/fixtures/{name}.onnx")), name);
        assert!(worst < 1e-5, "{name}: {worst:e}");
    }
    // Half precision is held against half precision: its last digit is 1e-3.
    let worst = distance(&model("onnx/fixtures/half.onnx"), "half");
    assert!(worst < 5e-3, "half: {worst:e}");
}

#[test]
fn a_model_opens_from_bytes_and_brings_its_external_data() {
    let bytes = |name: &str| std::fs::read(repository(&format!("onnx/fixtures/{name}"))).unwrap();
    let options = ModelOptions {
        external_data: vec![("external.onnx.data".into(), bytes("external.onnx.data").into())],
        ..ModelOptions::default()
    };
    let with_data = Arc::new(Model::from_bytes(&runtime(), &bytes("external.onnx"), &options).unwrap());
    assert!(distance(&with_data, "external") < 1e-5);
    let without = Model::from_bytes(&runtime(), &bytes("external.onnx"), &ModelOptions::default());
    assert!(matches!(without, Err(Error::Model { .. })), "{without:?}");
    // The same files, the same hash, from the path or from the bytes.
    let file = model("onnx/fixtures/external.onnx");
    assert_eq!(file.hash().unwrap(), with_data.hash().unwrap());
    assert_eq!(file.hash().unwrap().len(), 64);
}

fn message(result: diffuse::Result<Model>) -> String {
    match result {
        Err(error @ Error::Model { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn where_manifest_and_graph_disagree_the_error_names_the_tensor() {
    let original = model("onnx/fixtures/time_first.onnx");
    let change = |from: &str, to: &str| {
        let mut manifest = original.manifest().clone();
        manifest.time = Some(manifest.time());
        let json = serde_json::to_string(&manifest).unwrap();
        let changed = json.replacen(from, to, 1);
        assert_ne!(changed, json, "{from} is not in {json}");
        let options = ModelOptions { manifest: Some(changed), ..ModelOptions::default() };
        message(Model::open(&runtime(), &repository("onnx/fixtures/time_first.onnx"), &options))
    };
    let graph = |role: &str| {
        let network = original.network().unwrap();
        let inputs = &network.signature().inputs;
        let rank = if role == "sample" { 4 } else { 1 };
        inputs.iter().find(|input| input.shape.len() == rank).unwrap().name.clone()
    };
    let (sample, time) = (graph("sample"), graph("time"));
    let text = change("\"shape\":[3,8,8]", "\"shape\":[4,8,8]");
    assert!(text.contains(&format!("{sample}: f32[batch,3,8,8]")) && text.contains("[batch,4,8,8]"), "{text}");
    let text = change(&format!("\"sample\":\"{sample}\""), "\"sample\":\"picture\"");
    assert!(text.contains("inputs.sample is 'picture'") && text.contains(&sample), "{text}");
    let text = change(&format!("\"time\":\"{time}\""), &format!("\"time\":\"{sample}\""));
    assert!(text.contains(&format!("{time}: i64")) || text.contains(&format!("'{sample}' has two roles")), "{text}");
    let text = change("\"variance\":\"none\"", "\"variance\":\"learned_range\"");
    assert!(text.contains("[batch,6,8,8]"), "{text}");
    let text = change("\"encoding\":\"index\"", "\"encoding\":\"unit\"");
    assert!(text.contains(&format!("{time}: i64")) && text.contains("whole numbers"), "{text}");
    let text = change("\"prediction\":\"epsilon\"", "\"prediction\":\"epsilon\",\"classes\":{\"count\":3}");
    assert!(text.contains("inputs.class"), "{text}");
}

#[test]
fn a_file_of_another_format_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let formats: [(&[u8], &str); 5] = [
        (b"GGUF\x03\0\0\0", "a GGUF file"),
        (b"\x10\0\0\0\0\0\0\0{\"a\": {}}", "a safetensors checkpoint"),
        (b"PK\x03\x04\0\0", "a PyTorch checkpoint"),
        (b"\x80\x02\x8a\x0a", "a PyTorch checkpoint"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
    ];
    for (bytes, format) in formats {
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, bytes).unwrap();
        for opened in [
            Model::open(&runtime(), &path, &ModelOptions::default()),
            Model::from_bytes(&runtime(), bytes, &ModelOptions::default()),
        ] {
            let text = message(opened);
            assert!(text.contains(&format!("this is {format}, and no ONNX file")), "{text}");
        }
    }
}

#[test]
fn a_model_without_a_manifest_says_so_and_takes_one() {
    let path = repository("onnx/fixtures/no_manifest.onnx");
    let text = message(Model::open(&runtime(), &path, &ModelOptions::default()));
    assert!(text.contains("no manifest") && text.contains("docs/model/manifest.md"), "{text}");
    let network = Network::open(&runtime(), &path, &ModelOptions::default()).unwrap();
    assert!(network.manifest().is_none() && !network.signature().inputs.is_empty());
    let options = ModelOptions {
        manifest: Some(r#"{"diffuse": 1, "sample": {"shape": [3, 8, 8]}, "schedule": {"kind": "linear"}, "prediction": "epsilon"}"#.into()),
        ..ModelOptions::default()
    };
    assert!(distance(&model_with("onnx/fixtures/no_manifest.onnx", &options), "no_manifest") < 1e-5);
}

#[test]
fn a_raw_question_is_checked_like_a_run() {
    let model = model("onnx/models/sprites.onnx");
    let x = ArrayD::<f32>::zeros(vec![1, 4, 32, 32]);
    let level = model.manifest().schedule.build(Tables::Exact).unwrap().level(500.0);
    let ask = |level, classes: Option<Vec<i64>>| {
        model.denoise(x.view(), level, &Condition::classes(classes), &Canceller::default())
    };
    assert!(ask(level, Some(vec![3])).is_ok() && ask(level, Some(vec![10])).is_ok(), "a class, and none");
    for classes in [None, Some(vec![-1]), Some(vec![11]), Some(vec![0, 1]), Some(vec![i64::from(u32::MAX) + 1])] {
        assert!(matches!(ask(level, classes.clone()), Err(Error::Argument { name: "classes", .. })), "{classes:?}");
    }
    for (t, alpha, sigma) in [(f64::NAN, 0.7, 0.7), (500.0, -1.0, 0.7), (500.0, 0.7, f64::INFINITY)] {
        let wrong = diffuse::schedule::NoiseLevel { t, alpha, sigma };
        assert!(matches!(ask(wrong, Some(vec![0])), Err(Error::Argument { name: "level", .. })), "{wrong:?}");
    }
    // One value stretched over more than any memory is refused before it is copied.
    let point = ndarray::arr0(0f32);
    let wide = point.broadcast((1usize << 31, 2)).unwrap();
    assert!(model.denoise(wide.into_dyn(), level, &Condition::default(), &Canceller::default()).is_err());
}

#[cfg(unix)]
#[test]
fn a_manifest_beside_a_model_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::copy(repository("onnx/fixtures/time_first.onnx"), &path).unwrap();
    let beside = folder.path().join("model.diffuse.json");
    let open = || Model::open(&runtime(), &path, &ModelOptions::default());
    assert!(open().is_ok());
    for target in ["/dev/zero", "/no/such/file", "/"] {
        std::os::unix::fs::symlink(target, &beside).unwrap();
        let error = open().unwrap_err().to_string();
        assert!(error.contains("model.diffuse.json"), "{target}: {error}");
        std::fs::remove_file(&beside).unwrap();
    }
}

#[test]
fn files_that_are_no_models_are_errors() {
    let open = |path: &std::path::Path| Model::open(&runtime(), path, &ModelOptions::default()).unwrap_err();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let whole = std::fs::read(repository("onnx/fixtures/time_first.onnx")).unwrap();
    assert!(matches!(open(&folder.path().join("missing.onnx")), Error::Io { .. }));
    assert!(open(folder.path()).to_string().contains("folder"));
    assert!(open(&file("empty.onnx", b"")).to_string().contains("empty"));
    for (name, bytes) in [("text.onnx", b"not a model".as_slice()), ("cut.onnx", &whole[..whole.len() / 2])] {
        let error = open(&file(name, bytes));
        assert!(matches!(error, Error::Model { .. }), "{name}: {error}");
        assert!(error.to_string().contains(name), "{error}");
        let error = Model::from_bytes(&runtime(), bytes, &ModelOptions::default()).unwrap_err();
        assert!(matches!(error, Error::Model { .. }), "{error}");
    }
    assert!(Model::from_bytes(&runtime(), b"", &ModelOptions::default()).is_err());
    // A broken manifest beside a good model.
    file("model.onnx", &whole);
    file("model.diffuse.json", b"{\"diffuse\": 1, \"smaple\": {}}");
    let error = open(&folder.path().join("model.onnx")).to_string();
    assert!(error.contains("model.diffuse.json") && error.contains("smaple"), "{error}");
}

#[test]
fn a_network_that_says_nan_ends_the_run_with_its_step() {
    let model = model("onnx/fixtures/not_a_number.onnx");
    let request = Request { steps: Some(10), solver: Some("ddim".into()), ..Request::default() };
    let mut job = request.job(&model).unwrap();
    let error = loop {
        match job.step() {
            Ok(progress) => assert!(!progress.is_finished(), "NaN went by unnoticed"),
            Err(error) => break error,
        }
    };
    let Error::Evaluation { step, reason } = &error else { panic!("{error:?}") };
    // Trailing: t = 999, 899, …; the first below 500 is the sixth.
    assert_eq!(*step, 5);
    assert!(reason.contains("NaN") && reason.contains("t = 499"), "{reason}");
    assert!(job.sample().iter().all(|value| value.is_finite()), "the sample is as it was before");
}

fn sprites_request(seed: u64, classes: Vec<i64>) -> Request {
    Request { seed, count: classes.len(), classes: Some(classes), steps: Some(8), ..Request::default() }
}

fn furthest(a: ArrayViewD<'_, f32>, b: ArrayViewD<'_, f32>) -> f32 {
    a.iter().zip(b).fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

/// ONNX Runtime's CPU provider adds in another order for another batch size, so this is not bit for bit.
#[test]
fn a_batch_of_eight_is_eight_runs_of_one() {
    let model = model("onnx/models/sprites.onnx");
    for solver in ["ddim", "ddpm"] {
        let with = |request: Request| Request { solver: Some(solver.into()), ..request };
        let batch = with(sprites_request(40, (0..8).collect())).job(&model).unwrap().run().unwrap();
        let mut worst: f32 = 0.0;
        for item in 0..8usize {
            let alone = with(sprites_request(40 + item as u64, vec![item as i64])).job(&model).unwrap().run().unwrap();
            worst = worst.max(furthest(batch.slice_axis(Axis(0), Slice::from(item..=item)), alone.view()));
        }
        println!("{solver}: a batch and single runs are at most {worst:e} apart");
        assert!(worst < 1e-5 * 8.0, "{solver}: {worst:e}");
    }
}

#[test]
fn threads_and_repetition_do_not_change_the_picture() {
    let draw = |threads| {
        let options = ModelOptions { threads, ..ModelOptions::default() };
        let model = model_with("onnx/models/sprites.onnx", &options);
        sprites_request(3, vec![0, 1]).job(&model).unwrap().run().unwrap()
    };
    let one = draw(1);
    assert_eq!(one, draw(1), "the same run twice");
    let apart = furthest(one.view(), draw(2).view());
    println!("one thread and two are {apart:e} apart");
    assert!(apart < 1e-5);
}

#[test]
fn a_cancel_stops_an_evaluation_that_is_running_and_cannot_be_taken_back() {
    let model = model("onnx/models/sprites.onnx");
    // One evaluation of this batch takes a good part of a second, and there is only one: nothing but an interrupted
    // evaluation can be cancelled.
    let mut job = Request { steps: Some(1), ..sprites_request(1, vec![0; 256]) }.job(&model).unwrap();
    let canceller = job.canceller();
    let worker = std::thread::spawn(move || {
        let result = loop {
            match job.step() {
                Ok(progress) if progress.is_finished() => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        (result, std::time::Instant::now(), job)
    });
    std::thread::sleep(std::time::Duration::from_millis(30));
    let cancelled = std::time::Instant::now();
    canceller.cancel();
    let (result, returned, mut job) = worker.join().unwrap();
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    println!("returned {:?} after the cancel", returned - cancelled);
    assert!(job.sample().iter().all(|value| value.is_finite()));
    assert!(matches!(job.step(), Err(Error::Cancelled)), "a cancel is for good");

    // Before the start, and only this job.
    let mut job = sprites_request(1, vec![0]).job(&model).unwrap();
    job.canceller().cancel();
    assert!(matches!(job.step(), Err(Error::Cancelled)));
    assert!(sprites_request(1, vec![0]).job(&model).unwrap().step().is_ok());
}

#[test]
fn a_fixed_batch_is_run_as_often_as_it_takes() {
    let model = model("onnx/fixtures/fixed_batch.onnx");
    let draw = |seed, count| {
        let request = Request { seed, count, steps: Some(5), clipping: Clipping::Off, ..Request::default() };
        request.job(&model).unwrap().run().unwrap()
    };
    let three = draw(7, 3);
    for item in 0..3 {
        assert_eq!(three.index_axis(Axis(0), item), draw(7 + item as u64, 1).index_axis(Axis(0), 0));
    }
}

#[test]
fn requests_that_cannot_be_met_name_the_argument() {
    let sprites = model("onnx/models/sprites.onnx");
    let one = || sprites_request(0, vec![0]);
    let refused = |request: Request, argument: &str| match request.job(&sprites) {
        Err(Error::Argument { name, reason }) => assert_eq!(name, argument, "{reason}"),
        other => panic!("{argument}: {other:?}"),
    };
    refused(Request { steps: Some(0), ..one() }, "steps");
    refused(Request { steps: Some(1001), ..one() }, "steps");
    refused(Request { steps: Some(usize::MAX), ..one() }, "steps");
    refused(Request { count: 0, classes: None, ..one() }, "count");
    refused(Request { count: 1 << 40, classes: None, ..one() }, "shape");
    refused(Request { classes: Some(vec![11]), ..one() }, "classes");
    refused(Request { classes: Some(vec![-1]), ..one() }, "classes");
    refused(Request { classes: Some(vec![0, 1]), ..one() }, "classes");
    refused(Request { solver: Some("dpm".into()), ..one() }, "solver");
    refused(Request { shape: Some(vec![3, 32, 32]), ..one() }, "shape");
    refused(Request { shape: Some(vec![4, 64, 64]), ..one() }, "shape");
    for eta in [-0.1, 1.5, f64::NAN, f64::INFINITY] {
        assert!(one().with("eta", eta).unwrap_err().to_string().starts_with("eta: "));
    }
    refused(one().with("solver", "ddpm").unwrap().with("eta", 0.5).unwrap(), "eta");
    assert!(one().with("etta", 0.5).unwrap_err().to_string().contains("variance, eta"), "the options are listed");
    // No class is the null class, where there is one.
    assert!(Request { classes: None, ..one() }.job(&sprites).is_ok());
    let swiss_roll = model("onnx/models/swiss_roll.onnx");
    assert!(Request { classes: Some(vec![0]), ..Request::default() }.job(&swiss_roll).is_err());
}

#[test]
fn shipped_manifests_are_complete() {
    for name in ["sprites", "swiss_roll"] {
        let model = model(&format!("onnx/models/{name}.onnx"));
        let manifest: &Manifest = model.manifest();
        assert_eq!(manifest.name.as_deref(), Some(name));
        assert!(manifest.license.is_some() && manifest.description.is_some());
    }
    assert!(model("onnx/models/sprites.onnx").manifest().classes.as_ref().unwrap().names.len() >= 8);
}
