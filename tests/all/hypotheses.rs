//! `inspect --samples`: what it finds out of a graph from clean samples. The truth is known of the shipped predictors,
//! whose manifests are taken away from them, and of the graphs of `onnx/denoisers.py`, which are the best denoiser of a
//! mixture.
#![cfg(feature = "cli")]

use std::f64::consts::PI;
use std::path::Path;
use std::process::Command;

use diffuse::model::{Schedule, Time};
use diffuse::noise::{CounterNoise, Draw, NoiseSource};
use ndarray::{Array4, ArrayD, ArrayViewD, Axis, s};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::cli::{diffuse, ended, fail, fixture, folder, npy, shipped, succeed, text};
use crate::support::{mixture, model, repository};

/// What is open of a model of which nothing is known but what its graph says.
const OPEN: [&str; 3] = ["schedule", "prediction", "time"];

/// How many sprites there are of each kind: normal ones, and those that may have a defect.
const SPRITES: usize = 20;

fn write(path: &Path, values: ArrayViewD<'_, f32>) {
    let axes: Vec<String> = values.shape().iter().map(ToString::to_string).collect();
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(path, npy("'<f4'", &format!("({},)", axes.join(",")), &data)).unwrap();
}

/// Points of a curve, by a number from 0 to 1 that is another one for each, and normal noise of the deviation
/// `deviation`.
fn points(count: usize, deviation: f32, curve: impl Fn(f64) -> [f64; 2]) -> ArrayD<f32> {
    let mut values = vec![0.0; 2 * count];
    CounterNoise::new(1).fill(Draw::Start, 2 * count, &mut values);
    for (place, point) in values.chunks_exact_mut(2).enumerate() {
        // The golden ratio's multiples fill the circle evenly.
        let at = curve((place as f64 * 0.618_033_988_749_895).fract());
        point.iter_mut().zip(at).for_each(|(value, at)| *value = deviation * *value + at as f32);
    }
    ArrayD::from_shape_vec(vec![count, 2], values).unwrap()
}

/// The data of `onnx/points.py`.
fn moons(count: usize) -> ArrayD<f32> {
    points(count, 0.05, |share| {
        let angle = 2.0 * PI * share;
        let (sin, cos) = (angle % PI).sin_cos();
        if angle < PI { [cos, sin] } else { [1.0 - cos, 0.5 - sin] }
    })
}

fn s_curve(count: usize) -> ArrayD<f32> {
    let deviations = [0.5f64, 1.5 + 4.0 / (3.0 * PI)].map(f64::sqrt);
    points(count, 0.0, |share| {
        let angle = 3.0 * PI * (share - 0.5);
        [angle.sin() / deviations[0], angle.signum() * (angle.cos() - 1.0) / deviations[1]]
    })
}

fn swiss_roll(count: usize) -> ArrayD<f32> {
    points(count, 0.0, |share| {
        let angle = 1.5 * PI * (1.0 + 2.0 * share);
        [angle * angle.cos() / 10.0, angle * angle.sin() / 10.0]
    })
}

/// The sprites of the sheet that `onnx/denoisers.py` draws, from -1 to 1.
fn sprites() -> Array4<f32> {
    let file = std::fs::File::open(repository("onnx/fixtures/denoisers/sprites.png")).unwrap();
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    Array4::from_shape_fn((2 * SPRITES, 4, 32, 32), |(item, channel, y, x)| {
        let place = (item / 8 * 32 + y) * 256 + item % 8 * 32 + x;
        f32::from(pixels[4 * place + channel]) / 127.5 - 1.0
    })
}

/// At half their size.
fn small(sprites: &Array4<f32>) -> Array4<f32> {
    let quarter = |y, x| sprites.slice(s![.., .., y..;2, x..;2]).to_owned();
    (quarter(0, 0) + quarter(0, 1) + quarter(1, 0) + quarter(1, 1)) / 4.0
}

/// Asks about the model at `path` by the samples `samples` in the folder. `known` stands beside it.
fn inspect(folder: &TempDir, path: &str, known: Option<&Value>, samples: &str) -> Command {
    let own = folder.path().join("model.onnx");
    std::fs::copy(path, &own).unwrap();
    if let Some(known) = known {
        std::fs::write(own.with_extension("diffuse.json"), known.to_string()).unwrap();
    }
    let mut command = diffuse(folder);
    command.args(["inspect", "model.onnx", "--samples", samples]);
    command
}

fn parsed(command: &mut Command) -> Value {
    let output = succeed(command.arg("--json"));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The manifest of a shipped model, with what of it is to be found out taken away.
fn partial(name: &str, open: &[&str]) -> Value {
    let mut manifest = serde_json::to_value(model(&format!("onnx/models/{name}.onnx")).manifest()).unwrap();
    open.iter().for_each(|field| manifest[field] = json!("?"));
    manifest["defaults"] = json!({});
    manifest
}

/// Whether the truth about a shipped model is in the first group, where nothing of it is told.
fn is_found(name: &str, values: ArrayViewD<'_, f32>, flags: &[&str]) {
    let folder = folder();
    write(&folder.path().join("samples.npy"), values);
    let mut command = inspect(&folder, &shipped(name), Some(&partial(name, &OPEN)), "samples.npy");
    let found = parsed(command.args(flags));
    let truth = model(&format!("onnx/models/{name}.onnx"));
    let truth = truth.manifest();
    let is_true = |one: &Value| {
        let fields = &one["manifest"];
        let read = |field: &str| fields[field].clone();
        serde_json::from_value::<Schedule>(read("schedule")).unwrap() == truth.schedule
            && serde_json::from_value::<Time>(read("time")).unwrap() == truth.time()
            && read("prediction") == serde_json::to_value(truth.prediction).unwrap()
            && fields.get("input_scaling").is_none()
    };
    let groups = found["groups"].as_array().unwrap();
    let place = groups.iter().position(|group| group.as_array().unwrap().iter().any(is_true));
    let tried = found["hypotheses"].as_u64().unwrap();
    println!(
        "{name}: the truth is in group {:?} of {}, whose best has a score of {:.4}; {tried} hypotheses, {} in the first group",
        place.map(|place| place + 1),
        groups.len(),
        groups[0][0]["score"]["score"].as_f64().unwrap(),
        groups[0].as_array().unwrap().len()
    );
    assert_eq!(place, Some(0), "{name}: {:#}", found["groups"]);
    assert!(tried > 100, "{tried}");
}

#[test]
fn the_truth_about_points_is_found() {
    is_found("ncsn_moons", moons(600).view(), &[]);
    is_found("vp_s_curve", s_curve(600).view(), &[]);
    is_found("ve_swiss_roll", swiss_roll(600).view(), &[]);
}

#[test]
fn the_truth_about_other_points_is_found() {
    is_found("sub_vp_moons", moons(600).view(), &[]);
    is_found("flow_s_curve", s_curve(600).view(), &[]);
    is_found("swiss_roll", swiss_roll(600).view(), &[]);
}

#[test]
fn the_truth_about_sprites_is_found() {
    let all = sprites();
    let normal = all.slice(s![..SPRITES, .., .., ..]).to_owned();
    let small = small(&normal);
    let numbers: Vec<String> = (0..SPRITES).map(|place| (place % 10).to_string()).collect();
    let classes = ["--class", &numbers.join(",")];
    is_found("sprites", normal.view().into_dyn(), &classes);
    is_found("sprites_16", small.view().into_dyn(), &classes);
    is_found("sprite_defects", all.slice(s![SPRITES.., .., .., ..]).into_dyn(), &[]);
    let beside = folder();
    let low = beside.path().join("low.npy");
    write(&low, small.view().into_dyn());
    let condition = format!("low_resolution={}", low.display());
    is_found("sprites_upsampler", normal.view().into_dyn(), &[&classes[..], &["--condition", &condition]].concat());
}

/// The graphs have no manifest at all.
#[test]
fn the_truth_about_the_best_denoisers_is_found() {
    let folder = folder();
    let points: Vec<f32> = mixture::exact(3).into_iter().take(600).flatten().map(|value| value as f32).collect();
    let points = ArrayD::from_shape_vec(vec![600, 2], points).unwrap();
    write(&folder.path().join("samples.npy"), points.view());
    for (name, prediction, schedule, time) in [
        ("edm_log_sigma", "edm", "edm", json!({"encoding": "log_sigma", "scale": 0.25})),
        ("x0_sigma", "x0", "edm", json!({"encoding": "sigma"})),
        ("epsilon_alpha", "epsilon", "vp", json!({"encoding": "alpha"})),
        ("v_log_snr", "v", "vp", json!({"encoding": "log_snr"})),
        ("flow_1000", "flow", "flow", json!({"encoding": "unit", "scale": 1000})),
        ("flow_to_data", "flow_to_data", "flow", json!({"encoding": "unit", "direction": "data"})),
        ("epsilon_index", "epsilon", "linear", json!({"encoding": "index"})),
    ] {
        let graph = fixture(&format!("denoisers/{name}"));
        let found = parsed(&mut inspect(&folder, &graph, None, "samples.npy"));
        let first = found["groups"][0].as_array().unwrap();
        let is_true = |one: &Value| {
            let fields = &one["manifest"];
            fields["prediction"] == prediction
                && fields["schedule"]["kind"] == schedule
                && fields["time"] == time
                && fields.get("input_scaling").is_none()
        };
        assert!(first.iter().any(is_true), "{name}: {first:#?}");
        // A perfect network has no error of its own.
        assert!(first[0]["score"]["score"].as_f64().unwrap() < 0.02, "{name}: {:#}", first[0]);
    }
}

#[test]
fn a_whole_manifest_is_checked() {
    let folder = folder();
    write(&folder.path().join("samples.npy"), swiss_roll(400).view());
    let said = |known: Option<&Value>| {
        let _ = std::fs::remove_file(folder.path().join("model.diffuse.json"));
        text(&succeed(&mut inspect(&folder, &shipped("swiss_roll"), known, "samples.npy")).stdout)
    };
    let right = said(None);
    assert!(right.contains("The manifest is in the first group"), "{right}");
    let line = "\"schedule\": {\"kind\": \"sigmoid\", \"train_steps\": 100}, \"prediction\": \"epsilon\", \"time\": {\"encoding\": \"index\"}";
    assert!(right.lines().any(|one| one.contains(line) && one.ends_with("<- the manifest")), "{right}");

    let mut wrong = partial("swiss_roll", &[]);
    wrong["prediction"] = json!("v");
    let wrong = said(Some(&wrong));
    assert!(wrong.contains("The manifest is not in the first group"), "{wrong}");
    assert!(
        wrong.lines().any(|one| one.contains("\"prediction\": \"v\"") && one.ends_with("<- the manifest")),
        "{wrong}"
    );

    // The network has 100 steps.
    let mut longer = partial("swiss_roll", &[]);
    longer["schedule"] = json!({"kind": "linear"});
    let longer = said(Some(&longer));
    assert!(longer.contains("The manifest is not among them"), "{longer}");
}

#[test]
fn what_is_told_is_not_guessed() {
    let folder = folder();
    write(&folder.path().join("samples.npy"), swiss_roll(200).view());
    let found = |known: &Value| parsed(&mut inspect(&folder, &shipped("swiss_roll"), Some(known), "samples.npy"));
    let all = |found: &Value, is: &dyn Fn(&Value) -> bool| {
        found["groups"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|group| group.as_array().unwrap())
            .all(|one| is(&one["manifest"]))
    };
    let mut known = partial("swiss_roll", &["time"]);
    known["schedule"] = json!({"kind": "sigmoid", "train_steps": "?", "beta_start": 0.0001, "beta_end": 0.02});
    let some = found(&known);
    assert!(
        all(&some, &|fields| fields["schedule"]["kind"] == "sigmoid" && fields["prediction"] == "epsilon"),
        "{some:#}"
    );
    assert_eq!(some["groups"][0][0]["manifest"]["schedule"]["train_steps"], 100);
    assert_eq!(some["group_of_the_manifest"], Value::Null);

    let mut known = partial("swiss_roll", &["schedule", "prediction"]);
    known["time"] = json!({"encoding": "index", "offset": 1});
    let some = found(&known);
    assert!(all(&some, &|fields| fields["time"] == json!({"encoding": "index", "offset": 1})), "{some:#}");
}

/// A classifier, whose manifest says so or not, and a network that starts from other samples than noise.
#[test]
fn what_is_no_predictor_from_noise_is_an_error_that_says_so() {
    let folder = folder();
    let (samples, all) = (folder.path().join("samples.npy"), sprites());
    write(&samples, all.view().into_dyn());
    for name in ["sprite_classifier", "sprite_defects_classifier"] {
        let mut command = diffuse(&folder);
        command.args(["inspect", &shipped(name), "--samples", "samples.npy", "--class", "0"]);
        fail(&folder, &mut command, 3, "it is a classifier");
        let known = partial(name, &OPEN);
        let output = ended(inspect(&folder, &shipped(name), Some(&known), "samples.npy").args(["--class", "0"]));
        assert_eq!(output.status.code(), Some(3), "{name}");
        assert!(text(&output.stderr).contains("hypotheses fits"), "{name}: {}", text(&output.stderr));
        std::fs::remove_file(folder.path().join("model.diffuse.json")).unwrap();
    }
    write(&samples, s_curve(400).view());
    let mut command = diffuse(&folder);
    command.args(["inspect", &shipped("moons_to_s_curve"), "--samples", "samples.npy"]);
    let said = fail(&folder, &mut command, 3, "hypotheses fits");
    assert!(said.contains("may not start from noise"), "{said}");
}

#[test]
fn samples_that_are_not_of_the_model_are_refused() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let shapes: [(&str, &[usize]); 3] = [("wide", &[20, 3]), ("flat", &[20]), ("few", &[7, 2])];
    for (name, shape) in shapes {
        let values = (0..shape.iter().product::<usize>()).map(|place| place as f32).collect();
        write(&at(&format!("{name}.npy")), ArrayD::from_shape_vec(shape, values).unwrap().view());
    }
    let mut values = moons(20);
    values[[13, 1]] = f32::NAN;
    write(&at("nan.npy"), values.view());
    write(&at("constant.npy"), ArrayD::from_elem(vec![20, 2], 0.5).view());
    std::fs::create_dir(at("empty")).unwrap();
    std::fs::create_dir(at("mixed")).unwrap();
    write(&at("mixed/a.npy"), moons(4).index_axis(Axis(0), 0).into_dyn());
    write(&at("mixed/b.npy"), ArrayD::zeros(vec![3]).view());
    std::fs::write(at("text.npy"), "none").unwrap();
    for (name, said) in [
        ("wide.npy", "--samples: wide.npy: samples of [3]; the model's are [2]"),
        ("flat.npy", "--samples: flat.npy: a shape of [20]; expected samples of [2], batch first"),
        ("few.npy", "--samples: few.npy: 7 samples; at least 8 are needed"),
        ("nan.npy", "--samples: nan.npy: sample 13 holds NaN"),
        ("constant.npy", "--samples: constant.npy: 1 samples that differ, of 20; at least 8 are needed"),
        ("empty", "--samples: empty: there is no .png and no .npy in the folder"),
        ("mixed", "b.npy: samples of [3]; the model's are [2]"),
        ("text.npy", "--samples: text.npy: expected a .png, or a .npy of numbers"),
    ] {
        let mut command = diffuse(&folder);
        command.args(["inspect", &shipped("ncsn_moons"), "--samples", name]);
        fail(&folder, &mut command, 2, said);
    }
    let mut command = diffuse(&folder);
    fail(&folder, command.args(["inspect", &shipped("ncsn_moons"), "--samples", "nowhere"]), 6, "nowhere");
}

#[test]
fn what_goes_with_samples_has_to_fit_them() {
    let folder = folder();
    let all = sprites();
    write(&folder.path().join("samples.npy"), all.view().into_dyn());
    for (model, flags, said) in [
        ("sprites_upsampler", &[][..], "--condition: this model needs 'low_resolution'"),
        ("sprites", &["--class", "heart,star"], "--class: 2 classes for 40 samples; give 1 or as many"),
        ("sprites", &["--class", "sun"], "there is no class 'sun'"),
        ("sprites", &["--condition", "hint=1"], "--condition: 'hint'"),
    ] {
        let mut command = diffuse(&folder);
        command.args(["inspect", &shipped(model), "--samples", "samples.npy"]).args(flags);
        fail(&folder, &mut command, 2, said);
    }
    let mut command = diffuse(&folder);
    fail(&folder, command.args(["inspect", &shipped("sprites"), "--class", "heart"]), 2, "--samples");
    let picture = repository("onnx/models/sprites.png").display().to_string();
    let mut command = diffuse(&folder);
    fail(&folder, command.args(["inspect", &picture, "--samples", "samples.npy"]), 2, "--samples");
    for (field, value, said) in [
        ("prediction", json!("noise"), "manifest: prediction: unknown variant `noise`"),
        ("schedule", json!({"kind": "straight"}), "manifest: no usual schedule agrees with its fields"),
        ("guidance_pair", json!("?"), "manifest: guidance_pair is \"?\", which samples cannot determine"),
    ] {
        let mut known = partial("sprites", &OPEN);
        known[field] = value;
        let output = ended(inspect(&folder, &shipped("sprites"), Some(&known), "samples.npy").args(["--class", "0"]));
        assert_eq!(output.status.code(), Some(3), "{field}");
        assert!(text(&output.stderr).contains(said), "{field}: {}", text(&output.stderr));
    }
}

/// A folder of .png files is as good as the array of their values.
#[test]
fn pictures_in_a_folder_are_samples() {
    let folder = folder();
    let all = small(&sprites());
    std::fs::create_dir(folder.path().join("pictures")).unwrap();
    for (place, sprite) in all.outer_iter().take(10).enumerate() {
        let byte =
            |channel: usize, y: u32, x: u32| ((sprite[[channel, y as usize, x as usize]] + 1.0) * 127.5).round() as u8;
        let path = folder.path().join(format!("pictures/{place:02}.png"));
        crate::support::cli::write_png(&path, 16, 16, |x, y| std::array::from_fn(|channel| byte(channel, y, x)));
    }
    let mut command = diffuse(&folder);
    command.args(["inspect", &shipped("sprites_16"), "--samples", "pictures", "--class", "0,1,2,3,4,5,6,7,8,9"]);
    let said = text(&succeed(&mut command).stdout);
    assert!(said.contains("samples  10, with noise") && said.contains("The manifest is in the first group"), "{said}");
}
