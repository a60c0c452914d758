// SPDX-License-Identifier: MIT
//! The plain interpreter: flat, once, no PEs, no tracking. What it computes is
//! what the engine must commit.

use std::collections::{BTreeMap, VecDeque};

use flips::{Injection, Target};
use pe_replay::user::xsave;
use pe_replay::{Delimiter, UserRegisters};

use crate::cpu::{self, Bus, Fault, Op, Trap};
use crate::space::{self, PAGE_LEN, Page, World, page_of, parts};

/// Memory without tracking.
#[derive(Clone)]
pub struct Memory {
    pages: BTreeMap<u64, (usize, bool)>,
    pub frames: Vec<Page>,
    /// Values still to be drawn.
    pub random: VecDeque<u64>,
}

impl Memory {
    fn new() -> Self {
        let pages = space::mappings().into_iter().map(|it| (it.address, (it.home, it.writable))).collect();
        let frames = (0..space::HOMES).map(space::first_content).collect();
        Self { pages, frames, random: VecDeque::new() }
    }

    fn at(&self, address: u64) -> Option<(usize, usize, bool)> {
        let (frame, writable) = self.pages.get(&page_of(address))?;
        Some((*frame, (address % PAGE_LEN) as usize, *writable))
    }

    /// The frame of each page, by address.
    pub fn pages(&self) -> impl Iterator<Item = (u64, &Page)> {
        self.pages.iter().map(|(address, (frame, _))| (*address, &self.frames[*frame]))
    }
}

impl Bus for Memory {
    fn read(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), Fault> {
        for (address, part) in parts(address, bytes.len()) {
            let (frame, at, _) = self.at(address).ok_or(Fault { address, error: 4 })?;
            let content = &self.frames[frame][at..at + part.len()];
            bytes[part].copy_from_slice(content);
        }
        Ok(())
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Fault> {
        for (address, _) in parts(address, bytes.len()) {
            match self.at(address) {
                Some((.., true)) => {}
                Some((.., false)) => return Err(Fault { address, error: 7 }),
                None => return Err(Fault { address, error: 6 }),
            }
        }
        for (address, part) in parts(address, bytes.len()) {
            let Some((frame, at, _)) = self.at(address) else { unreachable!() };
            self.frames[frame][at..at + part.len()].copy_from_slice(&bytes[part]);
        }
        Ok(())
    }

    /// What the run drew that this one is to repeat; beyond, it is another run.
    fn random(&mut self) -> u64 {
        self.random.pop_front().unwrap_or_default()
    }
}

impl World for Memory {
    fn map_zero(&mut self, page: u64) {
        self.frames.push([0; PAGE_LEN as usize]);
        self.pages.insert(page, (self.frames.len() - 1, true));
    }

    fn protect(&mut self, page: u64, writable: bool) {
        if let Some((_, access)) = self.pages.get_mut(&page) {
            *access = writable;
        }
    }

    fn read_user(&self, address: u64) -> Option<u8> {
        self.at(address).map(|(frame, at, _)| self.frames[frame][at])
    }

    fn write_user(&mut self, address: u64, byte: u8) -> bool {
        match self.at(address) {
            Some((frame, at, true)) => {
                self.frames[frame][at] = byte;
                true
            }
            Some((_, _, false)) | None => false,
        }
    }
}

/// A program that is executed plainly.
#[derive(Clone)]
pub struct Reference {
    pub state: UserRegisters,
    pub memory: Memory,
    /// Whether a flip was applied.
    pub flipped: bool,
}

impl Reference {
    pub fn new() -> Self {
        Self { state: space::first_state(), memory: Memory::new(), flipped: false }
    }

    /// Executes until something happens or `limit` instructions are done, with
    /// at most one flip on the way; returns what ended it and the instructions.
    pub fn run(&mut self, program: &[Op], limit: u64, mut flip: Option<Injection>) -> (Delimiter, u64) {
        let mut count = 0;
        while count < limit {
            if let Some(flip) = flip.take_if(|flip| flip.at == count) {
                self.flipped |= self.flip(flip);
            }
            match cpu::step(&mut self.state, program, &mut self.memory) {
                Ok(()) => count += 1,
                Err(trap) => {
                    let delimiter = match trap {
                        Trap::Syscall => Delimiter::Syscall,
                        Trap::Exception { vector: cpu::FAULT, error, address, .. } => {
                            Delimiter::PageFault { address, error }
                        }
                        Trap::Exception { vector, error, .. } => Delimiter::Exception { vector, error },
                    };
                    return (delimiter, count + u64::from(trap.retired()));
                }
            }
        }
        (Delimiter::Limit, count)
    }

    fn flip(&mut self, flip: Injection) -> bool {
        let bit = u32::from(flip.bit);
        match flip.target {
            Target::Gpr(index) => *self.state.gpr_mut(index) ^= 1 << bit,
            Target::Rip => self.state.rip ^= 1 << bit,
            Target::Rflags => self.state.rflags ^= 1 << bit,
            Target::Xmm(index) => {
                let at = xsave::XMM + 16 * usize::from(index) + bit as usize / 8;
                self.state.extended.0[at] ^= 1 << (bit % 8);
            }
            Target::Memory(address) => {
                let Some((frame, at, _)) = self.memory.at(address) else { return false };
                self.memory.frames[frame][at] ^= 1 << bit;
            }
            // The engine's own.
            Target::Copy(..) | Target::Saved(..) => return false,
        }
        true
    }

    /// Whether two runs left the same behind.
    pub fn agrees(&self, other: &Self) -> bool {
        self.state == other.state && self.memory.frames == other.memory.frames
    }
}
