// SPDX-License-Identifier: MIT
//! The loop over processing elements: pick a thread, run a PE, commit, serve its trap, publish.
//!
//! One thread runs at a time, one PE after the other. The processor commits a PE; only then
//! does the personality do, once, what its delimiter asks for. The outcome is part of the next
//! PE's start state. So nothing uncommitted is ever seen by another thread.
//!
//! The executive numbers PEs and makes their records. It knows a personality by its trait only.

mod account;
mod perform;
mod turns;

use pe_replay::diagnose::Culprit;
use pe_replay::phases::Stopwatch;
use pe_replay::{Difference, End as PeEnd, Outcome};
use wire::config::{Config, Recording};
use wire::end::{Damage, End, LongestCall, Refusal, Service, Suspect, Totals, Verdict};
use wire::flip::WrittenPage;
use wire::record::Record;
use wire::{DelimiterKind, Digest, ThreadNumber};

use crate::arch::channel;
use crate::mem::{code, frame};
use crate::object::Objects;
use crate::object::clock::Clock;
use crate::object::processor::Processor;
use crate::object::scheduler::{ThreadId, Woken};
use crate::personality::{Effect, Personality};
use crate::trap::Trap;

/// How the current thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It goes on with its next PE.
    GoOn,
    /// Others have their turn.
    GiveWay,
    /// Another thread goes on with its budget.
    Switch(ThreadId),
    /// It has ended.
    EndThread,
    /// All threads of its process have.
    EndGroup,
    /// The [run](Executive::end) has ended.
    Over,
}

/// A run: objects, and who decides about them.
pub struct Executive<P: Processor, L> {
    /// All objects.
    objects: Objects<P>,
    personality: L,
    /// The current thread's numbers in records.
    numbers: ThreadNumber,
    /// Whether there was one thread only when turns were looked at last.
    was_alone: bool,
    /// How the run ends if it does now.
    end: End,
    totals: Totals,
    /// What the stopwatch showed when the last PE was recorded.
    told: Stopwatch,
    /// When progress was published last.
    published: u64,
    /// Whether more is to be done after this PE than after every one.
    attends: bool,
    /// The digest of what the last PE left behind, if it was committed and digests are asked for.
    digest: Option<Digest>,
    /// What is, or was last, done for the current thread.
    service: Service,
    /// The longest time that anything was done for a thread.
    longest: u64,
    /// How long the processor was idle, in ticks.
    idle: u64,
    /// Instructions that access devices and cannot be performed.
    refused: u32,
}

impl<P: Processor, L: Personality> Executive<P, L> {
    /// Has the personality put its first program in place; gives the processor back where that fails.
    pub fn new(
        config: &Config,
        origin: &L::Origin<'_>,
        processor: P,
        clock: Clock,
    ) -> Result<Self, (P, Refusal)> {
        let mut objects = Objects::new(processor, clock, &L::registers()).map_err(|(processor, _)| {
            (processor, Refusal::OutOfMemory { needed_pages: 1, free_pages: frame::free_count() })
        })?;
        let personality = match L::start(config, origin, &mut objects) {
            Ok(personality) => personality,
            Err(refusal) => return Err((objects.destroy(), refusal)),
        };
        let numbers = objects.numbers(objects.current());
        Ok(Self {
            objects,
            personality,
            numbers,
            was_alone: true,
            end: End::Deadlock,
            totals: Totals::default(),
            told: Stopwatch::start(0),
            published: 0,
            attends: true,
            digest: None,
            service: Service::PageFault,
            longest: 0,
            idle: 0,
            refused: 0,
        })
    }

    /// What runs user code, before it does.
    pub fn processor_mut(&mut self) -> &mut P {
        &mut self.objects.processor
    }

    /// Gives everything back without having run anything.
    pub fn cancel(self) -> P {
        self.objects.destroy()
    }

    /// Runs to the end, or until programs have executed `most` instructions, at the end of a PE;
    /// gives everything back but the processor.
    pub fn until_end(mut self, trace: Recording, most: u64) -> (End, Totals, P) {
        self.begin();
        loop {
            let sequence = self.objects.sequence;
            let (processor, state) = self.objects.running();
            let outcome = processor.execute(state, sequence);
            let (count, step) = if let Outcome::Committed(committed) = outcome {
                if self.attends {
                    self.attend(Some(committed), trace);
                }
                self.count();
                self.objects.clock.count(committed.count);
                let (kind, step, count) = self.serve(committed, trace);
                let served = self.objects.processor.charge();
                if served > self.longest
                    && let DelimiterKind::Syscall | DelimiterKind::PageFault | DelimiterKind::Exception = kind
                {
                    self.note_longest(self.service, served);
                }
                self.record(trace, kind, count);
                (count, step)
            } else if let Some(step) = self.not_committed(outcome, trace) {
                (0, step)
            } else {
                continue;
            };
            self.number_next();
            self.publish();
            let goes_on = step == Step::GoOn
                && self.objects.clock.instructions() < most
                && !self.objects.lines.any_open()
                && self.objects.scheduler.is_undisturbed();
            if !goes_on && !self.pause(step, count, most) {
                // Not later: to move the run from here is to copy lines.
                self.objects.processor.end_counting();
                return self.finish();
            }
        }
    }

    /// How the current thread goes on after a PE that was not committed; `None` if it begins that anew.
    #[cold]
    #[inline(never)]
    fn not_committed(&mut self, outcome: Outcome, trace: Recording) -> Option<Step> {
        if outcome == Outcome::OutOfFrames && self.find_frames() {
            return None;
        }
        if self.attends {
            self.attend(None, trace);
        }
        self.count();
        let step = match outcome {
            Outcome::Committed(_) => unreachable!("what was committed is served"),
            Outcome::Persistent { difference, end_rip } => {
                let verdict = self.verdict(difference, end_rip);
                self.over(End::Persistent(verdict))
            }
            Outcome::Damaged { difference } => self.over(End::Damaged(Damage {
                pe: self.objects.sequence,
                thread: self.numbers,
                difference,
            })),
            Outcome::OutOfFrames => {
                let current = self.objects.current();
                let effect = self.personality.run_out(&mut self.objects, current);
                self.step(effect)
            }
        };
        self.pass();
        Some(step)
    }

    /// Charges no PE with the time that has passed.
    #[cold]
    fn pass(&mut self) {
        self.objects.processor.charge();
        self.told = *self.objects.processor.watch();
    }

    /// Serves what a committed PE asks for at its end. Returns, beside what that was and how the thread goes on, how
    /// many instructions the PE comes to, with one that was performed for it.
    #[inline(always)]
    fn serve(&mut self, committed: PeEnd, trace: Recording) -> (DelimiterKind, Step, u64) {
        let PeEnd { delimiter, count } = committed;
        let registers = self.objects.registers();
        let trap = Trap::new(delimiter, registers, self.objects.processor.space());
        match trap {
            Trap::Syscall => self.service = L::service(registers),
            Trap::PageFault { .. } => self.service = Service::PageFault,
            Trap::Exception { vector, .. } => self.service = Service::Exception(vector),
            Trap::Limit | Trap::DirtyLimit => return (trap.kind(), Step::GoOn, count),
            Trap::Time(_) | Trap::Port(_) | Trap::PortString(_) => {}
        }
        let current = self.objects.current();
        let effect = self.personality.serve(&mut self.objects, current, trap);
        match effect {
            Effect::Continue if !matches!(trap, Trap::Time(_)) => (trap.kind(), Step::GoOn, count),
            // An instruction was answered, not executed: nobody else looks at the trap flag.
            Effect::Continue => (trap.kind(), self.step_over(), count),
            Effect::Perform(_) | Effect::PerformInstruction => self.perform(trap, effect, count, trace),
            effect => (trap.kind(), self.step(effect), count),
        }
    }

    /// What the personality's word means for the current thread.
    #[inline(never)]
    fn step(&mut self, effect: Effect) -> Step {
        let current = self.objects.current();
        match effect {
            Effect::Continue => Step::GoOn,
            Effect::Yield | Effect::Unfinished => Step::GiveWay,
            Effect::Block(wait) => {
                self.objects.scheduler.block(current, wait);
                Step::GiveWay
            }
            Effect::EndThread => Step::EndThread,
            Effect::EndGroup => Step::EndGroup,
            Effect::Switch { to, wait } => {
                if let Some(wait) = wait {
                    self.objects.scheduler.block(current, wait);
                }
                Step::Switch(to)
            }
            // An instruction is performed where it has been served. Behind a fault of one of its operands, the thread
            // begins it anew.
            Effect::Perform(_) | Effect::PerformInstruction => Step::GoOn,
            Effect::Halt(end) => self.over(end),
        }
    }

    fn over(&mut self, end: End) -> Step {
        self.end = end;
        Step::Over
    }

    /// The programs have had all the instructions that they may have.
    #[cold]
    fn cut(&mut self) -> Step {
        let current = self.objects.current();
        let end = self.personality.cut(&mut self.objects, current);
        self.over(end)
    }

    /// What is told of a PE that keeps diverging.
    #[cold]
    fn verdict(&mut self, difference: Difference, end_rip: u64) -> Verdict {
        let pe = self.objects.sequence;
        let (processor, state) = self.objects.running();
        let culprit = processor.diagnose(state, difference);
        let space = processor.space();
        let suspect = |Culprit { rip, after }| Suspect { rip, after, code: code::at(space, rip) };
        Verdict {
            pe,
            thread: self.numbers,
            start_rip: P::registers(state).rip,
            end_rip,
            difference,
            attempts: processor.account().divergences.len() as u8,
            culprit: culprit.map(suspect),
            code: code::at(space, end_rip),
        }
    }

    /// Takes the frames that spaces keep in which nobody runs: the current thread cannot do its next
    /// instruction without. Returns whether there were any.
    #[cold]
    fn find_frames(&mut self) -> bool {
        // The PE's own, and the one below.
        self.objects.processor.count_time_stamps(2);
        let before = self.objects.processor.pooled();
        self.objects.release_copies();
        self.pass();
        self.objects.processor.pooled() > before
    }

    /// Does what is not done at the end of every PE: after the first one, and where digests or pages are
    /// asked for.
    #[cold]
    #[inline(never)]
    fn attend(&mut self, committed: Option<PeEnd>, trace: Recording) {
        let pe = self.objects.sequence;
        let (processor, state) = self.objects.running();
        if pe == 0 {
            let watch = processor.watch();
            self.totals.boot = watch.mark() - watch.phases.total();
        }
        self.attends = matches!(trace, Recording::Digests | Recording::Pages);
        let committed = committed.filter(|_| self.attends);
        if trace == Recording::Pages && committed.is_some() {
            processor.for_each_written(&mut |address| {
                channel::record(&Record::Written(WrittenPage { pe, address }));
            });
            return;
        }
        self.digest = committed.map(|committed| processor.digest(state, committed));
    }

    #[cold]
    #[inline(never)]
    fn note_longest(&mut self, service: Service, ticks: u64) {
        if ticks > self.longest {
            self.longest = ticks;
            self.totals.longest_call = Some(LongestCall { ticks, service });
        }
    }

    /// Has the current thread come back after others have had the processor.
    fn come_back(&mut self, woken: Option<Woken>) -> Step {
        let current = self.objects.current();
        let effect = self.personality.resume(&mut self.objects, current, woken);
        // Whoever does not block again waits no more.
        if !matches!(effect, Effect::Block(_)) {
            self.objects.scheduler.end_wait(current);
        }
        self.step(effect)
    }
}
