//! What a model is known by: everything that it was opened from, as it was then.
#![cfg(unix)]

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use diffuse::{Error, Model, ModelOptions, Request};
use tempfile::TempDir;

use crate::support::graph::bytes;
use crate::support::{alone, repository, runtime};

/// A copy of the fixture whose weights lie in a file of their own.
fn external(folder: &TempDir) -> PathBuf {
    for name in ["external.onnx", "external.onnx.data"] {
        std::fs::copy(repository(&format!("onnx/fixtures/{name}")), folder.path().join(name)).unwrap();
    }
    folder.path().join("external.onnx")
}

fn open(path: &Path, options: &ModelOptions) -> Arc<Model> {
    Arc::new(Model::open(&runtime(), path, options).unwrap())
}

fn opened(path: &Path) -> Arc<Model> {
    open(path, &ModelOptions::default())
}

/// Other weights in the same place: the file is another one, or the same with other bytes.
fn change(path: &Path, in_place: bool) {
    let data = path.with_extension("onnx.data");
    let mut bytes = std::fs::read(&data).unwrap();
    let half = 0.5f32.to_le_bytes();
    bytes[..4].copy_from_slice(&half);
    if in_place {
        std::fs::OpenOptions::new().write(true).open(&data).unwrap().write_at(&half, 0).unwrap();
    } else {
        std::fs::write(data.with_extension("new"), bytes).unwrap();
        std::fs::rename(data.with_extension("new"), &data).unwrap();
    }
}

#[test]
fn the_weights_and_the_manifest_are_a_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = external(&folder);
    let first = opened(&path);
    let hash = first.hash().unwrap().into_owned();
    // `sha256sum` says the same of the parts.
    let network = first.network().unwrap();
    let parts = network.parts().unwrap();
    let names: Vec<&str> = parts.iter().map(|part| part.part.as_str()).collect();
    assert_eq!(names, ["graph", "external.onnx.data", "manifest"]);
    for (part, file) in parts.iter().zip(["external.onnx", "external.onnx.data"]) {
        let said = Command::new("sha256sum").arg(folder.path().join(file)).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout).split(' ').next().unwrap(), part.sha256);
    }
    let lines: String = parts.iter().map(|part| format!("{}  {}\n", part.sha256, part.part)).collect();
    std::fs::write(folder.path().join("lines"), lines).unwrap();
    let said = Command::new("sha256sum").arg(folder.path().join("lines")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout).split(' ').next().unwrap(), hash);

    change(&path, false);
    let other = opened(&path);
    assert_ne!(*other.hash().unwrap(), hash, "other weights");
    let mut json = serde_json::to_value(first.manifest()).unwrap();
    json["name"] = "another".into();
    let manifest = ModelOptions { manifest: Some(json.to_string()), ..ModelOptions::default() };
    assert_ne!(open(&path, &manifest).hash().unwrap(), other.hash().unwrap(), "another manifest");

    // So a snapshot is not taken up by another network.
    let request = Request { steps: Some(3), ..Request::default() };
    let mut job = request.job(&first).unwrap();
    job.step().unwrap();
    let snapshot = job.snapshot().unwrap();
    request.job(&first).unwrap().restore(&snapshot).unwrap();
    let refused = request.job(&other).unwrap().restore(&snapshot).unwrap_err();
    assert!(refused.to_string().contains("another run"), "{refused}");
    // Nor is one of the format before, in which none of this was known.
    let mut former = snapshot.clone();
    former[8] = 1;
    let refused = request.job(&first).unwrap().restore(&former).unwrap_err().to_string();
    assert!(refused.contains("format 1") && refused.contains("format 2"), "{refused}");
}

#[test]
fn it_is_that_of_what_was_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = external(&folder);
    let before = opened(&path).hash().unwrap().into_owned();
    // Replaced, and gone, after it was opened.
    for file in ["external.onnx.data", "external.onnx"] {
        let path = external(&folder);
        let model = opened(&path);
        std::fs::write(folder.path().join("new"), b"another").unwrap();
        std::fs::rename(folder.path().join("new"), folder.path().join(file)).unwrap();
        assert_eq!(*model.hash().unwrap(), before, "{file} was replaced");
        let path = external(&folder);
        let model = opened(&path);
        std::fs::remove_file(folder.path().join(file)).unwrap();
        assert_eq!(*model.hash().unwrap(), before, "{file} is gone");
    }
    // Overwritten in place: what it is known by cannot be found any more.
    let path = external(&folder);
    let model = opened(&path);
    // The system's clock of files is a coarse one.
    std::thread::sleep(Duration::from_millis(20));
    change(&path, true);
    let request = Request { steps: Some(2), ..Request::default() };
    for error in [model.hash().unwrap_err(), request.job(&model).unwrap().snapshot().unwrap_err()] {
        assert!(matches!(&error, Error::Io { path, .. } if path.ends_with("external.onnx.data")), "{error}");
        assert!(error.to_string().contains("changed since the model was opened"), "{error}");
    }
}

/// A relative path is another one in another folder; the command line and hosts change theirs.
#[test]
fn it_does_not_depend_on_the_working_folder() {
    // A process has one.
    if !alone("identity::it_does_not_depend_on_the_working_folder") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    external(&folder);
    let expected = opened(&folder.path().join("external.onnx")).hash().unwrap().into_owned();
    std::env::set_current_dir(&folder).unwrap();
    let model = opened(Path::new("external.onnx"));
    std::env::set_current_dir("/").unwrap();
    assert_eq!(*model.hash().unwrap(), expected);
}

/// Weights that are copied can be overwritten, or cut off, without a signal and without a change.
#[test]
fn copied_weights_stay_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = external(&folder);
    let draw = |model: &Arc<Model>| {
        let request = Request { steps: Some(3), count: 2, ..Request::default() };
        request.job(model).unwrap().run().unwrap()
    };
    let usual = draw(&opened(&path));
    let model = open(&path, &ModelOptions { copy_weights: true, ..ModelOptions::default() });
    assert!(draw(&model) == usual);
    change(&path, true);
    std::fs::OpenOptions::new().write(true).open(path.with_extension("onnx.data")).unwrap().set_len(0).unwrap();
    assert!(draw(&model) == usual);
}

#[cfg(target_os = "linux")]
#[test]
fn many_files_are_not_all_kept_open() {
    // The open files of the process are counted.
    if !alone("identity::many_files_are_not_all_kept_open") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut model = std::fs::read(repository("onnx/fixtures/time_first.onnx")).unwrap();
    // 200 more tensors of one float, each in a file of its own. Fields of a message may come again, and are put
    // together.
    let entry = |key: &str, value: &str| bytes(13, [bytes(1, key.as_bytes()), bytes(2, value.as_bytes())].concat());
    let tensors = (0..200).map(|i| {
        let name = format!("w{i}");
        std::fs::write(folder.path().join(&name), [0; 4]).unwrap();
        let (shape, float, external) = ([1 << 3, 1], [2 << 3, 1], [14 << 3, 1]);
        let tensor = [&shape[..], &float, &bytes(8, name.as_bytes()), &entry("location", &name), &external].concat();
        bytes(5, tensor)
    });
    model.extend(bytes(7, tensors.collect::<Vec<_>>().concat()));
    std::fs::write(folder.path().join("many.onnx"), model).unwrap();
    let open_files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open_files();
    let model = opened(&folder.path().join("many.onnx"));
    assert!(open_files() <= before + 70, "{before} before, {} now", open_files());
    assert_eq!(model.network().unwrap().parts().unwrap().len(), 202);
    std::thread::sleep(Duration::from_millis(20));
    let model = opened(&folder.path().join("many.onnx"));
    std::fs::write(folder.path().join("w99"), [1; 4]).unwrap();
    assert!(model.hash().unwrap_err().to_string().contains("w99"));
}
