// SPDX-License-Identifier: MIT
//! The sessions that go through an init: who asked whom for what, and how far each has come.
//!
//! A server is asked by a list of requests that it reads when it likes, and answers by a session's number. Numbers come
//! from servers and clients, which may be wrong or lie: an answer counts only if it comes from the session's server,
//! and only if something was asked.

use alloc::collections::BTreeMap;
use alloc::string::String;

use crate::quota::Quota;
use crate::requests::{Create, Requests, Upgrade};

/// The most sessions that one client may have.
pub const MOST: usize = 256;

/// Who asked for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// A child.
    Child(usize),
    /// Somebody above, by way of the parent.
    Above,
}

/// Who serves a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// The parent.
    Parent,
    /// A child.
    Child(usize),
    /// Init itself.
    Own,
}

/// Why a session is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody serves it.
    Denied,
    /// What was given with it is too little RAM.
    Ram,
    /// What was given with it is too few capabilities.
    Caps,
}

/// How far a session has come; `C` is what stands for one that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase<C> {
    /// The server was asked for it; the client may have lost interest.
    Requested {
        /// Whether it is to be closed as soon as it is there.
        abandoned: bool,
    },
    /// The server refuses it, which the client has not heard yet.
    Refused(Refusal),
    /// It is there.
    Open(C),
    /// It is there, and the server was asked to take more.
    Upgrading {
        /// What stands for it.
        cap: C,
        /// What the server was asked to take.
        asked: Quota,
        /// What came since then, of which the server has not heard.
        more: Quota,
    },
    /// The server was asked to close it.
    Closing,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session<C> {
    /// Who asked for it.
    pub client: Client,
    /// The client's number for it.
    pub id: u64,
    /// Who serves it.
    pub server: Server,
    /// The service.
    pub service: String,
    /// The label that the server sees.
    pub label: String,
    /// The arguments that the server sees.
    pub args: String,
    /// What the client gave with it so far.
    pub given: Quota,
    /// How far it has come.
    pub phase: Phase<C>,
}

/// A client may not have a session of this number, or has too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// The client has one of this number.
    Occupied,
    /// The client has [`MOST`] sessions.
    TooMany,
}

/// What a client hears of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<C> {
    /// There is no such session.
    Unknown,
    /// It is not there yet.
    Waiting,
    /// It is there.
    There(C),
    /// It will never be there.
    Refused(Refusal),
}

/// What a server's answer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The session is there.
    Delivered,
    /// The session is there, and nobody wants it any more: the server is asked to close it.
    Unwanted,
    /// The session is refused, and nobody wanted it any more: it can be forgotten.
    Dropped,
    /// The client has to hear that its session is refused.
    Refused,
    /// The server took what it was given.
    Upgraded,
    /// The server took what it was given, and is asked to take what came since then.
    TakeMore,
    /// The session is closed: it can be forgotten.
    Closed,
    /// The server was not asked for this.
    Unasked,
}

/// What a server says of a session when it does not deliver it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// It refuses the session.
    Refused(Refusal),
    /// It took what it was given.
    Upgraded,
    /// It closed the session.
    Closed,
}

/// All sessions, by numbers that are used once.
#[derive(Clone, Debug)]
pub struct Sessions<C> {
    all: BTreeMap<u64, Session<C>>,
    next: u64,
}

impl<C: Copy> Sessions<C> {
    /// No sessions; their numbers begin here.
    #[must_use]
    pub const fn new(first: u64) -> Self {
        Self { all: BTreeMap::new(), next: first }
    }

    /// Adds a session and returns its number.
    ///
    /// # Errors
    /// It fails if the client has one of the same number, or too many.
    pub fn add(&mut self, session: Session<C>) -> Result<u64, Unlisted> {
        let own = self.all.values().filter(|own| own.client == session.client);
        let (mut count, mut taken) = (0, false);
        for other in own {
            count += 1;
            taken |= other.id == session.id;
        }
        if taken {
            return Err(Unlisted::Occupied);
        }
        if count >= MOST {
            return Err(Unlisted::TooMany);
        }
        let key = self.next;
        self.next += 1;
        self.all.insert(key, session);
        Ok(key)
    }

    /// The session of a number.
    #[must_use]
    pub fn get(&self, key: u64) -> Option<&Session<C>> {
        self.all.get(&key)
    }

    /// The session of a number, to be changed.
    pub fn get_mut(&mut self, key: u64) -> Option<&mut Session<C>> {
        self.all.get_mut(&key)
    }

    /// Forgets a session.
    pub fn remove(&mut self, key: u64) -> Option<Session<C>> {
        self.all.remove(&key)
    }

    /// The number of a client's session.
    #[must_use]
    pub fn find(&self, client: Client, id: u64) -> Option<u64> {
        self.all.iter().find(|(_, own)| own.client == client && own.id == id).map(|(key, _)| *key)
    }

    /// The numbers of all sessions that a server was asked for and has not answered.
    pub fn requested(&self, server: Server) -> impl Iterator<Item = u64> {
        self.all
            .iter()
            .filter(move |(_, own)| own.server == server && matches!(own.phase, Phase::Requested { .. }))
            .map(|(key, _)| *key)
    }

    /// What a server was asked for and has not answered.
    #[must_use]
    pub fn requests(&self, server: Server) -> Requests {
        let mut requests = Requests::default();
        for (&id, session) in self.all.iter().filter(|(_, own)| own.server == server) {
            match session.phase {
                Phase::Requested { .. } => requests.creates.push(Create {
                    id,
                    service: session.service.clone(),
                    label: session.label.clone(),
                    args: session.args.clone(),
                }),
                Phase::Upgrading { asked: by, .. } => requests.upgrades.push(Upgrade { id, by }),
                Phase::Closing => requests.closes.push(id),
                Phase::Open(_) | Phase::Refused(_) => {}
            }
        }
        requests
    }

    /// Tells a client of its session.
    pub fn tell(&self, client: Client, id: u64) -> Told<C> {
        let Some(key) = self.find(client, id) else { return Told::Unknown };
        match self.all[&key].phase {
            Phase::Requested { .. } => Told::Waiting,
            Phase::Open(cap) | Phase::Upgrading { cap, .. } => Told::There(cap),
            Phase::Refused(refusal) => Told::Refused(refusal),
            Phase::Closing => Told::Unknown,
        }
    }

    /// The server's session, if it has it.
    fn served(&mut self, server: Server, key: u64) -> Option<&mut Session<C>> {
        self.all.get_mut(&key).filter(|own| own.server == server)
    }

    /// Takes the session that a server delivers.
    pub fn deliver(&mut self, server: Server, key: u64, cap: C) -> Answer {
        let Some(session) = self.served(server, key) else { return Answer::Unasked };
        match session.phase {
            Phase::Requested { abandoned: false } => {
                session.phase = Phase::Open(cap);
                Answer::Delivered
            }
            Phase::Requested { abandoned: true } => {
                session.phase = Phase::Closing;
                Answer::Unwanted
            }
            _ => Answer::Unasked,
        }
    }

    /// Takes what a server says instead.
    pub fn respond(&mut self, server: Server, key: u64, response: Response) -> Answer {
        let Some(session) = self.served(server, key) else { return Answer::Unasked };
        match (session.phase, response) {
            (Phase::Requested { abandoned: true }, Response::Refused(_)) => Answer::Dropped,
            (Phase::Requested { abandoned: false }, Response::Refused(refusal)) => {
                session.phase = Phase::Refused(refusal);
                Answer::Refused
            }
            (Phase::Upgrading { cap, more, .. }, Response::Upgraded) if more == Quota::default() => {
                session.phase = Phase::Open(cap);
                Answer::Upgraded
            }
            (Phase::Upgrading { cap, more, .. }, Response::Upgraded) => {
                session.phase = Phase::Upgrading { cap, asked: more, more: Quota::default() };
                Answer::TakeMore
            }
            (Phase::Closing, Response::Closed) => Answer::Closed,
            _ => Answer::Unasked,
        }
    }

    /// Asks for a session to be closed. Tells whether the server has to hear of it.
    pub fn close(&mut self, key: u64) -> bool {
        let Some(session) = self.all.get_mut(&key) else { return false };
        match session.phase {
            Phase::Requested { .. } => {
                session.phase = Phase::Requested { abandoned: true };
                false
            }
            Phase::Open(_) | Phase::Upgrading { .. } => {
                session.phase = Phase::Closing;
                true
            }
            Phase::Refused(_) | Phase::Closing => false,
        }
    }

    /// Adds to what a session was given. Tells whether there is such a session.
    pub fn upgrade(&mut self, key: u64, by: Quota) -> bool {
        let Some(session) = self.all.get_mut(&key) else { return false };
        session.phase = match session.phase {
            Phase::Open(cap) => Phase::Upgrading { cap, asked: by, more: Quota::default() },
            Phase::Upgrading { cap, asked, more } => Phase::Upgrading { cap, asked, more: more.plus(by) },
            Phase::Requested { .. } | Phase::Refused(_) | Phase::Closing => return false,
        };
        session.given = session.given.plus(by);
        true
    }
}

#[cfg(test)]
mod tests;
