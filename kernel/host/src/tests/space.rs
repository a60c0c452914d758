// SPDX-License-Identifier: MIT
//! The stand-in for a space keeps the contract that the kernel's space keeps.

use super::*;
use crate::kernel::selftest::contract::CASES;

#[test]
fn the_stand_in_does_what_the_kernels_space_does() {
    let mut failures = Vec::new();
    for (name, case) in CASES {
        frame::set_free(FRAMES);
        let mut space = Space::default();
        let found = case(&mut space);
        space.discard();
        let lost = FRAMES - frame::free_count();
        failures.extend(found.err().map(|reason| format!("{name}: {reason}")));
        failures.extend((lost > 0).then(|| format!("{name}: {lost} frames were not given back")));
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
