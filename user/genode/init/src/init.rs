// SPDX-License-Identifier: MIT
//! The state of an init, and which object of it is called.

use alloc::vec::Vec;

use genode_config::session::Sessions;
use genode_config::{Config, Start};
use genode_rt::entrypoint::{Entrypoint, Server};
use genode_rt::message::{Answered, Incoming};
use genode_rt::services::{parent, rom};
use genode_rt::{Cap, Env, Failure, Result};

use crate::above::Above;
use crate::child::Child;
use crate::parent::Parent;
use crate::rom::{Called, Kind};

/// The number by which the main thread tells that the children are to be started.
pub const START: u64 = 1;
/// The signal of sessions that init's own parent has made, or refused.
pub const SESSION: u64 = 2;
/// The signal of requests from above.
pub const REQUESTS: u64 = 3;

/// The first number of a session at init's own parent; those that the runtime opens have lower ones.
const FIRST_SESSION: u64 = 1 << 16;

/// What the low bits of an object's number say; the others say which child it is for.
const KIND_BITS: u64 = 2;
const PARENT: u64 = 0;
const CONFIG: u64 = 1;
const SESSION_REQUESTS: u64 = 2;

/// An init.
#[derive(Debug)]
pub struct Init {
    /// What it has itself.
    pub env: Env,
    entrypoint: Entrypoint,
    /// What it is told to do.
    pub config: Config,
    /// Its children, as the configuration lists them.
    pub children: Vec<Child>,
    /// All sessions.
    pub sessions: Sessions<Cap>,
    /// What those above ask for, if something is offered to them.
    pub above: Option<Above>,
}

impl Init {
    /// An init without children.
    pub const fn new(env: Env, entrypoint: Entrypoint, config: Config, above: Option<Above>) -> Self {
        Self { env, entrypoint, config, children: Vec::new(), sessions: Sessions::new(FIRST_SESSION), above }
    }

    /// What the configuration says of a child.
    pub fn start(&self, child: usize) -> &Start {
        &self.config.starts[child]
    }

    /// The portal of a child to init.
    pub fn portal(&self, child: usize) -> Result<Cap> {
        self.entrypoint.object((child as u64) << KIND_BITS | PARENT)
    }

    /// The portal of a ROM that init makes for a child.
    pub fn rom_portal(&mut self, child: usize, kind: Kind) -> Result<Cap> {
        let local = self.children[child].rom(kind);
        if local.portal.is_none() {
            let number = match kind {
                Kind::Config => CONFIG,
                Kind::Requests => SESSION_REQUESTS,
            };
            local.portal = self.entrypoint.object((child as u64) << KIND_BITS | number)?;
        }
        Ok(local.portal)
    }
}

impl Server for Init {
    fn call(&mut self, object: u64, incoming: Incoming) -> Answered {
        let Some(child) =
            usize::try_from(object >> KIND_BITS).ok().filter(|child| *child < self.children.len())
        else {
            return incoming.refuse(Failure::Gone);
        };
        let kind = match object & ((1 << KIND_BITS) - 1) {
            PARENT => return parent::Server::dispatch(&mut Parent { init: self, child }, incoming),
            CONFIG => Kind::Config,
            _ => Kind::Requests,
        };
        rom::Server::dispatch(&mut Called { init: self, child, kind }, incoming)
    }

    fn signal(&mut self, signal: u64, _: u64) -> u64 {
        match signal {
            START => {
                self.start_children();
                // What was asked for before the signal was named.
                self.serve_above();
            }
            SESSION => self.ask_parent(),
            REQUESTS => self.serve_above(),
            _ => {}
        }
        0
    }
}
