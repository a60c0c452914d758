// SPDX-License-Identifier: MIT
//! Drives the second serial port: it is told to talk to itself, and all bytes have to come back. Ports are accessed by
//! core, or, if it is told so, by this component itself.
#![no_std]
#![no_main]

use genode_components::{config, run};
use genode_parts::uart::{Outcome, Registers, loop_back};
use genode_rt::env::Request;
use genode_rt::rpc::Service;
use genode_rt::services::io_port::Client;
use genode_rt::{Env, Failure, Result, access, error, log};

genode_rt::component!(main);

/// The first port.
const BASE: u16 = 0x2f8;

/// Ports that core accesses.
struct ByCore(Client);

impl Registers for ByCore {
    type Error = Failure;

    fn read(&mut self, register: u16) -> Result<u8> {
        Ok(self.0.input(u64::from(BASE + register), 1)? as u8)
    }

    fn write(&mut self, register: u16, value: u8) -> Result<()> {
        self.0.output(u64::from(BASE + register), 1, u64::from(value))
    }
}

/// Ports that were granted.
struct Granted;

impl Registers for Granted {
    type Error = Failure;

    fn read(&mut self, register: u16) -> Result<u8> {
        Ok(access::input(BASE + register))
    }

    fn write(&mut self, register: u16, value: u8) -> Result<()> {
        access::output(BASE + register, value);
        Ok(())
    }
}

fn main(env: Env) {
    run(env, work);
}

fn work(env: Env) -> Result<()> {
    let (count, is_direct) =
        config::read(env, |settings| Ok((settings.amount("bytes", 32)?, settings.flag("direct")?)))?;
    let more = ", io_port_base=0x2f8, io_port_size=8";
    let session: Client = env.session_with(&Request { label: "", quota: Client::QUOTA, more });
    let bytes = (0..count).map(|index| index.wrapping_mul(7) as u8);
    let outcome = if is_direct {
        session.grant(env.pd.0)?;
        loop_back(&mut Granted, bytes)
    } else {
        loop_back(&mut ByCore(session), bytes)
    };
    match outcome? {
        Outcome::Whole => log!("uart bytes={count} came back"),
        Outcome::Wrong(after) => error!("uart: what came back differs after {after} bytes"),
    }
    Ok(())
}
