//! What the command line reads: once, from files and pipes alike, and whatever stands in it.
#![cfg(feature = "cli")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::cli::{
    diffuse, ended, fail, finished, fixture, folder, npy, program, shipped, succeed, text, write_png,
};
use crate::support::repository;

/// Runs with `bytes` in a pipe as its standard input.
fn piped(command: &mut Command, bytes: &[u8]) -> Output {
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = streams.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    // A program that reads nothing is no failure of the writer's.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
    let output = finished(child);
    writer.join().unwrap();
    output
}

fn sprites(folder: &TempDir, arguments: &str) -> Command {
    let mut command = diffuse(folder);
    command.args(["generate", &shipped("sprites"), "--class", "heart", "--steps", "4", "--seed", "3"]);
    command.args(arguments.split(' '));
    command
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn record(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A pipe gives what a file gives, and the record has the hash of what came through it.
#[cfg(unix)]
#[test]
fn a_pipe_is_as_good_as_a_file() {
    let folder = folder();
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    succeed(&mut sprites(&folder, "-o heart.png"));
    succeed(&mut sprites(&folder, "--image heart.png --invert 1 -o noise.npy"));
    write_png(&folder.path().join("mask.png"), 32, 32, |x, _| [255, 255, 255, if x < 16 { 0 } else { 255 }]);
    for (flag, file, others) in [
        ("image", "heart.png", "--strength 0.5"),
        ("image", "noise.npy", "--strength 0.5"),
        ("mask", "mask.png", "--image heart.png"),
        ("start", "noise.npy", "--eta 0 --solver ddim"),
    ] {
        succeed(&mut sprites(&folder, &format!("{others} --{flag} {file} -o file.npy")));
        let mut command = sprites(&folder, &format!("{others} --{flag} /dev/stdin -o pipe.npy --json"));
        let output = piped(&mut command, &bytes(file));
        assert_eq!(record(&output)["steering"][flag], hash(&bytes(file)), "{flag}");
        assert!(bytes("pipe.npy") == bytes("file.npy"), "--{flag} {file}");
    }
    // A condition, a configuration of a scheduler (which two commands ask for twice), and samples.
    let upsampler = shipped("sprites_upsampler");
    let sixteen = shipped("sprites_16");
    succeed(diffuse(&folder).args(["generate", &sixteen, "--class", "fish", "--steps", "4", "-o", "low.png"]));
    let mut command = diffuse(&folder);
    command.args([
        "generate",
        &upsampler,
        "--class",
        "fish",
        "--steps",
        "2",
        "--condition",
        "low_resolution=/dev/stdin",
    ]);
    let output = piped(command.args(["--json", "-o", "high.png"]), &bytes("low.png"));
    assert_eq!(record(&output)["steering"]["condition low_resolution"], hash(&bytes("low.png")));
    let config = br#"{"_class_name": "DDIMScheduler", "num_train_timesteps": 1000, "beta_schedule": "squaredcos_cap_v2", "clip_sample": false, "prediction_type": "v_prediction"}"#;
    for command in ["plan", "generate"] {
        let mut command_line = diffuse(&folder);
        command_line.args([command, "--scheduler-config", "/dev/stdin", "--steps", "2", "--json"]);
        if command == "generate" {
            command_line.args([&shipped("sprites"), "--class", "heart", "-o", "a.png"]);
        }
        let output = piped(&mut command_line, config);
        assert!(output.status.success(), "{command}: {}", text(&output.stderr));
    }
    let points = npy("'<f4'", "(1, 2)", &[0; 8]);
    let mut command = diffuse(&folder);
    let likelihood =
        command.args(["likelihood", &shipped("vp_s_curve"), "/dev/stdin", "--tolerance", "1e-2", "--json"]);
    assert_eq!(record(&piped(likelihood, &points)).as_array().unwrap().len(), 1);
    let mut command = diffuse(&folder);
    let output = piped(command.args(["inspect", "/dev/stdin", "--json"]), &bytes("heart.png"));
    assert_eq!(record(&output)["seed"], 3);
}

/// Models too, if their manifest and their weights are inside.
#[cfg(unix)]
#[test]
fn a_model_comes_through_a_pipe() {
    let folder = folder();
    let model = std::fs::read(shipped("sprites")).unwrap();
    let by_path = succeed(diffuse(&folder).args(["inspect", &shipped("sprites"), "--json"]));
    let by_path = record(&by_path)["sha256"].clone();
    let output = piped(diffuse(&folder).args(["inspect", "/dev/stdin", "--json"]), &model);
    assert_eq!(record(&output)["sha256"], by_path);
    let draw = ["--class", "heart", "--steps", "4", "--seed", "3", "--json", "-o", "pipe.npy"];
    let output = piped(diffuse(&folder).args(["generate", "/dev/stdin"]).args(draw), &model);
    assert_eq!(record(&output)["model_sha256"], by_path);
    succeed(&mut sprites(&folder, "-o file.npy"));
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert!(bytes("pipe.npy") == bytes("file.npy"));
    let classifier = std::fs::read(shipped("sprite_classifier")).unwrap();
    let mut command = sprites(&folder, "--classifier /dev/stdin --toward ghost -o led.npy --json");
    let by_path = succeed(diffuse(&folder).args(["inspect", &shipped("sprite_classifier"), "--json"]));
    assert_eq!(record(&piped(&mut command, &classifier))["steering"]["classifier"], record(&by_path)["sha256"]);
    let output = piped(diffuse(&folder).args(["plan", "/dev/stdin", "--steps", "4", "--json"]), &model);
    assert_eq!(record(&output).as_array().unwrap().len(), 4);
    // What is no model is named by what was asked for.
    let output = piped(diffuse(&folder).args(["generate", "/dev/stdin"]), b"no model");
    assert!(text(&output.stderr).contains("/dev/stdin"), "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(3));
}

/// Images of `anomaly` as FIFOs, one after the other.
#[cfg(unix)]
#[test]
fn images_are_read_from_fifos() {
    let folder = folder();
    let picture = std::fs::read(repository("onnx/models/spotted_heart.png")).unwrap();
    let at = |name: &str| folder.path().join(name);
    let made = Command::new("mkfifo").current_dir(&folder).args(["a", "b"]).status().unwrap();
    assert!(made.success());
    let command = ["anomaly", &shipped("sprite_defects"), "a", "b", "--classifier"];
    let mut child = diffuse(&folder);
    child
        .args(command)
        .arg(shipped("sprite_defects_classifier"))
        .args(["--toward", "normal", "--steps", "4", "--json"]);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let writers = ["a", "b"].map(|name| {
        let (path, picture) = (at(name), picture.clone());
        std::thread::spawn(move || drop(std::fs::write(path, picture)))
    });
    let output = finished(child);
    let found = record(&output);
    assert_eq!(found.as_array().unwrap().len(), 2);
    assert_eq!(found[0]["greatest"], found[1]["greatest"]);
    writers.into_iter().for_each(|writer| writer.join().unwrap());
}

/// Nobody writes to the FIFO; who ends the run is heard.
#[cfg(unix)]
#[test]
fn a_run_that_waits_for_a_fifo_can_be_ended() {
    let folder = folder();
    assert!(Command::new("mkfifo").current_dir(&folder).arg("never").status().unwrap().success());
    for arguments in ["--image never", "--start never", "--scheduler-config never"] {
        let mut command = sprites(&folder, arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Long enough for it to be there; if it is not, it ends all the same.
        std::thread::sleep(std::time::Duration::from_millis(500));
        // SAFETY: the process is a child that has not been waited for, so its number is its own.
        assert_eq!(unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGTERM) }, 0);
        assert!(!finished(child).status.success(), "{arguments}");
    }
}

/// Brackets without end hang no reader and overflow no stack.
#[test]
fn deep_headers_are_refused() {
    let folder = folder();
    let model = shipped("vp_s_curve");
    for (name, open, close, depth) in [("list", "[", "]", 50), ("tuple", "(", ")", 30_000), ("dict", "{1:", "}", 9_000)]
    {
        for key in ["shape", "descr", "fortran_order", "other"] {
            let header = format!("{{'{key}': {}{}, }}\n", open.repeat(depth), close.repeat(depth));
            let length = (header.len() as u32).to_le_bytes();
            let bytes = [b"\x93NUMPY\x02\x00", &length[..], header.as_bytes()].concat();
            let file = format!("{name}.npy");
            std::fs::write(folder.path().join(&file), bytes).unwrap();
            fail(&folder, diffuse(&folder).args(["likelihood", &model, &file]), 2, &file);
            fail(&folder, &mut sprites(&folder, &format!("--start {file}")), 2, &format!("--start: {file}: "));
        }
    }
    // Nested where a value stands that is right in itself.
    let nested = format!("'descr': '<f4', 'fortran_order': False, 'shape': ({}1,), ", "(1, ".repeat(16_000));
    let bytes = [b"\x93NUMPY\x02\x00", &((nested.len() + 3) as u32).to_le_bytes()[..], b"{", nested.as_bytes(), b"}\n"];
    std::fs::write(folder.path().join("nested.npy"), bytes.concat()).unwrap();
    fail(&folder, diffuse(&folder).args(["likelihood", &model, "nested.npy"]), 2, "nested.npy");
}

/// The checksum of a chunk of a PNG.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

/// A file that claims more than it has asks for no memory: under a limit that its claim exceeds, the answer is an error
/// in words.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_lies_of_its_length_asks_for_no_memory() {
    let folder = folder();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("header.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{");
    write("shape.npy", &npy("'<f4'", "(1073741824,)", &[0; 64]));
    write("overflow.npy", &npy("'<f8'", "(4294967296, 4294967296)", &[0; 64]));
    // 8192 by 8192 pixels, of which one is there.
    write_png(&folder.path().join("picture.png"), 1, 1, |_, _| [0; 4]);
    let mut picture = std::fs::read(folder.path().join("picture.png")).unwrap();
    picture[16..24].copy_from_slice(&[0, 0, 0x20, 0, 0, 0, 0x20, 0]);
    let checksum = crc32(&picture[12..29]);
    picture[29..33].copy_from_slice(&checksum.to_be_bytes());
    write("picture.png", &picture);
    for (file, said) in [
        ("header.npy", "a header of 4294967295 bytes"),
        ("shape.npy", "takes 4294967296 bytes of values; found 64"),
        ("overflow.npy", "more than any memory holds"),
        ("picture.png", "8192 by 8192 pixels, which"),
    ] {
        let call = format!(
            "ulimit -v 1500000; exec '{}' generate '{}' --threads 1 --class heart --image {file} -o a.png",
            program(),
            shipped("sprites")
        );
        let mut command = Command::new("bash");
        command.args(["-c", &call]).current_dir(&folder);
        fail(&folder, &mut command, 2, said);
    }
}

/// Whatever type numpy saved, the numbers are the same.
#[test]
fn every_type_of_number_is_read() {
    let folder = folder();
    let values: Vec<i8> = (0..4096).map(|i| (i % 3 - 1) as i8).collect();
    let bytes = |of: &dyn Fn(i8) -> Vec<u8>| values.iter().flat_map(|&value| of(value)).collect::<Vec<u8>>();
    let draw = |name: &str, file: Vec<u8>| {
        std::fs::write(folder.path().join("start.npy"), file).unwrap();
        succeed(&mut sprites(&folder, &format!("--start start.npy -o {name}.npy")));
        std::fs::read(folder.path().join(format!("{name}.npy"))).unwrap()
    };
    let shape = "(1, 4, 32, 32)";
    let expected = draw("f4", npy("'<f4'", shape, &bytes(&|value| f32::from(value).to_le_bytes().to_vec())));
    let half = |value: i8| [0xbc00u16, 0, 0x3c00][(value + 1) as usize];
    for (descr, data) in [
        (">f4", bytes(&|value| f32::from(value).to_be_bytes().to_vec())),
        ("<f8", bytes(&|value| f64::from(value).to_le_bytes().to_vec())),
        ("<f2", bytes(&|value| half(value).to_le_bytes().to_vec())),
        (">f2", bytes(&|value| half(value).to_be_bytes().to_vec())),
        ("|i1", bytes(&|value| value.to_le_bytes().to_vec())),
        ("<i2", bytes(&|value| i16::from(value).to_le_bytes().to_vec())),
        (">i4", bytes(&|value| i32::from(value).to_be_bytes().to_vec())),
        ("<i8", bytes(&|value| i64::from(value).to_le_bytes().to_vec())),
    ] {
        assert!(draw("other", npy(&format!("'{descr}'"), shape, &data)) == expected, "{descr}");
    }
    // Unsigned numbers and truths have no −1.
    let ones = draw("ones", npy("'<f4'", shape, &bytes(&|value| f32::from(value.max(0)).to_le_bytes().to_vec())));
    for (descr, size) in [("|b1", 1), ("|u1", 1), ("<u2", 2), ("<u4", 4), ("<u8", 8)] {
        let data = bytes(&|value| [vec![value.max(0) as u8], vec![0; size - 1]].concat());
        assert!(draw("other", npy(&format!("'{descr}'"), shape, &data)) == ones, "{descr}");
    }
    for (descr, data, said) in [
        ("'<c8'", vec![0; 8], "complex numbers (\"<c8\")"),
        ("'|O'", vec![0; 8], "Python's objects"),
        ("'<U2'", vec![0; 8], "strings"),
        ("[('x', '<f4'), ('y', '<i4')]", vec![0; 8], "structured"),
        ("'<f8'", 1e300f64.to_le_bytes().to_vec(), "value 0 is 1e300, which is beyond f32"),
        ("'<i8'", 16_777_217i64.to_le_bytes().to_vec(), "value 0 is 16777217, which f32 does not have"),
    ] {
        std::fs::write(folder.path().join("wrong.npy"), npy(descr, "(1,)", &data)).unwrap();
        fail(&folder, &mut sprites(&folder, "--start wrong.npy"), 2, said);
        fail(&folder, &mut sprites(&folder, "--image wrong.npy"), 2, "--image: wrong.npy: expected a .png, or a .npy");
        fail(&folder, diffuse(&folder).args(["likelihood", &shipped("vp_s_curve"), "wrong.npy"]), 2, said);
    }
}

/// What is hidden under transparent pixels is not shown to a network that knows no alpha.
#[test]
fn a_transparent_picture_lies_over_white() {
    let folder = folder();
    let png = |name: &str, outside: [u8; 4]| {
        write_png(&folder.path().join(name), 8, 8, |x, y| if x > 2 && y > 2 { [200, 10, 10, 255] } else { outside });
    };
    png("hidden.png", [1, 2, 3, 0]);
    png("white.png", [255, 255, 255, 255]);
    png("half.png", [55, 155, 255, 51]);
    png("blended.png", [215, 235, 255, 255]);
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let draw = |name: &str| {
        let mut command = diffuse(&folder);
        command.args(["generate", &fixture("time_first"), "--steps", "4", "--seed", "3", "--strength", "0.5"]);
        command.args(["--image", &format!("{name}.png"), "-o", &format!("{name}.npy")]);
        command
    };
    for (clear, opaque) in [("hidden", "white"), ("half", "blended")] {
        succeed(&mut draw(opaque));
        let output = ended(&mut draw(clear));
        let said = text(&output.stderr);
        assert_eq!(said.matches("over white").count(), 1, "{said}");
        assert!(said.contains(&format!("{clear}.png: it is transparent in places")), "{said}");
        assert!(bytes(&format!("{clear}.npy")) == bytes(&format!("{opaque}.npy")), "{clear}.png");
    }
    assert!(bytes("hidden.npy") != bytes("half.npy"));
    // A model with alpha gets it as it is, and a mask is something else.
    write_png(&folder.path().join("clear.png"), 32, 32, |x, _| [255, 0, 0, if x < 9 { 0 } else { 255 }]);
    succeed(&mut sprites(&folder, "--image clear.png --mask clear.png -o a.png"));
    // Once, however many they are.
    let mut command = diffuse(&folder);
    command.args(["anomaly", &fixture("time_first"), "hidden.png", "half.png", "--steps", "2"]);
    let output = ended(&mut command);
    assert_eq!(text(&output.stderr).matches("over white").count(), 1, "{}", text(&output.stderr));
}
