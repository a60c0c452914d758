// SPDX-License-Identifier: MIT
//! Threads: workers, which serve portals, and threads with time of their own.
//!
//! Stacks are memory of the root task, seen at the same address in every domain.

use core::arch::naked_asm;

use crate::crd::{ALL, Crd, EXECUTE, READ, WRITE};
use crate::event::{START_UP, mtd, offset};
use crate::start::Root;
use crate::utcb::{Item, Utcb};
use crate::worker::BEGINNING;
pub use crate::worker::{Handler, begin, portal_entry};
use crate::{EVENTS, PAGE, Status, grants, hypercall, supply};

/// What a thread with time of its own does: it gets its UTCB and an argument, and dies when it returns.
pub type Body = extern "C" fn(Utcb, u64);

/// The order of a stack's length in pages.
const STACK_ORDER: u64 = 1;
/// Where the events of a thread begin in the table of another domain than the root task's.
pub const EVENTS_ELSEWHERE: u64 = 0x20;

/// The first instruction of a thread with time of its own: RSP is at the beginning of the stack.
#[unsafe(naked)]
extern "C" fn started() {
    naked_asm!("mov rdi, [rsp]", "mov rsi, [rsp + 16]", "call [rsp + 8]", "ud2")
}

/// The entry of a portal that replies at once, whatever the message is.
#[must_use]
pub fn replying_entry() -> u64 {
    #[unsafe(naked)]
    extern "C" fn replies() {
        naked_asm!("mov edi, 1", "syscall", "ud2")
    }
    replies as *const () as u64
}

/// The address at which threads of this runtime begin.
#[must_use]
pub fn thread_entry() -> u64 {
    started as *const () as u64
}

/// A stack, by the address at which its thread begins.
///
/// # Panics
/// It panics if there is no memory for one.
#[must_use]
pub fn stack(root: Root, utcb: u64, function: u64, argument: u64) -> u64 {
    let top = grants::memory(root, STACK_ORDER) + (PAGE << STACK_ORDER) - BEGINNING;
    begin(top, utcb, function, argument);
    top
}

/// A domain that threads are made in.
#[derive(Clone, Copy, Debug)]
pub struct Domain {
    /// The selector of the domain, in the root task.
    pub pd: u64,
    /// Whether the domain is the root task's own.
    root: bool,
}

impl Domain {
    /// The domain of the root task.
    #[must_use]
    pub const fn own(root: Root) -> Self {
        Self { pd: root.pd, root: true }
    }

    /// A new domain with kernel memory, in pages, that sees text and data of the root task.
    ///
    /// # Panics
    /// It panics if the domain cannot be made.
    #[must_use]
    pub fn new(root: Root, pages: u64) -> Self {
        let domain = Self::bare(root, pages);
        domain.share_image(root);
        domain
    }

    /// The domain at a selector.
    #[must_use]
    pub const fn of(pd: u64) -> Self {
        Self { pd, root: false }
    }

    /// Delegates text and data of the root task.
    ///
    /// # Panics
    /// It panics if they cannot be delegated.
    pub fn share_image(self, root: Root) {
        let (start, data, end) = crate::start::image();
        self.share(root, start, data, READ | EXECUTE);
        self.share(root, data, end, READ | WRITE);
    }

    /// A new domain with kernel memory, in pages, and with nothing else.
    ///
    /// # Panics
    /// It panics if the domain cannot be made.
    #[must_use]
    pub fn bare(root: Root, pages: u64) -> Self {
        let pd = supply::selector();
        assert_eq!(
            hypercall::create_pd(pd, root.pd, Crd::NULL, 0, pages),
            Status::SUCCESS,
            "a domain is made"
        );
        Self::of(pd)
    }

    /// Delegates memory of the root task, from one address to another, at the same addresses.
    ///
    /// # Panics
    /// It panics if the memory cannot be delegated.
    pub fn share(self, root: Root, start: u64, end: u64, rights: u64) {
        let mut page = start / PAGE;
        let end = end.div_ceil(PAGE);
        while page < end {
            let order = u64::from(page.trailing_zeros()).min(u64::from((end - page).ilog2()));
            let range = Crd::memory(page, order, rights);
            let status =
                hypercall::delegate(root.utcb, root.pd, self.pd, range, &[Item::delegate(range, page)]);
            assert_eq!(status, Status::SUCCESS, "memory is delegated");
            page += 1 << order;
        }
    }

    /// Delegates selectors of the root task, 2^order of them, to a place in the domain.
    ///
    /// # Panics
    /// It panics if they cannot be delegated.
    pub fn give(self, root: Root, selector: u64, to: u64, order: u64) {
        let item = Item::delegate(Crd::object(selector, order, ALL), 0);
        let window = Crd::object(to, order, ALL);
        assert_eq!(
            hypercall::delegate(root.utcb, root.pd, self.pd, window, &[item]),
            Status::SUCCESS,
            "selectors are delegated"
        );
    }
}

/// A thread that serves portals on its callers' time.
#[derive(Clone, Copy, Debug)]
pub struct Worker {
    /// The selector of its execution context.
    pub ec: u64,
    /// Its UTCB, at its address in its domain.
    pub utcb: Utcb,
    /// Where it begins on its stack.
    pub top: u64,
}

impl Worker {
    /// A worker of a domain, with its events at an index of the domain's table.
    ///
    /// # Panics
    /// It panics if the worker cannot be made.
    #[must_use]
    pub fn new(root: Root, domain: Domain, event_base: u64, handler: Handler) -> Self {
        let (ec, utcb) = (supply::selector(), supply::pages(0));
        let top = stack(root, utcb, handler as *const () as u64, 0);
        if !domain.root {
            domain.share(root, top & !(PAGE - 1), top + BEGINNING, READ | WRITE);
        }
        assert_eq!(
            hypercall::create_ec(ec, domain.pd, utcb, top, event_base, false),
            Status::SUCCESS,
            "a worker is made"
        );
        Self { ec, utcb: Utcb::at(utcb), top }
    }

    /// Makes a portal of the worker at a selector.
    ///
    /// # Panics
    /// It panics if the portal cannot be made.
    pub fn portal_at(self, root: Root, selector: u64, mtd: u64, id: u64) {
        let status = hypercall::create_pt(selector, root.pd, self.ec, mtd, portal_entry());
        assert_eq!(status, Status::SUCCESS, "a portal is made");
        assert_eq!(hypercall::pt_ctrl(selector, id), Status::SUCCESS, "its id is set");
    }

    /// Makes a portal of the worker and returns its selector.
    #[must_use]
    pub fn portal(self, root: Root, id: u64) -> u64 {
        let selector = supply::selector();
        self.portal_at(root, selector, 0, id);
        selector
    }
}

/// The worker that tells new threads where they begin.
#[derive(Clone, Copy, Debug)]
pub struct Starter(Worker);

impl Starter {
    /// A starter; one is enough.
    #[must_use]
    pub fn new(root: Root) -> Self {
        Self(Worker::new(root, Domain::own(root), supply::event_base(), tell_beginning))
    }
}

/// Answers the event of start-up; the portal's id is where the thread begins on its stack.
extern "C" fn tell_beginning(id: u64, utcb: Utcb) -> u64 {
    utcb.put(offset::MTD, mtd::RIP | mtd::RSP);
    utcb.put(offset::RIP, thread_entry());
    utcb.put(offset::RSP, id);
    0
}

/// A thread with time of its own.
#[derive(Clone, Copy, Debug)]
pub struct Thread {
    /// The selector of its execution context.
    pub ec: u64,
    /// The selector of its scheduling context.
    pub sc: u64,
    /// The first selector of its events, in the root task.
    pub events: u64,
    /// Its UTCB, at its address in its domain.
    pub utcb: Utcb,
    /// Where it begins on its stack.
    top: u64,
}

impl Thread {
    /// A thread of a domain that does not run yet; elsewhere than in the root task its events are at
    /// [`EVENTS_ELSEWHERE`].
    ///
    /// # Panics
    /// It panics if the thread cannot be made.
    #[must_use]
    pub fn new(root: Root, starter: Starter, domain: Domain, body: Body, argument: u64) -> Self {
        let (ec, sc) = (supply::selector(), supply::selector());
        let (events, utcb) = (supply::event_base(), supply::pages(0));
        let top = stack(root, utcb, body as *const () as u64, argument);
        starter.0.portal_at(root, events + START_UP, mtd::RIP | mtd::RSP, top);
        let mut base = events;
        if !domain.root {
            domain.share(root, top & !(PAGE - 1), top + BEGINNING, READ | WRITE);
            domain.give(root, events + START_UP, EVENTS_ELSEWHERE + START_UP, 0);
            base = EVENTS_ELSEWHERE;
        }
        assert_eq!(
            hypercall::create_ec(ec, domain.pd, utcb, 0, base, true),
            Status::SUCCESS,
            "a thread is made"
        );
        Self { ec, sc, events, utcb: Utcb::at(utcb), top }
    }

    /// Gives the thread time, at a priority; one above the caller's runs at once.
    ///
    /// # Panics
    /// It panics if it cannot be given time.
    pub fn run(self, root: Root, priority: u64) -> Self {
        self.run_for(root, priority, 10_000)
    }

    /// Gives the thread time, at a priority and in slices of so many microseconds.
    ///
    /// # Panics
    /// It panics if it cannot be given time.
    pub fn run_for(self, root: Root, priority: u64, slice: u64) -> Self {
        assert_eq!(
            hypercall::create_sc(self.sc, root.pd, self.ec, priority, slice),
            Status::SUCCESS,
            "a thread gets time"
        );
        self
    }

    /// Destroys the thread, its portals and its stack.
    pub fn destroy(self) {
        let _ = hypercall::revoke_all(Crd::object(self.sc, 0, ALL));
        let _ = hypercall::revoke_all(Crd::object(self.ec, 0, ALL));
        let _ = hypercall::revoke_all(Crd::object(self.events, u64::from(EVENTS.ilog2()), ALL));
        let _ = hypercall::revoke_all(Crd::memory((self.top / PAGE) & !1, STACK_ORDER, ALL));
    }
}
