// SPDX-License-Identifier: MIT
//! Which executable a list is of, and what made it: another compiler makes another program of the same source, and
//! nothing can be said of its list.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use object::{Object, ObjectSection, SectionFlags};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::host::children;
use crate::workload::catalogue::Kind;

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
    go: String,
    rust: String,
}

impl Makers {
    /// Asks the compilers of this machine.
    pub fn ask() -> Result<Self> {
        let gcc = first_line(Command::new("gcc").arg("--version"))?;
        let library = first_line(Command::new("gcc").arg("-print-file-name=libc.a"))?;
        let library = std::fs::read(&library).with_context(|| format!("cannot read {library}"))?;
        // Panic messages name the files of packages.
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home =
            home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cargo"))).unwrap_or_default();
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let rust = first_line(Command::new(rustc).arg("--version"))?;
        let library = format!("libc.a {:016x}", xxh3_64(&library));
        Ok(Self {
            c: format!("{gcc}, {library}"),
            go: first_line(Command::new("go").arg("version"))?,
            rust: format!(
                "{rust}, {library}, packages in {:016x}",
                xxh3_64(home.as_os_str().as_encoded_bytes())
            ),
        })
    }

    /// Where the executable of a program comes from.
    pub fn origin(&self, program: &str, path: &Path) -> Result<Origin> {
        let executable = loaded(&std::fs::read(path)?).with_context(|| path.display().to_string())?;
        let made_by = match Kind::of(program)? {
            Some(Kind::C | Kind::Bench) => self.c.clone(),
            Some(Kind::Go) => self.go.clone(),
            Some(Kind::Showcase | Kind::Std | Kind::Hostile) => self.rust.clone(),
            // It comes as it is: there is no source that could have changed.
            None => format!("a package, {executable}"),
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

/// A hash of the sections that are loaded, and where they go; of symbols and debug information nothing is seen, nor
/// of the note that has a hash of these, too.
fn loaded(elf: &[u8]) -> Result<String> {
    const BUILD_ID: &str = ".note.gnu.build-id";
    let file = object::File::parse(elf)?;
    let mut hash = Xxh3::new();
    hash.update(&file.entry().to_le_bytes());
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        if sh_flags & u64::from(object::elf::SHF_ALLOC) == 0 || section.name()? == BUILD_ID {
            continue;
        }
        for word in [section.address(), section.size()] {
            hash.update(&word.to_le_bytes());
        }
        hash.update(section.data()?);
    }
    Ok(format!("{:016x}", hash.digest()))
}
