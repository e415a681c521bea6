//! The log sink: messages of ONNX Runtime and of this crate, for a host that wants them.

use std::sync::{PoisonError, RwLock};

use crate::process::PerProcess;

/// How serious a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A detail.
    Verbose = 0,
    /// Information.
    Info = 1,
    /// Something that may be wrong.
    Warning = 2,
    /// Something that is wrong. It is returned as an error as well.
    Error = 3,
    /// Something that ends ONNX Runtime's work.
    Fatal = 4,
}

/// The prefix of ONNX Runtime's messages. Other messages are this crate's.
pub const OF_RUNTIME: &str = "ONNX Runtime: ";

/// A function that takes messages.
pub type LogSink = Box<dyn Fn(Severity, &str) + Send + Sync>;

/// A forked process begins without a sink.
static LOG_SINK: PerProcess<RwLock<Option<LogSink>>> = PerProcess::new();

/// Sends the messages of ONNX Runtime to `sink`, and those of this crate that are no errors. `None`, the default, drops
/// them.
///
/// The sink is called from any thread, also from several at once. It must not call this crate. When this function
/// returns, the former sink is not called any more.
pub fn set_log_sink(sink: Option<LogSink>) {
    let former = std::mem::replace(&mut *LOG_SINK.get().write().unwrap_or_else(PoisonError::into_inner), sink);
    // It is dropped outside of the lock, so that no thread waits for what it does then.
    drop(former);
}

/// Passes a message to the sink. The message is made only where there is a sink.
pub(crate) fn say(severity: Severity, message: impl FnOnce() -> String) {
    if let Some(sink) = LOG_SINK.get().read().unwrap_or_else(PoisonError::into_inner).as_ref() {
        sink(severity, &message());
    }
}
