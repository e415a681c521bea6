//! Errors, grouped by what the caller can do about them.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::text::escaped;

/// A `Result` whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed. The variant tells what the caller can do about it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A value that was passed in cannot be used. Change the call.
    Argument {
        /// The argument's name in the API.
        name: &'static str,
        /// What is wrong with the value, and what would be right.
        reason: String,
    },
    /// A file could not be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The model or its manifest does not fit. Change the model file or the manifest.
    Model {
        /// The model: its path, or "model in memory".
        model: String,
        /// The tensor or field, what was expected and what was found.
        reason: String,
    },
    /// ONNX Runtime is missing, too old, or did not start. Install another one, or name its path.
    Runtime {
        /// Which library was tried, why it was refused and what to do.
        reason: String,
    },
    /// A requested execution provider cannot be used. Install what it lacks, or request another one.
    Provider {
        /// The provider.
        provider: String,
        /// The missing library, the nodes that it does not take, or its message.
        reason: String,
    },
    /// The network failed, or its output is not finite.
    Evaluation {
        /// The step of the run, counted from 0.
        step: usize,
        /// What happened.
        reason: String,
    },
    /// The caller's own code, called during a step, failed. The job can be stepped again.
    Callback {
        /// The step of the run, counted from 0.
        step: usize,
        /// Its message.
        reason: String,
    },
    /// The requested thing is not there yet. Go on with the job, and try again.
    NotYet {
        /// What is missing, and what makes it.
        reason: String,
    },
    /// The job, or the call, was cancelled.
    Cancelled,
    /// Another thread is working on the job. Wait for it.
    Busy,
    /// A bug in this library, or a panic in the caller's own code. Drop the object involved.
    Panic {
        /// Its message.
        reason: String,
    },
    /// The system has no memory for the request. Request less, or free something.
    Memory {
        /// What the memory was for, and how much was requested if that is known.
        reason: String,
    },
}

impl Error {
    pub(crate) fn argument(name: &'static str, reason: impl Into<String>) -> Self {
        Self::Argument { name, reason: reason.into() }
    }

    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), source }
    }

    pub(crate) fn model(model: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Model { model: model.into(), reason: reason.into() }
    }

    pub(crate) fn runtime(reason: impl Into<String>) -> Self {
        Self::Runtime { reason: reason.into() }
    }

    pub(crate) fn not_yet(reason: impl Into<String>) -> Self {
        Self::NotYet { reason: reason.into() }
    }

    pub(crate) fn memory(reason: impl Into<String>) -> Self {
        Self::Memory { reason: reason.into() }
    }

    /// The error for a panic, with its message.
    pub(crate) fn panic(panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self::Panic { reason: text.unwrap_or("a panic").to_owned() }
    }

    /// A copy of the error, for a later call that needs it.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Argument { name, reason } => Self::Argument { name, reason: reason.clone() },
            Self::Io { path, source } => {
                // It keeps the system's own number, if it has one.
                let source = match source.raw_os_error() {
                    Some(number) => std::io::Error::from_raw_os_error(number),
                    None => std::io::Error::new(source.kind(), source.to_string()),
                };
                Self::Io { path: path.clone(), source }
            }
            Self::Model { model, reason } => Self::Model { model: model.clone(), reason: reason.clone() },
            Self::Runtime { reason } => Self::Runtime { reason: reason.clone() },
            Self::Provider { provider, reason } => {
                Self::Provider { provider: provider.clone(), reason: reason.clone() }
            }
            Self::Evaluation { step, reason } => Self::Evaluation { step: *step, reason: reason.clone() },
            Self::Callback { step, reason } => Self::Callback { step: *step, reason: reason.clone() },
            Self::NotYet { reason } => Self::NotYet { reason: reason.clone() },
            Self::Cancelled => Self::Cancelled,
            Self::Busy => Self::Busy,
            Self::Panic { reason } => Self::Panic { reason: reason.clone() },
            Self::Memory { reason } => Self::Memory { reason: reason.clone() },
        }
    }
}

/// Writes the error on one line, without what a terminal would obey. Paths, names in models and ONNX Runtime's messages
/// are escaped ([`escaped`]).
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument { name, reason } => write!(f, "{name}: {}", escaped(reason)),
            Self::Io { path, source } => {
                write!(f, "{}: {}", escaped(&path.to_string_lossy()), escaped(&source.to_string()))
            }
            Self::Model { model, reason } => write!(f, "{}: {}", escaped(model), escaped(reason)),
            Self::Runtime { reason } => write!(f, "ONNX Runtime: {}", escaped(reason)),
            Self::Provider { provider, reason } => write!(f, "provider {}: {}", escaped(provider), escaped(reason)),
            Self::Evaluation { step, reason } => write!(f, "step {step}: {}", escaped(reason)),
            Self::Callback { step, reason } => write!(f, "step {step}: the callback: {}", escaped(reason)),
            Self::NotYet { reason } => escaped(reason).fmt(f),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Busy => f.write_str("another thread is working on the job"),
            Self::Panic { reason } => write!(f, "a bug in diffuse: {}", escaped(reason)),
            Self::Memory { reason } => write!(f, "there is no memory for {}", escaped(reason)),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_quotes_cannot_command_a_terminal() {
        let said = "tensor 'x\x1b[2J\nfake line'".to_owned();
        let path = PathBuf::from("a\x1b]0;b\u{202e}.onnx");
        let source = || std::io::Error::other(said.clone());
        for error in [
            Error::argument("class", &*said),
            Error::io(&path, source()),
            Error::model(path.display().to_string(), &*said),
            Error::runtime(&*said),
            Error::Provider { provider: said.clone(), reason: said.clone() },
            Error::Evaluation { step: 1, reason: said.clone() },
            Error::Callback { step: 1, reason: said.clone() },
            Error::Panic { reason: said.clone() },
            Error::memory(&*said),
        ] {
            let text = error.to_string();
            assert!(!text.contains(crate::text::is_unsafe) && text.contains("x\\u{1b}[2J\\nfake line"), "{text:?}");
        }
    }
}
