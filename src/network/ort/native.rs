//! Calls of ONNX Runtime that `ort` does not have.

use std::ffi::{CStr, c_char};
use std::marker::PhantomData;
use std::ptr::NonNull;

use ort::AsPointer;
use ort::session::Session;
use ort::sys::{OrtAllocator, OrtAllocatorType, OrtMemType, OrtStatusPtr};

/// The providers that ONNX Runtime was built with, by its own names. Whether they work here is not known from this.
pub(super) fn compiled_in() -> Vec<String> {
    let (mut names, mut count) = (std::ptr::null_mut(), 0);
    // SAFETY: both pointers may be written to; ONNX Runtime fills them with an array of C strings, or fails and leaves
    // them.
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

/// The provider to which ONNX Runtime assigned a node.
#[derive(Clone)]
pub(super) struct Assigned {
    pub(super) provider: String,
    pub(super) operator: String,
}

/// Where ONNX Runtime assigned the nodes, if the session records it.
pub(super) fn assigned(session: &Session) -> Result<Vec<Assigned>, String> {
    // SAFETY, for all calls below: the session is alive, and so are the arrays and strings that ONNX Runtime promises
    // and that it owns; every pointer that is handed over may be written to; a status is given up to
    // `result_from_status` once.
    let text = |pointer: *const c_char| {
        if pointer.is_null() {
            return Err("ONNX Runtime does not report where it placed the nodes".to_owned());
        }
        // SAFETY: as above.
        Ok(unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
    };
    let api = ort::api();
    let mut nodes = Vec::new();
    let (mut parts, mut count) = (std::ptr::null(), 0);
    // SAFETY: as above.
    checked(unsafe { (api.Session_GetEpGraphAssignmentInfo)(session.ptr(), &raw mut parts, &raw mut count) })?;
    for i in 0..count {
        // SAFETY: as above; `i` is below the count.
        let part = unsafe { *parts.add(i) };
        let mut provider = std::ptr::null();
        // SAFETY: as above.
        checked(unsafe { (api.EpAssignedSubgraph_GetEpName)(part, &raw mut provider) })?;
        let provider = text(provider)?;
        let (mut members, mut count) = (std::ptr::null(), 0);
        // SAFETY: as above.
        checked(unsafe { (api.EpAssignedSubgraph_GetNodes)(part, &raw mut members, &raw mut count) })?;
        for i in 0..count {
            let mut operator = std::ptr::null();
            // SAFETY: as above; `i` is below the count.
            checked(unsafe { (api.EpAssignedNode_GetOperatorType)(*members.add(i), &raw mut operator) })?;
            nodes.push(Assigned { provider: provider.clone(), operator: text(operator)? });
        }
    }
    Ok(nodes)
}

/// The arena from which a session's evaluations on the CPU take their memory.
pub(super) struct Arena<'a> {
    allocator: NonNull<OrtAllocator>,
    _session: PhantomData<&'a Session>,
}

impl<'a> Arena<'a> {
    pub(super) fn of(session: &'a Session) -> Result<Self, String> {
        let (api, mut info, mut allocator) = (ort::api(), std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: the pointer may be written to.
        checked(unsafe {
            (api.CreateCpuMemoryInfo)(OrtAllocatorType::OrtArenaAllocator, OrtMemType::OrtMemTypeDefault, &raw mut info)
        })?;
        // SAFETY: the session is alive, the information was made above, and the pointer may be written to.
        let created = checked(unsafe { (api.CreateAllocator)(session.ptr(), info, &raw mut allocator) });
        // SAFETY: made above, and not used any more.
        unsafe { (api.ReleaseMemoryInfo)(info) };
        created?;
        let allocator = NonNull::new(allocator).ok_or("ONNX Runtime gives no allocator")?;
        Ok(Self { allocator, _session: PhantomData })
    }

    /// The number of bytes that it holds, in use or not: the weights, and the memory that evaluations have needed at a
    /// time.
    pub(super) fn bytes(&self) -> Result<usize, String> {
        let (api, mut pairs) = (ort::api(), std::ptr::null_mut());
        // SAFETY: the allocator is alive, and the pointer may be written to.
        checked(unsafe { (api.AllocatorGetStats)(self.allocator.as_ptr(), &raw mut pairs) })?;
        // SAFETY: the pairs were made above; the string that is found lives as long as they do.
        let text = unsafe {
            let found = (api.GetKeyValue)(pairs, c"TotalAllocated".as_ptr());
            (!found.is_null()).then(|| CStr::from_ptr(found).to_string_lossy().into_owned())
        };
        // SAFETY: made above, and not used any more.
        unsafe { (api.ReleaseKeyValuePairs)(pairs) };
        text.and_then(|text| text.parse().ok()).ok_or("ONNX Runtime does not report how much memory it holds".into())
    }
}

impl Drop for Arena<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `of`, and not used any more.
        unsafe { (ort::api().ReleaseAllocator)(self.allocator.as_ptr()) };
    }
}

fn checked(status: OrtStatusPtr) -> Result<(), String> {
    // SAFETY: the status is what a call returned, and is given up here.
    unsafe { ort::Error::result_from_status(status) }.map_err(|error| error.message().to_owned())
}
