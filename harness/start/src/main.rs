// SPDX-License-Identifier: MIT
//! What `cargo reprise` starts: builds the tool `reprise`, and becomes it.
//!
//! An alias of cargo is silent or speaks at every call. A tool that is there has nothing to say; but its first
//! build takes minutes, and whoever waits wants to see that something is done.

#![forbid(unsafe_code)]

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// The status of everything that is not the program's own, as of the tool itself.
const STATUS_FAILURE: u8 = 2;
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("reprise: cannot start the tool: {error}");
            STATUS_FAILURE.into()
        }
    }
}

/// Returns only if the tool could not be built.
fn start() -> io::Result<ExitCode> {
    let tool = env::current_exe()?.with_file_name("reprise");
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--package", "harness", "--bin", "reprise", "--manifest-path", MANIFEST]);
    if tool.exists() {
        build.arg("--quiet");
    } else {
        eprintln!("reprise: the tool itself is built first, which takes one to two minutes");
    }
    // What cargo says is no output of the tool's.
    if !build.stdout(io::stderr()).status()?.success() {
        return Ok(STATUS_FAILURE.into());
    }
    Err(Command::new(tool).args(env::args_os().skip(1)).exec())
}
