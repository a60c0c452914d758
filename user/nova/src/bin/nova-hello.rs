// SPDX-License-Identifier: MIT
//! A root task that says what the information page tells it.
#![no_std]
#![no_main]

use nova_rt::line;
use nova_rt::start::Root;

nova_rt::entry!(main);

fn main(root: Root) {
    let Root { hip, cpu, .. } = root;
    line!("Hypervisor NOVA (API v{}), processor {cpu} of {}", hip.version(), hip.processors());
    line!("the root task starts, is heard, and rests");
}
