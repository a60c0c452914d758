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
use super::process::{Late, Waiting, Why};
use super::view::View;
use crate::mem::space::Space;
use crate::object::queue::Key;

impl Linux {
    /// `futex`.
    pub(super) fn futex(&mut self, view: &mut View, arguments: [u64; 6]) -> Reply {
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
                let timeout_ns = self.optional_timespec(view.space, timeout)?;
                let start_ns = match (command, operation & FUTEX_CLOCK_REALTIME) {
                    (FUTEX_WAIT, _) => 0,
                    (_, 0) => self.clock.monotonic_ns(),
                    (_, _) => self.clock.realtime_ns(),
                };
                let timeout_ns = timeout_ns.map(|timeout_ns| timeout_ns.saturating_sub(start_ns));
                self.futex_wait(view.space, address, is_private, value as u32, mask, timeout_ns)
            }
            FUTEX_WAKE | FUTEX_WAKE_BITSET => {
                self.user(view.space).u32(address)?;
                let key = self.futex_key(address, is_private);
                Ok(view.scheduler.wake(key, mask, value as u32).into())
            }
            FUTEX_REQUEUE | FUTEX_CMP_REQUEUE => {
                if self.user(view.space).u32(address)? != last as u32 && command == FUTEX_CMP_REQUEUE {
                    return Err(EAGAIN.into());
                }
                if !other.is_multiple_of(4) {
                    return Err(EINVAL.into());
                }
                self.user(view.space).u32(other)?;
                let from = self.futex_key(address, is_private);
                let to = self.futex_key(other, is_private);
                let woken = u64::from(view.scheduler.wake(from, mask, value as u32));
                let moved = u64::from(view.scheduler.requeue(from, to, timeout as u32));
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
        if self.process.waiting.is_none() {
            if self.user(space).u32(address)? != value {
                return Err(EAGAIN.into());
            }
            let key = self.futex_key(address, is_private);
            self.process.waiting = Some(Waiting { why: Why::Futex, mask, ..Waiting::for_event(key) });
        }
        let key = self.futex_key(address, is_private);
        self.pass(timeout_ns, key, Late::Errno(ETIMEDOUT))?;
        Err(ETIMEDOUT.into())
    }

    /// Where a futex is. What lies in shared memory is known by its place there, whatever
    /// frame it has and whoever else has mapped it.
    fn futex_key(&self, address: u64, is_private: bool) -> Key {
        match self.process.memory.areas().find(address).map(|area| area.kind) {
            Some(Kind::Shared { object, delta, .. }) if !is_private => {
                Key::Shared { object, offset: address.wrapping_add(delta) }
            }
            _ => Key::Private { space: self.process.id(), address },
        }
    }
}
