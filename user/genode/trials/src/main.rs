// SPDX-License-Identifier: MIT
//! A component in the place of init that asks core for everything it has, right and wrong.
#![no_std]
#![no_main]

use genode_rt::{Env, log};

genode_rt::component!(main);

fn main(env: Env) {
    log!("hello from init");
    env.exit(0);
}
