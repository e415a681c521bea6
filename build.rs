//! Link arguments of the shared library.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux" || os == "android");
    if linux {
        // Within one soname only additions are made to the ABI.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libdiffuse.so.0");
        // ONNX Runtime keeps a pointer to our log function for as long as the process lives, so the library must stay.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
