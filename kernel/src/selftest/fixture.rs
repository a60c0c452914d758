// SPDX-License-Identifier: MIT
//! A place to execute small blocks of user code.

use alloc::vec::Vec;

use flips::{Injection, Injector};
use pe_replay::{
    Account, Executor, Exit, Order, Outcome, Policy, Processor, Replay, ThreadOf, UserRegisters,
};
use pmu::{Margin, Workbench};
use wire::config::Config;

use crate::arch::context::{self, Start, Stretch};
use crate::arch::segment::{USER_CS, USER_SS};
use crate::arch::{machine, watchdog};
use crate::mem::space::{Access, PAGE_LEN, Space};
use crate::replay::counter;
use crate::replay::{self, KernelMachine, Platform};

/// Where code goes: one page, readable and executable.
pub const CODE: u64 = 0x10_0000;
/// Where data goes: [`DATA_PAGES`] pages, readable and writable.
pub const DATA: u64 = 0x20_0000;
/// Pages of data.
pub const DATA_PAGES: u64 = 16;
/// A page that may only be read.
pub const READ_ONLY: u64 = 0x30_0000;

/// The machine, with the pages above mapped.
pub struct Fixture {
    /// The machine.
    pub machine: KernelMachine,
    /// What stays the same from program to program.
    pub platform: Platform,
    /// What the kernel was booted with.
    pub config: Config,
}

/// A thread and its space on the processor, as the executive has them.
pub struct Engine {
    executor: Executor<KernelMachine>,
    /// The thread that runs.
    pub thread: ThreadOf<KernelMachine>,
    /// How its space's PEs are run.
    pub replay: Replay,
    injections: Vec<Injection>,
    sequence: u64,
}

impl Engine {
    /// One PE.
    pub fn execute(&mut self, machine: &mut KernelMachine) -> Outcome {
        let due: Vec<_> = self.injections.iter().copied().filter(|flip| flip.pe == self.sequence).collect();
        self.sequence += 1;
        let Self { executor, thread, replay, .. } = self;
        machine.now();
        executor.execute(machine, thread, replay, u64::MAX, &mut Injector::new(&due, &mut ()))
    }

    /// The committed registers.
    pub fn state(&self) -> &UserRegisters {
        self.thread.registers()
    }

    /// The committed registers, to be changed between PEs.
    pub fn state_mut(&mut self) -> &mut UserRegisters {
        self.thread.registers_mut()
    }

    /// What is recorded about the last PE.
    pub fn account(&self) -> &Account {
        &self.executor.account
    }

    /// Gives up all pages of the space.
    pub fn give_up(&mut self, machine: &mut KernelMachine) {
        self.executor.give_up(machine, &mut self.replay, |_| true);
    }

    /// Gives up all pages, of which no other space has any, and their frames.
    pub fn retire(&mut self, machine: &mut KernelMachine) {
        self.give_up(machine);
        self.executor.pool.drain(machine);
    }
}

impl Fixture {
    /// Maps the pages.
    pub fn new(config: &Config, platform: &Platform) -> Self {
        let Ok(mut space) = Space::new(platform.kernel_root, true) else {
            panic!("there is no memory for self-tests")
        };
        let access = |write, execute| Access { read: true, write, execute };
        let pages = (0..DATA_PAGES)
            .map(|index| (DATA + index * PAGE_LEN, access(true, false)))
            .chain([(CODE, access(false, true)), (READ_ONLY, access(false, false))]);
        for (page, access) in pages {
            if space.map_zeroed(page, access).is_err() {
                panic!("there is no memory for self-tests");
            }
        }
        let mut machine = KernelMachine::new(space, platform);
        if machine.reserve(&Policy::DEFAULT, false).is_err() {
            panic!("there is no memory for self-tests");
        }
        Self { machine, platform: *platform, config: config.clone() }
    }

    /// Puts code in place and returns a state that starts it, the stack at the end of the data.
    pub fn start(&mut self, code: &[u8]) -> UserRegisters {
        let mut page = [0xcc; PAGE_LEN as usize];
        page[..code.len()].copy_from_slice(code);
        let cleared = [0; PAGE_LEN as usize];
        let data = (0..DATA_PAGES).map(|index| (DATA + index * PAGE_LEN, &cleared));
        for (address, bytes) in data.chain([(CODE, &page)]) {
            if self.machine.space.load(address, bytes).is_err() {
                panic!("a page of the fixture is not mapped");
            }
        }
        let mut state = self.registers();
        state.rip = CODE;
        state.rsp = DATA + DATA_PAGES * PAGE_LEN;
        state
    }

    /// The registers of a thread that has not begun.
    pub fn registers(&self) -> UserRegisters {
        UserRegisters::new(USER_CS, USER_SS)
    }

    /// One stretch, below the engine.
    pub fn stretch(&mut self, state: &mut UserRegisters, start: Start) -> Stretch {
        watchdog::wind(machine::now());
        context::enter(None, state, start, self.platform.mxcsr_mask)
    }

    /// One stretch, as the engine enters it.
    pub fn enter(&mut self, state: &mut UserRegisters, budget: u64) -> Exit {
        self.machine.now();
        self.machine.enter(
            None,
            state,
            Order { budget, step: false, breakpoint: None, interrupts_off: false, fresh: true },
        )
    }

    /// Does something with the blocks on which counters prove themselves.
    pub fn on_bench<T>(&mut self, work: impl FnOnce(&mut dyn Workbench) -> T) -> T {
        match counter::on_bench(&mut self.machine.space, self.platform.mxcsr_mask, work) {
            Ok(done) => done,
            Err(_) => panic!("there is no memory for self-tests"),
        }
    }

    /// An engine that has executed nothing.
    pub fn engine(&self, policy: Policy, injections: &[Injection]) -> Engine {
        self.engine_with(policy, Margin::default(), injections)
    }

    /// An engine that has executed nothing, for a counter that needs `margin`.
    pub fn engine_with(&self, policy: Policy, margin: Margin, injections: &[Injection]) -> Engine {
        let made = replay::executor(&policy, margin);
        let thread = replay::thread(&self.registers(), 0);
        let (Ok(executor), Ok(thread)) = (made, thread) else { panic!("there is no memory for self-tests") };
        let replay = Replay::new(1, policy);
        Engine { executor, thread, replay, injections: injections.to_vec(), sequence: 0 }
    }

    /// One PE, and nothing kept for the next one.
    pub fn execute(
        &mut self,
        state: &mut UserRegisters,
        policy: Policy,
        injections: &[Injection],
    ) -> (Outcome, Account) {
        let mut engine = self.engine(policy, injections);
        engine.state_mut().clone_from(state);
        let outcome = engine.execute(&mut self.machine);
        engine.retire(&mut self.machine);
        state.clone_from(engine.state());
        (outcome, engine.account().clone())
    }

    /// A word of user memory.
    pub fn word(&self, address: u64) -> u64 {
        let mut bytes = [0; 8];
        match self.machine.space.peek(address, &mut bytes) {
            Ok(()) => u64::from_le_bytes(bytes),
            Err(bad) => panic!("{:#x} is not mapped", bad.0),
        }
    }
}
