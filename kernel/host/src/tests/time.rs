// SPDX-License-Identifier: MIT
//! What processes are told of the time that they and their children had the processor.

use super::*;
use crate::linux::Status;

const SECOND: u64 = 1_000_000_000;
const WHERE: u64 = DATA + PAGE_LEN;
const OWN: u64 = 0;
const CHILDREN: u64 = u64::MAX;
const MONOTONIC: u64 = 1;
const PROCESS_CPU: u64 = 2;
const THREAD_CPU: u64 = 3;

impl Process {
    fn timespec(&mut self, clock: u64) -> Result<u64, u32> {
        self.call(Sysno::clock_gettime, &[clock, WHERE])?;
        Ok(self.word(WHERE) * SECOND + self.word(WHERE + 8))
    }

    fn word(&self, address: u64) -> u64 {
        u64::from_le_bytes(self.peek(address, 8).try_into().unwrap())
    }

    /// User time by `getrusage`, in microseconds.
    fn used(&mut self, who: u64) -> u64 {
        assert_eq!(self.call(Sysno::getrusage, &[who, WHERE]), Ok(0));
        self.word(WHERE) * 1_000_000 + self.word(WHERE + 8)
    }
}

/// The number of a process's clock, as the C library makes it.
fn clock_of(process: u64) -> u64 {
    u64::from((!(process as u32) << 3) | 2)
}

#[test]
fn processor_time_is_each_processs_own() {
    let mut process = Process::new();
    process.poke(WHERE, &[0; 1]);
    process.now = 3 * SECOND;
    let child = process.fork();
    assert_eq!(process.timespec(PROCESS_CPU), Ok(3 * SECOND));
    process.switch_to(child);
    assert_eq!((process.timespec(THREAD_CPU), process.used(OWN)), (Ok(0), 0));
    process.now = 5 * SECOND + 7000;
    assert_eq!((process.timespec(PROCESS_CPU), process.used(OWN)), (Ok(2 * SECOND + 7000), 2_000_007));
    assert_eq!(process.timespec(clock_of(child)), Ok(2 * SECOND + 7000));
    assert_eq!(process.timespec(clock_of(FIRST_ID)), Ok(3 * SECOND));
    assert_eq!(process.timespec(clock_of(0)), Ok(2 * SECOND + 7000));
    assert_eq!(process.timespec(MONOTONIC), Ok(5 * SECOND + 7000));
    for nobody in [clock_of(child + 1), clock_of(FIRST_ID) | 4, clock_of(child) | 3] {
        assert_eq!(process.timespec(nobody), Err(errno::EINVAL), "{nobody:#x}");
    }
    // Waiting is free.
    process.switch_to(FIRST_ID);
    assert_eq!(process.timespec(PROCESS_CPU), Ok(3 * SECOND));
}

#[test]
fn a_parent_hears_of_its_childrens_time_when_it_waits_for_them() {
    let mut process = Process::new();
    process.poke(WHERE, &[0; 1]);
    let child = process.fork();
    process.switch_to(child);
    process.now = SECOND;
    let grandchild = process.fork();
    process.switch_to(grandchild);
    process.now = 3 * SECOND;
    process.end(Status::Exited(0), child);
    // Which nobody waits for.
    process.fork();
    assert_eq!(process.call(Sysno::wait4, &[grandchild, 0, 0, WHERE]), Ok(grandchild));
    assert_eq!((process.word(WHERE), process.used(CHILDREN)), (2, 2_000_000));
    process.now = 8 * SECOND;
    process.end(Status::Exited(0), FIRST_ID);
    assert_eq!((process.used(CHILDREN), process.used(OWN)), (0, 0));
    // To look is not to wait.
    const NOWAIT_EXITED: u64 = 0x0100_0004;
    assert_eq!(process.call(Sysno::waitid, &[1, child, 0, NOWAIT_EXITED, WHERE]), Ok(0));
    assert_eq!((process.word(WHERE), process.used(CHILDREN)), (8, 0));
    assert_eq!(process.call(Sysno::wait4, &[child, 0, 0, 0]), Ok(child));
    assert_eq!(process.used(CHILDREN), 8_000_000);
    process.now = 10 * SECOND;
    assert_eq!(process.call(Sysno::times, &[WHERE]), Ok(1000));
    let ticks: Vec<u64> = (0..4).map(|index| process.word(WHERE + 8 * index)).collect();
    assert_eq!(ticks, [200, 0, 800, 0]);
}

#[test]
fn what_is_free_is_not_what_a_program_sees() {
    let memory = |frames| {
        let mut process = Process::new();
        frame::set_free(frames);
        process.poke(WHERE, &[0; 1]);
        assert_eq!(process.call(Sysno::sysinfo, &[WHERE]), Ok(0));
        (process.word(WHERE + 32), process.word(WHERE + 40))
    };
    assert_eq!(memory(FRAMES), (2 * FRAMES * PAGE_LEN, FRAMES * PAGE_LEN));
    assert_eq!(memory(FRAMES), memory(FRAMES / 2));
}
