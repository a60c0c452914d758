// SPDX-License-Identifier: MIT
//! Virtual time is calibrated where it is exact, and nowhere else.

use super::*;
use crate::counter::Calibration;
use crate::workbench::Sample;

/// An emulator with a constant lead and biases, and a way to misbehave.
struct Model {
    executions: u32,
    late: fn(u32) -> u64,
    extra: fn(u32) -> u64,
    dead: bool,
}

impl Default for Model {
    fn default() -> Self {
        Self { executions: 0, late: |_| 0, extra: |_| 0, dead: false }
    }
}

impl Workbench for Model {
    fn execute(&mut self, block: Block, entry: Entry) -> Option<Sample> {
        if self.dead {
            return None;
        }
        self.executions += 1;
        let extra = (self.extra)(self.executions);
        let (executed, bias) = match block {
            Block::Loop => (u64::from(entry.timer) - 22 + (self.late)(self.executions), 40),
            Block::Fault(after) => (after.into(), 41),
            Block::Step => (1, 44),
            Block::Breakpoint(after) => (after.into(), 44),
            Block::Long(loops) => (2 * u64::from(loops) + 1, 46),
            Block::Locked(_) | Block::Trapped(_) => return None,
        };
        Some(Sample { kind: block.end(), elapsed: executed + bias + extra, executed, trap_shown: false })
    }

    fn resume(&mut self, _: Entry) -> Option<Sample> {
        None
    }
}

#[test]
fn constants_are_found() {
    let mut counter = VirtualTime::calibrate(&mut Model::default()).unwrap();
    let Calibration { lead, biases, .. } = counter.calibration;
    assert_eq!((lead, biases.0), (22, [40, 41, 44, 46]));
    assert_eq!(counter.back_end.comparisons, 364);
    assert_eq!(counter.arm(1000), Entry { timer: 1022, step: false });
    let stop = |kind, elapsed| Stopped { kind, elapsed, swallowed: false, passed: 0 };
    assert_eq!(counter.stop(stop(StopKind::Counter, 1040)).instructions, 1000);
    assert_eq!(counter.stop(stop(StopKind::Fault, 41)).instructions, 0);
}

#[test]
fn a_counter_that_never_stops_is_refused() {
    let mut model = Model { dead: true, ..Model::default() };
    assert_eq!(VirtualTime::calibrate(&mut model), Err(Measured::NoEnd));
}

#[test]
fn a_late_interrupt_is_refused() {
    // The lead is what the first stretch says; then 68 blocks end by themselves.
    let once = VirtualTime::calibrate(&mut Model { late: |n| u64::from(n == 75), ..Model::default() });
    assert_eq!(once, Err(Measured::Stop { asked: 105, seen: 106 }));
    let first = VirtualTime::calibrate(&mut Model { late: |n| u64::from(n == 1), ..Model::default() });
    assert_eq!(first, Err(Measured::Stop { asked: 100, seen: 99 }));
}

#[test]
fn a_varying_bias_is_refused() {
    let mut model = Model { extra: |n| u64::from(n == 30), ..Model::default() };
    assert!(matches!(VirtualTime::calibrate(&mut model), Err(Measured::Spread { .. })));
}
