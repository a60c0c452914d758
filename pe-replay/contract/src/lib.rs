// SPDX-License-Identifier: MIT
//! Tells a porter what his machine does wrong.
//!
//! Each point of the contract on [the engine's front page](pe_replay#what-the-engine-relies-on) that can be
//! tried is tried by [`check`], on a piece of user code that writes one page. A machine that fails one would
//! commit what was not compared, or diverge for ever.

#![no_std]
#![forbid(unsafe_code)]

use arrayvec::ArrayVec;
use pe_replay::machine::RegistersOf;
use pe_replay::tracker::PAGE_LEN;
use pe_replay::{Access, Cause, Exit, Machine, Order, RegisterSet, View};
use strum::VariantArray;

/// A point of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Point {
    /// The page is there, writable, and not open before the engine opens it.
    StartsClosed,
    /// A write to a page that is not open stops with a write fault, before the instruction.
    FaultsOnWrites,
    /// A page that was mapped shows its frame and access, and is not written.
    MapsAsTold,
    /// What user code writes goes to the frame that is mapped, and is told.
    TellsOfWrites,
    /// Two runs from one start come to one end, whether a fault interrupts one of them or not.
    RepeatsItself,
    /// A budget of one instruction stops after one.
    StopsInTime,
    /// Frames of the pool differ from each other and from the home.
    GivesFramesApart,
    /// Copies, comparisons and hashes see every byte.
    SeesEveryByte,
}

/// What was found of each point, in the order of the contract.
pub type Report = ArrayVec<(Point, bool), { Point::VARIANTS.len() }>;

/// Tries a machine. `start` stands before code of at least two instructions that changes the page at `address`, and nothing
/// else, and then makes a system call; the counter is exact. The page is given back as it was.
pub fn check<M: Machine>(machine: &mut M, start: &RegistersOf<M>, address: u64) -> Report {
    let mut report = Report::new();
    let mut note = |point, holds| report.push((point, holds));
    let page = machine.page(address);
    note(Point::StartsClosed, page.is_some_and(|page| page.writable && !page.open));
    let frames: ArrayVec<_, 3> = core::iter::from_fn(|| machine.allocate()).take(3).collect();
    let (Some(page), Ok([before, first, second])) = (page, frames.clone().into_inner()) else {
        frames.into_iter().for_each(|frame| machine.release(frame));
        note(Point::GivesFramesApart, false);
        return report;
    };
    let home = page.frame;
    machine.copy(home, before);
    let (mut left, mut right) = (start.clone(), start.clone());

    machine.map(View::Every, &page, home, Access::Closed);
    let fault = enter(machine, Some(start), &mut left);
    let at_page = |address: u64| address & !(PAGE_LEN - 1) == page.address;
    note(
        Point::FaultsOnWrites,
        fault.cause.write_fault().is_some_and(at_page) && machine.equal(home, before),
    );

    machine.copy(home, first);
    machine.copy(home, second);
    machine.map(View::Every, &page, first, Access::Open);
    let seen = machine.page(address).is_some_and(|seen| seen.frame == first && seen.open);
    note(Point::MapsAsTold, seen && !machine.is_written(View::Every, &page));

    // The first way is interrupted by the fault, the second is not.
    let rest = enter(machine, None, &mut left);
    let is_written = machine.is_written(View::Every, &page);
    note(Point::TellsOfWrites, is_written && !machine.equal(first, before) && machine.equal(home, before));
    machine.map(View::Every, &page, second, Access::Open);
    let whole = enter(machine, Some(start), &mut right);
    left.normalize();
    right.normalize();
    let same_end = rest.cause == Cause::Syscall && whole.cause == rest.cause && left == right;
    let count = fault.span.instructions + rest.span.instructions;
    note(Point::RepeatsItself, same_end && count == whole.span.instructions && machine.equal(first, second));

    machine.copy(before, second);
    machine.map(View::Every, &page, second, Access::Open);
    machine.settle(View::Every);
    let short = machine.enter(Some(start), &mut right, Order::begin(1));
    note(Point::StopsInTime, short.cause == Cause::Counter && short.span.instructions == 1);
    machine.map(View::Every, &page, home, Access::Released);

    let all = [home, before, first, second];
    let apart = (1..all.len()).all(|at| !all[..at].contains(&all[at]));
    note(Point::GivesFramesApart, apart);
    note(Point::SeesEveryByte, apart && sees_every_byte(machine, before, [first, second]));
    [before, first, second].into_iter().for_each(|frame| machine.release(frame));
    report
}

fn enter<M: Machine>(machine: &mut M, source: Option<&RegistersOf<M>>, state: &mut RegistersOf<M>) -> Exit {
    machine.settle(View::Every);
    let fresh = source.is_some();
    machine.enter(source, state, Order { fresh, ..Order::begin(1 << 20) })
}

fn sees_every_byte<M: Machine>(machine: &mut M, from: M::Frame, [a, b]: [M::Frame; 2]) -> bool {
    machine.copy(from, a);
    let hash = machine.hash(from);
    let alike = machine.equal(from, a) && machine.compare_and_copy(from, a, b) && machine.equal(from, b);
    let same = alike && machine.first_difference(from, a).is_none() && machine.hash(a) == hash;
    same && (0..PAGE_LEN as u16).all(|at| {
        machine.flip(a, at, 1);
        let found = machine.first_difference(from, a) == Some(at)
            && machine.byte(from, at) ^ machine.byte(a, at) == 1
            && !machine.equal(from, a)
            && !machine.compare_and_copy(from, a, b)
            && machine.hash(a) != hash;
        machine.flip(a, at, 1);
        found
    })
}

/// The book's chapter for porters, whose kernel is compiled and run as a test of its documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/src/porting.md")]
struct Chapter;
