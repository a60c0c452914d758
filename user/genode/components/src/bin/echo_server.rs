// SPDX-License-Identifier: MIT
//! Serves the service Echo.
#![no_std]
#![no_main]

use genode_components::echo::Echo;
use genode_components::run;
use genode_components::serve::{REQUESTS, Sessions, announce};
use genode_rt::entrypoint::{Entrypoint, Server};
use genode_rt::message::{Answered, Incoming};
use genode_rt::services::echo::{self, Server as _};
use genode_rt::signal::Signals;
use genode_rt::{Env, Failure, Result};

genode_rt::component!(main);

/// All sessions; none before there is a list of requests.
struct State {
    entrypoint: Entrypoint,
    sessions: Option<Sessions<Echo>>,
}

impl Server for State {
    fn call(&mut self, object: u64, incoming: Incoming) -> Answered {
        match self.sessions.as_mut().and_then(|sessions| sessions.get(Echo::maker(object))) {
            Some(session) => session.dispatch(incoming),
            None => incoming.refuse(Failure::Gone),
        }
    }

    fn signal(&mut self, _: u64, _: u64) -> u64 {
        let Self { entrypoint, sessions } = self;
        if let Some(sessions) = sessions {
            sessions.update(|request| Ok(Echo::new(*entrypoint, request.id)), drop);
        }
        0
    }
}

fn main(env: Env) {
    run(env, work);
}

fn work(env: Env) -> Result<()> {
    let signals = Signals::new()?;
    let requests = signals.context(REQUESTS)?;
    let entrypoint = Entrypoint::new(env, "ep", |entrypoint| State {
        entrypoint,
        sessions: Sessions::new(env, entrypoint, requests).ok(),
    })?;
    announce(env, echo::NAME)?;
    entrypoint.tell(REQUESTS, 1);
    signals.run(entrypoint)
}
