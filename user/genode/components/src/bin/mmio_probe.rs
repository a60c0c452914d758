// SPDX-License-Identifier: MIT
//! Reads the event timer: what it is, and whether its counter goes on.
#![no_std]
#![no_main]

use genode_components::run;
use genode_rt::dataspace::Attached;
use genode_rt::env::Request;
use genode_rt::rpc::Service;
use genode_rt::services::access;
use genode_rt::services::io_mem::Client;
use genode_rt::{Env, PAGE, Result, error, log};

genode_rt::component!(main);

/// Offsets of the registers (IA-PC HPET specification 1.0a, section 2.3).
const CAPABILITIES: u64 = 0;
const CONFIGURATION: u64 = 0x10;
const COUNTER: u64 = 0xf0;
/// The counter goes on.
const ENABLED: u64 = 1;

fn main(env: Env) {
    run(env, work);
}

fn work(env: Env) -> Result<()> {
    let more = ", base=0xfed00000, size=0x1000";
    let session: Client = env.session_with(&Request { label: "", quota: Client::QUOTA, more });
    let timer = Attached::new(env.pd, session.dataspace()?, PAGE, access::WRITE)?;
    let capabilities = timer.word(CAPABILITIES);
    log!("hpet vendor={:#06x} period={} fs", capabilities >> 16 & 0xffff, capabilities >> 32);
    let before = timer.word(CONFIGURATION);
    timer.set_word(CONFIGURATION, before | ENABLED);
    let first = timer.word(COUNTER);
    let second = timer.word(COUNTER);
    timer.set_word(CONFIGURATION, before);
    match second > first {
        true => log!("hpet counter goes on"),
        false => error!("hpet: the counter is {first:#x} and then {second:#x}"),
    }
    Ok(())
}
