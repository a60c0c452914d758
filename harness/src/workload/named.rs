// SPDX-License-Identifier: MIT
//! The program that a command line names, with what it is given; the same for every command.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};

use super::archive::{self, Contents};
use super::artifacts::Guest;
use super::catalogue::{self, Kind};
use super::{guest_files, request};
use crate::host::destination::Files;
use crate::host::input::{self, Deadline};
use crate::host::packages;

/// What a command line says of a program: its name or file, and what it is given.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The program's name, if no file is named, then its arguments.
    pub words: Vec<OsString>,
    /// The file of the program.
    pub elf: Option<PathBuf>,
    /// The file that is its standard input.
    pub stdin: Option<PathBuf>,
    /// Its files, each as `HOST[:GUEST]`.
    pub files: Vec<OsString>,
    /// Its environment, each variable as `NAME=VALUE`.
    pub env: Vec<OsString>,
}

/// A program that was named.
#[derive(Debug)]
pub struct Named {
    /// Where it is.
    pub path: PathBuf,
    /// The program, its arguments, environment, standard input and files.
    pub contents: Contents,
    /// Where standard input was read from, and the files.
    stdin: Option<PathBuf>,
    hosts: Vec<PathBuf>,
}

impl Named {
    /// The files that all of this was read from.
    pub fn files(&self) -> Files {
        let files = Files::default().read("the program", [&self.path]);
        files.read("--stdin", &self.stdin).read("--file", &self.hosts)
    }
}

/// Builds the program if it is one of ours, reads all that it is given, up to a deadline, and checks it.
pub fn named(given: &Given, deadline: Option<Deadline>) -> Result<Named> {
    let mut words = given.words.iter().cloned();
    let (path, name) = match &given.elf {
        Some(path) => {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_owned();
            guest_files::check_program(name.as_bytes())
                .with_context(|| format!("--elf {}", path.display()))?;
            (path.clone(), name)
        }
        None => {
            let name = words.next().unwrap_or_else(|| OsString::from(Guest::SHOWCASE.package));
            let text = name.to_str().ok_or_else(|| anyhow!("{}: not a program's name", name.display()))?;
            if let Some(kind) = Kind::of(text)? {
                packages::ensure_present(kind.packages())?;
            }
            (catalogue::program(text)?, name)
        }
    };
    let mut left = archive::GIVEN.most;
    let mut read = |path: &Path| -> Result<Vec<u8>> {
        let bytes = input::read_by(path, archive::GIVEN, left, deadline)?;
        left -= bytes.len() as u64;
        Ok(bytes)
    };
    let program = request::checked(&path, read(&path)?)?;
    let mut contents = Contents { program: Some(program), ..Contents::default() };
    contents.argv = std::iter::once(name).chain(words).map(|word| archive::word(&word)).collect();
    for variable in &given.env {
        let bytes = archive::word(variable);
        ensure!(
            bytes.iter().position(|byte| *byte == b'=').is_some_and(|at| at > 0),
            "--env {}: expected NAME=VALUE",
            variable.display()
        );
        contents.envp.push(bytes);
    }
    let files: Vec<_> = given.files.iter().map(|file| file_argument(file)).collect::<Result<_>>()?;
    guest_files::fit_together(files.iter().map(|(_, guest)| guest.as_str()))?;
    contents.stdin = given.stdin.as_deref().map(&mut read).transpose()?;
    let hosts = files.iter().map(|(host, _)| host.clone()).collect();
    for (host, guest) in files {
        contents.files.push((guest, read(&host)?));
    }
    Ok(Named { path, contents, stdin: given.stdin.clone(), hosts })
}

/// Takes `HOST[:GUEST]` apart, at the last colon before a slash.
fn file_argument(argument: &OsStr) -> Result<(PathBuf, String)> {
    let bytes = argument.as_bytes();
    let colon = bytes.windows(2).rposition(|pair| pair == b":/");
    let (host, guest) = match colon {
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
        None => (bytes, None),
    };
    let host = Path::new(OsStr::from_bytes(host));
    let guest = match guest {
        Some(guest) => String::from_utf8(guest.to_vec()).ok(),
        None => host.file_name().and_then(OsStr::to_str).map(|name| format!("/{name}")),
    };
    let guest = guest.ok_or_else(|| anyhow!("--file {}: expected HOST[:GUEST]", argument.display()))?;
    let guest = guest_files::checked(&guest).with_context(|| format!("--file {}", argument.display()))?;
    Ok((host.to_owned(), guest))
}
