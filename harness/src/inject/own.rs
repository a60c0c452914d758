// SPDX-License-Identifier: MIT
//! A program of somebody's own, for a campaign: what it is given, and how it is run.

use std::ffi::OsString;

use anyhow::{Result, anyhow};

use crate::host::destination::Files;
use crate::workload::archive::Contents;
use crate::workload::named::{self, Given};

/// What a command line says of it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The program, and what it is given.
    pub program: Given,
    /// Instructions after which a PE ends.
    pub limit: u64,
    /// Written pages at which a PE ends.
    pub max_dirty: u16,
    /// Memory of the machine.
    pub memory_mib: u32,
}

/// A program of somebody's own.
#[derive(Clone, Debug)]
pub struct Own {
    /// Its name in reports.
    pub name: String,
    /// The program, its arguments, and all that it is given.
    pub contents: Contents,
    /// The options of `cargo reprise run` that say what it is given, and its words.
    pub command: [Vec<OsString>; 2],
    /// Instructions after which a PE ends.
    pub limit: u64,
    /// Written pages at which a PE ends.
    pub max_dirty: u16,
    /// Memory of the machine.
    pub memory_mib: u32,
}

impl Own {
    /// Reads all that is asked for, and returns the files that this was read from, too.
    pub fn read(asked: &Asked) -> Result<(Self, Files)> {
        let Asked { program, limit, max_dirty, memory_mib } = asked;
        let named = named::named(program, None)?;
        let files = named.files();
        let name = named.contents.argv.first().map(Vec::as_slice).unwrap_or_default();
        let name = String::from_utf8(name.to_vec())
            .map_err(|_| anyhow!("{}: a campaign's program has a name in UTF-8", named.path.display()))?;
        let (limit, max_dirty, memory_mib) = (*limit, *max_dirty, *memory_mib);
        let command = [given(program), program.words.clone()];
        Ok((Self { name, contents: named.contents, command, limit, max_dirty, memory_mib }, files))
    }
}

/// The options that say what a program is given.
fn given(program: &Given) -> Vec<OsString> {
    let Given { elf, stdin, files, env, .. } = program;
    let option = |name: &str, value: OsString| [name.into(), value];
    let elf = elf.iter().map(|path| option("--elf", path.into()));
    let stdin = stdin.iter().map(|path| option("--stdin", path.into()));
    let files = files.iter().map(|file| option("--file", file.clone()));
    let env = env.iter().map(|variable| option("--env", variable.clone()));
    elf.chain(stdin).chain(files).chain(env).flatten().collect()
}
