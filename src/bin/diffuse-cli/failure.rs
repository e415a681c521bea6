//! How the program ends when something went wrong.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use diffuse::Error;
use diffuse::log::{OF_RUNTIME, Severity, set_log_sink};
use diffuse::text::{escaped, escaped_lines};

use crate::interrupt;

/// The last lines of `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    Done.
  1    Something else went wrong.
  2    A wrong argument.
  3    The model, or its manifest, does not fit.
  4    ONNX Runtime is missing, too old or does not start.
  5    The network failed, or its output is not finite.
  6    A file could not be read or written.
  7    A requested execution provider cannot be used.
  130  Interrupted (Ctrl-C).";

const NO_RUNTIME: u8 = 4;

/// Writes to standard error, without what a terminal would obey. Unlike `eprint!` it does not panic where that is
/// closed or full. It keeps ends of lines, so text from elsewhere has to be [`escaped`] before it is put into `text`.
pub(crate) fn say(text: &str) {
    draw(&escaped_lines(text).to_string());
}

/// The text that removes the progress bar, where there may be one.
pub(crate) fn no_bar() -> String {
    if io::stderr().is_terminal() { format!("\r{:30}\r", "") } else { String::new() }
}

/// Prints the library's warnings from here on, each one once. ONNX Runtime's messages are not for users of a command.
pub(crate) fn say_warnings() {
    let said = Mutex::new(HashSet::new());
    set_log_sink(Some(Box::new(move |severity, message| {
        if severity < Severity::Warning || message.starts_with(OF_RUNTIME) {
            return;
        }
        if said.lock().unwrap_or_else(PoisonError::into_inner).insert(message.to_owned()) {
            draw(&no_bar());
            say(&format!("note: {}\n", escaped(message)));
        }
    })));
}

/// Writes to standard error as it is, for the progress bar, which moves the cursor.
pub(crate) fn draw(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Why the program ends before it is done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error of the library.
    Library(Error),
    /// A wrong argument that only the command line has.
    Usage(String),
    /// An unexpected failure.
    Other(String),
    /// The reader of our output has stopped reading. This is no failure, and prints nothing.
    Unread,
    /// The command has printed the reason already. `doctor` only adds its exit code.
    NoRuntime,
}

impl Failure {
    /// A file that could not be read or written.
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::Library(Error::Io { path: path.to_path_buf(), source })
    }

    /// Standard output that could not be written.
    pub(crate) fn stdout(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::file(Path::new("standard output"), source),
        }
    }

    /// Prints on standard error what went wrong, and returns the exit code for it.
    pub(crate) fn report(&self) -> ExitCode {
        let code = match self {
            Self::Unread => return ExitCode::SUCCESS,
            Self::NoRuntime => return ExitCode::from(NO_RUNTIME),
            Self::Usage(_) | Self::Library(Error::Argument { .. }) => 2,
            Self::Library(Error::Model { .. }) => 3,
            Self::Library(Error::Runtime { .. }) => NO_RUNTIME,
            Self::Library(Error::Evaluation { .. }) => 5,
            Self::Library(Error::Io { .. }) => 6,
            Self::Library(Error::Provider { .. }) => 7,
            Self::Library(Error::Cancelled) => 130,
            Self::Library(_) | Self::Other(_) => 1,
        };
        say(&format!("diffuse-cli: {self}\n"));
        ExitCode::from(code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library(Error::Cancelled) => f.write_str(interrupt::account()),
            // The model has no flag.
            Self::Library(Error::Argument { name: "model", reason }) => write!(f, "{}", escaped(reason)),
            Self::Library(Error::Argument { name, reason }) => {
                // A list in a request is given one by one here.
                let flag = match *name {
                    "negative_classes" => "negative-class".to_owned(),
                    "negative_conditions" => "negative-condition".to_owned(),
                    "negative_prompt" => "negative".to_owned(),
                    name => name.replace('_', "-"),
                };
                write!(f, "--{flag}: {}", escaped(reason))
            }
            Self::Library(Error::Runtime { .. }) => write!(f, "{}\nRun `diffuse-cli doctor` for help.", self.library()),
            // The library's option is a flag here.
            Self::Library(Error::Provider { .. }) => f.write_str(&self.library().replace("cpu_nodes", "--cpu-nodes")),
            Self::Library(_) => f.write_str(&self.library()),
            Self::Usage(text) | Self::Other(text) => write!(f, "{}", escaped(text)),
            Self::Unread | Self::NoRuntime => Ok(()),
        }
    }
}

impl Failure {
    fn library(&self) -> String {
        match self {
            Self::Library(error) => error.to_string(),
            _ => String::new(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}
