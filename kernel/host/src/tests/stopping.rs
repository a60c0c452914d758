// SPDX-License-Identifier: MIT
//! Stops and continuations of processes.

use linux_raw_sys::general::{
    CLONE_VFORK, CLONE_VM, SA_NOCLDSTOP, SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SIGTSTP, WCONTINUED,
    WNOHANG, WUNTRACED,
};

use super::*;
use crate::linux::Status;

const HANDLER: u64 = TEXT + 0x300;
const STOPPED: u32 = SIGSTOP << 8 | 0x7f;
const CONTINUED: u32 = 0xffff;

impl Process {
    fn signal(&mut self, to: u64, signal: u32) {
        assert_eq!(self.call(Sysno::kill, &[to, signal.into()]), Ok(0));
    }

    fn handle(&mut self, signal: u32, flags: u32) {
        let action = [HANDLER, u64::from(flags | 0x0400_0004), HANDLER + 8, 0].map(u64::to_le_bytes).concat();
        self.poke(DATA, &action);
        assert_eq!(self.call(Sysno::rt_sigaction, &[signal.into(), DATA, 0, 8]), Ok(0));
    }

    /// The status that a wait that does not wait tells.
    fn status(&mut self, child: u64) -> Option<u32> {
        let options = u64::from(WNOHANG | WUNTRACED | WCONTINUED);
        match self.call(Sysno::wait4, &[child, DATA, options, 0]) {
            Ok(0) => None,
            told => {
                assert_eq!(told, Ok(child));
                Some(self.words(DATA))
            }
        }
    }

    /// The current process gets a signal that stops it.
    fn stops(&mut self, signal: u32) {
        let own = self.id;
        assert_eq!(self.step(Sysno::kill.id() as u64, &[own, signal.into()]), Next::Wait);
        assert!(!self.linux.is_waiting());
    }
}

#[test]
fn a_stopped_process_runs_when_it_is_continued_and_not_before() {
    let mut process = Process::new();
    let child = process.fork();
    process.switch_to(child);
    process.stops(SIGSTOP);
    assert_eq!(process.turn(), FIRST_ID);
    assert_eq!(process.next_after(FIRST_ID, 0), Some(FIRST_ID));
    assert_eq!((process.status(child), process.status(child)), (Some(STOPPED), None));
    process.signal(child, SIGTERM);
    assert_eq!(process.next_after(FIRST_ID, 0), Some(FIRST_ID));
    process.signal(child, SIGCONT);
    assert_eq!((process.status(child), process.status(child)), (Some(CONTINUED), None));
    process.waits(Sysno::wait4, &[child, DATA, 0, 0]);
    assert_eq!(process.turn(), child);
    assert_eq!(process.deliver(), Next::Kill { signal: SIGTERM as u8 });
    process.end(Status::Signaled(SIGTERM as u8), FIRST_ID);
    assert_eq!((process.returns(), process.words(DATA)), (Ok(child), SIGTERM));
}

#[test]
fn everybody_stopped_or_waiting_is_a_deadlock() {
    let mut process = Process::new();
    let child = process.fork();
    process.switch_to(child);
    process.stops(SIGSTOP);
    process.switch_to(FIRST_ID);
    process.waits(Sysno::pause, &[]);
    assert_eq!(process.next_after(FIRST_ID, 0), None);
    // A stopped sleeper does not move the clock.
    let mut process = Process::new();
    let child = process.fork();
    process.switch_to(child);
    process.poke(DATA, &[0; 16]);
    process.poke(DATA, &[9]);
    process.waits(Sysno::nanosleep, &[DATA, 0]);
    process.switch_to(FIRST_ID);
    process.signal(child, SIGSTOP);
    assert_eq!(process.turn(), child);
    assert_eq!(process.again(), Next::Wait);
    assert_eq!(process.turn(), FIRST_ID);
    process.waits(Sysno::pause, &[]);
    assert_eq!(process.next_after(FIRST_ID, 0), None);
    // Alone, too.
    let mut process = Process::new();
    process.stops(SIGSTOP);
    assert_eq!(process.next_after(FIRST_ID, 0), None);
}

#[test]
fn a_parent_hears_of_a_stop_unless_it_said_it_would_not() {
    for (flags, hears) in [(0, true), (SA_NOCLDSTOP, false)] {
        let mut process = Process::new();
        process.handle(SIGCHLD, flags);
        let child = process.fork();
        process.switch_to(child);
        process.stops(SIGSTOP);
        process.switch_to(FIRST_ID);
        assert_eq!(process.deliver(), Next::Continue);
        assert_eq!(process.user.rip == HANDLER, hears);
        if hears {
            // si_code is CLD_STOPPED; then who, and by which signal.
            let info = process.user.rsi;
            let told = [8, 16, 24].map(|at| u64::from(process.words(info + at)));
            assert_eq!(told, [5, child, SIGSTOP.into()]);
        }
    }
}

#[test]
fn a_stop_is_ignored_where_nobody_could_continue() {
    let mut process = Process::new();
    process.signal(FIRST_ID, SIGTSTP);
    let child = process.fork();
    process.switch_to(child);
    process.signal(child, SIGTSTP);
    assert_eq!(process.call(Sysno::setpgid, &[0, 0]), Ok(0));
    process.stops(SIGTSTP);
    process.switch_to(FIRST_ID);
    process.signal(child, SIGCONT);
    process.switch_to(child);
    assert_eq!(process.call(Sysno::setsid, &[]), Err(errno::EPERM));
}

#[test]
fn calls_wait_through_a_stop_and_one_does_not() {
    let mut process = Process::new();
    let (from, to) = process.pipe(0);
    let child = process.fork();
    process.switch_to(child);
    process.waits(Sysno::read, &[from, DATA, 4]);
    process.switch_to(FIRST_ID);
    process.signal(child, SIGSTOP);
    assert_eq!(process.turn(), child);
    assert_eq!(process.again(), Next::Wait);
    assert!(process.linux.is_waiting());
    process.switch_to(FIRST_ID);
    assert_eq!(process.call(Sysno::write, &[to, DATA, 3]), Ok(3));
    assert_eq!(process.turn(), FIRST_ID);
    process.signal(child, SIGCONT);
    assert_eq!(process.turn(), child);
    assert_eq!(process.returns(), Ok(3));
    // signal(7): a stop ends this one, even without a handler.
    process.poke(DATA, &[0; 8]);
    process.waits(Sysno::rt_sigtimedwait, &[DATA, 0, 0, 8]);
    process.switch_to(FIRST_ID);
    process.signal(child, SIGSTOP);
    process.switch_to(child);
    assert_eq!(process.again(), Next::Wait);
    assert_eq!((process.user.rax as i64, process.linux.is_waiting()), (-i64::from(errno::EINTR), false));
    // A handler for SIGCONT cuts short like any other.
    process.switch_to(FIRST_ID);
    process.signal(child, SIGCONT);
    process.switch_to(child);
    process.handle(SIGCONT, 0);
    process.waits(Sysno::read, &[from, DATA, 4]);
    process.switch_to(FIRST_ID);
    process.signal(child, SIGSTOP);
    process.switch_to(child);
    assert_eq!(process.again(), Next::Wait);
    process.switch_to(FIRST_ID);
    process.signal(child, SIGCONT);
    process.switch_to(child);
    assert_eq!(process.again(), Next::Continue);
    assert_eq!((process.user.rip, process.linux.is_waiting()), (HANDLER, false));
}

#[test]
fn a_parent_after_vfork_can_be_killed_and_nothing_else() {
    let flags = u64::from(CLONE_VM | CLONE_VFORK | SIGCHLD);
    let mut process = Process::new();
    let parent = process.fork();
    process.switch_to(parent);
    assert_eq!(process.step(Sysno::clone.id() as u64, &[flags]), Next::Fork);
    let child = process.take_child();
    process.switch_to(child);
    process.waits(Sysno::pause, &[]);
    process.switch_to(FIRST_ID);
    process.signal(parent, SIGSTOP);
    assert_eq!(process.turn(), FIRST_ID);
    assert_eq!(process.status(parent), None);
    process.signal(parent, SIGKILL);
    assert_eq!(process.turn(), parent);
    assert_eq!(process.again(), Next::Kill { signal: SIGKILL as u8 });
    process.end(Status::Signaled(SIGKILL as u8), FIRST_ID);
    assert_eq!(process.status(parent), Some(SIGKILL));
    // Its child goes on, and is somebody's no more.
    process.signal(child, SIGKILL);
    assert_eq!(process.turn(), child);
    assert_eq!(process.again(), Next::Kill { signal: SIGKILL as u8 });

    // The stop comes when the wait is over.
    let mut process = Process::new();
    let parent = process.fork();
    process.switch_to(parent);
    assert_eq!(process.step(Sysno::clone.id() as u64, &[flags]), Next::Fork);
    let child = process.take_child();
    process.switch_to(FIRST_ID);
    process.signal(parent, SIGSTOP);
    process.switch_to(child);
    process.end(Status::Exited(0), parent);
    assert_eq!(process.deliver(), Next::Wait);
    process.switch_to(FIRST_ID);
    assert_eq!(process.status(parent), Some(STOPPED));
}

#[test]
fn a_stop_ends_no_wait_for_a_signal() {
    let mut process = Process::new();
    let child = process.fork();
    process.switch_to(child);
    assert_eq!(process.call(Sysno::setpgid, &[0, 0]), Ok(0));
    process.handle(SIGTERM, 0);
    process.poke(DATA, &(1_u64 << (SIGTSTP - 1)).to_le_bytes());
    assert_eq!(process.call(Sysno::rt_sigprocmask, &[0, DATA, 0, 8]), Ok(0));
    process.signal(child, SIGTSTP);
    // What was blocked is due, and stops.
    process.poke(DATA, &[0; 8]);
    process.waits(Sysno::rt_sigsuspend, &[DATA, 8]);
    assert_eq!(process.turn(), FIRST_ID);
    assert_eq!(process.next_after(FIRST_ID, 0), Some(child));
    process.switch_to(child);
    assert_eq!(process.again(), Next::Wait);
    process.switch_to(FIRST_ID);
    assert_eq!(process.status(child), Some(SIGTSTP << 8 | 0x7f));
    process.signal(child, SIGCONT);
    process.switch_to(child);
    assert_eq!(process.again(), Next::Wait);
    process.switch_to(FIRST_ID);
    process.signal(child, SIGTERM);
    process.switch_to(child);
    assert_eq!((process.again(), process.user.rip), (Next::Continue, HANDLER));
    // The mask from before is to come back with the handler's return.
    process.user.rsp += 8;
    assert_eq!(process.step(Sysno::rt_sigreturn.id() as u64, &[]), Next::Continue);
    assert_eq!(process.user.rax as i64, -i64::from(errno::EINTR));
    assert_eq!(process.call(Sysno::rt_sigprocmask, &[0, 0, DATA, 8]), Ok(0));
    assert_eq!(process.words(DATA), 1 << (SIGTSTP - 1));
}

#[test]
fn whoever_is_cut_short_while_he_waits_for_a_time_is_told_what_is_left() {
    const RESTARTS: u32 = 0x1000_0000;
    const TIME: u64 = DATA + 64;
    const LEFT: u64 = DATA + 80;
    let futex = [DATA + 96, 0, 0, TIME];
    for (call, arguments, left) in [
        (Sysno::nanosleep, [TIME, LEFT, 0, 0], [2, 999_999_700]),
        (Sysno::clock_nanosleep, [1, 0, TIME, LEFT], [2, 999_999_700]),
        (Sysno::clock_nanosleep, [1, 1, TIME, LEFT], [7, 7]),
        (Sysno::futex, futex, [7, 7]),
    ] {
        let mut process = Process::new();
        let child = process.fork();
        process.switch_to(child);
        process.handle(SIGTERM, RESTARTS);
        let words = [3_u64, 0, 7, 7, 0].map(u64::to_le_bytes);
        process.poke(TIME, &words.concat());
        process.waits(call, &arguments);
        process.switch_to(FIRST_ID);
        process.now = 300;
        process.signal(child, SIGTERM);
        process.switch_to(child);
        assert_eq!((process.again(), process.user.rip), (Next::Continue, HANDLER), "{call}");
        process.user.rsp += 8;
        assert_eq!(process.step(Sysno::rt_sigreturn.id() as u64, &[]), Next::Continue);
        assert_eq!(process.user.rax as i64, -i64::from(errno::EINTR), "{call}");
        assert_eq!([LEFT, LEFT + 8].map(|at| process.words(at)), left, "{call}");
    }
}

#[test]
fn a_thread_that_cannot_be_is_nobody() {
    let mut process = Process::new();
    let child = process.fork();
    for id in [0, u64::MAX, -(FIRST_ID as i64) as u64] {
        assert_eq!(process.call(Sysno::tkill, &[id, SIGTERM.into()]), Err(errno::EINVAL));
        assert_eq!(process.call(Sysno::tgkill, &[id, id, SIGTERM.into()]), Err(errno::EINVAL));
    }
    process.switch_to(child);
    assert_eq!(process.deliver(), Next::Continue);
}
