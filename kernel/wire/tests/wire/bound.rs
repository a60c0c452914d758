// SPDX-License-Identifier: MIT
//! How many debug exceptions a PE may take follows from its loop and its misses.

use pmu::exact::PATIENCE;
use wire::record::TraceHeader;

use super::samples;

fn bound(near: u64, misses: u64, instructions: u64, length: u64) -> u64 {
    let header = TraceHeader { margin_near: near, ..samples::header() };
    header.most_debug_exceptions(misses, instructions, length)
}

#[test]
fn the_bound_follows_loop_and_misses() {
    assert_eq!(bound(0, 0, 50_000, 1), PATIENCE + 1);
    assert_eq!(bound(100, 0, 50_000, 1), PATIENCE + 101);
    assert_eq!(bound(100, 0, 50_000, 7), PATIENCE + 15);
    assert_eq!(bound(100, 2, 50_000, 2), 3 * PATIENCE + 201);
    assert_eq!(bound(10_000, 0, 900, 2), PATIENCE + 451);
    // The margin is longer than the way, which is stepped.
    assert_eq!(bound(10_000, 1, 9_973, 7), 2 * PATIENCE + 9_974);
    assert_eq!(bound(u64::MAX, u64::MAX, u64::MAX, 1), u64::MAX);
}
