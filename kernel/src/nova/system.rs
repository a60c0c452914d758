// SPDX-License-Identifier: MIT
//! A NOVA system as the executive runs it: how it starts, and how its run ends.

use pe_replay::UserRegisters;
use wire::config::Config;
use wire::end::{End, Refusal, Registers, Service};
use wire::limit::ReachedLimit;
use wire::nova::{RootDeath, Stop, System};
use wire::record::{Label, UnsupportedCall};

use super::Nova;
use super::console::Console;
use super::root::Beginning;
use super::things::{Domain, Event, Resume};
use crate::mem::fallible::Exhausted;
use crate::mem::frame;
use crate::object::Objects;
use crate::object::processor::{Processor, Width};
use crate::object::scheduler::{ThreadId, Woken};
use crate::personality::{Effect, Personality};
use crate::trap::Trap;
use crate::trap::environment::{Fault, Place, Wants};

impl Personality for Nova {
    type Origin<'a> = Beginning<'a>;

    fn start<P: Processor>(
        config: &Config,
        beginning: &Beginning<'_>,
        objects: &mut Objects<P>,
    ) -> Result<Self, Refusal> {
        let out = |Exhausted| Refusal::OutOfMemory { needed_pages: 1, free_pages: frame::free_count() };
        let mut nova = Self::begin(objects, beginning).map_err(out)?;
        nova.console = Console::new(beginning.until).map_err(out)?;
        if let System::Nova(options) = config.system {
            nova.logs_calls = options.logs_calls;
            if let Some(duration_ns) = options.run_for_ns {
                let now_ns = objects.moment().monotonic_ns();
                objects.scheduler.set_alarm(Some(now_ns.saturating_add(duration_ns)));
            }
        }
        Ok(nova)
    }

    fn registers() -> UserRegisters {
        Self::first_registers()
    }

    fn serve<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId, trap: Trap) -> Effect {
        self.serve(objects, thread, trap)
    }

    fn resume<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        woken: Option<Woken>,
    ) -> Effect {
        self.resume(objects, thread, woken)
    }

    fn locate<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        address: u64,
        wants: Wants,
    ) -> Result<Place, Fault> {
        self.locate(objects, thread, address, wants)
    }

    fn written(&mut self, port: u16, width: Width, value: u32) -> Option<End> {
        self.console.completes(port, width, value).then_some(End::Stopped(Stop::Text))
    }

    fn run_out<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId) -> Effect {
        self.run_out(objects, thread)
    }

    fn cut<P: Processor>(&mut self, _: &mut Objects<P>, _: ThreadId) -> End {
        End::Stopped(Stop::Instructions)
    }

    fn stall(&mut self, _: bool) -> Option<End> {
        Some(End::Stopped(Stop::Idle))
    }

    #[inline(always)]
    fn service(registers: &UserRegisters) -> Service {
        Service::Hypercall((registers.rdi & 0xf) as u8)
    }

    fn ring<P: Processor>(&mut self, _: &mut Objects<P>) -> Option<End> {
        // Nothing else sets it.
        Some(End::Stopped(Stop::Time))
    }

    fn interrupt<P: Processor>(&mut self, objects: &mut Objects<P>, line: u8, count: u32) {
        self.interrupt(objects, line, count);
    }

    fn awaits_lines<P: Processor>(&self, objects: &Objects<P>) -> bool {
        self.awaits_lines(objects)
    }

    fn for_each_label<P: Processor>(&self, objects: &Objects<P>, mut act: impl FnMut(Label)) {
        for (_, domain) in self.things.domains.iter() {
            let Domain { group, label: text, .. } = &domain.object;
            if let (Some((process, _)), false) = (group, text.is_empty()) {
                act(Label { process: objects.number(*process), text: *text });
            }
        }
    }

    fn unsupported_calls(&self) -> impl Iterator<Item = UnsupportedCall> {
        core::iter::empty()
    }

    fn reached_limits(&self) -> impl Iterator<Item = ReachedLimit> {
        core::iter::empty()
    }
}

impl Nova {
    /// How the run ends if the root task's first thread is dead; the log is told the calls that were made last.
    pub(super) fn end_of_root<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        event: Event,
    ) -> Option<Effect> {
        let first = self.first.filter(|first| self.things.look(*first).resume == Resume::Dead)?;
        defmt::error!("the root task has ended; the last calls were:");
        for made in self.trail.iter() {
            defmt::error!("  {}", defmt::Display2Format(made));
        }
        let thread = objects.numbers(first);
        let registers = objects.registers_mut(first);
        let registers = Registers { gpr: registers.gprs(), rip: registers.rip, rflags: registers.rflags };
        let Event { number, qualification } = event;
        Some(Effect::Halt(End::RootDied(RootDeath { thread, event: number, qualification, registers })))
    }
}
