// SPDX-License-Identifier: MIT
//! The engine's view of this machine: user mode, the counter, and page frames.

use arrayvec::ArrayVec;
use pe_replay::drive::MappedPage;
use pe_replay::policy::MAX_DIRTY_PAGES;
use pe_replay::{Machine, Order, Stop, Uprr};
use pmu::VirtualTime;

use crate::arch::context::{self, Start};
use crate::arch::{machine, watchdog};
use crate::counter::stop_kind;
use crate::mem::frame::{self, Frame, OutOfFrames};
use crate::mem::phys;
use crate::mem::space::{PAGE_LEN, Space};

/// A checkpoint and a second copy for each page of the written set.
const POOL: usize = 2 * MAX_DIRTY_PAGES as usize;

/// What stays the same from program to program.
#[derive(Clone, Copy)]
pub struct Platform {
    /// The kernel's own top table.
    pub kernel_root: Frame,
    /// The calibrated counter.
    pub counter: VirtualTime,
    /// The MXCSR bits that the processor has.
    pub mxcsr_mask: u32,
}

/// The processor and one address space.
pub struct KernelMachine {
    /// The process's memory.
    pub space: Space,
    counter: VirtualTime,
    mxcsr_mask: u32,
    pool: ArrayVec<Frame, POOL>,
    /// Pages that were mapped to another frame than their home: address and home.
    away: ArrayVec<(u64, Frame), { MAX_DIRTY_PAGES as usize }>,
    /// How many of them have come back; when all have, the list starts over.
    back: usize,
}

impl KernelMachine {
    /// Reserves the frames that a written set of `max_dirty` pages can need, so
    /// that no PE can run out of them.
    pub fn new(space: Space, platform: &Platform, max_dirty: u16) -> Result<Self, OutOfFrames> {
        let Platform { counter, mxcsr_mask, .. } = *platform;
        let mut pool = ArrayVec::new();
        for _ in 0..POOL.min(2 * usize::from(max_dirty)) {
            match frame::allocate() {
                Ok(frame) => pool.push(frame),
                Err(OutOfFrames) => {
                    pool.into_iter().for_each(frame::release);
                    space.dismantle();
                    return Err(OutOfFrames);
                }
            }
        }
        Ok(Self { space, counter, mxcsr_mask, pool, away: ArrayVec::new(), back: 0 })
    }

    /// Gives all frames back.
    pub fn dismantle(self) {
        self.space.dismantle();
        self.pool.into_iter().for_each(frame::release);
    }
}

impl Machine for KernelMachine {
    type Frame = Frame;

    fn now(&mut self) -> u64 {
        machine::now()
    }

    fn enter(&mut self, state: &mut Uprr, order: Order) -> Stop {
        watchdog::wind(machine::now());
        let start = Start {
            timer: self.counter.timer(order.budget),
            step: order.step,
            interrupts_off: order.interrupts_off,
            fresh: order.fresh,
        };
        let stretch = context::enter(state, start, self.mxcsr_mask);
        let elapsed = stretch.left.wrapping_sub(stretch.entered);
        let instructions =
            if stretch.refused { 0 } else { self.counter.instructions(stop_kind(stretch.cause), elapsed) };
        Stop { cause: stretch.cause, instructions, entered: stretch.entered, ticks: instructions }
    }

    fn page(&mut self, address: u64) -> Option<MappedPage<Frame>> {
        let address = address & !(PAGE_LEN - 1);
        let mapping = self.space.lookup(address)?;
        let away = self.away.iter().find(|(page, _)| *page == address);
        let home = away.map_or(mapping.frame, |(_, home)| *home);
        Some(MappedPage { address, home, writable: mapping.access.read && mapping.access.write })
    }

    fn allocate(&mut self) -> Option<Frame> {
        self.pool.pop()
    }

    fn release(&mut self, frame: Frame) {
        self.pool.push(frame);
    }

    fn copy(&mut self, from: Frame, to: Frame) {
        phys::with2(from, to, |from, to| pages::copy(from, to));
    }

    fn first_difference(&mut self, a: Frame, b: Frame) -> Option<u16> {
        phys::with2(a, b, |a, b| pages::first_difference(a, b))
    }

    fn byte(&mut self, frame: Frame, offset: u16) -> u8 {
        phys::with(frame, |page| page[usize::from(offset)])
    }

    fn flip(&mut self, frame: Frame, offset: u16, mask: u8) {
        phys::with(frame, |page| page[usize::from(offset)] ^= mask);
    }

    fn map(&mut self, page: MappedPage<Frame>, frame: Frame, writable: bool) {
        let was_home = self.space.lookup(page.address).is_some_and(|mapping| mapping.frame == page.home);
        self.space.set_frame(page.address, frame, writable);
        match (was_home, frame == page.home) {
            (true, false) => self.away.push((page.address, page.home)),
            (false, true) => {
                self.back += 1;
                if self.back == self.away.len() {
                    self.away.clear();
                    self.back = 0;
                }
            }
            (true, true) | (false, false) => {}
        }
    }
}
