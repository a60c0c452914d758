// SPDX-License-Identifier: MIT
//! Reads the time-stamp counter many times, and looks whether it ever goes back.
#![no_std]
#![no_main]

use genode_components::{config, run, tsc};
use genode_rt::{Env, Result, error, log};

genode_rt::component!(main);

fn main(env: Env) {
    run(env, work);
}

fn work(env: Env) -> Result<()> {
    let count = config::read(env, |settings| settings.amount("count", 100))?;
    match tsc::is_monotonic(count) {
        true => log!("tsc {count} monotonic"),
        false => error!("tsc went back"),
    }
    Ok(())
}
