// SPDX-License-Identifier: MIT
//! Tries the back ends, best first, and says which was taken and why not a better
//! one.

use core::fmt;

use crate::amd::{self, Amd};
use crate::back_end::BackEnd;
use crate::check::{self, Report, Row};
use crate::counter::Counter;
use crate::intel::{self, Intel};
use crate::registers::Registers;
use crate::stepping::Stepping;
use crate::virtual_time::{Clock, Fault, VirtualTime};
use crate::workbench::Workbench;

/// The counter that was taken.
#[derive(Debug)]
pub enum Chosen<R> {
    /// Intel's.
    Intel(Counter<Intel<R>>),
    /// AMD's.
    Amd(Counter<Amd<R>>),
    /// An emulator's time.
    VirtualTime(Clock),
    /// None.
    Stepping(Counter<Stepping>),
}

impl<R: Registers> Chosen<R> {
    /// As a counter.
    pub fn counter(&mut self) -> &mut Counter<dyn BackEnd + '_> {
        match self {
            Self::Intel(counter) => counter,
            Self::Amd(counter) => counter,
            Self::VirtualTime(counter) => counter,
            Self::Stepping(counter) => counter,
        }
    }
}

/// Why a back end was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is no such counter.
    Intel(intel::Absent),
    /// There is no such counter.
    Amd(amd::Absent),
    /// Time does not count instructions.
    VirtualTime(Fault),
    /// It failed this check.
    Failed(Row),
}

/// A back end that was not taken, and why. As text: one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its name.
    pub name: &'static str,
    /// Why.
    pub reason: Reason,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        match self.reason {
            Reason::Intel(absent) => write!(f, "{absent}"),
            Reason::Amd(absent) => write!(f, "{absent}"),
            Reason::VirtualTime(fault) => write!(f, "{fault}"),
            Reason::Failed(row) => write!(f, "{}: {}", row.check.name(), row.measured),
        }
    }
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
pub fn detect<R: Registers>(registers: R, vector: u8, workbench: &mut dyn Workbench) -> Detection<R> {
    let mut refusals = [None; 3];
    let mut refuse = |index: usize, name, reason| refusals[index] = Some(Refusal { name, reason });
    let registers = match Intel::new(registers, vector).map(Counter::new) {
        Ok(mut counter) => {
            let report = check::run(&mut counter, workbench);
            let Some(&row) = report.refusal() else {
                return Detection { chosen: Chosen::Intel(counter), report, refusals };
            };
            refuse(0, counter.back_end.name(), Reason::Failed(row));
            counter.back_end.release()
        }
        Err((registers, absent)) => {
            refuse(0, "Intel fixed counter 0", Reason::Intel(absent));
            registers
        }
    };
    match Amd::new(registers, vector).map(Counter::new) {
        Ok(mut counter) => {
            let report = check::run(&mut counter, workbench);
            let Some(&row) = report.refusal() else {
                return Detection { chosen: Chosen::Amd(counter), report, refusals };
            };
            refuse(1, counter.back_end.name(), Reason::Failed(row));
            counter.back_end.release();
        }
        Err((_, absent)) => refuse(1, "AMD core counter 0", Reason::Amd(absent)),
    }
    match VirtualTime::calibrate(workbench) {
        Ok(mut counter) => {
            let report = check::run(&mut counter, workbench);
            let Some(&row) = report.refusal() else {
                return Detection { chosen: Chosen::VirtualTime(counter), report, refusals };
            };
            refuse(2, "virtual time", Reason::Failed(row));
        }
        Err(fault) => refuse(2, "virtual time", Reason::VirtualTime(fault)),
    }
    Detection { chosen: Chosen::Stepping(Counter::new(Stepping)), report: Report::default(), refusals }
}
