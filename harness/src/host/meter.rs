// SPDX-License-Identifier: MIT
//! What emulators cost: the processor time of every child that was waited for, user and system, with that of its
//! own children, added up by the thread that started it.

use std::cell::Cell;
use std::ops::AddAssign;
use std::time::Duration;

/// Processor time, and how many children it was spent in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// User and system time.
    pub time: Duration,
    /// Children that were waited for.
    pub runs: u64,
}

impl AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.time += other.time;
        self.runs += other.runs;
    }
}

thread_local! {
    static SPENT: Cell<Spent> = const { Cell::new(Spent { time: Duration::ZERO, runs: 0 }) };
}

/// Adds to what this thread has spent.
pub fn add(more: Spent) {
    let mut spent = SPENT.get();
    spent += more;
    SPENT.set(spent);
}

/// What this thread has spent since it was last asked.
pub fn take() -> Spent {
    SPENT.take()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::host::process::watch;

    #[test]
    fn the_time_of_a_child_and_of_its_children_is_counted_once() {
        take();
        let script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done'";
        watch(Command::new("sh").args(["-c", script]), Duration::from_secs(60), |_| Ok(())).unwrap();
        let spent = take();
        assert!(spent.runs == 1 && spent.time > Duration::from_millis(2), "{spent:?}");
        assert_eq!(take(), Spent::default());
    }

    #[test]
    fn a_child_that_is_killed_is_counted() {
        take();
        watch(Command::new("cat").arg("/dev/zero"), Duration::from_millis(1), |_| Ok(())).unwrap();
        assert_eq!(take().runs, 1);
    }
}
