//! Libraries that are not ONNX Runtime, or only look like it: an error that says so, and the right one can be opened
//! afterwards.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;

use diffuse::{Error, Runtime};

use crate::support::{alone, runtime};

const COMMON: &str = "#include <stdint.h>\n#include <stddef.h>\n\
    typedef struct { const void *(*api)(uint32_t); const char *(*version)(void); } base;\n\
    static const void *none(uint32_t version) { (void)version; return NULL; }\n\
    static const char *newest(void) { return \"1.31.1\"; }\n\
    static const char *nothing(void) { return NULL; }\n\
    static const char *old(void) { return \"1.2.3\"; }\n\
    static const char *odd(void) { return \"\\xff\"; }\n";

fn compiled(folder: &Path, name: &str, code: &str) -> std::path::PathBuf {
    let (source, library) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    std::fs::write(&source, format!("{COMMON}{code}\n")).unwrap();
    let mut compiler = Command::new("gcc");
    let output = compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

#[test]
fn what_gives_nothing_is_refused_with_the_reason() {
    // Where ONNX Runtime is open already, no other library is looked at.
    if !alone("library::what_gives_nothing_is_refused_with_the_reason") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let base = |base: &str| format!("static const base b = {base}; const base *OrtGetApiBase(void) {{ return &b; }}");
    for (name, code, why) in [
        ("nothing_at_all", "int x;".to_owned(), "no OrtGetApiBase"),
        ("no_base", "const base *OrtGetApiBase(void) { return NULL; }".to_owned(), "OrtGetApiBase gives NULL"),
        ("no_api", base("{none, newest}"), "version 1.31.1 gives no API"),
        ("no_function_for_the_api", base("{NULL, newest}"), "version 1.31.1 gives no API"),
        ("no_version", base("{none, nothing}"), "does not report its version"),
        ("no_function_for_the_version", base("{none, NULL}"), "does not report its version"),
        ("old", base("{none, old}"), "is version 1.2.3; 1.24 or newer is needed"),
        ("odd", base("{none, odd}"), "does not report its version"),
    ] {
        let library = compiled(folder.path(), name, &code);
        // Twice, since what a first try has left must not matter.
        for _ in 0..2 {
            match Runtime::open(Some(&library)) {
                Err(Error::Runtime { reason }) => {
                    assert!(reason.contains(why) && reason.contains(name), "{name}: {reason}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }
    runtime();
}
