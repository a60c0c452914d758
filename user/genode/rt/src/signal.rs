// SPDX-License-Identifier: MIT
//! Signals: they have a number and a count and carry nothing else, and their sender never waits.

use nova_rt::{Status, hypercall};

use crate::cap::Cap;
use crate::entrypoint::Entrypoint;
use crate::layout::DOMAIN;
use crate::{Result, kernel_memory};

/// Where a component's signals arrive.
#[derive(Clone, Copy, Debug)]
pub struct Signals {
    source: Cap,
}

impl Signals {
    /// A place to receive signals at.
    pub fn new() -> Result<Self> {
        let source = Cap::fresh();
        kernel_memory::done(|| hypercall::create_sm(source.selector(), DOMAIN, 0))?;
        Ok(Self { source })
    }

    /// A signal with a number, which is not 0; its capability is for whoever sends it.
    pub fn context(self, number: u64) -> Result<Cap> {
        let signal = Cap::fresh();
        kernel_memory::done(|| {
            hypercall::create_signal(signal.selector(), DOMAIN, number, self.source.selector())
        })?;
        Ok(signal)
    }

    /// Waits for a signal, up to a time of the time-stamp counter if that is not 0; tells its number, and how often it
    /// was sent.
    #[must_use]
    pub fn receive(self, deadline: u64) -> Option<(u64, u64)> {
        loop {
            match hypercall::receive(self.source.selector(), deadline) {
                // No signal has the number 0, which the first argument is if the deadline is near.
                (Status::SUCCESS, number, count)
                    if (number, count) != (deadline >> 32, deadline & 0xffff_ffff) =>
                {
                    return Some((number, count));
                }
                (Status::SUCCESS, ..) => (),
                _ => return None,
            }
        }
    }

    /// Tells an entrypoint of all signals, for ever.
    pub fn run(self, entrypoint: Entrypoint) -> ! {
        loop {
            if let Some((number, count)) = self.receive(0) {
                entrypoint.tell(number, count);
            }
        }
    }
}

/// Sends a signal.
pub fn submit(signal: Cap) {
    let _ = hypercall::up(signal.selector());
}
