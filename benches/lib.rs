// SPDX-License-Identifier: MIT
//! Nothing but a home for the benchmarks beside this file: `cargo bench -p benches`.
#![no_std]
