// SPDX-License-Identifier: MIT
//! A root task that drives three devices of every PC by their interrupts: the timer, the serial port, the keyboard's
//! controller. What it says does not depend on how its PEs are run.
#![no_std]
#![no_main]

use nova_programs::keyboard;
use nova_programs::lines::{EDGE, LEVEL_HIGH, Line};
use nova_rt::access::{input, output, time};
use nova_rt::line;
use nova_rt::start::Root;

nova_rt::entry!(main);

/// The timer's line, ports, mode (a pulse each period), and period: a thousandth of a second in its own ticks.
mod timer {
    pub const LINE: u64 = 2;
    pub const COUNTER: u16 = 0x40;
    pub const COMMAND: u16 = 0x43;
    pub const PULSES: u8 = 0x34;
    pub const ONCE: u8 = 0x30;
    pub const PERIOD: u16 = 1193;
    /// Ticks that are waited for, and those that come while something is computed.
    pub const WAITED: u64 = 1000;
    pub const COMPUTED: u64 = 50;
    /// How far the counter's rate may be from what the information page says, in hundredths.
    pub const TOLERANCE: u64 = 3;
}

fn ticks(root: Root) {
    let line = Line::new(root, timer::LINE, EDGE);
    let [low, high] = timer::PERIOD.to_le_bytes();
    for (port, value) in [(timer::COMMAND, timer::PULSES), (timer::COUNTER, low), (timer::COUNTER, high)] {
        output(port, value);
    }
    // From the first one on: how long the counter takes to begin is the timer's business.
    assert!(line.wait() > 0, "the timer ticks");
    line.acknowledge();
    let (begun, mut told, mut most) = (time(), 0, 0);
    while told < timer::WAITED {
        let count = line.wait();
        assert!(count > 0, "the timer goes on ticking");
        line.acknowledge();
        (told, most) = (told + count, most.max(count));
    }
    let elapsed_us = (time() - begun) * 1000 / root.hip.khz();
    let expected_us = told * 1000;
    let is_right = elapsed_us.abs_diff(expected_us) <= expected_us * timer::TOLERANCE / 100;
    assert!(is_right, "{told} ticks of a millisecond took {elapsed_us} us");
    line!("{} ticks of the timer, {most} told at once at most", timer::WAITED);
    let mut told = 0;
    let mut sum = 0u64;
    while told < timer::COMPUTED {
        for number in 0..10_000u64 {
            sum = core::hint::black_box(sum.rotate_left(5) ^ number);
        }
        told += line.look();
        line.acknowledge();
    }
    line!("{} more while something was computed", timer::COMPUTED);
    // No more of them.
    output(timer::COMMAND, timer::ONCE);
    line.close();
}

/// The first serial port's line and registers.
mod serial {
    pub const LINE: u64 = 4;
    pub const DATA: u16 = 0x3f8;
    pub const ENABLE: u16 = DATA + 1;
    pub const CAUSE: u16 = DATA + 2;
    pub const MODEM: u16 = DATA + 4;
    pub const STATUS: u16 = DATA + 5;
    /// Received bytes interrupt.
    pub const RECEIVED: u8 = 1 << 0;
    /// All is sent.
    pub const IDLE: u8 = 1 << 6;
    /// Interrupts get out; what is sent comes back.
    pub const OUT2: u8 = 1 << 3;
    pub const LOOP: u8 = 1 << 4;
    pub const ONE_BYTE: u8 = 7;
    pub const BYTES: u8 = 32;
}

fn loop_back(root: Root) {
    while input(serial::STATUS) & serial::IDLE == 0 {}
    let modem = input(serial::MODEM);
    output(serial::MODEM, modem | serial::OUT2 | serial::LOOP);
    // An empty queue that tells of each byte.
    output(serial::CAUSE, serial::ONE_BYTE);
    let line = Line::new(root, serial::LINE, EDGE);
    output(serial::ENABLE, serial::RECEIVED);
    let mut told = 0;
    for byte in 0..serial::BYTES {
        output(serial::DATA, byte);
        told += line.wait();
        let _ = input(serial::CAUSE);
        assert_eq!(input(serial::DATA), byte, "what is sent comes back");
        line.acknowledge();
    }
    let late = line.look();
    output(serial::ENABLE, 0);
    output(serial::MODEM, modem);
    line.close();
    line!("{} bytes of the serial port: {told} interrupts, and {late} more", serial::BYTES);
}

/// Keys that are waited for.
const KEYS: u8 = 16;

fn keys(root: Root) {
    let mode = keyboard::open();
    let line = Line::new(root, keyboard::LINE, LEVEL_HIGH);
    let (mut told, mut again, mut masked) = (0, 0, 0);
    for key in 1..=KEYS {
        keyboard::announce();
        output(keyboard::DATA, key);
        told += line.wait();
        // As long as nobody acknowledges it, it is masked, whatever the device wants.
        masked += line.look();
        // Acknowledged before the device has let go, it comes again.
        line.acknowledge();
        again += line.wait();
        assert_eq!(input(keyboard::DATA), key, "what was written comes like a key");
        line.acknowledge();
        masked += line.look();
    }
    keyboard::close(mode);
    line.close();
    line!("{KEYS} keys by a level: {told} interrupts, {again} again, {masked} while it was masked");
}

fn main(root: Root) {
    ticks(root);
    loop_back(root);
    keys(root);
    line!("all that interrupted was told");
}
