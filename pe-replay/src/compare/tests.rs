// SPDX-License-Identifier: MIT
//! One test for each compared field.
//!
//! A named test takes every single bit of its field, changes it on one side and
//! wants the difference reported as that field, and as no other one, so that no
//! other entry of the list covers it. Dropping an entry therefore fails exactly the
//! test of that name.

extern crate std;
use std::boxed::Box;
use std::vec::Vec;

use pmu::exact::{Decoder, Instruction};
use xxhash_rust::xxh3::xxh3_128;

use super::*;
use crate::execution::Run;
use crate::machine::{Access, Change, Memory, Order, Page, Processor, View};
use crate::placement::Placement;
use crate::placement::bytes::Bytes;
use crate::placement::hash::Hash;
use crate::policy::Policy;
use crate::pool::Pages;
use crate::pool::{Entry, Pool};
use crate::stop::{Delimiter, Exit};
use crate::tracker::{PAGE_LEN, Tracker};
use crate::user::{UserRegisters, xsave};
use private::Private;

#[path = "../../tests/placement/private.rs"]
mod private;

/// Of bits and bytes that are all alike Miri, a thousand times slower, tries some.
const STRIDE: usize = if cfg!(miri) { 509 } else { 1 };

/// A state in the normal form in which no two parts are alike.
fn state() -> UserRegisters {
    let mut user = UserRegisters::new(0x33, 0x2b);
    for index in 0..16 {
        *user.gpr_mut(index) = 0x0101_0101_0101_0101 * (u64::from(index) + 1);
    }
    for (at, byte) in user.extended.0.iter_mut().enumerate() {
        if !(xsave::HEADER..xsave::YMM).contains(&at) {
            *byte = (at * 7 + 3) as u8;
        }
    }
    (user.rip, user.rflags) = (0x40_1000, 0x246);
    (user.fs_base, user.gs_base) = (0x7000, 0x8000);
    (user.ds, user.es, user.fs, user.gs) = (0x2b, 0x23, 0x1b, 0x13);
    user.normalize();
    user
}

const FAULT: Delimiter = Delimiter::PageFault { address: 0x5000, error: 6 };

fn result(registers: &UserRegisters, delimiter: Delimiter) -> RunResult<'_, UserRegisters> {
    (registers, End { delimiter, count: 500 })
}

/// The fields that two results differ in.
fn fields(a: RunResult<'_, UserRegisters>, b: RunResult<'_, UserRegisters>) -> Vec<Field> {
    let mut fields: Vec<_> = differences(a, b).map(|it| it.field).collect();
    // RIP is looked at early, and once more with the others.
    fields.dedup();
    fields
}

/// Compares an undisturbed result with a changed one, either way round.
fn compared(change: &dyn Fn(&mut UserRegisters, &mut Delimiter, &mut u64)) -> Vec<Field> {
    let original = state();
    let mut changed = original.clone();
    let (mut delimiter, mut count) = (FAULT, 500);
    change(&mut changed, &mut delimiter, &mut count);
    let a = result(&original, FAULT);
    let b = (&changed, End { delimiter, count });
    let values = |a, b| differences(a, b).map(|it| (it.first, it.second)).collect::<Vec<_>>();
    let swapped: Vec<_> = values(b, a).into_iter().map(|(x, y)| (y, x)).collect();
    assert_eq!(values(a, b), swapped);
    assert!(swapped.iter().all(|(x, y)| x != y));
    fields(a, b)
}

/// The contract of a named test, for one change.
fn only(field: Field, change: impl Fn(&mut UserRegisters, &mut Delimiter, &mut u64)) {
    assert_eq!(compared(&change), [field]);
}

/// Every bit of a register, reached as a `u64` of which `bits` exist.
fn register(field: Field, bits: u32, flip: impl Fn(&mut UserRegisters, u64)) {
    for bit in (0..bits).step_by(STRIDE) {
        only(field, |user, _, _| flip(user, 1 << bit));
    }
}

/// Every bit of a part of the extended state.
fn part(field: Field, at: usize, length: usize) {
    for bit in (0..8 * length).step_by(STRIDE) {
        only(field, |user, _, _| user.extended.0[at + bit / 8] ^= 1 << (bit % 8));
    }
}

fn delimiter() {
    let others = [
        Delimiter::Syscall,
        Delimiter::Limit,
        Delimiter::Watchdog,
        Delimiter::DirtyLimit { address: 0 },
        Delimiter::Exception { vector: 6, error: 0 },
        Delimiter::PageFault { address: 0, error: 0 },
    ];
    let original = state();
    for one in others {
        for other in others {
            let a = result(&original, one);
            let b = result(&original, other);
            let found = differences(a, b).next().map(|it| it.field);
            assert_eq!(found, (one != other).then_some(Field::Delimiter));
        }
    }
    for vector in 0..32 {
        let original = Delimiter::Exception { vector: 32, error: 0 };
        let user = state();
        let a = result(&user, original);
        let b = result(&user, Delimiter::Exception { vector, error: 0 });
        assert_eq!(fields(a, b), [Field::Delimiter]);
    }
}

fn error_code() {
    for bit in (0..32).step_by(STRIDE) {
        only(Field::ErrorCode, |_, delimiter, _| {
            *delimiter = Delimiter::PageFault { address: 0x5000, error: 6 ^ 1 << bit }
        });
        let user = state();
        let general = |error| Delimiter::Exception { vector: 13, error };
        let a = result(&user, general(0x18));
        let b = result(&user, general(0x18 ^ 1 << bit));
        assert_eq!(fields(a, b), [Field::ErrorCode]);
    }
}

fn fault_address() {
    for bit in (0..64).step_by(STRIDE) {
        only(Field::FaultAddress, |_, delimiter, _| {
            *delimiter = Delimiter::PageFault { address: 0x5000 ^ 1 << bit, error: 6 }
        });
        let user = state();
        let limit = |address| Delimiter::DirtyLimit { address };
        let a = result(&user, limit(0x5000));
        let b = result(&user, limit(0x5000 ^ 1 << bit));
        assert_eq!(fields(a, b), [Field::FaultAddress]);
    }
}

fn count() {
    for bit in (0..64).step_by(STRIDE) {
        only(Field::Count, |_, _, count| *count ^= 1 << bit);
    }
}

/// Parts that are zero, or all ones, in every normal form.
fn constant() {
    part(Field::Constant, xsave::FTW + 1, 1);
    part(Field::Constant, xsave::MXCSR_MASK, 4);
    part(Field::Constant, xsave::RESERVED, xsave::YMM - xsave::RESERVED);
    register(Field::Constant, 64, |user, mask| user.padding ^= mask);
    register(Field::Constant, 64, |user, mask| user.entry_vector ^= mask);
    register(Field::Constant, 64, |user, mask| user.entry_error ^= mask);
}

/// Page frames and nothing else.
struct Frames(Vec<Box<[u8; PAGE_LEN as usize]>>);

impl Decoder for Frames {
    fn decode(&mut self, _: u64) -> Instruction {
        unreachable!("there is no user code")
    }
}

impl Processor for Frames {
    type Registers = UserRegisters;
    type Place = Box<UserRegisters>;

    fn now(&mut self) -> u64 {
        0
    }
    fn enter(&mut self, _: Option<&UserRegisters>, _: &mut UserRegisters, _: Order) -> Exit {
        unreachable!("there is no user code")
    }
    fn flush_lines(&mut self) {}
    fn flush_caches(&mut self) {}
}

impl Memory for Frames {
    type Frame = usize;
    type Slot = ();

    fn number(frame: usize) -> usize {
        frame
    }
    fn page(&mut self, _: u64) -> Option<Page<usize, ()>> {
        None
    }
    fn allocate(&mut self) -> Option<usize> {
        self.0.push(Box::new([0xee; PAGE_LEN as usize]));
        Some(self.0.len() - 1)
    }
    fn release(&mut self, _: usize) {}
    fn copy(&mut self, from: usize, to: usize) {
        self.0[to] = self.0[from].clone();
    }
    fn compare_and_copy(&mut self, a: usize, b: usize, to: usize) -> bool {
        self.copy(a, to);
        self.equal(a, b)
    }
    fn equal(&mut self, a: usize, b: usize) -> bool {
        self.0[a] == self.0[b]
    }
    fn hash(&mut self, frame: usize) -> u128 {
        xxh3_128(&self.0[frame][..])
    }
    fn first_difference(&mut self, a: usize, b: usize) -> Option<u16> {
        let (a, b) = (&self.0[a], &self.0[b]);
        (0..PAGE_LEN as u16).find(|at| a[usize::from(*at)] != b[usize::from(*at)])
    }
    fn byte(&mut self, frame: usize, offset: u16) -> u8 {
        self.0[frame][usize::from(offset)]
    }
    fn flip(&mut self, frame: usize, offset: u16, mask: u8) {
        self.0[frame][usize::from(offset)] ^= mask;
    }
    fn map(&mut self, _: View, _: &Page<usize, ()>, _: usize, _: Access) {}
    fn is_written(&mut self, _: View, _: &Page<usize, ()>) -> bool {
        true
    }
    fn disturbed(&mut self) -> bool {
        false
    }
    fn change(&mut self, _: &Page<usize, ()>) -> Change {
        Change::None
    }
}

/// A set of two pages.
struct Written<P> {
    frames: Frames,
    pool: Pool<usize, ()>,
    set: Tracker<P>,
}

const HOMES: [usize; 2] = [0, 1];

fn page(home: usize) -> Page<usize, ()> {
    let address = 0x7000 + PAGE_LEN * home as u64;
    Page { address, frame: home, slot: (), writable: true, open: false, shared: false }
}

impl<P: Placement> Written<P> {
    fn new() -> Self {
        let mut frames = Frames(Vec::new());
        let _ = HOMES.map(|_| frames.allocate());
        let entries = (0..8).map(|_| Entry::vacant(0, ())).collect();
        let set = Tracker::new(1, Policy { max_dirty: 8, ..Policy::DEFAULT });
        let mut it = Self { frames, pool: Pool::new(entries), set };
        for home in HOMES {
            it.pages(|set, pages| assert!(set.write_fault(pages, Run::First, page(home))));
        }
        it
    }

    fn pages<T>(&mut self, work: impl FnOnce(&mut Tracker<P>, &mut Pages<Frames>) -> T) -> T {
        work(&mut self.set, &mut Pages { machine: &mut self.frames, pool: &mut self.pool })
    }

    fn turn(&mut self, run: Run) {
        assert_eq!(self.pages(|set, pages| set.turn(pages, run, false)), None);
    }

    fn flip(&mut self, run: Run, home: usize, offset: u16, mask: u8) {
        let frame = self.pages(|set, pages| set.expose(pages, run, page(home)).unwrap());
        self.frames.flip(frame, offset, mask);
    }

    fn verify(&mut self) -> Option<Difference> {
        self.pages(|set, pages| set.difference(pages, Run::First, Run::Second, true))
    }

    fn difference(&mut self, a: Run, b: Run) -> Option<Difference> {
        self.pages(|set, pages| set.difference(pages, a, b, false))
    }
}

/// Home and offset of all bytes.
fn bytes() -> impl Iterator<Item = (usize, u16)> {
    let offsets = || (0..PAGE_LEN as u16).step_by(8 * STRIDE - 7);
    HOMES.into_iter().flat_map(move |home| offsets().map(move |at| (home, at)))
}

/// Every byte of every page in the set, whichever run changed it.
fn memory() {
    every_byte_is_compared(Written::<Bytes>::new());
    every_byte_is_compared(Written::<Private>::new());
}

fn every_byte_is_compared<P: Placement>(mut written: Written<P>) {
    written.turn(Run::Second);
    written.turn(Run::Third);
    let pairs = [(Run::First, Run::Second), (Run::First, Run::Third), (Run::Second, Run::Third)];
    let verified = written.verify();
    assert_eq!((verified, pairs.map(|(a, b)| written.difference(a, b))), (None, [None; 3]));
    for (home, offset) in bytes() {
        for run in Run::ALL {
            let mask = 1 << (offset % 8);
            let byte = |it| if it == run { 0xee ^ mask } else { 0xee };
            let found = |a, b| Difference {
                field: Field::Memory,
                first: byte(a).into(),
                second: byte(b).into(),
                address: 0x7000 + PAGE_LEN * home as u64 + u64::from(offset),
            };
            written.flip(run, home, offset, mask);
            for (a, b) in pairs {
                let expected = (a == run || b == run).then(|| found(a, b));
                assert_eq!(written.difference(a, b), expected);
            }
            written.flip(run, home, offset, mask);
        }
        for run in [Run::First, Run::Second] {
            written.flip(run, home, offset, 1);
            assert_eq!(written.verify().map(|found| found.field), Some(Field::Memory));
            written.flip(run, home, offset, 1);
        }
        // It fills the frames of run 3.
        assert_eq!(written.verify(), None);
    }
}

/// By hash all runs work in the home, and each run's hash tells its bytes.
#[test]
fn every_byte_of_a_page_is_in_its_hash() {
    for (home, offset) in bytes() {
        let run = Run::ALL[usize::from(offset) % 3];
        let mut written = Written::<Hash>::new();
        for each in Run::ALL {
            if each != Run::First {
                written.turn(each);
            }
            if each == run {
                written.flip(run, home, offset, 1 << (offset % 8));
            }
        }
        written.pages(|set, pages| set.finish(pages, Run::Third));
        for (a, b) in [(Run::First, Run::Second), (Run::First, Run::Third), (Run::Second, Run::Third)] {
            let found = written.difference(a, b).map(|found| (found.field, found.address));
            let expected = (a == run || b == run).then_some((Field::PageHash, page(home).address));
            assert_eq!(found, expected, "{offset} of {home} in {run:?}, {a:?} against {b:?}");
        }
    }
}

/// Makes each entry a test of its own, and the list of what is tested.
macro_rules! fields {
    ($($name:ident: $field:expr => $test:expr;)*) => {
        mod each {
            use super::*;
            $(#[test] fn $name() { $test })*
        }

        const TESTED: &[(&str, Field)] = &[$((stringify!($name), $field)),*];
    };
}

/// One of 16 general registers.
fn gpr(index: u8) {
    register(Field::Gpr(index), 64, |user, mask| *user.gpr_mut(index) ^= mask);
}

/// One of 8 x87 registers: ten bytes of value and six that are always zero.
fn st(index: u8) {
    part(Field::St(index), xsave::ST + 16 * usize::from(index), 16);
}

fn xmm(index: u8) {
    part(Field::Xmm(index), xsave::XMM + 16 * usize::from(index), 16);
}

fn ymm_high(index: u8) {
    part(Field::YmmHigh(index), xsave::YMM + 16 * usize::from(index), 16);
}

fields! {
    rax: Field::Gpr(0) => gpr(0);
    rcx: Field::Gpr(1) => gpr(1);
    rdx: Field::Gpr(2) => gpr(2);
    rbx: Field::Gpr(3) => gpr(3);
    rsp: Field::Gpr(4) => gpr(4);
    rbp: Field::Gpr(5) => gpr(5);
    rsi: Field::Gpr(6) => gpr(6);
    rdi: Field::Gpr(7) => gpr(7);
    r8: Field::Gpr(8) => gpr(8);
    r9: Field::Gpr(9) => gpr(9);
    r10: Field::Gpr(10) => gpr(10);
    r11: Field::Gpr(11) => gpr(11);
    r12: Field::Gpr(12) => gpr(12);
    r13: Field::Gpr(13) => gpr(13);
    r14: Field::Gpr(14) => gpr(14);
    r15: Field::Gpr(15) => gpr(15);
    rip: Field::Rip => register(Field::Rip, 64, |user, mask| user.rip ^= mask);
    rflags: Field::Rflags => register(Field::Rflags, 64, |user, mask| user.rflags ^= mask);
    cs: Field::Cs => register(Field::Cs, 64, |user, mask| user.cs ^= mask);
    ss: Field::Ss => register(Field::Ss, 64, |user, mask| user.ss ^= mask);
    ds: Field::Ds => register(Field::Ds, 16, |user, mask| user.ds ^= mask as u16);
    es: Field::Es => register(Field::Es, 16, |user, mask| user.es ^= mask as u16);
    fs: Field::Fs => register(Field::Fs, 16, |user, mask| user.fs ^= mask as u16);
    gs: Field::Gs => register(Field::Gs, 16, |user, mask| user.gs ^= mask as u16);
    fs_base: Field::FsBase => register(Field::FsBase, 64, |user, mask| user.fs_base ^= mask);
    gs_base: Field::GsBase => register(Field::GsBase, 64, |user, mask| user.gs_base ^= mask);
    x87_control: Field::Fcw => part(Field::Fcw, xsave::FCW, 2);
    x87_status: Field::Fsw => part(Field::Fsw, xsave::FSW, 2);
    x87_tag: Field::Ftw => part(Field::Ftw, xsave::FTW, 1);
    x87_opcode: Field::Fop => part(Field::Fop, xsave::FOP, 2);
    x87_instruction_pointer: Field::Fip => part(Field::Fip, xsave::FIP, 8);
    x87_data_pointer: Field::Fdp => part(Field::Fdp, xsave::FDP, 8);
    st0: Field::St(0) => st(0);
    st1: Field::St(1) => st(1);
    st2: Field::St(2) => st(2);
    st3: Field::St(3) => st(3);
    st4: Field::St(4) => st(4);
    st5: Field::St(5) => st(5);
    st6: Field::St(6) => st(6);
    st7: Field::St(7) => st(7);
    mxcsr: Field::Mxcsr => part(Field::Mxcsr, xsave::MXCSR, 4);
    xmm0: Field::Xmm(0) => xmm(0);
    xmm1: Field::Xmm(1) => xmm(1);
    xmm2: Field::Xmm(2) => xmm(2);
    xmm3: Field::Xmm(3) => xmm(3);
    xmm4: Field::Xmm(4) => xmm(4);
    xmm5: Field::Xmm(5) => xmm(5);
    xmm6: Field::Xmm(6) => xmm(6);
    xmm7: Field::Xmm(7) => xmm(7);
    xmm8: Field::Xmm(8) => xmm(8);
    xmm9: Field::Xmm(9) => xmm(9);
    xmm10: Field::Xmm(10) => xmm(10);
    xmm11: Field::Xmm(11) => xmm(11);
    xmm12: Field::Xmm(12) => xmm(12);
    xmm13: Field::Xmm(13) => xmm(13);
    xmm14: Field::Xmm(14) => xmm(14);
    xmm15: Field::Xmm(15) => xmm(15);
    ymm0_high: Field::YmmHigh(0) => ymm_high(0);
    ymm1_high: Field::YmmHigh(1) => ymm_high(1);
    ymm2_high: Field::YmmHigh(2) => ymm_high(2);
    ymm3_high: Field::YmmHigh(3) => ymm_high(3);
    ymm4_high: Field::YmmHigh(4) => ymm_high(4);
    ymm5_high: Field::YmmHigh(5) => ymm_high(5);
    ymm6_high: Field::YmmHigh(6) => ymm_high(6);
    ymm7_high: Field::YmmHigh(7) => ymm_high(7);
    ymm8_high: Field::YmmHigh(8) => ymm_high(8);
    ymm9_high: Field::YmmHigh(9) => ymm_high(9);
    ymm10_high: Field::YmmHigh(10) => ymm_high(10);
    ymm11_high: Field::YmmHigh(11) => ymm_high(11);
    ymm12_high: Field::YmmHigh(12) => ymm_high(12);
    ymm13_high: Field::YmmHigh(13) => ymm_high(13);
    ymm14_high: Field::YmmHigh(14) => ymm_high(14);
    ymm15_high: Field::YmmHigh(15) => ymm_high(15);
    delimiter: Field::Delimiter => super::delimiter();
    error_code: Field::ErrorCode => super::error_code();
    fault_address: Field::FaultAddress => super::fault_address();
    count: Field::Count => super::count();
    memory: Field::Memory => super::memory();
    constant: Field::Constant => super::constant();
}

#[test]
fn fields_and_named_tests_are_in_bijection() {
    let state = state();
    let mut all: Vec<Field> =
        state.parts().map(|(field, _)| field).filter(|it| *it != Field::Constant).collect();
    all.extend([Field::Delimiter, Field::ErrorCode, Field::FaultAddress, Field::Count]);
    all.extend([Field::Memory, Field::Constant]);
    let tested: Vec<Field> = TESTED.iter().map(|(_, field)| *field).collect();
    assert_eq!(all.len(), tested.len());
    for field in &all {
        assert_eq!(tested.iter().filter(|other| *other == field).count(), 1, "{field:?}");
        assert_eq!(all.iter().filter(|other| *other == field).count(), 1, "{field:?}");
    }
    let names: Vec<&str> = TESTED.iter().map(|(name, _)| *name).collect();
    assert!(names.iter().all(|name| names.iter().filter(|other| *other == name).count() == 1));
}

/// The parts of a state, by exhaustive destructuring: a field that is added to
/// [`UserRegisters`] does not compile here before it is listed.
fn words(user: &mut UserRegisters) -> (&mut [u8; xsave::LEN], [&mut u64; 25], [&mut u16; 4]) {
    let UserRegisters {
        extended,
        fs_base,
        gs_base,
        ds,
        es,
        fs,
        gs,
        padding,
        r15,
        r14,
        r13,
        r12,
        r11,
        r10,
        r9,
        r8,
        rdi,
        rsi,
        rbp,
        rbx,
        rdx,
        rcx,
        rax,
        entry_vector,
        entry_error,
        rip,
        cs,
        rflags,
        rsp,
        ss,
    } = user;
    let long = [
        fs_base,
        gs_base,
        padding,
        r15,
        r14,
        r13,
        r12,
        r11,
        r10,
        r9,
        r8,
        rdi,
        rsi,
        rbp,
        rbx,
        rdx,
        rcx,
        rax,
        entry_vector,
        entry_error,
        rip,
        cs,
        rflags,
        rsp,
        ss,
    ];
    (&mut extended.0, long, [ds, es, fs, gs])
}

/// What is compared of the registers, and what a digest is made of.
fn digested(user: &UserRegisters) -> Vec<u8> {
    user.parts().flat_map(|(_, bytes)| bytes).copied().collect()
}

#[test]
fn no_bit_of_the_state_is_left_uncompared() {
    let original = state();
    let reported = |change: &dyn Fn(&mut UserRegisters)| {
        assert!(!compared(&|user, _, _| change(user)).is_empty());
        let mut changed = original.clone();
        change(&mut changed);
        assert_ne!(digested(&changed), digested(&original));
    };
    for bit in (0..8 * xsave::LEN).step_by(STRIDE) {
        reported(&|user| words(user).0[bit / 8] ^= 1 << (bit % 8));
    }
    for index in 0..words(&mut state()).1.len() {
        for bit in (0..64).step_by(STRIDE) {
            reported(&|user| *words(user).1[index] ^= 1 << bit);
        }
    }
    for index in 0..4 {
        for bit in (0..16).step_by(STRIDE) {
            reported(&|user| *words(user).2[index] ^= 1 << bit);
        }
    }
}

#[test]
fn equal_results_have_no_difference() {
    assert_eq!(compared(&|_, _, _| {}), []);
}

#[test]
fn what_ended_the_run_is_named_before_its_consequences() {
    let found = compared(&|user, delimiter, count| {
        (user.rip, user.rax, *count) = (0, 0, 0);
        *delimiter = Delimiter::Syscall;
    });
    assert_eq!(found.first(), Some(&Field::Delimiter));
}
