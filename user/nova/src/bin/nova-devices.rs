// SPDX-License-Identifier: MIT
//! A root task that is a driver: it accesses the event timer's memory and the clock's ports in every way, and knows
//! how often.
#![no_std]
#![no_main]

use nova_rt::crd::{READ, WRITE};
use nova_rt::start::Root;
use nova_rt::{Status, access, device, grants, line, supply};

nova_rt::entry!(main);

/// The event timer's frame, and registers of four bytes in it: whether it counts, and its counter, in two halves.
const TIMER: u64 = 0xfed0_0000 / nova_rt::PAGE;
const CONFIGURATION: u64 = 0x10;
const COUNTER: u64 = 0xf0;
/// The clock's ports: the number of a register, and the register.
const INDEX: u16 = 0x70;
const DATA: u16 = 0x71;
/// A port to which diagnoses are written.
const DIAGNOSES: u16 = 0x80;
const ROUNDS: u32 = 5;

/// What the driver counts.
#[derive(Default)]
struct Accesses {
    memory: u32,
    ports: u32,
}

fn main(root: Root) {
    let timer = supply::pages(0);
    assert_eq!(grants::map(root, TIMER, timer, 0, READ | WRITE), Status::SUCCESS, "the timer is delegated");
    let buffer = grants::memory(root, 0);
    let mut made = Accesses::default();
    for round in 0..ROUNDS {
        memory(timer, buffer, round, &mut made);
        ports(buffer, round, &mut made);
    }
    line!("{} accesses to memory, {} to ports", made.memory, made.ports);
}

/// The counter stands still, and keeps what is written to it.
fn memory(timer: u64, buffer: u64, round: u32, made: &mut Accesses) {
    let [configuration, counter] = [CONFIGURATION, COUNTER].map(|register| timer + register);
    device::write(configuration, 0, 0);
    device::write(counter, 1000 + round, 0);
    device::add(counter, 10, 0);
    let before = device::exchange_and_add(counter, 5, 0);
    let missed = device::compare_and_exchange(counter, 1, 2);
    let met = device::compare_and_exchange(counter, missed, 64);
    device::set_bit(counter, 0, 0);
    device::shift(counter, 0, 0);
    let last = device::exchange(counter, 7, 0);
    device::compare(counter, 7, 0);
    let product = device::multiply(counter, 6, 0);
    device::write_past(counter, 8, 0);
    device::carry(counter, counter + 4);
    made.memory += 2 + 5 * 2 + 2 + 2 + 1 + 1 + 1 + 2;
    // Both halves, to memory and back.
    device::copy(counter, buffer, 2);
    let halves = access::read(buffer);
    device::copy(buffer, counter, 2);
    made.memory += 4;
    let seen = device::read(counter, 0, 0);
    made.memory += 1;
    line!("round {round}: {before} {missed} {met} {last} {product} {halves:x} {seen}");
}

/// The year is 2000, in the clock's ninth register.
fn ports(buffer: u64, round: u32, made: &mut Accesses) {
    access::output(INDEX, 9);
    let year = access::input(DATA);
    device::input_bytes(DATA, buffer, 3);
    let years = access::read(buffer) & 0xff_ffff;
    device::output_bytes(DIAGNOSES, buffer, 2);
    access::output(DIAGNOSES, round as u8);
    made.ports += 1 + 1 + 3 + 2 + 1;
    line!("the year is {year}, and {years:x}");
}
