// SPDX-License-Identifier: MIT
//! Instructions that need not do the same twice, and why.

use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, Mnemonic, NasmFormatter};

/// The instruction that starts with these bytes, if they are one.
pub fn decode(code: &[u8], rip: u64) -> Option<Instruction> {
    let instruction = Decoder::with_ip(64, code, rip, DecoderOptions::NONE).decode();
    (!instruction.is_invalid()).then_some(instruction)
}

/// An instruction as text.
pub fn assembly(code: &[u8], rip: u64) -> Option<String> {
    let instruction = decode(code, rip)?;
    let mut text = String::new();
    NasmFormatter::new().format(&instruction, &mut text);
    Some(text)
}

/// Why an instruction may give two results.
pub fn reason(instruction: &Instruction) -> Option<&'static str> {
    Some(match instruction.mnemonic() {
        Mnemonic::Rdrand | Mnemonic::Rdseed => "which gives another random number each time",
        Mnemonic::Rdpid | Mnemonic::Cpuid => "which may tell on which processor it runs",
        Mnemonic::Rdtsc | Mnemonic::Rdtscp => "which tells the time",
        Mnemonic::Rdpmc | Mnemonic::Rdpru => "which tells what the processor has counted",
        Mnemonic::Xgetbv => "which may tell what state is in use",
        Mnemonic::Xsave
        | Mnemonic::Xsave64
        | Mnemonic::Xsavec
        | Mnemonic::Xsavec64
        | Mnemonic::Xsaveopt
        | Mnemonic::Xsaveopt64 => "which may leave out state that is not in use",
        Mnemonic::Fnstenv
        | Mnemonic::Fstenv
        | Mnemonic::Fnsave
        | Mnemonic::Fsave
        | Mnemonic::Fxsave
        | Mnemonic::Fxsave64 => "which stores where the last x87 instruction was, and that may be lost",
        Mnemonic::Xbegin | Mnemonic::Xend | Mnemonic::Xabort | Mnemonic::Xtest => {
            "part of a transaction, which may abort at any time"
        }
        Mnemonic::Umonitor
        | Mnemonic::Umwait
        | Mnemonic::Tpause
        | Mnemonic::Monitorx
        | Mnemonic::Mwaitx
        | Mnemonic::Monitor
        | Mnemonic::Mwait => "which waits for a time, or for somebody else to write",
        Mnemonic::Sgdt | Mnemonic::Sidt | Mnemonic::Sldt | Mnemonic::Str | Mnemonic::Smsw => {
            "which tells what only the kernel should know"
        }
        Mnemonic::Lsl | Mnemonic::Lar | Mnemonic::Verr | Mnemonic::Verw => {
            "which tells what is in the kernel's tables"
        }
        Mnemonic::Enclu => "which enters an enclave",
        Mnemonic::Rcl | Mnemonic::Rcr if instruction.op0_kind() == iced_x86::OpKind::Memory => {
            "which some emulators cannot start again after a page fault"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodings from the manuals (Intel SDM vol. 2, AMD APM vol. 3).
    #[test]
    fn what_is_not_repeatable_is_recognised() {
        for (code, text, part) in [
            (&[0x48, 0x0f, 0xc7, 0xf0][..], "rdrand rax", "random"),
            (&[0x66, 0x0f, 0xc7, 0xf2], "rdrand dx", "random"),
            (&[0x0f, 0xc7, 0xf9], "rdseed ecx", "random"),
            (&[0xf3, 0x0f, 0xc7, 0xf8], "rdpid rax", "on which processor"),
            (&[0x0f, 0xa2], "cpuid", "on which processor"),
            (&[0x0f, 0x31], "rdtsc", "the time"),
            (&[0x0f, 0x01, 0xf9], "rdtscp", "the time"),
            (&[0x0f, 0x33], "rdpmc", "counted"),
            (&[0x0f, 0x01, 0xfd], "rdpru", "counted"),
            (&[0x0f, 0x01, 0xd0], "xgetbv", "in use"),
            (&[0x0f, 0xae, 0x27], "xsave [rdi]", "in use"),
            (&[0x48, 0x0f, 0xae, 0x37], "xsaveopt64 [rdi]", "in use"),
            (&[0x0f, 0xc7, 0x27], "xsavec [rdi]", "in use"),
            (&[0xd9, 0x37], "fnstenv [rdi]", "last x87 instruction"),
            (&[0x0f, 0xae, 0x07], "fxsave [rdi]", "last x87 instruction"),
            (&[0xc7, 0xf8, 0, 0, 0, 0], "xbegin ", "transaction"),
            (&[0x0f, 0x01, 0xd5], "xend", "transaction"),
            (&[0x0f, 0x01, 0xd6], "xtest", "transaction"),
            (&[0xf3, 0x0f, 0xae, 0xf0], "umonitor rax", "waits"),
            (&[0xf2, 0x0f, 0xae, 0xf0], "umwait eax", "waits"),
            (&[0x66, 0x0f, 0xae, 0xf0], "tpause eax", "waits"),
            (&[0x0f, 0x01, 0xfa], "monitorx", "waits"),
            (&[0x0f, 0x01, 0x07], "sgdt [rdi]", "the kernel"),
            (&[0x0f, 0x01, 0x0f], "sidt [rdi]", "the kernel"),
            (&[0x0f, 0x00, 0xc0], "sldt eax", "the kernel"),
            (&[0x0f, 0x00, 0xc8], "str eax", "the kernel"),
            (&[0x0f, 0x01, 0xe0], "smsw eax", "the kernel"),
            (&[0x0f, 0x03, 0xc1], "lsl eax,ecx", "the kernel's tables"),
            (&[0x0f, 0x02, 0xc1], "lar eax,ecx", "the kernel's tables"),
            (&[0x0f, 0x01, 0xd7], "enclu", "enclave"),
            (&[0x48, 0xd1, 0x1f], "rcr qword [rdi],1", "emulators"),
        ] {
            let instruction = decode(code, 0x40_1000).unwrap();
            assert_eq!(
                assembly(code, 0x40_1000).as_deref().map(|it| it.starts_with(text)),
                Some(true),
                "{text}"
            );
            assert!(reason(&instruction).is_some_and(|reason| reason.contains(part)), "{text}");
        }
    }

    #[test]
    fn what_is_repeatable_is_not() {
        for code in [&[0x01, 0xd8][..], &[0xf3, 0x90], &[0x48, 0xd1, 0xd8], &[0x9c], &[0x0f, 0xc7, 0x0f]] {
            assert_eq!(reason(&decode(code, 0).unwrap()), None);
        }
        assert!(decode(&[0x06], 0).is_none());
    }
}
