// SPDX-License-Identifier: MIT
//! User code in QEMU's log, from each entry into user mode to the way back.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use object::LittleEndian as Le;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader, Sym};

use super::log::{self, Interrupt, Line};

/// Length of SYSCALL.
const SYSCALL_LEN: u64 = 2;

/// The addresses of a function of the kernel's `arch::entry`: of each instance, of which there is one for an isolated
/// kernel and one for any other.
pub fn entries(elf: &[u8], name: &str) -> Result<Vec<Range<u64>>> {
    let header = FileHeader64::<Le>::parse(elf).context("the ELF header")?;
    let sections = header.sections(Le, elf).context("the sections")?;
    let symbols = sections.symbols(Le, elf, object::elf::SHT_SYMTAB).context("the symbols")?;
    // In a mangled name each part stands behind its length.
    let part = format!("5entry{}{name}", name.len());
    let named = symbols.iter().filter(|symbol| {
        let full = symbol.name(Le, symbols.strings()).unwrap_or_default();
        full.windows(part.len()).any(|window| window == part.as_bytes())
    });
    let found: Vec<_> =
        named.map(|symbol| symbol.st_value(Le)..symbol.st_value(Le) + symbol.st_size(Le)).collect();
    ensure!(!found.is_empty(), "there is no {name}");
    Ok(found)
}

/// Why user mode was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// SYSCALL left it.
    Syscall,
    /// An interrupt or exception did.
    Interrupted(Interrupt),
}

/// User code between an entry and the way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The instructions that were begun, as a range of [`Stretches::addresses`].
    pub begun: Range<usize>,
    /// Why it ended.
    pub left: Left,
}

/// A program's user code.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stretches {
    /// Addresses of the instructions, in the order in which they were begun.
    pub addresses: Vec<u64>,
    /// The stretches.
    pub list: Vec<Stretch>,
}

impl Stretches {
    /// Reads a log from the first time on that user code is at `entry`; of the kernel's
    /// instructions it has the first one after SYSCALL, at one of `syscalls`, and no other.
    pub fn read(path: &Path, entry: u64, syscalls: &[u64]) -> Result<Self> {
        let mut reader = Reader { entry, syscalls, begun: None, left: None, found: Self::default() };
        log::lines(path, |line| reader.take(&line))?;
        reader.close();
        let Reader { begun, found, .. } = reader;
        let begun = begun.with_context(|| format!("QEMU's log does not show the entry point {entry:#x}"))?;
        ensure!(begun == found.addresses.len(), "QEMU's log ends in user mode");
        Ok(found)
    }

    /// Where user mode stood before a stretch.
    pub fn start(&self, stretch: &Stretch) -> Result<u64> {
        match self.addresses[stretch.begun.clone()].first() {
            Some(address) => Ok(*address),
            // What was to be executed could not be fetched.
            None => self.end(stretch),
        }
    }

    /// Where it stood after it.
    pub fn end(&self, stretch: &Stretch) -> Result<u64> {
        match stretch.left {
            Left::Interrupted(interrupt) => Ok(interrupt.rip),
            Left::Syscall => {
                let last = self.addresses[stretch.begun.clone()].last();
                Ok(last.context("a system call without an instruction")? + SYSCALL_LEN)
            }
        }
    }
}

struct Reader<'a> {
    entry: u64,
    syscalls: &'a [u64],
    /// Where the present stretch begins; none before the program.
    begun: Option<usize>,
    /// Why it ended, if it has; the next one begins with the next sign of user mode.
    left: Option<Left>,
    found: Stretches,
}

impl Reader<'_> {
    fn take(&mut self, line: &Line) -> Result<()> {
        if self.begun.is_none() {
            if *line != (Line::Begun { address: self.entry, user: true }) {
                return Ok(());
            }
            self.begun = Some(0);
        }
        match *line {
            Line::Begun { address, user: true } => {
                self.close();
                self.found.addresses.push(address);
            }
            Line::TakenBack { address } if self.syscalls.contains(&address) => {
                ensure!(
                    self.left.take() == Some(Left::Syscall),
                    "the system call at {address:#x} never came"
                );
            }
            Line::TakenBack { address } => {
                let in_user_mode = self.left.is_none() && self.begun < Some(self.found.addresses.len());
                let last = if in_user_mode { self.found.addresses.pop() } else { None };
                ensure!(last == Some(address), "{address:#x} was never begun");
            }
            Line::Interrupted { user: true, by } => {
                self.close();
                self.left = Some(Left::Interrupted(by));
            }
            Line::Begun { address, user: false } => {
                ensure!(self.syscalls.contains(&address), "{address:#x} is no address of the program's");
                let before = self.left.replace(Left::Syscall);
                ensure!(before.is_none(), "a system call, and {before:x?} before it");
            }
            Line::Interrupted { user: false, .. } | Line::Other => {}
        }
        Ok(())
    }

    /// Ends the stretch if user mode has been left since.
    fn close(&mut self) {
        if let (Some(left), Some(begun)) = (self.left.take(), self.begun) {
            let end = self.found.addresses.len();
            self.found.list.push(Stretch { begun: begun..end, left });
            self.begun = Some(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: u64 = 0x40_1000;
    const SYSCALL: u64 = 0xffff_ffff_8020_0000;

    fn begun(address: u64) -> String {
        let flags = if address < SYSCALL { "b3" } else { "b0" };
        format!("Trace 0: 0x7f4dc0486e80 [0000000000000000/{address:016x}/18c0c2{flags}/ff020201] \n")
    }

    fn taken_back(address: u64) -> String {
        format!("Stopped execution of TB chain before 0x7f4dc0486e80 [{address:016x}] \n")
    }

    fn interrupted(vector: u8, rip: u64) -> String {
        format!("  9: v={vector:02x} e=0000 i=0 cpl=3 IP=0033:{rip:016x} pc={rip:016x} SP=002b:0 CR2=0\n")
    }

    fn read(lines: &[String]) -> Result<Stretches> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, lines.concat()).unwrap();
        Stretches::read(&path, ENTRY, &[SYSCALL])
    }

    fn left(vector: u8, rip: u64) -> Left {
        Left::Interrupted(Interrupt { vector, error: 0, asked: false, rip, address: 0 })
    }

    #[test]
    fn a_log_is_cut_where_user_mode_is_left() {
        let lines = [
            begun(ENTRY + 4), // Before the program.
            interrupted(14, ENTRY + 4),
            begun(ENTRY),
            begun(ENTRY + 1),
            interrupted(14, ENTRY + 1),
            begun(ENTRY + 1),
            begun(ENTRY + 2),
            taken_back(ENTRY + 2),
            interrupted(0xfe, ENTRY + 2),
            interrupted(14, ENTRY + 2), // Nothing could be fetched.
            begun(ENTRY + 2),
            begun(SYSCALL),
            taken_back(SYSCALL),
            begun(SYSCALL),
        ];
        let found = read(&lines).unwrap();
        assert_eq!(found.addresses, [ENTRY, ENTRY + 1, ENTRY + 1, ENTRY + 2]);
        let ends: Vec<_> = found.list.iter().map(|stretch| (stretch.begun.end, stretch.left)).collect();
        let expected = [
            (2, left(14, ENTRY + 1)),
            (3, left(0xfe, ENTRY + 2)),
            (3, left(14, ENTRY + 2)),
            (4, Left::Syscall),
        ];
        assert_eq!(ends, expected);
        let places = |stretch| (found.start(stretch).unwrap(), found.end(stretch).unwrap());
        assert_eq!(places(&found.list[0]), (ENTRY, ENTRY + 1));
        assert_eq!(places(&found.list[2]), (ENTRY + 2, ENTRY + 2));
        assert_eq!(places(&found.list[3]), (ENTRY + 2, ENTRY + 4));
    }

    #[test]
    fn a_log_that_makes_no_sense_is_an_error() {
        let entered = begun(ENTRY);
        for lines in [
            &[][..],
            std::slice::from_ref(&entered),
            &[entered.clone(), taken_back(ENTRY + 1), begun(SYSCALL)],
            &[entered.clone(), begun(SYSCALL), begun(SYSCALL)],
            &[entered.clone(), begun(SYSCALL), taken_back(ENTRY)],
            &[entered.clone(), begun(SYSCALL + 1)],
            &[entered.clone(), interrupted(14, ENTRY), taken_back(SYSCALL)],
        ] {
            assert!(read(lines).is_err(), "{lines:?}");
        }
    }
}
