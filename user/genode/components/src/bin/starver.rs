// SPDX-License-Identifier: MIT
//! Takes all that it can get of one thing: memory, capabilities, time, or the log.
#![no_std]
#![no_main]

use core::hint::black_box;

use genode_components::{config, run};
use genode_parts::script::Unclear;
use genode_rt::{Env, PAGE, Result, log};

extern crate alloc;
use alloc::format;

genode_rt::component!(main);

/// The bytes that are taken at once.
const PIECE: u64 = 1 << 20;

/// What is taken.
enum Kind {
    Ram,
    Caps,
    /// For so many rounds, or for ever.
    Cpu(Option<u64>),
    Log,
}

fn main(env: Env) {
    run(env, work);
}

fn work(env: Env) -> Result<()> {
    let kind = config::read(env, |settings| match settings.text("kind") {
        "ram" => Ok(Kind::Ram),
        "caps" => Ok(Kind::Caps),
        "cpu" => {
            let rounds = settings.amount("rounds", 0)?;
            Ok(Kind::Cpu((rounds > 0).then_some(rounds)))
        }
        "log" => Ok(Kind::Log),
        other => Err(Unclear(format!("config: kind=\"{other}\": expected ram, caps, cpu or log"))),
    })?;
    match kind {
        Kind::Ram => take(env, "RAM", PIECE),
        Kind::Caps => take(env, "capabilities", PAGE),
        Kind::Cpu(rounds) => {
            // No pause: an emulator takes long for one.
            let mut done = 0;
            while rounds != Some(done) {
                done = black_box(done.wrapping_add(1));
            }
            log!("took the processor for {done} rounds");
        }
        Kind::Log => loop {
            log!("another line, and many more to come");
        },
    }
    Ok(())
}

/// Takes memory in pieces, and in smaller ones when there is no room for these, until there is none at all.
fn take(env: Env, what: &str, piece: u64) {
    let mut size = piece;
    let why = loop {
        match env.pd.alloc_ds(size) {
            Ok(_) => (),
            Err(_) if size > PAGE => size /= 2,
            Err(why) => break why,
        }
    };
    log!("took all {what}: {why:?}");
    // What else there is, by way of the parent.
    let _ = env.request_resources(why, PIECE);
}
