//! The table of promises names tests that exist.

use std::path::{Path, PathBuf};

use crate::support::repository;

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(repository(path)).ok()
}

#[test]
fn every_promise_has_its_test() {
    let table = read("tests/PROMISES.md").unwrap();
    let python = read("bindings/python/tests/test_diffuse.py").unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| case")).collect();
    assert!(rows.len() >= 60, "{} rows", rows.len());
    for row in rows {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for name in cell.split('`').skip(1).step_by(2) {
            let found = match name.split_once("::") {
                None => python.contains(&format!("def {name}(")),
                Some((file, test)) => {
                    let places = [
                        "tests/all/",
                        "src/",
                        "src/network/ort/",
                        "src/model/",
                        "src/model/manifest/",
                        "src/stage/",
                        "src/sample/",
                        "src/bin/diffuse-cli/",
                    ];
                    let sources: Vec<String> =
                        places.iter().filter_map(|place| read(&format!("{place}{file}.rs"))).collect();
                    sources.iter().any(|source| source.contains(&format!("fn {test}()")))
                }
            };
            assert!(found, "there is no test {name}, which the table names");
        }
        assert!(cell.contains('`'), "no test: {row}");
    }
}

/// On PyPI and crates.io this name is other people's.
#[test]
fn no_document_installs_what_is_others() {
    fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && !["target", "runtime", "build"].contains(&name.as_str()) {
                documents(&path, found);
            } else if [".md", ".h", ".hpp", ".txt", ".toml", ".py", ".rs"].iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    documents(&repository(""), &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for path in found.iter().filter(|path| !path.ends_with("tests/all/promises.rs")) {
        let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        for command in ["pip install", "pip download", "cargo add", "cargo install"] {
            let installs = |line: &str| {
                let of = line.split_once(command).map_or("", |(_, of)| of);
                of.split_whitespace().take_while(|word| *word != "&&").any(|word| word.trim_matches('`') == "diffuse")
            };
            let line = text.lines().find(|line| installs(line));
            assert!(line.is_none(), "{}: {}", path.display(), line.unwrap_or_default());
        }
    }
}
