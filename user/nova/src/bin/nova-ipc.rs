// SPDX-License-Identifier: MIT
//! A root task that measures calls, delegations, signals and faults, in ticks of the time-stamp counter.
#![no_std]
#![no_main]

nova_rt::entry!(nova_programs::ipc::run);
