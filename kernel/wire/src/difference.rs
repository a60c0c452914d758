// SPDX-License-Identifier: MIT
//! Differences as text.

use core::fmt;

use pe_replay::{Difference, Field};

use crate::name::GPR_NAMES;

/// A difference to be printed.
#[derive(Clone, Copy, Debug)]
pub struct InWords(pub Difference);

impl fmt::Display for InWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { field, first, second, address } = self.0;
        name(field, f)?;
        if matches!(field, Field::Memory | Field::PageHash) {
            write!(f, " at {address:#x}")?;
        }
        if field == Field::Delimiter {
            return write!(f, ": {} against {}", EndOfRun(first), EndOfRun(second));
        }
        write!(f, ": {first:#x} against {second:#x}")
    }
}

/// What ended a run, by the number that delimiters are compared by.
struct EndOfRun(u64);

impl fmt::Display for EndOfRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0x100 => "a system call",
            0x101 => "the instruction limit",
            0x102 => "the watchdog",
            0x103 => "the limit of written pages",
            14 => "a page fault",
            vector => return write!(f, "exception {vector}"),
        })
    }
}

/// Writes the words for a field: its own name, where there are no better ones.
fn name(field: Field, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match field {
        Field::Gpr(index) => f.write_str(GPR_NAMES[usize::from(index) % GPR_NAMES.len()]),
        Field::St(index) => write!(f, "st{index}"),
        Field::Xmm(index) => write!(f, "xmm{index}"),
        Field::YmmHigh(index) => write!(f, "upper half of ymm{index}"),
        Field::Count => f.write_str("instruction count"),
        Field::Constant => f.write_str("constant part of the saved state"),
        Field::Compared => f.write_str("pages written and compared"),
        _ => {
            let mut words = <&str>::from(field).split('_');
            f.write_str(words.next().unwrap_or_default())?;
            words.try_for_each(|word| write!(f, " {word}"))
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use pe_replay::Delimiter;

    use super::*;

    #[test]
    fn a_difference_is_told_in_words() {
        for (field, text) in [
            (Field::Gpr(9), "r9: 0x1 against 0x2"),
            (Field::St(7), "st7: 0x1 against 0x2"),
            (Field::Xmm(15), "xmm15: 0x1 against 0x2"),
            (Field::YmmHigh(0), "upper half of ymm0: 0x1 against 0x2"),
            (Field::Rip, "rip: 0x1 against 0x2"),
            (Field::FsBase, "fs base: 0x1 against 0x2"),
            (Field::FaultAddress, "fault address: 0x1 against 0x2"),
            (Field::Count, "instruction count: 0x1 against 0x2"),
            (Field::Constant, "constant part of the saved state: 0x1 against 0x2"),
            (Field::Compared, "pages written and compared: 0x1 against 0x2"),
            (Field::Delimiter, "delimiter: exception 1 against exception 2"),
            (Field::Memory, "memory at 0x3: 0x1 against 0x2"),
            (Field::PageHash, "page hash at 0x3: 0x1 against 0x2"),
        ] {
            assert_eq!(InWords(Difference { field, first: 1, second: 2, address: 3 }).to_string(), text);
        }
    }

    /// The numbers are those that the engine compares ends by.
    #[test]
    fn what_ended_a_run_is_named() {
        let name = |delimiter: Delimiter| EndOfRun(delimiter.words()[0]).to_string();
        assert_eq!(name(Delimiter::Syscall), "a system call");
        assert_eq!(name(Delimiter::Limit), "the instruction limit");
        assert_eq!(name(Delimiter::Watchdog), "the watchdog");
        assert_eq!(name(Delimiter::DirtyLimit { address: 0 }), "the limit of written pages");
        assert_eq!(name(Delimiter::PageFault { address: 1, error: 4 }), "a page fault");
        assert_eq!(name(Delimiter::Exception { vector: 13, error: 0 }), "exception 13");
    }
}
