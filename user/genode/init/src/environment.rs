// SPDX-License-Identifier: MIT
//! Starting children: a domain and a quota for each, then, one after the other, the other sessions and the first thread.

use alloc::string::ToString;
use alloc::vec::Vec;

use genode_config::session::{Client, Phase};
use genode_config::{Args, Bytes, Quota, environment as texts, quota};
use genode_rt::loader::{self, Parts, Unstarted};
use genode_rt::rpc::Service;
use genode_rt::services::{Line, cpu, environment, log, pd, rom};
use genode_rt::{Cap, Failure, Result, error, log};

use crate::child::{Child, State};
use crate::init::Init;
use crate::sessions::Wanted;
use crate::{quota as accounts, say};

/// The sessions of an environment, with their numbers and what is given for them.
const SESSIONS: [(u64, &str, Quota); 4] = [
    (environment::PD, pd::NAME, of::<pd::Client>()),
    (environment::CPU, cpu::NAME, of::<cpu::Client>()),
    (environment::LOG, log::NAME, of::<log::Client>()),
    (environment::BINARY, rom::NAME, of::<rom::Client>()),
];

const fn of<S: Service>() -> Quota {
    Quota { ram: Bytes(S::QUOTA.0), caps: S::QUOTA.1 }
}

/// What of a child's environment is not paid yet when its domain is.
const OWED: Quota = quota::ENVIRONMENT.less(of::<pd::Client>());

impl Init {
    /// Starts all children in the order of the configuration.
    pub fn start_children(&mut self) {
        if self.config.verbose {
            self.config.description().iter().for_each(|line| log!("{line}"));
            self.config.starts.iter().flat_map(|start| start.description()).for_each(|line| log!("{line}"));
        }
        let mut owed = Quota::default();
        for child in 0..self.config.starts.len() {
            if let Err(failure) = self.make(child, &mut owed) {
                error!("{}: no domain: {failure:?}", self.start(child).name);
            }
        }
        for child in 0..self.children.len() {
            // One that is refused is said; what else might be refused is of no interest then.
            let has_domain = self.children[child].pd.is_some();
            if has_domain && SESSIONS[1..].iter().all(|session| self.want(child, *session)) {
                self.proceed(child);
            }
        }
    }

    /// Makes the domain of a child and gives it its quota; `owed` is what those before it will still take.
    fn make(&mut self, child: usize, owed: &mut Quota) -> Result<()> {
        self.children.push(Child::new());
        self.children[child].parent = self.portal(child)?;
        let available = accounts::available(self.env)?.less(*owed).less(self.config.preserved);
        *owed = owed.plus(OWED);
        let start = self.start(child);
        let (share, messages) = available.share(&start.name, start.usable);
        say(&messages);
        self.want(child, SESSIONS[0]);
        let pd = match self.sessions.find(Client::Child(child), environment::PD) {
            None => return Ok(()),
            Some(key) => match self.sessions.get(key).map(|session| session.phase) {
                Some(Phase::Open(cap)) => pd::Client(cap),
                // Somebody else than core makes domains, who does it later.
                _ => return Err(Failure::Denied),
            },
        };
        pd.ref_account(self.env.pd.0)?;
        self.children[child].pd = Some(pd);
        accounts::transfer(self.env.pd, pd, share)
    }

    /// Opens a session of a child's environment, or says that it is refused.
    fn want(&mut self, child: usize, (id, service, given): (u64, &str, Quota)) -> bool {
        let name = self.start(child).name.clone();
        let Some(place) = self.place(child, service, &name) else {
            say(&[texts::without_route(&name, service, &name)]);
            return false;
        };
        let mut args = Args::default();
        args.set_text("label", &name);
        accounts::name(&mut args, given);
        let wanted = Wanted { client: Client::Child(child), id, service, args: args.clone() };
        let opened = self.open(wanted, place);
        if opened.is_err() {
            say(&[texts::refused(&name, service, &args.to_string())]);
        }
        opened.is_ok()
    }

    /// Starts a child if all of its environment is there, or says what is refused.
    pub fn proceed(&mut self, child: usize) {
        if self.children[child].state != State::Incomplete {
            return;
        }
        let mut caps = Vec::new();
        for (id, ..) in SESSIONS {
            let Some(key) = self.sessions.find(Client::Child(child), id) else { return };
            let Some(session) = self.sessions.get(key) else { return };
            match session.phase {
                Phase::Open(cap) | Phase::Upgrading { cap, .. } => caps.push(cap),
                Phase::Refused(_) => {
                    say(&[texts::refused(&self.start(child).name, &session.service, &session.args)]);
                    self.forget(key);
                    return;
                }
                Phase::Requested { .. } | Phase::Closing => return,
            }
        }
        let [pd, cpu, log, binary] = caps[..] else { return };
        self.children[child].state = State::Started;
        let parts = Parts {
            pd: pd::Client(pd),
            cpu: cpu::Client(cpu),
            binary: rom::Client(binary),
            parent: self.children[child].parent,
        };
        match self.launch(child, &parts) {
            Ok(thread) => self.children[child].thread = thread,
            Err(unstarted) => self.unstarted(child, log::Client(log), unstarted),
        }
    }

    fn launch(&self, child: usize, parts: &Parts) -> core::result::Result<Cap, Unstarted> {
        let start = self.start(child);
        if let Some(replay) = start.replay
            && parts.pd.replay(replay.mode, replay.recovery, replay.flush, replay.limit).is_err()
        {
            error!("{}: replay limit {} is refused: the run's is the largest", start.name, replay.limit);
        }
        loader::start(self.env.pd, &start.name, parts).map(|thread| thread.0)
    }

    /// Says why a child was not started.
    fn unstarted(&self, child: usize, log: log::Client, unstarted: Unstarted) {
        let name = &self.start(child).name;
        match unstarted {
            Unstarted::NotElf => {
                if let Ok(line) = Line::from("Error: LD: binary is not an ELF\n") {
                    let _ = log.write(line);
                }
            }
            Unstarted::Segment(Failure::OutOfRam) => {
                error!("allocation of read-write segment failed");
                error!("{name}: out of RAM during ELF loading");
            }
            Unstarted::Segment(Failure::OutOfCaps) | Unstarted::Other(Failure::OutOfCaps) => {
                error!("{name}: out of capabilities during ELF loading");
            }
            Unstarted::Segment(failure) | Unstarted::Other(failure) => {
                error!("{name}: cannot be started: {failure:?}");
            }
        }
    }
}
