// SPDX-License-Identifier: MIT
//! The hypercalls by name: each stub puts its arguments where the interface wants them and returns the status.

use crate::crd::Crd;
use crate::raw::{self, Registers};
use crate::status::Status;
use crate::utcb::{Item, Utcb};

/// Numbers of the hypercalls.
pub mod number {
    /// Calls a portal.
    pub const CALL: u64 = 0;
    /// Replies to a caller.
    pub const REPLY: u64 = 1;
    /// Creates a protection domain.
    pub const CREATE_PD: u64 = 2;
    /// Creates an execution context.
    pub const CREATE_EC: u64 = 3;
    /// Creates a scheduling context.
    pub const CREATE_SC: u64 = 4;
    /// Creates a portal.
    pub const CREATE_PT: u64 = 5;
    /// Creates a semaphore.
    pub const CREATE_SM: u64 = 6;
    /// Revokes capabilities.
    pub const REVOKE: u64 = 7;
    /// Looks up, delegates, suspends.
    pub const MISC: u64 = 8;
    /// Controls an execution context.
    pub const EC_CTRL: u64 = 9;
    /// Reads times of a scheduling context.
    pub const SC_CTRL: u64 = 10;
    /// Sets a portal's id.
    pub const PT_CTRL: u64 = 11;
    /// Ups and downs a semaphore.
    pub const SM_CTRL: u64 = 12;
    /// Gives a device to a domain.
    pub const ASSIGN_PCI: u64 = 13;
    /// Routes an interrupt line.
    pub const ASSIGN_GSI: u64 = 14;
    /// Moves kernel memory between domains.
    pub const PD_CTRL: u64 = 15;
}

/// Operations of [`ec_ctrl`].
pub mod operation {
    /// Asks for the event of recall.
    pub const RECALL: u64 = 0;
    /// Gives up the processor to others of the same priority.
    pub const YIELD: u64 = 1;
    /// Runs another context on the caller's time.
    pub const DONATE: u64 = 2;
    /// Asks for a scheduling decision.
    pub const RESCHEDULE: u64 = 3;
    /// Moves the caller to another processor.
    pub const MIGRATE: u64 = 4;
    /// Reads the time that a context has used.
    pub const TIME: u64 = 5;
    /// Reads the state of a virtual processor.
    pub const GET_STATE: u64 = 6;
    /// Writes the state of a virtual processor.
    pub const SET_STATE: u64 = 7;
    /// Reads and writes model-specific registers.
    pub const MSR: u64 = 8;
}

/// The right to set a portal's id.
const CONTROL: u64 = 1;

/// What a revocation does beside taking rights from descendants.
#[derive(Clone, Copy, Debug, Default)]
pub struct Revocation {
    /// Takes the rights from the range itself, too.
    pub itself: bool,
    /// Works on the space of this domain.
    pub remote: Option<u64>,
    /// Takes the range alone, and leaves what was delegated from it.
    pub keep: bool,
    /// Ups this semaphore when all that is destroyed is gone.
    pub notify: u64,
}

fn made(number: u64, flags: u64, selector: u64, parameters: [u64; 4]) -> Status {
    status(make(Registers::new(number, flags, selector, parameters)))
}

/// Makes a hypercall and returns what its registers hold afterwards.
pub fn make(registers: Registers) -> Registers {
    let after = raw::hypercall(registers);
    #[cfg(feature = "seen")]
    crate::seen::remember(registers.rdi, status(after));
    after
}

/// The status in the registers that a hypercall left.
#[must_use]
pub const fn status(registers: Registers) -> Status {
    Status(registers.rdi as u8)
}

/// Calls a portal and waits for the reply; the message is in the caller's UTCB.
pub fn call(portal: u64) -> Status {
    made(number::CALL, 0, portal, [0; 4])
}

/// Calls a portal unless its thread is busy.
pub fn call_if_idle(portal: u64) -> Status {
    made(number::CALL, 1, portal, [0; 4])
}

/// Creates a protection domain with a share of its parent's kernel memory, in pages: never transferable, and all.
pub fn create_pd(selector: u64, parent: u64, initial: Crd, lower: u64, upper: u64) -> Status {
    made(number::CREATE_PD, 0, selector, [parent, initial.0, upper << 32 | lower, 0])
}

/// Creates an execution context; a global one has time of its own.
pub fn create_ec(selector: u64, pd: u64, utcb: u64, stack: u64, event_base: u64, global: bool) -> Status {
    made(number::CREATE_EC, u64::from(global), selector, [pd, utcb, stack, event_base])
}

/// Creates a scheduling context with a priority and a quantum in microseconds.
pub fn create_sc(selector: u64, pd: u64, ec: u64, priority: u64, quantum: u64) -> Status {
    made(number::CREATE_SC, 0, selector, [pd, ec, quantum << 12 | priority, 0])
}

/// Creates a portal that is served by a local execution context at an entry point.
pub fn create_pt(selector: u64, pd: u64, ec: u64, mtd: u64, entry: u64) -> Status {
    made(number::CREATE_PT, 0, selector, [pd, ec, mtd, entry])
}

/// Creates a semaphore with a counter.
pub fn create_sm(selector: u64, pd: u64, counter: u64) -> Status {
    made(number::CREATE_SM, 0, selector, [pd, counter, 0, 0])
}

/// Creates a signal: a semaphore that tells another one its value and how often it was upped.
pub fn create_signal(selector: u64, pd: u64, value: u64, receiver: u64) -> Status {
    made(number::CREATE_SM, 0, selector, [pd, value, receiver, 0])
}

/// Revokes a range.
pub fn revoke(range: Crd, how: Revocation) -> Status {
    let flags = u64::from(how.itself) | u64::from(how.remote.is_some()) << 1 | u64::from(how.keep) << 2;
    made(number::REVOKE, flags, how.notify, [range.0, how.remote.unwrap_or(0), 0, 0])
}

/// Revokes a range of the caller's with all that was delegated from it.
pub fn revoke_all(range: Crd) -> Status {
    revoke(range, Revocation { itself: true, ..Revocation::default() })
}

/// Looks a range up in the caller's space.
#[must_use]
pub fn lookup(range: Crd) -> Crd {
    Crd(make(Registers::new(number::MISC, 0, 0, [range.0, 0, 0, 0])).rsi)
}

/// Delegates items from one domain to another, through the caller's UTCB.
pub fn delegate(utcb: Utcb, from: u64, to: u64, window: Crd, items: &[Item]) -> Status {
    utcb.set_counts(0, 0);
    utcb.set_items(items);
    made(number::MISC, 1, from, [window.0, to, 0, 0])
}

/// Sends the machine to sleep.
pub fn suspend(authority: u64, type_a: u64, type_b: u64) -> Status {
    made(number::MISC, 2, authority, [type_a, type_b, 0, 0])
}

/// Performs an operation on an execution context and returns status and results.
pub fn ec_ctrl(operation: u64, ec: u64, first: u64, second: u64) -> (Status, u64, u64) {
    let after = make(Registers::new(number::EC_CTRL, operation, ec, [first, second, 0, 0]));
    (status(after), after.rsi, after.rdx)
}

/// Reads times of a scheduling context and returns status and results.
pub fn sc_ctrl(operation: u64, sc: u64, ec: u64) -> (Status, Registers) {
    let after = make(Registers::new(number::SC_CTRL, operation, sc, [ec, 0, 0, 0]));
    (status(after), after)
}

/// Sets the id that a portal's thread finds in RDI.
pub fn pt_ctrl(portal: u64, id: u64) -> Status {
    made(number::PT_CTRL, 0, portal, [id, 0, 0, 0])
}

/// Ups a semaphore.
pub fn up(semaphore: u64) -> Status {
    made(number::SM_CTRL, 0, semaphore, [0; 4])
}

/// Downs a semaphore, by a deadline if it is not 0.
pub fn down(semaphore: u64, deadline: u64) -> Status {
    made(number::SM_CTRL, 1, semaphore, [deadline >> 32, deadline & 0xffff_ffff, 0, 0])
}

/// Downs a semaphore to 0, by a deadline if it is not 0.
pub fn down_to_zero(semaphore: u64, deadline: u64) -> Status {
    made(number::SM_CTRL, 3, semaphore, [deadline >> 32, deadline & 0xffff_ffff, 0, 0])
}

/// Downs a semaphore that signals are chained to and returns status, value and count.
pub fn receive(semaphore: u64, deadline: u64) -> (Status, u64, u64) {
    let parameters = [deadline >> 32, deadline & 0xffff_ffff, 0, 0];
    let after = make(Registers::new(number::SM_CTRL, 1, semaphore, parameters));
    (status(after), after.rsi, after.rdx)
}

/// Gives a device to a domain.
pub fn assign_pci(pd: u64, config: u64, requester: u64) -> Status {
    made(number::ASSIGN_PCI, 0, pd, [config, requester, 0, 0])
}

/// Routes an interrupt line and returns status, message address and message data.
pub fn assign_gsi(line: u64, flags: u64, config: u64, cpu: u64, signal: u64) -> (Status, u64, u64) {
    let after = make(Registers::new(number::ASSIGN_GSI, flags, line, [config, cpu, signal, 0]));
    (status(after), after.rsi, after.rdx)
}

/// Takes the right to set a portal's id from its own domain, so that whoever gets the portal cannot do it either.
pub fn seal(portal: u64) -> Status {
    revoke(Crd::object(portal, 0, CONTROL), Revocation { itself: true, ..Revocation::default() })
}

/// Moves kernel memory from one domain to another, in pages.
pub fn transfer(from: u64, to: u64, pages: u64) -> Status {
    made(number::PD_CTRL, 0, from, [to, pages, 0, 0])
}

/// Reads what is left of the kernel's memory, by a call that only this kernel has: free frames, free bytes of its heap,
/// and how many owners all frames have together.
#[must_use]
pub fn kernel_memory(pd: u64) -> (Status, [u64; 3]) {
    let after = make(Registers::new(number::MISC, 15, pd, [3, 0, 0, 0]));
    (status(after), [after.rsi, after.rdx, after.rax])
}

/// Reads a domain's kernel memory, in pages: limit and usage.
pub fn quota(pd: u64) -> (Status, u64, u64) {
    let after = make(Registers::new(number::PD_CTRL, 2, pd, [0; 4]));
    (status(after), after.rsi, after.rdx)
}
