//! Models of several parts: what a folder is opened as, what is wrong with one, and how a run of one goes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use diffuse::network::Memory;
use diffuse::run::{Run, Runner, Stage, Work};
use diffuse::sample::Canceller;
use diffuse::tensor::Tensor;
use diffuse::{Error, Model, ModelOptions, Request, Runtime};
use ndarray::{Array2, Array3, ArrayD, Axis};

use crate::support::{pipeline_of_bytes, repository};

const PROMPT: &str = "a photo of a red cat";

fn folder(name: &str) -> PathBuf {
    repository("onnx/pipelines").join(name)
}

fn open_with(path: &Path, options: &ModelOptions) -> diffuse::Result<Arc<Model>> {
    Model::open(&Runtime::open(None)?, path, options).map(Arc::new)
}

fn open(name: &str) -> Arc<Model> {
    open_with(&folder(name), &ModelOptions::default()).unwrap()
}

/// A copy of a folder, to be spoilt.
fn copy(name: &str) -> tempfile::TempDir {
    fn all(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.path().is_dir() {
                all(&entry.path(), &to)
            } else {
                let _ = std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    let copy = tempfile::tempdir().unwrap();
    all(&folder(name), copy.path());
    copy
}

fn request(prompts: &[&str]) -> Request {
    let prompts: Vec<String> = prompts.iter().map(|prompt| (*prompt).to_owned()).collect();
    let request = Request { seed: 7, count: prompts.len(), prompts, ..Request::default() };
    request.with("steps", 3).unwrap()
}

fn drawn(model: &Arc<Model>, request: &Request) -> diffuse::Result<ArrayD<f32>> {
    let mut run = Run::new(model, request)?;
    while !run.is_finished() {
        run.step()?;
    }
    run.sample().map(|sample| sample.to_owned())
}

fn apart(one: &ArrayD<f32>, other: &ArrayD<f32>) -> f32 {
    assert_eq!(one.shape(), other.shape());
    one.iter().zip(other).fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

/// What is said of a folder that was changed: when it is opened, or when it draws.
fn refused(name: &str, change: impl FnOnce(&Path)) -> String {
    let copy = copy(name);
    change(copy.path());
    let error = open_with(copy.path(), &ModelOptions::default()).and_then(|model| drawn(&model, &request(&[PROMPT])));
    error.unwrap_err().to_string()
}

fn rewrite(path: &Path, change: impl FnOnce(String) -> String) {
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, change(text)).unwrap();
}

#[test]
fn what_is_wrong_with_a_folder_is_said_with_its_file() {
    let remove = |path: PathBuf| std::fs::remove_file(path).unwrap();
    type Case<'a> = (&'a str, &'a dyn Fn(&Path), &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        // What an interrupted export leaves.
        ("sd", &|at| remove(at.join("unet/model.onnx")), &["unet/model.onnx is missing", "interrupted"]),
        ("sd", &|at| remove(at.join("text_encoder/model.onnx")), &["text_encoder/model.onnx is missing"]),
        (
            "sd",
            &|at| std::fs::remove_dir_all(at.join("vae_decoder")).unwrap(),
            &["vae_decoder/model.onnx is missing", "no such folder"],
        ),
        ("sd", &|at| std::fs::remove_dir_all(at.join("tokenizer")).unwrap(), &["tokenizer"]),
        (
            "sd",
            &|at| remove(at.join("scheduler/scheduler_config.json")),
            &["scheduler/scheduler_config.json is missing"],
        ),
        ("sd", &|at| std::fs::write(at.join("unet/model.onnx"), b"").unwrap(), &["unet", "model.onnx"]),
        ("sd_legacy", &|at| remove(at.join("unet/weights.pb")), &["unet", "weights.pb", "not there"]),
        ("sd_legacy", &|at| std::fs::write(at.join("unet/weights.pb"), b"short").unwrap(), &["unet"]),
        (
            "sd",
            &|at| {
                rewrite(&at.join("model_index.json"), |text| {
                    text.replace("StableDiffusionPipeline", "KandinskyPipeline")
                })
            },
            &["KandinskyPipeline", "stable-diffusion-xl", "pipeline.diffuse.json"],
        ),
        (
            "sd",
            &|at| {
                rewrite(&at.join("model_index.json"), |text| {
                    text.replace("StableDiffusionPipeline", "StableDiffusion3Pipeline")
                })
            },
            &["StableDiffusion3Pipeline", "no known family"],
        ),
        (
            "sd",
            &|at| {
                rewrite(&at.join("scheduler/scheduler_config.json"), |text| {
                    text.replace("PNDMScheduler", "NobodysScheduler")
                })
            },
            &["scheduler_config", "NobodysScheduler"],
        ),
        (
            "sd",
            &|at| rewrite(&at.join("scheduler/scheduler_config.json"), |text| text[..20].to_owned()),
            &["scheduler_config.json", "JSON"],
        ),
        // A tokenizer of another model.
        (
            "sd",
            &|at| {
                rewrite(&at.join("text_encoder/config.json"), |text| {
                    text.replace("\"vocab_size\": 761", "\"vocab_size\": 300")
                })
            },
            &["tokenizer", "300", "another model's"],
        ),
        ("sd", &|at| remove(at.join("tokenizer/merges.txt")), &["merges.txt"]),
        ("sd", &|at| rewrite(&at.join("tokenizer/vocab.json"), |text| text[..200].to_owned()), &["vocab.json"]),
        (
            "sd",
            &|at| std::fs::copy(at.join("unet/model.onnx"), at.join("vae_decoder/model.onnx")).map(drop).unwrap(),
            &["vae_decoder"],
        ),
        // What is of another type is not what is absent.
        (
            "sd",
            &|at| {
                rewrite(&at.join("vae_decoder/config.json"), |text| text.replace("0.18215", "\"0.18215\""));
            },
            &["vae_decoder", "scaling_factor", "expected a number"],
        ),
        (
            "sd",
            &|at| rewrite(&at.join("vae_decoder/config.json"), |text| text.replace("0.18215", "1e300")),
            &["scaling_factor"],
        ),
        (
            "sd",
            &|at| rewrite(&at.join("text_encoder/config.json"), |text| text.replace(": 77,", ": 200000000,")),
            &["text_encoder", "max_position_embeddings"],
        ),
        (
            "sdxl",
            &|at| std::fs::remove_dir_all(at.join("text_encoder")).unwrap(),
            &["text_encoder/model.onnx is missing"],
        ),
        // Two graphs, neither of them called as it should be.
        (
            "sd",
            &|at| {
                std::fs::copy(at.join("unet/model.onnx"), at.join("unet/a.onnx")).unwrap();
                std::fs::rename(at.join("unet/model.onnx"), at.join("unet/b.onnx")).unwrap();
            },
            &["a.onnx", "b.onnx", "which"],
        ),
    ];
    for (place, (name, change, parts)) in cases.iter().enumerate() {
        let said = refused(name, change);
        assert!(parts.iter().all(|part| said.contains(part)), "{place}: {said}");
    }
}

/// An encoder of another factor than the configuration says, in tiles and whole.
#[test]
fn a_factor_that_is_not_the_encoders_is_an_error() {
    let copy = copy("sd");
    for blocks in ["[8, 8, 8]", "[8, 8]"] {
        std::fs::write(
            copy.path().join("vae_decoder/config.json"),
            format!("{{\"block_out_channels\": {blocks}, \"scaling_factor\": 0.18215}}"),
        )
        .unwrap();
        let model = open_with(copy.path(), &ModelOptions::default()).unwrap();
        for tile in ["0", "16", "32"] {
            let mut request = request(&[PROMPT]).with("tile", tile).unwrap();
            request.image = Some(Arc::new(Array3::zeros((3, 64, 64)).into_dyn()));
            let error = drawn(&model, &request).unwrap_err().to_string();
            assert!(error.contains("vae_encoder") && error.contains("block_out_channels"), "{blocks} {tile}: {error}");
        }
    }
}

#[test]
fn a_folder_that_changes_while_it_is_open_is_noticed() {
    let copy = copy("sd");
    let model = open_with(copy.path(), &ModelOptions::default()).unwrap();
    let other = std::fs::read(folder("sd2").join("unet/model.onnx")).unwrap();
    std::fs::write(copy.path().join("unet/model.onnx"), other).unwrap();
    let said = drawn(&model, &request(&[PROMPT])).unwrap_err().to_string();
    assert!(said.contains("unet") && said.contains("changed since"), "{said}");
}

#[test]
fn what_is_wrong_with_a_request_is_said_with_its_field() {
    let sd = open("sd");
    let refused = |change: &dyn Fn(&mut Request)| {
        let mut request = request(&[PROMPT]);
        change(&mut request);
        match drawn(&sd, &request).unwrap_err() {
            Error::Argument { name, reason } => (name.to_owned(), reason),
            other => panic!("{other}"),
        }
    };
    let image = |side: usize| Some(Arc::new(Array3::zeros((3, side, side)).into_dyn()));
    type Case<'a> = (&'a dyn Fn(&mut Request), &'a str, &'a str);
    let cases: &[Case<'_>] = &[
        (&|request| request.prompts.clear(), "prompt", "there is none"),
        (&|request| request.count = 3, "count", ""),
        (&|request| request.set("width", 60).unwrap(), "width", "56 or 64"),
        (&|request| request.shape = Some(vec![3, 64, 9]), "width", "multiples of 8"),
        (&|request| request.shape = Some(vec![8]), "shape", "height, width"),
        (&|request| request.shape = Some(vec![4, 8, 8]), "shape", "[3, height, width]"),
        (&|request| request.invert = true, "invert", "latents"),
        (&|request| request.image = image(60), "height", "multiples of 8"),
        (&|request| request.mask = Some(Arc::new(Array2::ones((64, 64)).into_dyn())), "mask", "no image"),
        (
            &|request| {
                request.image = image(64);
                request.set("strength", 0.2).unwrap();
            },
            "strength",
            "none",
        ),
        (&|request| request.prompts = vec!["a".repeat(2 << 20)], "prompt", ""),
        (&|request| request.negative_prompts = Some(vec![String::new(); 3]), "negative_prompt", "3 of them"),
        (&|request| request.image = Some(Arc::new(Array3::from_elem((3, 64, 64), 7.0).into_dyn())), "image", "beyond"),
    ];
    for (change, field, part) in cases {
        if *field == "count" {
            // One prompt is for all.
            let mut several = request(&[PROMPT]);
            change(&mut several);
            assert_eq!(drawn(&sd, &several).unwrap().shape()[0], 3);
            continue;
        }
        let (name, reason) = refused(change);
        assert!(name == *field && reason.contains(part), "{field}: {name}: {reason}");
    }
    let ddpm = open("ddpm");
    let error = drawn(&ddpm, &request(&[PROMPT])).unwrap_err().to_string();
    assert!(error.starts_with("prompt: ") && error.contains("reads no text"), "{error}");
    let error = drawn(&open("inpaint"), &request(&[PROMPT])).unwrap_err().to_string();
    assert!(error.starts_with("image: ") && error.contains("hole"), "{error}");
    let error = drawn(&open("ip2p"), &request(&[PROMPT])).unwrap_err().to_string();
    assert!(error.starts_with("image: ") && error.contains("changes an image"), "{error}");
}

/// Other names of outputs, ids of 32 bits, a time for each item, weights beside the graph, no configurations.
#[test]
fn a_folder_of_the_legacy_script_draws_the_same_picture() {
    // Without configurations it is as large as Stable Diffusion's pictures.
    assert_eq!(open("sd_legacy").drawn().shape.sizes(), Some(vec![3, 512, 512]));
    let request = request(&[PROMPT, ""]).with("width", 64).unwrap().with("height", 64).unwrap();
    let (sd, legacy) = (open("sd"), open("sd_legacy"));
    assert_eq!(apart(&drawn(&sd, &request).unwrap(), &drawn(&legacy, &request).unwrap()), 0.0);
}

/// Of what stages take, and of what they hold at a time.
#[test]
fn the_cost_of_a_pipeline_is_that_of_its_stages() {
    let cost = |policy: Memory, side: usize| {
        let options = ModelOptions { memory: policy, ..ModelOptions::default() };
        let request = request(&[PROMPT, "dog"]).with("width", side).unwrap().with("height", side).unwrap();
        request.cost(&open_with(&folder("sd"), &options).unwrap(), &Canceller::default()).unwrap()
    };
    let (kept, staged) = (cost(Memory::Keep, 256), cost(Memory::Stage, 256));
    for cost in [kept, staged] {
        assert!(!cost.encoding.is_zero() && !cost.decoding.is_zero(), "{cost:?}");
        assert!(cost.time.unwrap() > cost.encoding + cost.decoding, "{cost:?}");
    }
    assert!(staged.peak_bytes < kept.peak_bytes && cost(Memory::Stage, 64).peak_bytes < staged.peak_bytes);
    let model = crate::support::model("onnx/models/sprites.onnx");
    let of_one = |model: &Arc<Model>| {
        Request { steps: Some(3), ..Request::default() }.cost(model, &Canceller::default()).unwrap()
    };
    let (file, folder) = (of_one(&model), of_one(&open("ddpm")));
    assert!(file.encoding.is_zero() && file.decoding.is_zero() && folder.decoding.is_zero());
    assert!(folder.time.unwrap() > folder.encoding);
}

/// However far it has come by then.
#[test]
fn asking_for_a_cost_can_be_cancelled_and_leaves_nothing_open() {
    let options = ModelOptions { memory: Memory::Stage, ..ModelOptions::default() };
    let model = open_with(&folder("sd"), &options).unwrap();
    let request = request(&[PROMPT]).with("width", 512).unwrap().with("height", 512).unwrap();
    let start = std::time::Instant::now();
    request.cost(&model, &Canceller::default()).unwrap();
    let whole = start.elapsed();
    assert!(model.memory().is_none());
    for share in [1, 2, 4, 6, 8] {
        let canceller = Canceller::default();
        let canceling = canceller.clone();
        let later = std::thread::spawn(move || {
            std::thread::sleep(whole * share / 10);
            canceling.cancel();
        });
        match request.cost(&model, &canceller) {
            Err(Error::Cancelled) => {}
            // It may be quicker than the one before.
            cost => assert!(cost.is_ok(), "{cost:?}"),
        }
        later.join().unwrap();
        assert!(model.memory().is_none());
    }
    let cancelled = Canceller::default();
    cancelled.cancel();
    assert!(matches!(request.cost(&model, &cancelled), Err(Error::Cancelled)));
    request.cost(&model, &Canceller::default()).unwrap();
}

/// It is the same decoder here, so that the last preview is the picture.
#[test]
fn a_small_decoder_shows_the_previews() {
    let copy = copy("sd");
    let preview = copy.path().join("preview_decoder");
    std::fs::create_dir(&preview).unwrap();
    for file in ["model.onnx", "config.json"] {
        std::fs::copy(copy.path().join("vae_decoder").join(file), preview.join(file)).unwrap();
    }
    let sampled = |model: &Arc<Model>| {
        let request = request(&[PROMPT, "dog"]).with("solver", "euler").unwrap().with("ending", "clean").unwrap();
        let mut run = Run::new(model, &request).unwrap();
        while run.stage() != Stage::Decoding {
            run.step().unwrap();
        }
        let preview = run.preview().unwrap().to_owned();
        while !run.is_finished() {
            run.step().unwrap();
        }
        (preview, run.sample().unwrap().to_owned())
    };
    let open = |options: &ModelOptions| open_with(copy.path(), options).unwrap();
    let (shown, picture) = sampled(&open(&ModelOptions::default()));
    assert!(apart(&shown, &picture) < 1e-3);
    let staged = ModelOptions { memory: Memory::Stage, ..ModelOptions::default() };
    assert_eq!(sampled(&open(&staged)), (shown.clone(), picture.clone()));
    // One that cannot show these latents costs no picture: the linear map does it.
    std::fs::copy(copy.path().join("vae_encoder/model.onnx"), preview.join("model.onnx")).unwrap();
    let guessed = sampled(&open(&ModelOptions::default()));
    std::fs::remove_dir_all(&preview).unwrap();
    assert_eq!(guessed, sampled(&open(&ModelOptions::default())));
    assert!(guessed.1 == picture && guessed.0 != shown);
}

/// What a host reads of a folder's manifest is what a request gets.
#[test]
fn the_manifest_of_a_folder_has_what_its_scheduler_says() {
    for (name, solver, grid) in [("sd", "pndm", "leading"), ("lcm", "lcm", "lcm"), ("sdxl", "euler", "leading")] {
        let model = open(name);
        let manifest = Request::manifest_of(&model);
        let plan = Request { steps: None, ..request(&[PROMPT]) }.plan_for(&model).unwrap();
        let defaults = &manifest["defaults"];
        assert_eq!((&defaults["solver"], &defaults["grid"]), (&solver.into(), &grid.into()), "{name}: {defaults}");
        assert_eq!(defaults["steps"], plan.grid.steps(), "{name}: {defaults}");
        assert_eq!(defaults["ending"], plan.request.ending.unwrap().word(), "{name}: {defaults}");
    }
}

#[test]
fn the_bytes_of_a_folder_are_as_good_as_the_folder() {
    for name in ["sdxl", "sd_legacy"] {
        let (parts, request) = (pipeline_of_bytes(name), request(&[PROMPT]));
        let model = open(name);
        assert_eq!(drawn(&parts, &request).unwrap(), drawn(&model, &request).unwrap(), "{name}");
        assert_eq!(parts.hash().unwrap(), model.hash().unwrap(), "{name}");
    }
}

/// What a run holds changes with the policy, and what it draws does not.
#[test]
fn a_policy_says_which_parts_stay_open() {
    let request = request(&[PROMPT]);
    let mut first = None;
    for (memory, stays) in
        [(Memory::Keep, true), (Memory::Stage, false), (Memory::Limit(1), false), (Memory::Limit(1 << 40), true)]
    {
        let model = open_with(&folder("sd"), &ModelOptions { memory, ..ModelOptions::default() }).unwrap();
        assert!(model.memory().is_none(), "nothing is open before a run");
        let picture = drawn(&model, &request).unwrap();
        assert_eq!(model.memory().is_some(), stays, "{memory:?}");
        assert_eq!(*first.get_or_insert(picture.clone()), picture, "{memory:?}");
        // And again, with what is open and without.
        assert_eq!(drawn(&model, &request).unwrap(), picture, "{memory:?}");
    }
    assert!(Memory::parse("4G").unwrap() == Memory::Limit(4_000_000_000) && Memory::parse("lots").is_err());
}

/// A part that was given back while a job still evaluates it is not opened a second time, and a run that was left gives
/// back what it held.
#[test]
fn jobs_share_a_part_for_as_long_as_one_evaluates_it() {
    let options = ModelOptions { memory: Memory::Stage, ..ModelOptions::default() };
    let model = open_with(&folder("sd"), &options).unwrap();
    let sampling = || {
        let mut run = Run::new(&model, &request(&[PROMPT])).unwrap();
        while !(run.stage() == Stage::Sampling && run.progress().step > 0) {
            run.step().unwrap();
        }
        run
    };
    let first = sampling();
    let network = model.network().unwrap();
    model.network().unwrap();
    // The second run ends a stage, and gives back the predictor, which the first one still has.
    let second = drawn(&model, &request(&[PROMPT])).unwrap();
    assert!(Arc::ptr_eq(&model.network().unwrap(), &network));
    drop(network);
    drop(first);
    assert!(model.network().is_none() && model.memory().is_none());
    assert_eq!(drawn(&model, &request(&[PROMPT])).unwrap(), second);
    let cancelled = sampling();
    cancelled.canceller().cancel();
    drop(cancelled);
    assert!(model.memory().is_none());
}

/// A limit counts before a part is opened: the largest, and no other beside it.
#[test]
fn a_limit_gives_back_before_it_opens() {
    let largest = open("sd").graphs().iter().map(|graph| graph.bytes).max().unwrap();
    let options = ModelOptions { memory: Memory::Limit(largest), ..ModelOptions::default() };
    let model = open_with(&folder("sd"), &options).unwrap();
    let mut run = Run::new(&model, &request(&[PROMPT])).unwrap();
    while !run.is_finished() {
        run.step().unwrap();
        if run.stage() == Stage::Sampling && run.progress().step > 0 {
            assert!(model.network().is_some());
        }
    }
    assert!(model.network().is_some() || model.memory().is_some());
}

/// A budget of what a piece takes makes one, and not the first of the next stage as well, of which nothing is known.
#[test]
fn a_budget_does_not_reach_into_the_next_stage() {
    let model = open("sd");
    let runner = Runner::new(Run::new(&model, &request(&[PROMPT])).unwrap());
    let mut calls = 0;
    while runner.look(|run| Ok(!run.is_finished())).unwrap() {
        let before = runner.progress();
        runner.advance(runner.expected_step().unwrap_or_default()).unwrap();
        let after = runner.progress();
        let made = if before.0 == after.0 { after.1.step - before.1.step } else { after.1.step };
        assert!(before.0 == after.0 || made <= 1, "{before:?} {after:?}");
        calls += 1;
        assert!(calls < 1000, "{after:?}");
    }
    assert!(calls >= 4, "{calls}");
}

/// The weights that the sd folder shares with a description of one's own, and files that it cannot name.
#[test]
fn a_pipeline_of_ones_own_is_described_beside_its_parts() {
    let copy = copy("sd");
    let said = serde_json::to_value(open("sd").pipeline().unwrap()).unwrap();
    std::fs::remove_file(copy.path().join("model_index.json")).unwrap();
    let write = |value: &serde_json::Value| {
        std::fs::write(copy.path().join("pipeline.diffuse.json"), value.to_string()).unwrap();
        open_with(copy.path(), &ModelOptions::default())
    };
    let request = request(&[PROMPT]);
    assert_eq!(drawn(&write(&said).unwrap(), &request).unwrap(), drawn(&open("sd"), &request).unwrap());
    let refused = |pointer: &str, value: serde_json::Value| {
        let mut said = said.clone();
        *said.pointer_mut(pointer).unwrap() = value;
        write(&said).unwrap_err().to_string()
    };
    for (pointer, value, part) in [
        ("/predictor", "../unet/model.onnx".into(), "within the folder"),
        ("/predictor", "/etc/passwd".into(), "within the folder"),
        ("/predictor", "unet/none.onnx".into(), "none.onnx"),
        ("/diffuse_pipeline", 2.into(), "diffuse_pipeline"),
        ("/autoencoder/factor", 0.into(), "autoencoder.factor"),
        ("/autoencoder/scale", 0.into(), "autoencoder.scale"),
        ("/manifest/prediction", "nothing".into(), "manifest"),
        ("/text_encoders/text_encoder/tokenizer", "unet".into(), "tokenizer.json"),
    ] {
        let said = refused(pointer, value);
        assert!(said.contains(part), "{pointer}: {said}");
    }
}

#[test]
fn an_item_of_a_batch_is_a_run_of_its_own() {
    for (name, image) in [("sd", false), ("sdxl", false), ("lcm", false), ("sd", true)] {
        let model = open(name);
        let prompts = [PROMPT, "an astronaut riding a horse", ""];
        let mut all = request(&prompts);
        all.negative_prompts = (name == "sd").then(|| vec!["blurry".into(), String::new(), "ugly".into()]);
        all.image = image.then(|| Arc::new(Array3::from_elem((3, 64, 64), 0.25).into_dyn()));
        let together = drawn(&model, &all).unwrap();
        for (item, prompt) in prompts.iter().enumerate() {
            let mut alone = request(&[prompt]);
            alone.seed = 7 + item as u64;
            alone.negative_prompts = all.negative_prompts.as_ref().map(|all| vec![all[item].clone()]);
            alone.image.clone_from(&all.image);
            let alone = drawn(&model, &alone).unwrap();
            let apart = apart(&together.index_axis(Axis(0), item).to_owned().insert_axis(Axis(0)), &alone);
            assert!(apart < 1e-5, "{name} {item}: {apart}");
        }
    }
}

#[test]
fn signs_and_length_count_only_where_that_is_asked_for() {
    let model = open("sdxl");
    let draw = |prompt: &str, options: &[(&str, &str)]| {
        let mut request = request(&[prompt]);
        options.iter().for_each(|(key, value)| request.set(key, value).unwrap());
        drawn(&model, &request).unwrap()
    };
    let web = [("weights", "a1111")];
    assert!(apart(&draw("a (red:1.4) cat", &[]), &draw("a red cat", &[])) > 0.0, "brackets are text");
    assert_eq!(draw("a (red:1) cat", &web), draw("a red cat", &web));
    // Words that are read by themselves are the same words.
    assert_eq!(draw("a red cat", &web), draw("a red cat", &[]));
    let strong = draw("a (red:1.4) cat", &web);
    assert!(apart(&strong, &draw("a red cat", &web)) > 0.0);
    assert!(apart(&strong, &draw("a (red:1.4) cat", &[("weights", "a1111-no-norm")])) > 0.0);
    let long = "a photo of a red cat, ".repeat(30);
    assert!(apart(&draw(&long, &[("long_prompts", "chunks")]), &draw(&long, &[])) > 0.0);
    assert_eq!(draw("a red cat", &[("long_prompts", "chunks")]), draw("a red cat", &[]));
    let refused = |prompt: &str| {
        let error = drawn(&model, &request(&[prompt]).with("weights", "a1111").unwrap()).unwrap_err();
        error.to_string()
    };
    assert!(refused("[cat:dog:0.5]").contains("editing"), "{}", refused("[cat:dog:0.5]"));
}

/// What a host's own encoder says is as good as a prompt.
#[test]
fn embeddings_can_be_given_instead_of_prompts() {
    let model = open("sdxl");
    let prompt = drawn(&model, &request(&[PROMPT]).with("guidance_scale", 1).unwrap()).unwrap();
    let goldens = crate::support::Goldens::open("onnx/goldens/pipelines/sdxl.safetensors");
    let half = |name: &str| {
        let both = goldens.tensor(name);
        let last = both.len_of(Axis(0)) - 1;
        Arc::new(Tensor::F32(both.index_axis(Axis(0), last).to_owned()))
    };
    let mut given = request(&[PROMPT]).with("guidance_scale", 1).unwrap();
    given.prompts.clear();
    given.conditions.insert("encoder_hidden_states".into(), half("text.context"));
    given.conditions.insert("text_embeds".into(), half("text.pooled"));
    let apart = apart(&drawn(&model, &given).unwrap(), &prompt);
    assert!(apart < 1e-4, "{apart}");
    // One of the two is not enough.
    given.conditions.remove("text_embeds");
    let error = drawn(&model, &given).unwrap_err().to_string();
    assert!(error.starts_with("prompt: ") && error.contains("text_embeds"), "{error}");
}

/// Its scale is at most 1, where the other forms have no guidance.
#[test]
fn cfg_plus_plus_guides_a_pipeline_below_the_scale_1() {
    let model = open("sd");
    let with = |key: &str, value: &str| {
        let request = request(&[PROMPT]).with("solver", "euler").unwrap().with("guidance_form", "cfg++").unwrap();
        drawn(&model, &request.with(key, value).unwrap()).unwrap()
    };
    let [once, weaker] = ["0.6", "0.2"].map(|scale| with("guidance_scale", scale));
    assert!(once == with("guidance_scales", "0.6,0.6,0.6"));
    assert!(apart(&once, &weaker) > 1e-3);
}

#[test]
fn what_a_mask_keeps_is_put_back() {
    let model = open("sd");
    let mut request = request(&[PROMPT]);
    let image = Array3::from_shape_fn((3, 64, 64), |(c, y, x)| ((c + y * x) % 17) as f32 / 8.5 - 1.0);
    let mask = Array2::from_shape_fn((64, 64), |(_, x)| f32::from(u8::from(x >= 30)));
    request.image = Some(Arc::new(image.clone().into_dyn()));
    request.mask = Some(Arc::new(mask.into_dyn()));
    let kept = |pictures: &ArrayD<f32>| {
        image.indexed_iter().filter(|((.., x), _)| *x < 30).all(|((c, y, x), value)| pictures[[0, c, y, x]] == *value)
    };
    assert!(kept(&drawn(&model, &request).unwrap()));
    assert!(!kept(&drawn(&model, &request.clone().with("paste", 0).unwrap()).unwrap()));
    assert!(!kept(&drawn(&model, &request.with("compat", "diffusers").unwrap()).unwrap()));
}

/// Stages come in their order, none of them goes back, each can be cancelled, and there is something to look at from
/// the first step on.
#[test]
fn a_run_goes_through_its_stages() {
    let model = open("sd");
    let mut request = request(&[PROMPT]);
    request.image = Some(Arc::new(Array3::zeros((3, 64, 64)).into_dyn()));
    request.set("strength", 1).unwrap();
    let runner = Runner::new(Run::new(&model, &request).unwrap());
    assert_eq!(runner.samples().unwrap().shape, [1, 3, 64, 64]);
    let (mut seen, mut steps) = (vec![runner.progress()], 0);
    while !runner.look(|run| Ok(run.is_finished())).unwrap() {
        runner.step().unwrap();
        steps += 1;
        seen.push(runner.progress());
        if runner.progress().0 == Stage::Sampling && runner.progress().1.step > 0 {
            assert_eq!(runner.preview(|preview| Ok(preview.shape().to_vec())).unwrap(), [1, 3, 64, 64]);
        }
    }
    let order = |stage: Stage| {
        [Stage::Loading, Stage::Encoding, Stage::Sampling, Stage::Decoding].iter().position(|known| *known == stage)
    };
    assert!(seen.windows(2).all(|both| order(both[0].0) <= order(both[1].0)), "{seen:?}");
    assert!(steps > 6 && order(seen.last().unwrap().0) == Some(3), "{seen:?}");
    for until in 0..steps {
        let runner = Runner::new(Run::new(&model, &request).unwrap());
        for _ in 0..until {
            runner.step().unwrap();
        }
        runner.cancel();
        assert!(matches!(runner.step(), Err(Error::Cancelled)), "{until}");
    }
    // A budget of nothing makes one piece of whatever comes next.
    let runner = Runner::new(Run::new(&model, &request).unwrap());
    runner.advance(std::time::Duration::ZERO).unwrap();
    assert_eq!(runner.progress().0, Stage::Encoding);
}

/// In the middle of every stage, and of a picture in tiles.
#[test]
fn a_run_is_taken_up_from_any_of_its_steps() {
    for noise in ["counter", "torch"] {
        let mut request = request(&[PROMPT, "a dog"]);
        request.image = Some(Arc::new(Array3::from_elem((3, 64, 64), 0.25).into_dyn()));
        request.mask = Some(Arc::new(Array2::from_shape_fn((64, 64), |(y, _)| (y % 3) as f32 / 2.0).into_dyn()));
        for (key, value) in [("solver", "euler-ancestral"), ("strength", "0.7"), ("tile", "48"), ("noise", noise)] {
            request.set(key, value).unwrap();
        }
        let model = open("sd");
        let whole = drawn(&model, &request).unwrap();
        let mut run = Run::new(&model, &request).unwrap();
        let mut stages = Vec::new();
        loop {
            let snapshot = run.save().unwrap();
            // As in another process.
            let mut again = Run::new(&open("sd"), &request).unwrap();
            again.restore(&snapshot).unwrap();
            stages.push(again.stage());
            while !again.is_finished() {
                again.step().unwrap();
            }
            assert_eq!(again.sample().unwrap(), whole, "{noise}: {:?}", run.progress());
            if run.is_finished() {
                break;
            }
            run.step().unwrap();
        }
        assert!(stages.contains(&Stage::Decoding) && stages.len() > 12, "{stages:?}");
    }
}

#[test]
fn snapshots_of_other_runs_are_refused() {
    let (model, plain) = (open("sd"), request(&[PROMPT]));
    let mut run = Run::new(&model, &plain).unwrap();
    (0..5).for_each(|_| run.step().unwrap());
    let snapshot = run.save().unwrap();
    let refused = |model: &Arc<Model>, request: &Request, bytes: &[u8]| {
        let mut run = Run::new(model, request).unwrap();
        let error = run.restore(bytes).unwrap_err().to_string();
        assert!(error.starts_with("snapshot: "), "{error}");
        // It stands where it stood.
        assert_eq!(drawn(model, request).unwrap().shape()[0], 1);
        error
    };
    assert!(refused(&model, &plain.clone().with("steps", 4).unwrap(), &snapshot).contains("another run"));
    assert!(refused(&model, &plain.clone().with("width", 128).unwrap(), &snapshot).contains("another run"));
    assert!(refused(&open("sd2"), &plain.clone().with("width", 64).unwrap(), &snapshot).contains("another run"));
    for place in (0..snapshot.len()).step_by(97) {
        let mut bytes = snapshot.clone();
        bytes[place] ^= 1;
        refused(&model, &plain, &bytes);
        refused(&model, &plain, &bytes[..place]);
    }
}

/// How large the seams of tiles are, as PSNR beside the whole.
#[test]
fn tiles_are_blended() {
    for name in ["sd", "sdxl"] {
        let model = open(name);
        let request = request(&[PROMPT]).with("width", 128).unwrap().with("height", 192).unwrap();
        let whole = drawn(&model, &request.clone().with("tile", 0).unwrap()).unwrap();
        let tiled = drawn(&model, &request.with("tile", 96).unwrap()).unwrap();
        let error: f64 =
            whole.iter().zip(&tiled).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / whole.len() as f64;
        let psnr = 10.0 * (4.0 / error).log10();
        println!("{name}: {psnr:.1} dB");
        assert!(psnr > 20.0 && error > 0.0, "{name}: {psnr}");
    }
}
