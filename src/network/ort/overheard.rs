//! What ONNX Runtime's log says while somebody listens: reasons that its errors leave out.

use std::cell::RefCell;

thread_local! {
    /// What ONNX Runtime says on this thread while somebody listens. The reason why a library cannot be loaded is only
    /// there.
    static OVERHEARD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Notes an error message of ONNX Runtime's log, if somebody listens on this thread.
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

/// An error of ONNX Runtime with what its log said of it.
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

/// A message without the file, the line and the function of ONNX Runtime that it is from.
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
