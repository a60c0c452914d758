// SPDX-License-Identifier: MIT
//! Init starts the components that its configuration names, each in a domain of its own, and brings them together.
//!
//! It decides who may ask whom for what: each session that a child opens is routed by the child's rules, relabelled,
//! and paid by the child. All state belongs to one thread, which serves the children's calls; the main thread tells it
//! of signals. Init never waits for a child: it calls core and its own parent only, so that a child can hold up nobody.
#![no_std]
#![no_main]

extern crate alloc;

mod above;
mod answers;
mod child;
mod environment;
mod init;
mod parent;
mod quota;
mod rom;
mod sessions;

use genode_config::{Config, Message, xml};
use genode_rt::dataspace::Rom;
use genode_rt::entrypoint::Entrypoint;
use genode_rt::signal::Signals;
use genode_rt::{Env, Result, component, error, log};

use crate::init::{Init, START};

component!(main);

fn main(env: Env) {
    if let Err(failure) = run(env) {
        error!("init cannot begin: {failure:?}");
    }
}

/// Prints what is to be said.
fn say(messages: &[Message]) {
    for message in messages {
        log!("{message}");
    }
}

/// Reads the configuration and serves for ever what it says.
fn run(env: Env) -> Result<()> {
    let rom = Rom::open(env, "config")?;
    let (config, messages) = match xml::text(rom.bytes()).and_then(Config::read) {
        Ok(read) => read,
        Err(fault) => {
            error!("config: {fault}");
            return Ok(());
        }
    };
    drop(rom);
    say(&messages);
    let signals = Signals::new()?;
    let above = above::open(env, &config, signals)?;
    let entrypoint = Entrypoint::new(env, "ep", |entrypoint| Init::new(env, entrypoint, config, above))?;
    env.parent.session_sigh(signals.context(init::SESSION)?)?;
    entrypoint.tell(START, 0);
    signals.run(entrypoint)
}
