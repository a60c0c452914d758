// SPDX-License-Identifier: MIT
//! Applies the flips that were asked for.

use super::{Engine, counted};
use crate::inject::{Injection, Saved, Target};
use crate::life::Run;
use crate::machine::Machine;
use crate::policy::Mode;
use crate::user::{INTERRUPT_FLAG, xsave};
use crate::written::{PAGE_LEN, SetFull};

impl<M: Machine> Engine<M> {
    /// The next flip in this run after `count` instructions.
    pub(super) fn next_flip(&self, run: Run, count: u64) -> Option<u64> {
        let due = |flip: &&Injection| flip.pe == self.sequence && flip.run == run && flip.at > count;
        self.injections.iter().filter(due).map(|flip| flip.at).min()
    }

    pub(super) fn is_flip_due(&self, run: Run, count: u64) -> bool {
        self.due_flip(run, count).is_some()
    }

    fn due_flip(&self, run: Run, count: u64) -> Option<usize> {
        let due = |flip: &Injection| flip.pe == self.sequence && flip.run == run && flip.at <= count;
        self.injections.iter().position(due)
    }

    /// Applies flips of what the run is about to start from.
    pub(super) fn flip_saved(&mut self, run: Run) {
        let sequence = self.sequence;
        let due = |flip: &Injection| {
            let before = flip.pe == sequence && flip.run == run && flip.at == 0;
            before && matches!(flip.target, Target::Saved(Saved::Start | Saved::Shadow, _))
        };
        while let Some(index) = self.injections.iter().position(due) {
            let flip = self.injections.swap_remove(index);
            if let Target::Saved(saved, register) = flip.target {
                *self.saved(saved).gpr_mut(register) ^= 1 << (flip.bit % 64);
                self.account.flips = self.account.flips.saturating_add(1);
            }
        }
    }

    /// Applies the flips that are due, each once and for all.
    pub(super) fn flip_due(&mut self, machine: &mut M, run: Run, count: u64) {
        while let Some(index) = self.due_flip(run, count) {
            let flip = self.injections.swap_remove(index);
            if self.flip(machine, run, flip) {
                self.account.flips = self.account.flips.saturating_add(1);
            }
        }
    }

    fn flip(&mut self, machine: &mut M, run: Run, flip: Injection) -> bool {
        let bit = 1u64 << (flip.bit % 64);
        let state = self.registers.of_mut(run);
        match flip.target {
            Target::Gpr(index) => *state.gpr_mut(index) ^= bit,
            Target::Rip => state.rip ^= bit,
            Target::Rflags if bit == INTERRUPT_FLAG => self.interrupts_off = true,
            Target::Rflags => state.rflags ^= bit,
            Target::Xmm(index) => {
                let at = xsave::XMM + 16 * usize::from(index) + usize::from(flip.bit / 8);
                // XRSTOR loads what the component holds, so it must be there first.
                state.extended.normalize();
                state.extended.0[at] ^= 1 << (flip.bit % 8);
            }
            Target::Memory(address) => return self.flip_memory(machine, run, address, 1 << (flip.bit % 8)),
            Target::Copy(copy, address) => {
                let Some(frame) = self.set.copy_of(address, copy) else { return false };
                machine.flip(frame, (address % PAGE_LEN) as u16, 1 << (flip.bit % 8));
            }
            Target::Saved(saved, index) => *self.saved(saved).gpr_mut(index) ^= bit,
        }
        true
    }

    fn saved(&mut self, saved: Saved) -> &mut crate::user::UserRegisters {
        match saved {
            Saved::Start => self.registers.saved_mut(false),
            Saved::Shadow => self.registers.saved_mut(true),
            Saved::Result => self.registers.of_mut(Run::First),
        }
    }

    /// A flip in memory is one that the current run sees and the other does not:
    /// as if a line of its cache had been hit.
    fn flip_memory(&mut self, machine: &mut M, run: Run, address: u64, mask: u8) -> bool {
        let Some(page) = machine.page(address) else { return false };
        let frame = match self.policy.mode {
            Mode::Off => page.frame,
            Mode::Dual | Mode::Triple => match self.set.expose(counted!(self, machine), run, page) {
                Ok(frame) => frame,
                Err(SetFull) => return false,
            },
        };
        machine.flip(frame, (address % PAGE_LEN) as u16, mask);
        true
    }
}
