// SPDX-License-Identifier: MIT
//! Cases with names: each prints one line, and all are counted.

use core::fmt::{self, Debug, Write};

use nova_rt::line;
use nova_rt::start::Root;
use nova_rt::thread::{Body, Domain, Handler, Starter, Thread, Worker};
use nova_rt::{grants, hypercall, supply};

/// The cases so far, and what they are made with.
#[derive(Debug)]
pub struct Suite {
    /// What the root task began with.
    pub root: Root,
    /// The worker that starts threads.
    pub starter: Starter,
    /// Whether only what fails is printed, and the number of cases.
    is_terse: bool,
    topic: &'static str,
    passed: u64,
    failed: u64,
    said: Said,
}

/// What is said, printed or not, as one number: the hash FNV-1a of all lines.
#[derive(Debug)]
struct Said(u64);

impl Write for Said {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        self.0 = text.bytes().fold(self.0, step);
        Ok(())
    }
}

impl Suite {
    /// A suite without cases; the command line `terse` has it print less.
    #[must_use]
    pub fn new(root: Root) -> Self {
        let is_terse = grants::told(root, "terse") == Some([]);
        Self {
            root,
            starter: Starter::new(root),
            is_terse,
            topic: "",
            passed: 0,
            failed: 0,
            said: Said(0xcbf2_9ce4_8422_2325),
        }
    }

    /// Begins a topic, which the cases after it belong to.
    pub fn topic(&mut self, name: &'static str) {
        self.topic = name;
    }

    /// Prints a case whose outcome is a truth.
    pub fn holds(&mut self, what: &str, truth: bool) {
        self.equal(what, truth, true);
    }

    /// Prints a case whose outcome is a value, and the value if it is not the right one.
    pub fn equal<T: PartialEq + Debug>(&mut self, what: &str, got: T, wanted: T) {
        let topic = self.topic;
        if got == wanted {
            self.passed += 1;
            self.say(format_args!("ok {topic}: {what}"));
        } else {
            self.failed += 1;
            line!("FAILED {topic}: {what}: {got:x?}, not {wanted:x?}");
        }
    }

    /// Prints a line, unless the suite is terse.
    pub fn say(&mut self, text: fmt::Arguments<'_>) {
        let _ = writeln!(self.said, "{text}");
        if !self.is_terse {
            line!("{text}");
        }
    }

    /// Prints what all that was said comes to, and how many cases there were; returns whether all of them held.
    #[must_use]
    pub fn end(&self) -> bool {
        let Self { passed, failed, said: Said(said), .. } = self;
        line!("what was said comes to {said:016x}");
        line!("{} cases, {failed} failed", passed + failed);
        self.failed == 0
    }

    /// A worker of the root task.
    #[must_use]
    pub fn worker(&self, handler: Handler) -> Worker {
        Worker::new(self.root, Domain::own(self.root), supply::event_base(), handler)
    }

    /// A thread of the root task that does not run yet.
    #[must_use]
    pub fn thread(&self, body: Body, argument: u64) -> Thread {
        Thread::new(self.root, self.starter, Domain::own(self.root), body, argument)
    }

    /// A fresh semaphore.
    ///
    /// # Panics
    /// It panics if there is none.
    #[must_use]
    pub fn semaphore(&self, counter: u64) -> u64 {
        let selector = supply::selector();
        let status = hypercall::create_sm(selector, self.root.pd, counter);
        assert_eq!(status, nova_rt::Status::SUCCESS, "a semaphore is made");
        selector
    }
}
