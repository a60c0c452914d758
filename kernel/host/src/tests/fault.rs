// SPDX-License-Identifier: MIT
//! Page faults, and buffers that are not there.

use super::*;
use crate::arch::channel;

const SIGBUS: u8 = 7;
const SIGKILL: u8 = 9;
const SIGSEGV: u8 = 11;
const READ: u32 = 4;
const WRITE: u32 = 6;
const FETCH: u32 = 20;

#[test]
fn promised_memory_comes_on_demand_and_nothing_else_does() {
    let mut process = Process::new();
    let top = process.user.rsp;
    let mut fault = |address, error| process.linux.page_fault(&mut process.space, address, error);
    assert_eq!(fault(DATA + 2 * PAGE_LEN, WRITE), Ok(()));
    assert_eq!(fault(top - (1 << 20), WRITE), Ok(()));
    assert_eq!(fault(top - (16 << 20), WRITE), Err(SIGSEGV));
    assert_eq!(fault(DATA + 4 * PAGE_LEN, READ), Err(SIGSEGV));
    assert_eq!(fault(TEXT, WRITE | 1), Err(SIGSEGV));
    assert_eq!(fault(DATA, FETCH | 1), Err(SIGSEGV));
    for address in [0, 8, 0x7fff_ffff_f000, 0xffff_8000_0000_0000, u64::MAX] {
        assert_eq!(fault(address, READ), Err(SIGSEGV));
    }
    frame::set_free(0);
    assert_eq!(process.linux.page_fault(&mut process.space, top - (2 << 20), WRITE), Err(SIGKILL));
}

#[test]
fn behind_a_mapped_file_is_a_bus_error() {
    let mut process = Process::new();
    let path = process.string("/etc/motd");
    let fd = process.call(Sysno::open, &[path, 0, 0]).unwrap();
    let at = process.call(Sysno::mmap, &[0, 3 * PAGE_LEN, 1, 2, fd, 0]).unwrap();
    assert_eq!(process.peek(at, 9), b"be well\n\0");
    assert_eq!(process.linux.page_fault(&mut process.space, at + PAGE_LEN, READ), Err(SIGBUS));
    assert_eq!(process.call(Sysno::write, &[1, at + PAGE_LEN, 1]), Err(errno::EFAULT));
}

#[test]
fn a_buffer_that_ends_early_gives_a_short_count() {
    let mut process = Process::new();
    let end = DATA + 4 * PAGE_LEN;
    assert_eq!(process.call(Sysno::write, &[1, end - 3, 10]), Ok(3));
    assert_eq!(channel::take(), [0; 3]);
    assert_eq!(process.call(Sysno::write, &[1, end, 10]), Err(errno::EFAULT));
    assert_eq!(process.call(Sysno::write, &[1, end, 0]), Ok(0));
    assert_eq!(process.call(Sysno::read, &[0, end - 4, 10]), Ok(4));
    assert_eq!(process.peek(end - 4, 4), b"some");
    assert_eq!(process.call(Sysno::read, &[0, TEXT, 10]), Err(errno::EFAULT));
    assert_eq!(process.call(Sysno::read, &[0, DATA, 10]), Ok(7));
    assert_eq!(process.peek(DATA, 8), b" input\nd");
}

#[test]
fn kernel_addresses_and_lengths_beyond_reason_are_bad() {
    let mut process = Process::new();
    for address in [0xffff_8000_0000_0000, u64::MAX, u64::MAX - 7, 0x7fff_ffff_f000, 1 << 47] {
        assert_eq!(process.call(Sysno::write, &[1, address, 8]), Err(errno::EFAULT));
        assert_eq!(process.call(Sysno::read, &[0, address, 8]), Err(errno::EFAULT));
        assert_eq!(process.call(Sysno::open, &[address, 0]), Err(errno::EFAULT));
        assert_eq!(process.call(Sysno::uname, &[address]), Err(errno::EFAULT));
    }
    assert_eq!(process.call(Sysno::write, &[1, DATA, u64::MAX]), Err(errno::EFAULT));
    assert_eq!(process.call(Sysno::write, &[1, DATA, i64::MAX as u64]), Err(errno::EFAULT));
}

#[test]
fn a_call_that_needs_a_page_that_is_not_to_be_had_ends_the_program() {
    let mut process = Process::new();
    frame::set_free(0);
    assert_eq!(process.last(Sysno::uname, &[DATA + 2 * PAGE_LEN]), Next::OutOfMemory);
}

#[test]
fn output_beyond_the_channel_ends_the_program() {
    let mut process = Process::new();
    let limit = channel::CAPACITY as u64;
    let at = process.call(Sysno::mmap, &[0, limit, 3, 0x22, u64::MAX, 0]).unwrap();
    assert_eq!(process.call(Sysno::write, &[1, at, limit]), Ok(limit));
    assert_eq!(process.last(Sysno::write, &[2, at, 1]), Next::OutputFull { limit });
}
