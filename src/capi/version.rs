//! The library's version.

use std::ffi::c_char;

/// The version of the header: major·10000 + minor·100 + patch. Compare it with diffuse_version_number(), the version of
/// the library.
pub const DIFFUSE_VERSION: u32 = 100;

/// Returns the library's version, such as "0.1.0". The string is static.
#[unsafe(no_mangle)]
pub extern "C" fn diffuse_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Returns the library's version as a number, in the form of DIFFUSE_VERSION.
#[unsafe(no_mangle)]
pub extern "C" fn diffuse_version_number() -> u32 {
    DIFFUSE_VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_that_of_the_package() {
        let part = |text: &str| text.parse::<u32>().unwrap();
        let number = part(env!("CARGO_PKG_VERSION_MAJOR")) * 10_000
            + part(env!("CARGO_PKG_VERSION_MINOR")) * 100
            + part(env!("CARGO_PKG_VERSION_PATCH"));
        assert_eq!(DIFFUSE_VERSION, number);
    }
}
