// SPDX-License-Identifier: MIT
//! Signals: what they are, and what a process and its threads know of them.
//!
//! Nothing here touches memory of the program; [`delivery`] does.

pub mod delivery;
pub mod due;
pub mod exception;
pub mod frame;
pub mod handlers;
pub mod pending;

use linux_raw_sys::general::{
    SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGQUIT, SIGSEGV, SIGSTOP, SIGSYS, SIGTRAP, SIGTSTP, SIGTTIN,
    SIGTTOU, SIGXCPU, SIGXFSZ, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK,
};

use super::layout::{Layout, get_u64};

/// Signals that there are.
pub const SIGNALS: usize = 64;
/// Signals that cannot be blocked, caught or ignored.
const UNBLOCKABLE: u64 = bit(SIGKILL) | bit(SIGSTOP);
/// Signals that the program's own instructions cause: these come first.
const SYNCHRONOUS: u64 =
    bit(SIGSEGV) | bit(SIGBUS) | bit(SIGILL) | bit(SIGTRAP) | bit(SIGFPE) | bit(SIGSYS) | bit(SIGKILL);
/// Signals that stop a process, where nobody handles them.
pub const STOPS: u64 = bit(SIGSTOP) | bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU);
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
    /// Which timer has rung.
    Timer {
        /// Its number.
        number: i32,
        /// How often more than once.
        overrun: u32,
        /// What the program wants to be told with it.
        value: u64,
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
            Detail::Timer { number, overrun, value } => {
                layout.u32(16, number as u32).u32(20, overrun).u64(24, value)
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

#[cfg(test)]
mod tests {
    use super::*;

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
