// SPDX-License-Identifier: MIT
//! The sink of defmt: frames go to the channel's log stream.

use core::cell::UnsafeCell;

use defmt::Encoder;

struct State {
    encoder: Encoder,
    busy: bool,
}

struct Shared(UnsafeCell<State>);

// SAFETY: one processor with interrupts off; `busy` catches a log call inside a log call.
unsafe impl Sync for Shared {}

static STATE: Shared = Shared(UnsafeCell::new(State { encoder: Encoder::new(), busy: false }));

#[defmt::global_logger]
struct Logger;

// SAFETY: `acquire` and `release` come in pairs (defmt's contract), and nothing
// can interrupt the kernel in between.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        // SAFETY: see `Shared`.
        let state = unsafe { &mut *STATE.0.get() };
        assert!(!state.busy, "the log was used while it was being written");
        state.busy = true;
        state.encoder.start_frame(super::channel::log);
    }

    unsafe fn flush() {}

    unsafe fn release() {
        // SAFETY: see `Shared`.
        let state = unsafe { &mut *STATE.0.get() };
        state.encoder.end_frame(super::channel::log);
        state.busy = false;
    }

    unsafe fn write(bytes: &[u8]) {
        // SAFETY: see `Shared`.
        let state = unsafe { &mut *STATE.0.get() };
        state.encoder.write(bytes, super::channel::log);
    }
}

defmt::timestamp!("{=u64}", stamp());

/// The time that a line of the log bears.
fn stamp() -> u64 {
    super::tally::TIME_STAMPS.add(1);
    super::machine::now()
}
