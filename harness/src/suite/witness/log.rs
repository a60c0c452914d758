// SPDX-License-Identifier: MIT
//! QEMU's log: executed blocks (`-d exec`), where each block is one instruction, and what
//! interrupts them (`-d int`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// Bits of a block's flags that hold the privilege level (`HF_CPL_MASK` in QEMU).
const PRIVILEGE: u64 = 3;
const USER: u64 = 3;
const PAGE_FAULT: u8 = 14;

/// How often the instruction at each address was begun in user mode.
#[derive(Default)]
pub struct Executed(BTreeMap<u64, u64>);

/// An interrupt or exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// The vector.
    pub vector: u8,
    /// The error code; zero if it has none.
    pub error: u32,
    /// An instruction asked for it: INT3 and the like.
    pub asked: bool,
    /// RIP of the code that it interrupts.
    pub rip: u64,
    /// CR2, for page faults only.
    pub address: u64,
}

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// An instruction was begun.
    Begun { address: u64, user: bool },
    /// The one named last was not begun after all: the counter had run out before it.
    TakenBack { address: u64 },
    /// The code that was executed was interrupted.
    Interrupted { user: bool, by: Interrupt },
    /// Anything else.
    Other,
}

impl Line {
    fn parse(line: &[u8]) -> Option<Self> {
        let begun = line.starts_with(b"Trace ");
        if !begun && !line.starts_with(b"Stopped execution of TB chain before ") {
            return if line.starts_with(b" ") { Self::parse_interrupt(line) } else { Some(Self::Other) };
        }
        let (open, close) = (find(line, b'[')?, find(line, b']')?);
        let mut fields = std::str::from_utf8(line.get(open + 1..close)?).ok()?.split('/');
        let mut number = || u64::from_str_radix(fields.next()?, 16).ok();
        Some(if begun {
            let (_code_base, address, flags) = (number()?, number()?, number()?);
            Self::Begun { address, user: flags & PRIVILEGE == USER }
        } else {
            Self::TakenBack { address: number()? }
        })
    }

    /// `NUMBER: v=0e e=0007 i=0 cpl=3 IP=0033:40109b pc=40109b SP=002b:7ffe78 CR2=402002`
    fn parse_interrupt(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let Some((_number, fields)) = line.split_once(": v=") else { return Some(Self::Other) };
        let mut words = fields.split_ascii_whitespace();
        let mut hex = |name: &str| {
            let word = words.next()?.strip_prefix(name)?;
            u64::from_str_radix(word.rsplit_once(':').map_or(word, |(_selector, offset)| offset), 16).ok()
        };
        let (vector, error) = (hex("")?.try_into().ok()?, hex("e=")?.try_into().ok()?);
        let (asked, privilege, rip) = (hex("i=")? == 1, hex("cpl=")?, hex("IP=")?);
        let address = match vector {
            PAGE_FAULT => u64::from_str_radix(fields.split_once("CR2=")?.1.trim_end(), 16).ok()?,
            _ => 0,
        };
        let by = Interrupt { vector, error, asked, rip, address };
        Some(Self::Interrupted { user: privilege == USER, by })
    }
}

/// Calls `take` with each line of a log.
pub fn lines(path: &Path, mut take: impl FnMut(Line) -> Result<()>) -> Result<()> {
    let name = || path.display().to_string();
    let mut log = BufReader::new(File::open(path).with_context(name)?);
    let mut line = Vec::new();
    while log.read_until(b'\n', &mut line).with_context(name)? > 0 {
        let Some(parsed) = Line::parse(&line) else {
            bail!("no line of QEMU's log: {}", line.escape_ascii());
        };
        take(parsed)?;
        line.clear();
    }
    Ok(())
}

fn find(line: &[u8], byte: u8) -> Option<usize> {
    line.iter().position(|other| *other == byte)
}

impl Executed {
    /// Reads a log from the first time on that user code is at `entry`: before, the kernel
    /// calibrates its counter on user code of its own.
    pub fn read(path: &Path, entry: u64) -> Result<Self> {
        let mut executed = Self::default();
        lines(path, |line| executed.take(line, entry))?;
        ensure!(!executed.0.is_empty(), "QEMU's log does not show the program's entry point {entry:#x}");
        Ok(executed)
    }

    fn take(&mut self, line: Line, entry: u64) -> Result<()> {
        match line {
            Line::Begun { address, user: true } if address == entry || !self.0.is_empty() => {
                *self.0.entry(address).or_default() += 1;
            }
            Line::TakenBack { address } if !self.0.is_empty() => {
                let count = self.0.get_mut(&address).filter(|count| **count > 0);
                *count.with_context(|| format!("{address:#x} was never begun"))? -= 1;
            }
            Line::Begun { .. } | Line::TakenBack { .. } | Line::Interrupted { .. } | Line::Other => {}
        }
        Ok(())
    }

    /// All instructions.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Each address in one log or both, with its counts.
    pub fn beside<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (u64, u64, u64)> + 'a {
        let only_there = other.0.keys().filter(|address| !self.0.contains_key(address));
        let count = |executed: &Self, address| executed.0.get(address).copied().unwrap_or(0);
        self.0
            .keys()
            .chain(only_there)
            .map(move |address| (*address, count(self, address), count(other, address)))
    }
}

impl FromIterator<(u64, u64)> for Executed {
    fn from_iter<I: IntoIterator<Item = (u64, u64)>>(counts: I) -> Self {
        Self(counts.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &[u8] = b"\
Trace 0: 0x7f4dc0000100 [00000000ffff0000/00000000fffffff0/00000040/ff020201] \n\
Trace 0: 0x7f4dc0486e80 [0000000000000000/0000000000401000/18c0c2b0/ff020201] kernel\n\
Trace 0: 0x7f4dc0486e80 [0000000000000000/0000000000401003/18c0c2b3/ff020201] \n\
Stopped execution of TB chain before 0x7f4dc0486e80 [0000000000401003] \n\
Trace 0: 0x7f4dc0486e80 [0000000000000000/0000000000401000/18c0c2b3/ff020201] \n\
Trace 0: 0x7f4dc0486e80 [0000000000000000/0000000000401003/18c0c2b3/ff020201] a name\n\
Stopped execution of TB chain before 0x7f4dc0486e80 [0000000000401003] a name\n\
Trace 0: 0x7f4dc0486e80 [0000000000000000/0000000000401003/18c0c2b3/ff020201] a name\n\
something else\n\
Trace 0: 0x7f4dc0486e80 [0000000000000000/0000000000401000/18c0c2b3/ff020201] \n";

    fn read(log: &[u8], entry: u64) -> Result<Executed> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, log).unwrap();
        Executed::read(&path, entry)
    }

    #[test]
    fn user_instructions_are_counted_from_the_entry_point_on() {
        let executed = read(LOG, 0x401000).unwrap();
        assert_eq!(executed.0.into_iter().collect::<Vec<_>>(), [(0x401000, 2), (0x401003, 1)]);
    }

    #[test]
    fn a_log_that_cannot_be_read_is_an_error() {
        assert!(read(LOG, 0x402000).is_err());
        assert!(read(b"Trace 0: 0x7f4dc0486e80 [401000]\n", 0x401000).is_err());
        assert!(read(b"Trace 0: 0x7f4dc0486e80\n", 0x401000).is_err());
    }

    #[test]
    fn interrupts_are_read() {
        let by = Interrupt { vector: 14, error: 7, asked: false, rip: 0x40109b, address: 0x402002 };
        for (line, expected) in [
            (
                "   260: v=0e e=0007 i=0 cpl=3 IP=0033:000000000040109b pc=000000000040109b \
                 SP=002b:00007fffffffee78 CR2=0000000000402002\n",
                Line::Interrupted { user: true, by },
            ),
            (
                "     7: v=03 e=0000 i=1 cpl=0 IP=0008:ffffffff80200010 pc=ffffffff80200010 \
                 SP=0010:ffffffff80300000 env->regs[R_EAX]=0000000000245431\n",
                Line::Interrupted {
                    user: false,
                    by: Interrupt {
                        vector: 3,
                        error: 0,
                        asked: true,
                        rip: 0xffff_ffff_8020_0010,
                        address: 0,
                    },
                },
            ),
            ("  no interrupt\n", Line::Other),
            ("CR0=80050033 CR2=0000000000402002 CR3=0000000000a07000 CR4=00040620\n", Line::Other),
        ] {
            assert_eq!(Line::parse(line.as_bytes()), Some(expected));
        }
        assert_eq!(Line::parse(b"   260: v=0e e=0007 i=0 cpl=3 IP=0033:40109b pc=40109b SP=002b:7f\n"), None);
        assert_eq!(Line::parse(b"   260: v=0e\n"), None);
    }

    #[test]
    fn logs_are_laid_beside_each_other() {
        let (one, other): (Executed, Executed) =
            ([(1, 5), (2, 1)].into_iter().collect(), [(2, 3), (3, 4)].into_iter().collect());
        assert_eq!(one.beside(&other).collect::<Vec<_>>(), [(1, 5, 0), (2, 1, 3), (3, 0, 4)]);
        assert_eq!(one.total(), 6);
    }
}
