// SPDX-License-Identifier: MIT
//! Memory: the heap, ROMs, dataspaces and where they are attached, quotas.

use alloc::vec::Vec;

use genode_rt::dataspace::{Attached, Rom};
use genode_rt::env::Request;
use genode_rt::message::call;
use genode_rt::rpc::Service;
use genode_rt::services::{ANYWHERE, access, region_map, rm, rom};
use genode_rt::{Cap, Env, Failure, PAGE, Result};

use crate::cases::Cases;
use crate::junk;

/// Where something can be attached that nothing else is at.
const PLACE: u64 = 0x6000_0000;

pub fn run(env: Env, cases: &mut Cases) {
    heap(cases);
    maps(env, cases);
    roms(env, cases);
    dataspaces(env, cases);
    quotas(env, cases);
}

fn heap(cases: &mut Cases) {
    let mut words = Vec::new();
    for word in 0..100_000u64 {
        words.push(word * word);
    }
    let sum = words.iter().fold(0u64, |sum, word| sum.wrapping_add(*word));
    cases.equal("the heap grows and keeps what it holds", sum, 99_999 * 100_000 * 199_999 / 6);
}

fn roms(env: Env, cases: &mut Cases) {
    let rom = Rom::open(env, "platform_info");
    let text = rom.as_ref().ok().and_then(|rom| rom.text().ok()).unwrap_or_default();
    cases.holds(
        "the machine is told of in a ROM",
        text.starts_with("<platform_info>") && text.contains("freq_khz"),
    );
    let missing = Request { label: "no such module", quota: rom::Client::QUOTA, more: "" };
    let missing = env.try_session::<rom::Client>(&missing).map(|_| ());
    cases.equal("a ROM that is not there is refused", missing, Err(Failure::Denied));
    let Ok(rom) = rom else { return };
    let (dataspace, _) = rom.session.dataspace().unwrap_or((Cap::NONE, 0));
    let written = env.pd.attach(dataspace, 0, 0, ANYWHERE, access::WRITE);
    cases.equal("a ROM cannot be attached to be written", written, Err(Failure::Denied));
    cases.equal("a ROM is nobody's to give back", env.pd.free_ds(dataspace), Err(Failure::Denied));
    cases.equal("a ROM is current", rom.session.update(), Ok(true));
}

/// Words of a dataspace as they are seen at an address.
fn word(at: Result<u64>, offset: u64) -> Option<u64> {
    at.ok().map(|at| genode_rt::access::read(at + offset))
}

fn dataspaces(env: Env, cases: &mut Cases) {
    let pd = env.pd;
    cases.equal("memory of no bytes is refused", pd.alloc_ds(0), Err(Failure::BadArgument));
    cases.equal("more memory than there is is refused", pd.alloc_ds(1 << 40), Err(Failure::OutOfRam));
    cases.equal("more memory than numbers say is refused", pd.alloc_ds(u64::MAX), Err(Failure::OutOfRam));
    let size = 5 * PAGE;
    let Ok(memory) = pd.alloc_ds(size) else {
        cases.holds("memory is given", false);
        return;
    };
    cases.equal("memory has its size", pd.ds_size(memory), Ok(size));
    let first = pd.attach(memory, 0, 0, PLACE, access::WRITE);
    cases.equal("memory is attached where that is wanted", first, Ok(PLACE));
    let zeros = (0..size / 8).all(|index| word(first, 8 * index) == Some(0));
    cases.holds("memory is zero", zeros);
    genode_rt::access::write(PLACE + 4 * PAGE, 77);
    let second = pd.attach(memory, 3 * PAGE, 2 * PAGE, ANYWHERE, 0);
    cases.equal("a part is seen elsewhere, too", word(second, PAGE), Some(77));
    cases.equal("a place is taken once", pd.attach(memory, 0, 0, PLACE, 0), Err(Failure::Occupied));
    let wrong = [
        (1, 0, ANYWHERE, 0),
        (5 * PAGE, 0, ANYWHERE, 0),
        (0, 6 * PAGE, ANYWHERE, 0),
        (0, 0, PLACE + 1, 0),
        (0, 0, !(PAGE - 1), 0),
        (0, 0, ANYWHERE, 1 << 20),
        (u64::MAX, u64::MAX, ANYWHERE, 0),
    ];
    let refused =
        |(offset, size, at, access)| pd.attach(memory, offset, size, at, access) == Err(Failure::BadArgument);
    cases.holds("parts and places that cannot be are refused", wrong.into_iter().all(refused));
    cases.equal("what is not attached is not detached", pd.detach(PLACE - PAGE), Err(Failure::BadArgument));
    cases.equal("what is attached is detached", pd.detach(PLACE), Ok(()));
    cases.equal("its place is free again", pd.attach(memory, 0, 0, PLACE, access::WRITE), Ok(PLACE));
    cases.equal("it is what it was", word(Ok(PLACE), 4 * PAGE), Some(77));
    cases.equal("memory is sealed", pd.seal(memory), Ok(()));
    cases.equal("it is still seen", word(Ok(PLACE), 4 * PAGE), Some(77));
    let again = pd.attach(memory, 0, 0, ANYWHERE, access::WRITE);
    cases.equal("sealed memory is not attached to be written", again, Err(Failure::Denied));
    cases.equal("memory is given back", pd.free_ds(memory), Ok(()));
    cases.equal("it is not attached any more", pd.detach(PLACE), Err(Failure::BadArgument));
    cases.equal(
        "it cannot be attached any more",
        pd.attach(memory, 0, 0, ANYWHERE, 0),
        Err(Failure::BadCapability),
    );
    cases.equal(
        "a capability of nothing is no memory",
        pd.attach(junk(), 0, 0, ANYWHERE, 0),
        Err(Failure::BadCapability),
    );
    cases.equal("none is no memory", pd.attach(Cap::NONE, 0, 0, ANYWHERE, 0), Err(Failure::BadCapability));
    cases.equal("a domain is no memory", pd.attach(pd.0, 0, 0, ANYWHERE, 0), Err(Failure::BadCapability));
    cases.equal(
        "there is no such operation",
        call::<_, ()>(pd.0, 0x9999, &()),
        Err(Failure::NoSuchOperation),
    );
    cases.equal(
        "an operation wants its arguments",
        call::<_, Cap>(pd.0, 0x400, &()),
        Err(Failure::BadArgument),
    );
    let many = (0..300).all(|_| {
        let piece = pd
            .alloc_ds(PAGE)
            .and_then(|memory| Attached::new(pd, memory, PAGE, access::WRITE).map(|it| (memory, it)));
        piece.is_ok_and(|(memory, mut attached)| {
            attached.bytes_mut()[7] = 7;
            drop(attached);
            pd.free_ds(memory) == Ok(())
        })
    });
    cases.holds("memory comes and goes", many);
}

fn quotas(env: Env, cases: &mut Cases) {
    let pd = env.pd;
    let used = || pd.quota().map(|(_, ram, _, caps)| (ram, caps)).unwrap_or_default();
    let before = used();
    let memory = pd.alloc_ds(3 * PAGE - 5);
    let meanwhile = used();
    cases.equal("memory is accounted in pages", meanwhile, (before.0 + 3 * PAGE, before.1 + 1));
    cases.equal("memory is given back", memory.and_then(|memory| pd.free_ds(memory)), Ok(()));
    cases.equal("nothing is accounted any more", used(), before);
    cases.equal("quota goes to no junk", pd.transfer_ram(junk(), 1), Err(Failure::BadCapability));
    cases.equal("quota does not go to oneself", pd.transfer_ram(pd.0, 1), Err(Failure::Denied));
    cases.equal("a reference account is set once", pd.ref_account(pd.0), Err(Failure::Denied));
    cases.equal("kernel memory is paid for", pd.kquota(1 << 40), Err(Failure::OutOfRam));
    cases.equal("kernel memory is given", pd.kquota(3), Ok(()));
    cases.equal("and paid for", used(), (before.0 + 3 * PAGE, before.1));
    cases.equal("nobody chooses the own policy", pd.replay(0, 0, 0, 0), Err(Failure::Denied));
}

/// Memory that is seen by way of a region map, and other memory in its place.
fn maps(env: Env, cases: &mut Cases) {
    let seen = || -> Result<(u64, u64)> {
        let request = Request { label: "maps", quota: rm::Client::QUOTA, more: "" };
        let (maps, id) = env.try_session::<rm::Client>(&request)?;
        let map = region_map::Client(maps.create(4 * PAGE)?);
        let at = env.pd.attach(map.dataspace()?, 0, 0, ANYWHERE, access::WRITE)?;
        let mut found = [0; 2];
        for (value, found) in [11, 22].into_iter().zip(&mut found) {
            let memory = env.pd.alloc_ds(PAGE)?;
            Attached::new(env.pd, memory, PAGE, access::WRITE)?.set_word(8, value);
            map.attach(memory, 0, 0, PAGE, access::WRITE)?;
            *found = genode_rt::access::read(at + PAGE + 8);
            env.pd.free_ds(memory)?;
        }
        env.close(id)?;
        Ok((found[0], found[1]))
    };
    cases.equal("memory in a region map gives way to other memory", seen(), Ok((11, 22)));
}
