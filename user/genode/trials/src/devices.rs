// SPDX-License-Identifier: MIT
//! Devices: the second serial port by calls and by itself, the HPET's memory, and an interrupt.

use genode_rt::dataspace::Attached;
use genode_rt::env::Request;
use genode_rt::rpc::Service;
use genode_rt::services::{access as rights, io_mem, io_port, irq};
use genode_rt::signal::Signals;
use genode_rt::{Env, Failure, PAGE, Result, access, hypercall, utcb};
use nova_rt::crd::{ALL, Crd};
use nova_rt::utcb::Item;

use crate::cases::Cases;

/// The second serial port: its first port, and its scratch register.
const SERIAL: u64 = 0x2f8;
const SCRATCH: u64 = SERIAL + 7;
/// An operation that no service has.
const NO_OPERATION: u64 = 0x9999;

fn session<S: Service>(env: Env, more: &str) -> Result<(S, u64)> {
    env.try_session(&Request { label: "", quota: S::QUOTA, more })
}

pub fn run(env: Env, cases: &mut Cases) {
    ports(env, cases);
    memory(env, cases);
}

fn ports(env: Env, cases: &mut Cases) {
    for (what, more) in [
        ("the console's ports are core's", ", io_port_base=0x3f8, io_port_size=8"),
        ("ports end", ", io_port_base=0xfff9, io_port_size=8"),
        ("ports have a place", ", io_port_size=8"),
        ("ports are some", ", io_port_base=0x2f8, io_port_size=0"),
        ("the console's ports are core's, by whatever range", ", io_port_base=0, io_port_size=0x10000"),
    ] {
        cases.equal(what, session::<io_port::Client>(env, more).map(|_| ()), Err(Failure::Denied));
    }
    let more = ", io_port_base=0x2f8, io_port_size=8";
    let Ok((ports, id)) = session::<io_port::Client>(env, more) else {
        cases.holds("ports are given", false);
        return;
    };
    let again = session::<io_port::Client>(env, ", io_port_base=0x2ff, io_port_size=1").map(|_| ());
    cases.equal("ports are one session's", again, Err(Failure::Denied));
    cases.equal("a port is written", ports.output(SCRATCH, 1, 0x5a), Ok(()));
    cases.equal("a port is read", ports.input(SCRATCH, 1), Ok(0x5a));
    cases.equal("a port has a width", ports.input(SERIAL, 3), Err(Failure::BadArgument));
    cases.equal("other ports are not the session's", ports.input(SCRATCH, 2), Err(Failure::Denied));
    cases.equal("lower ports are not the session's", ports.output(0x2f7, 1, 0), Err(Failure::Denied));
    interrupts(env, ports, cases);
    cases.equal("ports are given to the domain", ports.grant(env.pd.0), Ok(()));
    access::output(SCRATCH as u16, 0xa5);
    cases.equal("the domain accesses them by itself", access::input(SCRATCH as u16), 0xa5);
    cases.equal("a session is closed", env.close(id), Ok(()));
    cases.equal("a session is closed once", env.close(id), Err(Failure::BadArgument));
    let again = session::<io_port::Client>(env, more).and_then(|(_, id)| env.close(id));
    cases.equal("its ports are free again", again, Ok(()));
}

/// Sends core a capability behind those that messages of the runtime have, to where the next message's would arrive.
fn plant(env: Env) {
    let page = utcb::current();
    page.set_words(&[0, NO_OPERATION]);
    let nothing = Item::either(Crd::NULL, 0);
    page.set_items(&[
        nothing,
        nothing,
        nothing,
        nothing,
        Item::delegate(Crd::object(env.pd.0.selector(), 0, ALL), 0),
    ]);
    let _ = hypercall::call(env.pd.0.selector());
}

/// The serial port interrupts as long as it can take a byte and is to say so.
fn interrupts(env: Env, ports: io_port::Client, cases: &mut Cases) {
    let refused = session::<irq::Client>(env, ", irq_number=192").map(|_| ());
    cases.equal("lines end", refused, Err(Failure::Denied));
    let line = session::<irq::Client>(env, ", irq_number=3");
    let again = session::<irq::Client>(env, ", irq_number=3").map(|_| ());
    cases.equal("a line is one session's", again, Err(Failure::Denied));
    let source = Signals::new();
    let signal = source.and_then(|source| source.context(9));
    let (Ok((line, id)), Ok(source), Ok(signal)) = (line, source, signal) else {
        cases.holds("there is a line", false);
        return;
    };
    plant(env);
    cases.equal("a line has a signal", line.sigh(signal), Ok(()));
    for (register, value) in [(4, 8), (1, 2)] {
        let _ = ports.output(SERIAL + register, 1, value);
    }
    cases.equal("a device interrupts", source.receive(0).map(|(number, _)| number), Some(9));
    cases.equal("it says why", ports.input(SERIAL + 2, 1).map(|why| why & 0xf), Ok(2));
    cases.equal("the interrupt is acknowledged", line.ack(), Ok(()));
    for register in [1, 4] {
        let _ = ports.output(SERIAL + register, 1, 0);
    }
    cases.equal("a line is given back", env.close(id), Ok(()));
    let again = session::<irq::Client>(env, ", irq_number=3").and_then(|(_, id)| env.close(id));
    cases.equal("it is free again", again, Ok(()));
}

fn memory(env: Env, cases: &mut Cases) {
    for (what, more) in [
        ("RAM is no device", ", base=0x200000, size=4096"),
        ("all memory is no device", ", base=0, size=0x10000000000000"),
        ("a device has a size", ", base=0xfed00000"),
        ("a device has a size that is some", ", base=0xfed00000, size=0"),
        ("interrupt controllers are the kernel's", ", base=0xfec00000, size=4096"),
        ("the kernel's are the kernel's, in whatever range", ", base=0xfe000000, size=0x2000000"),
        ("a device is where addresses are", ", base=0xfffffffffffff000, size=0x2000"),
    ] {
        cases.equal(what, session::<io_mem::Client>(env, more).map(|_| ()), Err(Failure::Denied));
    }
    let hpet = session::<io_mem::Client>(env, ", base=0xfed00000, size=4096");
    let again = session::<io_mem::Client>(env, ", base=0xfed00000, size=4096").map(|_| ());
    cases.equal("a device is one session's", again, Err(Failure::Denied));
    let attached = hpet.and_then(|(hpet, _)| hpet.dataspace());
    let attached = attached.and_then(|memory| Attached::new(env.pd, memory, PAGE, rights::WRITE));
    // Its first word: the period in femtoseconds, at most 100 nanoseconds, and that there is a timer.
    let period = attached.map(|attached| attached.word(0) >> 32);
    cases.holds("a device's memory is read", period.is_ok_and(|period| (1..=100_000_000).contains(&period)));
}
