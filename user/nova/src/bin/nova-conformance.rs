// SPDX-License-Identifier: MIT
//! A root task that holds a kernel against the NOVA interface, and dies if a case fails.
#![no_std]
#![no_main]

use nova_rt::start::{self, Root};

nova_rt::entry!(main);

fn main(root: Root) {
    if !nova_programs::conformance::run(root) {
        start::die();
    }
}
