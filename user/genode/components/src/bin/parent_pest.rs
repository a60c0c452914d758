// SPDX-License-Identifier: MIT
//! Asks its parent wrong and too much: sessions without end, answers that nobody asked for, numbers of others, texts that
//! are no arguments, capabilities where none belong. It says what ended the sessions, and how often the parent did what it
//! must not.
#![no_std]
#![no_main]

use genode_components::run;
use genode_rt::services::{Args, Name, environment, response};
use genode_rt::{Cap, Env, Failure, Result, log};

genode_rt::component!(main);

/// More sessions than a client may have.
const SESSIONS: u64 = 300;
/// Numbers of sessions that others may have.
const NUMBERS: u64 = 64;
/// Where numbers of init's own begin.
const FIRST: u64 = 1 << 16;

/// Texts that are no arguments of a session, or too much for one.
const TEXTS: [&str; 7] = [
    "label=\"",
    "label=\"a\" label=\"b\"",
    "label=\"\\",
    "=",
    "label=\"x\", ram_quota=99G",
    "label=\"x\", cap_quota=99999999",
    "label=\"x\", ram_quota=18446744073709551615, cap_quota=18446744073709551615",
];

fn main(env: Env) {
    run(env, work);
}

fn work(env: Env) -> Result<()> {
    let parent = env.parent;
    let name = |text| Name::from(text).map_err(|_| Failure::BadArgument);
    let args = |text| Args::from(text).map_err(|_| Failure::BadArgument);
    let (rom, label) = (name("ROM")?, args("label=\"config\", ram_quota=0, cap_quota=0")?);
    let mut wrong = 0;
    let mut must_fail = |failed: bool| wrong += u64::from(!failed);

    let free = environment::FREE + 1000;
    for text in TEXTS {
        must_fail(parent.session(free, rom, args(text)?).is_err());
    }
    for id in 0..environment::FREE {
        must_fail(parent.session(id, rom, label).is_err());
        must_fail(parent.close(id).is_err());
        must_fail(parent.upgrade(id, args("ram_quota=4K")?).is_err());
    }
    must_fail(parent.session(free, name("")?, label).is_err());
    must_fail(parent.session(free, name("Nothing \"<&")?, label).is_err());
    for id in (0..NUMBERS).chain(FIRST..FIRST + NUMBERS).chain([u64::MAX]) {
        must_fail(parent.deliver_session_cap(id, env.pd.0).is_err());
        must_fail(parent.deliver_session_cap(id, Cap::NONE).is_err());
        for answer in [response::OK, response::CLOSED, response::DENIED, u64::MAX] {
            must_fail(parent.session_response(id, answer).is_err());
        }
    }
    // What is named as a signal need not be one, and may be named again and again.
    for _ in 0..1000 {
        parent.session_sigh(env.cpu.0)?;
        parent.session_sigh(Cap::fresh())?;
        parent.resource_avail_sigh(Cap::NONE)?;
    }
    let (mut opened, mut end) = (0, None);
    for id in free..free + SESSIONS {
        match parent.session(id, rom, label) {
            Ok(_) => opened += 1,
            Err(failure) => {
                end = Some(failure);
                break;
            }
        }
    }
    must_fail(parent.session(free, rom, label).is_err());
    for id in free..free + opened {
        must_fail(parent.close(id).is_ok());
        must_fail(parent.close(id).is_err());
    }
    must_fail(parent.session(free, rom, label).is_ok());
    let end = match end {
        Some(Failure::Denied) => "no more are allowed",
        Some(Failure::OutOfRam) => "no more can be paid",
        _ => "without end",
    };
    log!("sessions: {end}, wrong={wrong}");
    Ok(())
}
