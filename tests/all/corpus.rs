//! The fuzz targets over the corpus that is committed: what a fuzzer has found once is tried by every test run.
#![cfg(all(feature = "capi", feature = "cli"))]

#[path = "../fuzz/targets.rs"]
mod targets;

use crate::support::repository;

fn over_the_corpus(name: &str, target: fn(&[u8])) {
    let folder = repository("tests/fuzz/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 3, "{} has only {} files", folder.display(), files.len());
    for file in files {
        println!("{}", file.display());
        target(&std::fs::read(file).unwrap());
    }
}

#[test]
fn manifests() {
    over_the_corpus("manifest", targets::manifest);
}

#[test]
fn scheduler_configs() {
    over_the_corpus("scheduler_config", targets::scheduler_config);
}

#[test]
fn options() {
    over_the_corpus("options", targets::options);
}

#[test]
fn snapshots() {
    over_the_corpus("snapshot", targets::snapshot);
}

#[test]
fn arrays() {
    over_the_corpus("npy", targets::npy);
}

#[test]
fn pictures() {
    over_the_corpus("png", targets::png);
}

#[test]
fn sequences_of_c_calls() {
    over_the_corpus("c_calls", targets::c_calls);
}
