// SPDX-License-Identifier: MIT
//! What is said about a PE that kept diverging: where, on what, and at which instruction.

use iced_x86::{Decoder, DecoderOptions, Formatter, Mnemonic, NasmFormatter};
use pe_replay::wire::end::Verdict;

/// The verdict, in one line.
pub fn text(verdict: &Verdict) -> String {
    let Verdict { pe, start_rip, end_rip, difference, attempts, code } = verdict;
    let mut text = format!(
        "persistent divergence: PE {pe} from rip {start_rip:#x} to {end_rip:#x} differed in {attempts} attempts; \
         first difference {difference}"
    );
    let instruction = Decoder::with_ip(64, code, *end_rip, DecoderOptions::NONE).decode();
    if !instruction.is_invalid() {
        let mut assembly = String::new();
        NasmFormatter::new().format(&instruction, &mut assembly);
        text.push_str(&format!("; the instruction there is `{assembly}`"));
        if let Some(hint) = hint(instruction.mnemonic()) {
            text.push_str(&format!(", {hint}"));
        }
    }
    text
}

/// Why an instruction may give two results.
fn hint(mnemonic: Mnemonic) -> Option<&'static str> {
    Some(match mnemonic {
        Mnemonic::Rdrand | Mnemonic::Rdseed => "which gives another random number each time",
        Mnemonic::Rdpid => "which tells where it runs",
        Mnemonic::Rdtsc | Mnemonic::Rdtscp | Mnemonic::Rdpmc => "which tells the time",
        Mnemonic::Xgetbv => "which may tell what state is in use",
        Mnemonic::Cpuid => "which may tell where it runs",
        Mnemonic::Xbegin | Mnemonic::Xend | Mnemonic::Xabort | Mnemonic::Xtest => {
            "part of a transaction, which may abort at any time"
        }
        Mnemonic::Umwait | Mnemonic::Tpause => "which waits for a time",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use pe_replay::{Difference, Field};

    use super::*;

    fn told(start: &[u8]) -> String {
        let mut code = [0x90; 15];
        code[..start.len()].copy_from_slice(start);
        let difference = Difference { field: Field::Gpr(0), first: 1, second: 2, address: 0 };
        text(&Verdict { pe: 4, start_rip: 0x40_1000, end_rip: 0x40_1010, difference, attempts: 3, code })
    }

    #[test]
    fn an_instruction_that_explains_it_is_named() {
        assert_eq!(
            told(&[0x0f, 0xc7, 0xf0]),
            "persistent divergence: PE 4 from rip 0x401000 to 0x401010 differed in 3 attempts; \
             first difference rax: 0x1 against 0x2; \
             the instruction there is `rdrand eax`, which gives another random number each time"
        );
        assert!(told(&[0xc7, 0xf8, 0, 0, 0, 0]).contains("transaction"));
        assert!(told(&[0x0f, 0xa2]).ends_with("`cpuid`, which may tell where it runs"));
    }

    #[test]
    fn another_instruction_is_only_shown() {
        assert!(told(&[0x01, 0xd8]).ends_with("`add eax,ebx`"));
        assert!(told(&[0x06]).ends_with("0x1 against 0x2"));
    }
}
