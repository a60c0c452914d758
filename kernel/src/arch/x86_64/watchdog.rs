// SPDX-License-Identifier: MIT
//! A second source that ends a run: the PIT, through the IO-APIC, as NMI.
//!
//! The counter ends every run that keeps its interrupt flag. Should a fault
//! clear that flag, this one still comes. It is one-shot and is wound up again
//! from between PEs long before it runs down, so in an undisturbed system it
//! never fires: an NMI in user mode *is* a divergence.

use spin::Mutex;
use x86_64::instructions::port::Port;

use super::{apic, machine};

const COMMAND: u16 = 0x43;
const CHANNEL_0: u16 = 0x40;
/// Channel 0, low byte then high byte, mode 0: one shot (8254 data sheet).
const ONE_SHOT: u8 = 0b0011_0000;
const LATCH: u8 = 0;
/// The PIT's output on the IO-APIC of every PC.
const PIN: u8 = 2;
const LONGEST: u16 = 0xffff;

struct Watchdog {
    /// Ticks of the time stamp counter that it takes to run down.
    period: u64,
    wound: u64,
}

static WATCHDOG: Mutex<Watchdog> = Mutex::new(Watchdog { period: 0, wound: 0 });

fn start(count: u16) {
    let mut data = Port::<u8>::new(CHANNEL_0);
    let [low, high] = count.to_le_bytes();
    // SAFETY: programs the PIT's channel 0, which only this module uses.
    unsafe {
        Port::<u8>::new(COMMAND).write(ONE_SHOT);
        data.write(low);
        data.write(high);
    }
}

fn remaining() -> u16 {
    let mut data = Port::<u8>::new(CHANNEL_0);
    // SAFETY: latches and reads the PIT's channel 0, which only this module uses.
    unsafe {
        Port::<u8>::new(COMMAND).write(LATCH);
        u16::from_le_bytes([data.read(), data.read()])
    }
}

/// Measures the PIT against the time stamp counter and winds the watchdog up.
/// Returns its period in ticks of the latter.
pub fn init() -> u64 {
    const SAMPLE: u16 = 2000;
    start(LONGEST);
    let (begin, first) = (machine::now(), remaining());
    while first.wrapping_sub(remaining()) < SAMPLE {}
    let (end, last) = (machine::now(), remaining());
    let elapsed = u64::from(first.wrapping_sub(last)).max(1);
    let mut watchdog = WATCHDOG.lock();
    watchdog.period = (end - begin) * u64::from(LONGEST) / elapsed;
    watchdog.wound = machine::now();
    start(LONGEST);
    apic::route_as_nmi(PIN);
    watchdog.period
}

/// Winds the watchdog up if a quarter of its period is over. Called before every
/// user entry.
pub fn wind(now: u64) {
    let mut watchdog = WATCHDOG.lock();
    if now.wrapping_sub(watchdog.wound) > watchdog.period / 4 {
        watchdog.wound = now;
        start(LONGEST);
    }
}
