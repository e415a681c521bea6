//! Imports run one way, between the rooms and within each of them (ARCHITECTURE.md). What knows of ONNX Runtime and
//! what holds raw pointers stays where it is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rooms from the bottom up, each with its pages from the bottom up: a page knows only of those before it, and of
/// the rooms before its own. `mod.rs` is the list of a room's pages, which may name all of them, and which none of them
/// names.
const HOUSE: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("signature", &[]),
    ("error", &[]),
    ("json", &[]),
    ("option", &[]),
    ("bytes", &[]),
    ("sync", &[]),
    ("cancel", &[]),
    ("float", &[]),
    ("process", &[]),
    ("log", &[]),
    ("priority", &[]),
    ("tensor", &["storage", "combine", "typed"]),
    ("prompt", &[]),
    ("tokenizer", &[]),
    ("schedule", &["level", "beta", "continuous", "grid"]),
    ("noise", &["source", "counter", "listed", "begun", "blend", "torch"]),
    ("prediction", &[]),
    (
        "solver",
        &[
            "update",
            "ancestral",
            "exponential",
            "integration",
            "entry",
            "frame",
            "churn",
            "ddim",
            "ddim_inverse",
            "ddpm",
            "euler",
            "heun",
            "dpm2",
            "lms",
            "pndm",
            "dpm_solver",
            "dpm_cogvideox",
            "dpm_singlestep",
            "dpm_2s",
            "deis",
            "unipc",
            "sa",
            "lcm",
            "tcd",
            "consistency",
            "euler_ancestral_rf",
            "gradient_estimation",
            "reverse_sde",
            "langevin",
            "rk45",
        ],
    ),
    ("denoiser", &[]),
    ("guidance", &["classifier_free", "classifier", "host", "instruction"]),
    ("likelihood", &[]),
    ("sample", &["progress", "budget", "known", "job", "along", "adaptive", "snapshot", "step"]),
    ("settings", &[]),
    ("model", &["manifest", "pipeline", "resolved", "diffusers", "families"]),
    ("network", &["host", "ort"]),
    (
        "stage",
        &[
            "roles",
            "folder",
            "parts",
            "autoencoder",
            "model",
            "layout",
            "evaluator",
            "predictor",
            "classifier",
            "calls",
            "pixels",
        ],
    ),
    ("request", &["ask", "fitting", "choices", "editing", "steering", "plan", "compose", "encode"]),
    ("run", &["work", "staged", "draw", "runner", "cost", "counterfactual"]),
    (
        "capi",
        &[
            "status",
            "buffers",
            "error",
            "guard",
            "handle",
            "cancel",
            "user_data",
            "log",
            "version",
            "runtime",
            "pixels",
            "element",
            "estimate",
            "model",
            "request",
            "calls",
            "job",
        ],
    ),
];

/// The rooms within a room.
const INNER: &[(&str, &[&str])] = &[
    (
        "model/manifest",
        &[
            "omitted", "shape", "sample", "schedule", "time", "tensors", "defaults", "document", "named", "usual",
            "check", "read",
        ],
    ),
    (
        "model/families",
        &[
            "facts",
            "family",
            "parts",
            "stable_diffusion",
            "stable_diffusion_xl",
            "latent_consistency",
            "unconditional",
            "class_conditional",
        ],
    ),
    ("model/diffusers", &["classes", "fields", "numbers", "spread", "config", "levels", "departures"]),
    (
        "network/ort",
        &[
            "library",
            "native",
            "overheard",
            "turns",
            "stop",
            "contents",
            "files",
            "runtime",
            "provider",
            "options",
            "network",
            "binding",
            "part",
        ],
    ),
    ("network/ort/provider", &["table", "asked", "placement"]),
];

/// A file of the crate: its folders and its name, and its code without comments and tests.
struct Page {
    path: Vec<String>,
    code: String,
}

impl Page {
    /// The page as one of the room `room`, by its place among `pages`; the list itself is above all of them.
    fn place_in(&self, room: &[String], pages: &[&str]) -> Option<usize> {
        let name = self.path.strip_prefix(room)?.first()?;
        if name == "mod" { Some(pages.len()) } else { pages.iter().position(|page| page == name) }
    }

    /// What it imports of the crate, as paths from its root.
    fn imports(&self) -> BTreeSet<Vec<String>> {
        let mut imports = BTreeSet::new();
        let mut own: Vec<String> = self.path.clone();
        if own.last().is_some_and(|name| name == "mod") {
            own.pop();
        }
        for (start, _) in self.code.match_indices("crate::").chain(self.code.match_indices("super::")) {
            let before = &self.code[..start];
            if before.ends_with("::")
                || before.ends_with("(in ")
                || before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$')
            {
                continue;
            }
            let mut path = if self.code[start..].starts_with("crate") { Vec::new() } else { own.clone() };
            let mut rest = &self.code[start..];
            rest = rest.strip_prefix("crate::").unwrap_or(rest);
            while let Some(after) = rest.strip_prefix("super::") {
                path.pop();
                rest = after;
            }
            tails(rest, &path, &mut imports);
        }
        imports
    }
}

/// The paths that `text` goes on with behind `path`, which may be several in braces.
fn tails(text: &str, path: &[String], found: &mut BTreeSet<Vec<String>>) {
    if let Some(list) = text.strip_prefix('{') {
        let mut depth = 0usize;
        let mut item = 0;
        for (place, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    tails(list[item..place].trim(), path, found);
                    item = place + 1;
                    if c == '}' {
                        return;
                    }
                }
                _ => {}
            }
        }
        return;
    }
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if name.is_empty() || name == "self" {
        found.insert(path.to_vec());
        return;
    }
    let path = [path, std::slice::from_ref(&name)].concat();
    match text[name.len()..].strip_prefix("::") {
        Some(rest) => tails(rest, &path, found),
        None => {
            found.insert(path);
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

/// All pages but those of the command line.
fn pages() -> Vec<Page> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut pages = Vec::new();
    for path in rust_files(&source) {
        let code = std::fs::read_to_string(&path).unwrap();
        let code = code.split("#[cfg(test)]").next().unwrap().split("#[cfg(all(test").next().unwrap();
        let code: Vec<&str> = code.lines().map(|line| line.split("//").next().unwrap()).collect();
        let relative = path.strip_prefix(&source).unwrap().with_extension("");
        let names: Vec<_> = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if names[0] != "bin" {
            pages.push(Page { path: names, code: code.join("\n") });
        }
    }
    pages
}

fn names(path: &str) -> Vec<String> {
    path.split('/').filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect()
}

/// Holds the pages of a room to their order; what is wrong goes into `wrong`. It returns how many imports it has seen.
fn check(room: &str, order: &[&str], pages: &[Page], wrong: &mut Vec<String>) -> usize {
    let room = names(room);
    let mut seen = 0;
    for page in pages.iter().filter(|page| page.path.starts_with(&room)) {
        let at = page.path.join("/");
        let Some(own) = page.place_in(&room, order) else {
            wrong.push(format!("{at} is in no list"));
            continue;
        };
        for import in page.imports() {
            let Some(name) = import.strip_prefix(&room[..]).map(<[String]>::first) else { continue };
            let Some(used) = name.and_then(|name| order.iter().position(|page| page == name)) else {
                // A re-export at the top, or a private thing of the list's own.
                let is_top =
                    room.is_empty() && ["Error", "Result"].iter().any(|top| name.is_some_and(|name| name == top));
                if own < order.len() && !is_top {
                    wrong.push(format!("{at} names the list of its room: {}", import.join("::")));
                }
                continue;
            };
            seen += 1;
            let inside = page.path.get(room.len()).map(String::as_str) == Some(order[used]);
            if used > own || used == own && !inside {
                wrong.push(format!("{at} imports {}, which is above it", import.join("::")));
            }
        }
    }
    seen
}

#[test]
fn nothing_is_imported_upward() {
    let pages = pages();
    let rooms: Vec<&str> = HOUSE.iter().map(|(room, _)| *room).collect();
    let mut wrong = Vec::new();
    let top: Vec<Page> = pages.into_iter().filter(|page| page.path[0] != "lib").collect();
    let between = check("", &rooms, &top, &mut wrong);
    let within: usize = HOUSE
        .iter()
        .chain(INNER)
        .filter(|(_, pages)| !pages.is_empty())
        .map(|(room, order)| check(room, order, &top, &mut wrong))
        .sum();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(between > 200 && within > 100, "the imports were not found: {between} between rooms, {within} within");
}

/// The test itself: what it has to find.
#[test]
fn an_import_upward_is_found() {
    let page = |path: &str, code: &str| Page { path: names(path), code: code.into() };
    let wrong = |code: &str| {
        let mut wrong = Vec::new();
        check("room", &["low", "high"], &[page("room/low", code), page("room/mod", "mod low;")], &mut wrong);
        wrong
    };
    assert!(wrong("use crate::error::{Error, Result};\nuse crate::other::high;").is_empty());
    for code in [
        "use super::high::Thing;",
        "use crate::room::high::Thing;",
        "use crate::{error::Error, room::{low, high}};",
        "let x = super::high::thing();",
        "use super::Thing;",
        "use crate::room::Thing;",
    ] {
        assert_eq!(wrong(code).len(), 1, "{code}: {:?}", wrong(code));
    }
}

#[test]
fn only_one_room_knows_of_onnx_runtime() {
    for Page { path, code } in pages() {
        let words: Vec<&str> = code.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        // `mod ort` is that room.
        let allowed = path.starts_with(&names("network/ort")) || path == names("network/mod");
        let own = code.matches("network::ort").count();
        let used = words.iter().filter(|word| **word == "ort").count();
        assert!(allowed || used <= own, "{} uses ort", path.join("/"));
    }
}

#[test]
fn raw_pointers_and_unsafe_stay_where_they_are() {
    for Page { path, code } in pages() {
        let files = ["float", "process", "network/ort/runtime", "network/ort/native"];
        let allowed = path[0] == "capi" || files.iter().any(|file| path == names(file));
        for word in ["*const ", "*mut ", "unsafe "] {
            assert!(allowed || !code.contains(word), "{} has {word:?}", path.join("/"));
        }
    }
}
