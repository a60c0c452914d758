// SPDX-License-Identifier: MIT
//! Semaphores that count, and the order in which they wake.

use nova_rt::hypercall::{self, down, down_to_zero, number, up};
use nova_rt::raw::Registers;
use nova_rt::{Status, Utcb};

use super::create::weaker;
use super::{ABSURD, FREE};
use crate::suite::Suite;
use crate::trace;

const BAD: Status = Status::BAD_CAPABILITY;
const DONE: Status = Status::SUCCESS;
/// A deadline that has passed.
const PAST: u64 = 1;

pub fn run(suite: &mut Suite) {
    refusals(suite);
    counting(suite);
    order(suite);
}

fn refusals(suite: &mut Suite) {
    let semaphore = suite.semaphore(1);
    suite.equal("up nothing", up(FREE), BAD);
    suite.equal("up an absurd selector", up(ABSURD), BAD);
    suite.equal("down nothing", down(FREE, PAST), BAD);
    suite.equal("up a domain", up(suite.root.pd), BAD);
    suite.equal("down a domain", down(suite.root.pd, PAST), BAD);
    let (only_up, only_down) = (weaker(suite, semaphore, 1), weaker(suite, semaphore, 2));
    suite.equal("up without the right", up(only_down), BAD);
    suite.equal("down without the right", down(only_up, PAST), BAD);
    suite.equal("up with the right", up(only_up), DONE);
    suite.equal("down with the right", down(only_down, PAST), DONE);
}

fn counting(suite: &mut Suite) {
    let semaphore = suite.semaphore(0);
    suite.equal("up", up(semaphore), DONE);
    let after = hypercall::make(Registers::new(number::SM_CTRL, 1, semaphore, [5, 6, 7, 8]));
    suite.equal("down keeps its deadline", (after.rsi, after.rdx, after.rax, after.r8), (5, 6, 7, 8));
    suite.equal("down below 0", down(semaphore, PAST), Status::TIMEOUT);
    suite.equal("up once", up(semaphore), DONE);
    suite.equal("up twice", up(semaphore), DONE);
    suite.equal("down to 0", down_to_zero(semaphore, PAST), DONE);
    suite.equal("nothing is left", down(semaphore, PAST), Status::TIMEOUT);
    let full = suite.semaphore(3);
    let downs = [(); 4].map(|()| down(full, PAST));
    suite.equal("it begins with its counter", downs, [DONE, DONE, DONE, Status::TIMEOUT]);
}

/// Waits at the semaphore that is handed over first, and leaves its argument as a mark.
extern "C" fn waiter(_: Utcb, name: u64) {
    let status = down(trace::handed(0), 0);
    trace::mark(name << 8 | u64::from(status.0));
}

fn order(suite: &mut Suite) {
    let semaphore = suite.semaphore(0);
    trace::hand(0, semaphore);
    for name in 1..=3 {
        suite.thread(waiter, name).run(suite.root, 5);
    }
    suite.holds("threads wait", trace::took(&[]));
    suite.equal("up wakes", up(semaphore), DONE);
    suite.holds("the first who came", trace::took(&[0x100]));
    suite.equal("a plain down counts nothing for the others", down(semaphore, PAST), Status::TIMEOUT);
    suite.equal("up twice more", (up(semaphore), up(semaphore)), (DONE, DONE));
    suite.holds("wakes the others in order", trace::took(&[0x200, 0x300]));
}
