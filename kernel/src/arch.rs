// SPDX-License-Identifier: MIT
//! The processor and its platform, the channel to the host included.
//!
//! One of the two places in the kernel where `unsafe` is allowed (the other is
//! `mem`). What it offers to the rest is safe.
#![expect(unsafe_code, reason = "privileged instructions, entry code and device registers live here")]

pub mod acpi;
#[path = "arch/x86_64/apic.rs"]
pub mod apic;
#[path = "arch/x86_64/boot.rs"]
pub mod boot;
#[path = "arch/x86_64/cache.rs"]
pub mod cache;
pub mod channel;
#[path = "arch/x86_64/context.rs"]
pub mod context;
#[path = "arch/x86_64/counters.rs"]
pub mod counters;
#[path = "arch/x86_64/debugcon.rs"]
pub mod debugcon;
pub mod decode;
#[path = "arch/x86_64/entry.rs"]
mod entry;
#[path = "arch/x86_64/exit.rs"]
mod exit;
#[path = "arch/x86_64/firmware.rs"]
pub mod firmware;
#[path = "arch/x86_64/hpet.rs"]
mod hpet;
#[path = "arch/x86_64/interrupt.rs"]
mod interrupt;
#[path = "arch/x86_64/io_apic.rs"]
mod io_apic;
#[path = "arch/x86_64/isolation.rs"]
pub mod isolation;
#[path = "arch/x86_64/line.rs"]
pub mod line;
pub mod line_set;
#[path = "arch/x86_64/logger.rs"]
mod logger;
#[path = "arch/x86_64/machine.rs"]
pub mod machine;
#[path = "arch/x86_64/map.rs"]
pub mod map;
#[path = "arch/x86_64/passing.rs"]
pub mod passing;
#[path = "arch/x86_64/port.rs"]
pub mod port;
#[path = "arch/x86_64/processor.rs"]
pub mod processor;
#[path = "arch/x86_64/segment.rs"]
pub mod segment;
#[path = "arch/x86_64/serial.rs"]
pub mod serial;
#[path = "arch/x86_64/tally.rs"]
pub mod tally;
#[path = "arch/x86_64/watchdog.rs"]
pub mod watchdog;
pub mod wiring;

/// Brings the processor to the state that every user entry relies on. Needs the
/// final page tables.
pub fn init() {
    segment::init();
    cache::init();
    interrupt::init();
    apic::init();
    line::init();
}
