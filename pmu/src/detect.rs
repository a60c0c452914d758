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
    let (registers, intel) = match Intel::new(registers, vector) {
        Ok(back_end) => {
            let mut counter = Counter::new(back_end);
            let report = check::run(&mut counter, workbench);
            match report.refusal() {
                None => return taken(Chosen::Intel(counter), report, [None; 3]),
                Some(&row) => {
                    let name = counter.back_end.name();
                    (counter.back_end.release(), Refusal { name, reason: Reason::Failed(row) })
                }
            }
        }
        Err((registers, absent)) => {
            (registers, Refusal { name: "Intel fixed counter 0", reason: Reason::Intel(absent) })
        }
    };
    let amd = match Amd::new(registers, vector) {
        Ok(back_end) => {
            let mut counter = Counter::new(back_end);
            let report = check::run(&mut counter, workbench);
            match report.refusal() {
                None => return taken(Chosen::Amd(counter), report, [Some(intel), None, None]),
                Some(&row) => {
                    let name = counter.back_end.name();
                    counter.back_end.release();
                    Refusal { name, reason: Reason::Failed(row) }
                }
            }
        }
        Err((_, absent)) => Refusal { name: "AMD core counter 0", reason: Reason::Amd(absent) },
    };
    let reason = match VirtualTime::calibrate(workbench) {
        Ok(mut counter) => {
            let report = check::run(&mut counter, workbench);
            match report.refusal() {
                None => {
                    return taken(Chosen::VirtualTime(counter), report, [Some(intel), Some(amd), None]);
                }
                Some(&row) => Reason::Failed(row),
            }
        }
        Err(fault) => Reason::VirtualTime(fault),
    };
    let virtual_time = Refusal { name: "virtual time", reason };
    let refusals = [Some(intel), Some(amd), Some(virtual_time)];
    taken(Chosen::Stepping(Counter::new(Stepping)), Report::default(), refusals)
}

fn taken<R>(chosen: Chosen<R>, report: Report, refusals: [Option<Refusal>; 3]) -> Detection<R> {
    Detection { chosen, report, refusals }
}
