// SPDX-License-Identifier: MIT
//! All that core knows, and the ways to its objects.

use alloc::vec::Vec;

use genode_ledger::account::Short;
use genode_ledger::frames::Frames;
use genode_ledger::table::Table;
use genode_rt::cap::WINDOW_ORDER;
use genode_rt::services::log;
use genode_rt::{Cap, Failure, PAGE, Result};
use nova_rt::crd::{ALL, Crd};
use nova_rt::start::Root;
use nova_rt::{Status, Utcb, hypercall, worker};

use crate::machine::Module;
use crate::object::{Content, Dataspace, Id, Kind, Object, Parent, Pd, Session};

/// Where the selectors of objects begin.
const OBJECTS: u64 = 1 << 24;
/// The most objects that there are.
pub const MOST_OBJECTS: usize = 1 << 16;
/// Kernel memory that a domain is given at once when it has used up its own, in pages.
const KERNEL_PIECE: u64 = 8;

/// All that core knows.
#[derive(Debug)]
pub struct Core {
    /// What core began with.
    pub root: Root,
    /// The page in which the worker gets and sends messages.
    pub utcb: Utcb,
    /// The worker's context.
    pub context: u64,
    /// Frames that are free.
    pub frames: Frames,
    /// Frames that no session of a device has.
    pub device_memory: Frames,
    /// Ports that no session has.
    pub ports: Frames,
    /// Lines that no session has.
    pub lines: Frames,
    /// The modules.
    pub modules: Vec<Module>,
    /// What core's capabilities stand for.
    pub objects: Table<Object>,
    /// Where the capabilities of the current message came.
    pub window: Crd,
    /// What of the current message is kept; all else of it is given back.
    pub kept: Option<Cap>,
    /// The semaphore at which threads wait that will never go on.
    pub never: Cap,
}

/// Which kinds of objects there are, by how they are found.
macro_rules! ways {
    ($($(#[$doc:meta])* $name:ident, $name_mut:ident: $kind:ty = $pattern:pat => $value:expr;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&self, id: Id) -> Result<&$kind> {
                match self.objects.get(id) {
                    Some($pattern) => Ok($value),
                    _ => Err(Failure::BadCapability),
                }
            }

            $(#[$doc])*
            pub fn $name_mut(&mut self, id: Id) -> Result<&mut $kind> {
                match self.objects.get_mut(id) {
                    Some($pattern) => Ok($value),
                    _ => Err(Failure::BadCapability),
                }
            }
        )*
    };
}

impl Core {
    ways! {
        /// A component's parent.
        parent, parent_mut: Parent = Object::Parent(parent) => parent;
        /// A session.
        session, session_mut: Session = Object::Session(session) => session;
        /// A dataspace.
        dataspace, dataspace_mut: Dataspace = Object::Dataspace(dataspace) => dataspace;
        /// A thread.
        thread, thread_mut: crate::object::Thread = Object::Thread(thread) => thread;
        /// A region map.
        map, map_mut: crate::object::Map = Object::Map(map) => map;
    }

    /// A domain by its session.
    pub fn pd(&self, id: Id) -> Result<&Pd> {
        match &self.session(id)?.kind {
            Kind::Pd(pd) => Ok(pd),
            _ => Err(Failure::BadCapability),
        }
    }

    /// A domain by its session, to be changed.
    pub fn pd_mut(&mut self, id: Id) -> Result<&mut Pd> {
        match &mut self.session_mut(id)?.kind {
            Kind::Pd(pd) => Ok(pd),
            _ => Err(Failure::BadCapability),
        }
    }

    /// The selector of an object.
    pub const fn cap(id: Id) -> Cap {
        Cap::at(OBJECTS + id as u64)
    }

    /// The object that a capability which came in a message stands for.
    pub fn id(&self, cap: Cap) -> Result<Id> {
        let id = cap.selector().checked_sub(OBJECTS).ok_or(Failure::BadCapability)?;
        let id = usize::try_from(id).map_err(|_| Failure::BadCapability)?;
        self.objects.get(id).map(|_| id).ok_or(Failure::BadCapability)
    }

    /// The domain that a capability which came in a message stands for.
    pub fn pd_of(&self, cap: Cap) -> Result<Id> {
        let id = self.id(cap)?;
        self.pd(id).map(|_| id)
    }

    /// Keeps a capability that came in a message, in the place of one from an earlier message.
    ///
    /// One that core had before is refused: it is of an object that somebody got from core, and not to be given up with
    /// what was kept.
    pub fn keep(&mut self, cap: Cap, place: fn(&mut Self, Id) -> Result<&mut Cap>, id: Id) -> Result<()> {
        if !cap.is_none() && !self.has_come(cap) {
            return Err(Failure::BadCapability);
        }
        let before = core::mem::replace(place(self, id)?, cap);
        self.kept = Some(cap);
        before.release();
        Ok(())
    }

    /// Whether a capability came with the current message.
    fn has_come(&self, cap: Cap) -> bool {
        let first = self.window.base();
        (first..first + (1 << WINDOW_ORDER)).contains(&cap.selector())
    }

    /// Enters an object that can be called.
    pub fn enter(&mut self, object: Object) -> Result<Id> {
        let id = self.objects.add(object).map_err(|_| Failure::OutOfCaps)?;
        let selector = Self::cap(id).selector();
        let made = hypercall::create_pt(selector, self.root.pd, self.context, 0, worker::portal_entry())
            == Status::SUCCESS
            && hypercall::pt_ctrl(selector, id as u64) == Status::SUCCESS
            && hypercall::seal(selector) == Status::SUCCESS;
        if !made {
            self.leave(id);
            return Err(Failure::OutOfKernelMemory);
        }
        Ok(id)
    }

    /// Enters memory, which nobody calls: its capability is a name and nothing else.
    pub fn enter_dataspace(&mut self, dataspace: Dataspace) -> Result<Id> {
        let id = self.objects.add(Object::Dataspace(dataspace)).map_err(|_| Failure::OutOfCaps)?;
        if hypercall::create_sm(Self::cap(id).selector(), self.root.pd, 0) != Status::SUCCESS {
            self.leave(id);
            return Err(Failure::OutOfKernelMemory);
        }
        Ok(id)
    }

    /// Takes an object out, with its capability from all who have it.
    pub fn leave(&mut self, id: Id) -> Option<Object> {
        Self::cap(id).release();
        self.objects.remove(id)
    }

    /// An object of which something holds.
    pub fn find(&self, holds: impl Fn(&Object) -> bool) -> Option<Id> {
        self.objects.iter().find(|(_, object)| holds(object)).map(|(id, _)| id)
    }

    /// Gives a domain kernel memory, for which it pays with RAM quota.
    pub fn fund(&mut self, pd: Id, pages: u64) -> Result<()> {
        let root = self.root.pd;
        let pd = self.pd_mut(pd)?;
        let bytes = pages.checked_mul(PAGE).ok_or(Failure::BadArgument)?;
        pd.ram.charge(bytes).map_err(|Short| Failure::OutOfRam)?;
        match hypercall::transfer(root, pd.domain.selector(), pages) {
            Status::SUCCESS => Ok(()),
            _ => {
                pd.ram.refund(bytes);
                Err(Failure::OutOfKernelMemory)
            }
        }
    }

    /// Has a hypercall done for a domain, again with more kernel memory if it was too little.
    pub fn with_memory_of(&mut self, pd: Id, mut call: impl FnMut(&Self) -> Status) -> Result<()> {
        let mut status = call(self);
        if status == Status::OUT_OF_MEMORY {
            self.fund(pd, KERNEL_PIECE)?;
            status = call(self);
        }
        match status {
            Status::SUCCESS => Ok(()),
            Status::OUT_OF_MEMORY => Err(Failure::OutOfKernelMemory),
            _ => Err(Failure::BadArgument),
        }
    }

    /// Gives a domain one of core's capabilities at a place of its own.
    pub fn give(&mut self, pd: Id, cap: Cap, rights: u64, to: u64) -> Result<()> {
        let domain = self.pd(pd)?.domain.selector();
        let item = nova_rt::Item::delegate(Crd::object(cap.selector(), 0, rights), 0);
        self.with_memory_of(pd, |core| {
            hypercall::delegate(core.utcb, core.root.pd, domain, Crd::object(to, 0, ALL), &[item])
        })
    }

    /// Gives frames back.
    pub fn free_frames(&mut self, content: Content, count: u64) {
        if let Content::Ram(frame, _) = content {
            // A list that cannot grow loses the frames: nobody gets them twice.
            let _ = self.frames.add(frame..frame + count);
        }
    }

    /// Prints lines of a session.
    pub fn print(label: &str, text: &str) {
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            nova_rt::line!("[{label}] {line}");
        }
    }
}

/// A session of output.
pub struct Output<'a>(pub &'a mut Core, pub Id);

impl log::Server for Output<'_> {
    fn write(&mut self, text: genode_rt::services::Line) -> Result<()> {
        Core::print(&self.0.session(self.1)?.label, &text);
        Ok(())
    }
}
