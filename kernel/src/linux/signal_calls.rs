// SPDX-License-Identifier: MIT
//! The system calls around signals.

use linux_raw_sys::general::{
    MINSIGSTKSZ, SI_KERNEL, SI_TIMER, SI_TKILL, SI_USER, SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SS_AUTODISARM,
    SS_DISABLE, SS_ONSTACK,
};
use pe_replay::UserRegisters;

use super::Linux;
use super::errno::{EAGAIN, EINTR, EINVAL, ENOMEM, EPERM, Errno, Failure, Reply};
use super::layout::{get_u32, get_u64};
use super::process::HandlersId;
use super::signal::{Action, Disposition, Info, Stack, bit};
use super::thread::Late;
use super::view::View;
use crate::mem::space::Space;
use crate::object::queue::Key;

/// Where those stand who wait for a signal that interrupts them.
pub(super) const SIGNAL: Key = Key::Event { name: "a signal", number: 0 };
/// Where a process waits for one of its signals to be sent, blocked or not.
pub(super) fn sent_to(process: u64) -> Key {
    Key::Event { name: "a signal to process", number: process }
}

/// `sizeof(sigset_t)` in the kernel.
const SET_LEN: u64 = 8;

impl Linux {
    /// `rt_sigaction`.
    pub(super) fn rt_sigaction(
        &mut self,
        space: &mut Space,
        signal: u32,
        new: u64,
        old: u64,
        set_length: u64,
    ) -> Reply {
        if set_length != SET_LEN {
            return Err(EINVAL.into());
        }
        let before = self.handlers[self.process.handlers].action(signal)?;
        self.user(space).prepare(old, 32)?;
        if new != 0 {
            let action: [u8; 32] = self.user(space).structure(new)?;
            let handlers = self.process.handlers;
            if self.handlers[handlers].set_action(signal, Action::read(&action))? {
                self.forget(handlers, signal);
            }
        }
        if old != 0 {
            self.user(space).write(old, &before.bytes())?;
        }
        Ok(0)
    }

    /// A signal is ignored from now on: it is not pending any more.
    fn forget(&mut self, handlers: HandlersId, signal: u32) {
        let all = self.others.iter_mut().chain(core::iter::once(&mut self.process));
        for process in all.filter(|process| process.handlers == handlers) {
            process.pending.remove(bit(signal));
            let threads = self.threads.iter_mut().flatten().chain(core::iter::once(&mut self.thread));
            for thread in threads.filter(|thread| thread.process == process.id()) {
                thread.signals.pending.remove(bit(signal));
            }
        }
    }

    /// `rt_sigprocmask`.
    pub(super) fn rt_sigprocmask(
        &mut self,
        view: &mut View,
        how: u32,
        set: u64,
        old: u64,
        set_length: u64,
    ) -> Reply {
        if set_length != SET_LEN {
            return Err(EINVAL.into());
        }
        let before = self.thread.signals.blocked();
        let mut after = before;
        if set != 0 {
            let set = self.user(view.space).u64(set)?;
            after = match how {
                SIG_BLOCK => before | set,
                SIG_UNBLOCK => before & !set,
                SIG_SETMASK => set,
                _ => return Err(EINVAL.into()),
            };
        }
        if old != 0 {
            self.user(view.space).write(old, &before.to_le_bytes())?;
        }
        self.thread.signals.set_blocked(after, &self.process.pending);
        if self.process.threads > 1 {
            self.leave_signals(view.scheduler, after & !before);
        }
        Ok(0)
    }

    /// `rt_sigpending`.
    pub(super) fn rt_sigpending(&mut self, space: &mut Space, set: u64, set_length: u64) -> Reply {
        if set_length > SET_LEN {
            return Err(EINVAL.into());
        }
        // What is pending and not blocked is about to be seen to.
        let pending = self.thread.signals.pending.set() | self.process.pending.set();
        let pending = (pending & self.thread.signals.blocked()).to_le_bytes();
        self.user(space).write(set, &pending[..set_length as usize])?;
        Ok(0)
    }

    /// `rt_sigsuspend`: a signal ends it that is pending already, or that another
    /// process sends; a stop does not.
    pub(super) fn rt_sigsuspend(&mut self, space: &mut Space, set: u64, set_length: u64) -> Reply {
        if set_length != SET_LEN {
            return Err(EINVAL.into());
        }
        let set = self.user(space).u64(set)?;
        if self.thread.waiting.is_none() {
            self.thread.signals.set_blocked_meanwhile(set, &self.process.pending);
        }
        match self.due() {
            Some(Disposition::Handle(_) | Disposition::Kill) => Err(EINTR.into()),
            Some(Disposition::Stop | Disposition::Ignore) | None => Err(Failure::Wait(SIGNAL)),
        }
    }

    /// What `pselect6` passes for a set: its address and its length, or nothing.
    pub(super) fn set_and_length(&mut self, space: &mut Space, address: u64) -> Result<[u64; 2], Failure> {
        if address == 0 {
            return Ok([0; 2]);
        }
        let both: [u8; 16] = self.user(space).structure(address)?;
        Ok([get_u64(&both, 0), get_u64(&both, 8)])
    }

    /// Performs a call with another mask, if a set is given: a signal that is let through ends its
    /// wait, and only after that has the thread its own mask again.
    pub(super) fn masked(
        &mut self,
        space: &mut Space,
        [set, set_length]: [u64; 2],
        call: impl FnOnce(&mut Self, &mut Space) -> Reply,
    ) -> Reply {
        if set == 0 {
            return call(self, space);
        }
        if set_length != SET_LEN {
            return Err(EINVAL.into());
        }
        let set = self.user(space).u64(set)?;
        if self.thread.waiting.is_none() {
            self.thread.signals.set_blocked_meanwhile(set, &self.process.pending);
        }
        let reply = call(self, space);
        if !matches!(reply, Err(Failure::Wait(_))) {
            self.thread.signals.restore_saved(&self.process.pending);
        }
        reply
    }

    /// `rt_sigtimedwait`: takes a pending signal, or waits for one.
    pub(super) fn rt_sigtimedwait(
        &mut self,
        space: &mut Space,
        [set, info, timeout, set_length]: [u64; 4],
    ) -> Reply {
        if set_length != SET_LEN {
            return Err(EINVAL.into());
        }
        let timeout_ns = self.optional_timespec(space, timeout)?;
        let set = self.user(space).u64(set)?;
        self.user(space).prepare(info, Info::LEN as u64)?;
        if let Some(mut taken) = self.thread.signals.take(set, &mut self.process.pending) {
            self.notice_alarm(&mut taken);
            if info != 0 {
                self.user(space).write(info, &taken.bytes())?;
            }
            return Ok(u64::from(taken.signal));
        }
        self.pass(timeout_ns, sent_to(self.process.id()), Late::Errno(EAGAIN))?;
        Err(EAGAIN.into())
    }

    /// `sigaltstack`.
    pub(super) fn sigaltstack(
        &mut self,
        space: &mut Space,
        user: &UserRegisters,
        new: u64,
        old: u64,
    ) -> Reply {
        let before = self.thread.signals.stack;
        self.user(space).prepare(old, 24)?;
        if new != 0 {
            let stack: [u8; 24] = self.user(space).structure(new)?;
            self.set_stack(&stack, user.rsp)?;
        }
        if old != 0 {
            self.user(space).write(old, &before.bytes(before.flags(user.rsp)))?;
        }
        Ok(0)
    }

    /// Sets the alternate stack of a program whose stack pointer is `sp`.
    pub(super) fn set_stack(&mut self, stack: &[u8; 24], sp: u64) -> Result<(), Errno> {
        let (base, flags, size) = (get_u64(stack, 0), get_u32(stack, 8), get_u64(stack, 16));
        let autodisarm = flags & SS_AUTODISARM != 0;
        if self.thread.signals.stack.size != 0 && self.thread.signals.stack.is_in_use(sp) {
            return Err(EPERM);
        }
        self.thread.signals.stack = match flags & !SS_AUTODISARM {
            SS_DISABLE => Stack { autodisarm, ..Stack::default() },
            0 | SS_ONSTACK if size < u64::from(MINSIGSTKSZ) => return Err(ENOMEM),
            0 | SS_ONSTACK => Stack { base, size, autodisarm },
            _ => return Err(EINVAL),
        };
        Ok(())
    }
}

/// `si_code` of `kill`.
pub(super) const BY_KILL: i32 = SI_USER as i32;
/// `si_code` of `tkill` and `tgkill`.
pub(super) const BY_TKILL: i32 = SI_TKILL;
/// `si_code` of timers.
pub(super) const BY_TIMER: i32 = SI_TIMER;
/// `si_code` of the kernel's own signals.
pub(super) const BY_KERNEL: i32 = SI_KERNEL as i32;
