// SPDX-License-Identifier: MIT
//! Calls an Echo server: sums, and if it is told to, bytes, objects of the server's, and a signal.
#![no_std]
#![no_main]

use genode_components::{config, echo, run};
use genode_rt::services::Blob;
use genode_rt::services::echo::Client;
use genode_rt::signal::Signals;
use genode_rt::{Env, Failure, Result, error, log};

genode_rt::component!(main);

/// The number of the signal that the server sends.
const ECHO: u64 = 1;

fn main(env: Env) {
    run(env, work);
}

fn work(env: Env) -> Result<()> {
    let (calls, blob, objects) = config::read(env, |settings| {
        Ok((settings.amount("calls", 1)?, settings.amount("blob", 0)?, settings.amount("objects", 0)?))
    })?;
    let server: Client = env.session("");
    log!("echo sum={}", echo::sum(server, calls)?);
    if blob > 0 {
        let mut bytes = Blob::new();
        (0..blob).try_for_each(|index| bytes.try_push(index as u8)).map_err(|_| Failure::BadArgument)?;
        match server.blob(bytes.clone())? == bytes {
            true => log!("echo blob={blob}"),
            false => error!("other bytes came back"),
        }
    }
    if objects > 0 {
        let sum = (0..objects).try_fold(0, |sum: u64, index| {
            Ok::<_, Failure>(sum.wrapping_add(Client(server.make()?).add(index, 1)?))
        })?;
        log!("echo objects={objects} sum={sum}");
        let signals = Signals::new()?;
        server.signal(signals.context(ECHO)?)?;
        match signals.receive(0) {
            Some((ECHO, 1)) => log!("echo signal"),
            other => error!("another signal came: {other:?}"),
        }
    }
    Ok(())
}
