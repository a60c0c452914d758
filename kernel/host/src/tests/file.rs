// SPDX-License-Identifier: MIT
//! Files, through system calls.

use linux_raw_sys::general::{
    O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, S_IFIFO, S_IFMT, S_IFREG,
};

use super::*;
use crate::arch::channel;

impl Process {
    fn open(&mut self, path: &str, flags: u32) -> Result<u64, u32> {
        let path = self.string(path);
        self.call(Sysno::open, &[path, u64::from(flags), 0o644])
    }

    fn mode(&mut self, fd: u64) -> u32 {
        self.call(Sysno::fstat, &[fd, DATA]).unwrap();
        u32::from_le_bytes(self.peek(DATA + 24, 4).try_into().unwrap())
    }
}

#[test]
fn what_is_written_is_read() {
    let mut process = Process::new();
    assert_eq!(process.open("/tmp/f", O_RDWR), Err(errno::ENOENT));
    let fd = process.open("/tmp/f", O_RDWR | O_CREAT | O_EXCL).unwrap();
    assert_eq!(fd, 3);
    assert_eq!(process.open("tmp/f", O_RDWR | O_CREAT | O_EXCL), Err(errno::EEXIST));
    process.poke(DATA, b"hello");
    assert_eq!(process.call(Sysno::write, &[fd, DATA, 5]), Ok(5));
    assert_eq!(process.call(Sysno::pwrite64, &[fd, DATA, 5, 70_000]), Ok(5));
    assert_eq!(process.call(Sysno::lseek, &[fd, (-7_i64) as u64, 2]), Ok(69_998));
    assert_eq!(process.call(Sysno::read, &[fd, DATA, 100]), Ok(7));
    assert_eq!(process.peek(DATA, 7), b"\0\0hello");
    assert_eq!(process.call(Sysno::pread64, &[fd, DATA, 3, 2]), Ok(3));
    assert_eq!(process.peek(DATA, 3), b"llo");
    let appending = process.open("/tmp/f", O_WRONLY | O_APPEND).unwrap();
    assert_eq!(process.call(Sysno::write, &[appending, DATA, 2]), Ok(2));
    assert_eq!(process.call(Sysno::lseek, &[fd, 0, 2]), Ok(70_007));
    assert_eq!(process.call(Sysno::read, &[appending, DATA, 2]), Err(errno::EBADF));
    process.open("/tmp/f", O_WRONLY | O_TRUNC).unwrap();
    assert_eq!(process.call(Sysno::lseek, &[fd, 0, 2]), Ok(0));
    assert_eq!(process.mode(fd), S_IFREG | 0o644);
}

#[test]
fn a_duplicate_shares_the_offset_and_a_new_open_does_not() {
    let mut process = Process::new();
    let fd = process.open("/etc/motd", O_RDONLY).unwrap();
    assert_eq!(process.call(Sysno::dup2, &[fd, 9]), Ok(9));
    assert_eq!(process.call(Sysno::read, &[fd, DATA, 3]), Ok(3));
    assert_eq!(process.call(Sysno::close, &[fd]), Ok(0));
    assert_eq!(process.call(Sysno::read, &[9, DATA, 100]), Ok(5));
    assert_eq!(process.peek(DATA, 5), b"well\n");
    assert_eq!(process.call(Sysno::read, &[fd, DATA, 1]), Err(errno::EBADF));
    assert_eq!(process.open("/etc/motd", O_RDONLY), Ok(fd));
    assert_eq!(process.call(Sysno::read, &[fd, DATA, 100]), Ok(8));
}

#[test]
fn standard_descriptors_are_a_file_and_two_pipes() {
    let mut process = Process::new();
    assert_eq!(process.mode(0) & S_IFMT, S_IFREG);
    assert_eq!(process.mode(1) & S_IFMT, S_IFIFO);
    assert_eq!(process.call(Sysno::lseek, &[1, 0, 1]), Err(errno::ESPIPE));
    let again = process.open("/dev/stdin", O_RDONLY).unwrap();
    assert_eq!(process.call(Sysno::read, &[again, DATA, 4]), Ok(4));
    assert_eq!(process.peek(DATA, 4), b"some");
    assert_eq!(process.call(Sysno::ioctl, &[1, 0x5401, DATA]), Err(errno::ENOTTY));
    let full = process.open("/dev/full", O_WRONLY).unwrap();
    assert_eq!(process.call(Sysno::write, &[full, DATA, 4]), Err(errno::ENOSPC));
}

#[test]
fn vectors_are_gathered_and_scattered() {
    let mut process = Process::new();
    let vector = DATA + PAGE_LEN;
    for (index, word) in [DATA, 2, 0, 0, DATA + 8, 3].iter().enumerate() {
        process.poke(vector + 8 * index as u64, &u64::to_le_bytes(*word));
    }
    process.poke(DATA, b"ab______cde");
    assert_eq!(process.call(Sysno::writev, &[1, vector, 3]), Ok(5));
    assert_eq!(channel::take(), b"abcde");
    assert_eq!(process.call(Sysno::readv, &[0, vector, 3]), Ok(5));
    assert_eq!(process.peek(DATA, 11), b"so______me ");
    assert_eq!(process.call(Sysno::readv, &[0, vector, 1025]), Err(errno::EINVAL));
    assert_eq!(process.call(Sysno::readv, &[0, 1, 1]), Err(errno::EFAULT));
}

#[test]
fn directories_list_what_is_in_them() {
    let mut process = Process::new();
    let path = process.string("/tmp/d");
    assert_eq!(process.call(Sysno::mkdir, &[path, 0o755]), Ok(0));
    for name in ["/tmp/d/one", "/tmp/d/two"] {
        process.open(name, O_WRONLY | O_CREAT).unwrap();
    }
    let fd = process.open("/tmp/d", O_RDONLY | O_DIRECTORY).unwrap();
    let mut names = Vec::new();
    loop {
        let length = process.call(Sysno::getdents64, &[fd, DATA, 60]).unwrap();
        if length == 0 {
            break;
        }
        let mut records = &process.peek(DATA, length as usize)[..];
        while !records.is_empty() {
            let (record, rest) =
                records.split_at(usize::from(u16::from_le_bytes([records[16], records[17]])));
            names.push(
                String::from_utf8_lossy(record[19..].split(|byte| *byte == 0).next().unwrap()).into_owned(),
            );
            records = rest;
        }
    }
    assert_eq!(names, [".", "..", "one", "two"]);
    assert_eq!(process.call(Sysno::read, &[fd, DATA, 1]), Err(errno::EISDIR));
    let path = process.string("/tmp/d");
    assert_eq!(process.call(Sysno::rmdir, &[path]), Err(errno::ENOTEMPTY));
    assert_eq!(process.call(Sysno::chdir, &[path]), Ok(0));
    assert_eq!(process.call(Sysno::getcwd, &[DATA, 100]), Ok(7));
    assert_eq!(process.peek(DATA, 7), b"/tmp/d\0");
    let path = process.string("one");
    assert_eq!(process.call(Sysno::unlink, &[path]), Ok(0));
    assert_eq!(process.call(Sysno::access, &[path, 0]), Err(errno::ENOENT));
}

#[test]
fn the_program_finds_itself() {
    let mut process = Process::new();
    let path = process.string("/proc/self/exe");
    assert_eq!(process.call(Sysno::readlink, &[path, DATA, 100]), Ok(5));
    assert_eq!(process.peek(DATA, 5), b"/prog");
    let fd = process.open("/proc/self/exe", O_RDONLY).unwrap();
    assert_eq!(process.call(Sysno::lseek, &[fd, 0, 2]), Ok(2 * PAGE_LEN));
}

#[test]
fn what_has_no_name_gets_none() {
    const EMPTY_PATH: u64 = 0x1000;
    let mut process = Process::new();
    let name = process.string("/tmp/name");
    let nameless = process.call(Sysno::memfd_create, &[name, 0]).unwrap();
    let removed = process.call(Sysno::open, &[name, 0o102, 0o644]).unwrap();
    process.call(Sysno::unlink, &[name]).unwrap();
    process.poke(DATA, &[0]);
    for fd in [nameless, removed] {
        let link = [fd, DATA, 0, name, EMPTY_PATH];
        assert_eq!(process.call(Sysno::linkat, &link), Err(errno::ENOENT));
    }
}
