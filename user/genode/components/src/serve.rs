// SPDX-License-Identifier: MIT
//! Sessions that a component serves: what clients want stands in the ROM `session_requests`, and is answered one by
//! one. Numbers of sessions are those of the requests, and also the numbers of their objects.

use alloc::vec::Vec;

use genode_config::requests::{Create, Requests};
use genode_rt::dataspace::Rom;
use genode_rt::entrypoint::Entrypoint;
use genode_rt::services::{Name, response};
use genode_rt::{Cap, Env, Failure, Result, warning};

/// The number of the signal of new requests.
pub const REQUESTS: u64 = 1;
/// The first number that a component itself may give a signal.
pub const FREE_SIGNAL: u64 = 16;

/// All sessions of a component.
pub struct Sessions<T> {
    env: Env,
    entrypoint: Entrypoint,
    requests: Rom,
    open: Vec<Session<T>>,
}

/// A session.
struct Session<T> {
    number: u64,
    portal: Cap,
    state: T,
}

impl<T> Sessions<T> {
    /// No sessions so far, of whose requests a signal tells.
    pub fn new(env: Env, entrypoint: Entrypoint, signal: Cap) -> Result<Self> {
        let requests = Rom::open(env, "session_requests")?;
        requests.session.sigh(signal)?;
        Ok(Self { env, entrypoint, requests, open: Vec::new() })
    }

    /// The session of a number.
    pub fn get(&mut self, number: u64) -> Option<&mut T> {
        self.open.iter_mut().find(|session| session.number == number).map(|session| &mut session.state)
    }

    /// All sessions.
    pub fn all(&mut self) -> impl Iterator<Item = &mut T> {
        self.open.iter_mut().map(|session| &mut session.state)
    }

    /// Does what is asked for: upgrades first, then closes, then creates.
    pub fn update(&mut self, create: impl FnMut(&Create) -> Result<T>, close: impl FnMut(T)) {
        let read = self
            .requests
            .read()
            .and_then(|()| Requests::read(self.requests.text()?).map_err(|_| Failure::BadArgument));
        let done = read.and_then(|requests| self.answer(&requests, create, close));
        if let Err(failure) = done {
            warning!("session requests are not answered: {failure:?}");
        }
    }

    fn answer(
        &mut self,
        requests: &Requests,
        mut create: impl FnMut(&Create) -> Result<T>,
        mut close: impl FnMut(T),
    ) -> Result<()> {
        let parent = self.env.parent;
        for upgrade in &requests.upgrades {
            parent.session_response(upgrade.id, response::OK)?;
        }
        for &number in &requests.closes {
            if let Some(at) = self.open.iter().position(|session| session.number == number) {
                let session = self.open.swap_remove(at);
                session.portal.release();
                close(session.state);
            }
            parent.session_response(number, response::CLOSED)?;
        }
        for request in &requests.creates {
            let number = request.id;
            // Asked for once more before the answer had come to the list.
            if self.open.iter().any(|session| session.number == number) {
                continue;
            }
            let made = self.entrypoint.object(number).and_then(|portal| Ok((portal, create(request)?)));
            match made {
                Ok((portal, state)) => {
                    self.open.push(Session { number, portal, state });
                    parent.deliver_session_cap(number, portal)?;
                }
                Err(failure) => parent.session_response(number, refusal(failure))?,
            }
        }
        Ok(())
    }
}

/// What a parent is told of a session that could not be made.
const fn refusal(failure: Failure) -> u64 {
    match failure {
        Failure::InsufficientRam | Failure::OutOfRam => response::INSUFFICIENT_RAM,
        Failure::InsufficientCaps | Failure::OutOfCaps => response::INSUFFICIENT_CAPS,
        _ => response::DENIED,
    }
}

/// Tells the parent that a service is there.
pub fn announce(env: Env, service: &str) -> Result<()> {
    env.parent.announce(Name::from(service).map_err(|_| Failure::BadArgument)?)
}
