// SPDX-License-Identifier: MIT
//! A personality for tests: a call an effect.

use pe_replay::UserRegisters;
use wire::config::Config;
use wire::end::{End, Refusal};
use wire::limit::ReachedLimit;
use wire::record::UnsupportedCall;

use crate::object::Objects;
use crate::object::archive::Archive;
use crate::object::interrupt::Wire;
use crate::object::processor::Processor;
use crate::object::queue::Key;
use crate::object::scheduler::{Order, ThreadId, Wait, Woken};
use crate::object::table::Name as _;
use crate::personality::{Effect, Personality};
use crate::trap::Trap;

/// Where the first thread begins.
pub const CODE: u64 = 0x40_0000;
/// The one port that programs may use.
pub const PORT: u16 = 0x3f8;
/// Instructions of a turn.
pub const SLICE: u64 = 100;

/// Calls, by number.
pub mod call {
    pub const YIELD: u64 = 0;
    /// Wait in queue RDI, until RSI if that is not zero.
    pub const WAIT: u64 = 1;
    /// Wake queue RDI; returns how many.
    pub const WAKE: u64 = 2;
    /// A thread of the same process that begins at RDI, with priority RSI; returns its name.
    pub const THREAD: u64 = 3;
    /// A thread in a process of its own, with the same space, that begins at RDI with priority RSI; returns its name.
    pub const PROCESS: u64 = 4;
    pub const END: u64 = 5;
    pub const END_GROUP: u64 = 6;
    /// A thread without a budget that begins at RDI; returns its name.
    pub const SERVER: u64 = 7;
    /// Have thread RDI go on with one's budget, and wait in queue RSI.
    pub const DONATE: u64 = 8;
    /// Something that takes RDI pieces.
    pub const LONG: u64 = 9;
    pub const HALT: u64 = 10;
    /// Have line RDI interrupt, once: it wakes the queue of its number.
    pub const LINE: u64 = 11;
}

/// The queue of a number.
pub fn key(number: u64) -> Key {
    Key::Event { name: "bell", number }
}

/// A personality that does what it is told. Budgets of one priority are in a `QUEUE`, or in a ring.
#[derive(Default)]
pub struct Toy<const QUEUE: bool = false> {
    /// Pieces of a long call that are left.
    pieces: u64,
}

impl<const QUEUE: bool> Personality for Toy<QUEUE> {
    type Origin<'a> = Archive<'static>;

    fn start<P: Processor>(
        _: &Config,
        _: &Archive<'static>,
        objects: &mut Objects<P>,
    ) -> Result<Self, Refusal> {
        let thread = objects.current();
        objects.parts().1.rip = CODE;
        objects.scheduler.set_order(if QUEUE { Order::Queue } else { Order::Ring });
        objects.scheduler.add_budget(thread, 1, SLICE);
        Ok(Self::default())
    }

    fn registers() -> UserRegisters {
        UserRegisters::new(0, 0)
    }

    fn serve<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId, trap: Trap) -> Effect {
        let mut registers = objects.registers().clone();
        let [number, a, b] = [registers.rax, registers.rdi, registers.rsi];
        match (trap, number) {
            (Trap::Limit, _) => return Effect::Continue,
            (Trap::Port(access), _) if access.port == PORT => return Effect::Perform(access),
            (Trap::Syscall, call::YIELD) => return Effect::Yield,
            (Trap::Syscall, call::WAIT) => {
                let deadline_ns = (b > 0).then_some(b);
                return Effect::Block(Wait { deadline_ns, ..Wait::until_woken(key(a)) });
            }
            (Trap::Syscall, call::END) => return Effect::EndThread,
            (Trap::Syscall, call::LONG) => {
                self.pieces = a;
                return Effect::Unfinished;
            }
            (Trap::Syscall, call::DONATE) => {
                let (to, wait) = (ThreadId::at(a as usize), Some(Wait::until_woken(key(b))));
                objects.scheduler.donate(thread, to);
                return Effect::Switch { to, wait: wait.filter(|_| b > 0) };
            }
            (Trap::Syscall, call::HALT) => return Effect::Halt(End::Exited { status: a as u8 }),
            (Trap::Syscall, call::LINE) => {
                objects.lines.reserve().unwrap();
                objects.open_line(a as u8, Wire::ISA);
            }
            (Trap::Syscall, call::WAKE) => {
                objects.parts().1.rax = objects.scheduler.wake(key(a), u32::MAX, u32::MAX).into();
            }
            (Trap::Syscall, call::THREAD | call::PROCESS | call::SERVER) => {
                registers.rip = a;
                let own = (objects.thread(thread).process, objects.thread(thread).space);
                let made = match number {
                    call::PROCESS => objects.add_process_in(own.1, &registers),
                    _ => objects.add_thread(own.0, own.1, &registers),
                };
                let made = made.unwrap();
                if number != call::SERVER {
                    objects.scheduler.add_budget(made, b as u8, SLICE);
                }
                objects.parts().1.rax = made.place() as u64;
            }
            (_, _) => return Effect::EndGroup,
        }
        Effect::Continue
    }

    fn resume<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        _: ThreadId,
        woken: Option<Woken>,
    ) -> Effect {
        let registers = objects.parts().1;
        match woken {
            Some(woken) => registers.rax = 0x100 + woken as u64,
            None if registers.rax == call::LONG && self.pieces > 0 => {
                self.pieces -= 1;
                return Effect::Unfinished;
            }
            None => {}
        }
        Effect::Continue
    }

    fn run_out<P: Processor>(&mut self, _: &mut Objects<P>, _: ThreadId) -> Effect {
        Effect::EndThread
    }

    fn cut<P: Processor>(&mut self, _: &mut Objects<P>, _: ThreadId) -> End {
        End::Exited { status: 99 }
    }

    fn ring<P: Processor>(&mut self, _objects: &mut Objects<P>) -> Option<End> {
        unreachable!("nobody sets an alarm")
    }

    fn interrupt<P: Processor>(&mut self, objects: &mut Objects<P>, line: u8, count: u32) {
        assert_eq!(count, 1);
        objects.close_line(line);
        objects.scheduler.wake_all(key(line.into()));
    }

    fn reached_limits(&self) -> impl Iterator<Item = ReachedLimit> {
        core::iter::empty()
    }

    fn unsupported_calls(&self) -> impl Iterator<Item = UnsupportedCall> {
        std::iter::empty()
    }
}
