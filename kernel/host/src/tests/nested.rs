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

/// Who looks at whom, and what Linux says to one more.
struct Plain([[bool; Plain::COUNT]; Plain::COUNT]);

impl Plain {
    const COUNT: usize = 9;
    /// Of which none is in more than four others, one in the other.
    const MOST: usize = 5;

    /// The longest row from one on, itself included; more than [`Plain::MOST`] where there is a circle.
    fn row(&self, from: usize, looks: impl Fn(usize, usize) -> bool + Copy, left: usize) -> usize {
        if left == 0 {
            return 1;
        }
        let next = (0..Self::COUNT).filter(|next| looks(from, *next));
        1 + next.map(|next| self.row(next, looks, left - 1)).max().unwrap_or(0)
    }

    fn add(&mut self, outer: usize, inner: usize) -> Result<u64, u32> {
        if outer == inner {
            return Err(errno::EINVAL);
        }
        let had = core::mem::replace(&mut self.0[outer][inner], true);
        let inwards = self.row(inner, |from, next| self.0[from][next], Self::MOST + 1);
        let outwards = self.row(outer, |from, next| self.0[next][from], Self::MOST + 1);
        if inwards + outwards > Self::MOST {
            self.0[outer][inner] = had;
            return Err(errno::ELOOP);
        }
        if had { Err(errno::EEXIST) } else { Ok(0) }
    }
}

#[test]
fn whatever_was_added_and_taken_out_before_as_many_are_in_a_row() {
    const REMOVE: u64 = 2;
    let mut process = Process::new();
    let epolls = process.epolls(Plain::COUNT as u64);
    let mut plain = Plain(Default::default());
    let mut state = 1_u64;
    let mut draw = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % most) as usize
    };
    let mut refused = 0;
    for _ in 0..6_000 {
        let (outer, inner) = (draw(9), draw(9));
        match draw(12) {
            0 => {
                process.call(Sysno::close, &[epolls[outer]]).unwrap();
                assert_eq!(process.epolls(1), [epolls[outer]]);
                plain.0[outer] = Default::default();
                plain.0.iter_mut().for_each(|row| row[outer] = false);
            }
            1..=4 if plain.0[outer][inner] => {
                process.call(Sysno::epoll_ctl, &[epolls[outer], REMOVE, epolls[inner], 0]).unwrap();
                plain.0[outer][inner] = false;
            }
            _ => {
                let expected = plain.add(outer, inner);
                refused += u32::from(expected == Err(errno::ELOOP));
                assert_eq!(process.looks_at(epolls[outer], epolls[inner]), expected, "{outer} at {inner}");
            }
        }
    }
    assert!(refused > 100, "{refused}");
    process.audit();
}
