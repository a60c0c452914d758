// SPDX-License-Identifier: MIT
//! The signal state of a process: dispositions, mask, what is pending, and its stack.
//!
//! Nothing here touches memory of the program; [`delivery`] does.

pub mod delivery;
pub mod exception;
pub mod frame;

use linux_raw_sys::general::{
    SA_RESETHAND, SIGABRT, SIGBUS, SIGCHLD, SIGCONT, SIGFPE, SIGILL, SIGKILL, SIGQUIT, SIGSEGV, SIGSTOP,
    SIGSYS, SIGTRAP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH, SIGXCPU, SIGXFSZ, SS_AUTODISARM,
    SS_DISABLE, SS_ONSTACK,
};

use super::errno::{EINVAL, Errno};
use super::layout::{Layout, get_u64};

/// Signals that there are.
pub const SIGNALS: usize = 64;
/// Dispositions that are not the address of a handler.
const DEFAULT: u64 = 0;
const IGNORE: u64 = 1;
/// Signals that cannot be blocked, caught or ignored.
const UNBLOCKABLE: u64 = bit(SIGKILL) | bit(SIGSTOP);
/// Signals that the program's own instructions cause: these come first.
const SYNCHRONOUS: u64 =
    bit(SIGSEGV) | bit(SIGBUS) | bit(SIGILL) | bit(SIGTRAP) | bit(SIGFPE) | bit(SIGSYS) | bit(SIGKILL);
/// Signals that stop a process, where nobody handles them.
const STOPS: u64 = bit(SIGSTOP) | bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);
/// Signals whose default is the end with a memory image: for a wait that only an end cuts
/// short they come later (Linux's `sig_kernel_coredump`).
const DUMPS: u64 = bit(SIGQUIT)
    | bit(SIGILL)
    | bit(SIGTRAP)
    | bit(SIGABRT)
    | bit(SIGFPE)
    | bit(SIGSEGV)
    | bit(SIGBUS)
    | bit(SIGSYS)
    | bit(SIGXCPU)
    | bit(SIGXFSZ);
const _: () = assert!(SIGNALS == u64::BITS as usize);

/// A signal's bit in a set.
pub const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

/// Which signal of a set comes first: one that the program's own instructions cause, else
/// the lowest number.
fn first_of(set: u64) -> Option<u32> {
    let first = [set & SYNCHRONOUS, set].into_iter().find(|set| *set != 0)?;
    Some(first.trailing_zeros() + 1)
}

/// A kernel `struct sigaction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// The handler's address, or one of two constants.
    pub handler: u64,
    /// `SA_...`.
    pub flags: u64,
    /// What the handler returns to.
    pub restorer: u64,
    /// Blocked, too, while the handler runs.
    pub mask: u64,
}

impl Action {
    /// As the program passes it.
    pub fn read(bytes: &[u8; 32]) -> Self {
        let word = |at| get_u64(bytes, at);
        Self { handler: word(0), flags: word(8), restorer: word(16), mask: word(24) }
    }

    /// As the program gets it.
    pub fn bytes(self) -> [u8; 32] {
        Layout::<32>::new()
            .u64(0, self.handler)
            .u64(8, self.flags)
            .u64(16, self.restorer)
            .u64(24, self.mask)
            .0
    }

    /// Whether a flag is set.
    pub fn has(self, flag: u32) -> bool {
        self.flags & u64::from(flag) != 0
    }
}

/// What `siginfo_t` tells beside number and code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// Where the fault was.
    Address(u64),
    /// What has become of a child.
    Child {
        /// Its process number.
        process: u32,
        /// Its exit status, or the signal that ended it.
        status: u32,
        /// How long it had the processor, in ticks of `times`.
        user_ticks: u64,
    },
    /// Who sent it.
    Sender {
        /// Its process number.
        process: u32,
    },
}

/// A signal on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Its number.
    pub signal: u32,
    /// `si_code`.
    pub code: i32,
    /// What belongs to the code.
    pub detail: Detail,
}

impl Info {
    /// Length of a `siginfo_t`.
    pub const LEN: usize = 128;

    /// As a `siginfo_t`.
    pub fn bytes(self) -> [u8; Self::LEN] {
        let layout = Layout::<{ Self::LEN }>::new().u32(0, self.signal).u32(8, self.code as u32);
        match self.detail {
            Detail::None => layout,
            Detail::Address(address) => layout.u64(16, address),
            Detail::Child { process, status, user_ticks } => {
                layout.u32(16, process).u32(24, status).u64(32, user_ticks)
            }
            // Everybody is root.
            Detail::Sender { process } => layout.u32(16, process).u32(20, 0),
        }
        .0
    }
}

/// What is to be done with a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Nothing.
    Ignore,
    /// The program stops.
    Stop,
    /// The program ends.
    Kill,
    /// Its handler is called.
    Handle(Action),
}

/// The alternate signal stack; size 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// Lowest address.
    pub base: u64,
    /// Size in bytes.
    pub size: u64,
    /// Whether it is taken away while a handler runs on it.
    pub autodisarm: bool,
}

impl Stack {
    /// Whether `sp` is in it.
    pub fn contains(self, sp: u64) -> bool {
        sp > self.base && sp - self.base <= self.size
    }

    /// Whether a program with this stack pointer is on it, as far as that can be known.
    pub fn is_in_use(self, sp: u64) -> bool {
        !self.autodisarm && self.contains(sp)
    }

    /// A `stack_t` with these flags beside the one that is kept.
    pub fn bytes(self, flags: u32) -> [u8; 24] {
        let flags = flags | if self.autodisarm { SS_AUTODISARM } else { 0 };
        Layout::<24>::new().u64(0, self.base).u32(8, flags).u64(16, self.size).0
    }

    /// The flags that say how it stands.
    pub fn flags(self, sp: u64) -> u32 {
        match self.size {
            0 => SS_DISABLE,
            _ if self.is_in_use(sp) => SS_ONSTACK,
            _ => 0,
        }
    }
}

/// The last exception, for the handlers' machine context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastTrap {
    /// Its vector.
    pub number: u64,
    /// Its error code.
    pub error: u64,
    /// The last page fault's address.
    pub cr2: u64,
}

/// The signal state of a process.
pub struct Signals {
    actions: [Action; SIGNALS],
    blocked: u64,
    /// The mask to come back to after the handler that ends a wait.
    saved: Option<u64>,
    pending: u64,
    infos: [Info; SIGNALS],
    /// The alternate stack.
    pub stack: Stack,
    /// The last exception.
    pub trap: LastTrap,
}

impl Default for Signals {
    /// All default, none blocked.
    fn default() -> Self {
        Self {
            actions: [Action::default(); SIGNALS],
            blocked: 0,
            saved: None,
            pending: 0,
            infos: [Info::default(); SIGNALS],
            stack: Stack::default(),
            trap: LastTrap::default(),
        }
    }
}

impl Signals {
    /// What a child begins with: nothing is pending there.
    pub fn fork(&self) -> Self {
        Self {
            actions: self.actions,
            blocked: self.blocked,
            saved: None,
            pending: 0,
            infos: [Info::default(); SIGNALS],
            stack: self.stack,
            trap: LastTrap::default(),
        }
    }

    /// What `execve` leaves: handlers are gone, and the stack for them.
    pub fn reset(&mut self) {
        for action in self.actions.iter_mut().filter(|action| action.handler != IGNORE) {
            *action = Action::default();
        }
        self.stack = Stack::default();
    }

    /// Whether the process wants to know nothing of a signal.
    pub fn is_ignored(&self, signal: u32) -> bool {
        self.action(signal).is_ok_and(|action| action.handler == IGNORE)
    }

    /// What is to be done with the next signal that is due, without taking it.
    pub fn due(&self) -> Option<Disposition> {
        let mut due = self.pending & !self.blocked;
        while let Some(signal) = first_of(due) {
            match self.fate(signal) {
                Disposition::Ignore => due &= !bit(signal),
                fate => return Some(fate),
            }
        }
        None
    }

    /// Whether a signal is due that ends the process at once, whatever it waits for.
    pub fn is_deadly(&self) -> bool {
        let mut due = self.pending & !self.blocked & !DUMPS;
        while let Some(signal) = first_of(due) {
            if self.fate(signal) == Disposition::Kill {
                return true;
            }
            due &= !bit(signal);
        }
        false
    }

    /// A signal's index, if there is such a signal.
    fn index(signal: u32) -> Result<usize, Errno> {
        let index = usize::try_from(signal).ok().and_then(|signal| signal.checked_sub(1));
        index.filter(|index| *index < SIGNALS).ok_or(EINVAL)
    }

    /// A signal's disposition.
    pub fn action(&self, signal: u32) -> Result<Action, Errno> {
        Self::index(signal).map(|index| self.actions[index])
    }

    /// Sets a signal's disposition; what is ignored from now on is not pending any more.
    pub fn set_action(&mut self, signal: u32, action: Action) -> Result<(), Errno> {
        let index = Self::index(signal)?;
        if UNBLOCKABLE & bit(signal) != 0 {
            return Err(EINVAL);
        }
        self.actions[index] = Action { mask: action.mask & !UNBLOCKABLE, ..action };
        if self.fate(signal) == Disposition::Ignore {
            self.pending &= !bit(signal);
        }
        Ok(())
    }

    /// What would be done with a signal now.
    fn fate(&self, signal: u32) -> Disposition {
        let Ok(action) = self.action(signal) else { return Disposition::Ignore };
        match (action.handler, signal) {
            (IGNORE, _) | (DEFAULT, SIGCHLD | SIGCONT | SIGURG | SIGWINCH) => Disposition::Ignore,
            (DEFAULT, SIGSTOP | SIGTSTP | SIGTTIN | SIGTTOU) => Disposition::Stop,
            (DEFAULT, _) => Disposition::Kill,
            (_, _) => Disposition::Handle(action),
        }
    }

    /// The mask.
    pub fn blocked(&self) -> u64 {
        self.blocked
    }

    /// Changes the mask.
    pub fn set_blocked(&mut self, blocked: u64) {
        self.blocked = blocked & !UNBLOCKABLE;
    }

    /// Changes the mask until a handler has returned.
    pub fn set_blocked_meanwhile(&mut self, blocked: u64) {
        self.saved = Some(self.blocked);
        self.set_blocked(blocked);
    }

    /// The mask that holds when the next handler has returned.
    pub fn take_saved(&mut self) -> u64 {
        self.saved.take().unwrap_or(self.blocked)
    }

    /// Signals that wait.
    pub fn pending(&self) -> u64 {
        self.pending
    }

    /// A signal for the process. Of signals of one number, one at a time is kept. A stop
    /// and a continuation that both wait would contradict each other: the later one holds,
    /// even if it is blocked or ignored itself.
    pub fn send(&mut self, info: Info) -> Result<(), Errno> {
        let index = Self::index(info.signal)?;
        if info.signal == SIGCONT {
            self.pending &= !STOPS;
        } else if STOPS & bit(info.signal) != 0 {
            self.pending &= !bit(SIGCONT);
        }
        let is_blocked = self.blocked & bit(info.signal) != 0;
        if (is_blocked || self.fate(info.signal) != Disposition::Ignore)
            && self.pending & bit(info.signal) == 0
        {
            self.pending |= bit(info.signal);
            self.infos[index] = info;
        }
        Ok(())
    }

    /// A signal that cannot wait: if it is blocked or ignored, it kills.
    pub fn force(&mut self, info: Info) {
        let Ok(index) = Self::index(info.signal) else { return };
        if self.blocked & bit(info.signal) != 0 || self.actions[index].handler == IGNORE {
            self.actions[index].handler = DEFAULT;
            self.blocked &= !bit(info.signal);
        }
        self.pending |= bit(info.signal);
        self.infos[index] = info;
    }

    /// A signal that cannot wait and that no handler helps against.
    pub fn force_fatal(&mut self, info: Info) {
        if let Ok(index) = Self::index(info.signal) {
            self.actions[index].handler = DEFAULT;
        }
        self.force(info);
    }

    /// Takes one of the pending signals in `set`: those that the program's own
    /// instructions cause first, else the lowest number.
    pub fn take(&mut self, set: u64) -> Option<Info> {
        let signal = first_of(self.pending & set)?;
        self.pending &= !bit(signal);
        Self::index(signal).ok().map(|index| self.infos[index])
    }

    /// Takes the next signal that something is to be done about, and what.
    pub fn next_due(&mut self) -> Option<(Info, Disposition)> {
        loop {
            let info = self.take(!self.blocked)?;
            let fate = self.fate(info.signal);
            if let Disposition::Handle(action) = fate
                && action.has(SA_RESETHAND)
                && let Ok(index) = Self::index(info.signal)
            {
                self.actions[index].handler = DEFAULT;
            }
            if fate != Disposition::Ignore {
                return Some((info, fate));
            }
        }
    }

    /// Whether the signal is pending that nothing helps against.
    pub fn is_doomed(&self) -> bool {
        self.pending & bit(SIGKILL) != 0
    }

    /// Whether no signal is pending and not blocked, not even one that is ignored.
    #[inline]
    pub fn is_none_due(&self) -> bool {
        self.pending & !self.blocked == 0
    }

    /// Whether a signal is pending that something is to be done about now.
    #[inline]
    pub fn is_due(&self) -> bool {
        !self.is_none_due() && self.due().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGABRT: u32 = 6;
    const HANDLER: Action = Action { handler: 0x40_0000, flags: 0, restorer: 0, mask: 0 };

    fn info(signal: u32) -> Info {
        Info { signal, ..Info::default() }
    }

    #[test]
    fn a_blocked_signal_waits_until_it_is_not() {
        let mut signals = Signals::default();
        signals.set_blocked(u64::MAX);
        assert_eq!(signals.send(info(SIGABRT)), Ok(()));
        assert_eq!(signals.next_due(), None);
        signals.set_blocked(0);
        assert_eq!(signals.next_due(), Some((info(SIGABRT), Disposition::Kill)));
        signals.set_blocked(u64::MAX);
        assert_eq!(signals.send(info(SIGKILL)), Ok(()));
        assert_eq!(signals.next_due(), Some((info(SIGKILL), Disposition::Kill)));
    }

    #[test]
    fn ignored_signals_do_nothing_and_stops_stop() {
        let mut signals = Signals::default();
        for signal in [SIGCHLD, SIGABRT] {
            signals.set_action(signal, Action { handler: IGNORE, ..HANDLER }).unwrap();
            signals.send(info(signal)).unwrap();
        }
        assert_eq!((signals.pending(), signals.next_due()), (0, None));
        signals.send(info(SIGTSTP)).unwrap();
        assert_eq!(signals.next_due(), Some((info(SIGTSTP), Disposition::Stop)));
        for signal in [0, 65, u32::MAX] {
            assert_eq!(signals.send(info(signal)), Err(EINVAL));
        }
    }

    #[test]
    fn a_forced_signal_kills_where_it_cannot_be_handled() {
        for (blocked, handler, fate) in [
            (0, HANDLER.handler, Disposition::Handle(HANDLER)),
            (bit(SIGSEGV), HANDLER.handler, Disposition::Kill),
            (0, IGNORE, Disposition::Kill),
            (0, DEFAULT, Disposition::Kill),
        ] {
            let mut signals = Signals::default();
            signals.set_action(SIGSEGV, Action { handler, ..HANDLER }).unwrap();
            signals.set_blocked(blocked);
            signals.force(info(SIGSEGV));
            assert_eq!(signals.next_due(), Some((info(SIGSEGV), fate)), "{blocked:#x} {handler:#x}");
        }
    }

    #[test]
    fn what_an_instruction_caused_comes_first() {
        let mut signals = Signals::default();
        for signal in [1, SIGABRT, SIGSEGV, 40] {
            signals.set_action(signal, HANDLER).unwrap();
            signals.send(info(signal)).unwrap();
        }
        let order: [_; 4] = core::array::from_fn(|_| signals.next_due().unwrap().0.signal);
        assert_eq!(order, [SIGSEGV, 1, SIGABRT, 40]);
    }

    #[test]
    fn a_handler_can_be_for_one_time_only() {
        let mut signals = Signals::default();
        let once = Action { flags: SA_RESETHAND.into(), ..HANDLER };
        signals.set_action(SIGABRT, once).unwrap();
        signals.send(info(SIGABRT)).unwrap();
        assert_eq!(signals.next_due(), Some((info(SIGABRT), Disposition::Handle(once))));
        signals.send(info(SIGABRT)).unwrap();
        assert_eq!(signals.next_due(), Some((info(SIGABRT), Disposition::Kill)));
    }

    #[test]
    fn a_stack_contains_its_end_and_not_its_base() {
        let stack = Stack { base: 0x1000, size: 0x800, autodisarm: false };
        for (sp, within) in [(0x1000, false), (0x1001, true), (0x1800, true), (0x1801, false), (0, false)] {
            assert_eq!(stack.contains(sp), within, "{sp:#x}");
        }
        assert_eq!(stack.flags(0x1400), SS_ONSTACK);
        assert_eq!(Stack { autodisarm: true, ..stack }.flags(0x1400), 0);
        assert_eq!(Stack::default().flags(0), SS_DISABLE);
    }
}
