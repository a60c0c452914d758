// SPDX-License-Identifier: MIT
//! What the root tasks share: a suite of named cases, marks that threads leave, and the topics of conformance.
#![no_std]

pub mod conformance;
pub mod suite;
pub mod trace;
