//! What ONNX Runtime, and now and then this crate, has to say to whoever wants to hear it.

use std::sync::{PoisonError, RwLock};

use crate::process::PerProcess;

/// How serious a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Chatter.
    Verbose = 0,
    /// Information.
    Info = 1,
    /// Something that may be wrong.
    Warning = 2,
    /// Something that is wrong; it is returned as an error as well.
    Error = 3,
    /// Something that ONNX Runtime cannot go on from.
    Fatal = 4,
}

/// What the messages of ONNX Runtime begin with; others are this crate's.
pub const OF_RUNTIME: &str = "ONNX Runtime: ";

/// What takes messages.
pub type LogSink = Box<dyn Fn(Severity, &str) + Send + Sync>;

/// A fork begins without one.
static LOG_SINK: PerProcess<RwLock<Option<LogSink>>> = PerProcess::new();

/// Sends what ONNX Runtime says to `sink`, and what this crate has to say that is no error; `None`, the default, drops
/// it. The sink is called from any thread, also from several at once, and must not call this crate. When this returns
/// the former sink is not called any more.
pub fn set_log_sink(sink: Option<LogSink>) {
    let former = std::mem::replace(&mut *LOG_SINK.get().write().unwrap_or_else(PoisonError::into_inner), sink);
    // Not while others wait for what it does when it goes.
    drop(former);
}

/// Hands a message to the sink. It is worded only where there is one.
pub(crate) fn say(severity: Severity, message: impl FnOnce() -> String) {
    if let Some(sink) = LOG_SINK.get().read().unwrap_or_else(PoisonError::into_inner).as_ref() {
        sink(severity, &message());
    }
}
