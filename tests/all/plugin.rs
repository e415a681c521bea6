//! Providers from plugin libraries, by mocks that gcc compiles from `tests/c/mock_provider.c`: what takes nodes runs,
//! what does not is named, and a plugin that was loaded once takes part only where it is asked for.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;

use diffuse::network::{Placement, Provider};
use diffuse::{Error, Model, ModelOptions, Request, Result};
use ndarray::ArrayD;

use crate::support::{alone, repository, runtime};

const MODEL: &str = "onnx/models/swiss_roll.onnx";

fn mock(folder: &Path, behaviour: &str) -> PathBuf {
    let library = folder.join(format!("{}.so", behaviour.to_lowercase()));
    let defines = [format!("-D{behaviour}"), format!("-DNAME=\"{behaviour}ExecutionProvider\"")];
    let output = Command::new("gcc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function", "-fPIC", "-shared", "-o"])
        .arg(&library)
        .args(defines)
        .arg(repository("tests/c/mock_provider.c"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

fn plugin(library: &Path) -> Provider {
    Provider::plugin(library.file_stem().unwrap().to_str().unwrap(), library).unwrap()
}

fn open(providers: &[Provider], cpu_nodes: bool) -> Result<Model> {
    let options = ModelOptions { providers: providers.to_vec(), cpu_nodes, ..ModelOptions::default() };
    Model::open(&runtime(), &repository(MODEL), &options)
}

fn draw(model: Model) -> Result<ArrayD<f32>> {
    let request = Request { seed: 3, count: 20, steps: Some(5), ..Request::default() };
    request.job(&model.into())?.run()
}

/// Why a provider that was asked for alone cannot be had.
fn refused(result: Result<Model>) -> String {
    match result {
        Err(Error::Provider { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

fn placement(model: &Model) -> &Placement {
    model.placement()
}

#[test]
fn a_plugin_runs_where_it_is_asked_for_and_nowhere_else() {
    // What is loaded into a process stays there.
    if !alone("plugin::a_plugin_runs_where_it_is_asked_for_and_nowhere_else") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cpu = Provider::new("cpu").unwrap();
    let expected = draw(open(&[], false).unwrap()).unwrap();
    let [greedy, idle, broken, absent] =
        ["GREEDY", "IDLE", "BROKEN", "ABSENT"].map(|behaviour| plugin(&mock(folder.path(), behaviour)));

    // It takes the whole graph, and is what runs: its failure is the run's.
    let model = open(std::slice::from_ref(&greedy), false).unwrap();
    assert_eq!((placement(&model).provider.as_str(), placement(&model).nodes.len()), ("greedy", 1));
    match draw(model) {
        Err(Error::Evaluation { reason, .. }) => assert!(reason.contains("the mock was run"), "{reason}"),
        other => panic!("{other:?}"),
    }
    let model = open(&[greedy.clone(), cpu.clone()], false).unwrap();
    assert_eq!(placement(&model).provider, "greedy");

    // It is loaded now. Whoever does not ask for it does not get it.
    for providers in [vec![], vec![cpu.clone()]] {
        let model = open(&providers, false).unwrap();
        assert_eq!(placement(&model).provider, "cpu");
        assert_eq!(draw(model).unwrap(), expected);
    }

    for (provider, said) in
        [(&idle, "takes none of the graph's"), (&broken, "out of order"), (&absent, "found no device")]
    {
        // Alone an error, and the same one the second time; before cpu a reason that is kept.
        for _ in 0..2 {
            let reason = refused(open(std::slice::from_ref(provider), false));
            assert!(reason.contains(said), "{reason}");
        }
        let reason = refused(open(std::slice::from_ref(provider), true));
        assert!(reason.contains(said), "{reason}");
        let model = open(&[provider.clone(), cpu.clone()], false).unwrap();
        let Placement { provider: used, skipped, .. } = placement(&model);
        assert_eq!(used, "cpu");
        let [skipped] = &skipped[..] else { panic!("{skipped:?}") };
        assert!(skipped.provider == provider.name() && skipped.reason.contains(said), "{skipped:?}");
        assert_eq!(draw(model).unwrap(), expected);
    }
    // The one that cannot be created does not stand in anybody's way.
    assert_eq!(draw(open(&[], false).unwrap()).unwrap(), expected);

    // A model that nothing can open is the model's fault.
    let options = ModelOptions { providers: vec![greedy.clone(), cpu.clone()], ..ModelOptions::default() };
    let text = folder.path().join("text.onnx");
    std::fs::write(&text, "no model").unwrap();
    assert!(matches!(Model::open(&runtime(), &text, &options), Err(Error::Model { .. })));
}

#[test]
fn what_is_no_plugin_is_refused_with_its_path() {
    if !alone("plugin::what_is_no_plugin_is_refused_with_its_path") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let library = mock(folder.path(), "IDLE");
    let bytes = std::fs::read(&library).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let fifo = folder.path().join("fifo.so");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for (path, said) in [
        (file("text.so", b"text"), "text.so"),
        (file("cut.so", &bytes[..bytes.len() / 3]), "cut off"),
        (fifo, "is no file"),
        (folder.path().to_owned(), "is no file"),
        (folder.path().join("missing.so"), "No such file"),
        (runtime().path().to_owned(), "CreateEpFactories"),
    ] {
        let provider = Provider::plugin("other", &path).unwrap();
        let reason = refused(open(&[provider], false));
        assert!(reason.contains(said), "{reason}");
    }
    let is_argument = |result: Result<Provider>, said: &str| {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(said), "{message}");
    };
    is_argument(Provider::plugin("cpu", &library), "another name");
    is_argument(Provider::plugin("", &library), "1 to 64");
    is_argument(Provider::plugin("a b", &library), "1 to 64");
    is_argument(Provider::plugin("a", ""), "path");
    is_argument(Provider::plugin("a", &library).unwrap().with_option("device", "first"), "a's device");
    is_argument(Provider::plugin("a", &library).unwrap().with_option(&"k".repeat(257), "1"), "1 to 256");
    // The same library under two names would be registered twice.
    let twice = [Provider::plugin("a", &library).unwrap(), Provider::plugin("b", &library).unwrap()];
    let message = open(&twice, false).unwrap_err().to_string();
    assert!(message.contains("same library"), "{message}");
}
