//! Captures ONNX Runtime's log on a thread, for reasons that its errors leave out.

use std::cell::RefCell;

thread_local! {
    /// The captured messages of ONNX Runtime on this thread, while it captures. Only they have the reason why a library
    /// cannot be loaded.
    static OVERHEARD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Notes an error message of ONNX Runtime's log, if this thread captures.
pub(super) fn hear(message: &str) {
    OVERHEARD.with_borrow_mut(|heard| {
        if let Some(heard) = heard {
            heard.push(message.to_owned());
        }
    });
}

pub(super) fn overheard<T>(call: impl FnOnce() -> T) -> (T, Vec<String>) {
    OVERHEARD.set(Some(Vec::new()));
    let result = call();
    (result, OVERHEARD.take().unwrap_or_default())
}

/// An error of ONNX Runtime, with what its log has on it.
pub(super) fn with_log(message: &str, said: &[String]) -> String {
    let mut text = plain(message).to_owned();
    for line in said.iter().map(|line| plain(line)) {
        if !text.contains(line) {
            text += ": ";
            text += line;
        }
    }
    text
}

/// A message without the file, the line and the function of ONNX Runtime that it comes from.
fn plain(message: &str) -> &str {
    // "…/provider.cc:1 Get() [ONNXRuntimeError] : 1 : FAIL : what is wrong"
    if let Some((_, after)) = message.rsplit_once("[ONNXRuntimeError] : ") {
        return after.splitn(3, " : ").last().unwrap_or(after).trim();
    }
    // OpenVINO's provider quotes the signatures of a few functions first.
    message
        .rsplit_once("[OpenVINO-EP] ")
        .or(message.rsplit_once("[OpenVINO] "))
        .map_or(message, |(_, after)| after)
        .trim()
}
