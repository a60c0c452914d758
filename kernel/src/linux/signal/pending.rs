// SPDX-License-Identifier: MIT
//! Signals that were sent and not taken: to a process, or to one of its threads.

use super::handlers::Handlers;
use super::{Info, SIGNALS, bit, first_of};

/// Signals on their way. Of those of one number, one at a time is kept.
pub struct Pending {
    set: u64,
    infos: [Info; SIGNALS],
}

impl Default for Pending {
    /// No signals.
    fn default() -> Self {
        Self { set: 0, infos: [Info::default(); SIGNALS] }
    }
}

impl Pending {
    /// The set of them.
    #[inline]
    pub fn set(&self) -> u64 {
        self.set
    }

    /// Adds one, unless one of its number is there.
    pub fn add(&mut self, info: Info) {
        if self.set & bit(info.signal) == 0 {
            self.replace(info);
        }
    }

    /// Adds one in place of one of its number.
    pub(super) fn replace(&mut self, info: Info) {
        if let Ok(index) = Handlers::index(info.signal) {
            self.set |= bit(info.signal);
            self.infos[index] = info;
        }
    }

    /// Drops those in `set`.
    pub fn remove(&mut self, set: u64) {
        self.set &= !set;
    }

    /// Takes one of those in `set`: one that the program's own instructions cause first, else
    /// the lowest number.
    pub fn take(&mut self, set: u64) -> Option<Info> {
        let signal = first_of(self.set & set)?;
        self.set &= !bit(signal);
        Handlers::index(signal).ok().map(|index| self.infos[index])
    }
}
