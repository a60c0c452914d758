// SPDX-License-Identifier: MIT
//! Applies the flips that were asked for: each is a stop on a run's way.

use crate::difference::Field;
use crate::execution::Run;
use crate::executor::{Course, pages};
use crate::inject::{Injection, MAX_INJECTIONS, Saved, Target};
use crate::machine::Machine;
use crate::observer::Observer;
use crate::registers::RegisterSet;
use crate::run::Path;
use crate::tracker::{PAGE_LEN, SetFull};
use crate::tracking::Tracking;
use crate::user::INTERRUPT_FLAG;

impl<M: Machine, T: Tracking<M>, O: Observer<M>> Course<'_, M, T, O> {
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

    /// Applies the flips that are due, each once and for all: of what the run starts from before it begins.
    pub(crate) fn flip_due(&mut self, path: &mut Path) {
        let is_saved =
            |flip: &Injection| matches!(flip.target, Target::Saved(Saved::Start | Saved::Shadow, _));
        loop {
            let count = path.count;
            let due = self.pending(path.run).filter(|(_, flip)| flip.at <= count);
            let Some((index, flip)) = due.max_by_key(|(_, flip)| is_saved(flip)) else { return };
            if !is_saved(&flip) {
                self.begin(path);
            }
            self.executor.applied |= 1 << index;
            self.executor.account.flips += u16::from(self.flip(path.run, flip));
        }
    }

    fn flip(&mut self, run: Run, flip: Injection) -> bool {
        let state = &mut self.executor.results[run as usize];
        match flip.target {
            Target::Rflags if 1 << flip.bit == INTERRUPT_FLAG => self.executor.interrupts_off = true,
            Target::Gpr(index) => state.flip(Field::Gpr(index), flip.bit),
            Target::Rip => state.flip(Field::Rip, flip.bit),
            Target::Rflags => state.flip(Field::Rflags, flip.bit),
            Target::Xmm(index) => state.flip(Field::Xmm(index), flip.bit),
            Target::Memory(address) => return self.flip_memory(run, address, 1 << (flip.bit % 8)),
            Target::Copy(copy, address) => {
                let Some(frame) = self.tracker.copy_of(&self.executor.pool, address, copy) else {
                    return false;
                };
                self.machine.flip(frame, (address % PAGE_LEN) as u16, 1 << (flip.bit % 8));
            }
            Target::Saved(saved, index) => {
                let saved = match saved {
                    Saved::Start => &mut self.thread.start,
                    Saved::Shadow => &mut self.thread.shadow,
                    Saved::Result => &mut self.executor.results[Run::First as usize],
                };
                saved.flip(Field::Gpr(index), flip.bit);
            }
        }
        true
    }

    /// A flip in memory is one that the current run sees and the other does not:
    /// as if a line of its cache had been hit.
    fn flip_memory(&mut self, run: Run, address: u64, mask: u8) -> bool {
        self.machine.settle(T::view(run));
        let Some(page) = self.machine.page(address) else { return false };
        let frame = match self.tracker.expose(pages!(self), run, page) {
            Ok(frame) => frame,
            Err(SetFull) => return false,
        };
        self.machine.flip(frame, (address % PAGE_LEN) as u16, mask);
        true
    }
}
