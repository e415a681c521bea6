//! `include/diffuse.h` and `include/diffuse.symbols` are what the code says. `DIFFUSE_BLESS=1 cargo test --test header` writes them.
#![cfg(feature = "capi")]

mod support;

use std::collections::BTreeSet;

use diffuse::capi::DIFFUSE_STATUSES;
use support::repository;

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
 * Bad input never crashes, and no function writes to stdout or stderr, exits, or installs a signal handler.
 */";

/// Compares `found` with the file, or writes it when told to.
fn agree(path: &str, found: &str) {
    let file = repository(path);
    if std::env::var_os("DIFFUSE_BLESS").is_some() {
        std::fs::write(&file, found).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    let first = written.lines().zip(found.lines()).position(|(a, b)| a != b);
    assert!(
        written == found,
        "{path} is stale (line {}); DIFFUSE_BLESS=1 cargo test --test header writes it",
        first.unwrap_or_else(|| written.lines().count().min(found.lines().count())) + 1
    );
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
        header: Some(TOP.into()),
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
    assert_eq!(header.matches("#define DIFFUSE_").count(), DIFFUSE_STATUSES.len() + 4, "a status is not in the table");
    agree("include/diffuse.h", &header);
}

#[test]
fn the_symbols_are_listed() {
    let list: Vec<String> = exports().into_iter().collect();
    agree("include/diffuse.symbols", &(list.join("\n") + "\n"));
}
