// SPDX-License-Identifier: MIT
//! Counters in software, on a processor in software: their registers, the checks, the
//! choice, and the way to one place.

mod bench;

mod detection;
mod driving;
mod exact_stop;
mod figures;
mod layouts;
mod registers;
mod self_checks;
