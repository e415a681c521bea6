//! Shared by the tests of the command line: they run it in a folder of its own, and check its failures.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

use super::repository;

/// The program: the one that was built, or what DIFFUSE_CLI names, to see a test fail on another.
pub(crate) fn program() -> String {
    std::env::var("DIFFUSE_CLI").unwrap_or_else(|_| env!("CARGO_BIN_EXE_diffuse-cli").to_owned())
}

pub(crate) fn diffuse(folder: &TempDir) -> Command {
    let mut command = Command::new(program());
    command.current_dir(folder).stdin(Stdio::null());
    command
}

pub(crate) fn fixture(name: &str) -> String {
    repository(&format!("onnx/fixtures/{name}.onnx")).display().to_string()
}

pub(crate) fn shipped(name: &str) -> String {
    repository(&format!("onnx/models/{name}.onnx")).display().to_string()
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits for the end of a run. One that hangs is ended, and the test with it.
pub(crate) fn finished(child: Child) -> Output {
    let id = child.id();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(Duration::from_secs(60)) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
            panic!("it hangs");
        }
    }
}

/// Runs to an end, which must come.
pub(crate) fn ended(command: &mut Command) -> Output {
    finished(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Runs to success, with nothing on standard error but the line with the seed.
pub(crate) fn succeed(command: &mut Command) -> Output {
    let output = ended(command);
    assert!(output.status.success(), "{command:?}\n{}", text(&output.stderr));
    assert!(text(&output.stderr).lines().count() <= 1, "{}", text(&output.stderr));
    output
}

/// Fails with `code` and a message that contains `said`, and leaves nothing new in the folder. Returns the message.
pub(crate) fn fail(folder: &TempDir, command: &mut Command, code: i32, said: &str) -> String {
    let before = files(folder);
    let output = ended(command);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{command:?}\n{stderr}");
    assert!(stderr.contains(said), "{command:?}: {said:?} is not in\n{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(files(folder) == before, "{command:?} left something behind: {:?}", names(folder));
    stderr
}

/// Names and contents.
pub(crate) fn files(folder: &TempDir) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (text(entry.file_name().as_encoded_bytes()), std::fs::read(entry.path()).unwrap_or_default()))
        .collect();
    files.sort();
    files
}

/// Names alone.
pub(crate) fn names(folder: &TempDir) -> Vec<String> {
    files(folder).into_iter().map(|(name, _)| name).collect()
}

/// A .npy of version 1.0, unpadded.
pub(crate) fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// Writes a .png of one colour for each pixel: RGBA.
pub(crate) fn write_png(path: &Path, width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 4]) {
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), width, height);
    encoder.set_color(png::ColorType::Rgba);
    let pixels: Vec<u8> = (0..width * height).flat_map(|i| pixel(i % width, i / width)).collect();
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
}
