// SPDX-License-Identifier: MIT
//! Which function an address belongs to.
//!
//! Of the functions that were compiled into one another, the innermost one of this project is taken: what it has of
//! `core` or `alloc` counts as its own. Line tables know inlined functions by their last name only, so all are named by
//! their file and that: `pe_replay::run::go_on`. Code without line tables has the name of its symbol.

use std::path::Path;

use addr2line::Loader;
use anyhow::{Result, anyhow};

use crate::workload::artifacts;
use crate::workload::symbols::demangled;

/// User code lies below.
const KERNEL: u64 = 1 << 47;
/// What lies there before the program does.
const BEFORE_PROGRAMS: &str = "firmware, loader, and user code of the calibration";

/// What user code of a system counts as.
const SYSTEM: &str = "user: any domain";

/// A function that an instruction was compiled into, and where in it that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The function's last name.
    pub name: String,
    /// The source file, in the project's root.
    pub file: String,
    /// The line in it.
    pub line: u32,
}

/// The names of kernel and program.
pub struct Names {
    kernel: Loader,
    /// Of a system, whose domains each have a program of their own, there is none.
    program: Option<Loader>,
}

impl Names {
    /// Reads the line tables of the kernel, and of the program if one runs alone.
    pub fn new(kernel: &Path, program: Option<&Path>) -> Result<Self> {
        let load = |path: &Path| {
            Loader::new(path).map_err(|error| anyhow!("the names in {}: {error}", path.display()))
        };
        Ok(Self { kernel: load(kernel)?, program: program.map(load).transpose()? })
    }

    /// The functions that an instruction of the kernel was compiled into, the innermost first.
    pub fn frames(&self, address: u64) -> Vec<Frame> {
        let mut frames = Vec::new();
        let Ok(mut found) = self.kernel.find_frames(address) else { return frames };
        while let Ok(Some(frame)) = found.next() {
            let function = frame.function.as_ref().and_then(|name| name.demangle().ok());
            let location = frame.location.as_ref();
            frames.push(Frame {
                name: function.map(|name| last_name(&name)).unwrap_or_default(),
                file: inside(location.and_then(|at| at.file).unwrap_or_default()),
                line: location.and_then(|at| at.line).unwrap_or_default(),
            });
        }
        frames
    }

    /// The symbol of the kernel that an address lies in.
    pub fn symbol(&self, address: u64) -> Option<String> {
        self.kernel.find_symbol(address).map(demangled)
    }

    /// The function that an address is counted for before the program starts, when low addresses are not its own.
    pub fn function_of_boot(&self, address: u64) -> String {
        if address >= KERNEL { self.function(address) } else { BEFORE_PROGRAMS.into() }
    }

    /// The function that an address is counted for.
    pub fn function(&self, address: u64) -> String {
        if address < KERNEL {
            let Some(program) = &self.program else { return SYSTEM.into() };
            let symbol = program.find_symbol(address).map(demangled);
            return format!("user: {}", symbol.unwrap_or_else(|| "no symbol".into()));
        }
        let frames = self.frames(address);
        let ours = frames.iter().find(|frame| !frame.name.is_empty() && Path::new(&frame.file).is_relative());
        ours.map(|frame| format!("{}::{}", module(&frame.file), frame.name))
            .or_else(|| self.symbol(address))
            .unwrap_or_else(|| "no symbol".into())
    }
}

/// A file of this project by its place in it; any other one as it is, or as `/` if nothing is known.
fn inside(file: &str) -> String {
    let path = Path::new(file);
    let ours = path.strip_prefix(artifacts::root()).unwrap_or(path);
    if file.is_empty() { "/".into() } else { ours.display().to_string() }
}

/// The module that a source file of this project holds.
fn module(file: &str) -> String {
    let path = file.strip_suffix(".rs").unwrap_or(file).replace("/src/", "/").replace("/x86_64/", "/");
    let path = path.strip_suffix("/lib").or(path.strip_suffix("/main")).unwrap_or(&path);
    path.replace('-', "_").replace('/', "::")
}

/// The last part of a function's name without what stands in brackets; of a closure the function around it.
fn last_name(name: &str) -> String {
    let mut depth = 0u32;
    let mut plain = String::new();
    for letter in name.chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            letter if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    let is_hash = |part: &&str| part.len() == 17 && part.starts_with('h');
    let mut parts = plain.rsplit("::").filter(|part| !part.is_empty() && !part.starts_with('{'));
    parts.find(|part| !is_hash(part)).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_by_file_and_last_name() {
        for (name, last) in [
            ("turn<kernel::replay::KernelMachine>", "turn"),
            ("<kernel::replay::KernelMachine as pe_replay::machine::Machine>::enter", "enter"),
            ("pe_replay::run::<impl pe_replay::executor::Course<M,T,O>>::go_on", "go_on"),
            ("kernel::executive::Run::next::{closure#0}", "next"),
            ("kernel::arch::channel::record::h0123456789abcdef", "record"),
            ("memcpy", "memcpy"),
        ] {
            assert_eq!(last_name(name), last, "{name}");
        }
        assert_eq!(module("pe-replay/src/placement/bytes.rs"), "pe_replay::placement::bytes");
        assert_eq!(module("kernel/src/arch/x86_64/apic.rs"), "kernel::arch::apic");
        assert_eq!(module("pe-replay/pages/src/lib.rs"), "pe_replay::pages");
    }

    #[test]
    fn a_file_is_ours_if_it_lies_in_the_project() {
        assert_eq!(inside(artifacts::root().join("pmu/src/lib.rs").to_str().unwrap()), "pmu/src/lib.rs");
        assert!(Path::new(&inside("/rustc/core.rs")).is_absolute() && Path::new(&inside("")).is_absolute());
    }
}
