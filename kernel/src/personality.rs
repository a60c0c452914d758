// SPDX-License-Identifier: MIT
//! What programs see, as the executive knows it.
//!
//! A personality decides; it runs nothing. The executive calls it between two PEs, with the
//! objects, and does what it answers. It wakes others by the objects' own means.

use pe_replay::UserRegisters;
use wire::config::Config;
use wire::end::{End, Refusal, Service};
use wire::limit::ReachedLimit;
use wire::record::{Label, UnsupportedCall};

use crate::object::Objects;
use crate::object::processor::{Processor, Width};
use crate::object::scheduler::{ThreadId, Wait, Woken};
use crate::trap::Trap;
use crate::trap::environment::{Fault, Place, Wants};
use crate::trap::port::Access;

/// How a thread goes on that a personality has served.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The thread goes on with its next instruction.
    Continue,
    /// Others have their turn first.
    Yield,
    /// The thread waits. When that is over, it [resumes](Personality::resume).
    Block(Wait),
    /// The thread is done with.
    EndThread,
    /// All threads of its process are.
    EndGroup,
    /// Another thread goes on, which the current budget drives from now on; this one waits, if it is told to.
    Switch {
        /// The other one, to which the budget was [given](crate::object::scheduler::Scheduler::donate).
        to: ThreadId,
        /// What this one waits for.
        wait: Option<Wait>,
    },
    /// An access to a port is performed, and the thread goes on behind it.
    Perform(Access),
    /// The instruction at which the thread stands accesses a device, as it may: it is performed, and the thread goes
    /// on behind it.
    PerformInstruction,
    /// The service is not finished: when interrupts and others have had their turn, the thread
    /// [resumes](Personality::resume).
    Unfinished,
    /// The run is over.
    Halt(End),
}

/// What programs see.
pub trait Personality: Sized {
    /// What it has its first program from.
    type Origin<'a>;

    /// Puts the first program into the first space, and gives its thread, which is the current one,
    /// registers and a budget.
    fn start<P: Processor>(
        config: &Config,
        origin: &Self::Origin<'_>,
        objects: &mut Objects<P>,
    ) -> Result<Self, Refusal>;

    /// The registers of a first thread before [`start`](Self::start).
    fn registers() -> UserRegisters;

    /// Serves what the current thread asks for.
    fn serve<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId, trap: Trap) -> Effect;

    /// Has the current thread go on after others have had the processor; `woken` says how its
    /// wait has ended, if it waited.
    fn resume<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        woken: Option<Woken>,
    ) -> Effect;

    /// What lies behind an address of the current thread's, for an instruction that is
    /// [performed](Effect::PerformInstruction) for it; memory can be accessed so afterwards.
    fn locate<P: Processor>(
        &mut self,
        _objects: &mut Objects<P>,
        _thread: ThreadId,
        address: u64,
        _wants: Wants,
    ) -> Result<Place, Fault> {
        unreachable!("{address:#x} is sought for an instruction, and nobody has been given a device")
    }

    /// A value was written to a port for a thread. Returns how the run ends by that, if it does.
    fn written(&mut self, _port: u16, _width: Width, _value: u32) -> Option<End> {
        None
    }

    /// The current thread needs more frames for its next instruction than there are.
    fn run_out<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId) -> Effect;

    /// How the run ends whose programs have had all the instructions that they may have.
    fn cut<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId) -> End;

    /// How the run ends when nobody can run and no event will change that, but perhaps the alarm if one is set; `None`
    /// if it goes on until then.
    fn stall(&mut self, is_alarm_set: bool) -> Option<End> {
        (!is_alarm_set).then_some(End::Deadlock)
    }

    /// What a thread asks for by a system call.
    #[inline(always)]
    fn service(registers: &UserRegisters) -> Service {
        Service::Syscall(registers.rax as u32)
    }

    /// The time of the [alarm](crate::object::scheduler::Scheduler::set_alarm) has come, which is not
    /// set any more; if the current thread goes on, it [resumes](Self::resume). Returns how the run ends if it does now.
    fn ring<P: Processor>(&mut self, objects: &mut Objects<P>) -> Option<End>;

    /// A line that somebody has opened has interrupted so often; if it does so by a level, it is masked.
    fn interrupt<P: Processor>(&mut self, objects: &mut Objects<P>, line: u8, count: u32);

    /// Whether a line can still come that somebody waits for: if nobody can run, the run goes on until it does.
    fn awaits_lines<P: Processor>(&self, objects: &Objects<P>) -> bool {
        objects.lines.any_open()
    }

    /// Calls that were made and are not supported.
    fn unsupported_calls(&self) -> impl Iterator<Item = UnsupportedCall>;

    /// Does something with the name of each process that has one.
    fn for_each_label<P: Processor>(&self, _objects: &Objects<P>, _act: impl FnMut(Label)) {}

    /// Limits that programs have come to.
    fn reached_limits(&self) -> impl Iterator<Item = ReachedLimit>;
}
