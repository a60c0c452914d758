// SPDX-License-Identifier: MIT
//! Finds the instruction that makes a PE diverge for ever.
//!
//! The PE is executed again by single instructions, and what each leaves behind is
//! noted; then again, until an instruction leaves something else behind. Looked at
//! are all registers and, where the runs differed in memory, the byte there. Nothing
//! of this is committed.

use xxhash_rust::xxh3::xxh3_64;

use super::{Engine, counted};
use crate::compare::{self, Difference, Field};
use crate::life::Run;
use crate::machine::{Machine, Order};
use crate::policy::Mode;
use crate::stop::{Cause, Delimiter, vector};
use crate::user::TRAP_FLAG;

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

impl<M: Machine> Engine<M> {
    /// After [`Persistent`](super::Outcome::Persistent) with this difference: the
    /// first instruction after which two executions differ. `log` has room for what
    /// is noted, a word an instruction. The state stays what it is.
    ///
    /// Without replay there is no PM0 to go back to, and so no result.
    #[cold]
    pub fn diagnose(&mut self, machine: &mut M, seen: Difference, log: &mut [u64]) -> Option<Culprit> {
        if self.policy.mode == Mode::Off {
            return None;
        }
        let account = self.account.clone();
        let watched = (seen.field == Field::Memory).then_some(seen.address);
        let mut steps = 0;
        self.trace(machine, watched, log.len().min(MAX_STEPS), |_, digest| {
            log[steps] = digest;
            steps += 1;
            true
        })?;
        let mut culprit = None;
        for _ in 0..COMPARISONS {
            let mut step = 0;
            let intact = self.trace(machine, watched, steps, |rip, digest| {
                let alike = log[step] == digest;
                if !alike {
                    culprit = Some(Culprit { rip, after: step as u64 });
                }
                step += 1;
                alike
            });
            if culprit.is_some() || intact.is_none() {
                break;
            }
        }
        self.account = account;
        culprit
    }

    /// Executes up to `most` instructions from the start state, one by one; after each,
    /// `visit` gets its address and a digest of what there is then, and says whether
    /// to go on. Goes back to the start; `None` if that fails.
    fn trace(
        &mut self,
        machine: &mut M,
        watched: Option<u64>,
        most: usize,
        mut visit: impl FnMut(u64, u64) -> bool,
    ) -> Option<()> {
        const RUN: Run = Run::First;
        // Every attempt begins so.
        if machine.disturbed() {
            self.set.refresh(counted!(self, machine));
        }
        self.registers.begin(RUN);
        let mut fresh = true;
        // A counter that may be late does not stop after one instruction; the trap flag does.
        let step = self.rules.margin.far > 0;
        let mut left = most;
        while left > 0 {
            let state = self.registers.of_mut(RUN);
            let (rip, user_trap) = (state.rip, state.rflags & TRAP_FLAG);
            let stop = machine.enter(
                None,
                state,
                Order { budget: 1, step, breakpoint: None, interrupts_off: false, fresh },
            );
            fresh = false;
            if step && user_trap == 0 && !machine.decode(rip).loads_flags {
                state.rflags &= !TRAP_FLAG;
            }
            let end = match stop.cause {
                Cause::Counter => None,
                Cause::Exception { vector: vector::DEBUG, .. } if step && user_trap == 0 => None,
                cause => match self.treat(machine, RUN, cause) {
                    // The same instruction once more.
                    None if stop.instructions == 0 => continue,
                    end => end,
                },
            };
            let digest = self.fingerprint(machine, watched, end);
            left -= 1;
            if !visit(rip, digest) || end.is_some() {
                break;
            }
        }
        self.set.roll_back(counted!(self, machine), None).ok()
    }

    /// All registers, the watched byte, and what ended the run, in a word.
    fn fingerprint(&mut self, machine: &mut M, watched: Option<u64>, end: Option<Delimiter>) -> u64 {
        let mut state = self.registers.of(Run::First).clone();
        state.normalize();
        let byte = watched.and_then(|address| {
            let page = machine.page(address)?;
            Some(machine.byte(page.frame, (address % crate::written::PAGE_LEN) as u16))
        });
        let (kind, error, address) = end.map_or((0, 0, 0), compare::details);
        let extended = xxh3_64(&state.extended.0);
        let rest = [kind, error, address, byte.map_or(0, u64::from), extended];
        let mut bytes = [0; 8 * 64];
        let words = state.words().into_iter().chain(rest);
        let mut length = 0;
        for (place, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
            length += 8;
        }
        xxh3_64(&bytes[..length])
    }
}
