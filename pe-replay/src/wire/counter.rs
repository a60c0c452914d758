// SPDX-License-Identifier: MIT
//! Which counter keeps the instruction limit, and what an emulated one does wrong.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// The counter back end that kept the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CounterKind {
    /// APIC timer and TSC of an instruction-counting emulator.
    #[default]
    VirtualTime,
    /// Intel's fixed counter 0.
    Intel,
    /// AMD's core counter 0.
    Amd,
    /// Intel's registers in software, driven by virtual time.
    IntelEmulated,
    /// AMD's registers in software, driven by virtual time.
    AmdEmulated,
    /// None: single steps.
    Stepping,
}

impl CounterKind {
    /// The name used in summaries and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::VirtualTime => "virtual-time",
            Self::Intel => "intel",
            Self::Amd => "amd",
            Self::IntelEmulated => "intel-emulated",
            Self::AmdEmulated => "amd-emulated",
            Self::Stepping => "none",
        }
    }
}

/// Which counter is to be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CounterChoice {
    /// The best one that proves itself.
    Detect,
    /// Virtual time, which is calibrated and not examined any further.
    #[default]
    VirtualTime,
    /// Intel's, in software.
    IntelEmulated,
    /// AMD's, in software.
    AmdEmulated,
    /// None: single steps.
    Stepping,
}

/// How late an emulated counter's interrupts are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lateness {
    /// Not at all.
    #[default]
    None,
    /// Always by so many instructions.
    Fixed(u32),
    /// By any number up to this.
    Random(u32),
    /// Mostly by a few, now and then by up to so many.
    LongTail(u32),
}

/// What an emulated counter does wrong; the names are those of `pmu::emulated::Faults`.
/// "One in" 0 means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterFaults {
    /// Lateness of the interrupts.
    pub skid: Lateness,
    /// One in so many stretches leaves an interrupt over for the next one.
    pub stale: u32,
    /// One in so many has an interrupt without an overflow.
    pub spurious: u32,
    /// One in so many overflows at its last instruction, so that the interrupt comes
    /// in the kernel.
    pub late: u32,
    /// One in so many overflows has no interrupt.
    pub lost: u32,
    /// Every fault or debug exception counts so many instructions.
    pub per_fault: u8,
    /// Every interrupt counts so many.
    pub per_interrupt: u8,
    /// The stretch after an interrupt counts so many more.
    pub after_interrupt: u8,
    /// One in so many stretches counts one more.
    pub wobble: u32,
    /// One in so many stretches that an exception or interrupt ended does.
    pub uneven: u32,
    /// The APIC masks its entry for good when it delivers.
    pub masks_for_good: bool,
    /// The counter has only so many bits; 0 for what CPUID says.
    pub narrow: u8,
    /// The counter stands still after so many instructions; 0 for never.
    pub stops_after: u64,
    /// Nothing that is written arrives.
    pub swallows_writes: bool,
    /// The overflow status cannot be cleared.
    pub sticky_status: bool,
    /// Seed of all that is random about it.
    pub seed: u64,
}

/// What is wrong with a text that is to be [`CounterFaults`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultsError {
    /// A part is not NAME=VALUE with one of the names.
    Name,
    /// A value is no number, or one out of range.
    Number,
    /// Lateness is none, fixed:N, random:N or long-tail:N, N up to 1,000,000.
    Skid,
    /// A narrow counter has 8 to 47 bits.
    Narrow,
}

impl fmt::Display for FaultsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => {
                "known are skid, stale, spurious, late, lost, per_fault, per_interrupt, after_interrupt, wobble, \
                 uneven, masks_for_good, narrow, stops_after, swallows_writes, sticky_status and seed, each NAME=VALUE"
            }
            Self::Number => "a value is not a number, or too large",
            Self::Skid => "skid is none, fixed:N, random:N or long-tail:N, with N up to 1000000",
            Self::Narrow => "narrow is a number of bits from 8 to 47",
        })
    }
}

impl core::error::Error for FaultsError {}

/// The largest skid.
const MAX_SKID: u32 = 1_000_000;

fn number<T: FromStr>(text: &str) -> Result<T, FaultsError> {
    text.parse().map_err(|_| FaultsError::Number)
}

impl FromStr for Lateness {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let (name, most) = text.split_once(':').unwrap_or((text, "0"));
        let most = number(most).ok().filter(|most| *most <= MAX_SKID).ok_or(FaultsError::Skid)?;
        match name {
            "none" if most == 0 => Ok(Self::None),
            "fixed" => Ok(Self::Fixed(most)),
            "random" => Ok(Self::Random(most)),
            "long-tail" => Ok(Self::LongTail(most)),
            _ => Err(FaultsError::Skid),
        }
    }
}

impl FromStr for CounterFaults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let mut faults = Self::default();
        for part in text.split(',') {
            let (name, value) = part.split_once('=').ok_or(FaultsError::Name)?;
            let flag = || Ok(number::<u8>(value)? != 0);
            match name {
                "skid" => faults.skid = value.parse()?,
                "stale" => faults.stale = number(value)?,
                "spurious" => faults.spurious = number(value)?,
                "late" => faults.late = number(value)?,
                "lost" => faults.lost = number(value)?,
                "per_fault" => faults.per_fault = number(value)?,
                "per_interrupt" => faults.per_interrupt = number(value)?,
                "after_interrupt" => faults.after_interrupt = number(value)?,
                "wobble" => faults.wobble = number(value)?,
                "uneven" => faults.uneven = number(value)?,
                "masks_for_good" => faults.masks_for_good = flag()?,
                "narrow" => {
                    let bits = number(value)?;
                    faults.narrow =
                        if (8..48).contains(&bits) { bits } else { return Err(FaultsError::Narrow) };
                }
                "stops_after" => faults.stops_after = number(value)?,
                "swallows_writes" => faults.swallows_writes = flag()?,
                "sticky_status" => faults.sticky_status = flag()?,
                "seed" => faults.seed = number(value)?,
                _ => return Err(FaultsError::Name),
            }
        }
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read() {
        let faults: CounterFaults =
            "skid=long-tail:10000,stale=100,masks_for_good=1,narrow=40,seed=7".parse().unwrap();
        let expected = CounterFaults {
            skid: Lateness::LongTail(10_000),
            stale: 100,
            masks_for_good: true,
            narrow: 40,
            seed: 7,
            ..CounterFaults::default()
        };
        assert_eq!(faults, expected);
        assert_eq!("skid=none".parse(), Ok(CounterFaults::default()));
    }

    #[test]
    fn what_is_wrong_with_faults_is_said() {
        for (text, error) in [
            ("", FaultsError::Name),
            ("stale", FaultsError::Name),
            ("sometimes=3", FaultsError::Name),
            ("stale=often", FaultsError::Number),
            ("per_fault=256", FaultsError::Number),
            ("skid=late:10", FaultsError::Skid),
            ("skid=fixed:1000001", FaultsError::Skid),
            ("skid=none:1", FaultsError::Skid),
            ("narrow=48", FaultsError::Narrow),
        ] {
            assert_eq!(text.parse::<CounterFaults>(), Err(error), "{text}");
        }
    }
}
