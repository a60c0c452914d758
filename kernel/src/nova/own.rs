// SPDX-License-Identifier: MIT
//! A call of this kernel's own: the first domain names another one, says how its PEs are run, and asks what they came to
//! and what is left of the kernel's memory.
//!
//! The original does not have it and answers as to any bad parameter, and so does this kernel to all other domains.

use arrayvec::ArrayString;
use pe_replay::Policy;
use pe_replay::policy::{Flush, Mode, Recovery};
use wire::record::MAX_LABEL_LEN;

use super::Nova;
use super::call::Status;
use super::nodes::DomainId;
use crate::mem::{frame, heap};
use crate::object::Objects;
use crate::object::counts::Counts;
use crate::object::processor::Processor;
use crate::object::scheduler::ThreadId;

/// What is asked for, in the first argument.
mod operation {
    /// A name, which is the text of the message: its words, up to a zero byte.
    pub const LABEL: u64 = 0;
    /// How PEs are run: mode, recovery and flush in a byte each, and the limit.
    pub const POLICY: u64 = 1;
    /// PEs, divergences and restarts so far.
    pub const COUNTS: u64 = 2;
    /// What is left of the kernel's memory: free frames, free bytes of the heap, owners of all frames together.
    pub const MEMORY: u64 = 3;
}

/// The byte that leaves a part of a policy as the run has it.
const AS_THE_RUN: u8 = 0xff;

/// The policy that two arguments say, beside what is the whole run's; `None` if they say none.
fn policy(run: Policy, how: u64, limit: u64) -> Option<Policy> {
    let [mode, recovery, flush, rest @ ..] = how.to_le_bytes();
    let mode = match mode {
        0 => Mode::Off,
        1 => Mode::Dual,
        2 => Mode::Triple,
        AS_THE_RUN => run.mode,
        _ => return None,
    };
    let recovery = match recovery {
        0 => Recovery::Restart,
        1 => Recovery::Vote,
        AS_THE_RUN => run.recovery,
        _ => return None,
    };
    let flush = match flush {
        0 => Flush::Never,
        1 => Flush::Lines,
        2 => Flush::All,
        3 => Flush::Retry,
        AS_THE_RUN => run.flush,
        _ => return None,
    };
    let limit = if limit == 0 { run.limit } else { limit };
    let policy = Policy { mode, recovery, flush, limit, ..run };
    // The watchdog was held against the run's limit.
    let is_possible = rest == [0; 5] && limit <= run.limit && policy.is_within_bounds();
    is_possible.then_some(policy)
}

impl Nova {
    /// Performs the call.
    pub(super) fn own_call<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        selector: u64,
        [operation, first, second, _]: [u64; 4],
    ) -> Result<(), Status> {
        if self.things.look(thread).domain != self.root {
            return Err(Status::BadParameter);
        }
        let domain = self.domain(thread, selector, 0)?;
        let (process, space) = self.things.domains[domain].object.group();
        match operation {
            operation::LABEL => self.label(thread, domain),
            operation::POLICY => {
                let policy = policy(objects.processor.run_policy(), first, second);
                objects.set_policy(space, policy.ok_or(Status::BadParameter)?);
                Ok(())
            }
            operation::COUNTS => {
                let Counts { pes, divergences, restarts } = objects.counts_of(process);
                let registers = objects.registers_mut(thread);
                (registers.rsi, registers.rdx, registers.rax) = (pes, divergences, restarts);
                Ok(())
            }
            operation::MEMORY => {
                // They are no more than a cache.
                objects.give_back_copies();
                let (frames, bytes, owners) = (frame::free_count(), heap::free(), frame::all_owners());
                let registers = objects.registers_mut(thread);
                (registers.rsi, registers.rdx, registers.rax) = (frames, bytes, owners);
                Ok(())
            }
            _ => Err(Status::BadParameter),
        }
    }

    /// Names a domain as the caller's message says.
    fn label(&mut self, thread: ThreadId, domain: DomainId) -> Result<(), Status> {
        let mut bytes = [0; MAX_LABEL_LEN];
        let words = self.look_at_page(thread, |page| {
            let count = page.counts().0;
            for (index, word) in (0..count).zip(bytes.as_chunks_mut::<8>().0) {
                *word = page.message_word(index).to_le_bytes();
            }
            count
        });
        let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let text = core::str::from_utf8(&bytes[..length])
            .ok()
            .filter(|_| words.is_some_and(|count| usize::from(count) * 8 <= MAX_LABEL_LEN));
        let label = text.and_then(|text| ArrayString::from(text).ok()).ok_or(Status::BadParameter)?;
        self.things.domains[domain].object.label = label;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_said_in_bytes_and_bounded_by_the_run() {
        let run = Policy { limit: 50_000, ..Policy::DEFAULT };
        let said = policy(run, 0x03_01_02, 20_000);
        let expected = Policy {
            mode: Mode::Triple,
            recovery: Recovery::Vote,
            flush: Flush::Retry,
            limit: 20_000,
            ..run
        };
        assert_eq!(said, Some(expected));
        assert_eq!(policy(run, 0, 50_000), Some(Policy { mode: Mode::Off, ..run }));
        assert_eq!(policy(run, 1, 0), Some(Policy { mode: Mode::Dual, ..run }));
        let run = Policy { mode: Mode::Triple, recovery: Recovery::Vote, flush: Flush::All, ..run };
        assert_eq!(policy(run, 0xff_ffff, 0), Some(run));
        assert_eq!(policy(run, 0xff_ff01, 0), Some(Policy { mode: Mode::Dual, ..run }));
        for (how, limit) in
            [(3, 20_000), (0x200, 20_000), (0x4_0000, 20_000), (1 << 24, 20_000), (1, 50_001), (1, 9)]
        {
            assert_eq!(policy(run, how, limit), None, "{how:#x}, {limit}");
        }
    }
}
