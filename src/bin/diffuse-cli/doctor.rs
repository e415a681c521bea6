//! `diffuse-cli doctor`: is ONNX Runtime there, and does it start?

use std::fmt::Write as _;

use clap::Args;
use diffuse::onnx::{Candidate, OLDEST_MINOR_VERSION};
use diffuse::{Error, Runtime};

use crate::failure::Failure;
use crate::shared::{RuntimeArguments, print, print_json};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    runtime: RuntimeArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Report {
    diffuse: &'static str,
    candidates: Vec<Candidate>,
    onnxruntime: Option<Started>,
    error: Option<String>,
    cores: usize,
}

#[derive(serde::Serialize)]
struct Started {
    path: std::path::PathBuf,
    version: String,
}

const REMEDY: &str = "\
What to do: get ONNX Runtime's shared library and put it beside diffuse-cli (or beside libdiffuse).
  In diffuse's own source tree:  python3 onnx/setup.py --runtime-only
  With pip, on any system:       pip download --no-deps --only-binary=:all: onnxruntime
                                 then unpack the wheel (a zip); the library is in onnxruntime/capi
Elsewhere: --onnxruntime PATH for one call, or the environment variable ORT_DYLIB_PATH for all.";

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let opened = Runtime::open(arguments.runtime.path.as_deref());
    let report = Report {
        diffuse: env!("CARGO_PKG_VERSION"),
        candidates: Runtime::candidates(),
        onnxruntime: opened
            .as_ref()
            .ok()
            .map(|runtime| Started { path: runtime.path().into(), version: runtime.version().into() }),
        error: opened.as_ref().err().map(ToString::to_string),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    };
    if arguments.json {
        print_json(&report)?;
    } else {
        print(&text(&report))?;
    }
    match opened {
        Ok(_) => Ok(()),
        // In the report already, with what to do: only the exit code is left to say.
        Err(_) => Err(Failure::Library(Error::Runtime { reason: "not usable, see above".into() })),
    }
}

fn text(report: &Report) -> String {
    let mut text = format!("diffuse {}, {} cores\n", report.diffuse, report.cores);
    match (&report.onnxruntime, &report.error) {
        (Some(started), _) => {
            let _ = writeln!(text, "ONNX Runtime {} works: {}", started.version, started.path.display());
        }
        (None, error) => {
            let _ = writeln!(
                text,
                "{}\nPlaces looked in, 1.{OLDEST_MINOR_VERSION} or newer being needed:",
                error.as_deref().unwrap_or_default()
            );
            for Candidate { reason, place, library } in &report.candidates {
                let found = library.as_ref().map_or("nothing".into(), |library| library.display().to_string());
                let _ = writeln!(text, "  {} ({reason}): {found}", place.display());
            }
            let _ = writeln!(text, "{REMEDY}");
        }
    }
    text
}
