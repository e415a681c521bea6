//! Programs that were compiled against a version of the header that is stored, and never since: they run with the
//! library as it is now.
#![cfg(all(feature = "capi", target_os = "linux", target_arch = "x86_64"))]

use std::path::Path;
use std::process::Command;

use crate::support::{heart_and_none, libraries, repository, runtime, versions};

/// Runs a stored program, which must find the library by its soname alone.
fn run(version: &Path, name: &str, more: &[&Path]) {
    let folder = tempfile::tempdir().unwrap();
    let library = libraries().join("libdiffuse.so");
    std::os::unix::fs::symlink(library, folder.path().join("libdiffuse.so.0")).unwrap();
    // Not every checkout keeps the permission to run it. Another process copies: a file that was open for writing here
    // is still open in whatever another test starts at that moment, and would be too busy to run.
    let program = folder.path().join(name);
    let mut copy = Command::new("install");
    copy.args(["-m", "755"]).arg(version.join(name)).arg(&program);
    assert!(copy.status().unwrap().success());
    let mut command = Command::new(program);
    command.arg(runtime().path()).arg(repository("onnx/models/sprites.onnx")).args(more);
    let output = command.env("LD_LIBRARY_PATH", folder.path()).output().unwrap();
    assert!(output.status.success(), "{name}: {} {}", output.status, String::from_utf8_lossy(&output.stderr));
}

#[test]
fn stored_hosts_run_with_the_library_as_it_is() {
    let expected: Vec<u8> = heart_and_none().iter().flat_map(|value| value.to_le_bytes()).collect();
    for version in versions() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("output");
        run(&version, "draw", &[&file]);
        assert!(std::fs::read(file).unwrap().starts_with(&expected));
        run(&version, "worker", &[]);
        run(&version, "host_network", &[]);
    }
}
