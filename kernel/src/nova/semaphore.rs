// SPDX-License-Identifier: MIT
//! Semaphores, and signals that are told to them.
//!
//! A signal counts by itself how often it was raised, and stands once at most in the queue of the
//! semaphore that it is chained to. Whoever lowers that one takes the first signal: its value,
//! and its count.

use super::Nova;
use super::call::Status;
use super::ipc::answer;
use super::things::{Queue, Resume, SemaphoreId};
use crate::object::Objects;
use crate::object::processor::Processor;
use crate::object::queue::Key;
use crate::object::scheduler::{ThreadId, Wait};
use crate::object::table::Name as _;
use crate::personality::Effect;

/// A deadline that lies further ahead than so many ticks is none: nobody waits for it.
const FAR: u64 = 1 << 50;

/// The queue of those that wait for a semaphore.
pub(super) fn key(id: SemaphoreId) -> Key {
    Key::Event { name: "semaphore", number: id.place() as u64 }
}

impl Nova {
    /// Raises a semaphore or a signal.
    pub(super) fn up<P: Processor>(&mut self, objects: &mut Objects<P>, id: SemaphoreId) {
        let semaphore = &mut self.things.semaphores[id].object;
        match semaphore.chained {
            Some(chained) => {
                semaphore.count = semaphore.count.saturating_add(1);
                self.signal(objects, id, chained);
            }
            None => {
                if !self.wake(objects, id, None) {
                    let count = &mut self.things.semaphores[id].object.count;
                    *count = count.saturating_add(1);
                }
            }
        }
    }

    /// Raises a semaphore or a signal so often: one by one as long as somebody waits, and then all at once.
    pub(super) fn raise_often<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        id: SemaphoreId,
        mut times: u64,
    ) {
        let told = self.things.semaphores[id].object.chained.unwrap_or(id);
        while times > 0 && objects.scheduler.first(key(told)).is_some() {
            self.up(objects, id);
            times -= 1;
        }
        if times > 0 {
            let count = &mut self.things.semaphores[id].object.count;
            *count = count.saturating_add(times - 1);
            self.up(objects, id);
        }
    }

    /// Tells a semaphore of a signal.
    fn signal<P: Processor>(&mut self, objects: &mut Objects<P>, id: SemaphoreId, told: SemaphoreId) {
        let signal = &self.things.semaphores[id].object;
        if signal.queue.holds {
            return;
        }
        let news = (signal.value, signal.count);
        if self.wake(objects, told, Some(news)) {
            self.things.semaphores[id].object.count = 0;
            return;
        }
        let semaphore = &mut self.things.semaphores[told].object;
        semaphore.count = semaphore.count.saturating_add(1);
        let last = semaphore.queue.previous.replace(id);
        self.link(told, last).next = Some(id);
        *self.link(told, Some(id)) = Queue { next: None, previous: last, holds: true };
    }

    /// A signal's place in a queue, or the queue.
    fn link(&mut self, told: SemaphoreId, signal: Option<SemaphoreId>) -> &mut Queue {
        &mut self.things.semaphores[signal.unwrap_or(told)].object.queue
    }

    /// Takes the first signal of a semaphore's queue: its value, and its count.
    fn take_signal(&mut self, told: SemaphoreId) -> Option<(u64, u64)> {
        let first = self.things.semaphores[told].object.queue.next?;
        self.forget_signal(first);
        let signal = &mut self.things.semaphores[first].object;
        Some((signal.value, core::mem::take(&mut signal.count)))
    }

    /// Takes a signal from the queue in which it stands, if it stands in one.
    pub(super) fn forget_signal(&mut self, id: SemaphoreId) {
        let signal = &mut self.things.semaphores[id].object;
        if let (Some(told), true) = (signal.chained, signal.queue.holds) {
            let Queue { next, previous, .. } = core::mem::take(&mut signal.queue);
            self.link(told, previous).next = next;
            self.link(told, next).previous = previous;
        }
    }

    /// Wakes the first one that waits for a semaphore, and tells it the news of a signal; whether somebody waited.
    fn wake<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        id: SemaphoreId,
        news: Option<(u64, u64)>,
    ) -> bool {
        let Some(thread) = objects.scheduler.first(key(id)) else { return false };
        objects.scheduler.wake(key(id), u32::MAX, 1);
        self.release(objects, thread, Status::Success, news);
        true
    }

    /// A thread goes on that has waited for a semaphore.
    fn release<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        status: Status,
        news: Option<(u64, u64)>,
    ) {
        let resume = match self.things.look(thread).resume {
            Resume::ParkedCall(_) => Resume::Call,
            Resume::Down(_) => {
                let registers = objects.registers_mut(thread);
                if let Some((value, count)) = news {
                    (registers.rsi, registers.rdx) = (value, count);
                }
                answer(registers, status);
                self.log_answer(objects, thread, status);
                Resume::User
            }
            _ => Resume::User,
        };
        self.things.thread(thread).resume = resume;
    }

    /// Ends the wait of a thread for a semaphore: its deadline has come.
    pub(super) fn time_out<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId) {
        self.release(objects, thread, Status::Timeout, None);
    }

    /// Wakes all that wait for a semaphore that is no more, or one of them if signals are chained to it still.
    pub(super) fn wake_bereaved<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        id: SemaphoreId,
        all: bool,
    ) {
        let status = if all { Status::BadCapability } else { Status::Success };
        while let Some(thread) = objects.scheduler.first(key(id)) {
            objects.scheduler.wake(key(id), u32::MAX, 1);
            self.release(objects, thread, status, None);
            if !all {
                break;
            }
        }
    }

    /// A thread lowers a semaphore, or waits until somebody raises it.
    pub(super) fn down<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        id: SemaphoreId,
        zeroes: bool,
        deadline: u64,
    ) -> Result<Effect, Status> {
        if self.things.semaphores[id].object.chained.is_some() {
            return Err(Status::BadCapability);
        }
        if self.acknowledge(objects, id) {
            return Ok(Effect::Continue);
        }
        let count = &mut self.things.semaphores[id].object.count;
        if *count > 0 {
            *count = if zeroes { 0 } else { *count - 1 };
            if let Some((value, count)) = self.take_signal(id) {
                let registers = objects.registers_mut(thread);
                (registers.rsi, registers.rdx) = (value, count);
            }
            return Ok(Effect::Continue);
        }
        let mut wait = Wait::until_woken(key(id));
        if deadline != 0 {
            let rate = objects.clock.rate();
            let now = objects.moment().monotonic_ns();
            let left = deadline.saturating_sub(rate.to_ticks(now));
            if left == 0 {
                return Err(Status::Timeout);
            }
            if left < FAR {
                wait.deadline_ns = Some(now.saturating_add(rate.to_ns(left).max(1)));
            }
        }
        self.things.thread(thread).resume = Resume::Down(id);
        Ok(Effect::Block(wait))
    }

    /// A thread that has got its reply waits for a semaphore before it goes on.
    pub(super) fn park<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId, id: SemaphoreId) {
        let count = &mut self.things.semaphores[id].object.count;
        if *count > 0 {
            *count -= 1;
            self.take_signal(id);
            return;
        }
        let context = self.things.thread(thread);
        context.resume = match context.resume {
            Resume::Call => Resume::ParkedCall(id),
            _ => Resume::ParkedEvent(id),
        };
        objects.scheduler.block(thread, Wait::until_woken(key(id)));
    }
}
