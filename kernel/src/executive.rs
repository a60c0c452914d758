// SPDX-License-Identifier: MIT
//! The life of a run: a loop over the processing elements of all processes.
//!
//! One process runs at a time, one PE after the other. The engine commits a PE; only
//! then does the kernel do, once, what its delimiter asks for. The outcome is part of
//! the next PE's start state. So nothing uncommitted is ever seen by another process.
//!
//! Processes take turns: who waits gives way at once, all others after
//! [`TIME_SLICE`] instructions. The run ends with its first process.

mod upkeep;

use alloc::boxed::Box;
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use pe_replay::diagnose::{Culprit, MAX_STEPS};
use pe_replay::stop::vector;
use pe_replay::{
    Difference, Digest, End as PeEnd, ExecutorOf, Injection, MAX_INJECTIONS, Mode, Outcome, Page, Phases,
    Replay, ThreadOf, TimedPhase, UserRegisters,
};
use wire::DelimiterKind;
use wire::brief::Recorded;
use wire::channel::Progress;
use wire::clock::ClockKind;
use wire::config::{Config, Recording};
use wire::end::{
    Damage, Death, End, EndRecord, LongestCall, Refusal, Registers, Service, Suspect, Totals, Verdict,
};
use wire::record::{Record, TraceHeader};

use crate::arch::segment::{USER_CS, USER_SS};
use crate::arch::tally::{self, Reading};
use crate::arch::{channel, context, machine};
use crate::linux::{self, FIRST_ID, Linux, Newborn, Next, Status, Turn};
use crate::mem::fallible::{self, Exhausted};
use crate::mem::space::{OutOfFrames, Space};
use crate::mem::{code, frame};
use crate::object::archive::Archive;
use crate::replay::counter::Counting;
use crate::replay::{self, KernelMachine, Platform};
use crate::trap::{self, Duty};

/// Ticks after which progress is published again, at the end of a PE.
const PUBLISH_EVERY: u64 = 1 << 20;
/// Instructions after which another process has its turn. They are the user's, so
/// turns do not depend on the mode or on where PEs end.
const TIME_SLICE: u64 = 50_000;
const THREAD: u16 = 1;

/// Loads the archive's program and runs it to its end.
pub fn run(config: &Config, archive: &Archive<'static>, platform: &Platform) -> Result<EndRecord, Refusal> {
    channel::record(&Record::Header(TraceHeader {
        version: wire::VERSION,
        unit: platform.counting.unit,
        counter: platform.counting.kind,
        clock: config.clock.kind,
        policy: config.policy,
        margin_far: platform.counting.margin.far,
        margin_near: platform.counting.margin.near,
    }));
    execute(config, archive, platform, config.trace, config.max_instructions)
}

/// Loads the archive's program, runs it to its end, and gives back all it had. After
/// `most` user instructions it is ended, at the end of a PE.
pub fn execute(
    config: &Config,
    archive: &Archive<'static>,
    platform: &Platform,
    trace: Recording,
    most: u64,
) -> Result<EndRecord, Refusal> {
    let out_of_memory = |needed_pages| {
        move |OutOfFrames: OutOfFrames| Refusal::OutOfMemory { needed_pages, free_pages: frame::free_count() }
    };
    let tracking = config.policy.mode != Mode::Off;
    let mut space = Space::new(platform.kernel_root, tracking).map_err(out_of_memory(1))?;
    let mut state = UserRegisters::new(USER_CS, USER_SS);
    let linux = match Linux::load(archive, config, &mut space, &mut state) {
        Ok(linux) => linux,
        Err(refusal) => {
            space.dismantle();
            return Err(refusal);
        }
    };
    let machine = KernelMachine::new(space, platform, &config.policy)
        .map_err(out_of_memory(replay::reserve(&config.policy) as u64))?;
    let executor = replay::executor(platform, &config.policy, config.mutation);
    let (Ok(executor), Ok(process)) = (executor, Process::new(FIRST_ID, config, &state)) else {
        machine.dismantle();
        return Err(out_of_memory(1)(OutOfFrames));
    };
    let run = Run {
        config,
        machine,
        executor,
        injections: Injections::new(&config.injections),
        limit: u64::MAX,
        linux,
        current: process,
        others: Vec::new(),
        sequence: 0,
        slice: TIME_SLICE,
        end: End::Deadlock,
        totals: Totals::default(),
        drained: context::drained(),
        counted: Reading::default(),
        published: 0,
        attends: true,
        digest: None,
        service: Service::PageFault,
        longest: 0,
    };
    Ok(run.until_end(trace, most))
}

/// What the kernel has of a process.
struct Process {
    id: u64,
    thread: ThreadOf<KernelMachine>,
    replay: Replay,
    /// Its memory, unless it is the machine's.
    space: Option<Space>,
}

impl Process {
    fn new(id: u64, config: &Config, registers: &UserRegisters) -> Result<Box<Self>, Exhausted> {
        let replay = Replay::new(number(id), config.policy);
        fallible::boxed(Self { id, thread: replay::thread(registers)?, replay, space: None })
    }

    /// Its number in the trace: the first one's is 1.
    fn number(&self) -> u32 {
        number(self.id)
    }
}

/// The number of a process in the trace: the first one's is 1.
fn number(id: u64) -> u32 {
    (id - FIRST_ID + 1) as u32
}

/// The injections that are asked for, by the number of the PE that they hit.
struct Injections {
    /// Sorted by PE; of those behind, the first one is the next.
    list: ArrayVec<Injection, MAX_INJECTIONS>,
    /// The PE that is hit next.
    next: u64,
}

impl Injections {
    fn new(list: &[Injection]) -> Self {
        let mut list: ArrayVec<_, _> = list.iter().copied().collect();
        list.sort_unstable_by_key(|flip: &Injection| flip.pe);
        let next = list.first().map_or(u64::MAX, |flip| flip.pe);
        Self { list, next }
    }

    /// Those of a PE.
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

struct Run<'a> {
    config: &'a Config,
    /// The processor, and the current process's space.
    machine: KernelMachine,
    executor: ExecutorOf<KernelMachine>,
    injections: Injections,
    /// Instructions of a PE at most, beside what the policy allows.
    limit: u64,
    linux: Linux,
    current: Box<Process>,
    others: Vec<Box<Process>>,
    /// The number of the next PE, whosever it is.
    sequence: u64,
    /// Instructions until others have their turn.
    slice: u64,
    /// How the run ends if it does now.
    end: End,
    totals: Totals,
    /// Overflows that were dropped before the program started.
    drained: u64,
    /// What was counted before its first PE.
    counted: Reading,
    /// When progress was published last.
    published: u64,
    /// Whether more is to be done after this PE than after every one.
    attends: bool,
    /// The digest of what the last PE left behind, if it was committed and digests are asked for.
    digest: Option<Digest>,
    /// What is, or was last, done for the current process.
    service: Service,
    /// The longest time that anything was done for a process.
    longest: u64,
}

/// The time, where nothing tells from other numbers that it was read.
fn time_stamp() -> u64 {
    tally::TIME_STAMPS.add(1);
    machine::now()
}

/// How the current process goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// With its next PE.
    GoOn,
    /// Others have their turn.
    GiveWay,
    /// Not: it has ended, and if it was the first one, so has the [run](Run::end).
    Ended(Status),
    /// Not, and neither does any other: so the [run](Run::end) has ended.
    Over,
}

impl Run<'_> {
    fn until_end(mut self, trace: Recording, most: u64) -> EndRecord {
        // Not before: to move the run here is to copy lines.
        self.counted = Reading::now();
        loop {
            let sequence = self.sequence;
            let Process { thread, replay, .. } = &mut *self.current;
            let injections = self.injections.of(sequence);
            let outcome =
                self.executor.execute(&mut self.machine, thread, replay, self.limit, injections, &mut ());
            if matches!(outcome, Outcome::OutOfFrames) && self.free_frames() {
                continue;
            }
            if self.attends {
                self.attend(&outcome, trace);
            }
            self.sequence += 1;
            self.totals.pes += 1;
            self.count();
            let (kind, count, mut step) = match outcome {
                Outcome::Committed(committed) => {
                    self.totals.committed += 1;
                    self.totals.user_instructions += committed.count;
                    self.totals.frames_written += u64::from(self.executor.account().frames_written);
                    let (kind, step) = self.serve(committed);
                    self.totals.ends[kind as usize] += 1;
                    (Some(kind), committed.count, step)
                }
                Outcome::Persistent { difference, end_rip } => {
                    let culprit = self.culprit(difference);
                    let verdict = Verdict {
                        pe: sequence,
                        start_rip: self.current.thread.registers().rip,
                        end_rip,
                        difference,
                        attempts: self.executor.account().divergences.len() as u8,
                        culprit,
                        code: code::at(&self.machine.space, end_rip),
                    };
                    (None, 0, self.over(End::Persistent(verdict)))
                }
                Outcome::Damaged { difference } => {
                    (None, 0, self.over(End::Damaged(Damage { pe: sequence, difference })))
                }
                Outcome::OutOfFrames => (None, 0, self.killed_here(linux::SIGKILL)),
            };
            let watch = &mut self.executor.watch;
            let served = watch.lap(TimedPhase::Other, machine::now());
            let phases = watch.take();
            if served > self.longest
                && let Some(DelimiterKind::Syscall | DelimiterKind::PageFault | DelimiterKind::Exception) =
                    kind
            {
                self.note_longest(self.service, served);
            }
            self.totals.phases.add_all(&phases);
            // In this order, and the second by a call: to record a PE costs some forty
            // instructions, and each branch more would be felt.
            if trace == Recording::Pes
                && let Some(kind) = kind
            {
                self.record(sequence, kind, count, phases);
            } else if trace == Recording::Digests {
                self.record_digested(sequence, kind, count, phases);
            }
            self.publish();
            let ended = match step {
                Step::GoOn | Step::GiveWay => false,
                Step::Ended(_) => self.current.id == FIRST_ID,
                Step::Over => true,
            };
            if !ended && self.totals.user_instructions >= most {
                self.killed_here(linux::SIGXCPU);
                step = Step::Over;
            }
            let goes_on = step == Step::GoOn && self.others.is_empty();
            if !goes_on && !self.next(step, count) {
                let counted = Reading::now().since(self.counted);
                return self.finish(counted);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn note_longest(&mut self, service: Service, ticks: u64) {
        if ticks > self.longest {
            self.longest = ticks;
            self.totals.longest_call = Some(LongestCall { ticks, service });
        }
    }

    fn finish(mut self, counted: Reading) -> EndRecord {
        self.totals.total = self.totals.phases.total();
        let drained = context::drained() - self.drained;
        self.totals.drained_overflows += drained;
        self.totals.lost_records = channel::lost_records();
        // Behind the count of those that were lost: these belong to no PE.
        for call in self.linux.unsupported_calls() {
            channel::record(&Record::Unsupported(call));
        }
        // Who is left ends with the first process.
        while let Some(other) = self.others.pop() {
            self.bury(other);
        }
        self.totals.events.add(&self.executor.work);
        upkeep::complete(&mut self.totals, counted, drained);
        self.executor.give_up(&mut self.machine, &mut self.current.replay, |_, _| true);
        match context::kernel_nmis() {
            0 => {}
            count => defmt::info!("the watchdog ran down in the kernel {=u64} times, to no harm", count),
        }
        let Counting { unit, kind: counter, .. } = self.machine.counting;
        self.machine.dismantle();
        let Self { end, totals, .. } = self;
        EndRecord { end, unit, counter, totals }
    }

    /// Gives the processor to whoever is next, after a PE of `count` instructions;
    /// `false` if the run has ended.
    #[cold]
    fn next(&mut self, mut step: Step, count: u64) -> bool {
        self.slice = self.slice.saturating_sub(count);
        let mut goes_on = self.slice > 0;
        loop {
            let last = self.current.id;
            let ended = match step {
                Step::GoOn if goes_on => break,
                Step::GoOn | Step::GiveWay => None,
                Step::Over => return false,
                Step::Ended(_) if last == FIRST_ID => return false,
                Step::Ended(status) => Some(status),
            };
            let begun = time_stamp();
            if let Some(status) = ended {
                if let Status::Signaled(signal) = status {
                    defmt::info!("process {=u64} was ended by signal {=u8}", last, signal);
                }
                self.linux.end(status, self.now_ns());
            }
            let Turn::Of(id) = self.linux.turn(last, self.now_ns()) else {
                self.end = End::Deadlock;
                return false;
            };
            self.linux.switch_to(id);
            if let Some(index) = self.others.iter().position(|other| other.id == id) {
                let next = self.others.swap_remove(index);
                if ended.is_some() { self.bury(next) } else { self.change_to(next) }
            }
            // To give back all that a process had is a part of what ended it.
            let service = if ended.is_some() { self.service } else { Service::Switch };
            let changed = time_stamp();
            self.note_longest(service, changed.wrapping_sub(begun));
            self.slice = TIME_SLICE;
            goes_on = true;
            self.service = Service::Switch;
            step = self.come_back();
            self.note_longest(self.service, time_stamp().wrapping_sub(changed));
        }
        self.limit = if self.linux.is_alone() { u64::MAX } else { self.slice };
        true
    }

    /// What the current process has to do before its next PE, as others may have had
    /// the processor.
    fn come_back(&mut self) -> Step {
        if !self.linux.catch_up(&mut self.machine.space) {
            return self.killed_here(linux::SIGKILL);
        }
        if self.linux.is_waiting() {
            return self.syscall(0);
        }
        let state = self.current.thread.registers_mut();
        let rip = state.rip;
        let next = self.linux.deliver(&mut self.machine.space, state);
        self.step(next, 0, None, rip)
    }

    /// Makes another process the current one; returns the one before, with its space.
    fn replace(&mut self, mut next: Box<Process>) -> (Box<Process>, Space) {
        let Some(space) = next.space.take() else { panic!("process {} has no space", next.id) };
        space.activate();
        let left = core::mem::replace(&mut self.machine.space, space);
        (core::mem::replace(&mut self.current, next), left)
    }

    /// Makes another process the current one. Of the pages that it may have in common
    /// with others, the one before keeps no copies.
    fn change_to(&mut self, next: Box<Process>) {
        let is_shared = |machine: &mut KernelMachine, page: &Page<_, _>| machine.space.is_shared(page.slot);
        self.executor.give_up(&mut self.machine, &mut self.current.replay, is_shared);
        let (mut before, space) = self.replace(next);
        before.space = Some(space);
        // There is room: `next` has just been taken from there.
        fallible::push_reserved(&mut self.others, before);
    }

    /// Gives back all that the current process had; `next` is the current one then.
    fn bury(&mut self, next: Box<Process>) {
        self.executor.give_up(&mut self.machine, &mut self.current.replay, |_, _| true);
        self.replace(next).1.discard();
    }

    /// Takes the frames that processes keep which do not run: the current one cannot
    /// do its next instruction without. Returns whether there were any.
    fn free_frames(&mut self) -> bool {
        // The PE's own, and the one below.
        tally::TIME_STAMPS.add(2);
        let before = self.machine.pooled();
        for other in &mut self.others {
            if let Some(space) = &mut other.space {
                core::mem::swap(&mut self.machine.space, space);
                self.executor.give_up(&mut self.machine, &mut other.replay, |_, _| true);
                core::mem::swap(&mut self.machine.space, space);
            }
        }
        let watch = &mut self.executor.watch;
        watch.lap(TimedPhase::Other, machine::now());
        self.totals.phases.add_all(&watch.take());
        self.limit = if self.linux.is_alone() { u64::MAX } else { self.slice };
        self.machine.pooled() > before
    }

    /// The instruction behind a persistent divergence.
    fn culprit(&mut self, seen: Difference) -> Option<Suspect> {
        let mut log = Vec::new();
        if fallible::resize(&mut log, MAX_STEPS, || 0).is_err() {
            defmt::warn!("there is no memory to look for the instruction that diverges");
            return None;
        }
        let Culprit { rip, after } = {
            let Process { thread, replay, .. } = &mut *self.current;
            self.executor.diagnose(&mut self.machine, thread, replay, seen, &mut log)?
        };
        Some(Suspect { rip, after, code: code::at(&self.machine.space, rip) })
    }

    /// Says how far the program has come, now and then.
    fn publish(&mut self) {
        let now = self.executor.watch.mark();
        if now.wrapping_sub(self.published) >= PUBLISH_EVERY {
            self.published = now;
            let (pes, instructions) = (self.totals.committed, self.totals.user_instructions);
            channel::progress(Progress { pes, instructions, rip: self.current.thread.registers().rip });
        }
    }

    /// Does what is not done at the end of every PE: after the first one, and where
    /// digests are asked for.
    #[cold]
    #[inline(never)]
    fn attend(&mut self, outcome: &Outcome, trace: Recording) {
        if self.sequence == 0 {
            self.totals.boot = self.executor.watch.mark() - self.executor.watch.phases.total();
        }
        self.attends = trace == Recording::Digests;
        self.digest = match outcome {
            Outcome::Committed(committed) if self.attends => {
                let Process { thread, replay, .. } = &*self.current;
                Some(self.executor.digest(&mut self.machine, thread, replay, *committed))
            }
            _ => None,
        };
    }

    fn count(&mut self) {
        let (totals, account) = (&mut self.totals, self.executor.account());
        totals.write_faults += u64::from(account.write_faults);
        totals.longest_hold = totals.longest_hold.max(account.longest_hold);
        if account.is_quiet() {
            return;
        }
        let divergences = account.divergences.len() as u64;
        totals.divergences += divergences;
        let restarts = divergences - u64::from(account.outvoted.is_some());
        totals.restarts += restarts.min(u64::from(pe_replay::policy::MAX_DIVERGENCES) - 1);
        totals.outvoted += u64::from(account.outvoted.is_some());
        totals.third_runs += u64::from(account.third_runs);
        totals.counter_misses += u64::from(account.counter_misses);
        totals.drained_overflows += u64::from(account.early_overflows);
        totals.debug_exceptions += u64::from(account.debug_exceptions);
        totals.flips += u64::from(account.flips);
        for difference in &account.divergences {
            defmt::warn!("PE {=u64} diverged: {}", self.sequence - 1, defmt::Display2Format(difference));
        }
    }

    fn recorded<'a>(
        &'a self,
        sequence: u64,
        delimiter: DelimiterKind,
        count: u64,
        phases: &'a Phases,
    ) -> Recorded<'a> {
        Recorded {
            process: self.current.number(),
            thread: THREAD,
            sequence,
            delimiter,
            rip: self.current.thread.registers().rip,
            instructions: count,
            phases,
            account: self.executor.account(),
        }
    }

    fn record(&self, sequence: u64, delimiter: DelimiterKind, count: u64, phases: Phases) {
        channel::pe_record(&self.recorded(sequence, delimiter, count, &phases));
    }

    /// Records a PE with its digest; of a PE that was not committed there is neither.
    #[cold]
    #[inline(never)]
    fn record_digested(&self, sequence: u64, delimiter: Option<DelimiterKind>, count: u64, phases: Phases) {
        let (Some(delimiter), Some(digest)) = (delimiter, self.digest) else { return };
        channel::digested_pe_record(&self.recorded(sequence, delimiter, count, &phases), digest);
    }

    /// How much time has passed by itself since the start, as programs see it: with
    /// [`ClockKind::User`], the same however PEs are run.
    #[inline]
    fn now_ns(&self) -> u64 {
        match self.config.clock.kind {
            ClockKind::User => self.totals.user_instructions,
            // The emulators' time stamps are nanoseconds.
            ClockKind::Machine => time_stamp(),
        }
    }

    /// Does what a committed delimiter asks for.
    fn serve(&mut self, committed: PeEnd) -> (DelimiterKind, Step) {
        let thread = &mut self.current.thread;
        let (kind, duty) = trap::duty(committed.delimiter, thread.registers(), &self.machine.space);
        let step = match duty {
            Duty::GoOn => Step::GoOn,
            Duty::Syscall => self.syscall(committed.count),
            Duty::PageFault { address, error } => {
                self.service = Service::PageFault;
                let space = &mut self.machine.space;
                match self.linux.page_fault(space, address, error) {
                    Ok(()) => Step::GoOn,
                    Err(signal) => {
                        let fault = (address, error);
                        let next = self.linux.bad_page(space, thread.registers_mut(), fault, signal);
                        self.step(next, 0, Some(vector::PAGE_FAULT), address)
                    }
                }
            }
            Duty::ReadTime { with_processor, length } => {
                let now = self.linux.time_stamp(self.now_ns());
                let state = self.current.thread.registers_mut();
                state.rax = now & u64::from(u32::MAX);
                state.rdx = now >> 32;
                if with_processor {
                    state.rcx = 0;
                }
                state.rip += length;
                Step::GoOn
            }
            Duty::Exception(exception) => {
                self.service = Service::Exception(exception.vector);
                let rip = thread.registers().rip;
                let next = self.linux.exception(&mut self.machine.space, thread.registers_mut(), exception);
                self.step(next, 0, Some(exception.vector), rip)
            }
        };
        (kind, step)
    }

    /// Performs the system call that the current process is at, `count` instructions
    /// after the beginning of its PE.
    fn syscall(&mut self, count: u64) -> Step {
        let now_ns = self.now_ns();
        let state = self.current.thread.registers_mut();
        let rip = state.rip;
        self.service = Service::Syscall(state.rax as u32);
        let next = self.linux.syscall(&mut self.machine.space, state, now_ns);
        self.step(next, count, None, rip)
    }

    /// What the personality's word means for the process; `vector` and `address` are
    /// those of the exception behind it.
    fn step(&mut self, next: Next, count: u64, vector: Option<u8>, address: u64) -> Step {
        match next {
            Next::Continue => Step::GoOn,
            Next::Yield | Next::Wait => Step::GiveWay,
            Next::Fork => self.fork(count),
            Next::Exit { status } => {
                self.end = End::Exited { status };
                Step::Ended(Status::Exited(status))
            }
            Next::Kill { signal } => self.killed(signal, vector, address),
            Next::Deadlock => self.over(End::Deadlock),
            Next::OutputFull { limit } => self.over(End::OutputFull { limit }),
            Next::OutOfMemory => self.killed(linux::SIGKILL, vector, address),
        }
    }

    /// Takes a new process in.
    fn fork(&mut self, count: u64) -> Step {
        let Some(Newborn { id, space, state }) = self.linux.take_newborn() else { return Step::GoOn };
        let made =
            fallible::reserve_one(&mut self.others).and_then(|()| Process::new(id, self.config, &state));
        let Ok(mut child) = made else {
            space.discard();
            self.linux.refuse_newborn(id, self.current.thread.registers_mut());
            return Step::GoOn;
        };
        child.space = Some(space);
        if self.others.is_empty() {
            // Its turn begins here.
            self.slice = TIME_SLICE.saturating_add(count);
        }
        fallible::push_reserved(&mut self.others, child);
        if self.linux.is_waiting() { Step::GiveWay } else { Step::GoOn }
    }

    /// Ended before its next instruction.
    fn killed_here(&mut self, signal: u8) -> Step {
        self.killed(signal, None, self.current.thread.registers().rip)
    }

    fn over(&mut self, end: End) -> Step {
        self.end = end;
        Step::Over
    }

    #[cold]
    fn killed(&mut self, signal: u8, vector: Option<u8>, address: u64) -> Step {
        let state = self.current.thread.registers();
        let death = Death {
            signal,
            vector,
            address,
            registers: Registers { gpr: state.gprs(), rip: state.rip, rflags: state.rflags },
        };
        self.end = End::Killed(death);
        Step::Ended(Status::Signaled(signal))
    }
}
