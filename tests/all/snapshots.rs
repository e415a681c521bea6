//! A job that is left after some steps and taken up by another one ends where one ends that was not left: for every
//! solver, every guidance, and with torch's generators. `tests/bless` writes the table of what was compared.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use diffuse::denoiser::Query;
use diffuse::guidance::Callback;
use diffuse::request::{ClassifierGuidance, HostGuidance};
use diffuse::settings::Clipping;
use diffuse::{Error, Job, Model, Request, solver};
use ndarray::ArrayD;

use crate::support::{agree, model};

fn base(model: &Model) -> Request {
    let class = model.class("star").unwrap();
    Request { seed: 5, count: 2, classes: Some(vec![class; 2]), steps: Some(6), ..Request::default() }
}

/// The bits of the samples at the end of a run that was never left.
fn whole(model: &Arc<Model>, request: &Request) -> Vec<u32> {
    let samples = request.job(model).unwrap().run().unwrap();
    samples.iter().map(|value| value.to_bits()).collect()
}

/// The same of one that was left after every `every`-th step, each time for a new job.
fn in_pieces(model: &Arc<Model>, request: &Request, every: usize) -> Vec<u32> {
    let mut job = request.job(model).unwrap();
    let mut taken_up = 0;
    loop {
        for _ in 0..every {
            job.step().unwrap();
        }
        if job.progress().is_finished() {
            assert!(taken_up > 0);
            return job.sample().iter().map(|value| value.to_bits()).collect();
        }
        let snapshot = job.snapshot().unwrap();
        let preview = job.preview().map(|preview| preview.to_owned());
        job = request.job(model).unwrap();
        job.restore(&snapshot).unwrap();
        assert_eq!(job.preview().map(|preview| preview.to_owned()), preview);
        assert_eq!(job.snapshot().unwrap(), snapshot);
        taken_up += 1;
    }
}

/// Every solver with every noise, every guidance, and what else a run remembers: its solver, what it has besides, and
/// its request.
fn runs(model: &Arc<Model>) -> Vec<(String, String, Request)> {
    let classifier = crate::support::model("onnx/models/sprite_classifier.onnx");
    let mut runs = Vec::new();
    let mut add = |what: &str, with: &str, request: Request| runs.push((what.to_owned(), with.to_owned(), request));
    for name in solver::NAMES {
        for noise in ["counter", "torch", "torch-per-item"] {
            let mut request = base(model).with("solver", name).unwrap().with("noise", noise).unwrap();
            match *name {
                "rk45" => {
                    for (key, value) in [("rtol", "0.1"), ("atol", "0.1")] {
                        request.set(key, value).unwrap();
                    }
                }
                "langevin" => request.set("corrector_steps", 3).unwrap(),
                _ => {}
            }
            add(name, noise, request);
        }
    }
    let guided = |pairs: &[(&str, &str)]| {
        let mut request = base(model).with("guidance_scale", "0.8").unwrap();
        pairs.iter().for_each(|(key, value)| request.set(key, value).unwrap());
        request
    };
    for (with, pairs) in [
        ("plain guidance", &[][..]),
        ("rescale", &[("guidance_rescale", "0.7")]),
        ("apg with momentum", &[("guidance_form", "apg"), ("guidance_momentum", "-0.4")]),
        ("cfg++", &[("guidance_form", "cfg++")]),
        ("an interval", &[("guidance_sigma_max", "2")]),
        ("corrections", &[("corrector_steps", "2")]),
    ] {
        add("ddim", with, guided(pairs));
        // CFG++ is for solvers that tell ε̂ from x̂₀.
        let other = if with == "cfg++" { "euler-ancestral" } else { "heun" };
        add(other, with, guided(&[pairs, &[("solver", other)]].concat()));
    }
    for (form, solver) in [("mean", "ddpm"), ("noise", "unipc")] {
        let classes = vec![classifier.class("moon").unwrap()];
        let guidance = ClassifierGuidance { classifier: Arc::clone(&classifier), classes };
        let request = Request { classifier: Some(guidance), ..base(model) };
        let request = request.with("classifier_form", form).unwrap().with("solver", solver).unwrap();
        add(solver, &format!("a classifier, by the {form}"), request.with("classifier_scale", 0.1).unwrap());
    }
    let halved: Arc<Callback> = Arc::new(|_: &Query<'_>, denoised: &mut [f32]| {
        denoised.iter_mut().for_each(|value| *value *= 0.5);
        Ok(())
    });
    add("dpm-solver", "a callback", Request { callback: Some(HostGuidance(halved)), ..base(model) });
    let image = || Some(Arc::new(ArrayD::from_elem(vec![4, 32, 32], 0.25)));
    let mask = ArrayD::from_shape_fn(vec![32, 32], |at| if at[1] < 16 { 0.0 } else { 1.0 });
    add("ddim", "a mask", Request { image: image(), mask: Some(Arc::new(mask)), ..base(model) });
    add("euler-ancestral", "an image", Request { image: image(), ..base(model) });
    for clipping in ["off", "keep-noise", "dynamic"] {
        add("ddim", &format!("clipping {clipping}"), base(model).with("clipping", clipping).unwrap());
    }
    runs
}

/// How each of them ends that is not left.
fn ends(model: &Arc<Model>, runs: &[(String, String, Request)]) -> &'static [Vec<u32>] {
    static ENDS: OnceLock<Vec<Vec<u32>>> = OnceLock::new();
    ENDS.get_or_init(|| runs.iter().map(|(.., request)| whole(model, request)).collect())
}

#[test]
fn every_run_goes_on_bit_for_bit() {
    let model = model("onnx/models/sprites.onnx");
    let runs = runs(&model);
    for ((what, with, request), expected) in runs.iter().zip(ends(&model, &runs)) {
        for every in [1, 2] {
            assert!(in_pieces(&model, request, every) == *expected, "{what}, {with}, left every {every} steps");
        }
    }
}

/// Names the folder of the snapshots to the process that is to go on with them.
const FOLDER: &str = "DIFFUSE_TEST_SNAPSHOTS";

#[test]
fn every_run_goes_on_in_a_new_process() {
    let model = model("onnx/models/sprites.onnx");
    let runs = runs(&model);
    if let Some(folder) = std::env::var_os(FOLDER) {
        for (i, (.., request)) in runs.iter().enumerate() {
            let mut job = request.job(&model).unwrap();
            job.restore(&std::fs::read(Path::new(&folder).join(format!("{i}.snapshot"))).unwrap()).unwrap();
            let samples = job.run().unwrap();
            let bytes: Vec<u8> = samples.iter().flat_map(|value| value.to_le_bytes()).collect();
            std::fs::write(Path::new(&folder).join(format!("{i}.samples")), bytes).unwrap();
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (i, (.., request)) in runs.iter().enumerate() {
        let mut job = request.job(&model).unwrap();
        while job.progress().step < 3 {
            job.step().unwrap();
        }
        assert!(!job.progress().is_finished());
        std::fs::write(folder.path().join(format!("{i}.snapshot")), job.snapshot().unwrap()).unwrap();
    }
    let mut other = std::process::Command::new(std::env::current_exe().unwrap());
    other.args(["--exact", "snapshots::every_run_goes_on_in_a_new_process"]).env(FOLDER, folder.path());
    let output = other.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let mut rows = String::new();
    for (i, ((what, with, _), expected)) in runs.iter().zip(ends(&model, &runs)).enumerate() {
        let ended = std::fs::read(folder.path().join(format!("{i}.samples"))).unwrap();
        let expected: Vec<u8> = expected.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        assert!(ended == expected, "{what}, {with}");
        rows += &format!("| {what} | {with} |\n");
    }
    let table = format!(
        "# Runs continued from snapshots

This page lists the runs of the sprite model that are left and continued from a snapshot. Each is left after every step,
and after every second one, for a new job with the snapshot's bytes. After the third step it is left for a new process.
All of them end with the bits of a run that was not left. `tests/all/snapshots.rs` generates this page.

| solver | with |
|---|---|
{rows}"
    );
    agree("tests/SNAPSHOTS.md", &table);
}

fn message(result: Result<(), Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn what_is_no_snapshot_of_this_run_is_refused_and_changes_nothing() {
    let model = model("onnx/models/sprites.onnx");
    let start = |request: &Request| -> Job {
        let mut job = request.job(&model).unwrap();
        (0..2).for_each(|_| drop(job.step()));
        job
    };
    let request = base(&model).with("solver", "dpm-solver").unwrap().with("noise", "torch").unwrap();
    let snapshot = start(&request).snapshot().unwrap();
    let mut job = start(&request);
    let before = job.snapshot().unwrap();
    // Every length, and every byte.
    for length in (0..snapshot.len()).step_by(997).chain(snapshot.len() - 40..snapshot.len()) {
        assert!(message(job.restore(&snapshot[..length])).starts_with("snapshot: "));
    }
    for place in (0..snapshot.len()).step_by(1009).chain(0..64) {
        let mut changed = snapshot.clone();
        changed[place] ^= 0x10;
        assert!(message(job.restore(&changed)).starts_with("snapshot: "), "byte {place}");
    }
    let mut longer = snapshot.clone();
    longer.push(0);
    assert!(message(job.restore(&longer)).contains("checksum"));
    // With a checksum that fits, as only somebody who means it writes it.
    use sha2::{Digest, Sha256};
    let forged = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut content = snapshot[..snapshot.len() - 32].to_vec();
        change(&mut content);
        let sum = Sha256::digest(&content);
        content.extend(sum);
        content
    };
    let word = |place: usize, value: u64| {
        move |content: &mut Vec<u8>| content[place..place + 8].copy_from_slice(&value.to_le_bytes())
    };
    for (what, bytes) in [
        ("a step beyond the run", forged(&word(41, 7))),
        ("a stage that no step has", forged(&word(49, 3))),
        ("a stage that is absurd", forged(&word(49, u64::MAX))),
        ("a flag that is none", forged(&word(57, 2))),
        ("another number of values", forged(&word(65, 4096))),
        ("an absurd number of values", forged(&word(65, u64::MAX))),
        ("a value that is no number", forged(&|content| content[73..77].copy_from_slice(&f32::NAN.to_le_bytes()))),
        ("another version", forged(&|content| content[8] = 3)),
        ("bytes behind the end", forged(&|content| content.push(0))),
        ("a part that is missing", forged(&|content| content.truncate(content.len() - 9))),
    ] {
        let said = message(job.restore(&bytes));
        assert!(said.starts_with("snapshot: "), "{what}: {said}");
        assert_eq!(job.snapshot().unwrap(), before, "{what} was refused and left something behind");
    }
    // RK45's own: all items done, and steps left.
    let of_rk45 = base(&model).with("solver", "rk45").unwrap();
    let mut integrated = start(&of_rk45);
    let sound = integrated.snapshot().unwrap();
    let mut content = sound[..sound.len() - 32].to_vec();
    // Behind the two tensors and the flag of a saved one.
    let item = 41 + 3 * 8 + 2 * (8 + 4 * integrated.sample().len()) + 8;
    word(item, 2)(&mut content);
    let sum = Sha256::digest(&content);
    content.extend(sum);
    assert!(message(integrated.restore(&content)).contains("its items"));
    assert_eq!(integrated.snapshot().unwrap(), sound);
    // Of another run.
    for (key, value) in [("solver", "ddim"), ("steps", "7"), ("grid", "linspace"), ("noise", "counter"), ("order", "3")]
    {
        let mut other = request.clone().with(key, value).unwrap().job(&model).unwrap();
        assert!(message(other.restore(&snapshot)).contains("of another run"), "{key}");
    }
    let mut other = Request { count: 1, classes: Some(vec![1]), ..request.clone() }.job(&model).unwrap();
    assert!(message(other.restore(&snapshot)).contains("of another run"));
    let mut defects = Request { count: 2, classes: None, ..request.clone() };
    defects.steps = Some(6);
    let mut defects = defects.job(&crate::support::model("onnx/models/sprite_defects.onnx")).unwrap();
    assert!(message(defects.restore(&snapshot)).contains("of another run"));
    // A branch: the same snapshot, another class and another clipping from there on.
    let branch =
        Request { classes: Some(vec![model.class("heart").unwrap(); 2]), clipping: Clipping::Off, ..request.clone() };
    let mut branch = branch.job(&model).unwrap();
    branch.restore(&snapshot).unwrap();
    assert_eq!(branch.progress().step, 2);
    let branch = branch.run().unwrap();
    job.restore(&snapshot).unwrap();
    assert!(branch != job.run().unwrap());
}
