// SPDX-License-Identifier: MIT
//! The NOVA personality: protection domains, execution contexts, portals, semaphores, capabilities.
//!
//! It speaks the system interface of the NOVA microhypervisor, version 10, as Genode uses it.

pub mod call;
pub mod crd;
pub mod nodes;
pub mod utcb;
