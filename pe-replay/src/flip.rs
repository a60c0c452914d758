// SPDX-License-Identifier: MIT
//! Applies the flips that were asked for: each is a stop on a run's way.

use crate::difference::Field;
use crate::execution::Run;
use crate::executor::{Course, pages};
use crate::inject::{Injection, MAX_INJECTIONS, Saved, Target};
use crate::machine::Machine;
use crate::observer::Observer;
use crate::placement::Placement;
use crate::registers::RegisterSet;
use crate::run::Path;
use crate::tracker::PAGE_LEN;
use crate::user::INTERRUPT_FLAG;

impl<M: Machine, P: Placement, O: Observer<M>> Course<'_, M, P, O> {
    /// The flips of a run that were not applied so far, by their place.
    fn pending(&self, run: Run) -> impl Iterator<Item = (usize, Injection)> {
        let applied = self.executor.applied;
        let all = self.injections.iter().copied().enumerate();
        all.filter(move |(index, flip)| flip.run == run && applied >> index & 1 == 0)
    }

    /// Whether a flip of this run is to come.
    #[cold]
    pub(crate) fn is_hit(&self, run: Run) -> bool {
        assert!(self.injections.len() <= MAX_INJECTIONS, "more injections than one PE can have");
        self.pending(run).next().is_some()
    }

    /// When the next flip of a run comes.
    pub(crate) fn next_flip(&self, path: &Path) -> Option<u64> {
        self.pending(path.run).map(|(_, flip)| flip.at).filter(|at| *at > path.count).min()
    }

    /// Applies the flips that are due after `count` instructions of a run, each once and for all; with `before`,
    /// those only that hit what the run starts from.
    pub(crate) fn flip_due(&mut self, run: Run, count: u64, before: bool) {
        let is_due = |(_, flip): &(usize, Injection)| {
            let is_start = matches!(flip.target, Target::Saved(Saved::Start | Saved::Shadow, _));
            flip.at <= count && (is_start || !before)
        };
        loop {
            let Some((index, flip)) = self.pending(run).find(is_due) else { return };
            self.executor.applied |= 1 << index;
            self.executor.account.flips += u16::from(self.flip(run, flip));
        }
    }

    /// Flips a bit; false if there is no such byte.
    fn flip(&mut self, run: Run, Injection { target, bit, .. }: Injection) -> bool {
        let results = &mut self.executor.results;
        match target {
            Target::Gpr(index) => results[run as usize].flip(Field::Gpr(index), bit),
            Target::Rip => results[run as usize].flip(Field::Rip, bit),
            Target::Rflags if 1 << bit == INTERRUPT_FLAG => self.executor.interrupts_off = true,
            Target::Rflags => results[run as usize].flip(Field::Rflags, bit),
            Target::Xmm(index) => results[run as usize].flip(Field::Xmm(index), bit),
            Target::Saved(Saved::Start, index) => self.thread.start.flip(Field::Gpr(index), bit),
            Target::Saved(Saved::Shadow, index) => self.thread.shadow.flip(Field::Gpr(index), bit),
            Target::Saved(Saved::Result, index) => results[0].flip(Field::Gpr(index), bit),
            Target::Copy(copy, address) => {
                let frame = self.tracker.copy_of(&self.executor.pool, address, copy);
                return self.flip_byte(frame, address, bit);
            }
            // One that the current run sees and the other does not: as if a line of its cache had been hit.
            Target::Memory(address) => {
                self.machine.settle(P::view(run));
                let page = self.machine.page(address);
                let frame = page.and_then(|page| self.tracker.expose(pages!(self), run, page));
                return self.flip_byte(frame, address, bit);
            }
        }
        true
    }

    fn flip_byte(&mut self, frame: Option<M::Frame>, address: u64, bit: u8) -> bool {
        let Some(frame) = frame else { return false };
        self.machine.flip(frame, (address % PAGE_LEN) as u16, 1 << (bit % 8));
        true
    }
}
