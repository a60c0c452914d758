// SPDX-License-Identifier: MIT
//! Does what its configuration says, step by step.
#![no_std]
#![no_main]

use genode_components::actor::Actor;
use genode_components::run;
use genode_rt::Env;

genode_rt::component!(main);

fn main(env: Env) {
    run(env, |env| Actor::new(env)?.act());
}
