// SPDX-License-Identifier: MIT
//! Which executable a list is of, and what made it: another compiler makes another program of the same source, and
//! nothing can be said of its list.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use object::{Object, ObjectSegment};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::{artifacts, children};

/// An executable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What made it.
    pub made_by: String,
    /// A hash of what is loaded of it.
    pub executable: String,
}

/// What makes the programs of the suite.
pub struct Makers {
    c: String,
    rust: String,
    c_names: Vec<String>,
}

impl Makers {
    /// Asks the compilers of this machine.
    pub fn ask() -> Result<Self> {
        let gcc = first_line(Command::new("gcc").arg("--version"))?;
        let library = first_line(Command::new("gcc").arg("-print-file-name=libc.a"))?;
        let library = std::fs::read(&library).with_context(|| format!("cannot read {library}"))?;
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let rust = first_line(Command::new(rustc).arg("--version"))?;
        Ok(Self {
            c: format!("{gcc}, libc.a {:016x}", xxh3_64(&library)),
            rust,
            c_names: [artifacts::c_names()?, artifacts::bench_names()?].concat(),
        })
    }

    /// Where the executable of a program comes from.
    pub fn origin(&self, program: &str, path: &Path) -> Result<Origin> {
        let executable = loaded(&std::fs::read(path)?).with_context(|| path.display().to_string())?;
        let made_by = if program == super::BUSYBOX {
            // It comes as it is: there is no source that could have changed.
            format!("a package, {executable}")
        } else if self.c_names.iter().any(|name| name == program) {
            self.c.clone()
        } else {
            self.rust.clone()
        };
        Ok(Origin { made_by, executable })
    }
}

fn first_line(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = children::output(command).with_context(|| format!("cannot start {name}"))?;
    ensure!(output.status.success(), "{name}: {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().next().with_context(|| format!("{name} says nothing"))?.to_owned())
}

/// A hash of the segments, in their order, and where they go; of symbols and debug information nothing is seen.
fn loaded(elf: &[u8]) -> Result<String> {
    let file = object::File::parse(elf)?;
    let mut hash = Xxh3::new();
    hash.update(&file.entry().to_le_bytes());
    for segment in file.segments() {
        let data = segment.data()?;
        for word in [segment.address(), segment.size(), data.len() as u64] {
            hash.update(&word.to_le_bytes());
        }
        hash.update(data);
    }
    Ok(format!("{:016x}", hash.digest()))
}
