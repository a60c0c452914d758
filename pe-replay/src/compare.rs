// SPDX-License-Identifier: MIT
//! The closed list of what two runs must agree on.
//!
//! Both sides are in the normal form ([`RegisterSet::normalize`]). Each entry of the
//! list has a test of its own below, which fails when the entry is left out.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::inject::GPR_NAMES;
use crate::registers::RegisterSet;
use crate::stop::End;

/// One compared field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Field {
    /// A general register, by its number in instruction encodings.
    Gpr(u8),
    /// RIP.
    Rip,
    /// RFLAGS, in the normal form.
    Rflags,
    /// Code segment selector.
    Cs,
    /// Stack segment selector.
    Ss,
    /// Data segment selector.
    Ds,
    /// Extra segment selector.
    Es,
    /// FS selector.
    Fs,
    /// GS selector.
    Gs,
    /// FS base.
    FsBase,
    /// GS base.
    GsBase,
    /// x87 control word.
    Fcw,
    /// x87 status word.
    Fsw,
    /// x87 tag word, abridged.
    Ftw,
    /// x87 last opcode.
    Fop,
    /// x87 last instruction pointer.
    Fip,
    /// x87 last data pointer.
    Fdp,
    /// An x87 register, by its place on the stack.
    St(u8),
    /// MXCSR.
    Mxcsr,
    /// The lower half of a vector register.
    Xmm(u8),
    /// The upper half of a vector register.
    YmmHigh(u8),
    /// What ended the run.
    Delimiter,
    /// The error code of an exception.
    ErrorCode,
    /// The fault address of a page fault or a refused write.
    FaultAddress,
    /// The instruction count.
    Count,
    /// A byte of a written page.
    Memory,
    /// A part that the normal form makes constant. A difference here is a fault
    /// in the kernel's own copies.
    Constant,
    /// The hash of a written page.
    PageHash,
    /// The number of pages that were compared, which has to be that of the pages written.
    Compared,
}

impl Field {
    /// Every field that is compared by value, for tests that leave out one at a time.
    pub fn all() -> impl Iterator<Item = Self> {
        let indexed = |count, field: fn(u8) -> Self| (0..count).map(field);
        indexed(16, Self::Gpr)
            .chain([Self::Rip, Self::Rflags, Self::Cs, Self::Ss, Self::Ds, Self::Es, Self::Fs, Self::Gs])
            .chain([Self::FsBase, Self::GsBase])
            .chain([Self::Fcw, Self::Fsw, Self::Ftw, Self::Fop, Self::Fip, Self::Fdp])
            .chain(indexed(8, Self::St))
            .chain([Self::Mxcsr])
            .chain(indexed(16, Self::Xmm))
            .chain(indexed(16, Self::YmmHigh))
            .chain([Self::Delimiter, Self::ErrorCode, Self::FaultAddress, Self::Count, Self::Memory])
            .chain([Self::Constant])
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Gpr(index) => GPR_NAMES[usize::from(*index) % GPR_NAMES.len()],
            Self::St(index) => return write!(f, "st{index}"),
            Self::Xmm(index) => return write!(f, "xmm{index}"),
            Self::YmmHigh(index) => return write!(f, "upper half of ymm{index}"),
            Self::Rip => "rip",
            Self::Rflags => "rflags",
            Self::Cs => "cs",
            Self::Ss => "ss",
            Self::Ds => "ds",
            Self::Es => "es",
            Self::Fs => "fs",
            Self::Gs => "gs",
            Self::FsBase => "fs base",
            Self::GsBase => "gs base",
            Self::Fcw => "x87 control word",
            Self::Fsw => "x87 status word",
            Self::Ftw => "x87 tag word",
            Self::Fop => "x87 opcode",
            Self::Fip => "x87 instruction pointer",
            Self::Fdp => "x87 data pointer",
            Self::Mxcsr => "mxcsr",
            Self::Delimiter => "delimiter",
            Self::ErrorCode => "error code",
            Self::FaultAddress => "fault address",
            Self::Count => "instruction count",
            Self::Memory => "memory",
            Self::PageHash => "page hash",
            Self::Compared => "pages written and compared",
            Self::Constant => "constant part of the saved state",
        };
        f.write_str(name)
    }
}

/// The first thing on which two runs differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What differs.
    pub field: Field,
    /// Its value after run 1, or its low 64 bits.
    pub first: u64,
    /// Its value after run 2, or its low 64 bits.
    pub second: u64,
    /// For memory, the byte's address.
    pub address: u64,
}

impl Difference {
    /// No difference.
    pub(crate) const NONE: Self = Self { field: Field::Constant, first: 0, second: 0, address: 0 };
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.field)?;
        if matches!(self.field, Field::Memory | Field::PageHash) {
            write!(f, " at {:#x}", self.address)?;
        }
        write!(f, ": {:#x} against {:#x}", self.first, self.second)
    }
}

/// What one run left behind, memory apart.
#[derive(Debug)]
pub struct RunResult<'a, R> {
    /// The registers, in the normal form.
    pub registers: &'a R,
    /// How the run ended.
    pub end: End,
}

/// The first field on which two runs differ, memory apart; fields that `skip`
/// names are passed over, which only tests and mutants ask for.
pub fn first_difference<R: RegisterSet>(
    a: &RunResult<'_, R>,
    b: &RunResult<'_, R>,
    skip: Option<Field>,
) -> Option<Difference> {
    if a.registers == b.registers && a.end == b.end {
        return None;
    }
    let mut first = First { found: None, skip };
    let ((x_kind, x_error, x_address), (y_kind, y_error, y_address)) =
        (a.end.delimiter.details(), b.end.delimiter.details());
    first.check(Field::Delimiter, x_kind, y_kind);
    first.check(Field::ErrorCode, x_error, y_error);
    first.check(Field::FaultAddress, x_address, y_address);
    first.check(Field::Rip, a.registers.position().0, b.registers.position().0);
    first.check(Field::Count, a.end.count, b.end.count);
    a.registers.compare(b.registers, &mut |field, x, y| first.check(field, x, y));
    first.found
}

/// The first field on which two register sets differ.
pub fn registers<R: RegisterSet>(a: &R, b: &R, skip: Option<Field>) -> Option<Difference> {
    let mut first = First { found: None, skip };
    if a != b {
        a.compare(b, &mut |field, x, y| first.check(field, x, y));
    }
    first.found
}

/// The first difference so far.
struct First {
    found: Option<Difference>,
    skip: Option<Field>,
}

impl First {
    fn check(&mut self, field: Field, first: u64, second: u64) {
        if self.found.is_none() && first != second && self.skip != Some(field) {
            self.found = Some(Difference { field, first, second, address: 0 });
        }
    }
}

#[cfg(test)]
mod tests;
