// SPDX-License-Identifier: MIT
//! Signals: dispositions, masks and stacks are kept; handlers are not run yet.
//!
//! A signal for which the program has a handler ends it like one without, and
//! the log says so.

use linux_raw_sys::general::{
    MINSIGSTKSZ, SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN,
    SIGTTOU, SIGURG, SIGWINCH, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK,
};

use super::errno::{EAGAIN, EINVAL, ENOMEM, ESRCH, Errno, Failure, Reply};
use super::layout::{Layout, get_u32, get_u64};
use super::task::FIRST_ID;
use super::{Linux, Next};
use crate::mem::space::Space;

/// Signals that there are.
const SIGNALS: usize = 64;
/// `sizeof(sigset_t)` in the kernel.
const SET_LEN: u64 = 8;
/// Dispositions that are not the address of a handler.
const DEFAULT: u64 = 0;
const IGNORE: u64 = 1;
/// Signals that cannot be blocked, caught or ignored.
const UNBLOCKABLE: u64 = bit(SIGKILL) | bit(SIGSTOP);

const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

/// A kernel `struct sigaction`: handler, flags, restorer, mask.
type Action = [u8; 32];

/// The signal state of a process.
pub struct Signals {
    actions: [Action; SIGNALS],
    blocked: u64,
    pending: u64,
    stack: [u8; 24],
    warned: bool,
}

impl Signals {
    /// All default, none blocked.
    pub fn new() -> Self {
        Self {
            actions: [[0; 32]; SIGNALS],
            blocked: 0,
            pending: 0,
            stack: Layout::<24>::new().u32(8, SS_DISABLE).0,
            warned: false,
        }
    }

    fn action(&mut self, signal: u32) -> Result<&mut Action, Errno> {
        let index = usize::try_from(signal).ok().and_then(|signal| signal.checked_sub(1));
        index.and_then(|index| self.actions.get_mut(index)).ok_or(EINVAL)
    }

    /// The same for a child: nothing is pending there.
    pub fn fork(&self) -> Self {
        Self { actions: self.actions, pending: 0, ..*self }
    }

    /// What `execve` leaves: handlers are gone, and the stack for them.
    pub fn reset(&mut self) {
        for action in &mut self.actions {
            if get_u64(action, 0) != IGNORE {
                *action = [0; 32];
            }
        }
        self.stack = Layout::<24>::new().u32(8, SS_DISABLE).0;
    }

    /// Whether the process wants to know nothing of a signal.
    pub fn is_ignored(&mut self, signal: u32) -> bool {
        self.action(signal).is_ok_and(|action| get_u64(action, 0) == IGNORE)
    }

    /// A signal for the process: `Ok` if it goes on.
    pub fn raise(&mut self, signal: u32) -> Result<(), Failure> {
        let disposition = get_u64(self.action(signal)?, 0);
        if self.blocked & bit(signal) & !UNBLOCKABLE != 0 {
            self.pending |= bit(signal);
            return Ok(());
        }
        match (disposition, signal) {
            (IGNORE, _) | (DEFAULT, SIGCHLD | SIGCONT | SIGURG | SIGWINCH) => Ok(()),
            // Stopped, and nobody is there who could continue it.
            (DEFAULT, SIGSTOP | SIGTSTP | SIGTTIN | SIGTTOU) => Err(Failure::End(Next::Deadlock)),
            (DEFAULT, _) => Err(Failure::End(Next::Kill { signal: signal as u8 })),
            (_, _) => {
                defmt::error!(
                    "signal {=u32}: the program has a handler, but handlers are not run yet",
                    signal
                );
                Err(Failure::End(Next::Kill { signal: signal as u8 }))
            }
        }
    }

    /// Changes the mask; pending signals that are not blocked any more arrive.
    fn set_blocked(&mut self, blocked: u64) -> Result<(), Failure> {
        self.blocked = blocked & !UNBLOCKABLE;
        for signal in 1..=SIGNALS as u32 {
            if self.pending & !self.blocked & bit(signal) != 0 {
                self.pending &= !bit(signal);
                self.raise(signal)?;
            }
        }
        Ok(())
    }
}

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
        let before = *self.task.signals.action(signal)?;
        if new != 0 {
            let action: Action = self.user(space).structure(new)?;
            if UNBLOCKABLE & bit(signal) != 0 {
                return Err(EINVAL.into());
            }
            *self.task.signals.action(signal)? = action;
            if !matches!(get_u64(&action, 0), DEFAULT | IGNORE) && !self.task.signals.warned {
                self.task.signals.warned = true;
                defmt::warn!("signal handlers are kept but not run yet (signal {=u32})", signal);
            }
        }
        if old != 0 {
            self.user(space).write(old, &before)?;
        }
        Ok(0)
    }

    /// `rt_sigprocmask`.
    pub(super) fn rt_sigprocmask(
        &mut self,
        space: &mut Space,
        how: u32,
        set: u64,
        old: u64,
        set_length: u64,
    ) -> Reply {
        if set_length != SET_LEN {
            return Err(EINVAL.into());
        }
        let before = self.task.signals.blocked;
        let mut after = before;
        if set != 0 {
            let set = self.user(space).u64(set)?;
            after = match how {
                SIG_BLOCK => before | set,
                SIG_UNBLOCK => before & !set,
                SIG_SETMASK => set,
                _ => return Err(EINVAL.into()),
            };
        }
        if old != 0 {
            self.user(space).write(old, &before.to_le_bytes())?;
        }
        self.task.signals.set_blocked(after)?;
        Ok(0)
    }

    /// `rt_sigpending`.
    pub(super) fn rt_sigpending(&mut self, space: &mut Space, set: u64, set_length: u64) -> Reply {
        if set_length > SET_LEN {
            return Err(EINVAL.into());
        }
        let pending = self.task.signals.pending.to_le_bytes();
        self.user(space).write(set, &pending[..set_length as usize])?;
        Ok(0)
    }

    /// `rt_sigsuspend`: only a pending signal could end it, and that ends the program.
    pub(super) fn rt_sigsuspend(&mut self, space: &mut Space, set: u64, set_length: u64) -> Reply {
        if set_length != SET_LEN {
            return Err(EINVAL.into());
        }
        let set = self.user(space).u64(set)?;
        self.task.signals.set_blocked(set)?;
        Err(Failure::End(Next::Deadlock))
    }

    /// `rt_sigtimedwait`: takes a pending signal, or waits for none to come.
    pub(super) fn rt_sigtimedwait(
        &mut self,
        space: &mut Space,
        set: u64,
        timeout: u64,
        set_length: u64,
    ) -> Reply {
        if set_length != SET_LEN {
            return Err(EINVAL.into());
        }
        let timeout_ns = self.optional_timespec(space, timeout)?;
        let waiting = self.user(space).u64(set)? & self.task.signals.pending;
        if waiting != 0 {
            let signal = waiting.trailing_zeros() + 1;
            self.task.signals.pending &= !bit(signal);
            return Ok(u64::from(signal));
        }
        self.clock.sleep(timeout_ns.ok_or(Failure::End(Next::Deadlock))?);
        Err(EAGAIN.into())
    }

    /// `sigaltstack`.
    pub(super) fn sigaltstack(&mut self, space: &mut Space, new: u64, old: u64) -> Reply {
        let before = self.task.signals.stack;
        if new != 0 {
            let stack: [u8; 24] = self.user(space).structure(new)?;
            let flags = get_u32(&stack, 8);
            self.task.signals.stack = match flags & !SS_AUTODISARM {
                SS_DISABLE => Layout::<24>::new().u32(8, SS_DISABLE).0,
                0 | SS_ONSTACK if get_u64(&stack, 16) < u64::from(MINSIGSTKSZ) => {
                    return Err(ENOMEM.into());
                }
                0 | SS_ONSTACK => {
                    let flags = flags & SS_AUTODISARM;
                    Layout::<24>::new()
                        .u64(0, get_u64(&stack, 0))
                        .u32(8, flags)
                        .u64(16, get_u64(&stack, 16))
                        .0
                }
                _ => return Err(EINVAL.into()),
            };
        }
        if old != 0 {
            self.user(space).write(old, &before)?;
        }
        Ok(0)
    }

    /// `kill`, `tkill` and `tgkill`.
    pub(super) fn kill(&mut self, target: i32, signal: u32) -> Reply {
        if signal > SIGNALS as u32 {
            return Err(EINVAL.into());
        }
        let own = self.task.id;
        let (to_own, others) = match target {
            0 => (true, None),
            // A process does not get what it sends to everybody.
            -1 => (false, None),
            _ if i64::from(target) == -(FIRST_ID as i64) => (true, None),
            _ => (i64::from(target) == own as i64, Some(i64::from(target))),
        };
        let mut reached = to_own;
        for task in &mut self.others {
            if others.is_some_and(|other| other != task.id as i64) {
                continue;
            }
            reached = true;
            if signal > 0
                && let Err(Failure::End(Next::Kill { signal })) = task.signals.raise(signal)
            {
                task.doomed = task.doomed.or(Some(signal));
                self.events += 1;
            }
        }
        // One that has ended but was not waited for is still there.
        reached |= self.zombies.iter().any(|zombie| others.is_none_or(|other| other == zombie.id as i64));
        if !reached {
            return Err(ESRCH.into());
        }
        if to_own && signal > 0 {
            self.task.signals.raise(signal)?;
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGABRT: u32 = 6;

    #[test]
    fn a_blocked_signal_waits_until_it_is_not() {
        let mut signals = Signals::new();
        assert_eq!(signals.set_blocked(u64::MAX), Ok(()));
        assert_eq!(signals.raise(SIGABRT), Ok(()));
        assert_eq!(signals.set_blocked(0), Err(Failure::End(Next::Kill { signal: 6 })));
        assert_eq!(signals.set_blocked(u64::MAX), Ok(()));
        assert_eq!(signals.raise(SIGKILL), Err(Failure::End(Next::Kill { signal: 9 })));
    }

    #[test]
    fn ignored_signals_do_nothing_and_stops_stop() {
        let mut signals = Signals::new();
        assert_eq!(signals.raise(SIGCHLD), Ok(()));
        assert_eq!(signals.raise(SIGTSTP), Err(Failure::End(Next::Deadlock)));
        signals.action(SIGABRT).unwrap()[0] = IGNORE as u8;
        assert_eq!(signals.raise(SIGABRT), Ok(()));
        assert_eq!(signals.raise(65), Err(EINVAL.into()));
    }
}
