//! The targets of `targets.rs`, which the tests of the library share, for the programs that libFuzzer runs.

mod targets;

/// A manifest.
pub fn manifest(bytes: &[u8]) {
    targets::manifest(bytes);
}

/// A scheduler_config.json.
pub fn scheduler_config(bytes: &[u8]) {
    targets::scheduler_config(bytes);
}

/// Options by name.
pub fn options(bytes: &[u8]) {
    targets::options(bytes);
}

/// A snapshot.
pub fn snapshot(bytes: &[u8]) {
    targets::snapshot(bytes);
}

/// An array of numpy's.
pub fn npy(bytes: &[u8]) {
    targets::npy(bytes);
}

/// A picture.
pub fn png(bytes: &[u8]) {
    targets::png(bytes);
}

/// Calls of the C interface.
pub fn c_calls(bytes: &[u8]) {
    targets::c_calls(bytes);
}
