// SPDX-License-Identifier: MIT
//! Who has to go when a page is needed and none is free.
//!
//! Not whoever happens to need it: the process that has most pages, of several the one
//! made last. All of them can be counted, so that the choice repeats.

use super::signal::{Detail, Info, bit};
use super::signal_calls::BY_KERNEL;
use super::{Linux, SIGKILL};
use crate::mem::frame;
use crate::object::scheduler::Scheduler;

impl Linux {
    pub(super) fn log_shortage(&self) {
        let free = frame::free_count();
        defmt::error!(
            "out of memory: process {=u64} needs one more page, {=u64} are free",
            self.process.id(),
            free
        );
    }

    /// Ends the process that has most pages; `false` if that is the current one, which has to
    /// end itself. What needed the page is to be done again, when the other one is gone.
    #[cold]
    pub(super) fn makes_room(&mut self, scheduler: &mut Scheduler) -> bool {
        self.log_shortage();
        // One that is to end gives back what it has soon.
        if self.others.iter().any(|process| process.pending.set() & bit(SIGKILL.into()) != 0) {
            return true;
        }
        let most = self
            .processes()
            .max_by_key(|process| (self.memories[process.memory].resident_pages(), process.id()));
        let Some(victim) = most.map(|process| process.id()).filter(|id| *id != self.process.id()) else {
            return false;
        };
        defmt::error!("out of memory: process {=u64} has most pages and is ended", victim);
        let info = Info { signal: SIGKILL.into(), code: BY_KERNEL, detail: Detail::None };
        self.send(scheduler, victim, info).is_ok()
    }
}
