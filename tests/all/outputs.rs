//! What the command line writes: over nothing that it reads, under names that are free, with the permissions that were
//! there, and elsewhere rather than not at all.
#![cfg(all(feature = "cli", unix))]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::cli::{diffuse, ended, fail, fixture, folder, names, program, shipped, succeed, text, write_png};

/// The sprites, copied into the folder under this name.
fn copied(folder: &TempDir, model: &str, name: &str) {
    fs::copy(shipped(model), folder.path().join(name)).unwrap();
}

fn generate(folder: &TempDir, arguments: &str) -> Command {
    let mut command = diffuse(folder);
    command.args(["generate", "sprites.onnx", "--steps", "2", "--seed", "7"]).args(arguments.split(' '));
    command
}

/// The mode's permission bits.
fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// By its own name, through a link and by a second name of the same file: nothing that a run reads is written over, and
/// the error comes before anything is drawn.
#[test]
fn what_is_read_is_never_written_over() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    copied(&folder, "sprites", "sprites.onnx");
    copied(&folder, "sprite_classifier", "classifier.onnx");
    succeed(&mut generate(&folder, "--class heart -o a.png"));
    succeed(&mut generate(&folder, "--class heart --image a.png --invert 1 -o n.npy"));
    write_png(&at("mask.png"), 32, 32, |_, _| [255; 4]);
    fs::write(at("sprites.diffuse.json"), inside(&at("sprites.onnx"))).unwrap();
    fs::write(at("classifier.diffuse.json"), inside(&at("classifier.onnx"))).unwrap();
    let config = r#"{"_class_name": "DDIMScheduler", "num_train_timesteps": 1000, "clip_sample": false}"#;
    fs::write(at("config.json"), config).unwrap();
    let runtime =
        std::env::var_os("ORT_DYLIB_PATH").map_or_else(|| crate::support::repository("onnx/runtime"), Into::into);
    let library = fs::read_dir(runtime).unwrap().map(|entry| entry.unwrap().path());
    let library = library.into_iter().find(|path| path.to_string_lossy().contains("libonnxruntime.so")).unwrap();
    fs::copy(library, at("runtime.so")).unwrap();
    let steered = "--class none --classifier classifier.onnx --toward ghost";
    let mut cases = vec![
        ("a.png".to_owned(), "--class heart --image a.png --strength 0.5".to_owned(), "the image"),
        ("n.npy".into(), "--class heart --start n.npy".into(), "the start"),
        ("mask.png".into(), "--class heart --image a.png --mask mask.png".into(), "the mask"),
    ];
    // The others have endings that no output has: by links.
    for (file, arguments, what) in [
        ("sprites.onnx", "--class heart", "the model"),
        ("sprites.diffuse.json", "--class heart", "the model's manifest"),
        ("classifier.onnx", steered, "the classifier"),
        ("classifier.diffuse.json", steered, "the classifier's manifest"),
        ("config.json", "--class heart --scheduler-config config.json", "the scheduler's configuration"),
        ("runtime.so", "--class heart --onnxruntime runtime.so", "ONNX Runtime's library"),
        ("a.png", "--class heart --image a.png --strength 0.5", "the image"),
    ] {
        let stem = file.replace('.', "_");
        symlink(file, at(&format!("{stem}_link.png"))).unwrap();
        symlink(format!("{stem}_link.png"), at(&format!("{stem}_linked.png"))).unwrap();
        fs::hard_link(at(file), at(&format!("{stem}_hard.png"))).unwrap();
        for kind in ["link", "linked", "hard"] {
            cases.push((format!("{stem}_{kind}.png"), arguments.into(), what));
        }
    }
    for (output, arguments, what) in cases {
        let said = format!("-o {output}: this is {what} of this run");
        let mut command = generate(&folder, &format!("{arguments} -o other.npy -o {output}"));
        let said = fail(&folder, &mut command, 2, &said);
        assert!(!said.contains("seed 7"), "{output}: it was drawn all the same");
    }
    // Standard output may be an input as well, or another output.
    let twice = format!("exec '{}' generate sprites.onnx --class heart --steps 2 -o a.png -o - 1<>a.png", program());
    fail(&folder, Command::new("bash").args(["-c", &twice]).current_dir(&folder), 2, "twice");
    let call =
        format!("exec '{}' generate sprites.onnx --class heart --steps 2 --image a.png -o - 1<>a.png", program());
    fail(
        &folder,
        Command::new("bash").args(["-c", &call]).current_dir(&folder),
        2,
        "-o -: this is the image of this run",
    );
}

/// The manifest in a model's metadata, from its JSON on.
fn inside(model: &Path) -> String {
    let bytes = fs::read(model).unwrap();
    let start = bytes.windows(10).rposition(|window| window == b"{\"diffuse\"").unwrap();
    let mut values = serde_json::Deserializer::from_slice(&bytes[start..]).into_iter::<serde_json::Value>();
    values.next().unwrap().unwrap().to_string()
}

#[test]
fn other_commands_write_over_nothing_that_they_read_either() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    copied(&folder, "sprite_defects", "model.onnx");
    copied(&folder, "sprite_defects_classifier", "classifier.onnx");
    write_png(&at("a.png"), 32, 32, |_, _| [9, 9, 9, 255]);
    for (file, link) in [("model.onnx", "model.png"), ("classifier.onnx", "classifier.png"), ("a.png", "image.png")] {
        symlink(file, at(link)).unwrap();
        let mut command = diffuse(&folder);
        command.args(["anomaly", "model.onnx", "a.png", "--classifier", "classifier.onnx", "--toward", "normal"]);
        fail(&folder, command.args(["--steps", "2", "-o", link]), 2, &format!("-o {link}: this is "));
    }
    symlink("model.onnx", at("plan.svg")).unwrap();
    fail(&folder, diffuse(&folder).args(["plot", "model.onnx", "-o", "plan.svg"]), 2, "-o plan.svg: this is the model");
}

/// A name of our own choice replaces nothing; what comes of it is printed.
#[test]
fn a_usual_name_that_is_taken_is_counted_up() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    copied(&folder, "sprites", "sprites.onnx");
    copied(&folder, "swiss_roll", "points.onnx");
    for (class, name) in [("heart", "sprites-7.png"), ("star", "sprites-7-2.png"), ("key", "sprites-7-3.png")] {
        let kept: Vec<_> = crate::support::cli::files(&folder);
        let output = succeed(&mut generate(&folder, &format!("--class {class}")));
        assert_eq!(text(&output.stdout), format!("{name}\n"));
        let now = crate::support::cli::files(&folder);
        assert!(kept.iter().all(|file| now.contains(file)) && now.len() == kept.len() + 1, "{:?}", names(&folder));
    }
    let output = succeed(&mut generate(&folder, "--class key --json"));
    let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record["files"], serde_json::json!(["sprites-7-4.png"]));
    // Where one of two is taken, by a link that leads nowhere, both are counted up.
    symlink("nowhere", at("swiss_roll-7.png")).unwrap();
    let output = succeed(diffuse(&folder).args(["generate", "points.onnx", "-n", "9", "--steps", "2", "--seed", "7"]));
    assert_eq!(text(&output.stdout), "swiss_roll-7-2.csv\nswiss_roll-7-2.png\n");
    assert!(!at("swiss_roll-7.csv").exists() && !at("nowhere").exists());
    // Of the other commands as well.
    fs::write(at("plan.svg"), "a drawing").unwrap();
    let output = succeed(diffuse(&folder).args(["plot", "--steps", "4"]));
    assert_eq!(text(&output.stdout), "plan-2.svg\n");
    copied(&folder, "sprite_defects", "defects.onnx");
    copied(&folder, "sprite_defects_classifier", "classifier.onnx");
    fs::write(at("anomaly.png"), "an older one").unwrap();
    let mut command = diffuse(&folder);
    command.args(["anomaly", "defects.onnx", "sprites-7.png", "--classifier", "classifier.onnx"]);
    let output = ended(command.args(["--toward", "normal", "--steps", "2"]));
    assert_eq!(text(&output.stdout), "anomaly-2.png\n", "{}", text(&output.stderr));
    assert_eq!(fs::read(at("anomaly.png")).unwrap(), b"an older one");
    assert_eq!(fs::read(at("plan.svg")).unwrap(), b"a drawing");
}

#[test]
fn a_name_that_is_too_long_is_cut() {
    let folder = folder();
    for stem in ["m".repeat(250), "ü".repeat(122)] {
        let model = format!("{stem}.onnx");
        // Its manifest has no name.
        fs::copy(crate::support::repository("tests/hostile/comma.onnx"), folder.path().join(&model)).unwrap();
        for tail in ["-7.png", "-7-2.png"] {
            let mut command = diffuse(&folder);
            let output = ended(command.args(["generate", &model, "--class", "0", "--steps", "1", "--seed", "7"]));
            assert!(output.status.success(), "{}", text(&output.stderr));
            let name = text(&output.stdout);
            assert!(name.ends_with(&format!("{tail}\n")) && name.len() > 230, "{name}");
            assert!(folder.path().join(name.trim_end()).exists());
        }
    }
}

#[test]
fn a_file_that_is_replaced_keeps_its_permissions() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    copied(&folder, "sprites", "sprites.onnx");
    for permissions in [0o600, 0o640, 0o666, 0o755] {
        fs::write(at("a.png"), "an older one").unwrap();
        fs::set_permissions(at("a.png"), fs::Permissions::from_mode(permissions)).unwrap();
        let owner = |path: &Path| fs::metadata(path).map(|file| (file.uid(), file.gid())).unwrap();
        // Somebody else's, where we are root.
        let _ = std::os::unix::fs::chown(at("a.png"), Some(1234), Some(1234));
        fs::set_permissions(at("a.png"), fs::Permissions::from_mode(permissions)).unwrap();
        let before = owner(&at("a.png"));
        succeed(&mut generate(&folder, "--class heart -o a.png"));
        assert!(fs::read(at("a.png")).unwrap().starts_with(b"\x89PNG"));
        assert_eq!((mode(&at("a.png")), owner(&at("a.png"))), (permissions, before), "{permissions:o}");
    }
    // Nobody is meant to write to it, not even root.
    fs::write(at("kept.png"), "an older one").unwrap();
    fs::set_permissions(at("kept.png"), fs::Permissions::from_mode(0o444)).unwrap();
    let mut command = generate(&folder, "--class heart -o kept.png");
    let said = fail(&folder, &mut command, 6, "kept.png: the file is read-only");
    assert!(!said.contains("seed 7"), "it was drawn all the same");
}

#[test]
fn links_are_followed_to_what_is_not_there_yet() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    copied(&folder, "sprites", "sprites.onnx");
    fs::create_dir(at("sub")).unwrap();
    symlink("sub/second.png", at("first.png")).unwrap();
    symlink("drawn.png", at("sub/second.png")).unwrap();
    for _ in 0..2 {
        succeed(&mut generate(&folder, "--class heart -o first.png"));
        assert!(fs::read(at("sub/drawn.png")).unwrap().starts_with(b"\x89PNG"));
        assert!([at("first.png"), at("sub/second.png")].iter().all(|path| path.is_symlink()));
    }
    symlink("no/such/folder.png", at("lost.png")).unwrap();
    fail(&folder, &mut generate(&folder, "--class heart -o lost.png"), 6, "no/such");
    fail(&folder, &mut generate(&folder, "--class heart -o folder.png/"), 6, "folder.png/: is a directory");
    symlink("round.png", at("round.png")).unwrap();
    fail(&folder, &mut generate(&folder, "--class heart -o round.png"), 6, "round.png");
    // Two names of one file that is not there yet.
    symlink("new.png", at("also.png")).unwrap();
    fail(&folder, &mut generate(&folder, "--class heart -o also.png -o new.png"), 2, "twice");
}

/// A folder that takes no files is found before the drawing; /proc is one even for root.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_files_is_found_before_the_drawing() {
    let folder = folder();
    copied(&folder, "sprites", "sprites.onnx");
    let mut command = generate(&folder, "--class heart -o /proc/a.png");
    let said = fail(&folder, &mut command, 6, "/proc: no file can be made there");
    assert!(!said.contains("seed 7"), "it was drawn all the same");
}

/// The name of a mount point cannot be given to another file: it is written in place.
#[cfg(target_os = "linux")]
#[test]
fn a_mount_point_is_written_in_place() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    copied(&folder, "sprites", "sprites.onnx");
    fs::write(at("mounted.npy"), vec![7; 100_000]).unwrap();
    fs::write(at("a.npy"), "").unwrap();
    let mount = |arguments: &[&str]| {
        let done = Command::new(arguments[0]).args(&arguments[1..]).current_dir(&folder).stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success())
    };
    if !mount(&["mount", "--bind", "mounted.npy", "a.npy"]) {
        println!("no file can be mounted here: not run");
        return;
    }
    let output = ended(&mut generate(&folder, "--class heart -o a.npy"));
    assert!(mount(&["umount", "a.npy"]));
    assert!(output.status.success(), "{}", text(&output.stderr));
    succeed(&mut generate(&folder, "--class heart -o b.npy"));
    assert!(fs::read(at("mounted.npy")).unwrap() == fs::read(at("b.npy")).unwrap());
    assert_eq!(names(&folder), ["a.npy", "b.npy", "mounted.npy", "sprites.onnx"]);
}

/// The folder goes while the run goes on: what was drawn is in another.
#[test]
fn what_was_drawn_is_saved_where_its_folder_is_gone() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("sub")).unwrap();
    let mut command = diffuse(&folder);
    command.args(["generate", &fixture("time_first"), "--steps", "1000", "-n", "200", "-o", "sub/a.png"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut line, mut said) = (String::new(), String::new());
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("seed"), "{line}");
    fs::remove_dir(at("sub")).unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(6), "{said}");
    assert!(said.contains("sub/a.png: ") && said.contains("what was drawn is in a.png instead"), "{said}");
    assert!(fs::read(at("a.png")).unwrap().starts_with(b"\x89PNG"));
    assert_eq!(names(&folder), ["a.png"]);
}

/// The disk is full: the old file is left alone, and what nobody else may read stays so where it is saved.
#[cfg(target_os = "linux")]
#[test]
fn what_is_saved_elsewhere_is_as_private_as_its_place() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    copied(&folder, "sprites", "sprites.onnx");
    for (name, permissions) in [("open.npy", 0o644), ("private.npy", 0o600)] {
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("sub").join(name), "an older one").unwrap();
        fs::set_permissions(at("sub").join(name), fs::Permissions::from_mode(permissions)).unwrap();
        let full = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", "sub"])
            .current_dir(&folder)
            .status();
        if !full.is_ok_and(|status| status.success()) {
            println!("no disk can be filled here: not run");
            return;
        }
        fs::write(at("sub").join(name), "an older one").unwrap();
        fs::set_permissions(at("sub").join(name), fs::Permissions::from_mode(permissions)).unwrap();
        let output = ended(&mut generate(&folder, &format!("--class heart -n 40 -o sub/{name}")));
        let kept = fs::read(at("sub").join(name)).unwrap();
        assert!(Command::new("umount").arg("sub").current_dir(&folder).status().unwrap().success());
        fs::remove_dir_all(at("sub")).unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(6), "{said}");
        assert!(
            said.contains(&format!("No space left on device (os error 28); what was drawn is in {name} instead")),
            "{said}"
        );
        assert_eq!((kept, mode(&at(name))), (b"an older one".to_vec(), permissions), "{name}");
    }
}

/// One that cannot be written does not take the others with it.
#[cfg(target_os = "linux")]
#[test]
fn the_other_files_are_written_all_the_same() {
    let folder = folder();
    copied(&folder, "sprites", "sprites.onnx");
    let output = ended(&mut generate(&folder, "--class heart -o /dev/full -o b.npy"));
    assert_eq!(output.status.code(), Some(6), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "b.npy\n");
    assert_eq!(names(&folder), ["b.npy", "sprites-7.png", "sprites.onnx"]);
}

/// What a killed run has left is removed by a later one, unless a living one has its lock.
#[test]
fn temporary_files_of_killed_runs_are_removed() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    copied(&folder, "sprites", "sprites.onnx");
    let [left, held, other] = [".diffuse-AAAAAAAAAAAA.part", ".diffuse-BBBBBBBBBBBB.part", ".diffuse-notes.part"];
    [left, held, other].iter().for_each(|name| fs::write(at(name), "half a picture").unwrap());
    let lock = fs::File::open(at(held)).unwrap();
    lock.lock().unwrap();
    succeed(&mut generate(&folder, "--class heart -o a.png"));
    assert_eq!(names(&folder), [held, other, "a.png", "sprites.onnx"]);
    drop(lock);
    succeed(&mut generate(&folder, "--class heart"));
    assert_eq!(names(&folder), [other, "a.png", "sprites-7.png", "sprites.onnx"]);
}

/// A run that is killed while it writes leaves the old file or a whole new one, and what else it leaves is gone after
/// the next run.
#[test]
fn a_killed_run_leaves_whole_files_or_none() {
    let folder = folder();
    let draw = || {
        let mut command = diffuse(&folder);
        command.args(["generate", &fixture("time_first"), "--steps", "1", "-n", "20000", "--seed", "1", "-o", "a.npy"]);
        command
    };
    let is_written = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.ok()?;
        let ours = entry.file_name().to_string_lossy().starts_with(".diffuse-");
        (ours && entry.metadata().ok()?.len() > 0).then_some(())
    };
    let (mut left, mut whole) = (0, 0);
    for run in 0..crate::support::endings(20) {
        fs::write(folder.path().join("a.npy"), "the old file").unwrap();
        let mut child = draw().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while child.try_wait().unwrap().is_none()
            && !fs::read_dir(&folder).unwrap().any(|entry| is_written(entry).is_some())
        {}
        // The first at once, the others somewhat later.
        std::thread::sleep(std::time::Duration::from_micros(500 * u64::from(run % 20)));
        let _ = child.kill();
        child.wait().unwrap();
        left += names(&folder).len() - 1;
        match fs::read(folder.path().join("a.npy")).unwrap() {
            old if old == b"the old file" => {}
            new => {
                assert_eq!(new.len(), 128 + 20_000 * 3 * 64 * 4);
                whole += 1;
            }
        }
    }
    println!("{left} temporary files were left behind, and {whole} runs had written all");
    succeed(&mut draw());
    assert_eq!(names(&folder), ["a.npy"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_no_unicode_is_written_and_said() {
    let folder = folder();
    copied(&folder, "sprites", "sprites.onnx");
    let name = std::ffi::OsStr::from_bytes(b"a\xff.png");
    let output = succeed(generate(&folder, "--class heart --json -o").arg(name));
    let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record["files"][0], "a\u{fffd}.png");
    assert!(folder.path().join(name).exists());
    let output = ended(diffuse(&folder).args(["doctor", "--json", "--onnxruntime"]).arg(name));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["candidates"][0]["place"].as_str().unwrap().ends_with("a\u{fffd}.png"), "{report}");
}

/// Weights that lie in a file of their own are read as well, and so they are noted in a record.
#[cfg(unix)]
#[test]
fn weights_are_never_written_over() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    for name in ["external.onnx", "external.onnx.data"] {
        fs::copy(crate::support::repository(&format!("onnx/fixtures/{name}")), at(name)).unwrap();
    }
    symlink("external.onnx.data", at("link.npy")).unwrap();
    fs::hard_link(at("external.onnx.data"), at("hard.npy")).unwrap();
    let before = fs::read(at("external.onnx.data")).unwrap();
    for output in ["link.npy", "hard.npy"] {
        let mut command = diffuse(&folder);
        command.args(["generate", "external.onnx", "--steps", "2", "--seed", "1", "-o", output]);
        fail(&folder, &mut command, 2, &format!("-o {output}: this is a file with the model's weights of this run"));
    }
    assert!(fs::read(at("external.onnx.data")).unwrap() == before);
    let mut command = diffuse(&folder);
    command.args([
        "generate",
        "external.onnx",
        "--steps",
        "2",
        "--seed",
        "1",
        "-o",
        "a.npy",
        "--copy-weights",
        "--json",
    ]);
    let done: serde_json::Value = serde_json::from_slice(&succeed(&mut command).stdout).unwrap();
    let parts: Vec<&str> =
        done["model_parts"].as_array().unwrap().iter().map(|part| part["part"].as_str().unwrap()).collect();
    assert_eq!(parts, ["graph", "external.onnx.data", "manifest"]);
}
