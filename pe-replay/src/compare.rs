// SPDX-License-Identifier: MIT
//! The closed list of what two runs must agree on.
//!
//! Both sides are in the normal form ([`UserRegisters::normalize`]). Each entry of the
//! list has a test of its own below, which fails when the entry is left out.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::inject::GPR_NAMES;
use crate::stop::Delimiter;
use crate::user::{UserRegisters, xsave};

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
    /// The hash over all page hashes and the registers.
    Summary,
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
            Self::Summary => "summary hash",
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
    /// Its value after run 2, likewise.
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
#[derive(Clone, Copy, Debug)]
pub struct RunResult<'a> {
    /// The registers, in the normal form.
    pub user: &'a UserRegisters,
    /// What ended the run.
    pub delimiter: Delimiter,
    /// Its instructions.
    pub count: u64,
}

/// Discriminant, error code and address of a delimiter, zero where there are none.
pub(crate) fn details(delimiter: Delimiter) -> (u64, u64, u64) {
    match delimiter {
        Delimiter::Syscall => (0x100, 0, 0),
        Delimiter::Limit => (0x101, 0, 0),
        Delimiter::Watchdog => (0x102, 0, 0),
        Delimiter::DirtyLimit { address } => (0x103, 0, address),
        Delimiter::PageFault { address, error } => (14, u64::from(error), address),
        Delimiter::Exception { vector, error } => (u64::from(vector), u64::from(error), 0),
    }
}

/// The first field on which two runs differ, memory apart; fields that `skip`
/// names are passed over, which only tests and mutants ask for.
pub fn first_difference(a: RunResult, b: RunResult, skip: Option<Field>) -> Option<Difference> {
    if a.user == b.user && a.delimiter == b.delimiter && a.count == b.count {
        return None;
    }
    let mut found = None;
    let mut check = |field: Field, first: u64, second: u64| {
        if found.is_none() && first != second && skip != Some(field) {
            found = Some(Difference { field, first, second, address: 0 });
        }
    };
    let ((x_kind, x_error, x_address), (y_kind, y_error, y_address)) =
        (details(a.delimiter), details(b.delimiter));
    check(Field::Delimiter, x_kind, y_kind);
    check(Field::ErrorCode, x_error, y_error);
    check(Field::FaultAddress, x_address, y_address);
    let (x, y) = (a.user, b.user);
    check(Field::Rip, x.rip, y.rip);
    check(Field::Count, a.count, b.count);
    for (index, (first, second)) in x.gprs().into_iter().zip(y.gprs()).enumerate() {
        check(Field::Gpr(index as u8), first, second);
    }
    check(Field::Rflags, x.rflags, y.rflags);
    check(Field::Cs, x.cs, y.cs);
    check(Field::Ss, x.ss, y.ss);
    check(Field::Ds, x.ds.into(), y.ds.into());
    check(Field::Es, x.es.into(), y.es.into());
    check(Field::Fs, x.fs.into(), y.fs.into());
    check(Field::Gs, x.gs.into(), y.gs.into());
    check(Field::FsBase, x.fs_base, y.fs_base);
    check(Field::GsBase, x.gs_base, y.gs_base);

    let word = |area: &[u8; xsave::LEN], at: usize, length: usize| {
        let mut bytes = [0; 8];
        bytes[..length].copy_from_slice(&area[at..at + length]);
        u64::from_le_bytes(bytes)
    };
    let (x_area, y_area) = (&x.extended.0, &y.extended.0);
    let mut part = |field: Field, at: usize, length: usize| {
        // Longer parts go by words, so that the values reported are those that differ.
        for at in (at..at + length).step_by(8) {
            let length = length.min(8);
            check(field, word(x_area, at, length), word(y_area, at, length));
        }
    };
    part(Field::Fcw, xsave::FCW, 2);
    part(Field::Fsw, xsave::FSW, 2);
    part(Field::Ftw, xsave::FTW, 1);
    part(Field::Fop, xsave::FOP, 2);
    part(Field::Fip, xsave::FIP, 8);
    part(Field::Fdp, xsave::FDP, 8);
    part(Field::Mxcsr, xsave::MXCSR, 4);
    for index in 0..8 {
        // Ten bytes of value and six that the normal form makes zero.
        part(Field::St(index), xsave::ST + 16 * usize::from(index), 16);
    }
    for index in 0..16 {
        part(Field::Xmm(index), xsave::XMM + 16 * usize::from(index), 16);
        part(Field::YmmHigh(index), xsave::YMM + 16 * usize::from(index), 16);
    }
    part(Field::Constant, xsave::FTW + 1, 1);
    part(Field::Constant, xsave::MXCSR_MASK, 4);
    part(Field::Constant, xsave::RESERVED, xsave::YMM - xsave::RESERVED);
    check(Field::Constant, x.padding, y.padding);
    check(Field::Constant, x.entry_vector, y.entry_vector);
    check(Field::Constant, x.entry_error, y.entry_error);
    found
}

#[cfg(test)]
mod tests;
