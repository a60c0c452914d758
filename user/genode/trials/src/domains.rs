// SPDX-License-Identifier: MIT
//! A domain of the component's own: it starts its own executable there, looks after its faults, and destroys it.

use genode_rt::dataspace::Attached;
use genode_rt::entrypoint::Entrypoint;
use genode_rt::env::Request;
use genode_rt::loader::{Parts, start};
use genode_rt::rpc::Service;
use genode_rt::services::{ANYWHERE, access, cpu, cpu_thread, log, pd, region_map, rm, rom};
use genode_rt::signal::Signals;
use genode_rt::{Cap, Env, Failure, PAGE, Result};

use crate::cases::Cases;
use crate::child::{self, SHOWN};
use crate::family::{Family, PARENT, TASK};
use crate::junk;

/// What the child has of its parent's quota.
const RAM: u64 = 1 << 20;
const CAPS: u64 = 40;
/// The signals: the child did something; it has a fault.
const NEWS: u64 = 1;
const FAULT: u64 = 2;

/// A session with the child's label, and its number.
fn session<S: Service>(env: Env, label: &str) -> Result<(S, u64)> {
    env.try_session(&Request { label, quota: S::QUOTA, more: "" })
}

pub fn run(env: Env, cases: &mut Cases) {
    let poor = Request { label: "poor", quota: (pd::Client::QUOTA.0 - 1, 13), more: "" };
    let poor = env.parent.session(
        50,
        genode_rt::services::Name::from("PD").unwrap_or_default(),
        poor.args().unwrap_or_default(),
    );
    cases.equal("a session takes RAM", poor, Err(Failure::InsufficientRam));
    for (what, child) in [("looked after", looked_after as fn(_, &mut Cases) -> _), ("hostile", hostile)] {
        let before = env.pd.quota().unwrap_or_default();
        let memory = env.pd.alloc_ds(PAGE);
        let told = child(env, cases);
        cases.equal(what, told, Ok(()));
        cases.equal("memory is given back", memory.and_then(|memory| env.pd.free_ds(memory)), Ok(()));
        let after = env.pd.quota().unwrap_or_default();
        cases.equal("all quota is back", (after.0, after.2), (before.0, before.2));
    }
}

/// A domain in the making.
struct Child {
    domain: pd::Client,
    threads: cpu::Client,
    binary: rom::Client,
    ids: [u64; 4],
    source: Signals,
    family: Entrypoint,
    parent: Cap,
}

impl Child {
    /// A domain with quota and with this component as its parent, to be started for a role.
    fn new(env: Env, role: u64) -> Result<Self> {
        let (domain, domain_id) = session::<pd::Client>(env, "child")?;
        let (threads, threads_id) = session::<cpu::Client>(env, "child")?;
        let (output, output_id) = session::<log::Client>(env, "child")?;
        let (binary, binary_id) = session::<rom::Client>(env, "init")?;
        domain.ref_account(env.pd.0)?;
        env.pd.transfer_ram(domain.0, RAM)?;
        env.pd.transfer_caps(domain.0, CAPS)?;
        let source = Signals::new()?;
        let news = source.context(NEWS)?;
        let family = |entrypoint: Entrypoint| Family {
            environment: (domain.0, threads.0, output.0),
            task: entrypoint.object(TASK).unwrap_or(Cap::NONE),
            role,
            done: 0,
            news,
        };
        let family = Entrypoint::new(env, "family", family)?;
        let parent = family.object(PARENT)?;
        let ids = [domain_id, threads_id, output_id, binary_id];
        Ok(Self { domain, threads, binary, ids, source, family, parent })
    }

    /// Starts it.
    fn start(&self, env: Env) -> Result<cpu_thread::Client> {
        let Self { domain, threads, binary, parent, .. } = *self;
        start(env.pd, "child", &Parts { pd: domain, cpu: threads, binary, parent }).map_err(|_| Failure::Gone)
    }

    /// What it did last.
    fn done(&self) -> u64 {
        self.family.tell(NEWS, 1)
    }

    /// Waits until it has done something else than before.
    fn next(&self, before: u64) -> u64 {
        while self.done() == before {
            await_signal(self.source, NEWS);
        }
        self.done()
    }

    /// Destroys it.
    fn close(self, env: Env) -> Result<()> {
        self.ids.into_iter().try_for_each(|id| env.close(id))
    }
}

/// A child that does what it may, and has faults that are resolved, and one that is not.
fn looked_after(env: Env, cases: &mut Cases) -> Result<()> {
    let child = Child::new(env, child::TELLS)?;
    let (domain, threads) = (child.domain, child.threads);
    let much = env.pd.transfer_ram(domain.0, 1 << 50);
    cases.equal("more than there is is not given", much, Err(Failure::OutOfRam));
    cases.equal("quota is taken back", domain.transfer_caps(env.pd.0, 3), Ok(()));
    cases.equal("a domain has what it was given", domain.quota(), Ok((RAM, 0, CAPS - 3, 0)));
    cases.equal("a policy has bounds", domain.replay(1, 0, 0, u64::MAX), Err(Failure::BadArgument));
    cases.equal("a policy has values", domain.replay(9, 0, 0, 5000), Err(Failure::BadArgument));
    cases.equal("a policy is in bytes", domain.replay(1 << 8, 0, 0, 5000), Err(Failure::BadArgument));
    cases.equal("a policy is set", domain.replay(2, 1, 0, 9000), Ok(()));
    cases.equal("a parent is a capability", domain.assign_parent(Cap::NONE), Err(Failure::BadCapability));
    let (map, maps_id) = shown(env, domain, child.source)?;
    let thread = child.start(env);
    cases.holds("a component starts", thread.is_ok());
    cases.equal("its policy stays from then on", domain.replay(0, 0, 0, 0), Err(Failure::Denied));
    // The child goes on by itself until it has a fault.
    await_signal(child.source, FAULT);
    cases.equal("the child has its quota, and no more", child.done(), 3);
    resolve(env, map, cases, (false, 0x2010))?;
    await_signal(child.source, FAULT);
    cases.equal("the child sees what was attached then", child.done(), 0x1234);
    resolve(env, map, cases, (true, 0))?;
    cases.equal("the child writes there", child.next(0x1234), 5);
    let (other, other_id) = session::<rm::Client>(env, "other")?;
    let strange = other.destroy(map.0);
    env.close(other_id)?;
    cases.equal("a region map has one session", strange, Err(Failure::Denied));
    env.close(maps_id)?;
    child.close(env)?;
    cases.equal("a domain is gone", domain.quota(), Err(Failure::Gone));
    cases.equal("its threads are gone", thread.and_then(|thread| thread.state()), Err(Failure::Gone));
    let junk = threads.create_thread(junk(), Default::default(), 0, 0, 0).map(|_| ());
    cases.equal("nothing is started in junk", junk, Err(Failure::Gone));
    Ok(())
}

/// A child that asks for whatever comes to its mind; core and this component go on as before.
fn hostile(env: Env, cases: &mut Cases) -> Result<()> {
    let child = Child::new(env, child::ATTACKS)?;
    let _ = child.start(env)?;
    cases.equal("a hostile child comes to its end", child.next(0), 1);
    child.close(env)
}

/// Shows a region map in the child's address space, with memory in its last page; tells the number of its session, too.
fn shown(env: Env, domain: pd::Client, source: Signals) -> Result<(region_map::Client, u64)> {
    let (maps, id) = session::<rm::Client>(env, "maps")?;
    let map = region_map::Client(maps.create(16 * PAGE)?);
    map.fault_handler(source.context(FAULT)?)?;
    map.attach(env.alloc_ds(PAGE)?, 0, 0, PAGE * 15, access::WRITE)?;
    domain.attach(map.dataspace()?, 0, 0, SHOWN, access::WRITE)?;
    Ok((map, id))
}

/// Waits for a signal, whatever else comes.
fn await_signal(source: Signals, wanted: u64) {
    while source.receive(0).is_none_or(|(number, _)| number != wanted) {}
}

/// Resolves a fault of the child's, which is a write or not, by memory with a word that it looks for.
fn resolve(env: Env, map: region_map::Client, cases: &mut Cases, (is_write, at): (bool, u64)) -> Result<()> {
    cases.equal("it says where", map.fault(), Ok((true, is_write, at)));
    let memory = env.alloc_ds(4 * PAGE)?;
    Attached::new(env.pd, memory, 4 * PAGE, access::WRITE)?.set_word(0x10, 0x1234);
    let itself = map.attach(map.dataspace()?, 0, 0, ANYWHERE, 0);
    cases.equal("a map is no part of itself", itself, Err(Failure::Denied));
    let place = at & !(PAGE - 1);
    let attached = map.attach(memory, 0, PAGE, place, access::WRITE);
    cases.equal("memory is attached to a map", attached, Ok(place));
    Ok(())
}
