// SPDX-License-Identifier: MIT
//! What an actor serves: LOG, each line with the label of its session in front, and Echo.

use alloc::string::String;

use genode_config::requests::Create;
use genode_parts::script::Service;
use genode_rt::entrypoint::{Entrypoint, Server};
use genode_rt::message::{Answered, Incoming};
use genode_rt::services::echo::Server as _;
use genode_rt::services::log::Server as _;
use genode_rt::services::{Line, echo, log};
use genode_rt::{Cap, Env, Failure, Result};

use crate::echo::Echo;
use crate::serve::{REQUESTS, Sessions};

/// The longest line of a client, in bytes; a longer one becomes two.
const MOST: usize = 1024;

/// The name of a service.
pub const fn name(service: Service) -> &'static str {
    match service {
        Service::Log => log::NAME,
        Service::Echo => echo::NAME,
    }
}

/// The number by which the serving thread is told to serve it.
pub const fn number(service: Service) -> u64 {
    match service {
        Service::Log => 2,
        Service::Echo => 3,
    }
}

/// A session.
enum Session {
    Log(Lines),
    Echo(Echo),
}

/// A LOG session.
struct Lines {
    label: String,
    /// What has come of the current line.
    line: String,
}

impl Lines {
    fn flush(&mut self) {
        genode_rt::log!("[{}] {}", self.label, self.line);
        self.line.clear();
    }
}

impl log::Server for Lines {
    fn write(&mut self, text: Line) -> Result<()> {
        for letter in text.chars() {
            if letter == '\n' {
                self.flush();
                continue;
            }
            if self.line.len() >= MOST {
                self.flush();
            }
            self.line.push(letter);
        }
        Ok(())
    }
}

/// All that is served.
pub struct Served {
    entrypoint: Entrypoint,
    /// None if there is no list of requests.
    sessions: Option<Sessions<(String, Session)>>,
    /// Whether it says who comes and goes, for LOG and for Echo, if they are served.
    verbose: [Option<bool>; 2],
}

impl Served {
    /// Nothing so far.
    pub fn new(env: Env, entrypoint: Entrypoint, requests: Cap) -> Self {
        Self { entrypoint, sessions: Sessions::new(env, entrypoint, requests).ok(), verbose: [None; 2] }
    }

    fn update(&mut self) {
        let Self { entrypoint, sessions, verbose } = self;
        let Some(sessions) = sessions else { return };
        let says = |session: &Session| match session {
            Session::Log(_) => verbose[0] == Some(true),
            Session::Echo(_) => verbose[1] == Some(true),
        };
        let create = |request: &Create| {
            let label = request.label.clone();
            let session = match request.service.as_str() {
                log::NAME if verbose[0].is_some() => {
                    Session::Log(Lines { label: label.clone(), line: String::new() })
                }
                echo::NAME if verbose[1].is_some() => Session::Echo(Echo::new(*entrypoint, request.id)),
                _ => return Err(Failure::Denied),
            };
            if says(&session) {
                genode_rt::log!("open {label}");
            }
            Ok((label, session))
        };
        let close = |(label, mut session): (String, Session)| {
            if let Session::Log(lines) = &mut session
                && !lines.line.is_empty()
            {
                lines.flush();
            }
            if says(&session) {
                genode_rt::log!("close {label}");
            }
        };
        sessions.update(create, close);
    }
}

impl Server for Served {
    fn call(&mut self, object: u64, incoming: Incoming) -> Answered {
        match self.sessions.as_mut().and_then(|sessions| sessions.get(Echo::maker(object))) {
            Some((_, Session::Log(lines))) => lines.dispatch(incoming),
            Some((_, Session::Echo(echo))) => echo.dispatch(incoming),
            None => incoming.refuse(Failure::Gone),
        }
    }

    fn signal(&mut self, signal: u64, count: u64) -> u64 {
        const LOG: u64 = number(Service::Log);
        const ECHO: u64 = number(Service::Echo);
        match signal {
            REQUESTS => self.update(),
            LOG => self.verbose[0] = Some(count != 0),
            ECHO => self.verbose[1] = Some(count != 0),
            _ => (),
        }
        0
    }
}
