// SPDX-License-Identifier: MIT
//! The list of what a space does: over the kernel's own code, and over the stand-in for it.

use super::*;
use crate::arch::boot::Region;
use crate::{kernel, stand_in};

/// Frames for the kernel's own code, in this thread, and the kernel's half of all spaces.
pub fn kernel_half() -> kernel::mem::tables::KernelHalf {
    let memory = [Region { start: 0, end: FRAMES * PAGE_LEN }];
    assert_eq!(kernel::mem::frame::init(&memory), Ok(0));
    kernel::mem::layout::init().unwrap()
}

#[test]
fn the_stand_in_does_what_the_kernels_space_does() {
    for (name, case) in stand_in::selftest::contract::CASES {
        frame::set_free(FRAMES);
        let mut space = Space::default();
        assert_eq!(case(&mut space), Ok(()), "{name}");
        space.destroy();
        assert_eq!(frame::free_count(), FRAMES, "{name}: frames were not given back");
    }
}

#[test]
fn the_kernels_space_does_it_on_the_host_too() {
    use kernel::mem::{frame, space};
    let half = kernel_half();
    for (name, case) in kernel::selftest::contract::CASES {
        for tracking in [true, false] {
            let free = frame::free_count();
            let mut space = space::Space::new(half, tracking).unwrap();
            assert_eq!(case(&mut space), Ok(()), "{name}");
            space.destroy();
            assert_eq!(frame::free_count(), free, "{name}: frames were not given back");
        }
    }
}
