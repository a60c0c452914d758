// SPDX-License-Identifier: MIT
//! Links init as an executable that relocates itself and begins with nobody's start-up code.

fn main() {
    for argument in [
        "-nostartfiles",
        "-nostdlib",
        "-static-pie",
        "-Wl,--gc-sections",
        "-Wl,--build-id=none",
        "-Wl,--strip-debug",
        "-Wl,--no-eh-frame-hdr",
        "-Wl,-z,max-page-size=4096",
        "-Wl,-z,noexecstack",
    ] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
