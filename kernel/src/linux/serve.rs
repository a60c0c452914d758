// SPDX-License-Identifier: MIT
//! Linux as the executive's personality: from traps to calls, from what they come to to effects.

use pe_replay::UserRegisters;
use pe_replay::stop::vector;
use wire::config::Config;
use wire::end::{Death, End, Refusal, Registers};
use wire::limit::ReachedLimit;
use wire::record::UnsupportedCall;

use super::signal::exception::Exception;
use super::view::View;
use super::{Child, FIRST_ID, Linux, Next, SIGKILL, SIGXCPU, Status, vsyscall};
use crate::arch::segment::{USER_CS, USER_SS};
use crate::object::Objects;
use crate::object::archive::Archive;
use crate::object::processor::Processor;
use crate::object::scheduler::{ThreadId, Woken};
use crate::personality::{Effect, Personality};
use crate::trap::Trap;

/// All budgets have one priority.
const PRIORITY: u8 = 0;
/// Instructions after which another process has its turn. They are the user's, so
/// turns do not depend on the mode or on where PEs end.
const TIME_SLICE: u64 = 50_000;

/// Where a process was that is ended: the vector and the address of an exception, or none and
/// that of its instruction.
type Place = (Option<u8>, u64);

impl Linux {
    /// Performs the system call that the current process asks for.
    #[inline(always)]
    fn call<P: Processor>(&mut self, objects: &mut Objects<P>) -> Effect {
        let now = objects.moment();
        let (space, registers, scheduler) = objects.parts();
        let rip = registers.rip;
        let next = self.syscall(&mut View { space, scheduler }, registers, now);
        if next == Next::Continue { Effect::Continue } else { self.effect(objects, next, (None, rip)) }
    }

    /// Serves what is no system call.
    #[inline(never)]
    fn serve_other<P: Processor>(&mut self, objects: &mut Objects<P>, trap: Trap) -> Effect {
        match trap {
            Trap::Syscall => self.call(objects),
            Trap::PageFault { address, error } => {
                let (space, ..) = objects.parts();
                match self.page_fault(space, address, error) {
                    Ok(()) => Effect::Continue,
                    Err(signal) => self.serve_bad_page(objects, (address, error), signal),
                }
            }
            Trap::Time(reading) => {
                let now = objects.moment();
                reading.answer(objects.parts().1, now.monotonic_ns());
                Effect::Continue
            }
            // Nobody has a port.
            Trap::Port(_) | Trap::PortString(_) => self.serve_other(objects, Trap::PROTECTION),
            Trap::Exception { vector, error } => {
                let (space, registers, scheduler) = objects.parts();
                let rip = registers.rip;
                let exception = Exception { vector, error };
                let next = self.exception(&mut View { space, scheduler }, registers, exception);
                self.effect(objects, next, (Some(vector), rip))
            }
            Trap::Limit | Trap::DirtyLimit => Effect::Continue,
        }
    }

    /// Serves an access to what is not the current process's, for which there is this signal.
    #[cold]
    fn serve_bad_page<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        fault: (u64, u32),
        signal: u8,
    ) -> Effect {
        let now = objects.moment();
        let (space, registers, scheduler) = objects.parts();
        let mut view = View { space, scheduler };
        let next = match vsyscall::is_jump(fault) {
            true => self.vsyscall(&mut view, registers, now),
            false => self.bad_page(&mut view, registers, fault, signal),
        };
        self.effect(objects, next, (Some(vector::PAGE_FAULT), fault.0))
    }

    /// What the word of a call means for the current process, which was at `place`.
    #[cold]
    fn effect<P: Processor>(&mut self, objects: &mut Objects<P>, next: Next, place: Place) -> Effect {
        match next {
            Next::Continue => Effect::Continue,
            Next::Yield => Effect::Yield,
            Next::Wait => self.wait(&objects.scheduler).map_or(Effect::Yield, Effect::Block),
            Next::Fork => self.bear(objects),
            Next::Executed => self.start_over(objects, place),
            Next::Exit { status } if self.process.id() == FIRST_ID => Effect::Halt(End::Exited { status }),
            Next::Exit { status } => self.ends(objects, Status::Exited(status)),
            Next::ExitThread => {
                let now = objects.moment();
                let (space, _, scheduler) = objects.parts();
                self.end_thread(&mut View { space, scheduler }, now);
                Effect::EndThread
            }
            Next::Kill { signal } => self.kills(objects, signal, place),
            Next::OutOfMemory => self.kills(objects, SIGKILL, place),
            Next::OutputFull { limit } => Effect::Halt(End::OutputFull { limit }),
        }
    }

    /// Ends the current process, which is not the first one.
    #[cold]
    fn ends<P: Processor>(&mut self, objects: &mut Objects<P>, status: Status) -> Effect {
        let now = objects.moment();
        let (space, _, scheduler) = objects.parts();
        self.end(&mut View { space, scheduler }, status, now);
        Effect::EndGroup
    }

    #[cold]
    fn kills<P: Processor>(&mut self, objects: &mut Objects<P>, signal: u8, place: Place) -> Effect {
        if self.process.id() == FIRST_ID {
            return Effect::Halt(death(objects, signal, place));
        }
        defmt::info!("process {=u64} was ended by signal {=u8}", self.process.id(), signal);
        self.ends(objects, Status::Signaled(signal))
    }

    /// Gives the thread that was just made an object and a budget, and its process.
    #[cold]
    fn bear<P: Processor>(&mut self, objects: &mut Objects<P>) -> Effect {
        if let Some(Child { is_thread, space, state }) = self.take_child() {
            let current = objects.thread(objects.current());
            let (process, shared) = (current.process, current.space);
            let made = match space {
                Some(space) => objects.add_process(space, &state),
                None if is_thread => objects.add_thread(process, shared, &state),
                None => objects.add_process_in(shared, &state),
            };
            let adopted = made.and_then(|thread| match self.adopt(thread) {
                Ok(()) => Ok(thread),
                Err(exhausted) => {
                    objects.destroy_thread(thread);
                    Err(exhausted)
                }
            });
            match adopted {
                Ok(thread) => {
                    objects.scheduler.add_budget(thread, PRIORITY, TIME_SLICE);
                }
                Err(_) => self.refuse_child(objects.parts().1),
            }
        }
        self.wait(&objects.scheduler).map_or(Effect::Continue, Effect::Block)
    }

    /// The current thread has executed another program: it is alone in its process now, and maybe
    /// in another space.
    #[cold]
    fn start_over<P: Processor>(&mut self, objects: &mut Objects<P>, place: Place) -> Effect {
        let process = objects.thread(objects.current()).process;
        objects.destroy_process(process);
        if let Some(space) = self.take_space()
            && objects.move_to(space).is_err()
        {
            return self.kills(objects, SIGKILL, place);
        }
        let (space, registers, scheduler) = objects.parts();
        match self.deliver(&mut View { space, scheduler }, registers) {
            Next::Continue => Effect::Continue,
            next => self.effect(objects, next, place),
        }
    }
}

/// The end of a run by a signal to the current thread.
fn death<P: Processor>(objects: &Objects<P>, signal: u8, (vector, address): Place) -> End {
    let (thread, registers) = (objects.numbers(objects.current()), objects.registers());
    let registers = Registers { gpr: registers.gprs(), rip: registers.rip, rflags: registers.rflags };
    End::Killed(Death { thread, signal, vector, address, registers })
}

impl Personality for Linux {
    type Origin<'a> = Archive<'static>;

    fn start<P: Processor>(
        config: &Config,
        archive: &Archive<'static>,
        objects: &mut Objects<P>,
    ) -> Result<Self, Refusal> {
        let thread = objects.current();
        let (space, registers, scheduler) = objects.parts();
        let linux = Self::load(archive, config, thread, space, registers)?;
        scheduler.add_budget(thread, PRIORITY, TIME_SLICE);
        Ok(linux)
    }

    fn registers() -> UserRegisters {
        UserRegisters::new(USER_CS, USER_SS)
    }

    #[inline(always)]
    fn serve<P: Processor>(&mut self, objects: &mut Objects<P>, _thread: ThreadId, trap: Trap) -> Effect {
        let effect = if trap == Trap::Syscall { self.call(objects) } else { self.serve_other(objects, trap) };
        if !self.alarms.is_empty() {
            self.set_alarm(&mut objects.scheduler);
        }
        effect
    }

    fn resume<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        woken: Option<Woken>,
    ) -> Effect {
        self.clock.set(objects.last_moment());
        self.switch_to(thread);
        let now = if self.is_waiting() { objects.moment() } else { objects.last_moment() };
        let (space, registers, scheduler) = objects.parts();
        let rip = registers.rip;
        if !self.catch_up(space) {
            return self.kills(objects, SIGKILL, (None, rip));
        }
        let mut view = View { space, scheduler };
        let next = match self.is_waiting() {
            true => self.syscall_again(&mut view, registers, now, woken),
            false => self.deliver(&mut view, registers),
        };
        let effect = self.effect(objects, next, (None, rip));
        if !self.alarms.is_empty() {
            self.set_alarm(&mut objects.scheduler);
        }
        effect
    }

    fn run_out<P: Processor>(&mut self, objects: &mut Objects<P>, _thread: ThreadId) -> Effect {
        let rip = objects.registers().rip;
        self.kills(objects, SIGKILL, (None, rip))
    }

    fn cut<P: Processor>(&mut self, objects: &mut Objects<P>, _thread: ThreadId) -> End {
        let rip = objects.registers().rip;
        death(objects, SIGXCPU, (None, rip))
    }

    fn ring<P: Processor>(&mut self, objects: &mut Objects<P>) -> Option<End> {
        self.clock.set(objects.last_moment());
        self.ring_alarms(&mut objects.scheduler);
        self.set_alarm(&mut objects.scheduler);
        None
    }

    fn interrupt<P: Processor>(&mut self, _objects: &mut Objects<P>, line: u8, _count: u32) {
        unreachable!("line {line} has interrupted, and Linux enables none")
    }

    fn unsupported_calls(&self) -> impl Iterator<Item = UnsupportedCall> {
        self.unsupported()
    }

    fn reached_limits(&self) -> impl Iterator<Item = ReachedLimit> {
        self.reached.iter()
    }
}
