// SPDX-License-Identifier: MIT
//! `futex`: processes that wait for each other by a word of memory.

use linux_raw_sys::general::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE,
    FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET,
};

use super::Linux;
use super::area::Kind;
use super::errno::{EAGAIN, EINVAL, ENOSYS, ETIMEDOUT, Reply};
use super::task::{Key, Waiting, Why};
use crate::mem::space::Space;

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
                let woken = self.futex_wake(from, mask, value as u32);
                let mut moved = 0;
                while moved < u64::from(timeout as u32)
                    && let Some(waiting) = self.first_waiting(from, mask)
                    && let Why::Futex { key, .. } = &mut waiting.why
                    && *key != to
                {
                    *key = to;
                    moved += 1;
                }
                Ok(if command == FUTEX_CMP_REQUEUE { woken + moved } else { woken })
            }
            other => {
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

    /// Who has waited longest of those that wait there.
    fn first_waiting(&mut self, at: Key, by: u32) -> Option<&mut Waiting> {
        let waiting = self.others.iter_mut().filter_map(|task| task.waiting.as_mut());
        let queued = waiting.filter_map(|waiting| match waiting.why {
            Why::Futex { key, mask, turn, woken: false } if key == at && mask & by != 0 => {
                Some((turn, waiting))
            }
            Why::Futex { .. } | Why::Event | Why::Vfork { .. } => None,
        });
        queued.min_by_key(|(turn, _)| *turn).map(|(_, waiting)| waiting)
    }

    /// Wakes up to `count` processes; returns how many.
    fn futex_wake(&mut self, key: Key, mask: u32, count: u32) -> u64 {
        let mut done = 0;
        while done < u64::from(count)
            && let Some(waiting) = self.first_waiting(key, mask)
            && let Why::Futex { woken, .. } = &mut waiting.why
        {
            *woken = true;
            done += 1;
        }
        done
    }
}
