// SPDX-License-Identifier: MIT
//! Random programs and flips.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

use flips::{Injection, Target};
use pe_replay::Run;

use crate::cpu::INJECTABLE_FLAGS;
use crate::cpu::{Alu, At, Condition, DF, Op};
use crate::space::{ALIAS, CONSTANT, DATA, DATA_PAGES, EXIT, LAZY, LAZY_PAGES, PAGE_LEN};

/// The same cases each time, unless the environment says otherwise.
pub fn config(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

/// Registers that are computed with; the others point somewhere.
fn number() -> impl Strategy<Value = u8> {
    select(&[0, 1, 2, 8, 9, 10, 11, 12, 13, 14][..])
}

fn at() -> impl Strategy<Value = At> {
    (select(&[3, 4, 5, 6, 7, 15][..]), -24..64)
}

/// Rarely a register that breaks something, mostly one that does not.
fn store_at() -> impl Strategy<Value = At> {
    prop_oneof![20 => (select(&[3, 4, 5, 7, 15][..]), -24..64), 1 => at(), 1 => (number(), 0..9)]
}

fn arithmetic() -> impl Strategy<Value = Op> {
    let alu = select(&[Alu::Add, Alu::Adc, Alu::Sub, Alu::And, Alu::Or, Alu::Xor, Alu::Mul, Alu::Rol][..]);
    let pointer = select(&[3, 5, 7, 15][..]);
    prop_oneof![
        2 => (number(), prop_oneof![any::<u64>(), 0..9u64, Just(EXIT)]).prop_map(|(to, value)| Op::MovImm(to, value)),
        1 => (number(), 0..16u8).prop_map(|(to, from)| Op::Mov(to, from)),
        6 => (alu, number(), 0..16u8).prop_map(|(alu, to, from)| Op::Alu(alu, to, from)),
        2 => (pointer, -64..4096).prop_map(|(to, value)| Op::AddImm(to, value)),
    ]
}

fn memory() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (number(), at()).prop_map(|(to, at)| Op::Load(to, at)),
        1 => (number(), at()).prop_map(|(to, at)| Op::LoadByte(to, at)),
        5 => (store_at(), 0..16u8).prop_map(|(at, from)| Op::Store(at, from)),
        2 => (store_at(), 0..16u8).prop_map(|(at, from)| Op::StoreByte(at, from)),
        1 => (0..16u8).prop_map(Op::Push),
        1 => number().prop_map(Op::Pop),
        1 => Just(Op::RepStos),
        1 => (0..16u8, at()).prop_map(|(to, at)| Op::LoadX(to, at)),
        2 => (store_at(), 0..16u8).prop_map(|(at, from)| Op::StoreX(at, from)),
    ]
}

fn vectors() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..16u8, 0..16u8).prop_map(|(to, from)| Op::MovX(to, from)),
        (0..16u8, 0..16u8).prop_map(|(to, from)| Op::AddX(to, from)),
        (0..16u8, 0..16u8).prop_map(|(to, from)| Op::XorX(to, from)),
        (0..16u8, 0..16u8).prop_map(|(to, from)| Op::Widen(to, from)),
        (0..16u8).prop_map(Op::Fld),
        (0..16u8).prop_map(Op::SetMxcsr),
        (0..16u8).prop_map(Op::WriteFsBase),
        (0..16u8).prop_map(Op::WriteGsBase),
        any::<u16>().prop_map(Op::SetSelectors),
    ]
}

fn control() -> impl Strategy<Value = Op> {
    let condition = select(
        &[Condition::Always, Condition::Zero, Condition::NotZero, Condition::Carry, Condition::Sign][..],
    );
    prop_oneof![
        4 => (condition, any::<u16>()).prop_map(|(condition, target)| Op::Jump(condition, target)),
        3 => any::<u16>().prop_map(Op::Loop),
    ]
}

fn traps() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Syscall),
        1 => Just(Op::Undefined),
        1 => Just(Op::Breakpoint),
        1 => number().prop_map(Op::Divide),
        1 => Just(Op::PortIo),
        1 => Just(Op::Rdtsc),
    ]
}

/// Instructions that read or write the trap flag itself.
fn flags() -> impl Strategy<Value = Op> {
    select(&[Op::Pushf, Op::Popf][..])
}

/// Any program.
pub fn program() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        8 => arithmetic(), 8 => memory(), 5 => vectors(), 3 => control(), 2 => traps(), 1 => flags()
    ];
    vec(op, 4..80)
}

/// A program that neither reads nor writes the trap flag, so that it can be
/// single-stepped without seeing it.
pub fn steppable() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        8 => arithmetic(), 8 => memory(), 5 => vectors(), 3 => control(), 2 => traps()
    ];
    vec(op, 4..80)
}

/// Instructions that make something of each other: some, and some that are
/// repeated as often as RCX says by then.
#[derive(Clone, Debug)]
struct Piece {
    once: Vec<Op>,
    looped: Vec<Op>,
}

impl Piece {
    fn once(ops: &[Op]) -> Self {
        Self { once: ops.to_vec(), looped: Vec::new() }
    }

    fn append(self, program: &mut Vec<Op>) {
        program.extend(self.once);
        let start = program.len() as u16;
        if !self.looped.is_empty() {
            program.extend(self.looped);
            program.push(Op::Loop(start));
        }
    }
}

fn address() -> impl Strategy<Value = u64> {
    let data = (0..DATA_PAGES).prop_map(|page| DATA + PAGE_LEN * page);
    let lazy = (0..LAZY_PAGES).prop_map(|page| LAZY + PAGE_LEN * page);
    let base = prop_oneof![4 => data, 2 => lazy, 1 => Just(ALIAS), 1 => Just(ALIAS + PAGE_LEN)];
    // Often close to the end of a page.
    (base, prop_oneof![0..PAGE_LEN, PAGE_LEN - 24..PAGE_LEN]).prop_map(|(base, at)| base + at)
}

/// A system call of the model's kernel, which reads and writes memory, maps pages
/// and protects them.
fn call() -> impl Strategy<Value = Piece> {
    (select(&[0, 1, 1, 2, 5, 6, 6, 14, 14][..]), address()).prop_map(|(number, address)| {
        Piece::once(&[Op::MovImm(0, number), Op::MovImm(7, address), Op::Syscall])
    })
}

fn rep() -> impl Strategy<Value = Piece> {
    let count = prop_oneof![4 => 0..12u64, 2 => 0..80u64, 1 => Just(600)];
    (address(), count, any::<bool>()).prop_map(|(address, count, backwards)| {
        let flags = if backwards { DF | 2 } else { 2 };
        let direction = [Op::MovImm(8, flags), Op::Push(8), Op::Popf];
        let fill = [Op::MovImm(7, address), Op::MovImm(1, count), Op::RepStos];
        Piece::once(&[direction, fill].concat())
    })
}

/// Writes to a page by one address, reads it by another.
fn alias() -> impl Strategy<Value = Piece> {
    (0..PAGE_LEN - 8, number(), any::<bool>()).prop_map(|(at, register, second)| {
        let (to, from) = if second { (DATA + PAGE_LEN, ALIAS + PAGE_LEN) } else { (ALIAS, DATA) };
        let write = [Op::MovImm(3, to + at), Op::Store((3, 0), register)];
        Piece::once(&[write, [Op::MovImm(15, from + at), Op::Load(9, (15, 0))]].concat())
    })
}

/// Has the kernel write where the program has written and will again.
fn buffer() -> impl Strategy<Value = Piece> {
    (address(), number()).prop_map(|(address, register)| {
        let write = [Op::MovImm(5, address), Op::Store((5, 0), register)];
        let call = [Op::MovImm(0, 1), Op::MovImm(7, address), Op::Syscall];
        Piece::once(
            &[&write[..], &call, &[Op::Store((5, 8), register), Op::Load(register, (5, 16))]].concat(),
        )
    })
}

/// Writes the same pages again and again.
fn hot() -> impl Strategy<Value = Piece> {
    let store = (address(), select(&[1, 8, 9][..]));
    (vec(store, 1..4), 1..40u64).prop_map(|(stores, count)| {
        let stores = stores.into_iter();
        let body = stores.flat_map(|(to, from)| [Op::MovImm(5, to), Op::Store((5, 0), from)]);
        let looped = [Op::AddImm(8, 7)].into_iter().chain(body).collect();
        Piece { once: Vec::from([Op::MovImm(1, count)]), looped }
    })
}

/// A program that touches all that there is and runs for some PEs. If it is to be
/// `steppable` it leaves the trap flag alone.
pub fn busy(steppable: bool) -> impl Strategy<Value = Vec<Op>> {
    let plain = move || {
        let flags = if steppable { arithmetic().boxed() } else { flags().boxed() };
        prop_oneof![8 => arithmetic(), 8 => memory(), 5 => vectors(), 1 => control(), 2 => traps(), 1 => flags]
    };
    let piece = prop_oneof![
        8 => vec(plain(), 1..6).prop_map(|ops| Piece::once(&ops)),
        4 => hot(),
        2 => call(),
        2 => buffer(),
        1 => rep(),
        1 => alias(),
    ];
    let ends = (vec(piece, 2..12), Just(None));
    // Some come to no end of their own, so that only the counter ends their PEs.
    let piece = prop_oneof![vec(arithmetic(), 1..6).prop_map(|ops| Piece::once(&ops)), hot(), alias()];
    let again = (vec(piece, 1..6), Just(Some(Op::Jump(Condition::Always, 0))));
    prop_oneof![3 => ends, 1 => again].prop_map(|(pieces, again)| {
        let mut program = Vec::new();
        pieces.into_iter().for_each(|piece| piece.append(&mut program));
        program.extend(again);
        program
    })
}

/// The same with values that are others each time.
pub fn restless() -> impl Strategy<Value = Vec<Op>> {
    (busy(false), vec((any::<usize>(), number()), 1..4)).prop_map(|(mut program, values)| {
        for (at, register) in values {
            // In place of another one, so that no jump goes elsewhere.
            let at = at % program.len();
            program[at] = Op::Random(register);
        }
        program
    })
}

fn target() -> impl Strategy<Value = (Target, u8)> {
    let flag = select((0..22u8).filter(|bit| INJECTABLE_FLAGS >> bit & 1 != 0).collect::<Vec<_>>());
    let region = select(&[DATA, DATA + PAGE_LEN, DATA + 5 * PAGE_LEN, CONSTANT, LAZY, ALIAS][..]);
    prop_oneof![
        4 => (0..16u8, 0..64u8).prop_map(|(index, bit)| (Target::Gpr(index), bit)),
        1 => (0..64u8).prop_map(|bit| (Target::Rip, bit)),
        2 => flag.prop_map(|bit| (Target::Rflags, bit)),
        2 => (0..16u8, 0..128u8).prop_map(|(index, bit)| (Target::Xmm(index), bit)),
        3 => (region, 0..PAGE_LEN, 0..8u8).prop_map(|(base, at, bit)| (Target::Memory(base + at), bit)),
    ]
}

/// One flip somewhere in the first PEs.
pub fn flip() -> impl Strategy<Value = Injection> {
    let run = select(&[Run::First, Run::Second][..]);
    (0..4u64, run, 0..50u64, target()).prop_map(|(pe, run, at, (target, bit))| Injection {
        pe,
        run,
        at,
        target,
        bit,
    })
}
