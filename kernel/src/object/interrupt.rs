// SPDX-License-Identifier: MIT
//! Interrupt lines: global system interrupts, by their numbers.
//!
//! A line that interrupts by an edge is never masked: each edge is counted. One that interrupts by a level is
//! masked from the interrupt on until somebody acknowledges it, as it would interrupt again at once. What a line
//! does is for a personality to say; here it is known which lines are open, and since when an interrupt has not been
//! acknowledged.

use alloc::vec::Vec;

use super::Objects;
use super::processor::Processor;

pub use crate::arch::line_set::{LINES, LineSet, Message};
pub use crate::arch::wiring::{Polarity, Trigger, Wire};
use crate::mem::fallible::{self, Exhausted};

/// What is known of all lines.
#[derive(Default)]
pub struct Lines {
    /// Those that may interrupt.
    open: LineSet,
    /// Whether there are any, which is asked behind each PE.
    any_open: bool,
    /// For each line, since when an interrupt has not been acknowledged; there is room for all of them
    /// as soon as one is open.
    since: Vec<Option<u64>>,
    /// The longest time from an interrupt to its acknowledgement, in ticks.
    longest: u64,
}

impl Lines {
    /// Whether a PE has to be followed by a look at them.
    #[inline]
    pub fn any_open(&self) -> bool {
        self.any_open
    }

    /// The longest time from an interrupt to its acknowledgement, in ticks.
    pub fn longest(&self) -> u64 {
        self.longest
    }

    /// Makes room for what is known of lines.
    pub fn reserve(&mut self) -> Result<(), Exhausted> {
        fallible::resize(&mut self.since, LINES.into(), || None)
    }

    /// A line may interrupt from now on.
    pub(super) fn open(&mut self, line: u8) {
        assert!(!self.since.is_empty(), "there is no room for what is known of lines");
        self.open.set(line, true);
        self.any_open = true;
    }

    /// A line interrupts nobody any more.
    pub(super) fn close(&mut self, line: u8) {
        self.open.set(line, false);
        self.any_open = self.open.any();
        if let Some(since) = self.since.get_mut(usize::from(line)) {
            *since = None;
        }
    }

    /// Whether a line may interrupt.
    pub fn is_open(&self, line: u8) -> bool {
        self.open.contains(line)
    }

    /// A line has interrupted at this time; whether it is open.
    pub(super) fn note(&mut self, line: u8, now: u64) -> bool {
        if self.open.contains(line) {
            self.since[usize::from(line)].get_or_insert(now);
        }
        self.open.contains(line)
    }

    /// A line is acknowledged at this time.
    pub(super) fn acknowledge(&mut self, line: u8, now: u64) {
        if let Some(since) = self.since.get_mut(usize::from(line)).and_then(Option::take) {
            self.longest = self.longest.max(now.wrapping_sub(since));
        }
    }
}

impl<P: Processor> Objects<P> {
    /// Has a line interrupt from now on, in this way.
    ///
    /// # Panics
    /// If there is no [room](Lines::reserve) for what is known of lines.
    pub fn open_line(&mut self, line: u8, wire: Wire) {
        self.lines.open(line);
        self.processor.open_line(line, wire);
    }

    /// Keeps a line from interrupting.
    pub fn close_line(&mut self, line: u8) {
        self.lines.close(line);
        self.processor.close_line(line);
    }

    /// Whoever was to see to the interrupts of a line has done so: if it was masked, it interrupts again.
    pub fn acknowledge_line(&mut self, line: u8) {
        if self.lines.is_open(line) {
            self.processor.count_time_stamps(1);
            let now = self.processor.now();
            self.lines.acknowledge(line, now);
            self.processor.unmask_line(line);
        }
    }

    /// Takes the lines that have interrupted; those that interrupt by a level are masked.
    pub fn take_lines(&mut self) -> LineSet {
        let mut taken = self.processor.take_lines();
        if taken.any() {
            self.processor.count_time_stamps(1);
            let now = self.processor.now();
            for line in taken.iter() {
                if !self.lines.note(line, now) {
                    self.processor.take_count(line);
                    taken.set(line, false);
                }
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_hold_is_from_the_first_interrupt_to_the_acknowledgement() {
        let mut lines = Lines::default();
        assert!(!lines.note(5, 1));
        lines.acknowledge(5, 100);
        lines.reserve().unwrap();
        lines.open(5);
        assert!(lines.note(5, 10) && lines.note(5, 15));
        lines.acknowledge(5, 30);
        lines.acknowledge(5, 90);
        assert_eq!(lines.longest(), 20);
        assert!(lines.note(5, 100));
        lines.acknowledge(5, 119);
        assert_eq!(lines.longest(), 20);
    }

    #[test]
    fn a_line_that_is_closed_has_nothing_to_acknowledge() {
        let mut lines = Lines::default();
        lines.reserve().unwrap();
        lines.open(7);
        assert!(lines.any_open() && lines.note(7, 3));
        lines.close(7);
        assert!(!lines.any_open() && !lines.note(7, 4));
        lines.open(7);
        lines.acknowledge(7, 50);
        assert_eq!(lines.longest(), 0);
    }
}
