// SPDX-License-Identifier: MIT
//! Sessions on their way from clients to servers and back, with what is paid for them.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use genode_config::route::{self, Destination};
use genode_config::session::{Client, Phase, Refusal, Server, Session, Told, Unlisted};
use genode_config::start::Origin;
use genode_config::{Args, Bytes, Quota};
use genode_rt::services::{self, Name, cpu, environment, pd};
use genode_rt::{Cap, Failure, Result, error};

use crate::init::Init;
use crate::quota::{given, name, transfer};
use crate::rom::Kind;
use crate::say;

/// Where a session comes from.
#[derive(Clone, Debug)]
pub enum Place {
    /// Init makes it.
    Own(Kind),
    /// Somebody serves it, who sees this label.
    At(Server, String),
}

/// A session that is to be opened.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Who asks for it.
    pub client: Client,
    /// The client's number for it.
    pub id: u64,
    /// The service.
    pub service: &'a str,
    /// The arguments, without what depends on the server.
    pub args: Args,
}

/// What a client pays for what init keeps of a session: texts of several hundred bytes, which the client chooses.
const KEPT: Quota = Quota { ram: Bytes::kib(2), caps: 0 };

/// The failure that a client sees.
const fn failure(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Denied => Failure::Denied,
        Refusal::Ram => Failure::InsufficientRam,
        Refusal::Caps => Failure::InsufficientCaps,
    }
}

/// The refusal that a failure of the parent is.
pub const fn refusal(failure: Failure) -> Refusal {
    match failure {
        Failure::InsufficientRam => Refusal::Ram,
        Failure::InsufficientCaps => Refusal::Caps,
        _ => Refusal::Denied,
    }
}

impl Init {
    /// The server of a destination.
    pub fn server(&self, destination: Destination) -> Option<Place> {
        let server = match &destination.server {
            route::Server::Parent => Server::Parent,
            route::Server::Child(name) => {
                Server::Child(self.config.starts.iter().position(|start| start.name == *name)?)
            }
        };
        Some(Place::At(server, destination.label))
    }

    /// Where a session of a child comes from, or nowhere.
    pub fn place(&self, child: usize, service: &str, label: &str) -> Option<Place> {
        let start = self.start(child);
        match start.origin(service, label) {
            Origin::Config => Some(Place::Own(Kind::Config)),
            Origin::Requests => Some(Place::Own(Kind::Requests)),
            Origin::Rules(label) => {
                let mut said = Vec::new();
                let destination = self.config.route(start, service, &label, &mut said);
                say(&said);
                self.server(destination?)
            }
        }
    }

    /// What init pays a server from, or is paid by it to; nothing for one that is paid otherwise.
    pub fn account(&self, server: Server) -> Result<Option<pd::Client>> {
        match server {
            Server::Child(child) => self.children[child].pd.map(Some).ok_or(Failure::Denied),
            // The parent takes it by itself.
            Server::Parent | Server::Own => Ok(None),
        }
    }

    /// Whom a client pays from; nothing if init or somebody above pays.
    fn payer(&self, client: Client, id: u64) -> Option<pd::Client> {
        match client {
            Client::Child(child) if id >= environment::FREE => self.children[child].pd,
            Client::Child(_) | Client::Above => None,
        }
    }

    /// Opens a session for its client, who pays for it and for what init keeps of it: the capability, or none as long
    /// as it is not there.
    pub fn open(&mut self, mut wanted: Wanted<'_>, place: Place) -> Result<Cap> {
        let mut paid = given(&wanted.args);
        if wanted.client == Client::Above {
            // The parent has paid already, and the server gets the rest.
            if paid.ram < KEPT.ram {
                return Err(Failure::InsufficientRam);
            }
            paid = paid.less(KEPT);
            name(&mut wanted.args, paid);
        }
        let payer = self.payer(wanted.client, wanted.id);
        if let Some(payer) = payer {
            transfer(payer, self.env.pd, paid.plus(KEPT))?;
        }
        let opened = self.request(wanted, place, paid);
        if let (Err(_), Some(payer)) = (opened, payer) {
            let _ = transfer(self.env.pd, payer, paid.plus(KEPT));
        }
        opened
    }

    /// Asks a session's server for it, of whom the client has paid.
    fn request(&mut self, wanted: Wanted<'_>, place: Place, paid: Quota) -> Result<Cap> {
        let Wanted { client, id, service, mut args } = wanted;
        let called = Name::from(service).map_err(|_| Failure::BadArgument)?;
        let (server, label) = match place {
            Place::Own(_) => (Server::Own, String::new()),
            Place::At(server, ref label) => (server, label.clone()),
        };
        args.set_text("label", &label);
        args.remove("managing_system");
        if let (cpu::NAME, Client::Child(child)) = (service, client) {
            let asked = args.number("priority").and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
            let priority = self.config.levels.squeezed(self.start(child).level, asked);
            args.set_number("priority", priority.into());
        }
        let args = args.to_string();
        let Ok(packed) = services::Args::from(&args) else {
            error!("arguments of {service} session \"{label}\" are too long");
            return Err(Failure::BadArgument);
        };
        let account = self.account(server)?;
        let phase = Phase::Requested { abandoned: false };
        let session =
            Session { client, id, server, service: service.to_string(), label, args, given: paid, phase };
        let key = self.sessions.add(session).map_err(|unlisted| match unlisted {
            Unlisted::Occupied => Failure::Occupied,
            Unlisted::TooMany => Failure::Denied,
        })?;
        let asked = match (place, server) {
            (Place::Own(kind), _) => match client {
                Client::Child(child) => self.rom_portal(child, kind),
                Client::Above => Err(Failure::Denied),
            },
            (_, Server::Child(_)) => {
                account.map_or(Ok(()), |account| transfer(self.env.pd, account, paid)).map(|()| {
                    self.hear(server);
                    Cap::NONE
                })
            }
            (_, Server::Parent | Server::Own) => self.env.parent.session(key, called, packed),
        };
        match asked {
            Err(_) => drop(self.sessions.remove(key)),
            Ok(cap) if cap.is_none() => {}
            Ok(cap) => drop(self.sessions.deliver(server, key, cap)),
        }
        asked
    }

    /// Tells a child of a session that it asked for.
    pub fn tell(&mut self, child: usize, id: u64) -> Result<Cap> {
        match self.sessions.tell(Client::Child(child), id) {
            Told::Unknown => Err(Failure::BadArgument),
            Told::Waiting => Ok(Cap::NONE),
            Told::There(cap) => Ok(cap),
            Told::Refused(why) => {
                if let Some(key) = self.sessions.find(Client::Child(child), id) {
                    self.forget(key);
                }
                Err(failure(why))
            }
        }
    }

    /// Forgets a session; what was given with it goes from its server back to its client.
    pub fn forget(&mut self, key: u64) {
        let Some(session) = self.sessions.remove(key) else { return };
        let Session { client, id, server, given, .. } = session;
        let mut given = given;
        if let Ok(Some(account)) = self.account(server)
            && transfer(account, self.env.pd, given).is_err()
        {
            // The server has used it up, which is its client's loss.
            given = Quota::default();
        }
        if let Some(payer) = self.payer(client, id) {
            let _ = transfer(self.env.pd, payer, given.plus(KEPT));
        }
    }
}
