// SPDX-License-Identifier: MIT
//! Calls of any number with any arguments, by many threads, also where memory ends at any moment.

use super::*;

/// Makes a call of any number with any arguments; most of them make some sense.
fn any_call(space: &mut Space, registers: &mut UserRegisters) {
    fn selector() -> u64 {
        match noise(12) {
            0 => 0x20 + noise(5),
            1 => noise(1 << 52),
            _ => 0x100 + noise(24),
        }
    }
    fn range() -> u64 {
        let base = match noise(3) {
            0 => selector(),
            1 => noise(64),
            _ => MEMORY.with_borrow(|memory| memory[0].number()) + noise(16),
        };
        base << 12 | noise(if noise(9) == 0 { 32 } else { 4 }) << 7 | noise(32) << 2 | noise(4)
    }
    let any = |page: u64| match noise(5) {
        0 => noise(u64::MAX),
        1 => page + PAGE_LEN * noise(8),
        2 => range(),
        _ => selector(),
    };
    for page in [FIRST_PAGE, CHILD_PAGE, WORKER_PAGE] {
        if space.next_mapped(page, page + PAGE_LEN).is_some() {
            let _ = space.write(page, &(noise(4) << 16 | noise(8)).to_le_bytes());
            for at in [8, 16] {
                let _ = space.write(page + at, &(if noise(2) == 0 { 0xfff } else { range() }).to_le_bytes());
            }
            for index in 0..4 {
                let at = page + PAGE_LEN - 16 * (index + 1);
                let _ = space.write(at, &range().to_le_bytes());
                let _ = space.write(at + 8, &(noise(64) << 12 | noise(4) | noise(2) << 11).to_le_bytes());
            }
        }
    }
    registers.rdi = selector() << 8 | noise(16) << 4 | noise(16);
    // To reply without a caller, or to wait for what nobody raises, ends a program: it does so now and then.
    if registers.rdi & 0xf == 1 && noise(500) > 0 {
        registers.rdi = registers.rdi & !0xf | 6;
    }
    // To take back what the first selectors name ends all.
    if registers.rdi & 0xf == 7 && noise(20) > 0 {
        registers.rdi &= !0x20;
    }
    [registers.rsi, registers.rdx] = [any(CHILD_PAGE), any(WORKER_PAGE)];
    [registers.rax, registers.r8] = [any(0), any(WORKER)];
    match registers.rdi & 0xf {
        // A quota, and a slice with a priority.
        2 => registers.rax = noise(64) << 32 | noise(4),
        4 => registers.rax = (1 + noise(100)) << 12 | noise(130),
        7 if noise(50) > 0 => registers.rsi = (0x100 + noise(24)) << 12 | noise(4) << 7 | noise(32) << 2 | 3,
        12 => (registers.rsi, registers.rdx) = (0, 1 + noise(1 << 21)),
        _ => {}
    }
}

#[test]
fn random_calls_of_many_threads_end_nowhere_but_with_the_programs() {
    // Whatever begins anywhere makes random calls: threads that are started, workers that are called.
    let ops = [Op::CallBy(any_call), Op::Jump(ROOT)];
    let worker = [Op::CallBy(any_call), Op::CallBy(any_call), Op::Hyper(call(1, 0, 0), [0; 4])];
    let begin = [
        &[
            Op::Hyper(call(3, 0, 0x100), [0x20, WORKER_PAGE, 0x1000, 0]),
            Op::Hyper(call(5, 0, 0x1e), [0x20, 0x100, 0xc, PAGER]),
            Op::Hyper(call(5, 0, 0x101), [0x20, 0x100, 0, WORKER]),
            Op::Hyper(call(3, 1, 0x102), [0x20, CHILD_PAGE, 0, 0]),
            Op::Hyper(call(4, 0, 0x103), [0x20, 0x102, 1 << 12 | 1, 0]),
        ],
        &ops[..1],
        &[Op::Jump(ROOT + 5 * crate::processor::OP_LEN)],
    ]
    .concat();
    for is_short in [false, true] {
        IS_SHORT.set(is_short);
        for seed in 1..60 {
            NOISE.set(seed);
            run(&[(ROOT, &begin), (WORKER, &worker), (PAGER, &START), (CHILD, &worker)]);
        }
    }
    IS_SHORT.set(false);
}
