// SPDX-License-Identifier: MIT
//! The process that becomes the program, once it may.
//!
//! Its standard input says when. Nobody is there to count any more if that ends without a
//! word: then the program is not run.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use crate::host::{STATUS_FAILURE, children};

/// The program's working directory, in the place that was made for the run.
pub const DIRECTORY: &str = "directory";
/// Its standard input.
pub const STDIN: &str = "stdin";
/// Why the program could not be started; there only if it could not.
pub const FAILURE: &str = "failure";

/// Says that the program is to lead a session; there only if it is.
pub const SESSION: &str = "session";

/// A program that is to be become.
#[derive(Debug)]
pub struct Become {
    /// The directory that was made for the run.
    pub place: PathBuf,
    /// The executable.
    pub path: PathBuf,
    /// The arguments, from argv\[0\].
    pub words: Vec<OsString>,
}

/// Waits, then becomes the program; what goes wrong is left in a file for who waits.
pub fn become_program(what: &Become) -> Result<u8> {
    let error = match attempt(what) {
        Ok(never) => match never {},
        Err(error) => format!("{error:#}"),
    };
    write(&what.place.join(FAILURE), error.as_bytes()).with_context(|| error.clone())?;
    Ok(STATUS_FAILURE)
}

fn attempt(what: &Become) -> Result<Infallible> {
    // It ends with who counts.
    children::tether()?;
    io::stdin().read_exact(&mut [0]).context("nobody counts any more")?;
    let stdin = what.place.join(STDIN);
    let stdin = File::open(&stdin).with_context(|| stdin.display().to_string())?;
    let (name, arguments) = what.words.split_first().context("a program without a name")?;
    let mut command = Command::new(&what.path);
    command.arg0(name).args(arguments).current_dir(what.place.join(DIRECTORY)).stdin(stdin);
    // As under Reprise, a program that is compared leads a session of its own: what it leaves behind is orphaned
    // then, whoever adopts it.
    if what.place.join(SESSION).exists() {
        rustix::process::setsid().context("cannot begin a session")?;
    }
    // Signals are put back to what a new program expects; the environment is already its own.
    Err(anyhow!("cannot start {}: {}", what.path.display(), command.exec()))
}

/// Writes a file of the place.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
