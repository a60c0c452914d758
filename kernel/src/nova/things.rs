// SPDX-License-Identifier: MIT
//! The objects that capabilities name, and how long they live.
//!
//! An object is there as long as it has a name (a node of some domain) or somebody uses it: a portal
//! its thread, a budget its thread, a thread its domain, a signal its semaphore. One that has
//! lost its last name is told so; what that means differs by its kind.

use alloc::vec::Vec;

use arrayvec::ArrayString;
use wire::record::MAX_LABEL_LEN;

use super::crd::Rights;
use super::nodes::DomainId;
use super::utcb::Mtd;
use crate::mem::fallible::{self, Exhausted};
use crate::mem::shared::SharedFrame;
use crate::object::budget::BudgetId;
use crate::object::scheduler::ThreadId;
use crate::object::table::{Name, Table, name};
use crate::object::{ProcessId, SpaceId};

name! {
    /// Names a portal.
    PortalId
}
name! {
    /// Names a semaphore.
    SemaphoreId
}

/// What a capability names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// A protection domain.
    Domain(DomainId),
    /// A thread: an execution context.
    Thread(ThreadId),
    /// A budget: a scheduling context.
    Budget(BudgetId),
    /// A portal.
    Portal(PortalId),
    /// A semaphore, or a signal.
    Semaphore(SemaphoreId),
    /// The budget of the first processor when nobody has one; it is there as long as the kernel.
    Idle,
}

impl Object {
    /// What a capability may be used for that is made with the object.
    pub const fn rights(self) -> Rights {
        Rights::new(match self {
            Self::Domain(_) => 0x1f,
            Self::Thread(_) => 0x0d,
            Self::Budget(_) | Self::Idle => 0x01,
            Self::Portal(_) => 0x13,
            Self::Semaphore(_) => 0x03,
        })
    }
}

/// Who knows an object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// Nodes that name it.
    names: u32,
    /// Others that need it.
    uses: u32,
    /// Whether it is among those that are to be seen to.
    is_lost: bool,
}

impl Known {
    /// Whether a node names it.
    pub const fn is_named(&self) -> bool {
        self.names > 0
    }

    /// Whether others need it.
    pub const fn is_used(&self) -> bool {
        self.uses > 0
    }
}

/// An object, and who knows it.
pub struct Counted<T> {
    /// The object.
    pub object: T,
    /// Who knows it.
    pub known: Known,
}

impl<T> Counted<T> {
    /// An object that nobody knows yet.
    pub fn new(object: T) -> Self {
        Self { object, known: Known::default() }
    }
}

/// Kernel memory that a domain may use, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// The most that it may use.
    pub limit: u64,
    /// How much of that it can give to nobody.
    pub kept: u64,
    /// What it uses for objects, names and message pages, in bytes.
    pub used: u64,
    /// Its page tables.
    pub tables: u64,
}

impl Quota {
    /// Pages that it uses, in whole ones.
    pub const fn usage(&self) -> u64 {
        self.used.div_ceil(pages::PAGE_LEN as u64) + self.tables
    }

    /// Pages that it can still use.
    pub const fn free(&self) -> u64 {
        self.limit.saturating_sub(self.usage())
    }

    /// Takes bytes, if there are so many.
    pub fn charge(&mut self, bytes: u64) -> Result<(), Exhausted> {
        let after = Self { used: self.used + bytes, ..*self };
        if after.usage() > self.limit {
            return Err(Exhausted);
        }
        *self = after;
        Ok(())
    }

    /// Notes how many page tables there are by now; fails if these are more than it may use.
    pub fn note_tables(&mut self, tables: u64) -> Result<(), Exhausted> {
        self.tables = tables;
        if self.usage() > self.limit { Err(Exhausted) } else { Ok(()) }
    }

    /// Gives bytes back.
    pub fn refund(&mut self, bytes: u64) {
        self.used -= bytes;
    }

    /// Pages that it can give away.
    pub fn spare(&self) -> u64 {
        self.free().min(self.limit.saturating_sub(self.kept))
    }
}

/// A protection domain.
pub struct Domain {
    /// The process that its threads belong to, and the space that they run in; the kernel's own domain has none.
    pub group: Option<(ProcessId, SpaceId)>,
    /// What it may use of the kernel's memory.
    pub quota: Quota,
    /// The domain from which it has that, if any has given it.
    pub parent: Option<DomainId>,
    /// What the first domain calls it, if it does.
    pub label: ArrayString<MAX_LABEL_LEN>,
}

impl Domain {
    /// The process that its threads belong to, and the space that they run in.
    ///
    /// # Panics
    /// If it is the kernel's own.
    pub fn group(&self) -> (ProcessId, SpaceId) {
        match self.group {
            Some(group) => group,
            None => panic!("nobody runs in the kernel's own domain"),
        }
    }
}

/// What a thread does when it comes to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// It is a worker that nobody has called.
    Idle,
    /// It goes on in user mode.
    User,
    /// It makes its call anew, as its registers say.
    Call,
    /// It waits for the reply to its call.
    Reply,
    /// It waits for the handler of those that have too little kernel memory.
    Short(Anew),
    /// It tells the handler of an event.
    Event(Event),
    /// It waits for what the handler of an event says.
    EventReply,
    /// It waits for a semaphore, to go on in user mode.
    Down(SemaphoreId),
    /// It is parked on a semaphore, to make its call anew.
    ParkedCall(SemaphoreId),
    /// It is parked on a semaphore, to go on in user mode: its handler has put it there.
    ParkedEvent(SemaphoreId),
    /// Never again.
    Dead,
}

/// What a thread does anew when its domain may use more kernel memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anew {
    /// It makes its call.
    Call,
    /// It executes the instruction that needed a page table.
    Instruction,
}

impl Anew {
    /// What it does when it comes to run.
    pub const fn resume(self) -> Resume {
        match self {
            Self::Call => Resume::Call,
            Self::Instruction => Resume::User,
        }
    }
}

/// Something that a thread's handler is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number: that of an exception, or one of NOVA's own.
    pub number: u8,
    /// What the exception says of itself.
    pub qualification: [u64; 2],
}

impl Event {
    /// A thread begins.
    pub const STARTUP: u8 = 0x1e;
    /// A thread was recalled.
    pub const RECALL: u8 = 0x1f;

    /// An event that says nothing of itself.
    pub const fn plain(number: u8) -> Self {
        Self { number, qualification: [0; 2] }
    }
}

/// A thread's message page.
pub struct MessagePage {
    /// The page.
    pub frame: SharedFrame,
    /// Where the thread finds it.
    pub address: u64,
}

/// A thread.
pub struct Context {
    /// The domain that it runs in.
    pub domain: DomainId,
    /// Whether it has budgets of its own and not those of its callers.
    pub is_global: bool,
    /// Its message page, unless that was taken from it.
    pub page: Option<MessagePage>,
    /// Where in its domain's table the portals for its events are.
    pub event_base: u64,
    /// What it does when it comes to run.
    pub resume: Resume,
    /// The thread whose call or event it serves.
    pub caller: Option<ThreadId>,
    /// The thread that it waits for: the one that serves it, or the one that is to become free for it.
    pub partner: Option<ThreadId>,
    /// Whether its handler is to be told before it enters user mode.
    pub is_recalled: bool,
    /// The portal that is called when its domain has too little kernel memory.
    pub short: Option<PortalId>,
}

/// A portal.
#[derive(Clone, Copy)]
pub struct Portal {
    /// The domain that was charged for it.
    pub domain: DomainId,
    /// Who serves what comes through it.
    pub thread: ThreadId,
    /// Which registers it asks for of one that has an event.
    pub mtd: Mtd,
    /// Where the thread begins to serve.
    pub entry: u64,
    /// The number by which the thread tells its portals apart.
    pub number: u64,
}

/// A semaphore, or a signal that another one is told of.
#[derive(Clone, Copy, Debug)]
pub struct Semaphore {
    /// The domain that was charged for it.
    pub domain: DomainId,
    /// How often it was raised that nobody has waited for.
    pub count: u64,
    /// For a signal, who is told of it.
    pub chained: Option<SemaphoreId>,
    /// What a signal tells.
    pub value: u64,
    /// For a semaphore, the signals that it was told of; for a signal, its place among these.
    pub queue: Queue,
    /// The interrupt that raises it.
    pub line: Option<u8>,
}

/// A queue of signals, or a signal's place in one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue {
    /// The first signal; of a signal, the one behind it.
    pub next: Option<SemaphoreId>,
    /// The last signal; of a signal, the one in front of it.
    pub previous: Option<SemaphoreId>,
    /// Whether this signal stands in a queue.
    pub holds: bool,
}

/// Objects whose names are given by others: each by its place.
pub struct Beside<T>(Vec<Option<Counted<T>>>);

impl<T> Default for Beside<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Beside<T> {
    /// Makes room for an object of this name.
    pub fn reserve(&mut self, name: impl Name) -> Result<(), Exhausted> {
        let needed = (name.place() + 1).max(self.0.len());
        fallible::resize(&mut self.0, needed, || None)
    }

    /// Puts an object into room that was made before.
    pub fn insert_reserved(&mut self, name: impl Name, object: T) {
        self.0[name.place()] = Some(Counted::new(object));
    }

    /// An object, if there is one of that name.
    pub fn get(&self, name: impl Name) -> Option<&Counted<T>> {
        self.0.get(name.place())?.as_ref()
    }

    /// An object, if there is one of that name, to be changed.
    pub fn get_mut(&mut self, name: impl Name) -> Option<&mut Counted<T>> {
        self.0.get_mut(name.place())?.as_mut()
    }

    /// All objects.
    #[cfg(test)]
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten().map(|counted| &counted.object)
    }

    /// Takes an object out.
    pub fn remove(&mut self, name: impl Name) -> Option<T> {
        self.0.get_mut(name.place())?.take().map(|counted| counted.object)
    }
}

/// All objects that capabilities name.
#[derive(Default)]
pub struct Things {
    /// Domains.
    pub domains: Table<DomainId, Counted<Domain>>,
    /// Threads, by the names that the kernel gives them.
    pub threads: Beside<Context>,
    /// Budgets, by the names that the scheduler gives them: the domain that was charged for each.
    pub budgets: Beside<DomainId>,
    /// Portals.
    pub portals: Table<PortalId, Counted<Portal>>,
    /// Semaphores and signals.
    pub semaphores: Table<SemaphoreId, Counted<Semaphore>>,
    /// Objects that have lost their last name, or their last user when they had no name: there is room for all.
    lost: Vec<Object>,
    /// How many objects there are.
    count: usize,
}

impl Things {
    /// A thread.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn thread(&mut self, id: ThreadId) -> &mut Context {
        match self.threads.get_mut(id) {
            Some(counted) => &mut counted.object,
            None => panic!("{id:?} is no thread of a domain"),
        }
    }

    /// A thread that is only looked at.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn look(&self, id: ThreadId) -> &Context {
        match self.threads.get(id) {
            Some(counted) => &counted.object,
            None => panic!("{id:?} is no thread of a domain"),
        }
    }

    /// Makes sure that one more object can be made, and lost.
    pub fn reserve(&mut self) -> Result<(), Exhausted> {
        let more = (self.count + 1).saturating_sub(self.lost.len());
        fallible::reserve(&mut self.lost, more)
    }

    /// Notes that an object was made, for which there is room.
    pub fn note_made(&mut self) {
        self.count += 1;
    }

    /// Notes that an object is gone.
    pub fn note_gone(&mut self) {
        self.count -= 1;
    }

    /// Who knows an object.
    pub fn known(&mut self, object: Object) -> Option<&mut Known> {
        Some(match object {
            Object::Domain(id) => &mut self.domains[id].known,
            Object::Thread(id) => &mut self.threads.get_mut(id)?.known,
            Object::Budget(id) => &mut self.budgets.get_mut(id)?.known,
            Object::Portal(id) => &mut self.portals[id].known,
            Object::Semaphore(id) => &mut self.semaphores[id].known,
            Object::Idle => return None,
        })
    }

    /// A node names an object.
    pub fn name(&mut self, object: Object) {
        if let Some(known) = self.known(object) {
            known.names += 1;
        }
    }

    /// Somebody needs an object.
    pub fn use_object(&mut self, object: Object) {
        if let Some(known) = self.known(object) {
            known.uses += 1;
        }
    }

    /// A node names an object no longer.
    pub fn unname(&mut self, object: Object) {
        if let Some(known) = self.known(object) {
            known.names -= 1;
            if known.names == 0 {
                self.lose(object);
            }
        }
    }

    /// Somebody needs an object no longer.
    pub fn release(&mut self, object: Object) {
        if let Some(known) = self.known(object) {
            known.uses -= 1;
            if known.uses == 0 && known.names == 0 {
                self.lose(object);
            }
        }
    }

    /// An object was made that gets no name.
    pub fn forsake(&mut self, object: Object) {
        self.lose(object);
    }

    fn lose(&mut self, object: Object) {
        let is_lost = self.known(object).is_none_or(|known| core::mem::replace(&mut known.is_lost, true));
        if !is_lost {
            fallible::push_reserved(&mut self.lost, object);
        }
    }

    /// An object that has been lost, and that is to be seen to.
    pub fn take_lost(&mut self) -> Option<Object> {
        let object = self.lost.pop()?;
        if let Some(known) = self.known(object) {
            known.is_lost = false;
        }
        Some(object)
    }
}
