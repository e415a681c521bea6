//! Programs that were compiled against the first version of the header and never since: they run with the library as it
//! is now.
#![cfg(all(feature = "capi", target_os = "linux", target_arch = "x86_64"))]

use std::path::Path;
use std::process::Command;

use crate::support::{heart_and_none, libraries, repository, runtime};

/// Runs a stored program, which must find the library by its soname alone.
fn run(name: &str, more: &[&Path]) {
    let folder = tempfile::tempdir().unwrap();
    let library = libraries().join("libdiffuse.so");
    std::os::unix::fs::symlink(library, folder.path().join("libdiffuse.so.0")).unwrap();
    // Not every checkout keeps the permission to run it. Another process copies: a file that was open for writing here
    // is still open in whatever another test starts at that moment, and would be too busy to run.
    let program = folder.path().join(name);
    let mut copy = Command::new("install");
    copy.args(["-m", "755"]).arg(repository("tests/abi/0.1").join(name)).arg(&program);
    assert!(copy.status().unwrap().success());
    let mut command = Command::new(program);
    command.arg(runtime().path()).arg(repository("onnx/models/sprites.onnx")).args(more);
    let output = command.env("LD_LIBRARY_PATH", folder.path()).output().unwrap();
    assert!(output.status.success(), "{name}: {} {}", output.status, String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_first_hosts_run_with_the_library_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("output");
    run("draw", &[&file]);
    let expected: Vec<u8> = heart_and_none().iter().flat_map(|value| value.to_le_bytes()).collect();
    assert!(std::fs::read(file).unwrap().starts_with(&expected));
    run("worker", &[]);
    run("host_network", &[]);
}
