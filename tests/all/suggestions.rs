//! The manifest that `inspect` suggests for a graph without one: filled in where it says "?", it opens the graph, and
//! says what the manifest that stands beside it says.
#![cfg(feature = "cli")]

use std::path::{Path, PathBuf};

use diffuse::{Model, ModelOptions};
use serde_json::{Value, json};

use crate::support::cli::{diffuse, folder, succeed, text};
use crate::support::{repository, runtime};

/// The graphs that are committed with manifests.
fn graphs(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut graphs: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "onnx")).collect();
    graphs.sort();
    graphs
}

/// What is suggested for a graph where no manifest is beside it.
fn suggestion(graph: &Path) -> Value {
    let folder = folder();
    std::fs::copy(graph, folder.path().join("graph.onnx")).unwrap();
    let report = succeed(diffuse(&folder).args(["inspect", "graph.onnx", "--json"]));
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    // What is printed for a person is the same.
    let printed = text(&succeed(diffuse(&folder).args(["inspect", "graph.onnx"])).stdout);
    let (_, printed) = printed.split_once("\n{").unwrap();
    let (printed, _) = printed.split_once("\n}").unwrap();
    let printed: Value = serde_json::from_str(&format!("{{{printed}}}")).unwrap();
    assert_eq!(printed, report["suggestion"], "{}", graph.display());
    printed
}

fn manifest(graph: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(graph.with_extension("diffuse.json")).unwrap()).unwrap()
}

/// Whether some part of it is "?".
fn is_open(value: &Value) -> bool {
    match value {
        Value::String(text) => text == "?",
        Value::Object(fields) => fields.values().any(is_open),
        Value::Array(items) => items.iter().any(is_open),
        _ => false,
    }
}

/// The suggestion with what the true manifest says wherever it has "?". What that leaves to a default is left out.
fn filled(mut suggestion: Value, truth: &Value) -> Value {
    for section in ["schedule", "prediction", "variance", "guidance_pair"] {
        if suggestion.get(section).is_some_and(is_open) {
            match truth.get(section) {
                Some(own) => suggestion[section] = own.clone(),
                None => drop(suggestion.as_object_mut().unwrap().remove(section)),
            }
        }
    }
    if is_open(&suggestion["time"]) {
        let default = match truth["schedule"]["kind"].as_str().unwrap() {
            "flow" | "vp" => json!({"encoding": "unit"}),
            _ => json!({"encoding": "index"}),
        };
        suggestion["time"] = truth.get("time").cloned().unwrap_or(default);
    }
    if is_open(&suggestion["sample"]) {
        suggestion["sample"]["kind"] = truth["sample"].get("kind").cloned().unwrap_or(json!("latent"));
    }
    if suggestion.get("classes").is_some() {
        let classes = &truth["classes"];
        suggestion["classes"] = json!({"count": classes["count"], "null": classes["null"]});
    }
    if let Some(condition) = suggestion.pointer_mut("/conditions/joined_condition") {
        let before = truth["conditions"].as_object().unwrap().values().any(|own| own.get("before").is_some());
        condition["before"] = json!(before);
    }
    assert!(!is_open(&suggestion), "{suggestion}");
    suggestion
}

/// What of a manifest a graph can know.
fn known(manifest: &Value) -> Value {
    let sample = &manifest["sample"];
    let alone = |condition: &&Value| condition.get("joined").is_none();
    let conditions = manifest.get("conditions").and_then(Value::as_object);
    let mut shapes: Vec<String> = conditions
        .into_iter()
        .flat_map(|conditions| conditions.values())
        .filter(alone)
        .map(|condition| format!("{} {}", condition["shape"], condition.get("batch").unwrap_or(&json!(true))))
        .collect();
    shapes.sort();
    json!({"shape": sample["shape"], "last": sample.get("channels_last"), "conditions": shapes})
}

#[test]
fn what_is_suggested_opens_the_graph_and_is_what_it_is() {
    let (mut opened, mut wrong) = (0, Vec::new());
    for graph in graphs("onnx/fixtures/predictors").iter().chain(&graphs("onnx/fixtures/predictors/made")) {
        let (suggestion, truth) = (suggestion(graph), manifest(graph));
        let folder = graph.parent().and_then(Path::file_name).unwrap().to_string_lossy().into_owned();
        let name = format!("{folder}/{}", graph.file_stem().unwrap().to_string_lossy());
        let whole = filled(suggestion, &truth);
        // A class as a one among zeros is a vector as any other, channels can be last of two sizes that are alike,
        // three axes beside one number can be a batch, and what is fed back has another name here than anywhere.
        let unknowable =
            ["one_hot", "onehot", "made/channels_last_joined", "made/no_batch_axis", "made/self_condition"];
        if !unknowable.iter().any(|part| name.contains(part)) && known(&whole) != known(&truth) {
            wrong.push(format!("{name}: {} is not {}", known(&whole), known(&truth)));
        }
        let options = ModelOptions { manifest: Some(whole.to_string()), ..ModelOptions::default() };
        match Model::open(&runtime(), graph, &options) {
            Ok(_) => opened += 1,
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(opened >= 59, "{opened}");
}
