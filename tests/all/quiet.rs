//! A host's process stays its own: while a model is open, no socket is opened and nothing is written.
//!
//! The test traces itself with strace, in a second process that holds a model open. To see that the trace would show
//! it, the same is done once more with ONNX Runtime's telemetry allowed: then the very same check has to fail.
//! Telemetry writes its database as soon as ONNX Runtime is started, and opens a socket nine seconds later:
//! `cargo test` waits for the one, and `.ci/run` for the other as well.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::model;

/// How long the model is held: a second, or as many as `DIFFUSE_QUIET` says.
fn hold() -> Duration {
    Duration::from_secs(std::env::var(SECONDS).map_or(1, |seconds| seconds.parse().unwrap()))
}

const SECONDS: &str = "DIFFUSE_QUIET";
const HOLDER: &str = "DIFFUSE_TEST_HOLDS_A_MODEL";
/// What takes our opt-out away: a host that has set the variable itself, to anything, is left to its choice.
const OPT_OUT: &str = "ORT_DISABLE_TELEMETRY";

/// Not a test of its own: what the traced process does.
#[test]
fn hold_a_model_open() {
    if std::env::var_os(HOLDER).is_none() {
        return;
    }
    let model = model("onnx/fixtures/time_first.onnx");
    let request = diffuse::Request { steps: Some(5), ..diffuse::Request::default() };
    request.job(&model).unwrap().run().unwrap();
    std::thread::sleep(hold());
}

/// Starts the traced process, with a home of its own so that what it writes there is seen.
fn traced(home: &TempDir, telemetry: bool) -> std::process::Child {
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-o"])
        .arg(home.path().join("trace"))
        .args(["-e", "trace=socket,connect,bind,sendto,sendmsg,open,openat,creat,mkdir,mkdirat,unlink,unlinkat,rename,renameat,renameat2"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "quiet::hold_a_model_open", "--test-threads=1"])
        // Where ONNX Runtime believes that it runs in somebody's CI (CI=true and the like) it is silent by itself.
        .env_clear()
        .envs(["PATH", "LD_LIBRARY_PATH", "ORT_DYLIB_PATH", SECONDS].iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .env(HOLDER, "1")
        .env("HOME", home.path())
        .stdout(Stdio::null());
    if telemetry {
        command.env(OPT_OUT, "0");
    }
    command.spawn().expect("strace is needed for this test: apt-get install strace")
}

/// The calls that open a socket or change a file.
fn loud(trace: &Path) -> Vec<String> {
    let changes = |line: &str| {
        let file = ["mkdir", "unlink", "rename", "creat"]
            .iter()
            .any(|call| line.contains(&format!("{call}(")) || line.contains(&format!("{call}at(")));
        let opened =
            ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| line.contains(flag)) && !line.contains("\"/dev/null\"");
        let socket = ["socket(", "connect(", "bind(", "sendto(", "sendmsg("].iter().any(|call| line.contains(call));
        file || opened || socket
    };
    std::fs::read_to_string(trace).unwrap().lines().filter(|line| changes(line)).map(ToOwned::to_owned).collect()
}

#[test]
fn a_model_that_is_held_open_says_nothing() {
    if std::env::var_os(HOLDER).is_some() {
        return;
    }
    if Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        // CI has it; elsewhere the check is worth a word, not a failure.
        assert!(std::env::var_os("CI").is_none(), "strace is missing");
        eprintln!("NOT RUN: strace is not installed");
        return;
    }
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut quiet, mut talkative) = (traced(&ours, false), traced(&theirs, true));
    assert!(quiet.wait().unwrap().success() & talkative.wait().unwrap().success());

    let calls = loud(&ours.path().join("trace"));
    assert!(calls.is_empty(), "with a model open for {:?}:\n{}", hold(), calls.join("\n"));

    let calls = loud(&theirs.path().join("trace"));
    println!(
        "without the opt-out, {} calls such as\n{}",
        calls.len(),
        calls.iter().take(5).map(String::as_str).collect::<Vec<_>>().join("\n")
    );
    assert!(!calls.is_empty(), "the check sees nothing even where telemetry is allowed");
    let sockets = calls.iter().filter(|call| call.contains("socket(")).count();
    assert!(
        sockets > 0 || hold() < Duration::from_secs(12),
        "the check sees no socket even where telemetry is allowed"
    );
}
