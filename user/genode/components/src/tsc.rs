// SPDX-License-Identifier: MIT
//! Readings of the time-stamp counter.

use genode_rt::access;

/// Whether so many readings of the time-stamp counter never go back.
#[must_use]
pub fn is_monotonic(count: u64) -> bool {
    let mut last = 0;
    (0..count).all(|_| {
        let now = access::time();
        let goes_on = now >= last;
        last = now;
        goes_on
    })
}
