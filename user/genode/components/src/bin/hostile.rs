// SPDX-License-Identifier: MIT
//! Makes calls that nobody expects: operations that there are and are not, with any words and any capabilities, to
//! everybody it knows, itself included.
#![no_std]
#![no_main]

use genode_components::{config, run};
use genode_parts::random::Random;
use genode_rt::message::call;
use genode_rt::services::{Args, Line, Name};
use genode_rt::{Cap, Env, Result, log};

genode_rt::component!(main);

/// The operation by which a component ends, which would end this.
const EXIT: u64 = 0x100;
/// Numbers of operations that exist lie below this.
const OPERATIONS: u64 = 0x1000;

fn main(env: Env) {
    run(env, work);
}

fn work(env: Env) -> Result<()> {
    let (count, seed) =
        config::read(env, |settings| Ok((settings.amount("calls", 1000)?, settings.amount("seed", 1)?)))?;
    let mut random = Random::new(seed);
    let known = [env.parent.0, env.pd.0, env.cpu.0, env.log.0];
    let mut done = 0u64;
    for _ in 0..count {
        done += u64::from(attack(&mut random, &known).is_ok());
    }
    // How many of them were done depends on what core and init have; that both are there shows in this line.
    log!("hostile calls={count}{}", if done == 0 { ", all refused" } else { "" });
    Ok(())
}

/// Makes one call.
fn attack(random: &mut Random, known: &[Cap; 4]) -> Result<()> {
    let target = known[random.below(4) as usize];
    let operation = match random.below(4) {
        0 => random.next(),
        _ => random.below(OPERATIONS),
    };
    if operation == EXIT {
        return Ok(());
    }
    let word = |random: &mut Random| match random.below(4) {
        0 => random.next(),
        1 => u64::MAX - random.below(PAGES),
        2 => random.below(PAGES),
        _ => 1 << random.below(64),
    };
    let cap = |random: &mut Random| match random.below(4) {
        0 => Cap::NONE,
        1 => known[random.below(4) as usize],
        _ => Cap::at(random.below(PAGES)),
    };
    let words = [word(random), word(random), word(random), word(random), word(random)];
    let [a, b, c, d, e] = words;
    match random.below(6) {
        0 => call::<_, ()>(target, operation, &()),
        1 => call::<_, ()>(target, operation, &(a, b, c, d, e)),
        2 => call::<_, ()>(target, operation, &(cap(random), a, b, c, d)),
        3 => call::<_, ()>(target, operation, &(a, Name::from("LOG").unwrap_or_default(), Args::new())),
        4 => {
            call::<_, ()>(target, operation, &(Line::from("\u{1b}[31m] hostile\n\n").unwrap_or_default(), a))
        }
        _ => call::<_, ()>(target, operation, &(cap(random), cap(random), a)),
    }
}

/// A small number, of pages or selectors.
const PAGES: u64 = 0x2000;
