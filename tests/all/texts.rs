//! What the program says at length: its help, `inspect` and `plan`, as they are stored in `tests/texts`.
//! `tests/bless` writes it; a change of them is then read like one of the code.
#![cfg(feature = "cli")]

use std::process::Command;

use crate::support::cli::{ended, program, text};
use crate::support::{agree, repository};

const COMMANDS: &[&str] = &["generate", "inspect", "plan", "plot", "likelihood", "anomaly", "doctor"];

/// Models and a picture: what is shipped, a learned variance, weights in a file of their own, and no manifest.
const INSPECTED: &[&str] = &[
    "onnx/models/sprites.png",
    "onnx/fixtures/two_c.onnx",
    "onnx/fixtures/external.onnx",
    "onnx/fixtures/no_manifest.onnx",
];

/// Runs of every kind of move, each with the flags that ask for it.
const PLANNED: &[(&str, &str)] = &[
    ("first_order", "--solver ddim"),
    ("multistep", "--solver dpm-solver --order 3 --grid karras"),
    ("corrected", "--solver unipc"),
    ("saved", "--solver heun --schedule edm"),
    ("stages", "--solver dpm-solver-singlestep --order 3"),
    ("adaptive", "--solver rk45"),
    ("ancestral", "--solver euler-ancestral"),
    ("churn", "--solver euler --s-churn 2 --schedule ve"),
    ("variance", "onnx/fixtures/two_c.onnx --solver ddpm"),
    ("warm_up", "--solver pndm --warmup runge-kutta --grid leading"),
    ("langevin", "--solver langevin --corrector-steps 2 --schedule ve"),
    ("flow", "--schedule flow"),
    ("folder", "onnx/pipelines/sd --solver euler --grid karras"),
];

/// Compares what a call prints with the file of the texts that is called `name`, and keeps the name for the list of
/// them.
fn compare(names: &mut Vec<String>, name: String, arguments: &[&str]) {
    // In the repository, so that the names of files are the same everywhere; and the width of a terminal counts for
    // nothing.
    let mut command = Command::new(program());
    let output = ended(command.args(arguments).current_dir(repository(".")).env("COLUMNS", "40"));
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "{arguments:?}");
    agree(&format!("tests/texts/{name}.txt"), &text(&output.stdout));
    names.push(format!("{name}.txt"));
}

/// Nothing is stored that nothing is compared with.
fn all_are_compared(start: &str, mut names: Vec<String>) {
    let stored = std::fs::read_dir(repository("tests/texts")).unwrap();
    let mut stored: Vec<String> = stored.map(|entry| text(entry.unwrap().file_name().as_encoded_bytes())).collect();
    stored.retain(|name| name.starts_with(start));
    stored.sort();
    names.sort();
    assert_eq!(stored, names);
}

#[test]
fn help_is_as_stored() {
    let mut names = Vec::new();
    compare(&mut names, "help".into(), &["--help"]);
    compare(&mut names, "help_short".into(), &["-h"]);
    for command in COMMANDS {
        compare(&mut names, format!("help_{command}"), &[command, "--help"]);
        compare(&mut names, format!("help_{command}_short"), &[command, "-h"]);
    }
    let listed = std::fs::read_to_string(repository("tests/texts/help.txt")).unwrap();
    let listed = listed.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    assert_eq!(listed.count(), COMMANDS.len() + 1, "a command is not in the list of this test");
    all_are_compared("help", names);
}

#[test]
fn inspect_is_as_stored() {
    let shipped = std::fs::read_dir(repository("onnx/models")).unwrap().map(|entry| entry.unwrap().path());
    let shipped: Vec<_> = shipped.filter(|path| path.extension().is_some_and(|ending| ending == "onnx")).collect();
    assert!(shipped.len() >= 7);
    let mut names = Vec::new();
    for path in shipped {
        let file = path.file_name().unwrap().to_str().unwrap();
        compare(&mut names, format!("inspect_{file}"), &["inspect", &format!("onnx/models/{file}")]);
    }
    for path in INSPECTED {
        let (_, file) = path.rsplit_once('/').unwrap();
        compare(&mut names, format!("inspect_{file}"), &["inspect", path]);
    }
    for folder in std::fs::read_dir(repository("onnx/pipelines")).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        compare(&mut names, format!("inspect_{name}"), &["inspect", &format!("onnx/pipelines/{name}")]);
    }
    all_are_compared("inspect", names);
}

#[test]
fn plan_is_as_stored() {
    let mut names = Vec::new();
    for (name, flags) in PLANNED {
        let flags: Vec<&str> = flags.split(' ').collect();
        compare(&mut names, format!("plan_{name}"), &[&["plan", "--steps", "4"], &flags[..]].concat());
    }
    // What a model is sampled with where nobody says anything.
    compare(&mut names, "plan_usual".into(), &["plan", "onnx/models/sprites.onnx"]);
    all_are_compared("plan", names);
}
