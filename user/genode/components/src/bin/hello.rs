// SPDX-License-Identifier: MIT
//! Says a text so many times, and ends if it is told to.
#![no_std]
#![no_main]

use genode_components::{config, run};
use genode_rt::{Env, Result, log};

extern crate alloc;
use alloc::string::ToString;

genode_rt::component!(main);

fn main(env: Env) {
    run(env, work);
}

fn work(env: Env) -> Result<()> {
    let (text, count, exits) = config::read(env, |settings| {
        Ok((settings.text("text").to_string(), settings.amount("count", 1)?, settings.flag("exit")?))
    })?;
    for _ in 0..count {
        log!("{text}");
    }
    if exits {
        env.exit(0);
    }
    Ok(())
}
