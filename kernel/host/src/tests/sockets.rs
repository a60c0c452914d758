// SPDX-License-Identifier: MIT
//! Pairs of sockets: who waits for whom, and what is left behind.

use super::*;

const CONNECTION_RESET: u32 = errno::ECONNRESET;
const DONT_WAIT: u64 = 64;
const WAIT_FOR_ALL: u64 = 256;
const SIGPIPE: u64 = 13;

impl Process {
    fn pair(&mut self) -> (u64, u64) {
        assert_eq!(self.call(Sysno::socketpair, &[1, 1, 0, DATA]), Ok(0));
        (self.words(DATA).into(), self.words(DATA + 4).into())
    }

    fn sends(&mut self, fd: u64, bytes: &[u8]) -> Result<u64, u32> {
        self.poke(DATA, bytes);
        self.call(Sysno::sendto, &[fd, DATA, bytes.len() as u64, 0, 0, 0])
    }
}

#[test]
fn a_message_is_waited_for_as_a_whole() {
    let mut process = Process::new();
    let (left, right) = process.pair();
    let other = process.spawn(DATA + 2 * PAGE_LEN, DATA + PAGE_LEN, TEXT);
    process.waits(Sysno::recvfrom, &[right, DATA + 100, 8, WAIT_FOR_ALL, 0, 0]);
    process.switch_to(other);
    assert_eq!(process.sends(left, b"hello"), Ok(5));
    process.switch_to(FIRST_ID);
    assert_eq!(process.again(), Next::Wait);
    process.switch_to(other);
    assert_eq!(process.sends(left, b" you and"), Ok(8));
    process.switch_to(FIRST_ID);
    assert_eq!(process.returns(), Ok(8));
    assert_eq!(process.peek(DATA + 100, 8), b"hello yo");
    assert_eq!(process.call(Sysno::recvfrom, &[right, DATA, 100, 0, 0, 0]), Ok(5));
    assert_eq!(process.call(Sysno::recvfrom, &[right, DATA, 1, DONT_WAIT, 0, 0]), Err(errno::EAGAIN));
    process.audit();
}

#[test]
fn whoever_has_not_read_breaks_the_connection() {
    let mut process = Process::new();
    process.poke(DATA, &[1, 0, 0, 0, 0, 0, 0, 0].repeat(4));
    assert_eq!(process.call(Sysno::rt_sigaction, &[SIGPIPE, DATA, 0, 8]), Ok(0));
    let (left, right) = process.pair();
    process.sends(right, b"unread").unwrap();
    process.sends(left, b"read").unwrap();
    assert_eq!(process.call(Sysno::close, &[left]), Ok(0));
    assert_eq!(process.sends(right, b"x"), Err(errno::EPIPE));
    let read = [right, DATA, 100];
    assert_eq!(process.call(Sysno::read, &read), Ok(4));
    assert_eq!(process.call(Sysno::read, &read), Err(CONNECTION_RESET));
    assert_eq!(process.call(Sysno::read, &read), Ok(0));
    assert_eq!(process.call(Sysno::close, &[right]), Ok(0));
    process.audit();
}

#[test]
fn pairs_use_pipes_up_and_give_them_back() {
    let mut process = Process::new();
    let mut pairs = Vec::new();
    let refusal = loop {
        match process.call(Sysno::socketpair, &[1, 1, 0, DATA]) {
            Ok(_) => pairs.push(u64::from(process.words(DATA))),
            Err(errno) => break errno,
        }
    };
    assert_eq!(refusal, errno::ENFILE);
    process.audit();
    for left in pairs {
        process.call(Sysno::close, &[left]).unwrap();
        process.call(Sysno::close, &[left + 1]).unwrap();
    }
    process.pair();
    process.audit();
}

#[test]
fn what_is_not_there_is_refused_by_name() {
    let mut process = Process::new();
    for family in [1, 2, 10, 16] {
        assert_eq!(process.call(Sysno::socket, &[family, 1, 0]), Err(errno::EAFNOSUPPORT));
    }
    assert_eq!(process.call(Sysno::socketpair, &[1, 2, 0, DATA]), Err(errno::ESOCKTNOSUPPORT));
    assert_eq!(process.call(Sysno::socketpair, &[1, 1, 0, 8]), Err(errno::EFAULT));
    let (left, _) = process.pair();
    assert_eq!(left, 3);
    // Descriptors on their way: a message with something beside its bytes.
    process.poke(DATA, &[0, 0, 0, 0, DATA + 500, 24, 0].map(u64::to_le_bytes).concat());
    assert_eq!(process.call(Sysno::sendmsg, &[left, DATA, 0]), Err(errno::EOPNOTSUPP));
    assert_eq!(process.call(Sysno::sendto, &[1, DATA, 1, 0, 0, 0]), Err(errno::ENOTSOCK));
    process.audit();
}
