//! Link arguments of the shared library.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let argument = |argument: &str| println!("cargo:rustc-cdylib-link-arg=-Wl,{argument}");
    match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux") => {
            // Within one soname only additions are made to the ABI.
            argument("-soname,libdiffuse.so.0");
            // ONNX Runtime keeps a pointer to our log function for as long as the process lives, so the library must
            // stay.
            argument("-z,nodelete");
        }
        Ok("android") => {
            // A package has no other names than this one.
            argument("-soname,libdiffuse.so");
            argument("-z,nodelete");
            // From Android 15 on.
            argument("-z,max-page-size=16384");
        }
        // A program says where its libraries are; without this it looks where this one was built.
        Ok("macos" | "ios") => argument("-install_name,@rpath/libdiffuse.dylib"),
        _ => {}
    }
}
