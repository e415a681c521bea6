//! What a terminal would obey never reaches it, wherever it is from: names of files, of tensors and of classes, records
//! of pictures, and what ONNX Runtime says of them.
#![cfg(feature = "cli")]

use std::process::{Command, Output};

use diffuse::text::is_unsafe;
use tempfile::TempDir;

use crate::support::cli::{diffuse, ended, folder, npy, shipped, text};
use crate::support::repository;

fn hostile(name: &str) -> String {
    repository(&format!("tests/hostile/{name}")).display().to_string()
}

/// Runs, and holds both streams against what is safe; `shown` must be in one of them.
fn shows(command: &mut Command, shown: &[&str]) -> Output {
    let output = ended(command);
    let all = text(&output.stdout) + &text(&output.stderr);
    let wrong = all.chars().find(|&character| is_unsafe(character) && character != '\n');
    assert_eq!(wrong, None, "{command:?}: {all:?}");
    assert!(!all.lines().any(|line| line.trim_start().starts_with("fake line")), "{command:?}: {all}");
    for part in shown {
        assert!(all.contains(part), "{command:?}: {part:?} is not in {all}");
    }
    output
}

/// The same, of JSON, whose strings must be those that the file has.
fn json(command: &mut Command) -> serde_json::Value {
    let output = shows(command, &[]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stdout)))
}

#[test]
fn names_of_tensors_and_axes() {
    let folder = folder();
    let inspect = |arguments: &[&str]| {
        let mut command = diffuse(&folder);
        command.args(["inspect", &hostile("names.onnx")]).args(arguments);
        command
    };
    shows(&mut inspect(&[]), &["input    x\\u{1b}[2J\\u{1b}]0;owned\\u{7}\\nfake line: f32[b\\u{1b}[31m,4]"]);
    let report = json(&mut inspect(&["--json"]));
    assert_eq!(report["inputs"][0]["name"], "x\x1b[2J\x1b]0;owned\x07\nfake line");
    shows(diffuse(&folder).args(["generate", &hostile("names.onnx")]), &["no manifest"]);
}

#[test]
fn names_of_classes() {
    let folder = folder();
    let draw = |arguments: &[&str]| {
        let mut command = diffuse(&folder);
        command.args(["generate", &hostile("cls.onnx"), "--steps", "2", "--seed", "1"]).args(arguments);
        command
    };
    shows(&mut draw(&["--class", "zebra"]), &["there are \\u{1b}]0;owned\\u{7}\\u{1b}[2Jred, b\\nc"]);
    shows(&mut draw(&["--class", "\x1b[31mze\rbra"]), &["\\u{1b}[31mze\\rbra"]);
    shows(&mut draw(&["--class", "b\nc,0", "-o", "a.npy"]), &["seed 1"]);
    let record = json(&mut draw(&["--class", "1", "-o", "a.npy", "--json"]));
    assert_eq!(record["class_names"][0], "b\nc");
    shows(diffuse(&folder).args(["inspect", &hostile("cls.onnx")]), &["\\u001b]0;owned\\u0007\\u001b[2Jred"]);
    json(diffuse(&folder).args(["inspect", &hostile("cls.onnx"), "--json"]));
}

#[test]
fn records_of_pictures() {
    let folder = folder();
    let shown = "\\u{1b}]0;pwned\\u{7}\\u{1b}[2J red \\u{9b}31m \\r\\n fake line";
    shows(diffuse(&folder).args(["inspect", &hostile("esc.png")]), &[shown, "model\\u{1b}[31m\\u{7}"]);
    let record = json(diffuse(&folder).args(["inspect", &hostile("esc.png"), "--json"]));
    assert_eq!(record["model\x1b[31m\x07"], "\x1b]0;pwned\x07\x1b[2J red \u{9b}31m \r\n fake line");
    // What turns the text around it, and what ends a line for some.
    let hidden = "a\u{202e}gnp.exe\u{2066}\u{200f}\u{61c}\u{2028}\u{feff}b\u{7f}\u{85}";
    let path = folder.path().join("bidi.png");
    let mut encoder = png::Encoder::new(std::fs::File::create(&path).unwrap(), 1, 1);
    let record = serde_json::json!({"model": hidden, hidden: [hidden]}).to_string();
    encoder.add_itxt_chunk("diffuse".into(), record).unwrap();
    encoder.write_header().unwrap().write_image_data(&[0]).unwrap();
    shows(
        diffuse(&folder).args(["inspect", "bidi.png"]),
        &["a\\u{202e}gnp.exe\\u{2066}\\u{200f}\\u{61c}\\u{2028}\\u{feff}b\\u{7f}\\u{85}"],
    );
    assert_eq!(json(diffuse(&folder).args(["inspect", "bidi.png", "--json"]))["model"], hidden);
}

#[cfg(unix)]
#[test]
fn names_of_files() {
    let folder = folder();
    let name = "a\x1b]0;b\x07\r\nfake line \u{202e}\u{9b}2J";
    let shown = "a\\u{1b}]0;b\\u{7}\\r\\nfake line \\u{202e}\\u{9b}2J";
    let at = |ending: &str| format!("{name}.{ending}");
    let write = |ending: &str, bytes: &[u8]| std::fs::write(folder.path().join(at(ending)), bytes).unwrap();
    let sprites = shipped("sprites");
    let draw = |arguments: &[&str]| -> Command {
        let mut command = diffuse(&folder);
        command.args(["generate", &sprites, "--class", "heart", "--steps", "2", "--seed", "1"]).args(arguments);
        command
    };
    // What is missing, what is no model, what is no picture and no array.
    shows(diffuse(&folder).args(["generate", &at("onnx")]), &[shown]);
    shows(diffuse(&folder).args(["inspect", &at("png")]), &[shown]);
    write("onnx", b"no model");
    shows(diffuse(&folder).args(["generate", &at("onnx")]), &[shown, "ONNX Runtime cannot open it"]);
    write("png", b"\x89PNG\r\n\x1a\nno picture");
    write("npy", &npy("'<f4\x1b[1m'", "(1\r\nfake line,)", &[]));
    for file in [at("png"), at("npy")] {
        shows(&mut draw(&["--image", &file]), &[shown]);
        shows(diffuse(&folder).args(["inspect", &file]), &[shown]);
        shows(diffuse(&folder).args(["likelihood", &sprites, &file]), &[shown]);
        shows(diffuse(&folder).args(["plan", "--scheduler-config", &file]), &[shown]);
    }
    shows(diffuse(&folder).args(["doctor", "--onnxruntime", &at("npy")]), &[shown]);
    json(diffuse(&folder).args(["doctor", "--json", "--onnxruntime", &at("npy")]));
    // What is written, in its own name and in the usual one, and what is not.
    std::fs::copy(hostile("cls.onnx"), folder.path().join(at("onnx"))).unwrap();
    shows(&mut draw(&["-o", &at("csv")]), &[shown]);
    json(&mut draw(&["-o", &at("csv"), "--json"]));
    shows(
        diffuse(&folder).args(["generate", &at("onnx"), "--class", "0", "--steps", "2", "--seed", "1"]),
        &[shown, "-1.npy"],
    );
    shows(diffuse(&folder).args(["inspect", &at("onnx")]), &[shown]);
    shows(&mut draw(&["-o", &at("jpg")]), &[shown, "must end in"]);
    shows(&mut draw(&["-o", &format!("{name}/a.png")]), &[shown]);
    shows(&mut draw(&["--image", &at("csv"), "-o", &at("csv")]), &[shown]);
    // What the parser of arguments says.
    shows(&mut draw(&["--solver", name]), &["possible values"]);
    shows(&mut draw(&[&format!("--{name}")]), &["unexpected argument"]);
    shows(&mut draw(&["--condition", &format!("{name}=a.png")]), &[]);
    shows(&mut draw(&["--provider", name]), &[]);
}

/// The progress bar alone moves the cursor, and only on a terminal.
#[test]
fn help_and_tables_are_as_they_were() {
    let folder: TempDir = folder();
    let table = text(&ended(diffuse(&folder).args(["plan", "--steps", "4"])).stdout);
    assert!(table.lines().count() > 6 && table.contains("x̂₀"), "{table}");
    let help = text(&ended(diffuse(&folder).args(["generate", "--help"])).stdout);
    assert!(help.lines().count() > 40, "{help}");
}
