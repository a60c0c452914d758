// SPDX-License-Identifier: MIT
//! Which counter is used, and why not a better one.

use alloc::boxed::Box;
use alloc::string::ToString;
use core::fmt;

use arrayvec::ArrayString;
use pmu::check::Report;
use pmu::detect::{Chosen, Detection, Refusal};
use pmu::overflow::Vendor;
use pmu::stepping::Stepping;
use pmu::{BackEnd, Clock, Counter, Margin, Repeats, VirtualTime, Workbench};
use spin::Mutex;
use wire::checks::Text;
use wire::counter::{CounterChoice, CounterFaults, CounterKind};
use wire::end::CounterFault;
use wire::record::Unit;

use super::{CounterError, software};
use crate::arch::apic::COUNTER_VECTOR;
use crate::arch::counters::Hardware;

/// A counter that has proven itself.
#[derive(Clone, Copy)]
pub struct Counting {
    /// Which.
    pub kind: CounterKind,
    /// What the time stamp counter counts.
    pub unit: Unit,
    /// How far from a target it is armed.
    pub margin: Margin,
    /// How it counts REP string instructions.
    pub repeats: Repeats,
    /// Virtual time, where that is the counter.
    pub clock: Clock,
    /// Any other counter.
    pub other: Option<&'static Mutex<Counter<dyn BackEnd>>>,
}

/// What was found.
pub struct Selection {
    /// The counter.
    pub counting: Counting,
    /// Its self-checks, as far as they were made.
    pub report: Report,
    /// The better ones that were refused.
    pub refusals: [Option<Refusal>; 3],
}

/// As text: what was taken, then a line for each better one.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counter {} is taken", self.counting.kind.name())?;
        self.refusals.iter().flatten().try_for_each(|refusal| write!(f, "; refused: {}", Text(refusal)))
    }
}

impl Counting {
    /// Virtual time counts.
    pub(super) fn timed(clock: Clock) -> Self {
        Self {
            kind: CounterKind::VirtualTime,
            unit: Unit::Instructions,
            margin: clock.margin(),
            repeats: clock.back_end.nature().repeats,
            clock,
            other: None,
        }
    }

    /// The counter lives as long as the kernel.
    #[expect(clippy::disallowed_methods, reason = "the counter is chosen before there is a program")]
    pub(super) fn other(kind: CounterKind, unit: Unit, counter: Counter<impl BackEnd + 'static>) -> Self {
        Self {
            kind,
            unit,
            margin: counter.margin(),
            repeats: counter.back_end.nature().repeats,
            clock: Clock::default(),
            other: Some(Box::leak(Box::new(Mutex::new(counter)))),
        }
    }
}

/// Finds the counter that is asked for, and examines it.
pub fn choose(
    choice: CounterChoice,
    faults: CounterFaults,
    bench: &mut dyn Workbench,
) -> Result<Selection, CounterError> {
    match choice {
        CounterChoice::Detect => Ok(detect(bench)),
        CounterChoice::VirtualTime => Ok(unexamined(Counting::timed(VirtualTime::calibrate(bench)?))),
        CounterChoice::IntelEmulated => software::intel(faults, bench),
        CounterChoice::AmdEmulated => software::amd(faults, bench),
        CounterChoice::Stepping => {
            let unit = match VirtualTime::calibrate(bench) {
                Ok(_) => Unit::Instructions,
                Err(_) => Unit::Cycles,
            };
            Ok(unexamined(Counting::other(CounterKind::Stepping, unit, Counter::new(Stepping))))
        }
    }
}

fn unexamined(counting: Counting) -> Selection {
    Selection { counting, report: Report::default(), refusals: [None; 3] }
}

fn detect(bench: &mut dyn Workbench) -> Selection {
    let Detection { chosen, report, refusals } = pmu::detect(Hardware, COUNTER_VECTOR, bench);
    let counting = match chosen {
        Chosen::VirtualTime(clock) => Counting::timed(clock),
        Chosen::Overflow(counter) => {
            let kind = match counter.back_end.vendor() {
                Vendor::Intel => CounterKind::Intel,
                Vendor::Amd => CounterKind::Amd,
            };
            Counting::other(kind, Unit::Cycles, counter)
        }
        Chosen::Stepping(counter) => Counting::other(CounterKind::Stepping, Unit::Cycles, counter),
    };
    Selection { counting, report, refusals }
}

#[expect(clippy::disallowed_methods, reason = "the counter is chosen before there is a program")]
pub(super) fn refused(why: impl fmt::Display) -> CounterError {
    let mut text = ArrayString::new();
    for character in why.to_string().chars() {
        if text.try_push(character).is_err() {
            break;
        }
    }
    CounterError::Fault(CounterFault::Refused(text))
}
