// SPDX-License-Identifier: MIT
//! Interrupt lines, each chained to a signal of a semaphore of its own.

use nova_rt::access::time;
use nova_rt::crd::{ALL, Crd};
use nova_rt::hypercall::{assign_gsi, create_signal, create_sm, delegate, down, receive};
use nova_rt::start::Root;
use nova_rt::utcb::Item;
use nova_rt::{Status, supply};

/// Flags of a line that interrupts by an edge.
pub const EDGE: u64 = 4;
/// Flags of a line that interrupts by a level, to the high state.
pub const LEVEL_HIGH: u64 = 6;
/// No semaphore.
const NONE: u64 = u64::MAX;
/// A deadline that has passed.
const PAST: u64 = 1;

/// A line that is chained to a signal.
#[derive(Debug)]
pub struct Line {
    root: Root,
    /// Its own semaphore, by which an interrupt is acknowledged.
    pub own: u64,
    /// The semaphore that is told of it.
    pub bell: u64,
    value: u64,
}

impl Line {
    /// The line of a number.
    ///
    /// # Panics
    /// It panics if the line cannot be had.
    #[must_use]
    pub fn new(root: Root, number: u64, flags: u64) -> Self {
        let (own, bell, signal) = (supply::selector(), supply::selector(), supply::selector());
        let item = Item::from_kernel(Crd::object(root.hip.processors() + number, 0, ALL), 0);
        let window = Crd::object(own, 0, ALL);
        assert_eq!(delegate(root.utcb, root.pd, root.pd, window, &[item]), Status::SUCCESS);
        assert_eq!(create_sm(bell, root.pd, 0), Status::SUCCESS);
        assert_eq!(create_signal(signal, root.pd, number + 1, bell), Status::SUCCESS);
        assert_eq!(assign_gsi(own, flags, 0, root.cpu, NONE), (Status::SUCCESS, 0, 0));
        assert_eq!(assign_gsi(own, 0, 0, root.cpu, signal), (Status::SUCCESS, 0, 0));
        Self { root, own, bell, value: number + 1 }
    }

    /// Waits for an interrupt, a second at most; returns how many there were.
    #[must_use]
    pub fn wait(&self) -> u64 {
        self.until(time() + 1000 * self.root.hip.khz())
    }

    /// Interrupts that have come already.
    #[must_use]
    pub fn look(&self) -> u64 {
        self.until(PAST)
    }

    fn until(&self, deadline: u64) -> u64 {
        match receive(self.bell, deadline) {
            (Status::TIMEOUT, _, _) => 0,
            (status, value, count) => {
                assert_eq!((status, value), (Status::SUCCESS, self.value));
                count
            }
        }
    }

    /// Acknowledges what has come.
    ///
    /// # Panics
    /// It panics if that fails.
    pub fn acknowledge(&self) {
        assert_eq!(down(self.own, 0), Status::SUCCESS);
    }

    /// Is told of nothing any more.
    ///
    /// # Panics
    /// It panics if that fails.
    pub fn close(&self) {
        let (status, _, _) = assign_gsi(self.own, 0, 0, self.root.cpu, self.own);
        assert_eq!(status, Status::SUCCESS);
    }
}
