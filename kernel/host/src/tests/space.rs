// SPDX-License-Identifier: MIT
//! The list of what a space does: over the kernel's own code, and over the stand-in for it.

use super::*;
use crate::arch::boot::Region;
use crate::{kernel, stand_in};

/// Frames for the kernel's own code, in this thread, and the kernel's half of all spaces.
pub fn kernel_half() -> kernel::mem::tables::KernelHalf {
    let memory = [Region { start: 0, end: FRAMES * PAGE_LEN }];
    assert_eq!(kernel::mem::frame::init(&memory).map(|setup| setup.unused), Ok(0));
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

#[test]
fn content_that_lasts_takes_one_frame_and_none_from_others() {
    use kernel::mem::page_cache::Lasting;
    use kernel::mem::{frame, shared, space};
    static BYTES: [u8; 3 * PAGE_LEN as usize] = [7; 3 * PAGE_LEN as usize];
    const READ: space::Access = space::Access { read: true, write: false, execute: true };
    let half = kernel_half();
    let map = |space: &mut space::Space| {
        for (index, bytes) in BYTES.chunks(PAGE_LEN as usize).enumerate() {
            space.map_lasting(DATA + index as u64 * PAGE_LEN, Lasting::new(bytes, 0), READ).unwrap();
        }
    };
    let empty = |count| (0..count).map(|_| space::Space::new(half, true).unwrap()).collect::<Vec<_>>();
    let free = frame::free_count();
    let mut tables = 0;
    for round in 0..2 {
        let mut spaces = empty(4);
        let before = frame::free_count();
        spaces.iter_mut().for_each(map);
        let taken = before - frame::free_count();
        if round == 0 {
            tables = (taken - 3) / 4;
        }
        assert_eq!(taken, 3 + 4 * tables, "round {round}");
        spaces.into_iter().for_each(space::Space::destroy);
        assert_eq!(frame::free_count(), free, "round {round}");
    }
    // What is mapped stays when everything else is taken, and what is not mapped any more makes room.
    let mut spaces = empty(2);
    spaces.iter_mut().for_each(map);
    assert!(spaces.iter_mut().all(|space| space.unmap(DATA)));
    let taken: Vec<_> = std::iter::from_fn(|| shared::SharedFrame::zeroed().ok()).collect();
    assert_eq!(frame::free_count(), 0);
    for space in &spaces {
        let mut bytes = [0; 2 * PAGE_LEN as usize];
        space.read(DATA + PAGE_LEN, &mut bytes).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 7));
    }
    drop(taken);
    spaces.into_iter().for_each(space::Space::destroy);
    assert_eq!(frame::free_count(), free);
}
