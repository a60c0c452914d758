// SPDX-License-Identifier: MIT
//! The instruction counter in use.

mod bench;
mod choose;
#[cfg_attr(not(feature = "emulated"), path = "counter/no_software.rs")]
mod software;

use pe_replay::stop::{Cause, vector};
use pmu::check::Measured;
use pmu::{Biases, Calibration, StopKind, VirtualTime};
use wire::config::Config;
use wire::counter::CounterKind;
use wire::end::{CounterFault, CounterReport};

pub use bench::on_bench;
pub use choose::{Counting, Selection, choose};

use crate::mem::space::{OutOfFrames, Space};

/// Why there is no counter.
pub enum CounterError {
    /// It failed its calibration.
    Fault(CounterFault),
    /// There was no memory for it.
    OutOfFrames,
}

impl From<OutOfFrames> for CounterError {
    fn from(OutOfFrames: OutOfFrames) -> Self {
        Self::OutOfFrames
    }
}

/// What is wrong with virtual time.
impl From<Measured> for CounterError {
    fn from(fault: Measured) -> Self {
        Self::Fault(match fault {
            Measured::Spread { least, most } => CounterFault::Spread { least, most },
            Measured::Stop { asked, seen } => CounterFault::Inexact { asked, seen },
            _ => CounterFault::Dead,
        })
    }
}

/// The bias that belongs to a cause.
#[inline]
pub fn stop_kind(cause: Cause) -> StopKind {
    match cause {
        Cause::Syscall => StopKind::Syscall,
        Cause::Counter => StopKind::Counter,
        Cause::Watchdog | Cause::Breakpoint | Cause::Exception { vector: vector::DEBUG, .. } => {
            StopKind::Debug
        }
        Cause::Exception { .. } => StopKind::Fault,
    }
}

/// What the host is told about a calibrated counter.
pub fn report(counting: &Counting) -> CounterReport {
    let calibration = match counting.other {
        Some(counter) => counter.lock().calibration,
        None => counting.clock.calibration,
    };
    let Calibration { lead, biases: Biases(biases), skid: _ } = calibration;
    CounterReport {
        kind: counting.kind,
        arm_lead: lead as i64,
        bias_counter: biases[StopKind::Counter as usize],
        bias_page_fault: biases[StopKind::Fault as usize],
        bias_debug: biases[StopKind::Debug as usize],
        bias_syscall: biases[StopKind::Syscall as usize],
        comparisons: counting.clock.back_end.comparisons,
    }
}

/// Finds the counter that the configuration asks for, on blocks in `space`, which is
/// left as it was.
pub fn select(config: &Config, space: &mut Space, mxcsr_mask: u32) -> Result<Selection, CounterError> {
    on_bench(space, mxcsr_mask, |bench| choose(config.counter, config.counter_faults, bench))?
}

/// What was found with the kernel in the user's page tables, once it is out of them. An entry adds more to a count
/// then: virtual time, which is nothing but entries and their time stamps, is calibrated again, and any other counter is
/// examined again.
pub fn select_again(
    found: Selection,
    config: &Config,
    space: &mut Space,
    mxcsr_mask: u32,
) -> Result<Selection, CounterError> {
    if found.counting.kind != CounterKind::VirtualTime {
        return select(config, space, mxcsr_mask);
    }
    let clock = on_bench(space, mxcsr_mask, |bench| VirtualTime::calibrate(bench))??;
    Ok(Selection { counting: Counting::timed(clock), ..found })
}
