// SPDX-License-Identifier: MIT
//! Which signals a thread has to do something about.
//!
//! A signal that was sent to the thread comes before one that was sent to its process. Of the
//! process's it looks at those for which it was chosen, or which wait when it looks: it is
//! [alerted](ThreadSignals::is_alerted).

use super::handlers::{Handlers, IGNORE};
use super::pending::Pending;
use super::{DUMPS, Disposition, Info, LastTrap, Stack, UNBLOCKABLE, bit, first_of};

/// The signal state of a thread.
#[derive(Default)]
pub struct ThreadSignals {
    blocked: u64,
    /// The mask to come back to after the handler that ends a wait.
    saved: Option<u64>,
    /// Signals that were sent to it.
    pub pending: Pending,
    /// Whether it looks for signals when it goes on.
    pub is_alerted: bool,
    /// The alternate stack.
    pub stack: Stack,
    /// The last exception.
    pub trap: LastTrap,
}

impl ThreadSignals {
    /// What a thread begins with that this one makes.
    pub fn fork(&self, keeps_stack: bool) -> Self {
        let stack = if keeps_stack { self.stack } else { Stack::default() };
        Self { blocked: self.blocked, stack, ..Self::default() }
    }

    /// The mask.
    pub fn blocked(&self) -> u64 {
        self.blocked
    }

    /// Changes the mask of a thread whose process has these signals waiting.
    pub fn set_blocked(&mut self, blocked: u64, common: &Pending) {
        self.blocked = blocked & !UNBLOCKABLE;
        self.look(common);
    }

    /// Changes the mask until a handler has returned.
    pub fn set_blocked_meanwhile(&mut self, blocked: u64, common: &Pending) {
        self.saved = Some(self.blocked);
        self.set_blocked(blocked, common);
    }

    /// The mask that holds when the next handler has returned.
    pub fn take_saved(&mut self) -> u64 {
        self.saved.take().unwrap_or(self.blocked)
    }

    /// A wait with another mask has ended without a signal.
    pub fn restore_saved(&mut self, common: &Pending) {
        if let Some(saved) = self.saved.take() {
            self.set_blocked(saved, common);
        }
    }

    /// Signals that wait and are not blocked.
    fn ready(&self, common: &Pending) -> u64 {
        (self.pending.set() | common.set()) & !self.blocked
    }

    /// Looks whether any signal waits that is not blocked.
    pub fn look(&mut self, common: &Pending) {
        self.is_alerted = self.ready(common) != 0;
    }

    /// Takes one of the signals in `set`.
    pub fn take(&mut self, set: u64, common: &mut Pending) -> Option<Info> {
        let info = self.pending.take(set).or_else(|| common.take(set));
        self.look(common);
        info
    }

    /// What is to be done about the next signal that is due, without taking it.
    pub fn due(&self, handlers: &Handlers, common: &Pending) -> Option<Disposition> {
        if !self.is_alerted {
            return None;
        }
        let fates = [&self.pending, common].into_iter().flat_map(|pending| {
            let mut due = pending.set() & !self.blocked;
            core::iter::from_fn(move || {
                let signal = first_of(due)?;
                due &= !bit(signal);
                Some(handlers.fate(signal))
            })
        });
        fates.into_iter().find(|fate| *fate != Disposition::Ignore)
    }

    /// Whether a signal is due that ends the process at once, whatever the thread waits for.
    pub fn is_deadly(&self, handlers: &Handlers, common: &Pending) -> bool {
        let mut due = self.ready(common) & !DUMPS;
        while let Some(signal) = first_of(due) {
            if handlers.fate(signal) == Disposition::Kill {
                return true;
            }
            due &= !bit(signal);
        }
        false
    }

    /// Takes the next signal that something is to be done about, and what.
    pub fn next_due(&mut self, handlers: &mut Handlers, common: &mut Pending) -> Option<(Info, Disposition)> {
        loop {
            let info = self.take(!self.blocked, common)?;
            let fate = handlers.use_fate(info.signal);
            if fate != Disposition::Ignore {
                return Some((info, fate));
            }
        }
    }

    /// A signal that cannot wait: if it is blocked or ignored, it kills.
    pub fn force(&mut self, handlers: &mut Handlers, info: Info) {
        if Handlers::index(info.signal).is_err() {
            return;
        }
        if self.blocked & bit(info.signal) != 0
            || handlers.action(info.signal).is_ok_and(|action| action.handler == IGNORE)
        {
            handlers.set_default(info.signal);
            self.blocked &= !bit(info.signal);
        }
        self.pending.replace(info);
        self.is_alerted = true;
    }

    /// A signal that cannot wait and that no handler helps against.
    pub fn force_fatal(&mut self, handlers: &mut Handlers, info: Info) {
        handlers.set_default(info.signal);
        self.force(handlers, info);
    }
}

#[cfg(test)]
mod tests {
    use linux_raw_sys::general::{SA_RESETHAND, SIGABRT, SIGCHLD, SIGKILL, SIGSEGV, SIGTSTP};

    use super::super::Action;
    use super::*;

    const HANDLER: Action = Action { handler: 0x40_0000, flags: 0, restorer: 0, mask: 0 };
    const IGNORED: Action = Action { handler: IGNORE, ..HANDLER };

    fn info(signal: u32) -> Info {
        Info { signal, ..Info::default() }
    }

    /// A process with one thread, which looks at everything that is sent to it.
    #[derive(Default)]
    struct Process {
        handlers: Handlers,
        common: Pending,
        thread: ThreadSignals,
    }

    impl Process {
        fn with(signal: u32, action: Action) -> Self {
            let mut process = Self::default();
            process.handlers.set_action(signal, action).unwrap();
            process
        }

        fn send(&mut self, signal: u32) {
            self.common.add(info(signal));
            self.thread.look(&self.common);
        }

        fn next(&mut self) -> Option<(Info, Disposition)> {
            self.thread.next_due(&mut self.handlers, &mut self.common)
        }
    }

    #[test]
    fn a_blocked_signal_waits_until_it_is_not() {
        let mut process = Process::default();
        process.thread.set_blocked(u64::MAX, &process.common);
        process.send(SIGABRT);
        assert_eq!(process.next(), None);
        process.thread.set_blocked(0, &process.common);
        assert_eq!(process.next(), Some((info(SIGABRT), Disposition::Kill)));
        process.thread.set_blocked(u64::MAX, &process.common);
        process.send(SIGKILL);
        assert_eq!(process.next(), Some((info(SIGKILL), Disposition::Kill)));
    }

    #[test]
    fn ignored_signals_do_nothing_and_stops_stop() {
        let mut process = Process::with(SIGABRT, IGNORED);
        for signal in [SIGCHLD, SIGABRT] {
            process.send(signal);
        }
        assert_eq!((process.thread.due(&process.handlers, &process.common), process.next()), (None, None));
        process.send(SIGTSTP);
        assert_eq!(process.next(), Some((info(SIGTSTP), Disposition::Stop)));
        for signal in [0, 65, u32::MAX] {
            assert!(process.handlers.set_action(signal, HANDLER).is_err());
        }
    }

    #[test]
    fn a_forced_signal_kills_where_it_cannot_be_handled() {
        for (blocked, action, fate) in [
            (0, HANDLER, Disposition::Handle(HANDLER)),
            (bit(SIGSEGV), HANDLER, Disposition::Kill),
            (0, IGNORED, Disposition::Kill),
            (0, Action::default(), Disposition::Kill),
        ] {
            let mut process = Process::with(SIGSEGV, action);
            process.thread.set_blocked(blocked, &process.common);
            process.thread.force(&mut process.handlers, info(SIGSEGV));
            assert_eq!(process.next(), Some((info(SIGSEGV), fate)), "{blocked:#x} {action:?}");
        }
    }

    #[test]
    fn what_an_instruction_caused_comes_first_and_a_threads_own_before_its_processs() {
        let mut process = Process::default();
        for signal in [1, SIGABRT, SIGSEGV, 40, 41] {
            process.handlers.set_action(signal, HANDLER).unwrap();
        }
        for signal in [1, SIGABRT, SIGSEGV, 40] {
            process.send(signal);
        }
        process.thread.pending.add(info(41));
        let order: [_; 5] = core::array::from_fn(|_| process.next().unwrap().0.signal);
        assert_eq!(order, [41, SIGSEGV, 1, SIGABRT, 40]);
    }

    #[test]
    fn a_thread_that_was_not_alerted_sees_nothing_until_it_looks() {
        let mut process = Process::default();
        process.common.add(info(SIGABRT));
        assert_eq!(process.thread.due(&process.handlers, &process.common), None);
        process.thread.look(&process.common);
        assert_eq!(process.thread.due(&process.handlers, &process.common), Some(Disposition::Kill));
        assert!(process.thread.is_deadly(&process.handlers, &process.common) == (DUMPS & bit(SIGABRT) == 0));
    }

    #[test]
    fn a_handler_can_be_for_one_time_only() {
        let once = Action { flags: SA_RESETHAND.into(), ..HANDLER };
        let mut process = Process::with(SIGABRT, once);
        process.send(SIGABRT);
        assert_eq!(process.next(), Some((info(SIGABRT), Disposition::Handle(once))));
        process.send(SIGABRT);
        assert_eq!(process.next(), Some((info(SIGABRT), Disposition::Kill)));
    }
}
