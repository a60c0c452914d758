// SPDX-License-Identifier: MIT
//! An `epoll` in an `epoll`.

use super::*;

const IN: u64 = 1;
const ADD: u64 = 1;

impl Process {
    fn epolls(&mut self, count: u64) -> Vec<u64> {
        (0..count).map(|_| self.call(Sysno::epoll_create1, &[0]).unwrap()).collect()
    }

    fn looks_at(&mut self, outer: u64, inner: u64) -> Result<u64, u32> {
        self.poke(DATA, &[&(IN as u32).to_le_bytes()[..], &inner.to_le_bytes()].concat());
        self.call(Sysno::epoll_ctl, &[outer, ADD, inner, DATA])
    }

    fn is_told(&mut self, epoll: u64) -> bool {
        self.call(Sysno::epoll_wait, &[epoll, DATA, 1, 0]).unwrap() == 1
    }
}

#[test]
fn there_are_five_in_a_row_and_no_circle() {
    let mut process = Process::new();
    let epolls = process.epolls(6);
    for pair in epolls[..5].windows(2) {
        assert_eq!(process.looks_at(pair[0], pair[1]), Ok(0));
    }
    assert_eq!(process.looks_at(epolls[4], epolls[5]), Err(errno::ELOOP));
    assert_eq!(process.looks_at(epolls[5], epolls[0]), Err(errno::ELOOP));
    assert_eq!(process.looks_at(epolls[5], epolls[1]), Ok(0));
    assert_eq!(process.looks_at(epolls[3], epolls[1]), Err(errno::ELOOP));
    assert_eq!(process.looks_at(epolls[0], epolls[0]), Err(errno::EINVAL));
    let count = process.call(Sysno::eventfd2, &[1, 0]).unwrap();
    assert!(!process.is_told(epolls[0]) && !process.is_told(epolls[5]));
    assert_eq!(process.looks_at(epolls[4], count), Ok(0));
    assert!(process.is_told(epolls[0]) && process.is_told(epolls[5]));
    process.call(Sysno::close, &[epolls[2]]).unwrap();
    assert!(!process.is_told(epolls[0]) && process.is_told(epolls[3]));
    process.audit();
}
