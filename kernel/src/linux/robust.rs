// SPDX-License-Identifier: MIT
//! Robust locks: what a thread holds when it ends is marked, and a waiter is woken
//! (kernel/futex/core.c).

use linux_raw_sys::general::{FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, ROBUST_LIST_LIMIT};

use super::Linux;
use super::errno::{EINVAL, EPERM, ESRCH, Failure, Reply};
use super::layout::get_u64;
use super::view::View;
use crate::mem::space::Space;

/// `sizeof(struct robust_list_head)`.
const HEAD_LEN: u64 = 24;
/// The bit of a pointer that says that the lock inherits priorities.
const INHERITS: u64 = 1;

impl Linux {
    /// `set_robust_list`.
    pub(super) fn set_robust_list(&mut self, head: u64, length: u64) -> Reply {
        if length != HEAD_LEN {
            return Err(EINVAL.into());
        }
        self.thread.robust_list = head;
        Ok(0)
    }

    /// `get_robust_list`.
    pub(super) fn get_robust_list(&mut self, space: &mut Space, id: i32, head: u64, length: u64) -> Reply {
        let id = u64::try_from(id).map_err(|_| ESRCH)?;
        let thread = match id {
            0 => &*self.thread,
            id => self.all_threads().find(|thread| thread.id == id).ok_or(ESRCH)?,
        };
        // Everybody is root, but a list is an address in its own memory alone.
        if thread.process != self.process.id() {
            return Err(EPERM.into());
        }
        let list = thread.robust_list.to_le_bytes();
        self.user(space).prepare(head, 8)?;
        self.user(space).write(length, &HEAD_LEN.to_le_bytes())?;
        self.user(space).write(head, &list)?;
        Ok(0)
    }

    /// Gives up the locks in the robust list of a thread that ends. A list that cannot be read
    /// ends there, as on Linux.
    pub(super) fn give_up_locks(&mut self, view: &mut View, owner: u64, head: u64) {
        let _ = self.walk(view, owner, head);
    }

    fn walk(&mut self, view: &mut View, owner: u64, head: u64) -> Result<(), Failure> {
        let bytes: [u8; HEAD_LEN as usize] = self.user(view.space).structure(head)?;
        let [first, offset, pending] = [0, 8, 16].map(|at| get_u64(&bytes, at));
        let mut entry = first;
        for _ in 0..ROBUST_LIST_LIMIT {
            let place = entry & !INHERITS;
            if place == head {
                break;
            }
            // Whoever has the lock next may take the entry out of the list.
            let next = self.user(view.space).u64(place);
            if place != pending & !INHERITS {
                self.give_up(view, owner, place.wrapping_add(offset), entry & INHERITS != 0, false)?;
            }
            entry = next?;
        }
        match pending & !INHERITS {
            0 => Ok(()),
            place => self.give_up(view, owner, place.wrapping_add(offset), pending & INHERITS != 0, true),
        }
    }

    /// Gives up one lock, if the thread has it; `is_pending` says that it was about to take it
    /// or to give it up.
    fn give_up(
        &mut self,
        view: &mut View,
        owner: u64,
        address: u64,
        inherits: bool,
        is_pending: bool,
    ) -> Result<(), Failure> {
        if !address.is_multiple_of(4) {
            return Err(EINVAL.into());
        }
        let word = self.user(view.space).u32(address)?;
        let wakes = if is_pending && !inherits && word == 0 {
            true
        } else if u64::from(word & FUTEX_TID_MASK) == owner {
            let died = word & FUTEX_WAITERS | FUTEX_OWNER_DIED;
            self.user(view.space).write(address, &died.to_le_bytes())?;
            !inherits && word & FUTEX_WAITERS != 0
        } else {
            false
        };
        if wakes {
            let key = self.futex_key(address, false);
            view.scheduler.wake(key, u32::MAX, 1);
        }
        Ok(())
    }
}
