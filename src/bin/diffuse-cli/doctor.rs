//! `diffuse-cli doctor`: checks that ONNX Runtime is there and starts.

use std::fmt::Write as _;
use std::path::Path;

use clap::Args;
use diffuse::Runtime;
use diffuse::network::Candidate;
use diffuse::text::escaped;

use crate::failure::Failure;
use crate::shared::{RuntimeArguments, print, print_json};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    runtime: RuntimeArguments,
}

#[derive(serde::Serialize)]
struct Report {
    diffuse: &'static str,
    candidates: Vec<Place>,
    onnxruntime: Option<Started>,
    error: Option<String>,
    cores: usize,
}

/// A place where ONNX Runtime may be. Names are shown as well as Unicode can.
#[derive(serde::Serialize)]
struct Place {
    reason: &'static str,
    place: String,
    library: Option<String>,
}

impl Place {
    fn new(candidate: &Candidate) -> Self {
        let Candidate { reason, place, library } = candidate;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        Self { reason, place: text(place), library: library.as_deref().map(text) }
    }
}

#[derive(serde::Serialize)]
struct Started {
    path: String,
    version: String,
    /// The providers it was built with.
    providers: Vec<&'static str>,
}

const REMEDY: &str = "\
What to do: get ONNX Runtime's shared library and put it beside diffuse-cli (or beside libdiffuse).
  In diffuse's own source tree:  python3 onnx/setup.py --runtime-only
  With pip, on any system:       pip download --no-deps --only-binary=:all: onnxruntime
                                 then unpack the wheel (a zip); the library is in onnxruntime/capi
Elsewhere: --onnxruntime PATH for one call, or the environment variable ORT_DYLIB_PATH for all.
Looked at, in this order: --onnxruntime; what ORT_DYLIB_PATH names; beside diffuse-cli; the system's libraries; what its loader
finds. The first that is there is used.";

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let opened = Runtime::open(arguments.runtime.path.as_deref());
    let candidates = match &arguments.runtime.path {
        Some(path) => vec![Candidate { reason: "--onnxruntime", place: path.clone(), library: Some(path.clone()) }],
        None => Runtime::candidates(),
    };
    let report = Report {
        diffuse: env!("CARGO_PKG_VERSION"),
        candidates: candidates.iter().map(Place::new).collect(),
        onnxruntime: opened.as_ref().ok().map(|runtime| Started {
            path: runtime.path().to_string_lossy().into_owned(),
            version: runtime.version().into(),
            providers: runtime.providers(),
        }),
        error: opened.as_ref().err().map(ToString::to_string),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    };
    if arguments.json {
        print_json(&report)?;
    } else {
        print(&text(&report))?;
    }
    if opened.is_ok() { Ok(()) } else { Err(Failure::NoRuntime) }
}

fn text(report: &Report) -> String {
    let mut text = format!("diffuse {}, {} cores\n", report.diffuse, report.cores);
    match (&report.onnxruntime, &report.error) {
        (Some(started), _) => {
            let _ = writeln!(text, "ONNX Runtime {} works: {}", escaped(&started.version), escaped(&started.path));
            let _ = writeln!(text, "It was built with these providers: {}", started.providers.join(", "));
        }
        (None, error) => {
            let _ = writeln!(text, "{}", error.as_deref().unwrap_or_default());
            let found: Vec<_> = report.candidates.iter().filter(|candidate| candidate.library.is_some()).collect();
            for (i, Place { reason, place, library }) in found.iter().enumerate() {
                let path = escaped(library.as_deref().unwrap_or(place));
                let used = if i == 0 { "was tried" } else { "is passed over: only the first counts" };
                let _ = writeln!(text, "{path} ({reason}) {used}");
            }
            let _ = writeln!(text, "{REMEDY}");
        }
    }
    text
}
