// SPDX-License-Identifier: MIT
//! From the first instruction to a running init.
//!
//! The main thread makes the worker, moves to a stack and a message page that lie where a component has them, and then
//! starts init as a client of the worker.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use genode_ledger::account::Account;
use genode_ledger::frames::Frames;
use genode_ledger::regions::Regions;
use genode_ledger::table::Table;
use genode_rt::entrypoint::{settle, top};
use genode_rt::layout::{ATTACHED, ATTACHED_END, DOMAIN, STACK, stack, utcb};
use genode_rt::loader::{Parts, Unstarted, start};
use genode_rt::message::{Answered, Incoming, call};
use genode_rt::rpc::Service;
use genode_rt::services::{Name, cpu, environment, log, parent, pd, rom};
use genode_rt::utcb::go_on;
use genode_rt::{Cap, PAGE, Result};
use nova_rt::crd::{ALL, Crd, READ, WRITE};
use nova_rt::start::Root;
use nova_rt::utcb::Item;
use nova_rt::{Hip, Status, Utcb, hypercall, line, supply};

use crate::machine;
use crate::object::{Id, Kind, Object, Parent, Pd, Session};
use crate::pager;
use crate::state::Core;
use crate::{devices, heap, kernel, sessions};

/// The slots of the main thread's stack and of the worker's.
const MAIN: u64 = 0;
const WORKER: u64 = 1;
/// Where the worker's events would be. It has no portals for them: a fault of core is an error of core.
const WORKER_EVENTS: u64 = 0x800;
/// Core's own heap, as an order of pages: 4 MiB.
const HEAP_ORDER: u64 = 10;
/// Capabilities of the whole system, and those that core keeps.
const CAPS: u64 = 20_000;
const OWN_CAPS: u64 = 1_000;
/// RAM that core keeps.
const OWN_RAM: u64 = 224 << 10;
/// The objects that there are from the beginning: core as its own parent, and its own domain.
const OWN_PARENT: Id = 0;
const OWN_PD: Id = 1;
/// The name of the component that all others come from.
const INIT: &str = "init";

/// The call by which core's main thread has a component get a parent.
pub mod adoption {
    /// Its number, which is none of the services'.
    pub const OPCODE: u64 = 1;
}

/// The main thread's beginning.
pub fn begin(root: Root) {
    line!("Hypervisor NOVA (API v{})", root.hip.version());
    let own = Item::delegate(Crd::object(root.pd, 0, ALL), 0);
    let known = hypercall::delegate(root.utcb, root.pd, root.pd, Crd::object(DOMAIN, 0, ALL), &[own]);
    assert_eq!(known, Status::SUCCESS, "core's domain is where a component has its own");
    machine::show(root);
    let Some(first) = supply::frames(root.hip, HEAP_ORDER) else { panic!("no memory for core") };
    let heap = first..first + (1 << HEAP_ORDER);
    heap::begin(machine::address(heap.start), machine::address(heap.end));
    let core = made(root, heap);
    report(&core);
    settle(WORKER, core);
    let page = Item::delegate(Crd::memory(root.utcb.address() / PAGE, 0, READ | WRITE), 0);
    let window = Crd::memory(utcb(MAIN) / PAGE, 0, READ | WRITE);
    let moved = hypercall::delegate(root.utcb, root.pd, root.pd, window, &[page]);
    assert_eq!(moved, Status::SUCCESS, "the main thread's message page is where a component has its own");
    go_on(utcb(MAIN), root.hip.address(), go_on_as_client)
}

/// What core knows at the beginning, and its worker.
fn made(root: Root, own: core::ops::Range<u64>) -> Core {
    let mut frames = machine::frames(root.hip, own);
    for slot in [MAIN, WORKER] {
        let count = STACK / PAGE;
        let first = frames.take(count);
        for index in 0..count {
            let page = stack(slot) / PAGE + index;
            let frame = first.map(|first| first + index);
            let mapped =
                frame.map(|frame| machine::map(root.utcb, root.pd, root.pd, page, frame, 0, READ | WRITE));
            assert_eq!(mapped, Ok(Status::SUCCESS), "core has stacks");
        }
    }
    let context = Cap::fresh().selector();
    let worker = hypercall::create_ec(context, root.pd, utcb(WORKER), top(WORKER), WORKER_EVENTS, false);
    assert_eq!(worker, Status::SUCCESS, "core has a worker");
    let never = Cap::fresh();
    assert_eq!(hypercall::create_sm(never.selector(), root.pd, 0), Status::SUCCESS, "core has a semaphore");
    let all = |range| {
        let mut list = Frames::new();
        assert_eq!(list.add(range), Ok(()), "there is memory for a list");
        list
    };
    let mut core = Core {
        root,
        utcb: Utcb::at(utcb(WORKER)),
        context,
        frames,
        device_memory: all(0..devices::MOST / PAGE),
        ports: all(0..1 << 16),
        lines: all(0..root.hip.lines()),
        modules: machine::modules(root.hip),
        objects: Table::new(crate::state::MOST_OBJECTS),
        window: Crd::NULL,
        kept: None,
        never,
    };
    sessions::add_platform_info(&mut core);
    let ram = core.frames.available() * PAGE;
    let space = ATTACHED / PAGE..ATTACHED_END / PAGE;
    let own = Pd {
        domain: Cap::at(root.pd),
        ram: Account::new(ram),
        caps: Account::new(CAPS),
        reference: None,
        regions: Regions::new(space.clone(), space),
        address_space: None,
        parent: Cap::NONE,
        events: 0,
    };
    let parent = Parent { pd: OWN_PD, ..Parent::default() };
    let domain = Session { label: "core".to_string(), given: (0, 0), kind: Kind::Pd(Box::new(own)) };
    let entered =
        [Object::Parent(Box::new(parent)), Object::Session(Box::new(domain))].map(|it| core.enter(it));
    assert_eq!(entered, [Ok(OWN_PARENT), Ok(OWN_PD)], "core has its own objects");
    kernel::name(root.utcb, root.pd, "core");
    pager::serve_core(&core, OWN_PD);
    core
}

/// Says what there is.
fn report(core: &Core) {
    line!("ROM modules:");
    for module in &core.modules {
        let (start, end) = (module.frame * PAGE, module.frame * PAGE + module.size);
        line!(" ROM: [{start:016x},{end:016x}) {}", module.name);
    }
    line!("Reprise core {}", env!("CARGO_PKG_VERSION"));
}

/// The main thread on its own stack.
extern "C" fn go_on_as_client(hip: u64) -> ! {
    let root = Root::new(Hip::at(hip), 0);
    match start_init(root) {
        Ok(()) => (),
        Err(Unstarted::NotElf) => line!("Error: {INIT}: binary is not an ELF"),
        Err(Unstarted::Segment(_)) => line!("Error: {INIT}: allocation of read-write segment failed"),
        Err(Unstarted::Other(failure)) => line!("Error: {INIT}: {failure:?}"),
    }
    genode_rt::stop()
}

/// A session of core's own.
fn session<S: Service>(id: u64) -> Result<S> {
    let request = genode_rt::env::Request { label: INIT, quota: S::QUOTA, more: "" };
    let name = Name::from(S::NAME).map_err(|_| genode_rt::Failure::BadArgument)?;
    parent::Client(Core::cap(OWN_PARENT)).session(id, name, request.args()?).map(S::of)
}

/// Starts init as init starts its children.
fn start_init(_: Root) -> core::result::Result<(), Unstarted> {
    let own = pd::Client(Core::cap(OWN_PD));
    let domain: pd::Client = session(environment::PD)?;
    let threads: cpu::Client = session(environment::CPU)?;
    let output: log::Client = session(environment::LOG)?;
    let binary: rom::Client = match session(environment::BINARY) {
        Ok(binary) => binary,
        Err(_) => {
            line!("Error: {INIT}: environment ROM session denied (label=\"{INIT}\")");
            return Ok(());
        }
    };
    domain.ref_account(own.0)?;
    let (ram, used_ram, caps, used_caps) = own.quota()?;
    let ram = (ram - used_ram).saturating_sub(OWN_RAM);
    let caps = (caps - used_caps).saturating_sub(OWN_CAPS);
    own.transfer_ram(domain.0, ram)?;
    own.transfer_caps(domain.0, caps)?;
    line!("{} MiB RAM and {caps} caps assigned to {INIT}", ram >> 20);
    let name = Name::from(INIT).map_err(|_| genode_rt::Failure::BadArgument)?;
    let parent: Cap = call(Core::cap(OWN_PARENT), adoption::OPCODE, &(name, domain.0, threads.0, output.0))?;
    start(own, INIT, &Parts { pd: domain, cpu: threads, binary, parent }).map(|_| ())
}

impl Core {
    /// Makes a parent for a component that has its first sessions; core's own main thread asks for that.
    pub fn adopt(&mut self, id: Id, incoming: Incoming) -> Answered {
        if id != OWN_PARENT {
            return incoming.refuse(genode_rt::Failure::NoSuchOperation);
        }
        incoming.answer(|(name, domain, threads, output): (Name, Cap, Cap, Cap)| {
            let parent = Parent {
                name: String::from(&*name),
                pd: self.pd_of(domain)?,
                environment: [domain, threads, output],
                ..Parent::default()
            };
            self.enter(Object::Parent(Box::new(parent))).map(Self::cap)
        })
    }
}
