// SPDX-License-Identifier: MIT
//! The options that say what a program takes for the time.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use clap::{Args, ValueEnum};
use wire::clock::{Clock, ClockKind};

/// The word for the date of this machine.
const NOW: &str = "now";

/// A program's clock.
#[derive(Args, Clone, Copy, Debug)]
pub struct ClockArgs {
    /// What a program's time passes by, sleeping apart
    ///
    /// It is `user` if absent, but `machine` for a system of --nova.
    #[arg(long, value_enum)]
    pub clock: Option<ClockName>,
    /// When a program begins: a date, such as 2024-05-01 or 2024-05-01T12:00:00Z, or `now`; 2025-01-01 if absent
    #[arg(long, value_name = "DATE", value_parser = date_s)]
    pub date: Option<u64>,
}

impl From<ClockArgs> for Clock {
    fn from(args: ClockArgs) -> Self {
        let kind = match args.clock.unwrap_or_default() {
            ClockName::User => ClockKind::User,
            ClockName::Machine => ClockKind::Machine,
        };
        Self { kind, date_s: args.date.unwrap_or(Self::DEFAULT_DATE_S) }
    }
}

/// What a program's time can pass by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ClockName {
    /// A nanosecond for each user instruction that is committed: the same in every mode and under every limit
    #[default]
    User,
    /// The emulator's virtual time since boot, the kernel's share included
    Machine,
}

/// Reads a date by ISO 8601, in UTC if it does not say otherwise; in seconds since 1970.
fn date_s(text: &str) -> Result<u64, String> {
    let seconds = if text == NOW {
        SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|since| since.as_secs().try_into().ok())
    } else {
        let with_zone = || DateTime::parse_from_rfc3339(text).ok().map(|date| date.timestamp());
        let without = || text.parse().ok().map(|date: NaiveDateTime| date.and_utc().timestamp());
        let day = || {
            let date: NaiveDate = text.parse().ok()?;
            Some(date.and_time(NaiveTime::MIN).and_utc().timestamp())
        };
        with_zone().or_else(without).or_else(day)
    };
    let Some(seconds) = seconds else {
        return Err("expected a date such as 2024-05-01 or 2024-05-01T12:00:00Z, or `now`".into());
    };
    match u64::try_from(seconds) {
        Ok(seconds) if seconds <= Clock::MAX_DATE_S => Ok(seconds),
        Ok(_) | Err(_) => Err("a program can begin from 1970-01-01 to 2200-01-01".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_iso_8601() {
        for (text, seconds) in [
            ("1970-01-01", 0),
            ("2025-01-01", Clock::DEFAULT_DATE_S),
            ("2024-05-01", 1_714_521_600),
            ("2024-05-01T12:00:00", 1_714_564_800),
            ("2024-05-01T12:00:00Z", 1_714_564_800),
            ("2024-05-01T14:00:00+02:00", 1_714_564_800),
            ("2200-01-01T00:00:00Z", Clock::MAX_DATE_S),
        ] {
            assert_eq!(date_s(text), Ok(seconds), "{text}");
        }
        assert!(date_s(NOW).is_ok_and(|seconds| seconds > Clock::DEFAULT_DATE_S));
    }

    #[test]
    fn what_is_no_date_or_cannot_be_kept_is_refused() {
        for text in ["", "today", "2024-13-01", "2024-05-01T25:00:00Z", "01.05.2024", "1714521600"] {
            assert!(date_s(text).is_err_and(|error| error.starts_with("expected a date")), "{text}");
        }
        for text in ["1969-12-31", "2200-01-01T00:00:01Z", "9999-01-01"] {
            assert!(date_s(text).is_err_and(|error| error.starts_with("a program can begin")), "{text}");
        }
    }
}
