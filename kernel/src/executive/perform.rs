// SPDX-License-Identifier: MIT
//! Performing what accesses a device: behind the commit of the PE that ends before it, and once.
//!
//! The value that was read is in the thread's committed registers and memory, from which the next PE begins, and in
//! the trace. No restart goes back behind it. It was read once: nothing can tell whether it was read right.

use pe_replay::UserRegisters;
use pe_replay::stop::{DEBUG_STEP, vector};
use pe_replay::user::TRAP_FLAG;
use wire::config::Recording;
use wire::device::{DeviceAccess, Space};
use wire::end::End;
use wire::record::Record;
use wire::{DelimiterKind, ThreadNumber};

use super::{Executive, Step};
use crate::arch::{channel, decode};
use crate::mem::code;
use crate::object::Objects;
use crate::object::processor::{Piece, Processor, Width};
use crate::object::scheduler::ThreadId;
use crate::personality::{Effect, Personality};
use crate::trap::Trap;
use crate::trap::environment::{Environment, Fault, Place, Wants};
use crate::trap::perform::perform;
use crate::trap::port::Access;
use crate::trap::progress::{Progress, Stop};

/// Iterations of a string instruction after which interrupts and others have their turn.
const ITERATIONS: u64 = 1024;
/// Instructions that cannot be performed, of which the log tells.
const TOLD: u32 = 16;

impl<P: Processor, L: Personality> Executive<P, L> {
    /// Performs what a trap asks for and the personality has allowed, behind a PE of so many instructions.
    #[cold]
    #[inline(never)]
    pub(super) fn perform(
        &mut self,
        trap: Trap,
        effect: Effect,
        count: u64,
        trace: Recording,
    ) -> (DelimiterKind, Step, u64) {
        let kind = match trap.kind() {
            DelimiterKind::PageFault => DelimiterKind::Mmio,
            kind => kind,
        };
        let is_stepped = self.is_stepped();
        let (progress, end) = match effect {
            Effect::Perform(access) => (Ok(Progress::Done), self.access(access, trace)),
            _ => self.perform_instruction(if is_stepped { 1 } else { ITERATIONS }, trace),
        };
        let performed = u64::from(progress == Ok(Progress::Done));
        self.objects.clock.count(performed);
        let step = match progress {
            _ if let Some(end) = end => self.over(end),
            // Nothing of it has been counted yet: it would never have used up its turn.
            Ok(Progress::Unfinished) if !is_stepped => self.step(Effect::Unfinished),
            Ok(_) => self.step_over(),
            Err(Stop::Fault(Fault { address, error })) => self.serve_next(Trap::PageFault { address, error }),
            Err(Stop::Exception(vector)) => self.serve_next(Trap::Exception { vector, error: 0 }),
            Err(Stop::Refused) => {
                self.tell_refused();
                self.serve_next(Trap::PROTECTION)
            }
        };
        (kind, step, count + performed)
    }

    /// Whether the thread wants an exception behind each instruction.
    fn is_stepped(&self) -> bool {
        self.objects.registers().rflags & TRAP_FLAG != 0
    }

    /// How the thread goes on behind an instruction that it has not executed itself.
    #[cold]
    pub(super) fn step_over(&mut self) -> Step {
        if self.is_stepped() {
            self.serve_next(Trap::Exception { vector: vector::DEBUG, error: DEBUG_STEP })
        } else {
            Step::GoOn
        }
    }

    /// Serves what a performed instruction has come to.
    fn serve_next(&mut self, trap: Trap) -> Step {
        let current = self.objects.current();
        let effect = self.personality.serve(&mut self.objects, current, trap);
        self.step(effect)
    }

    /// Performs an IN or OUT; returns how the run ends by that, if it does.
    fn access(&mut self, access: Access, trace: Recording) -> Option<End> {
        let (processor, state) = self.objects.running();
        let value = access.perform(processor, P::registers_mut(state));
        if trace != Recording::Nothing {
            let made = Made { pe: self.objects.sequence, thread: self.numbers };
            made.port(access.port, access.width, access.value.is_some(), value);
        }
        access.value.and_then(|value| self.personality.written(access.port, access.width, value))
    }

    /// Performs the instruction at which the thread stands, and of one that repeats so many iterations at most; returns
    /// beside how far it has come how the run ends by it, if it does.
    fn perform_instruction(&mut self, most: u64, trace: Recording) -> (Result<Progress, Stop>, Option<End>) {
        let rip = self.objects.registers().rip;
        let instruction = decode::whole(&code::at(self.objects.processor.space(), rip), rip);
        let thread = self.objects.current();
        let made = Made { pe: self.objects.sequence, thread: self.numbers };
        let made = (trace != Recording::Nothing).then_some(made);
        let Self { personality, objects, .. } = self;
        let mut around = Around { personality, objects, thread, made, end: None };
        (perform(&instruction, most, &mut around), around.end)
    }

    /// Tells of an instruction that accesses a device and cannot be performed.
    fn tell_refused(&mut self) {
        self.refused = self.refused.saturating_add(1);
        if self.refused > TOLD {
            return;
        }
        let rip = self.objects.registers().rip;
        let ThreadNumber { process, thread } = self.numbers;
        defmt::warn!(
            "thread {=u32} of process {=u32}: the instruction at {=u64:#x} accesses a device and is none that can be \
             performed: {=[u8]:02x}",
            thread,
            process,
            rip,
            code::at(self.objects.processor.space(), rip)
        );
        if self.refused == TOLD {
            defmt::warn!("more of such instructions are not told of");
        }
    }
}

/// Who makes accesses that are recorded.
#[derive(Clone, Copy)]
struct Made {
    pe: u64,
    thread: ThreadNumber,
}

impl Made {
    fn record(self, space: Space, address: u64, bytes: u8, writes: bool, value: u64) {
        let Self { pe, thread } = self;
        channel::record(&Record::Device(DeviceAccess { pe, thread, space, address, bytes, writes, value }));
    }

    fn port(self, port: u16, width: Width, writes: bool, value: u32) {
        self.record(Space::Port, port.into(), width.bytes(), writes, value.into());
    }
}

/// What an instruction of the current thread's finds around it.
struct Around<'a, P: Processor, L> {
    personality: &'a mut L,
    objects: &'a mut Objects<P>,
    thread: ThreadId,
    /// Whose accesses are recorded, if they are.
    made: Option<Made>,
    /// How the run ends by what was written.
    end: Option<End>,
}

impl<P: Processor, L: Personality> Environment for Around<'_, P, L> {
    fn registers(&mut self) -> &mut UserRegisters {
        self.objects.parts().1
    }

    fn locate(&mut self, address: u64, wants: Wants) -> Result<Place, Fault> {
        self.personality.locate(self.objects, self.thread, address, wants)
    }

    fn load(&mut self, address: u64, into: &mut [u8]) {
        let read = self.objects.processor.space().read(address, into);
        assert!(read.is_ok(), "{address:#x} was located to be read");
    }

    fn store(&mut self, address: u64, from: &[u8]) {
        let written = self.objects.processor.space_mut().write(address, from);
        assert!(written.is_ok(), "{address:#x} was located to be written");
    }

    fn read_device(&mut self, physical: u64, piece: Piece) -> u64 {
        let value = self.objects.processor.read_device(physical, piece);
        if let Some(made) = self.made {
            made.record(Space::Memory, physical, piece.bytes(), false, value);
        }
        value
    }

    fn write_device(&mut self, physical: u64, piece: Piece, value: u64) {
        self.objects.processor.write_device(physical, piece, value);
        if let Some(made) = self.made {
            made.record(Space::Memory, physical, piece.bytes(), true, value);
        }
    }

    fn input(&mut self, port: u16, width: Width) -> u32 {
        let value = self.objects.processor.input(port, width);
        if let Some(made) = self.made {
            made.port(port, width, false, value);
        }
        value
    }

    fn output(&mut self, port: u16, width: Width, value: u32) {
        self.objects.processor.output(port, width, value);
        if let Some(made) = self.made {
            made.port(port, width, true, value);
        }
        self.end = self.personality.written(port, width, value);
    }

    fn is_over(&self) -> bool {
        self.end.is_some()
    }
}
