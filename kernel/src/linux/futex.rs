// SPDX-License-Identifier: MIT
//! `futex`: processes that wait for each other by a word of memory.

use linux_raw_sys::general::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE,
    FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET,
};
use syscalls::Sysno;

use super::Linux;
use super::area::Kind;
use super::errno::{EAGAIN, EINVAL, ENOSYS, ETIMEDOUT, Reply};
use super::task::{Key, MAX_PROCESSES, Waiting, Why};
use crate::mem::space::Space;

/// Who waits: the number of the turn, and the place among the processes.
type Waiter = (u64, usize);

/// Those who have waited longest, up to `count`, and the others.
fn first(queue: &mut [Waiter], count: u32) -> (&mut [Waiter], &mut [Waiter]) {
    let count = queue.len().min(count as usize);
    if count > 0 && count < queue.len() {
        queue.select_nth_unstable(count);
    }
    queue.split_at_mut(count)
}

impl Linux {
    /// `futex`.
    pub(super) fn futex(&mut self, space: &mut Space, arguments: [u64; 6]) -> Reply {
        let [address, operation, value, timeout, other, last] = arguments;
        let operation = operation as u32;
        if !address.is_multiple_of(4) {
            return Err(EINVAL.into());
        }
        let is_private = operation & FUTEX_PRIVATE_FLAG != 0;
        let command = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
        let mask = match command {
            FUTEX_WAIT_BITSET | FUTEX_WAKE_BITSET => last as u32,
            _ => FUTEX_BITSET_MATCH_ANY,
        };
        if mask == 0 {
            return Err(EINVAL.into());
        }
        match command {
            FUTEX_WAIT | FUTEX_WAIT_BITSET => {
                let timeout_ns = self.optional_timespec(space, timeout)?;
                let start_ns = match (command, operation & FUTEX_CLOCK_REALTIME) {
                    (FUTEX_WAIT, _) => 0,
                    (_, 0) => self.clock.monotonic_ns(),
                    (_, _) => self.clock.realtime_ns(),
                };
                let timeout_ns = timeout_ns.map(|timeout_ns| timeout_ns.saturating_sub(start_ns));
                self.futex_wait(space, address, is_private, value as u32, mask, timeout_ns)
            }
            FUTEX_WAKE | FUTEX_WAKE_BITSET => {
                self.user(space).u32(address)?;
                let key = self.futex_key(address, is_private);
                Ok(self.futex_wake(key, mask, value as u32))
            }
            FUTEX_REQUEUE | FUTEX_CMP_REQUEUE => {
                if self.user(space).u32(address)? != last as u32 && command == FUTEX_CMP_REQUEUE {
                    return Err(EAGAIN.into());
                }
                if !other.is_multiple_of(4) {
                    return Err(EINVAL.into());
                }
                self.user(space).u32(other)?;
                let from = self.futex_key(address, is_private);
                let to = self.futex_key(other, is_private);
                let (mut queue, length) = self.queue(from, mask);
                let (woken, rest) = first(&mut queue[..length], value as u32);
                let (moved, _) = first(rest, if from == to { 0 } else { timeout as u32 });
                woken.iter().for_each(|(_, index)| self.wake(*index));
                for (_, index) in moved.iter() {
                    if let Some(Waiting { why: Why::Futex { key, .. }, .. }) =
                        &mut self.others[*index].waiting
                    {
                        *key = to;
                    }
                }
                let (woken, moved) = (woken.len() as u64, moved.len() as u64);
                Ok(if command == FUTEX_CMP_REQUEUE { woken + moved } else { woken })
            }
            other => {
                self.count_unsupported(Sysno::futex as u32);
                defmt::warn!("futex operation {=u32} is not supported (ENOSYS)", other);
                Err(ENOSYS.into())
            }
        }
    }

    fn futex_wait(
        &mut self,
        space: &mut Space,
        address: u64,
        is_private: bool,
        value: u32,
        mask: u32,
        timeout_ns: Option<u64>,
    ) -> Reply {
        match self.task.waiting {
            Some(Waiting { why: Why::Futex { woken: true, .. }, .. }) => return Ok(0),
            Some(Waiting { why: Why::Futex { .. }, .. }) => {}
            Some(_) | None => {
                if self.user(space).u32(address)? != value {
                    return Err(EAGAIN.into());
                }
                let key = self.futex_key(address, is_private);
                self.turns += 1;
                let why = Why::Futex { key, mask, turn: self.turns, woken: false };
                self.task.waiting = Some(Waiting { why, deadline_ns: None, seen: self.events });
            }
        }
        self.pass(timeout_ns)?;
        Err(ETIMEDOUT.into())
    }

    /// Where a futex is. What lies in shared memory is known by its place there, whatever
    /// frame it has and whoever else has mapped it.
    fn futex_key(&self, address: u64, is_private: bool) -> Key {
        match self.task.memory.areas().find(address).map(|area| area.kind) {
            Some(Kind::Shared { object, delta, .. }) if !is_private => {
                Key::Shared { object, offset: address.wrapping_add(delta) }
            }
            _ => Key::Own { process: self.task.id(), address },
        }
    }

    /// Those that wait there, with their turns and places in the list; and how many they are.
    fn queue(&self, at: Key, by: u32) -> ([Waiter; MAX_PROCESSES], usize) {
        let mut queue = [(0, 0); MAX_PROCESSES];
        let waiting = self.others.iter().enumerate().filter_map(|(index, task)| match task.waiting?.why {
            Why::Futex { key, mask, turn, woken: false } if key == at && mask & by != 0 => {
                Some((turn, index))
            }
            Why::Futex { .. } | Why::Event | Why::Vfork { .. } => None,
        });
        let length = queue.iter_mut().zip(waiting).map(|(place, found)| *place = found).count();
        (queue, length)
    }

    fn wake(&mut self, index: usize) {
        if let Some(Waiting { why: Why::Futex { woken, .. }, .. }) = &mut self.others[index].waiting {
            *woken = true;
        }
    }

    /// Wakes up to `count` processes; returns how many.
    fn futex_wake(&mut self, key: Key, mask: u32, count: u32) -> u64 {
        let (mut queue, length) = self.queue(key, mask);
        let (woken, _) = first(&mut queue[..length], count);
        woken.iter().for_each(|(_, index)| self.wake(*index));
        woken.len() as u64
    }
}
