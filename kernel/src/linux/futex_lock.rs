// SPDX-License-Identifier: MIT
//! Locks in a word of memory that are handed on: FUTEX_LOCK_PI and its relatives.
//!
//! Whoever gives such a lock up gives it to the one that has waited longest. On Linux its
//! owner runs with the priority of those that wait for it; here all have one priority, so
//! there is none to inherit, and the rest is as there. Nothing is kept of a lock but who
//! waits for it, and for whom: its owner stands in the word.
//!
//! Not here: waiting for a condition and then for such a lock (FUTEX_WAIT_REQUEUE_PI), which
//! C libraries do without.

use linux_raw_sys::general::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS};

use super::Linux;
use super::errno::{EAGAIN, EDEADLK, EPERM, ESRCH, ETIMEDOUT, Reply};
use super::thread::{Late, MAX_THREADS, Thread, Waiting, Why};
use super::view::View;
use crate::object::queue::Key;
use crate::object::scheduler::Scheduler;

/// Whom a thread that waits for a lock believes to have it; 0 is somebody who has left it behind.
fn believed_owner(thread: &Thread) -> Option<u64> {
    match thread.waiting {
        Some(Waiting { why: Why::Lock { owner }, .. }) => Some(owner),
        Some(_) | None => None,
    }
}

/// The queue of those that wait for the lock in a word. Words lie at multiples of four, so it is
/// none of those who wait for the word itself.
fn queue_of(word: Key) -> Key {
    match word {
        Key::Private { space, address } => Key::Private { space, address: address | 1 },
        Key::Shared { object, offset } => Key::Shared { object, offset: offset | 1 },
        event @ Key::Event { .. } => event,
    }
}

impl Linux {
    /// FUTEX_LOCK_PI, and with `tries` FUTEX_TRYLOCK_PI.
    pub(super) fn futex_lock(
        &mut self,
        view: &mut View,
        (address, is_private): (u64, bool),
        tries: bool,
        timeout_ns: Option<u64>,
    ) -> Reply {
        let key = queue_of(self.futex_place(view.space, address, is_private)?);
        let word = self.user(view.space).u32(address)?;
        let (own, owner) = (self.thread.id, u64::from(word & FUTEX_TID_MASK));
        if owner == own {
            return Err(EDEADLK.into());
        }
        let believed = believed_owner(&self.thread);
        let is_left = believed == Some(0) || !self.all_threads().any(|thread| thread.id == owner);
        let is_awaited = view.scheduler.first(key).is_some_and(|first| first != self.thread.object);
        if is_left {
            if owner != 0 && believed.is_none() && !is_awaited {
                return Err(ESRCH.into());
            }
            let died = if owner == 0 { word & FUTEX_OWNER_DIED } else { FUTEX_OWNER_DIED };
            let taken = own as u32 | died | if is_awaited { FUTEX_WAITERS } else { 0 };
            self.user(view.space).write(address, &taken.to_le_bytes())?;
            self.believe(key, own);
            return Ok(0);
        }
        if tries {
            return Err(EAGAIN.into());
        }
        if self.closes_lock_circle(owner) {
            return Err(EDEADLK.into());
        }
        self.user(view.space).write(address, &(word | FUTEX_WAITERS).to_le_bytes())?;
        let why = Why::Lock { owner };
        self.thread.waiting.get_or_insert(Waiting::for_event(key)).why = why;
        self.pass(timeout_ns, key, Late::Errno(ETIMEDOUT))?;
        Err(ETIMEDOUT.into())
    }

    /// FUTEX_UNLOCK_PI: the lock is the next one's at once.
    pub(super) fn futex_unlock(&mut self, view: &mut View, (address, is_private): (u64, bool)) -> Reply {
        let key = queue_of(self.futex_place(view.space, address, is_private)?);
        let word = self.user(view.space).u32(address)?;
        if u64::from(word & FUTEX_TID_MASK) != self.thread.id {
            return Err(EPERM.into());
        }
        let first = view.scheduler.first(key);
        let next = self.all_threads().find(|thread| Some(thread.object) == first).map(|thread| thread.id);
        let left = next.map_or(0, |next| next as u32 | FUTEX_WAITERS);
        self.user(view.space).write(address, &left.to_le_bytes())?;
        if let Some(next) = next {
            self.believe(key, next);
            view.scheduler.wake(key, u32::MAX, 1);
        }
        Ok(0)
    }

    /// All that wait for a lock hear who has it.
    fn believe(&mut self, key: Key, owner: u64) {
        for thread in self.all_threads_mut() {
            if let Some(Waiting { why: Why::Lock { owner: believed }, key: awaited, .. }) =
                &mut thread.waiting
                && *awaited == key
            {
                *believed = owner;
            }
        }
    }

    /// Whether the owner of a lock waits, over however many others, for what the current thread has.
    fn closes_lock_circle(&self, owner: u64) -> bool {
        let mut at = owner;
        for _ in 0..MAX_THREADS {
            let Some(next) = self.all_threads().find(|thread| thread.id == at).and_then(believed_owner)
            else {
                return false;
            };
            if next == self.thread.id {
                return true;
            }
            if next == at {
                return false;
            }
            at = next;
        }
        false
    }

    /// A thread has ended, or executes another program: of each lock that it has left behind,
    /// whoever has waited longest takes it.
    pub(super) fn leave_locks(&mut self, scheduler: &mut Scheduler, ended: u64) {
        let left = |thread: &&Thread| thread.id != ended && believed_owner(thread) == Some(ended);
        loop {
            let waiting = self.all_threads().find(left).and_then(|thread| thread.waiting);
            let Some(Waiting { key, .. }) = waiting else { return };
            let first = scheduler.first(key);
            let heir = self.all_threads().find(|thread| Some(thread.object) == first).map(|thread| thread.id);
            self.believe(key, heir.unwrap_or(0));
            for thread in self.all_threads_mut().filter(|thread| Some(thread.id) == heir) {
                if let Some(waiting) = &mut thread.waiting {
                    waiting.why = Why::Lock { owner: 0 };
                }
            }
            scheduler.wake(key, u32::MAX, 1);
        }
    }
}
