// SPDX-License-Identifier: MIT
//! Locks that are handed on: in which order, to whom, and what becomes of those whose owner has gone.

use linux_raw_sys::general::{
    FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_OWNER_DIED, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI, FUTEX_WAITERS,
    FUTEX_WAKE,
};

use super::*;

/// Locks, and where threads have their stacks.
const LOCK: u64 = DATA + PAGE_LEN + 0x800;
const OTHER: u64 = DATA + PAGE_LEN + 0x900;
const STACKS: u64 = DATA + 2 * PAGE_LEN;
const WAITERS: u64 = FUTEX_WAITERS as u64;
const DIED: u64 = FUTEX_OWNER_DIED as u64;

impl Process {
    fn threads_of(&mut self, count: u64) -> Vec<u64> {
        let mut made = |number| self.spawn(STACKS + 512 * (number + 1), DATA + PAGE_LEN + 64 * number, TEXT);
        (0..count).map(&mut made).collect()
    }

    fn on(&mut self, lock: u64, operation: u32) -> Result<u64, u32> {
        self.call(Sysno::futex, &[lock, operation.into(), 0, 0])
    }

    fn waits_for(&mut self, lock: u64) {
        self.waits(Sysno::futex, &[lock, FUTEX_LOCK_PI.into(), 0, 0]);
    }

    fn lock_word(&self, lock: u64) -> u64 {
        self.words(lock).into()
    }
}

#[test]
fn a_lock_goes_to_whoever_has_waited_longest() {
    let mut process = Process::new();
    let threads = process.threads_of(2);
    assert_eq!(process.on(LOCK, FUTEX_LOCK_PI), Ok(0));
    assert_eq!(process.lock_word(LOCK), FIRST_ID);
    assert_eq!(process.on(LOCK, FUTEX_LOCK_PI), Err(errno::EDEADLK));
    for thread in &threads {
        process.switch_to(*thread);
        assert_eq!(process.on(LOCK, FUTEX_TRYLOCK_PI), Err(errno::EAGAIN));
        assert_eq!(process.on(LOCK, FUTEX_UNLOCK_PI), Err(errno::EPERM));
        process.waits_for(LOCK);
    }
    assert_eq!(process.lock_word(LOCK), FIRST_ID | WAITERS);
    process.switch_to(FIRST_ID);
    // They do not wait for the word itself.
    assert_eq!(process.call(Sysno::futex, &[LOCK, FUTEX_WAKE.into(), 9]), Ok(0));
    assert_eq!(process.on(LOCK, FUTEX_UNLOCK_PI), Ok(0));
    // It is his before he runs.
    assert_eq!(process.lock_word(LOCK), threads[0] | WAITERS);
    assert_eq!(process.on(LOCK, FUTEX_TRYLOCK_PI), Err(errno::EAGAIN));
    process.switch_to(threads[0]);
    assert_eq!(process.returns(), Ok(0));
    assert_eq!(process.on(LOCK, FUTEX_UNLOCK_PI), Ok(0));
    process.switch_to(threads[1]);
    assert_eq!(process.returns(), Ok(0));
    assert_eq!(process.on(LOCK, FUTEX_UNLOCK_PI), Ok(0));
    assert_eq!(process.lock_word(LOCK), 0);
    process.audit();
}

#[test]
fn a_circle_of_waiters_is_seen() {
    let mut process = Process::new();
    let threads = process.threads_of(2);
    let locks = [LOCK, OTHER, OTHER + 64];
    for (thread, lock) in [FIRST_ID, threads[0], threads[1]].into_iter().zip(locks) {
        process.switch_to(thread);
        assert_eq!(process.on(lock, FUTEX_LOCK_PI), Ok(0));
    }
    process.switch_to(FIRST_ID);
    process.waits_for(OTHER);
    process.switch_to(threads[0]);
    process.waits_for(OTHER + 64);
    process.switch_to(threads[1]);
    assert_eq!(process.on(LOCK, FUTEX_LOCK_PI), Err(errno::EDEADLK));
}

#[test]
fn whoever_waits_for_one_that_has_ended_takes_the_lock() {
    let mut process = Process::new();
    let threads = process.threads_of(3);
    process.switch_to(threads[0]);
    assert_eq!(process.on(LOCK, FUTEX_LOCK_PI), Ok(0));
    for thread in [threads[1], threads[2], FIRST_ID] {
        process.switch_to(thread);
        process.waits_for(LOCK);
    }
    process.switch_to(threads[0]);
    process.end_thread(threads[1]);
    assert_eq!(process.returns(), Ok(0));
    assert_eq!(process.lock_word(LOCK), threads[1] | WAITERS | DIED);
    // He goes before the next one has run: that one is the last one's heir, too.
    process.end_thread(threads[2]);
    process.end_thread(FIRST_ID);
    assert_eq!(process.returns(), Ok(0));
    assert_eq!(process.lock_word(LOCK), FIRST_ID | DIED);
    assert_eq!(process.on(LOCK, FUTEX_UNLOCK_PI), Ok(0));
    // Nobody has that number, and nobody waits.
    process.poke(LOCK, &u32::to_le_bytes(99));
    assert_eq!(process.on(LOCK, FUTEX_LOCK_PI), Err(errno::ESRCH));
    process.audit();
}

#[test]
fn a_handler_does_not_keep_anybody_from_a_lock() {
    const SIGUSR1: u64 = 10;
    let mut process = Process::new();
    process.poke(DATA, &[TEXT + 0x300, 0x0400_0000, TEXT + 0x308, 0].map(u64::to_le_bytes).concat());
    assert_eq!(process.call(Sysno::rt_sigaction, &[SIGUSR1, DATA, 0, 8]), Ok(0));
    let other = process.threads_of(1)[0];
    assert_eq!(process.on(LOCK, FUTEX_LOCK_PI), Ok(0));
    process.switch_to(other);
    process.waits_for(LOCK);
    let rip = process.user.rip;
    process.switch_to(FIRST_ID);
    assert_eq!(process.call(Sysno::tkill, &[other, SIGUSR1]), Ok(0));
    process.switch_to(other);
    assert_eq!(process.again(), Next::Continue);
    assert_eq!(process.user.rip, TEXT + 0x300);
    // It returns.
    process.user.rsp += 8;
    assert_eq!(process.call(Sysno::rt_sigreturn, &[]), Ok(Sysno::futex.id() as u64));
    // The call is made again.
    assert_eq!(process.user.rip, rip - 2);
}

#[test]
fn waiting_ends_with_its_time() {
    let mut process = Process::new();
    let other = process.threads_of(1)[0];
    assert_eq!(process.on(LOCK, FUTEX_LOCK_PI), Ok(0));
    process.switch_to(other);
    process.poke(OTHER, &[0_u64, 500].map(u64::to_le_bytes).concat());
    process.waits(Sysno::futex, &[LOCK, FUTEX_LOCK_PI2.into(), 0, OTHER]);
    process.switch_to(FIRST_ID);
    process.waits(Sysno::pause, &[]);
    assert_eq!(process.next_after(FIRST_ID, 0), Some(other));
    process.switch_to(other);
    assert_eq!((process.returns(), process.slept), (Err(errno::ETIMEDOUT), 500));
}
