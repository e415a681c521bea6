//! A network of the caller's own: the same samplers and guidance, bit for bit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use diffuse::denoiser::Query;
use diffuse::guidance::Callback;
use diffuse::network::{HostNetwork, Question};
use diffuse::request::HostGuidance;
use diffuse::sample::Canceller;
use diffuse::schedule::NoiseLevel;
use diffuse::{Error, Model, Request, Runner};
use serde_json::{Value, json};

use crate::support::model;

/// The manifest of the sprites, for a network that says x̂₀.
fn manifest(model: &Model) -> Value {
    let mut manifest = serde_json::to_value(model.manifest()).unwrap();
    manifest["prediction"] = json!("x0");
    for key in ["inputs", "outputs"] {
        manifest.as_object_mut().unwrap().remove(key);
    }
    manifest
}

fn host(
    manifest: &Value,
    network: impl Fn(&Question<'_>, &mut [f32]) -> Result<(), String> + Send + Sync + 'static,
) -> diffuse::Result<Arc<Model>> {
    Model::from_host(&manifest.to_string(), Arc::new(HostNetwork::new(network))).map(Arc::new)
}

#[test]
fn it_draws_what_the_graph_draws() {
    let graph = model("onnx/models/sprites.onnx");
    let calls = Arc::new(AtomicUsize::new(0));
    let (inner, counted) = (Arc::clone(&graph), Arc::clone(&calls));
    let own = host(&manifest(&graph), move |question, out| {
        counted.fetch_add(1, Ordering::SeqCst);
        let query = question.query;
        assert_eq!(question.shape, query.x.shape());
        assert_eq!(question.input, query.x.as_slice().unwrap());
        assert!(question.time.fract() == 0.0 && !question.is_cancelled());
        let NoiseLevel { t, alpha, sigma } = query.level;
        let level = NoiseLevel { t, alpha, sigma };
        let denoised = inner
            .denoise(query.x.view(), level, query.condition, &Canceller::default())
            .map_err(|error| error.to_string())?;
        out.copy_from_slice(denoised.as_slice().unwrap());
        Ok(())
    })
    .unwrap();
    assert!(own.network().is_none());
    assert_eq!(own.placement().provider, "host");
    assert_eq!(own.hash().unwrap().len(), 64);
    let base = Request { seed: 3, count: 3, classes: Some(vec![2, 5, 7]), steps: Some(8), ..Request::default() };
    for pairs in [
        &[("solver", "ddim")][..],
        &[("solver", "ddpm"), ("noise", "torch")],
        &[("solver", "unipc"), ("guidance_scale", "3")],
        &[("solver", "heun"), ("guidance_scale", "2"), ("guidance_form", "apg")],
    ] {
        let mut request = base.clone();
        pairs.iter().for_each(|(key, value)| request.set(key, value).unwrap());
        let [expected, drawn] = [&graph, &own].map(|model| request.job(model).unwrap().run().unwrap());
        assert!(expected == drawn, "{pairs:?}");
    }
    assert!(calls.load(Ordering::SeqCst) > 4 * 8);
    // A snapshot knows its network by the manifest.
    let mut job = base.job(&own).unwrap();
    job.step().unwrap();
    let snapshot = job.snapshot().unwrap();
    base.job(&own).unwrap().restore(&snapshot).unwrap();
    assert!(base.job(&graph).unwrap().restore(&snapshot).is_err());
}

#[test]
fn it_is_told_what_a_graph_is_told() {
    let manifest = json!({
        "diffuse": 1,
        "schedule": {"kind": "edm"},
        "prediction": "edm", "sample": {"shape": [2, 4, 4]},
        "conditions": {"mask": {"shape": [1, 4, 4], "joined": true}, "text": {"shape": [3]}},
    });
    let own = host(&manifest, |question, out| {
        let query = question.query;
        let (x, sigma) = (query.x.as_slice().unwrap(), query.level.sigma);
        // Karras et al. 2022, table 1.
        let scaling = 1.0 / (sigma * sigma + 0.25).sqrt();
        assert!((question.time - sigma.ln() / 4.0).abs() < 1e-12, "{}", question.time);
        assert_eq!(question.shape, [2, 3, 4, 4]);
        for (item, input) in question.input.chunks(48).enumerate() {
            for (value, x) in input[..32].iter().zip(&x[item * 32..]) {
                assert!((f64::from(*value) - f64::from(*x) * scaling).abs() < 1e-5 * f64::from(x.abs()).max(1.0));
            }
            assert!(input[32..].iter().all(|value| *value == 1.0 + item as f32));
        }
        assert_eq!(query.condition.tensors["text"].as_f32().unwrap(), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
        out.fill(0.0);
        Ok(())
    })
    .unwrap();
    let mask = ndarray::Array::from_shape_fn((2, 1, 4, 4), |(item, ..)| 1.0 + item as f32).into_dyn();
    let text = ndarray::arr1(&[1.0f32, 2.0, 3.0]).into_dyn();
    let conditions = [("mask".to_owned(), Arc::new(mask.into())), ("text".to_owned(), Arc::new(text.into()))];
    let request = Request { count: 2, steps: Some(4), conditions: conditions.into(), ..Request::default() };
    request.job(&own).unwrap().run().unwrap();
    let error = Request { count: 2, steps: Some(4), ..Request::default() }.job(&own).unwrap_err();
    assert!(error.to_string().contains("mask"), "{error}");
}

#[test]
fn what_goes_wrong_in_it_is_an_error() {
    let graph = model("onnx/models/sprites.onnx");
    let good = manifest(&graph);
    let step = |network: fn(&Question<'_>, &mut [f32]) -> Result<(), String>| {
        let model = host(&good, network).unwrap();
        Request { classes: Some(vec![0]), ..Request::default() }.job(&model).unwrap().step().unwrap_err()
    };
    let failed = step(|_, _| Err("the device is lost".into()));
    assert!(matches!(&failed, Error::Callback { step: 0, reason } if reason == "the device is lost"), "{failed}");
    // What it leaves unwritten is no number.
    assert!(matches!(step(|_, _| Ok(())), Error::Callback { .. }));
    let infinite = step(|_, out| {
        out.fill(0.0);
        out[17] = f32::INFINITY;
        Ok(())
    });
    assert!(matches!(&infinite, Error::Callback { reason, .. } if reason.contains("inf")), "{infinite}");

    let refused = |change: fn(&mut Value)| {
        let mut manifest = good.clone();
        change(&mut manifest);
        host(&manifest, |_, _| Ok(())).unwrap_err().to_string()
    };
    assert!(refused(|manifest| manifest["inputs"] = json!({"sample": "x"})).contains("no graph"));
    assert!(refused(|manifest| manifest["prediction"] = json!("everything")).contains("everything"));
    let model = host(&good, |_, _| Ok(())).unwrap();
    let request = Request { classes: Some(vec![0]), shape: Some(vec![3, 32, 32]), ..Request::default() };
    assert!(matches!(request.job(&model), Err(Error::Argument { name: "shape", .. })));
    model.trim(&Canceller::default()).unwrap();
    assert_eq!(model.memory(), None);
}

#[test]
fn one_that_takes_long_can_see_that_it_was_cancelled() {
    let graph = model("onnx/models/sprites.onnx");
    let model = host(&manifest(&graph), |question, out| {
        while !question.is_cancelled() {
            std::thread::yield_now();
        }
        // Whatever it says then is not used, also in the last step.
        out.fill(0.0);
        Ok(())
    })
    .unwrap();
    for steps in [1, 50] {
        let guided = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&guided);
        let callback: Arc<Callback> = Arc::new(move |_: &Query<'_>, _: &mut [f32]| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        let callback = Some(HostGuidance(callback));
        let request = Request { classes: Some(vec![0]), steps: Some(steps), callback, ..Request::default() };
        let runner = Runner::new(request.job(&model).unwrap());
        runner.start(None).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
        runner.cancel();
        assert!(matches!(runner.wait(std::time::Duration::from_secs(600)), Err(Error::Cancelled)));
        assert_eq!((runner.progress().1.step, guided.load(Ordering::SeqCst)), (0, 0));
    }
}
