// SPDX-License-Identifier: MIT
//! Hits of the engine's breakpoint that are passed over: user code goes on at once, and nothing of its state is saved.
//!
//! Whether a hit is one, the entry code sees from the time stamp that it reads at every exit, and from RCX. Between that
//! time stamp and the one before user mode is entered again lies what no count knows of; between the latter and the next
//! exit lies what lies between those of any stretch that a debug exception ends, instruction for instruction. So what a
//! pass adds to a count is the bias of debug exceptions, which is measured at boot.

use core::mem;

use pmu::exact::Pass;

use super::context::{DISARM_LEAD, Stretch};
use super::entry::ENTRIES;

/// Hits that are passed over in one stretch, at most: in between nobody winds the watchdog up.
pub const PATIENCE: u64 = 4096;

/// What the entry code has to know of a way, and what came of it.
#[repr(C)]
pub struct Passing {
    /// Ticks that a stretch has which ends at the target with a debug exception; 0 if every hit is told.
    pub way: u64,
    /// What a debug exception adds to ticks.
    pub bias: u64,
    /// RCX at the target.
    pub rcx: u64,
    /// Hits that were passed over.
    pub hits: u64,
    /// Ticks in user mode before the hits that were passed over.
    pub ticks: u64,
    /// Time stamp before user mode was entered again; 0 if it was not.
    pub again: u64,
    /// What the timer is armed with.
    pub timer: u32,
}

/// What was passed over in a stretch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passed {
    /// Hits.
    pub hits: u32,
    /// Ticks in user mode before them.
    pub ticks: u64,
    /// Time stamp before user mode was entered for the last time, if there were any.
    pub again: u64,
}

impl Passed {
    /// Time stamps that it read, and that the engine reads then to tell its time from what follows.
    pub fn time_stamps(&self) -> u64 {
        2 * u64::from(self.hits) + u64::from(self.hits > 0)
    }

    /// Registers of the local APIC that it wrote: the timer was armed anew each time.
    pub fn apic_writes(&self) -> u64 {
        self.hits.into()
    }

    /// Ticks in user mode, of all of the stretch.
    pub fn elapsed(&self, stretch: &Stretch) -> u64 {
        let since = if self.hits == 0 { stretch.entered } else { self.again };
        self.ticks.wrapping_add(stretch.left.wrapping_sub(since))
    }
}

impl Passing {
    /// Every hit is told.
    pub const NONE: Self = Self { way: 0, bias: 0, rcx: 0, hits: 0, ticks: 0, again: 0, timer: 0 };
}

/// Has hits passed over in the next stretch, for which the timer is armed with `timer` ticks; `bias` is what a debug
/// exception adds to ticks.
///
/// Where the timer could run out on the way, all of them are told.
pub fn allow(pass: Pass, bias: i64, timer: u32) {
    let way = pass.left.saturating_add_signed(bias);
    if way.saturating_add(DISARM_LEAD) < timer.into() {
        let passing = Passing { way, bias: bias as u64, rcx: pass.rcx, timer, ..Passing::NONE };
        // SAFETY: user mode is not running, so nothing else looks at the entry state.
        unsafe { (*ENTRIES.0.get()).passing = passing };
    }
}

/// Says what was passed over, and has all hits told.
pub fn take() -> Passed {
    // SAFETY: user mode is not running, so nothing else looks at the entry state.
    let passing = unsafe { mem::replace(&mut (*ENTRIES.0.get()).passing, Passing::NONE) };
    let Passing { hits, ticks, again, .. } = passing;
    Passed { hits: hits as u32, ticks, again }
}
