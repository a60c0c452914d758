// SPDX-License-Identifier: MIT
//! A program under the engine with the plain interpreter in lockstep: after each
//! committed PE registers and all memory must be the same.

use pmu::Margin;

use flips::{Injection, Target};
use pe_replay::compare;
use pe_replay::{Account, End};
use pe_replay::{Delimiter, Mode, Outcome, Policy, RegisterSet, UserRegisters};

use crate::cpu::Op;
use crate::damage::Damage;
use crate::engine::Engine;
use crate::machine::Model;
use crate::machine::moments::{Fault, Provoked};
use crate::reference::Reference;
use crate::space::{self, Kernel};

/// How a session is run.
#[derive(Clone)]
pub struct Setup {
    pub policy: Policy,
    /// Runs go on at once, in frames of their own.
    pub private: bool,
    pub margin: u64,
    pub pool: usize,
    pub injections: Vec<Injection>,
    pub skips_run_2: bool,
    /// Without it a program may do what no plain interpreter can follow.
    pub lockstep: bool,
}

impl Default for Setup {
    fn default() -> Self {
        let policy = Policy { mode: Mode::Dual, limit: 50, max_dirty: 64, ..Policy::DEFAULT };
        Self {
            policy,
            private: false,
            margin: 0,
            pool: 40,
            injections: Vec::new(),
            skips_run_2: false,
            lockstep: true,
        }
    }
}

/// Sums over a session.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub pes: u64,
    pub instructions: u64,
    pub divergences: usize,
    pub counter_misses: u64,
    pub early_overflows: u64,
    pub flips: u64,
    pub frames_written: u64,
    pub write_faults: u64,
}

pub struct Session {
    pub machine: Model,
    pub engine: Engine,
    pub reference: Reference,
    pub sums: Sums,
    /// Whether the reference follows.
    pub lockstep: bool,
    /// The reference follows whichever run was committed.
    pub restless: bool,
    /// No flip hits the engine's copies, where it may stay.
    whole: bool,
    program: Vec<Op>,
    kernel: Kernel,
    reference_kernel: Kernel,
}

impl Session {
    pub fn new(program: &[Op], setup: Setup) -> Self {
        let mut machine = Model::new(program.to_vec(), setup.pool, setup.policy, setup.private);
        let now = pe_replay::Processor::now(&mut machine);
        let whole = setup.injections.iter().all(|flip| !matches!(flip.target, Target::Copy(..)));
        let margin = Margin { far: setup.margin, near: setup.margin };
        let Setup { policy, private, injections, skips_run_2, .. } = setup;
        let mut engine = Engine::new(policy, private, margin, injections, skips_run_2, now);
        engine.state_mut().clone_from(&space::first_state());
        Self {
            machine,
            engine,
            reference: Reference::new(),
            sums: Sums::default(),
            program: program.to_vec(),
            kernel: Kernel::default(),
            reference_kernel: Kernel::default(),
            lockstep: setup.lockstep,
            restless: false,
            whole,
        }
    }

    /// A fault is to come between two of the engine's operations, and others before it.
    pub fn expect(&mut self, fault: Option<Fault>, provoked: Option<Provoked>) {
        self.whole &= fault.is_none();
        (self.machine.moments.fault, self.machine.moments.provoked) = (fault, provoked);
    }

    /// What the engine keeps is to be damaged.
    pub fn damage(&mut self, damage: Damage) {
        self.whole = false;
        self.machine.damage = Some(damage);
    }

    /// The committed registers.
    pub fn state(&self) -> &UserRegisters {
        self.engine.state()
    }

    /// One PE, checked. The effect of its delimiter is not served yet.
    pub fn execute(&mut self) -> (Outcome, Account) {
        let (outcome, account) = self.execute_alone();
        if let Outcome::Committed(End { delimiter, count }) = outcome
            && self.lockstep
        {
            self.follow(delimiter, count);
        }
        if self.lockstep && !matches!(outcome, Outcome::Damaged { .. }) {
            self.compare();
        }
        (outcome, account)
    }

    /// One PE that is not compared with the reference.
    pub fn execute_alone(&mut self) -> (Outcome, Account) {
        self.machine.moments.begin(self.engine.sequence());
        let outcome = self.engine.execute(&mut self.machine);
        let account = self.engine.account().clone();
        self.machine.check_between_pes(self.whole, &self.engine.executor.pool);
        self.sums.pes += 1;
        self.sums.divergences += account.divergences.len();
        self.sums.counter_misses += u64::from(account.counter_misses);
        self.sums.early_overflows += u64::from(account.early_overflows);
        self.sums.flips += u64::from(account.flips);
        self.sums.frames_written += u64::from(account.frames_written);
        self.sums.write_faults += u64::from(account.write_faults);
        if let Outcome::Committed(End { count, .. }) = outcome {
            self.sums.instructions += count;
        }
        (outcome, account)
    }

    /// Lets the reference do what was committed; what is not as it has it.
    pub fn lost(&mut self, End { delimiter, count }: End) -> Option<String> {
        let (ended, expected) = followed(&mut self.reference, &self.program, delimiter, count);
        if ended != expected {
            return Some(format!("the PE ended with {expected:?}, not with {ended:?}"));
        }
        self.difference(&self.reference)
    }

    /// Lets the reference do the same PE.
    fn follow(&mut self, delimiter: Delimiter, count: u64) {
        let (ended, expected) = followed(&mut self.reference, &self.program, delimiter, count);
        assert_eq!(ended, expected);
    }

    /// Lets the reference do the same PE with the values that one of the runs drew;
    /// returns how many of the runs leave what was committed.
    pub fn follow_any(&mut self, delimiter: Delimiter, count: u64) -> usize {
        let mut agreeing = Vec::new();
        for drawn in &self.machine.drawn {
            let mut reference = self.reference.clone();
            reference.memory.random = drawn.iter().copied().collect();
            let (ended, expected) = followed(&mut reference, &self.program, delimiter, count);
            if ended == expected && self.difference(&reference).is_none() {
                agreeing.push(reference);
            }
        }
        let found = agreeing.len();
        if let Some(reference) = agreeing.pop() {
            self.reference = reference;
        }
        found
    }

    /// Registers and memory are what the reference has.
    pub fn compare(&self) {
        if let Some(difference) = self.difference(&self.reference) {
            panic!("not what a single execution leaves: {difference}");
        }
    }

    /// Whether the state is the reference's.
    pub fn is_intact(&self) -> bool {
        self.difference(&self.reference).is_none()
    }

    /// The first thing that is not as the reference has it.
    fn difference(&self, reference: &Reference) -> Option<String> {
        let mut expected = reference.state.clone();
        expected.normalize();
        if let Some(found) = compare::registers(self.state(), &expected).next() {
            return Some(format!("{found:?}"));
        }
        let (ours, theirs) = (self.machine.pages(), reference.memory.pages());
        assert_eq!(self.machine.pages().count(), reference.memory.pages().count());
        for ((address, page), (expected_address, expected)) in ours.zip(theirs) {
            assert_eq!(address, expected_address);
            if page != expected {
                return Some(format!("the page at {address:#x}"));
            }
        }
        None
    }

    /// What the kernel does after a commit; false if the program is over.
    pub fn serve(&mut self, delimiter: Delimiter) -> bool {
        if matches!(delimiter, Delimiter::Limit | Delimiter::DirtyLimit { .. }) {
            // Nothing a program can see, so that the state is left as the engine has it.
            return true;
        }
        let goes_on = self.kernel.serve(&self.program, self.engine.state_mut(), delimiter, &mut self.machine);
        if self.lockstep || self.restless {
            let Reference { state, memory, flipped: _ } = &mut self.reference;
            let expected = self.reference_kernel.serve(&self.program, state, delimiter, memory);
            assert_eq!(goes_on, expected);
        }
        goes_on
    }

    /// Runs to the program's end, or for `pes` PEs; returns the last outcome.
    pub fn run(&mut self, pes: u64) -> Outcome {
        loop {
            let (outcome, _) = self.execute();
            match &outcome {
                Outcome::Committed(End { delimiter, .. }) => {
                    if !self.serve(*delimiter) || self.sums.pes == pes {
                        return outcome;
                    }
                }
                Outcome::Persistent { .. } | Outcome::Damaged { .. } | Outcome::OutOfFrames => {
                    return outcome;
                }
            }
        }
    }
}

/// Lets a reference do a PE that ended so; returns how it ended there, and how it
/// has to.
fn followed(
    reference: &mut Reference,
    program: &[Op],
    delimiter: Delimiter,
    count: u64,
) -> ((Delimiter, u64), (Delimiter, u64)) {
    let (limit, expected) = match delimiter {
        Delimiter::Limit | Delimiter::DirtyLimit { .. } => (count, Delimiter::Limit),
        _ => (count + 1, delimiter),
    };
    (reference.run(program, limit, None), (expected, count))
}
