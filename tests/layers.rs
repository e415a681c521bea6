//! Imports run one way: error, tensor → schedule → … → capi, the command line (ARCHITECTURE.md). What knows of ONNX Runtime and
//! what holds raw pointers stays where it is.

use std::path::{Path, PathBuf};

/// The modules from the bottom up: each knows only of those before it.
const LAYERS: &[&str] = &[
    "text",
    "error",
    "json",
    "option",
    "state",
    "sync",
    "cancel",
    "float",
    "process",
    "log",
    "tensor",
    "schedule",
    "noise",
    "prediction",
    "solver",
    "denoiser",
    "guidance",
    "sampling",
    "likelihood",
    "job",
    "runner",
    "onnx",
    "pixels",
    "pipeline",
    "capi",
];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The module that a file belongs to, and its code without comments and tests.
fn modules() -> Vec<(String, PathBuf, String)> {
    let source = source();
    let mut modules = Vec::new();
    for path in rust_files(&source) {
        let relative = path.strip_prefix(&source).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let code = std::fs::read_to_string(&path).unwrap();
        let code = code.split("#[cfg(test)]").next().unwrap();
        let code: Vec<&str> = code.lines().map(|line| line.split("//").next().unwrap()).collect();
        modules.push((first.trim_end_matches(".rs").to_owned(), relative.to_owned(), code.join("\n")));
    }
    modules
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| *layer == module)
}

#[test]
fn every_module_has_a_layer() {
    for (module, path, _) in modules() {
        assert!(module == "lib" || module == "bin" || layer(&module).is_some(), "{} is in no layer", path.display());
    }
}

#[test]
fn nothing_is_imported_upward() {
    let mut seen = 0;
    for (module, path, code) in modules() {
        let Some(own) = layer(&module) else { continue };
        for rest in code.split("crate::").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            // Re-exports at the top: the error type.
            let name = if name == "Result" || name == "Error" { "error".into() } else { name };
            let used = layer(&name).unwrap_or_else(|| panic!("{}: crate::{name} is in no layer", path.display()));
            assert!(used <= own, "{} imports crate::{name}, which is above it", path.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "the imports were not found: {seen}");
}

#[test]
fn only_onnx_knows_of_onnx_runtime() {
    for (module, path, code) in modules() {
        let words: Vec<&str> = code.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        assert!(module == "onnx" || !words.contains(&"ort"), "{} uses ort", path.display());
    }
}

#[test]
fn raw_pointers_and_unsafe_stay_where_they_are() {
    for (module, path, code) in modules() {
        let files = ["float.rs", "process.rs", "onnx/runtime.rs", "onnx/native.rs", "bin/diffuse-cli/interrupt.rs"];
        let allowed = module == "capi" || files.iter().any(|file| path == Path::new(file));
        for word in ["*const ", "*mut ", "unsafe "] {
            assert!(allowed || !code.contains(word), "{} has {word:?}", path.display());
        }
    }
}
