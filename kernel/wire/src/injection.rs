// SPDX-License-Identifier: MIT
//! Injections as text: `pe=K,run=R,at=I,target=T,bit=B`.

use core::fmt;

use flips::{Copy, Injection, Saved, Target};
use pe_replay::Run;
use pe_replay::user::{INTERRUPT_FLAG, USER_FLAGS};
use thiserror::Error;

use crate::name::GPR_NAMES;

/// The copies and saved states by name.
const COPIES: [(&str, Copy); 3] =
    [("checkpoint", Copy::Checkpoint), ("second", Copy::Second), ("spare", Copy::Spare)];
const SAVED: [(&str, Saved); 3] =
    [("start", Saved::Start), ("shadow", Saved::Shadow), ("result", Saved::Result)];

/// What is wrong with an injection's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InjectionError {
    /// A part is not `key=value` with a known key.
    #[error("expected pe=K,run=R,at=I,target=T,bit=B")]
    UnknownKey,
    /// A key is missing or given twice.
    #[error("each of pe, run, at, target and bit is needed once")]
    WrongKeys,
    /// A number does not parse.
    #[error("pe, at, bit and memory addresses are numbers (0x for hexadecimal)")]
    Number,
    /// `run` is none of 1, 2 and 3.
    #[error("run is 1, 2 or 3")]
    Run,
    /// No such target.
    #[error(
        "target is rax..r15, rip, rflags, xmm0..xmm15, mem:ADDRESS, \
         {{checkpoint, second or spare}}:ADDRESS or {{start, shadow or result}}:rax..r15"
    )]
    Target,
    /// The bit lies outside the target, or is a flag that must not be flipped.
    #[error(
        "bit is below 64 for rax..r15 and rip, below 128 for xmm, below 8 for memory, \
         and for rflags one of 0 2 4 6 7 8 9 10 11 14 18 21"
    )]
    Bit,
}

fn number(text: &str) -> Result<u64, InjectionError> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    }
    .map_err(|_| InjectionError::Number)
}

/// A general register by its name.
fn general(text: &str) -> Result<u8, InjectionError> {
    let index = GPR_NAMES.iter().position(|name| *name == text);
    index.map(|index| index as u8).ok_or(InjectionError::Target)
}

fn target(text: &str) -> Result<Target, InjectionError> {
    if let Some(address) = text.strip_prefix("mem:") {
        return Ok(Target::Memory(number(address)?));
    }
    if let Some(index) = text.strip_prefix("xmm") {
        let index = index.parse().map_err(|_| InjectionError::Target)?;
        return if index < 16 { Ok(Target::Xmm(index)) } else { Err(InjectionError::Target) };
    }
    if let Some((kind, rest)) = text.split_once(':') {
        if let Some((_, copy)) = COPIES.iter().find(|(name, _)| *name == kind) {
            return Ok(Target::Copy(*copy, number(rest)?));
        }
        let saved = SAVED.iter().find(|(name, _)| *name == kind).ok_or(InjectionError::Target)?;
        return Ok(Target::Saved(saved.1, general(rest)?));
    }
    match text {
        "rip" => Ok(Target::Rip),
        "rflags" => Ok(Target::Rflags),
        _ => general(text).map(Target::Gpr),
    }
}

/// The RFLAGS bits that may be flipped: the user's, and IF.
pub const INJECTABLE_FLAGS: u64 = USER_FLAGS | INTERRUPT_FLAG;

/// How many bits a target has.
pub fn bits(target: Target) -> u8 {
    match target {
        Target::Gpr(_) | Target::Rip | Target::Rflags | Target::Saved(..) => 64,
        Target::Xmm(_) => 128,
        Target::Memory(_) | Target::Copy(..) => 8,
    }
}

/// Whether the target exists and has the bit, and the bit may be flipped.
pub fn is_possible(injection: &Injection) -> bool {
    let Injection { target, bit, .. } = *injection;
    let exists = match target {
        Target::Gpr(index) | Target::Xmm(index) | Target::Saved(_, index) => index < 16,
        Target::Rflags => bit < 64 && INJECTABLE_FLAGS & (1 << bit) != 0,
        Target::Rip | Target::Memory(_) | Target::Copy(..) => true,
    };
    exists && bit < bits(target)
}

/// Reads an injection.
pub fn parse(text: &str) -> Result<Injection, InjectionError> {
    fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), InjectionError> {
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(InjectionError::WrongKeys),
        }
    }
    let (mut pe, mut run, mut at, mut hit, mut bit) = (None, None, None, None, None);
    for part in text.split(',') {
        let (key, value) = part.split_once('=').ok_or(InjectionError::UnknownKey)?;
        match key {
            "pe" => set(&mut pe, number(value)?)?,
            "run" => {
                let named =
                    |run: &Run| value.len() == 1 && value.starts_with(char::from(b'0' + run.number()));
                set(&mut run, Run::ALL.into_iter().find(named).ok_or(InjectionError::Run)?)?;
            }
            "at" => set(&mut at, number(value)?)?,
            "target" => set(&mut hit, target(value)?)?,
            "bit" => set(&mut bit, number(value)?)?,
            _ => return Err(InjectionError::UnknownKey),
        }
    }
    let (Some(pe), Some(run), Some(at), Some(target), Some(bit)) = (pe, run, at, hit, bit) else {
        return Err(InjectionError::WrongKeys);
    };
    let bit = u8::try_from(bit).map_err(|_| InjectionError::Bit)?;
    let injection = Injection { pe, run, at, target, bit };
    if is_possible(&injection) { Ok(injection) } else { Err(InjectionError::Bit) }
}

/// An injection to be printed so that [`parse`] reads it.
#[derive(Clone, Copy, Debug)]
pub struct Text(pub Injection);

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Injection { pe, run, at, target, bit } = self.0;
        write!(f, "pe={pe},run={},at={at},target=", run.number())?;
        let general = |index: u8| GPR_NAMES[usize::from(index) % GPR_NAMES.len()];
        match target {
            Target::Gpr(index) => f.write_str(general(index)),
            Target::Rip => f.write_str("rip"),
            Target::Rflags => f.write_str("rflags"),
            Target::Xmm(index) => write!(f, "xmm{index}"),
            Target::Memory(address) => write!(f, "mem:{address:#x}"),
            Target::Copy(copy, address) => write!(f, "{}:{address:#x}", COPIES[copy as usize].0),
            Target::Saved(saved, index) => write!(f, "{}:{}", SAVED[saved as usize].0, general(index)),
        }?;
        write!(f, ",bit={bit}")
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
            assert_eq!(Text(parse(text).unwrap()).to_string(), text);
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
            ("pe=1,run=11,at=0,target=rax,bit=0", InjectionError::Run),
            ("pe=1,run=1,at=0,target=eax,bit=0", InjectionError::Target),
            ("pe=1,run=1,at=0,target=start:rip,bit=0", InjectionError::Target),
            ("pe=1,run=1,at=0,target=second:rax,bit=0", InjectionError::Number),
            ("pe=1,run=1,at=0,target=xmm16,bit=0", InjectionError::Target),
            ("pe=1,run=1,at=0,target=rax,bit=64", InjectionError::Bit),
            ("pe=1,run=1,at=0,target=rflags,bit=12", InjectionError::Bit),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }
}
