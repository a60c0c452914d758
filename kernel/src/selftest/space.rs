// SPDX-License-Identifier: MIT
//! The kernel's space keeps the contract on which the personality relies.

use super::contract::CASES;
use super::fixture::Fixture;
use super::{Found, Test, check};
use crate::mem::frame;
use crate::mem::space::Space;

pub const TESTS: &[Test] = &[
    ("space: the contract holds while first writes are tracked", |fixture| contract(fixture, true)),
    ("space: the contract holds without tracking", |fixture| contract(fixture, false)),
];

fn contract(fixture: &mut Fixture, tracking: bool) -> Found {
    for (name, case) in CASES {
        let free = frame::free_count();
        let Ok(mut space) = Space::new(fixture.platform.kernel_root, tracking) else {
            return Err("there is no memory for a space".into());
        };
        let found = case(&mut space);
        space.destroy();
        fixture.machine.space.activate();
        let left = frame::free_count();
        found.map_err(|reason| alloc::format!("{name}: {reason}"))?;
        check!(left == free, "{name}: {left} frames are free of {free}");
    }
    Ok(())
}
