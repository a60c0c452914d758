// SPDX-License-Identifier: MIT
//! The kernel's own call: the names of domains, how their PEs are run, and what these came to.

use genode_rt::{Failure, Result};
use nova_rt::hypercall::{self, number};
use nova_rt::raw::Registers;
use nova_rt::{Status, Utcb};

use crate::object::{Kind, Object};
use crate::state::Core;

/// The flags of the call, and what is asked for: a name, a policy, counts.
const OWN: u64 = 15;
const LABEL: u64 = 0;
const POLICY: u64 = 1;
const COUNTS: u64 = 2;
/// The longest name that the kernel knows.
const MOST_LABEL: usize = 64;

/// Asks for something of a domain.
fn ask(domain: u64, parameters: [u64; 4]) -> (Status, Registers) {
    let after = hypercall::make(Registers::new(number::MISC, OWN, domain, parameters));
    (hypercall::status(after), after)
}

/// Tells the label of a domain, by which summaries call it, through the current thread's UTCB. Of a label that is too
/// long, the end is told.
pub fn name(utcb: Utcb, domain: u64, label: &str) {
    let start = label.len().saturating_sub(MOST_LABEL);
    let start = (start..=label.len()).find(|start| label.is_char_boundary(*start)).unwrap_or(0);
    let mut words = [0; MOST_LABEL / 8];
    for (word, bytes) in words.iter_mut().zip(label.as_bytes()[start..].chunks(8)) {
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_le_bytes(whole);
    }
    utcb.set_words(&words);
    let _ = ask(domain, [LABEL, 0, 0, 0]);
}

/// Has the PEs of a domain run otherwise, by numbers for mode, recovery and flush, and a limit.
pub fn run_otherwise(domain: u64, [mode, recovery, flush]: [u64; 3], limit: u64) -> Result<()> {
    let is_byte = |value: &u64| *value <= 0xff;
    if ![mode, recovery, flush].iter().all(is_byte) {
        return Err(Failure::BadArgument);
    }
    match ask(domain, [POLICY, mode | recovery << 8 | flush << 16, limit, 0]).0 {
        Status::SUCCESS => Ok(()),
        _ => Err(Failure::BadArgument),
    }
}

impl Core {
    /// PEs, divergences and restarts of all domains.
    pub fn counts(&self) -> (u64, u64, u64) {
        let mut sums = (0, 0, 0);
        for (_, object) in self.objects.iter() {
            if let Object::Session(session) = object
                && let Kind::Pd(pd) = &session.kind
                && let (Status::SUCCESS, told) = ask(pd.domain.selector(), [COUNTS, 0, 0, 0])
            {
                sums = (sums.0 + told.rsi, sums.1 + told.rdx, sums.2 + told.rax);
            }
        }
        sums
    }
}
