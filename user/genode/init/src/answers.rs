// SPDX-License-Identifier: MIT
//! What becomes of sessions that were asked for: what servers answer, what clients hear of it, closing and upgrading.

use alloc::string::ToString;
use alloc::vec::Vec;

use genode_config::session::{Answer, Client, Phase, Response, Server, Session};
use genode_config::{Args, Quota};
use genode_rt::services::{self, environment, response};
use genode_rt::signal::submit;
use genode_rt::{Failure, Result};

use crate::init::Init;
use crate::quota::{name, transfer};
use crate::rom::Kind;
use crate::sessions::refusal;

impl Init {
    /// Does what follows from a server's answer.
    pub fn settle(&mut self, server: Server, key: u64, answer: Answer) -> Result<()> {
        match answer {
            Answer::Delivered | Answer::Refused => self.notify(key),
            Answer::Unwanted => self.end(server, key),
            Answer::TakeMore => self.hear(server),
            Answer::Upgraded => {
                if let Some(&Session { client: Client::Above, id, .. }) = self.sessions.get(key) {
                    self.answer_above(id, response::OK);
                }
            }
            Answer::Dropped | Answer::Closed => {
                let session = self.sessions.get(key).map(|session| (session.client, session.id));
                // What was given has to be here again when the parent takes it.
                self.forget(key);
                if let Some((Client::Above, id)) = session {
                    self.answer_above(id, response::CLOSED);
                }
            }
            Answer::Unasked => return Err(Failure::BadArgument),
        }
        Ok(())
    }

    /// Has a server hear that there is something to do, if it is a child.
    pub fn hear(&mut self, server: Server) {
        if let Server::Child(child) = server {
            self.children[child].rom(Kind::Requests).signal();
        }
    }

    /// Has a server close a session that is there.
    fn end(&mut self, server: Server, key: u64) {
        match server {
            Server::Child(_) => self.hear(server),
            Server::Parent => {
                let _ = self.env.parent.close(key);
                self.forget(key);
            }
            Server::Own => self.forget(key),
        }
    }

    /// Has a session closed, or given up if it is not there yet.
    pub fn close(&mut self, key: u64) {
        let Some(session) = self.sessions.get(key) else { return };
        let (server, phase) = (session.server, session.phase);
        if self.sessions.close(key) {
            if let (Phase::Open(cap) | Phase::Upgrading { cap, .. }, Server::Parent | Server::Child(_)) =
                (phase, server)
            {
                cap.release();
            }
            self.end(server, key);
        } else if matches!(phase, Phase::Refused(_)) {
            self.forget(key);
        }
    }

    /// Gives a session more, which its client has paid.
    pub fn upgrade(&mut self, key: u64, by: Quota) -> Result<()> {
        let session = self.sessions.get(key).ok_or(Failure::BadArgument)?;
        let (server, is_open) =
            (session.server, matches!(session.phase, Phase::Open(_) | Phase::Upgrading { .. }));
        if !is_open {
            return Err(Failure::BadArgument);
        }
        match self.account(server)? {
            Some(account) => {
                transfer(self.env.pd, account, by)?;
                self.sessions.upgrade(key, by);
                self.hear(server);
            }
            None => {
                if server == Server::Parent {
                    let mut args = Args::default();
                    name(&mut args, by);
                    let args = services::Args::from(&args.to_string()).map_err(|_| Failure::BadArgument)?;
                    self.env.parent.upgrade(key, args)?;
                }
                if let Some(session) = self.sessions.get_mut(key) {
                    session.given = session.given.plus(by);
                }
            }
        }
        Ok(())
    }

    /// Tells a session's client that there is something to hear.
    fn notify(&mut self, key: u64) {
        let Some(&Session { client, id, phase, .. }) = self.sessions.get(key) else { return };
        match client {
            Client::Child(child) if id < environment::FREE => self.proceed(child),
            Client::Child(child) => {
                let signal = self.children[child].session_sigh;
                if !signal.is_none() {
                    submit(signal);
                }
            }
            Client::Above => match phase {
                Phase::Open(cap) => {
                    let _ = self.env.parent.deliver_session_cap(id, cap);
                }
                Phase::Refused(why) => {
                    // What was given has to be there when the parent takes it.
                    self.forget(key);
                    self.refuse_above(id, why);
                }
                Phase::Requested { .. } | Phase::Upgrading { .. } | Phase::Closing => {}
            },
        }
    }

    /// Asks init's own parent for all sessions that it has not given yet.
    pub fn ask_parent(&mut self) {
        let keys: Vec<u64> = self.sessions.requested(Server::Parent).collect();
        for key in keys {
            let answer = match self.env.parent.session_cap(key) {
                Ok(cap) if cap.is_none() => continue,
                Ok(cap) => self.sessions.deliver(Server::Parent, key, cap),
                Err(failure) => {
                    let refused = Response::Refused(refusal(failure));
                    self.sessions.respond(Server::Parent, key, refused)
                }
            };
            let _ = self.settle(Server::Parent, key, answer);
        }
    }
}
