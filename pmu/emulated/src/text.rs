// SPDX-License-Identifier: MIT
//! Faults as text, for command lines.

use core::fmt;
use core::str::FromStr;

use crate::faults::{Faults, SkidModel};

/// What is wrong with a text that is to be [`Faults`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultsError {
    /// A part is not NAME=VALUE with one of the names.
    Name,
    /// A value is no number, or one out of range.
    Number,
    /// Skid is none, fixed:N, random:N or long-tail:N, N up to 1,000,000.
    Skid,
    /// A narrow counter has 8 to 47 bits.
    Narrow,
}

impl fmt::Display for FaultsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => {
                "known are skid, stale, spurious, late, lost, per_fault, per_interrupt, after_interrupt, wobble, \
                 uneven, masks_for_good, narrow, stops_after, swallows_writes, sticky_status, smi, thaws, speculates, \
                 shared and seed, each NAME=VALUE"
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

impl FromStr for SkidModel {
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

impl FromStr for Faults {
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
                    faults.narrow = Some(bits).filter(|bits| (8..48).contains(bits));
                    faults.narrow.ok_or(FaultsError::Narrow)?;
                }
                "stops_after" => faults.stops_after = Some(number(value)?),
                "swallows_writes" => faults.swallows_writes = flag()?,
                "sticky_status" => faults.sticky_status = flag()?,
                "smi" => faults.smi = number(value)?,
                "thaws" => faults.thaws = flag()?,
                "speculates" => faults.speculates = flag()?,
                "shared" => faults.shared = number(value)?,
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
        let faults: Faults =
            "skid=long-tail:10000,stale=100,masks_for_good=1,narrow=40,stops_after=0,seed=7".parse().unwrap();
        let expected = Faults {
            skid: SkidModel::LongTail(10_000),
            stale: 100,
            masks_for_good: true,
            narrow: Some(40),
            stops_after: Some(0),
            seed: 7,
            ..Faults::default()
        };
        assert_eq!(faults, expected);
        assert_eq!("skid=none".parse(), Ok(Faults::default()));
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
            assert_eq!(text.parse::<Faults>(), Err(error), "{text}");
        }
    }
}
