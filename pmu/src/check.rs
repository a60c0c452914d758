// SPDX-License-Identifier: MIT
//! What a counter has to show before anything relies on it.
//!
//! [`run`] calibrates a counter and checks it, on blocks of user code of known
//! length. All checks are made, also after one has failed, unless the counter
//! does not count at all; the counter is to be used only if the [`Report`] says
//! that all passed. On an emulator that executes 4 x 10^8 instructions a second
//! it takes a tenth of a second (some 4 x 10^7 instructions, and the skid); where a
//! hypervisor lends the counter, nine times as long.
//!
//! # What can go wrong, and where it is looked after
//!
//! The pitfalls that rr, reverie, bedrock and Weaver's papers have met, and what
//! the manuals warn of.
//!
//! | pitfall | looked after by |
//! | --- | --- |
//! | there is no counter, though nothing faults | [`Check::Present`], [`Check::Moves`] |
//! | the wrong event: in Ice Lake the unit mask that meant all conditional branches means the taken ones | does not apply: instructions are counted, by a fixed counter (Intel) or an event without unit masks (AMD). [`Check::Exact`] compares with known numbers, and would tell |
//! | known code does not count alike every time | [`Check::Exact`]: 4,110 blocks of 10 to 10^6 instructions, no spread |
//! | interrupts, faults and other transitions are counted | [`Check::Bias`]: a constant integer for each cause, or refused |
//! | an NMI or a hypervisor enters the kernel unseen during a run, which a count of far branches would tell | not counted: the event is no architectural one (40C4h, on Atoms BFC4h, on AMD C6h), and a second counter would be read at each stop. The kernel sees each of its own entries; what it cannot see is below under System Management Mode and hypervisors, and shows as a difference between two runs |
//! | interrupts are late | [`Check::Skid`]; AMD's are taken for unbounded, see [`crate::skid`] |
//! | a run is stopped too late | [`crate::Move::Missed`]: repeated with a larger margin, at last stepped |
//! | the interrupt comes once and never again, or twice | [`Check::OneInterrupt`], [`Check::Clear`] |
//! | the interrupt itself changes the count (Xen) | [`Check::Undisturbed`] |
//! | freezing on interrupts hides how late they are | turned off by [`crate::intel`] |
//! | System Management Mode is counted | [`Check::Managed`]: FREEZE_WHILE_SMM is set where it is offered, and has to stay; where it is not, a counter that saw such an interrupt (MSR_SMI_COUNT) is refused. For the time after that there is [`Smm::interrupts`]. AMD's processors do not tell; a run that was disturbed differs from the other one |
//! | SpecLockMap executes locked instructions twice (Zen to Zen 2) | turned off by [`crate::amd`]; [`Check::Locks`] sees that it is, and that locked instructions count once on all processors |
//! | an aborted transaction's instructions stay counted | transactions are turned off by [`crate::intel`] |
//! | the sibling thread is counted | fixed counter 0's ANY bit is 0; from version 5 on there is none |
//! | writes are cut to 32 bits, the counter is narrower than it says | [`Check::Width`]; full-width writes, or budgets below 2^31 |
//! | the counter is changed while it counts; read before all is counted | [`crate::overflow`] holds it first, and serializes |
//! | exact samples (PEBS, PDist) have errata and least periods | not used: they make a record exact, and not a stop |
//! | somebody else uses the counter, or user code moves to another processor | up to the kernel: one owner, one processor |
//! | some conditional branches are none (XSAVE on Gracemont) | does not apply: branches are not counted |
//! | REP string instructions count once, or each iteration, and are stopped inside | [`crate::Repeats`], [`crate::exact::Piece`] |
//! | a single step takes two instructions, or shows | [`Check::Steps`]; [`crate::exact::single`] |
//! | the overflow is at the last instruction, its interrupt in the kernel | [`crate::Reading::strays`]; counted, and dropped |
//! | instructions that are not repeatable; state that XSAVE, FS and GS hold; accessed bits that make faults | up to the kernel: not counting |
//! | a hypervisor shares the counter out | [`Check::Trials`]: nine trials where CPUID names one, and none may differ |
//! | a count is wrong later on, after all | up to the kernel: it compares the counts of both runs |
//! | a processor of which nothing is known | another vendor's, or an unknown family of AMD's, is [`crate::overflow::Absent`]; then time, and at last single steps. Intel's counter is architectural; what is not is used on known models only |
//! | there is no counter that is good enough | [`crate::stepping`], with the same interface |

mod circumstances;
mod counting;
mod interrupts;
pub(crate) mod report;
mod steps;
pub(crate) mod trial;

pub use circumstances::LOCK_BLOCKS;
pub use interrupts::{LATEST, OVERFLOWS};
pub use report::{Check, Measured, Report, Row};

use strum::VariantArray as _;

use crate::back_end::{BackEnd, Lateness, Smm};
use crate::counter::{Calibration, Counter};
use crate::workbench::Workbench;
use trial::Trial;

/// Calibrates `counter` and checks it.
pub fn run<'a>(counter: &'a mut Counter<dyn BackEnd + 'a>, workbench: &'a mut dyn Workbench) -> Report {
    let lead = match counter.back_end.nature().lateness {
        // The lead is what makes such a counter exact, and was found by its own means.
        Lateness::Never => counter.calibration.lead,
        Lateness::AtLeast(_) => 0,
    };
    counter.calibration = Calibration { lead, ..Calibration::default() };
    let before = counter.back_end.smm();
    let mut trial = Trial { counter, workbench };
    let mut report = Report::default();
    for (&check, row) in Check::VARIANTS.iter().zip(&mut report.rows) {
        let outcome = trial.perform(check, before);
        *row = Some(Row { check, outcome });
        if check == Check::Moves && outcome.is_err() {
            break;
        }
    }
    report
}

impl Trial<'_> {
    fn perform(&mut self, check: Check, before: Smm) -> Result<Measured, Measured> {
        match check {
            Check::Present => {
                self.counter.back_end.probe().map(|()| Measured::AsAsked).map_err(Measured::Unkept)
            }
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
