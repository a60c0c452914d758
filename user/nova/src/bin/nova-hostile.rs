// SPDX-License-Identifier: MIT
//! A root task with hostile domains and a neighbour of theirs that checks its own work.
#![no_std]
#![no_main]

use nova_programs::hostile;
use nova_rt::start::{self, Root};

nova_rt::entry!(main);

fn main(root: Root) {
    if !hostile::run(root) {
        start::die();
    }
}
