// SPDX-License-Identifier: MIT
//! The command line that makes one run of a campaign alone.

use std::fmt;
use std::os::unix::ffi::OsStrExt;

use chrono::DateTime;
use pe_replay::{Comparison, Mode, Policy, Recovery};
use wire::Name;
use wire::clock::Clock;
use wire::injection::Text;

use super::lab::Trial;
use crate::host::process::quoted;

impl fmt::Display for Trial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Policy { mode, recovery, comparison, limit, max_dirty, .. } = self.subject.bounded(self.policy);
        let [given, words] = self.subject.command();
        let is_plain = !words.iter().any(|word| word.as_bytes().starts_with(b"-"));
        let before = [&words[..if is_plain { words.len() } else { 0 }], given].concat();
        write!(f, "cargo reprise run {} --memory {}", quoted(&before), self.subject.memory_mib())?;
        if mode != Mode::Dual {
            write!(f, " --mode {}", mode.name())?;
        }
        if recovery != Recovery::Restart {
            write!(f, " --recovery {}", recovery.name())?;
        }
        if comparison != Comparison::Bytes {
            write!(f, " --compare {}", comparison.name())?;
        }
        write!(f, " --limit {limit} --max-dirty {max_dirty}{}", clock_words(self.subject.clock()))?;
        self.flips.iter().try_for_each(|flip| write!(f, " --inject {}", Text(*flip)))?;
        // Words that start with a dash would be taken for options.
        if is_plain { Ok(()) } else { write!(f, " -- {}", quoted(words)) }
    }
}

/// The options that ask for a clock, each behind a space; nothing for the usual one.
fn clock_words(clock: Clock) -> String {
    let usual = Clock::default();
    let mut words = String::new();
    if clock.kind != usual.kind {
        words += &format!(" --clock {}", clock.kind.name());
    }
    let date = i64::try_from(clock.date_s).ok().and_then(|date_s| DateTime::from_timestamp(date_s, 0));
    if let Some(date) = date.filter(|_| clock.date_s != usual.date_s) {
        words += &format!(" --date {}", date.format("%Y-%m-%dT%H:%M:%SZ"));
    }
    words
}

#[cfg(test)]
mod tests {
    use wire::clock::ClockKind;

    use super::*;

    #[test]
    fn a_clock_is_asked_for_by_the_options_that_are_not_usual() {
        assert_eq!(clock_words(Clock::default()), "");
        let clock = Clock { kind: ClockKind::Machine, date_s: 1_714_564_800 };
        assert_eq!(clock_words(clock), " --clock machine --date 2024-05-01T12:00:00Z");
    }
}
