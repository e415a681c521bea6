//! The figures of the README, held against what they count.

use diffuse::model::SchedulerConfig;
use diffuse::solver::SOLVERS;

use crate::support::repository;

fn read(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap()
}

/// The rows of a table of Markdown whose first cell begins with `start`, as their cells.
fn rows(text: &str, start: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.split('|').skip(1).map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    text.lines().filter(|line| line.starts_with(&format!("| {start}"))).map(cells).collect()
}

#[test]
fn its_figures_are_those_that_are_counted() {
    let readme = read("README.md");
    let text = readme.split_whitespace().collect::<Vec<_>>().join(" ");

    let exported = read("onnx/fixtures/predictors/README.md");
    let exported = exported.split("## Exported").nth(1).unwrap().split("\n## ").next().unwrap();
    let families = rows(exported, "`").len();
    let pipelines = rows(&read("tests/PIPELINES.md"), "");
    let runs: usize = pipelines.iter().filter_map(|row| row[1].parse::<usize>().ok()).sum();
    let unknown = SchedulerConfig::parse(r#"{"_class_name": "NoScheduler"}"#).unwrap_err().to_string();
    let classes = unknown.split("known are").nth(1).unwrap().split(", ").count();

    for sentence in [
        format!("{families} families of exports are tested."),
        format!("All {} solvers follow their papers.", SOLVERS.len()),
        format!("{runs} runs of pipelines match diffusers within 1 of 255 levels,"),
        format!("and {classes} classes of `scheduler_config.json` are read as published."),
    ] {
        assert!(text.contains(&sentence), "README.md lacks: {sentence}");
    }
    // What .ci/run allows, in bytes.
    let ci = read(".ci/run");
    for (mebibytes, words) in [(7.0, "at most 7 MiB"), (3.75, "or 3.75 MiB without tokenizers")] {
        assert!(text.contains(words), "README.md lacks: {words}");
        assert!(
            ci.contains(&format!("-le {}", mebibytes * f64::from(1 << 20))),
            ".ci/run allows another size than {words}"
        );
    }
    for floor in ["glibc 2.34", "the archive 2.28"] {
        assert!(text.contains(floor), "README.md lacks: {floor}");
    }
    assert!(ci.contains("GLIBC_2.34") && read("bindings/archive/check").contains("GLIBC_2.28"));
    assert!(readme.lines().count() <= 200, "README.md is for deciding in sixty seconds");
}
