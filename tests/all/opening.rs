//! Models that ONNX Runtime opens and that cannot be what was meant: refused when they are opened, with the tensor, or
//! said.

use std::sync::{Arc, Mutex};

use diffuse::denoiser::Condition;
use diffuse::log::set_log_sink;
use diffuse::sample::Canceller;
use diffuse::schedule::NoiseLevel;
use diffuse::{Error, Model, ModelOptions, Request, Result};
use ndarray::ArrayD;

use crate::support::graph::{self, Axis, BFLOAT16, FLOAT, FLOAT16, INT64, MANIFEST, Tensor, node, same};
use crate::support::{alone, runtime};

fn open(bytes: &[u8]) -> Result<Model> {
    Model::from_bytes(&runtime(), bytes, &ModelOptions::default())
}

fn refused(bytes: &[u8], why: &[&str]) {
    match open(bytes) {
        Err(Error::Model { reason, .. }) => why.iter().for_each(|why| assert!(reason.contains(why), "{reason}")),
        other => panic!("{why:?}: {other:?}"),
    }
}

/// A manifest with another schedule, time or what else.
fn manifest(more: &str) -> String {
    format!(r#"{{"diffuse": 1, "sample": {{"shape": [4]}}, "prediction": "x0", {more}}}"#)
}

#[test]
fn an_axis_of_0_is_refused_wherever_it_is() {
    refused(&same(Axis::Of(0), INT64, MANIFEST), &["x: f32[0,4]", "axis of 0"]);
    let (batch, time) = (Axis::Free("batch"), Tensor("t", INT64, vec![Axis::Free("times")]));
    let sample = |name, axes: [Axis; 2]| Tensor(name, FLOAT, axes.to_vec());
    let good = |name| sample(name, [batch, Axis::Of(4)]);
    let identity = || vec![node("Identity", &["x"], &["out"], &[])];
    let of =
        |inputs: &[Tensor], outputs: &[Tensor], nodes: &[Vec<u8>]| graph::model(nodes, &[], inputs, outputs, MANIFEST);
    refused(&of(&[good("x"), Tensor("t", INT64, vec![Axis::Of(0)])], &[good("out")], &identity()), &["t: i64[0]"]);
    refused(&of(&[sample("x", [batch, Axis::Of(0)]), time.clone()], &[good("out")], &identity()), &["x: f32[batch,0]"]);
    // An output that has no role, too.
    let both = [node("Identity", &["x"], &["out"], &[]), node("Identity", &["y"], &["more"], &[])];
    let inputs = [good("x"), time, sample("y", [Axis::Of(0), Axis::Of(4)])];
    refused(&of(&inputs, &[good("out"), sample("more", [Axis::Of(0), Axis::Of(4)])], &both), &["y: f32[0,4]"]);
}

#[test]
fn a_time_that_is_infinite_in_its_type_is_refused() {
    let axis = Axis::Free("batch");
    for (time, name, schedule, why) in [
        (FLOAT16, "f16", r#""schedule": {"kind": "linear"}, "time": {"scale": 100}"#, "99900"),
        (FLOAT16, "f16", r#""schedule": {"kind": "linear"}, "time": {"scale": -100, "offset": -5}"#, "-99905"),
        (
            FLOAT16,
            "f16",
            r#""schedule": {"kind": "ve", "sigma_min": 0.01, "sigma_max": 1e5}, "time": {"encoding": "sigma"}"#,
            "infinite",
        ),
        (BFLOAT16, "bf16", r#""schedule": {"kind": "linear"}, "time": {"scale": 1e38}"#, "infinite"),
        (FLOAT, "f32", r#""schedule": {"kind": "linear"}, "time": {"scale": 1e38}"#, "infinite"),
        (FLOAT, "f32", r#""schedule": {"kind": "flow"}, "time": {"encoding": "sigma"}"#, "infinite"),
    ] {
        refused(&same(axis, time, &manifest(schedule)), &["the time t", name, why]);
    }
    // Held by the type, and said of nothing.
    let model =
        open(&same(axis, FLOAT16, &manifest(r#""schedule": {"kind": "linear"}, "time": {"scale": 2}"#))).unwrap();
    assert!(model.notes().is_empty());
}

#[test]
fn times_that_are_rounded_to_anothers_are_said() {
    // A process has one log.
    if !alone("opening::times_that_are_rounded_to_anothers_are_said") {
        return;
    }
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&heard);
    set_log_sink(Some(Box::new(move |_, message| sink.lock().unwrap().push(message.to_owned()))));
    let note = |time, more: &str| {
        let model = open(&same(Axis::Free("batch"), time, &manifest(more))).unwrap();
        // It works all the same.
        Request { steps: Some(2), ..Request::default() }.job(&Arc::new(model)).unwrap().run().unwrap();
        let model = open(&same(Axis::Free("batch"), time, &manifest(more))).unwrap();
        model.notes().to_vec()
    };
    let linear = r#""schedule": {"kind": "linear"}"#;
    // Eight bits: from 256 on every second number, from 512 on every fourth.
    let said = note(BFLOAT16, linear);
    assert!(said.len() == 1 && said[0].contains("999 to 1000") && said[0].contains("the time t: bf16"), "{said:?}");
    assert!(said[0].contains("of the 1000 training steps"), "{said:?}");
    let unit = r#""schedule": {"kind": "linear"}, "time": {"encoding": "unit"}"#;
    assert_eq!(note(BFLOAT16, unit).len(), 1);
    // Eleven bits are enough for a thousand steps.
    for (time, more) in [(FLOAT16, linear), (FLOAT16, unit), (FLOAT, linear), (INT64, linear)] {
        assert!(note(time, more).is_empty(), "{time} {more}");
    }
    assert_eq!(note(FLOAT16, r#""schedule": {"kind": "linear", "train_steps": 5000, "beta_end": 0.002}"#).len(), 1);
    set_log_sink(None);
    assert!(heard.lock().unwrap().iter().any(|message| message.contains("999 to 1000")));
}

#[test]
fn levels_that_are_none_are_refused() {
    let manifests = [
        (r#""schedule": {"kind": "linear"}"#, 999.0),
        (r#""schedule": {"kind": "flow"}"#, 1.0),
        (r#""schedule": {"kind": "vp"}"#, 1.0),
        (r#""schedule": {"kind": "edm"}"#, 80.0),
    ];
    for (schedule, most) in manifests {
        let model = Arc::new(open(&same(Axis::Free("batch"), FLOAT, &manifest(schedule))).unwrap());
        let x = ArrayD::zeros(vec![1, 4]);
        let denoise =
            |level: NoiseLevel| model.denoise(x.view(), level, &Condition::default(), &Canceller::default()).map(drop);
        let sane = model.level(most / 2.0).unwrap();
        denoise(sane).unwrap();
        for t in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, most * 1.001] {
            assert!(matches!(model.level(t), Err(Error::Argument { name: "t", .. })), "{schedule} {t}");
            assert!(matches!(denoise(NoiseLevel { t, ..sane }), Err(Error::Argument { .. })), "{schedule} {t}");
            assert!(matches!(model.add_noise(x.view(), t, 0), Err(Error::Argument { .. })), "{schedule} {t}");
        }
        for share in [f64::NAN, f64::INFINITY, 1e308, -0.1] {
            assert!(matches!(denoise(NoiseLevel { alpha: share, ..sane }), Err(Error::Argument { .. })), "α {share}");
            assert!(matches!(denoise(NoiseLevel { sigma: share, ..sane }), Err(Error::Argument { .. })), "σ {share}");
        }
        assert!(denoise(NoiseLevel { alpha: 0.0, sigma: 0.0, ..sane }).is_err());
        // The clean sample lies below 0, and both ends are levels.
        let clean = model.level(-1.0).unwrap();
        assert_eq!((clean.alpha, clean.sigma), (1.0, 0.0), "{schedule}");
        assert!(model.level(most).unwrap().sigma > model.level(0.0).unwrap().sigma);
    }
}

/// A manifest beside a model as PowerShell writes it, and one that says two things at once.
#[test]
fn a_manifest_beside_a_model_is_read_in_utf_16_and_without_doubt() {
    let folder = tempfile::tempdir().unwrap();
    let (model, beside) = (folder.path().join("m.onnx"), folder.path().join("m.diffuse.json"));
    std::fs::write(&model, same(Axis::Free("batch"), INT64, MANIFEST)).unwrap();
    let wide = manifest(r#""schedule": {"kind": "linear", "train_steps": 500.0}"#);
    let units = wide.encode_utf16().flat_map(u16::to_le_bytes);
    std::fs::write(&beside, [0xff, 0xfe].into_iter().chain(units).collect::<Vec<_>>()).unwrap();
    let opened = Model::open(&runtime(), &model, &ModelOptions::default()).unwrap();
    assert_eq!(opened.schedule().train_steps(), Some(500));
    for (content, why) in [
        (
            manifest(r#""schedule": {"kind": "linear", "kind": "cosine"}"#).into_bytes(),
            "\"schedule.kind\" is there twice",
        ),
        (b"{\"\xff\": 1}".to_vec(), "neither UTF-8"),
    ] {
        std::fs::write(&beside, content).unwrap();
        let error = Model::open(&runtime(), &model, &ModelOptions::default()).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("m.diffuse.json"), "{error}");
    }
}
