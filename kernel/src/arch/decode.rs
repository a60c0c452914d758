// SPDX-License-Identifier: MIT
//! Decoding of instructions, and what an exact stop has to know of one, by its bytes.
//!
//! For an exact stop nearly no instruction is special, and single steps ask for each one: so a look at
//! prefixes and opcode comes first, and only what may be special is decoded.

use iced_x86::{Decoder, DecoderOptions, Instruction as Decoded, Mnemonic, OpKind, Register};
use pmu::exact::Instruction;

/// Builds the decoder's tables, which it does when it is used first: not on a program's behalf.
pub fn init() {
    whole(&[], 0);
}

/// All about the instruction that begins with `code`, at `rip`.
pub fn whole(code: &[u8], rip: u64) -> Decoded {
    Decoder::with_ip(64, code, rip, DecoderOptions::NONE).decode()
}

/// The longest x86 instruction, in bytes.
pub const MAX_INSTRUCTION_LEN: usize = 15;

/// The instruction that begins with `code`, at `rip`; one that cannot be read is nothing special.
pub fn instruction(code: &[u8], rip: u64) -> Instruction {
    if may_be_special(code) { decoded(code, rip) } else { Instruction::plain(rip.wrapping_add(1)) }
}

/// Whether there may be something about it: all that [`decoded`] looks for is among
/// these opcodes.
fn may_be_special(code: &[u8]) -> bool {
    let mut repeated = false;
    let mut rest = code.iter().copied();
    loop {
        return match rest.next() {
            // Segments, sizes, LOCK, REX.
            Some(0x26 | 0x2e | 0x36 | 0x3e | 0x40..=0x4f | 0x64..=0x67 | 0xf0) => continue,
            Some(0xf2 | 0xf3) => {
                repeated = true;
                continue;
            }
            // SYSCALL.
            Some(0x0f) => rest.next() == Some(0x05),
            // MOV to a segment register; PUSHF, POPF; INT3, IRET, INT1.
            Some(0x8e | 0x9c | 0x9d | 0xcc | 0xcf | 0xf1) => true,
            // PAUSE; INS, OUTS, MOVS, CMPS; STOS, LODS, SCAS.
            Some(0x90 | 0x6c..=0x6f | 0xa4..=0xa7 | 0xaa..=0xaf) => repeated,
            Some(_) | None => false,
        };
    }
}

fn decoded(code: &[u8], rip: u64) -> Instruction {
    let decoded = whole(code, rip);
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

#[cfg(test)]
mod tests {
    use super::*;

    const RIP: u64 = 0x40_1000;

    fn is_plain(it: Instruction) -> bool {
        it == Instruction::plain(it.next)
    }

    /// Every opcode and the byte behind it, under what prefixes there are.
    #[test]
    fn nothing_special_is_overlooked() {
        let prefixes: [&[u8]; 14] = [
            &[],
            &[0x66],
            &[0x67],
            &[0xf2],
            &[0xf3],
            &[0xf0],
            &[0x2e],
            &[0x65, 0x66],
            &[0x48],
            &[0x66, 0x4f],
            &[0xf3, 0x48],
            &[0x67, 0xf2, 0x41],
            &[0x66, 0xf3, 0x66, 0x40],
            &[0x48, 0xf3],
        ];
        let mut special = 0;
        for prefix in prefixes {
            for opcode in 0..=u16::MAX {
                for last in [0x00, 0x05, 0xd0] {
                    let code = [prefix, &opcode.to_be_bytes(), &[last; 9]].concat();
                    let whole = decoded(&code, RIP);
                    special += u32::from(!is_plain(whole));
                    let seen = instruction(&code, RIP);
                    assert!(seen == whole || is_plain(whole) && is_plain(seen), "{code:02x?}: {whole:?}");
                }
            }
        }
        assert!(special > 10_000, "{special}");
    }

    #[test]
    fn what_is_special_is_told() {
        let of = |code: &[u8]| instruction(code, RIP);
        assert!(of(&[0x9c]).shows_trap && of(&[0x0f, 0x05]).shows_trap && of(&[0xcc]).shows_trap);
        assert!(of(&[0x48, 0x9d]).loads_flags && of(&[0x48, 0xcf]).loads_flags);
        assert!(of(&[0xf3, 0x90]).holds_debug_back && of(&[0x8e, 0xd0]).holds_debug_back);
        assert!(is_plain(of(&[0x8e, 0xd8])) && is_plain(of(&[0x90])) && is_plain(of(&[])));
        let scas = of(&[0xf2, 0xae]);
        assert_eq!((scas.repeats, scas.ends_on, scas.next), (true, Some(true), RIP + 2));
        // With a 32-bit address size it counts in ECX.
        assert!(!of(&[0x67, 0xf3, 0xa4]).repeats);
    }
}
