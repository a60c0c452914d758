// SPDX-License-Identifier: MIT
//! The right to use the processor.

use super::scheduler::ThreadId;
use super::table::name;

name! {
    /// Names a budget.
    BudgetId
}

/// The right to use the processor: it drives one thread, which a call moves and a reply returns. Several may
/// drive the same thread: whoever waits for it helps it on.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Its place in the ring: budgets get ascending numbers.
    pub number: i64,
    /// Higher ones come first.
    pub priority: u8,
    /// Instructions after which others of its priority have their turn.
    pub slice: u64,
    /// Instructions that are left of that.
    pub left: u64,
    /// The thread that it was made for.
    pub owner: ThreadId,
    /// The thread that it drives.
    pub thread: ThreadId,
    /// The one that drives the same thread and came before it.
    pub next: Option<BudgetId>,
    /// The one that drives the same thread and came after it.
    pub previous: Option<BudgetId>,
}
