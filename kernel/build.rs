// SPDX-License-Identifier: MIT
//! Links the kernel with its own script and nothing of the host's.

fn main() {
    let folder = env!("CARGO_MANIFEST_DIR");
    for argument in [
        "-nostdlib",
        "-static",
        "-no-pie",
        "-Wl,--gc-sections",
        "-Wl,--build-id=none",
        "-Wl,--no-eh-frame-hdr",
        "-Wl,-z,max-page-size=4096",
        "-Wl,-z,noexecstack",
        "-Wl,-Tdefmt.x",
    ] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{folder}/link.x");
    println!("cargo::rerun-if-changed=link.x");
}
