// SPDX-License-Identifier: MIT
//! What a process wants done about each signal; all of its threads have it in common.

use linux_raw_sys::general::{
    SA_RESETHAND, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH,
};

use super::{Action, Disposition, SIGNALS, UNBLOCKABLE, bit};
use crate::linux::errno::{EINVAL, Errno};

/// Dispositions that are not the address of a handler.
const DEFAULT: u64 = 0;
pub(super) const IGNORE: u64 = 1;

/// The disposition of each signal.
#[derive(Clone)]
pub struct Handlers([Action; SIGNALS]);

impl Default for Handlers {
    /// Those of a first program.
    fn default() -> Self {
        Self([Action::default(); SIGNALS])
    }
}

impl Handlers {
    /// What `execve` leaves: handlers are gone.
    pub fn reset(&mut self) {
        for action in self.0.iter_mut().filter(|action| action.handler != IGNORE) {
            *action = Action::default();
        }
    }

    /// A signal's index, if there is such a signal.
    pub fn index(signal: u32) -> Result<usize, Errno> {
        let index = usize::try_from(signal).ok().and_then(|signal| signal.checked_sub(1));
        index.filter(|index| *index < SIGNALS).ok_or(EINVAL)
    }

    /// A signal's disposition.
    pub fn action(&self, signal: u32) -> Result<Action, Errno> {
        Self::index(signal).map(|index| self.0[index])
    }

    /// Sets a signal's disposition; returns whether the signal is ignored from now on.
    pub fn set_action(&mut self, signal: u32, action: Action) -> Result<bool, Errno> {
        let index = Self::index(signal)?;
        if UNBLOCKABLE & bit(signal) != 0 {
            return Err(EINVAL);
        }
        self.0[index] = Action { mask: action.mask & !UNBLOCKABLE, ..action };
        Ok(self.fate(signal) == Disposition::Ignore)
    }

    /// Has the default done about a signal.
    pub(super) fn set_default(&mut self, signal: u32) {
        if let Ok(index) = Self::index(signal) {
            self.0[index].handler = DEFAULT;
        }
    }

    /// Whether the process wants to know nothing of a signal.
    pub fn is_ignored(&self, signal: u32) -> bool {
        self.action(signal).is_ok_and(|action| action.handler == IGNORE)
    }

    /// What would be done about a signal now.
    pub fn fate(&self, signal: u32) -> Disposition {
        let Ok(action) = self.action(signal) else { return Disposition::Ignore };
        match (action.handler, signal) {
            (IGNORE, _) | (DEFAULT, SIGCHLD | SIGCONT | SIGURG | SIGWINCH) => Disposition::Ignore,
            (DEFAULT, SIGSTOP | SIGTSTP | SIGTTIN | SIGTTOU) => Disposition::Stop,
            (DEFAULT, _) => Disposition::Kill,
            (_, _) => Disposition::Handle(action),
        }
    }

    /// What is done about a signal that is taken now: some handlers are for one time only.
    pub(super) fn use_fate(&mut self, signal: u32) -> Disposition {
        let fate = self.fate(signal);
        if let Disposition::Handle(action) = fate
            && action.has(SA_RESETHAND)
        {
            self.set_default(signal);
        }
        fate
    }
}
