//! The table of promises names tests that exist.

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
