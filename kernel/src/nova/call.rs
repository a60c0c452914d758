// SPDX-License-Identifier: MIT
//! What a thread asks for: a hypercall as its registers say it, and the answer.

use pe_replay::UserRegisters;

/// How a hypercall has ended. There is no 3: each of the sixteen numbers is a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// It has done what was asked for.
    Success = 0,
    /// A deadline has come, it would have had to wait, or the other side is dead.
    Timeout = 1,
    /// The other side has died on the way.
    Abort = 2,
    /// A capability is missing, is of the wrong kind, or has too few rights; or a selector is taken.
    BadCapability = 4,
    /// A parameter is wrong.
    BadParameter = 5,
    /// This machine, or this kernel, does not have it.
    BadFeature = 6,
    /// There is no such processor.
    BadProcessor = 7,
    /// There is no such device.
    BadDevice = 8,
    /// The kernel memory that the domain may use is used up.
    OutOfMemory = 9,
}

/// What a call that is concerned with a thread's control does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Has a thread tell its handler of its state.
    Recall {
        /// Whether its state is told to the caller, too.
        tells: bool,
    },
    /// Gives others of the same priority their turn.
    Yield,
    /// Lets another thread run on the caller's budget.
    Donate {
        /// What that one's own word has to be.
        counter: u64,
    },
    /// Has the scheduler decide anew.
    Reschedule,
    /// Moves a thread to another processor.
    Migrate,
    /// Asks for a thread's time.
    Time,
    /// Reads a virtual processor's state.
    ReadVirtual,
    /// Changes a virtual processor's state.
    WriteVirtual,
    /// Reads and writes model-specific registers.
    ModelSpecific,
}

/// A hypercall. Selectors are the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields have the names that the interface's description gives its arguments"
)]
pub enum Call {
    /// Sends a message through a portal and waits for the reply.
    Call {
        /// The portal.
        portal: u64,
        /// Whether it fails rather than wait for its turn.
        is_impatient: bool,
    },
    /// Replies to the caller and waits for the next.
    Reply {
        /// The semaphore on which the caller is to wait, or 0.
        semaphore: u64,
    },
    /// Makes a protection domain.
    CreatePd {
        selector: u64,
        parent: u64,
        /// What it is to have from the beginning.
        initial: u64,
        /// Pages of kernel memory that it cannot give away, and those that it gets.
        quota: (u64, u64),
    },
    /// Makes a thread.
    CreateEc {
        selector: u64,
        domain: u64,
        is_global: bool,
        utcb: u64,
        processor: u64,
        stack: u64,
        event_base: u64,
    },
    /// Makes a budget.
    CreateSc { selector: u64, domain: u64, thread: u64, quantum_us: u64, priority: u64 },
    /// Makes a portal.
    CreatePt { selector: u64, domain: u64, thread: u64, mtd: u64, entry: u64 },
    /// Makes a semaphore, or a signal that is told to another one.
    CreateSm { selector: u64, domain: u64, value: u64, chained: u64 },
    /// Takes capabilities back.
    Revoke {
        /// What is told when everything is done.
        semaphore: u64,
        range: u64,
        /// From the caller itself, too.
        own: bool,
        /// From whom, if not from the caller.
        remote: Option<u64>,
        /// Whether others keep what they have through them.
        keeps_children: bool,
    },
    /// Asks for the range in which a capability lies.
    Lookup { range: u64 },
    /// Hands items from one domain to another.
    Delegate { from: u64, window: u64, to: u64 },
    /// Puts the machine to sleep.
    Suspend { authority: u64 },
    /// Sees to a domain for us: a call of this kernel's own.
    Own { arguments: [u64; 4], selector: u64 },
    /// Controls a thread.
    Thread { selector: u64, control: Control },
    /// Asks for the time of a budget.
    Budget { selector: u64, operation: u8, thread: u64 },
    /// Changes the number of a portal.
    Portal { selector: u64, number: u64 },
    /// Raises a semaphore.
    Up { selector: u64 },
    /// Lowers a semaphore, or waits until somebody has raised it.
    Down {
        selector: u64,
        /// Whether it takes all at once.
        zeroes: bool,
        /// The time stamp at which it gives up; 0 is never.
        deadline: u64,
    },
    /// Gives a device to a domain.
    AssignDevice { domain: u64, config: u64 },
    /// Has an interrupt raise a semaphore.
    AssignInterrupt {
        semaphore: u64,
        config: u64,
        processor: u64,
        chained: u64,
        /// Whether the line is level triggered, and whether low, if that is said.
        mode: Option<(bool, bool)>,
    },
    /// Gives kernel memory to another domain.
    Transfer { from: u64, to: u64, pages: u64 },
    /// Asks for the kernel memory of a domain.
    Quota { domain: u64 },
}

impl Call {
    /// Whether nothing is behind the call: it is refused, whatever its arguments are.
    pub fn is_absent(&self) -> bool {
        use Control::{Migrate, ModelSpecific, ReadVirtual, Time, WriteVirtual};
        match self {
            Self::Thread { control, .. } => {
                matches!(control, Migrate | Time | ReadVirtual | WriteVirtual | ModelSpecific)
            }
            Self::Suspend { .. } | Self::Budget { .. } | Self::AssignDevice { .. } => true,
            _ => false,
        }
    }
}

/// The number that asks for a call of ours; the original does not know it.
const OWN: u64 = 15;

impl Call {
    /// The call that a thread makes, or how one ends that does not exist.
    pub fn new(registers: &UserRegisters) -> Result<Self, Status> {
        let UserRegisters { rdi, rsi: a, rdx: b, rax: c, r8: d, .. } = *registers;
        let (number, flags, selector) = (rdi & 0xf, rdi >> 4 & 0xf, rdi >> 8);
        let flag = |bit: u32| flags & 1 << bit != 0;
        Ok(match number {
            0 => Self::Call { portal: selector, is_impatient: flag(0) },
            1 => Self::Reply { semaphore: selector },
            2 => {
                let quota = (c & 0xffff_ffff, c >> 32);
                Self::CreatePd { selector, parent: a, initial: b, quota }
            }
            3 => Self::CreateEc {
                selector,
                domain: a,
                is_global: flag(0),
                utcb: b & !0xfff,
                processor: b & 0xfff,
                stack: c,
                event_base: d & 0xffff_ffff,
            },
            4 => Self::CreateSc { selector, domain: a, thread: b, quantum_us: c >> 12, priority: c & 0xff },
            5 => Self::CreatePt { selector, domain: a, thread: b, mtd: c, entry: d },
            6 => Self::CreateSm { selector, domain: a, value: b, chained: c },
            7 => Self::Revoke {
                semaphore: selector,
                range: a,
                own: flag(0),
                remote: flag(1).then_some(b),
                keeps_children: flag(2),
            },
            8 => match flags {
                0 => Self::Lookup { range: a },
                1 => Self::Delegate { from: selector, window: a, to: b },
                2 => Self::Suspend { authority: selector },
                OWN => Self::Own { arguments: [a, b, c, d], selector },
                _ => return Err(Status::BadParameter),
            },
            9 => Self::Thread { selector, control: Control::new(flags, a)? },
            10 => match flags {
                0..4 => Self::Budget { selector, operation: flags as u8, thread: a },
                _ => return Err(Status::BadParameter),
            },
            11 => Self::Portal { selector, number: a },
            12 if flag(0) => Self::Down { selector, zeroes: flag(1), deadline: a << 32 | b & 0xffff_ffff },
            12 => Self::Up { selector },
            13 => Self::AssignDevice { domain: selector, config: a },
            14 => Self::AssignInterrupt {
                semaphore: selector,
                config: a,
                processor: b,
                chained: c,
                mode: flag(2).then_some((flag(1), flag(0))),
            },
            _ => match flags {
                0 => Self::Transfer { from: selector, to: a, pages: b },
                2 => Self::Quota { domain: selector },
                _ => return Err(Status::BadParameter),
            },
        })
    }
}

impl Control {
    fn new(operation: u64, argument: u64) -> Result<Self, Status> {
        Ok(match operation {
            0 => Self::Recall { tells: argument == 1 },
            1 => Self::Yield,
            2 => Self::Donate { counter: argument },
            3 => Self::Reschedule,
            4 => Self::Migrate,
            5 => Self::Time,
            6 => Self::ReadVirtual,
            7 => Self::WriteVirtual,
            8 => Self::ModelSpecific,
            _ => return Err(Status::BadParameter),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(rdi: u64, [rsi, rdx, rax, r8]: [u64; 4]) -> Result<Call, Status> {
        Call::new(&UserRegisters { rdi, rsi, rdx, rax, r8, ..UserRegisters::new(0, 0) })
    }

    #[test]
    fn the_first_calls_of_a_booting_core_are_understood() {
        let cases = [
            (0x1d06, [0x20, 0, 0, 0], Call::CreateSm { selector: 0x1d, domain: 0x20, value: 0, chained: 0 }),
            (0x2018, [0x87e, 0x20, 0, 0], Call::Delegate { from: 0x20, window: 0x87e, to: 0x20 }),
            (
                0x10_0003,
                [0x20, 0xbff0_2000, 0xbff0_1f00, 0],
                Call::CreateEc {
                    selector: 0x1000,
                    domain: 0x20,
                    is_global: false,
                    utcb: 0xbff0_2000,
                    processor: 0,
                    stack: 0xbff0_1f00,
                    event_base: 0,
                },
            ),
            (
                0xe05,
                [0x20, 0x1000, 0x800c, 0x1234],
                Call::CreatePt { selector: 0xe, domain: 0x20, thread: 0x1000, mtd: 0x800c, entry: 0x1234 },
            ),
            (0xe0b, [0xe, 0, 0, 0], Call::Portal { selector: 0xe, number: 0xe }),
            (
                0x17,
                [0xe007, 0, 0, 0],
                Call::Revoke { semaphore: 0, range: 0xe007, own: true, remote: None, keeps_children: false },
            ),
            (
                0x8f_2a04,
                [0x8f18, 0x8f28, 0x271_0040, 0],
                Call::CreateSc {
                    selector: 0x8f2a,
                    domain: 0x8f18,
                    thread: 0x8f28,
                    quantum_us: 10_000,
                    priority: 64,
                },
            ),
        ];
        for (rdi, arguments, expected) in cases {
            assert_eq!(call(rdi, arguments), Ok(expected), "{rdi:#x}");
        }
    }

    #[test]
    fn halves_and_flags_are_put_together() {
        assert_eq!(
            call(0x2d << 8 | 0x3c, [5, 6, 0, 0]),
            Ok(Call::Down { selector: 0x2d, zeroes: true, deadline: 5 << 32 | 6 })
        );
        assert_eq!(
            call(0x3_0002, [0x20, 0, 32 << 32 | 2, 0]),
            Ok(Call::CreatePd { selector: 0x300, parent: 0x20, initial: 0, quota: (2, 32) })
        );
        let Ok(Call::AssignInterrupt { mode, .. }) = call(0x7e, [0; 4]) else { panic!() };
        assert_eq!(mode, Some((true, true)));
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        for (rdi, status) in [
            (0x38, Status::BadParameter),
            (0x99, Status::BadParameter),
            (0xffa, Status::BadParameter),
            (0x1f, Status::BadParameter),
        ] {
            assert_eq!(call(rdi, [0; 4]), Err(status), "{rdi:#x}");
        }
        // Each number is a call.
        assert!((0..16).all(|number| call(number, [0; 4]).is_ok()));
    }
}
