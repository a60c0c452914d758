// SPDX-License-Identifier: MIT
//! What every model program finds in memory, and what the model's kernel does
//! between PEs. It is told only delimiters, so it serves machine and reference.

use std::ops::Range;

use pe_replay::Delimiter;
use pe_replay::user::{TRAP_FLAG, UserRegisters};

use crate::cpu::{self, CODE, FIRST_FLAGS, OP_LEN, Op};

pub const PAGE_LEN: u64 = 4096;
pub type Page = [u8; PAGE_LEN as usize];

/// Writable pages.
pub const DATA: u64 = 0x1_0000;
pub const DATA_PAGES: u64 = 8;
/// Pages that may only be read.
pub const CONSTANT: u64 = 0x3_0000;
pub const CONSTANT_PAGES: u64 = 2;
/// Pages that come to be when they are first touched.
pub const LAZY: u64 = 0x4_0000;
pub const LAZY_PAGES: u64 = 4;
/// The first page of data once more, writable, and the second, only to be read.
pub const ALIAS: u64 = 0x5_0000;
/// The call that ends a program.
pub const EXIT: u64 = 60;

/// The page of an address.
pub fn page_of(address: u64) -> u64 {
    address & !(PAGE_LEN - 1)
}

/// An access by page: where each part of it begins, and which of its bytes it is.
pub fn parts(address: u64, length: usize) -> impl Iterator<Item = (u64, Range<usize>)> {
    let first = length.min((PAGE_LEN - address % PAGE_LEN) as usize);
    let second = (address.wrapping_add(first as u64), first..length);
    [(address, 0..first), second].into_iter().filter(|(_, part)| !part.is_empty())
}

/// One page as it is before the first PE.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    pub address: u64,
    pub home: usize,
    pub writable: bool,
}

/// All pages that are there from the start.
pub fn mappings() -> Vec<Mapping> {
    let data = (0..DATA_PAGES).map(|index| Mapping {
        address: DATA + PAGE_LEN * index,
        home: index as usize,
        writable: true,
    });
    let constant = (0..CONSTANT_PAGES).map(|index| Mapping {
        address: CONSTANT + PAGE_LEN * index,
        home: (DATA_PAGES + index) as usize,
        writable: false,
    });
    let aliases = [
        Mapping { address: ALIAS, home: 0, writable: true },
        Mapping { address: ALIAS + PAGE_LEN, home: 1, writable: false },
    ];
    data.chain(constant).chain(aliases).collect()
}

/// Home frames that [`mappings`] needs.
pub const HOMES: usize = (DATA_PAGES + CONSTANT_PAGES) as usize;

/// What a home frame holds before the first PE.
pub fn first_content(home: usize) -> Page {
    core::array::from_fn(|at| (at as u64).wrapping_mul(31).wrapping_add(home as u64 * 101) as u8 | 1)
}

/// The registers of a program before its first instruction: pointers into every
/// region, close to page ends, and some numbers.
pub fn first_state() -> UserRegisters {
    let mut user = UserRegisters::new(0x33, 0x2b);
    for index in 0..16 {
        *user.gpr_mut(index) = 0x1234_5678_9abc_def0u64.rotate_left(4 * u32::from(index));
    }
    user.rcx = 5;
    user.rbx = DATA + 0x100;
    user.rbp = DATA + 2 * PAGE_LEN - 4;
    user.rsi = CONSTANT + PAGE_LEN - 4;
    user.rdi = LAZY + 0x20;
    user.rsp = DATA + 6 * PAGE_LEN + 16;
    user.r15 = ALIAS + 0x100;
    user.rip = CODE;
    user.rflags = FIRST_FLAGS;
    user
}

/// What the kernel reaches between PEs.
pub trait World {
    /// Maps zeros at a page, in place of what may be there.
    fn map_zero(&mut self, page: u64);
    /// Changes whether the process may write a page that is there.
    fn protect(&mut self, page: u64, writable: bool);
    fn read_user(&self, address: u64) -> Option<u8>;
    /// Whether the process may write there, and then does.
    fn write_user(&mut self, address: u64, byte: u8) -> bool;
}

/// The part of the kernel's state that programs can see.
#[derive(Clone, Debug, Default)]
pub struct Kernel {
    clock: u64,
}

impl Kernel {
    /// The effect of a delimiter; false if the program is over.
    pub fn serve(
        &mut self,
        program: &[Op],
        user: &mut UserRegisters,
        delimiter: Delimiter,
        world: &mut impl World,
    ) -> bool {
        self.clock += 1;
        match delimiter {
            Delimiter::Syscall => self.call(user, world),
            Delimiter::PageFault { address, error } => {
                let lazy = (LAZY..LAZY + PAGE_LEN * LAZY_PAGES).contains(&address);
                if error & 1 == 0 && lazy {
                    world.map_zero(address & !(PAGE_LEN - 1));
                }
                error & 1 == 0 && lazy
            }
            Delimiter::Exception { vector: cpu::PROTECTION, .. } => match cpu::op_at(program, user.rip) {
                Some(Op::PortIo | Op::Rdtsc) => {
                    user.rax = self.clock;
                    user.rip += OP_LEN;
                    true
                }
                _ => false,
            },
            Delimiter::Exception { vector: cpu::DEBUG, .. } => {
                user.rflags &= !TRAP_FLAG;
                true
            }
            Delimiter::Exception { vector: cpu::BREAKPOINT, .. } => true,
            // As if a handler stepped over it.
            Delimiter::Exception { .. } => {
                user.rdx = !user.rdx;
                user.rip += OP_LEN - user.rip % OP_LEN;
                true
            }
            Delimiter::Limit | Delimiter::DirtyLimit { .. } => unreachable!("nothing a program can see"),
            Delimiter::Watchdog => unreachable!("never committed"),
        }
    }

    fn call(&mut self, user: &mut UserRegisters, world: &mut impl World) -> bool {
        match user.rax {
            EXIT => return false,
            number => {
                let page = user.rdi & !(PAGE_LEN - 1);
                let is_data = (DATA..DATA + PAGE_LEN * DATA_PAGES).contains(&page);
                let is_lazy = (LAZY..LAZY + PAGE_LEN * LAZY_PAGES).contains(&page);
                user.rax = match number % 8 {
                    0 | 4 => self.clock,
                    1 => (0..24)
                        .take_while(|at| world.write_user(user.rdi.wrapping_add(*at), *at as u8))
                        .count() as u64,
                    2 => (0..16)
                        .map_while(|at| world.read_user(user.rsi.wrapping_add(at)))
                        .map(u64::from)
                        .sum(),
                    // munmap and mmap, mprotect.
                    5 if is_lazy => {
                        world.map_zero(page);
                        0
                    }
                    6 if is_data || is_lazy => {
                        world.protect(page, number & 8 == 0);
                        0
                    }
                    _ => -38i64 as u64,
                }
            }
        }
        true
    }
}
