//! The bindings have all of the C interface, except what is listed here.

/// A language with a binding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Binding {
    Cpp,
    CSharp,
    Python,
}

use Binding::{CSharp, Cpp, Python};

/// The functions that a binding does not call, and why.
const LEFT_OUT: &[(&str, &[Binding], &str)] = &[
    ("diffuse_log_set", &[Cpp, Python], "the sink is the process's, and stays the host's own to set"),
    ("diffuse_status_name", &[Cpp, Python], "the name of a status is in the error's message, or is its class"),
    ("diffuse_version_number", &[CSharp, Cpp, Python], "the text of the version says as much"),
    ("diffuse_job_progress", &[Cpp], "what is done of the steps is in the stage as well"),
    ("diffuse_log_set_owned", &[Cpp, Python], "likewise"),
    ("diffuse_model_open_callback", &[CSharp, Cpp], "the library lets go of what a callback has"),
    ("diffuse_model_open_callback_owned", &[Python], "what a callback has is an attribute of what may call it"),
    ("diffuse_request_set_guidance_callback", &[CSharp, Cpp], "the library lets go of what a callback has"),
    ("diffuse_request_set_guidance_callback_owned", &[Python], "as diffuse_model_open_callback_owned"),
    ("diffuse_runtime_of_host", &[Python], "ONNX Runtime is a file there"),
    ("diffuse_request_set_class", &[Python], "the names of classes are looked up in the model"),
    ("diffuse_request_set_negative_class", &[Python], "likewise"),
    ("diffuse_request_unset", &[Python], "a request has its options as a mapping"),
    ("diffuse_job_model", &[Python], "a model is opened before its jobs are made"),
    ("diffuse_job_open", &[Python], "a model is opened before its jobs are made"),
    ("diffuse_job_open_bytes", &[Python], "likewise"),
    ("diffuse_job_run", &[Python], "a worker runs a job, so that Ctrl-C is heard"),
    ("diffuse_request_set_number", &[Python], "numbers are set as their texts"),
];

/// Checks a binding against the functions of the interface. It calls all that it does not leave out, and no others.
pub(crate) fn has_all<'a>(
    binding: Binding,
    functions: impl IntoIterator<Item = &'a str>,
    is_called: impl Fn(&str) -> bool,
) {
    let functions: Vec<&str> = functions.into_iter().collect();
    for (name, ..) in LEFT_OUT {
        assert!(functions.contains(name), "{name} is left out, but there is no such function");
    }
    for name in functions {
        let left_out = LEFT_OUT.iter().find(|(of, bindings, _)| *of == name && bindings.contains(&binding));
        match left_out {
            None => assert!(is_called(name), "{binding:?} does not call {name}"),
            Some((.., why)) => assert!(!is_called(name), "{binding:?} calls {name}, which it leaves out: {why}"),
        }
    }
}
