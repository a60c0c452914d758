// SPDX-License-Identifier: MIT
//! What the child sees as its parent.

use genode_rt::entrypoint::Server;
use genode_rt::message::{Answered, Incoming};
use genode_rt::services::{Args, Name, parent};
use genode_rt::signal::submit;
use genode_rt::{Cap, Failure, Result};

use crate::trial;

/// The numbers of the child's parent and of its task.
pub const PARENT: u64 = 1;
pub const TASK: u64 = 2;

/// What the child says that it did begins here if it is wrong.
pub const WRONG: u64 = 1 << 32;

/// What the child sees, and what it did.
pub struct Family {
    /// Its first sessions.
    pub environment: (Cap, Cap, Cap),
    /// Its task.
    pub task: Cap,
    /// What it is started for.
    pub role: u64,
    /// What it did last, and the signal of that.
    pub done: u64,
    /// What is sent when it did something.
    pub news: Cap,
}

impl Family {
    /// Notes what the child did, unless it did something wrong before.
    fn note(&mut self, done: u64) {
        if self.done < WRONG {
            self.done = done;
        }
        submit(self.news);
    }
}

impl trial::Server for Family {
    fn role(&mut self) -> Result<u64> {
        Ok(self.role)
    }

    fn next(&mut self, done: u64) -> Result<u64> {
        self.note(done);
        Ok(done + 1)
    }
}

impl Server for Family {
    fn call(&mut self, object: u64, incoming: Incoming) -> Answered {
        match object {
            PARENT => parent::Server::dispatch(self, incoming),
            TASK => trial::Server::dispatch(self, incoming),
            _ => incoming.refuse(Failure::Gone),
        }
    }

    fn signal(&mut self, _: u64, _: u64) -> u64 {
        self.done
    }
}

/// Operations of a parent that this one refuses.
macro_rules! refused {
    ($($name:ident($($type:ty),*) $(-> $result:ty)?;)*) => {
        $(fn $name(&mut self, $(_: $type),*) -> Result<refused!(@ $($result)?)> {
            Err(Failure::Denied)
        })*
    };
    (@) => { () };
    (@ $result:ty) => { $result };
}

impl parent::Server for Family {
    fn exit(&mut self, value: u64) -> Result<()> {
        self.note(WRONG + value);
        Ok(())
    }

    fn session(&mut self, _: u64, service: Name, _: Args) -> Result<Cap> {
        if &*service == trial::NAME { Ok(self.task) } else { Err(Failure::Denied) }
    }

    fn environment(&mut self) -> Result<(Cap, Cap, Cap)> {
        Ok(self.environment)
    }

    refused! {
        announce(Name);
        session_cap(u64) -> Cap;
        session_sigh(Cap);
        upgrade(u64, Args);
        close(u64);
        session_response(u64, u64);
        deliver_session_cap(u64, Cap);
        main_thread() -> Cap;
        resource_avail_sigh(Cap);
        resource_request(Args);
        yield_sigh(Cap);
        yield_request() -> Args;
        yield_response();
        heartbeat_sigh(Cap);
        heartbeat_response();
    }
}
