// SPDX-License-Identifier: MIT
//! Serves the service Timer: its main thread waits for the next timeout by a deadline, and no device is driven.
#![no_std]
#![no_main]

use genode_components::serve::{FREE_SIGNAL, REQUESTS, Sessions, announce};
use genode_components::{run, stop_for};
use genode_parts::timeouts::{Scale, Timeout};
use genode_rt::dataspace::Rom;
use genode_rt::entrypoint::{Entrypoint, Server};
use genode_rt::message::{Answered, Incoming};
use genode_rt::services::timer::{self, Server as _};
use genode_rt::signal::{self, Signals};
use genode_rt::{Cap, Env, Failure, Result, access};

genode_rt::component!(main);

/// The number of the signal that tells the main thread of an earlier timeout.
const CHANGED: u64 = FREE_SIGNAL;
/// What the main thread asks for by the number of a signal: that what is due be sent, and the next deadline told.
const NEXT: u64 = FREE_SIGNAL + 1;

/// A session.
struct Session {
    scale: Scale,
    changed: Cap,
    opened: u64,
    timeout: Timeout,
    signal: Cap,
}

impl timer::Server for Session {
    fn trigger_once(&mut self, microseconds: u64) -> Result<()> {
        self.timeout.once(access::time(), self.scale.ticks(microseconds));
        signal::submit(self.changed);
        Ok(())
    }

    fn trigger_periodic(&mut self, microseconds: u64) -> Result<()> {
        self.timeout.every(access::time(), self.scale.ticks(microseconds));
        signal::submit(self.changed);
        Ok(())
    }

    fn sigh(&mut self, signal: Cap) -> Result<()> {
        self.signal.release();
        self.signal = signal;
        Ok(())
    }

    fn elapsed_ms(&mut self) -> Result<u64> {
        Ok(self.elapsed_us()? / 1000)
    }

    fn elapsed_us(&mut self) -> Result<u64> {
        Ok(self.scale.microseconds(access::time().saturating_sub(self.opened)))
    }
}

/// All sessions.
struct State {
    scale: Scale,
    changed: Cap,
    sessions: Option<Sessions<Session>>,
}

impl Server for State {
    fn call(&mut self, object: u64, incoming: Incoming) -> Answered {
        match self.sessions.as_mut().and_then(|sessions| sessions.get(object)) {
            Some(session) => session.dispatch(incoming),
            None => incoming.refuse(Failure::Gone),
        }
    }

    fn signal(&mut self, number: u64, _: u64) -> u64 {
        let Self { scale, changed, sessions } = self;
        let Some(sessions) = sessions else { return 0 };
        if number == REQUESTS {
            let open = |_: &_| {
                let opened = access::time();
                Ok(Session {
                    scale: *scale,
                    changed: *changed,
                    opened,
                    timeout: Timeout::NONE,
                    signal: Cap::NONE,
                })
            };
            sessions.update(open, |session| session.signal.release());
        }
        let now = access::time();
        let mut next = None;
        for session in sessions.all() {
            if session.timeout.is_due(now) && !session.signal.is_none() {
                signal::submit(session.signal);
            }
            next = [next, session.timeout.next()].into_iter().flatten().min();
        }
        next.unwrap_or(0)
    }
}

fn main(env: Env) {
    run(env, work);
}

fn work(env: Env) -> Result<()> {
    let platform = Rom::open(env, "platform_info")?;
    let scale = Scale::read(platform.bytes()).unwrap_or_else(|| stop_for(Failure::BadArgument));
    let signals = Signals::new()?;
    let (requests, changed) = (signals.context(REQUESTS)?, signals.context(CHANGED)?);
    let entrypoint = Entrypoint::new(env, "ep", |entrypoint| State {
        scale,
        changed,
        sessions: Sessions::new(env, entrypoint, requests).ok(),
    })?;
    announce(env, timer::NAME)?;
    let mut deadline = entrypoint.tell(REQUESTS, 1);
    loop {
        let number = signals.receive(deadline).map_or(NEXT, |(number, _)| number);
        deadline = entrypoint.tell(number, 1);
    }
}
