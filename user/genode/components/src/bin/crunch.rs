// SPDX-License-Identifier: MIT
//! Computes for long: a hash, or primes.
#![no_std]
#![no_main]

use genode_components::{config, run};
use genode_parts::script::Unclear;
use genode_parts::sums;
use genode_rt::{Env, Failure, Result, log};

extern crate alloc;
use alloc::format;

genode_rt::component!(main);

/// What is computed.
enum Kind {
    Fnv,
    Primes,
}

fn main(env: Env) {
    run(env, work);
}

fn work(env: Env) -> Result<()> {
    let (kind, n) = config::read(env, |settings| {
        let kind = match settings.text("kind") {
            "fnv" | "" => Kind::Fnv,
            "primes" => Kind::Primes,
            other => return Err(Unclear(format!("config: kind=\"{other}\": expected fnv or primes"))),
        };
        Ok((kind, settings.amount("n", 100_000)?))
    })?;
    match kind {
        Kind::Fnv => log!("compute fnv n={n} {:#018x}", sums::fnv(n)),
        Kind::Primes => {
            let below = usize::try_from(n).map_err(|_| Failure::BadArgument)?;
            log!("compute primes n={n} {}", sums::primes(below).ok_or(Failure::OutOfRam)?);
        }
    }
    Ok(())
}
