//! The end of a process, and forks of it, at any moment of what the library does: no crash, no hang, no false word.
//!
//! Each scenario runs a few times here, and `DIFFUSE_ENDINGS=40` times where that is set (`.ci/run` does).
#![cfg(all(feature = "capi", feature = "cli", target_os = "linux"))]

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::graph::{MANIFEST, endless};
use crate::support::{endings, libraries, repository, runtime};

/// A network that never ends, in `folder`.
fn endless_in(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("endless.onnx");
    std::fs::write(&path, endless(MANIFEST)).unwrap();
    path
}

/// tests/c/endings.c, linked with the library of this build.
fn program(folder: &TempDir) -> PathBuf {
    let program = folder.path().join("endings");
    std::os::unix::fs::symlink(libraries().join("libdiffuse.so"), folder.path().join("libdiffuse.so.0")).unwrap();
    let output = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-g", "-pthread", "-I"])
        .arg(repository("include"))
        .arg("-o")
        .args([&program, &repository("tests/c/endings.c"), &libraries().join("libdiffuse.so")])
        .arg(format!("-Wl,-rpath,{}", folder.path().display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// Waits for it, and ends it where it hangs.
fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > Duration::from_secs(120) {
            let _ = child.kill();
            panic!("it hangs");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Runs a scenario again and again, with another delay of up to `longest` each time.
fn run(scenario: &str, longest: Duration) {
    run_but(scenario, longest, 0);
}

/// The same, where so many may fail.
fn run_but(scenario: &str, longest: Duration, most: u32) {
    let mut failed = Vec::new();
    let folder = tempfile::tempdir().unwrap();
    let program = program(&folder);
    let times = endings(8);
    for i in 0..times {
        let delay = longest.as_micros() * u128::from(i) / u128::from(times);
        let mut child = Command::new(&program)
            .args([runtime().path(), &repository("onnx/models/sprites.onnx"), &endless_in(&folder)])
            .args([scenario, &delay.to_string()])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let status = wait(&mut child);
        let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
        if !status.success() || !said.is_empty() {
            failed.push(format!("{scenario} after {delay} µs: {status}, {said}"));
        }
        assert!(failed.len() <= most as usize, "{}", failed.join("\n"));
    }
}

#[test]
fn while_a_worker_opens_a_model() {
    run("loading", Duration::from_millis(120));
}

/// The main thread, which ends the process, has never called the library. Nothing tells of its end in time then, and
/// what stands in for that is a race: 3 of 1,000 runs died. So one may fail here, and one more for every fifty runs; a
/// few runs tell little, 200 tell this from the 5 of 120 that died before.
#[test]
fn while_another_thread_opens_all() {
    run_but("elsewhere", Duration::from_millis(200), 1 + endings(8) / 50);
}

#[test]
fn while_a_worker_samples() {
    run("sampling", Duration::from_millis(100));
}

#[test]
fn while_a_network_never_ends() {
    run("endless", Duration::from_millis(100));
}

#[test]
fn while_threads_of_the_host_are_in_a_call() {
    run("host_opens", Duration::from_millis(150));
    run("host_samples", Duration::from_millis(100));
}

#[test]
fn within_a_callback() {
    run("exit_in_callback", Duration::from_secs(10));
}

#[test]
fn under_a_callback_that_never_returns() {
    run("stuck_callback", Duration::from_millis(100));
}

#[test]
fn a_child_ends_and_frees_what_it_has_inherited() {
    run("fork_ends", Duration::from_millis(100));
    run("fork_frees", Duration::from_millis(100));
}

#[test]
fn a_child_is_told_whose_the_handles_are() {
    run("fork_calls", Duration::from_millis(100));
}

#[test]
fn a_child_opens_its_own() {
    run("fork_opens", Duration::from_millis(100));
    // Another thread is in the middle of an opening: ONNX Runtime holds locks then, for which the fork waits.
    run("fork_opens_while_opening", Duration::from_millis(100));
    // Another thread opens the one that is open, again and again.
    run("fork_opens_beside", Duration::from_millis(20));
}

/// Interrupts a command after `delay`, once and at once again, and returns its exit status and what it said.
fn interrupted(folder: &TempDir, arguments: &[&str], delay: Duration, signals: u32) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_diffuse-cli"));
    // A shell lets what it runs in the background ignore the signal, and the tests hand that on.
    let heard = || {
        // SAFETY: the call is one that may be made between fork and exec, and the disposition one that every process
        // may have.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
        Ok(())
    };
    // SAFETY: as above.
    unsafe { command.pre_exec(heard) };
    let mut child = command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(delay);
    for _ in 0..signals {
        // SAFETY: the process is a child that has not been waited for, so its number is its own.
        unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) };
    }
    let status = wait(&mut child);
    let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    (status.code(), said)
}

#[test]
fn the_command_line_leaves_at_once_with_one_line() {
    let model = repository("onnx/models/sprites.onnx").display().to_string();
    let arguments = ["generate", &model, "--steps", "1000", "-n", "40", "--seed", "1"];
    let times = endings(8);
    let mut heard = 0;
    for i in 0..times {
        let folder = tempfile::tempdir().unwrap();
        let delay = Duration::from_micros(u64::from(600_000 * i / times));
        let (code, said) = interrupted(&folder, &arguments, delay, 1 + i % 2);
        // Before the handler is there the system's own ends it.
        let early = code.is_none() && said.is_empty();
        let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("sprites: seed 1")).collect();
        let told = code == Some(130) && lines == ["diffuse-cli: interrupted; nothing was written"];
        assert!(early || told, "after {delay:?}: {code:?}, {said:?}");
        heard += u32::from(told);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    }
    assert!(heard > 0, "none of {times} was heard");
}

/// What is printed goes to somebody who has paused, and so would the last line.
#[test]
fn whoever_reads_what_it_says() {
    let (_reader, writer) = std::io::pipe().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_diffuse-cli"))
        .args(["plan", "--solver", "ddpm", "--steps", "1000"])
        .stdout(writer.try_clone().unwrap())
        .stderr(writer)
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    assert!(child.try_wait().unwrap().is_none(), "the pipe took all of it");
    // SAFETY: the process is a child that has not been waited for, so its number is its own.
    unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGTERM) };
    assert_eq!(wait(&mut child).code(), Some(130));
}

#[test]
fn whatever_it_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    let models = tempfile::tempdir().unwrap();
    let endless = endless_in(&models).display().to_string();
    let model = repository("onnx/models/sprites.onnx").display().to_string();
    let pipe = folder.path().join("pipe.png").display().to_string();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for arguments in [
        // A network that never ends, also where it is only measured.
        &["generate", &endless, "--steps", "2"][..],
        &["generate", &endless, "--steps", "2", "--cost"],
        // A pipe without a writer, and one without a reader.
        &["generate", &model, "--image", &pipe, "--strength", "0.5"],
        &["generate", &model, "--steps", "1", "-o", &pipe],
    ] {
        let (code, said) = interrupted(&folder, arguments, Duration::from_millis(1500), 1);
        assert_eq!(code, Some(130), "{arguments:?}: {said}");
        assert!(said.contains("diffuse-cli: interrupted"), "{arguments:?}: {said}");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "{arguments:?}");
        assert!(Path::new(&pipe).exists());
    }
}
