// SPDX-License-Identifier: MIT
//! A root task with 200 threads in 100 domains, and with domains that are made and destroyed again and again.
#![no_std]
#![no_main]

use nova_programs::crowd;
use nova_rt::start::{self, Root};

nova_rt::entry!(main);

fn main(root: Root) {
    if !crowd::run(root) {
        start::die();
    }
}
