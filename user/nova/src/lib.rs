// SPDX-License-Identifier: MIT
//! What the root tasks are made of: a suite of named cases, marks that threads leave, and what each of them does.
#![no_std]

pub mod conformance;
pub mod crowd;
pub mod hostile;
pub mod ipc;
pub mod keyboard;
pub mod lines;
pub mod rounds;
pub mod suite;
pub mod trace;
