// SPDX-License-Identifier: MIT
//! What init sees as its parent.

use alloc::string::String;

use genode_config::{Args, label};
use genode_rt::services::{self, Name, parent};
use genode_rt::{Cap, Failure, Result};
use nova_rt::line;

use crate::object::{Id, Object};
use crate::state::Core;

/// The calls of a component to core as its parent.
pub struct Family<'a>(pub &'a mut Core, pub Id);

/// A list of arguments.
fn parse(args: &services::Args) -> Result<Args> {
    Args::parse(args).map_err(|_| Failure::BadArgument)
}

impl Family<'_> {
    /// The component's session of a number.
    fn known(&self, number: u64) -> Result<Id> {
        let mut sessions = self.0.parent(self.1)?.sessions.iter();
        sessions.find(|(known, _)| *known == number).map(|(_, id)| *id).ok_or(Failure::BadArgument)
    }
}

impl parent::Server for Family<'_> {
    fn exit(&mut self, value: u64) -> Result<()> {
        let Self(core, id) = self;
        let name = core.parent(*id)?.name.clone();
        line!("child \"{name}\" exited with exit value {}", value as i32);
        let (pes, divergences, restarts) = core.counts();
        line!("pe: total={pes} mismatch={divergences} retried={restarts}");
        let first = core.parent(*id)?.pd;
        core.kill_all(|thread| thread.pd == first);
        Ok(())
    }

    fn announce(&mut self, _: Name) -> Result<()> {
        Err(Failure::Denied)
    }

    fn session(&mut self, number: u64, service: Name, args: services::Args) -> Result<Cap> {
        let args = parse(&args)?;
        if self.known(number).is_ok() {
            return Err(Failure::BadArgument);
        }
        let Self(core, id) = self;
        let parent = core.parent_mut(*id)?;
        parent.sessions.try_reserve(1).map_err(|_| Failure::OutOfRam)?;
        let (payer, label) = (parent.pd, label::join(&parent.name, args.label()));
        let session = core.open(payer, &service, &label, &args)?;
        core.parent_mut(*id)?.sessions.push((number, session));
        Ok(Core::cap(session))
    }

    fn session_cap(&mut self, number: u64) -> Result<Cap> {
        self.known(number).map(Core::cap)
    }

    /// Sessions of core are there at once, so that nobody is told of them.
    fn session_sigh(&mut self, _: Cap) -> Result<()> {
        Ok(())
    }

    fn upgrade(&mut self, number: u64, args: services::Args) -> Result<()> {
        let (args, session) = (parse(&args)?, self.known(number)?);
        let more = |key| args.number(key).unwrap_or(0);
        let more = (more("ram_quota"), more("cap_quota"));
        let payer = self.0.parent(self.1)?.pd;
        self.0.withdraw(payer, more)?;
        let given = &mut self.0.session_mut(session)?.given;
        *given = (given.0.saturating_add(more.0), given.1.saturating_add(more.1));
        Ok(())
    }

    fn close(&mut self, number: u64) -> Result<()> {
        let session = self.known(number)?;
        let parent = self.0.parent_mut(self.1)?;
        parent.sessions.retain(|(known, _)| *known != number);
        let payer = parent.pd;
        self.0.close(payer, session);
        Ok(())
    }

    fn session_response(&mut self, _: u64, _: u64) -> Result<()> {
        Err(Failure::Denied)
    }

    fn deliver_session_cap(&mut self, _: u64, _: Cap) -> Result<()> {
        Err(Failure::Denied)
    }

    fn main_thread(&mut self) -> Result<Cap> {
        let pd = self.0.parent(self.1)?.pd;
        let main = self.0.find(|object| matches!(object, Object::Thread(it) if it.pd == pd && it.slot == 0));
        main.map(Core::cap).ok_or(Failure::Gone)
    }

    /// Core has given all that it has, so that there will never be more.
    fn resource_avail_sigh(&mut self, _: Cap) -> Result<()> {
        Ok(())
    }

    fn resource_request(&mut self, args: services::Args) -> Result<()> {
        let args: String = args.chars().filter(|letter| !letter.is_control()).collect();
        line!("child \"{}\" requests resources: {args}", self.0.parent(self.1)?.name);
        Err(Failure::Denied)
    }

    /// Core never takes resources back.
    fn yield_sigh(&mut self, _: Cap) -> Result<()> {
        Ok(())
    }

    fn yield_request(&mut self) -> Result<services::Args> {
        Ok(services::Args::new())
    }

    fn yield_response(&mut self) -> Result<()> {
        Ok(())
    }

    /// Core does not ask whether init lives.
    fn heartbeat_sigh(&mut self, _: Cap) -> Result<()> {
        Ok(())
    }

    fn heartbeat_response(&mut self) -> Result<()> {
        Ok(())
    }

    fn environment(&mut self) -> Result<(Cap, Cap, Cap)> {
        let [pd, cpu, log] = self.0.parent(self.1)?.environment;
        Ok((pd, cpu, log))
    }
}
