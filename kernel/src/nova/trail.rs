// SPDX-License-Identifier: MIT
//! The calls that were made last, for whoever asks why a system has ended, and all of them in the log if that is wished.

use core::fmt;

use arrayvec::ArrayVec;
use pe_replay::UserRegisters;
use wire::ThreadNumber;
use wire::nova::CALLS;

use super::Nova;
use super::call::Status;
use super::things::Resume;
use crate::object::Objects;
use crate::object::processor::Processor;
use crate::object::scheduler::ThreadId;
use crate::personality::Effect;

/// Calls that are kept.
const KEPT: usize = 32;

/// A call as a thread has made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// Who has made it.
    pub thread: ThreadNumber,
    /// Where the thread goes on.
    pub rip: u64,
    /// RDI, which says what it is, and its arguments in RSI, RDX, RAX, R8.
    pub words: [u64; 5],
}

impl Made {
    /// The call in a thread's registers.
    pub fn new(thread: ThreadNumber, registers: &UserRegisters) -> Self {
        let UserRegisters { rip, rdi, rsi, rdx, rax, r8, .. } = *registers;
        Self { thread, rip, words: [rdi, rsi, rdx, rax, r8] }
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rdi, rsi, rdx, rax, r8] = self.words;
        let (name, flags, selector) = (CALLS[(rdi & 0xf) as usize], rdi >> 4 & 0xf, rdi >> 8);
        write!(f, "{} at {:#x}: {name} {selector:#x}", self.thread, self.rip)?;
        if flags != 0 {
            write!(f, " flags {flags:#x}")?;
        }
        write!(f, " ({rsi:#x}, {rdx:#x}, {rax:#x}, {r8:#x})")
    }
}

/// Bytes in hexadecimal.
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// How a call has ended, in words.
pub struct Outcome(pub Option<Status>);

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(status) => write!(f, "{}", status as u8),
            None => f.write_str("later"),
        }
    }
}

/// The calls that were made last.
#[derive(Default)]
pub struct Trail {
    made: ArrayVec<Made, KEPT>,
    /// Where the next one goes, once there are so many.
    next: usize,
    /// Calls that are not there and were made: by their numbers, the flags as bits.
    absent: [u16; 16],
}

impl Trail {
    /// Notes a call.
    pub fn note(&mut self, made: Made) {
        if self.made.try_push(made).is_err() {
            self.made[self.next] = made;
            self.next = (self.next + 1) % KEPT;
        }
    }

    /// Logs a call that is not there, when one of its number and flags is made for the first time.
    pub fn warn_of_absent(&mut self, made: &Made) {
        let (number, flags) = ((made.words[0] & 0xf) as usize, made.words[0] >> 4 & 0xf);
        let known = self.absent[number];
        self.absent[number] |= 1 << flags;
        if known != self.absent[number] {
            defmt::warn!("not there: {}", defmt::Display2Format(made));
        }
    }

    /// The calls, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Made> {
        let (behind, before) = self.made.split_at(self.next);
        before.iter().chain(behind)
    }
}

impl Nova {
    /// Logs a call that was made, and how it has ended if it has.
    #[cold]
    pub(super) fn log_call<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        made: &Made,
        done: &Result<Effect, Status>,
    ) {
        let status = match done {
            Ok(Effect::Continue) => Some(Status::Success),
            // Who goes on in user mode has its answer, although others come first.
            Ok(_) if self.things.look(thread).resume == Resume::User => Some(Status::Success),
            Ok(_) => None,
            Err(status) => Some(*status),
        };
        let (made, outcome) = (defmt::Display2Format(made), Outcome(status));
        defmt::info!("{} -> {} at {=u64}", made, defmt::Display2Format(&outcome), objects.ticks());
    }

    /// Logs how a call has ended whose thread has waited.
    pub(super) fn log_answer<P: Processor>(
        &self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        status: Status,
    ) {
        if self.logs_calls {
            let (numbers, outcome) = (objects.numbers(thread), Outcome(Some(status)));
            let numbers = defmt::Display2Format(&numbers);
            defmt::info!("{} -> {} at {=u64}", numbers, defmt::Display2Format(&outcome), objects.ticks());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(rip: u64) -> Made {
        let thread = ThreadNumber { process: 2, thread: 3 };
        Made { thread, rip, words: [0x1000 << 8 | 1 << 4 | 3, 0x20, 0x50_0000, 0, 0x300] }
    }

    #[test]
    fn the_last_calls_are_kept_in_their_order() {
        let mut trail = Trail::default();
        let rips = |trail: &Trail| trail.iter().map(|made| made.rip).collect::<Vec<_>>();
        for rip in 0..100 {
            trail.note(made(rip));
            assert_eq!(rips(&trail), Vec::from_iter((rip + 1).saturating_sub(KEPT as u64)..=rip));
        }
    }

    #[test]
    fn a_call_is_told_with_caller_and_arguments() {
        let told = "thread 3 of process 2 at 0x40: create_ec 0x1000 flags 0x1 (0x20, 0x500000, 0x0, 0x300)";
        assert_eq!(made(0x40).to_string(), told);
        assert_eq!(Outcome(Some(Status::BadCapability)).to_string(), "4");
    }
}
