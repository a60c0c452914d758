// SPDX-License-Identifier: MIT
//! Entries into user mode that are not plain: with the trap flag or a breakpoint, or
//! with another counter than virtual time.

use pe_replay::stop::vector;
use pe_replay::user::TRAP_FLAG;
use pe_replay::{Cause, Exit, Order, Span, UserRegisters};
use pmu::exact::{Decoder, Instruction, Pass, Single, single};
use pmu::{Entry, Reading, Stopped};
use wire::record::Unit;

use super::KernelMachine;
use super::counter::stop_kind;
use crate::arch::context::{self, Start, Stretch};
use crate::arch::passing::{self, Passed};
use crate::arch::{decode, machine, tally, watchdog};
use crate::mem::code;
use crate::mem::space::Space;

/// Reads instructions of an address space.
struct Reader<'a>(&'a Space);

impl Decoder for Reader<'_> {
    fn decode(&mut self, rip: u64) -> Instruction {
        decode::instruction(&code::at(self.0, rip), rip)
    }
}

/// One entry, as far as debug exceptions go.
#[derive(Clone, Copy)]
struct Debug {
    step: bool,
    breakpoint: Option<u64>,
    resume: bool,
    /// Hits that are passed over, and what each adds to the time stamps.
    pass: Option<(Pass, i64)>,
}

impl KernelMachine {
    /// As [`enter`](pe_replay::Processor::enter), in any way.
    #[cold]
    #[inline(never)]
    pub(super) fn enter_otherwise(
        &mut self,
        source: Option<&UserRegisters>,
        state: &mut UserRegisters,
        order: Order,
    ) -> Exit {
        if self.counting.kind == wire::counter::CounterKind::Stepping {
            self.step_through(source, state, order)
        } else {
            self.count(source, state, order)
        }
    }

    /// One stretch.
    fn stretch(
        &mut self,
        source: Option<&UserRegisters>,
        state: &mut UserRegisters,
        order: Order,
        timer: u32,
        debug: Debug,
    ) -> (Stretch, Passed) {
        self.count_entry(order.fresh);
        tally::TIME_STAMPS.add(1);
        watchdog::wind(machine::now());
        let start = Start {
            timer,
            step: debug.step,
            resume: debug.resume,
            interrupts_off: order.interrupts_off,
            fresh: order.fresh,
        };
        if debug.breakpoint.is_none() {
            return (context::enter(source, state, start, self.mxcsr_mask), Passed::default());
        }
        machine::set_breakpoint(debug.breakpoint);
        if let Some((pass, bias)) = debug.pass {
            passing::allow(pass, bias, timer);
        }
        let stretch = context::enter(source, state, start, self.mxcsr_mask);
        machine::set_breakpoint(None);
        let passed = passing::take();
        tally::TIME_STAMPS.add(passed.time_stamps());
        tally::APIC_WRITES.add(passed.apic_writes());
        (stretch, passed)
    }

    /// With a counter.
    fn count(&mut self, source: Option<&UserRegisters>, state: &mut UserRegisters, order: Order) -> Exit {
        let (rip, user_trap) = source.map_or((state.rip, state.rflags), |from| (from.rip, from.rflags));
        let user_trap = user_trap & TRAP_FLAG != 0;
        let shadow = order
            .step
            .then(|| decode::instruction(&code::at(&self.space, rip), rip))
            .filter(|at| at.holds_debug_back);
        // No breakpoint in the kernel's half: the kernel itself would hit it. Single
        // steps find out, too, where a program jumps that jumps there.
        let breakpoint = order.breakpoint.filter(|at| at.rip >> 47 == 0);
        let in_place = order.breakpoint.is_some() && breakpoint.is_none();
        let stamped = match self.counting.other {
            Some(counter) => counter.lock().stamped(),
            None => self.counting.clock.stamped(),
        };
        let debug = Debug {
            step: order.step || in_place,
            breakpoint: breakpoint.map(|at| at.rip),
            resume: breakpoint.is_some_and(|at| at.resume),
            pass: breakpoint.and_then(|at| at.pass).zip(stamped),
        };
        let Entry { timer, step: _ } = match self.counting.other {
            Some(counter) => counter.lock().arm(order.budget),
            None => self.counting.clock.arm(order.budget),
        };
        let (mut stretch, passed) = self.stretch(source, state, order, timer, debug);
        let elapsed = passed.elapsed(&stretch);
        let swallowed = shadow.is_some_and(|at| state.rip != at.next);
        let stopped = Stopped { kind: stop_kind(stretch.cause), elapsed, swallowed, passed: passed.hits };
        let reading = match self.counting.other {
            Some(counter) => counter.lock().stop(stopped),
            None => self.counting.clock.stop(stopped),
        };
        if in_place && !user_trap {
            state.rflags &= !TRAP_FLAG;
            if is_debug(stretch.cause) {
                stretch.cause = Cause::Breakpoint;
            }
        }
        let Reading { instructions, own, strays } = reading;
        let instructions = if stretch.refused { 0 } else { instructions };
        let told = stretch.cause == Cause::Counter && !own;
        let ticks = if self.counting.unit == Unit::Instructions { instructions } else { elapsed };
        Exit {
            cause: stretch.cause,
            span: Span { instructions, entered: stretch.entered, ticks },
            debug_exceptions: passed.hits,
            strays: (strays - u32::from(told && strays > 0)) as u16,
        }
    }

    /// Without one: an instruction at a time, up to the whole budget.
    fn step_through(
        &mut self,
        source: Option<&UserRegisters>,
        state: &mut UserRegisters,
        order: Order,
    ) -> Exit {
        let mut source = source;
        let mut order = order;
        let mut first = None;
        let (mut executed, mut ticks, mut exceptions) = (0, 0, 0);
        let cause = loop {
            let at = source.unwrap_or(state);
            let (rip, user_trap) = (at.rip, at.rflags & TRAP_FLAG != 0);
            let here = decode::instruction(&code::at(&self.space, rip), rip);
            let left = order.budget - executed;
            let around = if here.shows_trap || here.holds_debug_back {
                match single(rip, &mut Reader(&self.space)) {
                    Single::Around { next } => Some(next),
                    Single::Trap => (here.holds_debug_back && left == 1).then_some(here.next),
                }
            } else {
                None
            };
            let debug = Debug { step: around.is_none(), breakpoint: around, resume: false, pass: None };
            let (stretch, _) = self.stretch(source.take(), state, order, 0, debug);
            order.fresh = false;
            first.get_or_insert(stretch.entered);
            let ours = match stretch.cause {
                Cause::Breakpoint => around.is_some(),
                cause => around.is_none() && !user_trap && is_debug(cause),
            };
            if around.is_none() && !user_trap && !(ours && here.loads_flags) {
                state.rflags &= !TRAP_FLAG;
            }
            let more = match stretch.cause {
                _ if stretch.refused => 0,
                Cause::Syscall => 1,
                Cause::Breakpoint | Cause::Exception { vector: vector::DEBUG, .. } => {
                    // An instruction that holds the exception back takes the next one along.
                    let two = match around {
                        Some(next) => next != here.next,
                        None => here.holds_debug_back && state.rip != here.next,
                    };
                    1 + u64::from(two)
                }
                Cause::Exception { .. } | Cause::Counter | Cause::Watchdog => 0,
            };
            executed += more;
            let elapsed = stretch.left.wrapping_sub(stretch.entered);
            ticks += if self.counting.unit == Unit::Instructions { more } else { elapsed };
            exceptions += u32::from(ours);
            if !ours {
                break stretch.cause;
            }
            if executed >= order.budget {
                break Cause::Counter;
            }
            let asked = order.step || order.breakpoint.is_some_and(|at| at.rip == state.rip);
            if asked {
                exceptions -= 1;
                break if order.step { stretch.cause } else { Cause::Breakpoint };
            }
        };
        Exit {
            cause,
            span: Span { instructions: executed, entered: first.unwrap_or_else(machine::now), ticks },
            debug_exceptions: exceptions,
            strays: 0,
        }
    }
}

fn is_debug(cause: Cause) -> bool {
    matches!(cause, Cause::Exception { vector: vector::DEBUG, .. })
}
