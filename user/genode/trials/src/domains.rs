// SPDX-License-Identifier: MIT
//! A domain of the component's own: it starts its own executable there, looks after its faults, and destroys it.

use genode_rt::dataspace::Attached;
use genode_rt::entrypoint::Entrypoint;
use genode_rt::env::Request;
use genode_rt::loader::{Parts, start};
use genode_rt::rpc::Service;
use genode_rt::services::{ANYWHERE, access, cpu, log, pd, region_map, rm, rom};
use genode_rt::signal::Signals;
use genode_rt::{Cap, Env, Failure, PAGE, Result};

use crate::cases::Cases;
use crate::child::SHOWN;
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
    let quota = |env: Env| env.pd.quota().unwrap_or_default();
    let before = quota(env);
    let told = child(env, cases);
    cases.equal("the domain was looked after", told, Ok(()));
    let after = quota(env);
    cases.equal("all quota is back", (after.0, after.2), (before.0, before.2));
}

fn child(env: Env, cases: &mut Cases) -> Result<()> {
    let (domain, domain_id) = session::<pd::Client>(env, "child")?;
    let (threads, threads_id) = session::<cpu::Client>(env, "child")?;
    let (output, output_id) = session::<log::Client>(env, "child")?;
    let (binary, binary_id) = session::<rom::Client>(env, "init")?;
    domain.ref_account(env.pd.0)?;
    cases.equal(
        "more than there is is not given",
        env.pd.transfer_ram(domain.0, 1 << 50),
        Err(Failure::OutOfRam),
    );
    env.pd.transfer_ram(domain.0, RAM)?;
    env.pd.transfer_caps(domain.0, CAPS)?;
    env.pd.transfer_caps(domain.0, 3)?;
    cases.equal("quota is taken back", domain.transfer_caps(env.pd.0, 3), Ok(()));
    cases.equal("a domain has what it was given", domain.quota(), Ok((RAM, 0, CAPS, 0)));
    cases.equal("a policy is set", domain.replay(2, 1, 0, 9000), Ok(()));
    cases.equal("a parent is a capability", domain.assign_parent(Cap::NONE), Err(Failure::BadCapability));

    let source = Signals::new()?;
    let news = source.context(NEWS)?;
    let family = |entrypoint: Entrypoint| Family {
        environment: (domain.0, threads.0, output.0),
        task: entrypoint.object(TASK).unwrap_or(Cap::NONE),
        done: 0,
        news,
    };
    let family = Entrypoint::new(env, "family", family)?;
    let parent = family.object(PARENT)?;
    let (map, maps_id) = shown(env, domain, source)?;
    let thread = start(env.pd, "child", &Parts { pd: domain, cpu: threads, binary, parent });
    cases.holds("a component starts", thread.is_ok());
    // The child goes on by itself until it has a fault.
    await_signal(source, FAULT);
    cases.equal("the child has its quota, and no more", family.tell(NEWS, 1), 3);
    resolve(env, map, cases, (false, 0x2010))?;
    await_signal(source, FAULT);
    cases.equal("the child sees what was attached then", family.tell(NEWS, 1), 0x1234);
    resolve(env, map, cases, (true, 0))?;
    while family.tell(NEWS, 1) == 0x1234 {
        await_signal(source, NEWS);
    }
    cases.equal("the child writes there", family.tell(NEWS, 1), 5);
    let (other, other_id) = session::<rm::Client>(env, "other")?;
    let strange = other.destroy(map.0);
    env.close(other_id)?;
    cases.equal("a region map has one session", strange, Err(Failure::Denied));
    for id in [maps_id, domain_id, threads_id, output_id, binary_id] {
        env.close(id)?;
    }
    cases.equal("a domain is gone", domain.quota(), Err(Failure::Gone));
    cases.equal(
        "its threads are gone",
        thread.map_err(|_| Failure::Gone).and_then(|thread| thread.state()),
        Err(Failure::Gone),
    );
    cases.equal(
        "nothing is started in junk",
        threads.create_thread(junk(), Default::default(), 0, 0, 0).map(|_| ()),
        Err(Failure::Gone),
    );
    Ok(())
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
