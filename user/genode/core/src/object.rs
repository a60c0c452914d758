// SPDX-License-Identifier: MIT
//! What core's capabilities stand for.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use genode_ledger::account::Account;
use genode_ledger::regions::Regions;
use genode_rt::Cap;
use genode_rt::services::Name;

/// The number of an object, of which its selector and the number of its portal follow.
pub type Id = usize;

/// What a capability stands for.
#[derive(Debug)]
pub enum Object {
    /// What a component sees as its parent.
    Parent(Box<Parent>),
    /// A session.
    Session(Box<Session>),
    /// A thread.
    Thread(Box<Thread>),
    /// Memory.
    Dataspace(Dataspace),
    /// A region map that is no address space.
    Map(Box<Map>),
    /// The address space of the domain of a session.
    AddressSpace(Id),
}

/// What a component sees as its parent.
#[derive(Debug, Default)]
pub struct Parent {
    /// The component's name, which all labels of its sessions begin with; core's own is empty.
    pub name: String,
    /// The session of its domain, which pays for its sessions.
    pub pd: Id,
    /// Its first sessions: domain, threads, output.
    pub environment: [Cap; 3],
    /// Its sessions by the numbers that it chose.
    pub sessions: Vec<(u64, Id)>,
}

/// A session.
#[derive(Debug)]
pub struct Session {
    /// The label.
    pub label: String,
    /// RAM in bytes and capabilities that were given for it.
    pub given: (u64, u64),
    /// What it is for.
    pub kind: Kind,
}

/// What a session is for.
#[derive(Debug)]
pub enum Kind {
    /// A domain.
    Pd(Box<Pd>),
    /// Threads, at a priority.
    Cpu {
        /// The priority that the kernel knows.
        priority: u64,
        /// The signal of exceptions.
        sigh: Cap,
    },
    /// Output.
    Log,
    /// A module.
    Rom(Id),
    /// Region maps.
    Rm,
    /// Memory of a device.
    IoMem(Id),
    /// Ports: the first one, how many, and the domains that were given them.
    IoPort(u64, u64, Vec<Id>),
    /// A line: its number, its semaphore, and the signal that is sent.
    Irq(u64, Cap, Cap),
}

/// A protection domain.
#[derive(Debug)]
pub struct Pd {
    /// The kernel's object.
    pub domain: Cap,
    /// RAM in bytes.
    pub ram: Account,
    /// Capabilities.
    pub caps: Account,
    /// The session of the domain with which quota is exchanged.
    pub reference: Option<Id>,
    /// The address space.
    pub regions: Regions<Id>,
    /// Its capability as a region map, once somebody asked for it.
    pub address_space: Option<Id>,
    /// The portal to its parent.
    pub parent: Cap,
    /// The first selector of the portals of its threads' events.
    pub events: u64,
}

/// A thread.
#[derive(Debug)]
pub struct Thread {
    /// The session of its domain.
    pub pd: Id,
    /// The session that it was made by.
    pub cpu: Id,
    /// Its name.
    pub name: Name,
    /// The slot of its stack.
    pub slot: u64,
    /// Its context, and what gives it time.
    pub context: Cap,
    /// What gives it time, none before it is started.
    pub time: Cap,
    /// Whether it has time of its own.
    pub is_global: bool,
    /// Where it begins or was stopped last: instruction and stack.
    pub at: (u64, u64),
    /// The semaphore that holds it while it is paused.
    pub pause: Cap,
    /// Whether it is to be held.
    pub is_paused: bool,
    /// The signal of its exceptions.
    pub sigh: Cap,
}

/// Memory: frames, or a region map seen as memory.
#[derive(Clone, Copy, Debug)]
pub struct Dataspace {
    /// What it shows.
    pub content: Content,
    /// How many pages there are.
    pub count: u64,
    /// The bytes of it that mean something.
    pub size: u64,
    /// Whether it may be written.
    pub is_writable: bool,
}

/// What a dataspace shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Frames that a domain paid for, by its session.
    Ram(u64, Id),
    /// Frames that are nobody's: of modules and devices.
    Fixed(u64),
    /// A region map.
    Map(Id),
}

/// A region map.
#[derive(Debug)]
pub struct Map {
    /// What is attached.
    pub regions: Regions<Id>,
    /// The session that it was made by.
    pub session: Id,
    /// The map as memory.
    pub dataspace: Option<Id>,
    /// The signal of faults.
    pub handler: Cap,
    /// The semaphore that holds threads with faults.
    pub held: Cap,
    /// Faults: whether it is a write, and where.
    pub faults: Vec<(bool, u64)>,
}
