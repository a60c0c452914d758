// SPDX-License-Identifier: MIT
//! A child: what init keeps of it while it runs.

use genode_rt::Cap;
use genode_rt::services::pd;

use crate::rom::{Kind, Local};

/// How far a child has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Sessions of its environment are missing.
    Incomplete,
    /// Its first thread was started, or could not be.
    Started,
    /// It said with which value it ended.
    Exited,
}

/// A child.
#[derive(Debug)]
pub struct Child {
    /// How far it has come.
    pub state: State,
    /// The portal by which it finds init.
    pub parent: Cap,
    /// Its domain, as soon as there is one.
    pub pd: Option<pd::Client>,
    /// Its first thread, or none.
    pub thread: Cap,
    /// The signal of sessions that are there.
    pub session_sigh: Cap,
    /// The signal of more resources.
    pub resource_sigh: Cap,
    /// The ROM of its configuration.
    config: Local,
    /// The ROM of what its clients ask it for.
    requests: Local,
}

impl Child {
    /// A child of which there is nothing yet.
    pub const fn new() -> Self {
        Self {
            state: State::Incomplete,
            parent: Cap::NONE,
            pd: None,
            thread: Cap::NONE,
            session_sigh: Cap::NONE,
            resource_sigh: Cap::NONE,
            config: Local::new(),
            requests: Local::new(),
        }
    }

    /// A ROM that init makes for the child.
    pub const fn rom(&mut self, kind: Kind) -> &mut Local {
        match kind {
            Kind::Config => &mut self.config,
            Kind::Requests => &mut self.requests,
        }
    }
}

/// Puts a capability in the place of an earlier one, which goes unless it is the same.
pub fn replace(place: &mut Cap, cap: Cap) {
    let before = core::mem::replace(place, cap);
    if before != cap {
        before.release();
    }
}
