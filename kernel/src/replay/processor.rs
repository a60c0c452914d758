// SPDX-License-Identifier: MIT
//! The machine with replay as what runs user code: a run calls the engine here and nowhere else.

use alloc::boxed::Box;
use alloc::vec::Vec;

use pe_replay::drive::{Account, Committed, Culprit, MAX_STEPS};
use pe_replay::phases::Stopwatch;
use pe_replay::{Difference, Digest, Engine, Outcome, UserRegisters};
use wire::config::Config;
use wire::end::{End, EndRecord, Totals};
use wire::events::Events;

use super::counter::Counting;
use super::{KernelMachine, Platform, states, upkeep};
use crate::arch::tally::{self, Reading};
use crate::arch::{context, line, machine, port};
use crate::mem::fallible::{self, Exhausted};
use crate::mem::frame::OutOfFrames;
use crate::mem::space::Space;
use crate::object::processor::{Processor, Trigger, Width};

/// The machine, which runs every PE as the configuration says.
pub struct Replayed<'a> {
    machine: KernelMachine,
    config: &'a Config,
    /// What the machine was made to do for threads that are gone.
    events: Events,
    /// What was counted before the first PE; behind the last one, since then.
    counted: Reading,
    /// Overflows that were dropped before the first PE; behind the last one, since then.
    drained: u64,
    /// Interrupts of the timer that ended idle time.
    expired: u64,
}

impl<'a> Replayed<'a> {
    /// The machine with a space in it. Before it runs anything, frames have to be
    /// [reserved](Self::reserve).
    pub fn new(space: Space, platform: &Platform, config: &'a Config) -> Result<Self, OutOfFrames> {
        let machine = KernelMachine::new(space, platform)?;
        Ok(Self {
            machine,
            config,
            events: Events::default(),
            counted: Reading::default(),
            drained: 0,
            expired: 0,
        })
    }

    /// Has the frames promised that copies can need.
    pub fn reserve(&mut self) -> Result<(), OutOfFrames> {
        self.machine.reserve(&self.config.policy)
    }

    /// Gives space and frames back.
    pub fn destroy(self) {
        self.machine.destroy();
    }

    /// Gives space and frames back after a run that ended so.
    pub fn end_record(self, end: End, totals: Totals) -> EndRecord {
        let Counting { unit, kind: counter, .. } = self.machine.counting;
        self.destroy();
        EndRecord { end, unit, counter, totals }
    }
}

impl Processor for Replayed<'_> {
    type Kept = Engine<KernelMachine>;

    #[inline]
    fn registers(kept: &Self::Kept) -> &UserRegisters {
        kept.state()
    }

    #[inline]
    fn registers_mut(kept: &mut Self::Kept) -> &mut UserRegisters {
        kept.state_mut()
    }

    #[inline]
    fn account(kept: &Self::Kept) -> &Account {
        kept.account()
    }

    #[inline]
    fn watch(kept: &mut Self::Kept) -> &mut Stopwatch {
        &mut kept.watch
    }

    #[inline]
    fn space(&self) -> &Space {
        &self.machine.space
    }

    #[inline]
    fn space_mut(&mut self) -> &mut Space {
        &mut self.machine.space
    }

    fn exchange(&mut self, space: Space) -> Space {
        core::mem::replace(&mut self.machine.space, space)
    }

    fn activate(&mut self) {
        self.machine.space.activate();
    }

    /// An engine takes a good part of the kernel's stack: it is there only while it is made.
    #[inline(never)]
    fn admit(&mut self, registers: &UserRegisters) -> Result<Box<Self::Kept>, Exhausted> {
        tally::TIME_STAMPS.add(1);
        let Config { policy, injections, mutation, .. } = self.config;
        let margin = self.machine.counting.margin;
        let engine = Engine::new(*policy, margin, injections.clone(), *mutation, states()?, machine::now());
        let mut kept = fallible::boxed(engine)?;
        kept.state_mut().clone_from(registers);
        Ok(kept)
    }

    fn prepare(&mut self, kept: &mut Self::Kept, sequence: u64, since: u64, limit: u64) {
        kept.resume(sequence, since, limit);
    }

    #[inline]
    fn execute(&mut self, kept: &mut Self::Kept) -> Outcome {
        kept.execute(&mut self.machine)
    }

    fn digest(&mut self, kept: &Self::Kept, committed: &Committed) -> Digest {
        kept.digest(&mut self.machine, committed)
    }

    fn diagnose(&mut self, kept: &mut Self::Kept, seen: Difference) -> Option<Culprit> {
        let mut log = Vec::new();
        if fallible::resize(&mut log, MAX_STEPS, || 0).is_err() {
            defmt::warn!("there is no memory to look for the instruction that diverges");
            return None;
        }
        kept.diagnose(&mut self.machine, seen, &mut log)
    }

    fn leave(&mut self, kept: &mut Self::Kept) {
        kept.let_go(&mut self.machine, |machine, page| machine.space.is_shared(page.entry));
    }

    fn release(&mut self, kept: &mut Self::Kept) {
        kept.retire(&mut self.machine);
    }

    fn dismiss(&mut self, kept: &Self::Kept) {
        self.events.add(&kept.events);
    }

    fn pooled(&self) -> u64 {
        self.machine.pooled()
    }

    #[inline]
    fn now(&self) -> u64 {
        machine::now()
    }

    fn count_time_stamps(&mut self, more: u64) {
        tally::TIME_STAMPS.add(more);
    }

    fn begin_counting(&mut self) {
        (self.counted, self.drained) = (Reading::now(), context::drained());
    }

    fn end_counting(&mut self) {
        self.counted = Reading::now().since(self.counted);
        self.drained = context::drained() - self.drained;
        match context::kernel_nmis() {
            0 => {}
            count => defmt::info!("the watchdog ran down in the kernel {=u64} times, to no harm", count),
        }
    }

    fn complete(&self, totals: &mut Totals) {
        totals.drained_overflows += self.drained - self.expired;
        totals.events = self.events;
        upkeep::complete(totals, self.counted, self.drained);
    }

    fn enable_line(&mut self, line: u8, trigger: Trigger) {
        line::enable(line, trigger == Trigger::Level);
    }

    fn disable_line(&mut self, line: u8) {
        line::disable(line);
    }

    fn take_lines(&mut self) -> u32 {
        line::take()
    }

    fn idle(&mut self, until: Option<u64>) {
        let before = context::drained();
        line::idle(until);
        // The timer's interrupt is the one that was waited for, and no overflow that came too late.
        self.expired += context::drained() - before;
    }

    fn input(&mut self, port: u16, width: Width) -> u32 {
        match width {
            Width::Byte => port::read_byte(port).into(),
            Width::Word => port::read_word(port).into(),
            Width::Double => port::read_double(port),
        }
    }

    fn output(&mut self, port: u16, width: Width, value: u32) {
        match width {
            Width::Byte => port::write_byte(port, value as u8),
            Width::Word => port::write_word(port, value as u16),
            Width::Double => port::write_double(port, value),
        }
    }
}
