// SPDX-License-Identifier: MIT
//! Links init without a C library; it begins at the runtime's `_start`.

fn main() {
    for argument in
        ["-nostartfiles", "-nostdlib", "-Wl,--gc-sections", "-Wl,-z,max-page-size=4096", "-Wl,-z,noexecstack"]
    {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
