// SPDX-License-Identifier: MIT
//! No counter at all: every stretch is one instruction under the trap flag.
//!
//! Slow, but exact, and always there. A stretch is shorter than its budget;
//! whoever wants the budget goes on. A REP string instruction traps after every
//! iteration and counts each.

use crate::back_end::{BackEnd, Entry, Lateness, Nature, Reading, Repeats, StopKind, Stopped};

/// Counts by single steps; there is nothing to calibrate about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stepping;

impl BackEnd for Stepping {
    fn nature(&self) -> Nature {
        Nature { longest: 1, repeats: Repeats::PerIteration, lateness: Lateness::Never, lent: false }
    }

    fn arm(&mut self, _budget: u64) -> Entry {
        Entry { timer: 0, step: true }
    }

    fn stop(&mut self, stopped: Stopped) -> Reading {
        let executed = match stopped.kind {
            StopKind::Debug | StopKind::Syscall => 1,
            StopKind::Counter | StopKind::Fault => 0,
        };
        Reading {
            instructions: executed + u64::from(stopped.swallowed),
            own: stopped.kind == StopKind::Debug,
            strays: u32::from(stopped.kind == StopKind::Counter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_counts_what_it_took_and_is_its_own() {
        for (kind, swallowed, instructions, own, strays) in [
            (StopKind::Debug, false, 1, true, 0),
            (StopKind::Debug, true, 2, true, 0),
            (StopKind::Syscall, false, 1, false, 0),
            (StopKind::Syscall, true, 2, false, 0),
            (StopKind::Fault, false, 0, false, 0),
            (StopKind::Counter, false, 0, false, 1),
        ] {
            let reading = Stepping.stop(Stopped { kind, elapsed: 99, swallowed, passed: 0 });
            assert_eq!(reading, Reading { instructions, own, strays }, "{kind:?}, {swallowed}");
        }
        assert_eq!(Stepping.arm(1_000), Entry { timer: 0, step: true });
    }
}
