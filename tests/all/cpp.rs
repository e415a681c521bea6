//! The C++ header in every dialect that it is promised for, with exceptions and without: it draws what Rust draws.
#![cfg(all(feature = "capi", target_os = "linux"))]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::bindings::{Binding, has_all};
use crate::support::{heart_and_none, libraries, repository, runtime};

fn compile(flags: &[&str], folder: &Path, name: &str) -> PathBuf {
    let program = folder.join(name);
    let mut command = Command::new("g++");
    command.args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-pthread"]).args(flags);
    command.arg(format!("-DDIFFUSE_TEST_VERSION=\"{}\"", env!("CARGO_PKG_VERSION")));
    command.arg("-I").arg(repository("include")).arg("-I").arg(repository("bindings/cpp/include"));
    command.arg(repository("tests/cpp/everything.cpp")).arg("-o").arg(&program);
    command.arg(format!("-L{}", folder.display())).arg(format!("-Wl,-rpath,{}", folder.display())).arg("-ldiffuse");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    program
}

#[test]
fn it_draws_what_rust_draws_in_every_dialect() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["libdiffuse.so", "libdiffuse.so.0"] {
        std::os::unix::fs::symlink(libraries().join("libdiffuse.so"), folder.path().join(name)).unwrap();
    }
    let expected: Vec<u8> = heart_and_none().iter().flat_map(|value| value.to_le_bytes()).collect();
    let sanitized = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    for (standard, flags) in [
        ("c++14", &sanitized[..]),
        ("c++17", &[]),
        ("c++20", &["-DDIFFUSE_NO_EXCEPTIONS"]),
        ("c++2b", &["-fno-exceptions", "-fno-rtti", sanitized[0], sanitized[1]]),
    ] {
        let program = compile(&[&[&*format!("-std={standard}")], flags].concat(), folder.path(), standard);
        let file = folder.path().join("output");
        let (model, pipeline) = (repository("onnx/models/sprites.onnx"), repository("onnx/pipelines/sd"));
        let arguments = [runtime().path(), &model, &file, &pipeline].map(Path::to_path_buf);
        let output = Command::new(program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{standard} {flags:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(std::fs::read(&file).unwrap() == expected, "{standard} {flags:?}");
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn it_has_what_the_c_header_has() {
    let header = std::fs::read_to_string(repository("bindings/cpp/include/diffuse.hpp")).unwrap();
    let functions = std::fs::read_to_string(repository("include/diffuse.symbols")).unwrap();
    has_all(Binding::Cpp, functions.lines(), |name| {
        let called = [format!("{name}("), format!("{name})"), format!("{name}>"), format!("{name},")];
        called.iter().any(|form| header.contains(form))
    });
}
