// SPDX-License-Identifier: MIT
//! What a counter has to show before anything relies on it.
//!
//! [`run`] calibrates a counter and checks it, on blocks of user code of known
//! length. All checks are made, also after one has failed, unless the counter
//! does not count at all; the counter is to be used only if the [`Report`] says
//! that all passed. On an emulator that executes 4 x 10^8 instructions a second
//! it takes a fifth of a second (some 4 x 10^7 instructions, and the skid); where a
//! hypervisor lends the counter, nine times as long.

mod circumstances;
mod counting;
mod interrupts;
mod report;
mod steps;

pub use report::{Check, Measured, Report, Row, Verdict};

use crate::back_end::{BackEnd, Lateness, Reading, Smm, StopKind, Stopped};
use crate::counter::{Calibration, Counter};
use crate::workbench::{Block, Sample, Workbench};

/// A counter on the bench.
struct Trial<'a> {
    counter: &'a mut Counter<dyn BackEnd + 'a>,
    workbench: &'a mut dyn Workbench,
}

/// Why a check stopped.
type Failure = Measured;

impl Trial<'_> {
    /// One stretch from the start of a block.
    fn execute(&mut self, block: Block, budget: u64) -> Result<(Sample, Reading), Failure> {
        let entry = self.counter.arm(budget);
        let sample = self.workbench.execute(block, entry);
        self.read(sample)
    }

    /// Goes on with a block.
    fn resume(&mut self, budget: u64) -> Result<(Sample, Reading), Failure> {
        let entry = self.counter.arm(budget);
        let sample = self.workbench.resume(entry);
        self.read(sample)
    }

    fn read(&mut self, sample: Option<Sample>) -> Result<(Sample, Reading), Failure> {
        // Also a counter whose interrupt never came is disarmed.
        let (kind, elapsed) =
            sample.map_or((StopKind::Debug, 0), |Sample { kind, elapsed, .. }| (kind, elapsed));
        let reading = self.counter.stop(Stopped { kind, elapsed, swallowed: false });
        sample.map(|sample| (sample, reading)).ok_or(Measured::NoEnd)
    }

    /// One stretch of a block to its own end, with the counter far from
    /// overflowing.
    fn whole(&mut self, block: Block) -> Result<(Sample, Reading), Failure> {
        let (sample, reading) = self.execute(block, self.counter.back_end.longest())?;
        if sample.kind == block.end() {
            Ok((sample, reading))
        } else {
            Err(Measured::Uncalled { own: reading.own })
        }
    }

    /// A block to its own end, however often the counter interrupts it, the first
    /// time after `budget`: instructions executed, instructions counted, interrupts.
    fn through(&mut self, block: Block, budget: u64) -> Result<(u64, u64, u32), Failure> {
        let (mut sample, mut reading) = self.execute(block, budget)?;
        let (mut executed, mut counted) = (sample.executed, reading.instructions);
        for interrupts in 0..RESUMES {
            if sample.kind == block.end() {
                return Ok((executed, counted, interrupts));
            }
            (sample, reading) = self.resume(self.counter.back_end.longest())?;
            executed += sample.executed;
            counted += reading.instructions;
        }
        Err(Measured::NoEnd)
    }
}

/// Interrupts inside one block, at most.
const RESUMES: u32 = 1_000;

/// Calibrates `counter` and checks it.
pub fn run<'a>(counter: &'a mut Counter<dyn BackEnd + 'a>, workbench: &'a mut dyn Workbench) -> Report {
    let lead = match counter.back_end.lateness() {
        // The lead is what makes such a counter exact, and was found by its own means.
        Lateness::Never => counter.calibration.lead,
        Lateness::AtLeast(_) | Lateness::Unbounded(_) => 0,
    };
    counter.calibration = Calibration { lead, ..Calibration::default() };
    let before = counter.back_end.smm();
    let mut trial = Trial { counter, workbench };
    let mut report = Report::default();
    for check in Check::ALL {
        let outcome = trial.perform(check, before);
        let counts = check != Check::Moves || outcome.is_ok();
        report.add(check, outcome);
        if !counts {
            break;
        }
    }
    report
}

impl Trial<'_> {
    fn perform(&mut self, check: Check, before: Smm) -> Result<Measured, Failure> {
        match check {
            Check::Present => self.present(),
            Check::Moves => self.moves(),
            Check::Exact => self.exact(),
            Check::Width => self.width(),
            Check::OneInterrupt => self.one_interrupt(),
            Check::Clear => self.clear(),
            Check::Bias => self.bias(),
            Check::Skid => self.skid(),
            Check::Undisturbed => self.undisturbed(),
            Check::Locks => self.locks(),
            Check::Steps => self.steps(),
            Check::Trials => self.trials(),
            Check::Managed => self.managed(before),
        }
    }
}
