// SPDX-License-Identifier: MIT
//! Finds the instruction that makes a PE diverge for ever.
//!
//! The PE is executed again by single instructions, and what each leaves behind is
//! noted; then again, until an instruction leaves something else behind. Looked at
//! are all registers and, where the runs differed in memory, the byte there. Nothing
//! of this is committed.

use xxhash_rust::xxh3::Xxh3;
use zerocopy::IntoBytes;

use crate::difference::{Difference, Field};
use crate::execution::Run;
use crate::executor::{Course, Executor, ThreadOf, pages};
use crate::lifecycle::Approach;
use crate::machine::{Machine, Order};
use crate::observer::Observer;
use crate::placement::Placement;
use crate::registers::RegisterSet;
use crate::replay::{Replay, tracked};
use crate::stop::{Cause, Delimiter};
use crate::tracker::PAGE_LEN;

/// Instructions of a PE that are looked at, as far as the caller has room to note
/// them: beyond, the diagnosis ends without a result.
pub const MAX_STEPS: usize = 100_000;
/// Comparisons with the first execution: two results may be alike by chance.
const COMPARISONS: u8 = 4;

/// An instruction that did not do the same twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Culprit {
    /// Its address.
    pub rip: u64,
    /// Instructions of the PE before it.
    pub after: u64,
}

impl<M: Machine> Executor<M> {
    /// [Diagnoses](Course::diagnose) a PE of a thread, as its space has it.
    #[cold]
    pub fn diagnose(
        &mut self,
        machine: &mut M,
        thread: &mut ThreadOf<M>,
        replay: &mut Replay,
        seen: Difference,
        log: &mut [u64],
    ) -> Option<Culprit> {
        tracked!(replay, tracker => {
            Course { machine, executor: self, thread, tracker, observer: &mut () }.diagnose(seen, log)
        })
    }
}

impl<M: Machine, P: Placement, O: Observer<M>> Course<'_, M, P, O> {
    /// After [`Persistent`](crate::Outcome::Persistent) with this difference: the
    /// first instruction after which two executions differ. `log` has room for what
    /// is noted, a word an instruction. The state stays what it is.
    ///
    /// Without replay there is no PM0 to go back to, and so no result.
    pub fn diagnose(&mut self, seen: Difference, log: &mut [u64]) -> Option<Culprit> {
        if P::FRAMES == 0 {
            return None;
        }
        let before = self.executor.account.clone();
        let watched = (seen.field == Field::Memory).then_some(seen.address);
        let (mut noted, mut culprit) = (0, None);
        for _ in 0..=COMPARISONS {
            culprit = self.trace(watched, log, &mut noted);
            let damage = self.tracker.roll_back(pages!(self), None);
            if culprit.is_some() || damage.is_some() {
                break;
            }
        }
        self.executor.account = before;
        culprit
    }

    /// Executes instructions from the start state, one by one, as far as there is room to note what each leaves
    /// behind, of which the first `noted` are noted already; returns the one that left something else.
    fn trace(&mut self, watched: Option<u64>, log: &mut [u64], noted: &mut usize) -> Option<Culprit> {
        const RUN: Run = Run::First;
        // Every attempt begins so.
        self.tracker.prepare(pages!(self), self.thread);
        self.executor.results[RUN as usize].clone_from(self.thread.source(RUN));
        let most = log.len().min(MAX_STEPS);
        let mut path = self.path(RUN, Approach { limit: most as u64, exact: None }, true);
        // A counter that may be late does not stop after one instruction; the trap flag does.
        let step = self.executor.margin.far > 0;
        for (at, note) in log[..most].iter_mut().enumerate() {
            let (rip, _) = self.executor.results[RUN as usize].position();
            let end = loop {
                let order =
                    Order { step, fresh: path.fresh, ..Order::begin(if step { crate::run::NET } else { 1 }) };
                let exit = self.enter(&mut path, order);
                match exit.cause {
                    Cause::Counter => break None,
                    cause if cause.is_debug() && step && !path.trapping => break None,
                    cause => match self.treat(RUN, cause) {
                        // The same instruction once more.
                        None if exit.span.instructions == 0 => {}
                        end => break end,
                    },
                }
            };
            let digest = self.fingerprint(watched, end);
            if at == *noted {
                (*note, *noted) = (digest, at + 1);
            }
            if *note != digest {
                return Some(Culprit { rip, after: at as u64 });
            }
            if end.is_some() {
                break;
            }
        }
        None
    }

    /// All registers, the watched byte, and what ended the run, in a word.
    fn fingerprint(&mut self, watched: Option<u64>, end: Option<Delimiter>) -> u64 {
        let mut state = (*self.executor.results[Run::First as usize]).clone();
        state.normalize();
        let byte = watched.and_then(|address| {
            let page = self.machine.page(address)?;
            Some(self.machine.byte(page.frame, (address % PAGE_LEN) as u16))
        });
        let mut digest = Xxh3::new();
        digest.update(end.map_or([0; 3], Delimiter::words).as_bytes());
        digest.update(&[byte.unwrap_or(0)]);
        state.parts().for_each(|(_, bytes)| digest.update(bytes));
        digest.digest()
    }
}
