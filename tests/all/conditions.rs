//! What a network is told beside the samples, where it does not fit: each refusal names the field or the tensor, what
//! was expected and what was found. That what fits is told right is `predictors.rs`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use diffuse::stage::pixels::{Look, latent_preview, rgba8};
use diffuse::tensor::Tensor;
use diffuse::{Model, ModelOptions, Request};
use ndarray::{Array, Array3, ArrayD, IxDyn};
use serde_json::{Value, json};

use crate::support::{model, repository, runtime};

const FOLDER: &str = "onnx/fixtures/predictors";

fn graph(name: &str) -> String {
    format!("{FOLDER}/{name}.onnx")
}

fn reals(shape: &[usize]) -> Tensor {
    ArrayD::from_elem(IxDyn(shape), 0.5f32).into()
}

fn wholes(shape: &[usize], value: i64) -> Tensor {
    ArrayD::from_elem(IxDyn(shape), value).into()
}

fn conditions<const N: usize>(given: [(&str, Tensor); N]) -> BTreeMap<String, Arc<Tensor>> {
    given.into_iter().map(|(name, tensor)| (name.to_owned(), Arc::new(tensor))).collect()
}

/// What is said of a request for three items.
fn refusal(model: &Arc<Model>, request: Request) -> String {
    let request = Request { count: 3, steps: Some(2), ..request };
    request.job(model).map(drop).unwrap_err().to_string()
}

#[test]
fn what_does_not_fit_is_refused_by_its_name() {
    let flux = |change: (&str, Tensor)| {
        let mut all = conditions([
            ("encoder_hidden_states", reals(&[5, 64])),
            ("pooled_projections", reals(&[768])),
            ("img_ids", reals(&[4, 3])),
            ("txt_ids", reals(&[5, 3])),
            ("guidance", reals(&[])),
        ]);
        all.insert(change.0.to_owned(), Arc::new(change.1));
        refusal(&model(&graph("flux")), Request { conditions: all, ..Request::default() })
    };
    // The rank, the length, a free size that is given twice, and what is one for all.
    let said = flux(("encoder_hidden_states", reals(&[5, 1, 1, 64])));
    assert!(
        said.contains("'encoder_hidden_states' has a shape of [5, 1, 1, 64]; expected [s, 64] for an item"),
        "{said}"
    );
    let said = flux(("encoder_hidden_states", reals(&[2, 5, 64])));
    assert!(said.contains("[2, 5, 64]") && said.contains("an axis for the 3 items in front"), "{said}");
    let said = flux(("txt_ids", reals(&[6, 3])));
    assert!(said.contains("'txt_ids'") && said.contains("'s' is 5 in the other inputs"), "{said}");
    let said = flux(("pooled_projections", reals(&[767])));
    assert!(said.contains("'pooled_projections' has a shape of [767]; expected [768]"), "{said}");
    let said = flux(("img_ids", reals(&[3, 4, 3])));
    assert!(said.contains("'img_ids'") && !said.contains("items in front"), "{said}");
    let said = flux(("guidance", reals(&[4])));
    assert!(said.contains("'guidance' has a shape of [4]; expected [] for an item"), "{said}");
    let said = flux(("guidance", ArrayD::from_elem(IxDyn(&[]), f64::NAN).into()));
    assert!(said.contains("'guidance' holds NaN, which is no finite number in f32"), "{said}");
    let said = flux(("guidance", ArrayD::from_elem(IxDyn(&[]), 1e300).into()));
    assert!(said.contains("'guidance' holds 1") && said.contains("f32"), "{said}");
    let said = flux(("hidden_states", reals(&[4, 64])));
    assert!(said.contains("no condition 'hidden_states'; it has"), "{said}");
    // The samples' own shape against a condition's, and one that is not known at all.
    let flow = model(&graph("made/shared_free_size"));
    let said = refusal(&flow, Request::default());
    assert!(said.starts_with("shape: ") && said.contains("whose free sizes are unknown"), "{said}");

    // Numbers that the graph's type does not have.
    let typed = model(&graph("made/conditions_u8_i32_bool"));
    let names: Vec<&String> = typed.manifest().conditions.keys().collect();
    let of = |changed: &str, tensor: Tensor| {
        let shape = |name: &str| typed.manifest().conditions[name].shape.sizes().unwrap();
        let all = names.iter().map(|name| {
            let tensor = if **name == changed { tensor.clone() } else { wholes(&shape(name), 1) };
            ((*name).clone(), Arc::new(tensor))
        });
        Request { conditions: all.collect(), ..Request::default() }
    };
    for name in &names {
        let shape = typed.manifest().conditions[*name].shape.sizes().unwrap();
        let element = typed.condition_element(name).unwrap();
        let [least, most] = element.whole_numbers().unwrap();
        assert!(of(name, wholes(&shape, most)).job(&typed).is_ok(), "{name}");
        // What is whole may be given as any type.
        assert!(of(name, ArrayD::from_elem(IxDyn(&shape), least as f64).into()).job(&typed).is_ok(), "{name}");
        for wrong in [wholes(&shape, least - 1), wholes(&shape, most + 1), reals(&shape)] {
            let said = refusal(&typed, of(name, wrong));
            assert!(said.contains(&format!("'{name}' holds ")) && said.contains(&element.to_string()), "{said}");
        }
    }
}

#[test]
fn shapes_that_no_memory_holds_are_refused_before_anything_is_made() {
    let huge = model(&graph("made/shared_free_size"));
    let rank = huge.manifest().sample.shape.rank();
    for size in [usize::MAX, 1 << 40] {
        let request = Request { shape: Some(vec![size; rank]), ..Request::default() };
        assert!(refusal(&huge, request).starts_with("shape: "));
    }
    let [name] = &huge.manifest().conditions.keys().collect::<Vec<_>>()[..] else { panic!("one condition") };
    let shape = huge.manifest().conditions[*name].shape.bound_or(&BTreeMap::new(), 7);
    let request =
        Request { conditions: conditions([(name.as_str(), reals(&shape))]), count: usize::MAX, ..Request::default() };
    let error = Request { steps: Some(2), ..request }.job(&huge).map(drop).unwrap_err();
    assert!(error.to_string().contains("values"), "{error}");
}

/// What is said of a graph under another manifest than its own.
fn unfit(name: &str, change: impl FnOnce(&mut Value)) -> String {
    let path = repository(&graph(name));
    let beside = std::fs::read_to_string(Path::new(&path).with_extension("diffuse.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&beside).unwrap();
    change(&mut manifest);
    let options = ModelOptions { manifest: Some(manifest.to_string()), ..ModelOptions::default() };
    Model::open(&runtime(), &path, &options).map(drop).unwrap_err().to_string()
}

#[test]
fn roles_that_contradict_the_graph_are_refused_with_all_that_is_missing() {
    // All roles that are not known, in one error; and those that are named and not there.
    let said = unfit("class_b1", |manifest| {
        manifest["conditions"] = json!({"x": {"shape": [3, 8, 8]}, "t": {"shape": []}});
    });
    assert!(said.contains("known to be the sample, the time") && said.contains("inputs.sample, inputs.time"), "{said}");
    let said = unfit("flux", |manifest| manifest["inputs"] = json!({"sample": "hidden", "time": "when"}));
    assert!(said.contains("inputs.sample is 'hidden'") && said.contains("inputs.time is 'when'"), "{said}");
    // A condition of another rank, with what would do.
    let said = unfit("guidance_scalar", |manifest| manifest["conditions"] = json!({"guidance": {"shape": []}}));
    assert!(said.contains("guidance: f32[]") && said.contains("\"batch\": false"), "{said}");
    let said = unfit("flux", |manifest| manifest["conditions"]["img_ids"]["shape"] = json!(["L", 4]));
    assert!(said.contains("img_ids") && said.contains("conditions.img_ids.shape"), "{said}");
    let said = unfit("sdxl", |manifest| drop(manifest["conditions"].as_object_mut().unwrap().remove("time_ids")));
    assert!(said.contains("time_ids") && said.contains("has no role"), "{said}");
    // Two roles for one input.
    let said = unfit("sdxl", |manifest| manifest["inputs"] = json!({"time": "text_embeds"}));
    assert!(said.contains("text_embeds"), "{said}");
    let said = unfit("no_batch_axis", |manifest| manifest["guidance_pair"] = json!("negative_first"));
    assert!(said.contains("guidance_pair") && said.contains("not two"), "{said}");
    let said =
        unfit("keras_ddim_nhwc", |manifest| drop(manifest["sample"].as_object_mut().unwrap().remove("channels_last")));
    assert!(said.contains("noisy_images") && said.contains("sample.shape"), "{said}");
    let said = unfit("pixart_i64_mask", |manifest| drop(manifest.as_object_mut().unwrap().remove("variance")));
    assert!(said.contains("out: f32[b,8,h,w]"), "{said}");
    let said = unfit("made/one_hot_f32", |manifest| manifest["classes"]["count"] = json!(9));
    assert!(said.contains("no input is known to be the class") && said.contains("class_labels: f32[b,4]"), "{said}");
    let said = unfit("pixart_i64_mask", |manifest| manifest["time"] = json!({"encoding": "unit"}));
    assert!(said.contains("takes whole numbers"), "{said}");
}

/// A network that is told its latest estimate goes on from a snapshot as if it had not been left.
#[test]
fn what_is_fed_back_is_in_the_snapshot() {
    let model = model(&graph("made/self_condition"));
    let mut request = Request { count: 2, steps: Some(6), solver: Some("ddim".into()), ..Request::default() };
    request.classes = model.manifest().classes.as_ref().map(|_| vec![0, 1]);
    for (name, info) in &model.manifest().conditions {
        request.conditions.insert(name.clone(), Arc::new(reals(&info.shape.sizes().unwrap())));
    }
    let mut job = request.job(&model).unwrap();
    (0..3).for_each(|_| assert!(job.step().is_ok()));
    let snapshot = job.snapshot().unwrap();
    let whole = job.run().unwrap();
    let mut again = request.job(&model).unwrap();
    again.restore(&snapshot).unwrap();
    assert_eq!(again.run().unwrap(), whole);
    // Also in a job that was told other estimates since, and not where the snapshot is cut off.
    let mut other = request.job(&model).unwrap();
    (0..5).for_each(|_| assert!(other.step().is_ok()));
    assert!(other.restore(&snapshot[..snapshot.len() - 1]).is_err());
    other.restore(&snapshot).unwrap();
    assert_eq!(other.run().unwrap(), whole);
    let said = refusal(&model, Request { solver: Some("rk45".into()), steps: None, ..request });
    assert!(said.contains("rk45") && said.contains("estimate of the step before"), "{said}");
}

fn of_host(sample: Value) -> Model {
    let manifest = json!({"diffuse": 1, "sample": sample, "schedule": {"kind": "linear"}, "prediction": "epsilon"});
    let network = diffuse::network::HostNetwork::new(|_, out| {
        out.fill(0.0);
        Ok(())
    });
    Model::from_host(&manifest.to_string(), Arc::new(network)).unwrap()
}

/// Four channels without a kind are neither clipped nor drawn, and a note says so; latents are shown, and are no
/// pixels.
#[test]
fn latents_are_not_pictures() {
    let unsaid = of_host(json!({"shape": [4, 8, 8]}));
    let sample = &unsaid.manifest().sample;
    assert!(!sample.clip() && sample.range().is_none() && Look::of(sample) == Look::Values);
    let [note] = unsaid.notes() else { panic!("{:?}", unsaid.notes()) };
    assert!(note.contains("sample.kind") && note.contains("latent") && note.contains("image"), "{note}");
    for kind in ["image", "latent", "tensor"] {
        assert!(of_host(json!({"shape": [4, 8, 8], "kind": kind})).notes().is_empty());
    }
    assert!(of_host(json!({"shape": [3, 8, 8]})).manifest().sample.clip());

    // The first three channels, each from its least to its greatest; what is the same everywhere is grey.
    let latent = Array::from_shape_fn((4, 1, 3), |(c, _, x)| if c == 2 { 7.0 } else { (c as f32 + 1.0) * x as f32 });
    let shown = latent_preview(latent.view(), None).unwrap();
    assert_eq!(shown.shape(), [3, 1, 3]);
    assert_eq!(shown.iter().copied().collect::<Vec<f32>>(), [-1.0, 0.0, 1.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    let matrix = [vec![0.5, 0.0, 0.0, 0.0], vec![0.0, 0.25, 0.0, 0.0, -1.0], vec![0.0, 0.0, 0.0, 0.0, 1.0]];
    let shown: Array3<f32> = latent_preview(latent.view(), Some(&matrix)).unwrap();
    assert_eq!(shown.iter().copied().collect::<Vec<f32>>(), [0.0, 0.5, 1.0, -1.0, -0.5, 0.0, 1.0, 1.0, 1.0]);
    assert_eq!(rgba8(shown.view(), [-1.0, 1.0]).unwrap()[[0, 2, 0]], 255);
    let with = of_host(
        json!({"shape": [4, 8, 8], "kind": "latent", "preview": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0, 0.5]]}),
    );
    assert!(matches!(Look::of(&with.manifest().sample), Look::Latents(Some(_))));
}

/// In C pixels of latents are a preview alone.
#[cfg(feature = "capi")]
#[test]
fn pixels_of_latents_are_a_preview_alone() {
    use diffuse::capi::*;
    unsafe extern "C" fn nothing(
        _: *const diffuse_estimate,
        values: *mut f32,
        length: usize,
        _: *mut std::ffi::c_char,
        _: usize,
        _: *mut std::ffi::c_void,
    ) -> i32 {
        for place in 0..length {
            // SAFETY: the array has this length.
            unsafe { *values.add(place) = (place % 7) as f32 };
        }
        0
    }
    let manifest = c"{\"diffuse\": 1, \"sample\": {\"shape\": [4, 8, 8], \"kind\": \"latent\"}, \"schedule\": {\"kind\": \"linear\"}, \"prediction\": \"x0\"}";
    let (mut model, mut request, mut job) = Default::default();
    let mut pixels = [0u8; 256];
    // SAFETY: the pointers are those of what lives here, and the handles come from the calls before.
    unsafe {
        assert_eq!(
            diffuse_model_open_callback(manifest.as_ptr(), Some(nothing), std::ptr::null_mut(), &raw mut model),
            0
        );
        assert_eq!(diffuse_request_new(&raw mut request), 0);
        assert_eq!(diffuse_request_set(request, c"steps".as_ptr(), c"2".as_ptr()), 0);
        assert_eq!(diffuse_job_new(model, request, &raw mut job), 0);
        assert_eq!(diffuse_job_run(job), 0);
        assert_eq!(diffuse_job_read_pixels(job, 0, pixels.as_mut_ptr(), 256, 32, 0), DIFFUSE_ARGUMENT);
        let said = std::ffi::CStr::from_ptr(diffuse_error_message()).to_str().unwrap();
        assert!(said.contains("latents") && said.contains("diffuse_job_preview_pixels"), "{said}");
        assert_eq!(diffuse_job_preview_pixels(job, 0, pixels.as_mut_ptr(), 256, 32, 0), 0);
        diffuse_job_free(job);
        diffuse_request_free(request);
        diffuse_model_free(model);
    }
    let greatest = pixels.chunks(4).map(|pixel| pixel[0]).max();
    assert!(greatest == Some(255) && pixels.chunks(4).any(|pixel| pixel[0] == 0));
}
