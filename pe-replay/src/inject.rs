// SPDX-License-Identifier: MIT
//! Bit flips, on purpose: which bit of what, in which run of which PE, and when.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::life::Run;

/// Flips that one run can be given.
pub const MAX_INJECTIONS: usize = 16;

/// What a flip hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A general register, by its number in instruction encodings (0 is RAX).
    Gpr(u8),
    /// The instruction pointer.
    Rip,
    /// The flags; see [`INJECTABLE_FLAGS`].
    Rflags,
    /// An XMM register.
    Xmm(u8),
    /// The byte at a user address, in the frame that the run sees there.
    Memory(u64),
    /// The byte at a user address, in one of the engine's own copies of the page; no
    /// flip if there is none then.
    Copy(Copy, u64),
    /// A general register, in one of the engine's own saved states.
    Saved(Saved, u8),
}

/// One of the engine's own copies of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Copy {
    /// The checkpoint.
    Checkpoint,
    /// What run 2 works in.
    Second,
    /// The spare one, which is run 3's.
    Spare,
}

/// One of the engine's own saved states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Saved {
    /// What runs 1 and 3 start from.
    Start,
    /// What run 2 starts from.
    Shadow,
    /// What run 1 left.
    Result,
}

/// The copies and saved states by name.
const COPIES: [(&str, Copy); 3] =
    [("checkpoint", Copy::Checkpoint), ("second", Copy::Second), ("spare", Copy::Spare)];
const SAVED: [(&str, Saved); 3] =
    [("start", Saved::Start), ("shadow", Saved::Shadow), ("result", Saved::Result)];

/// One flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Injection {
    /// The PE's sequence number, from 0.
    pub pe: u64,
    /// The run that is hit.
    pub run: Run,
    /// After how many instructions of that run.
    pub at: u64,
    /// What is hit.
    pub target: Target,
    /// Which bit of it.
    pub bit: u8,
}

/// Register names by their number in instruction encodings.
pub const GPR_NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];

/// The RFLAGS bits that may be flipped: CF PF AF ZF SF TF IF DF OF NT AC ID.
pub const INJECTABLE_FLAGS: u64 = 1 << 0
    | 1 << 2
    | 1 << 4
    | 1 << 6
    | 1 << 7
    | 1 << 8
    | 1 << 9
    | 1 << 10
    | 1 << 11
    | 1 << 14
    | 1 << 18
    | 1 << 21;

impl Target {
    /// How many bits the target has.
    pub fn bits(self) -> u8 {
        match self {
            Self::Gpr(_) | Self::Rip | Self::Rflags | Self::Saved(..) => 64,
            Self::Xmm(_) => 128,
            Self::Memory(_) | Self::Copy(..) => 8,
        }
    }
}

/// What is wrong with an injection's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InjectionError {
    /// A part is not `key=value` with a known key.
    UnknownKey,
    /// A key is missing or given twice.
    WrongKeys,
    /// A number does not parse.
    Number,
    /// `run` is none of 1, 2 and 3.
    Run,
    /// No such target.
    Target,
    /// The bit lies outside the target, or is a flag that must not be flipped.
    Bit,
}

impl fmt::Display for InjectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownKey => "expected pe=K,run=R,at=I,target=T,bit=B",
            Self::WrongKeys => "each of pe, run, at, target and bit is needed once",
            Self::Number => "pe, at, bit and memory addresses are numbers (0x for hexadecimal)",
            Self::Run => "run is 1, 2 or 3",
            Self::Target => {
                "target is rax..r15, rip, rflags, xmm0..xmm15, mem:ADDRESS, \
                 {checkpoint, second or spare}:ADDRESS or {start, shadow or result}:rax..r15"
            }
            Self::Bit => {
                "bit is below 64 for rax..r15 and rip, below 128 for xmm, below 8 for memory, \
                 and for rflags one of 0 2 4 6 7 8 9 10 11 14 18 21"
            }
        })
    }
}

fn number(text: &str) -> Result<u64, InjectionError> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    }
    .map_err(|_| InjectionError::Number)
}

impl FromStr for Target {
    type Err = InjectionError;

    fn from_str(text: &str) -> Result<Self, InjectionError> {
        if let Some(address) = text.strip_prefix("mem:") {
            return Ok(Self::Memory(number(address)?));
        }
        if let Some(index) = text.strip_prefix("xmm") {
            let index = index.parse().map_err(|_| InjectionError::Target)?;
            return if index < 16 { Ok(Self::Xmm(index)) } else { Err(InjectionError::Target) };
        }
        if let Some((kind, rest)) = text.split_once(':') {
            if let Some((_, copy)) = COPIES.iter().find(|(name, _)| *name == kind) {
                return Ok(Self::Copy(*copy, number(rest)?));
            }
            let saved = SAVED.iter().find(|(name, _)| *name == kind).ok_or(InjectionError::Target)?;
            return Ok(Self::Saved(saved.1, general(rest)?));
        }
        match text {
            "rip" => Ok(Self::Rip),
            "rflags" => Ok(Self::Rflags),
            _ => general(text).map(Self::Gpr),
        }
    }
}

/// A general register by its name.
fn general(text: &str) -> Result<u8, InjectionError> {
    let index = GPR_NAMES.iter().position(|name| *name == text);
    index.map(|index| index as u8).ok_or(InjectionError::Target)
}

impl FromStr for Injection {
    type Err = InjectionError;

    fn from_str(text: &str) -> Result<Self, InjectionError> {
        fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), InjectionError> {
            match slot.replace(value) {
                None => Ok(()),
                Some(_) => Err(InjectionError::WrongKeys),
            }
        }
        let (mut pe, mut run, mut at, mut target, mut bit) = (None, None, None, None, None);
        for part in text.split(',') {
            let (key, value) = part.split_once('=').ok_or(InjectionError::UnknownKey)?;
            match key {
                "pe" => set(&mut pe, number(value)?)?,
                "run" => set(
                    &mut run,
                    match value {
                        "1" => Run::First,
                        "2" => Run::Second,
                        "3" => Run::Third,
                        _ => return Err(InjectionError::Run),
                    },
                )?,
                "at" => set(&mut at, number(value)?)?,
                "target" => set(&mut target, value.parse::<Target>()?)?,
                "bit" => set(&mut bit, number(value)?)?,
                _ => return Err(InjectionError::UnknownKey),
            }
        }
        let (Some(pe), Some(run), Some(at), Some(target), Some(bit)) = (pe, run, at, target, bit) else {
            return Err(InjectionError::WrongKeys);
        };
        let bit = u8::try_from(bit).map_err(|_| InjectionError::Bit)?;
        let injection = Self { pe, run, at, target, bit };
        if injection.is_possible() { Ok(injection) } else { Err(InjectionError::Bit) }
    }
}

impl Injection {
    /// Whether the target exists and has the bit, and the bit may be flipped.
    pub fn is_possible(&self) -> bool {
        let exists = match self.target {
            Target::Gpr(index) | Target::Xmm(index) | Target::Saved(_, index) => index < 16,
            Target::Rflags => self.bit < 64 && INJECTABLE_FLAGS & (1 << self.bit) != 0,
            Target::Rip | Target::Memory(_) | Target::Copy(..) => true,
        };
        exists && self.bit < self.target.bits()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gpr(index) => f.write_str(GPR_NAMES[usize::from(*index)]),
            Self::Rip => f.write_str("rip"),
            Self::Rflags => f.write_str("rflags"),
            Self::Xmm(index) => write!(f, "xmm{index}"),
            Self::Memory(address) => write!(f, "mem:{address:#x}"),
            Self::Copy(copy, address) => write!(f, "{}:{address:#x}", COPIES[*copy as usize].0),
            Self::Saved(saved, index) => {
                let register = GPR_NAMES[usize::from(*index) % GPR_NAMES.len()];
                write!(f, "{}:{register}", SAVED[*saved as usize].0)
            }
        }
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pe, run, at, target, bit } = self;
        write!(f, "pe={pe},run={},at={at},target={target},bit={bit}", run.number())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn text_round_trips() {
        for text in [
            "pe=0,run=1,at=0,target=rax,bit=63",
            "pe=7,run=2,at=99999,target=rflags,bit=9",
            "pe=1,run=1,at=5,target=xmm15,bit=127",
            "pe=1,run=1,at=5,target=mem:0x4c1000,bit=7",
            "pe=1,run=3,at=5,target=checkpoint:0x4c1000,bit=7",
            "pe=1,run=2,at=5,target=spare:0x4c1000,bit=7",
            "pe=1,run=2,at=5,target=shadow:r15,bit=63",
            "pe=1,run=2,at=5,target=result:rax,bit=0",
        ] {
            assert_eq!(text.parse::<Injection>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn bad_text_is_named() {
        for (text, error) in [
            ("", InjectionError::UnknownKey),
            ("pe=1", InjectionError::WrongKeys),
            ("pe=1,pe=2,run=1,at=0,target=rax,bit=0", InjectionError::WrongKeys),
            ("pe=x,run=1,at=0,target=rax,bit=0", InjectionError::Number),
            ("pe=1,run=4,at=0,target=rax,bit=0", InjectionError::Run),
            ("pe=1,run=1,at=0,target=eax,bit=0", InjectionError::Target),
            ("pe=1,run=1,at=0,target=start:rip,bit=0", InjectionError::Target),
            ("pe=1,run=1,at=0,target=second:rax,bit=0", InjectionError::Number),
            ("pe=1,run=1,at=0,target=xmm16,bit=0", InjectionError::Target),
            ("pe=1,run=1,at=0,target=rax,bit=64", InjectionError::Bit),
            ("pe=1,run=1,at=0,target=rflags,bit=12", InjectionError::Bit),
        ] {
            assert_eq!(text.parse::<Injection>(), Err(error), "{text}");
        }
    }
}
