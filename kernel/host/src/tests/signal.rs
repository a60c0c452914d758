// SPDX-License-Identifier: MIT
//! Handlers: frames as Linux builds them, and the way back from frames that a program has changed.

use pe_replay::stop::DEBUG_STEP;
use pe_replay::user::{Extended, xsave};

use super::*;
use crate::linux::signal::exception::Exception;

const SIGUSR1: u64 = 10;
const SIGSEGV: u64 = 11;
const HANDLER: u64 = TEXT + 0x300;
const RESTORER: u64 = TEXT + 0x400;
const FLAGS: u64 = 0x0400_0004;
const UD: Exception = Exception { vector: 6, error: 0 };

/// Offsets in the `ucontext_t`.
const RSP: u64 = 160;
const RIP: u64 = 168;
const RFLAGS: u64 = 176;
const CS: u64 = 184;
const STATE: u64 = 224;

fn word(process: &Process, at: u64) -> u64 {
    u64::from_le_bytes(process.peek(at, 8).try_into().unwrap())
}

fn set(process: &mut Process, at: u64, value: u64) {
    process.poke(at, &value.to_le_bytes());
}

/// A process with a handler for these signals.
fn handling(signals: &[u64], flags: u64) -> Process {
    let mut process = Process::new();
    for (index, value) in [HANDLER, flags, RESTORER, 0].into_iter().enumerate() {
        set(&mut process, DATA + 8 * index as u64, value);
    }
    for signal in signals {
        assert_eq!(process.call(Sysno::rt_sigaction, &[*signal, DATA, 0, 8]), Ok(0));
    }
    let sp = process.user.rsp;
    process.poke(sp - 4096, &[0]);
    process
}

fn raise(process: &mut Process, signal: u64) -> Next {
    let own = process.call(Sysno::getpid, &[]).unwrap();
    process.step(Sysno::kill.id() as u64, &[own, signal])
}

/// What the handler's return and the restorer's SYSCALL do.
fn give_back(process: &mut Process) -> Next {
    assert_eq!(word(process, process.user.rsp), RESTORER);
    process.user.rsp += 8;
    process.step(Sysno::rt_sigreturn.id() as u64, &[])
}

#[test]
fn a_handler_finds_its_frame_and_everything_comes_back() {
    let mut process = handling(&[SIGUSR1], FLAGS);
    process.user.r15 = 15;
    process.user.rflags |= 0x400 | 0x100;
    process.user.extended.0[xsave::XMM] = 7;
    let own = process.call(Sysno::getpid, &[]).unwrap();
    process.user.rdi = own;
    assert_eq!(process.step(Sysno::kill.id() as u64, &[own, SIGUSR1]), Next::Continue);
    let entered = process.user.clone();
    assert_eq!((entered.rip, entered.rdi, entered.rax), (HANDLER, SIGUSR1, 0));
    assert_eq!((entered.rsp % 16, entered.rflags & 0x500), (8, 0));
    assert_eq!(entered.extended, Extended::default());
    // siginfo_t: number, code and sender.
    assert_eq!(process.peek(entered.rsi, 4), [10, 0, 0, 0]);
    assert_eq!(word(&process, entered.rsi + 16), own);
    // In the handler its signal is blocked.
    assert_eq!(raise(&mut process, SIGUSR1), Next::Continue);
    assert_eq!(process.user.rip, HANDLER);
    let state = word(&process, entered.rdx + STATE);
    assert_eq!((state % 64, process.peek(state + xsave::XMM as u64, 1)), (0, vec![7]));
    process.user = entered;
    assert_eq!(give_back(&mut process), Next::Continue);
    // The second one, which had to wait, comes at once.
    assert_eq!((process.user.rip, process.user.rdi), (HANDLER, SIGUSR1));
    assert_eq!(give_back(&mut process), Next::Continue);
    assert_eq!((process.user.r15, process.user.rflags & 0x500), (15, 0x500));
    assert_eq!((process.user.rip, process.user.extended.0[xsave::XMM]), (TEXT + 0x200, 7));
}

#[test]
fn what_a_frame_brings_back_is_checked_or_confined() {
    let kernel = 0xffff_8000_0000_0000;
    let returned = |change: &dyn Fn(&mut Process, u64)| {
        let mut process = handling(&[SIGUSR1], FLAGS);
        assert_eq!(raise(&mut process, SIGUSR1), Next::Continue);
        let context = process.user.rdx;
        change(&mut process, context);
        let next = give_back(&mut process);
        (next, process.user)
    };
    let (next, state) = returned(&|process, context| set(process, context + RFLAGS, u64::MAX));
    // CF PF AF ZF SF TF DF OF RF AC; the entry takes RF away.
    assert_eq!((next, state.rflags), (Next::Continue, 0x202 | 0x5_0dd5));
    for (offset, value) in [(RIP, kernel), (RIP, 1 << 63), (RSP, kernel)] {
        // The entry to user mode decides what these are.
        let (next, _) = returned(&|process, context| set(process, context + offset, value));
        assert_eq!(next, Next::Continue);
    }
    let killed = Next::Kill { signal: SIGSEGV as u8 };
    for (offset, value) in
        [(CS, 0x10), (CS, 0), (STATE, kernel), (STATE, 1 << 63), (STATE, 0x40), (STATE, 72)]
    {
        let (next, _) = returned(&|process, context| set(process, context + offset, value));
        assert_eq!(next, killed, "{offset} {value:#x}");
    }
    for (offset, value) in [
        (xsave::HEADER, u64::MAX),
        (xsave::HEADER + 8, 1 << 63),
        (xsave::HEADER + 16, 1),
        (xsave::MXCSR, 1 << 31),
    ] {
        let (next, _) = returned(&|process, context| {
            let state = word(process, context + STATE);
            set(process, state + offset as u64, value);
        });
        assert_eq!(next, killed, "{offset}");
    }
    // Without a state, or without the mark that it is all there.
    for offset in [None, Some(464)] {
        let (next, state) = returned(&|process, context| match offset {
            None => set(process, context + STATE, 0),
            Some(offset) => {
                let state = word(process, context + STATE);
                set(process, state + offset, 0);
            }
        });
        assert_eq!((next, state.extended), (Next::Continue, Extended::default()));
    }
}

#[test]
fn an_exception_reaches_its_handler_or_kills() {
    for (blocked, next) in [(false, Next::Continue), (true, Next::Kill { signal: 4 })] {
        let mut process = handling(&[4], FLAGS);
        set(&mut process, DATA, u64::MAX);
        if blocked {
            assert_eq!(process.call(Sysno::rt_sigprocmask, &[0, DATA, 0, 8]), Ok(0));
        }
        let rip = process.user.rip;
        assert_eq!(process.exception(UD), next);
        if !blocked {
            assert_eq!((process.user.rip, word(&process, process.user.rsi + 16)), (HANDLER, rip));
        }
    }
    let mut process = handling(&[5], FLAGS);
    let step = Exception { vector: 1, error: DEBUG_STEP };
    assert_eq!(process.exception(step), Next::Continue);
    assert_eq!(process.peek(process.user.rsi + 8, 1), [2]);
}

#[test]
fn a_frame_that_cannot_be_built_kills() {
    let killed = Next::Kill { signal: SIGSEGV as u8 };
    for sp in [0, 100, 0xffff_8000_0000_0000, TEXT + 0x1000, 1 << 46] {
        let mut process = handling(&[SIGUSR1, SIGSEGV], FLAGS);
        process.user.rsp = sp;
        assert_eq!(raise(&mut process, SIGUSR1), killed, "{sp:#x}");
    }
    // No restorer.
    let mut process = handling(&[SIGUSR1], 4);
    assert_eq!(raise(&mut process, SIGUSR1), killed);
    // No memory for the stack's next page is not the program's fault, but its end all the same.
    let mut process = handling(&[SIGUSR1], FLAGS);
    process.user.rsp -= 1 << 20;
    frame::set_free(0);
    assert_eq!(raise(&mut process, SIGUSR1), Next::OutOfMemory);
}

#[test]
fn an_alternate_stack_takes_what_the_main_one_cannot() {
    let mut process = handling(&[SIGUSR1], FLAGS | 0x0800_0000);
    for (at, value) in [(64, DATA + PAGE_LEN), (72, 0), (80, 2 * PAGE_LEN)] {
        set(&mut process, DATA + at, value);
    }
    assert_eq!(process.call(Sysno::sigaltstack, &[DATA + 64, 0]), Ok(0));
    process.user.rsp = 64;
    assert_eq!(raise(&mut process, SIGUSR1), Next::Continue);
    assert!((DATA + PAGE_LEN..DATA + 3 * PAGE_LEN).contains(&process.user.rsp));
    assert_eq!(process.call(Sysno::sigaltstack, &[DATA + 64, 0]), Err(errno::EPERM));
    assert_eq!(give_back(&mut process), Next::Continue);
    assert_eq!(process.user.rsp, 64);
}
