// SPDX-License-Identifier: MIT
//! Cases with names: each prints one line, and all are counted.

use core::fmt::Debug;

use genode_rt::log;

/// The cases so far.
#[derive(Debug, Default)]
pub struct Cases {
    passed: u32,
    /// How many went wrong.
    pub failed: u32,
}

impl Cases {
    /// Prints a case whose outcome is a value, and the value if it is not the right one.
    pub fn equal<T: PartialEq + Debug>(&mut self, what: &str, got: T, wanted: T) {
        if got == wanted {
            self.passed += 1;
            log!("ok {what}");
        } else {
            self.failed += 1;
            log!("FAILED {what}: {got:x?}, not {wanted:x?}");
        }
    }

    /// Prints a case whose outcome is a truth.
    pub fn holds(&mut self, what: &str, truth: bool) {
        self.equal(what, truth, true);
    }

    /// Prints how many cases there were.
    pub fn end(&self) {
        log!("{} cases, {} failed", self.passed + self.failed, self.failed);
    }
}
