//! What a machine does to a program: memory that runs out, a disk that is full, a file that is gone, a network that
//! fails in the middle of a run.
#![cfg(all(feature = "capi", target_os = "linux", target_env = "gnu"))]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use diffuse::{Error, Model, ModelOptions, Request};

use crate::support::{libraries, model, repository, runtime};

fn cc(arguments: &[&str], source: &str, program: &Path) {
    let mut command = Command::new("gcc");
    command.args(["-std=c11", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]).args(arguments);
    command.arg("-I").arg(repository("include")).arg(repository(source)).arg("-o").arg(program);
    command.arg(format!("-Wl,-rpath,{}", program.parent().unwrap().display()));
    if source.ends_with("faults.c") {
        command.arg(library(program.parent().unwrap()));
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The shared library under its soname, in `folder`.
fn library(folder: &Path) -> PathBuf {
    let library = libraries().join("libdiffuse.so");
    let link = folder.join("libdiffuse.so.0");
    std::os::unix::fs::symlink(library, &link).unwrap();
    link
}

/// Every large allocation fails once; none of them ends the process.
#[test]
fn memory_that_runs_out_is_a_status() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("faults");
    // Its own malloc is the one of the libraries as well.
    cc(&["-rdynamic"], "tests/c/faults.c", &program);
    let models = ["sprites", "sprite_classifier"].map(|name| repository(&format!("onnx/models/{name}.onnx")));
    let output = Command::new(program).arg(runtime().path()).args(models).output().unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// A picture is whole or not there, and the one that was there before is left alone.
#[test]
fn a_full_disk_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().join("full_disk.so");
    cc(&["-shared", "-fPIC"], "tests/c/full_disk.c", &full);
    let output = folder.path().join("drawn");
    std::fs::create_dir(&output).unwrap();
    let picture = output.join("heart.png");
    std::fs::write(&picture, "what was there").unwrap();
    for (arguments, written) in [
        (&["generate", "onnx/models/sprites.onnx", "--class", "heart", "--steps", "2", "-o"][..], "heart.png"),
        (&["generate", "onnx/models/sprites.onnx", "--class", "heart", "--steps", "2", "-o"], "new.npy"),
        (&["generate", "onnx/models/swiss_roll.onnx", "--steps", "2", "-n", "9", "-o"], "points.csv"),
        (&["plot", "--steps", "5", "-o"], "plan.svg"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_diffuse-cli"));
        command.args(arguments).arg(output.join(written)).current_dir(repository(".")).env("LD_PRELOAD", &full);
        let result = command.output().unwrap();
        let said = String::from_utf8_lossy(&result.stderr);
        assert_eq!(result.status.code(), Some(6), "{written}: {said}");
        assert!(said.contains("No space left"), "{written}: {said}");
        let left: Vec<_> = std::fs::read_dir(&output).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["heart.png"], "{written}");
    }
    assert_eq!(std::fs::read_to_string(picture).unwrap(), "what was there");
}

#[test]
fn a_model_whose_file_vanishes_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gone.onnx");
    std::fs::copy(repository("onnx/models/sprites.onnx"), &path).unwrap();
    let opened = Arc::new(Model::open(&runtime(), &path, &ModelOptions::default()).unwrap());
    std::fs::remove_file(&path).unwrap();
    let request = Request { classes: Some(vec![1]), steps: Some(4), ..Request::default() };
    let mut job = request.job(&opened).unwrap();
    job.step().unwrap();
    // It is still the file that was opened, whatever lies at its path.
    std::fs::copy(repository("onnx/models/swiss_roll.onnx"), &path).unwrap();
    let kept = model("onnx/models/sprites.onnx");
    assert_eq!(opened.hash().unwrap(), kept.hash().unwrap());
    request.job(&kept).unwrap().restore(&job.snapshot().unwrap()).unwrap();
    assert!(job.run().unwrap() == request.job(&kept).unwrap().run().unwrap());
}

#[test]
fn a_network_that_fails_in_the_middle_ends_the_step_and_nothing_else() {
    let model = model("onnx/fixtures/failing.onnx");
    for solver in ["ddim", "ddpm", "heun", "unipc", "rk45"] {
        let request = Request { steps: Some(10), count: 2, ..Request::default() }.with("solver", solver).unwrap();
        let mut job = request.job(&model).unwrap();
        let mut before = job.snapshot().unwrap();
        let error = loop {
            match job.step() {
                Ok(progress) => assert!(!progress.is_finished(), "{solver}"),
                Err(error) => break error,
            }
            before = job.snapshot().unwrap();
        };
        // The levels below t = 500 are the ones that it fails at.
        assert!(
            matches!(&error, Error::Evaluation { reason, .. } if reason.contains("ONNX Runtime")),
            "{solver}: {error}"
        );
        assert!(job.progress().step > 1, "{solver}: {error}");
        assert!(job.snapshot().unwrap() == before, "{solver}: something has changed");
        // Again and again the same, and the model is still of use.
        assert_eq!(job.step().unwrap_err().to_string(), error.to_string(), "{solver}");
        let mut other = request.job(&model).unwrap();
        other.step().unwrap();
    }
}
