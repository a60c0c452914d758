// SPDX-License-Identifier: MIT
//! Writes all words of many pages, round after round.
#![no_std]
#![no_main]

use genode_components::{config, run, touch};
use genode_rt::{Env, Result, log};

genode_rt::component!(main);

fn main(env: Env) {
    run(env, work);
}

fn work(env: Env) -> Result<()> {
    let (pages, rounds) =
        config::read(env, |settings| Ok((settings.amount("pages", 16)?, settings.amount("rounds", 1)?)))?;
    let sum = touch::touch(env, pages, rounds)?;
    log!("touch pages={pages} rounds={rounds} sum={sum:#018x}");
    Ok(())
}
