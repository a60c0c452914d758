// SPDX-License-Identifier: MIT
//! What the engine has to know of an instruction to stop before or after it.

use iced_x86::{Decoder, DecoderOptions, Instruction as Decoded, Mnemonic, OpKind, Register};
use pmu::exact::Instruction;

use crate::delimit;
use crate::mem::space::Space;

/// The instruction at `rip`; one that cannot be read is nothing special.
pub fn instruction(space: &Space, rip: u64) -> Instruction {
    let code = delimit::code_at(space, rip);
    let decoded = Decoder::with_ip(64, &code, rip, DecoderOptions::NONE).decode();
    if decoded.is_invalid() {
        return Instruction::plain(rip.wrapping_add(1));
    }
    let mnemonic = decoded.mnemonic();
    let repeats = is_repeated(&decoded);
    Instruction {
        next: decoded.next_ip(),
        repeats,
        ends_on: if repeats { ending(&decoded) } else { None },
        holds_debug_back: mnemonic == Mnemonic::Pause
            || mnemonic == Mnemonic::Mov && decoded.op0_register() == Register::SS,
        shows_trap: matches!(
            mnemonic,
            Mnemonic::Pushf | Mnemonic::Pushfq | Mnemonic::Syscall | Mnemonic::Int1 | Mnemonic::Int3
        ),
        loads_flags: matches!(
            mnemonic,
            Mnemonic::Popf | Mnemonic::Popfq | Mnemonic::Iret | Mnemonic::Iretd | Mnemonic::Iretq
        ),
    }
}

/// A REP string instruction that counts in RCX.
fn is_repeated(decoded: &Decoded) -> bool {
    let wide = decoded.op_kinds().any(|kind| matches!(kind, OpKind::MemorySegRSI | OpKind::MemoryESRDI));
    wide && (decoded.has_rep_prefix() || decoded.has_repne_prefix())
}

/// The value of ZF that ends it.
fn ending(decoded: &Decoded) -> Option<bool> {
    let compares = matches!(
        decoded.mnemonic(),
        Mnemonic::Cmpsb
            | Mnemonic::Cmpsw
            | Mnemonic::Cmpsd
            | Mnemonic::Cmpsq
            | Mnemonic::Scasb
            | Mnemonic::Scasw
            | Mnemonic::Scasd
            | Mnemonic::Scasq
    );
    compares.then(|| decoded.has_repne_prefix())
}
