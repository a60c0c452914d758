// SPDX-License-Identifier: MIT
//! Each PE's count, held against the number of instructions that QEMU's log has for each of
//! its runs.
//!
//! A run is one stretch of user code, or several: write faults of the tracker cut run 1, an
//! interrupt of the counter before its time cuts any, and so do the breakpoints and single
//! steps that bring run 2 to the end of run 1. The log has an entry for each instruction
//! that is begun. Of these the kernel must have counted, no more and no less:
//!
//! | a stretch ends by | the last instruction begun was | and is counted |
//! | --- | --- | --- |
//! | the counter's interrupt | completed | yes |
//! | SYSCALL | completed | yes |
//! | a breakpoint, a single step | completed | yes |
//! | a breakpoint behind a REP that run 1 ended in | its end, which is taken back | no |
//! | a write fault of the tracker | not completed; the next stretch begins it again | there |
//! | a page fault of data, the dirty-page limit | not completed | no |
//! | a page fault of the fetch | completed: what faults is not begun | yes |
//! | #DE, #MF; #GP, if what follows does not apply | not completed | no |
//! | #UD, INT3; #GP of HLT | refused when it was translated, not when executed | yes |
//!
//! Nothing else is made allowance for, and what is not in the table is an error. Further,
//! both runs take the same way, address by address, and have the same end; and the next PE
//! begins where the record of this one says.

#[cfg(test)]
mod tests;

use anyhow::{Context as _, Result, bail, ensure};
use object::LittleEndian as Le;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader, ProgramHeader};
use pe_replay::stop::{FAULT_FETCH, FAULT_PRESENT, FAULT_USER, FAULT_WRITE, vector};
use pe_replay::{Mode, Run};
use wire::DelimiterKind;
use wire::record::PeRecord;

use super::log::Interrupt;
use super::stretches::{Left, Stretch, Stretches};

/// Vectors of interrupts begin here; the counter's is the only one in user mode.
const FIRST_INTERRUPT: u8 = 32;
/// #DE, #BP, #UD, #MF.
const DIVIDE: u8 = 0;
const BREAKPOINT: u8 = 3;
const UNDEFINED: u8 = 6;
const X87: u8 = 16;
/// How a write to a page that is tracked faults.
const TRACKED: u32 = FAULT_PRESENT | FAULT_WRITE | FAULT_USER;
const HLT: u8 = 0xf4;

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// PEs, by [`DelimiterKind`].
    pub pes: [u64; DelimiterKind::ALL.len()],
    /// Their runs.
    pub runs: u64,
    /// Their instructions, counted once.
    pub instructions: u64,
    /// Debug exceptions in them.
    pub debug_exceptions: u64,
    /// Interrupts of the counter before its time.
    pub early: u64,
    /// Second runs that went past their end.
    pub missed: u64,
    /// Parts of REP instructions that were executed on their own.
    pub parts: u64,
}

impl Tally {
    /// All PEs.
    pub fn all(&self) -> u64 {
        self.pes.iter().sum()
    }
}

/// One run of a PE, as the log has it.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// The instructions that were begun, those apart that are begun again or taken back.
    begun: Vec<u64>,
    /// How many of them are counted.
    counted: u64,
    left: Left,
    rip: u64,
}

/// Walks through a log, PE by PE.
struct Walk<'a> {
    program: &'a [u8],
    log: &'a Stretches,
    rest: std::slice::Iter<'a, Stretch>,
    tally: Tally,
}

/// Compares the trace of a program, an ELF file, with the log of the same boot.
pub fn compare(program: &[u8], log: &Stretches, records: &[PeRecord], mode: Mode) -> Result<Tally> {
    let mut walk = Walk { program, log, rest: log.list.iter(), tally: Tally::default() };
    for record in records {
        let PeRecord { sequence, delimiter, instructions, .. } = record;
        walk.pe(record, mode).with_context(|| {
            format!("PE {sequence}, {instructions} instructions to its end by {}", delimiter.name())
        })?;
    }
    ensure!(walk.rest.len() == 0, "{} stretches of user code more than the PEs have", walk.rest.len());
    Ok(walk.tally)
}

impl Walk<'_> {
    fn pe(&mut self, record: &PeRecord, mode: Mode) -> Result<()> {
        let PeRecord { delimiter, instructions, rip, .. } = *record;
        ensure!(record.divergences.is_empty(), "it diverged");
        let before = self.tally.debug_exceptions;
        let first = self.run(record, Run::First, None)?;
        ensure!(first.counted == instructions, "{} instructions of run 1 in the log", first.counted);
        self.tally.runs += 1;
        if mode == Mode::Dual {
            for missed in 0..record.counter_misses {
                let second = self.run(record, Run::Second, Some(&first))?;
                let past = second.begun.len() > first.begun.len() && second.begun.starts_with(&first.begun);
                ensure!(past, "run 2 did not go past its end for the {}. time", missed + 1);
                self.tally.missed += 1;
            }
            let second = self.run(record, Run::Second, Some(&first))?;
            ensure!(second.counted == instructions, "{} instructions of run 2 in the log", second.counted);
            self.tally.runs += 1;
            ensure!(second.begun == first.begun, "run 2 took another way than run 1");
            let same_end = second.left == first.left || delimiter == DelimiterKind::Limit;
            ensure!(same_end, "run 2 was left by {:x?}, run 1 by {:x?}", second.left, first.left);
            ensure!(second.rip == first.rip, "run 2 ended at {:#x}, run 1 at {:#x}", second.rip, first.rip);
        }
        let exceptions = self.tally.debug_exceptions - before;
        ensure!(
            exceptions == u64::from(record.debug_exceptions),
            "{exceptions} debug exceptions in the log, {} recorded",
            record.debug_exceptions
        );
        let goes_on = delimiter == DelimiterKind::Limit || delimiter == DelimiterKind::DirtyLimit;
        ensure!(!goes_on || first.rip == rip, "it ended at {:#x}; recorded is {rip:#x}", first.rip);
        if let Some(next) = self.rest.as_slice().first() {
            let next = self.log.start(next)?;
            ensure!(next == rip, "the next one begins at {next:#x}; recorded is {rip:#x}");
        }
        self.tally.pes[delimiter as usize] += 1;
        self.tally.instructions += instructions;
        Ok(())
    }

    /// The next run; the way to the end of `target`, if that is another run's.
    fn run(&mut self, record: &PeRecord, run: Run, target: Option<&Seen>) -> Result<Seen> {
        let mut begun: Vec<u64> = Vec::new();
        let mut write_faults = if run == Run::First { record.write_faults } else { 0 };
        let ends_by_count = record.delimiter == DelimiterKind::Limit;
        let (left, rip) = loop {
            let stretch = self.rest.next().context("the log has no such run")?;
            begun.extend(&self.log.addresses[stretch.begun.clone()]);
            let rip = self.log.end(stretch)?;
            let Left::Interrupted(by) = stretch.left else { break (stretch.left, rip) };
            if is_tracked(by) && write_faults > 0 {
                ensure!(begun.pop() == Some(rip), "a write fault at {rip:#x}, which was not begun");
                write_faults -= 1;
                continue;
            }
            if by.vector == vector::DEBUG {
                self.tally.debug_exceptions += 1;
                // To get into a REP, run 2 executes as much of it as one instruction.
                let part = target.filter(|to| rip != to.rip && begun.len() == to.begun.len() + 1);
                if let Some(to) = part.filter(|to| begun.ends_with(&[to.rip, to.rip])) {
                    begun.pop();
                    self.tally.parts += 1;
                    break (stretch.left, to.rip);
                }
            } else if by.vector < FIRST_INTERRUPT {
                break (stretch.left, rip);
            }
            if ends_by_count && begun.len() as u64 >= record.instructions {
                break (stretch.left, rip);
            }
            self.tally.early += u64::from(by.vector >= FIRST_INTERRUPT);
        };
        ensure!(write_faults == 0, "{write_faults} write faults are not in the log");
        let counted = begun.len() as u64 - u64::from(!self.is_last_counted(record.delimiter, left)?);
        Ok(Seen { begun, counted, left, rip })
    }

    /// Whether the last instruction that was begun is in the kernel's count.
    fn is_last_counted(&self, delimiter: DelimiterKind, left: Left) -> Result<bool> {
        let by = match left {
            Left::Interrupted(by) => by,
            Left::Syscall if delimiter == DelimiterKind::Syscall => return Ok(true),
            Left::Syscall => bail!("the log has a system call"),
        };
        Ok(match (delimiter, by.vector) {
            (DelimiterKind::Limit, FIRST_INTERRUPT.. | vector::DEBUG) => true,
            (DelimiterKind::PageFault, vector::PAGE_FAULT) => by.error & FAULT_FETCH != 0,
            (DelimiterKind::DirtyLimit, vector::PAGE_FAULT) if is_tracked(by) => false,
            (DelimiterKind::Rdtsc | DelimiterKind::PortIo, vector::GENERAL_PROTECTION) => false,
            (DelimiterKind::Exception, DIVIDE | X87) => false,
            (DelimiterKind::Exception, UNDEFINED) => true,
            (DelimiterKind::Exception, BREAKPOINT) => by.asked,
            (DelimiterKind::Exception, vector::GENERAL_PROTECTION) => self.code_at(by.rip) == Some(HLT),
            (_, _) => bail!("the log has {by:x?}"),
        })
    }

    /// The byte at an address of the program's file.
    fn code_at(&self, address: u64) -> Option<u8> {
        let header = FileHeader64::<Le>::parse(self.program).ok()?;
        let mut segments = header.program_headers(Le, self.program).ok()?.iter();
        segments.find_map(|segment| segment.data_range(Le, self.program, address, 1).ok()??.first().copied())
    }
}

fn is_tracked(by: Interrupt) -> bool {
    by.vector == vector::PAGE_FAULT && by.error == TRACKED
}
