// SPDX-License-Identifier: MIT
//! `futex`: threads that wait for each other by a word of memory.
//!
//! Locks that are handed on are in [`futex_lock`](super::futex_lock).

use linux_raw_sys::general::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_LOCK_PI, FUTEX_LOCK_PI2,
    FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI, FUTEX_WAIT, FUTEX_WAIT_BITSET,
    FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP,
};
use syscalls::Sysno;

use super::Linux;
use super::area::Kind;
use super::errno::{EAGAIN, EINVAL, ENOSYS, ETIMEDOUT, Failure, Reply};
use super::futex_operation::Operation;
use super::thread::{Late, Waiting, Why};
use super::user::check_range;
use super::view::View;
use crate::mem::space::Space;
use crate::object::queue::Key;
use crate::object::table::Name as _;

/// Whom to wake: at least one, as Linux counts.
fn count_of(value: u64) -> u32 {
    (value as i32).max(1) as u32
}

impl Linux {
    /// `futex`.
    pub(super) fn futex(&mut self, view: &mut View, arguments: [u64; 6]) -> Reply {
        let [address, operation, value, timeout, other, last] = arguments;
        let operation = operation as u32;
        let is_private = operation & FUTEX_PRIVATE_FLAG != 0;
        let command = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
        let by_realtime = operation & FUTEX_CLOCK_REALTIME != 0;
        if by_realtime && command != FUTEX_WAIT_BITSET && command != FUTEX_LOCK_PI2 {
            return Err(ENOSYS.into());
        }
        match command {
            FUTEX_WAIT | FUTEX_WAIT_BITSET => {
                let mask = if command == FUTEX_WAIT { FUTEX_BITSET_MATCH_ANY } else { last as u32 };
                let timeout_ns = self.optional_timespec(view.space, timeout)?;
                if mask == 0 {
                    return Err(EINVAL.into());
                }
                let start_ns = match (command, by_realtime) {
                    (FUTEX_WAIT, _) => 0,
                    (_, false) => self.clock.monotonic_ns(),
                    (_, true) => self.clock.realtime_ns(),
                };
                let timeout_ns = timeout_ns.map(|timeout_ns| timeout_ns.saturating_sub(start_ns));
                self.futex_wait(view.space, (address, is_private), value as u32, mask, timeout_ns)
            }
            FUTEX_WAKE | FUTEX_WAKE_BITSET => {
                let mask = if command == FUTEX_WAKE { FUTEX_BITSET_MATCH_ANY } else { last as u32 };
                if mask == 0 {
                    return Err(EINVAL.into());
                }
                let key = self.futex_place(view.space, address, is_private)?;
                Ok(view.scheduler.wake(key, mask, count_of(value)).into())
            }
            FUTEX_REQUEUE | FUTEX_CMP_REQUEUE => {
                let (wakes, moves) = (value as i32, timeout as i32);
                if wakes < 0 || moves < 0 {
                    return Err(EINVAL.into());
                }
                let from = self.futex_place(view.space, address, is_private)?;
                let to = self.futex_place(view.space, other, is_private)?;
                if command == FUTEX_CMP_REQUEUE && self.user(view.space).u32(address)? != last as u32 {
                    return Err(EAGAIN.into());
                }
                let woken = view.scheduler.wake(from, FUTEX_BITSET_MATCH_ANY, wakes as u32);
                let moved = view.scheduler.requeue(from, to, moves as u32);
                Ok(u64::from(woken) + u64::from(moved))
            }
            FUTEX_LOCK_PI | FUTEX_LOCK_PI2 => {
                // The older one means the time of day, which the newer one has to ask for.
                let is_daytime = command == FUTEX_LOCK_PI || by_realtime;
                let start_ns = if is_daytime { self.clock.realtime_ns() } else { self.clock.monotonic_ns() };
                let timeout_ns = self.optional_timespec(view.space, timeout)?;
                let timeout_ns = timeout_ns.map(|timeout_ns| timeout_ns.saturating_sub(start_ns));
                self.futex_lock(view, (address, is_private), false, timeout_ns)
            }
            FUTEX_TRYLOCK_PI => self.futex_lock(view, (address, is_private), true, None),
            FUTEX_UNLOCK_PI => self.futex_unlock(view, (address, is_private)),
            FUTEX_WAKE_OP => self.futex_wake_operation(view, arguments, is_private),
            other => {
                self.count_unsupported(Sysno::futex as u32);
                defmt::warn!("futex operation {=u32} is not supported (ENOSYS)", other);
                Err(ENOSYS.into())
            }
        }
    }

    /// FUTEX_WAKE_OP: changes one word, and wakes whoever waits for another one, and for this one
    /// if it was as it should be.
    fn futex_wake_operation(&mut self, view: &mut View, arguments: [u64; 6], is_private: bool) -> Reply {
        let [address, _, count, other_count, other, encoded] = arguments;
        let first = self.futex_place(view.space, address, is_private)?;
        let second = self.futex_place(view.space, other, is_private)?;
        let operation = Operation::read(encoded as u32).ok_or(ENOSYS)?;
        let before = self.user(view.space).u32(other)?;
        let after = operation.apply(before);
        self.user(view.space).write(other, &after.to_le_bytes())?;
        let mut woken = view.scheduler.wake(first, FUTEX_BITSET_MATCH_ANY, count_of(count));
        if operation.holds(before) {
            woken += view.scheduler.wake(second, FUTEX_BITSET_MATCH_ANY, count_of(other_count));
        }
        Ok(woken.into())
    }

    fn futex_wait(
        &mut self,
        space: &mut Space,
        (address, is_private): (u64, bool),
        value: u32,
        mask: u32,
        timeout_ns: Option<u64>,
    ) -> Reply {
        let key = self.futex_place(space, address, is_private)?;
        if self.thread.waiting.is_none() {
            if self.user(space).u32(address)? != value {
                return Err(EAGAIN.into());
            }
            self.thread.waiting = Some(Waiting { why: Why::Futex, mask, ..Waiting::for_event(key) });
        }
        self.pass(timeout_ns, key, Late::Errno(ETIMEDOUT))?;
        Err(ETIMEDOUT.into())
    }

    /// The queue of a word that a program names, which has to be one that it could wait for.
    pub(super) fn futex_place(
        &mut self,
        space: &mut Space,
        address: u64,
        is_private: bool,
    ) -> Result<Key, Failure> {
        if !address.is_multiple_of(4) {
            return Err(EINVAL.into());
        }
        check_range(address, 4)?;
        if !is_private {
            self.user(space).u32(address)?;
        }
        Ok(self.futex_key(address, is_private))
    }

    /// Where a futex is. What lies in shared memory is known by its place there, whatever
    /// frame it has and whoever else has mapped it.
    pub(super) fn futex_key(&self, address: u64, is_private: bool) -> Key {
        match self.memories[self.process.memory].areas().find(address).map(|area| area.kind) {
            Some(Kind::Shared { object, delta, .. }) if !is_private => {
                Key::Shared { object, offset: address.wrapping_add(delta) }
            }
            _ => Key::Private { space: self.process.memory.place() as u64, address },
        }
    }
}
