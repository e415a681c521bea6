//! The command line as its users meet it: files, streams, exit codes, and what is left behind when something goes
//! wrong.
#![cfg(feature = "cli")]

use std::path::Path;
use std::process::{Command, Stdio};

use diffuse::solver::SOLVERS;

use crate::support::cli::{diffuse, ended, fail, files, fixture, folder, program, shipped, succeed, text};
use crate::support::repository;

/// The pictures that the documents show are drawn by the models that lie beside them.
#[test]
fn shipped_pictures_are_of_the_shipped_models() {
    let folder = folder();
    let points = ["ncsn_moons", "vp_s_curve", "ve_swiss_roll", "sub_vp_moons", "flow_s_curve"];
    for name in ["sprites", "swiss_roll"].iter().chain(&points) {
        let hash = |path: std::path::PathBuf| {
            let output = succeed(diffuse(&folder).arg("inspect").arg(path).arg("--json"));
            let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            record.get("model_sha256").or(record.get("sha256")).unwrap().clone()
        };
        let [picture, model] = ["png", "onnx"].map(|ending| hash(repository(&format!("onnx/models/{name}.{ending}"))));
        assert_eq!(picture, model, "{name}.png is of another {name}.onnx");
    }
}

#[test]
fn likelihoods_are_printed() {
    let folder = folder();
    let model = repository("onnx/models/vp_s_curve.onnx");
    let mut draw = diffuse(&folder);
    succeed(draw.arg("generate").arg(&model).args(["-n", "3", "--seed", "1", "--steps", "50", "-o", "points.npy"]));
    let mut ask = diffuse(&folder);
    let output = succeed(ask.arg("likelihood").arg(&model).args(["points.npy", "--tolerance", "1e-3", "--json"]));
    let densities: Vec<f64> = serde_json::from_slice(&output.stdout).unwrap();
    // What they are is tests/all/likelihood.rs' to say: this curve has no thickness, and its density no bound.
    assert!(densities.len() == 3 && densities.iter().all(|density| (-30.0..10.0).contains(density)), "{densities:?}");
    let ask = |arguments: &[&str], code, needle| {
        fail(&folder, diffuse(&folder).arg("likelihood").arg(&model).args(arguments), code, needle);
    };
    ask(&["missing.npy"], 6, "missing.npy");
    ask(&["points.npy", "--tolerance", "0"], 2, "--tolerance");
    ask(&["points.npy", "--class", "heart"], 2, "class");
    ask(&["points.npy", "--bound", "beta"], 2, "steps of training");
    std::fs::write(folder.path().join("text.npy"), "text of some length").unwrap();
    ask(&["text.npy"], 2, "text.npy: expected a .npy of numbers");
    // A header that speaks of more than there is.
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 2), }";
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").as_bytes());
    std::fs::write(folder.path().join("huge.npy"), bytes).unwrap();
    ask(&["huge.npy"], 2, "the shape (9999999999, 2) of <f4 takes 79999999992 bytes of values; found 0");
}

/// From a picture to a picture, as the README has it.
#[test]
fn pictures_are_edited() {
    let folder = folder();
    let sprites = shipped("sprites");
    let draw = |arguments: &str| {
        let mut command = diffuse(&folder);
        command.args(["generate", &sprites, "--steps", "8", "--seed", "3"]).args(arguments.split(' '));
        command
    };
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    succeed(&mut draw("--class heart -o heart.png"));
    succeed(&mut draw("--class heart --image heart.png --strength 0.5 -o again.png"));
    assert_ne!(bytes("heart.png"), bytes("again.png"));
    // The mask is what another program draws: grey, without alpha. Everything is kept.
    let mut mask = png::Encoder::new(std::fs::File::create(folder.path().join("mask.png")).unwrap(), 32, 32);
    mask.set_color(png::ColorType::Grayscale);
    mask.write_header().unwrap().write_image_data(&[0; 32 * 32]).unwrap();
    succeed(&mut draw("--class star --image heart.png --mask mask.png -o kept.png"));
    let pixels = |name: &str| {
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes(name))).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        pixels
    };
    assert_eq!(pixels("kept.png"), pixels("heart.png"));
    // What is transparent is kept as well, whatever its colour.
    let mut mask = png::Encoder::new(std::fs::File::create(folder.path().join("clear.png")).unwrap(), 32, 32);
    mask.set_color(png::ColorType::Rgba);
    mask.write_header().unwrap().write_image_data(&[[255, 255, 255, 0]; 32 * 32].concat()).unwrap();
    succeed(&mut draw("--class star --image heart.png --mask clear.png -o clear-kept.png"));
    assert_eq!(pixels("clear-kept.png"), pixels("heart.png"));
    succeed(&mut draw("--class heart --image heart.png --invert 1 -o noise.npy"));
    succeed(&mut draw("--class heart --start noise.npy -o back.png"));
    let apart = pixels("back.png").iter().zip(pixels("heart.png")).map(|(a, b)| u64::from(a.abs_diff(b))).sum::<u64>();
    assert!(apart / 4096 < 20, "{apart}");
    succeed(&mut draw("--class key -n 3 --interpolate-to 2 -o between.png"));
    succeed(&mut draw("--class key -n 3 --variation-seed 2 -o around.png"));
    let classifier = shipped("sprite_classifier");
    succeed(&mut draw(&format!("--class none -n 2 --classifier {classifier} --toward ghost,key --batch 1 -o led.npy")));
    succeed(&mut draw(&format!("--class none -n 2 --classifier {classifier} --toward ghost,key -o once.npy")));
    assert_eq!(bytes("led.npy"), bytes("once.npy"), "classes of a batch are not those of its items");

    let image = "--image heart.png";
    for (arguments, code, said) in [
        ("--class heart --mask mask.png", 2, "--image"),
        ("--class heart --image nothing.png", 6, "nothing.png"),
        ("--class heart --image noise.npy --strength 0", 2, "strength: 0 of 8 steps"),
        (&format!("--class heart {image} --mask noise.npy -n 2"), 2, "mask: "),
        (&format!("--class heart {image} --invert 1 --solver heun"), 2, "solver: heun"),
        ("--class heart --invert 1", 2, "invert: an inversion starts from an image"),
        ("--class heart --start heart.png", 2, "--start: "),
        ("--class heart --start noise.npy --image heart.png", 2, "--image"),
        ("--class heart --negative sward", 2, "this model reads no text"),
        ("--likeness diffusers", 2, "the flag is now called --compat"),
        ("--class heart --negative-class sward", 2, "--negative-class: there is no class 'sward'"),
        (&format!("--class none --classifier {classifier}"), 2, "--toward"),
        (&format!("--class none --classifier {classifier} --toward sward"), 2, "--toward: there is no class 'sward'"),
        (&format!("--class none --classifier {sprites} --toward heart"), 2, "classifier: 'sprites' predicts v"),
        ("--class none --guidance-scale 3", 2, "--guidance-scale: guidance has no direction"),
        ("--class heart --condition low=heart.png", 2, "--condition: 'low'; this model's are: none"),
        ("--class heart --interpolate-to 3 -n 4 --batch 2", 2, "--batch: 2"),
    ] {
        fail(&folder, &mut draw(arguments), code, said);
    }
    // A picture of another size is never scaled in silence.
    succeed(diffuse(&folder).args([
        "generate",
        &sprites,
        "--class",
        "key",
        "--zoom",
        "2",
        "-o",
        "large.png",
        "--steps",
        "2",
    ]));
    fail(&folder, &mut draw("--class heart --image large.png"), 2, "64 by 64 pixels, where 32 by 32 are expected");
    fail(&folder, diffuse(&folder).args(["generate", &classifier]), 2, "is a classifier");
}

#[test]
fn defects_are_shown() {
    let folder = folder();
    let (model, classifier) = (shipped("sprite_defects"), shipped("sprite_defects_classifier"));
    succeed(diffuse(&folder).args(["generate", &model, "-n", "1", "--seed", "1", "-o", "a.png", "--steps", "10"]));
    let anomaly = |arguments: &str| {
        let mut command = diffuse(&folder);
        command.args(["anomaly", &model]).args(arguments.split(' '));
        command.args(["--classifier", &classifier, "--steps", "10"]);
        command
    };
    let output = succeed(&mut anomaly("a.png a.png --toward normal -o map.png -o map.npy --json"));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 2);
    assert!(found[0]["greatest"].as_f64().unwrap() > found[0]["mean"].as_f64().unwrap());
    let inspected = succeed(diffuse(&folder).args(["inspect", "map.png", "--json"]));
    let record: serde_json::Value = serde_json::from_slice(&inspected.stdout).unwrap();
    assert_eq!(record["model"], "sprite_defects");
    assert_eq!(std::fs::metadata(folder.path().join("map.npy")).unwrap().len(), 128 + 2 * 32 * 32 * 4);
    fail(&folder, &mut anomaly("a.png --toward normal -o map.csv"), 2, ".png or .npy");
    fail(&folder, &mut anomaly("b.png --toward normal"), 6, "b.png");
    fail(
        &folder,
        &mut anomaly("a.png --toward clean"),
        2,
        "--toward: there is no class 'clean'; there are normal, defect",
    );
    fail(&folder, &mut anomaly("a.png --toward normal --white 0"), 2, "--white");
    fail(&folder, diffuse(&folder).args(["anomaly", &model, "a.png"]), 2, "classifier: there is none");
}

#[test]
fn a_plan_is_drawn() {
    let folder = folder();
    let output = ["plot", "--schedule", "flow", "--solver", "unipc", "--steps", "6", "-o", "plan.svg"];
    succeed(diffuse(&folder).args(output));
    let svg = std::fs::read_to_string(folder.path().join("plan.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains("unipc") && !svg.contains("NaN"));
    // A mark for each level of the first panel, at least.
    assert!(svg.matches("<circle").count() > 7);
    // Each of three coefficients has a line, and so have α, σ and the noise of the levels; what is visited are points.
    succeed(diffuse(&folder).args(["plot", "--schedule", "cosine", "--solver", "ddim", "-o", "three.svg"]));
    let drawing = std::fs::read_to_string(folder.path().join("three.svg")).unwrap();
    assert_eq!(drawing.matches("<polyline").count(), 3 + 3);
    fail(&folder, diffuse(&folder).args(["plot", "-o", "missing/plan.svg"]), 6, "missing");
    fail(&folder, diffuse(&folder).args(["plot", "-o", "plan.png"]), 2, ".svg");
    fail(&folder, diffuse(&folder).args(["plan", "--schedule", "vp", "--steps", "1000000"]), 2, "--steps");
    fail(&folder, diffuse(&folder).args(["plan", "--scheduler-config", "/dev/zero"]), 2, "bytes");
}

#[test]
fn a_picture_is_named_after_its_seed_and_says_how_it_was_made() {
    let folder = folder();
    let generate = |seed: &str| {
        diffuse(&folder).args(["generate", &fixture("time_first"), "--steps", "5", "-n", "3", "--seed", seed]).output()
    };
    let output = generate("7").unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let name = printed.trim();
    assert!(name.ends_with("-7.png"), "{name}");
    assert!(text(&output.stderr).contains("seed 7"));
    let first = std::fs::read(folder.path().join(name)).unwrap();

    let record: serde_json::Value =
        serde_json::from_slice(&succeed(diffuse(&folder).args(["inspect", name, "--json"])).stdout).unwrap();
    assert_eq!((&record["seed"], &record["steps"], &record["count"]), (&7.into(), &5.into(), &3.into()));
    assert_eq!(
        (&record["solver"], &record["order"], &record["grid"]),
        (&"unipc".into(), &2.into(), &"exponential".into())
    );
    assert_eq!(record["model_sha256"].as_str().unwrap().len(), 64);

    // The same call draws the same bytes; another seed does not.
    std::fs::remove_file(folder.path().join(name)).unwrap();
    generate("7").unwrap();
    assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), first);
    generate("8").unwrap();
    assert_ne!(std::fs::read(folder.path().join(name.replace("-7", "-8"))).unwrap(), first);
}

#[test]
fn a_seed_that_was_not_given_is_printed_and_draws_the_same_again() {
    let folder = folder();
    let draw = |arguments: &[&str]| {
        let output = succeed(
            diffuse(&folder).args(["generate", &fixture("time_first"), "--steps", "2", "--json"]).args(arguments),
        );
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let record = draw(&[]);
    let seed = record["seed"].to_string();
    let name = record["files"][0].as_str().unwrap().to_owned();
    let first = std::fs::read(folder.path().join(&name)).unwrap();
    assert_ne!(draw(&["-o", "other.png"])["seed"].to_string(), seed, "another seed each time");
    draw(&["--seed", &seed, "-o", "again.png"]);
    assert_eq!(std::fs::read(folder.path().join("again.png")).unwrap(), first);
}

#[test]
fn points_become_a_table_and_a_picture() {
    let folder = folder();
    let output = succeed(diffuse(&folder).args(["generate", &shipped("swiss_roll"), "-n", "200", "--seed", "1"]));
    assert_eq!(text(&output.stdout), "swiss_roll-1.csv\nswiss_roll-1.png\n");
    let table = std::fs::read_to_string(folder.path().join("swiss_roll-1.csv")).unwrap();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("x,y"));
    let points: Vec<Vec<f32>> =
        lines.map(|line| line.split(',').map(|value| value.parse().unwrap()).collect()).collect();
    assert_eq!(points.len(), 200);
    assert!(points.iter().all(|point| point.len() == 2 && point.iter().all(|value| value.abs() < 3.0)));
}

#[test]
fn classes_are_chosen_by_name_number_and_none() {
    let folder = folder();
    let sprites = shipped("sprites");
    let mut draw = diffuse(&folder);
    draw.args([
        "generate",
        &sprites,
        "--steps",
        "2",
        "--class",
        "heart,1,none",
        "-n",
        "2",
        "--seed",
        "1",
        "-o",
        "a.npy",
        "--json",
    ]);
    let record: serde_json::Value = serde_json::from_slice(&succeed(&mut draw).stdout).unwrap();
    assert_eq!(record["count"], 6);
    assert_eq!((&record["class_names"][0], &record["class_names"][2]), (&"heart".into(), &"none".into()));
    fail(
        &folder,
        diffuse(&folder).args(["generate", &sprites, "--class", "zebra"]),
        2,
        "there is no class 'zebra'; there are heart",
    );
    fail(&folder, diffuse(&folder).args(["generate", &sprites, "--class", "99"]), 2, "--class");
    fail(&folder, diffuse(&folder).args(["generate", &shipped("swiss_roll"), "--class", "0"]), 2, "no classes");
}

/// Spaces around names count for nothing, names may have commas, and the flag may be given more than once.
#[test]
fn classes_are_chosen_as_people_write_them() {
    let folder = folder();
    let comma = repository("tests/hostile/comma.onnx").display().to_string();
    let draw = |model: &str, arguments: &[&str]| {
        let mut command = diffuse(&folder);
        command.args(["generate", model, "--steps", "2", "--seed", "1", "-o", "a.npy"]).args(arguments);
        command
    };
    let names = |model: &str, arguments: &[&str]| {
        let output = succeed(draw(model, arguments).arg("--json"));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["class_names"].clone()
    };
    let sprites = shipped("sprites");
    assert_eq!(names(&sprites, &["--class", "heart, 1 ,none"]), serde_json::json!(["heart", "star", "none"]));
    assert_eq!(
        names(&sprites, &["--class", "heart", "--class", " key,none "]),
        serde_json::json!(["heart", "key", "none"])
    );
    let (tench, goldfish) = ("tench, Tinca tinca", "goldfish, Carassius auratus");
    assert_eq!(names(&comma, &["--class", tench]), serde_json::json!([tench]));
    let all = format!("{goldfish},1,none, {tench} ,0");
    let expected = serde_json::json!([goldfish, goldfish, "none", tench, tench]);
    assert_eq!(names(&comma, &["--class", &all]), expected);
    for (class, said) in [("tench", "'tench'"), ("tench, Tinca tinca, Tinca", "'Tinca'"), ("0,", "''"), (",", "''")] {
        fail(&folder, &mut draw(&comma, &["--class", class]), 2, &format!("there is no class {said}"));
    }
    // Of a classifier, and of what guidance leads away from.
    let classifier = shipped("sprite_classifier");
    let led = ["--class", "none", "-n", "2", "--classifier", &classifier];
    succeed(&mut draw(&sprites, &[&led[..], &["--toward", "ghost, key"]].concat()));
    succeed(&mut draw(&sprites, &[&led[..], &["--toward", "ghost", "--toward", "key"]].concat()));
    succeed(&mut draw(&sprites, &["--class", "heart", "--guidance-scale", "2", "--negative-class", " key "]));
}

/// The most memory that a run held, in bytes: what the system said last, before it ended.
#[cfg(target_os = "linux")]
fn resident(command: &mut Command) -> u64 {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let path = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(most);
    }
    assert!(child.wait().unwrap().success());
    1024 * most
}

/// What a run is said to take has all of its samples in it, and what their encoding needs.
#[cfg(target_os = "linux")]
#[test]
fn the_cost_of_a_run_is_that_of_all_its_batches() {
    let folder = folder();
    let peak = |count: usize, outputs: &[&str]| {
        let mut command = diffuse(&folder);
        command.args(["generate", &fixture("time_first"), "--steps", "1", "--batch", "1000", "--seed", "1"]);
        command.args(["-n", &count.to_string()]).args(outputs);
        let said = succeed(command.args(["--cost", "--json"]));
        let said: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        said["peak_bytes"].as_u64().unwrap()
    };
    let samples = |count: u64| count * 3 * 8 * 8 * 4;
    let (few, many) = (peak(1000, &["-o", "a.npy"]), peak(100_000, &["-o", "a.npy"]));
    // All samples, and once more as the bytes of the file.
    let more = many - few;
    assert!(more >= samples(99_000) && more <= 2 * samples(99_000) + samples(1000), "{few} and {many}");
    assert!(peak(100_000, &["-o", "a.png", "--zoom", "2"]) > samples(100_000) + 100_000 * 8 * 8 * 4 * 4);
    assert!(!folder.path().join("a.npy").exists(), "it was drawn");
    // It is what is taken: the peak of the process, less that of a run of a hundredth.
    let taken = |count: &str| {
        let mut command = diffuse(&folder);
        command.args(["generate", &fixture("time_first"), "--steps", "1", "--batch", "1000", "--seed", "1"]);
        resident(command.args(["-n", count, "-o", "a.npy"]))
    };
    let grown = taken("100000") - taken("1000");
    println!("{more} bytes more were said, and {grown} taken");
    assert!((0.7..1.4).contains(&(more as f64 / grown as f64)), "{more} bytes more were said, and {grown} taken");
}

#[test]
fn a_stream_is_the_file() {
    let folder = folder();
    let arguments = ["generate", &fixture("time_first"), "--steps", "2", "--seed", "1"];
    succeed(diffuse(&folder).args(arguments).args(["-o", "file.png"]));
    let streamed = succeed(diffuse(&folder).args(arguments).args(["-o", "-"])).stdout;
    assert_eq!(streamed, std::fs::read(folder.path().join("file.png")).unwrap());
    // A reader that leaves early is no panic and no error.
    let mut child = diffuse(&folder)
        .args(["plan", "--steps", "1000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn wrong_arguments_end_with_2_and_say_what_would_be_right() {
    let folder = folder();
    let model = fixture("time_first");
    for (arguments, said) in [
        (vec!["--steps", "0"], "--steps: \"0\"; expected a whole number from 1"),
        (vec!["--steps", "1001"], "--steps: 1001; the model was trained on 1000 steps"),
        (vec!["--steps", "1001"], "1 to 1000"),
        (vec!["--steps", "99999999999999999999"], "steps"),
        (vec!["--steps", "-3"], "-3"),
        (vec!["--eta", "1.5"], "--eta: \"1.5\""),
        (vec!["--eta", "NaN"], "--eta: \"NaN\""),
        (vec!["--solver", "dimm"], "possible values: ddpm, ddim"),
        (vec!["--solver", "ddpm", "--eta", "0.5"], "--eta: ddpm has no such option; ddim"),
        (vec!["--variance", "beta"], "--variance: unipc has no such option; ddpm has it"),
        (vec!["--grid", "leading", "--steps", "1000", "--steps-offset", "1"], "--steps-offset"),
        (vec!["--seed", "-1"], "-1"),
        (vec!["--seed", "18446744073709551616"], "seed"),
        (vec!["-n", "0"], "--count"),
        (vec!["-n", "18446744073709551615"], "--count"),
        (vec!["-n", "2000000"], "--count"),
        (vec!["--batch", "0"], "--batch"),
        (vec!["--shape", "3,16"], "--shape"),
        (vec!["--shape", "3,0,0"], "--count"),
        (vec!["--shape", "0,9223372036854775807,4"], "--count"),
        (vec!["--shape", "2,8,8"], "--shape"),
        (vec!["--columns", "0"], "--columns"),
        (vec!["--threads", "100000"], "--threads"),
        (vec!["-n", "4000", "--zoom", "64"], "more than 134217728 pixels"),
        (vec!["--noise", "torch", "-n", "9", "--batch", "4"], "as one batch"),
        (vec!["--zoom", "0"], "--zoom"),
        (vec!["--columns", "0", "--zoom", "65"], "--zoom"),
        (vec!["-o", "picture.jpg"], ".png, .csv or .npy"),
        (vec!["-o", "a.png", "-o", "a.png"], "twice"),
        (vec!["-o", "-", "--json"], "standard output"),
        (vec!["--no-such-flag"], "--no-such-flag"),
    ] {
        fail(&folder, diffuse(&folder).args(["generate", &model]).args(arguments), 2, said);
    }
    fail(
        &folder,
        diffuse(&folder).args(["generate", &fixture("rank2"), "-o", "a.png"]),
        2,
        "neither pictures nor points",
    );
}

#[test]
fn each_kind_of_trouble_has_its_exit_code() {
    let folder = folder();
    std::fs::write(folder.path().join("text.onnx"), "not a model").unwrap();
    std::fs::write(folder.path().join("empty.onnx"), "").unwrap();
    std::fs::write(folder.path().join("kept.png"), "an older picture").unwrap();
    let model = fixture("time_first");
    fail(&folder, diffuse(&folder).args(["generate", "missing.onnx"]), 6, "missing.onnx");
    fail(&folder, diffuse(&folder).args(["generate", "."]), 3, "folder");
    fail(&folder, diffuse(&folder).args(["generate", "empty.onnx"]), 3, "empty");
    fail(&folder, diffuse(&folder).args(["generate", "text.onnx"]), 3, "ONNX Runtime cannot open it");
    fail(&folder, diffuse(&folder).args(["generate", &fixture("no_manifest")]), 3, "no manifest");
    fail(&folder, diffuse(&folder).args(["generate", &model, "-o", "no/such/folder.png"]), 6, "no/such");
    fail(&folder, diffuse(&folder).args(["generate", &fixture("not_a_number"), "-o", "kept.png"]), 5, "NaN");
    for command in ["generate", "inspect"] {
        fail(&folder, diffuse(&folder).args([command, &model, "--onnxruntime", "/no/such/place"]), 4, "/no/such/place");
        fail(&folder, diffuse(&folder).args([command, &model, "--onnxruntime", "text.onnx"]), 4, "cannot be loaded");
    }
    fail(
        &folder,
        diffuse(&folder).args(["generate", &model]).env("ORT_DYLIB_PATH", "/no/such/place"),
        4,
        "ORT_DYLIB_PATH names /no/such/place",
    );
    fail(&folder, diffuse(&folder).args(["inspect", "kept.png"]), 3, "kept.png");
    std::fs::write(folder.path().join("cut.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    fail(&folder, diffuse(&folder).args(["inspect", "cut.png"]), 6, "damaged");
    let doctor = diffuse(&folder).args(["doctor", "--onnxruntime", "text.onnx"]).output().unwrap();
    assert_eq!(doctor.status.code(), Some(4));
    assert!(text(&doctor.stdout).contains("What to do"), "{}", text(&doctor.stdout));
}

#[cfg(unix)]
#[test]
fn a_library_that_is_not_onnx_runtime_is_told_from_a_broken_one() {
    let folder = folder();
    // A library that every process of this system has loaded.
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let Some(libc) = maps
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .find(|path| path.contains("libc.so") || path.contains("libc-"))
    else {
        println!("no /proc/self/maps here: not run");
        return;
    };
    fail(
        &folder,
        diffuse(&folder).args(["inspect", &fixture("time_first"), "--onnxruntime", libc]),
        4,
        "OrtGetApiBase",
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_old_file() {
    let folder = folder();
    std::fs::write(folder.path().join("kept.npy"), "an older result").unwrap();
    let model = fixture("time_first");
    // What was drawn is not lost with a device or a stream that takes nothing more.
    let draw = ["generate", &model, "--steps", "1", "--seed", "7", "-o"];
    let streamed = succeed(diffuse(&folder).args(draw).arg("-")).stdout;
    let name = format!("{}-7.png", Path::new(&model).file_stem().unwrap().display());
    for to in ["/dev/full", "-"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = diffuse(&folder).args(draw).arg(to).stdout(full).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(6), "{said}");
        let of = if to == "-" { "standard output" } else { to };
        assert!(said.contains(&format!("{of}: No space left on device")), "{said}");
        assert!(said.contains(&format!("what was drawn is in {name} instead")), "{said}");
        assert_eq!(std::fs::read(folder.path().join(&name)).unwrap(), streamed);
        std::fs::remove_file(folder.path().join(&name)).unwrap();
    }
    // A limit on the size of files stands in for the disk: 4 KiB fit, the result does not.
    let call =
        format!("ulimit -f 8; trap '' XFSZ; exec '{}' generate '{model}' --steps 1 -n 40 -o kept.npy", program());
    fail(&folder, Command::new("bash").args(["-c", &call]).current_dir(&folder), 6, "nor could it be saved elsewhere");
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_with_130_and_leaves_nothing() {
    let folder = folder();
    let mut child = diffuse(&folder)
        .args(["generate", &fixture("time_first"), "--steps", "1000", "-n", "4000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The line with the seed says that the handler is in place and the run begins.
    let mut line = String::new();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    assert!(line.contains("seed"), "{line}");
    // SAFETY: the process is a child that has not been waited for, so its number is its own.
    assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) }, 0);
    let status = child.wait().unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    assert!(files(&folder).is_empty());
}

#[cfg(unix)]
#[test]
fn files_are_made_as_others_make_them() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let folder = folder();
    let model = fixture("time_first");
    std::fs::write(folder.path().join("usual"), "").unwrap();
    let usual = std::fs::metadata(folder.path().join("usual")).unwrap().permissions().mode();
    succeed(diffuse(&folder).args(["generate", &model, "--steps", "1", "-o", "a.png"]));
    assert_eq!(
        std::fs::metadata(folder.path().join("a.png")).unwrap().permissions().mode(),
        usual,
        "the umask is respected"
    );
    // Through a link, the file that it names is replaced, and the link stays.
    std::os::unix::fs::symlink("a.png", folder.path().join("link.png")).unwrap();
    let before = std::fs::metadata(folder.path().join("a.png")).unwrap().ino();
    succeed(diffuse(&folder).args(["generate", &model, "--steps", "1", "-o", "link.png"]));
    assert!(std::fs::symlink_metadata(folder.path().join("link.png")).unwrap().is_symlink());
    assert_ne!(std::fs::metadata(folder.path().join("a.png")).unwrap().ino(), before);
}

#[test]
fn inspect_and_plan_and_doctor_speak_json() {
    let folder = folder();
    let json = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_slice(&succeed(diffuse(&folder).args(arguments).arg("--json")).stdout).unwrap()
    };
    let report = json(&["inspect", &fixture("two_c")]);
    assert_eq!(report["manifest"]["variance"], "learned_range");
    assert_eq!(report["outputs"][0]["shape"][1], 6);
    // What it says of the learned variance is what the solvers' moves say.
    let said = text(&succeed(diffuse(&folder).args(["inspect", &fixture("two_c")])).stdout);
    assert!(
        said.contains("variance ddpm adds noise of the variance that the network predicts (--variance learned-range")
    );
    for solver in SOLVERS.iter().filter(|entry| !["langevin", "rk45"].contains(&entry.name)) {
        let rows = json(&["plan", &fixture("two_c"), "--steps", "4", "--solver", solver.name]);
        let scaled = rows.as_array().unwrap().iter().any(|row| row.get("deviation").is_some());
        assert_eq!(scaled, solver.name == "ddpm", "{}", solver.name);
    }
    let report = json(&["inspect", &fixture("no_manifest")]);
    assert!(report["manifest"].is_null() && report["inputs"].as_array().is_some_and(|inputs| inputs.len() == 2));

    let rows = json(&["plan", "--steps", "10", "--solver", "ddpm", "--schedule", "cosine"]);
    assert_eq!(rows.as_array().unwrap().len(), 10);
    assert_eq!(rows[9]["update"]["noise"], 0.0);
    let rows = json(&["plan", &fixture("time_first"), "--steps", "4", "--solver", "ddim", "--eta", "0"]);
    assert_eq!(rows[0]["evaluate_at"]["t"], 999.0);

    let report = json(&["doctor"]);
    assert!(Path::new(report["onnxruntime"]["path"].as_str().unwrap()).is_absolute());
}

/// What a run of a pipeline is warned of is said, each once, and what is wrong by its flag.
#[test]
fn a_folder_is_drawn_from_and_says_what_may_not_be_meant() {
    let folder = folder();
    let pipeline = repository("onnx/pipelines/sd").display().to_string();
    let long = "a red fox in the snow ".repeat(30);
    let draw = |flags: &[&str]| {
        let mut command = diffuse(&folder);
        command.args(["generate", &pipeline, "--seed", "1", "--steps", "2", "-o", "out.png"]).args(flags);
        command
    };
    let mut unguided = draw(&[&long, "-n", "2", "--guidance-scale", "1", "--negative", "grey"]);
    let output = ended(&mut unguided);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    for part in ["note: the prompt is longer than text_encoder reads", "the negative prompt counts for nothing"] {
        assert_eq!(said.matches(part).count(), 1, "{said}");
    }
    // What was drawn is an image to start from, though a decoder goes beyond its values.
    std::fs::rename(folder.path().join("out.png"), folder.path().join("image.png")).unwrap();
    succeed(&mut draw(&["a fox", "--size", "64", "--image", "image.png", "--strength", "0.6", "-o", "next.png"]));
    fail(
        &folder,
        &mut draw(&["a fox", "--negative", "a", "--negative", "b"]),
        2,
        "--negative: 2 of them for 1 prompts",
    );
    fail(&folder, &mut draw(&[]), 2, "--prompt: ");
    let part = format!("{pipeline}/unet/model.onnx");
    let whole = format!("it is a part of the pipeline in {pipeline}: open that folder");
    fail(&folder, diffuse(&folder).args(["generate", &part]), 3, &whole);
    fail(&folder, diffuse(&folder).args(["generate", &format!("{pipeline}/unet")]), 3, &whole);
}
