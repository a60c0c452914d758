// SPDX-License-Identifier: MIT
//! What those above ask this init for on behalf of its children.

use alloc::vec::Vec;

use genode_config::requests::{Create, Requests, Upgrade};
use genode_config::session::{Client, Phase, Refusal, Session};
use genode_config::{Args, Config, xml};
use genode_rt::dataspace::Rom;
use genode_rt::services::{Name, response};
use genode_rt::signal::Signals;
use genode_rt::{Env, Failure, Result};

use crate::init::{Init, REQUESTS};
use crate::say;
use crate::sessions::{Wanted, refusal};

/// The requests of those above.
#[derive(Debug)]
pub struct Above(Rom);

/// Asks for the requests of those above, if the configuration offers them something.
pub fn open(env: Env, config: &Config, signals: Signals) -> Result<Option<Above>> {
    if config.offered().next().is_none() {
        return Ok(None);
    }
    let rom = Rom::open(env, "session_requests")?;
    rom.session.sigh(signals.context(REQUESTS)?)?;
    for service in config.offered() {
        let service = Name::from(service).map_err(|_| Failure::BadArgument)?;
        // The parent says so if it does not want the service.
        let _ = env.parent.announce(service);
    }
    Ok(Some(Above(rom)))
}

impl Above {
    fn read(&mut self) -> Option<Requests> {
        let Self(rom) = self;
        if !rom.session.update().unwrap_or(false) {
            rom.read().ok()?;
        }
        Requests::read(xml::text(rom.bytes()).ok()?).ok()
    }
}

impl Init {
    /// Does what those above ask for.
    pub fn serve_above(&mut self) {
        let Some(Requests { upgrades, closes, creates }) = self.above.as_mut().and_then(Above::read) else {
            return;
        };
        for Upgrade { id, by } in upgrades {
            // The request stays in the list until it is answered.
            let is_new =
                |key: &u64| matches!(self.sessions.get(*key), Some(Session { phase: Phase::Open(_), .. }));
            if let Some(key) = self.sessions.find(Client::Above, id).filter(is_new) {
                // A server that cannot be paid gets nothing, and the parent hears nothing of it.
                let _ = self.upgrade(key, by);
            }
        }
        for id in closes {
            match self.sessions.find(Client::Above, id) {
                Some(key) => self.close(key),
                None => self.answer_above(id, response::CLOSED),
            }
        }
        for create in creates {
            if self.sessions.find(Client::Above, create.id).is_none() {
                let id = create.id;
                if let Err(failure) = self.create(create) {
                    self.refuse_above(id, refusal(failure));
                }
            }
        }
    }

    /// Asks a child for a session that somebody above wants.
    fn create(&mut self, create: Create) -> Result<()> {
        let Create { id, service, label, args } = create;
        let args = Args::parse(&args).map_err(|_| Failure::BadArgument)?;
        let mut said = Vec::new();
        let destination = self.config.offer(&service, &label, &mut said);
        say(&said);
        let place = destination.and_then(|found| self.server(found)).ok_or(Failure::Denied)?;
        self.open(Wanted { client: Client::Above, id, service: &service, args }, place).map(drop)
    }

    /// Answers a request of those above.
    pub fn answer_above(&self, id: u64, response: u64) {
        let _ = self.env.parent.session_response(id, response);
    }

    /// Tells the parent that a session is refused.
    pub fn refuse_above(&self, id: u64, why: Refusal) {
        self.answer_above(
            id,
            match why {
                Refusal::Denied => response::DENIED,
                Refusal::Ram => response::INSUFFICIENT_RAM,
                Refusal::Caps => response::INSUFFICIENT_CAPS,
            },
        );
    }
}
