// SPDX-License-Identifier: MIT
//! The long block: so many instructions in a loop of many, since an emulator goes from block to block more slowly
//! than from instruction to instruction.
//!
//! The loop is entered where what is left of it and its repetitions come to the number that is wanted.

/// LEA RCX, [RCX+1]
const STEP: [u8; 4] = [0x48, 0x8d, 0x49, 0x01];
/// DEC RAX, which counts the iterations.
const DECREMENT: [u8; 3] = [0x48, 0xff, 0xc8];
/// JNZ, and how far.
const JUMP: [u8; 2] = [0x0f, 0x85];
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// Instructions of the loop.
const LOOP: u64 = 64;
const STEPS: u64 = LOOP - 2;
const DECREMENT_AT: u64 = STEPS * STEP.len() as u64;
const JUMP_AT: u64 = DECREMENT_AT + DECREMENT.len() as u64;
const SYSCALL_AT: u64 = JUMP_AT + JUMP.len() as u64 + size_of::<i32>() as u64;

/// Its code.
pub fn code() -> [u8; SYSCALL_AT as usize + SYSCALL.len()] {
    let back = -(SYSCALL_AT as i32);
    let parts = [&DECREMENT[..], &JUMP, &back.to_le_bytes(), &SYSCALL];
    let mut bytes = core::iter::repeat_n(&STEP[..], STEPS as usize).chain(parts).flatten();
    core::array::from_fn(|_| bytes.next().copied().unwrap_or_default())
}

/// How often the loop is gone round for so many instructions, and where it is entered.
pub fn start(instructions: u64) -> (u64, u64) {
    (instructions.div_ceil(LOOP), skipped(instructions) * STEP.len() as u64)
}

/// Instructions that the first round leaves out.
fn skipped(instructions: u64) -> u64 {
    instructions.next_multiple_of(LOOP) - instructions
}

/// How many of so many instructions have been executed, with so many rounds left, at this place in the code.
pub fn executed(instructions: u64, left: u64, at: u64) -> u64 {
    let (left, index) = match at {
        JUMP_AT => (left + 1, LOOP - 1),
        _ if at >= SYSCALL_AT => (0, 0),
        at => (left, at / STEP.len() as u64),
    };
    LOOP * (instructions.div_ceil(LOOP) - left) + index - skipped(instructions)
}
