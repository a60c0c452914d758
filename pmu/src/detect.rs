// SPDX-License-Identifier: MIT
//! Tries the back ends, best first, and says which was taken and why not a better
//! one.

use crate::back_end::BackEnd;
use crate::check::{self, Measured, Report, Row};
use crate::counter::Counter;
use crate::overflow::{Absent, Overflow, Vendor};
use crate::registers::Registers;
use crate::stepping::Stepping;
use crate::virtual_time::{Clock, VirtualTime};
use crate::workbench::Workbench;
use crate::{amd, intel};

/// The counter that was taken.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one, and nothing to allocate a box from")]
pub enum Chosen<R> {
    /// The processor's.
    Overflow(Counter<Overflow<R>>),
    /// An emulator's time.
    VirtualTime(Clock),
    /// None.
    Stepping(Counter<Stepping>),
}

impl<R: Registers> Chosen<R> {
    /// As a counter.
    pub fn counter(&mut self) -> &mut Counter<dyn BackEnd + '_> {
        match self {
            Self::Overflow(counter) => counter,
            Self::VirtualTime(counter) => counter,
            Self::Stepping(counter) => counter,
        }
    }
}

/// A counter that was not taken, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// This vendor's counter is not there.
    Absent(Vendor, Absent),
    /// This vendor's counter failed a check.
    Failed(Vendor, Row),
    /// Time does not count instructions.
    Time(Measured),
    /// Virtual time failed a check.
    TimeFailed(Row),
}

/// What was found.
#[derive(Debug)]
pub struct Detection<R> {
    /// The counter that was taken, calibrated.
    pub chosen: Chosen<R>,
    /// Its checks; none for single steps, which there is nothing to check about.
    pub report: Report,
    /// The better ones that were refused, best first.
    pub refusals: [Option<Refusal>; 3],
}

/// Tries Intel's counter, AMD's, virtual time and single steps, in this order. An
/// overflow interrupts with `vector`.
pub fn detect<R: Registers>(mut registers: R, vector: u8, workbench: &mut dyn Workbench) -> Detection<R> {
    let mut refusals = [None; 3];
    for (index, vendor) in [Vendor::Intel, Vendor::Amd].into_iter().enumerate() {
        let found = match vendor {
            Vendor::Intel => intel::find(&mut registers),
            Vendor::Amd => amd::find(&registers),
        };
        refusals[index] = Some(match found {
            Err(absent) => Refusal::Absent(vendor, absent),
            Ok(layout) => {
                let mut counter = Counter::new(Overflow::new(registers, layout, vector));
                let report = check::run(&mut counter, workbench);
                let Some(&row) = report.refusal() else {
                    return Detection { chosen: Chosen::Overflow(counter), report, refusals };
                };
                registers = counter.back_end.release();
                Refusal::Failed(vendor, row)
            }
        });
    }
    refusals[2] = Some(match VirtualTime::calibrate(workbench) {
        Err(fault) => Refusal::Time(fault),
        Ok(mut clock) => {
            let report = check::run(&mut clock, workbench);
            let Some(&row) = report.refusal() else {
                return Detection { chosen: Chosen::VirtualTime(clock), report, refusals };
            };
            Refusal::TimeFailed(row)
        }
    });
    Detection { chosen: Chosen::Stepping(Counter::new(Stepping)), report: Report::default(), refusals }
}
