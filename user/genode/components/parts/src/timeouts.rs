// SPDX-License-Identifier: MIT
//! Timeouts on the time-stamp counter.

use genode_config::bytes::number;
use genode_config::xml::{self, Element};

/// How many ticks of the time-stamp counter a time has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    khz: u64,
}

impl Scale {
    /// The counter's frequency, as the ROM `platform_info` tells it; nothing if that is not there, or 0.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let document = xml::text(bytes).and_then(xml::parse).ok()?;
        let counter = Element::root(&document).child("hardware")?.child("tsc")?;
        let khz = counter.attribute("freq_khz").and_then(|text| number(text).ok())?;
        (khz > 0).then_some(Self { khz })
    }

    /// So many microseconds in ticks, at most all that there are.
    #[must_use]
    pub fn ticks(self, microseconds: u64) -> u64 {
        let ticks = u128::from(microseconds) * u128::from(self.khz) / 1000;
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// So many ticks in microseconds, at most all that there are.
    #[must_use]
    pub fn microseconds(self, ticks: u64) -> u64 {
        let microseconds = u128::from(ticks) * 1000 / u128::from(self.khz);
        u64::try_from(microseconds).unwrap_or(u64::MAX)
    }
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    /// When it is due.
    at: Option<u64>,
    /// By how much later it is due again, if that is not 0.
    period: u64,
}

impl Timeout {
    /// Nothing.
    pub const NONE: Self = Self { at: None, period: 0 };

    /// Is due once after so many ticks; 0 takes it back.
    pub fn once(&mut self, now: u64, ticks: u64) {
        *self = Self { at: (ticks > 0).then(|| now.saturating_add(ticks)), period: 0 };
    }

    /// Is due every so many ticks; 0 takes it back.
    pub fn every(&mut self, now: u64, ticks: u64) {
        self.once(now, ticks);
        self.period = ticks;
    }

    /// When it is due.
    #[must_use]
    pub const fn next(&self) -> Option<u64> {
        self.at
    }

    /// Whether it is due, of which it takes note: a periodic one is due again later, however many periods have passed.
    pub fn is_due(&mut self, now: u64) -> bool {
        let Some(at) = self.at.filter(|&at| at <= now) else { return false };
        self.at = match self.period {
            0 => None,
            period => Some(at.saturating_add(((now - at) / period + 1).saturating_mul(period))),
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(text: &str) -> Option<Scale> {
        Scale::read(text.as_bytes())
    }

    #[test]
    fn the_frequency_is_the_platforms() {
        let text = "<platform_info><hardware><tsc invariant=\"yes\" freq_khz=\"1000000\"/></hardware></platform_info>";
        assert_eq!(scale(text), Some(Scale { khz: 1_000_000 }));
        for text in [
            "",
            "<platform_info/>",
            "<p><hardware><tsc freq_khz=\"0\"/></hardware></p>",
            "<p><hardware><tsc/></hardware></p>",
        ] {
            assert_eq!(scale(text), None, "{text}");
        }
    }

    #[test]
    fn ticks_and_microseconds_are_each_others_and_never_wrap() {
        let scale = Scale { khz: 2_500_000 };
        assert_eq!((scale.ticks(100_000), scale.microseconds(250_000_000)), (250_000_000, 100_000));
        assert_eq!((scale.ticks(u64::MAX), Scale { khz: 1 }.microseconds(u64::MAX)), (u64::MAX, u64::MAX));
    }

    #[test]
    fn a_timeout_is_due_once() {
        let mut timeout = Timeout::NONE;
        assert!(!timeout.is_due(u64::MAX));
        timeout.once(100, 50);
        assert_eq!((timeout.is_due(149), timeout.is_due(150), timeout.is_due(151)), (false, true, false));
        timeout.once(100, 50);
        timeout.once(100, 0);
        assert!(!timeout.is_due(200));
        timeout.once(u64::MAX - 1, u64::MAX);
        assert_eq!(timeout.next(), Some(u64::MAX));
    }

    #[test]
    fn a_period_that_was_missed_is_due_once() {
        let mut timeout = Timeout::NONE;
        timeout.every(100, 50);
        assert_eq!((timeout.is_due(150), timeout.next()), (true, Some(200)));
        assert_eq!((timeout.is_due(420), timeout.next()), (true, Some(450)));
        timeout.every(100, 0);
        assert_eq!(timeout.next(), None);
    }
}
