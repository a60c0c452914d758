// SPDX-License-Identifier: MIT
//! Turns: from one thread to the next.

use wire::end::{End, Service};

use super::{Executive, Step};
use crate::object::processor::Processor;
use crate::object::scheduler::ThreadId;
use crate::personality::Personality;

impl<P: Processor, L: Personality> Executive<P, L> {
    /// Begins with the first thread.
    pub(super) fn begin(&mut self) {
        let first = self.objects.current();
        self.objects.scheduler.begin(first);
        let now = self.time_stamp();
        self.prepare(now);
        // Not before: to move the run here is to copy lines.
        self.objects.processor.begin_counting();
    }

    /// The time, where nothing tells from other numbers that it was read.
    pub(super) fn time_stamp(&mut self) -> u64 {
        self.objects.processor.count_time_stamps(1);
        self.objects.processor.now()
    }

    /// Prepares the next PE of the current thread, which is charged for the time since `since`.
    pub(super) fn prepare(&mut self, since: u64) {
        let scheduler = &self.objects.scheduler;
        let mut limit = if scheduler.is_alone() { u64::MAX } else { scheduler.left() };
        if let Some(due_ns) = scheduler.alarm()
            && self.objects.clock.is_virtual()
        {
            // An instruction is a nanosecond: the PE ends when the alarm is due, wherever PEs end.
            limit = limit.min(due_ns.saturating_sub(self.objects.moment().monotonic_ns())).max(1);
        }
        let (processor, state) = self.objects.running();
        processor.prepare(state, since, limit);
    }

    /// Sees to what may keep the current thread from going on at once, after a PE of `count`
    /// instructions; `false` if the run has ended.
    #[cold]
    #[inline(never)]
    pub(super) fn pause(&mut self, mut step: Step, count: u64, most: u64) -> bool {
        if step != Step::Over && self.objects.clock.instructions() >= most {
            step = self.cut();
        }
        if self.objects.lines.any_open() {
            self.take_interrupts();
        }
        if self.objects.scheduler.alarm().is_some() {
            step = self.look_at_alarm(step);
        }
        if self.objects.scheduler.awaits_deadline() {
            let now_ns = self.objects.note_moment().monotonic_ns();
            self.objects.scheduler.expire(now_ns);
        }
        step == Step::GoOn && self.objects.scheduler.is_undisturbed() || self.next(step, count)
    }

    /// Gives the processor to whoever is next, after a PE of `count` instructions; `false` if the
    /// run has ended.
    fn next(&mut self, mut step: Step, count: u64) -> bool {
        let mut mark = self.objects.processor.watch().mark();
        if self.was_alone {
            // Its turn begins here.
            self.objects.scheduler.refill(count);
        }
        let mut goes_on = self.objects.scheduler.charge(count) && !self.objects.scheduler.is_outranked();
        while !(step == Step::GoOn && goes_on) {
            if step == Step::Over {
                return false;
            }
            let mut begun = self.time_stamp();
            let idle_before = self.idle;
            let ended = matches!(step, Step::EndThread | Step::EndGroup);
            let Some(next) = self.give_way(step) else { return false };
            // What was idle is nobody's time.
            let idle = self.idle - idle_before;
            (mark, begun) = (mark.wrapping_add(idle), begun.wrapping_add(idle));
            // To give back all that a thread had is a part of what ended it.
            let service = if ended { self.service } else { Service::Switch };
            let changed = self.time_stamp();
            self.note_longest(service, changed.wrapping_sub(begun));
            self.objects.scheduler.refill(0);
            goes_on = true;
            let woken = self.objects.scheduler.take_woken(next);
            self.service = match woken {
                Some(_) => L::service(self.objects.registers()),
                None => Service::Switch,
            };
            step = self.come_back(woken);
            let done = self.time_stamp();
            self.note_longest(self.service, done.wrapping_sub(changed));
        }
        self.was_alone = self.objects.scheduler.is_alone();
        self.prepare(mark);
        true
    }

    /// Nobody can run, and nothing will change that.
    #[cold]
    fn report_stall(&mut self, end: End) {
        self.end = end;
        if self.end == End::Deadlock {
            for blocked in self.objects.blocked() {
                defmt::warn!("deadlock: {}", defmt::Display2Format(&blocked));
            }
        }
    }

    /// Chooses the next thread and makes it the current one; destroys the one before if it has ended. There is none
    /// when the run has ended.
    fn give_way(&mut self, step: Step) -> Option<ThreadId> {
        let last = self.objects.current();
        if step == Step::EndGroup {
            let process = self.objects.thread(last).process;
            self.objects.destroy_process(process);
        }
        let ended = matches!(step, Step::EndThread | Step::EndGroup);
        if ended {
            self.objects.scheduler.remove_thread(last);
        }
        let next = match step {
            Step::Switch(to) => to,
            _ => {
                self.objects.scheduler.put_off(step != Step::GoOn);
                self.choose()?
            }
        };
        if next != last {
            self.objects.switch_to(next);
            self.numbers = self.objects.numbers(next);
            if ended {
                self.objects.destroy_thread(last);
            }
        }
        Some(next)
    }

    /// Chooses the next thread; if all wait, time passes until one need not. There is none when the run has ended.
    fn choose(&mut self) -> Option<ThreadId> {
        loop {
            let now_ns = self.objects.note_moment().monotonic_ns();
            if self.objects.scheduler.take_alarm(now_ns)
                && let Some(end) = self.personality.ring(&mut self.objects)
            {
                self.end = end;
                return None;
            }
            self.objects.scheduler.expire(now_ns);
            if let Some(next) = self.objects.scheduler.choose() {
                return Some(next);
            }
            let (deadline_ns, alarm_ns) =
                (self.objects.scheduler.next_deadline(), self.objects.scheduler.alarm());
            if deadline_ns.is_none()
                && !self.personality.awaits_lines(&self.objects)
                && let Some(end) = self.personality.stall(alarm_ns.is_some())
            {
                self.report_stall(end);
                return None;
            }
            let next_ns = deadline_ns.into_iter().chain(alarm_ns).min();
            match next_ns.map(|next_ns| next_ns.saturating_sub(now_ns)) {
                Some(left_ns) if self.objects.clock.is_virtual() => self.objects.clock.sleep(left_ns),
                left_ns => self.be_idle(left_ns),
            }
        }
    }

    /// Tells the personality if the time of its alarm has come. A thread that goes on resumes then:
    /// there may be something to attend to.
    #[cold]
    pub(super) fn look_at_alarm(&mut self, step: Step) -> Step {
        let now_ns = self.objects.note_moment().monotonic_ns();
        if step == Step::Over || !self.objects.scheduler.take_alarm(now_ns) {
            return step;
        }
        if let Some(end) = self.personality.ring(&mut self.objects) {
            return self.over(end);
        }
        if step == Step::GoOn { self.come_back(None) } else { step }
    }

    /// Halts for so long at most, or until a line interrupts.
    #[cold]
    fn be_idle(&mut self, left_ns: Option<u64>) {
        let begun = self.time_stamp();
        let left = left_ns.map(|left_ns| self.objects.clock.rate().to_ticks(left_ns));
        self.objects.processor.idle(left.map(|left| begun.saturating_add(left)));
        let idle = self.time_stamp().wrapping_sub(begun);
        self.idle += idle;
        self.objects.clock.note_idle(idle);
        self.take_interrupts();
    }

    /// Tells the personality of the lines that have interrupted.
    #[cold]
    pub(super) fn take_interrupts(&mut self) {
        for line in self.objects.take_lines().iter() {
            let count = self.objects.processor.take_count(line);
            self.personality.interrupt(&mut self.objects, line, count);
        }
    }
}
