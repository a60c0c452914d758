// SPDX-License-Identifier: MIT
//! The NOVA personality: protection domains, threads, portals, semaphores, capabilities.
//!
//! It speaks the system interface of the NOVA microhypervisor, version 10, as Genode uses it.
//! A domain is a process with a space, a thread (an execution context) is a thread, and a
//! budget (a scheduling context) is a budget; a call moves the caller's budgets to the thread
//! behind the portal, and the reply moves them back.

#[cfg(test)]
mod audit;
pub mod bios;
pub mod call;
pub mod console;
pub mod control;
pub mod crd;
pub mod create;
pub mod frames;
pub mod image;
pub mod information;
pub mod ipc;
pub mod lifetime;
pub mod line;
pub mod memory;
pub mod message;
pub mod nodes;
mod own;
pub mod root;
pub mod semaphore;
pub mod serve;
mod shortage;
pub mod system;
pub mod things;
pub mod trail;
pub mod utcb;

use alloc::vec::Vec;

use self::call::Status;
use self::console::Console;
use self::control::Lent;
use self::crd::{Kind, Rights};
use self::line::Line;
use self::memory::Following;
use self::nodes::{DomainId, Nodes, Target};
use self::things::{Object, PortalId, SemaphoreId, Things};
use self::trail::Trail;
use crate::mem::shared::SharedFrame;
use crate::object::Objects;
use crate::object::budget::BudgetId;
use crate::object::processor::Processor;
use crate::object::scheduler::ThreadId;

/// The first address that programs do not have.
pub const USER_LIMIT: u64 = 0x7fff_c000_0000;

/// What programs of a NOVA system see.
pub struct Nova {
    /// Who has what from whom.
    nodes: Nodes<Object>,
    /// What there is.
    things: Things,
    /// The first domain, which may name what is the kernel's.
    root: DomainId,
    /// The domain that has what is the kernel's to give: all memory, all ports, all interrupts.
    kernel: DomainId,
    /// A domain that nobody names: it has the message pages of the first domain's threads, by the numbers of their
    /// frames, from where they are that domain's.
    pages: DomainId,
    /// Budgets without a name that drive somebody else still; there is room for all.
    leaving: Vec<BudgetId>,
    /// A budget that somebody has lent, until the scheduler decides anew.
    lent: Option<Lent>,
    /// A thread that has lost its last name while it ran.
    ended: Option<ThreadId>,
    /// Interrupt lines, by their numbers.
    lines: Vec<Line>,
    /// The page that tells programs of the machine.
    information: Option<SharedFrame>,
    /// The bits of MXCSR that the processor knows.
    mxcsr_mask: u32,
    /// The first domain's first thread, as long as it has a name.
    first: Option<ThreadId>,
    /// What the first serial port is looked at for.
    console: Console,
    /// The calls that were made last.
    trail: Trail,
    /// Whether each call is logged.
    logs_calls: bool,
}

/// Makes a function that finds what a selector of a thread names, if it is of that kind.
macro_rules! find {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $id:ty) => {
        $(#[$doc])*
        fn $name(&self, thread: ThreadId, selector: u64, right: u8) -> Result<$id, Status> {
            match self.find(thread, selector, right)? {
                Object::$kind(id) => Ok(id),
                _ => Err(Status::BadCapability),
            }
        }
    };
}

impl Nova {
    /// What a selector of a thread's domain names, if the domain may do with it what `right` says.
    fn find(&self, thread: ThreadId, selector: u64, right: u8) -> Result<Object, Status> {
        let domain = self.things.look(thread).domain;
        match self.nodes.get(domain, Kind::Object, selector) {
            Some((Target::Object(object), rights)) if rights.contains(Rights::new(right)) => Ok(object),
            _ => Err(Status::BadCapability),
        }
    }

    find!(
        /// The domain that a selector names.
        domain, Domain, DomainId
    );
    find!(
        /// The thread that a selector names.
        thread, Thread, ThreadId
    );
    find!(
        /// The portal that a selector names.
        portal, Portal, PortalId
    );
    find!(
        /// The semaphore that a selector names.
        semaphore, Semaphore, SemaphoreId
    );

    /// The nodes, and what follows them.
    fn following<'a, P: Processor>(
        &'a mut self,
        objects: &'a mut Objects<P>,
    ) -> (&'a mut Nodes<Object>, Following<'a, P>) {
        (&mut self.nodes, Following { objects, things: &mut self.things })
    }
}
