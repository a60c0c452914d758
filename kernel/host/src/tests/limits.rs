// SPDX-License-Identifier: MIT
//! The limits on what a program makes grow in the kernel, as `linux/budget.rs` lists them.

use super::*;

const SPLIT: u64 = 0x1_0000_0000;

#[test]
fn areas_end_at_their_limit_and_can_be_given_back() {
    let mut process = Process::new();
    process.call(Sysno::mmap, &[SPLIT, 140_000 * PAGE_LEN, 0, 0x4032, u64::MAX, 0]).unwrap();
    let protect = |page: u64, process: &mut Process| {
        process.call(Sysno::mprotect, &[SPLIT + page * PAGE_LEN, PAGE_LEN, 1])
    };
    let count = (0..).find(|count| protect(2 * count, &mut process).is_err()).unwrap();
    // Each of them makes two more, but for the few that there were.
    assert!((32_760..32_766).contains(&count), "{count}");
    assert_eq!(protect(2 * count, &mut process), Err(errno::ENOMEM));
    assert_eq!(process.call(Sysno::munmap, &[SPLIT + 139_000 * PAGE_LEN, PAGE_LEN]), Err(errno::ENOMEM));
    let far = |place: u64| [4 * SPLIT + 2 * place * PAGE_LEN, PAGE_LEN, 1, 0x32, u64::MAX, 0];
    let more = (0..9).map(|place| process.call(Sysno::mmap, &far(place))).filter(|it| it.is_ok()).count();
    assert!(more < 2, "{more}");
    assert_eq!(process.call(Sysno::mmap, &far(9)), Err(errno::ENOMEM));
    // What needs no further area goes on.
    assert_eq!(protect(0, &mut process), Ok(0));
    assert_eq!(process.call(Sysno::munmap, &[SPLIT, 4 * PAGE_LEN]), Ok(0));
    assert_eq!(protect(2 * count, &mut process), Ok(0));
    assert_eq!(process.call(Sysno::munmap, &[SPLIT, 140_000 * PAGE_LEN]), Ok(0));
}

#[test]
fn pipes_end_with_their_share_of_memory() {
    let mut process = Process::new();
    let opened = (0..).find(|_| process.call(Sysno::pipe, &[DATA]).is_err()).unwrap();
    // An eleventh of the 16 MiB that a program is promised.
    assert_eq!((opened, process.call(Sysno::pipe, &[DATA])), (23, Err(errno::ENFILE)));
    let fd = |bytes: Vec<u8>| u64::from(u32::from_le_bytes(bytes.try_into().unwrap()));
    for at in [DATA, DATA + 4] {
        let end = fd(process.peek(at, 4));
        process.call(Sysno::close, &[end]).unwrap();
    }
    assert_eq!(process.call(Sysno::pipe, &[DATA]), Ok(0));
}

#[test]
fn descriptors_end_at_their_limit_before_a_file_is_made() {
    let mut process = Process::new();
    let path = process.string("/tmp/new");
    while process.call(Sysno::dup, &[1]).is_ok() {}
    assert_eq!(process.call(Sysno::open, &[path, 0o102, 0o644]), Err(errno::EMFILE));
    assert_eq!(process.call(Sysno::access, &[path, 0]), Err(errno::ENOENT));
    assert_eq!(process.call(Sysno::pipe, &[DATA]), Err(errno::EMFILE));
    assert_eq!(process.call(Sysno::dup2, &[1, 1024]), Err(errno::EBADF));
    process.call(Sysno::close, &[1023]).unwrap();
    assert_eq!(process.call(Sysno::pipe, &[DATA]), Err(errno::EMFILE));
    assert_eq!(process.call(Sysno::open, &[path, 0o102, 0o644]), Ok(1023));
}

#[test]
fn files_end_with_their_share_of_memory_however_far_apart_their_bytes_are() {
    let mut process = Process::new();
    let path = process.string("/tmp/sparse");
    let fd = process.call(Sysno::open, &[path, 0o102, 0o644]).unwrap();
    let write =
        |place: u64, process: &mut Process| process.call(Sysno::pwrite64, &[fd, DATA, 1, place << 37]);
    let count = (0..).find(|place| write(*place, &mut process).is_err()).unwrap();
    // A fifth of the 16 MiB that a program is promised, some 1,640 bytes for each place.
    assert!((2000..2100).contains(&count), "{count}");
    assert_eq!(write(count, &mut process), Err(errno::ENOSPC));
    let other = process.string("/tmp/other");
    assert_eq!(process.call(Sysno::symlink, &[path, other]), Ok(0));
    let mut reached = 0;
    while process.call(Sysno::write, &[fd, DATA, 4096]).is_ok() {
        reached += 1;
    }
    assert!(reached < 2);
    process.call(Sysno::ftruncate, &[fd, 0]).unwrap();
    assert_eq!(write(count, &mut process), Ok(1));
}

#[test]
fn what_children_do_not_get_is_cut_into_so_many_ranges_and_no_more() {
    const OMIT: u64 = 10;
    let mut process = Process::new();
    process.call(Sysno::mmap, &[SPLIT, 9000 * PAGE_LEN, 0, 0x4032, u64::MAX, 0]).unwrap();
    process.call(Sysno::madvise, &[SPLIT, 9000 * PAGE_LEN, OMIT]).unwrap();
    let unmap =
        |page: u64, process: &mut Process| process.call(Sysno::munmap, &[SPLIT + page * PAGE_LEN, PAGE_LEN]);
    let count = (0..4000).find(|count| unmap(2 * count + 1, &mut process).is_err()).unwrap();
    assert_eq!((count, unmap(2 * count + 1, &mut process)), (1023, Err(errno::ENOMEM)));
    // What needs no further range goes on, and the rest moves.
    assert_eq!(unmap(0, &mut process), Ok(0));
    assert_eq!(unmap(2 * count + 1, &mut process), Ok(0));
    let rest = [SPLIT + 5000 * PAGE_LEN, 4000 * PAGE_LEN, 4000 * PAGE_LEN, 3, 4 * SPLIT];
    assert_eq!(process.call(Sysno::mremap, &rest), Ok(4 * SPLIT));
    let child = process.fork();
    process.switch_to(child);
    for page in [SPLIT + 2 * PAGE_LEN, SPLIT + 4999 * PAGE_LEN, 4 * SPLIT] {
        assert_eq!(process.call(Sysno::munmap, &[page, PAGE_LEN]), Ok(0));
        assert_eq!(process.call(Sysno::msync, &[page, PAGE_LEN, 4]), Err(errno::ENOMEM));
    }
    assert_eq!(process.call(Sysno::munmap, &[SPLIT, 9000 * PAGE_LEN]), Ok(0));
}
