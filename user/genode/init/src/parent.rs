// SPDX-License-Identifier: MIT
//! What a child may call its init for.

use genode_config::session::{Answer, Client, Refusal, Response, Server};
use genode_config::{Args, label};
use genode_rt::services::{self, Name, environment, parent, response};
use genode_rt::{Cap, Failure, Result, log};

use crate::child::{State, replace};
use crate::init::Init;
use crate::quota::{given, transfer};
use crate::say;
use crate::sessions::Wanted;

/// The init of a child that calls.
pub struct Parent<'a> {
    /// The init.
    pub init: &'a mut Init,
    /// The child.
    pub child: usize,
}

impl Parent<'_> {
    /// The number of a session that the child opened itself.
    fn own(&self, id: u64) -> Result<u64> {
        let own = if id < environment::FREE {
            None
        } else {
            self.init.sessions.find(Client::Child(self.child), id)
        };
        own.ok_or(Failure::BadArgument)
    }

    fn server(&self) -> Server {
        Server::Child(self.child)
    }
}

impl parent::Server for Parent<'_> {
    fn exit(&mut self, value: u64) -> Result<()> {
        let child = &mut self.init.children[self.child];
        if core::mem::replace(&mut child.state, State::Exited) == State::Exited {
            return Ok(());
        }
        let start = self.init.start(self.child);
        if start.propagates {
            return self.init.env.parent.exit(value);
        }
        log!("child \"{}\" exited with exit value {value}", start.name);
        Ok(())
    }

    fn announce(&mut self, service: Name) -> Result<()> {
        // Routes go by what is declared: a server that announces something else goes on, and gets no sessions of it.
        if let Err(message) = self.init.start(self.child).announce(&service) {
            say(&[message]);
        }
        Ok(())
    }

    fn session(&mut self, id: u64, service: Name, args: services::Args) -> Result<Cap> {
        if id < environment::FREE {
            return Err(Failure::BadArgument);
        }
        let args = Args::parse(&args).map_err(|_| Failure::BadArgument)?;
        let label = label::under(&self.init.start(self.child).name, args.label());
        let place = self.init.place(self.child, &service, &label).ok_or(Failure::Denied)?;
        self.init.open(Wanted { client: Client::Child(self.child), id, service: &service, args }, place)
    }

    fn session_cap(&mut self, id: u64) -> Result<Cap> {
        self.init.tell(self.child, id)
    }

    fn session_sigh(&mut self, signal: Cap) -> Result<()> {
        replace(&mut self.init.children[self.child].session_sigh, signal);
        Ok(())
    }

    fn upgrade(&mut self, id: u64, args: services::Args) -> Result<()> {
        let key = self.own(id)?;
        let by = given(&Args::parse(&args).map_err(|_| Failure::BadArgument)?);
        let (pd, own) = (self.init.children[self.child].pd.ok_or(Failure::Gone)?, self.init.env.pd);
        transfer(pd, own, by)?;
        self.init.upgrade(key, by).inspect_err(|_| {
            let _ = transfer(own, pd, by);
        })
    }

    fn close(&mut self, id: u64) -> Result<()> {
        let key = self.own(id)?;
        self.init.close(key);
        Ok(())
    }

    fn session_response(&mut self, id: u64, response: u64) -> Result<()> {
        let response = match response {
            response::DENIED => Response::Refused(Refusal::Denied),
            response::INSUFFICIENT_RAM => Response::Refused(Refusal::Ram),
            response::INSUFFICIENT_CAPS => Response::Refused(Refusal::Caps),
            response::OK => Response::Upgraded,
            response::CLOSED => Response::Closed,
            _ => return Err(Failure::BadArgument),
        };
        let answer = self.init.sessions.respond(self.server(), id, response);
        self.init.settle(self.server(), id, answer)
    }

    fn deliver_session_cap(&mut self, id: u64, session: Cap) -> Result<()> {
        if session.is_none() {
            return Err(Failure::BadCapability);
        }
        let answer = self.init.sessions.deliver(self.server(), id, session);
        if answer == Answer::Unwanted {
            session.release();
        }
        self.init.settle(self.server(), id, answer)
    }

    fn main_thread(&mut self) -> Result<Cap> {
        Ok(self.init.children[self.child].thread)
    }

    fn resource_avail_sigh(&mut self, signal: Cap) -> Result<()> {
        replace(&mut self.init.children[self.child].resource_sigh, signal);
        Ok(())
    }

    fn resource_request(&mut self, args: services::Args) -> Result<()> {
        log!("child \"{}\" requests resources: {args}", self.init.start(self.child).name);
        Ok(())
    }

    fn yield_sigh(&mut self, _: Cap) -> Result<()> {
        Err(Failure::NoSuchOperation)
    }

    fn yield_request(&mut self) -> Result<services::Args> {
        Err(Failure::NoSuchOperation)
    }

    fn yield_response(&mut self) -> Result<()> {
        Err(Failure::NoSuchOperation)
    }

    fn heartbeat_sigh(&mut self, _: Cap) -> Result<()> {
        Err(Failure::NoSuchOperation)
    }

    fn heartbeat_response(&mut self) -> Result<()> {
        Err(Failure::NoSuchOperation)
    }

    fn environment(&mut self) -> Result<(Cap, Cap, Cap)> {
        let mut of = |id| self.init.tell(self.child, id);
        Ok((of(environment::PD)?, of(environment::CPU)?, of(environment::LOG)?))
    }
}
