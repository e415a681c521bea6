//! The calls of ONNX Runtime that `ort` leaves out.

use std::ffi::{CStr, c_char};

use ort::session::Session;
use ort::{AsPointer, sys};

/// The providers that ONNX Runtime was built with, by its own names. It does not say whether they work here.
pub(super) fn compiled_in() -> Vec<String> {
    let (mut names, mut count) = (std::ptr::null_mut(), 0);
    // SAFETY: both pointers may be written to; ONNX Runtime fills them with an array of C strings, or fails and leaves them.
    let status = unsafe { (ort::api().GetAvailableProviders)(&raw mut names, &raw mut count) };
    // SAFETY: the status is what the call returned, and is given up here.
    if unsafe { ort::Error::result_from_status(status) }.is_err() || names.is_null() {
        return Vec::new();
    }
    let list = (0..usize::try_from(count).unwrap_or(0))
        // SAFETY: ONNX Runtime promises `count` C strings.
        .map(|i| unsafe { CStr::from_ptr(*names.add(i)) }.to_string_lossy().into_owned())
        .collect();
    // SAFETY: the array that the call above gave, given back once.
    let status = unsafe { (ort::api().ReleaseAvailableProviders)(names, count) };
    // SAFETY: as above. There is nothing to do about a failure to free.
    let _ = unsafe { ort::Error::result_from_status(status) };
    list
}

/// Where ONNX Runtime put a node.
pub(super) struct Assigned {
    pub(super) provider: String,
    pub(super) operator: String,
}

/// Where ONNX Runtime put the nodes, if the session was told to record it.
pub(super) fn assigned(session: &Session) -> Vec<Assigned> {
    let api = ort::api();
    let text = |get: &dyn Fn(*mut *const c_char) -> sys::OrtStatusPtr| -> Option<String> {
        let mut text = std::ptr::null();
        // SAFETY: the status is what the call returned, and is given up here.
        unsafe { ort::Error::result_from_status(get(&raw mut text)) }.ok()?;
        // SAFETY: on success ONNX Runtime stored a C string that the session owns.
        (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
    };
    let mut nodes = Vec::new();
    let (mut parts, mut count) = (std::ptr::null(), 0);
    // SAFETY: a live session; both pointers may be written to.
    let status = unsafe { (api.Session_GetEpGraphAssignmentInfo)(session.ptr(), &raw mut parts, &raw mut count) };
    // SAFETY: as above.
    if unsafe { ort::Error::result_from_status(status) }.is_err() || parts.is_null() {
        return nodes;
    }
    for i in 0..count {
        // SAFETY: ONNX Runtime stored an array of `count` pointers that the session owns.
        let part = unsafe { *parts.add(i) };
        // SAFETY: `part` is one of them; the pointer may be written to.
        let Some(provider) = text(&|out| unsafe { (api.EpAssignedSubgraph_GetEpName)(part, out) }) else { continue };
        let (mut members, mut count) = (std::ptr::null(), 0);
        // SAFETY: as above.
        let status = unsafe { (api.EpAssignedSubgraph_GetNodes)(part, &raw mut members, &raw mut count) };
        // SAFETY: as above.
        if unsafe { ort::Error::result_from_status(status) }.is_err() || members.is_null() {
            continue;
        }
        for i in 0..count {
            // SAFETY: as above.
            let node = unsafe { *members.add(i) };
            // SAFETY: as above.
            let operator = text(&|out| unsafe { (api.EpAssignedNode_GetOperatorType)(node, out) });
            nodes.push(Assigned { provider: provider.clone(), operator: operator.unwrap_or_default() });
        }
    }
    nodes
}
