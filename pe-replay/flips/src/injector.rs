// SPDX-License-Identifier: MIT
//! Applies the flips that were asked for: each is a stop on a run's way.

use pe_replay::lifecycle::{Event, Phase};
use pe_replay::placement::Placement;
use pe_replay::tracker::PAGE_LEN;
use pe_replay::user::INTERRUPT_FLAG;
use pe_replay::{Field, Internals, Machine, Observer, Processor, RegisterSet, Run};

use crate::injection::{Copy, Injection, MAX_INJECTIONS, Saved, Target};
use crate::register::Flip;
use crate::witness::Witness;

/// Watches one PE, to apply the flips of it, for another observer too.
pub struct Injector<'a, O> {
    injections: &'a [Injection],
    /// Those that were applied, a bit each.
    applied: u128,
    observer: &'a mut O,
}

const _: () = assert!(MAX_INJECTIONS <= u128::BITS as usize, "each injection has a bit");

impl<'a, O> Injector<'a, O> {
    /// The injections of a PE, mostly none; `observer` is told of all else.
    #[inline(always)]
    pub fn new(injections: &'a [Injection], observer: &'a mut O) -> Self {
        Self { injections, applied: 0, observer }
    }

    /// The flips of a run that were not applied so far, by their place.
    fn pending(&self, run: Run) -> impl Iterator<Item = (usize, Injection)> {
        let applied = self.applied;
        let all = self.injections.iter().copied().enumerate();
        all.filter(move |(index, flip)| flip.run == run && applied >> index & 1 == 0)
    }

    /// When the next flip of a run comes, not before `count` instructions of it.
    #[cold]
    fn next(&self, run: Run, count: u64) -> Option<u64> {
        assert!(self.injections.len() <= MAX_INJECTIONS, "more injections than one PE can have");
        self.pending(run).map(|(_, flip)| flip.at).filter(|at| *at >= count).min()
    }
}

impl<M, O> Observer<M> for Injector<'_, O>
where
    M: Machine + Processor<Registers: Flip>,
    O: Witness<M>,
{
    const WATCHES: bool = O::WATCHES;

    #[inline(always)]
    fn skips_run_2(&self) -> bool {
        self.observer.skips_run_2()
    }

    #[inline(always)]
    fn stepped(&mut self, machine: &mut M, from: Phase, event: Event, to: Phase) {
        self.observer.stepped(machine, from, event, to);
    }

    #[inline(always)]
    fn visit<P: Placement>(&mut self, machine: &mut M, internals: Internals<'_, M, P>) {
        self.observer.visit(machine, internals);
    }

    #[inline(always)]
    fn next_stop(&self, run: Run, count: u64) -> Option<u64> {
        if self.injections.is_empty() { None } else { self.next(run, count) }
    }

    /// Applies the flips that are due, each once and for all: before the run begins those that hit what it starts from.
    fn stopped<P: Placement>(
        &mut self,
        machine: &mut M,
        mut internals: Internals<'_, M, P>,
        run: Run,
        count: Option<u64>,
    ) -> u16 {
        let is_due = |(_, flip): &(usize, Injection)| {
            let is_start = matches!(flip.target, Target::Saved(Saved::Start | Saved::Shadow, _));
            flip.at <= count.unwrap_or(0) && (is_start || count.is_some())
        };
        let mut flips = 0;
        loop {
            let Some((index, injection)) = self.pending(run).find(is_due) else { return flips };
            self.applied |= 1 << index;
            let stands = if count.is_some() { &internals.results[run as usize] } else { &*internals.start };
            let (rip, _) = stands.position();
            let has_hit = flip(machine, &mut internals, run, injection);
            self.observer.flipped(machine, injection, rip, has_hit);
            flips += u16::from(has_hit);
        }
    }

    #[cold]
    fn differed(&mut self, machine: &mut M) {
        if self.applied != 0
            && let [flip, ..] = self.injections
        {
            self.observer.noticed(machine, flip.pe);
        }
        self.observer.differed(machine);
    }
}

/// Flips a bit; false if there is no such byte.
fn flip<M: Machine + Processor<Registers: Flip>, P: Placement>(
    machine: &mut M,
    internals: &mut Internals<'_, M, P>,
    run: Run,
    Injection { target, bit, .. }: Injection,
) -> bool {
    let Internals { start, shadow, results, interrupts_off, .. } = internals;
    match target {
        Target::Gpr(index) => results[run as usize].flip(Field::Gpr(index), bit),
        Target::Rip => results[run as usize].flip(Field::Rip, bit),
        Target::Rflags if 1 << bit == INTERRUPT_FLAG => **interrupts_off = true,
        Target::Rflags => results[run as usize].flip(Field::Rflags, bit),
        Target::Xmm(index) => results[run as usize].flip(Field::Xmm(index), bit),
        Target::Saved(Saved::Start, index) => start.flip(Field::Gpr(index), bit),
        Target::Saved(Saved::Shadow, index) => shadow.flip(Field::Gpr(index), bit),
        Target::Saved(Saved::Result, index) => results[0].flip(Field::Gpr(index), bit),
        Target::Copy(copy, address) => {
            let frame = copy_of(internals, address, copy);
            return flip_byte(machine, frame, address, bit);
        }
        // One that the current run sees and the other does not: as if a line of its cache had been hit.
        Target::Memory(address) => {
            let frame = internals.expose(machine, run, address);
            return flip_byte(machine, frame, address, bit);
        }
    }
    true
}

/// The frame of one of the engine's own copies of the page at `address`.
fn copy_of<M: Machine, P: Placement>(
    internals: &Internals<'_, M, P>,
    address: u64,
    copy: Copy,
) -> Option<M::Frame> {
    let entry = internals.pages().find(|entry| entry.page.address == address & !(PAGE_LEN - 1))?;
    entry.frames[..P::FRAMES].get(copy as usize).copied()
}

fn flip_byte<M: Machine>(machine: &mut M, frame: Option<M::Frame>, address: u64, bit: u8) -> bool {
    let Some(frame) = frame else { return false };
    machine.flip(frame, (address % PAGE_LEN) as u16, 1 << (bit % 8));
    true
}
