//! What lies in `include` is what the code says. `DIFFUSE_BLESS=1 cargo test --test all header::` writes it.
#![cfg(feature = "capi")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use diffuse::capi::DIFFUSE_STATUSES;
use diffuse::network::PROVIDERS;
use diffuse::option::Group;
use diffuse::option::Kind;
use diffuse::settings;

use crate::support::{agree, repository};

const TOP: &str = "\
/* diffuse: draws from diffusion models. This header is generated from the library's source; do not edit it.
 *
 * Most functions return a status: DIFFUSE_OK (0) or a code that says what the caller can do. diffuse_error_message() then says what
 * was wrong. A function that fails changes nothing but the outputs that it says it clears.
 *
 * Handles are made by _new and _open and freed by _free; freeing NULL is fine. A handle must not be used after it was freed; that, and a
 * handle of another type, is noticed where it can be, and is DIFFUSE_ARGUMENT. A `const` handle may be used by several threads at once, any
 * other by one at a time, but for what diffuse_job says of itself. The library has no other state than ONNX Runtime and the log sink.
 *
 * Pointers must be NULL (which is DIFFUSE_ARGUMENT unless it is allowed) or valid. Strings are UTF-8, end in a zero byte, and are copied
 * where they are kept. Buffers belong to the caller and are not kept. Times t are those of the model's training, 0 the cleanest; alpha and
 * sigma are the shares of the clean sample and of the noise: x = alpha*x0 + sigma*noise.
 *
 * Where the system has no memory for a tensor a call returns DIFFUSE_MEMORY; small things end the process then, as they do in most libraries.
 *
 * Bad input never crashes, and no function writes to stdout or stderr, exits, or installs a signal handler.
 *
 * At the end of the process (not on Windows, where its threads are gone by then) the library ends what is running, in jobs and in calls of other threads,
 * and waits for it, for 12 seconds at most. A process that ends by _exit() or a signal needs none of that.
 *
 * After fork() the child must not use the parent's handles: freeing one does nothing there, and every other call of it is DIFFUSE_ARGUMENT (NULL or 0 where a
 * function returns no status). It may open its own, beginning with diffuse_runtime_open(), which then refers to the ONNX Runtime that the parent has loaded. A fork
 * waits, for a second at most, for other threads that open ONNX Runtime or a model, or evaluate one for the first time; of a child that it could not wait for
 * diffuse_runtime_open() is DIFFUSE_RUNTIME. The log sink is the parent's alone.
 *
 * Every call works in the usual floating-point environment (to nearest, nothing flushed to zero, no exception a signal) and gives the host's back; a callback
 * is called in the host's, on a worker in that of the thread that has started it.";

/// The options of requests, as the end of the comment at the top.
fn request_options() -> String {
    let mut text = String::from(" * The options of diffuse_request_set():\n");
    for group in Group::OF_REQUEST {
        writeln!(text, " *\n * {}:", group.heading()).unwrap();
        for option in settings::of(*group) {
            writeln!(text, " *\n *     {}: {}\n *         {}", option.key, option.kind, option.text()).unwrap();
            if let Kind::Choice(words, meanings) = option.kind {
                for (word, meaning) in words.iter().zip(meanings) {
                    writeln!(text, " *         - {word}: {meaning}").unwrap();
                }
            }
        }
    }
    text + " */"
}

fn sources() -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(repository("src/capi")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn header() -> String {
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        cpp_compat: true,
        include_guard: Some("DIFFUSE_H".into()),
        header: Some(format!("{TOP}\n *\n{}", request_options())),
        no_includes: true,
        sys_includes: vec!["stddef.h".into(), "stdint.h".into()],
        usize_is_size_t: true,
        documentation_style: cbindgen::DocumentationStyle::C,
        line_length: 100,
        ..cbindgen::Config::default()
    };
    config.export.exclude = vec!["DIFFUSE_STATUSES".into()];
    // The other files are found from this one.
    let builder = cbindgen::Builder::new().with_config(config).with_src(repository("src/capi/mod.rs"));
    let mut text = Vec::new();
    builder.generate().unwrap().write(&mut text);
    String::from_utf8(text).unwrap()
}

/// The names of the exported functions, from the source.
fn exports() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in sources() {
        let code = std::fs::read_to_string(file).unwrap();
        for rest in code.split("extern \"C\" fn diffuse_").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            names.insert(format!("diffuse_{name}"));
        }
    }
    names
}

#[test]
fn the_header_is_fresh() {
    let header = header();
    for name in exports() {
        let declared = header.lines().filter(|line| line.contains(&format!("{name}(")) && !line.starts_with(' '));
        assert_eq!(declared.count(), 1, "{name} in the header");
    }
    for (number, name) in DIFFUSE_STATUSES {
        let name = name.to_str().unwrap();
        assert!(header.contains(&format!("#define {name} {number}")), "{name}");
    }
    assert_eq!(header.matches("#define DIFFUSE_").count(), DIFFUSE_STATUSES.len() + 13, "a status is not in the table");
    agree("include/diffuse.h", &header, "header");
    agree("include/REFERENCE.md", &reference(&header), "header");
}

#[test]
fn the_symbols_are_listed() {
    let list: Vec<String> = exports().into_iter().collect();
    agree("include/diffuse.symbols", &(list.join("\n") + "\n"), "header");
}

/// The header as a page: what the library has, noun by noun.
fn reference(header: &str) -> String {
    let mut page = String::from(
        "# The C interface\n\nGenerated from [diffuse.h](diffuse.h). The options of execution providers are in [PROVIDERS.md](PROVIDERS.md), what each function does with \
         bad arguments in [BAD_ARGUMENTS.md](BAD_ARGUMENTS.md).\n\n",
    );
    let top =
        TOP.trim_start_matches("/* ").trim_end_matches(" */").lines().map(|line| line.trim_start_matches(" *").trim());
    top.for_each(|line| writeln!(page, "{line}").unwrap());
    page += "\n## Options of requests\n";
    for group in Group::OF_REQUEST {
        writeln!(page, "\n### {}\n\n| option | value | meaning |\n|---|---|---|", group.heading()).unwrap();
        for option in settings::of(*group) {
            let words = if let Kind::Choice(words, meanings) = option.kind {
                words.iter().zip(meanings).map(|(word, meaning)| format!("<br>`{word}`: {meaning}")).collect()
            } else {
                String::new()
            };
            writeln!(page, "| `{}` | {} | {}{words} |", option.key, option.kind, option.text()).unwrap();
        }
    }
    page += "\n## Status codes\n\n| number | name | meaning |\n|---|---|---|\n";
    let items = items(header);
    for (number, name) in DIFFUSE_STATUSES {
        let name = name.to_str().unwrap();
        let (_, text) = items.iter().find(|(code, _)| code.starts_with(&format!("#define {name} "))).unwrap();
        writeln!(page, "| {number} | `{name}` | {text} |").unwrap();
    }
    page += "\n## Other constants\n\n| name | value | meaning |\n|---|---|---|\n";
    for (code, text) in &items {
        let Some((name, value)) = code.strip_prefix("#define ").and_then(|define| define.split_once(' ')) else {
            continue;
        };
        if !DIFFUSE_STATUSES.iter().any(|(_, status)| status.to_str() == Ok(name)) {
            writeln!(page, "| `{name}` | {value} | {text} |").unwrap();
        }
    }
    let nouns = ["runtime", "model_options", "model", "request", "job", "estimate", "cancel"];
    let noun_of = |code: &str| {
        // The longest that fits: model_options before model.
        let fits =
            |noun: &&&str| code.contains(&format!(" diffuse_{noun}_")) || code.contains(&format!("*diffuse_{noun}_"));
        nouns.iter().filter(fits).max_by_key(|noun| noun.len()).copied()
    };
    let functions: Vec<_> =
        items.iter().filter(|(code, _)| code.contains("(") && !code.starts_with("typedef")).collect();
    let mut written = 0;
    for noun in nouns.iter().map(|noun| Some(*noun)).chain([None]) {
        writeln!(page, "\n## {}", noun.map_or("The library".into(), |noun| format!("`diffuse_{noun}`"))).unwrap();
        let types = items.iter().filter(|(code, _)| match noun {
            Some(noun) => code == &format!("typedef struct diffuse_{noun} diffuse_{noun};"),
            None => {
                ["typedef void", "typedef int32_t"].iter().any(|start| code.starts_with(start)) || code.contains('{')
            }
        });
        for (code, text) in types.chain(functions.iter().copied().filter(|(code, _)| noun_of(code) == noun)) {
            written += usize::from(!code.starts_with("typedef"));
            writeln!(page, "\n```c\n{code}\n```\n{text}").unwrap();
        }
    }
    assert_eq!(written, exports().len(), "a function is missing from the reference");
    page
}

/// The declarations of the header, each with the comment above it in one line.
fn items(header: &str) -> Vec<(String, String)> {
    let mut items = Vec::new();
    for rest in header.split("\n/*\n").skip(1) {
        let (comment, rest) = rest.split_once("\n */\n").unwrap();
        let end = match rest.lines().next().unwrap() {
            line if line.starts_with("#define") => line.len(),
            // Up to its closing brace.
            line if line.ends_with('{') => rest.find("\n}").map(|at| at + rest[at..].find(';').unwrap() + 1).unwrap(),
            _ => rest.find(';').unwrap() + 1,
        };
        // A paragraph's lines belong together.
        let text: Vec<_> =
            comment.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        items.push((rest[..end].to_owned(), text.join("\n\n")));
    }
    items
}

/// What a compiled host relies on, a line each: constants, types and functions without their comments.
fn declarations(header: &str) -> Vec<String> {
    let without_comments: String = header
        .split("/*")
        .enumerate()
        .map(|(i, part)| if i == 0 { part } else { part.split_once("*/").unwrap().1 })
        .collect();
    let mut declarations = Vec::new();
    let mut open = String::new();
    for line in without_comments.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with("#define DIFFUSE_") && open.is_empty() {
            declarations.push(line.to_owned());
        } else if !line.starts_with('#') && !line.starts_with("extern \"C\"") && line != "}" {
            open += if open.is_empty() || open.ends_with('(') { "" } else { " " };
            open += line;
            if line.ends_with(';') && open.matches('{').count() == open.matches('}').count() {
                declarations.push(std::mem::take(&mut open));
            }
        }
    }
    declarations.retain(|declaration| declaration != "#define DIFFUSE_H");
    declarations
}

/// The first version of the header is frozen, as are the programs in tests/abi that were compiled against it.
#[test]
fn nothing_that_hosts_were_compiled_with_has_changed() {
    let now = declarations(&header());
    let first = std::fs::read_to_string(repository("tests/abi/0.1/declarations.txt")).unwrap();
    assert!(first.lines().count() > 100);
    for declaration in first.lines() {
        let there = match declaration.split_once('}') {
            // Fields are added at the end.
            Some((fields, _)) => now.iter().any(|now| now.starts_with(fields)),
            None => now.iter().any(|now| now == declaration),
        };
        assert!(there, "hosts were compiled with:\n{declaration}");
    }
}

/// The functions of the header for Python's ctypes.
#[test]
fn the_functions_for_python_are_fresh() {
    let name = |parameter: &str| -> (String, String) {
        let at = parameter.rfind([' ', '*']).unwrap() + 1;
        (parameter[..at].trim().replace("struct ", ""), parameter[at..].to_owned())
    };
    let type_of = |c: &str| -> String {
        let c = c.trim().trim_start_matches("const ").trim_end();
        let stars = c.matches('*').count();
        let base = c.trim_end_matches(['*', ' ']);
        let scalar = match base {
            "int32_t" => "c_int32",
            "uint32_t" => "c_uint32",
            "int64_t" => "c_int64",
            "uint64_t" => "c_uint64",
            "uint8_t" => "c_uint8",
            "size_t" => "c_size_t",
            "float" => "c_float",
            "double" => "c_double",
            _ => "",
        };
        match (base, stars) {
            ("void", 0) => "None".into(),
            ("void", 1) => "c_void_p".into(),
            ("char", 1) => "c_char_p".into(),
            ("char", 2) => "POINTER(c_char_p)".into(),
            ("diffuse_callback", 0) => "Callback".into(),
            ("diffuse_log_sink", 0) => "LogSink".into(),
            ("diffuse_cost", 1) => "POINTER(Cost)".into(),
            (base, 1) if base.starts_with("diffuse_") => "c_void_p".into(),
            (base, 2) if base.starts_with("diffuse_") => "POINTER(c_void_p)".into(),
            (_, stars) => {
                assert!(!scalar.is_empty(), "{c}");
                "POINTER(".repeat(stars) + scalar + &")".repeat(stars)
            }
        }
    };
    let mut page = String::from(
        "\"\"\"The functions, types and constants of diffuse.h for ctypes. Generated from the header by its test; do not edit.\"\"\"\n\n\
         from __future__ import annotations\n\nfrom ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p\n\
         from typing import Any\n\n",
    );
    let (mut constants, mut functions) = (String::new(), String::new());
    let declarations = declarations(&header());
    for declaration in &declarations {
        if let Some(define) = declaration.strip_prefix("#define DIFFUSE_") {
            let (name, value) = define.split_once(' ').unwrap();
            writeln!(constants, "{name} = {value}").unwrap();
        } else if !declaration.starts_with("typedef") {
            let (start, parameters) = declaration.trim_end_matches(");").split_once('(').unwrap();
            let (result, function) = name(start);
            let parameters: Vec<String> = parameters
                .split(", ")
                .filter(|parameter| *parameter != "void")
                .map(|parameter| type_of(&name(parameter).0))
                .collect();
            writeln!(functions, "    \"{function}\": ({}, [{}]),", type_of(&result), parameters.join(", ")).unwrap();
        }
    }
    page += &constants;
    let fields = declarations.iter().find(|declaration| declaration.contains("typedef struct diffuse_cost {")).unwrap();
    let fields = fields.split_once('{').unwrap().1.split_once('}').unwrap().0;
    page += "\n\nclass Cost(Structure):\n    \"\"\"What a run is expected to take.\"\"\"\n\n    _fields_ = [\n";
    for field in fields.split(';').map(str::trim).filter(|field| !field.is_empty()) {
        let (of, name) = name(field);
        writeln!(page, "        (\"{name}\", {}),", type_of(&of)).unwrap();
    }
    page += "    ]\n\n\n";
    for (python, c) in [("Callback", "diffuse_callback"), ("LogSink", "diffuse_log_sink")] {
        let declaration = declarations.iter().find(|declaration| declaration.contains(&format!("(*{c})"))).unwrap();
        let (result, parameters) = declaration.trim_start_matches("typedef ").split_once(&format!("(*{c})(")).unwrap();
        // What is written to is no Python string.
        let of = |parameter: &str| {
            if parameter == "char *message" { "c_void_p".into() } else { type_of(&name(parameter).0) }
        };
        let parameters: Vec<String> = parameters.trim_end_matches(");").split(", ").map(of).collect();
        writeln!(page, "{python} = CFUNCTYPE({}, {})", type_of(result), parameters.join(", ")).unwrap();
    }
    write!(page, "\nFUNCTIONS: dict[str, tuple[Any, list[Any]]] = {{\n{functions}}}\n").unwrap();
    agree("bindings/python/src/diffuse/_abi.py", &page, "header");
}

/// What the package for Python does not call: what is said by others, is of the process, or is not there yet.
#[test]
fn the_package_for_python_has_what_the_header_has() {
    let left_out = [
        "diffuse_job_open",
        "diffuse_job_open_bytes",
        "diffuse_job_run",
        "diffuse_job_stage",
        "diffuse_log_set",
        "diffuse_request_set_number",
        "diffuse_status_name",
        "diffuse_version_number",
    ];
    let files = std::fs::read_dir(repository("bindings/python/src/diffuse")).unwrap();
    let source: String = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "py") && !path.ends_with("_abi.py"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    for name in exports() {
        let after = |end: char| !end.is_alphanumeric() && end != '_';
        let called = source.split(&name).skip(1).any(|rest| rest.starts_with(after));
        assert!(called != left_out.contains(&name.as_str()), "{name}");
    }
}

/// The size of every struct, and where its fields lie: `struct.field offset size`.
fn layout() -> String {
    macro_rules! layout {
        ($type:ident { $($field:ident),* }) => {{
            let of = |text: &str, at: usize, size: usize| format!("{}{text} {at} {size}\n", stringify!($type));
            fn size<T>(_: fn(&diffuse::capi::$type) -> &T) -> usize {
                size_of::<T>()
            }
            of("", 0, size_of::<diffuse::capi::$type>())
                $(+ &of(
                    concat!(".", stringify!($field)),
                    std::mem::offset_of!(diffuse::capi::$type, $field),
                    size(|value| &value.$field),
                ))*
        }};
    }
    layout!(diffuse_cost { struct_size, reserved, evaluations, peak_bytes, milliseconds })
}

/// The structs of the header lie in memory as they did, for Rust and for a C compiler.
#[test]
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn structs_lie_in_memory_as_they_did() {
    let layout = layout();
    agree("include/diffuse.layout", &layout, "header");
    // Every struct with fields is in it.
    let header = header();
    assert_eq!(header.lines().filter(|line| line.starts_with("typedef struct") && line.ends_with('{')).count(), 1);
    let mut program = String::from("#include <stdio.h>\n#include \"diffuse.h\"\nint main(void) {\n");
    for line in layout.lines() {
        let name = line.split(' ').next().unwrap();
        match name.split_once('.') {
            None => writeln!(program, "printf(\"{name} 0 %zu\\n\", sizeof({name}));").unwrap(),
            Some((of, field)) => writeln!(
                program,
                "printf(\"{name} %zu %zu\\n\", offsetof({of}, {field}), sizeof((({of} *)0)->{field}));"
            )
            .unwrap(),
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, binary) = (folder.path().join("layout.c"), folder.path().join("layout"));
    std::fs::write(&source, program + "return 0;\n}\n").unwrap();
    let mut compiler = std::process::Command::new("cc");
    assert!(
        compiler.arg("-I").arg(repository("include")).arg(source).arg("-o").arg(&binary).status().unwrap().success()
    );
    let output = std::process::Command::new(binary).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), layout);
}

/// The execution providers and their options.
#[test]
fn the_providers_are_listed() {
    let mut page = String::from(
        "# Execution providers\n\nGenerated from the library's table. `1` and `0` switch a flag on and off; `true` and `false` are taken as well. \
         What is not set is as the provider has it, which is what is said here of ONNX Runtime 1.31 (of its 1.24 for OpenVINO).\n",
    );
    for provider in PROVIDERS {
        writeln!(
            page,
            "\n## {}\n\n{} It needs {}.\n\n| option | value | meaning |\n|---|---|---|",
            provider.name, provider.summary, provider.needs
        )
        .unwrap();
        for option in provider.options {
            writeln!(page, "| `{}` | {} | {} |", option.key, option.kind, option.text()).unwrap();
        }
    }
    page += "\n## Plugin libraries\n\n\
        A provider that comes as a library of its own is named by that library's path and gets a name of the caller's. `device` is the place of the device, \
        counted from 0, among those that the library finds; the library checks its other options itself.\n";
    agree("include/PROVIDERS.md", &page, "header");
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let names: Vec<_> = PROVIDERS.iter().map(|provider| format!("`{}`", provider.name)).collect();
    let text = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&names.join(", ")), "README.md names other providers");
}
