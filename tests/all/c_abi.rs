//! The C ABI from C and C++: the header compiles by itself, and a C program draws the bytes that Rust draws.
#![cfg(all(feature = "capi", target_os = "linux"))]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use diffuse::Request;
use diffuse::denoiser::Query;
use diffuse::request::{ClassifierGuidance, HostGuidance};
use diffuse::run::{Run, Work};
use diffuse::stage::pixels::{Layout, rgba8_into};
use diffuse::tensor::Tensor;
use ndarray::{ArrayD, Axis};
use tempfile::TempDir;

use crate::support::{agree, heart_and_none, libraries, repository, runtime};

/// (compiler, flags): the dialects that the header is promised to be valid in.
const DIALECTS: &[(&str, &[&str])] = &[
    ("gcc", &["-std=c99"]),
    ("gcc", &["-std=c11"]),
    ("gcc", &["-std=c17"]),
    ("gcc", &["-std=c2x"]),
    ("g++", &["-x", "c++", "-std=c++14"]),
    ("g++", &["-x", "c++", "-std=c++17", "-fno-exceptions", "-fno-rtti"]),
    ("g++", &["-x", "c++", "-std=c++20"]),
    ("g++", &["-x", "c++", "-std=c++2b"]),
];

const STRICT: &[&str] = &["-Wall", "-Wextra", "-Werror", "-pedantic"];

fn compile(compiler: &str, arguments: &[&str], rest: &[&Path]) {
    let mut command = Command::new(compiler);
    command.args(STRICT).args(arguments).arg("-I").arg(repository("include")).args(rest);
    let output = command.output().unwrap_or_else(|error| panic!("{compiler}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Puts the shared library where its soname is found, as an installation would.
fn install(folder: &TempDir) {
    for name in ["libdiffuse.so", "libdiffuse.so.0"] {
        std::os::unix::fs::symlink(libraries().join("libdiffuse.so"), folder.path().join(name)).unwrap();
    }
}

fn link_shared(compiler: &str, flags: &[&str], source: &str, folder: &TempDir, name: &str) -> PathBuf {
    let program = folder.path().join(name);
    let search = format!("-L{}", folder.path().display());
    let path = format!("-Wl,-rpath,{}", folder.path().display());
    let source = repository(source);
    let arguments: Vec<&str> = flags.iter().copied().chain(["-g", "-pthread"]).collect();
    let rest = [Path::new("-o"), &program, &source, Path::new(&search), Path::new(&path), Path::new("-ldiffuse")];
    compile(compiler, &arguments, &rest);
    program
}

/// Runs `program` on ONNX Runtime, the sprite model and a file, and returns what it wrote there.
fn draw(program: &Path, folder: &TempDir) -> Vec<u8> {
    let file = folder.path().join("output");
    let _ = std::fs::remove_file(&file);
    let arguments = [runtime().path(), &repository("onnx/models/sprites.onnx"), &file].map(Path::to_path_buf);
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty() && output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(file).unwrap()
}

/// The scenario of tests/c/draw.c, in Rust.
fn expected() -> Vec<u8> {
    let samples = heart_and_none();
    let mut bytes: Vec<u8> = samples.iter().flat_map(|value| value.to_le_bytes()).collect();
    let image = samples.index_axis(Axis(0), 1).into_dimensionality().unwrap();
    for (stride, bottom_up, bgra) in [(128, false, false), (128, true, false), (160, false, true)] {
        let mut pixels = vec![7; 32 * stride];
        rgba8_into(image, [-1.0, 1.0], &mut pixels, Layout { stride, bottom_up, bgra }).unwrap();
        bytes.extend(pixels);
    }
    bytes
}

#[test]
fn the_header_stands_alone_and_may_come_twice() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in
        [("once", "#include \"diffuse.h\"\n"), ("twice", "#include \"diffuse.h\"\n#include \"diffuse.h\"\n")]
    {
        let source = folder.path().join(format!("{name}.c"));
        std::fs::write(&source, format!("{text}typedef int not_empty;\n")).unwrap();
        for (compiler, flags) in DIALECTS {
            let arguments: Vec<&str> = flags.iter().copied().chain(["-fsyntax-only"]).collect();
            compile(compiler, &arguments, &[&source]);
        }
    }
}

#[test]
fn a_c_program_draws_what_rust_draws() {
    let folder = tempfile::tempdir().unwrap();
    install(&folder);
    let expected = expected();
    for (i, (compiler, flags)) in DIALECTS.iter().enumerate() {
        let program = link_shared(compiler, flags, "tests/c/draw.c", &folder, &format!("draw-{i}"));
        assert!(draw(&program, &folder) == expected, "{compiler} {flags:?} draws other bytes");
    }
    let sanitized = ["-std=c99", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let program = link_shared("gcc", &sanitized, "tests/c/draw.c", &folder, "sanitized");
    assert!(draw(&program, &folder) == expected, "under the sanitizers");
    // The static library, with what rustc says that it needs.
    let program = folder.path().join("static");
    let (source, library) = (repository("tests/c/draw.c"), libraries().join("libdiffuse.a"));
    let system = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"].map(Path::new);
    compile("gcc", &["-std=c99"], &[&[Path::new("-o"), &program, &source, &library], &system[..]].concat());
    assert!(draw(&program, &folder) == expected, "linked statically");
    // The first example: it finds ONNX Runtime by itself, through the environment that the test runs in.
    let first = link_shared("gcc", &["-std=c99"], "examples/first.c", &folder, "first");
    let output = Command::new(first).arg(repository("onnx/models/sprites.onnx")).current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read(folder.path().join("sprite.ppm")).unwrap().len(), 13 + 3 * 32 * 32);
    assert!(std::fs::read_to_string(repository("examples/first.c")).unwrap().lines().count() <= 60);
}

/// The scenarios of `tests/scenarios.txt`, in Rust.
fn scenarios() -> Vec<u8> {
    let text = std::fs::read_to_string(repository("tests/scenarios.txt")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let mut bytes = Vec::new();
    for scenario in lines.split(|line| line.is_empty()).filter(|lines| !lines.is_empty()) {
        let mut request = Request::default();
        let mut model = None;
        for line in scenario {
            let mut words = line.split(' ');
            let key = words.next().unwrap();
            let values: Vec<&str> = words.collect();
            match key {
                "model" => model = Some(crate::support::model(&format!("onnx/models/{}.onnx", values[0]))),
                "folder" => model = Some(crate::support::pipeline(values[0])),
                "parts" => model = Some(crate::support::pipeline_of_bytes(values[0])),
                "embeddings" => {
                    let [items, tokens] = [0, 1].map(|place| values[place].parse::<usize>().unwrap());
                    let of = |items: usize, first: usize| {
                        let values = (first..first + items * tokens * 32).map(|i| (i * 37 % 256) as f32 / 128.0 - 1.0);
                        let values = ArrayD::from_shape_vec(vec![items, tokens, 32], values.collect()).unwrap();
                        Arc::new(Tensor::F32(values))
                    };
                    request.conditions.insert("encoder_hidden_states".to_owned(), of(items, 0));
                    request.negative_conditions.insert("encoder_hidden_states".to_owned(), of(1, 1));
                    request.count = items;
                }
                "prompts" => {
                    request.prompts = values.iter().map(ToString::to_string).collect();
                    request.count = values.len();
                }
                "negative_prompt" => request.negative_prompts = Some(vec![values[0].to_owned()]),
                "picture" => {
                    let picture = (0..3 * 64 * 64).map(|i| (i * 37 % 256) as f32 / 128.0 - 1.0).collect();
                    request.image = Some(Arc::new(ArrayD::from_shape_vec(vec![3, 64, 64], picture).unwrap()));
                }
                "window" => {
                    let window = (0..64 * 64).map(|i| if i % 64 < 30 { 0.0 } else { 1.0 }).collect();
                    request.mask = Some(Arc::new(ArrayD::from_shape_vec(vec![64, 64], window).unwrap()));
                }
                "seed" => request.seed = values[0].parse().unwrap(),
                "count" => request.count = values[0].parse().unwrap(),
                "classes" => {
                    let model = model.as_ref().unwrap();
                    request.classes = Some(values.iter().map(|name| model.class(name).unwrap()).collect());
                    request.count = values.len();
                }
                "negative" => request.negative_classes = Some(vec![model.as_ref().unwrap().class(values[0]).unwrap()]),
                "image" => {
                    let image = (0..4 * 32 * 32).map(|i| (i * 37 % 256) as f32 / 128.0 - 1.0).collect();
                    request.image = Some(Arc::new(ArrayD::from_shape_vec(vec![4, 32, 32], image).unwrap()));
                }
                "mask" => {
                    let mask = (0..32 * 32).map(|i| if i % 32 < 16 { 0.0 } else { 1.0 }).collect();
                    request.mask = Some(Arc::new(ArrayD::from_shape_vec(vec![32, 32], mask).unwrap()));
                }
                "callback" => {
                    request.callback = Some(HostGuidance(Arc::new(|_: &Query<'_>, denoised: &mut [f32]| {
                        denoised.iter_mut().for_each(|value| *value *= 0.5);
                        Ok(())
                    })));
                }
                "classifier" => {
                    let classifier = crate::support::model(&format!("onnx/models/{}.onnx", values[0]));
                    let classes = vec![classifier.class(values[1]).unwrap()];
                    request.classifier = Some(ClassifierGuidance { classifier, classes });
                }
                "shape" => request.shape = Some(values.iter().map(|axis| axis.parse().unwrap()).collect()),
                _ => request.set(key, values[0]).unwrap(),
            }
        }
        let mut run = Run::new(&model.unwrap(), &request).unwrap();
        while !run.is_finished() {
            run.step().unwrap();
        }
        let samples = run.sample().unwrap();
        bytes.extend(samples.iter().flat_map(|value| value.to_le_bytes()));
    }
    bytes
}

#[test]
fn scenarios_give_the_same_bits_through_rust_and_through_c() {
    // Every option that a request knows is in one of them.
    let text = std::fs::read_to_string(repository("tests/scenarios.txt")).unwrap();
    // But for what is for a scheduler's configuration, which requests.rs tries.
    for option in diffuse::settings::all().filter(|option| !["tokens", "mu_rule"].contains(&option.key)) {
        assert!(text.contains(&format!("\n{} ", option.key)), "no scenario has {}", option.key);
    }
    let folder = tempfile::tempdir().unwrap();
    install(&folder);
    let program = link_shared("gcc", &["-std=c99"], "tests/c/scenarios.c", &folder, "scenarios");
    let output = folder.path().join("output");
    let result = Command::new(program)
        .args([runtime().path(), &repository("onnx/models"), &repository("tests/scenarios.txt"), &output])
        .output()
        .unwrap();
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    let expected = scenarios();
    assert!(expected.len() > 4 * 4096 * 6, "{} bytes", expected.len());
    assert!(std::fs::read(output).unwrap() == expected);
}

/// The example of guidance by the host, in C and in Rust: the same bytes, and a tile without a seam.
#[test]
fn the_tileable_texture_has_no_seam_in_c_and_in_rust() {
    let folder = tempfile::tempdir().unwrap();
    install(&folder);
    let sanitized = ["-std=c99", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let in_c = link_shared("gcc", &sanitized, "examples/tileable.c", &folder, "tileable");
    let in_rust = crate::support::example("tileable");
    let [in_c, in_rust] = [in_c, in_rust].map(|program| {
        let file = folder.path().join("tile.ppm");
        let model = repository("onnx/models/sprites.onnx");
        let output = Command::new(program).args([&model, &file]).current_dir(repository(".")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(file).unwrap()
    });
    assert!(in_c == in_rust);
    let pixels = &in_c["P6 32 32 255\n".len()..];
    assert_eq!(pixels.len(), 3 * 32 * 32);
    let step = |a: usize, b: usize| {
        let apart = |y: usize, c: usize| pixels[3 * (32 * y + a) + c].abs_diff(pixels[3 * (32 * y + b) + c]);
        (0..32).flat_map(|y| (0..3).map(move |c| f64::from(apart(y, c)))).sum::<f64>() / 96.0
    };
    let (seam, within) = (step(31, 0), (0..31).map(|column| step(column, column + 1)).sum::<f64>() / 31.0);
    println!("the seam {seam:.2}, within {within:.2}, of 255");
    assert!(seam <= within.max(2.0));
}

/// The example of a counterfactual map, put together of jobs.
#[test]
fn the_counterfactual_in_c_finds_the_spot() {
    let folder = tempfile::tempdir().unwrap();
    install(&folder);
    let program = folder.path().join("counterfactual");
    let (search, path) = (format!("-L{}", folder.path().display()), format!("-Wl,-rpath,{}", folder.path().display()));
    let source = repository("examples/counterfactual.c");
    let rest = [Path::new("-o"), &program, &source, Path::new(&search), Path::new(&path)];
    let libraries = [Path::new("-ldiffuse"), Path::new("-lm")];
    compile("gcc", &["-std=c99", "-fsanitize=address,undefined"], &[&rest[..], &libraries[..]].concat());
    let models = ["sprite_defects", "sprite_defects_classifier"];
    let models = models.map(|name| repository(&format!("onnx/models/{name}.onnx")));
    let output = Command::new(&program).args(models).current_dir(repository(".")).output().unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Start, poll, wait, pause, cancel and free, also from the worker itself, and a network of the host's, under the
/// sanitizers.
#[test]
fn a_worker_runs_a_job_and_lets_go_of_it() {
    let folder = tempfile::tempdir().unwrap();
    install(&folder);
    let flags = ["-std=c99", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    for name in ["worker", "host_network"] {
        let program = link_shared("gcc", &flags, &format!("tests/c/{name}.c"), &folder, name);
        let model = repository("onnx/models/sprites.onnx");
        let output = Command::new(program).args([runtime().path(), &model]).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Other rounding, small numbers flushed to zero, exceptions that are signals: the same bits, and the host's own again,
/// also in its callbacks.
#[test]
fn a_host_keeps_its_floating_point_environment() {
    let folder = tempfile::tempdir().unwrap();
    install(&folder);
    let program = link_shared("gcc", &["-std=c99", "-Wl,--no-as-needed", "-lm"], "tests/c/float.c", &folder, "float");
    let models = ["sprites", "flow_s_curve", "swiss_roll"].map(|name| repository(&format!("onnx/models/{name}.onnx")));
    let output = Command::new(program).arg(runtime().path()).args(models).output().unwrap();
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// Calls without a job, under the sanitizers.
#[test]
fn calls_are_cancelled_by_another_thread() {
    let folder = tempfile::tempdir().unwrap();
    install(&folder);
    let model = folder.path().join("endless.onnx");
    std::fs::write(&model, crate::support::graph::endless(crate::support::graph::MANIFEST)).unwrap();
    let flags = ["-std=c11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let program = link_shared("gcc", &flags, "tests/c/cancel.c", &folder, "cancel");
    let output = Command::new(program).args([runtime().path(), &model]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Two plugins of one host that each bring the library, and a host that reloads its plugins.
#[test]
fn copies_of_the_library_and_reloading_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let copies = ["one", "two"].map(|name| {
        let path = folder.path().join(name).join("libdiffuse.so.0");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        std::fs::copy(libraries().join("libdiffuse.so"), &path).unwrap();
        path
    });
    for flags in [&["-std=c99"][..], &["-std=c99", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]] {
        let (program, source) = (folder.path().join("copies"), repository("tests/c/copies.c"));
        let arguments: Vec<&str> = flags.iter().copied().chain(["-g", "-pthread"]).collect();
        compile("gcc", &arguments, &[Path::new("-o"), &program, &source, Path::new("-ldl")]);
        let model = repository("onnx/models/sprites.onnx");
        let output = Command::new(program).args([runtime().path(), &model, &copies[0], &copies[1]]).output().unwrap();
        assert!(output.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_exported_symbols_are_those_of_the_list() {
    let output =
        Command::new("nm").args(["-D", "--defined-only"]).arg(libraries().join("libdiffuse.so")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut symbols: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().last()).collect();
    symbols.sort_unstable();
    let listed = std::fs::read_to_string(repository("include/diffuse.symbols")).unwrap();
    assert_eq!(symbols, listed.lines().collect::<Vec<_>>());
}

/// Every export with every kind of bad argument, under gcc's sanitizers; the table that the program prints is the
/// documentation.
#[test]
fn bad_arguments_are_statuses() {
    let folder = tempfile::tempdir().unwrap();
    install(&folder);
    let flags = ["-std=c99", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let program = link_shared("gcc", &flags, "tests/c/bad_arguments.c", &folder, "bad_arguments");
    let output =
        Command::new(program).arg(runtime().path()).arg(repository("onnx/models/sprites.onnx")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8(output.stdout).unwrap();
    for name in std::fs::read_to_string(repository("include/diffuse.symbols")).unwrap().lines() {
        // Those that take nothing, or have no status: the program checks them without a row.
        let source = std::fs::read_to_string(repository("tests/c/bad_arguments.c")).unwrap();
        let named = source.contains(&format!("{name}("))
            || name.strip_prefix("diffuse_request_set_").is_some_and(|setter| source.contains(&format!("({setter},")))
            || name.contains("_read")
            || name.contains("_preview")
            || name.starts_with("diffuse_version");
        assert!(named, "{name} is not tried");
    }
    assert!(table.lines().count() > 190, "{table}");
    let mut page = String::from(
        "# Bad arguments\n\nThis page lists the status and the message that each function returns for bad arguments. `tests/c/bad_arguments.c` prints it, \
         and runs under gcc's address and undefined behaviour sanitizers. Rows without a bad argument are calls that must work beside the others.\n\n",
    );
    // Not this machine's places.
    let places = [
        (runtime().path().to_path_buf(), "libonnxruntime.so"),
        (repository("onnx/models/sprites.onnx"), "sprites.onnx"),
        (runtime().path().parent().unwrap().to_path_buf(), "…"),
    ];
    page += &places.iter().fold(table, |table, (place, name)| table.replace(place.to_str().unwrap(), name));
    agree("include/BAD_ARGUMENTS.md", &page.replace(runtime().version(), "1.31.1"));
}

#[test]
fn onnx_runtime_is_found_beside_the_link_to_the_library() {
    let folder = tempfile::tempdir().unwrap();
    install(&folder);
    let library = runtime().path().to_path_buf();
    std::os::unix::fs::symlink(&library, folder.path().join(library.file_name().unwrap())).unwrap();
    let program = folder.path().join("first");
    let search = format!("-L{}", folder.path().display());
    let rest = [&repository("examples/first.c"), Path::new("-o"), &program, Path::new(&search), Path::new("-ldiffuse")];
    compile("gcc", &["-std=c99"], &rest);
    // The loader knows the library by a relative name as well as by an absolute one.
    for place in [".", folder.path().to_str().unwrap()] {
        let mut command = Command::new(&program);
        command.current_dir(&folder).env("LD_LIBRARY_PATH", place).env_remove("ORT_DYLIB_PATH");
        let output = command.arg(repository("onnx/models/sprites.onnx")).output().unwrap();
        assert!(output.status.success(), "{place}: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::remove_file(folder.path().join("sprite.ppm")).unwrap();
    }
    let mut command = Command::new(&program);
    command.current_dir(&folder).env("LD_LIBRARY_PATH", ".").env("ORT_DYLIB_PATH", "/nowhere");
    let output = command.arg(repository("onnx/models/sprites.onnx")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("ORT_DYLIB_PATH names /nowhere"), "{text}");
}

/// As plugins lie: ONNX Runtime is beside the program and not beside diffuse, or where the system's loader looks.
#[test]
fn onnx_runtime_is_found_beside_the_program_and_by_the_loader() {
    let [ours, theirs] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    install(&ours);
    let shared = link_shared("gcc", &["-std=c99"], "examples/first.c", &ours, "first");
    let library = std::fs::canonicalize(runtime().path()).unwrap();
    let moved = theirs.path().join("program with spaces, ünïcode");
    std::fs::copy(&shared, &moved).unwrap();
    let draws = |program: &Path, variables: &[(&str, &Path)]| {
        let mut command = Command::new(program);
        command.arg(repository("onnx/models/sprites.onnx")).current_dir(&ours).env_remove("ORT_DYLIB_PATH");
        let output = command.env_remove("LD_LIBRARY_PATH").envs(variables.iter().copied()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (drew, said) = draws(&moved, &[]);
    let told = ["beside diffuse", "beside the program", "system's loader", "Put it beside the program"];
    assert!(!drew && told.iter().all(|part| said.contains(part)), "{said}");
    // By the name that a package has it by.
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(&library, elsewhere.path().join("libonnxruntime.so.1")).unwrap();
    let (drew, said) = draws(&moved, &[("LD_LIBRARY_PATH", elsewhere.path())]);
    assert!(drew, "{said}");
    // By the rpath of the program that diffuse is linked into.
    let program = theirs.path().join("static");
    let (source, linked) = (repository("examples/first.c"), libraries().join("libdiffuse.a"));
    let rpath = format!("-Wl,-rpath,{}", elsewhere.path().display());
    let system = [&rpath, "-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"].map(Path::new);
    compile("gcc", &["-std=c99"], &[&[Path::new("-o"), &program, &source, &linked], &system[..]].concat());
    let (drew, said) = draws(&program, &[]);
    assert!(drew, "{said}");
    std::os::unix::fs::symlink(&library, theirs.path().join(library.file_name().unwrap())).unwrap();
    let (drew, said) = draws(&moved, &[]);
    assert!(drew, "{said}");
}

/// The header allows it: the step that runs ends with DIFFUSE_CANCELLED, and nobody reads what is gone.
#[test]
fn a_job_is_freed_while_another_thread_runs_it() {
    use diffuse::capi::{
        DIFFUSE_CANCELLED, DIFFUSE_OK, diffuse_job_free, diffuse_job_new, diffuse_job_progress, diffuse_job_run,
        diffuse_model_free, diffuse_model_open, diffuse_request_free, diffuse_request_new, diffuse_request_set,
        diffuse_runtime_free, diffuse_runtime_open,
    };
    let text = |text: &Path| std::ffi::CString::new(text.to_str().unwrap()).unwrap();
    let (mut runtime, mut model, mut request) = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: handles of the library, each used as the header demands.
    unsafe {
        assert_eq!(diffuse_runtime_open(text(crate::support::runtime().path()).as_ptr(), &raw mut runtime), DIFFUSE_OK);
        let path = text(&repository("onnx/fixtures/time_first.onnx"));
        assert_eq!(diffuse_model_open(runtime, path.as_ptr(), std::ptr::null(), &raw mut model), DIFFUSE_OK);
        assert_eq!(diffuse_request_new(&raw mut request), DIFFUSE_OK);
        assert_eq!(diffuse_request_set(request, c"steps".as_ptr(), c"1000".as_ptr()), DIFFUSE_OK);
        let mut cancelled = 0;
        for round in 0..300u64 {
            let mut job = std::ptr::null_mut();
            assert_eq!(diffuse_job_new(model, request, &raw mut job), DIFFUSE_OK);
            let address = job as usize;
            let runner = std::thread::spawn(move || diffuse_job_run(address as *mut _));
            // The run has begun before the handle goes: what starts afterwards would be the host's mistake.
            let (mut step, mut steps) = (0, 0);
            while step == 0 {
                assert_eq!(diffuse_job_progress(job, &raw mut step, &raw mut steps), DIFFUSE_OK);
            }
            std::thread::sleep(std::time::Duration::from_micros(7 * (round % 97)));
            diffuse_job_free(job);
            match runner.join().unwrap() {
                DIFFUSE_CANCELLED => cancelled += 1,
                // This thread was not let on before the run was over.
                status => assert_eq!(status, DIFFUSE_OK),
            }
        }
        assert!(cancelled > 0);
        diffuse_request_free(request);
        diffuse_model_free(model);
        diffuse_runtime_free(runtime);
    }
}

/// Nothing is opened on the host's thread, and what has a release function is let go of once.
#[test]
fn a_plugin_leaves_opening_to_its_worker() {
    let folder = tempfile::tempdir().unwrap();
    install(&folder);
    for flags in [&["-std=c11"][..], &["-std=c11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]] {
        let program = link_shared("gcc", flags, "tests/c/plugin.c", &folder, "plugin");
        let output = Command::new(&program).arg(repository("onnx/models/sprites.onnx")).output().unwrap();
        assert!(output.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// With a host that is linked to ONNX Runtime, whose library nobody is told of.
#[test]
fn the_hosts_own_onnx_runtime_will_do() {
    let folder = tempfile::tempdir().unwrap();
    install(&folder);
    let library = std::fs::canonicalize(runtime().path()).unwrap();
    for name in ["libonnxruntime.so", "libonnxruntime.so.1"] {
        std::os::unix::fs::symlink(&library, folder.path().join(name)).unwrap();
    }
    let flags = ["-std=c11", "-Wl,--no-as-needed", "-lonnxruntime"];
    let program = link_shared("gcc", &flags, "tests/c/host_runtime.c", &folder, "host_runtime");
    let mut command = Command::new(&program);
    let output =
        command.arg(repository("onnx/models/sprites.onnx")).env("ORT_DYLIB_PATH", "/nowhere").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected: Vec<u8> = heart_and_none().iter().flat_map(|value| value.to_le_bytes()).collect();
    assert!(output.stdout == expected, "it draws other bytes");
}

#[test]
fn a_priority_that_the_system_refuses_is_said_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    install(&folder);
    let program = link_shared("gcc", &["-std=c11"], "tests/c/refused.c", &folder, "refused");
    let output = Command::new(&program).arg(repository("onnx/models/sprites.onnx")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_table_of_functions_is_that_of_the_library() {
    let folder = tempfile::tempdir().unwrap();
    install(&folder);
    let program = link_shared("gcc", &["-std=c11"], "tests/c/functions.c", &folder, "functions");
    let output = Command::new(&program).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Its programs are run by `tests/hosts/run`.
#[test]
fn the_table_of_functions_compiles_in_every_dialect() {
    let folder = tempfile::tempdir().unwrap();
    let (object, source) = (folder.path().join("by_path.o"), repository("tests/hosts/by_path.c"));
    for (compiler, flags) in DIALECTS {
        let flags = [flags, &["-Wconversion", "-Wshadow", "-c"][..]].concat();
        compile(compiler, &flags, &[Path::new("-o"), &object, &source]);
    }
}
