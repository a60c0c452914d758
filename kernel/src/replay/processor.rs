// SPDX-License-Identifier: MIT
//! The machine with replay as what runs user code: a run calls the engine here and nowhere else.

use alloc::boxed::Box;
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use flips::{Injection, Injector, MAX_INJECTIONS};
use pe_replay::Processor as _;
use pe_replay::diagnose::{Culprit, MAX_STEPS};
use pe_replay::phases::{Phase, Stopwatch};
use pe_replay::{
    Account, Difference, End as PeEnd, Executor, Mode, Outcome, Policy, Replay, ThreadOf, UserRegisters,
};
use wire::Digest;
use wire::config::Config;
use wire::end::{End, EndRecord, Totals};
use wire::events::Events;
use wire::nova::System;

use super::counter::Counting;
use super::mutant::Mutant;
use super::{KernelMachine, Platform, executor, thread, upkeep};
use crate::arch::tally::{self, Reading};
use crate::arch::{context, firmware, line, port, watchdog};
use crate::mem::device;
use crate::mem::fallible::{self, Exhausted};
use crate::mem::frame::OutOfFrames;
use crate::mem::space::Space;
use crate::object::interrupt::{LineSet, Message, Wire};
use crate::object::processor::{Held, Piece, Processor, Width};

/// The machine, which runs every PE as the configuration says.
pub struct Replayed<'a> {
    machine: KernelMachine,
    /// How PEs in the machine's space are run.
    replay: Replay,
    config: &'a Config,
    executor: Executor<KernelMachine>,
    injections: Injections,
    mutant: Mutant,
    /// Instructions that the next PE may have, if that is less than usual.
    limit: u64,
    /// Trackers that were made.
    trackers: u32,
    /// What the machine was made to do, up to the end of the run.
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
        let machine = KernelMachine::new(space, platform);
        let Ok(executor) = executor(&config.policy, platform.counting.margin) else {
            machine.destroy();
            return Err(OutOfFrames);
        };
        Ok(Self {
            machine,
            replay: Replay::new(0, config.policy),
            config,
            executor,
            injections: Injections::new(config.injections.clone()),
            mutant: Mutant(config.mutation),
            limit: u64::MAX,
            trackers: 1,
            events: Events::default(),
            counted: Reading::default(),
            drained: 0,
            expired: 0,
        })
    }

    /// A tracker with a number of its own.
    fn new_tracker(&mut self, policy: Policy) -> Replay {
        let number = self.trackers;
        self.trackers = number.wrapping_add(1);
        Replay::new(number, policy)
    }

    /// Has the frames promised that copies can need.
    pub fn reserve(&mut self) -> Result<(), OutOfFrames> {
        self.machine.reserve(&self.config.policy, self.config.system != System::Linux)
    }

    /// Gives space and frames back.
    pub fn destroy(mut self) {
        self.executor.pool.drain(&mut self.machine);
        self.machine.destroy();
    }

    /// Gives space and frames back after a run that ended so.
    pub fn end_record(self, end: End, totals: Totals) -> EndRecord {
        let Counting { unit, kind: counter, .. } = self.machine.counting;
        self.destroy();
        EndRecord { end, unit, counter, totals }
    }
}

/// The injections that are asked for, by the number of the PE that they hit.
struct Injections {
    /// All of them, sorted by PE.
    list: ArrayVec<Injection, MAX_INJECTIONS>,
    /// The PE that is hit next.
    next: u64,
}

impl Injections {
    fn new(mut list: ArrayVec<Injection, MAX_INJECTIONS>) -> Self {
        list.sort_unstable_by_key(|flip| flip.pe);
        let next = list.first().map_or(u64::MAX, |flip| flip.pe);
        Self { list, next }
    }

    /// Those of a PE, mostly none.
    #[inline]
    fn of(&mut self, pe: u64) -> &[Injection] {
        if pe < self.next { &[] } else { self.hits(pe) }
    }

    #[cold]
    fn hits(&mut self, pe: u64) -> &[Injection] {
        let begin = self.list.partition_point(|flip| flip.pe < pe);
        let end = self.list.partition_point(|flip| flip.pe <= pe);
        if begin == end {
            self.next = self.list.get(end).map_or(u64::MAX, |flip| flip.pe);
        }
        &self.list[begin..end]
    }
}

impl Processor for Replayed<'_> {
    type State = ThreadOf<KernelMachine>;
    type Tracker = Replay;

    #[inline]
    fn registers(state: &Self::State) -> &UserRegisters {
        state.registers()
    }

    #[inline]
    fn registers_mut(state: &mut Self::State) -> &mut UserRegisters {
        state.registers_mut()
    }

    #[inline]
    fn account(&self) -> &Account {
        &self.executor.account
    }

    #[inline]
    fn watch(&self) -> &Stopwatch {
        &self.executor.watch
    }

    #[inline(always)]
    fn charge(&mut self) -> u64 {
        self.executor.watch.lap(Phase::Other, self.machine.now())
    }

    #[inline]
    fn space(&self) -> &Space {
        &self.machine.space
    }

    #[inline]
    fn space_mut(&mut self) -> &mut Space {
        &mut self.machine.space
    }

    fn exchange(&mut self, held: Held<Replay>) -> Held<Replay> {
        let Held { pages, tracker } = held;
        Held {
            pages: core::mem::replace(&mut self.machine.space, pages),
            tracker: core::mem::replace(&mut self.replay, tracker),
        }
    }

    fn activate(&mut self) {
        self.machine.space.activate();
    }

    fn tracker(&mut self) -> Replay {
        self.new_tracker(self.config.policy)
    }

    fn admit(&mut self, registers: &UserRegisters, number: u8) -> Result<Box<Self::State>, Exhausted> {
        fallible::boxed(thread(registers, number)?)
    }

    fn prepare(&mut self, _state: &mut Self::State, since: u64, limit: u64) {
        self.limit = limit;
        let before = core::mem::replace(&mut self.executor.watch, Stopwatch::start(since));
        self.executor.watch.phases = before.phases;
    }

    #[inline]
    fn execute(&mut self, state: &mut Self::State, sequence: u64) -> Outcome {
        let Self { machine, replay, executor, injections, mutant, .. } = self;
        let mut injections = injections.of(sequence);
        if !injections.is_empty() && machine.keep_flips_from_cache(injections).is_err() {
            defmt::error!("PE {=u64} is not hit: there is no frame for a page of its own", sequence);
            injections = &[];
        }
        executor.execute(machine, state, replay, self.limit, &mut Injector::new(injections, mutant))
    }

    fn digest(&mut self, state: &Self::State, committed: PeEnd) -> Digest {
        let pages = self.executor.last_written(&self.replay);
        let pages = pages.map(|(address, frame)| (address, self.machine.digest_of(frame)));
        Digest::new(state.registers(), committed, pages)
    }

    fn for_each_written(&self, each: &mut dyn FnMut(u64)) {
        self.executor.last_written(&self.replay).for_each(|(address, _)| each(address));
    }

    fn diagnose(&mut self, state: &mut Self::State, seen: Difference) -> Option<Culprit> {
        let mut log = Vec::new();
        if fallible::resize(&mut log, MAX_STEPS, || 0).is_err() {
            defmt::warn!("there is no memory to look for the instruction that diverges");
            return None;
        }
        // What is done to find it is none of the run's events.
        let before = self.machine.events;
        let culprit = self.executor.diagnose(&mut self.machine, state, &mut self.replay, seen, &mut log);
        self.machine.events = before;
        culprit
    }

    fn run_policy(&self) -> Policy {
        self.config.policy
    }

    fn set_policy(&mut self, policy: Policy) {
        self.release();
        self.replay = self.new_tracker(policy);
        self.machine.space.set_tracking(policy.mode != Mode::Off);
    }

    fn release(&mut self) {
        self.executor.give_up(&mut self.machine, &mut self.replay, |_| true);
    }

    fn release_resting(&mut self) {
        self.executor.give_up(&mut self.machine, &mut self.replay, |page| page.resting);
    }

    fn give_back(&mut self) {
        self.executor.pool.give_back(&mut self.machine);
    }

    fn pooled(&self) -> u64 {
        self.executor.pool.vacant as u64
    }

    #[inline]
    fn now(&mut self) -> u64 {
        self.machine.now()
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
        // Behind the reading, since to copy them is not a part of the run.
        self.events = self.machine.events;
        match context::kernel_nmis() {
            0 => {}
            count => defmt::info!("the watchdog ran down in the kernel {=u64} times, to no harm", count),
        }
    }

    fn complete(&self, totals: &mut Totals) {
        totals.drained_overflows += self.drained - self.expired;
        totals.events = self.events;
        totals.watchdog = watchdog::place();
        upkeep::complete(totals, self.counted, self.drained);
    }

    fn wire(&self, line: u8) -> Option<Wire> {
        let wiring = line::wiring();
        wiring.pin(line).map(|_| wiring.wire(line))
    }

    fn event_timer(&self) -> Option<u64> {
        firmware::tables().hpet
    }

    fn message(&self, line: u8) -> Message {
        line::message(line)
    }

    fn open_line(&mut self, line: u8, wire: Wire) {
        line::open(line, wire);
    }

    fn unmask_line(&mut self, line: u8) {
        line::unmask(line);
    }

    fn close_line(&mut self, line: u8) {
        line::close(line);
    }

    fn take_lines(&mut self) -> LineSet {
        line::take()
    }

    fn take_count(&mut self, line: u8) -> u32 {
        line::take_count(line)
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

    fn read_device(&mut self, physical: u64, piece: Piece) -> u64 {
        match piece {
            Piece::Byte => device::read_byte(physical).into(),
            Piece::Word => device::read_word(physical).into(),
            Piece::Double => device::read_double(physical).into(),
            Piece::Quad => device::read_quad(physical),
        }
    }

    fn write_device(&mut self, physical: u64, piece: Piece, value: u64) {
        watchdog::note_device_write(physical);
        match piece {
            Piece::Byte => device::write_byte(physical, value as u8),
            Piece::Word => device::write_word(physical, value as u16),
            Piece::Double => device::write_double(physical, value as u32),
            Piece::Quad => device::write_quad(physical, value),
        }
    }
}
