// SPDX-License-Identifier: MIT
//! What an instruction that the kernel performs finds around it: registers, memory, devices, ports.
//!
//! Whoever implements it decides who has what; whoever performs instructions knows nothing of that.

use pe_replay::UserRegisters;
use pe_replay::stop::{FAULT_USER, FAULT_WRITE};

use crate::object::processor::{Piece, Width};

/// What an instruction does with an operand in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// It is read.
    Read,
    /// It is written, whether it is read before or not.
    Write,
}

/// What an instruction does with its operand in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It reads it.
    Read,
    /// It writes it.
    Write,
    /// It reads it, and then writes it.
    Change,
}

impl Use {
    /// What that takes.
    pub fn wants(self) -> Wants {
        if self == Self::Read { Wants::Read } else { Wants::Write }
    }
}

/// What lies behind a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Memory, which can be accessed as was asked for until the instruction is performed.
    Memory,
    /// A device, which has the page at this physical address.
    Device(u64),
}

/// An access that the thread may not make, or that needs a page which is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The first byte that is not reached.
    pub address: u64,
    /// The error code of the page fault that it is; whoever serves it knows whether the page is there.
    pub error: u32,
}

impl Fault {
    /// The fault of an access by user mode.
    pub fn new(address: u64, wants: Wants) -> Self {
        let write = if wants == Wants::Write { FAULT_WRITE } else { 0 };
        Self { address, error: FAULT_USER | write }
    }
}

/// What an instruction finds around it.
pub trait Environment {
    /// The registers of the thread.
    fn registers(&mut self) -> &mut UserRegisters;

    /// What lies behind the page of an address, for an access that begins there; memory is made present for it.
    fn locate(&mut self, address: u64, wants: Wants) -> Result<Place, Fault>;

    /// Reads memory that was located; all of it lies in one page.
    fn load(&mut self, address: u64, into: &mut [u8]);

    /// Writes memory that was located; all of it lies in one page.
    fn store(&mut self, address: u64, from: &[u8]);

    /// Reads a device, once.
    fn read_device(&mut self, physical: u64, piece: Piece) -> u64;

    /// Writes a device, once.
    fn write_device(&mut self, physical: u64, piece: Piece, value: u64);

    /// Reads a port, once.
    fn input(&mut self, port: u16, width: Width) -> u32;

    /// Writes a port, once.
    fn output(&mut self, port: u16, width: Width, value: u32);

    /// Whether what was written ends the run: an instruction that repeats goes no further.
    fn is_over(&self) -> bool {
        false
    }
}
