// SPDX-License-Identifier: MIT
//! Loading, identity, time, signals and the ways to end.

use wire::end::Refusal;

use super::*;

#[test]
fn a_program_starts_as_linux_starts_it() {
    let process = Process::new();
    let word = |at| u64::from_le_bytes(process.peek(at, 8).try_into().unwrap());
    let sp = process.user.rsp;
    assert_eq!((process.user.rip, sp % 16, process.user.rflags), (TEXT + 0x200, 0, 0x202));
    assert_eq!(word(sp), 2);
    assert_eq!(process.peek(word(sp + 16), 7), b"second\0");
    assert_eq!(process.peek(word(sp + 32), 4), b"A=1\0");
    assert_eq!(process.peek(DATA, 2), b"dd");
}

#[test]
fn what_cannot_be_loaded_is_refused_by_name() {
    let refusal = |entries: &[(&str, &[u8])]| {
        Linux::load(
            &Archive::new(archive(entries)),
            &config(),
            ThreadId::at(0),
            &mut Space::default(),
            &mut UserRegisters::new(0, 0),
        )
        .err()
        .unwrap()
    };
    frame::set_free(FRAMES);
    assert_eq!(refusal(&[]), Refusal::NoProgram);
    assert_eq!(refusal(&[(entry::PROGRAM, b"#!/bin/sh")]), Refusal::NotElf);
    let long = vec![b'x'; 200_000];
    let arguments = [(entry::PROGRAM, &program()[..]), (entry::ARGV, &long)];
    assert_eq!(refusal(&arguments), Refusal::ArgumentsTooLong { limit: 32 * PAGE_LEN });
    frame::set_free(3);
    let refused = refusal(&[(entry::PROGRAM, &program())]);
    assert_eq!(refused, Refusal::OutOfMemory { needed_pages: 18, free_pages: 3 });
}

#[test]
fn time_begins_at_the_date_and_sleeping_is_quick() {
    let mut process = Process::new();
    process.now = 5;
    process.poke(DATA, &[0; 16]);
    process.poke(DATA, &[2]);
    assert_eq!(process.call(Sysno::nanosleep, &[DATA, 0]), Ok(0));
    assert_eq!(process.call(Sysno::time, &[0]), Ok(1_735_689_602));
    assert_eq!(process.call(Sysno::clock_gettime, &[1, DATA]), Ok(0));
    assert_eq!(process.peek(DATA, 16), [2, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(process.call(Sysno::clock_gettime, &[77, DATA]), Err(errno::EINVAL));
}

#[test]
fn randomness_repeats_with_the_seed() {
    let bytes = || {
        let mut process = Process::new();
        assert_eq!(process.call(Sysno::getrandom, &[DATA, 300, 0]), Ok(300));
        process.peek(DATA, 300)
    };
    let first = bytes();
    assert_eq!(first, bytes());
    assert_ne!(first[..100], first[200..]);
}

#[test]
fn waiting_for_ever_is_a_deadlock() {
    let waits: [(Sysno, &[u64]); 5] = [
        (Sysno::pause, &[]),
        (Sysno::futex, &[DATA + PAGE_LEN, 0, 0, 0]),
        (Sysno::poll, &[0, 0, u64::MAX]),
        (Sysno::select, &[0, 0, 0, 0, 0]),
        (Sysno::rt_sigsuspend, &[DATA + PAGE_LEN, 8]),
    ];
    for (call, arguments) in waits {
        assert_eq!(Process::new().last(call, arguments), Next::Wait, "{call}");
    }
    let mut process = Process::new();
    assert_eq!(process.call(Sysno::futex, &[DATA + PAGE_LEN, 0, 1, 0]), Err(errno::EAGAIN));
    assert_eq!(process.call(Sysno::futex, &[DATA + PAGE_LEN, 1, 1]), Ok(0));
}

#[test]
fn a_program_can_end_itself() {
    let mut process = Process::new();
    assert_eq!(process.last(Sysno::exit_group, &[0x107]), Next::Exit { status: 7 });
    let own = process.call(Sysno::getpid, &[]).unwrap();
    assert_eq!(process.last(Sysno::tgkill, &[own, own, 6]), Next::Kill { signal: 6 });
    assert_eq!(process.call(Sysno::kill, &[own, 17]), Ok(0));
    assert_eq!(process.call(Sysno::kill, &[own, 0]), Ok(0));
    assert_eq!(process.call(Sysno::kill, &[own, 65]), Err(errno::EINVAL));
    assert_eq!(process.call(Sysno::kill, &[own + 1, 9]), Err(errno::ESRCH));
}

#[test]
fn segment_bases_stay_in_user_space() {
    const SET_FS: u64 = 0x1002;
    let mut process = Process::new();
    assert_eq!(process.call(Sysno::arch_prctl, &[SET_FS, DATA]), Ok(0));
    assert_eq!(process.user.fs_base, DATA);
    for address in [1 << 47, 0x7fff_ffff_f000, u64::MAX] {
        assert_eq!(process.call(Sysno::arch_prctl, &[SET_FS, address]), Err(errno::EPERM));
    }
    assert_eq!(process.user.fs_base, DATA);
}

#[test]
fn unknown_calls_are_refused() {
    let mut process = Process::new();
    for number in [999, 512, 1 << 30, u64::from(u32::MAX), u64::MAX] {
        assert_eq!(process.step(number, &[]), Next::Continue);
        assert_eq!(process.user.rax as i64, -i64::from(errno::ENOSYS));
    }
    for _ in 0..3 {
        assert_eq!(process.call(Sysno::reboot, &[]), Err(errno::ENOSYS));
    }
    let calls: Vec<_> = process.linux.unsupported().map(|call| (call.number, call.times)).collect();
    assert_eq!(calls, [(Sysno::reboot as u32, 3), (u32::MAX, 5)]);
    // Only the lower half of RAX counts.
    assert_eq!(process.step(1 << 32 | Sysno::getppid.id() as u64, &[]), Next::Continue);
    assert_eq!(process.user.rax, 1);
}

#[test]
fn what_a_process_says_is_remembered_or_refused() {
    let mut process = Process::new();
    assert_eq!(process.call(Sysno::setpriority, &[0, 0, 7]), Ok(0));
    assert_eq!(process.call(Sysno::getpriority, &[0, 0]), Ok(13));
    process.poke(DATA, &[0; 4]);
    assert_eq!(process.call(Sysno::sched_setscheduler, &[0, 3, DATA]), Ok(0));
    assert_eq!(process.call(Sysno::sched_getscheduler, &[0]), Ok(3));
    // A promise that would not be kept.
    process.poke(DATA, &[1]);
    assert_eq!(process.call(Sysno::sched_setscheduler, &[0, 1, DATA]), Err(errno::EPERM));
    assert_eq!(process.call(Sysno::personality, &[0x40_0000]), Err(errno::EINVAL));
    assert_eq!(process.call(Sysno::prctl, &[4, 0]), Ok(0));
    assert_eq!(process.call(Sysno::prctl, &[3]), Ok(0));
    let path = process.string("/etc/motd");
    assert_eq!(process.call(Sysno::chown, &[path, 5, u64::from(u32::MAX)]), Ok(0));
    assert_eq!(process.call(Sysno::lchown, &[path, u64::from(u32::MAX), 7]), Ok(0));
    assert_eq!(process.call(Sysno::stat, &[path, DATA]), Ok(0));
    assert_eq!(process.peek(DATA + 28, 8), [5, 0, 0, 0, 7, 0, 0, 0]);
    assert_eq!(process.call(Sysno::pipe, &[DATA]), Ok(0));
    assert_eq!(process.call(Sysno::pipe2, &[DATA, 0o40_000]), Err(errno::EINVAL));
}
